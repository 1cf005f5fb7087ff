//! Which changes share a request. Creates and updates apart; neither more records nor more form fields than
//! allowed; and nothing twice that the site keeps apart: an account, a user name, an address.

use std::collections::BTreeSet;

use reconcile_state::Edit;

use super::super::schema::{EMAIL, USERNAME};
use super::super::wire::{FIXED_FIELDS, function};
use crate::model::{Action, Batch, Ready};

/// Puts every change into exactly one batch. Updates come first: they may free what a create takes.
pub fn batches(ready: Vec<Ready>, batch_size: usize, max_fields: usize) -> Vec<Batch> {
    let (creates, updates): (Vec<Ready>, Vec<Ready>) =
        ready.into_iter().partition(|ready| ready.change.action == Action::Create);
    let most = max_fields.saturating_sub(FIXED_FIELDS);
    let mut batches = fill(function::UPDATE, updates, batch_size, most);
    batches.extend(fill(function::CREATE, creates, batch_size, most));
    batches
}

fn fill(request: &'static str, changes: Vec<Ready>, batch_size: usize, most: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let (mut fields, mut taken) = (0, BTreeSet::new());
    for ready in changes {
        let (count, names) = (fields_of(&ready), names_of(&ready));
        let fits =
            |batch: &Batch| batch.changes.len() < batch_size && fields + count <= most && names.is_disjoint(&taken);
        if let Some(batch) = batches.last_mut().filter(|batch| fits(batch)) {
            fields += count;
            taken.extend(names);
            batch.changes.push(ready);
        } else {
            fields = count;
            taken = names;
            batches.push(Batch { request, changes: vec![ready] });
        }
    }
    batches
}

/// How many form fields a change takes.
fn fields_of(ready: &Ready) -> usize {
    match ready.change.action {
        Action::Create => ready.change.desired.attributes().len(),
        _ => 1 + ready.change.edits.len(),
    }
}

/// What must not stand twice in one request.
fn names_of(ready: &Ready) -> BTreeSet<String> {
    let change = &ready.change;
    let mut names = BTreeSet::from([format!("key {}", change.key)]);
    names.extend(change.remote.iter().filter_map(|remote| remote.id.as_ref()).map(|id| format!("id {id}")));
    let mut unique = |id, text: &str| {
        names.insert(format!("{} {}", if id == EMAIL { "email" } else { "name" }, text.to_lowercase()))
    };
    for id in [USERNAME, EMAIL] {
        if change.action == Action::Create {
            unique(id, change.desired.text(id).unwrap_or_default());
        }
        for edit in &change.edits {
            if let Edit::Set { attribute, to, .. } = edit
                && *attribute == id
            {
                unique(id, to.as_text().unwrap_or_default());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reconcile_state::Record;

    use super::*;
    use crate::targets::moodle::testing::{create, update};

    fn sizes(batches: &[Batch]) -> Vec<(&'static str, usize)> {
        batches.iter().map(|batch| (batch.request, batch.changes.len())).collect()
    }

    fn account(number: usize) -> Record {
        Record::new(format!("k{number}").as_str().into())
            .with(USERNAME, format!("user{number}"))
            .with(EMAIL, format!("user{number}@x.no"))
    }

    #[test]
    fn creates_and_updates_do_not_mix() {
        let ready = vec![create(account(1)), update("k2", "7", vec![]), create(account(3))];
        assert_eq!(sizes(&batches(ready, 100, 900)), [(function::UPDATE, 1), (function::CREATE, 2)]);
    }

    #[test]
    fn records_and_fields_bound_a_batch() {
        let ready: Vec<Ready> = (0..10).map(|n| create(account(n))).collect();
        assert_eq!(
            sizes(&batches(ready.clone(), 4, 900)),
            [(function::CREATE, 4), (function::CREATE, 4), (function::CREATE, 2)]
        );
        // Two fields each and four fixed ones.
        assert_eq!(sizes(&batches(ready, 100, 10)).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [3, 3, 3, 1]);
    }

    #[test]
    fn one_address_or_name_is_never_twice_in_a_request() {
        let same = account(2).with(EMAIL, "USER1@x.no");
        assert_eq!(sizes(&batches(vec![create(account(1)), create(same)], 100, 900)).len(), 2);
        let twice = vec![update("k1", "7", vec![]), update("k1", "7", vec![])];
        assert_eq!(sizes(&batches(twice, 100, 900)).len(), 2);
        let other_key = vec![update("k1", "7", vec![]), update("k2", "7", vec![])];
        assert_eq!(sizes(&batches(other_key, 100, 900)).len(), 2);
    }

    proptest! {
        #[test]
        fn every_change_is_in_exactly_one_batch_within_the_bounds(
            numbers in prop::collection::vec(0_usize..30, 0..60),
            size in 1_usize..9,
            fields in 10_usize..60,
        ) {
            let ready: Vec<Ready> = numbers.iter().map(|n| create(account(*n))).collect();
            let batches = batches(ready, size, fields);
            prop_assert_eq!(batches.iter().map(|b| b.changes.len()).sum::<usize>(), numbers.len());
            for batch in &batches {
                let sent: usize = batch.changes.iter().map(fields_of).sum();
                prop_assert!(!batch.changes.is_empty() && batch.changes.len() <= size);
                prop_assert!(sent + FIXED_FIELDS <= fields || batch.changes.len() == 1);
                let keys: BTreeSet<_> = batch.changes.iter().map(|r| r.change.key.clone()).collect();
                prop_assert_eq!(keys.len(), batch.changes.len());
            }
        }
    }
}
