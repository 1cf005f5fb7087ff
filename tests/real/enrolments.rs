//! Accounts, enrolments and marks together: a directory, PostgreSQL and a site, all of it on one campus.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use reconcile::policy::{CourseKey, day};
use reconcile::sim::campus::{CampusPerson, CampusPlan};
use reconcile::targets::moodle::sim::{Course, Enrolment, MANUAL, SitePlan};

use crate::rig::{AUTH, Rig, username};

/// Roles of the source, and the ids of the site's roles.
const ROLES: [(&str, u64); 4] = [("student", 5), ("responsible", 3), ("lecturer", 3), ("assistant", 4)];
const STUDENT: u64 = 5;

/// Who is in which course in which role, by user name, course and role id.
type Seats = BTreeSet<(String, String, u64)>;

struct University {
    rig: Rig,
    /// Ids of the managed courses at the site, by ID number.
    courses: BTreeMap<String, u64>,
}

impl University {
    fn new(seed: u64, people: usize, courses: std::ops::RangeInclusive<usize>) -> Self {
        let plan = CampusPlan { courses, today: day(Timestamp::now()), ..CampusPlan::new(seed, people) };
        let site = SitePlan { welcome_message: false, ..SitePlan::default() };
        let mut rig = Rig::on_postgres(&plan, site);
        rig.reconfigure(
            "enabled = false\n",
            "enabled = true\nbatch_size = 500\n[moodle.enrolments.report]\nid = 2\n\
             [portal]\n[portal.pace]\nper_second = 5000\nburst = 50\nconcurrency = 4\n",
        );
        let keys = rig.campus.teachings.iter().filter_map(|one| CourseKey::new(&one.topic_id, &one.semester_id));
        let keys: BTreeSet<String> = keys.map(|key| key.to_string()).collect();
        let make = |key: String| {
            let course = Course {
                fullname: key.clone(),
                shortname: key.clone(),
                idnumber: key.clone(),
                category: 1,
                format: "topics".to_owned(),
                visible: true,
                ..Course::default()
            };
            let id = rig.world().add_course(course);
            (key, id)
        };
        let courses = keys.into_iter().map(make).collect();
        Self { rig, courses }
    }

    /// The semester that the day is in.
    fn current(&self) -> String {
        let today = day(Timestamp::now()).to_string();
        let mut semesters = self.rig.campus.semesters.iter();
        semesters.find(|one| one.starts_on <= today && today <= one.ends_on).unwrap().id.clone()
    }

    /// Who has an open account at the site.
    fn open_accounts(&self) -> BTreeMap<String, u64> {
        let open = self.rig.managed().into_iter().filter(|user| !user.suspended);
        open.map(|user| (user.username, user.id)).collect()
    }

    /// Who should be in which course, worked out from MetaVault as it is now.
    fn wanted(&self) -> Seats {
        let current = self.current();
        let rows = self.rig.rows(
            "SELECT e.uhid, t.topic_id, t.semester_id, e.role FROM mv_enrolment e JOIN mv_teaching t ON t.id = e.teaching_id \
             JOIN mv_topic p ON p.source_id = t.topic_id WHERE e.status = 'A' AND t.status = 'A' AND p.status = 'A'",
        );
        let accounts = self.open_accounts();
        let names: BTreeMap<&str, String> = self.rig.plain().map(|p| (p.uhid.as_str(), username(p))).collect();
        let processed = self.processed();
        assert!(processed.contains(&current));
        let seat = |row: &Vec<String>| {
            let name = names.get(row[0].as_str()).filter(|name| accounts.contains_key(*name))?;
            let role = ROLES.iter().find(|(role, _)| *role == row[3])?.1;
            let key = CourseKey::new(&row[1], &row[2])?.to_string();
            (processed.contains(&row[2])).then(|| (name.clone(), key, role))
        };
        rows.iter().filter_map(seat).collect()
    }

    /// The current semester, and the next one where its time has come.
    fn processed(&self) -> BTreeSet<String> {
        let (today, current) = (day(Timestamp::now()), self.current());
        let next = match (today.month(), &current) {
            (11.., _) => Some(format!("{}:VÅR", today.year() + 1)),
            (5..=7, _) => Some(format!("{}:HØST", today.year())),
            _ => None,
        };
        [current].into_iter().filter(|id| !id.ends_with("SOM")).chain(next).collect()
    }

