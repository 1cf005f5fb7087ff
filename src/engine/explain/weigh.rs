//! Weigh: what is called for and what was last seen of one person's records, each as a pass would weigh it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reconcile_state::store::{OpenIntent, Scope, Side, Store};
use reconcile_state::{
    Applied, AttributeId, Claim, Digest, Drift, Edit, Key, Origin, Record, Remote, Schema, Shape, Value,
};

use super::value::{Called, Doubt, LastApplied, Next, NextChange, Sight};
use super::{Explainer, One};
use crate::engine::bounds::{carry, cut};
use crate::engine::collect::{DIRECTORY_SCOPE, VAULT_SCOPE};
use crate::engine::conflicts::Told;
use crate::engine::diff::{Draft, Facts, Have, Step, Want, decide};
use crate::engine::error::PassError;
use crate::engine::processed::moved;
use crate::engine::project::{PROTECTED, is_protected, is_protected_key, stay_away};
use crate::engine::unsure;
use crate::engine::weigh::{GONE, WHOLE_UNCLEAR, scopes_read, take_removals, takes_nothing};
use crate::model::{Action, Bounds, Call, Desired, Match, Outlook, Person, Reason};
use crate::policy::is_disabled;
use crate::targets::port::{Because, Project, Subject};

/// One record, weighed.
#[derive(Clone)]
pub(super) struct Weighed {
    pub schema: Schema,
    pub key: Key,
    pub called: Called,
    pub because: Vec<Because>,
    pub claim: Option<Claim>,
    /// The record in the place of the one that is remembered.
    pub another: Option<Remote>,
    pub applied: Option<LastApplied>,
    pub seen: Sight,
    pub drift: Option<Drift>,
    pub next: Next,
    pub waiting: Vec<Edit>,
    pub kept: Vec<Edit>,
    pub unsure: Vec<Edit>,
}

impl Weighed {
    /// What identifies the record that is there, as far as is known.
    pub(super) fn record(&self) -> Option<Remote> {
        self.another.clone().or_else(|| Some(self.claim.as_ref()?.remote.clone()))
    }
}

/// What a record is decided by: both sides with their digests, as a pass compares them.
struct Compared {
    applied: Option<Applied>,
    want: Option<(Digest, Record)>,
    have: Option<(Digest, Record)>,
    /// Whether it is part of a record that is about to be made.
    made: bool,
    /// What identifies the record that is there.
    remote: Remote,
}

/// A person as a pipeline's records are weighed for them.
struct Subjected<'p> {
    key: &'p Key,
    person: Option<&'p Person>,
    said: (Option<Digest>, Option<Digest>),
}

