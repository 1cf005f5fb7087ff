//! The simulated site as the demo starts it: with foreign accounts, the courses of the current and the next
//! semester, both reports, and somebody who changes things by hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::policy::CourseKey;
use crate::sim::campus::Campus;
use crate::targets::moodle::sim::{Course, Enrolment, MANUAL, MoodleSim, SitePlan, User, World};
use crate::targets::port::Simulation;

const TOKEN: &str = "DEMO_MOODLE_TOKEN";
const AUTH: &str = "oidc";
/// The site's id of the role that the hand-made participants have.
const STUDENT: u64 = 5;
/// Of so many courses one is not made yet.
const LEFT_OUT: usize = 50;
/// A course that somebody made by hand, and its participants' method.
const HAND_MADE: &str = "Library courses";
const HAND_METHOD: &str = "self";

/// A running site.
pub struct Site(MoodleSim);

impl Site {
    /// Starts a site on which nobody but its administrators and two others has an account, with the courses of
    /// this campus.
    pub async fn start(campus: &Campus) -> std::io::Result<Self> {
        let plan = SitePlan { site_name: "Demo campus".into(), welcome_message: false, ..SitePlan::default() };
        let site = MoodleSim::start(plan).await?;
        let by_hand = site
            .world()
            .add_course(Course { methods: BTreeSet::from([HAND_METHOD.to_owned()]), ..course(HAND_MADE, "LIBRARY") });
        for name in ["guest.lecturer", "library-kiosk"] {
            let user = User { username: name.into(), auth: "manual".into(), ..User::default() };
            let user = site.world().add_user(User {
                firstname: "Local".into(),
                lastname: "Account".into(),
                email: format!("{name}@elsewhere.example"),
                ..user
            });
            if let Some(user) = user {
                put(site.world(), by_hand, user, HAND_METHOD);
            }
        }
        for (at, key) in taught(campus).into_iter().enumerate() {
            if at % LEFT_OUT != LEFT_OUT / 2 {
                let name = format!("{}-{} {} {}", key.code, key.version, key.year, key.term.as_str());
                site.world().add_course(course(&name, &key.to_string()));
            }
        }
        Ok(Self(site))
    }

    /// Accounts that are managed, by user name: ids depend on which batch came first.
    fn managed(&self) -> Vec<User> {
        let users = self.0.world().users().into_iter();
        let mut managed: Vec<User> = users.filter(|user| user.auth == AUTH && !user.suspended).collect();
        managed.sort_by(|one, two| one.username.cmp(&two.username));
        managed
    }

    /// Courses by their ID numbers, with their ids.
    fn courses(&self) -> BTreeMap<String, u64> {
        let courses = self.0.world().courses().into_iter();
        courses.filter(|course| CourseKey::parse(&course.idnumber).is_some()).map(|c| (c.idnumber, c.id)).collect()
    }

    /// Takes somebody out of a course and puts somebody else into one, past every list.
    fn tamper_with_enrolments(&self) -> Vec<String> {
        let (world, courses, people) = (self.0.world(), self.courses(), self.managed());
        let members = world.members();
        let is_in = |course: u64, user: &User| members.contains_key(&(course, user.id));
        // Somebody in the middle of the alphabet, beside those whose accounts are changed.
        let people: Vec<&User> = people.iter().skip(5).step_by(11).collect();
        let mut told = Vec::new();
        let out = people.iter().find_map(|user| {
            let (number, course) = courses.iter().find(|(_, course)| is_in(**course, user))?;
            Some((*user, number, *course))
        });
        if let Some((user, number, course)) = out {
            world.edit_member(course, user.id, |member| {
                member.methods.clear();
                member.roles.clear();
            });
            told.push(format!("Moodle: somebody unenrolled {} from {number}", user.username));
        }
        let busy = courses.iter().find(|(_, course)| members.keys().any(|(of, _)| of == *course));
        let into = busy.and_then(|(number, course)| {
            let stranger = people.iter().rev().find(|user| !is_in(*course, user))?;
            Some((*stranger, number, *course))
        });
        if let Some((user, number, course)) = into {
            put(world, course, user.id, MANUAL);
            told.push(format!("Moodle: somebody enrolled {} in {number}", user.username));
        }
        told
    }
}

fn course(name: &str, idnumber: &str) -> Course {
    Course {
        fullname: name.to_owned(),
        shortname: name.to_owned(),
        idnumber: idnumber.to_owned(),
        category: 1,
        format: "topics".to_owned(),
        visible: true,
        ..Course::default()
    }
}

