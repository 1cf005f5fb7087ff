//! MetaVault in PostgreSQL: everything that is said in its dialect.
//!
//! One read-only transaction of REPEATABLE READ spans preflight, counts and rows. Before it looks at anything it
//! locks every table against TRUNCATE, which ignores snapshots: a load that truncates and refills would else show
//! tables as empty to whoever began before it ended. The lock is the weakest there is (ACCESS SHARE, what a SELECT
//! takes) and waits for a load that has begun, within the statement's time limit, holding nothing for long meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use reconcile_state::Key;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::address::{Address, Transport};
use super::check::{self, Table};
use super::fold::{self, Group, PARTS, Part, PersonRow};
use super::{read_model, refusal, rows, statements};
use crate::config::Secret;
use crate::model::Check;
use crate::sources::error::SourceError;
use crate::sources::port::{Catalogue, Vault, VaultReading};

/// After a connection that failed and may work: a server that restarts takes about so long.
const PAUSE: Duration = Duration::from_millis(500);

/// So much longer than the server waits do we, before a silent server counts as gone.
const SLACK: Duration = Duration::from_secs(10);

/// So long one lock is waited for before all are given back: a load that takes the tables in another order would
/// else meet us in a deadlock, which the server looks for after a second and may end by aborting the load.
const LOCK_WAIT: Duration = Duration::from_millis(400);

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How some people are asked for. For text and varchar columns the cast is none, and their index serves.
const ONLY: &str = " WHERE CAST(uhid AS TEXT) = ANY($1)";

/// MetaVault on a PostgreSQL server.
#[derive(Clone, Debug)]
pub struct PostgresVault {
    address: Address,
    password: Option<Secret>,
}

impl PostgresVault {
    /// The vault at this address; connects nowhere.
    pub fn new(address: Address, password: Option<Secret>) -> Self {
        Self { address, password }
    }

    async fn connect(&self) -> Result<Session<'_>, SourceError> {
        match self.connect_once().await {
            Err(error) if error.retry => {
                tokio::time::sleep(PAUSE).await;
                self.connect_once().await
            }
            connected => connected,
        }
    }

    async fn connect_once(&self) -> Result<Session<'_>, SourceError> {
        let address = &self.address;
        let options = address.options(self.password.as_ref()).disable_statement_logging();
        let connecting = tokio::time::timeout(address.connect_timeout, options.connect());
        let connection = connecting.await.map_err(|_| refusal::of_waiting(address.connect_timeout))?;
        let mut session = Session { connection: connection.map_err(|e| refusal::of_connecting(&e, address))?, address };
        let limit = address.statement_timeout.as_millis();
        session.say("the session", format!("SET statement_timeout = {limit}")).await?;
        if let Some(schema) = &address.schema {
            // Holds no quote: the address says so.
            session.say("the session", format!("SET search_path TO \"{schema}\"")).await?;
        }
        Ok(session)
    }

    async fn reading(&self, only: Option<&[Key]>) -> Result<VaultReading, SourceError> {
        let keys = only.map(rows::spellings);
        let keys = keys.as_deref();
        let mut session = self.connect().await?;
        session.begin().await?;
        let mut reading = VaultReading::default();
        for (table, wanted) in read_model::TABLES {
            let present = session.columns(table).await?;
            read_model::compare(table, wanted, &present)?;
        }
        for (table, _) in read_model::TABLES {
            reading.tables.insert(table, session.count(table).await?);
        }
        let (people, mut invalid) = session.people(keys).await?;
        reading.people = fold::people(people);
        let mut orphans = BTreeSet::new();
        for (part, row) in PARTS.into_iter().zip(statements::PARTS) {
            let (groups, left_out) = session.groups(part, row, keys).await?;
            orphans.append(&mut fold::add(&mut reading.people, part, groups));
            invalid += left_out;
        }
        reading.invalid_keys = invalid;
        reading.orphans = orphans.len() as u64;
        reading.catalogue = session.catalogue().await?;
        session.end().await?;
        fold::resolve(&mut reading.people, &reading.catalogue);
        Ok(reading)
    }

    async fn look(&self, found: &mut Vec<Check>) -> Result<(), SourceError> {
        let mut session = self.connect().await?;
        let version: String = session.one("the session", "SHOW server_version").await?;
        found.push(Check::good("connection", format!("PostgreSQL {version}, {}", self.address.place())));
        let tls: Option<String> = session
            .one("the session", "SELECT (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl)")
            .await?;
        found.push(of_tls(tls, &self.address.transport));
        let (mut tables, mut writable) = (BTreeMap::new(), Vec::new());
        for (name, wanted) in read_model::TABLES {
            let table = session.table(name, wanted).await?;
            if !matches!(table, Table::Absent(_) | Table::Unlike(_))
                && session.may(name, "INSERT, UPDATE, DELETE, TRUNCATE").await?
            {
                writable.push(name);
            }
            tables.insert(name, table);
        }
        found.extend(check::tables(&tables));
        if tables.values().any(|table| !matches!(table, Table::Absent(_))) {
            found.push(of_rights(&writable, &self.address.user));
        }
        session.end().await
    }
}

