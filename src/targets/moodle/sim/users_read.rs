//! Reading users, and the shape of a returned user with its omissions (Moodle facts, section 4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::accounts::User;
use super::refusal::Refusal;
use super::strict::{Fields, Text, integer};
use super::world::State;

/// One criterion of a search.
type Test = Box<dyn Fn(&User) -> bool>;

/// `core_user_get_users_by_field`.
pub(super) fn by_field(state: &State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let field = fields.need_text("field", Text::Alpha)?;
    let values = fields.values("values")?.ok_or_else(|| Refusal::parameter("values"))?;
    fields.finish()?;
    let changed = || Refusal::parameter("The field is invalid");
    let mut found: BTreeMap<u64, &User> = BTreeMap::new();
    for value in values {
        match field.as_str() {
            "id" => {
                let id = integer(value).ok_or_else(changed)?;
                // Deleted users are found by id, in disguise.
                found.extend(u64::try_from(id).ok().and_then(|id| state.accounts.get(id)).map(|user| (user.id, user)));
            }
            "username" => {
                let kept = value
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '@'));
                if !kept {
                    return Err(changed());
                }
                found.extend(state.accounts.named(value).filter(|user| !user.deleted).map(|user| (user.id, user)));
            }
            "email" => {
                if value.trim() != value {
                    return Err(changed());
                }
                let exact = state.accounts.mailed(value).filter(|user| user.email == value && !user.deleted);
                found.extend(exact.map(|user| (user.id, user)));
            }
            "idnumber" if value.is_empty() => {}
            "idnumber" => found.extend(state.accounts.numbered(value).map(|user| (user.id, user))),
            _ => return Err(Refusal::coding("The field parameter is not valid")),
        }
    }
    if !matches!(field.as_str(), "id" | "username" | "email" | "idnumber") {
        return Err(Refusal::coding("The field parameter is not valid"));
    }
    Ok(found.into_values().map(|user| shown(state, user)).collect())
}

/// `core_user_get_users`: AND-ed criteria, some of them patterns; an unsupported one is only warned about.
pub(super) fn search(state: &State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let mut criteria: Vec<(String, String)> = Vec::new();
    for mut record in fields.need_records("criteria")? {
        criteria.push((record.need_text("key", Text::Alpha)?, record.need_text("value", Text::Raw)?));
        record.finish()?;
    }
    fields.finish()?;
    if criteria.is_empty() {
        return Err(Refusal::parameter("no criteria"));
    }
    let mut used = BTreeSet::new();
    let mut warnings = Vec::new();
    let mut tests: Vec<Test> = Vec::new();
    for (key, value) in criteria {
        if !used.insert(key.clone()) {
            return Err(Refusal::moodle("keyalreadyset"));
        }
        match key.as_str() {
            "id" => tests.push(Box::new(move |user| user.id.to_string() == value)),
            "idnumber" => tests.push(Box::new(move |user| user.idnumber == value)),
            "username" => tests.push(Box::new(move |user| user.username == value)),
            "auth" => tests.push(Box::new(move |user| user.auth == value)),
            "email" => tests.push(like(&value, |user| &user.email)),
            "firstname" => tests.push(like(&value, |user| &user.firstname)),
            "lastname" => tests.push(like(&value, |user| &user.lastname)),
            _ => warnings.push(json!({
                "item": key,
                "itemid": 0,
                "warningcode": "invalidfieldparameter",
                "message": format!("The search key '{key}' is not supported, look at the web service documentation"),
            })),
        }
    }
    let users: Vec<Value> = state
        .accounts
        .rows()
        .values()
        .filter(|user| !user.deleted && tests.iter().all(|test| test(user)))
        .map(|user| shown(state, user))
        .collect();
    Ok(json!({"users": users, "warnings": warnings}))
}

