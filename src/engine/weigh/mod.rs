//! Weigh: what is called for and what was read, record by record, into changes and the rest of a plan.
//!
//! What a single record calls for is decided in `diff`; which change comes before which, in `order`.

mod follow;
mod parts;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::edit::difference;
use reconcile_state::{AttributeId, Digest, Drift, Edit, Intent, Key, Record, Remote, Schema, Standing};

pub use self::parts::{Elements, WHOLE_UNCLEAR, scopes_read, takes_nothing};
use super::bounds::{added, called_for, carry};
use super::claims::Claims;
use super::collect::Collected;
use super::contest::{Contest, contested};
use super::correlate::{Found, SHARED};
use super::diff::{Draft, Facts, Have, Step, Want, decide, is_whole, undo};
use super::error::PassError;
use super::memory::Memory;
use super::observe::Observed;
use super::outlook::{Class, Classes};
use super::planner::{Open, Order};
use super::point::Point;
use super::progress;
use super::project::{PROTECTED, Row, is_protected_key};
use super::unsure;
use crate::model::{Action, Address, Bounds, Call, Change, Conflict, Element, Finding, Link, PipelinePlan};

/// So many records are weighed between two words about it.
const TOLD: usize = 1000;

/// What goes into a change beside what was decided.
#[derive(Clone, Default)]
struct Beside {
    after: BTreeSet<Address>,
    bounds: Bounds,
    kept: BTreeSet<Element>,
    again: u64,
    listed: BTreeSet<Option<AttributeId>>,
    /// Elements of which nobody knows whether we put them there: they stay, and who may have is not us.
    unsure: BTreeSet<Element>,
    /// What a look before the write will show, where it is not what the record was compared as.
    expect: Option<Digest>,
}

/// See [`Judging::carried`].
struct Carried {
    want: Record,
    wanted: Digest,
    have: Record,
    held: Digest,
    /// What is in question of the record, as it was read.
    expect: Digest,
}

fn conflict(schema: &Schema, key: &Key, observed: &Observed, contest: Option<&Contest>) -> Conflict {
    let (code, candidates) = match (observed.correlated.found.get(key), contest) {
        (Some(Found::Ambiguous(code, candidates)), _) => (*code, candidates.clone()),
        (_, Some(contest)) => (contest.code, Vec::new()),
        (_, None) => (SHARED, Vec::new()),
    };
    let rivals = contest.map(|contest| contest.rivals.clone()).unwrap_or_default();
    Conflict { kind: schema.kind, key: key.clone(), code, candidates, rivals }
}

/// Takes out what would empty something: whoever is not in MetaVault keeps what only MetaVault knows. A record that
/// drifted stays drifted by that, so what its target rewrites is not sent again beside it: it would be sent for ever.
pub fn take_removals(schema: &Schema, drift: Drift, edits: &mut Vec<Edit>) -> Vec<Edit> {
    let takes_away = |edit: &mut Edit| matches!(edit, Edit::Clear { .. } | Edit::Remove { .. });
    let kept: Vec<Edit> = edits.extract_if(.., takes_away).collect();
    let is_rewritten =
        |edit: &Edit| edit.attribute().and_then(|id| schema.attribute(id)).is_some_and(|attribute| attribute.rewritten);
    if !kept.is_empty() && drift == Drift::Drifted && edits.iter().all(is_rewritten) {
        edits.clear();
    }
    kept
}

/// What differs beside these edits: a writer that makes one thing of several elements must not take it for done.
fn left_as_it_is(schema: &Schema, want: &Record, have: &Record, edits: &[Edit]) -> Vec<Edit> {
    difference(schema, want, have).into_iter().filter(|edit| !edits.contains(edit)).collect()
}

