//! `reconcile explain` as an operator has it: the program is started, reads configuration and store, and ends.
//!
//! People come from a generated campus through a real plan; what a first load would leave in the pipelines' files is
//! put there directly. `cargo bench --features sim --bench explain [-- PEOPLE]`, 100 000 people by default. The goal
//! is 200 ms.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use reconcile::cli::{Exit, Interrupt, Io, Terminal, run};
use reconcile::clock::{Clock, SystemClock};
use reconcile::config::Config;
use reconcile::model::person::directory;
use reconcile::sim::campus::CampusPlan;
use reconcile::sim::stage::Stage;
use reconcile::targets::Registry;
use reconcile_state::journal::{Intent, Landing};
use reconcile_state::store::{Absence, Observed, OutcomeRecord, Scope, Side, StoreDir};
use reconcile_state::{Applied, AttributeId, Claim, Key, Origin, Record, Remote, Schema, Shape, Store};

const PEOPLE: Scope<'static> = Scope { kind: "directory", side: Side::Source };
/// So many people are explained, each by key and by user name.
const ASKED: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let people = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let registry = Registry::builtin();
    let stage = runtime.block_on(Stage::set(&registry, &CampusPlan::new(7, people), SystemClock.now()))?;
    let started = Instant::now();
    let exit = runtime.block_on(plan(&stage, &registry));
    println!("{people} people; plan {:.1} s, exit {}", started.elapsed().as_secs_f64(), exit as u8);
    let names = fill(&stage, &registry)?;
    // From here on nobody can be asked: what is explained comes out of the store.
    let secrets = secrets(&stage)?;
    let step = (names.len() / ASKED).max(1);
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (key, name) in names.iter().step_by(step).take(ASKED) {
        for (by, who) in [("UH-ID", key.as_str()), ("user name", name)] {
            times.entry(by).or_default().push(explain(&stage, &secrets, who)?);
        }
    }
    let mut all = Vec::new();
    for (by, times) in &mut times {
        times.sort_by(f64::total_cmp);
        println!("by {by:<10} median {:6.1} ms, slowest {:6.1} ms", times[times.len() / 2], times[times.len() - 1]);
        all.extend(times.iter().copied());
    }
    let started = Instant::now();
    let store = StoreDir::open(stage.place().join("store"), [0; 32])?.sources()?;
    let mut scanned = 0;
    store.for_each_body(PEOPLE, |record| scanned += usize::from(record.text(directory::USERNAME) == Some("nobody")))?;
    println!("every body    {:6.1} ms, in place of the index ({scanned} found)", milliseconds(started));
    all.sort_by(f64::total_cmp);
    println!("bench explain_{}k_ms {:.1} ms", people / 1000, all[all.len() / 2]);
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

fn secrets(stage: &Stage) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let text = std::fs::read_to_string(stage.configuration())?;
    let named = text.split('"').filter_map(|word| word.strip_prefix("env:"));
    Ok(named.filter_map(|name| Some((name.to_owned(), stage.secret(name)?))).collect())
}

fn explain(stage: &Stage, secrets: &[(String, String)], who: &str) -> Result<f64, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.arg("--config").arg(stage.configuration()).arg("explain").arg(who);
    command.envs(secrets.iter().cloned()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status()?;
    let took = milliseconds(started);
    if status.success() { Ok(took) } else { Err(format!("explain: {status}").into()) }
}

async fn plan(stage: &Stage, registry: &Registry) -> Exit {
    let (mut out, mut err, mut input) = (Vec::new(), std::io::stderr(), std::io::empty());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        terminal: Terminal::default(),
        environment: &|name| stage.secret(name),
        account: "bench".to_owned(),
        clock: Arc::new(SystemClock),
        random: &|| [7; 32],
        interrupt: Interrupt::default(),
        progress: Arc::new(reconcile::engine::Silent),
        points: Arc::new(reconcile::engine::Unstopped),
    };
    let head: [OsString; 4] =
        ["reconcile".into(), "--config".into(), stage.configuration().into_os_string(), "--plan".into()];
    run(head, registry, &mut io).await
}

/// Puts into every pipeline's file what a first load would; gives everybody's key and user name.
fn fill(stage: &Stage, registry: &Registry) -> Result<Vec<(Key, String)>, Box<dyn Error>> {
    let config = Config::load(&stage.configuration(), registry)?;
    let store = StoreDir::open(stage.place().join("store"), [0; 32])?;
    let mut names = Vec::new();
    store.sources()?.for_each_body(PEOPLE, |record| {
        let name = record.text(directory::USERNAME).unwrap_or(record.key.as_str()).to_owned();
        names.push((record.key, name));
    })?;
    for pipeline in &config.pipelines {
        let target = config.open(pipeline, registry, &|name| stage.secret(name))?;
        let file = store.pipeline(pipeline.name)?;
        for schema in target.observer.project.kinds() {
            load(&file, schema, &names)?;
        }
        println!("{}: {} MB", pipeline.name, size(stage, pipeline.name)? >> 20);
    }
    println!("sources: {} MB", size(stage, "sources")? >> 20);
    Ok(names)
}

fn size(stage: &Stage, name: &str) -> Result<u64, std::io::Error> {
    Ok(std::fs::metadata(stage.place().join("store").join(format!("{name}.redb")))?.len())
}

fn load(file: &Store, schema: &Schema, names: &[(Key, String)]) -> Result<(), Box<dyn Error>> {
    let texts: Vec<AttributeId> =
        schema.attributes().iter().filter(|attribute| attribute.shape == Shape::Text).map(|one| one.id).collect();
    let record = |key: &Key, name: &str| {
        texts.iter().fold(Record::new(key.clone()), |record, id| record.with(*id, format!("{name} invented {}", id.0)))
    };
    let mut writer = file.snapshot(Scope::new(schema.kind, Side::Observed), schema)?;
    for (key, name) in names {
        writer.see(&record(key, name))?;
    }
    writer.finish(Absence::Believed)?;
    for some in names.chunks(5000) {
        let intents: Vec<Intent> = some.iter().map(|(key, _)| intent(file, schema, key)).collect();
        let numbers = file.record_intents(&intents)?;
        let outcomes = numbers.iter().zip(some).map(|(number, (key, name))| {
            let record = record(key, name);
            let digest = file.digester().record(schema, &record);
            OutcomeRecord {
                intent: *number,
                at: 1_785_722_400_000,
                landing: Landing::Landed,
                applied: Some((Applied { wanted: digest, seen: digest }, record.clone())),
                observed: Observed::Present(digest, record),
                claim: Some(Claim::new(Remote { id: Some(number.to_string()), handle: None }, Origin::Created)),
            }
        });
        file.record_outcomes(&outcomes.collect::<Vec<_>>())?;
    }
    Ok(file.fold()?)
}

fn intent(file: &Store, schema: &Schema, key: &Key) -> Intent {
    Intent {
        run: "20260803T020000-00000000".into(),
        at: 1_785_722_400_000,
        kind: schema.kind.into(),
        key: key.clone(),
        change: file.digester().key(key),
        action: "create".into(),
        attributes: schema.attributes().iter().map(|attribute| attribute.name.to_owned()).collect(),
        settle_after_ms: 30_000,
        matches: Vec::new(),
    }
}
