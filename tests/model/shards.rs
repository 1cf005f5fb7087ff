//! The tests: lives drawn from fixed seeds, in shards that run side by side.
//!
//! `MODEL_CASES` says how many lives all shards live together, `MODEL_SEED` begins others than usual.

use std::fmt::Write;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::event::{Event, Kind, Setting};
use crate::life::live;
use crate::sample::{events, setting};
use crate::world::run;

/// Lives of all shards together, unless told otherwise.
const CASES: u32 = 1_000;
/// Shares of all lives, so that all shards take about the same time.
const OFFICE: u32 = 15;
const SCHOOL: u32 = 9;
const TWICE: u32 = 4;
const ALL: u32 = 4 * OFFICE + 4 * SCHOOL + TWICE;

fn told(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// Lives through a share of all lives.
fn shard(kind: Kind, number: u64, share: u32, body: impl Fn(&Setting, &[Event]) -> Result<(), String>) {
    let all = told("MODEL_CASES").map_or(CASES, |cases| u32::try_from(cases).unwrap());
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&told("MODEL_SEED").unwrap_or(1).to_le_bytes());
    seed[8..16].copy_from_slice(&number.to_le_bytes());
    let config = Config { cases: (all * share).div_ceil(ALL), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let lives = (setting(kind), events(kind)).prop_map(|(setting, events)| Life { setting, events });
    // A toy that is maltreated panics, once in each life that is tried while shrinking.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = runner.run(&lives, |life| body(&life.setting, &life.events).map_err(TestCaseError::fail));
    std::panic::set_hook(hook);
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, life)) => panic!("{why}\n\n{}", life.told()),
        Err(error) => panic!("{error}"),
    }
}

#[derive(Clone, Debug)]
struct Life {
    setting: Setting,
    events: Vec<Event>,
}

impl Life {
    /// One event a line, as it may be copied into a test.
    fn told(&self) -> String {
        let mut text = format!("{:#?}\n", self.setting);
        for (at, event) in self.events.iter().enumerate() {
            let _ = writeln!(text, "{at:>3}  {event:?},");
        }
        text
    }
}

/// Lives it, and everything must be right.
pub fn once(setting: &Setting, events: &[Event]) -> Result<(), String> {
    run(live(setting, events)).map(drop)
}

/// Lives it twice, and the same must happen. Nobody stops a pass here, and none dies: what of two targets' work is done
/// by then is the threads' business.
fn twice(setting: &Setting, events: &[Event]) -> Result<(), String> {
    let cut = |event: &&Event| matches!(event, Event::Stop(_) | Event::Die(..) | Event::DieAfter(_));
    let events: Vec<Event> = events.iter().filter(|event| !cut(event)).cloned().collect();
    let events = events.as_slice();
    let (first, second) = (run(live(setting, events))?, run(live(setting, events))?);
    let differs = first.iter().zip(&second).find(|(one, other)| one != other);
    match differs {
        None if first.len() == second.len() => Ok(()),
        None => Err("the same life is not equally long".to_owned()),
        Some((one, other)) => Err(format!("the same life is not the same:\n{one}\n{other}")),
    }
}

#[test]
fn offices_come_right_1() {
    shard(Kind::Office, 1, OFFICE, once);
}

#[test]
fn offices_come_right_2() {
    shard(Kind::Office, 2, OFFICE, once);
}

#[test]
fn offices_come_right_3() {
    shard(Kind::Office, 3, OFFICE, once);
}

#[test]
fn offices_come_right_4() {
    shard(Kind::Office, 4, OFFICE, once);
}

#[test]
fn schools_come_right_1() {
    shard(Kind::School, 5, SCHOOL, once);
}

#[test]
fn schools_come_right_2() {
    shard(Kind::School, 6, SCHOOL, once);
}

#[test]
fn schools_come_right_3() {
    shard(Kind::School, 7, SCHOOL, once);
}

#[test]
fn schools_come_right_4() {
    shard(Kind::School, 8, SCHOOL, once);
}

#[test]
fn the_same_life_makes_the_same_plans_and_the_same_journal() {
    shard(Kind::Office, 9, TWICE / 2, twice);
    shard(Kind::School, 10, TWICE / 2, twice);
}
