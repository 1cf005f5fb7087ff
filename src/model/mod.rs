//! Plain data of a pass: people, scope, changes, plan, outcomes. No I/O.

pub mod person;

pub use person::Person;
