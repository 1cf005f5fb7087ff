//! Entries as they came: attribute names and bytes, nothing interpreted.
//!
//! `ldap3::SearchEntry::construct` panics on what it does not expect and keeps only the last of an
//! attribute that comes twice (a server loaded carelessly sends such); this decoder does neither.

use std::fmt;

use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag, TagClass};

use super::error::{LdapError, LdapErrorKind};

/// One entry of a search. Its `Debug` shows attribute names only.
#[derive(Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// The entry's name. It may hold a person's name at some servers: never for logs or errors.
    pub dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl RawEntry {
    /// An entry of these attributes; values of a name that comes twice are put together.
    pub fn new(dn: impl Into<String>, attributes: impl IntoIterator<Item = (String, Vec<Vec<u8>>)>) -> Self {
        let mut entry = Self { dn: dn.into(), attributes: Vec::new() };
        for (name, values) in attributes {
            entry.merge(name, values);
        }
        entry
    }

    /// Attributes in the order of their first appearance: name in lower case, options (`;range=0-9`)
    /// included, and its values.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &[Vec<u8>])> {
        self.attributes.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// The values of an attribute, given in any case; none where it is absent.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&[], |(_, values)| values)
    }

    fn merge(&mut self, mut name: String, mut values: Vec<Vec<u8>>) {
        name.make_ascii_lowercase();
        match self.attributes.iter_mut().find(|(n, _)| *n == name) {
            Some((_, known)) => known.append(&mut values),
            None => self.attributes.push((name, values)),
        }
    }
}

impl fmt::Debug for RawEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.attributes.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes one answer to a search; `None` for an intermediate message, which carries no entry.
///
/// # Errors
/// `Referral` for a continuation reference, `Malformed` for what is no entry.
pub(crate) fn decode(answer: ResultEntry) -> Result<Option<RawEntry>, LdapError> {
    if answer.is_intermediate() {
        return Ok(None);
    }
    if answer.is_ref() {
        return Err(LdapError::new(LdapErrorKind::Referral, "the server refers to another server for a part"));
    }
    entry(answer.0).map(Some).ok_or_else(|| LdapError::new(LdapErrorKind::Malformed, "an entry cannot be decoded"))
}

/// `SearchResultEntry ::= [APPLICATION 4] SEQUENCE { objectName, attributes SEQUENCE OF { type, SET OF vals } }`
pub(crate) fn entry(tag: StructureTag) -> Option<RawEntry> {
    if tag.id != 4 || tag.class != TagClass::Application {
        return None;
    }
    let [name, attributes] = <[StructureTag; 2]>::try_from(constructed(tag)?).ok()?;
    let mut entry = RawEntry::new(String::from_utf8(primitive(name)?).ok()?, []);
    for attribute in constructed(attributes)? {
        let [name, values] = <[StructureTag; 2]>::try_from(constructed(attribute)?).ok()?;
        let name = String::from_utf8(primitive(name)?).ok()?;
        entry.merge(name, constructed(values)?.into_iter().map(primitive).collect::<Option<_>>()?);
    }
    Some(entry)
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(parts) => Some(parts),
        PL::P(_) => None,
    }
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(bytes) => Some(bytes),
        PL::C(_) => None,
    }
}

