//! Reads what is: marks and ids of everybody, or of single people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use ldap3::Scope;
use reconcile_state::{AttributeId, Record, Remote, Value};

use super::codes::CODES;
use super::config::Settings;
use super::fit::{self, Fitted};
use super::place::{CONNECTION_FAILED, FETCH_FAILED};
use super::project::BY_ID;
use super::schema::{BIRTHRIGHT, MARKS, Marked, REQUESTED};
use super::value::{self, texts};
use crate::model::{Anchor, Check, ErrorKind, TargetError};
use crate::sources::portal_ldap::decode;
use crate::targets::port::{Ask, End, Identity, Page, Reader, Seen};
use crate::wire::ldap::{Connection, Pages, RawEntry, Search};

/// People asked for by one filter.
pub const CHUNK: usize = 100;

/// The reading half.
pub struct MarkReader {
    settings: Arc<Settings>,
    marked: Vec<Marked>,
}

impl MarkReader {
    /// A reader of these pipelines' marks.
    pub fn new(settings: Arc<Settings>, marked: &[Marked]) -> Self {
        Self { settings, marked: marked.to_vec() }
    }

    fn asking(&self, filter: String) -> Search {
        let attributes = [BY_ID].into_iter().chain(self.settings.names.all()).map(str::to_owned).collect();
        let (base, page_size) = (self.settings.base.clone(), self.settings.page_size);
        Search { base, scope: Scope::Subtree, filter, attributes, page_size }
    }

    async fn next(&self, pages: Option<Pages>) -> Result<Option<(Page, Option<Pages>)>, TargetError> {
        let mut pages = match pages {
            Some(pages) => pages,
            None => self.settings.connect().await?.search(self.asking(self.settings.filter(std::iter::empty()))),
        };
        let page = pages.next().await.map_err(|error| self.settings.failed(&error, FETCH_FAILED))?;
        let Some(page) = page else {
            pages.into_connection().close().await;
            return Ok(None);
        };
        let end = page.last.then_some(End { total: None });
        Ok(Some((Page { seen: self.seen(&page.entries), end, ..Page::default() }, Some(pages))))
    }

    async fn these(&self, anchors: &[Anchor]) -> Result<Page, TargetError> {
        let keys: BTreeSet<&str> = anchors.iter().flat_map(wanted).collect();
        let mut page = Page { covered: anchors.iter().map(|anchor| anchor.key.clone()).collect(), ..Page::default() };
        if keys.is_empty() {
            return Ok(page);
        }
        let mut connection = self.settings.connect().await?;
        for keys in keys.into_iter().collect::<Vec<_>>().chunks(CHUNK) {
            let mut pages = connection.search(self.asking(self.settings.filter(keys.iter().copied())));
            while let Some(found) = pages.next().await.map_err(|error| self.settings.failed(&error, FETCH_FAILED))? {
                page.seen.extend(self.seen(&found.entries));
            }
            connection = pages.into_connection();
        }
        connection.close().await;
        Ok(page)
    }

    /// An entry without a UUID is nobody's.
    fn seen(&self, entries: &[RawEntry]) -> Vec<Seen> {
        entries.iter().filter_map(|entry| self.one(entry)).collect()
    }

    fn one(&self, entry: &RawEntry) -> Option<Seen> {
        let key = decode::key(entry)?;
        let id = key.as_str().to_owned();
        let mut record = Record::new(key);
        for (attribute, name) in
            [(BIRTHRIGHT, &self.settings.names.birthright), (REQUESTED, &self.settings.names.requested)]
        {
            record.set(attribute, Value::Set(texts(entry, name).map(str::to_owned).collect()));
        }
        for (attribute, ids) in self.ids(entry) {
            // More than one id is none that anybody can be known by: shown together they differ from every one.
            record.set(attribute, Value::Text(ids.into_iter().collect::<Vec<_>>().join(", ")));
        }
        Some(Seen {
            remote: Remote { id: Some(id.clone()), handle: None },
            record,
            matches: vec![(BY_ID, id)],
            foreign: None,
            kept: BTreeSet::new(),
        })
    }

