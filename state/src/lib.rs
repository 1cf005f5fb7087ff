//! Vocabulary and memory of `reconcile`: records and their schemas, digests, drift, claims, trust,
//! journal and the store that keeps them. No async, no network, no clock.

pub mod record;
pub mod schema;

pub use record::{AttributeId, Key, Record, Standing, Value};
pub use schema::{Attribute, Normal, Ownership, Role, Schema, SchemaError, Sensitivity, Shape};
