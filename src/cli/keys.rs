//! `--keys-from`: a list of people.

use std::collections::BTreeSet;

use super::args::parse_key;
use crate::model::scope::KeyField;
use crate::sources::uhid;

/// A list as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct List {
    /// Each key once, in the order of the list.
    pub keys: Vec<(KeyField, String)>,
    /// In which line each of them stands, from 1.
    pub lines: Vec<usize>,
}

/// The keys in a list: one UH-ID or `FIELD=VALUE` in a line, `#` starts a comment, each key once.
///
/// # Errors
/// What is wrong and in which line; a list without any key is refused, because a scope of nobody must
/// never become one of everybody.
pub(super) fn parse(text: &str) -> Result<List, String> {
    let mut seen = BTreeSet::new();
    let mut list = List::default();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let key = if line.contains('=') {
            parse_key(line).map_err(|message| format!("line {}: {message}", at + 1))?
        } else if uhid::key(line).is_some() {
            (KeyField::IdautoId, line.to_owned())
        } else {
            // A list of something else is refused whole: unknown keys are repeated in reports, and its lines are not.
            return Err(format!("line {} is neither a UH-ID nor FIELD=VALUE", at + 1));
        };
        if seen.insert(key.clone()) {
            list.keys.push(key);
            list.lines.push(at + 1);
        }
    }
    if list.keys.is_empty() { Err("there is no key in it".to_owned()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_repetitions_do_not_count() {
        let id = "0b7c4e1a-0000-4000-8000-000000000001";
        let text = format!("\u{feff}# people\n {id} \r\nusername=kari # student\n\n{id}\nuhid=abc-2\n");
        let List { keys, lines } = parse(&text).unwrap();
        let expected = [(KeyField::IdautoId, id), (KeyField::Username, "kari"), (KeyField::IdautoId, "abc-2")];
        assert_eq!(keys, expected.map(|(field, value)| (field, value.to_owned())));
        assert_eq!(lines, [2, 3, 6]);
    }

    #[test]
    fn a_list_of_nobody_is_refused_and_a_wrong_line_is_named() {
        assert_eq!(parse("# none\n").unwrap_err(), "there is no key in it");
        assert!(parse("username=abc\nmail=x\n").unwrap_err().starts_with("line 2: "));
        assert_eq!(parse("hunter2\n").unwrap_err(), "line 1 is neither a UH-ID nor FIELD=VALUE");
    }
}