    /// Who is in which managed course by the manual method.
    fn seats(&self) -> Seats {
        let world = self.rig.world();
        let users: BTreeMap<u64, String> = world.users().into_iter().map(|user| (user.id, user.username)).collect();
        let courses: BTreeMap<u64, &String> = self.courses.iter().map(|(key, id)| (*id, key)).collect();
        let mut seats = Seats::new();
        for ((course, user), member) in world.members() {
            let Some(key) = courses.get(&course) else { continue };
            if member.methods.contains_key(MANUAL) {
                seats.extend(member.roles.iter().map(|role| (users[&user].clone(), (*key).clone(), *role)));
            }
        }
        seats
    }

    /// Holds enrolments against MetaVault, and marks against accounts.
    fn is_right(&self) {
        let (wanted, seats) = (self.wanted(), self.seats());
        let gone: Vec<_> = wanted.difference(&seats).take(3).collect();
        // Odd people have their own tests, and a closed account keeps what it has.
        let accounts = self.open_accounts();
        let plain: BTreeSet<String> =
            self.rig.plain().map(username).filter(|name| accounts.contains_key(name)).collect();
        let more: Vec<_> = seats.difference(&wanted).filter(|(name, ..)| plain.contains(name)).take(3).collect();
        assert!(gone.is_empty() && more.is_empty(), "missing {gone:?}, and too many: {more:?}");
        let accounts: BTreeMap<String, (u64, bool)> =
            self.rig.managed().into_iter().map(|user| (user.username, (user.id, user.suspended))).collect();
        let marks = self.rig.slapd.values(&["idautoPersonAppRoles5", "idautoPersonAppRoles7", "idautoPersonAppRoles8"]);
        let mut marked = 0;
        for person in self.rig.plain() {
            let entry = &marks[&person.uhid];
            let of = |attribute: &str| entry.get(attribute).cloned().unwrap_or_default();
            let (birthright, requested) = (of("idautoPersonAppRoles5"), of("idautoPersonAppRoles8"));
            let has = |values: &BTreeSet<String>| values.iter().any(|value| value.eq_ignore_ascii_case("moodle"));
            let Some((id, suspended)) = accounts.get(&username(person)) else { continue };
            assert_eq!(has(&birthright) || has(&requested), !suspended, "the mark of {}", person.uhid);
            assert!(of("idautoPersonAppRoles7").contains(&format!("moodle:{id}")), "the id of {}", person.uhid);
            marked += usize::from(!suspended);
        }
        assert!(marked * 2 > self.rig.campus.people.len(), "{marked} are marked");
    }

    /// All requests to the site so far.
    fn requests(&self) -> u64 {
        self.rig.world().calls().values().sum()
    }

    fn in_sync(&self) {
        let before = self.requests();
        let run = self.rig.json(&["--plan"]).expect(0);
        for pipeline in run.report()["pipelines"].as_array().unwrap() {
            assert_eq!(pipeline["changes"].as_array().map(Vec::len), Some(0), "{}", pipeline["name"]);
        }
        let sent = self.requests() - before;
        assert!(sent <= 10, "a pass that does nothing sent {sent} requests");
        println!("plan, nothing to do: {:?}, {sent} requests", run.took);
    }

