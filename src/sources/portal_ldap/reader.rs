//! Reading Portal LDAP: everybody, a list, these people, or whoever has a value.
//!
//! Each reading has a connection of its own: a connection that failed half way leaves nothing behind.

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use ldap3::{Scope, ldap_escape};
use reconcile_state::Key;

use super::config::PortalLdapConfig;
use super::decode;
use super::mapping::{CSN, KEY, Mapping};
use crate::config::Secret;
use crate::model::person::directory as d;
use crate::model::{Check, KeyField};
use crate::sources::error::SourceError;
use crate::sources::port::{Directory, DirectoryEntry, DirectoryPage, Listing};
use crate::wire::SettingError;
use crate::wire::ldap::{Connection, Endpoint, LdapError, Page, Pages, Search};

/// People asked for by one filter.
const KEYS_PER_FILTER: usize = 100;

/// Portal LDAP.
#[derive(Debug)]
pub struct PortalLdap {
    pub(super) endpoint: Endpoint,
    pub(super) bind_dn: String,
    pub(super) password: Secret,
    pub(super) base: String,
    pub(super) object_class: String,
    page_size: u16,
    pub(super) mapping: Mapping,
}

impl PortalLdap {
    /// Checks the settings and reads the CA file; connects nowhere.
    ///
    /// # Errors
    /// The setting that cannot be right.
    pub fn new(config: &PortalLdapConfig, password: Secret) -> Result<Self, SettingError> {
        let wrong = |key, text: &str| Err(SettingError::new(key, text));
        if !(1..=10_000).contains(&config.page_size) {
            return wrong("page_size", "is between 1 and 10000");
        }
        let timeouts = [
            ("connect_timeout_seconds", config.connect_timeout_seconds),
            ("operation_timeout_seconds", config.operation_timeout_seconds),
        ];
        if let Some((key, _)) = timeouts.iter().find(|(_, seconds)| *seconds == 0) {
            return wrong(key, "is at least one second");
        }
        let texts = [
            ("url", &config.url),
            ("bind_dn", &config.bind_dn),
            ("people_base", &config.people_base),
            ("object_class", &config.object_class),
        ];
        if let Some((key, _)) = texts.iter().find(|(_, text)| text.is_empty()) {
            return wrong(key, "is empty; fill it in");
        }
        Ok(Self {
            endpoint: Endpoint::new(&config.connection())?,
            bind_dn: config.bind_dn.clone(),
            password,
            base: config.people_base.clone(),
            object_class: config.object_class.clone(),
            page_size: config.page_size,
            mapping: Mapping::new(&config.attributes).map_err(|e| SettingError::new("attributes", e.to_string()))?,
        })
    }

    async fn connect(&self) -> Result<Connection, SourceError> {
        self.endpoint.connect(&self.bind_dn, &self.password).await.map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: LdapError) -> SourceError {
        SourceError::portal(error, &self.endpoint.place())
    }

    pub(super) async fn search(&self, condition: &str, attributes: Vec<String>) -> Result<Pages, SourceError> {
        let connection = self.connect().await?;
        Ok(connection.search(self.asking(condition, attributes)))
    }

    pub(super) fn asking(&self, condition: &str, attributes: Vec<String>) -> Search {
        Search {
            base: self.base.clone(),
            scope: Scope::Subtree,
            filter: format!("(&(objectClass={}){condition})", ldap_escape(self.object_class.as_str())),
            attributes,
            page_size: self.page_size,
        }
    }

    fn decode(&self, page: &Page) -> DirectoryPage {
        let entries: Vec<_> = page.entries.iter().filter_map(|entry| decode::person(entry, &self.mapping)).collect();
        let invalid_keys = (page.entries.len() - entries.len()) as u64;
        DirectoryPage { entries, invalid_keys, last: page.last }
    }

    async fn next_page(&self, state: State) -> Result<Option<(DirectoryPage, State)>, SourceError> {
        let mut pages = match state {
            State::Start => Box::new(self.search("", self.mapping.requested()).await?),
            State::Reading(pages) => pages,
        };
        if let Some(page) = pages.next().await.map_err(|error| self.failed(error))? {
            return Ok(Some((self.decode(&page), State::Reading(pages))));
        }
        pages.into_connection().close().await;
        Ok(None)
    }

    async fn list_all(&self) -> Result<Listing, SourceError> {
        let mut pages = self.search("", vec![KEY.to_owned(), CSN.to_owned()]).await?;
        let mut listing = Listing::default();
        while let Some(page) = pages.next().await.map_err(|error| self.failed(error))? {
            for entry in &page.entries {
                match decode::key(entry) {
                    Some(key) => listing.entries.push((key, decode::csn(entry))),
                    None => listing.invalid_keys += 1,
                }
            }
        }
        pages.into_connection().close().await;
        Ok(listing)
    }

