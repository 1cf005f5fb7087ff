//! Lives, drawn: how often what happens.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::sample::select;
use reconcile::config::{FirstMeeting, OnDrift, OnSurplus};

use crate::event::{At, Event, Kind, Lost, PEOPLE, ROOMS, SEATS, Setting};
use crate::toys::Listing;
use crate::world::Fault;

fn who() -> RangeInclusive<u32> {
    1..=PEOPLE
}

fn at(kind: Kind) -> impl Strategy<Value = At> {
    select(kind.targets())
}

/// A target with records of its own.
fn shelf(kind: Kind) -> impl Strategy<Value = At> {
    select(kind.targets().iter().copied().filter(|at| *at != At::Marks).collect::<Vec<_>>())
}

/// A target that is listed.
fn listed(kind: Kind) -> impl Strategy<Value = At> {
    let is_listed = |at: &At| !matches!(at, At::Marks | At::Asked);
    select(kind.targets().iter().copied().filter(is_listed).collect::<Vec<_>>())
}

fn people() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => who().prop_map(Event::Hire),
        3 => (who(), any::<u8>()).prop_map(|(n, x)| Event::Entitle(n, x)),
        4 => (who(), any::<u8>()).prop_map(|(n, x)| Event::Call(n, x)),
        2 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Retitle(n, x)),
        1 => (who(), 0..3_u8).prop_map(|(n, x)| Event::Rename(n, x)),
        1 => (who(), who()).prop_map(|(n, boss)| Event::Boss(n, boss)),
        2 => (who(), who()).prop_map(|(n, other)| Event::Share(n, other)),
        2 => (who(), any::<bool>()).prop_map(|(n, on)| Event::Disable(n, on)),
        2 => who().prop_map(Event::Gone),
        1 => who().prop_map(Event::DropRow),
    ]
}

fn hands(kind: Kind) -> BoxedStrategy<Event> {
    let records = prop_oneof![
        2 => (shelf(kind), who(), 0..3_u8).prop_map(|(at, n, x)| Event::EditByHand(at, n, x)),
        2 => (shelf(kind), who()).prop_map(|(at, n)| Event::CloseByHand(at, n)),
        2 => (shelf(kind), who()).prop_map(|(at, n)| Event::RemoveByHand(at, n)),
        1 => (shelf(kind), who()).prop_map(|(at, n)| Event::DoubleByHand(at, n)),
        1 => (shelf(kind), who()).prop_map(|(at, n)| Event::ReplaceByHand(at, n)),
        1 => shelf(kind).prop_map(Event::Stranger),
    ];
    let seats = prop_oneof![
        2 => (0..ROOMS.len(), any::<bool>()).prop_map(|(room, on)| Event::Room(room, on)),
        3 => (who(), 0..SEATS.len(), any::<bool>()).prop_map(|(n, seat, ours)| Event::SeatByHand(n, seat, ours)),
        3 => (who(), 0..SEATS.len()).prop_map(|(n, seat)| Event::UnseatByHand(n, seat)),
        2 => (who(), select(vec![At::Seated, At::Second]), any::<bool>())
            .prop_map(|(n, at, on)| Event::MarkByHand(n, at, on)),
        1 => who().prop_map(Event::IdByHand),
    ];
    match kind {
        Kind::Office => prop_oneof![6 => records, 1 => who().prop_map(Event::RenameByHand)].boxed(),
        Kind::School => prop_oneof![records, seats].boxed(),
    }
}

fn lost() -> impl Strategy<Value = Lost> {
    prop_oneof![Just(Lost::Landed), Just(Lost::Never), select(vec![10, 29]).prop_map(Lost::After)]
}

