//! Points: the places of a pass at which what is durable, or what a target holds, is not what it was before. Whoever
//! runs one may be told of each; the program as it is shipped tells nobody, and tests stop it there.

/// Declares the points once: the variants, the list of all, and their names cannot drift apart.
macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A place of a pass. In the order of a pass; what happens for each pipeline, kind or batch is reached as often.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Point {
            $($(#[doc = $doc])+ $point,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// Of what was on its way when a process ended it is remembered since when it is in doubt.
    GivenUp = "given-up",
    /// The semesters are remembered.
    Semesters = "semesters",
    /// What the directory says of people is remembered; which entries that was is not.
    People = "people",
    /// So is which entries that was.
    Entries = "entries",
    /// Whoever is gone from the directory is remembered no more; which entry that was still is.
    PeopleGone = "people-gone",
    /// Nor is that.
    EntriesGone = "entries-gone",
    /// What MetaVault says of people is remembered.
    Vault = "vault",
    /// What a pass that did not come to its end sent counts in the guard's windows.
    Recalled = "recalled",
    /// What the target shows of a kind is remembered.
    Observed = "observed",
    /// So is of which scopes it was read.
    ObservedWithin = "observed-within",
    /// So is when.
    ObservedAt = "observed-at",
    /// What a plan leaves open is remembered.
    Opened = "opened",
    /// The plan is there.
    Planned = "planned",
    /// A saved plan is spent, and nothing of it is done yet.
    Spent = "spent",
    /// Memory is loaded; nothing is written anywhere.
    Begun = "begun",
    /// It is remembered that the pipeline has claims: their loss is told from there never having been any.
    Expected = "expected",
    /// The journal knows of the run.
    Noted = "noted",
    /// What the pass may write is remembered for the guard's windows.
    WindowBegun = "window-begun",
    /// It is remembered that a first load is under way.
    Loading = "loading",
    /// The claims on a former target's records are copied aside.
    AsideCopied = "aside-copied",
    /// Those of a kind are dropped.
    AsideClaims = "aside-claims",
    /// So is what was last applied to them.
    AsideApplied = "aside-applied",
    /// Nobody counts as carried through at the former target.
    AsideForgotten = "aside-forgotten",
    /// What evidence said against them is forgotten.
    AsideContradicted = "aside-contradicted",
    /// Writes in doubt at the former target are closed.
    AsideClosed = "aside-closed",
    /// Parts of records that an earlier pass made after all are remembered as empty.
    ReadBackEmpty = "read-back-empty",
    /// Earlier writes in doubt that were read back are settled.
    ReadBack = "read-back",
    /// Links are claimed.
    LinkClaimed = "link-claimed",
    /// What stands there is remembered as last applied.
    LinkApplied = "link-applied",
    /// What is to be forgotten is no longer claimed, or no longer last applied.
    LinkForgotten = "link-forgotten",
    /// The intents of a batch are durable; its request is about to be sent.
    Intended = "intended",
    /// The target has answered, or nobody knows; nothing of that is recorded.
    Answered = "answered",
    /// The refusal of a whole batch is recorded; it is about to be tried again or halved.
    Refused = "refused",
    /// What was accepted of parts is recorded; it is read back later.
    Accepted = "accepted",
    /// The records are read back; nothing of that is recorded.
    Confirmed = "confirmed",
    /// What was last applied to the parts of new records is remembered as empty; that they are ours is not.
    EmptiedApplied = "emptied-applied",
    /// The parts of new records are remembered as empty.
    Emptied = "emptied",
    /// Outcomes, bodies and claims are recorded.
    Recorded = "recorded",
    /// Of a record that is another than the remembered one, what was last applied to it or its parts is forgotten.
    ReplacedForgotten = "replaced-forgotten",
    /// The other record is claimed, or what was claimed of its parts is dropped.
    ReplacedClaimed = "replaced-claimed",
    /// What our writes did to the directory itself is no news.
    Heard = "heard",
    /// Outcomes are folded into digests and last applied.
    Folded = "folded",
    /// What it wrote counts in the guard's windows.
    WindowEnded = "window-ended",
    /// People are remembered as carried through.
    Remembered = "remembered",
    /// The target's identity is remembered.
    Identified = "identified",
    /// So is the population at a trusted whole reading.
    Counted = "counted",
    /// So are the elements of its sets.
    Measured = "measured",
    /// The first load is through.
    Loaded = "loaded",
    /// People of whom something is left to do are open again.
    Reopened = "reopened",
    /// So are those whose change did not go through.
    Left = "left",
    /// The claims are copied; how many they are is not remembered.
    CopiedClaims = "copied-claims",
    /// The claims are copied.
    Copied = "copied",
    /// What the next readings of a source are held against is remembered.
    Figured = "figured",
    /// Nothing is left to do.
    Finished = "finished",
    /// A pipeline whose claims were lost begins again with those that evidence tells.
    RebuiltAnew = "rebuilt-anew",
    /// What evidence contradicts is remembered.
    RebuiltContradicted = "rebuilt-contradicted",
    /// The claims of a kind that evidence tells are remembered.
    RebuiltClaims = "rebuilt-claims",
    /// So is the target's identity.
    RebuiltIdentity = "rebuilt-identity",
}

/// Who is told of points. Called in the very place, on whatever thread works there: what it takes, the pass takes.
pub trait Points: Send + Sync {
    /// A point is reached; of which pipeline, where it is one's.
    fn reached(&self, pipeline: Option<&'static str>, point: Point);
}

/// Nobody: what the program is shipped with.
pub struct Unstopped;

impl Points for Unstopped {
    fn reached(&self, _pipeline: Option<&'static str>, _point: Point) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(Point::ALL.is_sorted());
    }
}
