//! Templates: duplicating a course, importing into one, and what a course contains (Moodle facts, section 6).

use serde_json::{Value, json};

use super::answer::name_out;
use super::call::Call;
use super::catalogue::Course;
use super::courses::{check_keys, check_lengths};
use super::refusal::Refusal;
use super::strict::{Fields, Text};
use super::world::State;

const DUPLICATE_OPTIONS: [&str; 10] = [
    "activities",
    "blocks",
    "filters",
    "users",
    "enrolments",
    "role_assignments",
    "comments",
    "userscompletion",
    "logs",
    "grade_histories",
];

/// Reads `options[]`; whether activities are wanted.
fn activities_wanted(options: &[(String, String)], known: &[&str]) -> Result<bool, Refusal> {
    let mut wanted = true;
    for (name, value) in options {
        if !known.contains(&name.as_str()) || !matches!(value.as_str(), "0" | "1") {
            return Err(Refusal::moodle("invalidextparam"));
        }
        if name == "activities" {
            wanted = value == "1";
        }
    }
    Ok(wanted)
}

/// `core_course_duplicate_course`: the template's dates and summary come along, its ID number does not. People are not
/// copied here whatever the options say. Of two that overlap on one template the later one fails after its course was made.
pub(super) fn duplicate(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let template = fields.need_id("courseid")?;
    let fullname = fields.need_text("fullname", Text::Plain)?;
    let shortname = fields.need_text("shortname", Text::Plain)?;
    let category = fields.need_id("categoryid")?;
    let visible = fields.int("visible")?.unwrap_or(1) != 0;
    let options = fields.pairs("options", "name", "value")?;
    fields.finish()?;
    let source = state.courses.get(template).cloned().ok_or_else(|| Refusal::moodle("invalidcourseid"))?;
    if !state.categories.contains_key(&category) {
        return Err(Refusal::record("context"));
    }
    let activities = activities_wanted(&options, &DUPLICATE_OPTIONS)?;
    let mut course = Course {
        id: 0,
        fullname,
        shortname,
        idnumber: String::new(),
        category,
        visible,
        created: call.second(),
        modified: call.second(),
        activities: if activities { source.activities.clone() } else { Vec::new() },
        ..source
    };
    check_keys(state, &course, call)?;
    course.id = state.courses.next_id();
    check_lengths(&course)?;
    let (id, shortname) = (course.id, course.shortname.clone());
    state.courses.insert(course, call.own);
    state.writes.records += 1;
    if state.batches.duplicated(template, call) {
        return Err(Refusal::php("Call to a member function delete() on bool"));
    }
    Ok(json!({"id": id, "shortname": shortname}))
}

/// `core_course_import_course`: content, not settings. A second import doubles every activity.
pub(super) fn import(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let from = fields.need_id("importfrom")?;
    let to = fields.need_id("importto")?;
    let replace = fields.int("deletecontent")?.unwrap_or(0);
    let options = fields.pairs("options", "name", "value")?;
    fields.finish()?;
    let source = state.courses.get(from).cloned().ok_or_else(|| Refusal::moodle("invalidcourseid"))?;
    let mut course = state.courses.get(to).cloned().ok_or_else(|| Refusal::moodle("invalidcourseid"))?;
    if !matches!(replace, 0 | 1) {
        return Err(Refusal::moodle("invalidextparam"));
    }
    let activities = activities_wanted(&options, &["activities", "blocks", "filters"])?;
    if replace == 1 {
        course.activities.clear();
    }
    if activities {
        course.activities.extend(source.activities);
    }
    course.modified = call.second();
    state.courses.insert(course, call.own);
    state.writes.records += 1;
    Ok(Value::Null)
}

/// `core_course_get_contents`: one section holding every activity.
pub(super) fn contents(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let id = fields.need_id("courseid")?;
    fields.pairs("options", "name", "value")?;
    fields.finish()?;
    let course = state.courses.get(id).ok_or_else(|| Refusal::record("course"))?;
    let modules: Vec<Value> = course
        .activities
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let modname = if name == "Announcements" { "forum" } else { "page" };
            json!({"id": id * 1000 + place as u64, "name": name_out(name, call.raw), "modname": modname, "visible": 1})
        })
        .collect();
    Ok(json!([{
        "id": id,
        "name": "General",
        "visible": 1,
        "summary": "",
        "summaryformat": 1,
        "section": 0,
        "hiddenbynumsections": 0,
        "uservisible": true,
        "modules": modules,
    }]))
}
