//! What a PostgreSQL server's refusal means, and what to do about it.
//!
//! Only the SQLSTATE is looked at: a server's message may quote what stands in a row. Codes are those of
//! PostgreSQL's documentation, appendix A.

use std::borrow::Cow;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::error::DatabaseError;

use super::address::Address;
use crate::plain::in_words;
use crate::sources::error::SourceError;

/// Why there is no connection.
pub fn of_connecting(error: &sqlx::Error, address: &Address) -> SourceError {
    let url = "look at `url` in [metavault]";
    match (error, code(error).as_deref()) {
        (_, Some("28P01")) => SourceError::vault_auth(
            "the server refuses user or password (SQLSTATE 28P01); look at `url` and `password` in [metavault]",
        ),
        (_, Some("28000")) => SourceError::vault_auth(
            "the server lets this user in neither from here nor this way (SQLSTATE 28000); look at `url` in \
             [metavault], whether TLS is wanted (`ca_file`), and at the server's pg_hba.conf",
        ),
        (_, Some("3D000")) => SourceError::vault_connect(
            format!("the server has no database {} (SQLSTATE 3D000); {url}", address.database),
            false,
        ),
        (_, Some("42501")) => SourceError::vault_auth(format!(
            "this account may not connect to the database (SQLSTATE 42501); GRANT CONNECT ON DATABASE {} TO {}",
            address.database, address.user
        )),
        (_, Some(code)) => SourceError::vault_connect(format!("the server refuses (SQLSTATE {code})"), passing(code)),
        (sqlx::Error::Tls(why), None) => tls(&**why),
        // A certificate that is not accepted comes as odd data on the connection.
        (sqlx::Error::Io(io), None) if io.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<rustls::Error>) => {
            tls(io)
        }
        (sqlx::Error::Io(io), None) => {
            let passing = io.kind() != ErrorKind::PermissionDenied && io.kind() != ErrorKind::NotFound;
            SourceError::vault_connect(format!("no connection: {}; {url}: host and port", in_words(io)), passing)
        }
        _ => SourceError::vault_connect(
            format!("what answers there does not speak as a PostgreSQL server should; {url}: host and port"),
            false,
        ),
    }
}

/// The connection took too long.
pub fn of_waiting(limit: Duration) -> SourceError {
    let seconds = limit.as_secs();
    SourceError::vault_connect(
        format!("no connection within {seconds} s; look at `url` and `connect_timeout_seconds` in [metavault]"),
        true,
    )
}

/// Why `what`, a table mostly, cannot be read.
pub fn of_reading(what: &str, error: &sqlx::Error, address: &Address) -> SourceError {
    let Some(code) = code(error) else {
        return match error {
            sqlx::Error::Io(io) => {
                SourceError::vault_read(format!("{what}: the connection ended: {}", in_words(io)), true)
            }
            _ => SourceError::vault_malformed(format!("{what}: the answer cannot be understood")),
        };
    };
    match code.as_str() {
        "42501" => SourceError::vault_read(
            format!(
                "{what}: this account may not read it (SQLSTATE 42501); GRANT SELECT ON {what} TO {}, and where it is \
                 a view, its owner needs that right on what the view reads",
                address.user
            ),
            false,
        ),
        "42P01" | "3F000" => SourceError::vault_schema(absent(what)),
        "42703" | "42883" | "42804" => {
            SourceError::vault_schema(format!("{what} is not as the read model has it (SQLSTATE {code})"))
        }
        "57014" | "55P03" => slow(what, address.statement_timeout),
        _ if code.starts_with("22") => SourceError::vault_malformed(format!(
            "{what}: a value does not fit its column of the read model (SQLSTATE {code}); correct the view"
        )),
        _ => SourceError::vault_read(format!("{what} cannot be read (SQLSTATE {code})"), passing(&code)),
    }
}

/// A table that is not there.
pub fn absent(table: &str) -> String {
    format!("there is no table or view {table}; look at `url` and `schema` in [metavault]")
}

/// A statement took too long.
pub fn slow(what: &str, limit: Duration) -> SourceError {
    let seconds = limit.as_secs();
    SourceError::vault_read(
        format!(
            "{what} was not read within {seconds} s: a load may be running, or the view is slow; look at \
             `statement_timeout_seconds` in [metavault]"
        ),
        true,
    )
}

fn tls(error: &dyn Error) -> SourceError {
    SourceError::vault_connect(
        format!(
            "TLS: {error}; look at the host in `url` and at `ca_file` in [metavault], and whether the server has TLS"
        ),
        false,
    )
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(DatabaseError::code).map(Cow::into_owned)
}

/// What may go by itself: connection lost, too busy, starting or stopping, deadlock, lock not to be had.
fn passing(code: &str) -> bool {
    ["08", "53", "57P", "40", "55P03"].iter().any(|class| code.starts_with(class))
}
