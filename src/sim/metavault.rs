//! A MetaVault to read: the read model as a SQLite file or in a PostgreSQL database, filled from a campus.
//!
//! It writes once; tests that change MetaVault afterwards do so by SQL of their own.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::campus::Campus;

/// The DDL of the read model, which operators read as well.
pub const READ_MODEL: &str = include_str!("../../docs/metavault-read-model.sql");

/// Rows handed over at once.
const LOT: usize = 20_000;

/// Makes the file and fills it, in one transaction.
///
/// # Errors
/// When the file cannot be written, or holds these tables already.
pub async fn create_sqlite(path: &Path, campus: &Campus) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Off);
    let mut connection = options.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(READ_MODEL).execute(&mut *transaction).await?;
    for lot in lots(campus) {
        let Lot { table, columns, rows } = lot?;
        let values: Vec<String> = columns.iter().map(|name| format!("value ->> '{name}'")).collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let sql = format!("INSERT INTO {table} ({columns}) SELECT {values} FROM json_each(?) WHERE true");
        sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    connection.close().await
}

/// Makes the tables in a database of a PostgreSQL server and fills them, in one transaction.
///
/// # Errors
/// When the server refuses, or the database holds these tables already.
pub async fn create_postgres(options: &PgConnectOptions, campus: &Campus) -> Result<(), sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(READ_MODEL).execute(&mut *transaction).await?;
    for lot in lots(campus) {
        let Lot { table, columns, rows } = lot?;
        let columns = columns.join(", ");
        let sql = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, $1::text::json)"
        );
        sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    // Without it a server that was only just filled plans as for empty tables.
    sqlx::raw_sql("ANALYZE").execute(&mut connection).await?;
    connection.close().await
}

/// Rows of one table as one JSON text whose field names are column names: a statement per row would be a
/// hand-over to the driver per row.
struct Lot {
    table: &'static str,
    columns: Vec<String>,
    rows: String,
}

/// Everything, in the order in which tables refer to each other.
fn lots(campus: &Campus) -> impl Iterator<Item = Result<Lot, sqlx::Error>> {
    let people = &campus.people;
    cut("mv_semester", &campus.semesters)
        .chain(cut("mv_org", campus.org_rows()))
        .chain(cut("mv_org_manager", &campus.managers))
        .chain(cut("mv_person", people.iter().flat_map(|person| &person.vault_rows)))
        .chain(cut("mv_affiliation", people.iter().flat_map(|person| &person.affiliations)))
        .chain(cut("mv_position", people.iter().flat_map(|person| &person.positions)))
        .chain(cut("mv_topic", &campus.topics))
        .chain(cut("mv_teaching", &campus.teachings))
        .chain(cut("mv_enrolment", &campus.enrolments))
}

fn cut<R: Serialize>(
    table: &'static str,
    rows: impl IntoIterator<Item = R>,
) -> impl Iterator<Item = Result<Lot, sqlx::Error>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let lot: Vec<R> = rows.by_ref().take(LOT).collect();
        let first = lot.first()?;
        let encode = |error: serde_json::Error| sqlx::Error::Encode(Box::new(error));
        let columns = match serde_json::to_value(first) {
            Ok(Value::Object(columns)) => columns.keys().cloned().collect(),
            Ok(_) => return Some(Err(sqlx::Error::Protocol(format!("{table}: a row is not an object")))),
            Err(error) => return Some(Err(encode(error))),
        };
        Some(serde_json::to_string(&lot).map_err(encode).map(|rows| Lot { table, columns, rows }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::campus::CampusPlan;

    #[tokio::test]
    async fn every_row_of_the_campus_is_in_the_file() {
        let campus = Campus::generate(&CampusPlan::new(11, 2_000));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mv.sqlite");
        create_sqlite(&path, &campus).await.unwrap();

        let mut reader = SqliteConnectOptions::new().filename(&path).read_only(true).connect().await.unwrap();
        let people = &campus.people;
        for (table, rows) in [
            ("mv_semester", campus.semesters.len()),
            ("mv_org", campus.units.len()),
            ("mv_org_manager", campus.managers.len()),
            ("mv_person", people.iter().map(|person| person.vault_rows.len()).sum()),
            ("mv_affiliation", people.iter().map(|person| person.affiliations.len()).sum()),
            ("mv_position", people.iter().map(|person| person.positions.len()).sum()),
            ("mv_topic", campus.topics.len()),
            ("mv_teaching", campus.teachings.len()),
            ("mv_enrolment", campus.enrolments.len()),
        ] {
            let sql = format!("SELECT count(*) FROM {table}");
            let counted: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut reader).await.unwrap();
            assert_eq!(usize::try_from(counted).unwrap(), rows, "{table}");
            assert!(rows > 0, "{table}");
        }
        let row = people.iter().find_map(|person| person.vault_rows.first()).unwrap();
        let (last_name, mobile): (Option<String>, Option<String>) =
            sqlx::query_as("SELECT last_name, mobile FROM mv_person WHERE uhid = ? AND source_id = ?")
                .bind(&row.uhid)
                .bind(&row.source_id)
                .fetch_one(&mut reader)
                .await
                .unwrap();
        assert_eq!((last_name, mobile), (row.last_name.clone(), row.mobile.clone()));
    }

    #[tokio::test]
    async fn a_file_that_is_there_already_is_not_written_over() {
        let campus = Campus::generate(&CampusPlan::new(1, 10));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mv.sqlite");
        create_sqlite(&path, &campus).await.unwrap();
        assert!(create_sqlite(&path, &campus).await.is_err());
    }
}
