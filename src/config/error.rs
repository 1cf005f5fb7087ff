//! Why a configuration is refused: where, what, and what would be right. No value of a key is quoted,
//! because it may be a secret in the wrong place.

use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong and the next step.
    pub message: String,
    /// What else is wrong.
    pub others: Vec<ConfigError>,
}

impl ConfigError {
    pub(super) fn new(path: &Path, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), others: Vec::new() }
    }

    /// Each by itself.
    pub fn each(&self) -> impl Iterator<Item = Self> {
        std::iter::once(self).chain(&self.others).map(|one| Self { others: Vec::new(), ..one.clone() })
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)?;
        self.others.iter().try_for_each(|other| write!(f, "\n{other}"))
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong so far: nobody should have to mend one line to be told of the next.
#[derive(Default, Debug)]
pub struct Faults(Vec<ConfigError>);

impl Faults {
    /// The value, where it is right.
    pub fn keep<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.add(&error)).ok()
    }

    /// One more, unless it was told already.
    pub fn add(&mut self, error: &ConfigError) {
        for one in error.each() {
            if !self.0.contains(&one) {
                self.0.push(one);
            }
        }
    }

    /// All in the order of their lines.
    ///
    /// # Errors
    /// [`ConfigError`] where there is any.
    pub fn end(mut self) -> Result<(), ConfigError> {
        self.0.sort_by_key(|error| error.line);
        let mut all = self.0.into_iter();
        match all.next() {
            None => Ok(()),
            Some(first) => Err(ConfigError { others: all.collect(), ..first }),
        }
    }
}
