//! How an outcome goes out: JSON or, without the format field, XML; status, headers and body.

use serde_json::Value;

use super::refusal::Refusal;

/// What the site sends back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status. Moodle's own failures have 200.
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// `Retry-After`, where one is sent.
    pub retry_after: Option<String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// An HTML page of a web server or of PHP in front of Moodle.
    pub(super) fn html(status: u16, retry_after: Option<String>) -> Self {
        let body =
            format!("<html>\r\n<head><title>{status}</title></head>\r\n<body><h1>{status}</h1></body>\r\n</html>\r\n");
        Self { status, content_type: "text/html", retry_after, body }
    }

    /// An empty page.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, content_type: "text/html", retry_after: None, body: String::new() }
    }

    /// An outcome in the asked format.
    pub(super) fn of(outcome: &Result<Value, Refusal>, format: Format, debugging: bool) -> Self {
        let body = match (format, outcome) {
            (Format::Json, Ok(value)) => value.to_string(),
            (Format::Json, Err(refusal)) => json_refusal(refusal, debugging).to_string(),
            (Format::Xml, Ok(value)) => {
                let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<RESPONSE>\n");
                xml_value(value, &mut body);
                body + "</RESPONSE>\n"
            }
            (Format::Xml, Err(refusal)) => xml_refusal(refusal, debugging),
        };
        let content_type = match format {
            Format::Json => "application/json",
            Format::Xml => "application/xml; charset=utf-8",
        };
        Self { status: 200, content_type, retry_after: None, body }
    }

    /// The body as JSON, `Null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The two formats of the REST protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `moodlewsrestformat=json`.
    Json,
    /// Anything else.
    Xml,
}

fn json_refusal(refusal: &Refusal, debugging: bool) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("exception".into(), refusal.exception.into());
    if let Some(code) = &refusal.errorcode {
        object.insert("errorcode".into(), code.as_str().into());
    }
    object.insert("message".into(), refusal.message.as_str().into());
    if debugging {
        object.insert("debuginfo".into(), refusal.debuginfo.as_str().into());
    }
    Value::Object(object)
}

fn xml_refusal(refusal: &Refusal, debugging: bool) -> String {
    let text = |text: &str| html_escape::encode_text(text).into_owned();
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n");
    body.extend(["<EXCEPTION class=\"", refusal.exception, "\">\n"]);
    if let Some(code) = &refusal.errorcode {
        body.extend(["<ERRORCODE>", &text(code), "</ERRORCODE>\n"]);
    }
    body.extend(["<MESSAGE>", &text(&refusal.message), "</MESSAGE>\n"]);
    if debugging {
        body.extend(["<DEBUGINFO>", &text(&refusal.debuginfo), "</DEBUGINFO>\n"]);
    }
    body + "</EXCEPTION>\n"
}

fn xml_value(value: &Value, out: &mut String) {
    match value {
        Value::Array(list) => {
            out.push_str("<MULTIPLE>\n");
            for item in list {
                xml_value(item, out);
            }
            out.push_str("</MULTIPLE>\n");
        }
        Value::Object(object) => {
            out.push_str("<SINGLE>\n");
            for (key, item) in object {
                out.extend(["<KEY name=\"", key, "\">"]);
                xml_value(item, out);
                out.push_str("</KEY>\n");
            }
            out.push_str("</SINGLE>\n");
        }
        Value::Null => out.push_str("<VALUE null=\"null\"/>\n"),
        Value::String(text) => out.extend(["<VALUE>", &html_escape::encode_text(text), "</VALUE>\n"]),
        Value::Bool(flag) => out.extend(["<VALUE>", if *flag { "1" } else { "0" }, "</VALUE>\n"]),
        Value::Number(number) => out.extend(["<VALUE>", &number.to_string(), "</VALUE>\n"]),
    }
}

/// Course and category names as they leave without `moodlewssettingraw=1`: `<`, `>` and an `&` that starts no entity are
/// escaped, quotes are not.
pub(super) fn name_out(name: &str, raw: bool) -> String {
    if raw {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' if !starts_entity(&name[at + 1..]) => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

fn starts_entity(rest: &str) -> bool {
    rest.find(';').is_some_and(|end| {
        (1..=8).contains(&end) && rest[..end].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_escaped_unless_raw_and_quotes_never() {
        assert_eq!(name_out("A & B < \"C\" 'D'", false), "A &amp; B &lt; \"C\" 'D'");
        assert_eq!(name_out("A &amp; B", false), "A &amp; B");
        assert_eq!(name_out("A & B < C", true), "A & B < C");
    }

    #[test]
    fn void_is_the_literal_null() {
        assert_eq!(Answer::of(&Ok(Value::Null), Format::Json, false).body, "null");
    }

    #[test]
    fn without_the_format_field_everything_is_xml() {
        let good = Answer::of(&Ok(json!([{"id": 1, "name": "a<b"}])), Format::Xml, false);
        assert!(good.body.contains("<KEY name=\"name\"><VALUE>a&lt;b</VALUE>"), "{}", good.body);
        let bad = Answer::of(&Err(Refusal::token()), Format::Xml, false);
        assert!(bad.body.contains("<ERRORCODE>invalidtoken</ERRORCODE>"), "{}", bad.body);
        assert_eq!(bad.status, 200);
    }

    #[test]
    fn the_cause_is_told_only_by_a_debugging_site() {
        let refusal = Err(Refusal::parameter("Username already exists"));
        assert_eq!(Answer::of(&refusal, Format::Json, false).json().get("debuginfo"), None);
        assert_eq!(Answer::of(&refusal, Format::Json, true).json()["debuginfo"], "Username already exists");
        let php = Answer::of(&Err(Refusal::php("Call to a member function")), Format::Json, false).json();
        assert_eq!(php.get("errorcode"), None);
        assert_eq!(php["exception"], "Error");
    }
}
