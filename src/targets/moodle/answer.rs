//! What an answer means: a value, or one of the failures of the facts' section 2.
//!
//! Failures are told apart by `errorcode`, never by class or message; neither is ever quoted, and a code only
//! where it is one word, because a site may put whole sentences, with names in them, in its place.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::model::{Effect, ErrorKind, Retry, TargetError};
use crate::wire::{Reply, judge_status};

/// No connection, or no site that can be worked with.
pub const CONNECTION_FAILED: &str = "MOODLE_CONNECTION_FAILED";
/// No token, or one that is not accepted.
pub const TOKEN_FAILED: &str = "MOODLE_TOKEN_FAILED";
/// Users could not be read.
pub const FETCH_FAILED: &str = "MOODLE_FETCH_FAILED";
/// A user could not be made.
pub const CREATE_FAILED: &str = "MOODLE_USER_CREATE_FAILED";
/// A user could not be changed.
pub const UPDATE_FAILED: &str = "MOODLE_USER_UPDATE_FAILED";
/// A user could not be suspended.
pub const DISABLE_FAILED: &str = "MOODLE_USER_DISABLE_FAILED";
/// Somebody could not be enrolled, or given a role in a course.
pub const ENROL_FAILED: &str = "MOODLE_COURSE_ENROL_FAILED";
/// The id of a role is another role's at the site.
pub const ROLE_ID_WRONG: &str = "MOODLE_ROLE_ID_WRONG";
/// Somebody could not be unenrolled, or a role in a course not be taken away.
pub const UNENROL_FAILED: &str = "MOODLE_COURSE_UNENROL_FAILED";

/// The object that stands for a failure; log-in has `error` where the rest have `exception`.
#[derive(Deserialize)]
struct Failure {
    exception: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
    errorcode: Option<String>,
    debuginfo: Option<IgnoredAny>,
}

/// A failure and whether the site told its cause to everybody who asks.
#[derive(Debug)]
pub struct Refused {
    /// The error, with the effect of a write.
    pub error: TargetError,
    /// Whether `debuginfo` was there.
    pub debugging: bool,
    /// Whether another try may succeed, but only after the records were read again: the transport must not
    /// make it.
    pub reread: bool,
    /// The site's own code, where it is one word.
    pub said: Option<String>,
}

impl From<TargetError> for Refused {
    fn from(error: TargetError) -> Self {
        Self { error, debugging: false, reread: false, said: None }
    }
}

/// Reads an answer as of a write; `code` is the step that fails with it.
///
/// # Errors
/// [`Refused`]
pub fn read<T: DeserializeOwned>(reply: Reply, code: &'static str) -> Result<T, Refused> {
    judge_http(&reply, code)?;
    let start = reply.body.first();
    // Looked for first: most long answers are no failures, and reading one twice takes as long as all else with it.
    if start == Some(b'{')
        && (reply.body.mentions(b"\"exception\"") || reply.body.mentions(b"\"error\""))
        && let Ok(failure) = reply.body.look::<Failure>()
        && (failure.exception.is_some() || failure.error.is_some())
    {
        let debugging = failure.debuginfo.is_some();
        let reread = failure.errorcode.as_deref() == Some("dmlwriteexception");
        let said = failure.errorcode.as_deref().filter(|text| is_word(text));
        return Err(Refused { error: classify(said, code), debugging, reread, said: said.map(str::to_owned) });
    }
    reply.body.json().map_err(|error| malformed(&error, start, code).into())
}

/// Statuses of which Moodle's meaning is known; the rest as everywhere.
fn judge_http(reply: &Reply, code: &'static str) -> Result<(), TargetError> {
    match (reply.status, reply.retry_after) {
        (403, _) => Err(TargetError::new(
            ErrorKind::Auth,
            code,
            "HTTP 403: web services or the REST protocol are switched off, or something before the site refuses",
        )),
        // Maintenance by the command line; but proxies say the same when the site takes too long, and then the
        // work goes on behind them.
        (503, Some(wait)) => {
            let message = "HTTP 503: the site is in maintenance, or too slow for what stands before it";
            Err(TargetError::new(ErrorKind::Unavailable, code, message).later(Some(wait)).effect(Effect::Unknown))
        }
        _ => judge_status(reply, code),
    }
}

