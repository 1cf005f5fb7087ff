//! Properties of categories, courses and templates.

use serde_json::{Value, json};

use super::testing::{ask, at, code, site, token_form};
use super::*;

const CREATE: &str = "core_course_create_courses";
const UPDATE: &str = "core_course_update_courses";

fn course(shortname: &str) -> Course {
    Course { shortname: shortname.into(), fullname: shortname.into(), category: 1, ..Course::default() }
}

fn create_with(world: &World, changes: &[(&str, &str)]) -> String {
    let mut record = vec![("fullname", "Logic"), ("shortname", "LOG1"), ("categoryid", "1")];
    for (key, value) in changes {
        record.retain(|(known, _)| known != key);
        record.push((key, value));
    }
    let fields: Vec<(String, &str)> =
        record.into_iter().map(|(key, value)| (format!("courses[0][{key}]"), value)).collect();
    let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    code(world, CREATE, &fields)
}

#[test]
fn a_bad_course_is_refused_with_its_code() {
    let long = "x".repeat(300);
    for (changes, want) in [
        (&[][..], ""),
        (&[("shortname", "TAKEN")], "shortnametaken"),
        (&[("shortname", "taken")], ""),
        (&[("idnumber", "185:TAKEN")], "courseidnumbertaken"),
        (&[("categoryid", "77")], "errorcatcontextnotvalid"),
        (&[("fullname", " ")], "errorinvalidparam"),
        (&[("fullname", "<b>x</b>")], "invalidparameter"),
        (&[("fullname", "1 < 2 & 3")], ""),
        (&[("fullname", long.as_str())], "dmlwriteexception"),
        (&[("startdate", "2000"), ("enddate", "1000")], "enddatebeforestartdate"),
        (&[("format", "nonsense")], ""),
        (&[("zzz", "1")], "invalidparameter"),
    ] {
        let world = site();
        world.add_course(Course { idnumber: "185:TAKEN".into(), ..course("TAKEN") });
        let before = world.digest();
        assert_eq!(create_with(&world, changes), want, "{changes:?}");
        assert_eq!(world.digest() == before, !want.is_empty());
    }
}

#[test]
fn one_bad_course_of_two_undoes_both() {
    let world = site();
    let fields = [
        ("courses[0][fullname]", "A"),
        ("courses[0][shortname]", "A"),
        ("courses[0][categoryid]", "1"),
        ("courses[1][fullname]", "B"),
        ("courses[1][shortname]", "A"),
        ("courses[1][categoryid]", "1"),
    ];
    assert_eq!(code(&world, CREATE, &fields), "shortnametaken");
    assert_eq!(world.courses().len(), 1);
    assert_eq!(create_with(&world, &[]), "");
    assert_eq!(world.courses()[1].id, 3, "the first id is burnt");
}

#[test]
fn an_update_leaves_a_category_that_does_not_exist() {
    let world = site();
    let id = world.add_course(course("A"));
    world.add_course(course("B"));
    let update = |fields: &[(&str, &str)]| {
        let id = id.to_string();
        let mut all = vec![("courses[0][id]", id.as_str())];
        all.extend(fields);
        ask(&world, UPDATE, &all)["warnings"][0]["warningcode"].clone()
    };
    assert_eq!(update(&[("courses[0][categoryid]", "77")]), "invalidrecord");
    assert_eq!(world.courses()[1].category, 77);
    assert_eq!(update(&[("courses[0][categoryid]", "1")]), Value::Null);
    assert_eq!(world.courses()[1].category, 1);
    assert_eq!(update(&[("courses[0][shortname]", "B")]), "shortnametaken");
    assert_eq!(update(&[("courses[0][enddate]", "5000")]), "nostartdatenoenddate");
    assert_eq!(update(&[("courses[0][idnumber]", "185:X")]), Value::Null);
    let missing = ask(&world, UPDATE, &[("courses[0][id]", "99")]);
    assert_eq!(missing["warnings"][0]["warningcode"], "invalidrecord");
    let gone = ask(&world, "core_course_delete_courses", &[("courseids[0]", "99")]);
    assert_eq!(gone["warnings"][0]["warningcode"], "unknowncourseidnumber");
}

#[test]
fn names_leave_escaped_unless_raw() {
    let world = site();
    world.add_course(Course { fullname: "A & B".into(), ..course("A") });
    let token = SitePlan::default().token;
    let read = |raw: &str| {
        let form = Form::of([
            ("wstoken", token.as_str()),
            ("wsfunction", "core_course_get_courses"),
            ("moodlewsrestformat", "json"),
            ("moodlewssettingraw", raw),
        ]);
        world.call(&form, at(0)).json()[1]["fullname"].clone()
    };
    assert_eq!((read("0"), read("1")), (json!("A &amp; B"), json!("A & B")));
}

