//! Who is in which course, by which method, in which roles. The rules are in `enrolments.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// The manual method.
pub const MANUAL: &str = "manual";

/// One enrolment by one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolment {
    /// Whether it is suspended.
    pub suspended: bool,
    /// From when, Unix seconds, 0 for always.
    pub timestart: i64,
    /// Until when, Unix seconds, 0 for ever.
    pub timeend: i64,
}

impl Enrolment {
    /// Neither suspended nor outside its time.
    pub fn is_current(self, now: Timestamp) -> bool {
        let now = now.as_second();
        !self.suspended && self.timestart <= now && (self.timeend == 0 || self.timeend > now)
    }
}

/// A person in a course: enrolments by method, and role assignments, which need no enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Enrolments by method.
    pub methods: BTreeMap<String, Enrolment>,
    /// Role ids held in the course.
    pub roles: BTreeSet<u64>,
}

/// All memberships, by course and by user.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    rows: BTreeMap<(u64, u64), Member>,
    courses_of: BTreeSet<(u64, u64)>,
}

impl Members {
    /// All rows by (course, user).
    pub(super) fn rows(&self) -> &BTreeMap<(u64, u64), Member> {
        &self.rows
    }

    /// The members of a course by user id, role holders without enrolment included.
    pub(super) fn of_course(&self, course: u64) -> impl Iterator<Item = (u64, &Member)> {
        self.rows.range((course, 0)..=(course, u64::MAX)).map(|((_, user), member)| (*user, member))
    }

    /// The courses a user is a member of.
    pub(super) fn courses_of(&self, user: u64) -> impl Iterator<Item = u64> {
        self.courses_of.range((user, 0)..=(user, u64::MAX)).map(|(_, course)| *course)
    }

    /// A membership.
    pub(super) fn get(&self, course: u64, user: u64) -> Option<&Member> {
        self.rows.get(&(course, user))
    }

    /// Changes a membership, which begins when it is first changed and ends when nothing is left of it.
    pub(super) fn edit(&mut self, course: u64, user: u64, edit: impl FnOnce(&mut Member)) {
        let member = self.rows.entry((course, user)).or_default();
        edit(member);
        if member.methods.is_empty() && member.roles.is_empty() {
            self.rows.remove(&(course, user));
            self.courses_of.remove(&(user, course));
        } else {
            self.courses_of.insert((user, course));
        }
    }

    /// Takes a user out of every course.
    pub(super) fn forget_user(&mut self, user: u64) {
        let courses: Vec<u64> = self.courses_of(user).collect();
        for course in courses {
            self.rows.remove(&(course, user));
            self.courses_of.remove(&(user, course));
        }
    }

    /// Takes everybody out of a course.
    pub(super) fn forget_course(&mut self, course: u64) {
        let users: Vec<u64> = self.of_course(course).map(|(user, _)| user).collect();
        for user in users {
            self.rows.remove(&(course, user));
            self.courses_of.remove(&(user, course));
        }
    }
}
