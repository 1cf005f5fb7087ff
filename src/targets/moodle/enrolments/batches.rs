//! Which changes share a batch: whole people, since parallel requests over the same people block each other at the
//! site (facts, section 9).

use super::super::wire::function;
use crate::model::{Batch, Ready};

/// Puts every change into exactly one batch, people in the order of their ids so far as these are known; of more
/// than `batch_size` enrolments only where they are one person's.
pub fn batches(mut ready: Vec<Ready>, batch_size: usize) -> Vec<Batch> {
    ready.sort_by_cached_key(|ready| {
        let remote = ready.change.remote.as_ref();
        let id = remote.and_then(|remote| remote.id.as_ref()?.parse::<u64>().ok());
        (id, ready.change.key.clone())
    });
    let mut batches: Vec<Batch> = Vec::new();
    let mut count = 0;
    for ready in ready {
        let edits = ready.change.edits.len();
        if let Some(batch) = batches.last_mut().filter(|_| count + edits <= batch_size) {
            count += edits;
            batch.changes.push(ready);
        } else {
            count = edits;
            batches.push(Batch { request: function::ENROL, changes: vec![ready] });
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::targets::moodle::testing::enrolment_change;

    fn ready(person: usize, courses: usize) -> Ready {
        let want = (0..courses).map(|nth| format!("185:C{nth}:1:2026:HØST/student")).collect();
        enrolment_change(&format!("k{person}"), &person.to_string(), want, BTreeSet::new())
    }

    proptest! {
        #[test]
        fn every_person_is_in_exactly_one_batch_within_the_bound(
            counts in prop::collection::vec(1_usize..12, 0..40),
            size in 1_usize..20,
        ) {
            let all: Vec<Ready> = counts.iter().enumerate().map(|(person, count)| ready(person, *count)).collect();
            let batches = batches(all, size);
            let keys: Vec<_> = batches.iter().flat_map(|b| b.changes.iter().map(|r| r.change.key.clone())).collect();
            prop_assert_eq!(keys.len(), counts.len());
            prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), counts.len());
            for batch in &batches {
                let sent: usize = batch.changes.iter().map(|ready| ready.change.edits.len()).sum();
                prop_assert!(!batch.changes.is_empty() && (sent <= size || batch.changes.len() == 1));
            }
        }
    }
}
