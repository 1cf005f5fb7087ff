//! A stage on which every simulator is in the test's hands: directory, MetaVault in SQLite and a site, with the program
//! run in this process, so that hundreds of passes are affordable. Its clock is moved by hand.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use reconcile::cli::{Interrupt, Io, Terminal, run};
use reconcile::clock::Clock;
use reconcile::policy::{CourseKey, day};
use reconcile::sim::campus::{Campus, CampusPerson, CampusPlan, Standing, attribute};
use reconcile::sim::ldap::{Directory, DirectoryPlan};
use reconcile::sim::metavault::create_sqlite;
use reconcile::targets::Registry;
use reconcile::targets::moodle::sim::{Course, Faults, MoodleSim, SitePlan, User, World};
use reconcile_state::store::StoreDir;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use crate::rig::{AUTH, username};

/// How long the site may still be at work on a request, by the configuration.
const SETTLE_AFTER: i64 = 1;
/// How long an answer is waited for, by the configuration.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Everything outside that a pass may write, without ids and times, which differ from run to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    accounts: BTreeMap<String, User>,
    members: BTreeMap<(String, String), String>,
    marks: BTreeMap<String, Vec<String>>,
    /// Records that calls have committed at the site since the start, and modifications of the directory: equal to
    /// those of a run without faults, nothing was done twice.
    written: (u64, u64),
}

/// A command that has ended.
pub struct Ended {
    /// Its exit code.
    pub code: u8,
    /// Everything that was said.
    pub said: String,
}

impl Ended {
    /// Holds the exit code against the expected one.
    #[track_caller]
    pub fn expect(self, code: u8) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    /// Holds that all of this was said.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.said.contains(word), "`{word}` is not in\n{}", self.said);
        }
        self
    }
}

/// The machine's clock, moved by hand.
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// People whom a round changes.
struct Cast {
    renamed: CampusPerson,
    closed: CampusPerson,
    deleted: CampusPerson,
    /// UH-ID and teaching of two seats that come and go in turn, and of two roles.
    seats: [(String, i64); 2],
    roles: [(String, i64); 2],
}

/// The stage.
pub struct Stage {
    /// Portal LDAP.
    pub directory: Directory,
    /// The site.
    pub moodle: MoodleSim,
    /// The campus as it was generated.
    pub campus: Campus,
    cast: Cast,
    clock: Arc<Moved>,
    idle: usize,
    place: TempDir,
}

impl Stage {
    /// A small campus whose accounts, enrolments and marks have all landed. Read through reports or without.
    pub async fn loaded(by_report: bool) -> Self {
        let stage = Self::set(by_report, 40).await;
        stage.pass().await.expect(0);
        stage.plan().await.expect(0);
        stage
    }

    /// A campus of so many people at whose site nobody has an account yet.
    pub async fn set(by_report: bool, people: usize) -> Self {
        let place = match Path::new("/dev/shm") {
            memory if memory.is_dir() => TempDir::new_in(memory),
            _ => TempDir::new(),
        };
        let (place, now) = (place.unwrap(), Timestamp::now());
        let campus = Campus::generate(&CampusPlan { today: day(now), ..CampusPlan::new(11, people) });
        create_sqlite(&place.path().join("metavault.db"), &campus).await.unwrap();
        let directory = Directory::start(DirectoryPlan::portal(now).with(campus.ldap_entries())).await.unwrap();
        let site = SitePlan { welcome_message: false, started_at: now, ..SitePlan::default() };
        let moodle = MoodleSim::start(site).await.unwrap();
        for teaching in &campus.teachings {
            let Some(key) = CourseKey::new(&teaching.topic_id, &teaching.semester_id) else { continue };
            let (name, idnumber) = (key.to_string(), key.to_string());
            if !moodle.world().courses().iter().any(|course| course.idnumber == idnumber) {
                let course = Course { fullname: name.clone(), shortname: name, idnumber, ..Course::default() };
                moodle.world().add_course(Course { category: 1, visible: true, format: "topics".into(), ..course });
            }
        }
        let cast = Cast::of(&campus, day(now).to_string().as_str());
        let config = config(&directory, &moodle, place.path(), by_report);
        std::fs::write(place.path().join("reconcile.toml"), config).unwrap();
        let idle = Arc::strong_count(moodle.gate());
        Self { directory, moodle, campus, cast, clock: Arc::new(Moved(AtomicI64::new(0))), idle, place }
    }

