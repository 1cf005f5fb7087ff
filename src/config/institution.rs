//! What is true of the institution in every pipeline.

use serde::Deserialize;

/// `[institution]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Institution {
    /// Institution number, as in course keys: `185`.
    pub number: String,
    /// Name, for attributes that hold one.
    pub name: String,
    /// Domain of e-mail addresses made of user names.
    pub mail_domain: String,
}
