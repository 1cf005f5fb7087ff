//! `reconcile journal`: what was written, when, by whom, and what came of it.
//!
//! The journal holds no values and no names, so neither does what is shown of it. It is only read, without network
//! and secrets. A write is two entries: the intent and, after it, its outcome. [`find`] picks entries walking back
//! from the end; [`text`] shows a write as one line, [`json`] an entry as one object.

mod find;
mod json;
mod run;
mod shown;
mod text;
mod when;

pub(super) use run::run;
pub(super) use when::Most;
pub(crate) use when::Since;
