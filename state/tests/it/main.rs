//! Tests of the vocabulary and the store through their public face: one binary, one module a subject.

mod campus;
mod canonical;
mod dir;
mod journal;
mod rows;
mod snapshot;