    /// Changes one in a hundred of everything, on both sides.
    fn change_one_percent(&self) {
        let rig = &self.rig;
        let people: Vec<&CampusPerson> = rig.plain().collect();
        let some = people.len() / 100;
        let mut ldif = String::new();
        for (at, person) in people.iter().step_by(100).enumerate() {
            let dn = person.dn();
            let _ = write!(ldif, "dn: {dn}\nchangetype: modify\nreplace: sn\nsn: Nytt-Navn {at}\n\n");
            if at < 30 {
                let _ = write!(ldif, "dn: {dn}\nchangetype: modify\nreplace: idautoDisabled\nidautoDisabled: TRUE\n\n");
            }
        }
        for person in people.iter().skip(31).step_by(100) {
            let _ = write!(ldif, "dn: {}\nchangetype: modify\nreplace: idautoPersonAppRoles5\n\n", person.dn());
        }
        rig.slapd.modify(&ldif);
        // Half a percent of the rows go, as many come.
        let current = self.current();
        let rows: u64 = rig.rows(&format!(
            "SELECT count(*)::text FROM mv_enrolment e JOIN mv_teaching t ON t.id = e.teaching_id WHERE t.semester_id = '{current}'"
        ))[0][0]
            .parse()
            .unwrap();
        let half = rows / 200;
        rig.sql(&format!(
            "DELETE FROM mv_enrolment WHERE ctid IN (SELECT e.ctid FROM mv_enrolment e JOIN mv_teaching t ON t.id = e.teaching_id \
             WHERE t.semester_id = '{current}' ORDER BY md5(e.uhid || e.teaching_id) LIMIT {half});
             INSERT INTO mv_enrolment (uhid, teaching_id, kind, role, status, updated_at) \
             SELECT uhid, teaching_id, 'student', 'student', 'A', '2026-01-01T00:00:00Z' FROM \
             (SELECT DISTINCT p.uhid, t.id AS teaching_id FROM (SELECT DISTINCT uhid FROM mv_person ORDER BY uhid LIMIT {half}) p, \
             (SELECT id FROM mv_teaching WHERE semester_id = '{current}' AND status = 'A' ORDER BY id LIMIT 1) t) n \
             ON CONFLICT DO NOTHING;"
        ));
        let world = rig.world();
        for (at, user) in rig.managed().into_iter().skip(50).step_by(100).enumerate() {
            world.edit_user(user.id, |user| match at % 3 {
                0 => user.department = "By hand".into(),
                1 => user.suspended = true,
                _ => user.firstname = "By hand".into(),
            });
        }
        let members: Vec<(u64, u64)> = world.members().into_keys().collect();
        for (course, user) in members.iter().skip(100).step_by(200) {
            world.edit_member(*course, *user, |member| {
                member.methods.clear();
                member.roles.clear();
            });
        }
        let accounts: Vec<u64> = self.open_accounts().into_values().collect();
        let courses: Vec<u64> =
            self.courses.iter().filter(|(key, _)| key.ends_with(&current)).map(|(_, id)| *id).collect();
        for at in 0..usize::try_from(half).unwrap() {
            let (course, user) = (courses[at % courses.len()], accounts[(at * 7) % accounts.len()]);
            if world.member(course, user).is_none() {
                world.edit_member(course, user, |member| {
                    member.methods.insert(MANUAL.to_owned(), Enrolment::default());
                    member.roles.insert(STUDENT);
                });
            }
        }
        println!(
            "changed: {some} people, {half} rows gone and as many new, {} enrolments by hand",
            members.len() / 100
        );
    }
}

#[test]
fn a_university_with_150_000_enrolments_converges_and_is_repaired_in_one_pass() {
    let mut university = University::new(1, 20_000, 11..=13);
    university.rig.reconfigure("first_load = true", "first_load = false");
    let rig = &university.rig;
    let before = rig.outside();
    let plan = rig.run(&["--plan", "--out", "plan.json"]).expect(2);
    rig.nothing_was_written(&before);
    let apply = rig.run(&["--approve", "plan.json", "--why", "first load"]).expect(0);
    university.in_sync();
    university.is_right();
    let seats = university.seats().len();
    assert!(seats >= 150_000, "{seats} enrolments");
    println!("{seats} enrolments: plan {:?}, first load {:?}", plan.took, apply.took);

    university.change_one_percent();
    let repaired = rig.run(&["--yes"]).expect(0);
    println!("repair {:?}", repaired.took);
    university.in_sync();
    university.is_right();
}

#[test]
fn wrong_ids_of_roles_give_nobody_a_role_and_right_ones_are_carried_through_at_once() {
    let mut university = University::new(5, 400, 3..=5);
    let swapped = "[moodle.enrolments.role_ids]\nstudent = 3\nteacher = 4\neditingteacher = 5\n";
    university.rig.reconfigure("[moodle.enrolments.report]\n", &format!("{swapped}[moodle.enrolments.report]\n"));
    let wrong = ["MOODLE_ROLE_ID_WRONG", "correct enrolments.role_ids.student"];
    let run = university.rig.run(&["--yes"]).expect(4);
    run.says(&wrong);
    let held: BTreeSet<u64> = university.seats().into_iter().map(|(.., role)| role).collect();
    assert_eq!(held, BTreeSet::from([4]), "assistants alone");
    // Once somebody has the role that the id belongs to, it is not tried.
    let world = university.rig.world();
    let (course, guest) =
        (*university.courses.values().next().unwrap(), world.users().into_iter().find(|u| u.auth != AUTH));
    world.edit_member(course, guest.unwrap().id, |member| {
        member.methods.insert(MANUAL.to_owned(), Enrolment::default());
        member.roles.extend([3, STUDENT]);
    });
    university.rig.run(&["check"]).expect(1).says(&["role `student` is 5 at the site and 3 in role_ids"]);
    let taken_out = || world.calls().get("enrol_manual_unenrol_users").copied();
    let before = taken_out();
    university.rig.run(&["--yes", "--allow", "additions"]).expect(4).says(&wrong);
    assert_eq!(taken_out(), before, "nothing had to be tried");
    university.rig.reconfigure(swapped, "");
    university.rig.run(&["--yes", "--allow", "additions"]).expect(0);
    university.is_right();
    university.in_sync();
}

