//! `--keys-from`: a list of people.

use std::collections::BTreeSet;

use super::args::parse_key;
use crate::model::scope::KeyField;

/// The keys in a list: one UH-ID or `FIELD=VALUE` in a line, `#` starts a comment, each key once.
///
/// # Errors
/// What is wrong and in which line; a list without any key is refused, because a scope of nobody must
/// never become one of everybody.
pub(super) fn parse(text: &str) -> Result<Vec<(KeyField, String)>, String> {
    let mut seen = BTreeSet::new();
    let mut keys = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let key = if line.contains('=') {
            parse_key(line).map_err(|message| format!("line {}: {message}", at + 1))?
        } else {
            (KeyField::IdautoId, line.to_owned())
        };
        if seen.insert(key.clone()) {
            keys.push(key);
        }
    }
    if keys.is_empty() { Err("there is no key in it".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_repetitions_do_not_count() {
        let text = "\u{feff}# people\n abc-1 \r\nusername=kari # student\n\nabc-1\nuhid=abc-2\n";
        let keys = parse(text).unwrap();
        let expected = [(KeyField::IdautoId, "abc-1"), (KeyField::Username, "kari"), (KeyField::IdautoId, "abc-2")];
        assert_eq!(keys, expected.map(|(field, value)| (field, value.to_owned())));
    }

    #[test]
    fn a_list_of_nobody_is_refused_and_a_wrong_line_is_named() {
        assert_eq!(parse("# none\n").unwrap_err(), "there is no key in it");
        assert!(parse("abc\nmail=x\n").unwrap_err().starts_with("line 2: "));
    }
}
