//! The site's whole state behind one lock, the counters tests ask, and the direct edits they make.
//!
//! No I/O, no clock, no randomness: a call is `dispatch.rs`, the sockets are `server.rs`, faults are `gate.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::accounts::{ADMIN, Accounts, GUEST, User};
use super::batches::Batches;
use super::catalogue::{Category, Course, Courses};
use super::membership::Members;
use super::plan::{Cost, SitePlan};
use super::refusal::Refusal;
use super::report::Report;
use super::tokens::Tokens;

/// The site.
#[derive(Debug)]
pub struct World {
    state: Mutex<State>,
}

/// Everything the site remembers.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) plan: SitePlan,
    pub(super) mode: Mode,
    pub(super) accounts: Accounts,
    pub(super) categories: BTreeMap<u64, Category>,
    pub(super) last_category: u64,
    pub(super) courses: Courses,
    pub(super) members: Members,
    pub(super) batches: Batches,
    pub(super) tokens: Tokens,
    pub(super) denied: BTreeSet<String>,
    /// What a plug-in refuses whatever is written of a course or of a person with, by their ids.
    pub(super) refusing: BTreeMap<(Option<u64>, Option<u64>), String>,
    pub(super) mail: Mail,
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) writes: Writes,
    /// Counts arrivals and commits; two calls overlap when one commits after the other arrived.
    pub(super) ticks: u64,
}

/// A site as it was at some time.
#[derive(Clone, Debug)]
pub struct Kept(Box<State>);

/// Whether the site answers at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Normal service.
    #[default]
    Open,
    /// Maintenance by the database flag: `sitemaintenance` under 200.
    Maintenance,
    /// Maintenance by the command line flag: 503, HTML, `Retry-After: 300`.
    CommandLineMaintenance,
    /// Web services or REST switched off: 403 and nothing else.
    ServicesOff,
}

/// The outgoing mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Whether sending fails.
    pub broken: bool,
    /// Messages sent so far.
    pub sent: u64,
}

/// How much was written by calls. Direct edits do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Calls of writing functions that passed access control, refused ones included.
    pub calls: u64,
    /// Records committed.
    pub records: u64,
}

/// When a call arrived, in ticks. What others commit after that is invisible to its uniqueness checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival(pub(super) u64);

impl State {
    /// Inserts a category under a new id.
    pub(super) fn insert_category(&mut self, category: Category) -> u64 {
        self.last_category += 1;
        let id = self.last_category;
        self.categories.insert(id, Category { id, ..category });
        id
    }

    /// Refuses what a plug-in refuses.
    pub(super) fn check_place(&self, course: u64, user: u64) -> Result<(), Refusal> {
        let code = self.refusing.get(&(Some(course), None)).or_else(|| self.refusing.get(&(None, Some(user))));
        code.map_or(Ok(()), |code| Err(Refusal::moodle(code.clone())))
    }
}

