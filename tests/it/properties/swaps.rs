//! Values that no two records may have change hands: in an order in which each is free, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reconcile::model::pass::Fate;
use reconcile::model::person::directory as d;
use reconcile_state::{Drift, Key, Record};

use crate::toys::listed;
use crate::world::{Desk, key, run};

const PEOPLE: u32 = 6;

fn mail(n: u32) -> String {
    format!("mail{n:03}")
}

/// The addresses at the target, by user name.
fn mails(desk: &Desk) -> BTreeMap<String, String> {
    let text = |row: &Record, id| row.text(id).unwrap_or_default().to_owned();
    desk.listed.rows().values().map(|row| (text(row, listed::LOGIN), text(row, listed::MAIL))).collect()
}

/// Whoever, going from each address to who has it, comes back to where they began.
fn circles(wanted: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let back = |n: &u32| {
        let mut at = wanted[n];
        let others = at != *n;
        for _ in 0..PEOPLE {
            if at == *n {
                return others;
            }
            at = wanted.get(&at).copied().unwrap_or(at);
        }
        false
    };
    wanted.keys().copied().filter(back).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everybody is to have somebody's address, or a new one.
    #[test]
    fn a_chain_lands_in_one_pass_and_a_circle_is_told_and_not_written(
        wanted in Just((1..=PEOPLE + 3).collect::<Vec<u32>>()).prop_shuffle()
    ) {
        run(async move {
            let wanted: BTreeMap<u32, u32> = (1..=PEOPLE).zip(wanted).collect();
            let mut desk = Desk::with(1..=PEOPLE).await;
            desk.pipelines = vec![listed::NAME];
            for (n, address) in &wanted {
                desk.people.edit(*n, d::EMAIL, mail(*address).as_str());
            }
            let circles = circles(&wanted);
            let pass = desk.pass().await;
            prop_assert!(pass.fates.iter().all(|fate| *fate == Fate::Landed), "{:?}", pass.told);
            let conflicts = &pass.planned.plan.pipelines[listed::NAME].conflicts;
            let told: Vec<Key> = conflicts.iter().map(|conflict| conflict.key.clone()).collect();
            prop_assert_eq!(told, circles.iter().map(|n| key(*n)).collect::<Vec<_>>());
            prop_assert!(conflicts.iter().all(|c| c.code == "value-swap" && c.rivals.len() == 1));
            for (n, address) in &wanted {
                let expected = if circles.contains(n) { mail(*n) } else { mail(*address) };
                prop_assert_eq!(&mails(&desk)[&format!("user{n:03}")], &expected);
            }
            let again = desk.pass().await;
            prop_assert_eq!(again.changes(), 0);
            prop_assert_eq!(again.planned.plan.pipelines[listed::NAME].conflicts.len(), circles.len());
            Ok(())
        })?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_stranger_has_is_told_and_written_when_it_is_free() {
    let mut desk = Desk::with(1..=3).await;
    desk.pipelines = vec![listed::NAME];
    let stranger = Record::new("".into()).with(listed::LOGIN, "stranger").with(listed::MAIL, "theirs");
    let number = desk.listed.shelf().put(listed::ACCOUNT, stranger);
    desk.people.edit(1, d::EMAIL, "theirs");
    desk.people.edit(2, d::EMAIL, mail(1).as_str());
    desk.people.edit(3, d::SURNAME, "Changed");
    let before = mails(&desk);
    let pass = desk.pass().await;
    let plan = &pass.planned.plan.pipelines[listed::NAME];
    let told: Vec<_> = plan.conflicts.iter().map(|c| (c.key.clone(), c.code, c.candidates[0].by.clone())).collect();
    assert_eq!(told, [(key(1), "value-held", vec!["mail"]), (key(2), "value-held", vec!["mail"])]);
    assert_eq!((plan.conflicts[0].rivals.len(), &plan.conflicts[1].rivals[0].key), (0, &key(1)));
    assert_eq!(plan.drift[&Drift::Conflict], 2);
    assert_eq!(pass.of(listed::NAME), ["account/uhid-003 update: landed"]);
    assert_eq!(mails(&desk), before);
    desk.listed.shelf().rows.remove(&(listed::ACCOUNT, number));
    let order = ["account/uhid-001 update: landed", "account/uhid-002 update: landed"];
    assert_eq!(desk.pass().await.of(listed::NAME), order);
    assert_eq!(desk.pass().await.changes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_not_let_go_of_after_all_is_not_tried() {
    let mut desk = Desk::with(1..=2).await;
    desk.pipelines = vec![listed::NAME];
    desk.people.edit(1, d::EMAIL, mail(2).as_str());
    desk.people.edit(2, d::EMAIL, "new");
    desk.listed.shelf().refused.insert(key(2));
    let requests = desk.listed.shelf().requests;
    assert_eq!(desk.pass().await.fate(listed::NAME, listed::ACCOUNT, 1), Some("update: deferred"));
    assert_eq!(desk.listed.shelf().requests, requests + 1, "the one that was refused");
    desk.listed.shelf().refused.clear();
    assert!(desk.pass().await.fates.iter().all(|fate| *fate == Fate::Landed));
    assert_eq!(mails(&desk)["user001"], mail(2));
}
