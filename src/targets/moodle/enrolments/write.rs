//! Writes what somebody is enrolled in: a batch is a few requests, in the order of [`Stage`].
//!
//! A request is all or nothing at the site, and one course without manual enrolment, or one role that may not be
//! assigned, refuses it. Such a pair is looked for once and left out from then on. A refusal because of a person
//! is the engine's to divide, as long as nothing of the batch has landed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::accounts::ids;
use super::super::answer::{ENROL_FAILED, FETCH_FAILED, UPDATE_FAILED};
use super::super::client::{Client, Failure};
use super::super::config::Settings;
use super::super::wire::{Call, FIXED_FIELDS, PLACE_FIELDS, Participant, Place, function};
use super::batches::batches;
use super::config::{Enrolments, Removal};
use super::courses::{Catalogue, Courses};
use super::ledger::{Ledger, Piece};
use super::members::Members;
use super::refusals::Refusals;
use super::roles::{Book, Known, Roles, unread, wrong};
use super::steps::{Stage, steps};
use super::trial::{Trial, Tried};
use super::verdict::{NO_RIGHT, Verdict, divide, verdict};
use crate::model::stop::stopped;
use crate::model::{Batch, Change, Effect, ErrorKind, Outcome, Ready, Stop, TargetError};
use crate::policy::CourseKey;

/// The writing half of enrolments.
pub struct EnrolmentWriter {
    client: Arc<Client>,
    settings: Arc<Settings>,
    enrolments: Enrolments,
    catalogue: Arc<Catalogue>,
    roles: Arc<Roles>,
    trial: Trial,
    /// What the site refused of a course whoever the person was, since all courses were last read.
    refused: Mutex<Refusals>,
    members: Members,
}

impl EnrolmentWriter {
    /// A writer over this client.
    pub fn new(
        client: Arc<Client>,
        settings: Arc<Settings>,
        enrolments: Enrolments,
        catalogue: Arc<Catalogue>,
        roles: Arc<Roles>,
    ) -> Self {
        let members = Members::new(Arc::clone(&client), Arc::clone(&roles), settings.pace.concurrency());
        let trial = Trial::new(Arc::clone(&client), Arc::clone(&settings));
        Self { client, settings, enrolments, catalogue, roles, trial, refused: Mutex::default(), members }
    }

