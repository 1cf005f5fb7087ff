//! What a pass has to do when it is cut off. Each scene ends at a start, from which one pass was run that nobody cut
//! off: what it reached, and how everything stood in the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reconcile::engine::Point;
use reconcile::policy::day;
use reconcile::sim::campus::{Campus, CampusPerson, CampusPlan, Standing, attribute};
use reconcile::sim::faults::{Fault as DirectoryFault, Operation, Times};
use reconcile::sim::metavault::create_sqlite;
use reconcile::targets::moodle::sim::{Fault, User};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::ending::{Ending, Write};
use super::stage::{ANSWERS_WITHIN, SETTLE_AFTER, Stage, Start};
use crate::rig::{AUTH, CREATE, email, username};

/// The function that enrols.
pub const ENROL: &str = "enrol_manual_enrol_users";
/// The function that ends an enrolment.
pub const UNENROL: &str = "enrol_manual_unenrol_users";

/// So many passes are cut off side by side: most of the time each waits until nothing can land any more.
const SIDE_BY_SIDE: usize = 4;
const PEOPLE: usize = 70;
/// What the program is started with.
pub type Args = &'static [&'static str];
const YES: Args = &["--yes"];
/// Only of whom the sources say something new.
pub const CHANGED: Args = &["--yes", "--changed"];

/// A pass that can be cut off again and again.
pub struct Scene {
    /// The command that is cut off.
    pub args: Args,
    /// The command that is run once after that.
    pub again: Args,
    /// The one that is run from then on, until there is nothing to do.
    pub then: Args,
    pub start: Start,
    /// What is right in the end.
    pub right: Ending,
    /// How often each point is reached, by pipeline and name.
    pub points: BTreeMap<String, u64>,
    /// The writes that come to the servers, and those that are done, in their order.
    pub came: Vec<String>,
    pub done: Vec<String>,
    campus: Campus,
    runtime: Runtime,
    place: TempDir,
}

impl Scene {
    /// People came, moved, went and came back; somebody worked by hand, and some writes of yesterday are in doubt.
    pub fn everyday() -> Self {
        let (set, stage) = Set::new(1);
        let cast = Cast::of(&set.campus);
        cast.come_later().for_each(|person| drop(stage.directory.remove(&person.uhid)));
        // Whoever is in no course will have an account and nothing more.
        set.sql(&format!("DELETE FROM mv_enrolment WHERE uhid = '{}'", cast.new[0].uhid));
        expect(&stage, &["--yes"], 0);
        stage.directory.modify(&cast.forgotten.uhid, |entry| entry.set(attribute::DISABLED, ["TRUE"]));
        expect(&stage, &["--yes"], 0);
        leave_in_doubt(&set, &stage, &cast);
        change_everything(&set, &stage, &cast);
        // The whole batch is refused at first, and tried again.
        set.play(&stage, (YES, YES, YES), &[(CREATE, Fault::WriteRefused)])
    }

    /// The sources moved, and nobody worked by hand: after the pass over everybody, or over what changed, only what
    /// changed is looked at.
    pub fn by_changes(args: Args) -> Self {
        let (set, stage) = Set::new(4);
        let cast = Cast::of(&set.campus);
        cast.come_later().for_each(|person| drop(stage.directory.remove(&person.uhid)));
        expect(&stage, YES, 0);
        leave_in_doubt(&set, &stage, &cast);
        change_sources(&set, &stage, &cast);
        assert!(stage.directory.remove(&cast.lost.uhid).is_some());
        let scene = set.play(&stage, (args, CHANGED, CHANGED), &[(CREATE, Fault::WriteRefused)]);
        Self { right: scene.right.by_changes(), ..scene }
    }

    /// The marks' memory is lost, and that of the accounts with all but an old copy of the claims.
    pub fn rebuilt() -> Self {
        let (set, stage) = Set::new(5);
        expect(&stage, YES, 0);
        expect(&stage, &["--plan"], 0);
        let store = stage.path("store");
        for name in ["sources.redb", "moodle.redb", "portal.redb", "claims/portal.jsonl"] {
            fs::remove_file(store.join(name)).unwrap();
        }
        let copy = store.join("claims/moodle.jsonl");
        let text = fs::read_to_string(&copy).unwrap();
        let kept = text.lines().enumerate().filter(|(at, _)| at % 3 > 0).map(|(_, line)| format!("{line}\n"));
        fs::write(&copy, kept.collect::<String>()).unwrap();
        let rebuild = &["--rebuild-claims", "--yes"];
        set.play(&stage, (rebuild, rebuild, YES), &[])
    }

