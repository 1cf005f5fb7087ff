//! LDAP: one connection, bound; searches that are always paged, look-ups of a few entries, and modifications.
//!
//! `ldap3` does the protocol. What it leaves to its user is here: time-outs on everything, keep-alive,
//! a decoder that answers odd input with an error where `ldap3`'s panics, and back-pressure (its own
//! streams are unbounded, so a page is asked for only when the one before it has been taken).
//! What entries mean is not known here; see the sources and targets that use it.

pub mod connection;
pub mod entry;
pub mod error;
pub mod look;
pub mod modify;
pub mod schema;
pub mod search;

pub use connection::{Connection, Endpoint, Settings};
pub use entry::RawEntry;
pub use error::{LdapError, LdapErrorKind};
pub use modify::{Modified, Part, Unanswered};
pub use search::{Page, Pages, Search};
