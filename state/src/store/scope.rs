//! Scopes: whose rows, and which side of them.

use std::fmt;

/// One side of a kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// As the sources showed it.
    Source,
    /// As the target showed it.
    Observed,
    /// As it was when its changes were last carried through.
    Processed,
    /// As it was wanted when it was last applied: bodies only, their digests are in the pairs.
    Wanted,
}

impl Side {
    /// What the name of a scope of this side ends with.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Source => "/source",
            Self::Observed => "/observed",
            Self::Processed => "/processed",
            Self::Wanted => "/wanted",
        }
    }
}

/// One side of one kind in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Scope<'k> {
    /// The kind.
    pub kind: &'k str,
    /// The side of it.
    pub side: Side,
}

impl<'k> Scope<'k> {
    /// A scope.
    pub fn new(kind: &'k str, side: Side) -> Self {
        Self { kind, side }
    }

    pub(super) fn name(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, self.side.ending())
    }
}
