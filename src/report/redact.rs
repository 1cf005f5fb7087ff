//! What of a value may be shown in a plan or a report.

use reconcile_state::{AttributeId, Schema, Sensitivity, Value};
use serde::Serialize;

/// A value as it may be shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "form", content = "value")]
pub enum Shown {
    /// A text.
    Text(String),
    /// A truth value.
    Flag(bool),
    /// A number.
    Number(i64),
    /// Elements of a set.
    Set(Vec<String>),
    /// Another record, by its key.
    Record(String),
    /// Something is there, and nobody is shown what.
    Secret,
}

/// A value of the attribute with this id. What the schema does not know is treated as secret.
pub(super) fn show(schema: Option<&Schema>, id: AttributeId, value: &Value) -> Shown {
    if is_secret(schema, id) {
        return Shown::Secret;
    }
    match value {
        Value::Text(text) => Shown::Text(text.clone()),
        Value::Flag(flag) => Shown::Flag(*flag),
        Value::Number(number) => Shown::Number(*number),
        Value::Set(elements) => Shown::Set(elements.iter().map(str::to_owned).collect()),
        Value::Reference(key) => Shown::Record(key.as_str().to_owned()),
        Value::Sealed(_) => Shown::Secret,
    }
}

/// An element of the set with this id.
pub(super) fn show_element(schema: Option<&Schema>, id: AttributeId, element: &str) -> Shown {
    if is_secret(schema, id) { Shown::Secret } else { Shown::Text(element.to_owned()) }
}

/// The name of the attribute with this id.
pub(super) fn name(schema: Option<&Schema>, id: AttributeId) -> String {
    let known = schema.and_then(|schema| schema.attribute(id));
    known.map_or_else(|| format!("attribute {}", id.0), |attribute| attribute.name.to_owned())
}

fn is_secret(schema: Option<&Schema>, id: AttributeId) -> bool {
    let sensitivity = schema.and_then(|schema| schema.attribute(id)).map(|attribute| attribute.sensitivity);
    sensitivity.is_none_or(|sensitivity| sensitivity == Sensitivity::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reconcile_state::Attribute;

    #[test]
    fn secret_sealed_and_unknown_values_are_never_shown() {
        let attributes = vec![Attribute::text(1, "name"), Attribute::text(2, "pin").sensitivity(Sensitivity::Secret)];
        let schema = Schema::new("toy", "account", 0, attributes).unwrap();
        let shown = |id, value: Value| show(Some(&schema), AttributeId(id), &value);
        assert_eq!(shown(1, "Anna".into()), Shown::Text("Anna".into()));
        assert_eq!(shown(2, "1234".into()), Shown::Secret);
        assert_eq!(shown(1, Value::Sealed([7; 16])), Shown::Secret);
        assert_eq!(shown(3, "1234".into()), Shown::Secret);
        assert_eq!(show(None, AttributeId(1), &"Anna".into()), Shown::Secret);
        assert_eq!(show_element(Some(&schema), AttributeId(2), "1234"), Shown::Secret);
    }
}
