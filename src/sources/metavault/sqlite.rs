//! MetaVault in SQLite: everything that is said in its dialect.
//!
//! Opened read-only and never created. One deferred transaction spans preflight, counts and rows, so that
//! all tables are of one moment, also while a job reloads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt;
use futures::future::BoxFuture;
use reconcile_state::Key;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::fold::{self, Group, NotUtf8, PARTS, Part, PersonRow, Text};
use super::read_model;
use crate::model::{Org, Semester, Teaching, Topic};
use crate::plain::in_words;
use crate::sources::error::SourceError;
use crate::sources::port::{Catalogue, Vault, VaultReading};

/// How long a writer may hold us up.
const BUSY: Duration = Duration::from_secs(10);

/// `SELECT` for everybody, and for the keys in a JSON array. For some people `uhid` stays bare, so that its
/// index serves; for everybody `+uhid` keeps SQLite from walking that index, which costs a seek per row
/// (one million enrolments: 2.1 s instead of 1.1 s).
macro_rules! per_person {
    ($select:literal, $table:literal) => {
        [
            concat!("SELECT uhid, ", $select, " FROM ", $table),
            concat!("SELECT uhid, ", $select, " FROM ", $table, " WHERE uhid IN (SELECT value FROM json_each(?1))"),
        ]
    };
    ($select:literal, $table:literal, grouped) => {
        [
            concat!("SELECT uhid, count(*), ", $select, " FROM ", $table, " GROUP BY +uhid"),
            concat!(
                "SELECT uhid, count(*), ",
                $select,
                " FROM ",
                $table,
                " WHERE uhid IN (SELECT value FROM json_each(?1)) GROUP BY uhid"
            ),
        ]
    };
}

/// Columns in the order of [`PersonRow`] and [`fold::PERSON`].
const PEOPLE: [&str; 2] = per_person!(
    "status, CAST(source_system AS TEXT), CAST(source_id AS TEXT), CAST(employee_no AS TEXT), CAST(student_no AS TEXT), \
     CAST(campus AS TEXT), CAST(main_org AS TEXT), CAST(language AS TEXT)",
    "mv_person"
);

/// In the order of [`PARTS`]. Codes hold no `|`; a title is free text and may.
const GROUPS: [[&str; 2]; 3] = [
    per_person!(
        "group_concat(coalesce(kind, '') || '|' || coalesce(org_id, '') || '|' || coalesce(role, '') || '|' || \
         coalesce(valid_from, '') || '|' || coalesce(valid_to, '') || '|' || coalesce(is_primary, 0), char(30))",
        "mv_affiliation",
        grouped
    ),
    per_person!(
        "group_concat(coalesce(employee_no, '') || '|' || coalesce(job_code, '') || '|' || coalesce(yrk, '') || '|' || \
         replace(coalesce(title, ''), '|', '/') || '|' || coalesce(org_id, '') || '|' || coalesce(valid_from, '') || '|' || \
         coalesce(valid_to, '') || '|' || coalesce(status, ''), char(30))",
        "mv_position",
        grouped
    ),
    per_person!(
        "group_concat(coalesce(teaching_id, '') || '|' || coalesce(kind, '') || '|' || coalesce(role, '') || '|' || \
         coalesce(status, ''), char(30))",
        "mv_enrolment",
        grouped
    ),
];

/// MetaVault in an SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteVault {
    path: PathBuf,
}

impl SqliteVault {
    /// The vault in this file; opens nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    async fn connect(&self) -> Result<SqliteConnection, SourceError> {
        // SQLite says only that it cannot open the file; this says why.
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(SourceError::vault_connect(format!("{} is no file", shown(&self.path)), false)),
            Err(e) => {
                return Err(SourceError::vault_connect(
                    format!("{} cannot be opened: {}", shown(&self.path), in_words(&e)),
                    false,
                ));
            }
        }
        SqliteConnectOptions::new()
            .filename(&self.path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|e| {
                SourceError::vault_connect(format!("{} cannot be opened{}", shown(&self.path), said(&e)), busy(&e))
            })
    }

    async fn reading(&self, only: Option<&[Key]>) -> Result<VaultReading, SourceError> {
        let keys = only.map(as_json).transpose()?;
        let mut connection = self.connect().await?;
        let mut transaction = connection.begin().await.map_err(|e| failed("the database", &e))?;
        preflight(&mut transaction).await?;
        let mut reading = VaultReading { tables: count(&mut transaction).await?, ..VaultReading::default() };
        let (rows, mut invalid) = people(&mut transaction, keys.as_deref()).await?;
        reading.people = fold::people(rows);
        let mut orphans = BTreeSet::new();
        for (part, sql) in PARTS.into_iter().zip(GROUPS) {
            let (groups, left_out) = groups(&mut transaction, part, sql, keys.as_deref()).await?;
            orphans.append(&mut fold::add(&mut reading.people, part, groups));
            invalid += left_out;
        }
        reading.invalid_keys = invalid;
        reading.orphans = orphans.len() as u64;
        reading.catalogue = catalogue(&mut transaction).await?;
        fold::resolve(&mut reading.people, &reading.catalogue);
        transaction.rollback().await.map_err(|e| failed("the database", &e))?;
        connection.close().await.map_err(|e| failed("the database", &e))?;
        Ok(reading)
    }
}

