//! Look-ups of a few entries over a shared connection, unpaged: a base object, a single person.
//!
//! Whatever may have many answers belongs into [`search`](super::search).

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use ldap3::{Scope, SearchOptions, SearchStream};

use super::connection::Connection;
use super::entry::{self, RawEntry};
use super::error::{LdapError, LdapErrorKind};

/// Answers to one look-up: more are an error (rc 4) and no list.
const MOST: i32 = 10;

impl Connection {
    /// The entries at or below `base` that a filter describes; its values are escaped by whoever makes it.
    ///
    /// # Errors
    /// [`LdapError`]; with rc 32 where there is no such base, or none that we may see.
    pub async fn look(
        &self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<RawEntry>, LdapError> {
        let asked = async {
            let mut ldap = self.operation();
            ldap.with_search_options(SearchOptions::new().sizelimit(MOST));
            let mut stream: SearchStream<'_, &str, Vec<&str>> =
                ldap.streaming_search(base, scope, filter, attributes.to_vec()).await?;
            let mut entries = Vec::new();
            while let Some(answer) = stream.next().await? {
                entries.extend(entry::decode(answer)?);
            }
            match stream.finish().await.rc {
                0 => Ok(entries),
                rc => Err(LdapError::of_search(rc)),
            }
        };
        // ldap3 decodes the end of a search in the caller's task, and panics on odd input.
        AssertUnwindSafe(asked)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(LdapError::new(LdapErrorKind::Malformed, "the server's answer cannot be decoded")))
    }
}
