//! Properties of enrolments and roles.

use serde_json::Value;

use super::testing::{ask, at, code, site, token_form, user};
use super::*;

const ENROL: &str = "enrol_manual_enrol_users";
const UNENROL: &str = "enrol_manual_unenrol_users";

/// A site with one course and two users, and their ids as text.
fn campus() -> (World, String, [String; 2]) {
    let world = site();
    let course = world.add_course(Course { shortname: "A".into(), category: 1, ..Course::default() });
    let ids = ["kari", "ola"].map(|name| world.add_user(user(name)).unwrap().to_string());
    (world, course.to_string(), ids)
}

fn enrol(world: &World, role: &str, user: &str, course: &str, more: &[(&str, &str)]) -> String {
    let mut fields =
        vec![("enrolments[0][roleid]", role), ("enrolments[0][userid]", user), ("enrolments[0][courseid]", course)];
    fields.extend(more);
    code(world, ENROL, &fields)
}

fn member(world: &World, course: &str, user: &str) -> Option<Member> {
    world.member(course.parse().unwrap(), user.parse().unwrap())
}

#[test]
fn a_bad_enrolment_undoes_the_batch() {
    let (world, course, [kari, ola]) = campus();
    world.delete_user(ola.parse().unwrap(), at(0));
    let closed = world.add_course(Course { shortname: "B".into(), ..Course::default() });
    world.edit_course(closed, |course| course.manual = None);
    let closed = closed.to_string();
    for (role, user, course, want) in [
        ("5", "999", course.as_str(), "invaliduser"),
        ("5", &ola, &course, "userdeleted"),
        ("5", &kari, "999", "invalidparameter"),
        ("5", &kari, &closed, "wsnoinstance"),
        ("5", &kari, "1", "wsnoinstance"),
        ("1", &kari, &course, "wsusercannotassign"),
        ("99", &kari, &course, "wsusercannotassign"),
        ("x", &kari, &course, "invalidparameter"),
    ] {
        let more =
            [("enrolments[1][roleid]", role), ("enrolments[1][userid]", user), ("enrolments[1][courseid]", course)];
        assert_eq!(enrol(&world, "5", &kari, "2", &more), want);
    }
    assert!(world.members().is_empty());
}

#[test]
fn roles_accumulate_and_a_repeated_enrolment_ends_a_suspension() {
    let (world, course, [kari, _]) = campus();
    assert_eq!(
        enrol(&world, "5", &kari, &course, &[("enrolments[0][suspend]", "1"), ("enrolments[0][timeend]", "9")]),
        ""
    );
    assert!(member(&world, &course, &kari).unwrap().methods[MANUAL].suspended);
    assert_eq!(enrol(&world, "4", &kari, &course, &[]), "");
    let now = member(&world, &course, &kari).unwrap();
    assert_eq!(now.methods[MANUAL], Enrolment::default());
    assert_eq!(now.roles, [4, 5].into());
}

#[test]
fn unenrolling_takes_every_role_and_leaves_other_methods() {
    let (world, course, [kari, ola]) = campus();
    enrol(&world, "5", &kari, &course, &[]);
    enrol(&world, "4", &kari, &course, &[]);
    world.edit_member(course.parse().unwrap(), ola.parse().unwrap(), |member| {
        member.methods.insert("cohort".into(), Enrolment::default());
        member.roles.insert(5);
    });
    let unenrol = |user: &str, course: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("enrolments[0][userid]", user), ("enrolments[0][courseid]", course)];
        fields.extend(more);
        code(&world, UNENROL, &fields)
    };
    assert_eq!(unenrol(&kari, &course, &[("enrolments[0][roleid]", "5")]), "invalidparameter");
    assert_eq!(unenrol("999", &course, &[]), "invaliduser");
    assert_eq!(unenrol(&kari, "999", &[]), "invalidrecord");
    assert_eq!(unenrol(&kari, "1", &[]), "wsnoinstance");
    for user in [&kari, &kari, &ola] {
        assert_eq!(unenrol(user, &course, &[]), "");
    }
    assert!(member(&world, &course, &kari).is_none());
    assert_eq!(member(&world, &course, &ola).unwrap().roles, [5].into());
}

#[test]
fn roles_change_without_mail_and_without_looking_at_enrolment() {
    let (world, course, [kari, _]) = campus();
    let change = |function: &str, list: &str, role: &str, user: &str, course: &str, level: &str| {
        let key = |name: &str| format!("{list}[0][{name}]");
        let (a, b, c, d) = (key("roleid"), key("userid"), key("contextlevel"), key("instanceid"));
        code(&world, function, &[(&a, role), (&b, user), (&c, level), (&d, course)])
    };
    let assign = |role: &str, user: &str, course: &str| {
        change("core_role_assign_roles", "assignments", role, user, course, "course")
    };
    for _ in 0..2 {
        assert_eq!(assign("5", &kari, &course), "");
    }
    assert_eq!(member(&world, &course, &kari).unwrap().roles, [5].into());
    assert_eq!(assign("5", &kari, "999"), "invalidparameter");
    assert_eq!(assign("99", &kari, &course), "invalidparameter");
    assert_eq!(assign("5", "999", &course), "codingerror");
    for _ in 0..2 {
        assert_eq!(change("core_role_unassign_roles", "unassignments", "5", &kari, &course, "course"), "");
    }
    assert!(world.members().is_empty());
    assert_eq!(world.mail().sent, 0);
}

