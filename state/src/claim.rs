//! Claims: what only we know about a record. Small, copied after each pass, never derivable for
//! certain from a source or a target.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::record::AttributeId;

/// How a record became ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// We made it.
    Created,
    /// It was there and was linked.
    Adopted,
    /// What was remembered was lost, and evidence says that it is ours. What we did to it nobody knows, until a pass
    /// has found it as it should be.
    Rebuilt,
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
#[serde(from = "Told", into = "Told")]
pub struct Claim {
    /// How to find it again.
    pub remote: Remote,
    /// How it became ours.
    pub origin: Origin,
    /// Whether the standing it has is one that we set: only then may we lift it again where the target
    /// has closures of its own.
    pub disabled_by_us: bool,
    /// What there is to say of few.
    pub beside: Seldom,
}

/// What is remembered of few records beside the rest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Beside {
    /// Attributes (`None`: the standing) in which the record differs since a first meeting that only listed
    /// it: of these only what sources or policy move from then on is written.
    pub listed: Vec<Option<AttributeId>>,
    /// Elements of sets that are called for and were there by another's hand: not ours to take away.
    pub others: BTreeSet<(AttributeId, String)>,
    /// Elements of claimed sets that we took away: what comes back soon after is contested.
    pub taken: Vec<Taken>,
    /// Set while the target shows something else than what was written and accepted.
    pub unsettled: Option<Unsettled>,
}

/// A [`Beside`] that takes no room where it says nothing: a pass holds a claim on everybody's records.
#[derive(Clone, Default)]
pub struct Seldom(Option<Box<Beside>>);

static NOTHING: Beside = Beside { listed: Vec::new(), others: BTreeSet::new(), taken: Vec::new(), unsettled: None };

impl From<Beside> for Seldom {
    fn from(beside: Beside) -> Self {
        Self((beside != NOTHING).then(|| Box::new(beside)))
    }
}

impl Deref for Seldom {
    type Target = Beside;

    fn deref(&self) -> &Beside {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Seldom {
    fn deref_mut(&mut self) -> &mut Beside {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Seldom {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Seldom {}

impl fmt::Debug for Seldom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A claim as it is written down.
#[derive(Serialize, Deserialize)]
struct Told {
    remote: Remote,
    origin: Origin,
    #[serde(default)]
    disabled_by_us: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    listed: Vec<Option<AttributeId>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    others: BTreeSet<(AttributeId, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    taken: Vec<Taken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsettled: Option<Unsettled>,
}

impl From<Told> for Claim {
    fn from(told: Told) -> Self {
        let Told { remote, origin, disabled_by_us, listed, others, taken, unsettled } = told;
        Self { remote, origin, disabled_by_us, beside: Beside { listed, others, taken, unsettled }.into() }
    }
}

impl From<Claim> for Told {
    fn from(claim: Claim) -> Self {
        let Claim { remote, origin, disabled_by_us, beside } = claim;
        let Beside { listed, others, taken, unsettled } = beside.0.map(|beside| *beside).unwrap_or_default();
        Self { remote, origin, disabled_by_us, listed, others, taken, unsettled }
    }
}

impl Claim {
    /// A claim on a record that nothing else is known of.
    pub fn new(remote: Remote, origin: Origin) -> Self {
        Self { remote, origin, disabled_by_us: false, beside: Seldom::default() }
    }

    /// The same claim with what there is to say beside.
    #[must_use]
    pub fn with(self, beside: Beside) -> Self {
        Self { beside: beside.into(), ..self }
    }
}

/// An element that we took away.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The set.
    pub attribute: AttributeId,
    /// The element.
    pub element: String,
    /// When, in Unix milliseconds.
    pub at: i64,
}

impl Taken {
    /// So long after we took it away an element that is there again is left: somebody else wants it.
    pub const CONTESTED: i64 = 24 * 60 * 60 * 1000;

    /// From when on it may be taken away again, in Unix milliseconds.
    pub fn until(&self) -> i64 {
        self.at.saturating_add(Self::CONTESTED)
    }
}

/// A record that did not become what was written: it is tried again with growing delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unsettled {
    /// Tries so far.
    pub tries: u32,
    /// Not to be tried again before this, in Unix milliseconds.
    pub not_before: i64,
}

impl Unsettled {
    /// One more try in vain at `now` (Unix milliseconds): ten minutes, then twice as long each time, a
    /// day at the most.
    #[must_use]
    pub fn after(last: Option<Self>, now: i64) -> Self {
        const FIRST: i64 = 10 * 60 * 1000;
        const LONGEST: i64 = 24 * 60 * 60 * 1000;
        let tries = last.map_or(0, |last| last.tries).saturating_add(1);
        let delay = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(8)).min(LONGEST);
        Self { tries, not_before: now.saturating_add(delay) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(id: Option<&str>, handle: Option<&str>) -> Remote {
        Remote { id: id.map(str::to_owned), handle: handle.map(str::to_owned) }
    }

    #[test]
    fn the_delay_between_tries_grows_to_a_day() {
        let mut last = None;
        let delays: Vec<i64> = (0..10)
            .map(|_| {
                let next = Unsettled::after(last, 0);
                last = Some(next);
                next.not_before / 60_000
            })
            .collect();
        assert_eq!(delays, [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440]);
    }

    #[test]
    fn an_id_on_both_sides_decides_alone() {
        assert!(remote(Some("1"), Some("a")).is(&remote(Some("1"), Some("b"))), "renamed by hand");
        assert!(!remote(Some("1"), Some("a")).is(&remote(Some("2"), Some("a"))), "deleted and made anew");
        assert!(remote(Some("1"), Some("a")).is(&remote(None, Some("a"))));
        assert!(!remote(None, None).is(&remote(None, None)));
    }
}