fn put(world: &World, course: u64, user: u64, method: &str) {
    world.edit_member(course, user, |member| {
        member.methods.insert(method.to_owned(), Enrolment::default());
        member.roles.insert(STUDENT);
    });
}

/// What is taught in the current and in the next semester, each course once, in the order of the keys.
fn taught(campus: &Campus) -> BTreeSet<CourseKey> {
    let day = |text: &str| text.parse::<Date>().ok();
    let ends = |last: &str| day(last).is_some_and(|last| last >= campus.plan.today);
    let coming = campus.semesters.iter().filter(|semester| ends(&semester.ends_on) && semester.term != "SOM");
    let semesters: BTreeSet<&str> = coming.take(2).map(|semester| semester.id.as_str()).collect();
    let held = campus.teachings.iter().filter(|one| one.status == "A" && semesters.contains(one.semester_id.as_str()));
    held.filter_map(|one| CourseKey::new(&one.topic_id, &one.semester_id)).collect()
}

impl Simulation for Site {
    fn section(&self) -> String {
        format!(
            "[moodle]\nurl = \"{}\"\ntoken = \"env:{TOKEN}\"\nauth = \"{AUTH}\"\nbatch_size = 200\nmax_fields = 4500\n\n\
             [moodle.report]\nid = 1\n\n[moodle.pace]\nper_second = 200\nburst = 20\nconcurrency = 4\n\n\
             [moodle.enrolments.report]\nid = 2\n",
            self.0.base_url()
        )
    }

    fn secrets(&self) -> Vec<(String, String)> {
        vec![(TOKEN.to_owned(), self.0.token().to_owned())]
    }

    fn tamper(&self) -> Vec<String> {
        let world = self.0.world();
        let mut told = Vec::new();
        for (at, user) in self.managed().into_iter().step_by(97).take(6).enumerate() {
            let did = match at % 3 {
                0 => {
                    world.edit_user(user.id, |user| user.department = "Typed in by hand".into());
                    "gave another department to"
                }
                1 => {
                    world.edit_user(user.id, |user| user.suspended = true);
                    "suspended"
                }
                _ => {
                    world.edit_user(user.id, |user| user.firstname = "Oops".into());
                    "renamed"
                }
            };
            told.push(format!("Moodle: somebody {did} {}", user.username));
        }
        told.extend(self.tamper_with_enrolments());
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::campus::CampusPlan;

    #[tokio::test]
    async fn the_demo_s_site_has_its_courses_but_for_a_few_and_is_the_same_every_time() {
        let campus = Campus::generate(&CampusPlan::new(7, 600));
        let (one, other) = (Site::start(&campus).await.unwrap(), Site::start(&campus).await.unwrap());
        let numbers = |site: &Site| site.courses().into_keys().collect::<Vec<_>>();
        assert_eq!(numbers(&one), numbers(&other));
        let all = taught(&campus);
        let semesters: BTreeSet<String> = all.iter().map(CourseKey::semester).collect();
        assert_eq!(semesters, BTreeSet::from(["2026:HØST".to_owned(), "2027:VÅR".to_owned()]));
        let made = numbers(&one).len();
        assert!(made < all.len() && made * 10 > all.len() * 9, "{made} of {}", all.len());
        assert_eq!(one.0.world().members().len(), 2, "two by another method");
    }

    #[tokio::test]
    async fn somebody_is_taken_out_and_somebody_put_in_by_hand() {
        let campus = Campus::generate(&CampusPlan::new(7, 600));
        let site = Site::start(&campus).await.unwrap();
        let world = site.0.world();
        let course = *site.courses().values().next().unwrap();
        for nth in 0..300 {
            let name = format!("user{nth:03}");
            let user =
                User { username: name.clone(), auth: AUTH.into(), email: format!("{name}@x.no"), ..User::default() };
            let user = world.add_user(user).unwrap();
            if nth < 150 {
                put(world, course, user, MANUAL);
            }
        }
        let before = world.members();
        let told = site.tamper();
        let after = world.members();
        assert!(
            told.iter().any(|one| one.contains("unenrolled")) && told.iter().any(|one| one.contains("enrolled user2"))
        );
        assert_eq!(before.len(), after.len());
        assert_eq!(before.keys().filter(|key| !after.contains_key(*key)).count(), 1);
    }
}
