//! Whether the three attributes can be what [portal] takes them for. A wrong name would put marks among values of
//! another meaning, so this is asked before anything is planned.
//!
//! A mark repeats an entitlement. So a text names a system that is known where it is one of those marked here, of
//! those in `other_systems`, or of those that anybody looked at is entitled to. An attribute in which most people
//! have none of these is somebody else's.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Settings;
use super::place::FETCH_FAILED;
use super::project::BY_ID;
use super::schema::Marked;
use super::value::{self, texts};
use crate::model::{Check, ErrorKind, TargetError};
use crate::wire::ldap::{Connection, LdapError, RawEntry, Search};

/// A name that is no attribute of the directory.
pub const ATTRIBUTE_MISSING: &str = "PORTAL_ATTRIBUTE_MISSING";
/// An attribute that holds something else.
pub const ATTRIBUTE_TAKEN: &str = "PORTAL_ATTRIBUTE_TAKEN";

/// So many people who carry an attribute are looked at.
const LOOKED_AT: u16 = 200;

/// Below so many with something else nothing is concluded: old marks of a system that is no more.
const FEW: usize = 3;

/// What is to be known of one attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fit {
    /// Marks or ids are to be seen in it.
    Good,
    /// Nobody shows any: there are none yet, or they may not be read.
    Unseen,
    /// The directory has no such attribute.
    Missing,
    /// Of these many people this many have nothing that could be a mark; the names that most texts begin with.
    Taken(usize, usize, Vec<String>),
}

/// One attribute, by its key in `[portal]` and its name in the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fitted {
    key: &'static str,
    name: String,
    fit: Fit,
}

/// Looks at all three. The second answer says whether the directory shows its schema.
///
/// # Errors
/// `PORTAL_FETCH_FAILED`, or that the connection broke.
pub async fn look(
    settings: &Settings,
    marked: &[Marked],
    mut connection: Connection,
) -> Result<(Vec<Fitted>, bool), TargetError> {
    let failed = |error: LdapError| settings.failed(&error, FETCH_FAILED);
    let types = connection.attribute_types().await.map_err(failed)?;
    let mut all = Vec::new();
    for (key, name) in settings.names.keyed() {
        let fit = if types.as_ref().is_some_and(|types| !types.contains(&name.to_ascii_lowercase())) {
            Fit::Missing
        } else {
            let mut pages = connection.search(carriers(settings, name));
            let page = pages.next().await.map_err(failed)?;
            connection = pages.into_connection();
            judge(settings, marked, name, &page.map(|page| page.entries).unwrap_or_default())
        };
        all.push(Fitted { key, name: name.to_owned(), fit });
    }
    connection.close().await;
    Ok((all, types.is_some()))
}

fn carriers(settings: &Settings, name: &str) -> Search {
    let filter = format!("(&{}({name}=*))", settings.filter(std::iter::empty()));
    let attributes = [BY_ID, name].into_iter().chain(settings.entitlements.iter().map(String::as_str));
    Search {
        base: settings.base.clone(),
        scope: ldap3::Scope::Subtree,
        filter,
        attributes: attributes.map(str::to_owned).collect(),
        page_size: settings.page_size.min(LOOKED_AT),
    }
}

fn judge(settings: &Settings, marked: &[Marked], name: &str, entries: &[RawEntry]) -> Fit {
    if entries.is_empty() {
        return Fit::Unseen;
    }
    let entitled = entries.iter().flat_map(|entry| settings.entitlements.iter().flat_map(|of| texts(entry, of)));
    let known: BTreeSet<String> = marked
        .iter()
        .map(|(_, mark)| mark.entitlement)
        .chain(settings.other_systems.iter().map(String::as_str))
        .chain(entitled)
        .map(|text| value::system(text).into_owned())
        .collect();
    let ids = name == settings.names.target_ids;
    let fits = |text: &str| known.contains(&*value::system(text)) && (!ids || value::id(text).is_some());
    let strangers: Vec<&RawEntry> = entries.iter().filter(|entry| !texts(entry, name).any(fits)).collect();
    if strangers.len() < FEW || strangers.len() * 2 <= entries.len() {
        return Fit::Good;
    }
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for text in strangers.iter().flat_map(|entry| texts(entry, name)).filter(|text| text.contains(':')) {
        *named.entry(value::system(text).into_owned()).or_default() += 1;
    }
    // What many have in common is nobody's own.
    named.retain(|_, count| *count >= FEW);
    Fit::Taken(entries.len(), strangers.len(), named.into_keys().take(FEW).collect())
}

impl Fitted {
    /// Why no mark may be planned.
    pub fn refusal(&self) -> Option<TargetError> {
        let code = match self.fit {
            Fit::Good | Fit::Unseen => return None,
            Fit::Missing => ATTRIBUTE_MISSING,
            Fit::Taken(..) => ATTRIBUTE_TAKEN,
        };
        let (found, fix) = (self.found(), self.fix());
        Some(TargetError::new(ErrorKind::Rejected, code, format!("{found}; nothing is planned. To mend it, {fix}")))
    }

    /// The finding for `reconcile check`.
    pub fn check(&self) -> Check {
        match self.fit {
            Fit::Good => Check::good("marks", self.found()),
            Fit::Unseen => Check::warning("marks", self.found(), self.fix()),
            Fit::Missing => Check::problem("schema", self.found(), self.fix()),
            Fit::Taken(..) => Check::problem("marks", self.found(), self.fix()),
        }
    }

    fn found(&self) -> String {
        let name = &self.name;
        match &self.fit {
            Fit::Good => format!("{name} can be read"),
            Fit::Unseen => {
                format!("nobody shows {name}: nobody has one yet, or the account may not read this attribute")
            }
            Fit::Missing => format!("the directory has no attribute {name}"),
            Fit::Taken(all, others, named) => {
                let what = if self.key == "target_ids" { "a target id (`system:id`)" } else { "a mark of a system" };
                let begins = match named.join("`, `") {
                    none if none.is_empty() => String::new(),
                    some => format!(" (many begin with `{some}`)"),
                };
                format!(
                    "{name} is used for something else: {others} of {all} people have no text there that is {what}{begins}"
                )
            }
        }
    }

    fn fix(&self) -> String {
        let key = self.key;
        match &self.fit {
            Fit::Good | Fit::Unseen => {
                "give `bind_dn` of [portal_ldap] the right to read and write it; leave it where nobody has one yet"
                    .into()
            }
            Fit::Missing => {
                format!("correct `{key}` in [portal], or have whoever runs the directory add the attribute")
            }
            Fit::Taken(..) => {
                format!(
                    "correct `{key}` in [portal]; if these are marks after all, name their systems in `other_systems`"
                )
            }
        }
    }
}
