//! Pipeline `moodle`: people's accounts and what they are enrolled in, over Moodle's web services. See the README
//! beside this file.
//!
//! | file | holds |
//! |---|---|
//! | `config`, `configuration.toml` | the section, as written and as checked |
//! | `schema`, `project` | what should be: pure |
//! | `accounts`, `enrolments` | each kind: what it is made of, how it is read and written |
//! | `wire`, `answer`, `table` | calls and answers, and what a failure means |
//! | `transport`, `memory`, `client` | how a call gets there, and its token |
//! | `reader`, `inspect`, `writer` | what is, and what is done |
//! | `codes` | every code and reason, with what to do |

pub(crate) mod accounts;
pub(crate) mod answer;
mod cells;
mod client;
mod codes;
mod config;
pub(crate) mod enrolments;
mod inspect;
#[cfg(feature = "sim")]
mod memory;
mod project;
mod reader;
mod refusal;
mod schema;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "sim")]
mod simulate;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
mod transport;
pub(crate) mod wire;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use accounts::Templates;
pub use client::{Client, Failure};
pub use config::{Access, Columns, Config, ReportConfig, Settings};
pub use enrolments::{Enrolments, ParticipantsColumns, ParticipantsReport, Removal};
#[cfg(feature = "sim")]
pub use memory::Memory;
pub use schema::{ACCOUNT, ENROLMENTS, PIPELINE};
pub use transport::{Judge, Transport};

#[cfg(feature = "sim")]
use futures::future::BoxFuture;

#[cfg(feature = "sim")]
use super::port::Simulation;
use super::port::{Counters, Definition, Mark, Observer, OpenError, Surroundings, Target, Terms};
#[cfg(feature = "sim")]
use crate::sim::campus::Campus;
use crate::wire::{HttpClient, HttpSettings, Pace, RetryConfig, SettingError, tls};

/// Longest answer: a site of 100 000 accounts, read without a report, is some 60 MB.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// Who has an account is marked with the entitlement's text.
const MARK: Mark = Mark { entitlement: PIPELINE, kind: ACCOUNT, number: 12 };

/// The registry's line.
pub struct Moodle;

impl Moodle {
    /// The target behind another transport than the configured address.
    ///
    /// # Errors
    /// Never, as long as the schema names each attribute once.
    pub fn over(transport: Arc<dyn Transport>, settings: Settings) -> Result<Target, OpenError> {
        let project = project::Projection::new(&settings)?;
        let client = Arc::new(Client::new(transport, settings.access.clone()));
        let settings = Arc::new(settings);
        let terms = Terms {
            settle_after: settings.settle_after,
            reread_after: Duration::from_mins(5),
            concurrency: settings.pace.concurrency(),
            listable: true,
            chunk: accounts::CHUNK,
            known: None,
            counters: Counters {
                unchanged: "totalUnchangedUser",
                add: "totalAddUser",
                update: "totalUpdateUser",
                rename: None,
                moved: None,
                disable: "totalDisableUser",
                enable: "totalEnable",
                parts: Some("totalUpdateCourses"),
            },
            mark: Some(MARK),
            marked_in: None,
            follows: false,
        };
        let (mut enrolment_reader, mut enrolment_writer) = (None, None);
        if let Some(own) = &settings.enrolments {
            let catalogue = Arc::new(enrolments::Catalogue::new(Arc::clone(&client), &own.institution));
            let roles = Arc::new(enrolments::Roles::new(&own.role_ids));
            let (to, with) = (|| Arc::clone(&client), || Arc::clone(&settings));
            enrolment_writer = Some(enrolments::EnrolmentWriter::new(
                to(),
                with(),
                own.clone(),
                Arc::clone(&catalogue),
                Arc::clone(&roles),
            ));
            enrolment_reader = Some(enrolments::EnrolmentReader::new(to(), with(), own.clone(), catalogue, roles));
        }
        let reader = reader::SiteReader::new(Arc::clone(&client), Arc::clone(&settings), enrolment_reader);
        let writer = writer::SiteWriter::new(accounts::AccountWriter::new(client, settings), enrolment_writer);
        let observer = Observer { name: PIPELINE, project: Arc::new(project), reader: Arc::new(reader), terms };
        Ok(Target { observer, writer: Arc::new(writer) })
    }
}

impl Definition for Moodle {
    fn name(&self) -> &'static str {
        PIPELINE
    }

    fn mark(&self) -> Option<Mark> {
        Some(MARK)
    }

    fn configuration(&self) -> &'static str {
        include_str!("configuration.toml")
    }

    fn codes(&self) -> &'static [(&'static str, &'static str)] {
        codes::CODES
    }

    fn open(&self, section: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let config: Config = section.try_into()?;
        let settings = config.check(around)?;
        let http = http(&settings)?;
        Self::over(Arc::new(http), settings)
    }

    #[cfg(feature = "sim")]
    fn simulate<'c>(&'c self, campus: &'c Campus) -> BoxFuture<'c, std::io::Result<Option<Box<dyn Simulation>>>> {
        Box::pin(async move {
            let site: Box<dyn Simulation> = Box::new(simulate::Site::start(campus).await?);
            Ok(Some(site))
        })
    }
}

fn http(settings: &Settings) -> Result<HttpClient, OpenError> {
    let tls = match settings.url.scheme() {
        "https" => {
            let ca_file = settings.ca_file.as_deref();
            let config = tls::client_config(ca_file).map_err(|e| refusal::refused("ca_file", e.to_string()))?;
            Some(Arc::new(config))
        }
        _ => None,
    };
    let settings = HttpSettings {
        target: PIPELINE,
        base: settings.url.clone(),
        tls,
        allow_plaintext: false,
        connect_timeout: settings.connect_timeout,
        request_timeout: settings.request_timeout,
        body_limit: BODY_LIMIT,
        pace: Pace::new(settings.pace),
        retry: RetryConfig::default(),
        // Jitter only has to differ between processes.
        seed: u64::from(std::process::id()),
        connection_code: answer::CONNECTION_FAILED,
    };
    HttpClient::new(settings).map_err(|SettingError { field, message }| {
        let field = if field == "base" { "url" } else { field };
        refusal::refused(field, message)
    })
}