fn like(pattern: &str, pick: fn(&User) -> &String) -> Test {
    let pattern = parse_pattern(pattern);
    Box::new(move |user| matches(&pattern, &pick(user).to_lowercase().chars().collect::<Vec<_>>()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wild {
    Any,
    One,
    Exactly(char),
}

/// An SQL LIKE pattern, lowered; a backslash takes the next character as it stands.
fn parse_pattern(pattern: &str) -> Vec<Wild> {
    let lowered = pattern.to_lowercase();
    let mut chars = lowered.chars();
    let mut wild = Vec::new();
    while let Some(c) = chars.next() {
        wild.push(match c {
            '%' => Wild::Any,
            '_' => Wild::One,
            '\\' => Wild::Exactly(chars.next().unwrap_or('\\')),
            c => Wild::Exactly(c),
        });
    }
    wild
}

/// Whether the text matches, by the usual walk that returns to the last `%`.
fn matches(pattern: &[Wild], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Wild::Any) => {
                back = Some((p, t));
                p += 1;
            }
            Some(Wild::One) => (p, t) = (p + 1, t + 1),
            Some(Wild::Exactly(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|wild| *wild == Wild::Any)
}

/// A user as returned to an account with `viewalldetails`.
pub(super) fn shown(state: &State, user: &User) -> Value {
    let site = state.plan.site_url.as_deref().unwrap_or_default();
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("id", user.id.into());
    put("username", user.username.as_str().into());
    put("firstname", user.firstname.as_str().into());
    put("lastname", user.lastname.as_str().into());
    put("fullname", user.fullname().into());
    put("department", user.department.as_str().into());
    put("auth", user.auth.as_str().into());
    put("suspended", user.suspended.into());
    put("confirmed", true.into());
    put("lang", user.lang.as_str().into());
    put("theme", user.theme.as_str().into());
    put("timezone", user.timezone.as_str().into());
    put("mailformat", user.mailformat.into());
    put("trackforums", 0.into());
    put("firstaccess", 0.into());
    put("lastaccess", 0.into());
    put("profileimageurlsmall", format!("{site}/theme/image.php/boost/core/1/u/f2").into());
    put("profileimageurl", format!("{site}/theme/image.php/boost/core/1/u/f1").into());
    let with_roles = state
        .members
        .courses_of(user.id)
        .any(|course| state.members.get(course, user.id).is_some_and(|member| !member.roles.is_empty()));
    let identity = |field: &str| state.plan.identity_fields.contains(field);
    for (key, value, allowed) in [
        ("idnumber", &user.idnumber, true),
        ("institution", &user.institution, true),
        ("city", &user.city, true),
        ("country", &user.country, true),
        ("address", &user.address, true),
        ("phone1", &user.phone1, identity("phone1")),
        ("phone2", &user.phone2, identity("phone2")),
        ("email", &user.email, identity("email") || user.maildisplay == 1),
        ("description", &user.description, with_roles),
    ] {
        if allowed && !value.is_empty() {
            put(key, value.as_str().into());
        }
    }
    if let Some(interests) = user.unread.get("interests").filter(|text| !text.is_empty()) {
        put("interests", interests.as_str().into());
    }
    if !user.custom.is_empty() {
        let fields = user.custom.iter().map(|(name, value)| {
            json!({"type": "text", "value": value, "displayvalue": value, "name": name, "shortname": name})
        });
        put("customfields", fields.collect());
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_two_wildcards_and_the_backslash() {
        for (pattern, text, want) in [
            ("%", "", true),
            ("%", "anything", true),
            ("a_b@x.no", "axb@x.no", true),
            ("a_b@x.no", "A_B@X.NO", true),
            ("a\\_b@x.no", "axb@x.no", false),
            ("a\\_b@x.no", "a_b@x.no", true),
            ("%@x.no", "kari@x.no", true),
            ("%a%b", "xaxbxb", true),
            ("%a%b", "xaxbx", false),
            ("kari", "kari n", false),
            ("", "x", false),
        ] {
            let text: Vec<char> = text.to_lowercase().chars().collect();
            assert_eq!(matches(&parse_pattern(pattern), &text), want, "{pattern}");
        }
    }
}