impl Vault for PostgresVault {
    fn read_all(&self) -> BoxFuture<'_, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(None).await.map_err(|error| error.of_vault_server(&self.address.place())) })
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<VaultReading, SourceError>> {
        Box::pin(async { self.reading(Some(keys)).await.map_err(|error| error.of_vault_server(&self.address.place())) })
    }

    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async {
            let mut found = Vec::new();
            if let Err(error) = self.look(&mut found).await {
                found.push(check::failed(&error.of_vault_server(&self.address.place())));
            }
            found
        })
    }
}

fn of_tls(version: Option<String>, transport: &Transport) -> Check {
    match (version, transport) {
        (Some(version), Transport::Tls(_)) => Check::good("tls", format!("{version}, certificate and name checked")),
        (version, Transport::Plain) => {
            let how = if version.is_some() { "TLS, but nobody's certificate is checked" } else { "in the clear" };
            Check::warning("tls", how, "take `allow_plaintext` out of [metavault], and give `ca_file` where needed")
        }
        _ => Check::good("tls", "none: nothing leaves this machine"),
    }
}

fn of_rights(writable: &[&str], user: &str) -> Check {
    if writable.is_empty() {
        return Check::good("rights", "this account can only read");
    }
    let tables = writable.join(", ");
    let fix = format!("use an account of its own: REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {tables} FROM {user}");
    Check::warning("rights", format!("this account could write to {tables}; nothing here does"), fix)
}

/// One connection. Every question is answered within the time limit or is an error.
struct Session<'a> {
    connection: PgConnection,
    address: &'a Address,
}

