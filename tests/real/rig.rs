//! What every test stands on: a campus in a real directory and in SQLite or PostgreSQL, a simulated site, a
//! configuration, and the program as a process.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reconcile::sim::campus::{Campus, CampusPerson, CampusPlan, attribute};
use reconcile::sim::metavault::{create_postgres, create_sqlite};
use reconcile::targets::moodle::sim::{Faults, MoodleSim, SitePlan, User, World};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres::{self, Postgres};
use crate::slapd::Slapd;

/// The authentication method whose accounts are managed.
pub const AUTH: &str = "oidc";
/// The function that makes accounts.
pub const CREATE: &str = "core_user_create_users";
/// The function that changes them.
pub const UPDATE: &str = "core_user_update_users";
/// The function that reads the report.
pub const REPORT: &str = "core_reportbuilder_retrieve_report";

const PASSWORD: &str = "portalpw";
/// Nothing that is waited for takes longer, however loaded the machine is.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits for a condition.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Everything around the program. Fields are dropped in this order.
pub struct Rig {
    pub slapd: Slapd,
    /// Where MetaVault is on a server.
    pub postgres: Option<Postgres>,
    pub moodle: MoodleSim,
    runtime: Runtime,
    pub campus: Campus,
    config: String,
    runs: AtomicUsize,
    place: TempDir,
}

/// Everything outside of the program that a pass might write: equal before and after, nothing was written.
#[derive(PartialEq, Eq)]
pub struct Outside {
    directory: String,
    moodle: String,
    vault: String,
}

impl Rig {
    /// A campus of so many people, a site in which nobody has an account yet, and the site's report configured.
    pub fn new(seed: u64, people: usize) -> Self {
        Self::with(seed, people, SitePlan::default())
    }

    /// The same with a site of this kind.
    pub fn with(seed: u64, people: usize, site: SitePlan) -> Self {
        Self::of(&CampusPlan::new(seed, people), site, false)
    }

    /// The same with MetaVault on a PostgreSQL server, reached by TLS.
    pub fn on_postgres(plan: &CampusPlan, site: SitePlan) -> Self {
        Self::of(plan, site, true)
    }

    fn of(plan: &CampusPlan, site: SitePlan, on_server: bool) -> Self {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let campus = Campus::generate(plan);
        let ldif = at("people.ldif");
        campus.write_ldif(std::io::BufWriter::new(fs::File::create(&ldif).unwrap())).unwrap();
        let slapd = Slapd::start(&at("slapd"), &ldif);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let postgres = on_server.then(|| Postgres::start(&at("postgres")));
        let moodle = runtime.block_on(async {
            match &postgres {
                Some(server) => create_postgres(&server.administrator(), &campus).await.unwrap(),
                None => create_sqlite(&at("metavault.db"), &campus).await.unwrap(),
            }
            MoodleSim::start(site).await.unwrap()
        });
        secret(&at("token"), moodle.token());
        let vault = match &postgres {
            Some(server) => server.configuration(),
            None => format!("url = \"sqlite://{}\"\n", at("metavault.db").display()),
        };
        let config = config(place.path(), &slapd, &vault, &moodle);
        let rig = Self { slapd, postgres, moodle, runtime, campus, config, runs: AtomicUsize::new(0), place };
        rig.save();
        rig
    }

    /// A rig whose site holds the accounts already.
    pub fn loaded(seed: u64, people: usize) -> Self {
        let rig = Self::new(seed, people);
        rig.run(&["--yes"]).expect(0);
        rig
    }

    /// A path in the test's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Changes the configuration; `from` must stand in it.
    pub fn reconfigure(&mut self, from: &str, to: &str) {
        assert!(self.config.contains(from), "{from} is not in\n{}", self.config);
        self.config = self.config.replace(from, to);
        self.save();
    }

    fn save(&self) {
        fs::write(self.path("reconcile.toml"), &self.config).unwrap();
    }

    /// Writes a file that only its owner may read.
    pub fn secret(&self, name: &str, value: &str) {
        secret(&self.path(name), value);
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.start(args).end()
    }

    /// Runs the program to its end with this on standard input.
    pub fn run_with_input(&self, args: &[&str], input: &str) -> Run {
        let file = self.path("input");
        fs::write(&file, input).unwrap();
        self.spawn(&[], args, fs::File::open(file).unwrap().into()).end()
    }

    /// Runs the program with JSON on standard output.
    pub fn json(&self, args: &[&str]) -> Run {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        self.run(&all)
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        self.spawn(&[], args, Stdio::null())
    }

