//! An invented university: people, organisation and teaching, the same for the same seed and size.
//!
//! Plain data, from which Portal LDAP's entries and MetaVault's rows are made. Everybody is invented, and
//! national numbers come from the synthetic series with failing check digits. It knows no target, and
//! nothing here talks to a server: `sim::ldap` and `sim::metavault` do.

mod entitlement;
mod generate;
mod invent;
mod ldif;
mod names;
mod number;
mod oddity;
mod organisation;
mod person;
mod plan;
mod rows;
mod study;
mod username;
mod vault;

pub use generate::Campus;
pub use oddity::Oddity;
pub use organisation::Unit;
pub use person::{CampusPerson, Kind, Standing, attribute};
pub use plan::CampusPlan;
pub use rows::{
    AffiliationRow, EnrolmentRow, OrgManagerRow, OrgRow, PersonRow, PositionRow, SemesterRow, TeachingRow, TopicRow,
};
