//! Drift: the classified relation of desired, last applied and observed. Pure; digests only.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::record::Standing;

/// What sources and policy call for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DesiredSide {
    /// Nothing: there is a reason to keep away, or the sources did not answer for this record.
    Untouched,
    /// To be there and open, with this digest.
    Active(Digest),
    /// To be closed where it is, with this digest.
    Disabled(Digest),
    /// Proved to be gone from a whole and trusted source.
    Gone,
}

/// The pair taken when a change settled: what was wanted and what the target then showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Applied {
    /// Digest of the desired record.
    pub wanted: Digest,
    /// Digest of the observed record.
    pub seen: Digest,
}

/// What the target holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObservedSide {
    /// Not read, or read in a way that proves nothing.
    Unknown,
    /// Correlation found two, or contradicting, records.
    Ambiguous,
    /// A reading that would have shown it did not.
    Absent,
    /// Found, with this digest and standing.
    Present(Digest, Standing),
}

/// The classes of the drift table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Nothing is done; counted with its reason; never surplus.
    Untouched,
    /// Not known; due again.
    Unobserved,
    /// Nothing is written; candidates are listed.
    Conflict,
    /// Wanted, never seen: to be created.
    Missing,
    /// Was there when last applied, is not there now: to be created, in a guard class of its own.
    Lost,
    /// To be closed, and not there: nothing to do, last applied is forgotten.
    NotThere,
    /// Desired is as wanted and observed as seen.
    InSync,
    /// First meeting with nothing to change: linked.
    Adopt,
    /// First meeting with differences.
    FirstMeeting,
    /// Sources or policy moved.
    Behind,
    /// The target moved.
    Drifted,
    /// Both moved: judged attribute by attribute.
    Diverged,
    /// Ours, present and open, and gone from the sources.
    Surplus,
    /// Gone from the sources, and closed or absent at the target: nothing is left to do.
    Forgotten,
    /// Present, never ours: never touched, counted.
    Foreign,
}

/// The drift table of the design, row by row.
///
/// At a first meeting this only says [`Drift::Adopt`] for equal digests; a caller that has both bodies
/// turns a [`Drift::FirstMeeting`] without edits into an adoption.
pub fn classify(desired: DesiredSide, applied: Option<Applied>, observed: ObservedSide) -> Drift {
    use DesiredSide as D;
    use ObservedSide as O;
    let (wanted, open) = match (desired, observed) {
        (D::Untouched, _) => return Drift::Untouched,
        (_, O::Unknown) => return Drift::Unobserved,
        (_, O::Ambiguous) => return Drift::Conflict,
        (D::Gone, O::Absent) => return Drift::Forgotten,
        (D::Gone, O::Present(_, standing)) => {
            return match (applied, standing) {
                (None, _) => Drift::Foreign,
                (Some(_), Standing::Active) => Drift::Surplus,
                (Some(_), Standing::Disabled) => Drift::Forgotten,
            };
        }
        (D::Active(wanted), _) => (wanted, true),
        (D::Disabled(wanted), _) => (wanted, false),
    };
    match (observed, applied) {
        (O::Absent, _) if !open => Drift::NotThere,
        (O::Absent, None) => Drift::Missing,
        (O::Absent, Some(_)) => Drift::Lost,
        (O::Present(seen, _), None) if seen == wanted => Drift::Adopt,
        (O::Present(..), None) => Drift::FirstMeeting,
        (O::Present(seen, _), Some(applied)) => match (applied.wanted == wanted, applied.seen == seen) {
            (true, true) => Drift::InSync,
            (false, true) => Drift::Behind,
            (true, false) => Drift::Drifted,
            (false, false) => Drift::Diverged,
        },
        (O::Unknown, _) => Drift::Unobserved,
        (O::Ambiguous, _) => Drift::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Digest = Digest([1; 16]);
    const Y: Digest = Digest([2; 16]);
    const Z: Digest = Digest([3; 16]);

    #[allow(clippy::unnecessary_wraps)]
    fn pair(wanted: Digest, seen: Digest) -> Option<Applied> {
        Some(Applied { wanted, seen })
    }

    fn present(digest: Digest) -> ObservedSide {
        ObservedSide::Present(digest, Standing::Active)
    }

    #[test]
    fn every_row_of_the_table() {
        use DesiredSide::{Active, Disabled, Gone, Untouched};
        use ObservedSide::{Absent, Ambiguous, Present, Unknown};
        let any_observed = [Unknown, Ambiguous, Absent, present(X), Present(X, Standing::Disabled)];
        let any_applied = [None, pair(X, X), pair(X, Y)];
        for observed in any_observed {
            for applied in any_applied {
                assert_eq!(classify(Untouched, applied, observed), Drift::Untouched);
            }
        }
        for applied in any_applied {
            for desired in [Active(X), Disabled(X), Gone] {
                assert_eq!(classify(desired, applied, Unknown), Drift::Unobserved);
                assert_eq!(classify(desired, applied, Ambiguous), Drift::Conflict);
            }
            assert_eq!(classify(Disabled(X), applied, Absent), Drift::NotThere);
            assert_eq!(classify(Gone, applied, Absent), Drift::Forgotten);
        }
        let rows = [
            (Active(X), None, Absent, Drift::Missing),
            (Active(X), pair(X, X), Absent, Drift::Lost),
            (Active(X), pair(X, Y), present(Y), Drift::InSync),
            (Disabled(X), pair(X, Y), Present(Y, Standing::Disabled), Drift::InSync),
            (Active(X), None, present(X), Drift::Adopt),
            (Active(Y), None, present(Z), Drift::FirstMeeting),
            (Disabled(Y), None, present(Z), Drift::FirstMeeting),
            (Active(Y), pair(X, Z), present(Z), Drift::Behind),
            (Disabled(Y), pair(X, Z), present(Z), Drift::Behind),
            (Active(X), pair(X, Y), present(Z), Drift::Drifted),
            (Active(Y), pair(X, X), present(Z), Drift::Diverged),
            (Gone, pair(X, X), present(X), Drift::Surplus),
            (Gone, pair(X, X), Present(Z, Standing::Disabled), Drift::Forgotten),
            (Gone, None, present(X), Drift::Foreign),
        ];
        for (desired, applied, observed, drift) in rows {
            assert_eq!(classify(desired, applied, observed), drift, "{desired:?} {applied:?} {observed:?}");
        }
    }
}
