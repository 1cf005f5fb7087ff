//! Canonical bytes of records and the keyed digests taken of them.
//!
//! # The encoding, version 1
//!
//! All numbers big-endian; a *text* is its length in bytes as `u32`, then UTF-8.
//!
//! ```text
//! u8    encoding version (1)
//! text  kind
//! u8    standing: 0 active, 1 disabled
//! u16   number of attributes
//! then every attribute in ascending order of its id; an absent or empty one is left out:
//!   u16 id
//!   u8  tag, then the value:
//!       1 text       text
//!       2 flag       u8, 0 or 1
//!       3 number     i64
//!       4 set        u32 count, then each element as text in ascending byte order
//!       5 reference  text (the key of the other record)
//!       6 sealed     16 bytes
//! ```
//!
//! Bodies in the store are these bytes with every value as it was read. A digest is taken of the
//! *comparable* record: `create-only` attributes left out, every value in its attribute's normal
//! form. The key is part of neither, so that desired and observed of one key have one digest. Attribute
//! ids are never re-used; adding an attribute that is absent changes no digest. Digests are blake3,
//! keyed with the store's own key and cut to 16 bytes: a stolen store does not let anybody test guesses
//! of a name or number against them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::{AttributeId, Key, Record, Standing, Value};
use crate::schema::{Ownership, Schema};

/// Version of the encoding above. A store written under another is re-read, not compared.
pub const ENCODING_VERSION: u8 = 1;

/// 16 bytes of keyed blake3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Digest(pub [u8; 16]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl From<String> for Digest {
    /// Hexadecimal digits; whatever is none counts as zero, so that a damaged text equals no digest.
    fn from(text: String) -> Self {
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
        }
        Self(bytes)
    }
}

/// Takes digests under one store's key.
#[derive(Clone)]
pub struct Digester {
    key: [u8; 32],
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester(..)")
    }
}

impl Digester {
    /// A digester under this key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The digest of some bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Digest {
        let mut cut = [0; 16];
        cut.copy_from_slice(&blake3::keyed_hash(&self.key, bytes).as_bytes()[..16]);
        Digest(cut)
    }

    /// The digest of several texts, each told apart from the next.
    pub fn texts<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Digest {
        let mut bytes = Vec::new();
        texts.into_iter().for_each(|text| put_text(&mut bytes, text));
        self.bytes(&bytes)
    }

    /// The digest a record's key is known by in digest blocks.
    pub fn key(&self, key: &Key) -> Digest {
        self.bytes(key.as_str().as_bytes())
    }

    /// The digest of the comparable record.
    pub fn record(&self, schema: &Schema, record: &Record) -> Digest {
        self.record_and_body(schema, record).0
    }

    /// The digest of the comparable record, and the bytes that [`encode`] gives. A record just met lies scattered in
    /// memory, and fetching it costs more than anything done with it but the hash: it is walked once.
    pub fn record_and_body(&self, schema: &Schema, record: &Record) -> (Digest, Vec<u8>) {
        let body = encode(schema.kind, record);
        let digest = match comparable(schema, record, &body) {
            Some(bytes) => self.bytes(&bytes),
            None => self.bytes(&body),
        };
        (digest, body)
    }

    /// A secret, sealed: equal secrets give equal values under one key, and nothing else can be learnt.
    pub fn seal(&self, secret: &str) -> Value {
        Value::Sealed(self.texts(["sealed", secret]).0)
    }
}

/// Bytes that are no record of this kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// Another encoding version.
    #[error("encoding version {0}, not {ENCODING_VERSION}")]
    Version(u8),
    /// A record of another kind.
    #[error("a record of another kind")]
    Kind,
    /// Cut short, too long, or not in canonical order.
    #[error("not a canonical record")]
    Malformed,
}

/// The bytes of a whole record, every value as it stands.
pub fn encode(kind: &str, record: &Record) -> Vec<u8> {
    let values = record.attributes().iter().map(|(_, value)| encoded_length(value));
    let mut bytes = Vec::with_capacity(HEAD + kind.len() + values.sum::<usize>());
    put_head(&mut bytes, kind, record.standing);
    let count_at = put_count(&mut bytes);
    set_count(&mut bytes, count_at, record.attributes().len());
    record.attributes().iter().for_each(|(id, value)| put_attribute(&mut bytes, *id, value));
    bytes
}

/// Reads back what [`encode`] wrote.
///
/// # Errors
/// [`DecodeError`] for anything that `encode` does not write, down to the order of attributes.
pub fn decode(kind: &str, key: Key, bytes: &[u8]) -> Result<Record, DecodeError> {
    let mut rest = Bytes(bytes);
    match rest.byte()? {
        ENCODING_VERSION => {}
        other => return Err(DecodeError::Version(other)),
    }
    if rest.text()? != kind {
        return Err(DecodeError::Kind);
    }
    let standing = match rest.byte()? {
        0 => Standing::Active,
        1 => Standing::Disabled,
        _ => return Err(DecodeError::Malformed),
    };
    let mut record = Record::new(key).standing(standing);
    let count = u16::from_be_bytes(rest.array()?);
    let mut last = None;
    for _ in 0..count {
        let id = AttributeId(u16::from_be_bytes(rest.array()?));
        if last.is_some_and(|last| last >= id) {
            return Err(DecodeError::Malformed);
        }
        last = Some(id);
        let value = match rest.byte()? {
            1 => Value::Text(rest.text()?.to_owned()),
            2 => Value::Flag(match rest.byte()? {
                0 => false,
                1 => true,
                _ => return Err(DecodeError::Malformed),
            }),
            3 => Value::Number(i64::from_be_bytes(rest.array()?)),
            4 => {
                let count = u32::from_be_bytes(rest.array()?);
                let mut elements: Vec<&str> = Vec::new();
                for _ in 0..count {
                    let element = rest.text()?;
                    if elements.last().is_some_and(|last| *last >= element) {
                        return Err(DecodeError::Malformed);
                    }
                    elements.push(element);
                }
                Value::Set(elements.into_iter().collect())
            }
            5 => Value::Reference(rest.text()?.into()),
            6 => Value::Sealed(rest.array()?),
            _ => return Err(DecodeError::Malformed),
        };
        if value.is_empty() {
            return Err(DecodeError::Malformed);
        }
        record.set(id, value);
    }
    if rest.0.is_empty() { Ok(record) } else { Err(DecodeError::Malformed) }
}

