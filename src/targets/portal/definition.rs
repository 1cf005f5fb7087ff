//! The registry's line, and the target as it is opened.

use std::sync::Arc;
use std::time::Duration;

use super::codes::CODES;
use super::config::{Config, refused};
use super::project::Marks;
use super::read::{CHUNK, MarkReader};
use super::schema::{Marked, PIPELINE};
use super::write::MarkWriter;
use crate::targets::port::{Counters, Definition, Observer, OpenError, Surroundings, Target, Terms};
#[cfg(feature = "sim")]
use crate::{sim::campus::Campus, targets::port::Simulation};
#[cfg(feature = "sim")]
use futures::future::BoxFuture;

/// The registry's line.
pub struct Portal;

impl Definition for Portal {
    fn name(&self) -> &'static str {
        PIPELINE
    }

    fn configuration(&self) -> &'static str {
        include_str!("configuration.toml")
    }

    fn codes(&self) -> &'static [(&'static str, &'static str)] {
        CODES
    }

    /// The directory is simulated already: nothing more runs.
    #[cfg(feature = "sim")]
    fn simulate<'c>(&'c self, _campus: &'c Campus) -> BoxFuture<'c, std::io::Result<Option<Box<dyn Simulation>>>> {
        Box::pin(async {
            let here: Box<dyn Simulation> = Box::new(Here);
            Ok(Some(here))
        })
    }

    fn open(&self, section: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError> {
        let config: Config = section.try_into()?;
        let settings = Arc::new(config.check(around)?);
        check_marks(around.marks)?;
        let project = Marks::new(around.marks).map_err(|error| refused("marks", error.to_string()))?;
        let terms = Terms {
            // A write that waits for its turn at the server may land as long as an answer would have been waited for.
            settle_after: settings.operation_timeout,
            reread_after: Duration::from_mins(5),
            concurrency: settings.pace.concurrency(),
            listable: true,
            chunk: CHUNK,
            known: None,
            counters: Counters {
                unchanged: "totalUnchanged",
                add: "totalAdd",
                update: "totalUpdate",
                rename: None,
                moved: None,
                disable: "totalDisable",
                enable: "totalEnable",
                parts: None,
            },
            mark: None,
            marked_in: Some((settings.names.birthright.clone(), settings.names.requested.clone())),
            follows: true,
        };
        let reader = MarkReader::new(Arc::clone(&settings), around.marks);
        let observer = Observer { name: PIPELINE, project: Arc::new(project), reader: Arc::new(reader), terms };
        Ok(Target { observer, writer: Arc::new(MarkWriter::new(settings, around.marks)) })
    }
}

/// The pipeline beside a simulated directory: all it needs is a section, and a pace that fits.
#[cfg(feature = "sim")]
struct Here;

#[cfg(feature = "sim")]
impl Simulation for Here {
    fn section(&self) -> String {
        "[portal]\n\n[portal.pace]\nper_second = 2000\nburst = 20\nconcurrency = 4\n".to_owned()
    }

    fn secrets(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn tamper(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A mark must tell whose it is.
fn check_marks(marked: &[Marked]) -> Result<(), OpenError> {
    for (at, (pipeline, mark)) in marked.iter().enumerate() {
        let same = marked[..at].iter().find(|(_, other)| other.entitlement == mark.entitlement);
        if let Some((other, _)) = same {
            let message = format!("pipelines {other} and {pipeline} are both marked as `{}`", mark.entitlement);
            return Err(refused("marks", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mark;
    use crate::targets::portal::testing::{MARKED, institution};

    fn open(marks: &[Marked]) -> Result<Target, OpenError> {
        let ldap: toml::Table =
            toml::from_str("url = 'ldap://127.0.0.1:1'\nbind_dn = 'cn=r'\npassword = 'env:P'\n").unwrap();
        let (institution, environment) = (institution(), |_: &str| Some("p".to_owned()));
        let around = Surroundings { portal_ldap: Some(&ldap), marks, ..Surroundings::new(&institution, &environment) };
        Portal.open(toml::Table::new(), &around)
    }

    #[test]
    fn an_empty_section_opens_and_follows_the_others() {
        let target = open(&MARKED).unwrap();
        assert!(target.observer.terms.follows && target.observer.terms.mark.is_none());
        assert_eq!(target.observer.project.kinds()[0].attributes().len(), 5);
        assert_eq!(open(&[]).unwrap().observer.project.kinds()[0].attributes().len(), 2);
    }

    #[test]
    fn two_pipelines_never_share_a_mark() {
        let twin = ("twin", Mark { entitlement: "moodle", kind: "account", number: 99 });
        let error = open(&[MARKED[0], twin]).err().unwrap().to_string();
        assert!(error.contains("both marked"), "{error}");
        assert!(open(&[MARKED[0], ("twin", Mark { entitlement: "other", ..twin.1 }), ("x", MARKED[0].1)]).is_err());
    }
}
