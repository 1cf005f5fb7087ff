//! The cells of a report, one text after the other. A report shows hundreds of thousands of rows at once: a text of its
//! own for each cell would take several times as much memory as what they say.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Cells by row and place; a cell that holds nothing is empty.
#[derive(Default)]
pub struct Cells {
    text: String,
    /// Where each cell ends in the text.
    ends: Vec<u32>,
    /// How many cells there are up to the end of each row.
    rows: Vec<u32>,
}

impl Cells {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many cells a row has.
    pub fn width(&self, row: usize) -> usize {
        (self.rows[row] - self.first(row)) as usize
    }

    /// A cell of a row.
    pub fn get(&self, row: usize, place: usize) -> &str {
        let at = self.first(row) as usize + place;
        let from = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[from as usize..self.ends[at] as usize]
    }

    fn first(&self, row: usize) -> u32 {
        if row == 0 { 0 } else { self.rows[row - 1] }
    }

    fn put<E: Error>(&mut self, cell: &str) -> Result<(), E> {
        self.text.push_str(cell);
        self.ends.push(place(self.text.len())?);
        Ok(())
    }
}

/// An answer of 4 GiB is no report.
fn place<E: Error>(at: usize) -> Result<u32, E> {
    u32::try_from(at).map_err(|_| E::custom("too much text"))
}

impl<'de> serde::Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Rows)
    }
}

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = Cells;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Cells, A::Error> {
        let mut cells = Cells::default();
        while rows.next_element_seed(Row(&mut cells))?.is_some() {}
        Ok(cells)
    }
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    Columns,
    #[serde(other)]
    Other,
}

/// An object of which `columns` are the cells.
struct Row<'c>(&'c mut Cells);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        const COLUMNS: &str = "columns";
        let mut read = false;
        while let Some(name) = row.next_key()? {
            if matches!(name, Name::Other) {
                row.next_value::<IgnoredAny>()?;
            } else if std::mem::replace(&mut read, true) {
                return Err(A::Error::duplicate_field(COLUMNS));
            } else {
                row.next_value_seed(Columns(self.0))?;
            }
        }
        if !read {
            return Err(A::Error::missing_field(COLUMNS));
        }
        self.0.rows.push(place(self.0.ends.len())?);
        Ok(())
    }
}

struct Columns<'c>(&'c mut Cells);

impl<'de> DeserializeSeed<'de> for Columns<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cells")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        while cells.next_element_seed(Cell(self.0))?.is_some() {}
        Ok(())
    }
}

struct Cell<'c>(&'c mut Cells);

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or nothing")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.0.put("")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.put("")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.put(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Cells, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn every_cell_is_read_in_its_place() {
        let cells =
            read(r#"[{"columns":["a",null,"b\u00f8\n"]},{"columns":[]},{"more":[{}],"columns":["","ø"]}]"#).unwrap();
        let widths: Vec<usize> = (0..cells.rows()).map(|row| cells.width(row)).collect();
        assert_eq!(widths, [3, 0, 2]);
        let texts: Vec<&str> = [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)].map(|(row, at)| cells.get(row, at)).to_vec();
        assert_eq!(texts, ["a", "", "bø\n", "", "ø"]);
    }

    #[test]
    fn what_is_no_row_of_texts_is_refused() {
        let odd = [
            "{}",
            "[1]",
            "[{}]",
            r#"[{"columns":1}]"#,
            r#"[{"columns":[1]}]"#,
            r#"[{"columns":[["a"]]}]"#,
            r#"[{"columns":["a"],"columns":["b"]}]"#,
        ];
        for json in odd {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
