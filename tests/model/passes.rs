//! Passes: planned, judged, held against what the model knows, applied, interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reconcile::clock::Clock;
use reconcile::config::FirstMeeting;
use reconcile::engine::{self, ApprovedPlan, Consent, Judged, Stop};
use reconcile::model::pass::{Fate, Planned};
use reconcile::model::{Action, Change, ChangeId, Pick, Scope};
use reconcile_state::Edit;
use reconcile_state::trust::SourceFigures;

use crate::college::{College, Saved, kinds};
use crate::event::{At, Event, Setting};
use crate::toys::Listing;
use crate::watch::{Allowed, Halt};
use crate::world::{Desk, Fault, key, wait};
use crate::{explained, hands};

/// A saved plan is void after this.
const VOID: Duration = Duration::from_hours(24);

/// How a pass is run.
#[derive(Default)]
struct Manner {
    allow: BTreeSet<String>,
    approved: Option<BTreeSet<ChangeId>>,
    halt: Option<Halt>,
    torn_after: Option<Duration>,
    hesitate: Option<(At, u32)>,
}

/// Runs what is a pass; gives what was wrong with it. `None`: it was none.
pub async fn pass(college: &mut College, event: &Event) -> Option<Vec<String>> {
    college.school.scope = scope(event);
    let mut manner = Manner::default();
    match event {
        Event::Plan => return Some(look_only(college).await),
        Event::Save => {
            let planned = college.school.plan().await;
            college.misread |= college.school.people.is_hiding();
            let changes = planned.plan.changes.iter().map(|change| change.id).collect();
            college.saved = Some(Saved { at: planned.at, changes });
            return None;
        }
        Event::Restart => {
            college.school.restart();
            return None;
        }
        Event::Wait(seconds) => {
            wait(Duration::from_secs(*seconds)).await;
            return None;
        }
        Event::Approve => {
            let saved = college.saved.take()?;
            let age = college.school.clock.now().duration_since(saved.at);
            if age.unsigned_abs() > VOID {
                return None;
            }
            manner.approved = Some(saved.changes);
        }
        Event::Consent => manner.allow = College::consent(),
        Event::Hesitate(at, n) => manner.hesitate = Some((*at, *n)),
        Event::Stop(nth) => manner.halt = Some(Halt::Stop(*nth, Stop::default())),
        Event::Die(nth, after) => manner.halt = Some(Halt::Die(*nth, *after)),
        Event::DieAfter(millis) => manner.torn_after = Some(Duration::from_millis(*millis)),
        Event::Pass | Event::Changed | Event::Pending | Event::Only(_) | Event::First(_) => {}
        _ => return None,
    }
    let (_, wrong) = run(college, manner).await;
    Some(wrong)
}

fn scope(event: &Event) -> Scope {
    match event {
        Event::Changed => Scope { pick: Pick::Changed, limit: None },
        Event::Pending => Scope { pick: Pick::Pending, limit: None },
        Event::Only(some) => Desk::only(some.iter().copied()),
        Event::First(limit) => Scope { pick: Pick::Everything, limit: Some(*limit) },
        _ => Scope::default(),
    }
}

/// A pass over everybody with an operator who agrees to everything, and knows that nothing is wrong with the sources.
pub async fn agreed(college: &mut College) -> (Planned, Vec<String>) {
    college.school.scope = Scope::default();
    run(college, Manner { allow: College::trust(), ..Manner::default() }).await
}

/// Plans twice: nothing moves, and both are the same.
pub async fn look_only(college: &mut College) -> Vec<String> {
    college.school.scope = Scope::default();
    let (everything, memory) = (college.everything(), memory(college));
    let first = college.school.plan().await;
    // Of a record that is met and changed at once, and whose listing shows no id, only a look-up tells whether others may
    // refer to it.
    let Setting { nameless, first_meeting, .. } = &college.setting;
    let is_looked_up = *nameless && *first_meeting == FirstMeeting::Enforce;
    let explained = if is_looked_up { Vec::new() } else { explained::differences(college, &first.plan) };
    let second = college.school.plan().await;
    college.misread |= college.school.people.is_hiding();
    college.trace.push(first.plan.hash.to_string());
    // Explaining knows the targets by what was read last.
    let mut wrong = if college.faulty { Vec::new() } else { explained };
    if college.everything() != everything {
        wrong.push("planning wrote to a target".to_owned());
    }
    if self::memory(college) != memory {
        wrong.push("planning wrote to claims or journal".to_owned());
    }
    let blind = college.school.seated.hall().blind_after.is_some();
    if first.plan.hash != second.plan.hash && !blind {
        wrong.push("the same world was planned twice, and otherwise".to_owned());
    }
    wrong
}

