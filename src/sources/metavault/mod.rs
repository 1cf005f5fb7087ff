//! MetaVault as a source: a handful of views, read whole in one transaction, grouped per person.
//!
//! What each engine needs to say is in a file of its own (`sqlite`); the read model and how rows become
//! people are common to all.

pub mod config;
pub mod fold;
pub mod read_model;
pub mod sqlite;

pub use config::{MetaVaultConfig, open};
