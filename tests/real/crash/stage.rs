//! A stage on which a pass can be cut off again and again: servers that are put back to where they were, and the
//! program beside them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reconcile::policy::CourseKey;
use reconcile::sim::campus::Campus;
use reconcile::sim::ldap::{Directory, DirectoryPlan, Snapshot};
use reconcile::sim::watch::{Moment, Verdict, Watcher, Written};
use reconcile::targets::moodle::sim::{Course, Enrolment, Fault, Kept, MoodleSim, SitePlan, User, World};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::ending::Write;
use crate::rig::AUTH;

const PATIENCE: Duration = Duration::from_mins(1);
/// How long a write may still land once nobody knows of it, in seconds: the least that can be configured.
pub const SETTLE_AFTER: u64 = 1;

/// How long an answer of the directory is waited for, and a write there may still land: a busy machine takes its time.
pub const ANSWERS_WITHIN: u64 = 3;

/// So many passes are enough, once nothing is on its way any more.
const FEW: u32 = 4;

/// Where a process ends: when this write has come to a server, or is done there, for this time.
pub struct AtWrite {
    pub what: String,
    pub nth: usize,
    pub moment: Moment,
    pub verdict: Verdict,
}

/// What the servers saw.
#[derive(Default)]
struct Seen {
    /// Writes that were done, in their order.
    done: Vec<Write>,
    /// Writes that came, in their order.
    came: Vec<Write>,
    end: Option<AtWrite>,
    victim: Option<Child>,
}

/// Everything as it is before a pass that is cut off.
#[derive(Clone)]
pub struct Start {
    site: Kept,
    directory: Snapshot,
    store: PathBuf,
    faults: Vec<(&'static str, Fault)>,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// The stage. Fields are dropped in this order.
pub struct Stage {
    pub directory: Directory,
    pub moodle: MoodleSim,
    seen: Arc<Mutex<Seen>>,
    vault: PathBuf,
    place: TempDir,
}

/// What a process said, and how it ended; the number of a signal stands negative.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Stage {
    /// A directory with these people and a site with their courses, where nobody has an account yet.
    pub fn new(runtime: &Runtime, campus: &Campus, vault: &Path) -> Self {
        let place = tempfile::tempdir().unwrap();
        // Whatever port it is on, it is the same site.
        let site = SitePlan { site_url: Some("http://campus.example".into()), ..SitePlan::default() };
        let (directory, moodle) = runtime.block_on(async {
            let now = jiff::Timestamp::now();
            let plan = DirectoryPlan::portal(now).with(campus.ldap_entries());
            (Directory::start(plan).await.unwrap(), MoodleSim::start(site).await.unwrap())
        });
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watcher = |seen: &Arc<Mutex<Seen>>| -> Watcher {
            let seen = Arc::clone(seen);
            Arc::new(move |write| see(&mut seen.lock().unwrap(), write))
        };
        moodle.gate().watch().set(watcher(&seen));
        directory.watch().set(watcher(&seen));
        let stage = Self { directory, moodle, seen, vault: vault.to_owned(), place };
        stage.make_courses(campus);
        fs::write(stage.path("reconcile.toml"), stage.configuration()).unwrap();
        stage
    }

    /// Each with a teacher of somebody else's, so that whoever is enrolled gets a welcome message.
    fn make_courses(&self, campus: &Campus) {
        let keys = campus.teachings.iter().filter_map(|one| CourseKey::new(&one.topic_id, &one.semester_id));
        let keys: BTreeSet<String> = keys.map(|key| key.to_string()).collect();
        let guest = User { username: "guest.lecturer".into(), auth: "manual".into(), ..User::default() };
        let guest = User { firstname: "Local".into(), lastname: "Account".into(), ..guest };
        let guest = self.world().add_user(User { email: "guest@elsewhere.example".into(), ..guest }).unwrap();
        for key in keys {
            let course = Course { fullname: key.clone(), shortname: key.clone(), idnumber: key, ..Course::default() };
            let id = self.world().add_course(Course { category: 1, visible: true, ..course });
            self.world().edit_member(id, guest, |member| {
                member.methods.insert("self".to_owned(), Enrolment::default());
                member.roles.insert(3);
            });
        }
    }

    fn configuration(&self) -> String {
        format!(
            r#"[store]
path = "store"

[institution]
number = "185"
name = "Test University"
mail_domain = "uni.example"

[portal_ldap]
url = "{ldap}"
bind_dn = "cn=portal,dc=meta"
password = "env:PORTAL_PASSWORD"
operation_timeout_seconds = {ANSWERS_WITHIN}

[metavault]
url = "sqlite://{vault}"

# So wide that nothing has to be allowed: what is written counts in the guard's windows.
[guard]
floor = 10000
first_load = true

[moodle]
url = "{moodle}"
token = "env:MOODLE_TOKEN"
auth = "{AUTH}"
batch_size = 3
max_fields = 4500
settle_after_seconds = {SETTLE_AFTER}

[moodle.report]
id = 1

[moodle.pace]
per_second = 1000
burst = 100
concurrency = 2

[moodle.enrolments]
batch_size = 6
[moodle.enrolments.report]
id = 2

[portal]
[portal.pace]
per_second = 1000
burst = 100
concurrency = 2
"#,
            ldap = self.directory.url(),
            vault = self.vault.display(),
            moodle = self.moodle.base_url(),
        )
    }

    /// Changes the configuration; `from` must stand in it.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("reconcile.toml")).unwrap();
        assert!(text.contains(from), "{from} is not in\n{text}");
        fs::write(self.path("reconcile.toml"), text.replace(from, to)).unwrap();
    }

