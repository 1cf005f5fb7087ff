//! Modifications: single values added and deleted, with the entry's `entryCSN` before and after (RFC 4527).
//!
//! One request is atomic: with one bad part nothing is changed. What the result codes mean for a record is not
//! known here; whether an answer came at all is.

use std::collections::HashSet;
use std::fmt;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use ldap3::controls::{PostRead, PreRead, RawControl};
use ldap3::{LdapResult, Mod};

use super::connection::Connection;
use super::entry;
use super::error::{LdapError, LdapErrorKind};

const PRE_READ: &str = "1.3.6.1.1.13.1";
const POST_READ: &str = "1.3.6.1.1.13.2";
/// Changes with every write of an entry.
const CSN: &str = "entryCSN";

/// One value more or less. Its `Debug` shows the attribute only.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// The value is to be there.
    Add {
        /// The attribute.
        attribute: String,
        /// The value.
        value: String,
    },
    /// The value is to be gone.
    Delete {
        /// The attribute.
        attribute: String,
        /// The value, as the server compares it.
        value: String,
    },
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { attribute, .. } => write!(f, "add {attribute}"),
            Self::Delete { attribute, .. } => write!(f, "delete {attribute}"),
        }
    }
}

/// A modification that was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Modified {
    /// The result code: 0 where everything landed, otherwise nothing did.
    pub rc: u32,
    /// The entry's `entryCSN` before; `None` where the server did not tell.
    pub before: Option<String>,
    /// The entry's `entryCSN` after.
    pub after: Option<String>,
}

/// A modification of which no answer came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// Why.
    pub error: LdapError,
    /// Whether it may have reached the server: it may have landed, or may yet.
    pub sent: bool,
}

impl Connection {
    /// Changes one entry. Parts are done in their order, all or none.
    ///
    /// # Errors
    /// [`Unanswered`]; a result code other than 0 is an answer.
    pub async fn modify(&self, dn: &str, parts: &[Part]) -> Result<Modified, Unanswered> {
        let mods: Vec<Mod<&str>> = parts.iter().map(as_mod).collect();
        let controls: Vec<RawControl> = vec![PreRead::new(vec![CSN]), PostRead::new(vec![CSN])];
        let mut ldap = self.operation();
        // ldap3 decodes the answer in the caller's task, and panics on odd input.
        let answer = AssertUnwindSafe(ldap.with_controls(controls).modify(dn, mods)).catch_unwind().await;
        match answer {
            Ok(Ok(result)) => Ok(modified(&result)),
            // Only what the connection's task never took over has certainly not been sent.
            Ok(Err(error)) => {
                let sent = !matches!(error, ldap3::LdapError::OpSend { .. });
                Err(Unanswered { error: error.into(), sent })
            }
            Err(_) => {
                let error = LdapError::new(LdapErrorKind::Malformed, "the server's answer cannot be decoded");
                Err(Unanswered { error, sent: true })
            }
        }
    }
}

fn as_mod(part: &Part) -> Mod<&str> {
    match part {
        Part::Add { attribute, value } => Mod::Add(attribute, HashSet::from([value.as_str()])),
        Part::Delete { attribute, value } => Mod::Delete(attribute, HashSet::from([value.as_str()])),
    }
}

fn modified(result: &LdapResult) -> Modified {
    let csn = |oid: &str| {
        let control = result.ctrls.iter().find(|control| control.1.ctype == oid)?;
        csn(control.1.val.as_deref()?)
    };
    Modified { rc: result.rc, before: csn(PRE_READ), after: csn(POST_READ) }
}

/// The `entryCSN` of a pre- or post-read answer, which holds an entry as a search gives it.
pub(crate) fn csn(value: &[u8]) -> Option<String> {
    let (_, tag) = ldap3::asn1::parse_tag(value).ok()?;
    let read = entry::entry(tag)?;
    let text = std::str::from_utf8(read.values(CSN).first()?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_csn_is_read_or_missing() {
        // [APPLICATION 4] { "", { { "entryCSN", { "2026" } } } }
        let told = b"\x64\x16\x04\x00\x30\x12\x30\x10\x04\x08entryCSN\x31\x04\x04\x022a";
        assert_eq!(csn(told), Some("2a".to_owned()));
        let hidden = b"\x64\x04\x04\x00\x30\x00";
        assert_eq!(csn(hidden), None);
    }

    #[test]
    fn the_debug_of_a_part_holds_no_value() {
        let part = Part::Add { attribute: "a".into(), value: "secret".into() };
        assert_eq!(format!("{part:?}"), "add a");
    }

    proptest! {
        #[test]
        fn no_answer_to_a_read_control_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(csn(&bytes).is_none_or(|text| !text.is_empty()));
        }
    }
}