    /// Nobody has an account, but for one who was given one by hand; the plan was read and is approved.
    pub fn first_load() -> Self {
        let (set, stage) = Set::new(2);
        by_hand(&stage, Cast::of(&set.campus).linked);
        expect(&stage, &["--plan", "--out", "plan.json"], 2);
        let scene = set.play(&stage, (&["--approve", "plan.json", "--why", "first load"], YES, YES), &[]);
        Self { right: scene.right.approved(), ..scene }
    }

    /// Another site stands behind the same address, and the operator says that it is meant.
    pub fn another_site() -> Self {
        let (set, stage) = Set::new(3);
        let cast = Cast::of(&set.campus);
        cast.come_later().for_each(|person| drop(stage.directory.remove(&person.uhid)));
        expect(&stage, &["--yes"], 0);
        leave_in_doubt(&set, &stage, &cast);
        stage.world().edit_plan(|plan| plan.site_url = Some("http://another.example".into()));
        let adopt = &["--yes", "--adopt"];
        set.play(&stage, (adopt, adopt, YES), &[])
    }

    /// Cuts off one pass after the other, each on a stage that stands at the start.
    pub fn each<C: Sync + Send>(&self, cases: Vec<C>, cut: impl Fn(&Stage, &C) + Sync) {
        let (cases, wrong) = (Mutex::new(VecDeque::from(cases)), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE {
                scope.spawn(|| {
                    let stage = Stage::new(&self.runtime, &self.campus, &self.vault());
                    loop {
                        let Some(case) = cases.lock().unwrap().pop_front() else { break };
                        stage.restore(&self.start);
                        // All that is wrong is told, not what is met first.
                        if catch_unwind(AssertUnwindSafe(|| cut(&stage, &case))).is_err() {
                            wrong.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(wrong.into_inner(), 0, "so many did not end as they should");
    }

    /// Lets the program settle what was cut off, and holds everything against what is right.
    pub fn is_right_again(&self, stage: &Stage, told: &str) {
        stage.settle(self.again, self.then, told);
        let ending = Ending::of(stage, self.start.at, told);
        let ending = if self.then == CHANGED { ending.by_changes() } else { ending };
        ending.is(&self.right, told);
    }

    /// These points, the last time that each is reached.
    pub fn last(&self, points: &[Point]) -> Vec<String> {
        let is_one = |name: &str| points.iter().any(|point| name.ends_with(&format!("/{}", point.name())));
        self.points.iter().filter(|(name, _)| is_one(name)).map(|(name, times)| format!("{name}/{times}")).collect()
    }

    fn vault(&self) -> PathBuf {
        self.place.path().join("metavault.db")
    }
}

/// What a scene is made of, before it is played.
struct Set {
    campus: Campus,
    runtime: Runtime,
    place: TempDir,
}

impl Set {
    fn new(seed: u64) -> (Self, Stage) {
        let plan = CampusPlan { today: day(Timestamp::now()), courses: 2..=3, ..CampusPlan::new(seed, PEOPLE) };
        let campus = Campus::generate(&plan);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let place = tempfile::tempdir().unwrap();
        let vault = place.path().join("metavault.db");
        runtime.block_on(create_sqlite(&vault, &campus)).unwrap();
        let stage = Stage::new(&runtime, &campus, &vault);
        (Self { campus, runtime, place }, stage)
    }

    fn sql(&self, sql: &str) {
        let path = self.place.path().join("metavault.db");
        self.runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(path).foreign_keys(false);
            let mut connection = options.connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// Runs what nobody cuts off.
    fn play(self, stage: &Stage, (args, again, then): (Args, Args, Args), faults: &[(&'static str, Fault)]) -> Scene {
        let start = stage.keep(&self.place.path().join("start"), faults);
        stage.restore(&start);
        let points = self.place.path().join("points");
        let run = stage.run_until(None, Some(&points), args);
        assert!([0, 4].contains(&run.code), "{}: {}\n{}", run.code, run.out, run.err);
        let what = |writes: Vec<Write>| writes.into_iter().map(|write| write.what).collect();
        let (came, done) = (what(stage.came()), what(stage.done()));
        stage.settle(again, then, "the pass that nobody cut off");
        let right = Ending::of(stage, start.at, "the pass that nobody cut off");
        let points = count(&points);
        let Self { campus, runtime, place } = self;
        Scene { args, again, then, start, right, points, came, done, campus, runtime, place }
    }
}

/// Each line is a point with the number of the time; the last one of each is how often it is reached.
fn count(path: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).unwrap();
    let pairs = text.lines().filter_map(|line| line.rsplit_once('/'));
    pairs.map(|(name, nth)| (name.to_owned(), nth.parse().unwrap())).collect()
}

/// Who plays what: all of them students who are here and entitled, without oddities.
struct Cast<'c> {
    new: &'c [&'c CampusPerson],
    in_doubt: &'c [&'c CampusPerson],
    linked: &'c CampusPerson,
    renamed: &'c [&'c CampusPerson],
    disabled: &'c [&'c CampusPerson],
    left: &'c CampusPerson,
    forgotten: &'c CampusPerson,
    replaced: &'c CampusPerson,
    lost: &'c CampusPerson,
    drifted: &'c CampusPerson,
    unmarked: &'c CampusPerson,
    enrolled: &'c [&'c CampusPerson],
    unenrolled: &'c [&'c CampusPerson],
    enrolled_in_doubt: &'c CampusPerson,
}

impl<'c> Cast<'c> {
    fn of(campus: &'c Campus) -> Self {
        let here = |person: &&CampusPerson| {
            let plain = person.oddity.is_none() && person.text(attribute::UH_USERNAME).is_some();
            plain && person.kind.studies() && person.standing == Standing::Active && person.entitled("moodle")
        };
        let all: Vec<&CampusPerson> = campus.people.iter().filter(here).collect();
        let all: &'c [&'c CampusPerson] = all.leak();
        assert!(all.len() >= 26, "{} are not enough", all.len());
        Self {
            new: &all[0..5],
            in_doubt: &all[5..7],
            linked: all[7],
            renamed: &all[8..12],
            disabled: &all[12..14],
            left: all[14],
            forgotten: all[15],
            replaced: all[16],
            lost: all[17],
            drifted: all[18],
            unmarked: all[19],
            enrolled: &all[20..22],
            unenrolled: &all[22..25],
            enrolled_in_doubt: all[25],
        }
    }

