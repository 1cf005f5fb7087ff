//! Reads who is in which course: everything by one report, or course by course.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reconcile_state::{Key, Record, Remote, Texts, Value};

use super::super::accounts::CHUNK;
use super::super::answer::FETCH_FAILED;
use super::super::client::Client;
use super::super::config::Settings;
use super::super::schema::COURSES;
use super::super::wire::{Call, FIXED_FIELDS, Participant, User};
use super::config::{Enrolments, ParticipantsReport, Removal};
use super::courses::{Catalogue, Courses};
use super::report::{check_distinct, filtered, holders, memberships, unshown};
use super::roles::Roles;
use crate::model::{ErrorKind, TargetError};
use crate::targets::port::{End, Page, Parts, Seen};

/// The reading half of enrolments.
pub struct EnrolmentReader {
    client: Arc<Client>,
    settings: Arc<Settings>,
    enrolments: Enrolments,
    catalogue: Arc<Catalogue>,
    roles: Arc<Roles>,
}

/// Most accounts of one page: nobody holds what was found and what is made of it for all of them at once.
const PAGE: usize = 1000;

/// What was found of one account. Elements are shared: very many people are in one course.
#[derive(Clone, Default)]
struct Found {
    id: Option<u64>,
    /// By the manual method.
    ours: Vec<Arc<str>>,
    /// By another method, or by one that the reading does not tell.
    others: Vec<Arc<str>>,
}

/// Texts of which each is there once.
#[derive(Default)]
struct Shared(BTreeSet<Arc<str>>);

impl Shared {
    fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

/// What was found, by the place of the whole among those asked for.
#[derive(Default)]
struct Gathered {
    found: BTreeMap<usize, Found>,
    read: BTreeSet<String>,
    unread: BTreeSet<String>,
    strangers: u64,
    failed: Option<TargetError>,
}

/// Pages, and the error that ends them.
type Answers<'a> = Box<dyn Iterator<Item = Result<Page, TargetError>> + Send + 'a>;

impl EnrolmentReader {
    /// A reader over this client.
    pub fn new(
        client: Arc<Client>,
        settings: Arc<Settings>,
        enrolments: Enrolments,
        catalogue: Arc<Catalogue>,
        roles: Arc<Roles>,
    ) -> Self {
        Self { client, settings, enrolments, catalogue, roles }
    }

    /// The enrolments of these accounts: pages with all that could be read, and the error where something
    /// could not.
    pub fn observe(&self, parts: Parts) -> BoxStream<'_, Result<Page, TargetError>> {
        let pages = async move {
            match self.gather(&parts).await {
                Ok(gathered) => self.pages(parts, gathered),
                Err(error) => Box::new(std::iter::once(Err(error))) as Answers<'_>,
            }
        };
        stream::once(pages).flat_map(stream::iter).boxed()
    }

    async fn gather(&self, parts: &Parts) -> Result<Gathered, TargetError> {
        if parts.all {
            self.catalogue.renew();
            self.roles.renew().await;
        }
        let courses = self.catalogue.read().await?;
        let within: BTreeSet<&str> = parts.within.iter().map(String::as_str).collect();
        let managed: Courses = courses
            .iter()
            .filter(|(key, _)| within.contains(key.semester().as_str()))
            .map(|(key, id)| (key.clone(), *id))
            .collect();
        match &self.enrolments.report {
            Some(report) => self.by_report(report, parts, (&courses, &managed)).await,
            None => Ok(self.by_course(parts, &managed).await),
        }
    }

