//! Observe: a target's read half is asked, its answers are correlated, judged and kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use reconcile_state::store::{Absence, Scope, Side};
use reconcile_state::trust::{Doubt, ListFigures, Trust, judge_listing};
use reconcile_state::{Digest, Key, Record, Remote, Schema, Shape, Value};

use super::blocking::blocking;
use super::bounds::cut;
use super::claims::Claims;
use super::contradicted::contradict;
use super::correlate::{Correlated, Found, Sought, correlate};
use super::error::PassError;
use super::memory::{Memories, Memory};
use super::point::Point;
use super::progress::{Silent, Step};
use super::question::Question;
use super::vanished::vanished;
use crate::model::pass::Event;
use crate::model::{Anchor, Bounds, Call, Match, TargetError};
use crate::targets::port::{Ask, End, Observer, Seen};

/// So many remembered records are asked for beside a narrow scope, to see whether this target still
/// shows what it should.
const PROBES: usize = 50;

/// What was read of one kind.
#[derive(Debug, Default)]
pub struct Observed {
    /// The records, each under the key of whoever it belongs to.
    pub seen: Vec<Seen>,
    /// Their digests, in the same places.
    pub digests: Vec<Digest>,
    /// Which record is whose.
    pub correlated: Correlated,
    /// Keys for which "not found" means "not there".
    pub proved: BTreeSet<Key>,
    /// Whether all records were asked for, not those of some anchors.
    pub listing: bool,
    /// Whether absences are believed at all.
    pub trust: Trust,
    /// What went wrong, if anything.
    pub event: Option<Event>,
}

impl Observed {
    /// Forgets what the records hold, once they have been weighed: what identifies them and their standing stay.
    pub fn lighten(&mut self) {
        for one in &mut self.seen {
            one.record = Record::new(one.record.key.clone()).standing(one.record.standing);
            one.matches = Vec::new();
            one.kept = BTreeSet::new();
        }
        self.digests = Vec::new();
    }
}

/// Reads one kind of record.
///
/// # Errors
/// [`PassError::Store`]; a target that fails is told in the result.
pub async fn observe(question: &Question<'_>, reached: impl Fn(Point) + Send + 'static) -> Result<Observed, PassError> {
    let Question { observer, schema, memory, whole, .. } = question;
    let mut sought = sought(question);
    let listing = *whole && observer.terms.listable;
    let mut reading = Reading::default();
    let failure = read(question, &sought, listing, &mut reading).await.err();
    let mut seen = reading.seen;
    if listing {
        recall(question, &mut sought, &seen);
    }
    for one in &mut seen {
        prepare(question, &mut one.record);
    }
    let owner = |remote: &Remote| memory.owner(schema.kind, remote);
    let mut correlated = correlate(&sought, &seen, &owner);
    let mut trust = judge(question, reading.end, listing, failure.is_some(), seen.len(), &correlated);
    if !listing {
        trust.doubts.extend(nothing_known(question, &correlated).await);
    }
    let proved = match (listing, trust.is_trusted()) {
        (_, false) => BTreeSet::new(),
        (true, true) => sought.iter().map(|one| one.key.clone()).collect(),
        (false, true) => reading.covered,
    };
    let nearer =
        if listing { look_closer(question, &sought, &seen, &correlated, &proved).await } else { Ok(Vec::new()) };
    let proved = match &nearer {
        Ok(_) => proved,
        // Where the direct look failed nobody knows.
        Err(_) => proved.into_iter().filter(|key| correlated.found.contains_key(key)).collect(),
    };
    if let Err(error) = &nearer {
        let message =
            format!("{}: records that the listing did not show could not be looked up ({})", observer.name, error.code);
        trust.doubts.push(Doubt::new("look-up-failed", message));
    }
    let failure = failure.or(nearer.as_ref().err().cloned());
    let mut nearer = nearer.unwrap_or_default();
    let identified = identify(&mut seen, &nearer);
    nearer.retain(|new| !seen.iter().any(|old| old.remote.is(&new.remote)));
    if identified || !nearer.is_empty() {
        nearer.iter_mut().for_each(|one| prepare(question, &mut one.record));
        seen.extend(nearer);
        let figures = (correlated.remembered, correlated.found_again);
        correlated = correlate(&sought, &seen, &owner);
        (correlated.remembered, correlated.found_again) = figures;
    }
    contradict(memory.contradicted.get(schema.kind), &seen, &mut correlated);
    for (key, found) in &correlated.found {
        if let Found::Present(at) = found {
            let record = &mut seen[*at].record;
            record.key = key.clone();
            if let Some(row) = question.rows.get(key) {
                cut(&row.bounds, observer.project.as_ref(), schema, record);
            }
        }
    }
    let digests: Vec<Digest> = seen.iter().map(|one| memory.store.digester().record(schema, &one.record)).collect();
    let gone = vanished(question, &seen, &digests, &correlated).await?;
    let (gone, accepted) = if question.vanished { (Vec::new(), gone) } else { (gone, Vec::new()) };
    if !gone.is_empty() {
        // What is shown without it cannot be told from what lost it: nothing of this reading counts.
        trust.doubts.extend(gone);
        let event = failure.map(|error| event(observer.name, &error));
        return Ok(Observed { listing, trust, event, ..Observed::default() });
    }
    let (seen, correlated, proved) =
        keep(question, (seen, correlated, proved), listing.then_some(trust.is_trusted()), reached).await?;
    let accepted = accepted.into_iter().next().map(|doubt| Event {
        code: doubt.code,
        pipeline: Some(observer.name),
        step: "observe",
        key: None,
        message: format!("accepted by --allow: {}", doubt.message),
    });
    let event = failure.map(|error| event(observer.name, &error)).or(accepted);
    Ok(Observed { seen, digests, correlated, proved, listing, trust, event })
}

