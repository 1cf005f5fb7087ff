//! What the site shows of the ids of roles. No function lists roles, but a course's participants come with the ids
//! and short names of what they hold: an id that is another role's there is never sent.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::{Mutex, MutexGuard};

use super::super::answer::{FETCH_FAILED, ROLE_ID_WRONG};
use super::super::client::Client;
use super::super::wire::{Call, Participant};
use super::config::RoleIds;
use crate::model::{Effect, ErrorKind, TargetError};

/// Most courses that are looked at for the ids of roles.
const MOST: usize = 10;

/// So many courses are remembered in which a role is held: one of them may be gone when it is looked at.
const HELD: usize = 3;

/// What is known of the ids of roles, shared by all who read participants.
pub struct Roles {
    ids: RoleIds,
    book: Mutex<Book>,
}

/// What was seen since all enrolments were last read.
#[derive(Default)]
pub struct Book {
    /// Short names by id, as the site shows them.
    names: BTreeMap<u64, String>,
    /// Courses in which somebody holds a role, by its short name; the smallest first.
    held: BTreeMap<String, Vec<u64>>,
    /// Courses of which that is not known, and that may be looked at all the same.
    others: Vec<u64>,
    /// Courses that were looked at.
    looked: BTreeSet<u64>,
    /// Roles that a course does not show although the service account was just given them there.
    hidden: BTreeSet<String>,
    /// Courses in which the service account itself is, or may be.
    own: BTreeSet<u64>,
}

/// What is known of a configured id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    /// It is the role's.
    Right,
    /// It is not: in words.
    Wrong(String),
    /// Nobody was seen with the role, nor with the id.
    Unseen,
}

impl Roles {
    /// Nothing is known yet of these ids.
    pub fn new(ids: &RoleIds) -> Self {
        Self { ids: ids.clone(), book: Mutex::default() }
    }

