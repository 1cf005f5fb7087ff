//! The way to the world: faults, cost and the site's clock, without sockets. `server.rs` puts it on a port; tests under a
//! paused clock post to it directly.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use super::answer::Answer;
use super::dispatch::Outcome;
use super::faults::{Fault, Faults, RetryAfter};
use super::functions::writes;
use super::params::Form;
use super::plan::{Cost, SitePlan};
use super::world::{Arrival, World};
use crate::sim::watch::{Moment, Verdict, Watch, Written};

/// The path of the web services.
pub const SERVICE: &str = "/webservice/rest/server.php";
/// The path of the log-in.
pub const LOG_IN: &str = "/login/token.php";

/// A site with its faults and its clock.
#[derive(Debug)]
pub struct Gate {
    world: Arc<World>,
    faults: Arc<Faults>,
    watch: Watch,
    started: Instant,
    started_at: Timestamp,
}

/// What the asker gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer(Answer),
    /// An answer whose body comes piece by piece over so long.
    Drip(Answer, Duration),
    /// The connection is closed without one.
    Cut,
}

impl Gate {
    /// Opens a site. Its clock starts at `plan.started_at` and moves with tokio's.
    pub fn new(plan: SitePlan) -> Self {
        let started_at = plan.started_at;
        let (faults, watch) = (Arc::default(), Watch::default());
        Self { world: Arc::new(World::new(plan)), faults, watch, started: Instant::now(), started_at }
    }

