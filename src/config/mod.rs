//! Configuration: what an operator writes, read and checked before anything connects.

mod institution;
pub mod secret;

pub use institution::Institution;
pub use secret::{Secret, SecretError, SecretRef};
