//! What one record calls for: drift classified, then turned into a change, a link, a finding or
//! nothing. Pure.

use std::cell::OnceCell;

use reconcile_state::drift::classify;
use reconcile_state::edit::{creation, difference, perform};
use reconcile_state::{
    Applied, Attribute, AttributeId, Claim, DesiredSide, Digest, Drift, Edit, Key, ObservedSide, Ownership, Record,
    Remote, Schema, Standing, Taken, Value,
};

use crate::config::{FirstMeeting, OnDrift, OnSurplus, PipelineSettings};
use crate::model::{Action, Cause, Reason};

/// What is called for.
#[derive(Clone, Copy, Debug)]
pub enum Want<'f> {
    /// Nothing, or nobody knows.
    Untouched,
    /// This record, with its digest; its standing says whether it is to be open.
    Record(&'f Record, Digest, Option<Reason>),
    /// The person is proved to be gone.
    Gone,
}

/// What was observed.
#[derive(Clone, Copy, Debug)]
pub enum Have<'f> {
    /// Nobody knows.
    Unknown,
    /// A conflict.
    Ambiguous,
    /// Not there.
    Absent,
    /// This record.
    Present(&'f Record, Digest, &'f Remote),
}

/// Everything that decides about one record.
#[derive(Clone, Copy)]
pub struct Facts<'f> {
    /// The kind.
    pub schema: &'f Schema,
    /// The record's key.
    pub key: &'f Key,
    /// What is called for.
    pub want: Want<'f>,
    /// What was observed.
    pub have: Have<'f>,
    /// The pair taken when a change last settled.
    pub applied: Option<Applied>,
    /// What was wanted then.
    pub wanted_before: &'f dyn Fn() -> Option<Record>,
    /// What we remember.
    pub claim: Option<&'f Claim>,
    /// Whether what the sources say changed since the record last settled.
    pub source_changed: bool,
    /// Whether we began to make the record and never heard what came of it: then it is no stranger's,
    /// whatever is to be done at a first meeting.
    pub begun: bool,
    /// Unix milliseconds.
    pub now: i64,
}

impl Facts<'_> {
    fn is_remembered(&self) -> bool {
        self.applied.is_some() || self.claim.is_some()
    }
}

/// A change before it has an id and a place in the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// What is done.
    pub action: Action,
    /// How.
    pub edits: Vec<Edit>,
    /// Why.
    pub cause: Cause,
    /// What differs beside it and is only listed.
    pub left: Left,
}

/// Differences that are not ours to write, and from when on they may be, in Unix milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// What differs.
    pub edits: Vec<Edit>,
    /// Set where we took something away that somebody put back.
    pub until: Option<i64>,
}

/// What a record calls for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// A write.
    Change(Draft),
    /// Remember it; these differences are only listed. Without any it is settled as it is.
    Link(Vec<Edit>),
    /// List these differences, write nothing.
    Report(Vec<Edit>),
    /// List what is not ours to write.
    Leave(Left),
    /// Try again later: what was written last was accepted and is not what the target shows.
    Wait(Vec<Edit>),
    /// Drop what is remembered as last applied.
    Forget,
}

/// Classifies the record and says what follows from it.
pub fn decide(facts: &Facts<'_>, settings: &PipelineSettings) -> (Drift, Step) {
    let desired = match facts.want {
        Want::Untouched => DesiredSide::Untouched,
        Want::Gone => DesiredSide::Gone,
        Want::Record(record, digest, _) => match record.standing {
            Standing::Active => DesiredSide::Active(digest),
            Standing::Disabled => DesiredSide::Disabled(digest),
        },
    };
    let observed = match facts.have {
        Have::Unknown => ObservedSide::Unknown,
        Have::Ambiguous => ObservedSide::Ambiguous,
        Have::Absent => ObservedSide::Absent,
        Have::Present(record, digest, _) => ObservedSide::Present(digest, record.standing),
    };
    // A record other than the one remembered under this key is met for the first time.
    let applied = match (facts.have, facts.claim) {
        (Have::Present(_, _, remote), Some(claim)) if !claim.remote.is(remote) => None,
        _ => facts.applied,
    };
    let drift = classify(desired, applied, observed);
    match (facts.want, facts.have) {
        (Want::Record(want, ..), Have::Absent) => absent(facts, want, drift),
        (Want::Record(want, ..), Have::Present(have, ..)) => present(facts, want, have, drift, settings),
        // What others write too is not ours to close; the entry goes with the person.
        (Want::Gone, Have::Present(..)) if is_shared(facts.schema) => (drift, Step::Nothing),
        (Want::Gone, Have::Present(..)) if drift == Drift::Surplus => (drift, surplus(settings)),
        // We made it and never heard of it; meanwhile the person went.
        (Want::Gone, Have::Present(have, ..)) if facts.begun && have.standing == Standing::Active => {
            (Drift::Surplus, surplus(settings))
        }
        // A closed record of somebody who is gone stays remembered: whoever returns is let in again.
        (Want::Gone, Have::Absent) if facts.is_remembered() => (drift, Step::Forget),
        _ => (drift, Step::Nothing),
    }
}

