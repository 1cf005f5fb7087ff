//! What Moodle takes as a value (facts, section 4). Judged before anything is sent: one bad value spoils a
//! whole batch, and the site does not say which.

use reconcile_state::{AttributeId, Record};

use super::super::schema as id;
use crate::model::Reason;

/// The user name holds something else than `a-z 0-9 . _ - @`, or nothing.
pub const INVALID_USER_NAME: Reason = Reason("invalid-user-name");
/// The address is none that Moodle takes.
pub const INVALID_EMAIL: Reason = Reason("invalid-email");
/// A name is blank, or holds what looks like a tag, or a control character.
pub const INVALID_NAME: Reason = Reason("invalid-name");
/// Another text holds what looks like a tag, or a control character.
pub const INVALID_TEXT: Reason = Reason("invalid-text");
/// A value is longer than its column.
pub const VALUE_TOO_LONG: Reason = Reason("value-too-long");
/// The user name belongs to an account that comes with the site.
pub const RESERVED_USER_NAME: Reason = Reason("reserved-user-name");
/// A template failed on this person's values.
pub const TEMPLATE_FAILED: Reason = Reason("template-failed");

/// Accounts that come with every site.
pub const RESERVED: [&str; 2] = ["admin", "guest"];

/// The first value of an account that Moodle would refuse.
///
/// # Errors
/// The reason.
pub fn check(record: &Record) -> Result<(), Reason> {
    let text = |id| record.text(id).unwrap_or_default();
    if !is_username(text(id::USERNAME)) {
        return Err(INVALID_USER_NAME);
    }
    if RESERVED.contains(&text(id::USERNAME)) {
        return Err(RESERVED_USER_NAME);
    }
    if [id::FIRSTNAME, id::LASTNAME].iter().any(|id| !is_name(text(*id))) {
        return Err(INVALID_NAME);
    }
    if [id::IDNUMBER, id::DEPARTMENT, id::INSTITUTION, id::CITY].iter().any(|id| !is_text(text(*id))) {
        return Err(INVALID_TEXT);
    }
    if record.attributes().iter().any(|(id, value)| too_long(*id, value.as_text().unwrap_or_default())) {
        return Err(VALUE_TOO_LONG);
    }
    if !is_email(text(id::EMAIL)) {
        return Err(INVALID_EMAIL);
    }
    Ok(())
}

/// Whether this can be a user name: a look-up with anything else fails as a whole.
pub fn is_username(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@');
    !text.is_empty() && text.chars().all(plain)
}

/// Whether Moodle takes this as an address: ASCII, one `@`, a domain of at least two labels.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let local_fits = local.len() <= 64 && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let labels: Vec<&str> = domain.split('.').collect();
    local_fits && labels.len() >= 2 && labels.iter().all(|part| label(part))
}

/// Whether this can be asked for as an ID number: control characters fail a whole call.
pub fn is_text(text: &str) -> bool {
    is_clean(text)
        && !text.match_indices('<').any(|(at, _)| text[at + 1..].chars().next().is_some_and(|c| !c.is_whitespace()))
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && is_clean(text) && !text.contains('<')
}

/// U+FFFD stands where bytes were lost on the way.
fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c == '\u{fffd}')
}

fn too_long(id: AttributeId, text: &str) -> bool {
    let most = match id {
        id::USERNAME | id::EMAIL | id::FIRSTNAME | id::LASTNAME => 100,
        id::CITY => 120,
        _ => 255,
    };
    text.chars().count() > most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> Record {
        Record::new("k".into())
            .with(id::USERNAME, "kanor")
            .with(id::EMAIL, "kari@example.no")
            .with(id::FIRSTNAME, "Kari")
            .with(id::LASTNAME, "O'Hara & Co")
            .with(id::IDNUMBER, "512345")
            .with(id::DEPARTMENT, "Avdeling for 1 < 2")
    }

    #[test]
    fn every_reason_has_its_values() {
        let long = "x".repeat(101);
        let rows = [
            (id::USERNAME, vec!["", "Kanor", "ka nor", "kånor", "ka+nor", " kanor"], INVALID_USER_NAME),
            (id::USERNAME, vec!["guest", "admin"], RESERVED_USER_NAME),
            (id::USERNAME, vec![&long], VALUE_TOO_LONG),
            (id::FIRSTNAME, vec!["", "  ", "<b>Kari</b>", "a < b", "Ka\u{7}ri", "Ka\u{fffd}ri"], INVALID_NAME),
            (id::LASTNAME, vec!["", "\t", "<"], INVALID_NAME),
            (id::LASTNAME, vec![&long], VALUE_TOO_LONG),
            (id::DEPARTMENT, vec!["<b>x", "a\nb", "nul\0"], INVALID_TEXT),
            (id::EMAIL, vec!["", "kari", "kari@", "@x.no", "kari@localhost", "a@b@c.no", "kåri@x.no"], INVALID_EMAIL),
            (id::EMAIL, vec![" a@x.no", "a.@x.no", ".a@x.no", "a..b@x.no", "a@-x.no", "a@x..no"], INVALID_EMAIL),
        ];
        for (attribute, values, reason) in rows {
            for value in values {
                assert_eq!(check(&record().with(attribute, value)), Err(reason), "{attribute:?} {value:?}");
            }
        }
        assert_eq!(check(&record()), Ok(()));
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        assert_eq!(check(&record().with(id::FIRSTNAME, "å".repeat(100))), Ok(()));
        assert_eq!(check(&record().with(id::DEPARTMENT, "å".repeat(256))), Err(VALUE_TOO_LONG));
        assert_eq!(check(&record().with(id::CITY, "å".repeat(121))), Err(VALUE_TOO_LONG));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_rule_panic(text in any::<String>(), attribute in 1_u16..10) {
            let checked = check(&record().with(AttributeId(attribute), text.clone()));
            if attribute == 1 && checked.is_ok() {
                prop_assert!(text.is_ascii() && text == text.to_lowercase());
            }
            if attribute == 2 && checked.is_ok() {
                prop_assert_eq!(text.matches('@').count(), 1);
            }
        }
    }
}
