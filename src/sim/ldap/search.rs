//! Which entries a search returns, and how they look: scope, filter, pages, limits, selection, faults.

use std::sync::Arc;

use ldap3_proto::proto::LdapSearchRequest;
use ldap3_proto::{LdapFilter, LdapPartialAttribute, LdapResultCode as Code, LdapSearchResultEntry, LdapSearchScope};

use super::dn::{fold_dn, parent, within};
use super::entry::fold;
use super::filter::{Values, bound_ids, judge};
use super::modify::Refused;
use super::schema::AttributeType;
use super::tree::{Stored, Tree};
use crate::sim::faults::Fault;

/// One request's worth of results.
#[derive(Debug)]
pub struct Found {
    pub entries: Vec<Arc<Stored>>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<Position>,
    /// The limit cut the result short.
    pub limited: bool,
}

/// How far a paged search has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Position {
    /// The last id returned.
    pub after: u64,
    /// Entries returned so far; pages do not lift the limit.
    pub sent: usize,
}

/// Bounds of one request: entries in all, and on this page.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub limit: Option<usize>,
    pub page: Option<usize>,
}

/// Finds what matches from a position on.
pub fn find(
    tree: &Tree,
    request: &LdapSearchRequest,
    from: Position,
    bounds: Bounds,
    faults: &[Fault],
) -> Result<Found, Refused> {
    let base = fold_dn(&request.base);
    if tree.at(&base).is_none_or(|stored| hidden(stored, faults)) {
        return Err(Refused::no_such_object(tree, &base));
    }
    let mut found = Found { entries: Vec::new(), next: None, limited: false };
    for stored in candidates(tree, &request.filter, &request.scope, &base, from.after) {
        let in_scope = match request.scope {
            LdapSearchScope::Base => stored.folded == base,
            LdapSearchScope::OneLevel => parent(&stored.folded) == Some(&base),
            LdapSearchScope::Subtree => within(&stored.folded, &base),
            LdapSearchScope::Children => stored.folded != base && within(&stored.folded, &base),
        };
        if !in_scope || hidden(stored, faults) {
            continue;
        }
        if judge(&request.filter, &Seen { stored, faults }, &tree.schema) != Some(true) {
            continue;
        }
        if bounds.limit.is_some_and(|limit| from.sent + found.entries.len() >= limit) {
            found.limited = true;
            break;
        }
        if bounds.page.is_some_and(|page| found.entries.len() >= page) {
            let after = found.entries.last().map_or(from.after, |last| last.id);
            found.next = Some(Position { after, sent: from.sent + found.entries.len() });
            break;
        }
        found.entries.push(Arc::clone(stored));
    }
    Ok(found)
}

fn candidates<'a>(
    tree: &'a Tree,
    filter: &LdapFilter,
    scope: &LdapSearchScope,
    base: &str,
    after: u64,
) -> Box<dyn Iterator<Item = &'a Arc<Stored>> + 'a> {
    if *scope == LdapSearchScope::Base {
        return Box::new(tree.at(base).into_iter().filter(move |stored| stored.id > after));
    }
    let Some(ids) = bound_ids(filter) else { return Box::new(tree.after(after)) };
    let mut bound: Vec<_> = ids.iter().filter_map(|id| tree.find(id)).filter(|stored| stored.id > after).collect();
    bound.sort_by_key(|stored| stored.id);
    bound.dedup_by_key(|stored| stored.id);
    Box::new(bound.into_iter())
}

/// The entry as the selection shows it: `*` or nothing = all user attributes, `+` = all operational ones,
/// `1.1` = none, names in any case. An operational attribute comes only when asked for.
pub fn show(stored: &Stored, selection: &[String], types_only: bool, faults: &[Fault]) -> LdapSearchResultEntry {
    let asked = |name: &str| selection.iter().any(|one| one.eq_ignore_ascii_case(name));
    let all_user = selection.is_empty() || asked("*");
    let mut attributes = Vec::new();
    let mut push = |name: &str, vals: Vec<Vec<u8>>| {
        let vals = if types_only { Vec::new() } else { vals };
        attributes.push(LdapPartialAttribute { atype: name.to_owned(), vals });
    };
    for (name, values) in stored.entry.attributes() {
        if (all_user || asked(name)) && !hides(faults, name) {
            let repeat = faults.iter().any(|fault| matches!(fault, Fault::RepeatAttribute(a) if is(a, name)));
            if repeat && values.len() > 1 {
                push(name, values[..1].to_vec());
                push(name, values[1..].to_vec());
            } else {
                push(name, values.to_vec());
            }
        }
    }
    for name in ["createTimestamp", "entryCSN", "entryUUID", "modifyTimestamp"] {
        if (asked("+") || asked(name)) && !hides(faults, name) {
            push(name, stored.operational(name).map(String::into_bytes).into_iter().collect());
        }
    }
    LdapSearchResultEntry { dn: stored.entry.dn().to_owned(), attributes }
}

/// Spoils one value in the first of these entries that has the attribute.
pub fn garble(entries: &mut [LdapSearchResultEntry], faults: &[Fault]) {
    for fault in faults {
        let Fault::NotUtf8(attribute) = fault else { continue };
        let mut values = entries.iter_mut().flat_map(|entry| &mut entry.attributes);
        if let Some(first) = values.find(|have| is(&have.atype, attribute)).and_then(|have| have.vals.first_mut()) {
            first.push(0xff);
        }
    }
}

/// Whether the entry has the value, for compare: rc 16 without the attribute.
pub fn compare(tree: &Tree, dn: &str, name: &str, value: &[u8]) -> Result<bool, Refused> {
    let folded = fold_dn(dn);
    let stored = tree.at(&folded).ok_or_else(|| Refused::no_such_object(tree, &folded))?;
    let kind = tree.schema.get(name).ok_or_else(|| Refused::new(Code::UndefinedAttributeType, ""))?;
    let have = stored.values(kind);
    if have.is_empty() {
        return Err(Refused::new(Code::NoSuchAttribute, ""));
    }
    Ok(have.iter().any(|one| fold(one) == fold(value)))
}

struct Seen<'a> {
    stored: &'a Stored,
    faults: &'a [Fault],
}

impl Values for Seen<'_> {
    fn values(&self, kind: &AttributeType) -> Vec<Vec<u8>> {
        if hides(self.faults, &kind.name) { Vec::new() } else { self.stored.values(kind) }
    }
}

fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn hides(faults: &[Fault], name: &str) -> bool {
    faults.iter().any(|fault| matches!(fault, Fault::HideAttribute(hidden) if is(hidden, name)))
}

fn hidden(stored: &Stored, faults: &[Fault]) -> bool {
    // Structural entries stay, else the base itself would vanish and the search fail with rc 32.
    let person = !stored.entry.values("idautoID").is_empty();
    person
        && faults.iter().any(|fault| match fault {
            Fault::HideEntries(percent) => {
                let digest = blake3::hash(stored.folded.as_bytes());
                let [first, second, ..] = *digest.as_bytes();
                u16::from_be_bytes([first, second]) % 100 < u16::from(*percent)
            }
            _ => false,
        })
}
