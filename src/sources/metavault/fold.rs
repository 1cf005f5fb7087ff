//! Rows become people. Pure, and the same for every engine.
//!
//! A person has a row per source system. For each attribute the first row that says something wins, in
//! this order: active rows before others; payroll systems (`SAP`, `DFO`), then the student system (`FS`),
//! then the guest system (`GREG`, `GRE`), then others by name; then the id in the source system.

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::{Attribute, AttributeId, Key, Record, Texts, Value};

use crate::model::person::vault as v;
use crate::sources::port::{Catalogue, Finding, VaultEntry, reason};
use crate::sources::uhid;

/// Between the rows of one person, as SQL joins them: no text of the sources holds it, and where one
/// does, the count of rows tells.
pub const ROWS: char = '\u{1e}';

/// A text column as it came: absent, text, or bytes that are none.
pub type Text = Option<Result<String, NotUtf8>>;

/// Bytes that are no UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotUtf8;

/// The attributes that `mv_person` carries, in the order of [`PersonRow::values`].
pub const PERSON: [AttributeId; 5] = [v::PAYROLL_NUMBER, v::STUDENT_NUMBER, v::CAMPUS, v::MAIN_ORG, v::LANGUAGE];

/// One row of `mv_person`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonRow {
    /// The person.
    pub key: Key,
    /// Whether the row's status is `A`.
    pub active: bool,
    /// The system it came from.
    pub source_system: String,
    /// Its id there.
    pub source_id: String,
    /// The values of [`PERSON`].
    pub values: [Text; 5],
}

/// All rows of one person in one table, joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// The person.
    pub key: Key,
    /// How many rows there are.
    pub rows: u64,
    /// The rows, fields joined by `|` and rows by [`ROWS`].
    pub text: Text,
}

/// A table with several rows per person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// The table.
    pub table: &'static str,
    /// The attribute its rows become.
    pub attribute: AttributeId,
    /// Fields in each row.
    pub fields: usize,
}

/// Tables with several rows per person.
pub const PARTS: [Part; 3] = [
    Part { table: "mv_affiliation", attribute: v::AFFILIATIONS, fields: 6 },
    Part { table: "mv_position", attribute: v::POSITIONS, fields: 8 },
    Part { table: "mv_enrolment", attribute: v::ENROLMENTS, fields: 4 },
];

/// The key of a `uhid` column. Mixed case is refused: asking for one person could not find it by index.
pub fn key(uhid: &str) -> Option<Key> {
    let mixed = uhid.bytes().any(|b| b.is_ascii_lowercase()) && uhid.bytes().any(|b| b.is_ascii_uppercase());
    if mixed { None } else { uhid::key(uhid) }
}

/// People of all rows, each folded to one.
pub fn people(mut rows: Vec<PersonRow>) -> BTreeMap<Key, VaultEntry> {
    rows.sort_by(|a, b| (&a.key, rank(a)).cmp(&(&b.key, rank(b))));
    let attributes = v::attributes();
    let mut people: BTreeMap<Key, VaultEntry> = BTreeMap::new();
    for row in rows {
        let person = people
            .entry(row.key.clone())
            .or_insert_with(|| VaultEntry { record: Record::new(row.key), findings: Vec::new() });
        for (id, value) in PERSON.into_iter().zip(row.values) {
            match value {
                Some(Ok(text)) if person.record.get(id).is_none() && !text.trim().is_empty() => {
                    person.record.set(id, Value::Text(text));
                }
                Some(Err(NotUtf8)) => found(person, &attributes, id, reason::NOT_UTF8),
                Some(Ok(_)) | None => {}
            }
        }
    }
    people
}