impl Session<'_> {
    /// Locks first and looks afterwards: the snapshot is taken by the first statement that looks.
    async fn begin(&mut self) -> Result<(), SourceError> {
        // Materialised views and foreign tables cannot be locked; nobody truncates them either.
        let mut lockable = Vec::new();
        for (table, _) in read_model::TABLES {
            let sql = "SELECT relkind IN ('r', 'p', 'v') FROM pg_class WHERE oid = to_regclass($1)";
            let asked = sqlx::query_scalar::<_, bool>(sql).bind(table).fetch_optional(&mut self.connection);
            let plain = within(table, self.address, asked).await?;
            if plain.ok_or_else(|| SourceError::vault_schema(refusal::absent(table)))? {
                lockable.push(table);
            }
        }
        self.say("the session", format!("SET lock_timeout = {}", LOCK_WAIT.as_millis())).await?;
        let begun = Instant::now();
        loop {
            self.say("the transaction", BEGIN.to_owned()).await?;
            match self.lock(&lockable).await {
                Err(error) if error.retry && begun.elapsed() < self.address.statement_timeout => {
                    self.say("the transaction", "ROLLBACK".to_owned()).await?;
                    tokio::time::sleep(PAUSE).await;
                }
                locked => return locked,
            }
        }
    }

    async fn lock(&mut self, tables: &[&str]) -> Result<(), SourceError> {
        for table in tables {
            self.say(table, format!("LOCK TABLE {table} IN ACCESS SHARE MODE")).await?;
        }
        Ok(())
    }

    async fn say(&mut self, what: &str, sql: String) -> Result<(), SourceError> {
        let said = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection);
        within(what, self.address, said).await.map(drop)
    }

    async fn one<T>(&mut self, what: &str, sql: &'static str) -> Result<T, SourceError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        within(what, self.address, sqlx::query_scalar(sql).fetch_one(&mut self.connection)).await
    }

    /// From the catalogue and not from `information_schema`, which hides what we may not read: a right that is
    /// missing would look like a table that is.
    async fn columns(&mut self, table: &str) -> Result<Vec<String>, SourceError> {
        let sql = "SELECT CAST(attname AS TEXT) FROM pg_attribute \
                   WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";
        within(table, self.address, sqlx::query_scalar(sql).bind(table).fetch_all(&mut self.connection)).await
    }

    async fn count(&mut self, table: &str) -> Result<u64, SourceError> {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let rows: i64 = within(table, self.address, sqlx::query_scalar(sql).fetch_one(&mut self.connection)).await?;
        Ok(rows.unsigned_abs())
    }

    /// Whether we have one of these rights.
    async fn may(&mut self, table: &str, rights: &str) -> Result<bool, SourceError> {
        let sql = "SELECT coalesce(has_table_privilege(to_regclass($1), $2), false)";
        let asked = sqlx::query_scalar(sql).bind(table).bind(rights).fetch_one(&mut self.connection);
        within(table, self.address, asked).await
    }

    async fn table(&mut self, name: &'static str, wanted: &[&str]) -> Result<Table, SourceError> {
        let present = self.columns(name).await?;
        if let Err(error) = read_model::compare(name, wanted, &present) {
            let said = error.to_string();
            return Ok(if present.is_empty() { Table::Absent(said) } else { Table::Unlike(said) });
        }
        if !self.may(name, "SELECT").await? {
            return Ok(Table::Closed(self.address.user.clone()));
        }
        Ok(match self.count(name).await {
            Ok(rows) => Table::Rows(rows),
            Err(error) => Table::Unlike(error.to_string()),
        })
    }

    async fn people(&mut self, keys: Option<&[String]>) -> Result<(Vec<PersonRow>, u64), SourceError> {
        let only = if keys.is_some() { ONLY } else { "" };
        let query = sqlx::query(AssertSqlSafe(format!("SELECT {} FROM mv_person{only}", statements::PEOPLE)));
        let query = if let Some(keys) = keys { query.bind(keys) } else { query };
        within("mv_person", self.address, rows::people(query.fetch(&mut self.connection))).await
    }

    async fn groups(
        &mut self,
        part: Part,
        row: &str,
        keys: Option<&[String]>,
    ) -> Result<(Vec<Group>, u64), SourceError> {
        let (table, only) = (part.table, if keys.is_some() { ONLY } else { "" });
        let sql =
            format!("SELECT CAST(uhid AS TEXT), count(*), string_agg({row}, chr(30)) FROM {table}{only} GROUP BY uhid");
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = if let Some(keys) = keys { query.bind(keys) } else { query };
        within(table, self.address, rows::groups(query.fetch(&mut self.connection))).await
    }

    async fn catalogue(&mut self) -> Result<Catalogue, SourceError> {
        let mut catalogue = Catalogue::default();
        for (table, sql) in statements::CATALOGUE {
            let rows = within(table, self.address, sqlx::query(sql).fetch_all(&mut self.connection)).await?;
            for row in rows {
                let entered = rows::enter(&mut catalogue, table, &row);
                entered.map_err(|e| refusal::of_reading(table, &e, self.address))?;
            }
        }
        Ok(catalogue)
    }

    /// The transaction has nothing to keep, and ends with the connection.
    async fn end(self) -> Result<(), SourceError> {
        within("the session", self.address, self.connection.close()).await
    }
}

/// The server keeps the time; where it has gone silent, we do.
async fn within<T>(
    what: &str,
    address: &Address,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, SourceError> {
    let limit = address.statement_timeout;
    let answer = tokio::time::timeout(limit + SLACK, answer).await.map_err(|_| refusal::slow(what, limit))?;
    answer.map_err(|e| refusal::of_reading(what, &e, address))
}
