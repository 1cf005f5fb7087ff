//! What is planted, in every spelling in which it could leak, and where it may stand.

use std::collections::BTreeSet;

/// How private something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Names, user names, addresses, numbers by which a person is known.
    Personal,
    /// Passwords, tokens, national numbers, passports; and whatever of a person is not read at all.
    Secret,
}

/// Where a text was put out or is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// Standard output of a pass, of `explain` and of `conflicts`.
    Result,
    /// Standard output of `check`, `journal` and `init`.
    Finding,
    /// Standard error: errors, logs, progress.
    Errors,
    /// A saved plan, or a report that was kept.
    File,
    /// The store's files: what was read of people, and by which name a target knows them.
    Store,
    /// Entries of the journal as they are stored.
    Journal,
    /// Arguments of the process and of its children.
    CommandLine,
    /// Any other file.
    Elsewhere,
}

/// Where personal values may stand. Secrets may nowhere.
const MAY_HOLD_PERSONAL: [Place; 3] = [Place::Result, Place::File, Place::Store];

impl Class {
    /// Whether a value of this class may stand there.
    pub fn may_stand_in(self, place: Place) -> bool {
        self == Self::Personal && MAY_HOLD_PERSONAL.contains(&place)
    }
}

/// One planted value.
pub struct Planted {
    /// What it is, for a failure to say.
    pub what: &'static str,
    /// How private it is.
    pub class: Class,
    /// The value.
    pub value: String,
    exact: BTreeSet<String>,
    folded: BTreeSet<String>,
}

impl Planted {
    /// A value; long enough that it stands nowhere by chance.
    pub fn new(what: &'static str, class: Class, value: impl Into<String>) -> Self {
        let value = value.into();
        assert!(value.len() >= 8, "{what} is too short to be told apart");
        let (mut exact, mut folded) = (BTreeSet::new(), BTreeSet::new());
        for text in [value.clone(), value.to_lowercase(), value.to_uppercase()] {
            let bytes = text.as_bytes();
            for shift in 0..3 {
                let middle = base64(bytes, shift);
                exact.insert(middle.replace('+', "-").replace('/', "_"));
                exact.insert(middle);
            }
            let each = |one: fn(&u8) -> String, between: &str| bytes.iter().map(one).collect::<Vec<_>>().join(between);
            folded.insert(each(|b| format!("{b:02x}"), ""));
            folded.insert(each(|b| format!("%{b:02x}"), ""));
            // As `Debug` of bytes has them.
            folded.insert(each(u8::to_string, ", "));
            folded.insert(text.escape_unicode().to_string());
            folded.insert(text.escape_default().to_string());
            let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
            folded.insert(form.replace('+', "%20"));
            folded.insert(form);
            folded.insert(serde_json::to_string(&text).unwrap().trim_matches('"').to_owned());
            let ascii = text.chars().map(|c| if c.is_ascii() { c.to_string() } else { format!("\\u{:04x}", c as u32) });
            folded.insert(ascii.collect());
            folded.insert(text.chars().rev().collect());
            folded.insert(text);
        }
        let folded = folded.iter().map(|text| text.to_lowercase()).collect();
        Self { what, class, value, exact, folded }
    }

    /// The spelling in which it stands in a text, if it does. `folded` is the text in small letters.
    pub fn found_in(&self, text: &str, folded: &str) -> Option<&str> {
        let exact = self.exact.iter().find(|spelling| text.contains(spelling.as_str()));
        exact.or_else(|| self.folded.iter().find(|spelling| folded.contains(spelling.as_str()))).map(String::as_str)
    }
}

/// The characters of base64 that stand for these bytes alone, where so many others stand before them.
fn base64(bytes: &[u8], before: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1)).collect();
    let skip = (6 - before * 8 % 6) % 6;
    let letter = |six: &[bool]| char::from(LETTERS[six.iter().fold(0, |n, bit| n * 2 + usize::from(*bit))]);
    bits[skip..].chunks_exact(6).map(letter).collect()
}

#[test]
fn every_spelling_of_a_planted_value_is_found() {
    let planted = Planted::new("name", Class::Personal, "Sladrø Å");
    let found = |text: &str| planted.found_in(text, &text.to_lowercase()).is_some();
    for text in [
        "met sladrø å here",
        "SLADRØ Å",
        "x=Sladr%C3%B8+%C3%85&y",
        "536c616472c3b820c385",
        "[83, 108, 97, 100, 114, 195, 184, 32, 195, 133]",
        r"Sladr\u00f8 \u00c5",
        r"Sladr\u{f8} \u{c5}",
        "U2xhZHLDuCDDhQ==",
        "eFNsYWRyw7ggw4U=",
        "eHhTbGFkcsO4IMOF",
    ] {
        assert!(found(text), "{text}");
    }
    assert!(!found("Sladrow and nothing else"));
}
