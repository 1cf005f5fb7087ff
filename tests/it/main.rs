//! Properties of the engine, driven as its callers drive it: plan, judge, apply.
//!
//! `world` holds the sources and the desk at which passes are run, `toys` two invented targets, and
//! `properties` what must hold whatever the sources and the targets do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this whole crate is a test")]

mod demo;
mod documents;
mod eighth;
mod properties;
#[allow(dead_code, unused_imports, reason = "each test binary uses its part of it")]
mod toys;
#[allow(dead_code, unused_imports, reason = "each test binary uses its part of it")]
mod world;
