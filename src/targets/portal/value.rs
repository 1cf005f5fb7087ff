//! The texts of marks and target ids: `moodle`, `wiseflow:author`, `moodle:123`. Pure.

use std::borrow::Cow;

use reconcile_state::Normal;

use super::schema::Marked;
use crate::wire::ldap::RawEntry;

/// The system that a text names: what stands before the first colon, folded.
pub fn system(text: &str) -> Cow<'_, str> {
    Normal::Folded.form(text.split(':').next().unwrap_or_default())
}

/// The marked pipeline whose system a text names.
pub fn marked<'m>(all: &'m [Marked], text: &str) -> Option<&'m Marked> {
    let system = system(text);
    all.iter().find(|(_, mark)| mark.entitlement == system)
}

/// The id of a target id, which may hold colons itself; `None` where there is none.
pub fn id(text: &str) -> Option<&str> {
    let (_, id) = text.split_once(':')?;
    Some(id.trim()).filter(|id| !id.is_empty())
}

/// A target id as it is written.
pub fn target_id(entitlement: &str, id: &str) -> String {
    format!("{entitlement}:{id}")
}

/// The values of an attribute that are text.
pub fn texts<'e>(entry: &'e RawEntry, name: &str) -> impl Iterator<Item = &'e str> {
    entry.values(name).iter().filter_map(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::portal::testing::MARKED;

    #[test]
    fn texts_are_divided_at_their_first_colon() {
        for (text, pipeline, wanted) in [
            ("moodle:123", Some("moodle"), Some("123")),
            ("MOODLE : a:b:c ", Some("moodle"), Some("a:b:c")),
            ("FS fagperson:4711", Some("fs"), Some("4711")),
            ("moodle", Some("moodle"), None),
            ("moodle:", Some("moodle"), None),
            ("moodle2:1", None, Some("1")),
            ("topdesk:b034", None, Some("b034")),
            ("fs:1", None, Some("1")),
            ("", None, None),
        ] {
            assert_eq!(marked(&MARKED, text).map(|(pipeline, _)| *pipeline), pipeline, "{text}");
            assert_eq!(id(text), wanted, "{text}");
        }
        assert_eq!(id(&target_id("moodle", "a:b")), Some("a:b"));
    }
}
