//! Answers of a directory: entries, controls, and the people that are made of them.

use std::collections::BTreeMap;

use ldap3::ResultEntry;
use ldap3::asn1::parse_tag;
use reconcile_state::Key;
use reconcile_state::digest::{decode, encode};

use super::quotes_nothing;
use crate::model::person::directory as person;
use crate::sources::portal_ldap::Mapping;
use crate::sources::portal_ldap::decode as portal;
use crate::targets::portal::value as mark;
use crate::wire::ldap::RawEntry;
use crate::wire::ldap::entry;
use crate::wire::ldap::modify;
use crate::wire::ldap::schema;

/// Holds that an entry is decoded whole or refused, that writing it down again gives the same entry, that a person
/// made of it fits the schema and survives the store, and that texts of marks and of a schema are divided as they are
/// put together.
///
/// # Panics
/// Where that does not hold.
pub fn directory(bytes: &[u8]) {
    if let Some(cookie) = entry::paging_cookie(bytes) {
        assert!(cookie.len() < bytes.len());
    }
    if let Some(csn) = modify::csn(bytes) {
        assert!(!csn.is_empty() && csn.len() < bytes.len());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        divide(text);
    }
    let Ok((rest, tag)) = parse_tag(bytes) else { return };
    assert!(rest.len() < bytes.len(), "a tag of nothing");
    match entry::decode(ResultEntry::new(tag)) {
        Err(error) => quotes_nothing(&error.to_string()),
        Ok(None) => {}
        Ok(Some(read)) => {
            let written = written(&read);
            let again = parse_tag(&written).ok().and_then(|(_, tag)| entry::entry(tag));
            assert_eq!(again.as_ref(), Some(&read), "written down and read again it is another");
            make_a_person(&read);
        }
    }
}

fn divide(text: &str) {
    let system = mark::system(text);
    assert!(!system.contains(':'));
    if let Some(id) = mark::id(text) {
        let written = mark::target_id(&system, id);
        assert_eq!((mark::system(&written), mark::id(&written)), (system, Some(id)), "another when put together again");
    }
    for name in schema::names(text) {
        assert!(text.to_ascii_lowercase().contains(&name), "a name that is not in the description");
    }
}

fn make_a_person(entry: &RawEntry) {
    let Ok(mapping) = Mapping::new(&BTreeMap::new()) else { return };
    let Some(read) = portal::person(entry, &mapping) else {
        assert!(portal::key(entry).is_none());
        return;
    };
    assert_eq!(portal::key(entry).as_ref(), Some(&read.record.key));
    let Ok(schema) = person::schema() else { return };
    assert_eq!(schema.check(&read.record), Ok(()));
    let body = encode(schema.kind, &read.record);
    assert_eq!(decode(schema.kind, Key::new(read.record.key.as_str()), &body), Ok(read.record));
}

fn written(entry: &RawEntry) -> Vec<u8> {
    let values = |values: &[Vec<u8>]| values.iter().flat_map(|value| tlv(0x04, value)).collect::<Vec<_>>();
    let attribute =
        |(name, all): (&str, &[Vec<u8>])| tlv(0x30, &[tlv(0x04, name.as_bytes()), tlv(0x31, &values(all))].concat());
    let attributes: Vec<u8> = entry.attributes().flat_map(attribute).collect();
    tlv(0x64, &[tlv(0x04, entry.dn.as_bytes()), tlv(0x30, &attributes)].concat())
}

/// Type, length, value.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84][..], &length, value].concat()
}
