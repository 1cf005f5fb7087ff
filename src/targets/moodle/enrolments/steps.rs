//! What is to be sent for one person: the edits of the set as enrolments and roles. Pure.
//!
//! The site knows two things: a person's enrolment by a method, and the roles held in the course. The first role
//! comes with an enrolment and the last one goes with it; between them roles change by themselves, so that nobody
//! loses groups and grades for a change of role, and nobody who is enrolled is enrolled again: that would send
//! mail and end a suspension (facts, section 7).

use std::collections::{BTreeMap, BTreeSet};

use reconcile_state::Edit;

use super::super::answer::{ENROL_FAILED, UNENROL_FAILED};
use super::super::schema::COURSES;
use super::config::Removal;
use crate::model::{Change, ErrorKind, TargetError};

/// What is sent, in the order in which it is sent: a new role is held before the old one goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// A further role.
    Assign,
    /// A new enrolment, with its role.
    Enrol,
    /// The last role's enrolment is suspended; the roles go after it.
    Suspend,
    /// One of several roles goes, or one that came by another method.
    Unassign,
    /// The enrolment goes, with all its roles.
    Unenrol,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Assign, Self::Enrol, Self::Suspend, Self::Unassign, Self::Unenrol];

    /// The code of a failure.
    pub fn code(self) -> &'static str {
        match self {
            Self::Assign | Self::Enrol => ENROL_FAILED,
            Self::Suspend | Self::Unassign | Self::Unenrol => UNENROL_FAILED,
        }
    }
}

/// One thing to send for a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// What.
    pub stage: Stage,
    /// The course's key.
    pub course: String,
    /// The role's short name; empty where the whole enrolment goes.
    pub role: String,
    /// The edits it brings about, by their place in the change.
    pub edits: Vec<usize>,
}

/// One course's roles: held before, to be added and to be removed with the edits that say so.
#[derive(Default)]
struct Roles<'c> {
    held: BTreeSet<&'c str>,
    add: BTreeMap<&'c str, usize>,
    remove: BTreeMap<&'c str, usize>,
}

/// The steps of a change.
///
/// # Errors
/// An edit that is none of an enrolment.
pub fn steps(change: &Change, removal: Removal) -> Result<Vec<Step>, TargetError> {
    let mut steps = Vec::new();
    for (course, roles) in by_course(change)? {
        let step = |stage, role: &str, edits: Vec<usize>| Step {
            stage,
            course: course.to_owned(),
            role: role.to_owned(),
            edits,
        };
        let add = if roles.held.is_empty() { Stage::Enrol } else { Stage::Assign };
        steps.extend(roles.add.iter().map(|(role, edit)| step(add, role, vec![*edit])));
        let unassign = |(role, edit): (&&str, &usize)| step(Stage::Unassign, role, vec![*edit]);
        let rest = roles.held.iter().filter(|role| !roles.remove.contains_key(*role)).count();
        if rest + roles.add.len() > 0 {
            steps.extend(roles.remove.iter().map(unassign));
            continue;
        }
        let Some(first) = roles.remove.keys().next() else { continue };
        let edits: Vec<usize> = roles.remove.values().copied().collect();
        match removal {
            Removal::Unenrol => steps.push(step(Stage::Unenrol, "", edits)),
            Removal::Suspend => {
                steps.push(step(Stage::Suspend, first, edits));
                steps.extend(roles.remove.iter().map(unassign));
            }
        }
    }
    steps.sort();
    Ok(steps)
}

