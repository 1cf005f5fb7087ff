//! Tests of the vocabulary and the store through their public face: one binary, one module a subject.

// Clippy knows tests by their attribute, and not the functions they share.
#![allow(clippy::unwrap_used, clippy::panic)]

mod campus;
mod canonical;
mod compare;
mod device;
mod dir;
mod forget;
mod journal;
mod keep;
mod kill;
mod power;
mod rows;
mod single;
mod snapshot;
mod view;
