//! Journal: what was intended and what came of it. These are its entries; the store's own `journal`
//! keeps them, and folds outcomes into what is remembered.
//!
//! An entry holds names, codes and digests. It never holds a value of an attribute, a body, or a claim:
//! a target's handle is often the person's user name.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::drift::Applied;
use crate::record::{Key, Standing};

/// A write that is about to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The run that sends it.
    pub run: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// The record's kind.
    pub kind: String,
    /// The record's key.
    pub key: Key,
    /// Id of the planned change.
    pub change: Digest,
    /// What is done: create, update, disable and the like.
    pub action: String,
    /// Names of the attributes it touches, never their values.
    pub attributes: Vec<String>,
    /// How long the target may still carry it out once its outcome is known to be unknown, in
    /// milliseconds. Until then the key takes no other change, and reading it back proves nothing. Not
    /// counted from `at`: between the intent and the request lie locks, pace and the target's own holds.
    pub settle_after_ms: u64,
    /// Of a creation, digests of the values by which the new record is recognised: it is found again also
    /// when the person bears others by then, or is gone. Of a set at a target that does not tell by whose hand its
    /// elements are there, digests of the elements that are put in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Digest>,
}

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Landing {
    /// All of it was done.
    Landed,
    /// Nothing was done.
    Failed {
        /// The error's stable code.
        code: String,
    },
    /// Some of it was done.
    Partial {
        /// The error's stable code.
        code: String,
    },
    /// It is not known whether anything was done.
    Unknown {
        /// The error's stable code.
        code: String,
    },
}

/// What the target held afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// It was not read back.
    Unread,
    /// It has no such record.
    Absent,
    /// This.
    Present {
        /// Digest of the record.
        digest: Digest,
        /// Its standing.
        standing: Standing,
    },
}

/// An intent's outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Number of the intent's entry.
    pub intent: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What came of it.
    #[serde(flatten)]
    pub landing: Landing,
    /// The pair to remember; `None` leaves what is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// What the target held afterwards.
    pub after: After,
}

impl Outcome {
    /// Whether the intent is done with. A write of which part or all may still be on its way stays open
    /// until its record has been read back (design, Errors).
    pub fn settles(&self) -> bool {
        match self.landing {
            Landing::Landed | Landing::Failed { .. } => true,
            Landing::Partial { .. } | Landing::Unknown { .. } => self.after != After::Unread,
        }
    }
}

/// Something that happened beside the writes: a run began or ended, a plan was approved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The run.
    pub run: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What happened.
    pub what: String,
    /// The operator or service account behind it.
    pub who: String,
}

/// One entry of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// A write that is about to be sent.
    Intent(Intent),
    /// What came of one.
    Outcome(Outcome),
    /// Anything else worth keeping.
    Note(Note),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(landing: Landing, after: After) -> Outcome {
        Outcome { intent: 1, at: 0, landing, applied: None, after }
    }

    #[test]
    fn a_write_in_doubt_stays_open_until_read_back() {
        let code = || "TIMEOUT".to_owned();
        for landing in [Landing::Unknown { code: code() }, Landing::Partial { code: code() }] {
            assert!(!outcome(landing.clone(), After::Unread).settles());
            assert!(outcome(landing, After::Absent).settles());
        }
        for landing in [Landing::Landed, Landing::Failed { code: code() }] {
            assert!(outcome(landing, After::Unread).settles());
        }
    }

    #[test]
    fn entries_survive_their_text() {
        let present = After::Present { digest: Digest([7; 16]), standing: Standing::Disabled };
        let entry = Entry::Outcome(outcome(Landing::Failed { code: "X".into() }, present));
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry, "{text}");
    }
}