fn absent(facts: &Facts<'_>, want: &Record, drift: Drift) -> (Drift, Step) {
    let step = match drift {
        Drift::Missing | Drift::Lost => Step::Change(Draft {
            action: Action::Create,
            edits: creation(facts.schema, want),
            cause: if drift == Drift::Lost { Cause::Drift } else { Cause::Source },
            left: Left::default(),
        }),
        Drift::NotThere if facts.is_remembered() => Step::Forget,
        _ => Step::Nothing,
    };
    (drift, step)
}

fn surplus(settings: &PipelineSettings) -> Step {
    let edits = vec![Edit::Standing { to: Standing::Disabled }];
    match settings.surplus {
        OnSurplus::Report => Step::Report(edits),
        OnSurplus::Disable => {
            Step::Change(Draft { action: Action::Disable, edits, cause: Cause::Source, left: Left::default() })
        }
    }
}

fn present(
    facts: &Facts<'_>,
    want: &Record,
    have: &Record,
    drift: Drift,
    settings: &PipelineSettings,
) -> (Drift, Step) {
    if drift == Drift::InSync
        && facts.claim.is_none_or(|claim| claim.beside.listed.is_empty() && claim.beside.unsettled.is_none())
    {
        return (drift, Step::Nothing);
    }
    let (edits, left) = leave(facts, difference(facts.schema, want, have));
    let (drift, step) = if edits.is_empty() && !left.edits.is_empty() {
        match drift {
            Drift::FirstMeeting | Drift::Adopt | Drift::InSync => (Drift::FirstMeeting, Step::Link(Vec::new())),
            other => return (other, Step::Leave(left)),
        }
    } else {
        written(facts, want, edits, drift, settings)
    };
    let step = match step {
        Step::Change(mut draft) => {
            draft.left.edits.extend(left.edits);
            draft.left.until = left.until;
            Step::Change(draft)
        }
        Step::Link(mut differences) => {
            differences.extend(left.edits);
            Step::Link(differences)
        }
        Step::Report(mut differences) => {
            differences.extend(left.edits);
            Step::Report(differences)
        }
        step => step,
    };
    (drift, step)
}

/// Takes out what is not ours to take away: of claimed sets whatever we did not put there, and for a day what
/// somebody put back after we took it away.
fn leave(facts: &Facts<'_>, edits: Vec<Edit>) -> (Vec<Edit>, Left) {
    if !is_shared(facts.schema) {
        return (edits, Left::default());
    }
    let before = OnceCell::new();
    let taken = facts.claim.map_or(&[][..], |claim| &claim.beside.taken);
    let mut left = Left::default();
    let (ours, others) = edits.into_iter().partition(|edit| {
        let Edit::Remove { attribute, element } = edit else { return true };
        let Some(declared) = facts.schema.attribute(*attribute) else { return true };
        let before = before.get_or_init(|| (facts.wanted_before)());
        let was_ours = || before.as_ref().is_some_and(|before| holds(declared, before, element));
        if declared.ownership != Ownership::ClaimedSet || was_ours() {
            return true;
        }
        let form = declared.normal.form(element);
        let same = |one: &&Taken| one.attribute == *attribute && declared.normal.form(&one.element) == form;
        match taken.iter().find(same) {
            Some(taken) if taken.until() <= facts.now => true,
            Some(taken) => {
                left.until = Some(left.until.map_or(taken.until(), |until| until.min(taken.until())));
                false
            }
            None => false,
        }
    });
    left.edits = others;
    (ours, left)
}

/// Whether others write these records too: then what is missing is added at a first meeting, and nothing else.
fn is_shared(schema: &Schema) -> bool {
    schema.attributes().iter().any(|attribute| attribute.ownership == Ownership::ClaimedSet)
}

