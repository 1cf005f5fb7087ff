//! An in-process LDAP directory on the loopback, speaking the real protocol.
//!
//! It behaves as OpenLDAP's slapd does where a client can tell (result codes, folding, paging, size
//! limits, operational attributes), and plays the faults that slapd will not produce on demand. It has no
//! TLS, no access lists beyond one service account, no sync; tests of those run against a real slapd
//! (`tests/servers/slapd.sh`), which reads the same `portal.schema`.

mod controls;
mod directory;
mod dn;
mod entry;
mod filter;
mod modify;
mod schema;
mod search;
mod served;
mod session;
#[cfg(test)]
mod tests;
mod tree;

pub use directory::{Directory, Snapshot};
pub use entry::Entry;
pub use served::DirectoryPlan;