impl Vault for SqliteVault {
    fn read_all(&self) -> BoxFuture<'_, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(None).await.map_err(|error| error.of_vault_file(&self.path)) })
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(Some(keys)).await.map_err(|error| error.of_vault_file(&self.path)) })
    }
}

/// Compares the read model with what is there.
async fn preflight(connection: &mut SqliteConnection) -> Result<(), SourceError> {
    for (table, columns) in read_model::TABLES {
        let present: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)")
            .bind(table)
            .fetch_all(&mut *connection)
            .await
            .map_err(|e| failed(table, &e))?;
        if present.is_empty() {
            return Err(SourceError::vault_schema(format!("there is no table or view {table}")));
        }
        let missing = read_model::missing(columns, &present);
        if !missing.is_empty() {
            return Err(SourceError::vault_schema(format!("{table} has no column {}", missing.join(", "))));
        }
    }
    Ok(())
}

async fn count(connection: &mut SqliteConnection) -> Result<BTreeMap<&'static str, u64>, SourceError> {
    let mut counts = BTreeMap::new();
    for (table, _) in read_model::TABLES {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut *connection)
            .await
            .map_err(|e| failed(table, &e))?;
        counts.insert(table, rows.unsigned_abs());
    }
    Ok(counts)
}

async fn people(connection: &mut SqliteConnection, keys: Option<&str>) -> Result<(Vec<PersonRow>, u64), SourceError> {
    let table = "mv_person";
    let query = sqlx::query(PEOPLE[usize::from(keys.is_some())]);
    let query = if let Some(keys) = keys { query.bind(keys) } else { query };
    let mut stream = query.fetch(connection);
    let (mut rows, mut invalid) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await.map_err(|e| failed(table, &e))? {
        let at = |index| text(&row, index, table);
        let Some(key) = person_key(&row, table)? else {
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

async fn groups(
    connection: &mut SqliteConnection,
    part: Part,
    sql: [&'static str; 2],
    keys: Option<&str>,
) -> Result<(Vec<Group>, u64), SourceError> {
    let table = part.table;
    let query = sqlx::query(sql[usize::from(keys.is_some())]);
    let query = if let Some(keys) = keys { query.bind(keys) } else { query };
    let mut stream = query.fetch(connection);
    let (mut groups, mut invalid) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await.map_err(|e| failed(table, &e))? {
        let rows = row.try_get::<i64, _>(1).map_err(|e| failed(table, &e))?.unsigned_abs();
        match person_key(&row, table)? {
            Some(key) => groups.push(Group { key, rows, text: text(&row, 2, table)? }),
            None => invalid += rows,
        }
    }
    Ok((groups, invalid))
}

async fn catalogue(connection: &mut SqliteConnection) -> Result<Catalogue, SourceError> {
    let mut catalogue = Catalogue::default();
    let sql = "SELECT CAST(id AS TEXT), CAST(parent_id AS TEXT), CAST(acronym AS TEXT), CAST(name_nb AS TEXT), \
               CAST(name_en AS TEXT), CAST(stedkode AS TEXT) FROM mv_org";
    for row in all(connection, "mv_org", sql).await? {
        let at = |index| lossy(&row, index, "mv_org");
        let org = Org {
            id: at(0)?.unwrap_or_default(),
            parent: at(1)?,
            acronym: at(2)?.unwrap_or_default(),
            name_nb: at(3)?.unwrap_or_default(),
            name_en: at(4)?,
            stedkode: at(5)?,
        };
        catalogue.orgs.insert(org.id.clone(), org);
    }
    let sql = "SELECT CAST(id AS TEXT), CAST(year AS INTEGER), CAST(term AS TEXT), CAST(starts_on AS TEXT), \
               CAST(ends_on AS TEXT) FROM mv_semester";
    for row in all(connection, "mv_semester", sql).await? {
        let at = |index| lossy(&row, index, "mv_semester");
        let semester = Semester {
            id: at(0)?.unwrap_or_default(),
            year: number(&row, 1, "mv_semester")?,
            term: at(2)?.unwrap_or_default(),
            starts_on: at(3)?.unwrap_or_default(),
            ends_on: at(4)?.unwrap_or_default(),
        };
        catalogue.semesters.insert(semester.id.clone(), semester);
    }
    let sql = "SELECT CAST(source_id AS TEXT), CAST(institution AS TEXT), CAST(code AS TEXT), CAST(version AS TEXT), \
               CAST(name_nb AS TEXT), CAST(name_nn AS TEXT), CAST(name_en AS TEXT), CAST(org_id AS TEXT), \
               CAST(status AS TEXT) FROM mv_topic";
    for row in all(connection, "mv_topic", sql).await? {
        let at = |index| lossy(&row, index, "mv_topic");
        let topic = Topic {
            id: at(0)?.unwrap_or_default(),
            institution: at(1)?.unwrap_or_default(),
            code: at(2)?.unwrap_or_default(),
            version: at(3)?.unwrap_or_default(),
            name_nb: at(4)?.unwrap_or_default(),
            name_nn: at(5)?,
            name_en: at(6)?,
            org: at(7)?,
            status: at(8)?.unwrap_or_default(),
        };
        catalogue.topics.insert(topic.id.clone(), topic);
    }
    let sql = "SELECT CAST(id AS TEXT), CAST(topic_id AS TEXT), CAST(semester_id AS TEXT), CAST(term_no AS INTEGER), \
               CAST(status AS TEXT) FROM mv_teaching";
    for row in all(connection, "mv_teaching", sql).await? {
        let at = |index| lossy(&row, index, "mv_teaching");
        let teaching = Teaching {
            id: at(0)?.unwrap_or_default(),
            topic: at(1)?.unwrap_or_default(),
            semester: at(2)?.unwrap_or_default(),
            term_no: number(&row, 3, "mv_teaching")?,
            status: at(4)?.unwrap_or_default(),
        };
        catalogue.teachings.insert(teaching.id.clone(), teaching);
    }
    Ok(catalogue)
}

async fn all(connection: &mut SqliteConnection, table: &str, sql: &'static str) -> Result<Vec<SqliteRow>, SourceError> {
    sqlx::query(sql).fetch_all(connection).await.map_err(|e| failed(table, &e))
}

fn person_key(row: &SqliteRow, table: &str) -> Result<Option<Key>, SourceError> {
    Ok(text(row, 0, table)?.and_then(Result::ok).and_then(|uhid| fold::key(&uhid)))
}

/// A text column; bytes are looked at by ourselves, so that one odd value is one person's finding.
fn text(row: &SqliteRow, index: usize, table: &str) -> Result<Text, SourceError> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(index).map_err(|e| failed(table, &e))?;
    Ok(bytes.map(|bytes| std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| NotUtf8)))
}

/// A text column of what is about no person: odd bytes show as such; empty is absent.
fn lossy(row: &SqliteRow, index: usize, table: &str) -> Result<Option<String>, SourceError> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(index).map_err(|e| failed(table, &e))?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.trim().is_empty()))
}

