//! The site itself: what it says of itself, and the log-in (Moodle facts, section 3).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accounts::ADMIN;
use super::answer::Answer;
use super::call::Call;
use super::params::Form;
use super::refusal::Refusal;
use super::strict::Fields;
use super::world::{Mode, State};

/// `core_webservice_get_site_info`.
pub(super) fn info(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    fields.values("serviceshortnames")?;
    fields.finish()?;
    let caller = state.accounts.get(call.caller).ok_or_else(Refusal::token)?;
    let site = &state.plan;
    let functions: Vec<Value> =
        site.functions.iter().map(|name| json!({"name": name, "version": "2024100705.01"})).collect();
    Ok(json!({
        "sitename": site.site_name,
        "username": caller.username,
        "firstname": caller.firstname,
        "lastname": caller.lastname,
        "fullname": caller.fullname(),
        "lang": match site.language { super::Language::English => "en", super::Language::Norwegian => "nb" },
        "userid": caller.id,
        "siteurl": site.site_url.clone().unwrap_or_default(),
        "userpictureurl": format!("{}/theme/image.php/boost/core/1/u/f1", site.site_url.clone().unwrap_or_default()),
        "functions": functions,
        "downloadfiles": 0,
        "uploadfiles": 0,
        "release": "4.5.5+ (Build: 20250613)",
        "version": "2024100705.01",
        "mobilecssurl": "",
        "advancedfeatures": [],
        "usercanmanageownfiles": true,
        "userquota": 104_857_600,
        "usermaxuploadfilesize": -1,
        "userhomepage": 1,
        "siteid": 1,
        "sitecalendartype": "gregorian",
        "usercalendartype": "gregorian",
        "userissiteadmin": call.caller == ADMIN,
        "theme": "boost",
        "limitconcurrentlogins": 0,
    }))
}

/// `login/token.php`.
pub(super) fn log_in(state: &mut State, form: &Form, now: Timestamp) -> Answer {
    let outcome = token_for(state, form, now);
    let body = match outcome {
        Ok(token) => json!({"token": token, "privatetoken": null}),
        Err(code) => json!({
            "error": format!("error/{code}"),
            "errorcode": code,
            "stacktrace": null,
            "debuginfo": null,
            "reproductionlink": null,
        }),
    };
    Answer { status: 200, content_type: "application/json", retry_after: None, body: body.to_string() }
}

