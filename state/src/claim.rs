//! Claims: what only we know about a record. Small, copied after each pass, never derivable for
//! certain from a source or a target.

use serde::{Deserialize, Serialize};

/// How a record became ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// We made it.
    Created,
    /// It was there and was linked.
    Adopted,
}

/// What identifies a record at the target.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Remote {
    /// The target's own, unchanging id. `None` where a reading does not show it and nothing has needed
    /// it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name under which the target last showed the record, for readings without ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

impl Remote {
    /// Whether a reading's `other` is the record remembered here: by id where both have one, else by
    /// handle.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(two)) => one == two,
            _ => self.handle.is_some() && self.handle == other.handle,
        }
    }

    /// The same record, with what `newer` knows better.
    #[must_use]
    pub fn refreshed(&self, newer: &Self) -> Self {
        Self {
            id: newer.id.clone().or_else(|| self.id.clone()),
            handle: newer.handle.clone().or_else(|| self.handle.clone()),
        }
    }
}

/// Our memory of one record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// How to find it again.
    pub remote: Remote,
    /// How it became ours.
    pub origin: Origin,
    /// Whether the standing it has is one that we set: only then may we lift it again where the target
    /// has closures of its own.
    #[serde(default)]
    pub disabled_by_us: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(id: Option<&str>, handle: Option<&str>) -> Remote {
        Remote { id: id.map(str::to_owned), handle: handle.map(str::to_owned) }
    }

    #[test]
    fn an_id_on_both_sides_decides_alone() {
        assert!(remote(Some("1"), Some("a")).is(&remote(Some("1"), Some("b"))), "renamed by hand");
        assert!(!remote(Some("1"), Some("a")).is(&remote(Some("2"), Some("a"))), "deleted and made anew");
        assert!(remote(Some("1"), Some("a")).is(&remote(None, Some("a"))));
        assert!(!remote(None, None).is(&remote(None, None)));
    }
}
