//! What a refused request was refused for, and how it is divided to find that out. Pure.

use std::collections::BTreeSet;

use super::ledger::Piece;
use super::steps::Stage;
use crate::model::{Effect, ErrorKind, TargetError};

/// What a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nobody knows what landed.
    Lost,
    /// It may have landed, and is over; what it was refused for the site does not say.
    Partial,
    /// Nothing can be sent at present.
    Outage,
    /// A course, or a role in it.
    Pair,
    /// A person, or something that the site does not name.
    Person,
    /// Another write stood in the way.
    Met,
}

/// The site's word for a right that is missing.
pub const NO_RIGHT: &str = "nopermissions";

/// What a failed request means for what was in it.
pub fn verdict(error: &TargetError, said: Option<&str>) -> Verdict {
    match (error.effect, error.kind, said) {
        (Effect::Unknown, ..) => Verdict::Lost,
        (Effect::Partial, ..) => Verdict::Partial,
        (_, ErrorKind::Rejected | ErrorKind::NotFound | ErrorKind::Auth, Some(word)) if is_about_a_course(word) => {
            Verdict::Pair
        }
        (_, ErrorKind::Conflict, _) => Verdict::Met,
        (_, ErrorKind::Rejected | ErrorKind::NotFound, _) => Verdict::Person,
        _ => Verdict::Outage,
    }
}

/// Codes of a bad course or role (facts, section 7). A right may be missing in one course alone.
fn is_about_a_course(word: &str) -> bool {
    matches!(word, "wsnoinstance" | "wsusercannotassign" | "invalidparameter" | "invalidrecord" | NO_RIGHT)
}

/// Two halves that may fare differently: by what the site judges together where that is at fault, or may be, else by
/// person, else piece by piece.
pub fn divide(pieces: &[Piece], verdict: Verdict) -> Option<(Vec<Piece>, Vec<Piece>)> {
    let halves = |groups: BTreeSet<(Stage, String, String)>| groups.into_iter().collect::<Vec<_>>();
    let pairs = halves(pieces.iter().map(Piece::pair).collect());
    if verdict == Verdict::Pair || verdict == Verdict::Partial && pairs.len() > 1 {
        let first: BTreeSet<_> = pairs.iter().take(pairs.len() / 2).collect();
        let split = pieces.iter().cloned().partition(|piece| first.contains(&piece.pair()));
        return (pairs.len() > 1).then_some(split);
    }
    let users: Vec<u64> = pieces.iter().map(|piece| piece.user).collect::<BTreeSet<_>>().into_iter().collect();
    if users.len() > 1 {
        let first: BTreeSet<u64> = users.iter().take(users.len() / 2).copied().collect();
        return Some(pieces.iter().cloned().partition(|piece| first.contains(&piece.user)));
    }
    (pieces.len() > 1).then(|| {
        let (one, other) = pieces.split_at(pieces.len() / 2);
        (one.to_vec(), other.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::ENROL_FAILED;
    use super::super::steps::Step;
    use super::*;

    fn piece(user: u64, course: &str) -> Piece {
        let step = Step { stage: Stage::Enrol, course: course.into(), role: "student".into(), edits: vec![0] };
        Piece { change: 0, user, course: 1, role: 5, step }
    }

    fn users(pieces: &[Piece]) -> Vec<(u64, &str)> {
        pieces.iter().map(|piece| (piece.user, piece.step.course.as_str())).collect()
    }

    #[test]
    fn a_batch_is_divided_by_what_is_at_fault() {
        let all = [piece(1, "a"), piece(2, "a"), piece(2, "b")];
        let (one, other) = divide(&all, Verdict::Pair).unwrap();
        assert_eq!((users(&one), users(&other)), (vec![(1, "a"), (2, "a")], vec![(2, "b")]));
        let (one, other) = divide(&all, Verdict::Person).unwrap();
        assert_eq!((users(&one), users(&other)), (vec![(1, "a")], vec![(2, "a"), (2, "b")]));
        let (one, other) = divide(&all[1..], Verdict::Person).unwrap();
        assert_eq!((users(&one), users(&other)), (vec![(2, "a")], vec![(2, "b")]));
        let (one, other) = divide(&all, Verdict::Partial).unwrap();
        assert_eq!((users(&one), users(&other)), (vec![(1, "a"), (2, "a")], vec![(2, "b")]));
        let (one, other) = divide(&all[..2], Verdict::Partial).unwrap();
        assert_eq!((users(&one), users(&other)), (vec![(1, "a")], vec![(2, "a")]));
        assert!(divide(&all[..2], Verdict::Pair).is_none());
        assert!(divide(&all[..1], Verdict::Person).is_none());
    }

    #[test]
    fn every_failure_has_its_verdict() {
        use ErrorKind::{Auth, Conflict, Connect, Malformed, NotFound, Rejected, Unavailable};
        let error = |kind, effect| TargetError::new(kind, ENROL_FAILED, "").effect(effect);
        for (kind, effect, said, want) in [
            (Connect, Effect::Unknown, None, Verdict::Lost),
            (Malformed, Effect::Partial, None, Verdict::Partial),
            (Rejected, Effect::None, Some("wsnoinstance"), Verdict::Pair),
            (Rejected, Effect::None, Some("wsusercannotassign"), Verdict::Pair),
            (Rejected, Effect::None, Some("invalidparameter"), Verdict::Pair),
            (NotFound, Effect::None, Some("invalidrecord"), Verdict::Pair),
            (Rejected, Effect::None, Some("invaliduser"), Verdict::Person),
            (Rejected, Effect::None, Some("userdeleted"), Verdict::Person),
            (Rejected, Effect::None, Some("codingerror"), Verdict::Person),
            (Rejected, Effect::None, None, Verdict::Person),
            (Conflict, Effect::None, Some("dmlwriteexception"), Verdict::Met),
            (Auth, Effect::None, Some("nopermissions"), Verdict::Pair),
            (Auth, Effect::None, Some("invalidtoken"), Verdict::Outage),
            (Unavailable, Effect::None, Some("sitemaintenance"), Verdict::Outage),
        ] {
            assert_eq!(verdict(&error(kind, effect), said), want, "{kind} {said:?}");
        }
    }
}
