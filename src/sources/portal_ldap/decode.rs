//! From an entry to a person's record. Pure.

use std::collections::BTreeSet;

use reconcile_state::{Attribute, Key, Record, Shape, Value};

use super::mapping::{CSN, KEY, Mapping};
use crate::sources::port::{DirectoryEntry, Finding, reason};
use crate::sources::uhid;
use crate::wire::ldap::RawEntry;

/// The person's key; `None` where `idautoID` is not exactly one UUID.
pub fn key(entry: &RawEntry) -> Option<Key> {
    match entry.values(KEY) {
        [one] => uhid::key(std::str::from_utf8(one).ok()?),
        _ => None,
    }
}

/// The entry's `entryCSN`, where we may read it.
pub fn csn(entry: &RawEntry) -> Option<String> {
    let text = std::str::from_utf8(entry.values(CSN).first()?).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The person an entry is about; `None` where its key is invalid.
///
/// Values are kept as they came; comparing them in their normal form is the schema's.
pub fn person(entry: &RawEntry, mapping: &Mapping) -> Option<DirectoryEntry> {
    let mut record = Record::new(key(entry)?);
    let mut findings = Vec::new();
    for (attribute, name) in mapping.fields() {
        let (value, code) = value(attribute, entry.values(name));
        if let Some(value) = value {
            record.set(attribute.id, value);
        }
        findings.extend(code.map(|code| Finding { code, attribute: attribute.name }));
    }
    findings.sort();
    Some(DirectoryEntry { record, csn: csn(entry), findings })
}

/// An attribute's value and what is wrong with it.
fn value(attribute: &Attribute, raw: &[Vec<u8>]) -> (Option<Value>, Option<&'static str>) {
    let mut code = None;
    let mut texts = BTreeSet::new();
    for bytes in raw {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => drop(texts.insert(text)),
            Err(_) => code = Some(reason::NOT_UTF8),
        }
    }
    if attribute.shape == Shape::Set {
        return (Some(Value::Set(texts.into_iter().map(str::to_owned).collect())), code);
    }
    if code.is_some() {
        return (None, code);
    }
    let forms: BTreeSet<_> = texts.iter().map(|text| attribute.normal.form(text)).collect();
    let text = match (texts.first(), forms.len()) {
        (None, _) => return (None, None),
        (Some(text), 1) => *text,
        (Some(_), _) => return (None, Some(reason::DUPLICATE)),
    };
    match attribute.shape {
        // Absent and FALSE are the same: active.
        Shape::Flag if text.trim().eq_ignore_ascii_case("FALSE") => (None, None),
        Shape::Flag if text.trim().eq_ignore_ascii_case("TRUE") => (Some(Value::Flag(true)), None),
        Shape::Flag => (None, Some(reason::MALFORMED)),
        _ => (Some(Value::from(text)), None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::person::directory as d;

    const UHID: &str = "0B7C4E1A-5D2F-4A60-9C3B-1F2E3D4C5B6A";

    fn read(attributes: &[(&str, &[&[u8]])]) -> Option<DirectoryEntry> {
        let entry = RawEntry::new(
            "idautoID=x",
            attributes.iter().map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| v.to_vec()).collect())),
        );
        person(&entry, &Mapping::new(&BTreeMap::new()).unwrap())
    }

    fn findings(entry: &DirectoryEntry) -> Vec<(&str, &str)> {
        entry.findings.iter().map(|f| (f.code, f.attribute)).collect()
    }

    #[test]
    fn an_entry_becomes_a_record_that_fits_its_schema() {
        let entry = read(&[
            ("idautoID", &[UHID.as_bytes()]),
            ("entryCSN", &[b"20261120070000.000001Z#000000#000#000000"]),
            ("IDAUTOPERSONSAMACCOUNTNAME", &[b"testu0001"]),
            ("idautoPersonAppRoles2", &[b"moodle", b"Active Directory", b" "]),
            ("idautoDisabled", &[b"TRUE"]),
            ("description", &[b"not mapped"]),
        ])
        .unwrap();
        assert_eq!(entry.record.key, Key::new(UHID.to_lowercase()));
        assert_eq!(entry.record.text(d::UH_USERNAME), Some("testu0001"));
        assert_eq!(entry.record.elements(d::BIRTHRIGHT).collect::<Vec<_>>(), ["Active Directory", "moodle"]);
        assert_eq!(entry.record.get(d::DISABLED), Some(&Value::Flag(true)));
        assert_eq!((entry.record.attributes().len(), entry.findings.len()), (3, 0));
        assert!(entry.csn.is_some());
        d::schema().unwrap().check(&entry.record).unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_named_without_its_value() {
        let entry = read(&[
            ("idautoID", &[UHID.as_bytes()]),
            ("idautoDisabled", &[b"yes"]),
            ("sn", &[b"One", b"Two"]),
            ("givenName", &[&[0xc3, 0x28]]),
            ("idautoPersonUserNameMV", &[b"testu0001", &[0xff]]),
        ])
        .unwrap();
        let found = [
            (reason::DUPLICATE, "surname"),
            (reason::MALFORMED, "disabled"),
            (reason::NOT_UTF8, "given_name"),
            (reason::NOT_UTF8, "usernames"),
        ];
        assert_eq!(findings(&entry), found);
        assert_eq!(entry.record.elements(d::USERNAMES).collect::<Vec<_>>(), ["testu0001"]);
        assert_eq!(entry.record.attributes().len(), 1);
    }

    #[test]
    fn the_same_value_twice_is_one_value() {
        let entry = read(&[
            ("idautoID", &[UHID.as_bytes()]),
            ("idautoPersonSystem1ID", &[b"Abc123", b"abc123 "]),
            ("idautoDisabled", &[b"false"]),
        ])
        .unwrap();
        assert_eq!((entry.record.text(d::USERNAME), findings(&entry)), (Some("Abc123"), vec![]));
        assert_eq!(entry.record.get(d::DISABLED), None, "FALSE and absent are one");
    }

    #[test]
    fn an_entry_without_one_valid_key_is_nobody() {
        assert_eq!(read(&[("sn", &[b"x"])]), None);
        assert_eq!(read(&[("idautoID", &[b"12345"])]), None);
        assert_eq!(read(&[("idautoID", &[UHID.as_bytes(), UHID.as_bytes()])]), None);
    }
}