#[test]
fn a_failed_welcome_mail_leaves_the_enrolments_stored() {
    let (world, course, [kari, ola]) = campus();
    enrol(&world, "5", &ola, &course, &[]);
    assert_eq!(world.mail().sent, 0, "no teacher, no mail");
    enrol(&world, "3", &kari, &course, &[]);
    enrol(&world, "5", &ola, &course, &[]);
    assert_eq!(world.mail().sent, 2, "also for one that changes nothing");
    world.break_mail(true);
    assert_eq!(enrol(&world, "4", &ola, &course, &[]), "Message was not sent.");
    assert_eq!(member(&world, &course, &ola).unwrap().roles, [4, 5].into());
    world.edit_course(2, |course| course.manual = Some(ManualInstance { enabled: true, welcome: false }));
    assert_eq!(enrol(&world, "5", &ola, &course, &[]), "");
}

#[test]
fn overlapping_batches_over_the_same_users_in_another_order_deadlock() {
    let (world, course, [kari, ola]) = campus();
    let other = world.add_course(Course { shortname: "B".into(), ..Course::default() }).to_string();
    let token = SitePlan::default().token;
    let batch = |course: &str, users: [&str; 2]| {
        let fields = [
            ("enrolments[0][roleid]", "5"),
            ("enrolments[0][userid]", users[0]),
            ("enrolments[0][courseid]", course),
            ("enrolments[1][roleid]", "5"),
            ("enrolments[1][userid]", users[1]),
            ("enrolments[1][courseid]", course),
        ];
        token_form(&token, ENROL, &fields)
    };
    let arrivals = [world.arrive(), world.arrive(), world.arrive()];
    let call = |arrival, form: &Form| world.call_since(arrival, form, at(0)).json();
    assert_eq!(call(arrivals[0], &batch(&course, [&kari, &ola])), Value::Null);
    let lost = call(arrivals[1], &batch(&other, [&ola, &kari]));
    assert_eq!(lost["errorcode"], "dmlwriteexception");
    assert_eq!(world.members().len(), 2, "nothing of the lost batch");
    assert_eq!(call(arrivals[2], &batch(&other, [&kari, &ola])), Value::Null, "sorted by user nobody loses");
    assert_eq!(world.call(&batch(&other, [&ola, &kari]), at(0)).json(), Value::Null, "one after the other neither");
}

#[test]
fn the_people_of_a_course_are_read_narrowly_and_by_state() {
    let (world, course, [kari, ola]) = campus();
    enrol(&world, "5", &kari, &course, &[]);
    enrol(&world, "5", &ola, &course, &[("enrolments[0][suspend]", "1")]);
    let read = |options: &[(&str, &str)]| {
        let mut fields = vec![("courseid".to_owned(), course.clone())];
        for (place, (name, value)) in options.iter().enumerate() {
            fields.push((format!("options[{place}][name]"), (*name).into()));
            fields.push((format!("options[{place}][value]"), (*value).into()));
        }
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        ask(&world, "core_enrol_get_enrolled_users", &fields)
    };
    let rows = read(&[("userfields", "id,username,idnumber,roles")]);
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["fullname", "id", "roles", "username"]);
    assert_eq!(rows[0]["roles"][0]["shortname"], "student");
    assert_eq!(rows.as_array().unwrap().len(), 2);
    let names = |options: &[(&str, &str)]| {
        let rows = read(options);
        rows.as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[("onlysuspended", "1")]), ["ola"]);
    assert_eq!(names(&[("onlyactive", "1")]), ["kari"]);
    assert_eq!(names(&[("limitfrom", "1"), ("limitnumber", "5")]), ["ola"]);
    assert_eq!(read(&[("onlyactive", "1"), ("onlysuspended", "1")])["errorcode"], "codingerror");
    assert_eq!(read(&[("userfields", "id,zzz")])["errorcode"], "invaliduserfield");
    assert!(read(&[])[0].get("enrolledcourses").is_some());
    let of = |user: &str| ask(&world, "core_enrol_get_users_courses", &[("userid", user), ("returnusercount", "0")]);
    assert_eq!(of(&kari)[0]["shortname"], "A");
    assert!(of(&kari)[0].get("enrolledusercount").is_none());
    assert_eq!((of(&ola), of("999")), (Value::Array(vec![]), Value::Array(vec![])));
    let methods = ask(&world, "core_enrol_get_course_enrolment_methods", &[("courseid", course.as_str())]);
    assert_eq!(methods, Value::Array(vec![]), "manual instances are not listed");
}