#[test]
fn courses_are_read_with_the_site_and_a_written_row_moves_to_the_end() {
    let world = site();
    let first = world.add_course(course("A"));
    world.add_course(Course { idnumber: "185:B".into(), ..course("B") });
    world.edit_course(first, |course| course.summary = "new".into());
    let names = |answer: &Value| {
        let rows = answer.as_array().unwrap().iter();
        rows.map(|row| row["shortname"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ask(&world, "core_course_get_courses", &[]);
    assert_eq!(names(&all)[1..], ["B", "A"]);
    assert_eq!((&all[0]["format"], &all[0]["categoryid"]), (&json!("site"), &json!(0)));
    assert_eq!(
        names(&ask(&world, "core_course_get_courses", &[("options[ids][0]", "2"), ("options[ids][]", "99")])),
        ["A"]
    );
    let by = |field: &str, value: &str| {
        ask(&world, "core_course_get_courses_by_field", &[("field", field), ("value", value)])
    };
    assert_eq!(names(&by("idnumber", "185:B")["courses"]), ["B"]);
    assert_eq!(by("ids", "2,3")["courses"].as_array().unwrap().len(), 2);
    let crash = by("ids", "2,99");
    assert!(crash["exception"] == "Error" && crash.get("errorcode").is_none());
    assert_eq!(by("zzz", "1")["errorcode"], "invalidparameter");
}

#[test]
fn a_duplicate_has_the_template_s_dates_and_no_idnumber() {
    let world = site();
    let template = world.add_course(Course {
        idnumber: "185:T".into(),
        startdate: 77,
        summary: "about".into(),
        activities: vec!["Page".into(), "Quiz".into()],
        ..course("T")
    });
    let id = template.to_string();
    let fields = |shortname: &'static str| {
        [("courseid", id.as_str()), ("fullname", "New"), ("shortname", shortname), ("categoryid", "1")]
    };
    let made = ask(&world, "core_course_duplicate_course", &fields("N"));
    let copy = world.courses().into_iter().find(|course| made["id"] == course.id).unwrap();
    assert_eq!((copy.startdate, copy.summary.as_str(), copy.idnumber.as_str()), (77, "about", ""));
    assert_eq!(copy.activities, ["Page", "Quiz"]);
    assert_eq!(code(&world, "core_course_duplicate_course", &fields("N")), "shortnametaken");
    let mut bad = fields("M").to_vec();
    bad.extend([("options[0][name]", "zzz"), ("options[0][value]", "1")]);
    assert_eq!(code(&world, "core_course_duplicate_course", &bad), "invalidextparam");
    let token = SitePlan::default().token;
    let arrivals = [world.arrive(), world.arrive()];
    let call = |arrival, name| {
        world.call_since(arrival, &token_form(&token, "core_course_duplicate_course", &fields(name)), at(0)).json()
    };
    assert_eq!(call(arrivals[0], "P1")["shortname"], "P1");
    let failed = call(arrivals[1], "P2");
    assert!(failed["exception"] == "Error" && failed.get("errorcode").is_none());
    assert!(world.courses().iter().any(|course| course.shortname == "P2"), "made although it failed");
}

#[test]
fn a_second_import_doubles_everything_unless_content_is_replaced() {
    let world = site();
    let from = world.add_course(Course { activities: vec!["Page".into()], ..course("T") }).to_string();
    let to = world.add_course(Course { activities: vec!["Announcements".into()], ..course("N") });
    let to_text = to.to_string();
    let import = |replace: &str| {
        let fields = [("importfrom", from.as_str()), ("importto", to_text.as_str()), ("deletecontent", replace)];
        assert_eq!(ask(&world, "core_course_import_course", &fields), Value::Null);
        let contents = ask(&world, "core_course_get_contents", &[("courseid", to_text.as_str())]);
        contents[0]["modules"].as_array().unwrap().len()
    };
    assert_eq!((import("0"), import("0"), import("1"), import("1")), (2, 3, 1, 1));
}

#[test]
fn categories_guard_only_their_idnumber_and_read_depth_first() {
    let world = site();
    let create = |fields: &[(&str, &str)]| ask(&world, "core_course_create_categories", fields);
    let top = create(&[("categories[0][name]", "2026"), ("categories[0][idnumber]", "185:2026")])[0]["id"].to_string();
    for _ in 0..2 {
        let made = create(&[("categories[0][name]", "VÅR"), ("categories[0][parent]", &top)]);
        assert_eq!(made[0]["name"], "VÅR", "names may repeat");
    }
    for (fields, want) in [
        (vec![("categories[0][name]", "X"), ("categories[0][idnumber]", "185:2026")], "categoryidnumbertaken"),
        (vec![("categories[0][name]", "X"), ("categories[0][parent]", "99")], "unknowcategory"),
        (vec![("categories[0][name]", "")], "categorynamerequired"),
        (vec![("categories[0][name]", "<b>x</b>")], "invalidparameter"),
    ] {
        assert_eq!(create(&fields)["errorcode"], want);
    }
    let get = |fields: &[(&str, &str)]| ask(&world, "core_course_get_categories", fields);
    let all = get(&[]);
    assert_eq!(all.as_array().unwrap().len(), 4);
    assert_eq!((&all[0]["idnumber"], &all[2]["path"]), (&Value::Null, &json!("/2/3")));
    let key = [("criteria[0][key]", "idnumber"), ("criteria[0][value]", "185:2026")];
    assert_eq!(get(&key).as_array().unwrap().len(), 3);
    assert_eq!(get(&[key[0], key[1], ("addsubcategories", "0")]).as_array().unwrap().len(), 1);
    assert_eq!(get(&[("criteria[0][key]", "zzz"), ("criteria[0][value]", "1")])["errorcode"], "criteriaerror");
    let update = |fields: &[(&str, &str)]| ask(&world, "core_course_update_categories", fields);
    assert_eq!(update(&[("categories[0][id]", "3"), ("categories[0][name]", "SOM")]), Value::Null);
    assert_eq!(world.categories()[2].name, "SOM");
    assert_eq!(
        update(&[("categories[0][id]", "2"), ("categories[0][parent]", "3")])["errorcode"],
        "cannotmovecategory"
    );
}