    /// What may share a batch.
    pub fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        batches(ready, self.enrolments.batch_size)
    }

    /// Sends one batch: it is several requests, and none of them starts once somebody asks to stop.
    pub async fn write(&self, batch: &Batch, stop: &Stop) -> Vec<Outcome> {
        let changes: Vec<&Change> = batch.changes.iter().map(|ready| &ready.change).collect();
        let courses = match self.catalogue.known().await {
            Ok(courses) => courses,
            Err(mut error) => {
                ENROL_FAILED.clone_into(&mut error.code);
                return changes.into_iter().map(|change| Outcome::failed(change, error.clone())).collect();
            }
        };
        let users = ids(&self.client, &self.settings, &batch.changes).await;
        let mut ledger = Ledger::new(changes.len());
        let mut stages: BTreeMap<Stage, Vec<Piece>> = BTreeMap::new();
        for (at, (change, user)) in changes.iter().zip(&users).enumerate() {
            match user {
                Ok(user) => self.compose((at, change), *user, &courses, &mut ledger, &mut stages),
                Err(error) => ledger.refuse(at, under(error, ENROL_FAILED)),
            }
        }
        let enrol = stages.remove(&Stage::Enrol).unwrap_or_default();
        stages.insert(Stage::Enrol, self.leave_enrolled(enrol, &changes, &mut ledger).await);
        for stage in Stage::ALL {
            let pieces = stages.remove(&stage).unwrap_or_default();
            if stop.is_requested() {
                ledger.end(&pieces, &stopped(), true);
                continue;
            }
            let pieces = self.right_roles(stage, pieces, &mut ledger).await;
            if let Err(error) = self.send_stage(stage, pieces, (changes.len(), stop), &mut ledger).await {
                return changes.into_iter().map(|change| Outcome::failed(change, error.clone())).collect();
            }
        }
        let users: Vec<Option<u64>> = users.into_iter().map(Result::ok).collect();
        ledger.outcomes(&changes, &users)
    }

    fn compose(
        &self,
        (at, change): (usize, &Change),
        user: u64,
        courses: &Courses,
        ledger: &mut Ledger,
        stages: &mut BTreeMap<Stage, Vec<Piece>>,
    ) {
        let steps = match steps(change, self.enrolments.removal) {
            Ok(steps) => steps,
            Err(error) => return ledger.refuse(at, error),
        };
        for step in steps {
            ledger.expect(at, &step);
            let role = if step.role.is_empty() { Some(0) } else { self.enrolments.role_ids.get(&step.role).copied() };
            let course = CourseKey::parse(&step.course).and_then(|key| courses.get(&key).copied());
            match (course, role) {
                (Some(course), Some(role)) => {
                    stages.entry(step.stage).or_default().push(Piece { change: at, user, course, role, step });
                }
                (None, _) => {
                    let message = format!("{}: there is no such course at the site, or more than one", step.course);
                    let error = TargetError::new(ErrorKind::NotFound, step.stage.code(), message).later(None);
                    ledger.fail(at, &step, &error);
                }
                (_, None) => {
                    let message = format!("role `{}` has no id; add it to enrolments.role_ids", step.role);
                    ledger.fail(at, &step, &TargetError::new(ErrorKind::Rejected, step.stage.code(), message));
                }
            }
        }
    }

    /// Leaves the pieces whose roles have the ids that the site gives them, and fails the others. What was read shows
    /// most ids, and a look at a course in which a role is held the rest; a role that nobody holds yet is tried.
    async fn right_roles(&self, stage: Stage, mut pieces: Vec<Piece>, ledger: &mut Ledger) -> Vec<Piece> {
        let wanted: BTreeSet<String> = pieces.iter().map(|piece| piece.step.role.clone()).collect();
        let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).filter(|role| !role.is_empty()).collect();
        // Without the right to look the settings are believed; `reconcile check` says so.
        if wanted.is_empty() || self.client.site().await.is_ok_and(|site| !site.lists(function::ENROLLED)) {
            return pieces;
        }
        let mut book = self.roles.book().await;
        self.trial.step_out(&mut book).await;
        let looked = self.roles.look(&self.client, &wanted, &mut book).await;
        let mut refused: BTreeMap<&str, TargetError> = BTreeMap::new();
        for role in wanted {
            let is_unseen = self.roles.known(role, &book) == Known::Unseen && !book.hides(role);
            match &looked {
                Err(error) if is_unseen => drop(refused.insert(role, unread(error))),
                Ok(()) if is_unseen && matches!(stage, Stage::Assign | Stage::Enrol) => {
                    let own;
                    (own, pieces) = pieces.into_iter().partition(|piece| piece.step.role == role);
                    let left = match self.try_role(role, own, ledger, &mut book).await {
                        Ok(left) => left,
                        Err((error, left)) => {
                            refused.insert(role, error);
                            left
                        }
                    };
                    pieces.extend(left);
                }
                _ => {}
            }
            if let Known::Wrong(words) = self.roles.known(role, &book) {
                refused.insert(role, wrong(role, &words));
            }
        }
        pieces.retain(|piece| match refused.get(piece.step.role.as_str()) {
            None => true,
            Some(error) => {
                ledger.fail(piece.change, &piece.step, &under(error, stage.code()));
                false
            }
        });
        pieces
    }

    /// Has a role tried of which the site shows nobody, in one of the courses in which it is to be given. Gives what is
    /// left to be sent: the courses that refuse it are done with.
    ///
    /// # Errors
    /// Nothing can be said of the id.
    async fn try_role(
        &self,
        role: &str,
        pieces: Vec<Piece>,
        ledger: &mut Ledger,
        book: &mut Book,
    ) -> Result<Vec<Piece>, (TargetError, Vec<Piece>)> {
        let mut pieces = self.leave_out(ledger.admit(pieces), ledger);
        while let Some(Piece { course, role: id, step, .. }) = pieces.first().cloned() {
            let stage = step.stage;
            match self.trial.give((course, id), book).await {
                Ok(Tried::Shown) => {
                    if self.roles.known(role, book) == Known::Unseen {
                        book.hide(role);
                    }
                    break;
                }
                Ok(Tried::Refused(Failure { error, said })) => {
                    let is_denied = said.as_deref() == Some(NO_RIGHT) && self.refusals().is_denied(stage);
                    let is_the_course_s =
                        error.effect == Effect::Partial || verdict(&error, said.as_deref()) == Verdict::Pair;
                    if is_denied || !is_the_course_s {
                        return Err((unread(&error), pieces));
                    }
                    let refused;
                    (refused, pieces) = pieces.into_iter().partition(|piece| piece.course == course);
                    // Of these nothing was sent.
                    self.refuse(&refused, &error.effect(Effect::None), said.as_deref(), Verdict::Pair, ledger);
                }
                Err(error) => return Err((error, pieces)),
            }
        }
        Ok(pieces)
    }

    /// Sends the pieces of one stage.
    ///
    /// # Errors
    /// The batch was refused as a whole, and nothing of it has landed.
    async fn send_stage(
        &self,
        stage: Stage,
        mut pieces: Vec<Piece>,
        (changes, stop): (usize, &Stop),
        ledger: &mut Ledger,
    ) -> Result<(), TargetError> {
        // By person: requests over the same people in another order would block each other.
        pieces.sort_by(|one, other| (one.user, &one.step).cmp(&(other.user, &other.step)));
        let most = ((self.settings.max_fields - FIXED_FIELDS) / PLACE_FIELDS).max(1);
        let mut work: VecDeque<Vec<Piece>> = pieces.chunks(most).map(<[Piece]>::to_vec).collect();
        while let Some(pieces) = work.pop_front() {
            let pieces = self.leave_out(ledger.admit(pieces), ledger);
            if pieces.is_empty() {
                continue;
            }
            if stop.is_requested() {
                ledger.end(&pieces, &stopped(), true);
                continue;
            }
            let Err(failure) = self.send(stage, &pieces).await else {
                ledger.land(&pieces);
                self.refusals().land(stage, &pieces);
                continue;
            };
            let Failure { error, said } = failure;
            let verdict = match verdict(&error, said.as_deref()) {
                Verdict::Pair if said.as_deref() == Some(NO_RIGHT) && self.refusals().is_denied(stage) => {
                    Verdict::Outage
                }
                verdict => verdict,
            };
            match verdict {
                Verdict::Lost | Verdict::Outage => ledger.end(&pieces, &error, true),
                Verdict::Met | Verdict::Person if changes > 1 && ledger.is_untouched() => return Err(error),
                Verdict::Met => ledger.end(&pieces, &error, false),
                Verdict::Partial if !self.is_undone(stage, &pieces).await => ledger.end(&pieces, &error, false),
                Verdict::Partial | Verdict::Pair | Verdict::Person => match divide(&pieces, verdict) {
                    Some((one, other)) => {
                        work.push_front(other);
                        work.push_front(one);
                    }
                    None => self.refuse(&pieces, &error, said.as_deref(), verdict, ledger),
                },
            }
        }
        Ok(())
    }

    /// Whether nothing was done of a request that was refused for what nobody knows, or may be asked again anyway. It
    /// was one transaction, so that one of its pieces tells; only an enrolment must not be sent again where it is there.
    async fn is_undone(&self, stage: Stage, pieces: &[Piece]) -> bool {
        match (stage, pieces.first()) {
            (Stage::Assign | Stage::Unassign | Stage::Unenrol, _) => true,
            (Stage::Enrol, Some(piece))
                if self.client.site().await.is_ok_and(|site| site.lists(function::ENROLLED)) =>
            {
                let people: Result<Vec<Participant>, TargetError> =
                    self.client.call(&Call::Enrolled(piece.course)).await;
                people.is_ok_and(|people| people.iter().all(|person| person.id != piece.user))
            }
            _ => false,
        }
    }

    /// Leaves out who is enrolled although the report does not show it, as one with a condition may: to enrol again
    /// would send mail and end a suspension. So each course is looked at once before anybody is enrolled in it. Whoever
    /// was suspended instead of unenrolled is there and meant to come back: then only what vanished is looked for.
    async fn leave_enrolled(&self, pieces: Vec<Piece>, changes: &[&Change], ledger: &mut Ledger) -> Vec<Piece> {
        let is_new = |piece: &Piece| {
            let vanished = || changes.get(piece.change).is_some_and(|change| change.again > 0);
            self.enrolments.removal != Removal::Suspend || vanished()
        };
        let doubted: BTreeSet<u64> = pieces.iter().filter(|piece| is_new(piece)).map(|piece| piece.course).collect();
        if self.enrolments.report.is_none() || doubted.is_empty() {
            return pieces;
        }
        // Without the right to look the report alone is believed; `reconcile check` says so.
        if self.client.site().await.is_ok_and(|site| !site.lists(function::ENROLLED)) {
            return pieces;
        }
        let members = self.members.of(doubted, self.catalogue.lists()).await;
        let mut left = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match members.get(&piece.course).filter(|_| is_new(&piece)) {
                Some(Ok(people)) if people.contains(&piece.user) => {
                    let message = format!(
                        "{}: the account is enrolled there, and the participants report did not show it; take every \
                         condition out of the report",
                        piece.step.course
                    );
                    let error = TargetError::new(ErrorKind::Conflict, ENROL_FAILED, message);
                    ledger.fail(piece.change, &piece.step, &error);
                }
                Some(Err(error)) => {
                    let mut error = error.clone().effect(Effect::None);
                    ENROL_FAILED.clone_into(&mut error.code);
                    ledger.fail(piece.change, &piece.step, &error);
                }
                _ => left.push(piece),
            }
        }
        left
    }

    async fn send(&self, stage: Stage, pieces: &[Piece]) -> Result<(), Failure> {
        let places = pieces.iter().map(|piece| Place { user: piece.user, course: piece.course, role: piece.role });
        let places: Vec<Place> = places.collect();
        let call = match stage {
            Stage::Assign => Call::Assign(places),
            Stage::Enrol => Call::Enrol(places),
            Stage::Suspend => Call::Suspend(places),
            Stage::Unassign => Call::Unassign(places),
            Stage::Unenrol => Call::Unenrol(places),
        };
        self.client.ask(&call).await
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pieces that the site has not refused whoever the person was; the others fail at once.
    fn leave_out(&self, pieces: Vec<Piece>, ledger: &mut Ledger) -> Vec<Piece> {
        let mut refused = self.refusals();
        let since = self.catalogue.readings();
        if refused.since != since {
            // Somebody may have put it right.
            *refused = Refusals::since(since);
        }
        let (out, pieces): (Vec<Piece>, Vec<Piece>) =
            pieces.into_iter().partition(|piece| refused.pairs.contains_key(&piece.pair()));
        for piece in out {
            if let Some(error) = refused.pairs.get(&piece.pair()) {
                ledger.fail(piece.change, &piece.step, error);
            }
        }
        pieces
    }

    /// Fails what cannot be divided any further.
    fn refuse(&self, pieces: &[Piece], error: &TargetError, said: Option<&str>, verdict: Verdict, ledger: &mut Ledger) {
        let Some(first) = pieces.first() else { return };
        let mut error = error.clone();
        if verdict != Verdict::Person {
            let fix = match said {
                Some("wsnoinstance") => "add or enable manual enrolments in the course",
                Some("wsusercannotassign") => {
                    "allow the service account's role to assign this one, and compare enrolments.role_ids"
                }
                Some(NO_RIGHT) => "look what the service account may do in the course",
                _ => "look whether the course is still there, and compare enrolments.role_ids",
            };
            let role = if first.step.role.is_empty() { "all roles" } else { &first.step.role };
            error.message = format!("{}, {role}: {}; {fix}", first.step.course, error.message);
            if verdict == Verdict::Partial && first.step.stage == Stage::Enrol {
                // It was looked at.
                error.effect = Effect::None;
            }
            self.refusals().refuse(first, &error, said, verdict);
        }
        for piece in pieces {
            ledger.fail(piece.change, &piece.step, &error);
        }
    }
}

/// The error of a look-up under the code of the step that it was for.
fn under(error: &TargetError, code: &str) -> TargetError {
    let mut error = error.clone();
    if error.code == UPDATE_FAILED || error.code == FETCH_FAILED {
        code.clone_into(&mut error.code);
    }
    error
}
