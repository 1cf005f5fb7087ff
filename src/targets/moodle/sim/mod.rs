//! A strict Moodle site to test against, feature `sim`: users, categories, courses, enrolments and custom reports as a
//! Moodle 4.5 answers for them, and the ways in which it does not answer.
//!
//! It reads raw form fields and never uses anything of the client beside it, so that a misspelt field fails here as it
//! would there. [`World`] is the site in memory and knows neither time nor sockets; [`Gate`] adds faults, cost and a
//! clock; [`MoodleSim`] puts it on a loopback port.

mod accounts;
mod answer;
mod batches;
mod by_hand;
mod call;
mod catalogue;
mod categories;
mod course_copy;
mod courses;
mod courses_read;
#[cfg(test)]
mod courses_tests;
mod dispatch;
mod enrolled;
mod enrolments;
#[cfg(test)]
mod enrolments_tests;
mod faults;
mod functions;
mod gate;
mod membership;
mod params;
mod plan;
mod refusal;
mod report;
mod reports;
mod roles;
mod server;
#[cfg(test)]
mod server_tests;
mod site;
mod strict;
#[cfg(test)]
mod testing;
mod texts;
mod tokens;
mod users;
mod users_patch;
mod users_read;
#[cfg(test)]
mod users_tests;
mod world;

pub use accounts::{ADMIN, GUEST, User};
pub use answer::Answer;
pub use catalogue::{Category, Course, FRONT_PAGE, ManualInstance};
pub use faults::{Fault, Faults, RetryAfter};
pub use gate::{Gate, LOG_IN, Reply, SERVICE};
pub use membership::{Enrolment, MANUAL, Member};
pub use params::Form;
pub use plan::{Cost, Language, Role, SitePlan};
pub use report::{Column, Report, Source};
pub use server::MoodleSim;
pub use world::{Arrival, Kept, Mail, Mode, World, Writes};
