//! Schemas: what the attributes of a kind mean, how they are compared, and which of them are ours.
//!
//! Diff, digest, plan, guard, report and redaction are written once, over the schema. A target
//! declares its schemas and keeps its wire types to itself.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::record::{AttributeId, Record, Value};

/// Which form of a text, or of a set's element, two sides are compared in. What is written keeps
/// its own form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Normal {
    /// Unicode NFC and nothing else.
    Exact,
    /// NFC without space at either end.
    Trimmed,
    /// NFC, trimmed, lower case.
    Folded,
}

impl Normal {
    /// The form in which a text is compared.
    pub fn form(self, text: &str) -> Cow<'_, str> {
        // Nearly every value is plain ASCII, which is NFC; a pass normalises millions of them.
        let plain = text.is_ascii();
        let text: Cow<'_, str> =
            if plain || is_nfc(text) { text.into() } else { text.nfc().collect::<String>().into() };
        let trimmed = self == Self::Exact || text.trim().len() == text.len();
        let folded = self != Self::Folded || (plain && !text.bytes().any(|byte| byte.is_ascii_uppercase()));
        match (trimmed, folded) {
            (true, true) => text,
            (false, true) => text.trim().to_owned().into(),
            (_, false) => {
                let lower = text.trim().to_lowercase();
                // A mark may have a composed form with the small letter alone: T and a diaeresis stay two, ẗ is one.
                if is_nfc(&lower) { lower.into() } else { lower.nfc().collect::<String>().into() }
            }
        }
    }

    /// Whether a text is plain ASCII, which may be known already, and in this form.
    pub(crate) fn is_plain_form(self, text: &[u8], known_plain: bool) -> bool {
        let trimmed = || !matches!(text, [..=b' ', ..] | [.., ..=b' ']);
        (known_plain || text.is_ascii())
            && match self {
                Self::Exact => true,
                Self::Trimmed => trimmed(),
                Self::Folded => trimmed() && !text.iter().any(u8::is_ascii_uppercase),
            }
    }

    /// Whether a text that is not empty is in this form already.
    fn is_form(self, text: &str) -> bool {
        !text.is_empty() && matches!(self.form(text), Cow::Borrowed(same) if same.len() == text.len())
    }
}

/// What we may do to an attribute at the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ownership {
    /// Ours: a difference is drift and is repaired.
    Managed,
    /// Given at creation, never looked at again.
    CreateOnly,
    /// Set once where the target has none; never changed or cleared afterwards.
    WriteOnce,
    /// A set to which we add and from which we never take.
    AddOnly,
    /// A set of which only the elements within the pipeline's declared scope are ours.
    ScopedSet,
    /// A scoped set that others write too: what is missing is added, also at a first meeting, and only what
    /// we put there is taken away again.
    ClaimedSet,
}

impl Ownership {
    /// Whether only the elements within a declared scope are ours.
    pub fn is_scoped(self) -> bool {
        matches!(self, Self::ScopedSet | Self::ClaimedSet)
    }
}

/// The form of an attribute's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// [`Value::Text`]
    Text,
    /// [`Value::Flag`]
    Flag,
    /// [`Value::Number`]
    Number,
    /// [`Value::Set`]
    Set,
    /// [`Value::Reference`] to a record of this pipeline and kind. A reader gives the id it found at
    /// the target as text; the engine puts the key in its place where the claims know it.
    Reference {
        /// The pipeline whose claims know the record.
        pipeline: &'static str,
        /// The record's kind.
        kind: &'static str,
    },
    /// [`Value::Sealed`]
    Sealed,
}

/// What a change of this attribute means to the target and to the guard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nothing special.
    Plain,
    /// The record's name: changing it is a rename.
    Name,
    /// The record's place: changing it is a move.
    Place,
}

/// Who may see a value; see the safety document for what each class means in practice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sensitivity {
    /// May stand anywhere.
    Public,
    /// Shown in plans and on the terminal; never in logs, metrics, journal or errors.
    Personal,
    /// Shown nowhere.
    Secret,
}

/// One attribute of a kind.
#[expect(clippy::struct_excessive_bools, reason = "declarations are booleans, each of its own")]
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Its number in canonical bytes.
    pub id: AttributeId,
    /// Its name in plans, reports and templates.
    pub name: &'static str,
    /// The form of its value.
    pub shape: Shape,
    /// The form in which it is compared.
    pub normal: Normal,
    /// What we may do to it.
    pub ownership: Ownership,
    /// Whether the target may give back something else than was sent and still be right.
    pub rewritten: bool,
    /// Whether no two records of the target may hold one value.
    pub unique: bool,
    /// Whether a record is found by its text without a look at all of them ([`Store::find`](crate::store::Store::find)).
    pub indexed: bool,
    /// Whether it stays managed while the record is disabled.
    pub while_disabled: bool,
    /// What changing it means.
    pub role: Role,
    /// Who may see it.
    pub sensitivity: Sensitivity,
}

