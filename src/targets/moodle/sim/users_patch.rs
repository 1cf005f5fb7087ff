//! A user record as sent: its types, its lengths, and how it changes a row (Moodle facts, section 4). Whether the record
//! may be applied is decided in `users.rs`.

use std::collections::BTreeSet;

use super::accounts::User;
use super::plan::SitePlan;
use super::refusal::Refusal;
use super::strict::{Fields, Text};

/// Plugins whose passwords Moodle keeps itself.
const INTERNAL: [&str; 3] = ["manual", "nologin", "email"];

/// Themes of a fresh site.
const THEMES: [&str; 3] = ["", "boost", "classic"];

type Pick = fn(&mut User) -> &mut String;

/// Text columns: key, type, longest value in characters, the column.
const COLUMNS: [(&str, Text, usize, Pick); 17] = [
    ("username", Text::Username, 100, |user| &mut user.username),
    ("firstname", Text::NoTags, 100, |user| &mut user.firstname),
    ("lastname", Text::NoTags, 100, |user| &mut user.lastname),
    ("email", Text::Trimmed, 100, |user| &mut user.email),
    ("idnumber", Text::Raw, 255, |user| &mut user.idnumber),
    ("auth", Text::AlphaNumExt, 20, |user| &mut user.auth),
    ("lang", Text::AlphaNumExt, 30, |user| &mut user.lang),
    ("theme", Text::AlphaNumExt, 50, |user| &mut user.theme),
    ("timezone", Text::Plain, 100, |user| &mut user.timezone),
    ("department", Text::Plain, 255, |user| &mut user.department),
    ("institution", Text::Plain, 255, |user| &mut user.institution),
    ("city", Text::Plain, 120, |user| &mut user.city),
    ("country", Text::Alpha, usize::MAX, |user| &mut user.country),
    ("address", Text::Plain, 255, |user| &mut user.address),
    ("phone1", Text::NoTags, 20, |user| &mut user.phone1),
    ("phone2", Text::NoTags, 20, |user| &mut user.phone2),
    ("description", Text::Raw, usize::MAX, |user| &mut user.description),
];

/// Keys that are stored and never shown.
const UNREAD: [&str; 6] =
    ["firstnamephonetic", "lastnamephonetic", "middlename", "alternatename", "interests", "calendartype"];

/// A user record as sent.
#[derive(Debug, Default)]
pub(super) struct Patch {
    texts: Vec<(usize, String)>,
    unread: Vec<(String, String)>,
    custom: Vec<(String, String)>,
    mailformat: Option<i64>,
    maildisplay: Option<i64>,
    suspended: Option<bool>,
    /// A password in clear.
    pub(super) password: Option<String>,
    /// Whether the site shall make a password and mail it.
    pub(super) createpassword: bool,
}

impl Patch {
    /// Reads a record of `core_user_create_users`: no `suspended`.
    pub(super) fn for_create(fields: Fields<'_>) -> Result<Self, Refusal> {
        Self::read(fields, true)
    }

    /// Reads a record of `core_user_update_users` whose `id` has been taken: no `createpassword`. Only installed plugins
    /// and languages are values of their types.
    pub(super) fn for_update(fields: Fields<'_>, plan: &SitePlan) -> Result<Self, Refusal> {
        let patch = Self::read(fields, false)?;
        patch.check_installed(plan)?;
        Ok(patch)
    }

    fn read(mut fields: Fields<'_>, create: bool) -> Result<Self, Refusal> {
        let mut patch = Self::default();
        for (place, (key, kind, _, _)) in COLUMNS.iter().enumerate() {
            let needed = create && matches!(*key, "username" | "firstname" | "lastname" | "email");
            let text = if needed { Some(fields.need_text(key, *kind)?) } else { fields.text(key, *kind)? };
            if let Some(text) = text {
                patch.texts.push((place, text));
            }
        }
        for key in UNREAD {
            if let Some(text) = fields.text(key, Text::NoTags)? {
                patch.unread.push((key.to_owned(), text));
            }
        }
        patch.mailformat = fields.int("mailformat")?;
        patch.maildisplay = fields.int("maildisplay")?;
        patch.password = fields.text("password", Text::Raw)?;
        if create {
            patch.createpassword = fields.flag("createpassword")?.unwrap_or(false);
        } else {
            patch.suspended = fields.flag("suspended")?;
            fields.int("userpicture")?;
        }
        patch.custom = fields.pairs("customfields", "type", "value")?;
        for (name, value) in fields.pairs("preferences", "type", "value")? {
            patch.unread.push((format!("preference {name}"), value));
        }
        fields.finish()?;
        if patch.text("timezone").is_some_and(|zone| !(zone == "99" || zone == "UTC" || zone.contains('/'))) {
            return Err(Refusal::parameter("timezone"));
        }
        Ok(patch)
    }

