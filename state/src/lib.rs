//! Vocabulary and memory of `reconcile`: records and their schemas, digests, drift, claims, trust,
//! windows, journal and the store that keeps them. No async, no network, no clock.

pub mod claim;
pub mod digest;
pub mod drift;
pub mod edit;
#[cfg(feature = "fuzz")]
pub mod fuzzing;
pub mod journal;
pub mod record;
pub mod schema;
pub mod store;
pub mod texts;
pub mod trust;
pub mod window;

pub use claim::{Beside, Claim, Origin, Remote, Seldom, Taken, Unsettled};
pub use digest::{Digest, Digester};
pub use drift::{Applied, DesiredSide, Drift, ObservedSide};
pub use edit::Edit;
pub use journal::{After, Entry, Intent, Landing, Note, Outcome};
pub use record::{AttributeId, Key, Record, Standing, Value};
pub use schema::{Attribute, Normal, Ownership, Role, Schema, SchemaError, Sensitivity, Shape};
pub use store::{Scope, Side, Store, StoreDir, StoreError};
pub use texts::Texts;
