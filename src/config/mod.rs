//! Configuration: what an operator writes, read and checked before anything connects.

pub mod secret;

pub use secret::{Secret, SecretError, SecretRef};
