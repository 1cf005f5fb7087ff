//! Pipeline `moodle`: people's accounts.

use super::port::{Definition, OpenError, Surroundings, Target};

/// The registry's line.
pub struct Moodle;

impl Definition for Moodle {
    fn name(&self) -> &'static str {
        "moodle"
    }

    fn configuration(&self) -> &'static str {
        ""
    }

    fn open(&self, _section: toml::Table, _around: &Surroundings<'_>) -> Result<Target, OpenError> {
        Err(OpenError::Value { field: "url".into(), message: "not built yet".into() })
    }
}
