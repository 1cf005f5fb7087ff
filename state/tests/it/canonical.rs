//! Canonical bytes and digests: golden, and safe against whatever is read.

use proptest::prelude::*;
use reconcile_state::digest::{DecodeError, Digest, Digester, decode, encode};
use reconcile_state::schema::{Attribute, Normal, Ownership, Schema};
use reconcile_state::{AttributeId, Key, Record, Standing, Value};

use crate::campus::{KEY, LANGUAGE, MAIL, NAME, ROLES, schema};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn set(elements: &[&str]) -> Value {
    Value::Set(elements.iter().map(|&e| e.to_owned()).collect())
}

fn golden() -> Record {
    Record::new("uh000001".into())
        .standing(Standing::Disabled)
        .with(NAME, "Åse")
        .with(AttributeId(5), Value::Flag(true))
        .with(AttributeId(6), Value::Number(-2))
        .with(ROLES, set(&["b", "a"]))
        .with(AttributeId(7), Value::Reference("x1".into()))
        .with(AttributeId(0x0102), Value::Sealed([0xee; 16]))
}

#[test]
fn canonical_bytes_never_change() {
    let expected = concat!(
        "01",
        "000000076163636f756e74",
        "01",
        "0006",
        "00010100000004c3857365",
        "000404000000020000000161",
        "0000000162",
        "00050201",
        "000603fffffffffffffffe",
        "000705000000027831",
        "010206eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
    );
    assert_eq!(hex(&encode("account", &golden())), expected);
}

#[test]
fn digests_never_change() {
    let digester = Digester::new(KEY);
    let person = Record::new("uh000001".into()).with(NAME, "Åse").with(MAIL, " Aase@Example.org").with(LANGUAGE, "nn");
    assert_eq!(digester.record(&schema(), &person).to_string(), "09fb9d3acec72e1f39835872e993e899");
    assert_eq!(digester.key(&person.key).to_string(), "9a9cb3effa6778938d27fea70e289459");
    assert_eq!(
        digester.seal("an invented secret"),
        Value::Sealed([108, 254, 86, 51, 162, 156, 250, 29, 244, 208, 53, 96, 101, 45, 46, 135])
    );
    let comparable = concat!("01", "000000076163636f756e74", "00", "0002", "00010100000004c3857365", "00020100000010")
        .to_owned()
        + &hex(b"aase@example.org");
    let bytes: Vec<u8> = comparable
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(digester.record(&schema(), &person), digester.bytes(&bytes), "NFC, trimmed, lower case, no create-only");
    let same = Record::new("other".into()).with(NAME, "A\u{30a}se").with(MAIL, "aase@example.org");
    assert_eq!(digester.record(&schema(), &same), digester.record(&schema(), &person), "key, spelling, create-only");
}