/// Claims and journals.
fn memory(college: &College) -> String {
    let of = |at: &At| {
        let store = college.school.store.pipeline(at.pipeline()).unwrap();
        let all = kinds(*at).iter().copied().chain(["seats", "marks"]);
        let claims: Vec<_> = all.map(|kind| store.claims(kind).unwrap()).collect();
        format!("{claims:?} {:?}", store.journal(0, usize::MAX).unwrap())
    };
    college.setting.kind.targets().iter().map(of).collect()
}

async fn run(college: &mut College, manner: Manner) -> (Planned, Vec<String>) {
    let Manner { allow, approved: listed, halt, torn_after, hesitate } = manner;
    let stop = if let Some(Halt::Stop(_, stop)) = &halt { stop.clone() } else { Stop::default() };
    college.school.allow.clone_from(&allow);
    let before = college.figures();
    let planned = college.school.plan().await;
    college.misread = college.school.people.is_hiding() || (college.misread && !planned.whole);
    college.trace.push(planned.plan.hash.to_string());
    let mut wrong = check_plan(college, &planned);
    let mut barred = conflicts(&planned);
    if let Some((at, n)) = hesitate {
        wait(Duration::from_mins(10)).await;
        let moved = format!("moved at {}", college.school.clock.now());
        if college.number(at, n).is_some() {
            hands::edit(college, at, n, |row| row.set(crate::toys::listed::TITLE, moved.as_str().into()));
            barred.insert((at.pipeline(), kinds(at)[0], key(n)), "it moved since the plan");
        }
    }
    let consent = Consent { approved: listed.clone(), allow: allow.clone(), who: "operator".into(), why: None };
    let judged = engine::judge(planned.clone(), &college.school.planner().settings(), consent);
    wrong.extend(check_guard(college, &judged, listed.as_ref(), &allow, before.as_ref()));
    let approved = &judged.approved;
    let changes: BTreeMap<ChangeId, Change> =
        approved.changes().iter().map(|change| (change.id, change.clone())).collect();
    let mut ledger = std::mem::take(&mut college.ledger);
    wrong.extend(ledger.begin(college, &planned, listed.is_some() || !allow.is_empty(), &changes));
    college.watch.begin(Allowed { run: planned.run.clone(), changes, barred }, halt);
    let fates = apply(college, approved, &stop, torn_after).await;
    // Two passes never begin in the same moment, and what was torn has come to rest.
    wait(Duration::from_secs(1)).await;
    wrong.extend(college.watch.complaints());
    let whole = fates.is_some().then_some(planned.run.as_str());
    if fates.is_none() {
        college.school.restart();
        college.forgot = true;
    }
    let mut books = std::mem::take(&mut college.books);
    wrong.extend(books.check(college, whole, !college.faulty && hesitate.is_none()));
    college.books = books;
    wrong.extend(ledger.check(college, &planned));
    college.ledger = ledger;
    college.trace.push(format!("{fates:?}"));
    (planned, wrong)
}

async fn apply(college: &College, approved: &ApprovedPlan, stop: &Stop, after: Option<Duration>) -> Option<Vec<Fate>> {
    let school = &college.school;
    let (planner, writers) = (school.planner(), college.watch.over(school.writers(), &school.store));
    let applied = async {
        tokio::select! {
            biased;
            () = college.watch.is_torn() => None,
            applied = engine::apply(&planner, &writers, approved, stop) => Some(applied.unwrap()),
        }
    };
    let applied = match after {
        Some(after) => tokio::time::timeout(after, applied).await.ok().flatten(),
        None => applied.await,
    }?;
    assert!(applied.events.is_empty(), "{:?}", applied.events);
    Some(applied.done.into_iter().map(|done| done.fate).collect())
}

