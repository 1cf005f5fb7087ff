//! What people do on the site without a web service: categories, courses, memberships and tokens, past every check.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::catalogue::{Category, Course, ManualInstance};
use super::membership::Member;
use super::world::World;

impl World {
    /// All categories by id.
    pub fn categories(&self) -> Vec<Category> {
        self.lock().categories.values().cloned().collect()
    }

    /// Adds a category past every check.
    pub fn add_category(&self, category: Category) -> u64 {
        self.lock().insert_category(category)
    }

    /// All courses by id, the front page included.
    pub fn courses(&self) -> Vec<Course> {
        self.lock().courses.rows().values().cloned().collect()
    }

    /// Adds a course past every check, with a manual enrolment instance unless it brings one.
    pub fn add_course(&self, course: Course) -> u64 {
        let mut state = self.lock();
        let manual = course.manual.or(Some(ManualInstance { enabled: true, welcome: state.plan.welcome_message }));
        let (tick, id) = (state.tick(), state.courses.next_id());
        state.courses.insert(Course { id, manual, ..course }, tick);
        id
    }

    /// Changes a course as an administrator would by hand. Whether there is one.
    pub fn edit_course(&self, id: u64, edit: impl FnOnce(&mut Course)) -> bool {
        let mut state = self.lock();
        let Some(mut course) = state.courses.get(id).cloned() else { return false };
        edit(&mut course);
        course.id = id;
        let tick = state.tick();
        state.courses.insert(course, tick);
        true
    }

    /// All memberships by (course, user).
    pub fn members(&self) -> BTreeMap<(u64, u64), Member> {
        self.lock().members.rows().clone()
    }

    /// The membership of a user in a course.
    pub fn member(&self, course: u64, user: u64) -> Option<Member> {
        self.lock().members.get(course, user).cloned()
    }

    /// Changes a membership past every check: enrolled by hand, by another method, or taken out.
    pub fn edit_member(&self, course: u64, user: u64, edit: impl FnOnce(&mut Member)) {
        self.lock().members.edit(course, user, edit);
    }

    /// Takes a token away: `invalidtoken` from now on.
    pub fn revoke_token(&self, token: &str) {
        self.lock().tokens.revoke(token);
    }

    /// Lets a token end at this time: `accessexception` once, then `invalidtoken`.
    pub fn expire_token(&self, token: &str, at: Timestamp) {
        self.lock().tokens.expire(token, at);
    }
}
