//! Trial: the service account itself is given a role that nobody holds, for as long as it takes to look what the site
//! calls it. No person ever has a role by a wrong id, however the trial ends.
//!
//! An account that is nobody's is in no course by itself. Wherever it is found in one of ours, a trial ended before it
//! was taken out again, and it is taken out.

use std::sync::Arc;

use super::super::answer::FETCH_FAILED;
use super::super::client::{Client, Failure};
use super::super::config::Settings;
use super::super::wire::{Call, Participant, Place, User};
use super::roles::{Book, unread};
use crate::model::{Effect, ErrorKind, TargetError};

/// Tries ids of roles.
pub struct Trial {
    client: Arc<Client>,
    settings: Arc<Settings>,
}

/// What came of a trial.
pub enum Tried {
    /// The book knows what the site showed.
    Shown,
    /// The course does not take it, and nothing was done.
    Refused(Failure),
}

impl Trial {
    /// Trials over this client.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>) -> Self {
        Self { client, settings }
    }

    /// Gives a role's id in a course, looks at the course, and takes it back whatever was seen.
    ///
    /// # Errors
    /// Nothing can be said of the id.
    pub async fn give(&self, (course, id): (u64, u64), book: &mut Book) -> Result<Tried, TargetError> {
        let own = self.own().await.map_err(|error| unread(&error))?;
        book.find_own(course);
        let given: Result<(), Failure> =
            self.client.ask(&Call::Enrol(vec![Place { user: own, course, role: id }])).await;
        let given = match given {
            Err(failure) if failure.error.effect == Effect::None => {
                book.lose_own(course);
                return Ok(Tried::Refused(failure));
            }
            given => given,
        };
        let people: Result<Vec<Participant>, TargetError> = self.client.call(&Call::Enrolled(course)).await;
        let is_over = given.as_ref().err().is_none_or(|failure| failure.error.effect == Effect::Partial);
        if is_over && people.as_ref().is_ok_and(|people| people.iter().all(|one| one.id != own)) {
            book.lose_own(course);
        }
        self.step_out(book).await;
        let people = people.map_err(|error| unread(&error))?;
        let is_shown = people.iter().any(|one| one.id == own && one.roles.iter().any(|role| role.roleid == id));
        book.note(&people);
        match given {
            Err(failure) if !is_shown && failure.error.effect == Effect::Partial => Ok(Tried::Refused(failure)),
            Err(failure) if !is_shown => Err(unread(&failure.error)),
            _ => Ok(Tried::Shown),
        }
    }

    /// Takes the service account out of the courses in which it is, or may be. What cannot be done is done later.
    pub async fn step_out(&self, book: &mut Book) {
        let courses = book.own_courses();
        if courses.is_empty() {
            return;
        }
        let Ok(own) = self.own().await else { return };
        for course in courses {
            match self.client.call::<()>(&Call::Unenrol(vec![Place { user: own, course, role: 0 }])).await {
                // Where the course or its manual method is gone there is nothing to be taken out of.
                Err(error) if error.effect == Effect::None && is_gone(error.kind) => book.lose_own(course),
                Ok(()) => book.lose_own(course),
                Err(_) => {}
            }
        }
    }

    /// The service account's id.
    ///
    /// # Errors
    /// It may be a person's.
    async fn own(&self) -> Result<u64, TargetError> {
        let own = self.client.site().await?.userid;
        let users: Vec<User> = self.client.call(&Call::ByField { field: "id", values: &[own.to_string()] }).await?;
        let auth = users.into_iter().find(|user| user.id == own).and_then(|user| user.auth);
        if auth.is_some_and(|auth| auth != self.settings.auth) {
            return Ok(own);
        }
        let message = "nobody holds it yet, and the service account cannot try it: it has the managed authentication \
                       method, and may be a person's; give it another";
        Err(TargetError::new(ErrorKind::Rejected, FETCH_FAILED, message))
    }
}

fn is_gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Rejected | ErrorKind::NotFound)
}