/// Whom nobody can tell from others is not written.
fn conflicts(planned: &Planned) -> BTreeMap<(&'static str, &'static str, reconcile_state::Key), &'static str> {
    let all = planned.plan.pipelines.iter().flat_map(|(name, plan)| plan.conflicts.iter().map(move |one| (*name, one)));
    all.map(|(name, conflict)| ((name, conflict.kind, conflict.key.clone()), "it is in conflict")).collect()
}

/// What a plan must not hold, whatever the guard would say.
fn check_plan(college: &College, planned: &Planned) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, toy) in college.toys() {
        let shelf = toy.shelf();
        let (listing, rows) = (shelf.listing, shelf.rows.len());
        drop(shelf);
        // What is left out of nothing is nothing.
        let lies = listing != Listing::Whole && (rows > 0 || listing == Listing::NoEnd);
        let makes = |change: &&Change| change.pipeline == at.pipeline() && change.action == Action::Create;
        if let Some(change) =
            planned.plan.changes.iter().find(makes).filter(|_| lies && planned.whole && at != At::Asked)
        {
            wrong.push(format!("{at:?}: {} is to be made by a listing that is not whole", change.key));
        }
    }
    wrong
}

/// What the guard must not let through, worked out without it.
fn check_guard(
    college: &College,
    judged: &Judged,
    listed: Option<&BTreeSet<ChangeId>>,
    allow: &BTreeSet<String>,
    before: Option<&SourceFigures>,
) -> Vec<String> {
    let (approved, planned) = (&judged.approved, judged.approved.planned());
    let mut wrong = Vec::new();
    for change in approved.changes() {
        let what = format!("{} {} {} of {}", change.pipeline, change.kind, change.action, change.key);
        let verdict = &judged.verdicts[change.pipeline];
        if !verdict.passes() || verdict.held.contains_key(&change.id) || change.protected.is_some() {
            wrong.push(format!("{what} is let through a verdict that refuses it"));
        }
        if listed.is_some_and(|ids| !ids.contains(&change.id)) {
            wrong.push(format!("{what} is not in the plan that was approved"));
        }
        wrong.extend(check_closing(college, change, before, planned.whole).map(|why| format!("{what}: {why}")));
    }
    if !college.setting.strict || !allow.is_empty() {
        return wrong;
    }
    for pipeline in &planned.pipelines {
        let mine = || approved.changes().iter().filter(|change| change.pipeline == pipeline.name);
        if pipeline.first_load && listed.is_none() && mine().next().is_some() {
            wrong.push(format!("{}: a first load is let through without consent", pipeline.name));
        }
    }
    wrong
}

/// Why a change must not close, or take away, what it does: nobody who is entitled by any reading that can be trusted is
/// closed, and what a reading does not show in which people are missing is not concluded from.
fn check_closing(college: &College, change: &Change, before: Option<&SourceFigures>, whole: bool) -> Option<String> {
    let at = *college.setting.kind.targets().iter().find(|at| at.pipeline() == change.pipeline)?;
    let people = &college.school.people;
    let n = College::person(&change.key)?;
    let disabled = people.entry(n).is_some_and(|entry| {
        entry.get(reconcile::model::person::directory::DISABLED) == Some(&reconcile_state::Value::Flag(true))
    });
    let fault = people.is_faulty();
    let takes_away = change.edits.iter().any(|edit| matches!(edit, Edit::Remove { .. } | Edit::Clear { .. }));
    if matches!(fault, Fault::Midway | Fault::Incomplete) && whole && (takes_away || change.disables()) && !disabled {
        return Some("the directory's reading was cut off".to_owned());
    }
    if !change.disables() || !college.is_entitled(at, n) {
        return None;
    }
    // Small losses are believed, and where nothing is known yet nothing can be missed.
    let loss = before?.count.saturating_sub(people.shown_count() as u64);
    if fault == Fault::HalfMissing && !(loss > 1 && loss * 100 > before?.count * 5) {
        return None;
    }
    // What few people lose is believed, and what was read of them then, until everybody is read again.
    let carriers = before?.carriers.get("requested").copied().unwrap_or(u64::MAX);
    if (people.is_hiding() && carriers < 3) || (college.misread && !whole) {
        return None;
    }
    Some(format!("closed although entitled ({fault:?})"))
}
