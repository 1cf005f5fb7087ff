//! Texts: a set of texts, in order, in as little memory as they need. A pass holds several for everybody, most of a few
//! elements: a tree takes more for its nodes than the texts themselves.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Many texts without order, each once. Made whole, and never changed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Box<str>>")]
pub struct Texts(Box<[Box<str>]>);

impl Texts {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this text is among them.
    pub fn contains(&self, text: &str) -> bool {
        self.0.binary_search_by(|one| (**one).cmp(text)).is_ok()
    }

    /// All of them, in the order of their bytes.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.0.iter().map(|text| &**text)
    }
}

impl From<Vec<Box<str>>> for Texts {
    fn from(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self(texts.into_boxed_slice())
    }
}

impl<T: Into<Box<str>>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        texts.into_iter().map(Into::into).collect::<Vec<Box<str>>>().into()
    }
}

impl<T: Into<Box<str>>, const N: usize> From<[T; N]> for Texts {
    fn from(texts: [T; N]) -> Self {
        texts.into_iter().collect()
    }
}

impl From<BTreeSet<String>> for Texts {
    fn from(texts: BTreeSet<String>) -> Self {
        Self(texts.into_iter().map(String::into_boxed_str).collect())
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
