//! A saved plan: what `--plan --out` writes and `--approve` reads. For one store, one use, 24 hours.
//!
//! It is sealed with the store's key, so that what is approved is what was saved. What it is *not* is
//! a list of writes: `--approve` plans afresh and takes from here only which changes were consented to.
//!
//! The report of a first load is hundreds of megabytes: it is written as it is made, and of what is read only a hash is
//! held.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use reconcile_state::{Digest, Digester};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::exit::Failure;
use super::private_file::{self, Existing};
use crate::model::ChangeId;
use crate::model::scope::Scope;
use crate::plain::in_words;
use crate::report::Report;

const VERSION: u32 = 1;
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    /// Version of the format.
    pub version: u32,
    /// What is approved.
    pub approval: Approvable,
    /// Hash of the JSON report, which is there for reading.
    #[serde(deserialize_with = "hash_of")]
    pub report: blake3::Hash,
    /// Digest of all else under the store's key.
    pub seal: Digest,
}

/// The hash of a value as it stands there, character by character.
fn hash_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
    let text = <&RawValue>::deserialize(deserializer)?;
    Ok(blake3::hash(text.get().as_bytes()))
}

/// What is approved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approvable {
    /// When it was saved.
    pub made: Timestamp,
    /// When it is void.
    pub expires: Timestamp,
    /// Hash of the plan.
    pub hash: Digest,
    /// Which store it belongs to.
    pub store: Digest,
    /// What was asked for.
    pub asked: Asked,
    /// The changes.
    pub changes: Vec<Listed>,
}

/// What was asked for, so that the same is planned again.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Which people.
    pub scope: Scope,
    /// `--adopt`
    pub adopt: bool,
    /// `--allow`, which also says which doubts of sources were accepted.
    pub allow: Vec<String>,
    /// Pipelines, by name.
    pub pipelines: Vec<String>,
}

/// One change, with as much of it as tells a person which it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listed {
    /// Its id.
    pub id: ChangeId,
    /// It in words: `toy: create account KEY`.
    pub what: String,
}

/// Writes the plan to `path`, 0600 and whole; a file that stands there is replaced.
pub(super) fn save(
    path: &Path,
    asked: Asked,
    report: &Report,
    digester: &Digester,
    now: Timestamp,
) -> Result<(), Failure> {
    let refuse = |what: &dyn std::fmt::Display| Failure::error(format!("{} cannot be written: {what}", path.display()));
    let changes = report.pipelines.iter().flat_map(|pipeline| {
        pipeline.changes.iter().map(|change| Listed {
            id: change.id,
            what: format!("{}: {} {} {}", pipeline.name, change.action, change.kind, change.key),
        })
    });
    let approval = Approvable {
        made: now,
        expires: now + LIFE,
        hash: report.plan,
        store: store_id(digester),
        asked,
        changes: changes.collect(),
    };
    let fill = |file: &mut dyn Write| {
        let mut file = Hashing { to: BufWriter::new(file), hasher: blake3::Hasher::new() };
        write!(file, "{{\"version\": {VERSION},\n\"approval\": ")?;
        serde_json::to_writer_pretty(&mut file, &approval)?;
        write!(file, ",\n\"report\": ")?;
        file.hasher.reset();
        serde_json::to_writer_pretty(&mut file, report)?;
        let seal = seal(digester, &approval, &file.hasher.finalize())?;
        writeln!(file, ",\n\"seal\": {}}}", serde_json::to_string(&seal)?)?;
        file.flush()
    };
    private_file::fill(path, fill, Existing::Replace).map_err(|e| refuse(&in_words(&e)))
}

