//! Searches, always paged (RFC 2696).
//!
//! A page is read whole, handed out, and only then the next is asked for: `ldap3` queues without bound,
//! so this is what keeps memory at one page. A reading is complete only when a page says it is the last.

use ldap3::controls::{MakeCritical, PagedResults, RawControl};
use ldap3::{Scope, SearchStream};

use super::connection::Connection;
use super::entry::{self, RawEntry};
use super::error::{LdapError, LdapErrorKind};

const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// What to search for.
#[derive(Clone, PartialEq, Debug)]
pub struct Search {
    /// The DN below which to look.
    pub base: String,
    /// How far below.
    pub scope: Scope,
    /// An LDAP filter; whoever makes it escapes values.
    pub filter: String,
    /// The attributes to ask for.
    pub attributes: Vec<String>,
    /// Entries in one page.
    pub page_size: u16,
}

/// Entries that came together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The entries, in the server's order.
    pub entries: Vec<RawEntry>,
    /// Whether the server said, by result code 0 and an empty cookie, that nothing follows.
    pub last: bool,
}

/// A search under way.
#[derive(Debug)]
pub struct Pages {
    connection: Connection,
    search: Search,
    cookie: Vec<u8>,
    done: bool,
}

impl Connection {
    /// Searches, page by page; see [`Pages::next`].
    pub fn search(self, search: Search) -> Pages {
        Pages { connection: self, search, cookie: Vec::new(), done: false }
    }
}

impl Pages {
    /// The next page; `None` after the last one, and after an error.
    ///
    /// # Errors
    /// [`LdapError`]; entries of a page that failed are not handed out.
    pub async fn next(&mut self) -> Result<Option<Page>, LdapError> {
        if self.done {
            return Ok(None);
        }
        // Until the server says otherwise there is nothing more to ask for: an error ends the search.
        self.done = true;
        let (entries, cookie) = self.page().await?;
        self.done = cookie.is_empty();
        self.cookie = cookie;
        Ok(Some(Page { entries, last: self.done }))
    }

    /// The connection, to search again.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    async fn page(&mut self) -> Result<(Vec<RawEntry>, Vec<u8>), LdapError> {
        let paging = PagedResults { size: self.search.page_size.into(), cookie: std::mem::take(&mut self.cookie) };
        // Critical: a server that cannot page must say so instead of cutting the answer short.
        let control: RawControl = paging.critical().into();
        let mut ldap = self.connection.operation();
        let Search { base, scope, filter, attributes, .. } = &self.search;
        let mut stream: SearchStream<'_, &String, Vec<&String>> =
            ldap.with_controls(control).streaming_search(base, *scope, filter, attributes.iter().collect()).await?;
        let mut entries = Vec::with_capacity(self.search.page_size.into());
        while let Some(answer) = stream.next().await? {
            entries.extend(entry::decode(answer)?);
        }
        let end = stream.finish().await;
        if end.rc != 0 {
            return Err(LdapError::of_search(end.rc));
        }
        let cookie = end
            .ctrls
            .iter()
            .find(|control| control.1.ctype == PAGED_RESULTS)
            .and_then(|control| control.1.val.as_deref())
            .and_then(entry::paging_cookie)
            .ok_or_else(|| LdapError::new(LdapErrorKind::Malformed, "the server did not say whether more follows"))?;
        Ok((entries, cookie))
    }
}