    async fn by_report(
        &self,
        config: &ParticipantsReport,
        parts: &Parts,
        (courses, managed): (&Courses, &Courses),
    ) -> Result<Gathered, TargetError> {
        let (names, ids) = self.names(parts).await?;
        let memberships = memberships(self.client.call(&Call::Report(config.id)).await?, config)?;
        check_distinct(&memberships.rows, managed)?;
        let own = self.client.site().await?.username.to_lowercase();
        {
            let mut book = self.roles.book().await;
            book.hold(holders(&memberships.rows, courses));
            let rows = memberships.rows.iter().filter(|row| row.manual && *row.username == *own);
            rows.filter_map(|row| managed.get(row.course.as_ref()?)).for_each(|course| book.find_own(*course));
        }
        let unread = unshown(&memberships, managed);
        let read = managed.keys().map(ToString::to_string).filter(|course| !unread.contains(course)).collect();
        let failed = (!unread.is_empty()).then(|| filtered(unread.len()));
        let mut gathered = Gathered { read, unread, failed, ..Gathered::default() };
        let mut shared = Shared::default();
        for row in memberships.rows {
            let course = row.course.as_ref().filter(|key| managed.contains_key(&***key));
            let (Some(course), Some(at)) = (course, names.get(&*row.username)) else {
                gathered.strangers += 1;
                continue;
            };
            let found = gathered.found.entry(*at).or_default();
            found.id = ids.get(at).copied();
            let element = shared.of(&format!("{course}/{}", row.role));
            match (row.manual, row.role.is_empty()) {
                // Suspended by us: nothing that is called for is there, and it is enrolled again when it returns.
                (true, true) if self.enrolments.removal == Removal::Suspend => {}
                // Left without a role by somebody: it gets a role and no second enrolment.
                (true, true) | (false, _) => found.others.push(element),
                (true, false) => found.ours.push(element),
            }
        }
        Ok(gathered)
    }

    /// The wholes by their user names, and the ids of those that were looked up. A report shows names only, and a
    /// name that was remembered may be another one by now: where few are asked for they are looked up.
    async fn names(&self, parts: &Parts) -> Result<(BTreeMap<String, usize>, BTreeMap<usize, u64>), TargetError> {
        let (mut names, mut ids, mut asked) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (at, (_, remote)) in parts.wholes.iter().enumerate() {
            match (id_of(remote), &remote.handle) {
                (Some(id), handle) if !parts.all || handle.is_none() => {
                    ids.insert(at, id);
                    asked.insert(id, at);
                }
                (_, Some(handle)) => named(&mut names, handle, at)?,
                (_, None) => return Err(unnamed("an account is known by neither id nor user name")),
            }
        }
        let values: Vec<String> = asked.keys().map(ToString::to_string).collect();
        for values in values.chunks(CHUNK.min(self.settings.max_fields - FIXED_FIELDS - 1)) {
            let users: Vec<User> = self.client.call(&Call::ByField { field: "id", values }).await?;
            // Whoever is deleted is in no course.
            for user in users.into_iter().filter(|user| !user.is_deleted()) {
                let Some(name) = &user.username else {
                    return Err(unnamed(
                        "the service account does not see user names; grant moodle/user:viewalldetails",
                    ));
                };
                if let Some(at) = asked.get(&user.id) {
                    named(&mut names, name, *at)?;
                }
            }
        }
        Ok((names, ids))
    }