fn adds(edit: &Edit) -> bool {
    matches!(edit, Edit::Add { .. } | Edit::Set { from: None, .. })
}

fn holds(attribute: &Attribute, record: &Record, element: &str) -> bool {
    let form = attribute.normal.form(element);
    record.elements(attribute.id).any(|one| attribute.normal.form(one) == form)
}

fn written(
    facts: &Facts<'_>,
    want: &Record,
    edits: Vec<Edit>,
    drift: Drift,
    settings: &PipelineSettings,
) -> (Drift, Step) {
    let listed = facts.claim.map_or(&[][..], |claim| &claim.beside.listed);
    let unsettled = facts.claim.and_then(|claim| claim.beside.unsettled);
    // The target was never as it was wanted: trying again repairs nothing that it did by itself.
    let again = drift == Drift::InSync && unsettled.is_some();
    let at_rest = drift == Drift::InSync && unsettled.is_none();
    let drift = match drift {
        // What was written was accepted and never shown: the target moved it.
        Drift::InSync => Drift::Drifted,
        other => other,
    };
    if edits.is_empty() {
        // Nothing to write: what moved is not ours, or both sides moved alike. Settled as it is.
        let drift = if drift == Drift::FirstMeeting { Drift::Adopt } else { drift };
        return (drift, Step::Link(edits));
    }
    let left = Left::default;
    let change = |edits: Vec<Edit>, cause| Step::Change(Draft { action: action(&edits), edits, cause, left: left() });
    if !listed.is_empty() && settings.first_meeting == FirstMeeting::Enforce {
        return (Drift::FirstMeeting, change(edits, Cause::Source));
    }
    let (kept, edits) = keep_listed(facts, listed, edits, want);
    // At rest, what else differs is what the target rewrites.
    if edits.is_empty() || at_rest {
        return (Drift::FirstMeeting, Step::Link(kept));
    }
    if let Some(unsettled) = unsettled
        && facts.now < unsettled.not_before
        && drift == Drift::Drifted
    {
        return (drift, Step::Wait(edits));
    }
    let moved = if facts.source_changed { Cause::Source } else { Cause::Policy };
    if matches!(drift, Drift::FirstMeeting | Drift::Adopt) {
        return match settings.first_meeting {
            _ if facts.begun => (Drift::Behind, change(edits, Cause::Source)),
            _ if is_shared(facts.schema) => {
                let (added, rest): (Vec<Edit>, Vec<Edit>) = edits.into_iter().partition(adds);
                if added.is_empty() {
                    return (Drift::FirstMeeting, Step::Link(rest));
                }
                let draft = Draft {
                    action: Action::Update,
                    edits: added,
                    cause: Cause::Source,
                    left: Left { edits: rest, until: None },
                };
                (Drift::FirstMeeting, Step::Change(draft))
            }
            FirstMeeting::Enforce => (Drift::FirstMeeting, change(edits, Cause::Source)),
            FirstMeeting::Report => (Drift::FirstMeeting, Step::Link(edits)),
        };
    }
    let step = match (drift, settings.drift) {
        (Drift::Drifted, OnDrift::Enforce) => change(edits, Cause::Drift),
        (Drift::Drifted, _) if again => change(edits, Cause::Drift),
        (Drift::Drifted, OnDrift::Report) => Step::Report(edits),
        (Drift::Drifted, OnDrift::Ignore) => Step::Nothing,
        (Drift::Behind, _) | (_, OnDrift::Enforce) => change(edits, moved),
        (_, mode) => {
            // Without a memory of what was wanted nobody can say that the target moved.
            let (behind, drifted) = match (facts.wanted_before)() {
                Some(before) => split(facts.schema, edits, want, &before),
                None => (edits, Vec::new()),
            };
            match (behind.is_empty(), mode) {
                (false, _) => change(behind, moved),
                (true, OnDrift::Report) => Step::Report(drifted),
                (true, _) => Step::Nothing,
            }
        }
    };
    (drift, step)
}