impl Explainer {
    /// Weighs a person's records in every pipeline; nothing is waited for yet.
    pub(super) fn weigh(
        &self,
        key: &Key,
        person: Option<&Person>,
    ) -> Result<BTreeMap<&'static str, Vec<Weighed>>, PassError> {
        let said = (self.sources.digest_of(DIRECTORY_SCOPE, key)?, self.sources.digest_of(VAULT_SCOPE, key)?);
        let subject = Subjected { key, person, said };
        let mut weighed = BTreeMap::new();
        let follows = |one: &One| one.explaining.observer.terms.follows;
        for (name, one) in self.pipelines.iter().filter(|(_, one)| !follows(one)) {
            weighed.insert(*name, self.weigh_one(one, &subject, &[])?);
        }
        let outlooks = self.outlooks(&weighed);
        for (name, one) in self.pipelines.iter().filter(|(_, one)| follows(one)) {
            weighed.insert(*name, self.weigh_one(one, &subject, &outlooks)?);
        }
        Ok(weighed)
    }

    fn weigh_one(&self, one: &One, subject: &Subjected<'_>, outlooks: &[Outlook]) -> Result<Vec<Weighed>, PassError> {
        let project = &one.explaining.observer.project;
        let (desired, because) = match subject.person {
            None => (Vec::new(), Vec::new()),
            Some(person) => self.looked_up(outlooks, |look| {
                let subject = Subject::Person(person);
                (project.desired(subject, look, self.at), project.rules(subject, look, self.at))
            })?,
        };
        let mut weighed: Vec<Weighed> = Vec::new();
        for schema in project.kinds() {
            let desired = desired.iter().find(|desired| desired.kind == schema.kind);
            let whole = schema.part_of.and_then(|of| weighed.iter().find(|one| one.schema.kind == of));
            let because = because.iter().filter(|because| because.kind == schema.kind).cloned().collect();
            let record = self.record(one, schema, subject, desired, whole)?;
            weighed.push(Weighed { because, ..record });
        }
        Ok(weighed)
    }

    fn record(
        &self,
        one: &One,
        schema: &Schema,
        subject: &Subjected<'_>,
        desired: Option<&Desired>,
        whole: Option<&Weighed>,
    ) -> Result<Weighed, PassError> {
        let project = one.explaining.observer.project.as_ref();
        let key = desired.map_or(subject.key, |desired| &desired.key);
        let mut waiting = Vec::new();
        let called = match (desired, subject.person) {
            (Some(desired), Some(person)) => {
                let away = stay_away(person, false).filter(|_| !is_disabled(person));
                match away.map_or_else(|| desired.call.clone(), Call::Untouched) {
                    Call::Untouched(reason) => Called::Untouched(reason),
                    Call::Active(mut record) => {
                        let bounds = bounds(one, schema, desired)?;
                        waiting = missing(project, schema, &record, &bounds);
                        cut(&bounds, project, schema, &mut record);
                        Called::Active(record)
                    }
                    Call::Disabled(mut record, reason) => {
                        cut(&bounds(one, schema, desired)?, project, schema, &mut record);
                        Called::Disabled(record, reason)
                    }
                }
            }
            _ => Called::Gone,
        };
        let mut weighed = Weighed {
            schema: schema.clone(),
            key: key.clone(),
            called,
            because: Vec::new(),
            claim: None,
            another: None,
            applied: None,
            seen: Sight::Unknown,
            drift: None,
            next: Next::Nothing,
            waiting,
            kept: Vec::new(),
            unsure: Vec::new(),
        };
        let Some(store) = &one.explaining.store else {
            let asked = matches!(weighed.called, Called::Active(_) | Called::Disabled(..));
            weighed.drift = match weighed.called {
                Called::Untouched(_) => Some(Drift::Untouched),
                _ => asked.then_some(Drift::Unobserved),
            };
            return Ok(weighed);
        };
        weighed.claim = store.claim_of(schema.kind, key)?;
        let remote = found(one, &mut weighed, whole);
        let before = store.wanted_body(schema.kind, key)?;
        weighed.seen = self.sight(one, store, &weighed, before.as_ref(), whole.map(|whole| &whole.seen))?;
        let mut want = match &weighed.called {
            Called::Active(record) | Called::Disabled(record, _) => Some(record.clone()),
            _ => None,
        };
        let mut have = match &weighed.seen {
            Sight::Present(record) => Some(record.clone()),
            _ => None,
        };
        // What is remembered of scopes that are not there, or were not read, neither side has lost.
        if let (Some(_), Some(desired), Some(before), None) = (schema.part_of, desired, &before, &weighed.another) {
            let bounds = bounds(one, schema, desired)?;
            for side in [&mut want, &mut have].into_iter().flatten() {
                carry(&bounds, project, schema, side, before);
            }
        }
        let digest = |side: &Option<Record>| side.as_ref().map(|record| store.digester().record(schema, record));
        let (wanted, shown) = (digest(&want), digest(&have));
        let applied = store.applied_of(schema.kind, key)?;
        weighed.applied = applied.map(|applied| LastApplied {
            wanted: before,
            as_wanted: wanted == Some(applied.wanted),
            as_seen: shown.map(|shown| shown == applied.seen),
            when: None,
        });
        let matches = desired.map_or(&[][..], |desired| &desired.matches);
        if weighed.seen == Sight::NoWhole {
            let comes = whole.is_some_and(|whole| match &whole.next {
                Next::Change(change) => change.action == Action::Create && change.held.is_none(),
                _ => false,
            });
            if !comes || !matches!(weighed.called, Called::Active(_)) {
                return Ok(weighed);
            }
            // What is about to be made has nothing in it, and is to get all that is called for.
            let empty = Record::new(key.clone());
            let have = Some((store.digester().record(schema, &empty), empty.clone()));
            weighed.seen = Sight::Present(empty);
            let compared = Compared { applied: None, want: wanted.zip(want), have, made: true, remote };
            let weighed = self.decide(one, store, subject, weighed, &compared)?;
            return Ok(Weighed { seen: Sight::NoWhole, ..weighed });
        }
        if let Some(doubt) = self.in_doubt(one, store, &weighed, matches) {
            weighed.next = Next::InDoubt(doubt);
            return Ok(weighed);
        }
        if whole.is_some_and(|whole| matches!(whole.next, Next::InDoubt(_) | Next::Conflict(_))) {
            (weighed.called, weighed.drift) = (Called::Untouched(WHOLE_UNCLEAR), Some(Drift::Untouched));
            return Ok(weighed);
        }
        let (want, have) = (wanted.zip(want), shown.zip(have));
        self.decide(one, store, subject, weighed, &Compared { applied, want, have, made: false, remote })
    }

    fn decide(
        &self,
        one: &One,
        store: &Store,
        subject: &Subjected<'_>,
        mut weighed: Weighed,
        compared: &Compared,
    ) -> Result<Weighed, PassError> {
        let (schema, key) = (weighed.schema.clone(), weighed.key.clone());
        let open = open_of(one, schema.kind, &key);
        let create = Action::Create.to_string();
        // A part begins with its whole.
        let begun = open_of(one, schema.part_of.unwrap_or(schema.kind), &key).any(|open| open.intent.action == create)
            || compared.made
            || is_made(store, &weighed, &compared.remote)?;
        // Whoever is gone is weighed where something is remembered, and nowhere else; parts go with their wholes.
        let is_remembered = weighed.claim.is_some() || open.count() > 0;
        if weighed.called == Called::Gone && (schema.part_of.is_some() || !is_remembered) {
            return Ok(weighed);
        }
        // Of a record that we began to make, or that is to be made, what is remembered of another says nothing.
        let claim = weighed.claim.as_ref().filter(|_| !compared.made && (weighed.another.is_none() || !begun));
        let failure = Cell::new(None);
        let facts = Facts {
            schema: &schema,
            key: &key,
            want: match (&weighed.called, &compared.want) {
                (Called::Disabled(_, reason), Some((digest, record))) => Want::Record(record, *digest, Some(*reason)),
                (Called::Gone, _) => Want::Gone,
                (_, Some((digest, record))) => Want::Record(record, *digest, None),
                _ => Want::Untouched,
            },
            have: match (&weighed.seen, &compared.have) {
                (Sight::Absent, _) => Have::Absent,
                (Sight::Ambiguous, _) => Have::Ambiguous,
                (_, Some((digest, record))) => Have::Present(record, *digest, &compared.remote),
                _ => Have::Unknown,
            },
            applied: compared.applied,
            wanted_before: &|| {
                store.wanted_body(schema.kind, &key).unwrap_or_else(|error| {
                    failure.set(Some(error));
                    None
                })
            },
            claim,
            source_changed: moved(store, subject.key, subject.said)?,
            begun,
            now: self.at.as_millisecond(),
        };
        let (drift, mut step) = decide(&facts, &one.explaining.settings);
        let have = compared.have.as_ref().filter(|_| schema.part_of.is_some());
        let same = facts.claim.filter(|_| weighed.another.is_none());
        let elements = have.map(|(_, have)| unsure::elements(&schema, same, facts.applied.is_none(), have));
        let unsure = match &mut step {
            Step::Change(draft) => unsure::take(&mut draft.edits, &elements.unwrap_or_default(), &facts),
            _ => Vec::new(),
        };
        if let Some(error) = failure.take() {
            return Err(error.into());
        }
        let until =
            weighed.claim.as_ref().and_then(|claim| claim.beside.unsettled).map(|unsettled| unsettled.not_before);
        weighed.drift = Some(drift);
        weighed.unsure = unsure;
        weighed.next = match step {
            Step::Nothing => Next::Nothing,
            Step::Forget => Next::Forget,
            Step::Report(differences) => Next::List(differences, None),
            Step::Wait(differences) => Next::List(differences, until),
            Step::Leave(left) => Next::List(left.edits, left.until),
            Step::Link(differences) => Next::Link(differences),
            Step::Change(draft) => change(one, subject, &mut weighed, draft),
        };
        if drift == Drift::Conflict
            && let Some(known) = conflict(one, schema.kind, &key)
        {
            weighed.next = Next::Conflict(known.clone());
        }
        Ok(weighed)
    }

    /// What a pass last saw of the record.
    fn sight(
        &self,
        one: &One,
        store: &Store,
        weighed: &Weighed,
        before: Option<&Record>,
        whole: Option<&Sight>,
    ) -> Result<Sight, PassError> {
        let (schema, key) = (&weighed.schema, &weighed.key);
        if conflict(one, schema.kind, key).is_some() {
            return Ok(Sight::Ambiguous);
        }
        let body = store.body(Scope::new(schema.kind, Side::Observed), key)?;
        if schema.part_of.is_some() {
            // A part is there with its whole, empty or not.
            return Ok(match (whole, body) {
                (Some(Sight::Present(_)), Some(body)) => Sight::Present(self.resolved(body, weighed, before)?),
                (Some(Sight::Present(whole)), None) => {
                    Sight::Present(Record::new(key.clone()).standing(whole.standing))
                }
                _ => Sight::NoWhole,
            });
        }
        let kinds = one.explaining.observer.project.kinds().iter().filter(|schema| schema.part_of.is_none()).count();
        Ok(match (one.left.unobserved.get(key), body) {
            // Of several kinds it is told how many: those that were never seen come first.
            (Some(unknown), body) if *unknown >= kinds || body.is_none() => Sight::Unknown,
            (_, Some(body)) => Sight::Present(self.resolved(body, weighed, before)?),
            (_, None) if one.left.looked(key) => Sight::Absent,
            (_, None) => Sight::Unknown,
        })
    }

    /// Puts keys in the places of ids that became known after the record was read.
    fn resolved(&self, mut seen: Record, weighed: &Weighed, before: Option<&Record>) -> Result<Record, PassError> {
        let wanted = match &weighed.called {
            Called::Active(record) | Called::Disabled(record, _) => Some(record),
            _ => None,
        };
        for attribute in weighed.schema.attributes() {
            let Shape::Reference { pipeline, kind } = attribute.shape else { continue };
            let Some(id) = seen.text(attribute.id).map(str::to_owned) else { continue };
            let store = self.pipelines.get(pipeline).and_then(|one| one.explaining.store.as_ref());
            let Some(store) = store else { continue };
            let meant = [wanted, before].into_iter().flatten().filter_map(|record| match record.get(attribute.id) {
                Some(Value::Reference(key)) => Some(key),
                _ => None,
            });
            for key in meant {
                let remote = store.claim_of(kind, key)?.map(|claim| claim.remote);
                if remote.is_some_and(|remote: Remote| remote.id.as_deref() == Some(&id)) {
                    seen.set(attribute.id, Value::Reference(key.clone()));
                    break;
                }
            }
        }
        Ok(seen)
    }

    /// The earlier write that comes first, where one may still land or was not answered for.
    fn in_doubt(&self, one: &One, store: &Store, weighed: &Weighed, matches: &[Match]) -> Option<Doubt> {
        let now = self.at.as_millisecond();
        let digester = store.digester();
        let asked: BTreeSet<Digest> =
            matches.iter().map(|m| digester.texts(["match", m.field, m.value.as_str()])).collect();
        let listed = one.explaining.observer.terms.listable;
        open_of(one, weighed.schema.kind, &weighed.key).find_map(|open| {
            let intent = &open.intent;
            let wait = i64::try_from(intent.settle_after_ms).unwrap_or(i64::MAX);
            let until = open.unknown_since.map(|since| since.saturating_add(wait));
            let is_asked = listed || intent.matches.iter().all(|digest| asked.contains(digest));
            let answered = match &weighed.seen {
                Sight::Present(_) | Sight::Ambiguous => true,
                Sight::Absent => is_asked,
                Sight::Unknown | Sight::NoWhole => false,
            };
            // A pass has tried when it could not land any more, and was not answered.
            let tried = one
                .left
                .tried(weighed.schema.kind, &weighed.key)
                .is_some_and(|at| until.is_some_and(|until| at >= until));
            (open.may_land(now) || tried || !answered).then(|| Doubt {
                action: intent.action.clone(),
                sent: Told { run: intent.run.clone(), at: intent.at },
                since: open.unknown_since,
                until,
            })
        })
    }
}