fn malformed(error: &serde_json::Error, start: Option<u8>, code: &'static str) -> TargetError {
    // The parser's own text may quote a value.
    let what = match start {
        Some(b'<') => "a page instead of JSON".to_owned(),
        None => "nothing".to_owned(),
        _ => format!("what the contract does not know, at line {} column {}", error.line(), error.column()),
    };
    let message = format!("the site answered with {what}; check the address and the site's log");
    let malformed = TargetError::new(ErrorKind::Malformed, code, message).effect(Effect::Unknown);
    if error.is_data() { malformed } else { malformed.later(None) }
}

/// Codes are words; what is none may be a whole sentence with names in it. No code has a digit: what has one may be a
/// user name, a number or a token.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
}

/// What an error may leave behind that the table does not know. Enrolments are stored before the welcome mail is
/// sent, and a mail that fails is told as an error: what the site answers is then certainly over (facts, section 7).
fn unclear(code: &str) -> Effect {
    if matches!(code, ENROL_FAILED | UNENROL_FAILED) { Effect::Partial } else { Effect::Unknown }
}

/// The table of errors by code. A code that is not in it may come after the work was done.
fn classify(known: Option<&str>, code: &'static str) -> TargetError {
    use ErrorKind as K;
    let (later, never, step) = (Retry::Later(None), Retry::Never, code);
    let (kind, retry, effect, code, meaning) = match known {
        Some("invalidtoken") => {
            (K::Auth, never, Effect::None, TOKEN_FAILED, "the token is wrong, withdrawn or expired")
        }
        Some("accessexception") => (
            K::Auth,
            never,
            Effect::None,
            TOKEN_FAILED,
            "the token has expired, is not valid from this address, or its service does not list the function",
        ),
        Some("wsaccessusersuspended" | "wsaccessuserdeleted") => {
            (K::Auth, never, Effect::None, TOKEN_FAILED, "the service account is suspended or deleted")
        }
        Some(
            "invalidlogin"
            | "missingparam"
            | "servicenotavailable"
            | "usernotallowed"
            | "cannotcreatetoken"
            | "enablewsdescription",
        ) => (
            K::Auth,
            never,
            Effect::None,
            TOKEN_FAILED,
            "the log-in is refused; check user name, password, service and that web services are on",
        ),
        Some("nopermissions") => (
            K::Auth,
            never,
            Effect::None,
            code,
            "the service account lacks a capability; see the README of this target",
        ),
        Some("sitemaintenance") => (K::Unavailable, later, Effect::None, code, "the site is in maintenance"),
        Some("dbconnectionfailed") => (K::Unavailable, later, Effect::None, code, "the site cannot reach its database"),
        Some("dmlwriteexception") => (
            K::Conflict,
            never,
            Effect::None,
            code,
            "the database refused the write: a name is taken, a value too long, or two writes met",
        ),
        Some("dmlreadexception") => (K::Unavailable, later, unclear(step), code, "the site cannot read its database"),
        Some("invalidparameter") => (
            K::Rejected,
            never,
            Effect::None,
            code,
            "the site refuses a value and does not say which; something in the request is taken, wrong or unknown",
        ),
        Some("invalidrecord") => {
            (K::NotFound, never, Effect::None, code, "the site does not know the function, the report or the course")
        }
        Some("wsnoinstance") => {
            (K::Rejected, never, Effect::None, code, "manual enrolment is missing or switched off in the course")
        }
        Some("wsusercannotassign") => (
            K::Rejected,
            never,
            Effect::None,
            code,
            "the site has no such role, or the service account may not assign it",
        ),
        Some("invaliduser" | "userdeleted") => {
            (K::Rejected, never, Effect::None, code, "an account is no longer there")
        }
        Some("codingerror") if matches!(step, ENROL_FAILED | UNENROL_FAILED) => {
            (K::Rejected, never, Effect::None, code, "an account is no longer there")
        }
        Some(_) => {
            (K::Rejected, never, unclear(step), code, "the site refuses with a code that the contract does not know")
        }
        None => (K::Malformed, later, unclear(step), code, "the site failed without a code; see its log"),
    };
    let named = known.unwrap_or("no code");
    let mut error = TargetError::new(kind, code, format!("{named}: {meaning}")).effect(effect);
    error.retry = retry;
    error
}

