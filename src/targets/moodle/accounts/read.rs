//! Reads which accounts there are: everything by the report, or by a search for the authentication method;
//! single people by every value they may be recognised by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reconcile_state::Key;

use super::super::answer::FETCH_FAILED;
use super::super::client::Client;
use super::super::config::{ReportConfig, Settings};
use super::super::wire::{Call, FIXED_FIELDS, Found, SiteInfo, User};
use super::project::{BY_IDNUMBER, BY_USERNAME};
use super::report;
use super::rules::{is_text, is_username};
use super::seen::{Row, Scope};
use crate::model::{Anchor, ErrorKind, TargetError};
use crate::targets::port::{Ask, End, Page, Seen};

/// Most values of one look-up, and most people of one page.
pub const CHUNK: usize = 500;

/// The reading half of accounts.
pub struct AccountReader {
    client: Arc<Client>,
    settings: Arc<Settings>,
}

impl AccountReader {
    /// A reader over this client.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>) -> Self {
        Self { client, settings }
    }

    fn scope<'s>(&'s self, site: &'s SiteInfo) -> Scope<'s> {
        Scope { auth: &self.settings.auth, city: self.settings.templates.city(), site }
    }

    async fn all(&self) -> Result<Page, TargetError> {
        let site = self.client.site().await?;
        let scope = self.scope(site);
        let (seen, total) = match &self.settings.report {
            Some(config) => self.by_report(config, scope).await?,
            None => (self.by_search(scope).await?, None),
        };
        Ok(Page { seen, end: Some(End { total }), ..Page::default() })
    }

    async fn by_report(
        &self,
        config: &ReportConfig,
        scope: Scope<'_>,
    ) -> Result<(Vec<Seen>, Option<u64>), TargetError> {
        let report = self.client.call(&Call::Report(config.id)).await?;
        let (auth, city) = (&self.settings.auth, self.settings.templates.city());
        let (seen, total) = report::accounts(report, config, auth, city, |row| scope.seen(row))?;
        Ok((seen, Some(total)))
    }

    async fn by_search(&self, scope: Scope<'_>) -> Result<Vec<Seen>, TargetError> {
        let found: Found = self.client.call(&Call::Search { key: "auth", value: self.settings.auth.clone() }).await?;
        if !found.warnings.is_empty() {
            // A criterion that is not understood is ignored: the answer is everybody, or nobody knows who.
            let message = "the site did not search by authentication method as asked";
            return Err(TargetError::new(ErrorKind::Malformed, FETCH_FAILED, message));
        }
        let users = found.users.into_iter().filter(|user| !user.is_deleted());
        users.map(|user| Ok(scope.seen(Row::try_from(user)?))).collect()
    }

    async fn these(&self, anchors: &[Anchor]) -> Result<Page, TargetError> {
        let site = self.client.site().await?;
        let mut found = BTreeMap::new();
        for (field, values) in wanted(anchors) {
            let values: Vec<String> = values.into_iter().collect();
            for values in values.chunks(CHUNK.min(self.settings.max_fields - FIXED_FIELDS - 1)) {
                let users: Vec<User> = self.client.call(&Call::ByField { field, values }).await?;
                for user in users.into_iter().filter(|user| !user.is_deleted()) {
                    found.insert(user.id, Row::try_from(user)?);
                }
            }
        }
        let scope = self.scope(site);
        let seen = found.into_values().map(|row| scope.seen(row)).collect();
        let covered: Vec<Key> = anchors.iter().map(|anchor| anchor.key.clone()).collect();
        Ok(Page { seen, covered, ..Page::default() })
    }

    /// Accounts: all, or those that are asked for.
    pub fn observe(&self, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        match ask {
            Ask::All => stream::once(self.all()).boxed(),
            // Accounts are nothing's parts.
            Ask::Parts(_) => stream::empty().boxed(),
            Ask::These(anchors) => stream::unfold(anchors, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                let next = rest.split_off(rest.len().min(CHUNK));
                let page = self.these(&rest).await;
                let next = if page.is_ok() { next } else { Vec::new() };
                Some((page, next))
            })
            .boxed(),
        }
    }
}

/// What is looked up: fields with their values. A value that no account can have is not asked for, because
/// the site refuses the whole call for it.
fn wanted(anchors: &[Anchor]) -> Vec<(&'static str, BTreeSet<String>)> {
    let (mut ids, mut usernames, mut idnumbers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for anchor in anchors {
        if let Some(remote) = &anchor.remembered {
            match (&remote.id, &remote.handle) {
                (Some(id), _) => ids.extend(id.parse::<u64>().ok().map(|id| id.to_string())),
                (None, handle) => usernames.extend(handle.clone()),
            }
        }
        for one in &anchor.matches {
            match one.field {
                BY_USERNAME => usernames.insert(one.value.clone()),
                BY_IDNUMBER => idnumbers.insert(one.value.clone()),
                _ => false,
            };
        }
    }
    usernames.retain(|name| is_username(name));
    idnumbers.retain(|number| !number.is_empty() && is_text(number));
    let all = [("id", ids), (BY_USERNAME, usernames), (BY_IDNUMBER, idnumbers)];
    all.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use reconcile_state::Remote;

    use super::*;
    use crate::model::Match;
    use crate::targets::moodle::config::Access;
    use crate::targets::moodle::testing::{Script, settings};

    #[tokio::test]
    async fn a_search_that_the_site_did_not_understand_is_no_list_of_ours() {
        let info = r#"{"userid":3,"username":"svc","functions":[]}"#;
        let everybody = r#"{"users":[],"warnings":[{"item":"auth","itemid":0,"warningcode":"invalidfieldparameter"}]}"#;
        let client =
            Client::new(Arc::new(Script::of([info, everybody])), Access::Token(crate::config::Secret::new("t")));
        let reader = AccountReader::new(Arc::new(client), Arc::new(settings("")));
        let pages: Vec<_> = reader.observe(Ask::All).collect().await;
        assert_eq!(pages.len(), 1);
        assert_eq!(pages[0].as_ref().unwrap_err().kind, ErrorKind::Malformed);
    }

    #[test]
    fn nothing_is_asked_that_the_site_refuses() {
        let bad = |field, value: &str| Match { field, value: value.into(), only_unique: false };
        let anchor = Anchor {
            key: "k".into(),
            remembered: Some(Remote { id: Some("x7".into()), handle: None }),
            matches: vec![bad(BY_USERNAME, "ka nor"), bad(BY_IDNUMBER, "5\u{7}"), bad("other", "x")],
        };
        assert_eq!(wanted(&[anchor]), []);
    }

    #[test]
    fn a_remembered_id_and_every_match_are_looked_up_once() {
        let one = |field, value: &str| Match { field, value: value.into(), only_unique: false };
        let anchor = |id: Option<&str>, handle: Option<&str>| Anchor {
            key: "k".into(),
            remembered: Some(Remote { id: id.map(str::to_owned), handle: handle.map(str::to_owned) }),
            matches: vec![one(BY_USERNAME, "kari"), one(BY_IDNUMBER, "5")],
        };
        let set = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            wanted(&[anchor(Some("7"), Some("old")), anchor(None, Some("older"))]),
            [("id", set(&["7"])), ("username", set(&["kari", "older"])), ("idnumber", set(&["5"]))]
        );
    }
}