/// What of a record is in question: of a part, what is in scopes that were there at the last whole reading.
fn bounds(one: &One, schema: &Schema, desired: &Desired) -> Result<Bounds, PassError> {
    let mut scopes = desired.scopes.clone();
    if let (Some(_), Some(store)) = (schema.part_of, &one.explaining.store) {
        scopes = Some(store.meta(&scopes_read(schema.kind))?.unwrap_or_default());
    }
    Ok(Bounds { scopes: scopes.map(Arc::new), unasked: desired.unasked.clone(), ..Bounds::default() })
}

/// Elements of a part that wait for their scope to be made.
fn missing(project: &dyn Project, schema: &Schema, record: &Record, bounds: &Bounds) -> Vec<Edit> {
    let Some(scopes) = bounds.scopes.as_ref().filter(|_| schema.part_of.is_some()) else { return Vec::new() };
    let all = schema.attributes().iter().flat_map(|one| record.elements(one.id).map(move |element| (one.id, element)));
    let waits = |(id, element): &(AttributeId, &str)| {
        project.scope_of(schema.kind, *id, element).is_some_and(|scope| !scopes.contains(scope))
    };
    all.filter(waits).map(|(attribute, element)| Edit::Add { attribute, element: element.to_owned() }).collect()
}

/// Whether the record is part of one that we made, and nobody else has been at work in it.
fn is_made(store: &Store, weighed: &Weighed, whole: &Remote) -> Result<bool, PassError> {
    let Some(of) = weighed.schema.part_of else { return Ok(false) };
    let (Called::Active(want), Sight::Present(have)) = (&weighed.called, &weighed.seen) else { return Ok(false) };
    let known = store.claim_of(of, &weighed.key)?;
    let made = known.is_some_and(|claim| claim.origin == Origin::Created && claim.remote.is(whole));
    Ok(made && takes_nothing(&weighed.schema, want, have))
}

