//! Answers of a Moodle site: every shape that is asked for, and errors in place of each.

use serde::de::DeserializeOwned;

use super::{marked, quotes_nothing};
use crate::targets::moodle::accounts::{Row, accounts};
use crate::targets::moodle::answer::{CREATE_FAILED, ENROL_FAILED, FETCH_FAILED, read};
use crate::targets::moodle::enrolments::memberships;
use crate::targets::moodle::wire::{Course, Created, Found, LoggedIn, Participant, Report, SiteInfo, Updated, User};
use crate::targets::moodle::{ParticipantsReport, ReportConfig};
use crate::wire::Reply;
use crate::wire::retry::parse_retry_after;

/// Holds that an answer is taken or refused without a word of it, whatever the status, that a report gives no more
/// people than it has rows, and that a wait without a date to count from is a number.
///
/// # Panics
/// Where that does not hold.
pub fn moodle(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let body = match std::str::from_utf8(body) {
        Ok(text) => marked(text).into_bytes(),
        Err(_) => body.to_vec(),
    };
    if let Ok(text) = std::str::from_utf8(&body) {
        let (wait, date) = text.split_once('\n').unwrap_or((text, ""));
        let number = wait.trim().bytes().all(|byte| byte.is_ascii_digit()) && !wait.trim().is_empty();
        assert_eq!(parse_retry_after(wait, None).is_some(), number);
        assert!(!number || parse_retry_after(wait, Some(date)) == parse_retry_after(wait, None));
    }
    let status = [200, 200, 200, 400, 403, 404, 429, 500, 503][usize::from(*first) % 9];
    let reply = Reply { status, content_type: String::new(), retry_after: None, body: body.into() };
    asked::<SiteInfo>(&reply);
    asked::<LoggedIn>(&reply);
    asked::<Vec<Created>>(&reply);
    asked::<Updated>(&reply);
    asked::<Vec<Course>>(&reply);
    asked::<Vec<Participant>>(&reply);
    asked::<()>(&reply);
    let found = asked::<Found>(&reply).map(|found| found.users);
    for user in found.or_else(|| asked::<Vec<User>>(&reply)).unwrap_or_default() {
        if let Err(error) = Row::try_from(user) {
            quotes_nothing(&error.to_string());
        }
    }
    let settings = (toml::from_str::<ReportConfig>("id = 1"), toml::from_str::<ParticipantsReport>("id = 2"));
    let (Ok(users), Ok(participants)) = settings else { return };
    if let Some(report) = asked::<Report>(&reply) {
        let rows = report.data.rows.rows();
        match accounts(report, &users, "oidc", false, |row| row) {
            Ok((people, _)) => assert_eq!(people.len(), rows),
            Err(error) => quotes_nothing(&error.to_string()),
        }
    }
    if let Some(report) = asked::<Report>(&reply) {
        let rows = report.data.rows.rows();
        match memberships(report, &participants) {
            Ok(known) => assert!(known.rows.len() <= rows && known.courses.len() <= rows),
            Err(error) => quotes_nothing(&error.to_string()),
        }
    }
}

fn asked<T: DeserializeOwned>(reply: &Reply) -> Option<T> {
    let mut value = None;
    for code in [FETCH_FAILED, CREATE_FAILED, ENROL_FAILED] {
        match read::<T>(reply.clone(), code) {
            Ok(read) => value = Some(read),
            Err(refused) => {
                quotes_nothing(&refused.error.to_string());
                quotes_nothing(&refused.error.message);
                quotes_nothing(refused.said.as_deref().unwrap_or_default());
            }
        }
    }
    value
}
