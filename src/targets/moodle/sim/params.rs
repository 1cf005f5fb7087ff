//! What PHP makes of a form body: nested arrays, and the silent cut at `max_input_vars` (Moodle facts, section 1).
//!
//! It knows nothing of any function; `strict.rs` reads typed values out of what it yields.

use std::collections::HashMap;

/// Form fields in order of appearance, decoded but not yet nested.
#[derive(Clone, Debug, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
}

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body. Bytes that are not UTF-8 become U+FFFD, which the text
    /// checks refuse.
    pub fn parse(body: &[u8]) -> Self {
        Self { fields: url::form_urlencoded::parse(body).into_owned().collect() }
    }

    /// A form of these pairs: the way in for callers in memory.
    pub fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self { fields: pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }

    /// The same fields as a request body.
    pub fn body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    /// The fields in their order.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// Number of fields, each leaf being one.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether no field is there.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The last value of a plain field, as PHP would keep it; nothing is cut here.
    pub fn plain(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// How many records and how many e-mail addresses it carries: what a call costs.
    pub(super) fn weight(&self) -> (usize, usize) {
        let mut records = 0;
        let mut emails = 0;
        let mut last = "";
        for (name, _) in &self.fields {
            emails += usize::from(name.ends_with("[email]"));
            if let Some(end) = name.find(']')
                && name[..end] != *last
            {
                records += 1;
                last = &name[..end];
            }
        }
        (records, emails)
    }

    /// The nested array PHP builds from the first `max_input_vars` fields. The rest is dropped without a word.
    pub(super) fn nest(&self, max_input_vars: usize) -> Array {
        let mut top = Array::default();
        for (name, value) in self.fields.iter().take(max_input_vars) {
            let (base, path) = split(name);
            if base.is_empty() {
                continue;
            }
            top.put(&base, &path, value);
        }
        top
    }
}

/// One value of a nested array.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A leaf.
    Text(String),
    /// A list or a record: PHP does not tell them apart.
    Array(Array),
}

/// An ordered PHP array. Order is order of first appearance, whatever the indices say.
#[derive(Clone, Debug, Default)]
pub(super) struct Array {
    entries: Vec<(String, Node)>,
    places: HashMap<String, usize>,
    next: u64,
}

impl Array {
    /// The entries in order.
    pub(super) fn entries(&self) -> &[(String, Node)] {
        &self.entries
    }

    /// The entry of this key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.places.get(key).map(|place| &self.entries[*place].1)
    }

    fn put(&mut self, key: &str, path: &[Option<String>], value: &str) {
        let place = self.place(key);
        let node = &mut self.entries[place].1;
        let Some((head, rest)) = path.split_first() else {
            *node = Node::Text(value.to_owned());
            return;
        };
        if let Node::Text(_) = node {
            *node = Node::Array(Self::default());
        }
        if let Node::Array(inner) = node {
            let head = head.clone().unwrap_or_else(|| inner.next.to_string());
            inner.put(&head, rest, value);
        }
    }

    fn place(&mut self, key: &str) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        // Only canonical integers move the next free index, as in PHP.
        if let Ok(number) = key.parse::<u64>()
            && number.to_string() == key
        {
            self.next = self.next.max(number.saturating_add(1));
        }
        self.entries.push((key.to_owned(), Node::Text(String::new())));
        self.places.insert(key.to_owned(), self.entries.len() - 1);
        self.entries.len() - 1
    }
}

/// Splits `users[0][name]` into its base and its path; `[]` is a step without a key.
fn split(name: &str) -> (String, Vec<Option<String>>) {
    let mangled = |text: &str| text.replace(['.', ' '], "_");
    let name = name.trim_start_matches(' ');
    let Some(open) = name.find('[') else { return (mangled(name), Vec::new()) };
    let mut path = Vec::new();
    let mut rest = &name[open..];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(close) = inner.find(']') else { break };
        let key = &inner[..close];
        path.push((!key.is_empty()).then(|| key.to_owned()));
        rest = &inner[close + 1..];
    }
    if path.is_empty() {
        // A bracket that never closes is part of the name.
        return (mangled(&name.replacen('[', "_", 1)), Vec::new());
    }
    (mangled(&name[..open]), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(array: &Array, key: &str) -> Vec<String> {
        let Some(Node::Array(list)) = array.get(key) else { panic!("no list {key}") };
        list.entries()
            .iter()
            .map(|(_, node)| match node {
                Node::Text(text) => text.clone(),
                Node::Array(_) => panic!("a leaf was expected"),
            })
            .collect()
    }

    #[test]
    fn lists_are_read_in_order_of_appearance_whatever_the_indices() {
        for (body, want) in [
            ("values[0]=a&values[1]=b", vec!["a", "b"]),
            ("values[]=a&values[]=b", vec!["a", "b"]),
            ("values[7]=a&values[2]=b", vec!["a", "b"]),
            ("values[x5]=a&values[]=b", vec!["a", "b"]),
            ("values[3]=a&values[]=b&values[4]=c", vec!["a", "c"]),
            ("values%5B0%5D=%C3%A6&values%5B1%5D=b+c", vec!["æ", "b c"]),
        ] {
            assert_eq!(texts(&Form::parse(body.as_bytes()).nest(5000), "values"), want, "{body}");
        }
    }

    #[test]
    fn records_nest_and_gaps_are_no_matter() {
        let top = Form::parse(b"users[x5][username]=a&users[9][customfields][0][type]=t&users[x5][email]=e").nest(5000);
        let Some(Node::Array(users)) = top.get("users") else { panic!("no users") };
        assert_eq!(users.entries().len(), 2);
        let Node::Array(first) = &users.entries()[0].1 else { panic!("a record") };
        assert!(first.get("username").is_some() && first.get("email").is_some());
        let Node::Array(second) = &users.entries()[1].1 else { panic!("a record") };
        let Some(Node::Array(fields)) = second.get("customfields") else { panic!("a list") };
        assert!(matches!(&fields.entries()[0].1, Node::Array(field) if field.get("type").is_some()));
    }

    #[test]
    fn fields_beyond_the_limit_vanish_in_silence() {
        let form = Form::of((0..10).map(|index| (format!("values[{index}]"), index.to_string())));
        assert_eq!(texts(&form.nest(9), "values").len(), 9);
        assert_eq!(form.len(), 10);
    }

    #[test]
    fn a_form_survives_its_own_body() {
        let form = Form::of([("values[0]", "a&b=c æ"), ("wstoken", "t")]);
        let again = Form::parse(form.body().as_bytes());
        assert_eq!(again.plain("wstoken"), Some("t"));
        assert_eq!(texts(&again.nest(5000), "values"), ["a&b=c æ"]);
    }
}
