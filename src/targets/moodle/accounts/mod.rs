//! Kind `account`: who has one, what it says, and how it gets there.
//!
//! | file | holds |
//! |---|---|
//! | `templates`, `rules`, `project` | what should be: pure |
//! | `seen`, `report`, `read` | what is |
//! | `batches`, `compose`, `ids`, `write` | what is done |

mod batches;
mod compose;
mod ids;
mod project;
mod read;
mod report;
mod rules;
mod seen;
mod templates;
mod write;

pub(super) use ids::ids;
pub use project::AccountRules;
pub use read::{AccountReader, CHUNK};
pub(crate) use report::accounts;
pub(crate) use seen::Row;
pub(super) use templates::Attributes;
pub use templates::Templates;
pub use write::AccountWriter;

/// Why an account is left alone.
#[cfg(test)]
pub(super) const REASONS: &[crate::model::Reason] = &[
    rules::INVALID_USER_NAME,
    rules::RESERVED_USER_NAME,
    rules::INVALID_EMAIL,
    rules::INVALID_NAME,
    rules::INVALID_TEXT,
    rules::VALUE_TOO_LONG,
    rules::TEMPLATE_FAILED,
    seen::OTHER_AUTH,
    seen::BUILT_IN,
    seen::SERVICE_ACCOUNT,
];
