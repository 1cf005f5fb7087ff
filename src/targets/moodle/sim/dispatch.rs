//! A web service call: access control, dispatch, counting (Moodle facts, sections 1 to 3).
//!
//! The rules of each function are in the file named after its subject.

use jiff::Timestamp;
use serde_json::Value;

use super::answer::{Answer, Format};
use super::call::Call;
use super::functions::{FUNCTIONS, writes};
use super::params::{Array, Form, Node};
use super::refusal::Refusal;
use super::strict::Fields;
use super::world::{Arrival, Mode, State, World};
use super::{
    categories, course_copy, courses, courses_read, enrolled, enrolments, reports, roles, site, users, users_read,
};

/// What came of a call, not yet rendered.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<Value, Refusal>,
    pub(super) format: Format,
    pub(super) debugging: bool,
    /// Rows read one by one, for the cost.
    pub(super) rows_read: usize,
    /// Whether it waited for a lock before it was refused.
    pub(super) deadlocked: bool,
}

impl Outcome {
    /// A refusal from before the world was asked.
    pub(super) fn refused(refusal: Refusal, form: &Form) -> Self {
        let json = form.plain("moodlewsrestformat") == Some("json");
        let format = if json { Format::Json } else { Format::Xml };
        Self { result: Err(refusal), format, debugging: false, rows_read: 0, deadlocked: false }
    }

    pub(super) fn render(&self) -> Answer {
        Answer::of(&self.result, self.format, self.debugging)
    }
}

impl World {
    /// Answers a call that nothing overlaps. `form` is the whole request, token included.
    pub fn call(&self, form: &Form, now: Timestamp) -> Answer {
        let arrival = self.arrive();
        self.call_since(arrival, form, now)
    }

    /// Answers a call that arrived earlier: what others committed since then is invisible to its uniqueness checks, and
    /// only the database's own constraints hold.
    pub fn call_since(&self, arrival: Arrival, form: &Form, now: Timestamp) -> Answer {
        match self.run(arrival, form, now) {
            Ok(outcome) => outcome.render(),
            Err(page) => page,
        }
    }

    /// A log-in at `login/token.php`. The error's shape differs from the other functions'.
    pub fn log_in(&self, form: &Form, now: Timestamp) -> Answer {
        let mut state = self.lock();
        *state.calls.entry("login/token.php".into()).or_default() += 1;
        match state.mode {
            Mode::CommandLineMaintenance => Answer::html(503, Some("300".into())),
            _ => site::log_in(&mut state, form, now),
        }
    }

    /// The call itself; `Err` is a page from in front of the web services.
    pub(super) fn run(&self, arrival: Arrival, form: &Form, now: Timestamp) -> Result<Outcome, Answer> {
        let mut state = self.lock();
        match state.mode {
            Mode::CommandLineMaintenance => return Err(Answer::html(503, Some("300".into()))),
            Mode::ServicesOff => return Err(Answer::empty(403)),
            Mode::Open | Mode::Maintenance => {}
        }
        let array = form.nest(state.plan.max_input_vars);
        let leaf = |key: &str| match array.get(key) {
            Some(Node::Text(text)) => text.as_str(),
            _ => "",
        };
        let function = leaf("wsfunction");
        *state.calls.entry(function.to_owned()).or_default() += 1;
        let own = state.tick();
        let mut call = Call { now, since: arrival.0, own, caller: 0, raw: leaf("moodlewssettingraw") == "1" };
        let before = state.batches.deadlocks();
        let mut rows_read = 0;
        let result = admit(&mut state, leaf("wstoken"), function, now)
            .and_then(|caller| {
                call.caller = caller;
                perform(&mut state, function, &array, &call)
            })
            .inspect(|value| rows_read = if function.starts_with("core_reportbuilder") { 0 } else { rows(value) });
        Ok(Outcome {
            result,
            format: if leaf("moodlewsrestformat") == "json" { Format::Json } else { Format::Xml },
            debugging: state.plan.debugging,
            rows_read,
            deadlocked: state.batches.deadlocks() > before,
        })
    }
}

fn rows(value: &Value) -> usize {
    value.as_array().or_else(|| value.get("users").and_then(Value::as_array)).map_or(0, Vec::len)
}

/// Access control, in Moodle's order. The calling user's id.
fn admit(state: &mut State, token: &str, function: &str, now: Timestamp) -> Result<u64, Refusal> {
    let caller = state.tokens.check(token, now)?;
    match state.accounts.get(caller) {
        Some(user) if user.deleted => return Err(Refusal::moodle("wsaccessuserdeleted")),
        Some(user) if user.suspended => return Err(Refusal::moodle("wsaccessusersuspended")),
        Some(_) => {}
        None => return Err(Refusal::token()),
    }
    if state.mode == Mode::Maintenance {
        return Err(Refusal::moodle("sitemaintenance"));
    }
    if function.is_empty() {
        return Err(Refusal::parameter("Missing required parameter: wsfunction"));
    }
    if !FUNCTIONS.contains(&function) {
        return Err(Refusal::record("external_functions"));
    }
    if !state.plan.functions.contains(function) {
        return Err(Refusal::access(format!("{function} is not in the service")));
    }
    if state.denied.contains(function) {
        return Err(Refusal { exception: "required_capability_exception", ..Refusal::moodle("nopermissions") });
    }
    Ok(caller)
}

fn perform(state: &mut State, function: &str, array: &Array, call: &Call) -> Result<Value, Refusal> {
    let fields = Fields::of_call(array);
    if writes(function) {
        state.writes.calls += 1;
    }
    match function {
        "core_course_create_categories" => categories::create(state, fields, call),
        "core_course_create_courses" => courses::create(state, fields, call),
        "core_course_delete_courses" => courses::delete(state, fields),
        "core_course_duplicate_course" => course_copy::duplicate(state, fields, call),
        "core_course_get_categories" => categories::get(state, fields, call),
        "core_course_get_contents" => course_copy::contents(state, fields, call),
        "core_course_get_courses" => courses_read::get(state, fields, call),
        "core_course_get_courses_by_field" => courses_read::by_field(state, fields, call),
        "core_course_import_course" => course_copy::import(state, fields, call),
        "core_course_update_categories" => categories::update(state, fields, call),
        "core_course_update_courses" => courses::update(state, fields, call),
        "core_enrol_get_course_enrolment_methods" => enrolled::methods(state, fields),
        "core_enrol_get_enrolled_users" => enrolled::of_course(state, fields, call),
        "core_enrol_get_users_courses" => enrolled::of_user(state, fields, call),
        "core_reportbuilder_list_reports" => reports::list(state, fields),
        "core_reportbuilder_retrieve_report" => reports::retrieve(state, fields, call),
        "core_role_assign_roles" => roles::assign(state, fields),
        "core_role_unassign_roles" => roles::unassign(state, fields),
        "core_user_create_users" => users::create(state, fields, call),
        "core_user_delete_users" => users::delete(state, fields, call),
        "core_user_get_users" => users_read::search(state, fields),
        "core_user_get_users_by_field" => users_read::by_field(state, fields),
        "core_user_update_users" => users::update(state, fields, call),
        "core_webservice_get_site_info" => site::info(state, fields, call),
        "enrol_manual_enrol_users" => enrolments::enrol(state, fields, call),
        "enrol_manual_unenrol_users" => enrolments::unenrol(state, fields),
        _ => Err(Refusal::record("external_functions")),
    }
}