impl World {
    /// A fresh site: the guest, the administrator, the service account, one category and the front page.
    pub fn new(plan: SitePlan) -> Self {
        let now = plan.started_at.as_second();
        let mut accounts = Accounts::default();
        let built_in = [
            (GUEST, "guest", "Guest user", " ", "root@localhost"),
            (ADMIN, "admin", "Admin", "User", "admin@example.invalid"),
            (plan.service_user, plan.service_username.as_str(), "Service", "Account", "service@example.invalid"),
        ];
        for (id, username, firstname, lastname, email) in built_in {
            accounts.put(
                User {
                    id,
                    username: username.into(),
                    firstname: firstname.into(),
                    lastname: lastname.into(),
                    email: email.into(),
                    has_password: true,
                    ..blank_user("manual", now)
                },
                0,
            );
        }
        let mut courses = Courses::default();
        courses.insert(Course::front_page(&plan.site_name, now), 0);
        let mut state = State {
            tokens: Tokens::new(&plan),
            mode: Mode::Open,
            accounts,
            categories: BTreeMap::new(),
            last_category: 0,
            courses,
            members: Members::default(),
            batches: Batches::default(),
            denied: BTreeSet::new(),
            refusing: BTreeMap::new(),
            mail: Mail::default(),
            calls: BTreeMap::new(),
            writes: Writes::default(),
            ticks: 0,
            plan,
        };
        state.insert_category(Category { name: "Category 1".into(), ..Category::default() });
        Self { state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call has arrived. Answer it with [`World::call_since`].
    pub fn arrive(&self) -> Arrival {
        Arrival(self.lock().tick())
    }

    /// All users by id, deleted ones included.
    pub fn users(&self) -> Vec<User> {
        self.lock().accounts.rows().values().cloned().collect()
    }

    /// The user with this user name.
    pub fn user(&self, username: &str) -> Option<User> {
        self.lock().accounts.named(username).cloned()
    }

    /// Adds a user past every check, as a database import would; `id` is given by the site. `None` if the user name is
    /// taken, which the database's own constraint refuses.
    pub fn add_user(&self, user: User) -> Option<u64> {
        let mut state = self.lock();
        if state.accounts.named(&user.username).is_some() {
            return None;
        }
        let tick = state.tick();
        let id = state.accounts.next_id();
        state.accounts.put(User { id, ..user }, tick);
        Some(id)
    }

    /// Changes a user as an administrator would by hand. Whether there was one, and its new user name was free.
    pub fn edit_user(&self, id: u64, edit: impl FnOnce(&mut User)) -> bool {
        let mut state = self.lock();
        let Some(mut user) = state.accounts.get(id).cloned() else { return false };
        edit(&mut user);
        user.id = id;
        if state.accounts.named(&user.username).is_some_and(|holder| holder.id != id) {
            return false;
        }
        let tick = state.tick();
        state.accounts.put(user, tick);
        true
    }

    /// Deletes a user as an administrator would: the row stays, in disguise. Whether there was one to delete.
    pub fn delete_user(&self, id: u64, now: Timestamp) -> bool {
        self.lock().disguise_user(id, now.as_second())
    }

    /// Sets how the site answers.
    pub fn set_mode(&self, mode: Mode) {
        self.lock().mode = mode;
    }

    /// Changes the site's settings while it runs.
    pub fn edit_plan(&self, edit: impl FnOnce(&mut SitePlan)) {
        edit(&mut self.lock().plan);
    }

    /// Changes a report as an administrator would. Whether there is one.
    pub fn edit_report(&self, id: u64, edit: impl FnOnce(&mut Report)) -> bool {
        let mut state = self.lock();
        let found = state.plan.reports.iter_mut().find(|report| report.id == id);
        found.map(edit).is_some()
    }

    /// Takes the capability for a function away from the service account (`nopermissions`), or gives it back.
    pub fn deny(&self, function: &str, denied: bool) {
        let mut state = self.lock();
        if denied {
            state.denied.insert(function.to_owned());
        } else {
            state.denied.remove(function);
        }
    }

    /// Has a plug-in refuse, with this code, whatever is written of who is in a course.
    pub fn refuse_course(&self, course: u64, code: &str) {
        self.lock().refusing.insert((Some(course), None), code.to_owned());
    }

    /// The same of which courses a person is in.
    pub fn refuse_user(&self, user: u64, code: &str) {
        self.lock().refusing.insert((None, Some(user)), code.to_owned());
    }

    /// Sets whether outgoing mail fails.
    pub fn break_mail(&self, broken: bool) {
        self.lock().mail.broken = broken;
    }

    /// The outgoing mail.
    pub fn mail(&self) -> Mail {
        self.lock().mail
    }

    /// What calls have written.
    pub fn writes(&self) -> Writes {
        self.lock().writes
    }

    /// Calls per function since the start, refused ones included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.lock().calls.clone()
    }

    /// What calls cost at present.
    pub(super) fn cost(&self) -> Option<Cost> {
        self.lock().plan.cost
    }

    /// Whether addresses are checked for uniqueness.
    pub(super) fn checks_email(&self) -> bool {
        !self.lock().plan.same_email
    }

    /// Number of rows in the user table.
    pub(super) fn size(&self) -> usize {
        self.lock().accounts.rows().len()
    }

    /// Keeps the whole site as it is now.
    pub fn keep(&self) -> Kept {
        Kept(Box::new(self.lock().clone()))
    }

    /// Makes it again what it was, counters included; time goes on.
    pub fn restore(&self, kept: &Kept) {
        let mut state = self.lock();
        let ticks = state.ticks;
        *state = State { ticks, ..(*kept.0).clone() };
    }

    /// A digest over users, categories, courses and enrolments: equal digests, nothing was written.
    pub fn digest(&self) -> String {
        let state = self.lock();
        let mut sink = Sink(blake3::Hasher::new());
        // A hasher takes everything; there is no failure to report.
        let _ = write!(
            sink,
            "{:?}{:?}{:?}{:?}",
            state.accounts.rows(),
            state.categories,
            state.courses.rows(),
            state.members.rows()
        );
        sink.0.finalize().to_hex().to_string()
    }
}

struct Sink(blake3::Hasher);

impl std::fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl State {
    /// The next tick.
    pub(super) fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// Turns a user into its disguise: user name `<email>.<time>`, e-mail 32 hex digits, no ID number, no enrolments.
    /// Whether there was a user to delete.
    pub(super) fn disguise_user(&mut self, id: u64, now: i64) -> bool {
        let Some(mut user) = self.accounts.get(id).filter(|user| !user.deleted).cloned() else { return false };
        let mut username = format!("{}.{now}", user.email.to_lowercase());
        while self.accounts.named(&username).is_some() {
            username.push('1');
        }
        // The real site takes MD5; the form is the same and nobody can read it back.
        user.email = blake3::hash(user.username.as_bytes()).to_hex().chars().take(32).collect();
        user.username = username;
        user.idnumber.clear();
        user.deleted = true;
        user.modified = now;
        let tick = self.tick();
        self.accounts.put(user, tick);
        self.members.forget_user(id);
        true
    }
}

/// The row a create starts from.
pub(super) fn blank_user(auth: &str, now: i64) -> User {
    User {
        auth: auth.to_owned(),
        lang: "en".to_owned(),
        timezone: "99".to_owned(),
        mailformat: 1,
        maildisplay: 2,
        created: now,
        modified: now,
        ..User::default()
    }
}