/// Hashes what it writes.
struct Hashing<W> {
    to: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads a plan; whether it may be used is for [`PlanFile::check`].
pub(super) fn read(path: &Path) -> Result<PlanFile, Failure> {
    let text = std::fs::read(path)
        .map_err(|error| Failure::error(format!("{} cannot be read: {}", path.display(), in_words(&error))))?;
    parse(path, &text)
}

/// The plan in a file's bytes.
pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<PlanFile, Failure> {
    // The parser's own text would quote a value.
    serde_json::from_slice(text).map_err(|error| {
        let (path, line) = (path.display(), error.line());
        Failure::error(format!(
            "{path} is no saved plan, or a broken one (line {line}); save it anew with --plan --out"
        ))
    })
}

impl PlanFile {
    /// Refuses a plan of another store, one that was changed, and one that is too old.
    pub fn check(&self, digester: &Digester, now: Timestamp) -> Result<(), Failure> {
        let refuse = |why: &str| Err(Failure::error(format!("the saved plan {why}; make a new one with --plan --out")));
        if self.version != VERSION {
            return refuse("is of another version of this program");
        }
        if self.approval.store != store_id(digester) {
            return refuse("belongs to another store");
        }
        match seal(digester, &self.approval, &self.report) {
            Ok(seal) if seal == self.seal => {}
            _ => return refuse("was changed after it was saved"),
        }
        if now >= self.approval.expires || now + SignedDuration::from_mins(5) < self.approval.made {
            return refuse("is older than 24 hours");
        }
        Ok(())
    }
}

fn store_id(digester: &Digester) -> Digest {
    digester.texts(["reconcile", "store"])
}

fn seal(digester: &Digester, approval: &Approvable, report: &blake3::Hash) -> serde_json::Result<Digest> {
    let approval = serde_json::to_string(approval)?;
    Ok(digester.texts(["reconcile", "plan", &approval, report.to_hex().as_str()]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::sample::planned;

    fn saved(dir: &Path) -> (PlanFile, std::path::PathBuf) {
        let report = Report::of_plan(&planned(), &BTreeMap::new(), &[]);
        let path = dir.join("plan.json");
        save(&path, Asked::default(), &report, &Digester::new([7; 32]), Timestamp::UNIX_EPOCH).unwrap();
        (read(&path).unwrap(), path)
    }

    #[test]
    fn a_saved_plan_is_refused_when_old_foreign_changed_or_broken() {
        let dir = tempfile::tempdir().unwrap();
        let (file, path) = saved(dir.path());
        let (own, at) = (Digester::new([7; 32]), |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours));
        file.check(&own, at(23)).unwrap();
        let why = |file: &PlanFile, digester: &Digester, hours| file.check(digester, at(hours)).unwrap_err().message;
        assert!(why(&file, &own, 24).contains("older than 24 hours"));
        assert!(why(&file, &own, -1).contains("older"), "made in the future: the clock is wrong");
        assert!(why(&file, &Digester::new([8; 32]), 1).contains("another store"));
        let mut longer = file.clone();
        longer.approval.expires = at(100);
        assert!(why(&longer, &own, 1).contains("was changed"));
        let text = std::fs::read_to_string(&path).unwrap();
        for (there, other) in [("\"run\": \"", "\"run\": \"x"), ("\"allow\": []", "\"allow\": [\"creates\"]")] {
            assert!(text.contains(there), "{there}");
            std::fs::write(&path, text.replacen(there, other, 1)).unwrap();
            assert!(why(&read(&path).unwrap(), &own, 1).contains("was changed"), "{there}");
        }
        let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(seen["report"], serde_json::to_value(Report::of_plan(&planned(), &BTreeMap::new(), &[])).unwrap());
        std::fs::write(&path, "{\"secret\": 1").unwrap();
        assert!(read(&path).unwrap_err().message.contains("is no saved plan"));
        assert!(read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_saved_plan_lists_its_changes_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (file, path) = saved(dir.path());
        assert_eq!(file.approval.changes[0].what, "toy: create account p1");
        assert_eq!(file.approval.changes.len(), 4);
        assert!(!std::fs::read_to_string(path).unwrap().contains("4711"));
    }
}