fn number(row: &SqliteRow, index: usize, table: &str) -> Result<i64, SourceError> {
    Ok(row.try_get::<Option<i64>, _>(index).map_err(|e| failed(table, &e))?.unwrap_or_default())
}

/// Keys as they may stand in the tables: all lower or all upper case.
fn as_json(keys: &[Key]) -> Result<String, SourceError> {
    let spellings: Vec<String> =
        keys.iter().flat_map(|key| [key.as_str().to_owned(), key.as_str().to_ascii_uppercase()]).collect();
    serde_json::to_string(&spellings).map_err(|_| SourceError::vault_read("the keys cannot be asked for", false))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn failed(what: &str, error: &sqlx::Error) -> SourceError {
    SourceError::vault_read(format!("{what} cannot be read{}", said(error)), busy(error))
}

/// SQLite's number only: its messages may quote what stands in a row.
fn said(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .and_then(DatabaseError::code)
        .map(|code| match code.as_ref() {
            "26" => ": it is no SQLite database".to_owned(),
            "11" => ": the database is damaged (SQLite error 11)".to_owned(),
            code => format!(" (SQLite error {code})"),
        })
        .unwrap_or_default()
}

/// SQLITE_BUSY and SQLITE_LOCKED, with any extension.
fn busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code).and_then(|code| code.parse::<u32>().ok());
    matches!(code.map(|code| code & 0xff), Some(5 | 6))
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