    /// Changes the configuration; `from` must stand in it.
    pub fn reconfigure(&self, from: &str, to: &str) {
        let file = self.place.path().join("reconcile.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} is not in\n{text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    /// The site's state.
    pub fn world(&self) -> &World {
        self.moodle.world()
    }

    /// The site's faults.
    pub fn faults(&self) -> &Faults {
        self.moodle.faults()
    }

    /// Calls of a function so far.
    pub fn calls(&self, function: &str) -> u64 {
        self.world().calls().get(function).copied().unwrap_or(0)
    }

    /// Work for every function that writes, other work in every round: an update, a closing or reopening, an account
    /// that somebody deleted, enrolments and roles that come and go.
    pub async fn round(&self, number: usize) {
        let even = number.is_multiple_of(2);
        let cast = &self.cast;
        let edit = |person: &CampusPerson, name: &str, values: &[String]| {
            assert!(self.directory.modify(&person.uhid, |entry| entry.set(name, values.iter().map(String::as_str))));
        };
        edit(&cast.renamed, attribute::SURNAME, &[runde(number)]);
        edit(&cast.closed, attribute::DISABLED, &if even { vec!["TRUE".to_owned()] } else { Vec::new() });
        let account = self.world().user(&username(&cast.deleted)).unwrap();
        assert!(self.world().delete_user(account.id, Timestamp::now()));
        for (at, phase) in [(0, even), (1, !even)] {
            let (uhid, teaching) = &cast.seats[at];
            let status = if phase { "I" } else { "A" };
            self.sql(&format!(
                "UPDATE mv_enrolment SET status = '{status}' WHERE uhid = '{uhid}' AND teaching_id = {teaching}"
            ))
            .await;
            let (uhid, teaching) = &cast.roles[at];
            let sql = if phase {
                format!(
                    "INSERT OR IGNORE INTO mv_enrolment VALUES ('{uhid}', {teaching}, 'teacher', 'assistant', 'A', '')"
                )
            } else {
                format!(
                    "DELETE FROM mv_enrolment WHERE uhid = '{uhid}' AND teaching_id = {teaching} AND kind = 'teacher'"
                )
            };
            self.sql(&sql).await;
        }
    }

    /// States after each of so many rounds where nothing goes wrong; what repeats itself is played once.
    pub async fn undisturbed(rounds: usize, by_report: bool) -> Vec<State> {
        const PLAYED: usize = 5;
        let stage = Self::loaded(by_report).await;
        let mut states: Vec<State> = Vec::new();
        for number in 0..rounds {
            if number >= PLAYED {
                states.push(states[number - 2].two_on(&states[number - 4], number));
                continue;
            }
            stage.round(number).await;
            stage.converges("without faults").await;
            states.push(stage.state());
        }
        states
    }

    /// Runs SQL on MetaVault.
    pub async fn sql(&self, sql: &str) {
        let options = SqliteConnectOptions::new().filename(self.place.path().join("metavault.db"));
        let mut connection = options.foreign_keys(false).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A pass that applies.
    pub async fn pass(&self) -> Ended {
        self.run(&["--yes"]).await
    }

    /// A plan.
    pub async fn plan(&self) -> Ended {
        self.run(&["--plan"]).await
    }

    /// Runs the program, some time after its last run, and with nothing left at work at the site or in the directory.
    pub async fn run(&self, args: &[&str]) -> Ended {
        self.is_idle().await;
        self.clock.0.fetch_add(10 * SETTLE_AFTER, Ordering::SeqCst);
        let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), std::io::empty());
        let mut io = Io {
            out: &mut out,
            err: &mut err,
            input: &mut input,
            terminal: Terminal::default(),
            environment: &|name| match name {
                "PORTAL" => Some("portalpw".to_owned()),
                "SITE" => Some(SitePlan::default().service_password),
                "TOKEN" => Some(SitePlan::default().token),
                _ => None,
            },
            account: "tester".to_owned(),
            clock: self.clock.clone(),
            random: &|| [7; 32],
            interrupt: Interrupt::default(),
            progress: Arc::new(reconcile::engine::Silent),
            points: Arc::new(reconcile::engine::Unstopped),
        };
        let head = ["reconcile".into(), "--config".into(), self.place.path().join("reconcile.toml").into_os_string()];
        let words = head.into_iter().chain(args.iter().map(OsString::from));
        let code = Box::pin(run(words, &Registry::builtin(), &mut io)).await as u8;
        let said = format!("{}{}", String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap());
        Ended { code, said }
    }

    /// Waits until site and directory are at work on nothing: neither on what nobody waits for, nor on what comes later.
    async fn is_idle(&self) {
        let since = Instant::now();
        while Arc::strong_count(self.moodle.gate()) > self.idle || self.directory.is_holding() {
            assert!(since.elapsed() < Duration::from_mins(1), "site or directory is still at work");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Runs passes until a plan has nothing to do; at most a few.
    pub async fn converges(&self, what: &str) {
        let mut said = Vec::new();
        for _ in 0..5 {
            let plan = self.plan().await;
            if plan.code == 0 {
                assert_eq!(self.open_intents(), 0, "{what}");
                return;
            }
            let pass = self.pass().await;
            said.extend([plan, pass].map(|ended| format!("exit code {}\n{}", ended.code, ended.said)));
        }
        panic!("{what}: no end\n{}", said.join("\n"));
    }

    /// Intents of which the journal knows no outcome.
    fn open_intents(&self) -> usize {
        let store = StoreDir::open(self.place.path().join("store"), [7; 32]).unwrap();
        let open = |name| store.pipeline(name).unwrap().open_intents().unwrap().len();
        open("moodle") + open("portal")
    }

    /// Everything outside as it is now.
    pub fn state(&self) -> State {
        let (world, entries) = (self.world(), self.directory.snapshot());
        let users = world.users();
        let names: BTreeMap<u64, String> = users.iter().map(|user| (user.id, user.username.clone())).collect();
        let courses: BTreeMap<u64, String> = world.courses().into_iter().map(|one| (one.id, one.idnumber)).collect();
        let accounts = users.into_iter().filter(|user| user.auth == AUTH && !user.deleted);
        let accounts = accounts.map(|user| (user.username.clone(), User { id: 0, created: 0, modified: 0, ..user }));
        let members = world.members().into_iter().map(|((course, user), member)| {
            let methods: Vec<(&String, bool)> =
                member.methods.iter().map(|(name, one)| (name, one.suspended)).collect();
            ((courses[&course].clone(), names[&user].clone()), format!("{methods:?} {:?}", member.roles))
        });
        let mark = |text: &str| match text.strip_prefix("moodle:").and_then(|id| id.parse().ok()) {
            Some(id) => format!("moodle:{}", names.get(&id).map_or("nobody", |name| name)),
            None => text.to_owned(),
        };
        let marks = entries.entries().filter_map(|entry| {
            let uhid = entry.text("idautoID")?.to_owned();
            let all = [attribute::BIRTHRIGHT_MARKS, attribute::REQUESTED_MARKS, "idautoPersonAppRoles7"];
            Some((uhid, all.iter().flat_map(|name| entry.texts(name)).map(mark).collect()))
        });
        State {
            accounts: accounts.collect(),
            members: members.collect(),
            marks: marks.collect(),
            written: (world.writes().records, self.directory.writes()),
        }
    }
}

/// The name that a round gives.
fn runde(number: usize) -> String {
    format!("Runde {number}")
}

impl State {
    /// What two more rounds make of it, where two made `before` into it: every other round does the same work.
    pub fn two_on(&self, before: &Self, number: usize) -> Self {
        let named =
            |user: &User| User { lastname: user.lastname.replace(&runde(number - 2), &runde(number)), ..user.clone() };
        let accounts = self.accounts.iter().map(|(name, user)| (name.clone(), named(user))).collect();
        let on = |now: u64, then: u64| now + (now - then);
        let written = (on(self.written.0, before.written.0), on(self.written.1, before.written.1));
        Self { accounts, written, ..self.clone() }
    }

    /// The same with this done to the accounts, and with so many more writes, at the site and in the directory.
    pub fn with(mut self, edit: impl Fn(&mut User), (records, entries): (u64, u64)) -> Self {
        self.accounts.values_mut().for_each(edit);
        self.written = (self.written.0 + records, self.written.1 + entries);
        self
    }

    /// Holds it against another, and names what differs.
    #[track_caller]
    pub fn is(&self, other: &Self, what: &str) {
        differ(&self.accounts, &other.accounts, what);
        differ(&self.members, &other.members, what);
        differ(&self.marks, &other.marks, what);
        assert_eq!(self.written, other.written, "{what}: written, at the site and in the directory");
    }
}

#[track_caller]
fn differ<K: Ord + Debug, V: PartialEq + Debug>(is: &BTreeMap<K, V>, wanted: &BTreeMap<K, V>, what: &str) {
    let keys = is.keys().chain(wanted.keys()).filter(|key| is.get(key) != wanted.get(key));
    let differ: Vec<_> = keys.map(|key| (key, is.get(key), wanted.get(key))).collect();
    assert!(differ.is_empty(), "{what}: what is, and what should be\n{differ:#?}");
}

impl Cast {
    fn of(campus: &Campus, today: &str) -> Self {
        let current =
            campus.semesters.iter().find(|one| one.starts_on.as_str() <= today && today <= one.ends_on.as_str());
        let current = &current.unwrap().id;
        let held = |id: i64| {
            campus.teachings.iter().any(|one| one.id == id && one.status == "A" && one.semester_id == *current)
        };
        let plain = |person: &&CampusPerson| {
            person.oddity.is_none() && person.standing == Standing::Active && person.entitled("moodle")
        };
        let mut students = campus.people.iter().filter(plain).filter_map(|person| {
            let mut mine = campus.enrolments.iter().filter(|one| one.uhid == person.uhid && one.status == "A");
            let seat = mine.find(|one| one.kind == "student" && held(one.teaching_id))?;
            Some((person.clone(), (person.uhid.clone(), seat.teaching_id)))
        });
        let mut next = || students.next().unwrap();
        Self {
            renamed: next().0,
            closed: next().0,
            deleted: next().0,
            seats: [next().1, next().1],
            roles: [next().1, next().1],
        }
    }
}

fn config(directory: &Directory, moodle: &MoodleSim, place: &Path, by_report: bool) -> String {
    let (place, ldap, site) = (place.display(), directory.url(), moodle.base_url());
    let reports = ("[moodle.report]\nid = 1\n", "[moodle.enrolments.report]\nid = 2\n");
    let (users, participants) = if by_report { reports } else { ("", "") };
    let timeout = TIMEOUT.as_secs();
    format!(
        "[store]\npath = \"{place}/store\"\n\n\
         [institution]\nnumber = \"185\"\nname = \"Test University\"\nmail_domain = \"uni.example\"\n\n\
         [portal_ldap]\nurl = \"{ldap}\"\nbind_dn = \"cn=portal,dc=meta\"\npassword = \"env:PORTAL\"\n\
         operation_timeout_seconds = {timeout}\npage_size = 20\n\n\
         [metavault]\nurl = \"sqlite://{place}/metavault.db\"\n\n[guard]\nfirst_load = true\n\n\
         [guard.windows]\nday = 1000\nweek = 1000\n\n\
         [portal]\n[portal.pace]\nper_second = 5000\nburst = 50\nconcurrency = 4\n\n\
         [moodle]\nurl = \"{site}\"\nusername = \"svc-reconcile\"\npassword = \"env:SITE\"\nservice = \"reconcile\"\n\
         auth = \"{AUTH}\"\nbatch_size = 100\nmax_fields = 4500\nsettle_after_seconds = {SETTLE_AFTER}\n\
         connect_timeout_seconds = 1\nrequest_timeout_seconds = {timeout}\n\n{users}\
         [moodle.pace]\nper_second = 5000\nburst = 50\nconcurrency = 4\n\n\
         [moodle.enrolments]\nenabled = true\n{participants}"
    )
}