fn by_course(change: &Change) -> Result<BTreeMap<&str, Roles<'_>>, TargetError> {
    let refused = || {
        let message = "the change holds an edit that is no enrolment of ours; nothing of it was sent";
        TargetError::new(ErrorKind::Rejected, ENROL_FAILED, message)
    };
    let mut courses: BTreeMap<&str, Roles<'_>> = BTreeMap::new();
    for (at, edit) in change.edits.iter().enumerate() {
        let (element, adds) = match edit {
            Edit::Add { attribute: COURSES, element } => (element, true),
            Edit::Remove { attribute: COURSES, element } => (element, false),
            _ => return Err(refused()),
        };
        let (course, role) = element.rsplit_once('/').filter(|(_, role)| !role.is_empty()).ok_or_else(refused)?;
        let roles = courses.entry(course).or_default();
        if adds {
            roles.add.insert(role, at);
        } else {
            roles.remove.insert(role, at);
            roles.held.insert(role);
        }
    }
    // What was there before: what is called for and not added, what is removed, and what others put there.
    let kept = change.kept.iter().filter(|(attribute, _)| *attribute == COURSES).map(|(_, element)| element.as_str());
    for element in change.desired.elements(COURSES).chain(kept) {
        let Some((course, role)) = element.rsplit_once('/') else { continue };
        let Some(roles) = courses.get_mut(course).filter(|roles| !roles.add.contains_key(role)) else { continue };
        roles.held.insert(role);
    }
    // What differs and is only told: called for and not there, or there and not called for.
    for edit in &change.left {
        let (Edit::Add { attribute: COURSES, element } | Edit::Remove { attribute: COURSES, element }) = edit else {
            continue;
        };
        let Some((course, role)) = element.rsplit_once('/') else { continue };
        let Some(roles) = courses.get_mut(course) else { continue };
        if matches!(edit, Edit::Remove { .. }) {
            roles.held.insert(role);
        } else if !change.kept.contains(&(COURSES, element.clone())) {
            roles.held.remove(role);
        }
    }
    Ok(courses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::moodle::testing::enrolment_change;

    const A: &str = "185:A:1:2026:HØST";

    /// Steps by desired, held and kept roles in one course, as `stage role`.
    fn sent(want: &[&str], held: &[&str], kept: &[&str], removal: Removal) -> Vec<String> {
        let elements = |roles: &[&str]| roles.iter().map(|role| format!("{A}/{role}")).collect::<BTreeSet<_>>();
        let mut ready = enrolment_change("k", "7", elements(want), elements(held));
        ready.change.kept = elements(kept).into_iter().map(|element| (COURSES, element)).collect();
        let steps = steps(&ready.change, removal).unwrap();
        assert!(steps.iter().all(|step| step.course == A && !step.edits.is_empty()));
        let touched: BTreeSet<usize> = steps.iter().flat_map(|step| step.edits.iter().copied()).collect();
        assert_eq!(touched.len(), ready.change.edits.len(), "every edit is brought about by some step");
        steps.iter().map(|step| format!("{:?} {}", step.stage, step.role)).collect()
    }

    #[test]
    fn the_first_role_is_an_enrolment_and_a_further_one_is_not() {
        assert_eq!(sent(&["student"], &[], &[], Removal::Unenrol), ["Enrol student"]);
        assert_eq!(sent(&["student", "teacher"], &["student"], &[], Removal::Unenrol), ["Assign teacher"]);
        assert_eq!(sent(&["student", "teacher"], &[], &[], Removal::Unenrol), ["Enrol student", "Enrol teacher"]);
    }

    #[test]
    fn who_is_there_by_another_method_is_not_enrolled() {
        assert_eq!(sent(&["teacher"], &[], &["student"], Removal::Unenrol), ["Assign teacher"]);
        assert_eq!(sent(&["teacher"], &[], &["manager"], Removal::Unenrol), ["Assign teacher"]);
        assert_eq!(sent(&["teacher"], &[], &[""], Removal::Unenrol), ["Assign teacher"], "without a role");
    }

    #[test]
    fn another_role_is_given_before_the_old_one_is_taken() {
        for removal in [Removal::Unenrol, Removal::Suspend] {
            let sent = sent(&["teacher"], &["student"], &[], removal);
            assert_eq!(sent, ["Assign teacher", "Unassign student"]);
        }
    }

    #[test]
    fn the_last_role_goes_with_the_enrolment() {
        assert_eq!(sent(&[], &["student"], &[], Removal::Unenrol), ["Unenrol "]);
        assert_eq!(sent(&[], &["student", "teacher"], &[], Removal::Unenrol), ["Unenrol "]);
        assert_eq!(sent(&["student"], &["student", "teacher"], &[], Removal::Unenrol), ["Unassign teacher"]);
    }

    #[test]
    fn a_foreign_role_that_is_left_keeps_the_enrolment() {
        for removal in [Removal::Unenrol, Removal::Suspend] {
            assert_eq!(sent(&[], &["student"], &["manager"], removal), ["Unassign student"]);
        }
    }

    #[test]
    fn a_suspended_enrolment_has_no_role_of_ours() {
        assert_eq!(sent(&[], &["student"], &[], Removal::Suspend), ["Suspend student", "Unassign student"]);
        assert_eq!(
            sent(&[], &["student", "teacher"], &[], Removal::Suspend),
            ["Suspend student", "Unassign student", "Unassign teacher"]
        );
    }

    #[test]
    fn what_differs_and_is_left_is_neither_held_nor_gone() {
        let sent = |want: &[&str], held: &[&str], written: &[&str]| {
            let elements = |roles: &[&str]| roles.iter().map(|role| format!("{A}/{role}")).collect::<BTreeSet<_>>();
            let mut ready = enrolment_change("k", "7", elements(want), elements(held));
            let written = elements(written);
            let is_written = |edit: &Edit| match edit {
                Edit::Add { element, .. } | Edit::Remove { element, .. } => written.contains(element),
                _ => false,
            };
            let (edits, left) = std::mem::take(&mut ready.change.edits).into_iter().partition(is_written);
            (ready.change.edits, ready.change.left) = (edits, left);
            let steps = steps(&ready.change, Removal::Unenrol).unwrap();
            steps.iter().map(|step| format!("{:?} {}", step.stage, step.role)).collect::<Vec<_>>()
        };
        // Unenrolled by hand, and that is only told: a role without an enrolment would let nobody in.
        assert_eq!(sent(&["student", "teacher"], &[], &["teacher"]), ["Enrol teacher"]);
        // Somebody made a teacher of a student by hand, and that is only told: it is not taken with the enrolment.
        assert_eq!(sent(&[], &["student", "teacher"], &["student"]), ["Unassign student"]);
        // The last role that is there goes with the enrolment, whatever else would be called for.
        assert_eq!(sent(&["teacher"], &["student"], &["student"]), ["Unenrol "]);
    }

    #[test]
    fn what_is_no_enrolment_is_refused() {
        let mut ready = enrolment_change("k", "7", BTreeSet::new(), BTreeSet::new());
        for edit in [
            Edit::Standing { to: reconcile_state::Standing::Disabled },
            Edit::Add { attribute: COURSES, element: "no role".into() },
            Edit::Add { attribute: COURSES, element: format!("{A}/") },
            Edit::Add { attribute: reconcile_state::AttributeId(2), element: format!("{A}/student") },
        ] {
            ready.change.edits = vec![edit];
            assert_eq!(steps(&ready.change, Removal::Unenrol).unwrap_err().kind, ErrorKind::Rejected);
        }
    }
}