fn put_head(bytes: &mut Vec<u8>, kind: &str, standing: Standing) {
    bytes.push(ENCODING_VERSION);
    put_text(bytes, kind);
    bytes.push(match standing {
        Standing::Active => 0,
        Standing::Disabled => 1,
    });
}

/// Makes room for the number of attributes; gives its place.
fn put_count(bytes: &mut Vec<u8>) -> usize {
    bytes.extend_from_slice(&[0, 0]);
    bytes.len() - 2
}

/// Attribute ids are `u16` and distinct, so there are never more of them than that.
fn set_count(bytes: &mut [u8], at: usize, count: usize) {
    bytes[at..at + 2].copy_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// Lengths above `u32` cannot occur: no source or target gives a text of 4 GiB.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&length(text.len()));
    bytes.extend_from_slice(text.as_bytes());
}

/// Id, tag and length in one piece: there are dozens of these in every record.
fn put_long_head(bytes: &mut Vec<u8>, id: AttributeId, tag: u8, of: usize) {
    let ([high, low], [a, b, c, d]) = (id.0.to_be_bytes(), length(of));
    bytes.extend_from_slice(&[high, low, tag, a, b, c, d]);
}

/// What stands before the attributes, beside the kind's own bytes.
const HEAD: usize = 1 + 4 + 1 + 2;

/// How many bytes [`put_attribute`] puts.
fn encoded_length(value: &Value) -> usize {
    let of = match value {
        Value::Text(text) => 4 + text.len(),
        Value::Flag(_) => 1,
        Value::Number(_) => 8,
        Value::Set(elements) => 4 + elements.iter().map(|element| 4 + element.len()).sum::<usize>(),
        Value::Reference(key) => 4 + key.as_str().len(),
        Value::Sealed(_) => 16,
    };
    3 + of
}

fn put_attribute(bytes: &mut Vec<u8>, id: AttributeId, value: &Value) {
    match value {
        Value::Text(text) => {
            put_long_head(bytes, id, 1, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Flag(flag) => {
            bytes.extend_from_slice(&id.0.to_be_bytes());
            bytes.extend_from_slice(&[2, u8::from(*flag)]);
        }
        Value::Number(number) => {
            bytes.extend_from_slice(&id.0.to_be_bytes());
            bytes.push(3);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        Value::Set(elements) => {
            put_long_head(bytes, id, 4, elements.len());
            elements.iter().for_each(|element| put_text(bytes, element));
        }
        Value::Reference(key) => {
            put_long_head(bytes, id, 5, key.as_str().len());
            bytes.extend_from_slice(key.as_str().as_bytes());
        }
        Value::Sealed(digest) => {
            bytes.extend_from_slice(&id.0.to_be_bytes());
            bytes.push(6);
            bytes.extend_from_slice(digest);
        }
    }
}

/// The bytes of the comparable record, given those of the record as it stands; `None` where they are the same.
fn comparable(schema: &Schema, record: &Record, body: &[u8]) -> Option<Vec<u8>> {
    // Most records are plain ASCII, lengths and tags included.
    let plain = body.is_ascii();
    let (mut bytes, mut count, mut kept) = (Vec::new(), 0, 0);
    let mut at = HEAD + schema.kind.len();
    // Both are in the order of their ids.
    let mut rest = schema.attributes();
    for (id, value) in record.attributes() {
        let from = at;
        at += encoded_length(value);
        while rest.first().is_some_and(|attribute| attribute.id < *id) {
            rest = &rest[1..];
        }
        let attribute = rest.first().filter(|attribute| attribute.id == *id);
        let attribute = attribute.filter(|attribute| attribute.ownership != Ownership::CreateOnly);
        let form = match (attribute, value) {
            (Some(attribute), Value::Text(_)) if attribute.normal.is_plain_form(&body[from + 7..at], plain) => {
                Some(Cow::Borrowed(value))
            }
            (Some(attribute), _) => Some(attribute.comparable(value)),
            (None, _) => None,
        };
        if let Some(Cow::Borrowed(_)) = form {
            count += 1;
            continue;
        }
        bytes.reserve(body.len());
        bytes.extend_from_slice(&body[kept..from]);
        kept = at;
        if let Some(form) = form.filter(|form| !form.is_empty()) {
            put_attribute(&mut bytes, *id, &form);
            count += 1;
        }
    }
    if kept == 0 {
        return None;
    }
    bytes.extend_from_slice(&body[kept..]);
    set_count(&mut bytes, HEAD + schema.kind.len() - 2, count);
    Some(bytes)
}

struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Malformed)
    }

    fn text(&mut self) -> Result<&'b str, DecodeError> {
        let length = u32::from_be_bytes(self.array()?);
        let bytes = self.take(usize::try_from(length).map_err(|_| DecodeError::Malformed)?)?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::Malformed)
    }
}
