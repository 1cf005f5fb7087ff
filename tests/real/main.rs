//! The program as it is shipped, as a process of its own, against a real OpenLDAP `slapd`, MetaVault in SQLite
//! or on a real PostgreSQL, and the strict simulated Moodle site.
//!
//! Every test starts its own servers and stops them; nothing is shared, so all of them run side by side.
//! `tests/servers/install.sh` installs what is needed where it is missing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what only tests use; measured times are printed"
)]

mod acceptance;
mod approval;
mod claims;
mod commands;
mod connections;
mod crash;
mod damage;
mod doubt;
mod drift;
mod enrolments;
mod explain;
mod faults;
mod interruption;
mod marks_target;
mod output;
mod postgres;
mod privacy;
mod rig;
mod scope;
mod site;
mod slapd;
mod sources;
mod vault;
mod writes_nothing;
