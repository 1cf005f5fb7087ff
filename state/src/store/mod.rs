//! The store: what outlives a pass. One directory with one lock, one redb file for the sources and one
//! for each pipeline.
//!
//! Kept are *caches* (digest blocks, bodies, last applied; lost, they cost a full reading and first
//! meetings), *claims* (small, backed up, not derivable for certain) and the *journal* (append only;
//! caches of what settled are folded from it). Everything is blocking: callers on an async
//! runtime go through `spawn_blocking`. Every commit is durable before its call returns; readers hold no
//! transaction while a caller's code runs. Nothing here decides anything: what differs, and what to do
//! about it, is the engine's. Entries of the journal are described in [`crate::journal`].

mod block;
mod claimed;
mod claims;
mod compare;
mod copy;
mod damage;
mod dir;
mod disk;
mod entries;
mod error;
mod file;
mod fold;
mod forget;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzzing;
mod index;
mod journal;
mod lost;
mod names;
mod pages;
mod prune;
mod rewrite;
mod rows;
mod scope;
mod scrub;
mod set;
mod single;
mod snapshot;
mod table;
mod view;

pub use damage::silence_caught_panics;
pub use dir::StoreDir;
pub use error::StoreError;
pub use file::Store;
pub use forget::Held;
pub use journal::{Observed, OpenIntent, OutcomeRecord};
pub use scope::{Scope, Side};
pub use set::{AppliedSet, DigestSet};
pub use snapshot::{Absence, Seen, SnapshotWriter, Summary};
pub use table::Root;
pub use view::StoreView;
