//! An account as a record: one form for what the readers of users and the report show.

use std::collections::BTreeSet;

use reconcile_state::{Key, Record, Remote, Standing};

use super::super::answer::FETCH_FAILED;
use super::super::schema as id;
use super::super::wire::{SiteInfo, User};
use super::project::seen_matches;
use super::rules::RESERVED;
use crate::model::{ErrorKind, Reason, TargetError};
use crate::targets::port::Seen;

/// The account has another authentication method.
pub const OTHER_AUTH: Reason = Reason("other-auth");
/// The account is the one that this program works under.
pub const SERVICE_ACCOUNT: Reason = Reason("service-account");
/// The account comes with the site: guest, administrator.
pub const BUILT_IN: Reason = Reason("built-in-account");

/// An account, however it was read.
#[derive(Default)]
pub struct Row {
    /// Row id; a report shows none.
    pub id: Option<u64>,
    /// User name.
    pub username: String,
    /// E-mail.
    pub email: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// ID number.
    pub idnumber: String,
    /// Department.
    pub department: String,
    /// Institution.
    pub institution: String,
    /// City or town.
    pub city: String,
    /// Authentication method.
    pub auth: String,
    /// Whether suspended.
    pub suspended: bool,
}

/// Whose accounts are ours, and which attributes.
#[derive(Clone, Copy)]
pub struct Scope<'s> {
    /// The managed authentication method.
    pub auth: &'s str,
    /// Whether the city is managed.
    pub city: bool,
    /// The site.
    pub site: &'s SiteInfo,
}

impl Scope<'_> {
    /// Why an account can never be ours.
    pub fn foreign(&self, row: &Row) -> Option<Reason> {
        let username = row.username.to_lowercase();
        if row.id == Some(self.site.userid) || username == self.site.username.to_lowercase() {
            Some(SERVICE_ACCOUNT)
        } else if RESERVED.contains(&username.as_str()) {
            Some(BUILT_IN)
        } else if row.auth != self.auth {
            Some(OTHER_AUTH)
        } else {
            None
        }
    }

    /// The account as the engine takes it.
    pub fn seen(&self, row: Row) -> Seen {
        let foreign = self.foreign(&row);
        let remote = Remote { id: row.id.map(|id| id.to_string()), handle: Some(row.username.clone()) };
        let standing = if row.suspended { Standing::Disabled } else { Standing::Active };
        let mut record = Record::new(Key::new(""))
            .standing(standing)
            .with(id::USERNAME, row.username)
            .with(id::EMAIL, row.email)
            .with(id::FIRSTNAME, row.firstname)
            .with(id::LASTNAME, row.lastname)
            .with(id::IDNUMBER, row.idnumber)
            .with(id::DEPARTMENT, row.department)
            .with(id::INSTITUTION, row.institution)
            .with(id::AUTH, row.auth);
        if self.city {
            record.set(id::CITY, row.city.into());
        }
        let matches = seen_matches(&record);
        Seen { remote, record, matches, foreign, kept: BTreeSet::new() }
    }
}

impl TryFrom<User> for Row {
    type Error = TargetError;

    /// # Errors
    /// What every account has is not shown: the service account may not see it, and a comparison would find
    /// a difference everywhere.
    fn try_from(user: User) -> Result<Self, TargetError> {
        let shown = |field: Option<String>, name: &str, capability: &str| {
            field.ok_or_else(|| {
                let message = format!("the service account does not see `{name}`; grant {capability}");
                TargetError::new(ErrorKind::Auth, FETCH_FAILED, message)
            })
        };
        let details = "moodle/user:viewalldetails";
        let suspended = user.suspended.ok_or_else(|| {
            TargetError::new(
                ErrorKind::Auth,
                FETCH_FAILED,
                format!("the service account does not see `suspended`; grant {details}"),
            )
        })?;
        Ok(Self {
            id: Some(user.id),
            username: shown(user.username, "username", details)?,
            email: shown(user.email, "email", "moodle/course:useremail and moodle/site:viewuseridentity")?,
            auth: shown(user.auth, "auth", details)?,
            firstname: user.firstname.unwrap_or_default(),
            lastname: user.lastname.unwrap_or_default(),
            idnumber: user.idnumber.unwrap_or_default(),
            department: user.department.unwrap_or_default(),
            institution: user.institution.unwrap_or_default(),
            city: user.city.unwrap_or_default(),
            suspended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> SiteInfo {
        serde_json::from_str(r#"{"userid":3,"username":"svc","functions":[]}"#).unwrap()
    }

    fn row(username: &str, auth: &str) -> Row {
        Row { id: Some(9), username: username.into(), auth: auth.into(), city: "Oslo".into(), ..Row::default() }
    }

    #[test]
    fn only_accounts_of_the_method_are_ours_and_never_the_built_in_ones() {
        let site = site();
        let scope = Scope { auth: "oidc", city: false, site: &site };
        assert_eq!(scope.foreign(&row("kari", "oidc")), None);
        assert_eq!(scope.foreign(&row("kari", "manual")), Some(OTHER_AUTH));
        assert_eq!(scope.foreign(&row("guest", "oidc")), Some(BUILT_IN));
        assert_eq!(scope.foreign(&row("admin", "oidc")), Some(BUILT_IN));
        assert_eq!(scope.foreign(&row("svc", "oidc")), Some(SERVICE_ACCOUNT));
        assert_eq!(scope.foreign(&Row { id: Some(3), ..row("renamed", "oidc") }), Some(SERVICE_ACCOUNT));
    }

    #[test]
    fn the_city_is_shown_only_where_it_is_managed() {
        let site = site();
        for city in [false, true] {
            let seen = Scope { auth: "oidc", city, site: &site }.seen(row("kari", "oidc"));
            assert_eq!(seen.record.text(id::CITY).is_some(), city);
            id_schema(city).check(&seen.record).unwrap();
        }
    }

    fn id_schema(city: bool) -> reconcile_state::Schema {
        id::account(city).unwrap()
    }

    #[test]
    fn what_the_account_may_not_see_is_an_error_and_no_difference() {
        let user = |body: &str| Row::try_from(serde_json::from_str::<User>(body).unwrap());
        let whole = r#"{"id":9,"username":"kari","email":"k@x.no","auth":"oidc","suspended":true}"#;
        let row = user(whole).unwrap();
        assert!(row.suspended && row.idnumber.is_empty(), "left out is empty");
        for field in [r#""username":"kari","#, r#""email":"k@x.no","#, r#","suspended":true"#] {
            let error = user(&whole.replace(field, "")).err().unwrap();
            assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Auth, FETCH_FAILED));
        }
    }
}