/// A listing may be filtered: few records that it did not show are looked up directly, so that a plan
/// does not create what is only out of sight. Many are looked up batch by batch, before their creation.
/// So are records that a listing without ids shows under another name than is remembered: only the id
/// tells a renamed record from another one.
async fn look_closer(
    question: &Question<'_>,
    sought: &[Sought<'_>],
    seen: &[Seen],
    correlated: &Correlated,
    proved: &BTreeSet<Key>,
) -> Result<Vec<Seen>, TargetError> {
    let called_for = |key: &Key| question.rows.get(key).is_some_and(|row| matches!(row.call, Call::Active(_)));
    let missing = |one: &Sought<'_>| called_for(one.key) && proved.contains(one.key);
    let renamed = |one: &Sought<'_>, at: usize| {
        let remote = &seen[at].remote;
        one.remembered.is_some_and(|known| known.id.is_some() && remote.id.is_none() && !known.is(remote))
    };
    let unclear = sought.iter().filter(|one| match correlated.found.get(one.key) {
        None => missing(one),
        Some(Found::Present(at)) => renamed(one, *at),
        Some(Found::Ambiguous(..)) => false,
    });
    let unclear: Vec<Sought<'_>> = unclear.cloned().collect();
    let mut reading = Reading::default();
    if !unclear.is_empty() && unclear.len() <= question.observer.terms.chunk {
        read(question, &unclear, false, &mut reading).await?;
    }
    Ok(reading.seen)
}

/// Gives records that were seen without an id the one they were then found with. Whether there were any.
fn identify(seen: &mut [Seen], nearer: &[Seen]) -> bool {
    let mut any = false;
    for new in nearer {
        if let Some(old) = seen.iter_mut().find(|old| old.remote.id.is_none() && old.remote.is(&new.remote)) {
            old.remote = old.remote.refreshed(&new.remote);
            any = true;
        }
    }
    any
}

#[derive(Default)]
struct Reading {
    seen: Vec<Seen>,
    covered: BTreeSet<Key>,
    end: Option<End>,
}