    /// Starts the program by way of another one, which is given it and its arguments as arguments.
    pub fn start_through(&self, other: &[&str], args: &[&str]) -> Running {
        self.spawn(other, args, Stdio::null())
    }

    /// Runs the program to its end, with no file of it growing beyond so many KiB: a disk that is full by then.
    pub fn run_within(&self, kib: u64, args: &[&str]) -> Run {
        let limit = format!("trap '' XFSZ; ulimit -f {} && exec \"$@\"", kib * 2);
        self.start_through(&["sh", "-c", &limit, "sh"], args).end()
    }

    fn spawn(&self, other: &[&str], args: &[&str], input: Stdio) -> Running {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| self.path(&format!("{name}-{number}"));
        let (out, err) = (file("stdout"), file("stderr"));
        let words = [other, &[env!("CARGO_BIN_EXE_reconcile")]].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg("--config")
            .arg(self.path("reconcile.toml"))
            .args(args)
            .current_dir(self.place.path());
        command.env("REAL_PORTAL_PASSWORD", PASSWORD).env(postgres::VARIABLE, postgres::PASSWORD);
        command.env_remove("RUST_LOG").stdin(input);
        // Files and not pipes: nobody reads while a test waits for something else.
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
        let since = Instant::now();
        Running { child: Some(command.spawn().unwrap()), out, err, since, words: args.join(" ") }
    }

    /// Everything outside as it is now.
    pub fn outside(&self) -> Outside {
        Outside {
            directory: self.slapd.csns(),
            moodle: self.world().digest(),
            vault: match &self.postgres {
                Some(server) => server.digest(),
                None => format!("{:?}", fs::read(self.path("metavault.db")).unwrap()),
            },
        }
    }

    /// Holds what is outside against what it was.
    pub fn nothing_was_written(&self, before: &Outside) {
        let now = self.outside();
        assert!(now.directory == before.directory, "the directory was written to");
        assert!(now.moodle == before.moodle, "the site was written to");
        assert!(now.vault == before.vault, "MetaVault was written to");
    }

    /// The site's state.
    pub fn world(&self) -> &Arc<World> {
        self.moodle.world()
    }

    /// The site's faults.
    pub fn faults(&self) -> &Arc<Faults> {
        self.moodle.faults()
    }

    /// Calls of a function so far.
    pub fn calls(&self, function: &str) -> u64 {
        self.world().calls().get(function).copied().unwrap_or(0)
    }

    /// Calls that write, so far.
    pub fn writing_calls(&self) -> u64 {
        self.calls(CREATE) + self.calls(UPDATE)
    }

    /// Managed accounts by id.
    pub fn managed(&self) -> Vec<User> {
        self.world().users().into_iter().filter(|user| user.auth == AUTH && !user.deleted).collect()
    }

    /// The accounts of everybody else, which nobody here may touch.
    pub fn foreign(&self) -> Vec<User> {
        self.world().users().into_iter().filter(|user| user.auth != AUTH).collect()
    }

    /// The account of a person, by user name.
    pub fn account(&self, person: &CampusPerson) -> User {
        self.world().user(&username(person)).unwrap()
    }

    /// People without oddities who are entitled to an account.
    pub fn plain(&self) -> impl Iterator<Item = &CampusPerson> {
        let odd = |person: &CampusPerson| person.oddity.is_some() || person.text(attribute::UH_USERNAME).is_none();
        self.campus.people.iter().filter(move |person| !odd(person) && person.entitled("moodle"))
    }

    /// Runs SQL on MetaVault; what refers to what is not looked at.
    pub fn sql(&self, sql: &str) {
        if let Some(server) = &self.postgres {
            server.sql(&format!("SET session_replication_role = replica; {sql}"));
            return;
        }
        self.runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(self.path("metavault.db")).foreign_keys(false);
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// Rows of a query on MetaVault in PostgreSQL, as texts without bars.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let said = self.postgres.as_ref().unwrap().sql(sql);
        said.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }

    /// Replaces one value of a person's entry.
    pub fn replace(&self, person: &CampusPerson, name: &str, value: &str) {
        let dn = person.dn();
        self.slapd.modify(&format!("dn: {dn}\nchangetype: modify\nreplace: {name}\n{name}: {value}\n"));
    }

    /// Runs passes until nothing is in doubt any more; each before that says so. A first load that was cut off is
    /// one until it is through.
    pub fn settles(&self) {
        until("everything is settled", || {
            let run = self.run(&["--yes"]);
            if run.code != 0 {
                run.expect(4).says(&["in doubt"]);
                return false;
            }
            true
        });
        self.run(&["--plan"]).expect(0);
        self.everybody_has_one_account();
    }

