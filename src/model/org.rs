//! Organisational units, as MetaVault has them (`mv_org`).

/// A unit of the institution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Org {
    /// Its id, `institution:system:orgs:id`.
    pub id: String,
    /// The unit above it; `None` for the root.
    pub parent: Option<String>,
    /// Its short name.
    pub acronym: String,
    /// Its Norwegian name.
    pub name_nb: String,
    /// Its English name.
    pub name_en: Option<String>,
    /// Its six-digit place code, leading zeros kept.
    pub stedkode: Option<String>,
}
