//! Kind `enrolments`: who is in which course, in which role, by the manual method.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the section, as written and as checked |
//! | `project` | what should be: pure |
//! | `courses`, `report`, `read` | what is |
//! | `steps`, `batches` | what is to be sent, and together with what: pure |
//! | `ledger`, `write` | what is done, and what came of it |

mod batches;
mod config;
mod courses;
mod ledger;
mod project;
mod read;
mod report;
mod steps;
#[cfg(test)]
pub(super) mod testing;
mod write;

pub(super) use config::EnrolmentsConfig;
pub use config::{Enrolments, ParticipantsColumns, ParticipantsReport, Removal};
pub use courses::{Catalogue, Courses};
pub use project::{EnrolmentRules, scope_of};
pub use read::EnrolmentReader;
pub(super) use report::{memberships, unshown};
pub use write::EnrolmentWriter;

/// Why enrolments are left alone.
#[cfg(test)]
pub(super) const REASONS: &[crate::model::Reason] =
    &[project::ACCOUNT_CLOSED, project::NOT_IN_MV, project::TEACHING_UNKNOWN];