    /// No two managed accounts stand for one person, and everybody who should has one.
    pub fn everybody_has_one_account(&self) {
        let users = self.managed();
        let mut emails: Vec<String> = users.iter().map(|user| user.email.to_lowercase()).collect();
        let all = emails.len();
        emails.sort_unstable();
        emails.dedup();
        assert_eq!(emails.len(), all, "an address stands twice at the site");
        for person in self.plain() {
            let user = self.world().user(&username(person));
            assert!(user.is_some_and(|user| !user.suspended), "{} has no open account", person.uhid);
        }
    }
}

/// The user name a person has at the site.
pub fn username(person: &CampusPerson) -> String {
    let name = person.text(attribute::USERNAME).or_else(|| person.text(attribute::UH_USERNAME));
    name.unwrap().to_lowercase()
}

/// The address a person has at the site.
pub fn email(person: &CampusPerson) -> String {
    let made = || format!("{}@uni.example", username(person));
    person.text(attribute::EMAIL).map_or_else(made, str::to_owned)
}

/// A program that runs.
pub struct Running {
    child: Option<Child>,
    out: PathBuf,
    err: PathBuf,
    since: Instant,
    words: String,
}

impl Running {
    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let status = self.child.take().unwrap().wait().unwrap();
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let words = std::mem::take(&mut self.words);
        Run { code, out: read(&self.out), err: read(&self.err), took: self.since.elapsed(), words }
    }

    /// Sends a signal, by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// What it has said on standard error so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A program that has ended. A signal's number stands negative in `code`.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
    /// What it was started with.
    pub words: String,
}

impl Run {
    /// Holds the exit code against the expected one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        let start = |text: &str| text.chars().take(8_000).collect::<String>();
        let (words, out, err) = (&self.words, start(&self.out), start(&self.err));
        assert_eq!(self.code, code, "reconcile {words}\n--- stdout\n{out}\n--- stderr\n{err}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// The one pipeline's part of a JSON report.
    #[track_caller]
    pub fn pipeline(&self) -> Value {
        self.report()["pipelines"][0].clone()
    }

    /// A counter of the JSON report.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        let report = self.pipeline();
        report["counters"][name].as_u64().unwrap_or_else(|| panic!("{name} is not in {}", report["counters"]))
    }

    /// Everything that was said.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Holds that all of this was said, on either stream.
    #[track_caller]
    pub fn says(&self, words: &[&str]) -> &Self {
        let text = self.text();
        for word in words {
            assert!(text.contains(word), "`{word}` is not in\n{text}");
        }
        self
    }

    /// Holds that standard error gives nobody away: no secret, no name, no address, no number of anybody.
    #[track_caller]
    pub fn gives_nobody_away(&self, rig: &Rig) -> &Self {
        let personal = [
            attribute::USERNAME,
            attribute::UH_USERNAME,
            attribute::EMAIL,
            attribute::EPPN,
            attribute::NATIONAL_NUMBER,
            attribute::STUDENT_NUMBER,
            "displayName",
        ];
        for person in &rig.campus.people {
            for value in personal.iter().filter_map(|name| person.text(name)).filter(|value| value.len() > 5) {
                assert!(!self.err.contains(value), "a value of {} is in\n{}", person.uhid, self.err);
            }
        }
        for secret in [PASSWORD, postgres::PASSWORD, rig.moodle.token()] {
            assert!(!self.text().contains(secret), "a secret is in\n{}", self.text());
        }
        self
    }
}

fn secret(path: &Path, value: &str) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(value.as_bytes()).unwrap();
}

fn config(place: &Path, slapd: &Slapd, vault: &str, moodle: &MoodleSim) -> String {
    format!(
        r#"[store]
path = "store"

[institution]
number = "185"
name = "Test University"
mail_domain = "uni.example"

[portal_ldap]
url = "{ldap}"
ca_file = "{ca}"
bind_dn = "cn=portal,dc=meta"
password = "env:REAL_PORTAL_PASSWORD"

[metavault]
{vault}
[guard]
first_load = true

[moodle]
url = "{moodle}"
token = "file:{place}/token"
auth = "{AUTH}"
batch_size = 100
max_fields = 4500
settle_after_seconds = 1

[moodle.report]
id = 1

[moodle.pace]
per_second = 500
burst = 50
concurrency = 4

# Which semesters are processed depends on the day on which a test runs; the campus has its own.
[moodle.enrolments]
enabled = false
"#,
        ldap = slapd.tls_url(),
        ca = slapd.ca_file().display(),
        place = place.display(),
        moodle = moodle.base_url(),
    )
}
