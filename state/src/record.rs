//! Records: the one neutral form of desired and observed state.
//!
//! A record knows nothing of any target: what its attributes mean, how they are compared and which
//! of them are ours stands in its [`Schema`](crate::schema::Schema).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::texts::Texts;

/// What a record is known by within its pipeline and kind: for people the UH-ID in lower case.
///
/// Cheap to clone; ordered by bytes, so that everything that follows key order is reproducible.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// Takes the text as it is; whoever makes keys folds and trims first.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.as_str().to_owned()
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// The number an attribute bears in canonical bytes. Never re-used within a kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AttributeId(pub u16);

/// Whether the record's holder may use it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// In use.
    Active,
    /// Kept, but closed: suspended, disabled, deactivated, whatever the target calls it.
    Disabled,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        })
    }
}

/// The value of one attribute. Absent and empty are one thing: an absent attribute.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Text as it is to be written, or as it was read.
    Text(String),
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Many texts without order.
    Set(Texts),
    /// Another record, named by its key in the pipeline and kind that the schema declares. The id it
    /// has at the target is looked up in the claims when the change is applied.
    Reference(Key),
    /// A secret known only by its keyed digest; the text itself never leaves the pass that read it.
    Sealed([u8; 16]),
}

impl Value {
    /// Whether this value says nothing: such a value is never kept in a record.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Set(elements) => elements.is_empty(),
            Self::Reference(key) => key.as_str().is_empty(),
            Self::Flag(_) | Self::Number(_) | Self::Sealed(_) => false,
        }
    }

    /// The text, where this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, where this is a set.
    pub fn as_set(&self) -> Option<&Texts> {
        match self {
            Self::Set(elements) => Some(elements),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Key, standing and attributes of one person's account, one badge, one course.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// What the record is known by.
    pub key: Key,
    /// Whether its holder may use it.
    pub standing: Standing,
    attributes: Vec<(AttributeId, Value)>,
}

impl Record {
    /// An active record without attributes.
    pub fn new(key: Key) -> Self {
        Self { key, standing: Standing::Active, attributes: Vec::new() }
    }

    /// The same record with another standing.
    #[must_use]
    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// The same record with one attribute more; see [`Record::set`].
    #[must_use]
    pub fn with(mut self, id: AttributeId, value: impl Into<Value>) -> Self {
        self.set(id, value.into());
        self
    }

    /// Sets an attribute; an empty value removes it.
    pub fn set(&mut self, id: AttributeId, value: Value) {
        match (self.attributes.binary_search_by_key(&id, |(id, _)| *id), value.is_empty()) {
            (Ok(at), true) => drop(self.attributes.remove(at)),
            (Ok(at), false) => self.attributes[at].1 = value,
            (Err(_), true) => {}
            (Err(at), false) => {
                // Records are held by the hundred thousand: room that grows by halves would be a third of them.
                if self.attributes.len() == self.attributes.capacity() {
                    self.attributes.reserve_exact(2);
                }
                self.attributes.insert(at, (id, value));
            }
        }
    }

    /// The value of an attribute, `None` where it is absent.
    pub fn get(&self, id: AttributeId) -> Option<&Value> {
        let at = self.attributes.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.attributes[at].1)
    }

    /// The text of an attribute, `None` where it is absent or no text.
    pub fn text(&self, id: AttributeId) -> Option<&str> {
        self.get(id).and_then(Value::as_text)
    }

    /// The elements of a set; an absent set has none.
    pub fn elements(&self, id: AttributeId) -> impl Iterator<Item = &str> {
        self.get(id).and_then(Value::as_set).into_iter().flat_map(Texts::iter)
    }

    /// What the record holds, in ascending order of the ids.
    pub fn into_attributes(self) -> impl Iterator<Item = (AttributeId, Value)> {
        self.attributes.into_iter()
    }

    /// Attributes in ascending order of their ids; none is empty.
    pub fn attributes(&self) -> &[(AttributeId, Value)] {
        &self.attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_absent_are_one_thing() {
        let id = AttributeId(1);
        let mut record = Record::new("k".into()).with(id, "x");
        record.set(id, Value::Text(String::new()));
        assert_eq!(record, Record::new("k".into()));
        record.set(id, Value::Set(Texts::default()));
        assert_eq!(record.attributes(), &[]);
    }

    #[test]
    fn attributes_are_sorted_whatever_the_order_of_setting() {
        let (a, b) = (AttributeId(2), AttributeId(9));
        let one = Record::new("k".into()).with(a, "1").with(b, "2");
        let two = Record::new("k".into()).with(b, "2").with(a, "1");
        assert_eq!(one, two);
    }
}
