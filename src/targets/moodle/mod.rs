//! Moodle, over its web services: accounts, enrolments and courses. `README.md` beside this file tells how it behaves.

#[cfg(feature = "sim")]
pub mod sim;