    pub fn world(&self) -> &Arc<World> {
        self.moodle.world()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Keeps everything as it is now; what is armed comes first in every pass from here.
    pub fn keep(&self, to: &Path, faults: &[(&'static str, Fault)]) -> Start {
        copy(self.place.path(), to);
        Start {
            site: self.world().keep(),
            directory: self.directory.snapshot(),
            store: to.to_owned(),
            faults: faults.to_vec(),
            at: jiff::Timestamp::now().as_millisecond(),
        }
    }

    /// Copies the store.
    pub fn copy_store(&self, to: &Path) {
        copy(self.place.path(), to);
    }

    /// Makes everything again what it was.
    pub fn restore(&self, start: &Start) {
        self.world().restore(&start.site);
        self.directory.restore(&start.directory);
        let store = self.path("store");
        if store.exists() {
            fs::remove_dir_all(&store).unwrap();
        }
        copy(&start.store, self.place.path());
        self.moodle.faults().clear();
        self.directory.faults().clear();
        for (function, fault) in &start.faults {
            self.moodle.faults().next(1, Some(function), fault.clone());
        }
        *self.seen.lock().unwrap() = Seen::default();
        fs::write(self.path("reconcile.toml"), self.configuration()).unwrap();
    }

    /// The writes that were done since the start.
    pub fn done(&self) -> Vec<Write> {
        self.seen.lock().unwrap().done.clone()
    }

    /// The writes that came since the start.
    pub fn came(&self) -> Vec<Write> {
        self.seen.lock().unwrap().came.clone()
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.end(Command::new(env!("CARGO_BIN_EXE_reconcile")), args)
    }

    /// Runs it on a disk that is full from a point on.
    pub fn run_full(&self, at: &str, args: &[&str]) -> Run {
        let mut command = Command::new("sh");
        // What is too much is an error to whoever writes it, and not the end of the process.
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_reconcile-stopping")]);
        command.env("RECONCILE_FULL_AT", at);
        self.end(command, args)
    }

    /// Runs it until it ends itself at a point; `points` names a file for all that are reached.
    pub fn run_until(&self, at: Option<&str>, points: Option<&Path>, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile-stopping"));
        at.map(|at| command.env("RECONCILE_STOP_AT", at));
        points.map(|path| command.env("RECONCILE_POINTS", path));
        self.end(command, args)
    }

    /// Runs it until a write comes to a server.
    pub fn run_until_write(&self, at: AtWrite, args: &[&str]) -> Run {
        self.seen.lock().unwrap().end = Some(at);
        let run = self.run(args);
        self.seen.lock().unwrap().end = None;
        run
    }

    /// Starts it; [`Stage::kill`] ends it.
    pub fn start(&self, args: &[&str]) {
        let child = self.spawn(Command::new(env!("CARGO_BIN_EXE_reconcile")), args);
        self.seen.lock().unwrap().victim = Some(child);
    }

    /// Kills what was started.
    pub fn kill(&self) {
        let mut child = self.seen.lock().unwrap().victim.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn spawn(&self, mut command: Command, args: &[&str]) -> Child {
        command.arg("--config").arg(self.path("reconcile.toml")).args(args).current_dir(self.place.path());
        command.env("PORTAL_PASSWORD", "portalpw").env("MOODLE_TOKEN", self.moodle.token());
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(fs::File::create(self.path("stdout")).unwrap());
        command.stderr(fs::File::create(self.path("stderr")).unwrap());
        command.spawn().unwrap()
    }

    fn end(&self, command: Command, args: &[&str]) -> Run {
        let child = self.spawn(command, args);
        self.seen.lock().unwrap().victim = Some(child);
        let since = Instant::now();
        let status = loop {
            // Not held while it runs: whoever sees its writes may have to kill it.
            if let Some(status) = self.seen.lock().unwrap().victim.as_mut().unwrap().try_wait().unwrap() {
                break status;
            }
            assert!(since.elapsed() < PATIENCE, "{args:?} does not end");
            std::thread::sleep(Duration::from_millis(1));
        };
        self.seen.lock().unwrap().victim = None;
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        Run { code, out: read("stdout"), err: read("stderr") }
    }

    /// Runs passes, the first with one command and all others with another, until one has nothing to write. Those that
    /// wait for a write that may still land say so; of the others a few are enough.
    pub fn settle(&self, first: &[&str], then: &[&str], told: &str) {
        let (since, mut passes) = (Instant::now(), 0);
        loop {
            let run = self.run(if passes == 0 { first } else { then });
            assert!([0, 4].contains(&run.code), "{told}: {}\n{}", run.out, run.err);
            let is_over = passes > 0 || first == then;
            if run.code == 0 && is_over && run.out.contains("Nothing to write") {
                break;
            }
            if run.out.contains("in doubt") {
                std::thread::sleep(Duration::from_millis(200));
            }
            passes += u32::from(passes == 0 || !run.out.contains("in doubt"));
            let settles = since.elapsed() < PATIENCE && passes <= FEW;
            assert!(settles, "{told} does not settle: {}\n{}", run.out, run.err);
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        if let Some(mut child) = self.victim.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn see(seen: &mut Seen, write: &Written<'_>) -> Verdict {
    match write.moment {
        Moment::Arrived => seen.came.push(Write::new(write.what, write.fields)),
        Moment::Done => seen.done.push(Write::new(write.what, write.fields)),
    }
    let is_it = |end: &AtWrite| {
        let seen = if end.moment == Moment::Arrived { &seen.came } else { &seen.done };
        let times = seen.iter().filter(|write| write.what == end.what).count();
        end.moment == write.moment && end.what == write.what && end.nth == times
    };
    if !seen.end.as_ref().is_some_and(is_it) {
        return Verdict::Do;
    }
    if let Some(child) = &mut seen.victim {
        child.kill().unwrap();
    }
    seen.end.take().map_or(Verdict::Do, |end| end.verdict)
}

/// Copies a store, with the plan that was saved beside it.
fn copy(from: &Path, to: &Path) {
    for name in ["store", "store/claims"] {
        if !from.join(name).exists() {
            continue;
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(to.join(name)).unwrap();
        for entry in fs::read_dir(from.join(name)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(name).join(entry.file_name())).unwrap();
            }
        }
    }
    if from.join("plan.json").exists() {
        fs::copy(from.join("plan.json"), to.join("plan.json")).unwrap();
    }
}
