//! What must hold.

mod explain;
mod forgetting;
mod marks;
mod memory;
mod parts;
mod rebuild;
mod scope;
mod settled;
mod sources;
mod swaps;
mod targets;
mod windows;
mod writing;