impl Attribute {
    const fn new(id: u16, name: &'static str, shape: Shape) -> Self {
        Self {
            id: AttributeId(id),
            name,
            shape,
            normal: Normal::Exact,
            ownership: Ownership::Managed,
            rewritten: false,
            unique: false,
            indexed: false,
            while_disabled: false,
            role: Role::Plain,
            sensitivity: Sensitivity::Personal,
        }
    }

    /// A managed, personal text compared exactly.
    pub const fn text(id: u16, name: &'static str) -> Self {
        Self::new(id, name, Shape::Text)
    }

    /// A managed, personal set compared exactly.
    pub const fn set(id: u16, name: &'static str) -> Self {
        Self::new(id, name, Shape::Set)
    }

    /// A managed, personal truth value.
    pub const fn flag(id: u16, name: &'static str) -> Self {
        Self::new(id, name, Shape::Flag)
    }

    /// A managed reference to a record of another (or the same) pipeline.
    pub const fn reference(id: u16, name: &'static str, pipeline: &'static str, kind: &'static str) -> Self {
        Self::new(id, name, Shape::Reference { pipeline, kind })
    }

    /// The same attribute, compared in another form.
    #[must_use]
    pub const fn normal(mut self, normal: Normal) -> Self {
        self.normal = normal;
        self
    }

    /// The same attribute under another ownership.
    #[must_use]
    pub const fn owned(mut self, ownership: Ownership) -> Self {
        self.ownership = ownership;
        self
    }

    /// The same attribute with another role.
    #[must_use]
    pub const fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The same attribute with another sensitivity.
    #[must_use]
    pub const fn sensitivity(mut self, sensitivity: Sensitivity) -> Self {
        self.sensitivity = sensitivity;
        self
    }

    /// The same attribute, which the target may rewrite.
    #[must_use]
    pub const fn rewritten(mut self) -> Self {
        self.rewritten = true;
        self
    }

    /// The same attribute, by which records are found.
    #[must_use]
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self
    }

    /// The same attribute, of which no two records may hold one value.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same attribute, managed also while the record is disabled.
    #[must_use]
    pub const fn while_disabled(mut self) -> Self {
        self.while_disabled = true;
        self
    }

    /// Whether a value has this attribute's shape.
    pub fn holds(&self, value: &Value) -> bool {
        matches!(
            (self.shape, value),
            (Shape::Text, Value::Text(_))
                | (Shape::Flag, Value::Flag(_))
                | (Shape::Number, Value::Number(_))
                | (Shape::Set, Value::Set(_))
                | (Shape::Sealed, Value::Sealed(_))
                // An id the claims do not know stays text: it differs from every key.
                | (Shape::Reference { .. }, Value::Reference(_) | Value::Text(_))
        )
    }

    /// A value in the form in which this attribute is compared.
    pub fn comparable<'v>(&self, value: &'v Value) -> Cow<'v, Value> {
        match value {
            Value::Text(text) => match self.normal.form(text) {
                Cow::Borrowed(same) if same.len() == text.len() => Cow::Borrowed(value),
                form => Cow::Owned(Value::Text(form.into_owned())),
            },
            Value::Set(elements) if elements.iter().all(|element| self.normal.is_form(element)) => Cow::Borrowed(value),
            Value::Set(elements) => Cow::Owned(Value::Set(
                elements.iter().map(|e| self.normal.form(e).into_owned()).filter(|e| !e.is_empty()).collect(),
            )),
            Value::Flag(_) | Value::Number(_) | Value::Reference(_) | Value::Sealed(_) => Cow::Borrowed(value),
        }
    }
}

/// A record does not fit its kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SchemaError {
    /// An attribute id the kind does not have.
    #[error("kind {kind} has no attribute {id}", id = .id.0)]
    Unknown {
        /// The kind.
        kind: &'static str,
        /// The id.
        id: AttributeId,
    },
    /// A value of another shape than the attribute has.
    #[error("{kind}.{attribute} does not hold such a value")]
    Shape {
        /// The kind.
        kind: &'static str,
        /// The attribute's name.
        attribute: &'static str,
    },
    /// Two attributes with one id or one name.
    #[error("kind {kind} declares {attribute} twice")]
    Twice {
        /// The kind.
        kind: &'static str,
        /// The attribute's name.
        attribute: &'static str,
    },
}