#[test]
fn another_version_or_kind_is_told_apart_from_damage() {
    let mut bytes = encode("account", &golden());
    assert_eq!(decode("badge", "k".into(), &bytes), Err(DecodeError::Kind));
    bytes[0] = 9;
    assert_eq!(decode("account", "k".into(), &bytes), Err(DecodeError::Version(9)));
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,20}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Number),
        prop::collection::btree_set(".{0,8}", 0..5).prop_map(|elements| Value::Set(elements.into())),
        "[a-z0-9]{0,9}".prop_map(|key| Value::Reference(Key::new(key))),
        any::<[u8; 16]>().prop_map(Value::Sealed),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    (any::<bool>(), prop::collection::btree_map(any::<u16>(), value(), 0..8)).prop_map(|(disabled, attributes)| {
        let standing = if disabled { Standing::Disabled } else { Standing::Active };
        let mut record = Record::new("k".into()).standing(standing);
        for (id, value) in attributes {
            record.set(AttributeId(id), value);
        }
        record
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(record in record()) {
        prop_assert_eq!(decode("kind", "k".into(), &encode("kind", &record)), Ok(record));
    }

    #[test]
    fn every_cut_is_refused(record in record()) {
        let bytes = encode("kind", &record);
        for length in 0..bytes.len() {
            prop_assert_eq!(decode("kind", "k".into(), &bytes[..length]), Err(DecodeError::Malformed));
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_reads_as_exactly_itself(record in record(), flip in 1_u8..) {
        let bytes = encode("kind", &record);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            if let Ok(other) = decode("kind", "k".into(), &changed) {
                prop_assert_ne!(&other, &record);
                prop_assert_eq!(encode("kind", &other), changed, "there is one encoding of a record");
            }
        }
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(record) = decode("kind", "k".into(), &bytes) {
            prop_assert_eq!(encode("kind", &record), bytes);
        }
    }

    #[test]
    fn digests_are_of_content_not_of_the_order_it_came_in(elements in prop::collection::vec(".{1,6}", 0..6)) {
        let digester = Digester::new(KEY);
        let one = Record::new("k".into()).with(ROLES, Value::Set(elements.iter().cloned().collect()));
        let two = Record::new("k".into()).with(ROLES, Value::Set(elements.iter().rev().cloned().collect()));
        prop_assert_eq!(digester.record(&schema(), &one), digester.record(&schema(), &two));
    }
}

/// Values for attributes 1 to 6 of [`every_form`], in the forms that comparing changes and in those it does not.
fn values() -> impl Strategy<Value = Vec<(u16, Value)>> {
    let text = prop_oneof!["[a-z]{1,6}", "[ \\t\u{b}a-zA-Z]{0,6}", "[ a\u{30a}Åéé\u{a0}]{0,5}", "[a-z]{120,140}"];
    let value = prop_oneof![
        4 => text.clone().prop_map(Value::Text),
        2 => prop::collection::btree_set(text, 0..4).prop_map(|elements| Value::Set(elements.into())),
        1 => any::<bool>().prop_map(Value::Flag),
        1 => any::<i64>().prop_map(Value::Number),
        1 => "[a-z0-9]{1,9}".prop_map(|key| Value::Reference(Key::new(key))),
        1 => any::<[u8; 16]>().prop_map(Value::Sealed),
    ];
    prop::collection::vec((0..9_u16, value), 0..9)
}

/// Attributes 0 and 7 are no attributes of it, 6 is given at creation only; there is a set among the texts.
fn every_form() -> Schema {
    let attributes = [
        Attribute::text(1, "exact"),
        Attribute::text(2, "trimmed").normal(Normal::Trimmed),
        Attribute::text(3, "folded").normal(Normal::Folded),
        Attribute::set(4, "set").normal(Normal::Folded),
        Attribute::set(5, "exact set"),
        Attribute::text(6, "created").owned(Ownership::CreateOnly),
        Attribute::text(8, "last").normal(Normal::Folded),
    ];
    Schema::new("p", "kind", 0, attributes).unwrap()
}

proptest! {
    #[test]
    fn a_digest_is_that_of_the_comparable_record(disabled in any::<bool>(), values in values()) {
        let (schema, digester) = (every_form(), Digester::new(KEY));
        let standing = if disabled { Standing::Disabled } else { Standing::Active };
        let mut record = Record::new("k".into()).standing(standing);
        let mut compared = record.clone();
        for (id, value) in values {
            record.set(AttributeId(id), value);
        }
        for (id, value) in record.attributes() {
            let managed = schema.attribute(*id).filter(|attribute| attribute.ownership != Ownership::CreateOnly);
            if let Some(attribute) = managed {
                compared.set(*id, attribute.comparable(value).into_owned());
            }
        }
        let expected = digester.bytes(&encode("kind", &compared));
        prop_assert_eq!(digester.record(&schema, &record), expected);
        prop_assert_eq!(digester.record_and_body(&schema, &record), (expected, encode("kind", &record)));
    }
}

#[test]
fn a_damaged_digest_text_equals_no_digest_of_a_record() {
    assert_eq!(Digest::from("zz".to_owned()), Digest([0; 16]));
    let digest = Digest([0xab; 16]);
    assert_eq!(Digest::from(digest.to_string()), digest);
}