/// Adds the rows of one table to the people; returns how many people it names that are not there.
pub fn add(
    people: &mut BTreeMap<Key, VaultEntry>,
    part: Part,
    groups: impl IntoIterator<Item = Group>,
) -> BTreeSet<Key> {
    let attributes = v::attributes();
    let mut orphans = BTreeSet::new();
    for group in groups {
        let Some(person) = people.get_mut(&group.key) else {
            orphans.insert(group.key);
            continue;
        };
        let text = match group.text {
            Some(Ok(text)) => text,
            Some(Err(NotUtf8)) => {
                found(person, &attributes, part.attribute, reason::NOT_UTF8);
                continue;
            }
            None => String::new(),
        };
        let pieces: Vec<&str> = text.split(ROWS).collect();
        let whole = |piece: &&&str| piece.matches('|').count() + 1 == part.fields;
        let good = pieces.iter().filter(whole).count();
        // A separator inside a value makes too many pieces or fields.
        if good != pieces.len() || pieces.len() as u64 != group.rows {
            found(person, &attributes, part.attribute, reason::MALFORMED);
        }
        // The same person may come twice, in upper and in lower case.
        let known = person.record.elements(part.attribute).map(str::to_owned);
        let elements = known.chain(pieces.iter().filter(whole).map(|piece| (*piece).to_owned())).collect();
        person.record.set(part.attribute, Value::Set(elements));
    }
    orphans
}

/// Says of every enrolment what is taught when, in the place of the teaching's number: what changes there is a
/// change of everybody who is enrolled.
pub fn resolve(people: &mut BTreeMap<Key, VaultEntry>, catalogue: &Catalogue) {
    for person in people.values_mut() {
        let known: Texts = person.record.elements(v::ENROLMENTS).filter_map(|row| enrolment(row, catalogue)).collect();
        person.record.set(v::ENROLMENTS, Value::Set(known));
    }
}

fn enrolment(row: &str, catalogue: &Catalogue) -> Option<String> {
    let (id, rest) = row.split_once('|')?;
    let (rest, status) = rest.rsplit_once('|')?;
    let active = |status: &str| status.trim().eq_ignore_ascii_case("A");
    let teaching = catalogue.teachings.get(id);
    let topic = teaching.and_then(|teaching| catalogue.topics.get(&teaching.topic));
    // A separator inside a key would make another row of it.
    let known = teaching.zip(topic).filter(|(one, topic)| !one.semester.contains('|') && !topic.id.contains('|'));
    Some(match known {
        Some((teaching, topic)) => {
            let open = active(status) && active(&teaching.status) && active(&topic.status);
            format!("{}|{}|{rest}|{}", topic.id, teaching.semester, if open { "A" } else { "I" })
        }
        None => format!("?|{id}|{rest}|{}", if active(status) { "A" } else { "I" }),
    })
}

fn rank(row: &PersonRow) -> (bool, u8, &str, &str) {
    let systems = ["sap", "dfo", "fs", "greg", "gre"];
    let at = systems.iter().position(|system| row.source_system.trim().eq_ignore_ascii_case(system));
    let at = at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX);
    (!row.active, at, &row.source_system, &row.source_id)
}

