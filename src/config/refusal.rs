//! Turns what serde says of a wrong table into what an operator can act upon: the key, what it must
//! be, and the key that was probably meant. It must not repeat the value.

/// What was wrong, taken apart.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    /// Keys from the table that was read down to the one to blame.
    pub path: Vec<String>,
    fault: Fault,
}

#[derive(PartialEq, Eq, Debug)]
enum Fault {
    Unknown {
        allowed: Vec<String>,
    },
    Missing,
    Type {
        expected: String,
        found: String,
    },
    /// One of a few words, and which was probably meant.
    Word {
        allowed: Vec<String>,
        near: Option<String>,
    },
    Other(String),
}

/// So many allowed keys are listed; more would hide the message.
const LISTED: usize = 20;

impl Refusal {
    /// Takes an error apart. serde's texts are stable and carry more than its types let through.
    pub fn read(error: &toml::de::Error) -> Self {
        let shown = error.to_string();
        let inside = shown.trim_end().rsplit_once("\nin `").and_then(|(_, path)| path.strip_suffix('`'));
        let mut path: Vec<String> = inside.map(|path| path.split('.').map(str::to_owned).collect()).unwrap_or_default();
        let message = error.message();
        let fault = if let Some(rest) = message.strip_prefix("unknown field `") {
            let (key, allowed) = rest.split_once('`').unwrap_or((rest, ""));
            path.push(key.to_owned());
            Fault::Unknown { allowed: quoted(allowed) }
        } else if let Some(rest) = message.strip_prefix("missing field `") {
            path.push(rest.trim_end_matches('`').to_owned());
            Fault::Missing
        } else if let Some(rest) = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: ")) {
            let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, "something else"));
            Fault::Type { expected: plain(expected), found: kind(found) }
        } else if let Some(rest) = message.strip_prefix("unknown variant `") {
            let (word, allowed) = rest.split_once('`').unwrap_or((rest, ""));
            let allowed = quoted(allowed);
            let names: Vec<&str> = allowed.iter().map(String::as_str).collect();
            Fault::Word { near: near(word, &names).map(str::to_owned), allowed }
        } else {
            Fault::Other(message.to_owned())
        };
        Self { path, fault }
    }

    /// The message, for the section at `at` that also takes the keys `also`.
    pub fn explain(&self, at: &str, also: &[&str]) -> String {
        let (key, around) = match self.path.split_last() {
            Some((key, outer)) => {
                (key.as_str(), outer.iter().fold(at.to_owned(), |around, key| format!("{around}.{key}")))
            }
            None => ("", at.to_owned()),
        };
        match &self.fault {
            Fault::Unknown { allowed } => {
                let mut allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                if self.path.len() == 1 {
                    allowed.extend(also);
                }
                format!("[{around}] has no key `{key}`{}", suggest(key, &allowed))
            }
            Fault::Missing => {
                format!("[{around}] lacks `{key}`; `reconcile init` writes a file that explains every key")
            }
            // A whole number that is none of those allowed: its range says it all.
            Fault::Type { expected, found } if expected.starts_with(found) => {
                format!("[{around}] `{key}` must be {expected}")
            }
            Fault::Type { expected, found } => format!("[{around}] `{key}` must be {expected}, not {found}"),
            Fault::Word { allowed, near } => {
                let near = near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                format!("[{around}] `{key}` must be one of `{}`{near}", allowed.join("`, `"))
            }
            Fault::Other(message) if key.is_empty() => format!("[{around}] {message}"),
            Fault::Other(message) => format!("[{around}] `{key}`: {message}"),
        }
    }
}

/// `; did you mean ..?` and the allowed ones, where they are few.
pub(crate) fn suggest(key: &str, allowed: &[&str]) -> String {
    let mut text = near(key, allowed).map(|other| format!("; did you mean `{other}`?")).unwrap_or_default();
    if !allowed.is_empty() && allowed.len() <= LISTED {
        let names: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(if text.is_empty() { "; known are " } else { " Known are " });
        text.push_str(&names.join(", "));
    }
    text
}

