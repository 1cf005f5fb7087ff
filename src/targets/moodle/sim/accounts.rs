//! The user table: rows by id with the indices that make look-ups cheap. No rule of the web services is here; they are in
//! `users.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Id of the guest account.
pub const GUEST: u64 = 1;
/// Id of the site administrator.
pub const ADMIN: u64 = 2;

/// One row of the user table.
// The table has these flags side by side; they are not states of one thing.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Row id.
    pub id: u64,
    /// Unique user name.
    pub username: String,
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// E-mail as stored.
    pub email: String,
    /// ID number; may repeat.
    pub idnumber: String,
    /// Authentication plugin.
    pub auth: String,
    /// Whether the account is suspended.
    pub suspended: bool,
    /// Whether it was deleted: it stays, in disguise.
    pub deleted: bool,
    /// Whether it belongs to another site (MNet).
    pub remote: bool,
    /// Language.
    pub lang: String,
    /// Department.
    pub department: String,
    /// Institution.
    pub institution: String,
    /// Town.
    pub city: String,
    /// Two-letter country, empty when unknown.
    pub country: String,
    /// Postal address.
    pub address: String,
    /// First phone.
    pub phone1: String,
    /// Second phone.
    pub phone2: String,
    /// Description.
    pub description: String,
    /// Timezone, `99` for the site's.
    pub timezone: String,
    /// Theme, empty for the site's.
    pub theme: String,
    /// Mail format.
    pub mailformat: i64,
    /// Who may see the e-mail: 0 nobody, 1 everyone, 2 course members.
    pub maildisplay: i64,
    /// Whether a password hash is stored.
    pub has_password: bool,
    /// Fields of a record that no reader shows.
    pub unread: BTreeMap<String, String>,
    /// Custom profile fields by short name.
    pub custom: BTreeMap<String, String>,
    /// When the row was made, Unix seconds.
    pub created: i64,
    /// When the row was last written, Unix seconds.
    pub modified: i64,
}

impl User {
    /// First and last name.
    pub fn fullname(&self) -> String {
        format!("{} {}", self.firstname, self.lastname).trim().to_owned()
    }
}

/// All users, deleted ones included.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    rows: BTreeMap<u64, User>,
    usernames: HashMap<String, u64>,
    emails: HashMap<String, BTreeSet<u64>>,
    idnumbers: HashMap<String, BTreeSet<u64>>,
    /// When, in ticks, a row's e-mail was committed: what parallel calls cannot see of each other.
    stamps: HashMap<u64, u64>,
    last_id: u64,
}

impl Accounts {
    /// The next id. It is gone also when the transaction is rolled back.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// All rows by id.
    pub(super) fn rows(&self) -> &BTreeMap<u64, User> {
        &self.rows
    }

    /// A row.
    pub(super) fn get(&self, id: u64) -> Option<&User> {
        self.rows.get(&id)
    }

    /// The row that holds a user name.
    pub(super) fn named(&self, username: &str) -> Option<&User> {
        self.usernames.get(username).and_then(|id| self.rows.get(id))
    }

    /// Rows whose e-mail is this one, case aside.
    pub(super) fn mailed(&self, email: &str) -> impl Iterator<Item = &User> {
        self.emails.get(&email.to_lowercase()).into_iter().flatten().filter_map(|id| self.rows.get(id))
    }

    /// Rows with exactly this ID number.
    pub(super) fn numbered(&self, idnumber: &str) -> impl Iterator<Item = &User> {
        self.idnumbers.get(idnumber).into_iter().flatten().filter_map(|id| self.rows.get(id))
    }

    /// When the row's e-mail was committed, in ticks.
    pub(super) fn stamp(&self, id: u64) -> u64 {
        self.stamps.get(&id).copied().unwrap_or(0)
    }

    /// Inserts or replaces a row. The caller has checked that the user name is free.
    pub(super) fn put(&mut self, user: User, tick: u64) {
        if self.rows.get(&user.id).is_none_or(|before| before.email != user.email) {
            self.stamps.insert(user.id, tick);
        }
        self.remove(user.id);
        self.last_id = self.last_id.max(user.id);
        self.usernames.insert(user.username.clone(), user.id);
        self.emails.entry(user.email.to_lowercase()).or_default().insert(user.id);
        self.idnumbers.entry(user.idnumber.clone()).or_default().insert(user.id);
        self.rows.insert(user.id, user);
    }

    /// Takes a row away without trace: for a rollback.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(user) = self.rows.remove(&id) else { return };
        self.usernames.remove(&user.username);
        drop_from(&mut self.emails, &user.email.to_lowercase(), id);
        drop_from(&mut self.idnumbers, &user.idnumber, id);
    }
}

fn drop_from(index: &mut HashMap<String, BTreeSet<u64>>, key: &str, id: u64) {
    if let Some(ids) = index.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            index.remove(key);
        }
    }
}
