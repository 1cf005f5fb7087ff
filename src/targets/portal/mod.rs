//! Pipeline `portal`: marks and target ids in Portal LDAP. See the README beside this file.
//!
//! | file | holds |
//! |---|---|
//! | `config`, `configuration.toml` | the section, as written and as checked with `[portal_ldap]` |
//! | `schema`, `value`, `project` | what should be: pure |
//! | `place` | the directory, names of entries, what errors mean |
//! | `fit` | whether the attributes are there and hold marks |
//! | `read` | what is |
//! | `write` | what is done |
//! | `codes` | codes and reasons, with the next step |
//!
//! The directory as a source is [`sources::portal_ldap`](crate::sources::portal_ldap).

mod codes;
mod config;
mod definition;
mod fit;
mod place;
mod project;
mod read;
mod schema;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
pub(crate) mod value;
mod write;

pub use definition::Portal;
pub use schema::{MARKS, PIPELINE};