/// Whether another token may help.
pub fn is_token_refused(error: &TargetError) -> bool {
    error.code == TOKEN_FAILED
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::targets::moodle::wire::{Created, Updated};

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, content_type: String::new(), retry_after: None, body: body.as_bytes().to_vec().into() }
    }

    fn refused(status: u16, body: &str) -> TargetError {
        read::<Vec<Created>>(reply(status, body), CREATE_FAILED).err().unwrap().error
    }

    fn by_code(code: &str) -> TargetError {
        refused(200, &format!(r#"{{"exception":"moodle_exception","errorcode":"{code}","message":"Kari"}}"#))
    }

    #[test]
    fn every_row_of_the_table_by_code() {
        use ErrorKind::{Auth, Conflict, NotFound, Rejected, Unavailable};
        let (later, never) = (Retry::Later(None), Retry::Never);
        let rows = [
            ("invalidtoken", Auth, never, TOKEN_FAILED),
            ("accessexception", Auth, never, TOKEN_FAILED),
            ("wsaccessusersuspended", Auth, never, TOKEN_FAILED),
            ("wsaccessuserdeleted", Auth, never, TOKEN_FAILED),
            ("nopermissions", Auth, never, CREATE_FAILED),
            ("invalidrecord", NotFound, never, CREATE_FAILED),
            ("invalidparameter", Rejected, never, CREATE_FAILED),
            ("sitemaintenance", Unavailable, later, CREATE_FAILED),
            ("dbconnectionfailed", Unavailable, later, CREATE_FAILED),
            ("dmlwriteexception", Conflict, never, CREATE_FAILED),
        ];
        for (code, kind, retry, step) in rows {
            let error = by_code(code);
            assert_eq!((error.kind, error.retry, error.effect), (kind, retry, Effect::None), "{code}");
            assert_eq!(error.code, step, "{code}");
            assert!(error.message.starts_with(code) && !error.message.contains("Kari"), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_one_however_long_it_is() {
        let trace = "x".repeat(1 << 20);
        let body = format!(r#"{{"exception":"e","errorcode":"dmlwriteexception","debuginfo":"{trace}"}}"#);
        let refused = read::<Updated>(reply(200, &body), UPDATE_FAILED).err().unwrap();
        assert!(refused.debugging && refused.reread && refused.error.kind == ErrorKind::Conflict);
    }

    #[test]
    fn every_row_of_the_table_by_status() {
        use ErrorKind::{Auth, RateLimited, Rejected, Unavailable};
        let page = "<html>Kari</html>";
        let rows = [
            (403, Auth, Effect::None),
            (413, Rejected, Effect::None),
            (429, RateLimited, Effect::None),
            (500, Unavailable, Effect::Unknown),
            (502, Unavailable, Effect::Unknown),
            (503, Unavailable, Effect::Unknown),
            (504, Unavailable, Effect::Unknown),
        ];
        for (status, kind, effect) in rows {
            let error = refused(status, page);
            assert_eq!((error.kind, error.effect), (kind, effect), "{status}");
            assert!(!error.message.contains("Kari"));
        }
        let wait = Some(Duration::from_mins(5));
        let maintenance = Reply { retry_after: wait, ..reply(503, page) };
        let error = read::<Updated>(maintenance, UPDATE_FAILED).err().unwrap().error;
        assert_eq!((error.retry, error.effect), (Retry::Later(wait), Effect::Unknown), "a proxy says the same");
    }

    #[test]
    fn what_is_no_code_is_not_repeated_and_leaves_the_outcome_unknown() {
        let sentence = by_code("The password of Kari must have <b>8</b> characters");
        assert_eq!((sentence.effect, sentence.kind), (Effect::Unknown, ErrorKind::Malformed));
        assert!(!sentence.message.contains("Kari"));
        assert!(!by_code("kanor042").message.contains("kanor042"));
        let php = refused(200, r#"{"exception":"Error","message":"Call to a member function of Kari"}"#);
        assert_eq!((php.effect, php.kind), (Effect::Unknown, ErrorKind::Malformed));
        let other = by_code("somethingnew");
        assert_eq!((other.effect, other.retry, other.kind), (Effect::Unknown, Retry::Never, ErrorKind::Rejected));
    }

    #[test]
    fn of_an_enrolment_every_answered_error_that_is_not_known_may_have_left_something() {
        let refused = |code: &str| {
            let body = format!(r#"{{"exception":"moodle_exception","errorcode":"{code}","message":"Kari"}}"#);
            read::<()>(reply(200, &body), ENROL_FAILED).err().unwrap()
        };
        for code in ["Message was not sent.", "somethingnew", "dmlreadexception"] {
            assert_eq!(refused(code).error.effect, Effect::Partial, "{code}");
        }
        for code in ["wsnoinstance", "wsusercannotassign", "invaliduser", "userdeleted", "codingerror"] {
            let refused = refused(code);
            assert_eq!((refused.error.kind, refused.error.effect), (ErrorKind::Rejected, Effect::None), "{code}");
            assert_eq!(refused.said.as_deref(), Some(code));
        }
        assert_eq!(refused("invalidrecord").error.kind, ErrorKind::NotFound);
        assert_eq!(read::<()>(reply(502, "<html>"), ENROL_FAILED).err().unwrap().error.effect, Effect::Unknown);
        assert!(read::<()>(reply(200, "null"), ENROL_FAILED).is_ok());
    }

    #[test]
    fn an_answer_that_is_none_leaves_the_outcome_unknown_and_quotes_nothing() {
        let rows = ["", "<html>Kari</html>", "null", r#"[{"id":1,"usern"#, r#"[{"id":"Kari","username":"x"}]"#, "{}"];
        for body in rows {
            let error = refused(200, body);
            assert_eq!((error.kind, error.effect), (ErrorKind::Malformed, Effect::Unknown), "{body}");
            assert!(!error.message.contains("Kari"), "{error}");
        }
    }

    #[test]
    fn a_log_in_fails_in_its_own_shape() {
        let body = r#"{"error":"Kari","errorcode":"invalidlogin","stacktrace":null,"debuginfo":null}"#;
        let refused = read::<super::super::wire::LoggedIn>(reply(200, body), TOKEN_FAILED).err().unwrap();
        assert_eq!((refused.error.code.as_str(), refused.debugging), (TOKEN_FAILED, false));
        assert!(refused.error.message.starts_with("invalidlogin"));
    }

    #[test]
    fn a_site_that_debugs_is_noticed() {
        let body = r#"{"exception":"x","errorcode":"invalidparameter","debuginfo":"Username already exists: kari"}"#;
        let refused = read::<Updated>(reply(200, body), UPDATE_FAILED).err().unwrap();
        assert!(refused.debugging && !refused.error.message.contains("kari"));
    }

    #[test]
    fn successes_are_not_taken_for_failures() {
        assert!(read::<Vec<Created>>(reply(200, r#"[{"id":4,"username":"kari"}]"#), CREATE_FAILED).is_ok());
        assert!(read::<Updated>(reply(200, r#" {"warnings":[]}"#), UPDATE_FAILED).is_ok());
    }
}
