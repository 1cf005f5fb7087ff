//! `reconcile check`: looks at everything a pass needs, and says what is wrong and how to mend it.
//!
//! Nothing is written, here or elsewhere: also the store is only looked at. What is to be looked at in a source or a
//! target is its own matter ([`Directory::check`], [`Vault::check`], [`Reader::check`]); configuration and store are
//! looked at here.
//!
//! [`Directory::check`]: crate::sources::Directory::check
//! [`Vault::check`]: crate::sources::Vault::check
//! [`Reader::check`]: crate::targets::port::Reader::check

mod configuration;
mod run;
mod show;
mod store;
mod system;

pub(super) use run::run;
