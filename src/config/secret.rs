//! Secrets by reference: configuration names an environment variable or a file, never the value.
//!
//! What stands in configuration by mistake is forgotten while it is read. It is therefore refused by
//! [`SecretRef::check`] and [`SecretRef::resolve`] and not while TOML is parsed: an error of the parser
//! would quote the line, and with it the secret.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use crate::plain::kind_in_words;

/// A secret value. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value as it is.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the value is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Where a secret stands: `env:NAME` or `file:PATH` in configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one newline at its end does not count.
    File(PathBuf),
    /// Something that is no reference; what it was is not kept.
    Refused,
}

/// Why there is no secret. Texts name the variable or the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Configuration holds a value where a reference belongs.
    #[error("a secret is given as `env:NAME` or `file:/absolute/path`, never as the value itself")]
    Literal,
    /// The environment variable is not set.
    #[error("environment variable {} is not set", variable(.0))]
    Unset(String),
    /// The file cannot be read, or is not UTF-8.
    #[error("secret file {path} cannot be read: {why}", path = .path.display(), why = kind_in_words(*.kind))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// Everybody on the machine may read or change the file.
    #[error("secret file {path} is open to everybody; `chmod o= {path}` closes it", path = .0.display())]
    Open(PathBuf),
    /// The variable or the file holds nothing.
    #[error("the secret at {0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads a reference; what is none becomes [`SecretRef::Refused`].
    pub fn parse(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            let fits = |(at, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
            if !name.is_empty() && name.chars().enumerate().all(fits) {
                return Self::Env(name.to_owned());
            }
        }
        match text.strip_prefix("file:") {
            Some(path) if Path::new(path).is_absolute() => Self::File(PathBuf::from(path)),
            _ => Self::Refused,
        }
    }

    /// Refuses what is no reference, without looking whether the secret is there.
    ///
    /// # Errors
    /// [`SecretError::Literal`].
    pub fn check(&self) -> Result<(), SecretError> {
        match self {
            Self::Refused => Err(SecretError::Literal),
            Self::Env(_) | Self::File(_) => Ok(()),
        }
    }

    /// Fetches the secret; `env` looks up an environment variable.
    ///
    /// # Errors
    /// [`SecretError`], also for an empty secret: an empty password is an anonymous bind to some servers.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Env(name) => env(name).ok_or_else(|| SecretError::Unset(name.clone()))?,
            Self::File(path) => read(path)?,
            Self::Refused => return Err(SecretError::Literal),
        };
        if value.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        Ok(Secret(value))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Refused => f.write_str("(no reference)"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes anything a secret could be mistyped as, so that no parser quotes it.
        struct Reference;

        impl<'de> de::Visitor<'de> for Reference {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`env:NAME` or `file:/absolute/path`")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretRef, E> {
                Ok(SecretRef::parse(text))
            }

            fn visit_i64<E>(self, _: i64) -> Result<SecretRef, E> {
                Ok(SecretRef::Refused)
            }

            fn visit_u64<E>(self, _: u64) -> Result<SecretRef, E> {
                Ok(SecretRef::Refused)
            }

            fn visit_f64<E>(self, _: f64) -> Result<SecretRef, E> {
                Ok(SecretRef::Refused)
            }

            fn visit_bool<E>(self, _: bool) -> Result<SecretRef, E> {
                Ok(SecretRef::Refused)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<SecretRef, A::Error> {
                while items.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(SecretRef::Refused)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut items: A) -> Result<SecretRef, A::Error> {
                while items.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
                Ok(SecretRef::Refused)
            }
        }

        deserializer.deserialize_any(Reference)
    }
}

/// A variable's name; not one with small letters, which may be the secret itself behind a hasty `env:`.
fn variable(name: &str) -> &str {
    if name.contains(|c: char| c.is_ascii_lowercase()) { "(its name is not repeated)" } else { name }
}

fn read(path: &Path) -> Result<String, SecretError> {
    let unreadable = |error: &std::io::Error| SecretError::Unreadable { path: path.to_owned(), kind: error.kind() };
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(&e))?;
    if open_to_everybody(&metadata) {
        return Err(SecretError::Open(path.to_owned()));
    }
    let mut text = std::fs::read_to_string(path).map_err(|e| unreadable(&e))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(unix)]
fn open_to_everybody(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o006 != 0
}

#[cfg(not(unix))]
fn open_to_everybody(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    struct Holder {
        password: SecretRef,
    }

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn a_literal_secret_is_refused_and_never_shown() {
        for line in
            ["password = \"hunter2\"", "password = 4711", "password = [\"hunter2\"]", "password = \"env:hun ter2\""]
        {
            let holder: Holder = toml::from_str(line).unwrap();
            let error = holder.password.resolve(&none).unwrap_err();
            assert!(matches!(error, SecretError::Literal), "{line}");
            assert!(holder.password.check().is_err());
            let shown = format!("{holder:?} {error} {error:?} {}", holder.password);
            assert!(!shown.contains("ter2") && !shown.contains("4711"), "{shown}");
        }
    }

    #[test]
    fn references_resolve_to_what_they_name() {
        let env = |name: &str| (name == "LDAP_PASSWORD").then(|| "from env".to_owned());
        assert_eq!(SecretRef::parse("env:LDAP_PASSWORD").resolve(&env).unwrap().expose(), "from env");
        assert!(
            matches!(SecretRef::parse("env:OTHER").resolve(&env), Err(SecretError::Unset(name)) if name == "OTHER")
        );
        let unset = SecretRef::parse("env:hunter2").resolve(&|_| None).unwrap_err();
        assert!(!unset.to_string().contains("hunter2"), "{unset}");
        assert!(matches!(SecretRef::parse("env:EMPTY").resolve(&|_| Some(String::new())), Err(SecretError::Empty(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_loses_one_newline_and_must_not_be_open_to_everybody() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::write(&path, "two \n\n").unwrap();
        set(0o640);
        let reference = SecretRef::parse(&format!("file:{}", path.display()));
        assert_eq!(reference.resolve(&none).unwrap().expose(), "two \n");
        set(0o644);
        assert!(matches!(reference.resolve(&none), Err(SecretError::Open(_))));
        let missing = SecretRef::File(dir.path().join("none"));
        assert!(matches!(missing.resolve(&none), Err(SecretError::Unreadable { .. })));
    }

    #[test]
    fn debug_of_a_secret_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(..)");
    }
}