    async fn whoever(&self, conditions: &[String]) -> Result<Vec<DirectoryEntry>, SourceError> {
        let mut found = Vec::new();
        if conditions.is_empty() {
            return Ok(found);
        }
        let mut connection = self.connect().await?;
        for condition in conditions {
            let mut pages = connection.search(self.asking(condition, self.mapping.requested()));
            while let Some(page) = pages.next().await.map_err(|error| self.failed(error))? {
                found.extend(self.decode(&page).entries);
            }
            connection = pages.into_connection();
        }
        connection.close().await;
        Ok(found)
    }

    fn field_condition(&self, field: KeyField, value: &str) -> Option<String> {
        let attribute = match field {
            KeyField::Username => self.mapping.directory_name(d::USERNAME)?,
            KeyField::UhUsername => self.mapping.directory_name(d::UH_USERNAME)?,
            KeyField::IdautoId => KEY,
        };
        (!value.is_empty()).then(|| equals(attribute, value))
    }
}

enum State {
    Start,
    Reading(Box<Pages>),
}

impl Directory for PortalLdap {
    fn read_all(&self) -> BoxStream<'_, Result<DirectoryPage, SourceError>> {
        stream::try_unfold(State::Start, |state| self.next_page(state)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Listing, SourceError>> {
        Box::pin(self.list_all())
    }

    fn read<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>> {
        Box::pin(async move { self.whoever(&key_conditions(keys)).await })
    }

    fn unmarked<'a>(
        &'a self,
        entitlements: &'a [&'a str],
        marks: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<Vec<Key>, SourceError>> {
        Box::pin(self.without_marks(entitlements, marks))
    }

    fn check(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(self.checks())
    }

    fn find<'a>(&'a self, field: KeyField, value: &'a str) -> BoxFuture<'a, Result<Vec<DirectoryEntry>, SourceError>> {
        Box::pin(async move { self.whoever(self.field_condition(field, value).as_slice()).await })
    }
}

/// Conditions that together match all of the keys, at most [`KEYS_PER_FILTER`] each.
fn key_conditions(keys: &[Key]) -> Vec<String> {
    let any = |keys: &[Key]| keys.iter().map(|key| equals(KEY, key.as_str())).collect::<String>();
    keys.chunks(KEYS_PER_FILTER).map(|keys| format!("(|{})", any(keys))).collect()
}

pub(super) fn equals(attribute: &str, value: &str) -> String {
    format!("({attribute}={})", ldap_escape(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(change: impl Fn(&mut PortalLdapConfig)) -> Result<PortalLdap, SettingError> {
        let mut config: PortalLdapConfig =
            toml::from_str("url = 'ldap://127.0.0.1:1'\nbind_dn = 'cn=r'\npassword = 'env:P'\n").unwrap();
        change(&mut config);
        PortalLdap::new(&config, Secret::new("p"))
    }

    #[test]
    fn hostile_values_stay_values() {
        let portal = source(|_| {}).unwrap();
        let hostile = "x)(objectClass=*\\\0ø";
        let condition = portal.field_condition(KeyField::Username, hostile).unwrap();
        assert_eq!(condition, r"(idautoPersonSystem1ID=x\29\28objectClass=\2a\5c\00ø)");
        let search = portal.asking(&condition, vec![]);
        assert_eq!(search.filter, format!("(&(objectClass=idautoPerson){condition})"));
        assert!(ldap3::parse_filter(&search.filter).is_ok());
        let keys = key_conditions(&[Key::new("a)(b=*"), Key::new("c")]);
        assert_eq!(keys, [r"(|(idautoID=a\29\28b=\2a)(idautoID=c))"]);
        assert_eq!(portal.field_condition(KeyField::UhUsername, ""), None);
    }

    #[test]
    fn many_keys_are_asked_for_a_hundred_at_a_time() {
        let keys: Vec<_> = (0..250).map(|n| Key::new(format!("k{n}"))).collect();
        let conditions = key_conditions(&keys);
        assert_eq!(conditions.iter().map(|c| c.matches("idautoID=").count()).collect::<Vec<_>>(), [100, 100, 50]);
    }

    #[test]
    fn a_mapped_key_field_is_searched_where_it_is() {
        let portal = source(|c| drop(c.attributes.insert("username".into(), "uid".into()))).unwrap();
        assert_eq!(portal.field_condition(KeyField::Username, "a").as_deref(), Some("(uid=a)"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_before_connecting() {
        for (key, error) in [
            ("page_size", source(|c| c.page_size = 0).unwrap_err()),
            ("operation_timeout_seconds", source(|c| c.operation_timeout_seconds = 0).unwrap_err()),
            ("people_base", source(|c| c.people_base.clear()).unwrap_err()),
            ("bind_dn", source(|c| c.bind_dn.clear()).unwrap_err()),
            ("url", source(|c| c.url = "ldap://portal.example.org".into()).unwrap_err()),
            ("attributes", source(|c| drop(c.attributes.insert("user".into(), "uid".into()))).unwrap_err()),
        ] {
            assert_eq!(error.field, key, "{error}");
        }
    }

    #[tokio::test]
    async fn nobody_asked_for_needs_no_connection() {
        let portal = source(|_| {}).unwrap();
        assert_eq!(portal.read(&[]).await, Ok(vec![]));
        assert_eq!(portal.find(KeyField::Username, "").await, Ok(vec![]));
    }
}
