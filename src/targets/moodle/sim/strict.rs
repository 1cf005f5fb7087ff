//! Typed, strict access to decoded parameters: Moodle checks the types of a whole payload before it looks at any record,
//! and refuses a key it does not know anywhere (Moodle facts, sections 2 and 4).
//!
//! It says what a value may look like, never whether the site holds it: that is each function's own check.

use std::collections::BTreeSet;

use super::params::{Array, Node};
use super::refusal::Refusal;

/// How a text value is cleaned; a value that cleaning would change is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// `PARAM_RAW`: several lines are fine.
    Raw,
    /// `PARAM_RAW_TRIMMED`: no space at either end.
    Trimmed,
    /// `PARAM_NOTAGS`: no `<` at all.
    NoTags,
    /// `PARAM_TEXT`: a `<` only where no tag can follow.
    Plain,
    /// `PARAM_ALPHA`.
    Alpha,
    /// `PARAM_ALPHANUMEXT`.
    AlphaNumExt,
    /// Lower case letters, digits and `. _ - @`.
    Username,
}

impl Text {
    fn accepts(self, value: &str) -> bool {
        let controls = |c: char| c.is_control() && !(self == Self::Raw && matches!(c, '\n' | '\r' | '\t'));
        // U+FFFD is what bytes outside UTF-8 were decoded to.
        if value.chars().any(|c| controls(c) || c == '\u{fffd}') {
            return false;
        }
        match self {
            Self::Raw => true,
            Self::Trimmed => value.trim() == value,
            Self::NoTags => !value.contains('<'),
            Self::Plain => !value.match_indices('<').any(|(at, _)| opens_tag(&value[at + 1..])),
            Self::Alpha => value.chars().all(|c| c.is_ascii_alphabetic()),
            Self::AlphaNumExt => value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')),
            Self::Username => value
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@')),
        }
    }
}

fn opens_tag(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| !c.is_whitespace())
}

/// One record being read. Keys it was never asked for are refused by `finish`.
pub(super) struct Fields<'a> {
    array: &'a Array,
    known: BTreeSet<&'static str>,
    path: String,
}

impl<'a> Fields<'a> {
    /// The parameters of a whole call; the fixed fields are known to every function.
    pub(super) fn of_call(array: &'a Array) -> Self {
        let mut known = BTreeSet::from(["wstoken", "wsfunction", "moodlewsrestformat"]);
        known.extend([
            "moodlewssettingraw",
            "moodlewssettingfilter",
            "moodlewssettingfileurl",
            "moodlewssettinglang",
            "moodlewssettingtimezone",
        ]);
        Self { array, known, path: String::new() }
    }

    fn refuse(&self, key: &str, why: &str) -> Refusal {
        Refusal::parameter(format!("{}{key}: {why}", self.path))
    }

    fn leaf(&mut self, key: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.known.insert(key);
        match self.array.get(key) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(Node::Array(_)) => Err(self.refuse(key, "Scalar type expected, array or object received.")),
        }
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, Refusal> {
        value.ok_or_else(|| self.refuse(key, "Missing required key in single structure"))
    }

    /// A text that may be left out.
    pub(super) fn text(&mut self, key: &'static str, kind: Text) -> Result<Option<String>, Refusal> {
        match self.leaf(key)? {
            Some(text) if !kind.accepts(text) => Err(self.refuse(key, "Invalid external api parameter")),
            found => Ok(found.map(str::to_owned)),
        }
    }

    /// A text that must be there.
    pub(super) fn need_text(&mut self, key: &'static str, kind: Text) -> Result<String, Refusal> {
        let found = self.text(key, kind)?;
        self.required(key, found)
    }

    /// A canonical integer that may be left out.
    pub(super) fn int(&mut self, key: &'static str) -> Result<Option<i64>, Refusal> {
        match self.leaf(key)? {
            None => Ok(None),
            Some(text) => match integer(text) {
                Some(number) => Ok(Some(number)),
                None => Err(self.refuse(key, "Invalid external api parameter: int expected")),
            },
        }
    }

    /// A canonical integer that must be there.
    pub(super) fn need_int(&mut self, key: &'static str) -> Result<i64, Refusal> {
        let found = self.int(key)?;
        self.required(key, found)
    }

    /// A row id that must be there; a negative one names no row.
    pub(super) fn need_id(&mut self, key: &'static str) -> Result<u64, Refusal> {
        Ok(u64::try_from(self.need_int(key)?).unwrap_or(0))
    }