    fn come_later(&self) -> impl Iterator<Item = &'c CampusPerson> {
        self.new.iter().chain(self.in_doubt).copied().chain([self.linked])
    }
}

#[track_caller]
fn expect(stage: &Stage, args: &[&str], code: i32) {
    let run = stage.run(args);
    assert_eq!(run.code, code, "{args:?}: {}\n{}", run.out, run.err);
}

/// Two creations of which one landed, an enrolment and a mark that landed too: the answers were lost.
fn leave_in_doubt(set: &Set, stage: &Stage, cast: &Cast<'_>) {
    cast.in_doubt.iter().for_each(|person| stage.directory.insert(person.entry()));
    set.sql(&enrol(&set.campus, cast.enrolled_in_doubt));
    unmark(stage, cast.unmarked);
    stage.reconfigure("batch_size = 3\n", "batch_size = 1\n");
    let faults = stage.moodle.faults();
    faults.next(1, Some(CREATE), Fault::CutAfter);
    faults.next(1, Some(CREATE), Fault::Refuse);
    faults.next(1, Some(ENROL), Fault::CutAfter);
    stage.directory.faults().play(DirectoryFault::LoseAnswer(Operation::Write), Times::Next(1));
    expect(stage, &["--yes"], 4);
    assert!(faults.are_spent());
    stage.reconfigure("batch_size = 1\n", "batch_size = 3\n");
    // From here on they may be read back.
    std::thread::sleep(Duration::from_secs(SETTLE_AFTER.max(ANSWERS_WITHIN)));
}