/// A change to come, of which whoever is not in MetaVault keeps what only MetaVault knows, as in a pass.
fn change(one: &One, subject: &Subjected<'_>, weighed: &mut Weighed, mut draft: Draft) -> Next {
    if subject.person.is_some_and(|person| person.vault.is_none()) {
        let drift = weighed.drift.unwrap_or(Drift::Untouched);
        weighed.kept = take_removals(&weighed.schema, drift, &mut draft.edits);
    }
    if draft.edits.is_empty() && draft.action != Action::Create {
        let mut listed = std::mem::take(&mut weighed.kept);
        listed.append(&mut weighed.unsure);
        return Next::List(listed, None);
    }
    let reason = match &weighed.called {
        Called::Disabled(_, reason) => Some(*reason),
        Called::Gone => Some(GONE),
        _ => None,
    };
    let held = protected(one, subject.key, subject.person);
    Next::Change(NextChange { action: draft.action, edits: draft.edits, cause: draft.cause, reason, held })
}

/// Why nothing is written for a person in a pipeline, where configuration says so.
pub(super) fn protected(one: &One, key: &Key, person: Option<&Person>) -> Option<Reason> {
    let protected = &one.explaining.settings.guard.protected;
    let is_protected = match person {
        Some(person) => is_protected(person, protected),
        None => is_protected_key(key, protected),
    };
    is_protected.then_some(PROTECTED)
}