async fn read(
    question: &Question<'_>,
    sought: &[Sought<'_>],
    listing: bool,
    reading: &mut Reading,
) -> Result<(), TargetError> {
    let (reader, kind) = (&question.observer.reader, question.schema.kind);
    let asks: Vec<Ask> = if listing {
        vec![Ask::All]
    } else {
        let some = sought.chunks(question.observer.terms.chunk.max(1));
        some.map(|some| Ask::These(some.iter().map(Sought::anchor).collect())).collect()
    };
    for ask in asks {
        let mut pages = reader.observe(kind, ask);
        while let Some(page) = pages.next().await {
            let page = page?;
            reading.seen.extend(page.seen);
            let total = if listing { None } else { Some(sought.len() as u64) };
            let step = Step::Observe(kind);
            question.progress.tell(Some(question.observer.name), step, reading.seen.len() as u64, total);
            reading.covered.extend(page.covered);
            reading.end = reading.end.or(page.end);
        }
    }
    if !listing {
        // One record may answer several anchors, and two calls.
        let mut met = BTreeSet::new();
        reading.seen.retain(|seen| met.insert(seen.remote.clone()));
    }
    Ok(())
}

/// Everybody who is called for, and whoever is remembered: in a listing all of them, else some as probes.
fn sought<'q>(question: &Question<'q>) -> Vec<Sought<'q>> {
    let claims = question.memory.claims.get(question.schema.kind);
    let remembered = |key: &Key| claims.and_then(|claims| claims.get(key)).map(|claim| &claim.remote);
    let mut sought: Vec<Sought<'_>> = Vec::with_capacity(question.rows.len());
    for (key, row) in question.rows {
        let remembered = remembered(key);
        let asked = question.whole && question.observer.terms.listable;
        if asked || remembered.is_some() || !matches!(row.call, Call::Untouched(_)) {
            sought.push(Sought { key, remembered, matches: Cow::Borrowed(&row.matches) });
        }
    }
    let others = claims.into_iter().flat_map(Claims::iter).filter(|(key, _)| !question.rows.contains_key(*key));
    let most = if question.whole { usize::MAX } else { PROBES };
    let (gone, others): (Vec<_>, Vec<_>) = others.partition(|(key, _)| question.gone.contains(*key));
    let others = gone.into_iter().chain(others.into_iter().take(most));
    let nothing = Cow::Borrowed(&[][..]);
    sought.extend(others.map(|(key, claim)| Sought { key, remembered: Some(&claim.remote), matches: nothing.clone() }));
    sought
}

/// Looks for new records in doubt also by the values that they were made with, whatever the person bears now.
fn recall<'q>(question: &Question<'q>, sought: &mut Vec<Sought<'q>>, seen: &[Seen]) {
    let Question { memory, schema, .. } = question;
    let open = memory.open.iter().map(|open| &open.intent).filter(|intent| intent.kind == schema.kind);
    let asked: BTreeMap<Digest, &Key> =
        open.flat_map(|intent| intent.matches.iter().map(|digest| (*digest, &intent.key))).collect();
    if asked.is_empty() {
        return;
    }
    // Whoever is gone and not claimed is asked for by these values alone.
    let known: BTreeSet<&Key> = sought.iter().map(|one| one.key).collect();
    let more = question.gone.iter().filter(|key| !known.contains(key));
    sought.extend(more.map(|key| Sought { key, remembered: None, matches: Cow::Borrowed(&[]) }));
    for (field, value) in seen.iter().flat_map(|one| &one.matches) {
        let Some(key) = asked.get(&memory.recognised(field, value)) else { continue };
        for one in sought.iter_mut().filter(|one| one.key == *key) {
            if !one.matches.iter().any(|m| m.field == *field && m.value == *value) {
                one.matches.to_mut().push(Match { field, value: value.clone(), only_unique: false });
            }
        }
    }
}

