//! MetaVault as a source: a handful of views, read whole in one transaction, grouped per person.
//!
//! What each engine needs to say is in a file of its own (`sqlite`, `postgres`); the read model, what is selected
//! and how rows become people are common to all.

pub mod address;
pub mod check;
pub mod config;
pub mod fold;
mod open;
pub mod postgres;
pub mod read_model;
mod refusal;
pub mod rows;
pub mod sqlite;
pub mod statements;

pub use config::MetaVaultConfig;
pub use open::open;
pub use postgres::PostgresVault;
pub use sqlite::SqliteVault;