fn open_of<'o>(one: &'o One, kind: &'o str, key: &'o Key) -> impl Iterator<Item = &'o OpenIntent> + Clone {
    one.open.iter().filter(move |open| open.intent.kind == kind && open.intent.key == *key)
}

/// What identifies the record that is there: of a part, its whole. It is noted where it is another than is remembered.
fn found(one: &One, weighed: &mut Weighed, whole: Option<&Weighed>) -> Remote {
    let there = match whole {
        Some(whole) => whole.record(),
        None => replaced(one, weighed.schema.kind, &weighed.key),
    };
    let is_another = |there: &Remote| weighed.claim.as_ref().is_some_and(|claim| !claim.remote.is(there));
    let another = there.clone().filter(is_another);
    let there = there.or_else(|| weighed.record()).unwrap_or_default();
    weighed.another = another;
    there
}

/// What identifies the record that the last pass found in the place of the one that is remembered.
fn replaced(one: &One, kind: &str, key: &Key) -> Option<Remote> {
    let found = one.left.replaced.iter().find(|known| known.kind == kind && known.key == *key);
    found.map(|known| known.remote.clone())
}

fn conflict<'o>(one: &'o One, kind: &str, key: &Key) -> Option<&'o crate::engine::conflicts::KnownConflict> {
    one.left.conflicts.iter().find(|known| known.kind == kind && known.key == *key)
}
