//! Parts are weighed behind their wholes: what a whole comes to in this plan decides whether its part can change.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::edit::difference;
use reconcile_state::store::{Absence, Scope, Side, SnapshotWriter};
use reconcile_state::{Applied, Digest, Drift, Edit, Key, Origin, Record, Remote, Schema, Standing, Value};

use super::{Beside, Judging};
use crate::engine::bounds::{cut, leave_kept};
use crate::engine::correlate::Found;
use crate::engine::diff::{Facts, Have, Step, Want, decide};
use crate::engine::error::PassError;
use crate::engine::observe::{Observed, read_at};
use crate::engine::parts::{ObservedParts, Part};
use crate::engine::point::Point;
use crate::engine::project::Row;
use crate::engine::unsure;
use crate::model::{Action, Address, Bounds, Call, Element, PartTally, Reason};

/// Left alone: what the record is a part of is closed, and is not opened by this plan.
const WHOLE_CLOSED: Reason = Reason("whole-closed");
/// Left alone: what the record is a part of is not there, and is not made by this plan.
const WHOLE_MISSING: Reason = Reason("whole-missing");
/// Left alone: nobody can say which record it is a part of.
pub const WHOLE_UNCLEAR: Reason = Reason("whole-unclear");

/// Elements of a kind's sets, by scope: the larger of what was read and what is called for.
pub type Elements = BTreeMap<String, u64>;

/// Under which name it is remembered which scopes of a kind there were at the last whole reading.
pub fn scopes_read(kind: &str) -> String {
    format!("scopes {kind}")
}

/// What a part hangs on.
struct Whole {
    /// As it was seen; with the id that is remembered, where the reader tells only names.
    remote: Option<Remote>,
    /// The change that makes or opens it.
    after: Option<Address>,
    /// Whether it is ours from its beginning: then its part is no stranger's, as long as nobody else was at work.
    made: bool,
    /// Whether it was made so lately that nobody was told of it yet.
    fresh: bool,
}