fn token_for(state: &mut State, form: &Form, now: Timestamp) -> Result<String, &'static str> {
    if state.mode == Mode::ServicesOff {
        return Err("enablewsdescription");
    }
    let field = |name: &str| form.plain(name).ok_or("missingparam");
    let (username, password, service) = (field("username")?.to_lowercase(), field("password")?, field("service")?);
    if state.mode == Mode::Maintenance {
        return Err("sitemaintenance");
    }
    let plan = &state.plan;
    let user = state.accounts.named(&username).filter(|user| !user.deleted && !user.suspended).ok_or("invalidlogin")?;
    // Only the service account's password is known to the simulator.
    if user.id != plan.service_user || password != plan.service_password {
        return Err("invalidlogin");
    }
    if service != plan.service {
        return Err("servicenotavailable");
    }
    if state.denied.contains("login/token.php") {
        return Err("cannotcreatetoken");
    }
    let id = user.id;
    Ok(state.tokens.of(id, now))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, at, site, token_form};
    use super::super::tokens::TOKEN_SECONDS;
    use super::super::world::World;
    use super::*;

    #[test]
    fn the_site_tells_its_functions_and_release() {
        let world = site();
        let info = ask(&world, "core_webservice_get_site_info", &[]);
        assert_eq!(info["userid"], 3);
        assert_eq!(info["userissiteadmin"], false);
        assert!(info["release"].as_str().unwrap().starts_with("4.5"));
        let listed = info["functions"].as_array().unwrap();
        assert!(listed.iter().any(|function| function["name"] == "core_reportbuilder_retrieve_report"));
        world.edit_plan(|plan| plan.functions.retain(|name| name != "core_user_create_users"));
        let info = ask(&world, "core_webservice_get_site_info", &[("serviceshortnames[]", "reconcile")]);
        assert_eq!(info["functions"].as_array().unwrap().len(), listed.len() - 1);
        assert_eq!(ask(&world, "core_user_create_users", &[])["errorcode"], "accessexception");
    }

    #[test]
    fn access_is_refused_as_the_real_site_does() {
        let world = site();
        let call = |form: &Form| world.call(form, at(0)).json();
        let form = |token: &str, function: &str| {
            Form::of([("wstoken", token), ("wsfunction", function), ("moodlewsrestformat", "json")])
        };
        let token = world.lock().plan.token.clone();
        assert_eq!(call(&form("nonsense", "core_user_get_users"))["errorcode"], "invalidtoken");
        assert_eq!(call(&form(&token, "no_such_function"))["errorcode"], "invalidrecord");
        assert_eq!(call(&form(&token, ""))["errorcode"], "invalidparameter");
        world.deny("core_course_get_courses", true);
        assert_eq!(call(&form(&token, "core_course_get_courses"))["errorcode"], "nopermissions");
        world.edit_user(3, |user| user.suspended = true);
        assert_eq!(call(&form(&token, "core_webservice_get_site_info"))["errorcode"], "wsaccessusersuspended");
        world.edit_user(3, |user| user.deleted = true);
        assert_eq!(call(&form(&token, "core_webservice_get_site_info"))["errorcode"], "wsaccessuserdeleted");
    }

    #[test]
    fn an_expired_token_is_refused_differently_the_second_time() {
        let world = site();
        let token = world.lock().plan.token.clone();
        world.expire_token(&token, at(10));
        assert_eq!(ask(&world, "core_webservice_get_site_info", &[])["userid"], 3);
        let late = |world: &World| {
            world.call(&token_form(&token, "core_webservice_get_site_info", &[]), at(11)).json()["errorcode"].clone()
        };
        assert_eq!(late(&world), "accessexception");
        assert_eq!(late(&world), "invalidtoken");
    }

    #[test]
    fn a_log_in_gives_the_token_that_is_there_or_makes_one_that_ends() {
        let world = site();
        let form = |name: &str, password: &str, service: &str| {
            Form::of([("username", name), ("password", password), ("service", service)])
        };
        let good = form("SVC-Reconcile", "Simulated-1", "reconcile");
        let token = world.lock().plan.token.clone();
        assert_eq!(world.log_in(&good, at(0)).json()["token"], token);
        world.revoke_token(&token);
        let made = world.log_in(&good, at(0)).json()["token"].as_str().unwrap().to_owned();
        assert!(made != token && made.len() == 32);
        let then = |second| {
            world.call(&token_form(&made, "core_webservice_get_site_info", &[]), at(second)).json()["errorcode"].clone()
        };
        assert_eq!(then(TOKEN_SECONDS - 1), Value::Null);
        assert_eq!(then(TOKEN_SECONDS), "accessexception");
        for (form, code) in [
            (form("svc-reconcile", "wrong", "reconcile"), "invalidlogin"),
            (form("svc-reconcile", "Simulated-1", "other"), "servicenotavailable"),
            (Form::of([("username", "svc-reconcile")]), "missingparam"),
        ] {
            let answer = world.log_in(&form, at(0)).json();
            assert_eq!(answer["errorcode"], code);
            assert!(answer.get("exception").is_none() && answer.get("error").is_some());
        }
        world.edit_user(3, |user| user.suspended = true);
        assert_eq!(world.log_in(&good, at(0)).json()["errorcode"], "invalidlogin");
    }

    #[test]
    fn maintenance_comes_in_two_shapes() {
        let world = site();
        world.set_mode(Mode::Maintenance);
        assert_eq!(ask(&world, "core_webservice_get_site_info", &[])["errorcode"], "sitemaintenance");
        let token = world.lock().plan.token.clone();
        let form = token_form(&token, "core_webservice_get_site_info", &[]);
        world.set_mode(Mode::CommandLineMaintenance);
        let page = world.call(&form, at(0));
        assert_eq!((page.status, page.content_type, page.retry_after.as_deref()), (503, "text/html", Some("300")));
        world.set_mode(Mode::ServicesOff);
        let page = world.call(&form, at(0));
        assert_eq!((page.status, page.body.as_str()), (403, ""));
    }

    #[test]
    fn a_token_beyond_the_field_limit_is_lost() {
        let world = site();
        world.edit_plan(|plan| plan.max_input_vars = 2);
        let token = world.lock().plan.token.clone();
        let form = Form::of([
            ("moodlewsrestformat", "json"),
            ("wsfunction", "core_webservice_get_site_info"),
            ("wstoken", token.as_str()),
        ]);
        assert_eq!(world.call(&form, at(0)).json()["errorcode"], "invalidtoken");
    }
}
