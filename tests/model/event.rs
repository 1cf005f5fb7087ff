//! What may happen. Every event is possible at any time: where it makes no sense, nothing happens. So any part of a
//! life is a life, and shrinking is leaving out.

use std::collections::BTreeSet;

use reconcile::config::{FirstMeeting, OnDrift, OnSurplus};

use crate::toys::{Listing, asked, listed, marked, seated};
use crate::world::{Fault, SECOND};

/// People that things happen to, by number.
pub const PEOPLE: u32 = 5;
/// People who are there from the beginning, and always.
pub const STAFF: [u32; 4] = [91, 92, 93, 94];
/// Seats, also in rooms that are not there yet or never ours.
pub const SEATS: [&str; 5] = ["room1/a", "room1/b", "room2/a", "room9/a", "hall1/a"];
/// Rooms that come and go.
pub const ROOMS: [&str; 3] = ["room1", "room2", "room9"];

/// A target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum At {
    /// Accounts that are listed.
    Listed,
    /// Members and cards that are asked for by key.
    Asked,
    /// Accounts with seats.
    Seated,
    /// The same a second time.
    Second,
    /// Marks in the directory.
    Marks,
}

impl At {
    /// Its pipeline.
    pub fn pipeline(self) -> &'static str {
        match self {
            At::Listed => listed::NAME,
            At::Asked => asked::NAME,
            At::Seated => seated::NAME,
            At::Second => SECOND,
            At::Marks => marked::NAME,
        }
    }
}

/// What becomes of a write whose answer is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// It landed.
    Landed,
    /// It did not.
    Never,
    /// It lands after so many seconds.
    After(u64),
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody is hired, or comes back.
    Hire(u32),
    /// Somebody is entitled to the targets of these bits, and to no others.
    Entitle(u32, u8),
    /// Somebody is called to the groups and seats of these bits.
    Call(u32, u8),
    /// Somebody has another title.
    Retitle(u32, u8),
    /// Somebody has another user name.
    Rename(u32, u8),
    /// Somebody bears the number of somebody else, by which accounts are recognised where one person bears it.
    Share(u32, u32),
    /// Somebody answers to somebody.
    Boss(u32, u32),
    /// The directory calls somebody disabled, or no longer.
    Disable(u32, bool),
    /// Somebody is gone from both sources.
    Gone(u32),
    /// Somebody's row in MetaVault is gone.
    DropRow(u32),

    /// By hand, at a target: a record is edited.
    EditByHand(At, u32, u8),
    /// It is closed.
    CloseByHand(At, u32),
    /// It is removed.
    RemoveByHand(At, u32),
    /// There is another one like it.
    DoubleByHand(At, u32),
    /// Somebody removes a record and makes another one in its place.
    ReplaceByHand(At, u32),
    /// It has another name.
    RenameByHand(u32),
    /// Somebody's else record appears.
    Stranger(At),
    /// A room opens or is pulled down.
    Room(usize, bool),
    /// A seat is given, in our way or in theirs.
    SeatByHand(u32, usize, bool),
    /// A seat is taken.
    UnseatByHand(u32, usize),
    /// A mark is set or taken.
    MarkByHand(u32, At, bool),
    /// A target id is written over.
    IdByHand(u32),

    /// Until the next pass is over: answers are lost; with the seats of the target or without.
    LoseAnswers(At, bool, Lost),
    /// The target is away.
    Away(At),
    /// Writes wait for so many minutes before they are sent.
    Slow(At, u64),
    /// Its listing is not whole.
    List(At, Listing),
    /// Its listing shows what was there now.
    Stale(At),
    /// It answers for nobody who is asked for.
    Mute(At),
    /// A batch with somebody in it is refused as a whole.
    BadBatch(At, u32),
    /// The next batch is refused, and may be sent again.
    LaterOnce(At),
    /// A room cannot be read.
    Unread(usize),
    /// Seats cannot be read: at all, to the end, or back.
    Blind(u8),
    /// The directory fails.
    Source(Fault),
    /// The directory no longer shows who is entitled.
    HideEntitlements,
    /// Until it is mended: somebody's changes are refused, or no longer.
    Refuse(At, u32, bool),
    /// Somebody's seats are refused, or no longer.
    RefuseSeats(u32, bool),
    /// Of the next change of somebody only so many edits land; of the seats, or of the account.
    Cut(At, u32, bool, usize),
    /// Somebody's next seats land, and an error is answered.
    Grumble(u32),
    /// A seat is accepted and not kept.
    Drop(usize),

    /// Seconds go by.
    Wait(u64),
    /// A plan that is only looked at: twice, and nothing moves.
    Plan,
    /// A plan that is kept, to be approved.
    Save,
    /// A pass over everybody that writes what was saved, and nothing else.
    Approve,
    /// A pass over everybody.
    Pass,
    /// A pass over everybody with every rule allowed.
    Consent,
    /// A pass over who changed.
    Changed,
    /// A pass over who is pending.
    Pending,
    /// A pass over some, by key.
    Only(BTreeSet<u32>),
    /// A pass over the first.
    First(usize),
    /// A pass of which the plan is old when it is applied, and somebody's record was edited meanwhile.
    Hesitate(At, u32),
    /// A pass that is asked to stop as so many requests have arrived.
    Stop(u32),
    /// A pass in which the process dies: before or after the nth request is carried out.
    Die(u32, bool),
    /// A pass in which the process dies after so many milliseconds.
    DieAfter(u64),
    /// The program is ended and started again.
    Restart,
}

/// Which targets there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Listed accounts, members and cards.
    Office,
    /// Two targets with accounts and seats, and marks of who is in.
    School,
}

impl Kind {
    /// The targets, in the order of the pipelines.
    pub fn targets(self) -> &'static [At] {
        match self {
            Kind::Office => &[At::Listed, At::Asked],
            Kind::School => &[At::Seated, At::Second, At::Marks],
        }
    }
}

/// How a life is set up.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// Which targets there are.
    pub kind: Kind,
    /// Whether the guard has narrow limits; otherwise it lets everything through.
    pub strict: bool,
    /// Whether a first load was agreed to and carried through before anything happens: what is written from then on
    /// without consent is held to limits.
    pub loaded: bool,
    /// Whether a source that shrinks by more than one person is doubted.
    pub tight: bool,
    /// What becomes of drift.
    pub drift: OnDrift,
    /// What becomes of records that are there before.
    pub first_meeting: FirstMeeting,
    /// What becomes of people who are gone.
    pub surplus: OnSurplus,
    /// Who has a record before the first pass.
    pub met: BTreeSet<u32>,
    /// Whether readings tell by whose hand a seat was given.
    pub tells: bool,
    /// Whether listings show accounts by name only.
    pub nameless: bool,
}

impl Setting {
    /// The usual one.
    pub fn usual(kind: Kind) -> Self {
        Self {
            kind,
            strict: false,
            loaded: false,
            tight: false,
            drift: OnDrift::Enforce,
            first_meeting: FirstMeeting::Report,
            surplus: OnSurplus::Disable,
            met: BTreeSet::new(),
            tells: true,
            nameless: false,
        }
    }

    /// Whether the sources say how everything must be in the end.
    pub fn is_enforcing(&self) -> bool {
        self.drift == OnDrift::Enforce && self.surplus == OnSurplus::Disable && self.met.is_empty()
    }
}
