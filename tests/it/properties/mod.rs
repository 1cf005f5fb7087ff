//! What must hold.

mod explain;
mod memory;
mod random;
mod scope;
mod settled;
mod sources;
mod swaps;
mod targets;
mod writing;
