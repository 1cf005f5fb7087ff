//! What can go wrong between the asker and the site, armed at run time. `gate.rs` plays it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::refusal::Refusal;

/// One fault. The ones that touch an answer apply only to functions that have such an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed; nothing was done.
    Refuse,
    /// The work is done, the answer is lost.
    CutAfter,
    /// The connection is closed at once, and the work is done so much later. Its uniqueness checks see the site as it
    /// was when the call arrived, so a create sent again in between can leave two.
    LandsLater(Duration),
    /// 504 HTML at once, and the work is done so much later.
    GatewayTimeout(Duration),
    /// The call is taken up so much later.
    Delay(Duration),
    /// The work is done, and the answer comes piece by piece over so long.
    Drip(Duration),
    /// 429; nothing was done.
    TooManyRequests(RetryAfter),
    /// A web server's HTML page with this status; nothing was done.
    Html(u16),
    /// This, with this status, as of JSON; nothing was done. For whatever a plug-in, or something before the site, may
    /// have to say, such as what it was sent.
    Says(u16, String),
    /// PHP died: 500 and nothing else; nothing was done.
    Empty500,
    /// An HTML page with this status (502 or 503) and `Retry-After: 300`; nothing was done.
    Maintenance(u16),
    /// `invalidtoken`.
    InvalidToken,
    /// The token has expired: `accessexception` now, `invalidtoken` from then on, until a new one is fetched.
    TokenExpired,
    /// `dbconnectionfailed`, with HTML in the message.
    DatabaseDown,
    /// `dmlwriteexception`; nothing was written.
    WriteRefused,
    /// The work is done, the body ends half-way.
    TruncatedBody,
    /// The work is done, and an HTML page comes with status 200.
    HtmlOk,
    /// A report with half its rows and the full `totalrowcount`.
    HalfReport,
    /// A report whose last half repeats its first: the count is right, the keys are not distinct.
    DuplicateRows,
    /// A report whose first column an administrator has moved to the end.
    EditedReport,
    /// So many percent of the users are still shown by any reader of users; the counts agree.
    UsersVanish(u8),
    /// `core_user_get_users` answers half.
    HalfUsers,
}

/// The `Retry-After` of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// In seconds.
    Seconds(u64),
    /// As an HTTP date, so much after the site's time.
    Date(Duration),
    /// As an HTTP date, so much before the site's time.
    Past(Duration),
    /// Whatever this says.
    Text(&'static str),
    /// Not sent.
    Absent,
}

/// The armed faults of a site. The first that applies is played.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Armed>>,
    played: AtomicU64,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    function: Option<String>,
    /// Calls left; `None` is for ever.
    left: Option<u32>,
}

impl Faults {
    /// Arms a fault for the next `times` calls of a function (`login/token.php` is one), or of any.
    pub fn next(&self, times: u32, function: Option<&str>, fault: Fault) {
        self.arm(Some(times), function, fault);
    }

    /// Arms a fault for every call until [`Faults::clear`].
    pub fn always(&self, function: Option<&str>, fault: Fault) {
        self.arm(None, function, fault);
    }

    /// Disarms everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Whether every fault armed for a number of calls has been played.
    pub fn are_spent(&self) -> bool {
        self.lock().iter().all(|armed| armed.left.is_none())
    }

    /// How many calls have met a fault.
    pub fn played(&self) -> u64 {
        self.played.load(Ordering::Relaxed)
    }

    fn arm(&self, left: Option<u32>, function: Option<&str>, fault: Fault) {
        self.lock().push(Armed { fault, function: function.map(str::to_owned), left });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault to play on this call.
    pub(super) fn take(&self, function: &str) -> Option<Fault> {
        let mut armed = self.lock();
        armed.retain(|armed| armed.left != Some(0));
        let place = armed.iter().position(|armed| {
            armed.function.as_deref().is_none_or(|name| name == function) && armed.fault.applies_to(function)
        })?;
        self.played.fetch_add(1, Ordering::Relaxed);
        let found = &mut armed[place];
        let fault = found.fault.clone();
        if let Some(left) = &mut found.left {
            *left -= 1;
        }
        armed.retain(|armed| armed.left != Some(0));
        Some(fault)
    }
}

impl Fault {
    fn applies_to(&self, function: &str) -> bool {
        let report = function == "core_reportbuilder_retrieve_report";
        match self {
            Self::HalfReport | Self::DuplicateRows | Self::EditedReport => report,
            Self::UsersVanish(_) => report || function.starts_with("core_user_get_users"),
            Self::HalfUsers => function == "core_user_get_users",
            Self::WriteRefused => super::functions::writes(function),
            _ => true,
        }
    }

    /// The refusal it stands for, if it is one that leaves the site untouched.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::InvalidToken => Some(Refusal::token()),
            Self::WriteRefused => Some(Refusal::write("ERROR: deadlock detected")),
            Self::DatabaseDown => Some(Refusal {
                message: "<p>Error: Database connection failed</p>".into(),
                ..Refusal::moodle("dbconnectionfailed")
            }),
            _ => None,
        }
    }

    /// Changes a good answer.
    pub(super) fn distort(&self, answer: &mut Value) {
        match self {
            Self::HalfReport => {
                if let Some(rows) = rows(answer) {
                    rows.truncate(rows.len() / 2);
                }
            }
            Self::DuplicateRows => {
                if let Some(rows) = rows(answer) {
                    let half = rows.len() / 2;
                    for place in half..rows.len() {
                        rows[place] = rows[place - half].clone();
                    }
                }
            }
            Self::EditedReport => {
                let turn = |value: Option<&mut Value>| {
                    if let Some(list) = value.and_then(Value::as_array_mut).filter(|list| !list.is_empty()) {
                        list.rotate_left(1);
                    }
                };
                turn(answer.pointer_mut("/data/headers"));
                rows(answer).into_iter().flatten().for_each(|row| turn(row.get_mut("columns")));
            }
            Self::UsersVanish(percent) => vanish(answer, *percent),
            Self::HalfUsers => {
                if let Some(users) = answer.get_mut("users").and_then(Value::as_array_mut) {
                    users.truncate(users.len() / 2);
                }
            }
            _ => {}
        }
    }
}