    async fn by_course(&self, parts: &Parts, managed: &Courses) -> Gathered {
        let down = AtomicBool::new(false);
        let asked = managed
            .iter()
            .filter(|(key, _)| parts.scopes.as_ref().is_none_or(|scopes| scopes.contains(&key.to_string())));
        let reads = asked.map(|(key, id)| {
            let down = &down;
            async move {
                // A site that is down is not asked for the other courses too.
                if down.load(Ordering::Relaxed) {
                    return (key, None);
                }
                let people = self.client.call::<Vec<Participant>>(&Call::Enrolled(*id)).await;
                let kind = people.as_ref().err().map(|error| error.kind);
                if matches!(kind, Some(ErrorKind::Connect | ErrorKind::Unavailable | ErrorKind::RateLimited)) {
                    down.store(true, Ordering::Relaxed);
                }
                (key, Some(people))
            }
        });
        let reads: Vec<_> = reads.collect();
        let mut answers: Vec<_> =
            stream::iter(reads).buffer_unordered(self.settings.pace.concurrency()).collect().await;
        answers.sort_by(|one, other| one.0.cmp(other.0));
        let whole = |(at, (_, remote)): (usize, &(Key, Remote))| (id_of(remote), remote.handle.clone(), at);
        let wholes: Vec<_> = parts.wholes.iter().enumerate().map(whole).collect();
        let ids: BTreeMap<u64, usize> = wholes.iter().filter_map(|(id, _, at)| Some(((*id)?, *at))).collect();
        let nameless = wholes.iter().filter(|(id, ..)| id.is_none());
        let names: BTreeMap<String, usize> =
            nameless.filter_map(|(_, handle, at)| Some((handle.as_ref()?.to_lowercase(), *at))).collect();
        let mut gathered =
            Gathered { unread: managed.keys().map(ToString::to_string).collect(), ..Gathered::default() };
        let own = self.client.site().await.ok().map(|site| site.userid);
        let mut book = self.roles.book().await;
        let mut shared = Shared::default();
        for (key, people) in answers {
            let people = match people {
                Some(Ok(people)) => people,
                Some(Err(error)) => {
                    gathered.failed.get_or_insert(error);
                    continue;
                }
                None => continue,
            };
            let course = key.to_string();
            gathered.unread.remove(&course);
            book.note(&people);
            if let Some(id) = managed.get(key).filter(|_| people.iter().any(|person| Some(person.id) == own)) {
                book.find_own(*id);
            }
            for person in people {
                let Some(at) = ids.get(&person.id).or_else(|| names.get(&person.username.to_lowercase())) else {
                    gathered.strangers += person.roles.len().max(1) as u64;
                    continue;
                };
                let found = gathered.found.entry(*at).or_default();
                found.id = Some(person.id);
                let roles = person.roles.iter().map(|role| shared.of(&format!("{course}/{}", role.shortname)));
                found.others.extend(roles);
                if person.roles.is_empty() {
                    found.others.push(shared.of(&format!("{course}/")));
                }
            }
            gathered.read.insert(course);
        }
        gathered
    }

    /// What was read of single accounts, page by page; the last page says what was read at all.
    fn pages(&self, parts: Parts, gathered: Gathered) -> Answers<'_> {
        let Gathered { found, read, unread, strangers, failed } = gathered;
        let Parts { wholes, all, .. } = parts;
        let end = failed.is_none().then_some(End { total: None });
        // Of everybody else in a course nothing can be said where only some people were asked for.
        let strangers = if all { strangers } else { 0 };
        let silent = self.enrolments.report.is_none();
        let mut last = Some(Page { end, read, unread, strangers, silent, ..Page::default() });
        let mut found = found.into_iter().peekable();
        let pages = std::iter::from_fn(move || {
            let some = found.by_ref().take(PAGE).filter_map(|(at, found)| self.seen(wholes.get(at)?, found));
            let seen = some.collect();
            let page = if found.peek().is_some() { Page { silent, ..Page::default() } } else { last.take()? };
            Some(Ok(Page { seen, ..page }))
        });
        Box::new(pages.chain(failed.map(Err)))
    }

    fn seen(&self, (key, remote): &(Key, Remote), found: Found) -> Option<Seen> {
        let Found { id, ours, others } = found;
        let ours: BTreeSet<&str> = ours.iter().map(|element| &**element).collect();
        let others: BTreeSet<&str> = others.iter().map(|element| &**element).collect();
        let is_foreign =
            |element: &&&str| element.rsplit_once('/').is_none_or(|(_, role)| !self.enrolments.is_mapped(role));
        let foreign: BTreeSet<&str> = ours.iter().filter(is_foreign).copied().collect();
        let kept = others.difference(&ours).chain(&foreign).map(|element| (COURSES, (*element).to_owned())).collect();
        let all: Texts = ours.union(&others).copied().collect();
        if all.is_empty() {
            return None;
        }
        let id = id.map(|id| id.to_string());
        Some(Seen {
            remote: remote.refreshed(&Remote { id, handle: None }),
            record: Record::new(key.clone()).with(COURSES, Value::Set(all)),
            matches: Vec::new(),
            foreign: None,
            kept,
        })
    }
}

fn id_of(remote: &Remote) -> Option<u64> {
    remote.id.as_ref()?.parse().ok()
}

fn named(names: &mut BTreeMap<String, usize>, name: &str, at: usize) -> Result<(), TargetError> {
    match names.insert(name.to_lowercase(), at) {
        None => Ok(()),
        Some(_) => Err(unnamed("two accounts are known by one user name")),
    }
}

fn unnamed(message: &str) -> TargetError {
    TargetError::new(ErrorKind::Malformed, FETCH_FAILED, message)
}
