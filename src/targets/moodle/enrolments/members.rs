//! Who is in a course by the site's own word, looked at once before anybody is enrolled there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Mutex;

use super::super::client::Client;
use super::super::wire::{Call, Participant};
use super::roles::Roles;
use crate::model::TargetError;

/// Ids of accounts in one course, by whatever method and in whatever state.
pub type People = Arc<BTreeSet<u64>>;

/// Courses that were looked at.
pub struct Members {
    client: Arc<Client>,
    roles: Arc<Roles>,
    concurrency: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    since: u64,
    courses: BTreeMap<u64, People>,
}

impl Members {
    /// Nothing was looked at yet.
    pub fn new(client: Arc<Client>, roles: Arc<Roles>, concurrency: usize) -> Self {
        Self { client, roles, concurrency, known: Mutex::default() }
    }

    /// Who is in these courses, each as it was first looked at since the `since`th reading of all.
    pub async fn of(&self, mut courses: BTreeSet<u64>, since: u64) -> BTreeMap<u64, Result<People, TargetError>> {
        // Whoever comes meanwhile waits, and finds the same courses looked at.
        let mut known = self.known.lock().await;
        if known.since != since {
            *known = Known { since, ..Known::default() };
        }
        let mut found = BTreeMap::new();
        courses.retain(|course| match known.courses.get(course) {
            Some(people) => {
                found.insert(*course, Ok(Arc::clone(people)));
                false
            }
            None => true,
        });
        let looks = courses.into_iter().map(|course| async move {
            let people = self.client.call::<Vec<Participant>>(&Call::Enrolled(course)).await;
            (course, people)
        });
        let looks: Vec<_> = looks.collect();
        let mut answers = stream::iter(looks).buffer_unordered(self.concurrency);
        while let Some((course, answer)) = answers.next().await {
            let people = match answer {
                Ok(people) => people,
                Err(error) => {
                    found.insert(course, Err(error));
                    continue;
                }
            };
            self.roles.book().await.note(&people);
            let people = Arc::new(people.into_iter().map(|person| person.id).collect());
            known.courses.insert(course, Arc::clone(&people));
            found.insert(course, Ok(people));
        }
        found
    }
}