/// The allowed one that a slip of the hand, or a word left out, makes of the key.
fn near<'a>(key: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let is_near = |other: &str| {
        let most = key.len().max(other.len()) / 3;
        strsim::damerau_levenshtein(key, other) <= most.max(1)
            || (key.len() > most && (other.starts_with(key) || key.starts_with(other)))
    };
    allowed
        .iter()
        .map(|other| (strsim::jaro_winkler(key, other), *other))
        .filter(|(likeness, other)| *likeness > 0.8 && is_near(other))
        .max_by(|one, two| one.0.total_cmp(&two.0))
        .map(|(_, other)| other)
}

/// The words that stand in backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What was found, by its form alone.
fn kind(found: &str) -> String {
    let words = [
        ("string", "a text"),
        ("integer", "a whole number"),
        ("floating", "a fraction"),
        ("boolean", "true or false"),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    let word = words.iter().find(|(start, _)| found.starts_with(start)).map_or("that", |(_, word)| *word);
    word.to_owned()
}

/// What was expected, in the words of a configuration file.
fn plain(expected: &str) -> String {
    match expected {
        "i8" => between(i8::MIN, i8::MAX),
        "i16" => between(i16::MIN, i16::MAX),
        "i32" => between(i32::MIN, i32::MAX),
        "i64" => "a whole number".to_owned(),
        "u8" => between(u8::MIN, u8::MAX),
        "u16" => between(u16::MIN, u16::MAX),
        "u32" => between(u32::MIN, u32::MAX),
        "u64" | "usize" => "a whole number from 0 up".to_owned(),
        "a nonzero u32" => between(1, u32::MAX),
        "f32" | "f64" => "a number".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        "a map" => "a table: { key = value }".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn between(least: impl std::fmt::Display, most: impl std::fmt::Display) -> String {
    format!("a whole number from {least} to {most}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    enum Word {
        Report,
        Enforce,
    }

    #[derive(Deserialize, Debug)]
    #[serde(default)]
    #[derive(Default)]
    struct Everything {
        small: Option<i8>,
        port: Option<u16>,
        many: Option<u64>,
        share: Option<f64>,
        names: Option<BTreeMap<String, String>>,
        list: Option<Vec<String>>,
        word: Option<Word>,
    }

    #[test]
    fn what_a_value_must_be_is_said_in_plain_words_with_its_range_and_never_quoted() {
        for (line, said) in [
            ("small = \"hunter2\"", "[x] `small` must be a whole number from -128 to 127, not a text"),
            ("small = 300", "[x] `small` must be a whole number from -128 to 127"),
            ("port = 70000", "[x] `port` must be a whole number from 0 to 65535"),
            ("port = -1", "[x] `port` must be a whole number from 0 to 65535"),
            ("many = -1", "[x] `many` must be a whole number from 0 up"),
            ("many = 1.5", "[x] `many` must be a whole number from 0 up, not a fraction"),
            ("share = true", "[x] `share` must be a number, not true or false"),
            ("names = 3", "[x] `names` must be a table: { key = value }, not a whole number"),
            ("names = { a = 1 }", "[x.names] `a` must be a text in quotes, not a whole number"),
            ("list = \"hunter2\"", "[x] `list` must be a list in brackets, not a text"),
            ("word = \"enforced\"", "[x] `word` must be one of `report`, `enforce`; did you mean `enforce`?"),
            ("word = \"hunter2\"", "[x] `word` must be one of `report`, `enforce`"),
        ] {
            let error = toml::from_str::<toml::Table>(line).unwrap().try_into::<Everything>().unwrap_err();
            assert_eq!(Refusal::read(&error).explain("x", &[]), said, "{line}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["birthright_marks", "requested_marks", "surplus", "guard", "pace"];
        for (key, near) in [
            ("url", None),
            ("birthright", Some("birthright_marks")),
            ("requested_mark", Some("requested_marks")),
            ("surplsu", Some("surplus")),
            ("gard", Some("guard")),
            ("p", None),
        ] {
            assert_eq!(super::near(key, &known), near, "{key}");
        }
    }
}
