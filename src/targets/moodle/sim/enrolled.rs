//! Reading enrolments course by course or person by person (Moodle facts, section 7). The bulk way is `reports.rs`.

use serde_json::{Map, Value, json};

use super::accounts::User;
use super::answer::name_out;
use super::call::Call;
use super::catalogue::Course;
use super::membership::{MANUAL, Member};
use super::refusal::Refusal;
use super::strict::{Fields, integer};
use super::users_read::shown;
use super::world::State;

/// Fields of a person that may be asked for.
const USER_FIELDS: [&str; 26] = [
    "id",
    "username",
    "fullname",
    "firstname",
    "lastname",
    "email",
    "address",
    "phone1",
    "phone2",
    "department",
    "institution",
    "idnumber",
    "interests",
    "firstaccess",
    "lastaccess",
    "lastcourseaccess",
    "description",
    "descriptionformat",
    "city",
    "country",
    "profileimageurlsmall",
    "profileimageurl",
    "customfields",
    "groups",
    "roles",
    "enrolledcourses",
];

/// How the people of a course are asked for.
#[derive(Default)]
struct Options {
    fields: Option<Vec<String>>,
    only_active: bool,
    only_suspended: bool,
    from: usize,
    number: usize,
    sort: String,
    descending: bool,
}

impl Options {
    fn read(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut options = Self { sort: "id".into(), ..Self::default() };
        let count = |text: &str| {
            integer(text).and_then(|n| usize::try_from(n).ok()).ok_or_else(|| Refusal::parameter("option value"))
        };
        for (name, value) in pairs {
            match name.as_str() {
                "userfields" => {
                    let fields: Vec<String> = value.split(',').map(|field| field.trim().to_owned()).collect();
                    if fields.iter().any(|field| !USER_FIELDS.contains(&field.as_str())) {
                        return Err(Refusal::moodle("invaliduserfield"));
                    }
                    options.fields = Some(fields);
                }
                "onlyactive" => options.only_active = value == "1",
                "onlysuspended" => options.only_suspended = value == "1",
                "limitfrom" => options.from = count(&value)?,
                "limitnumber" => options.number = count(&value)?,
                "sortby" if ["id", "firstname", "lastname", "siteorder"].contains(&value.as_str()) => {
                    options.sort = value;
                }
                "sortby" => return Err(Refusal::parameter("Invalid value for sortby parameter")),
                "sortdirection" => options.descending = value.eq_ignore_ascii_case("desc"),
                "withcapability" | "groupid" if value != "0" && !value.is_empty() => {
                    return Err(Refusal::coding("capabilities and groups are not simulated"));
                }
                _ => {}
            }
        }
        if options.only_active && options.only_suspended {
            return Err(Refusal::coding(
                "Both onlyactive and onlysuspended are set, this is probably not what you want!",
            ));
        }
        Ok(options)
    }
}

/// `core_enrol_get_enrolled_users`: all methods and states, without telling which.
pub(super) fn of_course(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let id = fields.need_id("courseid")?;
    let options = Options::read(fields.pairs("options", "name", "value")?)?;
    fields.finish()?;
    let course = state.courses.get(id).ok_or_else(|| Refusal::record("context"))?;
    let mut people: Vec<(&User, &Member)> = state
        .members
        .of_course(id)
        .filter(|(_, member)| !member.methods.is_empty())
        .filter(|(_, member)| {
            let active = is_active(course, member, call);
            !(options.only_active && !active || options.only_suspended && active)
        })
        .filter_map(|(user, member)| state.accounts.get(user).map(|user| (user, member)))
        .collect();
    match options.sort.as_str() {
        "firstname" => people.sort_by_key(|(user, _)| (user.firstname.as_str(), user.id)),
        "lastname" | "siteorder" => {
            people.sort_by_key(|(user, _)| (user.lastname.as_str(), user.firstname.as_str(), user.id));
        }
        _ => {}
    }
    if options.descending {
        people.reverse();
    }
    let number = if options.number == 0 { usize::MAX } else { options.number };
    let page = people.into_iter().skip(options.from).take(number);
    Ok(page.map(|(user, member)| person(state, user, member, options.fields.as_deref(), call)).collect())
}