/// The attributes of one kind of record in one pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schema {
    /// The pipeline, as in configuration and reports.
    pub pipeline: &'static str,
    /// The kind within the pipeline.
    pub kind: &'static str,
    /// Kinds of lower rank come first where nothing else decides the order.
    pub rank: u8,
    /// The kind whose records those of this kind are parts of, each of the one with its own key: a part is
    /// there with its whole, empty or not, and is neither made nor closed by itself.
    pub part_of: Option<&'static str>,
    attributes: Vec<Attribute>,
}

impl Schema {
    /// A schema; `attributes` in any order.
    ///
    /// # Errors
    /// [`SchemaError::Twice`] where an id or a name stands twice.
    pub fn new(
        pipeline: &'static str,
        kind: &'static str,
        rank: u8,
        attributes: impl Into<Vec<Attribute>>,
    ) -> Result<Self, SchemaError> {
        let mut attributes = attributes.into();
        attributes.sort_by_key(|a| a.id);
        for (at, attribute) in attributes.iter().enumerate() {
            if attributes[..at].iter().any(|other| other.id == attribute.id || other.name == attribute.name) {
                return Err(SchemaError::Twice { kind, attribute: attribute.name });
            }
        }
        Ok(Self { pipeline, kind, rank, part_of: None, attributes })
    }

    /// The same schema, of records that are parts of those of another kind of the pipeline.
    #[must_use]
    pub fn part_of(mut self, kind: &'static str) -> Self {
        self.part_of = Some(kind);
        self
    }

    /// Attributes in ascending order of their ids.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The attribute with this id.
    pub fn attribute(&self, id: AttributeId) -> Option<&Attribute> {
        self.attributes.binary_search_by_key(&id, |a| a.id).ok().map(|at| &self.attributes[at])
    }

    /// The attribute with this name.
    pub fn named(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// Checks that a record has only attributes of this kind, each in its shape.
    ///
    /// # Errors
    /// [`SchemaError::Unknown`] or [`SchemaError::Shape`] for the first that does not fit.
    pub fn check(&self, record: &Record) -> Result<(), SchemaError> {
        for (id, value) in record.attributes() {
            let attribute = self.attribute(*id).ok_or(SchemaError::Unknown { kind: self.kind, id: *id })?;
            if !attribute.holds(value) {
                return Err(SchemaError::Shape { kind: self.kind, attribute: attribute.name });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms() {
        assert_eq!(Normal::Exact.form(" A\u{30a} "), " \u{c5} ", "NFC only");
        assert_eq!(Normal::Trimmed.form(" Å "), "Å");
        assert_eq!(Normal::Folded.form(" ÅSE@X.no "), "åse@x.no");
        assert_eq!(Normal::Folded.form("T\u{308}"), "\u{1e97}");
    }

    proptest! {
        #[test]
        fn a_form_has_itself_as_its_form(text in r"[a-zA-ZåÅßİΣ \u{a0}\u{300}-\u{345}\u{2000}\u{212b}]{0,8}|\PC{0,8}") {
            for normal in [Normal::Exact, Normal::Trimmed, Normal::Folded] {
                let form = normal.form(&text);
                let other: String = text.nfd().collect();
                prop_assert_eq!(normal.form(&form), form.as_ref());
                prop_assert_eq!(normal.form(&other), form.as_ref(), "however its letters are composed");
            }
        }
    }

    #[test]
    fn an_id_or_name_declared_twice_is_refused() {
        let twice = Schema::new("p", "k", 0, [Attribute::text(1, "a"), Attribute::text(1, "b")]);
        assert_eq!(twice, Err(SchemaError::Twice { kind: "k", attribute: "b" }));
        assert!(Schema::new("p", "k", 0, [Attribute::text(1, "a"), Attribute::set(2, "a")]).is_err());
    }

    #[test]
    fn a_record_of_another_shape_is_refused() {
        let schema = Schema::new("p", "k", 0, [Attribute::text(1, "a")]).unwrap();
        let wrong = Record::new("x".into()).with(AttributeId(1), Value::Flag(true));
        assert_eq!(schema.check(&wrong), Err(SchemaError::Shape { kind: "k", attribute: "a" }));
        let unknown = Record::new("x".into()).with(AttributeId(2), "t");
        assert!(schema.check(&unknown).is_err());
    }
}