/// What a first meeting listed and nothing has moved since, and the rest. Without a memory of what was wanted
/// nobody can say that it moved.
fn keep_listed(
    facts: &Facts<'_>,
    listed: &[Option<AttributeId>],
    edits: Vec<Edit>,
    want: &Record,
) -> (Vec<Edit>, Vec<Edit>) {
    if listed.is_empty() {
        return (Vec::new(), edits);
    }
    let before = (facts.wanted_before)();
    edits.into_iter().partition(|edit| {
        let moved = before.as_ref().is_some_and(|before| wanted_moved(facts.schema, edit, want, before));
        // What others put into a claimed set is left whatever was listed; what we miss in it is ours to add.
        let attribute = edit.attribute().and_then(|id| facts.schema.attribute(id));
        let claimed = attribute.is_some_and(|attribute| attribute.ownership == Ownership::ClaimedSet);
        listed.contains(&edit.attribute()) && !moved && !claimed
    })
}

/// Edits of attributes whose wanted value is not what it was before, and the rest.
fn split(schema: &Schema, edits: Vec<Edit>, want: &Record, before: &Record) -> (Vec<Edit>, Vec<Edit>) {
    edits.into_iter().partition(|edit| wanted_moved(schema, edit, want, before))
}

fn action(edits: &[Edit]) -> Action {
    match edits.iter().find_map(|edit| if let Edit::Standing { to } = edit { Some(*to) } else { None }) {
        Some(Standing::Active) => Action::Enable,
        Some(Standing::Disabled) => Action::Disable,
        None => Action::Update,
    }
}

fn wanted_moved(schema: &Schema, edit: &Edit, want: &Record, before: &Record) -> bool {
    let Some(id) = edit.attribute() else { return want.standing != before.standing };
    let Some(attribute) = schema.attribute(id) else { return true };
    match edit {
        Edit::Add { element, .. } => return !holds(attribute, before, element),
        Edit::Remove { element, .. } => return holds(attribute, before, element),
        _ => {}
    }
    let form = |record: &Record| record.get(id).map(|value| attribute.comparable(value).into_owned());
    form(want) != form(before)
}

/// Whether nothing that differs is left as it is where this step has landed.
pub fn is_whole(facts: &Facts<'_>, step: &Step) -> bool {
    let (Want::Record(want, ..), Have::Present(have, ..), Step::Change(draft)) = (facts.want, facts.have, step) else {
        return true;
    };
    difference(facts.schema, want, have).iter().all(|edit| draft.edits.contains(edit))
}

/// What a record read back still lacks of what was wanted, beyond what its target may rewrite.
pub fn remaining(schema: &Schema, want: &Record, seen: &Record) -> Vec<Edit> {
    let free = |attribute: &Attribute| attribute.rewritten || attribute.ownership == Ownership::WriteOnce;
    let mut edits = difference(schema, want, seen);
    edits.retain(|edit| {
        let attribute = edit.attribute().and_then(|id| schema.attribute(id));
        attribute.is_none_or(|attribute| !free(attribute))
    });
    edits
}