/// Whether any enrolment counts now; one by a disabled manual method does not.
fn is_active(course: &Course, member: &Member, call: &Call) -> bool {
    let enabled = |method: &str| method != MANUAL || course.manual.is_some_and(|instance| instance.enabled);
    member.methods.iter().any(|(method, enrolment)| enabled(method) && enrolment.is_current(call.now))
}

fn person(state: &State, user: &User, member: &Member, fields: Option<&[String]>, call: &Call) -> Value {
    let wanted = |field: &str| fields.is_none_or(|fields| fields.iter().any(|known| known == field));
    let Value::Object(all) = shown(state, user) else { return Value::Null };
    let mut row: Map<String, Value> = all
        .into_iter()
        .filter(|(key, _)| {
            matches!(key.as_str(), "id" | "fullname") || USER_FIELDS.contains(&key.as_str()) && wanted(key)
        })
        .collect();
    if wanted("roles") {
        let roles = member.roles.iter().filter_map(|id| state.plan.roles.iter().find(|role| role.id == *id));
        let roles =
            roles.map(|role| json!({"roleid": role.id, "name": "", "shortname": role.shortname, "sortorder": 0}));
        row.insert("roles".into(), roles.collect());
    }
    if wanted("groups") {
        row.insert("groups".into(), json!([]));
    }
    if wanted("enrolledcourses") {
        let courses = state.members.courses_of(user.id).filter_map(|id| state.courses.get(id)).map(|course| {
            json!({
                "id": course.id,
                "fullname": name_out(&course.fullname, call.raw),
                "shortname": name_out(&course.shortname, call.raw),
            })
        });
        row.insert("enrolledcourses".into(), courses.collect());
    }
    Value::Object(row)
}

/// `core_enrol_get_users_courses`: only active, current enrolments, no roles. An unknown user has none.
pub(super) fn of_user(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let user = fields.need_id("userid")?;
    let count = fields.flag("returnusercount")?.unwrap_or(true);
    fields.finish()?;
    let mut rows = Vec::new();
    for id in state.members.courses_of(user) {
        let (Some(course), Some(member)) = (state.courses.get(id), state.members.get(id, user)) else { continue };
        if !is_active(course, member, call) {
            continue;
        }
        let mut row = json!({
            "id": course.id,
            "shortname": name_out(&course.shortname, call.raw),
            "fullname": name_out(&course.fullname, call.raw),
            "displayname": name_out(&course.fullname, call.raw),
            "idnumber": course.idnumber,
            "visible": u8::from(course.visible),
            "summary": course.summary,
            "summaryformat": 1,
            "format": course.format,
            "showgrades": true,
            "lang": course.lang,
            "enablecompletion": true,
            "category": course.category,
            "progress": null,
            "completed": false,
            "startdate": course.startdate,
            "enddate": course.enddate,
            "marker": 0,
            "lastaccess": null,
            "isfavourite": false,
            "hidden": false,
            "overviewfiles": [],
            "timemodified": course.modified,
        });
        if count {
            row["enrolledusercount"] =
                state.members.of_course(id).filter(|(_, member)| !member.methods.is_empty()).count().into();
        }
        rows.push(row);
    }
    Ok(rows.into())
}

/// `core_enrol_get_course_enrolment_methods`: manual instances are not listed.
pub(super) fn methods(state: &State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let id = fields.need_id("courseid")?;
    fields.finish()?;
    let course = state.courses.get(id).ok_or_else(|| Refusal::record("course"))?;
    let row = |(place, method): (usize, &String)| json!({"id": id * 10 + place as u64, "courseid": id, "type": method, "name": method, "status": true});
    Ok(course.methods.iter().enumerate().map(row).collect())
}
