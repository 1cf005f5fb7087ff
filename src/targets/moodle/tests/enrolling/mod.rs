//! Enrolments against the simulated site: what is read, what is written, and what is left alone.

mod both;
mod reading;
mod roles;
mod writing;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use reconcile_state::Key;

use super::*;
use crate::targets::moodle::ENROLMENTS;
use crate::targets::moodle::schema::{self, COURSES};
use crate::targets::moodle::sim::{Cost, Course, Enrolment, MANUAL, ManualInstance, Member};
use crate::targets::moodle::testing::enrolment_change;
use crate::targets::port::Parts;

const BY_REPORT: &str = "[enrolments.report]\nid = 2\n";
const SUSPEND: &str = "[enrolments]\nenrolment_removal = 'suspend'\nreport = { id = 2 }\n";
const SEMESTER: &str = "2026:HØST";
/// Role ids of a fresh site.
const ROLES: [(&str, u64); 4] = [("student", 5), ("teacher", 4), ("editingteacher", 3), ("manager", 1)];

fn key(code: &str) -> String {
    format!("185:{code}:1:{SEMESTER}")
}

fn elements(all: &[&str]) -> BTreeSet<String> {
    all.iter()
        .map(|one| {
            let (code, role) = one.split_once('/').unwrap();
            format!("{}/{role}", key(code))
        })
        .collect()
}

impl Site {
    fn course(&self, code: &str) -> u64 {
        self.course_called(&key(code))
    }

    fn course_called(&self, idnumber: &str) -> u64 {
        let course = Course { shortname: idnumber.into(), idnumber: idnumber.into(), category: 1, ..Course::default() };
        self.world().add_course(course)
    }

    /// Puts somebody into a course by a method, with roles.
    fn put(&self, course: u64, user: u64, method: &str, roles: &[&str]) {
        if method != MANUAL {
            self.world().edit_course(course, |course| course.methods.extend([method.to_owned()]));
        }
        self.world().edit_member(course, user, |member| {
            member.methods.insert(method.into(), Enrolment::default());
            member.roles.extend(roles.iter().map(|role| ROLES.iter().find(|(name, _)| name == role).unwrap().1));
        });
    }

    fn roles(&self, course: u64, user: u64) -> Vec<u64> {
        self.world().member(course, user).map(|member| member.roles.into_iter().collect()).unwrap_or_default()
    }

    /// Somebody has every role in a course, so that their ids are known once everything was read.
    async fn read_roles(&self) {
        let somebody = self.add("somebody", "oidc");
        self.put(self.course("ROLES"), somebody, MANUAL, &["student", "teacher", "editingteacher"]);
        self.page(&[]).await;
    }

    async fn parts(&self, wholes: &[(&str, u64)]) -> Result<Vec<Page>, TargetError> {
        let ask = Parts { wholes: wholes.iter().map(whole).collect(), all: true, ..within() };
        self.target.observer.reader.observe(ENROLMENTS, Ask::Parts(ask)).try_collect().await
    }

    async fn page(&self, wholes: &[(&str, u64)]) -> Page {
        let mut pages = self.parts(wholes).await.unwrap();
        assert_eq!(pages.len(), 1);
        pages.remove(0)
    }

    /// Elements and those that are kept, by user name.
    async fn read(&self, wholes: &[(&str, u64)]) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
        self.page(wholes)
            .await
            .seen
            .into_iter()
            .map(|seen| (handle_of(&seen), (elements_of(&seen), kept_of(&seen))))
            .collect()
    }

    /// What functions were called how often since the counts were taken.
    fn since(&self, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let calls = self.world().calls().into_iter();
        let calls = calls.map(|(name, count)| (name.clone(), count - before.get(&name).copied().unwrap_or_default()));
        calls.filter(|(_, count)| *count > 0).collect()
    }
}

fn within() -> Parts {
    Parts { within: vec![SEMESTER.into()], ..Parts::default() }
}

fn whole((name, id): &(&str, u64)) -> (Key, Remote) {
    (format!("key-{name}").as_str().into(), Remote { id: Some(id.to_string()), handle: Some((*name).to_owned()) })
}

fn handle_of(seen: &Seen) -> String {
    seen.remote.handle.clone().unwrap()
}

fn elements_of(seen: &Seen) -> BTreeSet<String> {
    seen.record.elements(COURSES).map(str::to_owned).collect()
}

fn kept_of(seen: &Seen) -> BTreeSet<String> {
    seen.kept.iter().map(|(_, element)| element.clone()).collect()
}

fn change(user: u64, want: &[&str], held: &[&str]) -> Ready {
    enrolment_change(&format!("key-{user}"), &user.to_string(), elements(want), elements(held))
}

fn kept(mut ready: Ready, kept: &[&str]) -> Ready {
    ready.change.kept = elements(kept).into_iter().map(|element| (COURSES, element)).collect();
    ready
}

fn landed(outcome: &Outcome) -> usize {
    assert_eq!((&outcome.error, &outcome.failed), (&None, &Vec::new()));
    outcome.landed.len()
}