/// Leaves out what is not ours and puts keys in the places of ids.
fn prepare(question: &Question<'_>, record: &mut Record) {
    for attribute in question.schema.attributes() {
        if let (Shape::Reference { pipeline, kind }, Some(Value::Text(id))) =
            (attribute.shape, record.get(attribute.id))
            && let Some(key) = question.memories.key_of(pipeline, kind, id)
        {
            record.set(attribute.id, Value::Reference(key));
        }
    }
    let all = Bounds::default();
    cut(&all, question.observer.project.as_ref(), question.schema, record);
}

fn judge(
    question: &Question<'_>,
    end: Option<End>,
    listing: bool,
    failed: bool,
    rows: usize,
    correlated: &Correlated,
) -> Trust {
    let name = question.observer.name;
    let figures = ListFigures {
        complete: !failed && (!listing || end.is_some()),
        rows: rows as u64,
        total: end.and_then(|end| end.total),
        repeated: correlated.repeated,
        remembered: correlated.remembered,
        found: correlated.found_again,
    };
    let mut trust = judge_listing(name, &figures);
    if !listing && correlated.unasked > 0 {
        trust.doubts.push(Doubt::new(
            "answered-unasked",
            format!("{name}: {} records came that no question asked for", correlated.unasked),
        ));
    }
    trust
}

/// A target that cannot be listed and of which nothing is remembered must first show one record that
/// the operator knows is there: otherwise "not found" may only mean that we are asking wrongly.
async fn nothing_known(question: &Question<'_>, correlated: &Correlated) -> Option<Doubt> {
    let Observer { terms, name, reader, .. } = question.observer;
    if terms.listable || correlated.found_again > 0 {
        return None;
    }
    let Some(known) = &terms.known else {
        return Some(Doubt::new(
            "nothing-known",
            format!("{name}: nothing is remembered and no known record is configured; name one that is there"),
        ));
    };
    let anchor = Anchor { key: "known".into(), remembered: None, matches: vec![known.clone()] };
    let mut pages = reader.observe(question.schema.kind, Ask::These(vec![anchor.clone()]));
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => seen.extend(page.seen),
            Err(error) => return Some(Doubt::new("known-record-unread", format!("{name}: {error}"))),
        }
    }
    let found = correlate(&[Sought::from(&anchor)], &seen, &|_| None).found;
    found.is_empty().then(|| {
        Doubt::new(
            "known-record-missing",
            format!("{name}: the record configured as known was not found by {}", known.field),
        )
    })
}

/// Under which name it is remembered when a kind was last read whole, in Unix milliseconds.
pub fn read_at(kind: &str) -> String {
    format!("read {kind}")
}

/// What was read, with whose it is and whose absence it proves.
type Shown = (Vec<Seen>, Correlated, BTreeSet<Key>);

/// Keeps what was read, and gives it back. `listing` says of one whether it is trusted. Rows that were not shown are dropped only where that proves their absence.
async fn keep(
    question: &Question<'_>,
    shown: Shown,
    listing: Option<bool>,
    reached: impl Fn(Point) + Send + 'static,
) -> Result<Shown, PassError> {
    let (store, schema, at) = (question.memory.store.clone(), question.schema.clone(), question.at);
    blocking(move || {
        let (seen, correlated, proved) = &shown;
        let mine = |found: &Found| if let Found::Present(at) = found { Some(&seen[*at].record) } else { None };
        let records = correlated.found.values().filter_map(mine);
        let scope = Scope::new(schema.kind, Side::Observed);
        if let Some(trusted) = listing {
            let mut writer = store.snapshot(scope, &schema)?;
            for record in records {
                writer.see(record)?;
            }
            writer.finish(if trusted { Absence::Believed } else { Absence::Doubted })?;
            reached(Point::Observed);
            if trusted {
                store.set_meta(&read_at(schema.kind), &at)?;
                reached(Point::ObservedAt);
            }
        } else {
            let absent: Vec<Key> = proved.iter().filter(|key| !correlated.found.contains_key(*key)).cloned().collect();
            store.put(scope, &schema, &records.cloned().collect::<Vec<_>>())?;
            store.remove(scope, &absent)?;
            reached(Point::Observed);
        }
        Ok(shown)
    })
    .await
}