    /// `1` or `0`, nothing else.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, Refusal> {
        match self.leaf(key)? {
            None => Ok(None),
            Some("1") => Ok(Some(true)),
            Some("0") => Ok(Some(false)),
            Some(_) => Err(self.refuse(key, "Invalid external api parameter: bool expected")),
        }
    }

    /// A list of records; absent is `None`.
    pub(super) fn records(&mut self, key: &'static str) -> Result<Option<Vec<Fields<'a>>>, Refusal> {
        self.known.insert(key);
        let list = match self.array.get(key) {
            None => return Ok(None),
            Some(Node::Array(list)) => list,
            Some(Node::Text(_)) => return Err(self.refuse(key, "Only arrays accepted.")),
        };
        let mut records = Vec::with_capacity(list.entries().len());
        for (index, node) in list.entries() {
            let Node::Array(array) = node else { return Err(self.refuse(key, "Only arrays accepted.")) };
            records.push(Fields { array, known: BTreeSet::new(), path: format!("{}{key}[{index}] ", self.path) });
        }
        Ok(Some(records))
    }

    /// A list of records that must be there.
    pub(super) fn need_records(&mut self, key: &'static str) -> Result<Vec<Fields<'a>>, Refusal> {
        let found = self.records(key)?;
        self.required(key, found)
    }

    /// One record inside this one.
    pub(super) fn record(&mut self, key: &'static str) -> Result<Option<Fields<'a>>, Refusal> {
        self.known.insert(key);
        match self.array.get(key) {
            None => Ok(None),
            Some(Node::Array(array)) => {
                Ok(Some(Fields { array, known: BTreeSet::new(), path: format!("{}{key} ", self.path) }))
            }
            Some(Node::Text(_)) => Err(self.refuse(key, "Only arrays accepted.")),
        }
    }

    /// A list of plain values; absent is `None`.
    pub(super) fn values(&mut self, key: &'static str) -> Result<Option<Vec<&'a str>>, Refusal> {
        self.known.insert(key);
        let list = match self.array.get(key) {
            None => return Ok(None),
            Some(Node::Array(list)) => list,
            Some(Node::Text(_)) => return Err(self.refuse(key, "Only arrays accepted.")),
        };
        let mut values = Vec::with_capacity(list.entries().len());
        for (_, node) in list.entries() {
            match node {
                Node::Text(text) if Text::Raw.accepts(text) => values.push(text.as_str()),
                _ => return Err(self.refuse(key, "Scalar type expected, array or object received.")),
            }
        }
        Ok(Some(values))
    }

    /// A list of row ids that must be there.
    pub(super) fn need_ids(&mut self, key: &'static str) -> Result<Vec<u64>, Refusal> {
        let found = self.ids(key)?;
        self.required(key, found)
    }

    /// A list of row ids; absent is `None`.
    pub(super) fn ids(&mut self, key: &'static str) -> Result<Option<Vec<u64>>, Refusal> {
        let Some(values) = self.values(key)? else { return Ok(None) };
        let mut ids = Vec::with_capacity(values.len());
        for value in values {
            let number = integer(value).ok_or_else(|| self.refuse(key, "int expected"))?;
            ids.push(u64::try_from(number).unwrap_or(0));
        }
        Ok(Some(ids))
    }

    /// Pairs such as `options[]{name,value}`; absent is empty.
    pub(super) fn pairs(
        &mut self,
        key: &'static str,
        name: &'static str,
        value: &'static str,
    ) -> Result<Vec<(String, String)>, Refusal> {
        let mut pairs = Vec::new();
        for mut record in self.records(key)?.unwrap_or_default() {
            pairs.push((record.need_text(name, Text::AlphaNumExt)?, record.need_text(value, Text::Raw)?));
            record.finish()?;
        }
        Ok(pairs)
    }

    /// Refuses the first key that was never asked for.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        match self.array.entries().iter().find(|(key, _)| !self.known.contains(key.as_str())) {
            Some((key, _)) => Err(self.refuse(key, "Unexpected key detected in parameters.")),
            None => Ok(()),
        }
    }
}

/// A number written the one way PHP prints it.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::super::params::Form;
    use super::*;

    #[test]
    fn each_kind_of_text_refuses_what_cleaning_would_change() {
        for (kind, good, bad) in [
            (Text::Raw, vec!["a<b>", "two\nlines", "😀"], vec!["nul\0", "bell\u{7}", "\u{fffd}"]),
            (Text::Trimmed, vec!["a@b.no"], vec![" a@b.no", "a@b.no "]),
            (Text::NoTags, vec!["Per & \"Co\" O'Hara", " kept "], vec!["a<b", "<b>x</b>", "a\tb"]),
            (Text::Plain, vec!["1 < 2 & 3"], vec!["<b>x", "a</i>", "line\nbreak"]),
            (Text::Alpha, vec!["NO", ""], vec!["N1"]),
            (Text::AlphaNumExt, vec!["uh_id-1"], vec!["uh id"]),
            (Text::Username, vec!["kari.n_1-2@uni.no"], vec!["Kari", " kari", "kari+1", "kåri", "a b"]),
        ] {
            for value in good {
                assert!(kind.accepts(value), "{kind:?} takes {value:?}");
            }
            for value in bad {
                assert!(!kind.accepts(value), "{kind:?} refuses {value:?}");
            }
        }
    }

    #[test]
    fn numbers_and_flags_are_taken_in_one_spelling_only() {
        let top = Form::parse(b"n=7&m=07&e=&y=1&x=true&z=-3").nest(10);
        let mut fields = Fields::of_call(&top);
        assert_eq!(fields.int("n").unwrap(), Some(7));
        assert_eq!(fields.int("z").unwrap(), Some(-3));
        assert_eq!(fields.flag("y").unwrap(), Some(true));
        assert_eq!(fields.int("gone").unwrap(), None);
        for refused in [fields.int("m"), fields.int("e")] {
            assert_eq!(refused.unwrap_err().code(), "invalidparameter");
        }
        assert_eq!(fields.flag("x").unwrap_err().code(), "invalidparameter");
    }

    #[test]
    fn an_unknown_key_and_a_wrong_nesting_are_refused() {
        let top = Form::parse(b"wstoken=t&users[0][id]=1&users[0][zzz]=2&values=3").nest(10);
        let mut call = Fields::of_call(&top);
        let mut user = call.need_records("users").unwrap().remove(0);
        assert_eq!(user.need_id("id").unwrap(), 1);
        assert!(user.finish().unwrap_err().debuginfo.contains("zzz"));
        assert_eq!(call.values("values").unwrap_err().code(), "invalidparameter");
        assert!(call.need_text("users", Text::Raw).is_err());
        assert_eq!(call.need_text("gone", Text::Raw).unwrap_err().code(), "invalidparameter");
    }
}
