//! What the engine asks of a source.
//!
//! Futures are boxed so that one trait serves as object and as bound; a source is asked a few times a
//! pass. A reading either ends as the source itself says it ends, or it is an error.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use reconcile_state::{Key, Record};

use super::error::SourceError;
use crate::model::{Check, KeyField, Org, Semester, Teaching, Topic};

/// Codes of [`Finding`]s.
pub mod reason {
    /// A value that is not what the attribute holds.
    pub const MALFORMED: &str = "malformed-attribute";
    /// Two different values where there is one at most.
    pub const DUPLICATE: &str = "duplicate-value";
    /// Bytes that are no UTF-8.
    pub const NOT_UTF8: &str = "not-utf8";
}

/// Something about one person's attribute that could not be read as it should.
///
/// The record leaves out what is named here, wholly or in part, so nothing may be concluded from its
/// absence there: a person whose `disabled` cannot be read is not an active one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// One of [`reason`].
    pub code: &'static str,
    /// The attribute's name in the schema.
    pub attribute: &'static str,
}

/// A person as Portal LDAP has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryEntry {
    /// Of kind `directory`; always active: whether the person is disabled is an attribute.
    pub record: Record,
    /// The entry's `entryCSN`; `None` where we may not read it.
    pub csn: Option<String>,
    /// What could not be read; ordered, each once.
    pub findings: Vec<Finding>,
}

/// People that came together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryPage {
    /// The people, in the directory's order.
    pub entries: Vec<DirectoryEntry>,
    /// Entries of this page that are left out because their `idautoID` is no UUID (`invalid-key`).
    pub invalid_keys: u64,
    /// Whether the directory said that this is the last page: only then was everybody shown.
    pub last: bool,
}

/// Everybody's `entryCSN`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
    /// UH-ID and `entryCSN`, in the directory's order; without one the person has to be read.
    pub entries: Vec<(Key, Option<String>)>,
    /// Entries whose `idautoID` is no UUID.
    pub invalid_keys: u64,
}

/// Portal LDAP, read.
pub trait Directory: Send + Sync {
    /// Everybody, page by page; the next page is fetched when it is asked for. Ends after the page marked
    /// `last`, or with an error.
    fn read_all(&self) -> BoxStream<'_, Result<DirectoryPage, SourceError>>;

    /// Everybody's `entryCSN`: comparing two listings finds additions, changes, deletions, and a
    /// directory restored from a backup.
    fn list(&self) -> BoxFuture<'_, Result<Listing, SourceError>>;

    /// These people; who is not in the answer is not in the directory.
    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>>;

    /// Whoever is entitled to one of these, and bears no mark of it, among those who are not disabled. Marks
    /// are the values of these two directory attributes: birthright and requested.
    fn unmarked<'a>(
        &'a self,
        entitlements: &'a [&'a str],
        marks: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<Vec<Key>, SourceError>>;

    /// Checks connection, rights and schema, for `reconcile check`.
    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async { answered(self.find(KeyField::IdautoId, NOBODY).await) })
    }

    /// Whoever has this value; none, one or several.
    fn find<'a>(&'a self, field: KeyField, value: &'a str) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>>;
}

/// A person as MetaVault has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaultEntry {
    /// Of kind `vault`; always active.
    pub record: Record,
    /// What could not be read; ordered, each once.
    pub findings: Vec<Finding>,
}

/// What is not about people, each by its id.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Catalogue {
    /// Units.
    pub orgs: BTreeMap<String, Org>,
    /// Semesters.
    pub semesters: BTreeMap<String, Semester>,
    /// Versions of topics.
    pub topics: BTreeMap<String, Topic>,
    /// Teachings.
    pub teachings: BTreeMap<String, Teaching>,
}

/// One consistent reading of MetaVault.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VaultReading {
    /// People with a row of their own, by UH-ID.
    pub people: BTreeMap<Key, VaultEntry>,
    /// Rows left out because their UH-ID is no UUID, or is written in mixed case.
    pub invalid_keys: u64,
    /// People that other tables name but `mv_person` does not have.
    pub orphans: u64,
    /// Rows of each whole table, also where only some people were read.
    pub tables: BTreeMap<&'static str, u64>,
    /// Units, semesters, topics, teachings; always whole.
    pub catalogue: Catalogue,
}

/// MetaVault, read. Every reading is one read-only transaction over all tables.
pub trait Vault: Send + Sync {
    /// Everybody.
    fn read_all(&self) -> BoxFuture<'_, Result<VaultReading, SourceError>>;

    /// These people; who is not in the answer has no row.
    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<VaultReading, SourceError>>;

    /// Checks connection, rights and tables, for `reconcile check`.
    fn check(&self) -> BoxFuture<'_, Vec<Check>>;
}

/// A UH-ID that nobody has.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What a source that checks nothing else says of itself: whether it answers.
fn answered<T>(answer: Result<T, SourceError>) -> Vec<Check> {
    let what = "connection";
    vec![match answer {
        Ok(_) => Check::good(what, "it answers"),
        Err(error) => {
            let text = format!("{}: {error}", error.code);
            let (found, fix) = text.rsplit_once("; ").unwrap_or((&text, "mend what is named there and check again"));
            Check::problem(what, found, fix)
        }
    }]
}
