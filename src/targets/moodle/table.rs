//! A custom report as a table (facts, section 8): display text, escaped, in the report's own order of columns,
//! under headers that an administrator may change at any time. What the cells mean is each kind's own.

use std::borrow::Cow;
use std::collections::BTreeMap;

use html_escape::decode_html_entities;

use super::answer::FETCH_FAILED;
use super::cells::Cells;
use super::wire::ReportData;
use crate::model::{ErrorKind, TargetError};

/// A report whose columns were found.
pub struct Table {
    places: BTreeMap<&'static str, usize>,
    cells: Cells,
    total: u64,
}

impl Table {
    /// Finds the columns that are wanted: each by our name of it and the header it has. `setting` is where the
    /// report is configured.
    ///
    /// # Errors
    /// A header that is missing or stands twice; a row with another number of cells than there are headers.
    pub fn new(setting: &'static str, data: ReportData, wanted: &[(&'static str, &str)]) -> Result<Self, TargetError> {
        let ReportData { headers, rows: cells, totalrowcount } = data;
        let headers: Vec<String> = headers.iter().map(|text| decode_html_entities(text).trim().to_owned()).collect();
        let mut places = BTreeMap::new();
        for (name, header) in wanted {
            let mut hits = headers.iter().enumerate().filter(|(_, text)| *text == header.trim()).map(|(at, _)| at);
            match (hits.next(), hits.next()) {
                (Some(at), None) => places.insert(*name, at),
                (None, _) => {
                    let message = format!(
                        "no column is headed `{header}`; set {setting}.columns.{name} to the header as the report shows it"
                    );
                    return Err(malformed(setting, &message));
                }
                (Some(_), Some(_)) => {
                    return Err(malformed(setting, &format!("two columns are headed `{header}` ({name})")));
                }
            };
        }
        if (0..cells.rows()).any(|row| cells.width(row) != headers.len()) {
            return Err(malformed(setting, "a row has another number of cells than there are headers"));
        }
        Ok(Self { places, cells, total: totalrowcount })
    }

    /// Its rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = TableRow<'_>> {
        (0..self.cells.rows()).map(|row| TableRow { table: self, row })
    }

    /// How many rows there are by the report's own count.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// One row.
pub struct TableRow<'t> {
    table: &'t Table,
    row: usize,
}

impl<'t> TableRow<'t> {
    /// A cell by our name of its column, unescaped; empty where the column is not wanted.
    pub fn cell(&self, name: &str) -> Cow<'t, str> {
        let text = self.table.places.get(name).map_or("", |at| self.table.cells.get(self.row, *at));
        decode_html_entities(text)
    }
}

/// The report is not what it was, or not one consistent page.
pub fn malformed(setting: &str, what: &str) -> TargetError {
    TargetError::new(ErrorKind::Malformed, FETCH_FAILED, format!("{setting}: {what}"))
}
