//! Creating, updating and deleting courses (Moodle facts, section 6). Copying is `course_copy.rs`, reading
//! `courses_read.rs`.

use serde_json::{Value, json};

use super::call::Call;
use super::catalogue::{Course, FRONT_PAGE, ManualInstance};
use super::refusal::Refusal;
use super::strict::{Fields, Text};
use super::world::State;

/// How long a course lasts unless it says so, in seconds (`courseduration`).
const COURSE_SECONDS: i64 = 365 * 86_400;

/// Settings that are stored as sent.
const SETTINGS: [&str; 11] = [
    "showgrades",
    "newsitems",
    "numsections",
    "maxbytes",
    "showreports",
    "hiddensections",
    "groupmode",
    "groupmodeforce",
    "defaultgroupingid",
    "enablecompletion",
    "completionnotify",
];

/// A course record as sent.
#[derive(Debug, Default)]
struct Patch {
    fullname: Option<String>,
    shortname: Option<String>,
    category: Option<u64>,
    idnumber: Option<String>,
    summary: Option<String>,
    format: Option<String>,
    lang: Option<String>,
    startdate: Option<i64>,
    enddate: Option<i64>,
    visible: Option<bool>,
    settings: Vec<(String, i64)>,
}

impl Patch {
    fn read(mut fields: Fields<'_>, create: bool, state: &State) -> Result<Self, Refusal> {
        let mut patch = Self::default();
        if create {
            patch.fullname = Some(fields.need_text("fullname", Text::Plain)?);
            patch.shortname = Some(fields.need_text("shortname", Text::Plain)?);
            patch.category = Some(fields.need_id("categoryid")?);
        } else {
            patch.fullname = fields.text("fullname", Text::Plain)?;
            patch.shortname = fields.text("shortname", Text::Plain)?;
            patch.category = fields.int("categoryid")?.map(|id| u64::try_from(id).unwrap_or(0));
        }
        patch.idnumber = fields.text("idnumber", Text::Raw)?;
        patch.summary = fields.text("summary", Text::Raw)?;
        fields.int("summaryformat")?;
        patch.format = fields.text("format", Text::AlphaNumExt)?;
        patch.startdate = fields.int("startdate")?;
        patch.enddate = fields.int("enddate")?;
        patch.visible = fields.int("visible")?.map(|visible| visible != 0);
        patch.lang = fields.text("lang", Text::AlphaNumExt)?;
        if patch.lang.as_ref().is_some_and(|lang| !lang.is_empty() && !state.plan.languages.contains(lang)) {
            return Err(Refusal::parameter("lang"));
        }
        fields.text("forcetheme", Text::AlphaNumExt)?;
        for key in SETTINGS {
            if let Some(number) = fields.int(key)? {
                patch.settings.push((key.to_owned(), number));
            }
        }
        // Unknown format options and custom fields are ignored; there are no others here.
        fields.pairs("courseformatoptions", "name", "value")?;
        fields.pairs("customfields", "shortname", "value")?;
        fields.finish()?;
        Ok(patch)
    }

    fn apply(&self, course: &mut Course) {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut course.fullname, &self.fullname);
        set(&mut course.shortname, &self.shortname);
        set(&mut course.idnumber, &self.idnumber);
        set(&mut course.summary, &self.summary);
        set(&mut course.format, &self.format);
        set(&mut course.lang, &self.lang);
        course.category = self.category.unwrap_or(course.category);
        course.startdate = self.startdate.unwrap_or(course.startdate);
        course.enddate = self.enddate.unwrap_or(course.enddate);
        course.visible = self.visible.unwrap_or(course.visible);
        course.settings.extend(self.settings.iter().cloned());
    }
}

/// `core_course_create_courses`: one transaction.
pub(super) fn create(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut patches = Vec::new();
    for record in fields.need_records("courses")? {
        patches.push(Patch::read(record, true, state)?);
    }
    fields.finish()?;
    let mut made = Vec::new();
    for patch in &patches {
        match create_one(state, patch, call) {
            Ok(id) => made.push(id),
            Err(refusal) => {
                for id in made {
                    state.courses.remove(id);
                }
                return Err(refusal);
            }
        }
    }
    state.writes.records += made.len() as u64;
    let row = |id: u64| state.courses.get(id).map(|course| json!({"id": id, "shortname": course.shortname}));
    Ok(made.into_iter().filter_map(row).collect())
}

