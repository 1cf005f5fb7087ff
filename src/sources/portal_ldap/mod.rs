//! Portal LDAP as a source: one flat branch of people, keyed by UH-ID.
//!
//! Only read here. Marks are written by the target of the same name.

mod check;
pub mod config;
pub mod decode;
pub mod mapping;
pub mod reader;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
mod unmarked;

pub use config::PortalLdapConfig;
pub use mapping::{Mapping, is_descriptor};
pub use reader::PortalLdap;
