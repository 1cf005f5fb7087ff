//! A configuration file and the references to secrets in it.

use std::path::Path;

use super::{MARK, marked, quotes_nothing};
use crate::config::{Config, SecretRef};
use crate::targets::Registry;

/// Holds that a file is read as often as one likes with one outcome, that errors name keys and never values, and that
/// a reference is what it shows itself to be.
///
/// # Panics
/// Where that does not hold.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let text = marked(text);
    let (path, registry) = (Path::new("r.toml"), Registry::builtin());
    let read = || Config::parse(path, &text, &registry);
    match read() {
        Ok(config) => {
            assert_eq!(read().ok().as_ref(), Some(&config), "read twice, and otherwise");
            for pipeline in &config.pipelines {
                if let Err(error) = config.open(pipeline, &registry, &|_| Some(MARK.to_owned())) {
                    quote_no_value(&text, &error.to_string());
                }
            }
        }
        Err(error) => quote_no_value(&text, &error.to_string()),
    }
    for word in text.split(['"', '\'', '\n']) {
        let reference = SecretRef::parse(word);
        if reference.check().is_ok() {
            assert_eq!(SecretRef::parse(&reference.to_string()), reference);
        } else {
            assert_eq!(reference.to_string(), "(no reference)");
        }
        let nothing = reference.resolve(&|_| None);
        assert!(nothing.is_err() || matches!(reference, SecretRef::File(_)));
    }
}

/// Keys, and names of attributes and files, are told; whatever else stands there is not.
fn quote_no_value(text: &str, message: &str) {
    let told = |key: &str| key.contains(MARK);
    let Ok(table) = text.parse::<toml::Table>() else {
        // Of what is no TOML nobody knows what is a key: the parser tells a key that stands twice.
        if !message.contains("duplicate key") {
            quotes_nothing(message);
        }
        return;
    };
    if !any_key(&table, &told) && !message.contains('/') {
        quotes_nothing(message);
    }
}

fn any_key(table: &toml::Table, told: &dyn Fn(&str) -> bool) -> bool {
    fn within(value: &toml::Value, told: &dyn Fn(&str) -> bool) -> bool {
        match value {
            toml::Value::Table(table) => any_key(table, told),
            toml::Value::Array(items) => items.iter().any(|item| within(item, told)),
            _ => false,
        }
    }
    table.iter().any(|(key, value)| told(key) || within(value, told))
}
