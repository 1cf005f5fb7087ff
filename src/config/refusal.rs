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
    Unknown { allowed: Vec<String> },
    Missing,
    Type { expected: String, found: String },
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
            Fault::Type { expected, found } => format!("[{around}] `{key}` must be {expected}, not {found}"),
            Fault::Other(message) if key.is_empty() => format!("[{around}] {message}"),
            Fault::Other(message) => format!("[{around}] `{key}`: {message}"),
        }
    }
}

/// `; did you mean ..?` and the allowed ones, where they are few.
pub(crate) fn suggest(key: &str, allowed: &[&str]) -> String {
    let near = allowed
        .iter()
        .map(|other| (strsim::jaro_winkler(key, other), *other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|one, two| one.0.total_cmp(&two.0));
    let mut text = near.map(|(_, other)| format!("; did you mean `{other}`?")).unwrap_or_default();
    if !allowed.is_empty() && allowed.len() <= LISTED {
        let names: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(if text.is_empty() { "; known are " } else { " Known are " });
        text.push_str(&names.join(", "));
    }
    text
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
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}