    /// What is known. Held while something is found out, so that everybody else waits for it.
    pub async fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().await
    }

    /// Forgets what was seen: all enrolments are read anew.
    pub async fn renew(&self) {
        *self.book().await = Book::default();
    }

    /// What is known of the id of a configured role.
    pub fn known(&self, role: &str, book: &Book) -> Known {
        let Some(id) = self.ids.get(role).copied() else { return Known::Unseen };
        let shown = book.names.get(&id).map(String::as_str);
        if shown == Some(role) {
            return Known::Right;
        }
        let own = book.names.iter().find(|(_, name)| *name == role).map(|(id, _)| *id);
        match (own, shown) {
            (None, None) => Known::Unseen,
            (Some(own), None) => Known::Wrong(format!("role `{role}` is {own} at the site and {id} in role_ids")),
            (None, Some(other)) => {
                Known::Wrong(format!("role `{role}` is {id} in role_ids, which is `{other}` at the site"))
            }
            (Some(own), Some(other)) => Known::Wrong(format!(
                "role `{role}` is {own} at the site and {id} in role_ids, which is `{other}` there"
            )),
        }
    }

    /// Looks at courses until each of these roles was seen, where one is known in which it, or a role that may bear
    /// its id, is held.
    ///
    /// # Errors
    /// A course cannot be read, and that not because it is gone.
    pub async fn look(&self, client: &Client, wanted: &BTreeSet<&str>, book: &mut Book) -> Result<(), TargetError> {
        while book.looked.len() < MOST && wanted.iter().any(|role| self.known(role, book) == Known::Unseen) {
            let Some(course) = self.next(wanted, book) else { break };
            book.looked.insert(course);
            match client.call::<Vec<Participant>>(&Call::Enrolled(course)).await {
                Ok(people) => book.note(&people),
                Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A course that may show more.
    fn next(&self, wanted: &BTreeSet<&str>, book: &Book) -> Option<u64> {
        let unseen = |role: &str| self.known(role, book) == Known::Unseen;
        let unlooked = |courses: &Vec<u64>| courses.iter().copied().find(|course| !book.looked.contains(course));
        let mut own = wanted.iter().filter(|role| unseen(role)).filter_map(|role| book.held.get(*role));
        let unnamed = |name: &String| !book.names.values().any(|known| known == name);
        let mut foreign = book.held.iter().filter(|(name, _)| unnamed(name)).map(|(_, courses)| courses);
        own.find_map(unlooked).or_else(|| foreign.find_map(unlooked)).or_else(|| unlooked(&book.others))
    }
}

impl Book {
    /// Notes what a course shows.
    pub fn note(&mut self, people: &[Participant]) {
        for role in people.iter().flat_map(|person| &person.roles) {
            if self.names.get(&role.roleid) != Some(&role.shortname) {
                // What was seen last holds: two ids of one name, or two names of one id, there never are.
                self.names.retain(|_, name| *name != role.shortname);
                self.names.insert(role.roleid, role.shortname.clone());
            }
        }
    }

    /// Notes in which courses roles are held; the smallest courses come first.
    pub fn hold(&mut self, held: BTreeMap<String, BTreeSet<(usize, u64)>>) {
        let courses = |courses: BTreeSet<(usize, u64)>| courses.into_iter().take(HELD).map(|(_, id)| id).collect();
        self.held = held.into_iter().map(|(role, all)| (role, courses(all))).collect();
    }

    /// Adds courses that may be looked at where nothing tells who holds what.
    pub fn try_also(&mut self, courses: impl Iterator<Item = u64>) {
        self.others = courses.take(MOST).collect();
    }

    /// How many courses were looked at.
    pub fn looked(&self) -> usize {
        self.looked.len()
    }

    /// Courses in which the service account is, or may be.
    pub fn own_courses(&self) -> Vec<u64> {
        self.own.iter().copied().collect()
    }

    /// Notes that the service account is in a course, or may be.
    pub fn find_own(&mut self, course: u64) {
        self.own.insert(course);
    }

    /// Notes that it is not.
    pub fn lose_own(&mut self, course: u64) {
        self.own.remove(&course);
    }

    /// Whether the service account was given the role and the site did not show it.
    pub fn hides(&self, role: &str) -> bool {
        self.hidden.contains(role)
    }

    /// Notes that the site does not show a role that was just given.
    pub fn hide(&mut self, role: &str) {
        self.hidden.insert(role.to_owned());
    }
}

/// The refusal of a role whose id is another's.
pub fn wrong(role: &str, words: &str) -> TargetError {
    let message = format!("{words}; nothing is sent with it; correct enrolments.role_ids.{role}");
    TargetError::new(ErrorKind::Rejected, ROLE_ID_WRONG, message)
}

/// The refusal of a role whose id could not be compared, although the service lists the function for it.
pub fn unread(error: &TargetError) -> TargetError {
    let mut error = error.clone().effect(Effect::None);
    error.message = format!("the ids of roles could not be compared: {}", error.message);
    if error.kind == ErrorKind::Auth && error.code == FETCH_FAILED {
        error.message.push_str("; grant moodle/course:viewparticipants and moodle/role:review");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::moodle::wire::HeldRole;

    fn shown(book: &mut Book, roles: &[(u64, &str)]) {
        let roles = roles.iter().map(|(id, name)| HeldRole { roleid: *id, shortname: (*name).to_owned() }).collect();
        book.note(&[Participant { id: 7, username: String::new(), roles }]);
    }

    fn roles() -> Roles {
        Roles::new(
            &[("student", 3), ("teacher", 4), ("editingteacher", 5)].map(|(name, id)| (name.to_owned(), id)).into(),
        )
    }

    #[test]
    fn an_id_is_wrong_where_the_role_has_another_and_where_another_role_has_it() {
        let (roles, mut book) = (roles(), Book::default());
        assert_eq!(roles.known("student", &book), Known::Unseen);
        shown(&mut book, &[(3, "editingteacher"), (4, "teacher")]);
        assert_eq!(roles.known("teacher", &book), Known::Right);
        for (role, words) in
            [("student", "is 3 in role_ids, which is `editingteacher`"), ("editingteacher", "is 3 at the site")]
        {
            let Known::Wrong(said) = roles.known(role, &book) else { panic!("{role}") };
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(roles.known("manager", &book), Known::Unseen, "its id is no setting");
    }

    #[test]
    fn what_was_seen_last_holds() {
        let (roles, mut book) = (roles(), Book::default());
        shown(&mut book, &[(3, "editingteacher"), (5, "student")]);
        shown(&mut book, &[(3, "student")]);
        assert_eq!(roles.known("student", &book), Known::Right);
        assert_eq!((book.names.get(&5), roles.known("editingteacher", &book)), (None, Known::Unseen));
    }
}
