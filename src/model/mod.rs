//! Plain data of a pass: people, scope, changes, plan, outcomes. No I/O.

pub mod org;
pub mod person;
pub mod teaching;

pub use org::Org;
pub use person::Person;
pub use teaching::{Semester, Teaching, Topic};
