//! MetaVault in SQLite: everything that is said in its dialect.
//!
//! Opened read-only and never created. One deferred transaction spans preflight, counts and rows, so that
//! all tables are of one moment, also while a job reloads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use reconcile_state::Key;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::check::{self, Table};
use super::fold::{self, Group, PARTS, Part, PersonRow};
use super::{read_model, rows, statements};
use crate::model::Check;
use crate::plain::in_words;
use crate::sources::error::SourceError;
use crate::sources::port::{Catalogue, Vault, VaultReading};

/// How long a writer may hold us up.
const BUSY: Duration = Duration::from_secs(10);

/// How some people are asked for: their keys come as a JSON array. `uhid` stays bare, so that its index serves.
const ONLY: &str = " WHERE uhid IN (SELECT value FROM json_each(?1))";

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
        for (part, row) in PARTS.into_iter().zip(statements::PARTS) {
            let (groups, left_out) = groups(&mut transaction, part, row, keys.as_deref()).await?;
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

    async fn look(&self, found: &mut Vec<Check>) -> Result<(), SourceError> {
        let mut connection = self.connect().await?;
        let mut transaction = connection.begin().await.map_err(|e| failed("the database", &e))?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&mut *transaction)
            .await
            .map_err(|e| failed("the database", &e))?;
        // Opening reads nothing yet: only now it shows whether the file is a database at all.
        columns(&mut transaction, "mv_person").await?;
        found.push(Check::good("connection", format!("SQLite {version}, {}, opened read-only", shown(&self.path))));
        let mut tables = BTreeMap::new();
        for (name, wanted) in read_model::TABLES {
            let present = columns(&mut transaction, name).await?;
            let table = match read_model::compare(name, wanted, &present) {
                Ok(()) => Table::Rows(rows_of(&mut transaction, name).await?),
                Err(error) if present.is_empty() => Table::Absent(error.to_string()),
                Err(error) => Table::Unlike(error.to_string()),
            };
            tables.insert(name, table);
        }
        found.extend(check::tables(&tables));
        transaction.rollback().await.map_err(|e| failed("the database", &e))?;
        connection.close().await.map_err(|e| failed("the database", &e))
    }
}

impl Vault for SqliteVault {
    fn read_all(&self) -> BoxFuture<'_, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(None).await.map_err(|error| error.of_vault_file(&self.path)) })
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(Some(keys)).await.map_err(|error| error.of_vault_file(&self.path)) })
    }

    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async {
            let mut found = Vec::new();
            if let Err(error) = self.look(&mut found).await {
                found.push(check::failed(&error.of_vault_file(&self.path)));
            }
            found
        })
    }
}

/// Compares the read model with what is there.
async fn preflight(connection: &mut SqliteConnection) -> Result<(), SourceError> {
    for (table, wanted) in read_model::TABLES {
        read_model::compare(table, wanted, &columns(connection, table).await?)?;
    }
    Ok(())
}

async fn columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<String>, SourceError> {
    sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)")
        .bind(table)
        .fetch_all(connection)
        .await
        .map_err(|e| failed(table, &e))
}

async fn count(connection: &mut SqliteConnection) -> Result<BTreeMap<&'static str, u64>, SourceError> {
    let mut counts = BTreeMap::new();
    for (table, _) in read_model::TABLES {
        counts.insert(table, rows_of(connection, table).await?);
    }
    Ok(counts)
}

async fn rows_of(connection: &mut SqliteConnection, table: &str) -> Result<u64, SourceError> {
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(connection)
        .await
        .map_err(|e| failed(table, &e))?;
    Ok(rows.unsigned_abs())
}

async fn people(connection: &mut SqliteConnection, keys: Option<&str>) -> Result<(Vec<PersonRow>, u64), SourceError> {
    let only = if keys.is_some() { ONLY } else { "" };
    let query = sqlx::query(AssertSqlSafe(format!("SELECT {} FROM mv_person{only}", statements::PEOPLE)));
    let query = if let Some(keys) = keys { query.bind(keys) } else { query };
    rows::people(query.fetch(connection)).await.map_err(|e| failed("mv_person", &e))
}

/// For everybody `+uhid` keeps SQLite from walking its index, which costs a seek per row (one million
/// enrolments: 2.1 s instead of 1.1 s).
async fn groups(
    connection: &mut SqliteConnection,
    part: Part,
    row: &str,
    keys: Option<&str>,
) -> Result<(Vec<Group>, u64), SourceError> {
    let table = part.table;
    let (only, by) = if keys.is_some() { (ONLY, "uhid") } else { ("", "+uhid") };
    let sql =
        format!("SELECT CAST(uhid AS TEXT), count(*), group_concat({row}, char(30)) FROM {table}{only} GROUP BY {by}");
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = if let Some(keys) = keys { query.bind(keys) } else { query };
    rows::groups(query.fetch(connection)).await.map_err(|e| failed(table, &e))
}

async fn catalogue(connection: &mut SqliteConnection) -> Result<Catalogue, SourceError> {
    let mut catalogue = Catalogue::default();
    for (table, sql) in statements::CATALOGUE {
        for row in sqlx::query(sql).fetch_all(&mut *connection).await.map_err(|e| failed(table, &e))? {
            rows::enter(&mut catalogue, table, &row).map_err(|e| failed(table, &e))?;
        }
    }
    Ok(catalogue)
}

fn as_json(keys: &[Key]) -> Result<String, SourceError> {
    serde_json::to_string(&rows::spellings(keys))
        .map_err(|_| SourceError::vault_read("the keys cannot be asked for", false))
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
