//! Texts: a set of texts, in order, in as little memory as they need. A pass holds several for everybody, most of a few
//! elements: a tree takes more for its nodes than the texts themselves.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Many texts without order, each once. Made whole, and never changed.
///
/// In one piece: how many there are, then each with its length before it, in the order of their bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Texts(Box<[u8]>);

impl Texts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this text is among them. Looks through them: records hold few.
    pub fn contains(&self, text: &str) -> bool {
        self.iter().find(|one| *one >= text) == Some(text)
    }

    /// All of them, in the order of their bytes.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let mut iter = Iter { rest: &self.0, left: 0 };
        iter.left = iter.number();
        iter
    }
}

/// Texts, one after the other.
#[derive(Clone, Debug)]
struct Iter<'t> {
    rest: &'t [u8],
    left: usize,
}

impl Iter<'_> {
    /// Seven bits a byte, the lowest first; the last byte is below 128.
    fn number(&mut self) -> usize {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let Some((&byte, rest)) = self.rest.split_first() else { break };
            self.rest = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }
}

impl<'t> Iterator for Iter<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        self.left = self.left.checked_sub(1)?;
        let length = self.number();
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        // They were texts when they were put in.
        std::str::from_utf8(text).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

fn put(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Of texts in order, each once.
fn packed<'t>(texts: impl ExactSizeIterator<Item = &'t str> + Clone) -> Texts {
    let lengths: usize = texts.clone().map(|text| text.len() + 2).sum();
    let mut bytes = Vec::with_capacity(lengths + 4);
    put(&mut bytes, texts.len());
    for text in texts {
        put(&mut bytes, text.len());
        bytes.extend_from_slice(text.as_bytes());
    }
    Texts(bytes.into_boxed_slice())
}

impl Default for Texts {
    fn default() -> Self {
        packed([].into_iter())
    }
}

impl PartialOrd for Texts {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// As trees of texts compare.
impl Ord for Texts {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.iter().cmp(other.iter())
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let given: Vec<T> = texts.into_iter().collect();
        let mut texts: Vec<&str> = given.iter().map(AsRef::as_ref).collect();
        texts.sort_unstable();
        texts.dedup();
        packed(texts.into_iter())
    }
}

impl<T: AsRef<str>, const N: usize> From<[T; N]> for Texts {
    fn from(texts: [T; N]) -> Self {
        texts.into_iter().collect()
    }
}

impl From<BTreeSet<String>> for Texts {
    fn from(texts: BTreeSet<String>) -> Self {
        packed(texts.iter().map(String::as_str))
    }
}

/// As a list.
impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Box<str>>::deserialize(deserializer).map(|texts| texts.into_iter().collect())
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_they_are_made_of_texts_are_in_order_and_each_there_once() {
        let texts = Texts::from(["b", "a", "ø", "b", ""]);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["", "a", "b", "ø"]);
        assert!(texts.contains("ø") && !texts.contains("c") && texts.len() == 4);
        let tree: BTreeSet<String> = texts.iter().map(str::to_owned).collect();
        assert_eq!(Texts::from(tree), texts);
        let read: Texts = serde_json::from_str(r#"["b", "ø", "a", "", "a"]"#).unwrap();
        assert_eq!(read, texts);
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["","a","b","ø"]"#);
    }

    #[test]
    fn texts_of_any_length_are_kept_as_they_are() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let long = "x".repeat(length);
            let texts = Texts::from(["\u{0}", "æ", long.as_str()]);
            let expected: BTreeSet<&str> = ["\u{0}", "æ", long.as_str()].into();
            assert_eq!((texts.iter().collect::<BTreeSet<_>>(), texts.len()), (expected, 3));
            assert!(texts.contains(&long) && texts.contains("æ") && !texts.contains("ø"));
        }
        let many: Texts = (0..20_000).map(|n| n.to_string()).collect();
        assert_eq!((many.len(), many.iter().count(), many.iter().is_sorted()), (20_000, 20_000, true));
    }

    #[test]
    fn texts_are_compared_as_a_tree_of_them_is() {
        let all: [&[&str]; 5] = [&[], &["a"], &["a", "b"], &["ab"], &["b", "a"]];
        let tree = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<BTreeSet<String>>();
        for one in all {
            for two in all {
                let texts = |texts: &[&str]| texts.iter().copied().collect::<Texts>();
                assert_eq!(texts(one).cmp(&texts(two)), tree(one).cmp(&tree(two)), "{one:?} {two:?}");
            }
        }
    }
}