    /// The text sent under a key.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|(place, _)| COLUMNS[*place].0 == key).map(|(_, text)| text.as_str())
    }

    /// Refuses a plugin, language or theme that is not installed.
    pub(super) fn check_installed(&self, plan: &SitePlan) -> Result<(), Refusal> {
        let missing = |key: &str, have: &BTreeSet<String>| self.text(key).is_some_and(|value| !have.contains(value));
        if missing("auth", &plan.auths) {
            return Err(Refusal::parameter("Invalid authentication type"));
        }
        if missing("lang", &plan.languages) {
            return Err(Refusal::parameter("Invalid language code"));
        }
        match self.text("theme") {
            Some(theme) if !THEMES.contains(&theme) => Err(Refusal::parameter("Invalid theme")),
            _ => Ok(()),
        }
    }

    /// Refuses a missing password where the plugin keeps its own.
    pub(super) fn check_password_given(&self) -> Result<(), Refusal> {
        let internal = INTERNAL.contains(&self.text("auth").unwrap_or("manual"));
        if internal && !self.createpassword && self.password.as_deref().unwrap_or_default().is_empty() {
            return Err(Refusal::parameter("Invalid password: you must provide a password, or set createpassword."));
        }
        Ok(())
    }

    /// Refuses a password against the policy, with the whole text and its tags in the error code.
    pub(super) fn check_password_policy(&self, auth: &str) -> Result<(), Refusal> {
        let Some(password) = self.password.as_deref().filter(|_| INTERNAL.contains(&auth) && !self.createpassword)
        else {
            return Ok(());
        };
        let mut text = String::new();
        let mut demand = |met: bool, what: &str| {
            if !met {
                text.extend(["<div>Passwords must have at least ", what, ".</div>"]);
            }
        };
        demand(password.chars().count() >= 8, "8 characters");
        demand(password.chars().any(|c| c.is_ascii_digit()), "1 digit(s)");
        demand(password.chars().any(char::is_lowercase), "1 lower case letter(s)");
        demand(password.chars().any(char::is_uppercase), "1 upper case letter(s)");
        demand(password.chars().any(|c| !c.is_alphanumeric()), "1 special character(s)");
        if text.is_empty() { Ok(()) } else { Err(Refusal::moodle(text)) }
    }

    /// Refuses a value too long for its column, as the database does.
    pub(super) fn check_lengths(&self) -> Result<(), Refusal> {
        match self.texts.iter().find(|(place, text)| text.chars().count() > COLUMNS[*place].2) {
            Some((place, _)) => Err(Refusal::write(format!("value too long for column {}", COLUMNS[*place].0))),
            None => Ok(()),
        }
    }

    /// Changes the row by what was sent.
    pub(super) fn apply(&self, user: &mut User, profile_fields: &BTreeSet<String>) {
        for (place, text) in &self.texts {
            COLUMNS[*place].3(user).clone_from(text);
        }
        if !is_country(&user.country) {
            user.country.clear();
        }
        user.unread.extend(self.unread.iter().cloned());
        for (name, value) in self.custom.iter().filter(|(name, _)| profile_fields.contains(name)) {
            user.custom.insert(name.clone(), value.clone());
        }
        user.custom.retain(|_, value| !value.is_empty());
        user.mailformat = self.mailformat.unwrap_or(user.mailformat);
        user.maildisplay = self.maildisplay.unwrap_or(user.maildisplay);
        user.suspended = self.suspended.unwrap_or(user.suspended);
        if INTERNAL.contains(&user.auth.as_str()) {
            user.has_password |= self.createpassword || self.password.as_ref().is_some_and(|text| !text.is_empty());
        } else {
            user.has_password = false;
        }
    }
}

/// Enough of ISO 3166 to tell a country from none: what is not known is quietly not stored.
fn is_country(code: &str) -> bool {
    const KNOWN: &str = "AT AU BE BR CA CH CN CZ DE DK EE ES FI FO FR GB GL GR HU IE IN IR IS IT JP KR LT LU LV MX \
                         NL NO NP NZ PK PL PT RO RS RU SE SI SJ SK SY TH TR UA US VN ZA";
    code.len() == 2 && KNOWN.split(' ').any(|known| known == code)
}

/// Whether an address looks valid to Moodle.
pub(super) fn is_email(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let label = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    !local.is_empty()
        && local.len() <= 64
        && local.chars().all(atom)
        && local.split('.').all(|part| !part.is_empty())
        && domain.contains('.')
        && domain.split('.').all(label)
}