fn found(person: &mut VaultEntry, attributes: &[Attribute], id: AttributeId, code: &'static str) {
    if let Some(attribute) = attributes.iter().find(|a| a.id == id) {
        let finding = Finding { code, attribute: attribute.name };
        if let Err(at) = person.findings.binary_search(&finding) {
            person.findings.insert(at, finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Teaching, Topic};

    fn row(system: &str, active: bool, values: [&str; 5]) -> PersonRow {
        PersonRow {
            key: Key::new("k"),
            active,
            source_system: system.into(),
            source_id: "1".into(),
            values: values.map(|text| (!text.is_empty()).then(|| Ok(text.to_owned()))),
        }
    }

    fn one(rows: Vec<PersonRow>) -> VaultEntry {
        people(rows).into_values().next().unwrap()
    }

    #[test]
    fn several_rows_fold_by_priority_whatever_their_order() {
        let rows = vec![
            row("zzz", true, ["9", "9", "Z", "", "en"]),
            row("FS", true, ["", "4711", "North", "fs:1", "nn"]),
            row("SAP", false, ["100", "", "Old", "sap:0", ""]),
            row("sap", true, ["101", "", "", "sap:1", ""]),
        ];
        let person = one(rows.clone());
        let texts: Vec<_> = PERSON.iter().map(|id| person.record.text(*id).unwrap()).collect();
        assert_eq!(texts, ["101", "4711", "North", "sap:1", "nn"]);
        assert_eq!(one(rows.into_iter().rev().collect()), person);
        v::schema().unwrap().check(&person.record).unwrap();
    }

    #[test]
    fn a_row_no_longer_active_speaks_last_but_speaks() {
        let person = one(vec![row("SAP", false, ["100", "", "", "", ""]), row("FS", true, ["", "4711", "", "", ""])]);
        assert_eq!(person.record.text(v::PAYROLL_NUMBER), Some("100"));
    }

    #[test]
    fn separators_inside_values_are_found_and_not_guessed_at() {
        let part = PARTS[2];
        let mut people = people(vec![row("FS", true, [""; 5])]);
        let group = |rows, text: &str| Group { key: Key::new("k"), rows, text: Some(Ok(text.to_owned())) };
        let clean = "1|student|student|A\u{1e}2|student|student|A";
        assert!(add(&mut people, part, [group(2, clean)]).is_empty());
        let person = &people[&Key::new("k")];
        assert_eq!((person.record.elements(v::ENROLMENTS).count(), person.findings.len()), (2, 0));
        add(&mut people, part, [group(1, "3|student|a|b|A")]);
        let person = &people[&Key::new("k")];
        assert_eq!(person.findings, [Finding { code: reason::MALFORMED, attribute: "mv_enrolments" }]);
        assert_eq!(person.record.elements(v::ENROLMENTS).count(), 2);
    }

    #[test]
    fn people_without_a_row_of_their_own_are_counted_and_left_out() {
        let mut people = people(vec![row("FS", true, [""; 5])]);
        let group = Group { key: Key::new("other"), rows: 1, text: Some(Ok("1|student|student|A".into())) };
        let orphans = add(&mut people, PARTS[2], [group]);
        assert_eq!((orphans.len(), people.len()), (1, 1));
    }

    #[test]
    fn an_enrolment_says_what_is_taught_when_and_is_active_only_where_all_of_it_is() {
        let mut catalogue = Catalogue::default();
        let topic = |id: &str, status: &str| Topic { id: id.into(), status: status.into(), ..Topic::default() };
        let teaching = |topic: &str, status: &str| Teaching {
            topic: topic.into(),
            semester: "2026:HØST".into(),
            status: status.into(),
            ..Teaching::default()
        };
        catalogue.topics.insert("185:A:1".into(), topic("185:A:1", "A"));
        catalogue.topics.insert("185:B:1".into(), topic("185:B:1", "I"));
        for (id, one) in [
            ("1", teaching("185:A:1", "A")),
            ("2", teaching("185:A:1", "I")),
            ("3", teaching("185:B:1", "A")),
            ("4", teaching("185:C:1", "A")),
        ] {
            catalogue.teachings.insert(id.into(), one);
        }
        let cases = [
            ("1|student|student|A", "185:A:1|2026:HØST|student|student|A"),
            ("1|student|student|I", "185:A:1|2026:HØST|student|student|I"),
            ("2|student|student|A", "185:A:1|2026:HØST|student|student|I"),
            ("3|teacher|lecturer|A", "185:B:1|2026:HØST|teacher|lecturer|I"),
            ("4|student|student|A", "?|4|student|student|A"),
            ("9|student|student|A", "?|9|student|student|A"),
        ];
        for (row, said) in cases {
            assert_eq!(enrolment(row, &catalogue).as_deref(), Some(said));
        }
    }

    #[test]
    fn a_uhid_in_mixed_case_is_refused() {
        let lower = "0b7c4e1a-5d2f-4a60-9c3b-1f2e3d4c5b6a";
        assert_eq!(key(&lower.to_uppercase()), key(lower));
        assert_eq!(key(&lower.replace('b', "B")), None);
    }
}