/// The record before these edits.
pub fn undo(record: &mut Record, edits: &[Edit]) {
    let nothing = || Value::Text(String::new());
    for edit in edits {
        match edit {
            Edit::Add { attribute, element } => {
                perform(record, &[Edit::Remove { attribute: *attribute, element: element.clone() }]);
            }
            Edit::Remove { attribute, element } => {
                perform(record, &[Edit::Add { attribute: *attribute, element: element.clone() }]);
            }
            Edit::Set { attribute, from, .. } => record.set(*attribute, from.clone().unwrap_or_else(nothing)),
            Edit::Clear { attribute, from } => record.set(*attribute, from.clone()),
            Edit::Standing { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::test_settings;
    use reconcile_state::{Beside, Digester, Origin, Unsettled};

    const NAME: AttributeId = AttributeId(1);
    const TITLE: AttributeId = AttributeId(2);

    struct Case {
        schema: Schema,
        digester: Digester,
        settings: PipelineSettings,
        claim: Option<Claim>,
        source_changed: bool,
        begun: bool,
    }

    impl Case {
        fn new() -> Self {
            Self {
                schema: Schema::new("p", "k", 0, [Attribute::text(1, "name"), Attribute::text(2, "title")]).unwrap(),
                digester: Digester::new([7; 32]),
                settings: test_settings(),
                claim: None,
                source_changed: true,
                begun: false,
            }
        }

        fn digest(&self, record: &Record) -> Digest {
            self.digester.record(&self.schema, record)
        }

        fn decide(
            &self,
            want: Option<&Record>,
            before: Option<(&Record, &Record)>,
            have: Option<&Record>,
        ) -> (Drift, Step) {
            let remote = Remote { id: Some("1".into()), handle: None };
            let want = want.map_or(Want::Gone, |record| Want::Record(record, self.digest(record), None));
            let facts = Facts {
                schema: &self.schema,
                key: &"p".into(),
                want,
                have: have.map_or(Have::Absent, |record| Have::Present(record, self.digest(record), &remote)),
                applied: before.map(|(w, s)| Applied { wanted: self.digest(w), seen: self.digest(s) }),
                wanted_before: &|| before.map(|(wanted, _)| wanted.clone()),
                claim: self.claim.as_ref(),
                source_changed: self.source_changed,
                begun: self.begun,
                now: 1000,
            };
            decide(&facts, &self.settings)
        }
    }

    fn claim(remote: Remote) -> Claim {
        Claim::new(remote, Origin::Created)
    }

    #[test]
    fn after_a_listed_first_meeting_only_what_the_sources_move_is_written() {
        let mut case = Case::new();
        let listed = claim(Remote { id: Some("1".into()), handle: None })
            .with(Beside { listed: vec![Some(NAME)], ..Beside::default() });
        case.claim = Some(listed);
        let (want, have) = (record("a", "x"), record("b", "x"));
        let (drift, step) = case.decide(Some(&want), Some((&want, &have)), Some(&have));
        assert_eq!(drift, Drift::FirstMeeting, "never counted in sync");
        assert!(matches!(step, Step::Link(differences) if differences.len() == 1));
        let moved = record("a", "new title");
        assert_eq!(changed(&case.decide(Some(&moved), Some((&want, &have)), Some(&have)).1), [TITLE]);
        let closed = Record::new("p".into()).standing(Standing::Disabled);
        let step = case.decide(Some(&closed), Some((&want, &have)), Some(&have)).1;
        assert!(matches!(step, Step::Change(Draft { action: Action::Disable, .. })), "a leaver is closed");
    }

    #[test]
    fn what_was_not_listed_at_a_first_meeting_is_repaired_like_anything_else() {
        let mut case = Case::new();
        let listed = claim(Remote { id: Some("1".into()), handle: None })
            .with(Beside { listed: vec![Some(NAME)], ..Beside::default() });
        case.claim = Some(listed);
        let (want, have, hand) = (record("a", "x"), record("b", "x"), record("b", "by hand"));
        let (drift, step) = case.decide(Some(&want), Some((&want, &have)), Some(&hand));
        assert_eq!((drift, changed(&step)), (Drift::Drifted, vec![TITLE]));
        let closed = have.clone().standing(Standing::Disabled);
        let step = case.decide(Some(&want), Some((&want, &have)), Some(&closed)).1;
        assert!(matches!(step, Step::Change(Draft { action: Action::Enable, .. })), "{step:?}");
    }

    fn record(name: &str, title: &str) -> Record {
        Record::new("p".into()).with(NAME, name).with(TITLE, title)
    }

    fn changed(step: &Step) -> Vec<AttributeId> {
        match step {
            Step::Change(draft) => draft.edits.iter().filter_map(Edit::attribute).collect(),
            other => panic!("no change: {other:?}"),
        }
    }

    #[test]
    fn a_first_meeting_writes_nothing_unless_told_to() {
        let mut case = Case::new();
        let (want, have) = (record("a", "x"), record("b", "x"));
        let (drift, step) = case.decide(Some(&want), None, Some(&have));
        assert_eq!(drift, Drift::FirstMeeting);
        assert!(matches!(step, Step::Link(differences) if differences.len() == 1));
        case.settings.first_meeting = FirstMeeting::Enforce;
        assert_eq!(changed(&case.decide(Some(&want), None, Some(&have)).1), [NAME]);
        assert_eq!(case.decide(Some(&want), None, Some(&want)), (Drift::Adopt, Step::Link(vec![])));
    }

    #[test]
    fn where_both_sides_moved_a_report_mode_writes_only_what_the_sources_moved() {
        let mut case = Case::new();
        let (before, want, have) = (record("a", "x"), record("a2", "x"), record("a", "hand"));
        let enforced = case.decide(Some(&want), Some((&before, &before)), Some(&have)).1;
        assert_eq!(changed(&enforced), [NAME, TITLE]);
        case.settings.drift = OnDrift::Report;
        let reported = case.decide(Some(&want), Some((&before, &before)), Some(&have)).1;
        assert_eq!(changed(&reported), [NAME]);
    }

    #[test]
    fn hand_made_changes_are_repaired_reported_or_counted() {
        let mut case = Case::new();
        let (want, have) = (record("a", "x"), record("a", "hand"));
        for (mode, writes, lists) in
            [(OnDrift::Enforce, true, false), (OnDrift::Report, false, true), (OnDrift::Ignore, false, false)]
        {
            case.settings.drift = mode;
            let (drift, step) = case.decide(Some(&want), Some((&want, &want)), Some(&have));
            assert_eq!(drift, Drift::Drifted);
            assert_eq!((matches!(step, Step::Change(_)), matches!(step, Step::Report(_))), (writes, lists));
        }
    }

    #[test]
    fn a_target_that_rewrites_settles() {
        let case = Case::new();
        let (want, seen) = (record("a", "x"), record("a", "X!"));
        assert_eq!(case.decide(Some(&want), Some((&want, &seen)), Some(&seen)), (Drift::InSync, Step::Nothing));
    }

    #[test]
    fn a_record_made_anew_under_the_same_name_is_met_for_the_first_time() {
        let mut case = Case::new();
        let remote = Remote { id: Some("other".into()), handle: None };
        case.claim = Some(claim(remote));
        let (want, have) = (record("a", "x"), record("b", "x"));
        assert_eq!(case.decide(Some(&want), Some((&want, &want)), Some(&have)).0, Drift::FirstMeeting);
    }

    #[test]
    fn what_does_not_converge_waits_for_its_delay() {
        let mut case = Case::new();
        let remote = Remote { id: Some("1".into()), handle: None };
        let unsettled = Some(Unsettled { tries: 1, not_before: 2000 });
        case.claim = Some(claim(remote).with(Beside { unsettled, ..Beside::default() }));
        let (want, have) = (record("a", "x"), record("a", "y"));
        assert!(matches!(case.decide(Some(&want), Some((&want, &want)), Some(&have)).1, Step::Wait(_)));
        let new_wish = record("b", "x");
        assert!(matches!(case.decide(Some(&new_wish), Some((&want, &have)), Some(&have)).1, Step::Change(_)));
    }

    #[test]
    fn a_record_that_we_began_to_make_is_finished() {
        let mut case = Case::new();
        case.begun = true;
        let (drift, step) = case.decide(Some(&record("a", "x")), None, Some(&record("a", "")));
        assert_eq!((drift, changed(&step)), (Drift::Behind, vec![TITLE]));
    }

    #[test]
    fn surplus_is_listed_unless_told_to_disable() {
        let mut case = Case::new();
        let have = record("a", "x");
        let (drift, step) = case.decide(None, Some((&have, &have)), Some(&have));
        assert_eq!(drift, Drift::Surplus);
        assert!(matches!(step, Step::Report(_)));
        case.settings.surplus = OnSurplus::Disable;
        let (_, step) = case.decide(None, Some((&have, &have)), Some(&have));
        assert!(matches!(step, Step::Change(Draft { action: Action::Disable, .. })));
        assert_eq!(case.decide(None, Some((&have, &have)), None), (Drift::Forgotten, Step::Forget));
        assert_eq!(case.decide(None, None, Some(&have)), (Drift::Foreign, Step::Nothing));
    }

    #[test]
    fn causes_are_named() {
        let mut case = Case::new();
        let (before, want) = (record("a", "x"), record("a2", "x"));
        for (source_changed, cause) in [(true, Cause::Source), (false, Cause::Policy)] {
            case.source_changed = source_changed;
            match case.decide(Some(&want), Some((&before, &before)), Some(&before)).1 {
                Step::Change(draft) => assert_eq!(draft.cause, cause),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_undone_and_done_again_is_what_it_was() {
        let set = AttributeId(1);
        let schema =
            Schema::new("p", "k", 0, [Attribute::set(1, "s").owned(Ownership::ScopedSet), Attribute::text(2, "t")])
                .unwrap();
        let elements = |all: &[&str]| Value::Set(all.iter().map(|&one| one.to_owned()).collect());
        let have = Record::new("k".into()).with(set, elements(&["a", "b"])).with(AttributeId(2), "old");
        for text in ["new", ""] {
            let want = Record::new("k".into()).with(set, elements(&["b", "c"])).with(AttributeId(2), text);
            let edits = difference(&schema, &want, &have);
            let mut before = want.clone();
            undo(&mut before, &edits);
            assert_eq!(before, have);
        }
    }
}
