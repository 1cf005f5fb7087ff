//! A TOML text as a table, with the line of every key: what is read from a table no longer knows where
//! it stood, and an operator wants to be told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::refusal::Refusal;

/// A parsed file.
#[derive(Clone, PartialEq, Debug)]
pub struct Document {
    path: PathBuf,
    table: toml::Table,
    /// Lines, counted from 1, by dotted path.
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// Parses `text`, which was read from `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with the line where it stops being TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        // The error's own text quotes the line, and with it what may be a secret.
        let refuse = |error: &toml::de::Error| {
            let line = error.span().map(|span| line_of(text, span.start));
            ConfigError::new(path, line, format!("this is not TOML: {}", first_line(error.message())))
        };
        let spanned = DeTable::parse(text).map_err(|e| refuse(&e))?;
        let mut lines = BTreeMap::new();
        number(text, "", spanned.get_ref(), &mut lines);
        let table = toml::from_str(text).map_err(|e| refuse(&e))?;
        Ok(Self { path: path.to_owned(), table, lines })
    }

    /// The top-level keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// A top-level table; `None` where there is none.
    ///
    /// # Errors
    /// [`ConfigError`] where the name stands for something else than a table.
    pub fn table(&self, name: &str) -> Result<Option<toml::Table>, ConfigError> {
        match self.table.get(name) {
            None => Ok(None),
            Some(toml::Value::Table(table)) => Ok(Some(table.clone())),
            Some(_) => Err(self.error(name, format!("`{name}` is a section: write [{name}] on a line of its own"))),
        }
    }

    /// A table as a value; `at` is the dotted path by which it is blamed, `also` are keys that the
    /// section takes beside those of `T`.
    ///
    /// # Errors
    /// [`ConfigError`] naming section, key and line.
    pub fn read<T: DeserializeOwned>(&self, at: &str, table: toml::Table, also: &[&str]) -> Result<T, ConfigError> {
        table.try_into().map_err(|error| self.explain(at, &error, also))
    }

    /// What a failed reading of the table at `at` means to an operator.
    pub fn explain(&self, at: &str, error: &toml::de::Error, also: &[&str]) -> ConfigError {
        let refusal = Refusal::read(error);
        let message = refusal.explain(at, also);
        let place = refusal.path.iter().fold(at.to_owned(), |at, key| join(&at, key));
        self.error(&place, message)
    }

    /// An error about the key at a dotted path, or about the nearest table around it that stands here.
    pub fn error(&self, at: &str, message: impl Into<String>) -> ConfigError {
        // Lines are known by bare keys; a key that needs quotes is named with them.
        let at = at.replace('"', "");
        let mut place = at.as_str();
        loop {
            if let Some(line) = self.lines.get(place) {
                return ConfigError::new(&self.path, Some(*line), message);
            }
            match place.rsplit_once('.') {
                Some((outer, _)) => place = outer,
                None => return ConfigError::new(&self.path, None, message),
            }
        }
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn number(text: &str, at: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let place = join(at, key.get_ref());
        lines.insert(place.clone(), line_of(text, key.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            number(text, &place, inner, lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_in_a_table_of_names_is_blamed_on_its_own_line() {
        use serde::Deserialize;

        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only its reading counts")]
        struct Section {
            ids: BTreeMap<String, u64>,
        }

        let text = "[moodle.ids]\nstudent = 5\n\"teacher/a\" = \"4\"\nteacher = \"4\"\n";
        let line = |text: &str| {
            let document = Document::parse(Path::new("r.toml"), text).unwrap();
            let table = document.table("moodle").unwrap().unwrap();
            let error = document.read::<Section>("moodle", table, &[]).unwrap_err();
            (error.line, error.message)
        };
        assert_eq!(line(text).0, Some(4), "{:?}", line(text));
        assert_eq!(line(&text.replace("teacher = ", "# ")).0, Some(3), "{:?}", line(text));
        let document = Document::parse(Path::new("r.toml"), text).unwrap();
        assert_eq!(document.error("moodle.ids.\"teacher/a\"", "").line, Some(3));
        assert_eq!(document.error("moodle.ids.\"teacher/b\"", "").line, Some(1));
    }
}