fn faults(kind: Kind) -> BoxedStrategy<Event> {
    let listing = || select(vec![Listing::Half, Listing::NoEnd, Listing::Twice, Listing::OneMore, Listing::Broken]);
    let source = || select(vec![Fault::Midway, Fault::Incomplete, Fault::HalfMissing, Fault::Empty]);
    let any_target = prop_oneof![
        4 => (at(kind), any::<bool>(), lost()).prop_map(|(at, seats, how)| Event::LoseAnswers(at, seats, how)),
        1 => at(kind).prop_map(Event::Away),
        1 => (shelf(kind), select(vec![1, 7])).prop_map(|(at, minutes)| Event::Slow(at, minutes)),
        2 => (listed(kind), listing()).prop_map(|(at, how)| Event::List(at, how)),
        1 => listed(kind).prop_map(Event::Stale),
        1 => shelf(kind).prop_map(Event::Mute),
        1 => (shelf(kind), who()).prop_map(|(at, n)| Event::BadBatch(at, n)),
        1 => shelf(kind).prop_map(Event::LaterOnce),
        2 => (at(kind), who(), any::<bool>()).prop_map(|(at, n, on)| Event::Refuse(at, n, on)),
        2 => (shelf(kind), who(), any::<bool>(), 0..4_usize)
            .prop_map(|(at, n, seats, edits)| Event::Cut(at, n, seats, edits)),
        2 => source().prop_map(Event::Source),
        1 => Just(Event::HideEntitlements),
    ];
    let seats = prop_oneof![
        1 => (who(), any::<bool>()).prop_map(|(n, on)| Event::RefuseSeats(n, on)),
        1 => who().prop_map(Event::Grumble),
        1 => (0..SEATS.len()).prop_map(Event::Drop),
        2 => (0..ROOMS.len()).prop_map(Event::Unread),
        1 => (0..3_u8).prop_map(Event::Blind),
    ];
    match kind {
        Kind::Office => any_target.boxed(),
        Kind::School => prop_oneof![3 => any_target, 1 => seats].boxed(),
    }
}

fn passes(kind: Kind) -> impl Strategy<Value = Event> {
    let some = proptest::collection::btree_set(who(), 1..3);
    // Seconds to weeks.
    let times = select(vec![5, 40, 700, 90_000, 1_300_000]);
    prop_oneof![
        2 => times.prop_map(Event::Wait),
        2 => Just(Event::Plan),
        1 => Just(Event::Save),
        1 => Just(Event::Approve),
        8 => Just(Event::Pass),
        2 => Just(Event::Consent),
        3 => Just(Event::Changed),
        2 => Just(Event::Pending),
        2 => some.prop_map(Event::Only),
        1 => (0..6_usize).prop_map(Event::First),
        1 => (listed(kind), who()).prop_map(|(at, n)| Event::Hesitate(at, n)),
        1 => (0..3_u32).prop_map(Event::Stop),
        2 => (0..3_u32, any::<bool>()).prop_map(|(nth, after)| Event::Die(nth, after)),
        1 => (0..30_u64).prop_map(|some| Event::DieAfter(some * 10)),
        1 => Just(Event::Restart),
    ]
}

/// What happens in a life, one after the other.
pub fn events(kind: Kind) -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![3 => people(), 2 => hands(kind), 2 => faults(kind), 4 => passes(kind)];
    proptest::collection::vec(one, 1..26)
}

/// How lives of a kind are set up.
pub fn setting(kind: Kind) -> impl Strategy<Value = Setting> {
    let usual = Just(Setting::usual(kind));
    let met = proptest::collection::btree_set(who(), 0..4);
    let other = (
        prop_oneof![Just(OnDrift::Enforce), Just(OnDrift::Report), Just(OnDrift::Ignore)],
        prop_oneof![Just(FirstMeeting::Enforce), Just(FirstMeeting::Report)],
        prop_oneof![Just(OnSurplus::Disable), Just(OnSurplus::Report)],
        met,
    );
    let other = other.prop_map(move |(drift, first_meeting, surplus, met): (_, _, _, BTreeSet<u32>)| Setting {
        drift,
        first_meeting,
        surplus,
        met,
        ..Setting::usual(kind)
    });
    let words = prop_oneof![2 => usual, 1 => other];
    let is = prop::bool::weighted;
    let rest = (is(0.3), is(0.7), is(0.3), is(0.7), is(0.3));
    (words, rest).prop_map(|(setting, (strict, loaded, tight, tells, nameless))| {
        // Only schools have seats and names to tell of.
        let is_school = setting.kind == Kind::School;
        let nameless = nameless && is_school;
        Setting { strict, loaded: strict && loaded, tight, tells: tells || !is_school, nameless, ..setting }
    })
}
