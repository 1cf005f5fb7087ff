//! The reading half: which site it is, and each kind by its own reader.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::accounts::AccountReader;
use super::answer::FETCH_FAILED;
use super::client::Client;
use super::config::Settings;
use super::enrolments::EnrolmentReader;
use super::inspect::Inspector;
use super::schema::{ACCOUNT, ENROLMENTS};
use crate::model::{Check, ErrorKind, TargetError};
use crate::targets::port::{Ask, Identity, Page, Reader};

/// The reading half.
pub struct SiteReader {
    accounts: AccountReader,
    enrolments: Option<EnrolmentReader>,
    inspector: Inspector,
}

impl SiteReader {
    /// A reader over this client; without enrolments where they are not managed.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>, enrolments: Option<EnrolmentReader>) -> Self {
        let accounts = AccountReader::new(Arc::clone(&client), Arc::clone(&settings));
        Self { accounts, enrolments, inspector: Inspector::new(client, settings) }
    }
}

impl Reader for SiteReader {
    async fn identity(&self) -> Result<Identity, TargetError> {
        self.inspector.identity().await
    }

    fn observe(&self, kind: &'static str, ask: Ask) -> BoxStream<'_, Result<Page, TargetError>> {
        let message = match (kind, ask, &self.enrolments) {
            (ACCOUNT, ask, _) => return self.accounts.observe(ask),
            (ENROLMENTS, Ask::Parts(parts), Some(reader)) => return reader.observe(parts),
            (ENROLMENTS, _, Some(_)) => "enrolments are parts of accounts, and read with them".to_owned(),
            _ => format!("there is no kind `{kind}`"),
        };
        let error = TargetError::new(ErrorKind::Rejected, FETCH_FAILED, message);
        stream::once(async { Err(error) }).boxed()
    }

    async fn check(&self) -> Vec<Check> {
        self.inspector.check().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::targets::moodle::config::Access;
    use crate::targets::moodle::testing::{Script, settings};

    #[tokio::test]
    async fn what_is_no_kind_of_ours_is_refused_without_a_request() {
        let client = Client::new(Arc::new(Script::of([])), Access::Token(Secret::new("t")));
        let reader = SiteReader::new(Arc::new(client), Arc::new(settings("")), None);
        for kind in ["badge", ENROLMENTS] {
            let pages: Vec<_> = reader.observe(kind, Ask::All).collect().await;
            assert_eq!(pages[0].as_ref().unwrap_err().kind, ErrorKind::Rejected);
        }
    }
}