impl Judging<'_> {
    /// Weighs the parts of what was weighed before.
    ///
    /// # Errors
    /// [`PassError::Store`]
    pub fn parts(
        &mut self,
        schema: &Schema,
        rows: &BTreeMap<Key, Row>,
        wholes: (&'static str, &Observed),
        parts: &ObservedParts,
        whole_scope: bool,
    ) -> Result<Elements, PassError> {
        self.plan.strangers += parts.strangers;
        let (mut read, mut wanted) = (Elements::new(), Elements::new());
        let mut keeper = self.keeper(schema, whole_scope && parts.trust.is_trusted())?;
        let planned = self.planned(wholes.0);
        let unclear = self.unclear(wholes.0);
        let total = rows.len();
        for (at, (key, row)) in rows.iter().enumerate() {
            self.tell(schema.kind, at, total);
            if let Call::Active(record) = &row.call {
                self.tally(schema, record, &mut wanted);
            }
            let hangs_on = self.whole(wholes, key, &planned, &unclear);
            let record = self.part(schema, key, row, hangs_on, parts)?;
            if let Some(record) = record {
                self.tally(schema, &record, &mut read);
                match &mut keeper {
                    Keeper::All(writer) => drop(writer.see(&record)?),
                    Keeper::Some(records) => records.push(record),
                }
            }
        }
        self.tell(schema.kind, total, total);
        self.parts_of_gone(schema);
        self.told(schema).elements = read.values().sum();
        self.keep_parts(schema, keeper, parts)?;
        // What waits for a scope that is not there is no part of what others are held against.
        let there = |scope: &String| parts.read.contains(scope) || parts.unread.contains(scope);
        for (scope, count) in wanted.into_iter().filter(|(scope, _)| there(scope)) {
            let most = read.entry(scope).or_default();
            *most = count.max(*most);
        }
        Ok(read)
    }

    /// Of people who are gone nothing is called for: what is in doubt of their parts is settled once it has had its
    /// time, like that of people who are left alone. What is remembered of a part goes with what it is a part of.
    fn parts_of_gone(&mut self, schema: &Schema) {
        let now = self.order.at.as_millisecond();
        for key in self.gone(schema.kind) {
            if self.memory.open_of(schema.kind, &key).any(|open| open.may_land(now)) {
                self.told(schema).in_doubt += 1;
                self.plan.in_doubt.push((schema.kind, key));
            } else {
                self.settle_open(schema.kind, &key);
                let whole = schema.part_of.unwrap_or_default();
                let never =
                    self.memory.claim(whole, &key).is_none() && self.memory.open_of(whole, &key).next().is_none();
                let is_gone = never || self.plan.forgotten.iter().any(|(kind, other)| *kind == whole && *other == key);
                if is_gone && self.memory.claim(schema.kind, &key).is_some() {
                    self.plan.forgotten.push((schema.kind, key));
                }
            }
        }
    }

    fn told(&mut self, schema: &Schema) -> &mut PartTally {
        self.plan.parts.entry(schema.kind).or_default()
    }

    /// What this plan makes or opens of a kind.
    fn planned(&self, kind: &str) -> BTreeMap<Key, Action> {
        let mine = self.changes.iter().filter(|change| change.kind == kind);
        mine.filter(|change| matches!(change.action, Action::Create | Action::Enable))
            .map(|change| (change.key.clone(), change.action))
            .collect()
    }

    /// Those of a kind of which nobody can say which record is theirs, or what came of the last write.
    fn unclear(&self, kind: &str) -> BTreeSet<Key> {
        let conflicts = self.plan.conflicts.iter().filter(|conflict| conflict.kind == kind);
        let in_doubt = self.plan.in_doubt.iter().filter(|(doubted, _)| *doubted == kind);
        conflicts.map(|conflict| conflict.key.clone()).chain(in_doubt.map(|(_, key)| key.clone())).collect()
    }

    fn whole(
        &self,
        (kind, observed): (&'static str, &Observed),
        key: &Key,
        planned: &BTreeMap<Key, Action>,
        unclear: &BTreeSet<Key>,
    ) -> Result<Whole, Reason> {
        if unclear.contains(key) {
            return Err(WHOLE_UNCLEAR);
        }
        let after = || Some((self.one.observer.name, kind, key.clone()));
        match (observed.correlated.found.get(key), planned.get(key)) {
            (Some(Found::Ambiguous(..)), _) => Err(WHOLE_UNCLEAR),
            (Some(Found::Present(at)), action) => {
                let seen = &observed.seen[*at];
                let after = match (seen.record.standing, action) {
                    (Standing::Active, _) => None,
                    (Standing::Disabled, Some(Action::Enable)) => after(),
                    (Standing::Disabled, _) => return Err(WHOLE_CLOSED),
                };
                let claim = self.memory.claim_on(kind, key, &seen.remote);
                let made = claim.is_some_and(|claim| claim.origin == Origin::Created);
                let fresh = self.memory.begun(kind, key).next().is_some();
                let known = claim.map(|claim| claim.remote.refreshed(&seen.remote));
                let remote = Some(known.unwrap_or_else(|| seen.remote.clone()));
                Ok(Whole { remote, after, made, fresh })
            }
            // What is only linked writes nothing, so nothing is made either.
            (None, Some(Action::Create)) if !self.order.adopt => {
                Ok(Whole { remote: None, after: after(), made: true, fresh: true })
            }
            (None, _) => Err(WHOLE_MISSING),
        }
    }

    /// Weighs one part; gives what was read of it, where there is a whole.
    fn part(
        &mut self,
        schema: &Schema,
        key: &Key,
        row: &Row,
        whole: Result<Whole, Reason>,
        parts: &ObservedParts,
    ) -> Result<Option<Record>, PassError> {
        let now = self.order.at.as_millisecond();
        let seen = parts.parts.get(key);
        if self.is_undecided(schema, key, now, parts) {
            return Ok(None);
        }
        let want = match (&row.call, &whole) {
            (Call::Untouched(reason) | Call::Disabled(_, reason), _) | (Call::Active(_), Err(reason)) => Err(*reason),
            (Call::Active(record), Ok(_)) => Ok(record),
        };
        let memory = self.memory;
        let scopes = Some(parts.read.clone());
        let bounds = Bounds { scopes, unasked: row.bounds.unasked.clone(), silent: parts.silent };
        let project = self.one.observer.project.as_ref();
        let mut have = Record::new(key.clone());
        if let Some(part) = seen {
            have = part.record.clone();
            cut(&bounds, project, schema, &mut have);
        }
        let record = match want {
            Ok(record) => record,
            Err(reason) => {
                let told = self.told(schema);
                *told.untouched.entry(reason).or_default() += 1;
                *told.drift.entry(Drift::Untouched).or_default() += 1;
                self.settle_open(schema.kind, key);
                return Ok(seen.map(|_| have));
            }
        };
        // The match above has looked at it.
        let Ok(whole) = whole else { return Ok(None) };
        let mut want = record.clone();
        cut(&bounds, project, schema, &mut want);
        self.wait(schema, key, record, parts);
        let before = OnceCell::new();
        let failure = Cell::new(None);
        let wanted_before = || {
            before
                .get_or_init(|| {
                    memory.store.wanted_body(schema.kind, key).unwrap_or_else(|error| {
                        failure.set(Some(error));
                        None
                    })
                })
                .clone()
        };
        // Of a whole that was made anew, memory knows the former one's part.
        let claim = memory.claim(schema.kind, key).filter(|_| !whole.fresh);
        let mut shown = have.clone();
        let applied = self.applied(schema.kind, &memory.store.digester().key(key)).filter(|_| !whole.fresh);
        let remote = &whole.remote.unwrap_or_default();
        // What was put into another record under this key says nothing of this one.
        let replaced = claim.is_some_and(|claim| !claim.remote.is(remote));
        let others = claim.filter(|_| !replaced).map(|claim| &claim.beside.others);
        let another = replaced || whole.fresh;
        let put_here = || if another { None } else { wanted_before() };
        let before: Option<&dyn Fn() -> Option<Record>> = if another { None } else { Some(&wanted_before) };
        let due = self.fill((&mut want, &mut have), (schema, record), parts, before, applied)?;
        let kept = self.not_ours(schema, key, seen, others, &put_here, parts);
        leave_kept(schema, &mut have, &kept, Some(&want));
        leave_kept(schema, &mut shown, &kept, Some(&want));
        let digester = memory.store.digester();
        let (wanted, held) = (digester.record(schema, &want), digester.record(schema, &have));
        let met = applied.is_none() || replaced;
        let facts = Facts {
            schema,
            key,
            want: Want::Record(&want, wanted, None),
            have: Have::Present(&have, held, remote),
            applied,
            wanted_before: &wanted_before,
            claim,
            source_changed: row.moved,
            begun: met && (whole.fresh || (whole.made && takes_nothing(schema, &want, &have))),
            now,
        };
        let unsure = unsure::elements(schema, claim.filter(|_| !replaced), met, &have);
        self.settle_open(schema.kind, key);
        let (drift, step) = decide(&facts, self.one.settings);
        let (step, left_out) = self.within(schema, step, parts);
        if due || left_out {
            self.plan.unobserved.push(key.clone());
        }
        let again = match (&step, drift) {
            (Step::Change(draft), Drift::Drifted | Drift::Diverged) => put_back(&draft.edits, wanted_before().as_ref()),
            _ => 0,
        };
        if let Some(error) = failure.take() {
            return Err(error.into());
        }
        *self.told(schema).drift.entry(drift).or_default() += 1;
        self.class(&facts, drift, &step);
        let after = whole.after.into_iter().collect();
        let expect = Some(digester.record(schema, &shown));
        let beside = Beside { after, bounds, kept, again, unsure, expect, ..Beside::default() };
        self.step(schema, &facts, Some(row), (drift, step), beside);
        Ok(Some(have))
    }

    /// Puts what is remembered, where that is of this very record, in the place of what was not read. Gives whether something was to be done there.
    fn fill(
        &self,
        (want, have): (&mut Record, &mut Record),
        (schema, called): (&Schema, &Record),
        parts: &ObservedParts,
        before: Option<&dyn Fn() -> Option<Record>>,
        applied: Option<Applied>,
    ) -> Result<bool, PassError> {
        let project = self.one.observer.project.as_ref();
        let wanted_before = || before.and_then(|before| before());
        let mut due = false;
        if !parts.unread.is_empty() {
            // What is called for there and was not when it last settled is left to do.
            let unread = |record: Option<&Record>| self.in_scopes(schema, record, &parts.unread);
            due = unread(Some(called)) != unread(wanted_before().as_ref());
            let scope = Scope::new(schema.kind, Side::Observed);
            let known = if before.is_some() { self.memory.store.body(scope, &called.key)? } else { None };
            let within = |scope: &str| parts.unread.contains(scope);
            merge(project, schema, want, wanted_before().as_ref(), &within);
            merge(project, schema, have, known.as_ref(), &within);
        }
        // A scope that is not there for a while takes nothing of what we put into it out of a memory that alone
        // says that we did: neither side has lost it.
        let moved = |applied: Applied| applied.wanted != self.memory.store.digester().record(schema, want);
        if parts.silent && applied.is_some_and(moved) {
            let missing = |scope: &str| !parts.read.contains(scope) && !parts.unread.contains(scope);
            merge(project, schema, want, wanted_before().as_ref(), &missing);
            merge(project, schema, have, wanted_before().as_ref(), &missing);
        }
        Ok(due)
    }

    /// Elements by another's hand.
    fn not_ours(
        &self,
        schema: &Schema,
        key: &Key,
        seen: Option<&Part>,
        others: Option<&BTreeSet<Element>>,
        wanted_before: &dyn Fn() -> Option<Record>,
        parts: &ObservedParts,
    ) -> BTreeSet<Element> {
        let mut kept = seen.map(|part| not_ours(part, others, wanted_before)).unwrap_or_default();
        if !kept.is_empty() {
            // What a write puts in of which nobody heard is ours as well.
            let open = self.memory.open_of(schema.kind, key);
            let sent: BTreeSet<&Digest> = open.flat_map(|open| &open.intent.matches).collect();
            kept.retain(|element| sent.is_empty() || !sent.contains(&self.memory.element(schema, element)));
        }
        // Whose it was where nothing was read is not forgotten.
        let project = self.one.observer.project.as_ref();
        let is_out = |one: &&Element| is_out_of_sight(project, schema, one, parts);
        kept.extend(others.into_iter().flatten().filter(is_out).cloned());
        kept
    }

    /// Whether nothing can be said of a part yet: an earlier write may still land, or nothing was read.
    fn is_undecided(&mut self, schema: &Schema, key: &Key, now: i64, parts: &ObservedParts) -> bool {
        let in_doubt = self.memory.open_of(schema.kind, key).next().is_some();
        let may_land = self.memory.open_of(schema.kind, key).any(|open| open.may_land(now));
        // Of a reading in part nobody knows whether it shows what an earlier write was about.
        if may_land || (in_doubt && (parts.is_blind() || !parts.unread.is_empty())) {
            self.plan.in_doubt.push((schema.kind, key.clone()));
            self.told(schema).in_doubt += 1;
            return true;
        }
        if parts.is_blind() {
            *self.told(schema).drift.entry(Drift::Unobserved).or_default() += 1;
            self.plan.unobserved.push(key.clone());
        }
        parts.is_blind()
    }

    fn applied(&self, kind: &str, at: &Digest) -> Option<Applied> {
        let applied = self.memory.applied.get(kind).and_then(|set| set.get(at));
        applied.filter(|_| !self.one.anew)
    }

    /// Earlier writes of unknown outcome are settled by a reading of the part.
    fn settle_open(&mut self, kind: &str, key: &Key) {
        self.plan.read_back.extend(self.memory.open_of(kind, key).map(|open| (open.number, None)));
    }

    /// Counts elements that are called for in scopes that are not there.
    fn wait(&mut self, schema: &Schema, key: &Key, record: &Record, parts: &ObservedParts) {
        let project = self.one.observer.project.as_ref();
        let missing = |scope: &str| !parts.read.contains(scope) && !parts.unread.contains(scope);
        let all = schema.attributes().iter().flat_map(|attribute| {
            record.elements(attribute.id).filter_map(|element| project.scope_of(schema.kind, attribute.id, element))
        });
        let waiting = all.filter(|scope| missing(scope)).count() as u64;
        if waiting > 0 {
            self.plan.waiting += waiting;
            self.plan.waiting_for.push(key.clone());
        }
    }

    /// Elements in these scopes.
    fn in_scopes(&self, schema: &Schema, record: Option<&Record>, scopes: &BTreeSet<String>) -> BTreeSet<Element> {
        let project = self.one.observer.project.as_ref();
        let all = schema.attributes().iter().flat_map(|attribute| {
            let elements = record.into_iter().flat_map(|record| record.elements(attribute.id));
            elements.map(|element| (attribute.id, element.to_owned()))
        });
        all.filter(|one| is_within(project, schema, one, scopes)).collect()
    }

    fn tally(&self, schema: &Schema, record: &Record, into: &mut Elements) {
        let project = self.one.observer.project.as_ref();
        for attribute in schema.attributes() {
            for element in record.elements(attribute.id) {
                if let Some(scope) = project.scope_of(schema.kind, attribute.id, element) {
                    match into.get_mut(scope) {
                        Some(count) => *count += 1,
                        None => drop(into.insert(scope.to_owned(), 1)),
                    }
                }
            }
        }
    }

    /// What was not read is not written; gives whether anything is left out for it.
    fn within(&self, schema: &Schema, step: Step, parts: &ObservedParts) -> (Step, bool) {
        let Step::Change(mut draft) = step else { return (step, false) };
        let project = self.one.observer.project.as_ref();
        let all = draft.edits.len();
        draft.edits.retain(|edit| match edit {
            Edit::Add { attribute, element } | Edit::Remove { attribute, element } => {
                let scope = project.scope_of(schema.kind, *attribute, element);
                scope.is_none_or(|scope| !parts.unread.contains(scope))
            }
            _ => true,
        });
        let left_out = draft.edits.len() < all;
        let step = if draft.edits.is_empty() { Step::Nothing } else { Step::Change(draft) };
        (step, left_out)
    }

    fn keeper(&self, schema: &Schema, whole: bool) -> Result<Keeper, PassError> {
        let scope = Scope::new(schema.kind, Side::Observed);
        let all = || Ok::<_, PassError>(Keeper::All(Box::new(self.memory.store.snapshot(scope, schema)?)));
        if whole { all() } else { Ok(Keeper::Some(Vec::new())) }
    }

    fn keep_parts(&self, schema: &Schema, keeper: Keeper, parts: &ObservedParts) -> Result<(), PassError> {
        let store = &self.memory.store;
        match keeper {
            Keeper::Some(records) => {
                store.put(Scope::new(schema.kind, Side::Observed), schema, &records)?;
                (self.reached)(Point::Observed);
                Ok(())
            }
            Keeper::All(writer) => {
                writer.finish(Absence::Believed)?;
                (self.reached)(Point::Observed);
                store.set_meta(&scopes_read(schema.kind), parts.read.as_ref())?;
                (self.reached)(Point::ObservedWithin);
                store.set_meta(&read_at(schema.kind), &self.order.at.as_millisecond())?;
                (self.reached)(Point::ObservedAt);
                Ok(())
            }
        }
    }
}

/// Takes in what was read of parts: everybody's as it comes, or those of some.
enum Keeper {
    All(Box<SnapshotWriter>),
    Some(Vec<Record>),
}

/// Whether what is there is part of what is called for: then nobody else has been at work in a whole of ours.
pub fn takes_nothing(schema: &Schema, want: &Record, have: &Record) -> bool {
    !difference(schema, want, have).iter().any(|edit| matches!(edit, Edit::Remove { .. }))
}

/// Whether an element is in a scope that was not read; also in one that is not there, where memory alone says whose
/// it was.
fn is_out_of_sight(
    project: &dyn crate::targets::port::Project,
    schema: &Schema,
    (id, element): &Element,
    parts: &ObservedParts,
) -> bool {
    let out = |scope| parts.unread.contains(scope) || (parts.silent && !parts.read.contains(scope));
    project.scope_of(schema.kind, *id, element).is_some_and(out)
}

fn is_within(
    project: &dyn crate::targets::port::Project,
    schema: &Schema,
    (id, element): &Element,
    scopes: &BTreeSet<String>,
) -> bool {
    project.scope_of(schema.kind, *id, element).is_some_and(|scope| scopes.contains(scope))
}

/// Elements by another's hand: of those that the reading does not tell, what we do not remember putting there.
fn not_ours(
    part: &Part,
    others: Option<&BTreeSet<Element>>,
    wanted_before: &dyn Fn() -> Option<Record>,
) -> BTreeSet<Element> {
    if part.kept.is_empty() {
        return BTreeSet::new();
    }
    let before = wanted_before();
    let ours = |(id, element): &Element| {
        let wanted = before.as_ref().and_then(|before| before.get(*id)).and_then(Value::as_set);
        wanted.is_some_and(|wanted| wanted.contains(element))
            && !others.is_some_and(|others| others.contains(&(*id, element.clone())))
    };
    part.kept.iter().filter(|element| !ours(element)).cloned().collect()
}

/// Puts what is remembered of the scopes that were not read in the place of what is not known.
fn merge(
    project: &dyn crate::targets::port::Project,
    schema: &Schema,
    record: &mut Record,
    known: Option<&Record>,
    within: &dyn Fn(&str) -> bool,
) {
    let Some(known) = known else { return };
    for attribute in schema.attributes() {
        let mine = known.elements(attribute.id);
        let more = mine.filter(|element| project.scope_of(schema.kind, attribute.id, element).is_some_and(within));
        let more: BTreeSet<String> = more.map(str::to_owned).collect();
        if !more.is_empty() {
            let all = record.elements(attribute.id).map(str::to_owned).chain(more).collect();
            record.set(attribute.id, Value::Set(all));
        }
    }
}

/// How many elements are added that were there once already.
fn put_back(edits: &[Edit], before: Option<&Record>) -> u64 {
    let was = |edit: &&Edit| match edit {
        Edit::Add { attribute, element } => {
            before.is_some_and(|before| before.elements(*attribute).any(|one| one == element))
        }
        _ => false,
    };
    edits.iter().filter(was).count() as u64
}
