//! Reading courses (Moodle facts, section 6).

use serde_json::{Value, json};

use super::answer::name_out;
use super::call::Call;
use super::catalogue::Course;
use super::refusal::Refusal;
use super::strict::{Fields, Text, integer};
use super::world::State;

/// `core_course_get_courses`: the front page among them, in the order the database holds the rows.
pub(super) fn get(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let mut ids = None;
    if let Some(mut options) = fields.record("options")? {
        ids = options.ids("ids")?.filter(|ids| !ids.is_empty());
        options.finish()?;
    }
    fields.finish()?;
    let rows = state.courses.in_storage_order();
    let asked = |course: &&Course| ids.as_ref().is_none_or(|ids| ids.contains(&course.id));
    Ok(rows.into_iter().filter(asked).map(|course| row(course, call)).collect())
}

/// `core_course_get_courses_by_field`.
pub(super) fn by_field(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let field = fields.text("field", Text::Alpha)?.unwrap_or_default();
    let value = fields.text("value", Text::Raw)?.unwrap_or_default();
    fields.finish()?;
    let number = |text: &str| integer(text).and_then(|id| u64::try_from(id).ok());
    let test: Box<dyn Fn(&Course) -> bool> = match field.as_str() {
        "" => Box::new(|_| true),
        "id" | "category" | "sectionid" => {
            let wanted = number(&value).ok_or_else(|| Refusal::parameter("value"))?;
            match field.as_str() {
                "id" => Box::new(move |course| course.id == wanted),
                "category" => Box::new(move |course| course.category == wanted),
                // Sections are numbered after their course here.
                _ => Box::new(move |course| course.id == wanted),
            }
        }
        "ids" => {
            let ids: Vec<u64> = value.split(',').filter_map(number).collect();
            if ids.iter().any(|id| state.courses.get(*id).is_none()) {
                return Err(Refusal::php("Attempt to read property \"id\" on bool"));
            }
            Box::new(move |course| ids.contains(&course.id))
        }
        "shortname" => Box::new(move |course| course.shortname == value),
        "idnumber" => Box::new(move |course| course.idnumber == value),
        _ => return Err(Refusal::parameter("Invalid field name")),
    };
    let courses: Vec<Value> = state
        .courses
        .in_storage_order()
        .into_iter()
        .filter(|course| test(course))
        .map(|course| {
            let mut row = row(course, call);
            let category = state.categories.get(&course.category).map_or("", |category| &category.name);
            let methods = course.manual.iter().map(|_| "manual").chain(course.methods.iter().map(String::as_str));
            row["categoryname"] = name_out(category, call.raw).into();
            row["enrollmentmethods"] = methods.collect();
            row["contacts"] = json!([]);
            row["customfields"] = json!([]);
            row
        })
        .collect();
    Ok(json!({"courses": courses, "warnings": []}))
}

fn row(course: &Course, call: &Call) -> Value {
    let setting = |key: &str, default: i64| course.settings.get(key).copied().unwrap_or(default);
    json!({
        "id": course.id,
        "shortname": name_out(&course.shortname, call.raw),
        "categoryid": course.category,
        "categorysortorder": course.id * 10,
        "fullname": name_out(&course.fullname, call.raw),
        "displayname": name_out(&course.fullname, call.raw),
        "idnumber": course.idnumber,
        "summary": course.summary,
        "summaryformat": 1,
        "format": course.format,
        "showgrades": setting("showgrades", 1),
        "newsitems": setting("newsitems", 5),
        "startdate": course.startdate,
        "enddate": course.enddate,
        "numsections": setting("numsections", 4),
        "maxbytes": setting("maxbytes", 0),
        "showreports": setting("showreports", 0),
        "visible": u8::from(course.visible),
        "groupmode": setting("groupmode", 0),
        "groupmodeforce": setting("groupmodeforce", 0),
        "defaultgroupingid": setting("defaultgroupingid", 0),
        "timecreated": course.created,
        "timemodified": course.modified,
        "enablecompletion": setting("enablecompletion", 1),
        "completionnotify": setting("completionnotify", 0),
        "lang": course.lang,
        "forcetheme": "",
        "courseformatoptions": [],
    })
}
