//! Plain data of a pass: people, what is desired, changes, plan, outcomes. No I/O.

pub mod change;
pub mod check;
pub mod desired;
pub mod error;
pub mod org;
pub mod outcome;
pub mod outlook;
pub mod pass;
pub mod person;
pub mod reason;
pub mod scope;
pub mod stop;
pub mod target;
pub mod teaching;

pub use change::{
    Action, Address, Bounds, Candidate, Cause, Change, ChangeId, Conflict, Element, Finding, Link, PartTally,
    PipelinePlan, Plan, Rival,
};
pub use check::{Check, Level};
pub use desired::{Anchor, Call, Desired, Match};
pub use error::{Effect, ErrorKind, Retry, TargetError};
pub use org::Org;
pub use outcome::{Batch, Outcome, Ready};
pub use outlook::{Mark, Outlook, Prospect};
pub use person::Person;
pub use reason::Reason;
pub use scope::{KeyField, Pick, Scope};
pub use stop::Stop;
pub use target::{Counters, Identity};
pub use teaching::{Semester, Teaching, Topic};