fn rows(answer: &mut Value) -> Option<&mut Vec<Value>> {
    answer.pointer_mut("/data/rows").and_then(Value::as_array_mut)
}

/// Keeps a share of the users, the same ones for every reader, and lets the counts agree.
fn vanish(answer: &mut Value, percent: u8) {
    let stays =
        |username: &str| u32::from(blake3::hash(username.as_bytes()).as_bytes()[0]) * 100 / 256 < percent.into();
    let name = |user: &Value| user["username"].as_str().unwrap_or_default().to_owned();
    if let Some(users) = answer.as_array_mut() {
        return users.retain(|user| stays(&name(user)));
    }
    if let Some(users) = answer.get_mut("users").and_then(Value::as_array_mut) {
        return users.retain(|user| stays(&name(user)));
    }
    let headers = answer.pointer("/data/headers").and_then(Value::as_array);
    let column = headers.and_then(|headers| headers.iter().position(|text| text == "Username" || text == "Brukernavn"));
    let Some(column) = column else { return };
    let mut left = 0;
    if let Some(rows) = rows(answer) {
        rows.retain(|row| stays(row["columns"][column].as_str().unwrap_or_default()));
        left = rows.len();
    }
    if let Some(total) = answer.pointer_mut("/data/totalrowcount") {
        *total = left.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_fault_is_played_as_often_as_it_was_armed_and_only_where_it_applies() {
        let faults = Faults::default();
        faults.next(2, Some("a"), Fault::Refuse);
        faults.next(1, None, Fault::HalfUsers);
        assert_eq!((faults.take("b"), faults.played()), (None, 0));
        assert_eq!(faults.take("a"), Some(Fault::Refuse));
        assert_eq!(faults.take("core_user_get_users"), Some(Fault::HalfUsers));
        assert!(!faults.are_spent());
        assert_eq!(faults.take("a"), Some(Fault::Refuse));
        assert_eq!(faults.take("a"), None);
        assert!(faults.are_spent());
        faults.always(None, Fault::Empty500);
        assert_eq!((faults.take("x"), faults.take("y")), (Some(Fault::Empty500), Some(Fault::Empty500)));
        faults.clear();
        assert_eq!((faults.take("x"), faults.played()), (None, 5));
    }

    #[test]
    fn report_faults_are_each_told_by_another_check() {
        let report = || {
            let rows: Vec<_> = (0..10).map(|n| json!({"columns": [format!("u{n}"), "No"]})).collect();
            json!({"data": {"headers": ["Username", "Suspended"], "rows": rows, "totalrowcount": 10}})
        };
        let played = |fault: &Fault| {
            let mut answer = report();
            fault.distort(&mut answer);
            answer
        };
        let half = played(&Fault::HalfReport);
        assert_eq!(half["data"]["rows"].as_array().unwrap().len(), 5);
        assert_eq!(half["data"]["totalrowcount"], 10);
        let twice = played(&Fault::DuplicateRows);
        assert_eq!(twice["data"]["rows"].as_array().unwrap().len(), 10);
        assert_eq!(twice["data"]["rows"][0], twice["data"]["rows"][5]);
        let edited = played(&Fault::EditedReport);
        assert_eq!(edited["data"]["headers"], json!(["Suspended", "Username"]));
        assert_eq!(edited["data"]["rows"][0]["columns"], json!(["No", "u0"]));
        let none = played(&Fault::UsersVanish(0));
        assert_eq!(none["data"]["totalrowcount"], 0);
        let some = played(&Fault::UsersVanish(50));
        let left = some["data"]["rows"].as_array().unwrap().len();
        assert!(left > 0 && left < 10);
        assert_eq!(some["data"]["totalrowcount"], left);
    }

    #[test]
    fn the_same_users_vanish_from_every_reader() {
        let users: Vec<_> = (0..40).map(|n| json!({"username": format!("u{n}")})).collect();
        let rows: Vec<_> = (0..40).map(|n| json!({"columns": [format!("u{n}")]})).collect();
        let mut by_field = Value::Array(users.clone());
        let mut search = json!({"users": users, "warnings": []});
        let mut report = json!({"data": {"headers": ["Brukernavn"], "rows": rows, "totalrowcount": 40}});
        for answer in [&mut by_field, &mut search, &mut report] {
            Fault::UsersVanish(50).distort(answer);
        }
        let left = by_field.as_array().unwrap().len();
        assert!(left > 0 && left < 40);
        assert_eq!(search["users"], by_field);
        assert_eq!(report["data"]["totalrowcount"], left);
        Fault::HalfUsers.distort(&mut search);
        assert_eq!(search["users"].as_array().unwrap().len(), left / 2);
    }
}