/// The cookie of a paged-results answer (RFC 2696): `SEQUENCE { size INTEGER, cookie OCTET STRING }`.
pub(crate) fn paging_cookie(value: &[u8]) -> Option<Vec<u8>> {
    let (rest, tag) = ldap3::asn1::parse_tag(value).ok()?;
    let universal = |tag: &StructureTag, id: u64| tag.class == TagClass::Universal && tag.id == id;
    if !rest.is_empty() || !universal(&tag, 16) {
        return None;
    }
    let [size, cookie] = <[StructureTag; 2]>::try_from(constructed(tag)?).ok()?;
    if universal(&size, 2) && universal(&cookie, 4) { primitive(cookie) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &[u8]) -> StructureTag {
        StructureTag { class: TagClass::Universal, id: 4, payload: PL::P(value.to_vec()) }
    }

    fn many(id: u64, parts: Vec<StructureTag>) -> StructureTag {
        StructureTag { class: TagClass::Universal, id, payload: PL::C(parts) }
    }

    fn attribute(name: &str, values: &[&[u8]]) -> StructureTag {
        many(16, vec![text(name.as_bytes()), many(17, values.iter().map(|v| text(v)).collect())])
    }

    fn answer(id: u64, parts: Vec<StructureTag>) -> ResultEntry {
        ResultEntry::new(StructureTag { class: TagClass::Application, id, payload: PL::C(parts) })
    }

    #[test]
    fn an_attribute_that_comes_twice_is_merged() {
        let attributes = vec![
            attribute("mail", &[b"a"]),
            attribute("cn", &[b"x", &[0xff, 0xfe]]),
            attribute("MAIL", &[b"b"]),
            attribute("empty", &[]),
        ];
        let entry = decode(answer(4, vec![text(b"cn=x"), many(16, attributes)])).unwrap().unwrap();
        assert_eq!(entry.values("Mail"), [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(entry.values("cn"), [b"x".to_vec(), vec![0xff, 0xfe]], "bytes that are no text are kept");
        assert!(entry.values("empty").is_empty() && entry.values("absent").is_empty());
        assert_eq!(format!("{entry:?}"), r#"["mail", "cn", "empty"]"#);
    }

    #[test]
    fn a_referral_is_an_incomplete_reading_and_an_intermediate_message_is_nothing() {
        assert_eq!(decode(answer(19, vec![text(b"ldap://x/")])).unwrap_err().kind, LdapErrorKind::Referral);
        assert_eq!(decode(answer(25, vec![])).unwrap(), None);
    }

    #[test]
    fn odd_entries_are_errors() {
        let bad = [
            answer(4, vec![]),
            answer(5, vec![text(b"cn=x"), many(16, vec![])]),
            answer(4, vec![text(&[0xff]), many(16, vec![])]),
            answer(4, vec![text(b"cn=x"), text(b"no list")]),
            answer(4, vec![text(b"cn=x"), many(16, vec![text(b"no attribute")])]),
            answer(4, vec![text(b"cn=x"), many(16, vec![many(16, vec![text(b"mail")])])]),
            answer(4, vec![text(b"cn=x"), many(16, vec![attribute("a", &[b"v"]), many(16, vec![many(17, vec![])])])]),
            answer(4, vec![text(b"cn=x"), many(16, vec![]), text(b"more")]),
        ];
        for answer in bad {
            assert_eq!(decode(answer).unwrap_err().kind, LdapErrorKind::Malformed);
        }
    }

    #[test]
    fn the_paging_cookie_is_read_or_missing() {
        assert_eq!(paging_cookie(&[0x30, 5, 2, 1, 0, 4, 0]), Some(vec![]));
        assert_eq!(paging_cookie(&[0x30, 7, 2, 1, 9, 4, 2, 7, 8]), Some(vec![7, 8]));
        for odd in [&[][..], &[0x30, 7, 2, 1, 9], &[4, 1, 1], &[0x30, 3, 2, 1, 0], &[0x30, 5, 2, 1, 0, 4, 0, 9]] {
            assert_eq!(paging_cookie(odd), None, "{odd:?}");
        }
    }

    fn tags() -> impl Strategy<Value = StructureTag> {
        let tag = |payload: BoxedStrategy<PL>| {
            (0..32u64, 0..4u8, payload).prop_map(|(id, class, payload)| StructureTag {
                class: TagClass::from_u8(class).unwrap_or(TagClass::Universal),
                id,
                payload,
            })
        };
        let leaf = tag(proptest::collection::vec(any::<u8>(), 0..8).prop_map(PL::P).boxed()).boxed();
        leaf.prop_recursive(4, 64, 4, move |inner| {
            tag(proptest::collection::vec(inner, 0..4).prop_map(PL::C).boxed()).boxed()
        })
    }

    fn encode(tag: &StructureTag) -> Vec<u8> {
        let (bit, content) = match &tag.payload {
            PL::P(bytes) => (0, bytes.clone()),
            PL::C(parts) => (0x20, parts.iter().flat_map(encode).collect()),
        };
        let first = (tag.class as u8) << 6 | bit | u8::try_from(tag.id).unwrap();
        [vec![first, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn decodes_or_says_why(tag: StructureTag) -> bool {
        match decode(ResultEntry::new(tag)) {
            Ok(_) => true,
            Err(e) => matches!(e.kind, LdapErrorKind::Malformed | LdapErrorKind::Referral),
        }
    }

    proptest! {
        #[test]
        fn no_structure_makes_the_decoder_panic(tag in tags(), as_entry: bool) {
            let tag = if as_entry { StructureTag { class: TagClass::Application, id: 4, ..tag } } else { tag };
            prop_assert!(decodes_or_says_why(tag));
        }

        #[test]
        fn truncated_and_damaged_bytes_are_errors_or_entries(cut in 0..40usize, at in 0..40usize, with: u8) {
            let attributes = vec![attribute("mail", &[b"a", b"b"]), attribute("cn", &[b"c"])];
            let mut bytes = encode(&answer(4, vec![text(b"cn=x"), many(16, attributes)]).0);
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.truncate(bytes.len() - cut % bytes.len());
            if let Ok((_, tag)) = ldap3::asn1::parse_tag(&bytes) {
                prop_assert!(decodes_or_says_why(tag));
            }
            prop_assert_eq!(paging_cookie(&bytes), None, "an entry is no paging control");
        }
    }
}
