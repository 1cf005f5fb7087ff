//! Simulators: the common ground of directory, campus and targets.
//!
//! What a target's own simulator needs and no target owns. Nothing outside tests, benches and the demo
//! knows this module; it knows no target.

pub mod campus;
pub mod faults;
pub mod ldap;
pub mod metavault;
pub mod stage;
pub mod watch;