fn create_one(state: &mut State, patch: &Patch, call: &Call) -> Result<u64, Refusal> {
    let today = call.second() - call.second().rem_euclid(86_400);
    let startdate = patch.startdate.unwrap_or(today);
    let mut course = Course {
        format: "topics".into(),
        startdate,
        enddate: startdate + COURSE_SECONDS,
        visible: true,
        manual: Some(ManualInstance { enabled: true, welcome: state.plan.welcome_message }),
        created: call.second(),
        modified: call.second(),
        ..Course::default()
    };
    patch.apply(&mut course);
    if !state.categories.contains_key(&course.category) {
        return Err(Refusal::moodle("errorcatcontextnotvalid"));
    }
    if course.fullname.trim().is_empty() || course.shortname.trim().is_empty() {
        return Err(Refusal::moodle("errorinvalidparam"));
    }
    check_keys(state, &course, call)?;
    if course.enddate != 0 && course.enddate < course.startdate {
        return Err(Refusal::moodle("enddatebeforestartdate"));
    }
    course.id = state.courses.next_id();
    check_lengths(&course)?;
    if course.settings.get("newsitems") != Some(&0) {
        course.activities.push("Announcements".into());
    }
    let id = course.id;
    state.courses.insert(course, call.own);
    Ok(id)
}

/// Refuses a short name or ID number that another visible course has. Queries, not constraints.
pub(super) fn check_keys(state: &State, course: &Course, call: &Call) -> Result<(), Refusal> {
    let others = || {
        let rows = state.courses.rows().values();
        rows.filter(|other| other.id != course.id && call.sees(state.courses.stamp(other.id)))
    };
    if others().any(|other| other.shortname == course.shortname) {
        return Err(Refusal::moodle("shortnametaken"));
    }
    if !course.idnumber.is_empty() && others().any(|other| other.idnumber == course.idnumber) {
        return Err(Refusal::moodle("courseidnumbertaken"));
    }
    Ok(())
}

/// Refuses a value too long for its column, as the database does.
pub(super) fn check_lengths(course: &Course) -> Result<(), Refusal> {
    for (text, longest) in [(&course.fullname, 254), (&course.shortname, 255), (&course.idnumber, 100)] {
        if text.chars().count() > longest {
            return Err(Refusal::write("value too long for type character varying"));
        }
    }
    Ok(())
}

/// `core_course_update_courses`: no transaction. A category that does not exist is reported, and stays in the course.
pub(super) fn update(state: &mut State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut patches = Vec::new();
    for mut record in fields.need_records("courses")? {
        let id = record.need_id("id")?;
        patches.push((id, Patch::read(record, false, state)?));
    }
    fields.finish()?;
    let mut warnings = Vec::new();
    for (id, patch) in &patches {
        if let Err(refusal) = update_one(state, *id, patch, call) {
            warnings.push(json!({
                "item": "course",
                "itemid": id,
                "warningcode": refusal.code(),
                "message": refusal.message,
            }));
        } else {
            state.writes.records += 1;
        }
    }
    Ok(json!({"warnings": warnings}))
}

fn update_one(state: &mut State, id: u64, patch: &Patch, call: &Call) -> Result<(), Refusal> {
    let mut course = state
        .courses
        .get(id)
        .filter(|course| course.id != FRONT_PAGE)
        .cloned()
        .ok_or_else(|| Refusal::record("course"))?;
    patch.apply(&mut course);
    check_keys(state, &course, call)?;
    if course.enddate != 0 && course.startdate == 0 {
        return Err(Refusal::moodle("nostartdatenoenddate"));
    }
    if course.enddate != 0 && course.enddate < course.startdate {
        return Err(Refusal::moodle("enddatebeforestartdate"));
    }
    check_lengths(&course)?;
    course.modified = call.second();
    let category = course.category;
    state.courses.insert(course, call.own);
    if state.categories.contains_key(&category) { Ok(()) } else { Err(Refusal::record("course_categories")) }
}

/// `core_course_delete_courses`: per course.
pub(super) fn delete(state: &mut State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let ids = fields.need_ids("courseids")?;
    fields.finish()?;
    let mut warnings = Vec::new();
    for id in ids {
        if id != FRONT_PAGE && state.courses.remove(id).is_some() {
            state.members.forget_course(id);
            state.writes.records += 1;
        } else {
            let code = "unknowncourseidnumber";
            warnings.push(json!({"item": "course", "itemid": id, "warningcode": code, "message": "Unknown course ID"}));
        }
    }
    Ok(json!({"warnings": warnings}))
}
