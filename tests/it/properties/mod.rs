//! What must hold.

mod memory;
mod random;
mod scope;
mod settled;
mod sources;
mod targets;
mod writing;
