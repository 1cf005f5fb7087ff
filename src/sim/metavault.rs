//! A MetaVault to read: the read model as a SQLite file, filled from a campus.
//!
//! It writes once; tests that change MetaVault afterwards do so by SQL of their own.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::campus::Campus;

/// The DDL of the read model, which operators read as well.
pub const READ_MODEL: &str = include_str!("../../docs/metavault-read-model.sql");

/// Rows handed to SQLite at once, as one JSON text.
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
    let to = &mut *transaction;
    insert(to, "mv_semester", &campus.semesters).await?;
    insert(to, "mv_org", &campus.org_rows()).await?;
    insert(to, "mv_org_manager", &campus.managers).await?;
    let people = &campus.people;
    insert(to, "mv_person", people.iter().flat_map(|person| &person.vault_rows)).await?;
    insert(to, "mv_affiliation", people.iter().flat_map(|person| &person.affiliations)).await?;
    insert(to, "mv_position", people.iter().flat_map(|person| &person.positions)).await?;
    insert(to, "mv_topic", &campus.topics).await?;
    insert(to, "mv_teaching", &campus.teachings).await?;
    insert(to, "mv_enrolment", &campus.enrolments).await?;
    transaction.commit().await?;
    connection.close().await
}

/// Inserts rows whose field names are column names. One JSON text per lot: a statement per row would be
/// a hand-over to the driver's thread per row.
async fn insert<R: Serialize>(
    to: &mut SqliteConnection,
    table: &str,
    rows: impl IntoIterator<Item = R>,
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter().peekable();
    let Some(first) = rows.peek() else { return Ok(()) };
    let Ok(Value::Object(columns)) = serde_json::to_value(first) else {
        return Err(sqlx::Error::Protocol(format!("{table}: a row is not an object")));
    };
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    let values: Vec<String> = names.iter().map(|name| format!("value ->> '{name}'")).collect();
    let sql =
        format!("INSERT INTO {table} ({}) SELECT {} FROM json_each(?) WHERE true", names.join(", "), values.join(", "));
    while rows.peek().is_some() {
        let lot: Vec<R> = rows.by_ref().take(LOT).collect();
        let text = serde_json::to_string(&lot).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        sqlx::query(AssertSqlSafe(sql.as_str())).bind(text).execute(&mut *to).await?;
    }
    Ok(())
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
