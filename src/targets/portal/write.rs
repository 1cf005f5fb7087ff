//! Writes what it is told: one modification for a person, single values added and deleted, never a replacement and
//! never one that changes nothing.
//!
//! A modification is atomic. Where the server says that one value is there already (rc 20) or gone already
//! (rc 16), the values are sent one by one, and each such answer counts as landed: nothing is left to do there.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use reconcile_state::{AttributeId, Edit, Remote, Value};
use tokio::sync::Mutex;

use super::config::Settings;
use super::place::UPDATE_FAILED;
use super::schema::{BIRTHRIGHT, Marked, REQUESTED};
use super::value::{self, texts};
use crate::model::stop::stopped;
use crate::model::{Batch, Change, Effect, ErrorKind, Outcome, Ready, Retry, Stop, TargetError};
use crate::targets::port::{Echo, Writer};
use crate::wire::Pace;
use crate::wire::ldap::{Connection, LdapError, LdapErrorKind, Modified, Part, RawEntry};

const MODIFY: &str = "modify";
const THERE_ALREADY: u32 = 20;
const GONE_ALREADY: u32 = 16;
const NO_SUCH_ENTRY: u32 = 32;

/// The writing half.
pub struct MarkWriter {
    settings: Arc<Settings>,
    marked: Vec<Marked>,
    pace: Pace,
    line: Mutex<Line>,
    echoes: std::sync::Mutex<Vec<Echo>>,
}

/// The one connection that all writes share.
enum Line {
    None,
    Open(Arc<Connection>),
    /// A refused bind is not repeated: it would lock the account.
    Refused(TargetError),
}

/// A part and the edit it belongs to, by its place in the change.
type Piece = (usize, Part);

