//! Killed at every point of a pass, over real sockets: the directory, MetaVault and the site live in the test's own
//! process and survive it. What is found after a restart is what a pass that was never cut off leaves.
//!
//! `points` kills at the points that the program tells of, `requests` at each request that writes, as the servers see
//! it, and `late` lets a request be carried out after the restarted program has looked. In `disk` no file may
//! grow any more from a point on.

mod disk;
mod ending;
mod late;
mod points;
mod remembered;
mod requests;
mod scenes;
mod stage;