/// What an operator is told of a reading that failed.
pub fn event(pipeline: &'static str, error: &TargetError) -> Event {
    Event {
        code: error.code.clone(),
        pipeline: Some(pipeline),
        step: "observe",
        key: None,
        message: format!("{}; what was not shown is left alone", error.message),
    }
}

/// Reads these anchors directly, for a look before a write or after one: what was found for each, and
/// `None` for an anchor that the target did not answer for good.
///
/// # Errors
/// The target's.
pub async fn look(
    observer: &Observer,
    schema: &Schema,
    memories: &Memories,
    memory: &Memory,
    anchors: &[Anchor],
    bounds: &(dyn Fn(&Key) -> Bounds + Sync),
) -> Result<BTreeMap<Key, Option<Look>>, TargetError> {
    let (rows, gone) = (BTreeMap::new(), BTreeSet::new());
    let question = Question {
        observer,
        schema,
        rows: &rows,
        memory,
        memories,
        gone: &gone,
        whole: false,
        vanished: false,
        at: 0,
        progress: &Silent,
    };
    let mut reading = Reading::default();
    let sought: Vec<Sought<'_>> = anchors.iter().map(Sought::from).collect();
    read(&question, &sought, false, &mut reading).await?;
    let mut correlated = correlate(&sought, &reading.seen, &|remote| memory.owner(schema.kind, remote));
    let mut looks = BTreeMap::new();
    for anchor in anchors {
        let look = match correlated.found.remove(&anchor.key) {
            Some(Found::Present(at)) => {
                let seen = &reading.seen[at];
                let mut record = seen.record.clone();
                record.key = anchor.key.clone();
                prepare(&question, &mut record);
                cut(&bounds(&anchor.key), observer.project.as_ref(), schema, &mut record);
                Some(Look::Present(memory.store.digester().record(schema, &record), record, seen.remote.clone()))
            }
            Some(Found::Ambiguous(code, _)) => Some(Look::Ambiguous(code)),
            None => reading.covered.contains(&anchor.key).then_some(Look::Absent),
        };
        looks.insert(anchor.key.clone(), look);
    }
    Ok(looks)
}

/// What a direct look showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// This record.
    Present(Digest, Record, Remote),
    /// A conflict, by its code.
    Ambiguous(&'static str),
    /// Nothing.
    Absent,
}

#[cfg(test)]
mod tests {
    use reconcile_state::{AttributeId, Standing};

    use super::*;

    #[test]
    fn what_was_read_and_weighed_holds_no_body_however_large_it_was() {
        let body = Record::new("k".into()).standing(Standing::Disabled).with(AttributeId(1), "x".repeat(1000));
        let remote = Remote { id: Some("7".into()), handle: Some("kari".into()) };
        let seen = Seen {
            remote: remote.clone(),
            record: body,
            matches: vec![("username", "kari".to_owned())],
            foreign: None,
            kept: [(AttributeId(2), "element".to_owned())].into(),
        };
        let found = [("k".into(), Found::Present(0))].into();
        let correlated = Correlated { found, ..Correlated::default() };
        let mut observed =
            Observed { seen: vec![seen], digests: vec![Digest([7; 16])], correlated, ..Observed::default() };
        observed.lighten();
        let one = &observed.seen[0];
        assert!(one.record.attributes().is_empty() && one.matches.is_empty() && one.kept.is_empty());
        assert!(observed.digests.is_empty());
        // What its parts hang on.
        assert_eq!((&one.remote, one.record.standing, one.record.key.as_str()), (&remote, Standing::Disabled, "k"));
        assert_eq!(observed.correlated.found[&"k".into()], Found::Present(0));
    }
}
