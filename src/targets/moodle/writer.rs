//! The writing half: each kind by its own writer.

use super::accounts::AccountWriter;
use super::answer::ENROL_FAILED;
use super::enrolments::EnrolmentWriter;
use super::schema::ENROLMENTS;
use crate::model::{Batch, ErrorKind, Outcome, Ready, Stop, TargetError};
use crate::targets::port::Writer;

/// The writing half.
pub struct SiteWriter {
    accounts: AccountWriter,
    enrolments: Option<EnrolmentWriter>,
}

impl SiteWriter {
    /// A writer; without enrolments where they are not managed.
    pub fn new(accounts: AccountWriter, enrolments: Option<EnrolmentWriter>) -> Self {
        Self { accounts, enrolments }
    }
}

impl Writer for SiteWriter {
    fn batches(&self, ready: Vec<Ready>) -> Vec<Batch> {
        let (enrolments, accounts): (Vec<Ready>, Vec<Ready>) =
            ready.into_iter().partition(|ready| ready.change.kind == ENROLMENTS);
        let mut batches = self.accounts.batches(accounts);
        match &self.enrolments {
            Some(writer) => batches.extend(writer.batches(enrolments)),
            None if enrolments.is_empty() => {}
            None => batches.push(Batch { request: ENROLMENTS, changes: enrolments }),
        }
        batches
    }

    async fn write(&self, batch: &Batch) -> Vec<Outcome> {
        self.write_until(batch, &Stop::default()).await
    }

    async fn write_until(&self, batch: &Batch, stop: &Stop) -> Vec<Outcome> {
        let is_enrolments = batch.changes.iter().any(|ready| ready.change.kind == ENROLMENTS);
        match &self.enrolments {
            _ if !is_enrolments => self.accounts.write(batch).await,
            Some(writer) => writer.write(batch, stop).await,
            None => {
                let message = "enrolments are switched off (enrolments.enabled)";
                let error = TargetError::new(ErrorKind::Rejected, ENROL_FAILED, message);
                batch.changes.iter().map(|ready| Outcome::failed(&ready.change, error.clone())).collect()
            }
        }
    }
}