fn change_everything(set: &Set, stage: &Stage, cast: &Cast<'_>) {
    change_sources(set, stage, cast);
    let world = stage.world();
    let account = |person: &CampusPerson| world.user(&username(person)).unwrap().id;
    stage.directory.modify(&cast.replaced.uhid, |entry| entry.set(attribute::SURNAME, ["Nyttnavn"]));
    for person in [cast.forgotten, cast.replaced, cast.lost] {
        assert!(world.delete_user(account(person), Timestamp::now()));
    }
    by_hand(stage, cast.replaced);
    world.edit_user(account(cast.drifted), |user| user.department = "By hand".into());
}

fn change_sources(set: &Set, stage: &Stage, cast: &Cast<'_>) {
    let directory = &stage.directory;
    for person in cast.new {
        directory.insert(person.entry());
    }
    directory.insert(cast.linked.entry());
    by_hand(stage, cast.linked);
    for person in cast.renamed {
        directory.modify(&person.uhid, |entry| entry.set(attribute::SURNAME, ["Nyttnavn"]));
    }
    for person in cast.disabled {
        directory.modify(&person.uhid, |entry| entry.set(attribute::DISABLED, ["TRUE"]));
    }
    directory.modify(&cast.left.uhid, |entry| {
        entry.set(attribute::BIRTHRIGHT, ["active directory"]);
        entry.set(attribute::REQUESTED, Vec::<Vec<u8>>::new());
    });
    for person in cast.enrolled {
        set.sql(&enrol(&set.campus, person));
    }
    for person in cast.unenrolled {
        set.sql(&unenrol(&set.campus, person));
    }
}

/// Gives somebody an account by hand, with another department.
fn by_hand(stage: &Stage, person: &CampusPerson) {
    let user = User {
        username: username(person),
        auth: AUTH.into(),
        email: email(person),
        firstname: person.text(attribute::GIVEN_NAME).unwrap().into(),
        lastname: person.text(attribute::SURNAME).unwrap().into(),
        department: "By hand".into(),
        ..User::default()
    };
    stage.world().add_user(user).unwrap();
}

fn unmark(stage: &Stage, person: &CampusPerson) {
    assert!(stage.directory.modify(&person.uhid, |entry| {
        for name in [attribute::BIRTHRIGHT_MARKS, attribute::REQUESTED_MARKS] {
            entry.remove(name, "moodle");
        }
    }));
}

/// What is taught this term, by number, with its topic.
fn taught(campus: &Campus) -> BTreeMap<i64, &str> {
    let today = campus.plan.today.to_string();
    let current = |semester: &str| {
        let mut semesters = campus.semesters.iter().filter(|one| one.id == semester);
        semesters.any(|one| one.starts_on <= today && today <= one.ends_on)
    };
    let taught = campus.teachings.iter().filter(|one| one.status == "A" && current(&one.semester_id));
    taught.map(|one| (one.id, one.topic_id.as_str())).collect()
}

/// Puts somebody into a course of this term that others take.
fn enrol(campus: &Campus, person: &CampusPerson) -> String {
    let taught = taught(campus);
    let mine = campus.enrolments.iter().filter(|row| row.uhid == person.uhid);
    let mine: BTreeSet<_> = mine.filter_map(|row| taught.get(&row.teaching_id)).collect();
    let others = campus.enrolments.iter().filter(|row| row.role == "student" && row.status == "A");
    let mut others = others.filter(|row| taught.get(&row.teaching_id).is_some_and(|topic| !mine.contains(topic)));
    let teaching = others.next().unwrap().teaching_id;
    format!(
        "INSERT INTO mv_enrolment (uhid, teaching_id, kind, role, status, updated_at) \
         VALUES ('{}', {teaching}, 'student', 'student', 'A', '2026-01-01T00:00:00Z')",
        person.uhid
    )
}

/// Takes somebody out of a course of this term.
fn unenrol(campus: &Campus, person: &CampusPerson) -> String {
    let taught = taught(campus);
    let mut mine = campus.enrolments.iter().filter(|row| row.uhid == person.uhid && row.status == "A");
    let teaching = mine.find(|row| taught.contains_key(&row.teaching_id)).unwrap().teaching_id;
    format!("DELETE FROM mv_enrolment WHERE uhid = '{}' AND teaching_id = {teaching}", person.uhid)
}
