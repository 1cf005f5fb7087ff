//! Rows of any engine, read in the order in which `statements` selects their columns.
//!
//! Nothing is judged here: `fold` makes people of what is read.

use futures::{Stream, TryStreamExt};
use reconcile_state::Key;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::fold::{self, Group, NotUtf8, PersonRow, Text};
use crate::model::{Org, Semester, Teaching, Topic};
use crate::sources::port::Catalogue;

/// A row of some engine, by column from 0.
pub trait Columns {
    /// A text column as bytes, so that one odd value is one person's finding and no failed reading.
    ///
    /// # Errors
    /// Where the column is not there or holds no text.
    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, sqlx::Error>;

    /// A whole number.
    ///
    /// # Errors
    /// Where the column is not there or holds no number.
    fn number(&self, at: usize) -> Result<Option<i64>, sqlx::Error>;
}

impl Columns for SqliteRow {
    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, sqlx::Error> {
        self.try_get_unchecked(at)
    }

    fn number(&self, at: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(at)
    }
}

impl Columns for PgRow {
    fn bytes(&self, at: usize) -> Result<Option<&[u8]>, sqlx::Error> {
        Ok(self.try_get::<Option<&str>, _>(at)?.map(str::as_bytes))
    }

    fn number(&self, at: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(at)
    }
}

/// Rows of `statements::PEOPLE`, and how many were left out because their key is none.
///
/// # Errors
/// The engine's.
pub async fn people<R: Columns>(
    mut stream: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
) -> Result<(Vec<PersonRow>, u64), sqlx::Error> {
    let (mut rows, mut invalid) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        let at = |index| text(&row, index);
        let Some(key) = key(&row)? else {
            invalid += 1;
            continue;
        };
        rows.push(PersonRow {
            key,
            active: matches!(at(1)?, Some(Ok(status)) if status.trim().eq_ignore_ascii_case("A")),
            source_system: at(2)?.and_then(Result::ok).unwrap_or_default(),
            source_id: at(3)?.and_then(Result::ok).unwrap_or_default(),
            values: [at(4)?, at(5)?, at(6)?, at(7)?, at(8)?],
        });
    }
    Ok((rows, invalid))
}

/// Rows of key, count and `statements::PARTS` joined, and how many rows were left out because their key is none.
///
/// # Errors
/// The engine's.
pub async fn groups<R: Columns>(
    mut stream: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
) -> Result<(Vec<Group>, u64), sqlx::Error> {
    let (mut groups, mut invalid) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        let rows = row.number(1)?.unwrap_or_default().unsigned_abs();
        match key(&row)? {
            Some(key) => groups.push(Group { key, rows, text: text(&row, 2)? }),
            None => invalid += rows,
        }
    }
    Ok((groups, invalid))
}

/// Takes in one row of a table of `statements::CATALOGUE`.
///
/// # Errors
/// The engine's.
pub fn enter(catalogue: &mut Catalogue, table: &str, row: &impl Columns) -> Result<(), sqlx::Error> {
    let optional = |at| lossy(row, at);
    let at = |index| lossy(row, index).map(Option::unwrap_or_default);
    let number = |index| row.number(index).map(Option::unwrap_or_default);
    match table {
        "mv_org" => {
            let org = Org {
                id: at(0)?,
                parent: optional(1)?,
                acronym: at(2)?,
                name_nb: at(3)?,
                name_en: optional(4)?,
                stedkode: optional(5)?,
            };
            catalogue.orgs.insert(org.id.clone(), org);
        }
        "mv_semester" => {
            let semester = Semester { id: at(0)?, year: number(1)?, term: at(2)?, starts_on: at(3)?, ends_on: at(4)? };
            catalogue.semesters.insert(semester.id.clone(), semester);
        }
        "mv_topic" => {
            let topic = Topic {
                id: at(0)?,
                institution: at(1)?,
                code: at(2)?,
                version: at(3)?,
                name_nb: at(4)?,
                name_nn: optional(5)?,
                name_en: optional(6)?,
                org: optional(7)?,
                status: at(8)?,
            };
            catalogue.topics.insert(topic.id.clone(), topic);
        }
        _ => {
            let teaching =
                Teaching { id: at(0)?, topic: at(1)?, semester: at(2)?, term_no: number(3)?, status: at(4)? };
            catalogue.teachings.insert(teaching.id.clone(), teaching);
        }
    }
    Ok(())
}

/// Keys as they may stand in the tables: all lower or all upper case.
pub fn spellings(keys: &[Key]) -> Vec<String> {
    keys.iter().flat_map(|key| [key.as_str().to_owned(), key.as_str().to_ascii_uppercase()]).collect()
}

fn key(row: &impl Columns) -> Result<Option<Key>, sqlx::Error> {
    Ok(text(row, 0)?.and_then(Result::ok).and_then(|uhid| fold::key(&uhid)))
}

fn text(row: &impl Columns, at: usize) -> Result<Text, sqlx::Error> {
    Ok(row.bytes(at)?.map(|bytes| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| NotUtf8)))
}

/// Text about no person: odd bytes show as such; empty is absent.
fn lossy(row: &impl Columns, at: usize) -> Result<Option<String>, sqlx::Error> {
    Ok(row.bytes(at)?.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.trim().is_empty()))
}
