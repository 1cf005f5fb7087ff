//! Rules that several pipelines share: who is entitled, who is judged at all, which of a person's names
//! count, templates that make attributes of them, and what is taught when.
//!
//! Pure: a person, settings and nothing else. What one target alone demands of a value is judged in that
//! target's own `project.rs`.

mod entitlement;
mod essential;
mod names;
mod teaching;
mod templates;
#[cfg(test)]
pub(crate) mod testing;
mod values;

pub use entitlement::{Entitlement, entitlement, entitles, is_disabled};
pub use essential::{DISABLED, Judgement, NOT_ENTITLED, essential, judge};
pub use names::{OrgTuple, given_name, org_tuple, selected_email, selected_username, surname};
pub use teaching::{CourseKey, Semesters, Term, Timing, day};
pub use templates::{Template, TemplateError};
pub use values::{PERSON_NAMES, person_values};