/// Turns what is called for and what was read into changes and the rest of a plan.
pub struct Judging<'j> {
    /// The pipeline.
    pub one: &'j Open<'j>,
    /// Its memory.
    pub memory: &'j Memory,
    /// What the pass is about.
    pub order: &'j Order,
    /// What the sources said.
    pub collected: &'j Collected,
    /// The plan so far, beside its changes.
    pub plan: PipelinePlan,
    /// The changes so far.
    pub changes: Vec<Change>,
    /// How each record was classed.
    pub classes: Classes,
    /// Who is told.
    pub progress: &'j dyn progress::Progress,
    /// Who is told of points.
    pub reached: &'j (dyn Fn(Point) + Sync),
}

impl Judging<'_> {
    /// Whoever is remembered and is no longer known is gone, where that is proved.
    pub fn gone(&self, kind: &str) -> BTreeSet<Key> {
        let claimed = self.memory.claims.get(kind).into_iter().flat_map(Claims::keys);
        // Of a creation in doubt nothing is claimed yet: who is gone since cannot be asked for, but is told.
        let begun = self.memory.open.iter().map(|open| &open.intent).filter(|intent| intent.kind == kind);
        let gone = claimed.chain(begun.map(|intent| &intent.key));
        let gone = gone.filter(|key| self.collected.proves_gone && !self.collected.known.contains(*key));
        gone.cloned().collect()
    }

    /// Weighs every record of a kind.
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn kind(
        &mut self,
        schema: &Schema,
        rows: &BTreeMap<Key, Row>,
        gone: &BTreeSet<Key>,
        observed: &Observed,
    ) -> Result<(), PassError> {
        self.plan.foreign += observed.correlated.foreign;
        let contested = contested(schema, rows, observed);
        let keys: BTreeSet<&Key> = rows.keys().chain(gone).collect();
        let total = keys.len();
        for (at, key) in keys.into_iter().enumerate() {
            self.tell(schema.kind, at, total);
            self.record(schema, key, rows.get(key), observed, contested.get(key))?;
        }
        self.tell(schema.kind, total, total);
        Ok(())
    }

    fn tell(&self, kind: &'static str, at: usize, total: usize) {
        if at.is_multiple_of(TOLD) || at == total {
            let step = progress::Step::Diff(kind);
            self.progress.tell(Some(self.one.observer.name), step, at as u64, Some(total as u64));
        }
    }

    fn class(&mut self, facts: &Facts<'_>, drift: Drift, step: &Step) {
        let standing = match facts.have {
            Have::Present(record, ..) => Some(record.standing),
            _ => None,
        };
        let class = Class { drift, standing, whole: is_whole(facts, step) };
        self.classes.insert((facts.schema.kind, facts.key.clone()), class);
    }

    fn record(
        &mut self,
        schema: &Schema,
        key: &Key,
        row: Option<&Row>,
        observed: &Observed,
        contest: Option<&Contest>,
    ) -> Result<(), PassError> {
        let now = self.order.at.as_millisecond();
        if self.in_doubt(schema.kind, key, (row, now), observed) {
            self.plan.in_doubt.push((schema.kind, key.clone()));
            return Ok(());
        }
        let carried = self.carried(schema, key, row, observed)?;
        let want = match (row, &carried) {
            (Some(Row { call: Call::Active(_), .. }), Some(carried)) => {
                Want::Record(&carried.want, carried.wanted, None)
            }
            (row, _) => self.want(row),
        };
        let have = match (observed.correlated.found.get(key), &carried) {
            _ if contest.is_some() => Have::Ambiguous,
            (Some(Found::Present(at)), Some(carried)) => {
                Have::Present(&carried.have, carried.held, &observed.seen[*at].remote)
            }
            (Some(Found::Present(at)), None) => {
                let seen = &observed.seen[*at];
                Have::Present(&seen.record, observed.digests[*at], &seen.remote)
            }
            (Some(Found::Ambiguous(..)), _) => Have::Ambiguous,
            (None, _) if row.is_some_and(|row| row.unclear) => Have::Unknown,
            (None, _) if observed.proved.contains(key) => Have::Absent,
            (None, _) => Have::Unknown,
        };
        let begun = self.memory.begun(schema.kind, key).next().is_some();
        let claim = match have {
            Have::Present(_, _, remote) if begun => self.memory.claim_on(schema.kind, key, remote),
            _ => self.memory.claim(schema.kind, key),
        };
        if let (Have::Present(_, _, remote), Some(known)) = (have, self.memory.claim(schema.kind, key))
            && !known.remote.is(remote)
        {
            self.plan.replaced.push((schema.kind, key.clone(), remote.clone()));
        }
        // A reading from which nothing follows settles nothing either: whose the record is stays known.
        if !matches!(want, Want::Untouched) && !matches!(have, Have::Ambiguous | Have::Unknown) {
            self.read_back(schema.kind, key, have);
        }
        let digester = self.memory.store.digester();
        let applied = self.memory.applied.get(schema.kind).and_then(|set| set.get(&digester.key(key)));
        let failure = Cell::new(None);
        let facts = Facts {
            schema,
            key,
            want,
            have,
            applied: applied.filter(|_| !self.one.anew && (claim.is_some() || !begun)),
            wanted_before: &|| {
                let read = self.memory.store.wanted_body(schema.kind, key);
                read.unwrap_or_else(|error| {
                    failure.set(Some(error));
                    None
                })
            },
            claim,
            source_changed: row.is_none_or(|row| row.moved),
            begun,
            now,
        };
        let (drift, step) = decide(&facts, self.one.settings);
        if let Some(error) = failure.take() {
            return Err(error.into());
        }
        *self.plan.drift.entry(drift).or_default() += 1;
        self.class(&facts, drift, &step);
        if drift == Drift::Unobserved {
            self.plan.unobserved.push(key.clone());
        }
        if drift == Drift::Conflict {
            self.plan.conflicts.push(conflict(schema, key, observed, contest));
        }
        let bounds = row.map(|row| row.bounds.clone()).unwrap_or_default();
        let expect = carried.as_ref().map(|carried| carried.expect);
        let beside = Beside { bounds, expect, ..Beside::default() };
        self.step(schema, &facts, row, (drift, step), beside);
        Ok(())
    }

    fn want<'r>(&mut self, row: Option<&'r Row>) -> Want<'r> {
        match row {
            None => Want::Gone,
            Some(Row { call: Call::Untouched(reason), .. }) => {
                *self.plan.untouched.entry(*reason).or_default() += 1;
                Want::Untouched
            }
            Some(Row { call: Call::Active(record), digest, .. }) => Want::Record(record, *digest, None),
            Some(Row { call: Call::Disabled(record, reason), digest, .. }) => {
                *self.plan.disabled.entry(*reason).or_default() += 1;
                Want::Record(record, *digest, Some(*reason))
            }
        }
    }

    /// Both sides of a record of which not everything is in question, with what was wanted of the rest.
    fn carried(
        &self,
        schema: &Schema,
        key: &Key,
        row: Option<&Row>,
        observed: &Observed,
    ) -> Result<Option<Carried>, PassError> {
        let (Some(Row { call: Call::Active(want), bounds, .. }), Some(Found::Present(at))) =
            (row, observed.correlated.found.get(key))
        else {
            return Ok(None);
        };
        if *bounds == Bounds::default() {
            return Ok(None);
        }
        let Some(known) = self.memory.store.wanted_body(schema.kind, key)? else { return Ok(None) };
        let (mut want, mut have) = (want.clone(), observed.seen[*at].record.clone());
        for record in [&mut want, &mut have] {
            carry(bounds, self.one.observer.project.as_ref(), schema, record, &known);
        }
        let digester = self.memory.store.digester();
        let (wanted, held) = (digester.record(schema, &want), digester.record(schema, &have));
        Ok(Some(Carried { want, wanted, have, held, expect: observed.digests[*at] }))
    }

    fn step(
        &mut self,
        schema: &Schema,
        facts: &Facts<'_>,
        row: Option<&Row>,
        (drift, step): (Drift, Step),
        beside: Beside,
    ) {
        let key = facts.key.clone();
        let kind = schema.kind;
        let mut beside = beside;
        match step {
            Step::Nothing => {}
            Step::Forget => self.plan.forgotten.push((kind, key)),
            Step::Report(differences) => {
                self.plan.findings.push(Finding { kind, key, drift, differences, not_before: None });
            }
            Step::Leave(left) => {
                let (differences, not_before) = (left.edits, left.until);
                self.plan.findings.push(Finding { kind, key, drift, differences, not_before });
            }
            Step::Wait(differences) => {
                let not_before =
                    facts.claim.and_then(|claim| claim.beside.unsettled).map(|unsettled| unsettled.not_before);
                self.plan.findings.push(Finding { kind, key, drift, differences, not_before });
            }
            Step::Link(differences) => self.link(facts, differences, beside),
            Step::Change(draft) if self.order.adopt => {
                // Adopting writes nothing: what is there and not yet ours is linked, what is ours already keeps
                // what is pending, and what is not there is left.
                match facts.have {
                    Have::Present(_, _, remote) if !facts.claim.is_some_and(|claim| claim.remote.is(remote)) => {
                        self.link(facts, draft.edits, beside);
                    }
                    Have::Present(..) => {
                        let differences = draft.edits;
                        self.plan.findings.push(Finding { kind, key, drift, differences, not_before: None });
                    }
                    _ => {}
                }
            }
            Step::Change(mut draft) => {
                let of_vault = self.one.observer.project.tables(kind).is_none_or(|tables| !tables.is_empty());
                let keeps = of_vault && row.is_some_and(|row| !row.in_vault);
                let kept = if keeps { take_removals(schema, drift, &mut draft.edits) } else { Vec::new() };
                let unsure = unsure::take(&mut draft.edits, &beside.unsure, facts);
                let left = std::mem::take(&mut draft.left);
                if drift == Drift::FirstMeeting && left.until.is_none() {
                    beside.listed = left.edits.iter().map(Edit::attribute).collect();
                }
                for (differences, not_before) in [(kept, None), (unsure, None), (left.edits, left.until)] {
                    if !differences.is_empty() {
                        self.plan.findings.push(Finding { kind, key: key.clone(), drift, differences, not_before });
                    }
                }
                if !draft.edits.is_empty() || draft.action == Action::Create {
                    self.changes(schema, facts, row, (drift, draft), &beside);
                }
            }
        }
    }

    fn link(&mut self, facts: &Facts<'_>, differences: Vec<Edit>, beside: Beside) {
        let (Have::Present(_, seen, remote), Want::Record(wanted, digest, _)) = (facts.have, facts.want) else {
            return;
        };
        let mut kept = called_for(wanted, beside.kept);
        kept.extend(beside.unsure);
        // What is only listed as missing is another's where it turns up.
        kept.extend(differences.iter().filter_map(added).filter(|_| facts.schema.part_of.is_some()));
        self.plan.links.push(Link {
            kind: facts.schema.kind,
            key: facts.key.clone(),
            remote: remote.clone(),
            differences,
            new: facts.claim.is_none_or(|claim| !claim.remote.is(remote)),
            begun: facts.begun,
            applied: reconcile_state::Applied { wanted: digest, seen },
            wanted: wanted.clone(),
            kept,
            after: beside.after.into_iter().next().filter(|_| *remote == Remote::default()),
        });
    }

    /// One change, or one for each group of edits that wait for different records.
    fn changes(
        &mut self,
        schema: &Schema,
        facts: &Facts<'_>,
        row: Option<&Row>,
        (drift, draft): (Drift, Draft),
        beside: &Beside,
    ) {
        let outlooks = row.map_or(&[][..], |row| &row.outlooks);
        let mut groups = follow::split(self.one.observer.project.as_ref(), schema, outlooks, draft.edits.clone());
        while let Some((after, edits)) = groups.pop_first() {
            let later: Vec<Edit> = groups.values().flatten().cloned().collect();
            let mut beside = beside.clone();
            beside.after.extend(after);
            self.change(schema, facts, row, (drift, Draft { edits, ..draft.clone() }), (beside, &later));
        }
    }

    fn change(
        &mut self,
        schema: &Schema,
        facts: &Facts<'_>,
        row: Option<&Row>,
        (drift, draft): (Drift, Draft),
        (beside, later): (Beside, &[Edit]),
    ) {
        let (mut desired, mut wanted, reason) = match facts.want {
            Want::Record(record, digest, reason) => (record.clone(), digest, reason),
            Want::Gone | Want::Untouched => {
                let closed = Record::new(facts.key.clone()).standing(Standing::Disabled);
                let digest = self.memory.store.digester().record(schema, &closed);
                (closed, digest, Some(GONE))
            }
        };
        let (expect, remote) = match facts.have {
            Have::Present(_, digest, remote) => {
                let known = facts.claim.map(|claim| claim.remote.refreshed(remote));
                (Some(beside.expect.unwrap_or(digest)), Some(known.unwrap_or_else(|| remote.clone())))
            }
            _ => (None, None),
        };
        if !later.is_empty() {
            undo(&mut desired, later);
            wanted = self.memory.store.digester().record(schema, &desired);
        }
        let edits = draft.edits;
        let taken_from = self.taken_from(schema, &edits);
        let left = match facts.have {
            Have::Present(have, ..) if schema.part_of.is_some() => left_as_it_is(schema, &desired, have, &edits),
            _ => Vec::new(),
        };
        self.changes.push(Change {
            id: Digest([0; 16]),
            pipeline: schema.pipeline,
            kind: schema.kind,
            key: facts.key.clone(),
            action: draft.action,
            edits,
            cause: draft.cause,
            reason,
            drift,
            wanted,
            expect,
            remote,
            protected: match row {
                Some(row) => row.protected,
                None => is_protected_key(facts.key, &self.one.settings.guard.protected).then_some(PROTECTED),
            },
            requires: Vec::new(),
            seen_as: match facts.have {
                Have::Present(_, _, remote) => Some(remote.clone()),
                _ => None,
            },
            remembered: facts.claim.map(|claim| claim.remote.clone()),
            matches: row.map(|row| row.matches.clone()).unwrap_or_default(),
            desired,
            after: beside.after,
            bounds: beside.bounds,
            taken_from,
            again: beside.again,
            listed: beside.listed,
            kept: beside.kept,
            left,
        });
    }

    fn taken_from(&self, schema: &Schema, edits: &[Edit]) -> BTreeMap<String, u64> {
        let mut scopes = BTreeMap::new();
        for edit in edits.iter().filter(|_| schema.part_of.is_some()) {
            let Edit::Remove { attribute, element } = edit else { continue };
            if let Some(scope) = self.one.observer.project.scope_of(schema.kind, *attribute, element) {
                *scopes.entry(scope.to_owned()).or_default() += 1;
            }
        }
        scopes
    }

    fn read_back(&mut self, kind: &str, key: &Key, have: Have<'_>) {
        let made = match have {
            // Made once more, where what we made before is gone.
            Have::Present(_, _, remote) if self.memory.claim_on(kind, key, remote).is_none() => {
                self.memory.begun(kind, key).next().map(|_| remote.clone())
            }
            _ => None,
        };
        self.plan.read_back.extend(self.memory.open_of(kind, key).map(|open| (open.number, made.clone())));
    }

    /// Whether an earlier write to the record may still land, or has not been read back yet.
    fn in_doubt(&self, kind: &str, key: &Key, (row, now): (Option<&Row>, i64), observed: &Observed) -> bool {
        // Asked for single records, the target was not asked by values that the person bears no more.
        let is_asked = |intent: &Intent| {
            let matches = row.into_iter().flat_map(|row| &row.matches);
            let asked: BTreeSet<Digest> = matches.map(|m| self.memory.recognised(m.field, &m.value)).collect();
            observed.listing || intent.matches.iter().all(|digest| asked.contains(digest))
        };
        self.memory.open_of(kind, key).any(|open| {
            let absent = observed.proved.contains(key) && is_asked(&open.intent);
            let answered = observed.correlated.found.contains_key(key) || absent;
            open.may_land(now) || !answered
        })
    }
}

/// Closed because the person is gone from the sources.
pub const GONE: crate::model::Reason = crate::model::Reason("gone");
