//! The model test: invented lives of a college, in any order and with whatever may go wrong, lived through by the
//! engine under a paused clock. After each event, and at the end, what must always hold is worked out without the
//! engine.
//!
//! `event` says what may happen, `world` where, `happen` does it; `passes` runs the engine while `watch` stands between it
//! and the targets; `books` holds the journal against the world, `ledger` the guard's limits against what was done, `explained` what is explained against the plan; `truth`
//! says how things must be. `life`
//! lives, `shards` are the tests, `lived` are lives that once went wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this whole crate is a test")]

mod books;
mod college;
mod event;
mod explained;
mod faults;
mod hands;
mod ledger;
mod life;
mod lived;
mod passes;
mod sample;
mod shards;
#[allow(dead_code, reason = "each test binary uses its part of it")]
#[path = "../it/toys/mod.rs"]
mod toys;
mod truth;
mod watch;
#[allow(dead_code, unused_imports, reason = "each test binary uses its part of it")]
#[path = "../it/world/mod.rs"]
mod world;
