//! Where the desired state comes from: Portal LDAP (who exists) and MetaVault (what else is known of them).
//!
//! Readers give complete and honest readings, or an error. They do not join, keep, compare or judge:
//! that is the engine's.

pub mod error;
pub mod metavault;
pub mod port;
pub mod portal_ldap;
pub mod uhid;

pub use error::{Origin, SourceError, SourceErrorKind};
pub use port::{
    Catalogue, Directory, DirectoryEntry, DirectoryPage, Finding, Listing, Vault, VaultEntry, VaultReading, reason,
};