    /// The site behind it.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Its faults.
    pub fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Where its writes are watched.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The site's time.
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.started.elapsed()).unwrap_or_default();
        self.started_at.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Answers a request to [`SERVICE`] or [`LOG_IN`]; anything else is 404. Dropping the returned future does not stop
    /// the work: a client that gives up does not stop the server.
    pub async fn post(self: &Arc<Self>, path: &str, form: Form) -> Reply {
        let (gate, path) = (Arc::clone(self), path.to_owned());
        tokio::spawn(async move { gate.serve(&path, &form).await }).await.unwrap_or(Reply::Cut)
    }

    async fn serve(self: &Arc<Self>, path: &str, form: &Form) -> Reply {
        let function = match path {
            SERVICE => form.plain("wsfunction").unwrap_or_default(),
            LOG_IN => "login/token.php",
            _ => return Reply::Answer(Answer::html(404, None)),
        };
        if writes(function) && self.see(Moment::Arrived, function, form) == Verdict::Drop {
            return Reply::Cut;
        }
        let fault = self.faults.take(function);
        let arrival = self.world.arrive();
        match fault {
            None => Reply::Answer(self.work(arrival, path, form, None).await),
            Some(Fault::Refuse) => Reply::Cut,
            Some(Fault::CutAfter) => {
                self.work(arrival, path, form, None).await;
                Reply::Cut
            }
            Some(Fault::LandsLater(wait)) => {
                self.later(arrival, path, form, wait);
                Reply::Cut
            }
            Some(Fault::GatewayTimeout(wait)) => {
                self.later(arrival, path, form, wait);
                Reply::Answer(Answer::html(504, None))
            }
            Some(Fault::Delay(wait)) => {
                sleep(wait).await;
                Reply::Answer(self.work(arrival, path, form, None).await)
            }
            Some(Fault::Drip(over)) => Reply::Drip(self.work(arrival, path, form, None).await, over),
            Some(Fault::TooManyRequests(retry)) => Reply::Answer(Answer::html(429, self.retry_after(retry))),
            Some(Fault::Html(status)) => Reply::Answer(Answer::html(status, None)),
            Some(Fault::Says(status, body)) => {
                Reply::Answer(Answer { status, content_type: "application/json", retry_after: None, body })
            }
            Some(Fault::Empty500) => Reply::Answer(Answer::empty(500)),
            Some(Fault::Maintenance(status)) => Reply::Answer(Answer::html(status, Some("300".into()))),
            Some(Fault::TokenExpired) => {
                self.world.expire_token(form.plain("wstoken").unwrap_or_default(), self.now());
                Reply::Answer(self.work(arrival, path, form, None).await)
            }
            Some(Fault::TruncatedBody) => {
                let mut answer = self.work(arrival, path, form, None).await;
                let middle = answer.body.floor_char_boundary(answer.body.len() / 2);
                answer.body.truncate(middle);
                Reply::Answer(answer)
            }
            Some(Fault::HtmlOk) => {
                self.work(arrival, path, form, None).await;
                Reply::Answer(Answer::html(200, None))
            }
            Some(other) => Reply::Answer(self.work(arrival, path, form, Some(&other)).await),
        }
    }

    fn later(self: &Arc<Self>, arrival: Arrival, path: &str, form: &Form, wait: Duration) {
        let (gate, path, form) = (Arc::clone(self), path.to_owned(), form.clone());
        tokio::spawn(async move {
            sleep(wait).await;
            gate.work(arrival, &path, &form, None).await;
        });
    }

    fn retry_after(&self, retry: RetryAfter) -> Option<String> {
        match retry {
            RetryAfter::Seconds(seconds) => Some(seconds.to_string()),
            RetryAfter::Date(wait) => self.date(SignedDuration::try_from(wait).unwrap_or_default()),
            RetryAfter::Past(since) => self.date(-SignedDuration::try_from(since).unwrap_or_default()),
            RetryAfter::Text(text) => Some(text.to_owned()),
            RetryAfter::Absent => None,
        }
    }

    /// An HTTP date, so much from the site's time.
    fn date(&self, from_now: SignedDuration) -> Option<String> {
        Some(self.now().checked_add(from_now).ok()?.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
    }

    /// Waits as long as the work takes, does it, and lets the fault change what comes out.
    async fn work(&self, arrival: Arrival, path: &str, form: &Form, fault: Option<&Fault>) -> Answer {
        let cost = self.world.cost();
        if let Some(cost) = cost {
            sleep(self.price(cost, form)).await;
        }
        if path == LOG_IN {
            return self.world.log_in(form, self.now());
        }
        let mut outcome = match fault.and_then(Fault::refusal) {
            Some(refusal) => Outcome::refused(refusal, form),
            None => match self.world.run(arrival, form, self.now()) {
                Ok(outcome) => outcome,
                Err(page) => return page,
            },
        };
        let function = form.plain("wsfunction").unwrap_or_default();
        if outcome.result.is_ok() && writes(function) {
            self.see(Moment::Done, function, form);
        }
        if let Some(cost) = cost {
            let rows = u32::try_from(outcome.rows_read).unwrap_or(u32::MAX);
            let waited = if outcome.deadlocked { cost.deadlock } else { Duration::ZERO };
            sleep(cost.per_record.saturating_mul(rows).saturating_add(waited)).await;
        }
        if let (Some(fault), Ok(value)) = (fault, &mut outcome.result) {
            fault.distort(value);
        }
        outcome.render()
    }

    fn see(&self, moment: Moment, function: &str, form: &Form) -> Verdict {
        self.watch.tell(&Written { moment, what: function, fields: form.fields() })
    }

    fn price(&self, cost: Cost, form: &Form) -> Duration {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (records, emails) = form.weight();
        let scans = if self.world.checks_email() { emails.saturating_mul(self.world.size()) } else { 0 };
        // The scan is so much per 1,000 users; a thousandth of it per user.
        let scan = cost.email_check_per_1000.saturating_mul(count(scans)) / 1000;
        cost.per_call.saturating_add(cost.per_record.saturating_mul(count(records))).saturating_add(scan)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Course;
    use super::super::testing::{token_form, user};
    use super::*;

    fn open(cost: Option<Cost>) -> Arc<Gate> {
        Arc::new(Gate::new(SitePlan { cost, ..SitePlan::default() }))
    }

    fn form(function: &str, fields: &[(&str, &str)]) -> Form {
        token_form(&SitePlan::default().token, function, fields)
    }

    fn create(name: &str) -> Form {
        let email = format!("{name}@example.invalid");
        let fields = [
            ("users[0][username]", name),
            ("users[0][firstname]", "Ola"),
            ("users[0][lastname]", "Nordmann"),
            ("users[0][auth]", "oidc"),
            ("users[0][email]", email.as_str()),
        ];
        form("core_user_create_users", &fields)
    }

    async fn code(gate: &Arc<Gate>, form: Form) -> String {
        match gate.post(SERVICE, form).await {
            Reply::Answer(answer) => answer.json()["errorcode"].as_str().unwrap_or_default().to_owned(),
            Reply::Drip(..) => "drip".into(),
            Reply::Cut => "cut".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_can_land_after_the_asker_has_looked() {
        let gate = open(None);
        gate.faults().next(1, Some("core_user_create_users"), Fault::LandsLater(Duration::from_mins(1)));
        assert_eq!(gate.post(SERVICE, create("late")).await, Reply::Cut);
        assert!(gate.world().user("late").is_none());
        sleep(Duration::from_secs(61)).await;
        assert!(gate.world().user("late").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_timeout_does_not_stop_the_work() {
        let gate = open(None);
        gate.faults().next(1, None, Fault::GatewayTimeout(Duration::from_secs(5)));
        let Reply::Answer(answer) = gate.post(SERVICE, create("slow")).await else { panic!("an answer") };
        assert_eq!((answer.status, answer.content_type), (504, "text/html"));
        assert!(gate.world().user("slow").is_none());
        sleep(Duration::from_secs(6)).await;
        assert!(gate.world().user("slow").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn each_fault_leaves_the_site_as_it_says() {
        for (fault, landed) in [
            (Fault::Refuse, false),
            (Fault::CutAfter, true),
            (Fault::TooManyRequests(RetryAfter::Absent), false),
            (Fault::Html(500), false),
            (Fault::Empty500, false),
            (Fault::Says(200, "[]".into()), false),
            (Fault::Maintenance(503), false),
            (Fault::InvalidToken, false),
            (Fault::TokenExpired, false),
            (Fault::DatabaseDown, false),
            (Fault::WriteRefused, false),
            (Fault::TruncatedBody, true),
            (Fault::HtmlOk, true),
            (Fault::Delay(Duration::from_secs(3)), true),
            (Fault::Drip(Duration::from_secs(3)), true),
        ] {
            let gate = open(None);
            gate.faults().next(1, Some("core_user_create_users"), fault.clone());
            let before = gate.world().digest();
            let reply = gate.post(SERVICE, create("kari")).await;
            assert_eq!(gate.world().digest() != before, landed, "{fault:?}");
            let plain = Reply::Answer(Answer {
                status: 200,
                content_type: "application/json",
                retry_after: None,
                body: r#"[{"id":4,"username":"kari"}]"#.into(),
            });
            assert_eq!(reply == plain, matches!(fault, Fault::Delay(_)), "{fault:?}: {reply:?}");
            assert!(gate.faults().are_spent());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_token_stays_refused() {
        let gate = open(None);
        gate.faults().next(1, None, Fault::TokenExpired);
        let ask = || form("core_webservice_get_site_info", &[]);
        assert_eq!(code(&gate, ask()).await, "accessexception");
        assert_eq!(code(&gate, ask()).await, "invalidtoken");
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_comes_in_all_its_forms() {
        let gate = open(None);
        for (retry, want) in [
            (RetryAfter::Seconds(7), Some("7")),
            (RetryAfter::Date(Duration::from_mins(1)), Some("Thu, 15 Jan 2026 06:01:00 GMT")),
            (RetryAfter::Past(Duration::from_mins(1)), Some("Thu, 15 Jan 2026 05:59:00 GMT")),
            (RetryAfter::Text("soon"), Some("soon")),
            (RetryAfter::Absent, None),
        ] {
            gate.faults().next(1, None, Fault::TooManyRequests(retry));
            let Reply::Answer(answer) = gate.post(SERVICE, create("x")).await else { panic!("an answer") };
            assert_eq!((answer.status, answer.retry_after.as_deref()), (429, want));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_costs_time_and_the_work_goes_on_without_its_asker() {
        let gate = open(Some(Cost::default()));
        let start = Instant::now();
        assert_eq!(code(&gate, create("kari")).await, "");
        let took = start.elapsed();
        assert!(took >= Duration::from_micros(22_500) && took < Duration::from_millis(30), "{took:?}");
        let asked = tokio::time::timeout(Duration::from_millis(5), gate.post(SERVICE, create("ola"))).await;
        assert!(asked.is_err() && gate.world().user("ola").is_none());
        sleep(Duration::from_secs(1)).await;
        assert!(gate.world().user("ola").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn parallel_creates_do_not_see_each_other_s_address() {
        let gate = open(Some(Cost::default()));
        let same = |name: &str| {
            let fields = [
                ("users[0][username]", name),
                ("users[0][firstname]", "Ola"),
                ("users[0][lastname]", "Nordmann"),
                ("users[0][auth]", "oidc"),
                ("users[0][email]", "same@example.invalid"),
            ];
            form("core_user_create_users", &fields)
        };
        let (first, second) = tokio::join!(code(&gate, same("a")), code(&gate, same("b")));
        assert_eq!((first.as_str(), second.as_str()), ("", ""));
        assert_eq!(code(&gate, same("c")).await, "invalidparameter");
        let (first, second) = tokio::join!(code(&gate, create("z")), code(&gate, create("z")));
        let mut codes = [first, second];
        codes.sort();
        // The address is seen as free by both; the user name is guarded by the database.
        assert_eq!(codes, ["", "dmlwriteexception"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadlock_waits_a_second_before_one_side_is_refused() {
        let gate = open(Some(Cost::default()));
        let course = gate.world().add_course(Course { shortname: "A".into(), ..Course::default() }).to_string();
        let ids = ["a", "b"].map(|name| gate.world().add_user(user(name)).unwrap().to_string());
        let enrol = |users: [&str; 2]| {
            let fields = [
                ("enrolments[0][roleid]", "5"),
                ("enrolments[0][userid]", users[0]),
                ("enrolments[0][courseid]", course.as_str()),
                ("enrolments[1][roleid]", "5"),
                ("enrolments[1][userid]", users[1]),
                ("enrolments[1][courseid]", course.as_str()),
            ];
            form("enrol_manual_enrol_users", &fields)
        };
        let start = Instant::now();
        let (first, second) =
            tokio::join!(code(&gate, enrol([&ids[0], &ids[1]])), code(&gate, enrol([&ids[1], &ids[0]])));
        let mut codes = [first, second];
        codes.sort();
        assert_eq!(codes, ["", "dmlwriteexception"]);
        assert!(start.elapsed() >= Duration::from_secs(1));
    }
}
