//! Kind `enrolments`: who is in which course, in which role, by the manual method.
//!
//! | file | holds |
//! |---|---|
//! | `config` | the section, as written and as checked |
//! | `project` | what should be: pure |
//! | `survey` | what the settings make of MetaVault's rows, for `reconcile check`: pure |
//! | `courses`, `report`, `read` | what is |
//! | `verdict`, `refusals` | what a refusal was for, and what was refused so far: pure |
//! | `steps`, `batches` | what is to be sent, and together with what: pure |
//! | `roles`, `members` | what the site shows of the ids of roles, and of who is in a course, before anything is sent |
//! | `trial` | what shows an id of which nobody holds the role |
//! | `ledger`, `write` | what is done, and what came of it |

mod batches;
mod config;
mod courses;
mod ledger;
mod members;
mod project;
mod read;
mod refusals;
mod report;
mod roles;
mod steps;
mod survey;
#[cfg(test)]
pub(super) mod testing;
mod trial;
mod verdict;
mod write;

pub(super) use config::EnrolmentsConfig;
pub use config::{Enrolments, ParticipantsColumns, ParticipantsReport, Removal};
pub use courses::{Catalogue, Courses, Listing};
pub use project::{EnrolmentRules, scope_of};
pub use read::EnrolmentReader;
pub(crate) use report::memberships;
pub(super) use report::{Memberships, check_distinct, holders, unshown};
pub(super) use roles::Known;
pub use roles::Roles;
pub use write::EnrolmentWriter;

/// Why enrolments are left alone.
#[cfg(test)]
pub(super) const REASONS: &[crate::model::Reason] =
    &[project::ACCOUNT_CLOSED, project::NOT_IN_MV, project::TEACHING_UNKNOWN];
