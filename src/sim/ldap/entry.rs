//! Entries: a name and its attributes. Attribute names are found in any case and keep the one they came in.

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// One directory entry. `Debug` shows the name and the attribute names, never a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    dn: String,
    attributes: BTreeMap<String, Attribute>,
}

#[derive(Clone, PartialEq, Eq)]
struct Attribute {
    name: String,
    values: Vec<Vec<u8>>,
}

impl Entry {
    /// An entry without attributes.
    pub fn new(dn: impl Into<String>) -> Self {
        Self { dn: dn.into(), attributes: BTreeMap::new() }
    }

    /// The same entry with an attribute replaced; for building.
    #[must_use]
    pub fn with<V: Into<Vec<u8>>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.set(name, values);
        self
    }

    /// The distinguished name as written.
    pub fn dn(&self) -> &str {
        &self.dn
    }

    /// Names and values, ordered by folded name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.attributes.values().map(|attribute| (attribute.name.as_str(), attribute.values.as_slice()))
    }

    /// All values of an attribute.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.get(&name.to_lowercase()).map_or(&[], |attribute| &attribute.values)
    }

    /// Those values of an attribute that are text.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok()).collect()
    }

    /// The first value of an attribute, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).first().copied()
    }

    /// Whether an attribute holds a value, compared as directory strings are.
    pub fn holds(&self, name: &str, value: impl AsRef<[u8]>) -> bool {
        let wanted = fold(value.as_ref());
        self.values(name).iter().any(|have| fold(have) == wanted)
    }

    /// Replaces an attribute; no values removes it.
    pub fn set<V: Into<Vec<u8>>>(&mut self, name: &str, values: impl IntoIterator<Item = V>) {
        let values: Vec<Vec<u8>> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.attributes.remove(&name.to_lowercase());
        } else {
            self.attributes.insert(name.to_lowercase(), Attribute { name: name.to_owned(), values });
        }
    }

    /// Adds a value unless it is there already.
    pub fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !self.holds(name, &value) {
            let attribute = Attribute { name: name.to_owned(), values: Vec::new() };
            self.attributes.entry(name.to_lowercase()).or_insert(attribute).values.push(value);
        }
    }

    /// Removes a value; says whether it was there.
    pub fn remove(&mut self, name: &str, value: impl AsRef<[u8]>) -> bool {
        let wanted = fold(value.as_ref());
        let before = self.values(name).len();
        let left: Vec<Vec<u8>> = self.values(name).iter().filter(|have| fold(have) != wanted).cloned().collect();
        let found = left.len() < before;
        if found {
            self.set(name, left);
        }
        found
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.attributes().map(|(name, _)| name).collect();
        f.debug_struct("Entry").field("dn", &self.dn).field("attributes", &names).finish()
    }
}

/// The form in which values are compared: composed, lower case, blanks collapsed (RFC 4518, as slapd does
/// for caseIgnoreMatch). What is not text is compared as it is.
pub fn fold(value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    if text.is_ascii() && !text.contains(char::is_whitespace) {
        return value.to_ascii_lowercase();
    }
    let collapsed = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match is_nfc_quick(collapsed.chars()) {
        IsNormalized::Yes => collapsed.into_bytes(),
        _ => collapsed.nfc().collect::<String>().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_any_case_and_composition() {
        let entry = Entry::new("cn=x").with("Sn", ["A\u{30a}s  Øre "]);
        assert!(entry.holds("SN", "ås øre"));
        assert!(!entry.holds("sn", "as øre"));
    }

    #[test]
    fn an_attribute_without_values_is_gone() {
        let mut entry = Entry::new("cn=x").with("sn", ["a", "b"]);
        assert!(entry.remove("SN", "A"));
        assert!(entry.remove("sn", "b"));
        assert!(!entry.remove("sn", "b"));
        assert_eq!(entry.attributes().count(), 0);
    }

    #[test]
    fn debug_shows_no_value() {
        let entry = Entry::new("cn=x").with("sn", ["Hemmelig"]);
        assert!(!format!("{entry:?}").contains("Hemmelig"));
    }
}
