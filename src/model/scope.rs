//! Which people a pass is about. A scope narrows what is read and planned and never what is proved:
//! nobody is closed for being outside of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key given by an operator is compared with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum KeyField {
    /// The institution's own user name (System1ID).
    #[serde(rename = "username")]
    Username,
    /// The UH user name (SAMAccountName).
    #[serde(rename = "uh-username")]
    UhUsername,
    /// The UH-ID.
    #[serde(rename = "idautoID")]
    IdautoId,
}

impl KeyField {
    /// The field with this name: `username`, `uh-username`, `idautoID` or its alias `uhid`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "username" => Some(Self::Username),
            "uh-username" => Some(Self::UhUsername),
            "idautoID" | "uhid" => Some(Self::IdautoId),
            _ => None,
        }
    }
}

impl fmt::Display for KeyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Username => "username",
            Self::UhUsername => "uh-username",
            Self::IdautoId => "idautoID",
        })
    }
}

/// Ends what is told of a key that several people bear.
pub const SEVERAL: &str = " (several people)";

/// How people are picked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// Everybody.
    #[default]
    Everything,
    /// Whom the sources say something else of than the store last saw.
    Changed,
    /// Who is entitled and not marked, and of whom the last change failed, was deferred, is in doubt or waits
    /// for another try.
    Pending,
    /// Those who are named, each once, in the order given.
    Keys(Vec<(KeyField, String)>),
}

/// Which people, and how many of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Scope {
    /// How people are picked.
    pub pick: Pick,
    /// The first so many of them in key order; `None` = all.
    pub limit: Option<usize>,
}

impl fmt::Display for Scope {
    /// In words, without naming anybody: `3 keys, the first 2 of them`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pick {
            Pick::Everything => f.write_str("everything")?,
            Pick::Changed => f.write_str("changed")?,
            Pick::Pending => f.write_str("pending")?,
            Pick::Keys(keys) if keys.len() == 1 => f.write_str("1 key")?,
            Pick::Keys(keys) => write!(f, "{} keys", keys.len())?,
        }
        match self.limit {
            Some(limit) => write!(f, ", the first {limit}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_the_name_it_shows_and_the_uh_id_by_an_alias() {
        for field in [KeyField::Username, KeyField::UhUsername, KeyField::IdautoId] {
            assert_eq!(KeyField::named(&field.to_string()), Some(field));
        }
        assert_eq!(KeyField::named("uhid"), Some(KeyField::IdautoId));
        assert_eq!(KeyField::named("mail"), None);
    }

    #[test]
    fn words_say_how_many_and_name_nobody() {
        let keys = Pick::Keys(vec![(KeyField::Username, "kari".into()), (KeyField::IdautoId, "x".into())]);
        assert_eq!(Scope { pick: keys, limit: Some(1) }.to_string(), "2 keys, the first 1");
        assert_eq!(Scope::default().to_string(), "everything");
    }
}