impl MarkWriter {
    /// A writer of these pipelines' marks. Connects at the first write.
    pub fn new(settings: Arc<Settings>, marked: &[Marked]) -> Self {
        Self {
            pace: Pace::new(settings.pace),
            settings,
            marked: marked.to_vec(),
            line: Mutex::new(Line::None),
            echoes: std::sync::Mutex::default(),
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, TargetError> {
        let mut line = self.line.lock().await;
        match &*line {
            Line::Open(connection) if !connection.is_closed() => return Ok(Arc::clone(connection)),
            Line::Refused(error) => return Err(error.clone()),
            Line::Open(_) | Line::None => {}
        }
        match self.settings.connect().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *line = Line::Open(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                let refused = error.kind == ErrorKind::Auth && error.retry == Retry::Never;
                *line = if refused { Line::Refused(error.clone()) } else { Line::None };
                Err(error)
            }
        }
    }

    /// Leaves a connection that broke; others may still be waiting on it.
    async fn leave(&self, broken: &Arc<Connection>) {
        let mut line = self.line.lock().await;
        if matches!(&*line, Line::Open(open) if Arc::ptr_eq(open, broken)) {
            *line = Line::None;
        }
    }

    async fn change(&self, ready: &Ready) -> Outcome {
        let change = &ready.change;
        let (entry, pieces) = match self.pieces(ready).await {
            Ok(found) => found,
            Err(error) => return Outcome::failed(change, error),
        };
        let done = Outcome::landed(change, Some(Remote { id: Some(change.key.as_str().to_owned()), handle: None }));
        if pieces.is_empty() {
            return done;
        }
        let parts: Vec<Part> = pieces.iter().map(|(_, part)| part.clone()).collect();
        let mut dn = entry.map_or_else(|| self.settings.dn(&change.key), |entry| entry.dn);
        let mut answer = self.send(change, &dn, &parts).await;
        if answer.as_ref().is_ok_and(|modified| modified.rc == NO_SUCH_ENTRY) {
            // The branch need not be flat.
            answer = match self.entry(change).await {
                Ok(entry) => {
                    dn = entry.dn;
                    self.send(change, &dn, &parts).await
                }
                Err(error) => Err(error),
            };
        }
        match answer {
            Ok(Modified { rc: 0, .. }) => done,
            Ok(Modified { rc: THERE_ALREADY | GONE_ALREADY, .. }) => self.one_by_one(change, &dn, pieces, done).await,
            Ok(Modified { rc, .. }) => Outcome::failed(change, self.refusal(rc)),
            Err(error) => Outcome::failed(change, error),
        }
    }

    async fn one_by_one(&self, change: &Change, dn: &str, pieces: Vec<Piece>, done: Outcome) -> Outcome {
        let mut last = BTreeMap::new();
        for (at, (edit, _)) in pieces.iter().enumerate() {
            last.insert(*edit, at);
        }
        let mut written = false;
        for (at, (_, part)) in pieces.iter().enumerate() {
            let error = match (self.send(change, dn, std::slice::from_ref(part)).await, part) {
                (Ok(Modified { rc: 0, .. }), _) => {
                    written = true;
                    continue;
                }
                (Ok(Modified { rc: THERE_ALREADY, .. }), Part::Add { .. })
                | (Ok(Modified { rc: GONE_ALREADY, .. }), Part::Delete { .. }) => continue,
                (Ok(Modified { rc, .. }), _) => self.refusal(rc),
                (Err(error), _) => error,
            };
            // An edit has landed when its last part has; the one that failed and what follows it have not.
            let (landed, open): (Vec<_>, Vec<_>) =
                change.edits.iter().enumerate().partition(|(edit, _)| last.get(edit).is_none_or(|end| *end < at));
            let landed: Vec<Edit> = landed.into_iter().map(|(_, edit)| edit.clone()).collect();
            let unknown = error.effect == Effect::Unknown;
            let error = if written && !unknown { error.effect(Effect::Partial) } else { error };
            let open = open.into_iter().filter(|_| !unknown);
            let failed = open.map(|(_, edit)| (edit.clone(), error.clone())).collect();
            return Outcome { landed, failed, error: Some(error), ..done };
        }
        done
    }

    /// Sends one modification, unless the directory is known to be away.
    async fn send(&self, change: &Change, dn: &str, parts: &[Part]) -> Result<Modified, TargetError> {
        let mut passage = self.settings.breaker.admit()?;
        let answer = self.send_now(change, dn, parts).await;
        match &answer {
            Ok(Modified { rc: 0, .. }) => passage.settle(None),
            Ok(Modified { rc, .. }) => passage.settle(Some(&self.refusal(*rc))),
            Err(error) => passage.settle(Some(error)),
        }
        answer
    }

    /// What certainly did not leave this machine is sent once more.
    async fn send_now(&self, change: &Change, dn: &str, parts: &[Part]) -> Result<Modified, TargetError> {
        let mut again = true;
        loop {
            let connection = self.connection().await?;
            let permit = self.pace.admit().await;
            let answer = connection.modify(dn, parts).await;
            drop(permit);
            match answer {
                Ok(modified) => {
                    if modified.rc == 0 {
                        self.remember(change, &modified);
                    }
                    return Ok(modified);
                }
                Err(unanswered) => {
                    self.leave(&connection).await;
                    if unanswered.sent || !again {
                        let effect = if unanswered.sent { Effect::Unknown } else { Effect::None };
                        return Err(self.settings.failed(&unanswered.error, UPDATE_FAILED).effect(effect));
                    }
                    again = false;
                }
            }
        }
    }

    fn remember(&self, change: &Change, modified: &Modified) {
        let Modified { before, after, .. } = modified.clone();
        self.echoes.lock().unwrap_or_else(PoisonError::into_inner).push(Echo {
            key: change.key.clone(),
            before,
            after,
        });
    }

    fn refusal(&self, rc: u32) -> TargetError {
        self.settings.failed(&LdapError::of_modify(rc), UPDATE_FAILED)
    }

    /// The person's entry, wherever it is.
    async fn entry(&self, change: &Change) -> Result<RawEntry, TargetError> {
        self.settings.breaker.guard(self.entry_now(change)).await
    }

    /// Asked again once where the connection turns out to have ended.
    async fn entry_now(&self, change: &Change) -> Result<RawEntry, TargetError> {
        let mut again = true;
        loop {
            let connection = self.connection().await?;
            let permit = self.pace.admit().await;
            let found = self.settings.entry(&connection, &change.key).await;
            drop(permit);
            match found {
                Ok(Some(entry)) => return Ok(entry),
                Ok(None) => {
                    let message = "the person's entry is no longer in the directory, or not to be seen any more";
                    return Err(TargetError::new(ErrorKind::NotFound, UPDATE_FAILED, message));
                }
                Err(error) => {
                    if error.kind != LdapErrorKind::Refused {
                        self.leave(&connection).await;
                    }
                    if !(again && error.kind == LdapErrorKind::Closed) {
                        return Err(self.settings.failed(&error, UPDATE_FAILED));
                    }
                    again = false;
                }
            }
        }
    }

    /// What is to be sent. Where an id is to be replaced or taken away the entry is read first: only it shows how
    /// the old ones are spelled, and how many there are.
    async fn pieces(&self, ready: &Ready) -> Result<(Option<RawEntry>, Vec<Piece>), TargetError> {
        let change = &ready.change;
        let replaces = |edit: &Edit| matches!(edit, Edit::Set { from: Some(_), .. } | Edit::Clear { .. });
        let entry = if change.edits.iter().any(replaces) { Some(self.entry(change).await?) } else { None };
        let mut pieces = Vec::new();
        for (at, edit) in change.edits.iter().enumerate() {
            let parts = match edit {
                Edit::Add { attribute, element } => {
                    vec![Part::Add { attribute: self.set(*attribute)?, value: element.clone() }]
                }
                Edit::Remove { attribute, element } => {
                    vec![Part::Delete { attribute: self.set(*attribute)?, value: element.clone() }]
                }
                Edit::Set { attribute, to, .. } => {
                    let id = match to {
                        Value::Reference(_) => ready.references.get(attribute).ok_or_else(unnamed)?,
                        Value::Text(id) => id,
                        _ => return Err(odd()),
                    };
                    self.target_ids(*attribute, entry.as_ref(), Some(id))?
                }
                Edit::Clear { attribute, .. } => self.target_ids(*attribute, entry.as_ref(), None)?,
                Edit::Standing { .. } => return Err(odd()),
            };
            pieces.extend(parts.into_iter().map(|part| (at, part)));
        }
        Ok((entry, pieces))
    }

    fn set(&self, attribute: AttributeId) -> Result<String, TargetError> {
        match attribute {
            BIRTHRIGHT => Ok(self.settings.names.birthright.clone()),
            REQUESTED => Ok(self.settings.names.requested.clone()),
            _ => Err(odd()),
        }
    }

    /// Every other id of the system goes, in the server's own spelling, and the wanted one comes unless it is
    /// there; ids of other systems are not looked at.
    fn target_ids(
        &self,
        attribute: AttributeId,
        entry: Option<&RawEntry>,
        wanted: Option<&str>,
    ) -> Result<Vec<Part>, TargetError> {
        let Some(of) = self.marked.iter().find(|(_, mark)| mark.number == attribute.0) else { return Err(odd()) };
        let name = &self.settings.names.target_ids;
        let held = entry.iter().flat_map(|entry| texts(entry, name));
        let held = held.filter_map(|text| {
            let ours = value::marked(std::slice::from_ref(of), text).is_some();
            value::id(text).filter(|_| ours).map(|id| (text, id))
        });
        let mut there = false;
        let mut parts = Vec::new();
        for (text, id) in held {
            if Some(id) == wanted {
                there = true;
            } else {
                parts.push(Part::Delete { attribute: name.clone(), value: text.to_owned() });
            }
        }
        if let Some(id) = wanted.filter(|_| !there) {
            parts.push(Part::Add { attribute: name.clone(), value: value::target_id(of.1.entitlement, id) });
        }
        Ok(parts)
    }
}

/// Entries that are written one after the other and then read back together.
const TOGETHER: usize = 50;

impl Writer for MarkWriter {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        ready.chunks(TOGETHER).map(|some| Batch { request: MODIFY, changes: some.to_vec() }).collect()
    }

    async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        self.write_until(batch, &Stop::default()).await
    }

    async fn write_until(&self, batch: &Batch, stop: &Stop) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.changes.len());
        for ready in &batch.changes {
            let asked = stop.is_requested();
            outcomes.push(if asked { Outcome::failed(&ready.change, stopped()) } else { self.change(ready).await });
        }
        outcomes
    }

    fn echoes(&self) -> Vec<Echo> {
        std::mem::take(&mut *self.echoes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An edit that marks do not have.
fn odd() -> TargetError {
    let message = "marks have no such edit: values are added and taken away, and entries neither made nor closed";
    TargetError::new(ErrorKind::Rejected, UPDATE_FAILED, message)
}

/// A reference to a record of which no id is known.
fn unnamed() -> TargetError {
    let message = "the record's id at its target is not known yet";
    TargetError::new(ErrorKind::Conflict, UPDATE_FAILED, message).later(None)
}