#[test]
fn rows_that_no_setting_knows_are_told_by_the_plan_and_by_check() {
    let mut university = University::new(6, 400, 3..=5);
    let roles = "[moodle.enrolments.roles]\n\"studnet/student\" = \"student\"\n\"teacher/lecturer\" = \"teacher\"\n";
    university.rig.reconfigure("[moodle.enrolments.report]\n", &format!("{roles}[moodle.enrolments.report]\n"));
    university.rig.run(&["--plan"]).expect(2).says(&["left out of what the sources say: student/student is not in"]);
    let check = university.rig.run(&["check"]).expect(0);
    check.says(&["active rows give nothing: `student/student` (", "no row of mv_enrolment is `studnet/student`"]);
    university.rig.reconfigure(roles, "");
    let number = university.rig.campus.teachings[0].topic_id.split(':').next().unwrap().to_owned();
    university.rig.reconfigure(&format!("number = \"{number}\""), "number = \"999\"");
    let check = university.rig.run(&["check"]).expect(0);
    check.says(&["no course of institution 999 among", "no active row is of a topic of institution 999"]);
}

#[test]
fn what_is_anybody_elses_in_a_course_is_left_as_it_is() {
    let university = University::new(3, 400, 3..=5);
    let rig = &university.rig;
    rig.run(&["--yes"]).expect(0);
    let world = rig.world();
    let accounts: Vec<u64> = university.open_accounts().into_values().collect();
    let course = *university.courses.iter().find(|(key, _)| key.ends_with(&university.current())).unwrap().1;
    let free = || accounts.iter().copied().filter(|user| world.member(course, *user).is_none());
    let (by_self, extra) = (free().next().unwrap(), free().nth(1).unwrap());
    // Enrolled by another method; a role that is not mapped; a course that is not managed; a person who is not ours.
    world.edit_member(course, by_self, |member| {
        member.methods.insert("self".to_owned(), Enrolment::default());
        member.roles.insert(STUDENT);
    });
    world.edit_member(course, extra, |member| {
        member.methods.insert("self".to_owned(), Enrolment::default());
        member.roles.insert(1);
    });
    let other = world.add_course(Course {
        shortname: "Other".into(),
        idnumber: "other".into(),
        category: 1,
        ..Course::default()
    });
    world.edit_member(other, accounts[0], |member| {
        member.methods.insert(MANUAL.to_owned(), Enrolment::default());
        member.roles.insert(STUDENT);
    });
    let guest = world.users().into_iter().find(|user| user.auth != AUTH).unwrap().id;
    world.edit_member(course, guest, |member| {
        member.methods.insert(MANUAL.to_owned(), Enrolment::default());
        member.roles.insert(STUDENT);
    });
    let before = world.members();
    rig.run(&["--yes"]).expect(0);
    assert!(world.members() == before, "somebody else's enrolments were touched");
}

#[test]
fn an_empty_or_half_loaded_table_takes_nothing_from_anybody() {
    let university = University::new(4, 600, 3..=5);
    let rig = &university.rig;
    rig.run(&["--yes"]).expect(0);
    let before = rig.world().members();
    for half in ["mv_enrolment WHERE true", "mv_enrolment WHERE teaching_id % 2 = 0"] {
        rig.sql(&format!("CREATE TABLE aside AS SELECT * FROM mv_enrolment; DELETE FROM {half};"));
        // An account changes meanwhile: that goes on.
        let somebody = rig.managed().into_iter().find(|user| !user.suspended).unwrap();
        rig.world().edit_user(somebody.id, |user| user.department = "By hand".into());
        rig.run(&["--yes"]).expect(5).says(&["attribute-shrunk"]);
        assert!(rig.world().members() == before, "somebody was unenrolled");
        assert_ne!(rig.world().user(&somebody.username).unwrap().department, "By hand");
        rig.sql("DELETE FROM mv_enrolment; INSERT INTO mv_enrolment SELECT * FROM aside; DROP TABLE aside;");
        rig.run(&["--yes"]).expect(0);
        assert!(rig.world().members() == before);
    }
}