    /// Ids by the attribute of the pipeline they belong to; those of systems that are not marked are nobody's.
    fn ids<'e>(&self, entry: &'e RawEntry) -> BTreeMap<AttributeId, BTreeSet<&'e str>> {
        let mut ids: BTreeMap<AttributeId, BTreeSet<&str>> = BTreeMap::new();
        for text in texts(entry, &self.settings.names.target_ids) {
            if let (Some((_, mark)), Some(id)) = (value::marked(&self.marked, text), value::id(text)) {
                ids.entry(AttributeId(mark.number)).or_default().insert(id);
            }
        }
        ids
    }

    /// The branch's entry; its `entryUUID` is the same on every copy of the directory.
    async fn branch(&self, connection: &Connection) -> Result<Option<String>, TargetError> {
        let found = connection.look(&self.settings.base, Scope::Base, "(objectClass=*)", &["entryUUID"]).await;
        let found = found.map_err(|error| self.settings.failed(&error, CONNECTION_FAILED))?;
        let uuid = found.first().and_then(|entry| texts(entry, "entryUUID").next().map(str::to_owned));
        Ok(uuid)
    }

    async fn look_round(&self) -> Result<Vec<Check>, (&'static str, TargetError)> {
        let connection = self.settings.connect().await.map_err(|error| ("connection", error))?;
        let place = self.settings.endpoint.place();
        let mut found = vec![Check::good("connection", format!("{place}, bound as configured"))];
        self.branch(&connection).await.map_err(|error| ("branch", error))?;
        found.push(Check::good("branch", "`people_base` can be read"));
        let fitted = fit::look(&self.settings, &self.marked, connection).await;
        let (fitted, shown) = fitted.map_err(|error| ("marks", error))?;
        if !shown {
            found.push(Check::warning(
                "schema",
                "the directory does not show its schema: whether the three attributes exist is not known",
                "let the service account read the subschema entry, or compare [portal] with the directory by hand",
            ));
        }
        found.extend(fitted.iter().map(Fitted::check));
        found.push(Check::good("rights", "whether marks may be written shows at the first one"));
        Ok(found)
    }
}

impl Reader for MarkReader {
    async fn identity(&self) -> Result<Identity, TargetError> {
        let connection = self.settings.connect().await?;
        let uuid = self.branch(&connection).await?;
        let (fitted, _) = fit::look(&self.settings, &self.marked, connection).await?;
        if let Some(refusal) = fitted.iter().find_map(Fitted::refusal) {
            return Err(refusal);
        }
        let (base, mut warnings) = (&self.settings.base, Vec::new());
        if uuid.is_none() {
            warnings.push(
                "entryUUID of `people_base` cannot be read: another directory of the same name looks alike".into(),
            );
        }
        let id = [base.to_lowercase(), uuid.unwrap_or_default()].join(" ");
        Ok(Identity { id: id.trim_end().to_owned(), title: format!("Portal LDAP, {base}"), warnings })
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        if kind != MARKS {
            let error = TargetError::new(ErrorKind::Rejected, FETCH_FAILED, format!("there is no kind `{kind}`"));
            return stream::once(async { Err(error) }).boxed();
        }
        match ask {
            Ask::All => stream::try_unfold(None, |pages| self.settings.breaker.guard(self.next(pages))).boxed(),
            Ask::These(anchors) => {
                stream::once(async move { self.settings.breaker.guard(self.these(&anchors)).await }).boxed()
            }
            Ask::Parts(_) => stream::empty().boxed(),
        }
    }

    async fn check(&self) -> Vec<Check> {
        self.look_round().await.unwrap_or_else(|(what, error)| {
            // What was found names the key to look at; the code's own text says the rest.
            let fix = CODES.iter().find(|(code, _)| *code == error.code).map_or("check again", |(_, text)| text);
            vec![Check::problem(what, format!("{}: {}", error.code, error.message), fix)]
        })
    }
}

/// The keys an anchor is looked up by.
fn wanted(anchor: &Anchor) -> Vec<&str> {
    let remembered = anchor.remembered.iter().filter_map(|remote| remote.id.as_deref());
    let matched = anchor.matches.iter().filter(|one| one.field == BY_ID).map(|one| one.value.as_str());
    remembered.chain(matched).collect()
}
