//! Written and read again, over random memberships.

use proptest::prelude::*;
use reconcile_state::edit::difference;

use super::*;

/// A membership that somebody made: course, person, method, role.
type Made = (usize, usize, usize, usize);

const CODES: [&str; 4] = ["A", "B-1", "ØKO", "D"];
const PEOPLE: [&str; 3] = ["kari", "ola", "eva"];
const METHODS: [&str; 3] = [MANUAL, MANUAL, "self"];

fn memory_of(seed: &[Made], site: &Site, courses: &[u64], people: &[u64]) {
    for (course, person, method, role) in seed {
        site.put(courses[*course], people[*person], METHODS[*method], &[ROLES[*role].0]);
    }
}

/// What is ours of a membership is what is called for; the rest is as it was.
fn judge(want: &BTreeSet<u64>, before: &Member, after: &Member, suspend: bool) -> Result<(), TestCaseError> {
    let foreign = |member: &Member| member.roles.contains(&1);
    prop_assert_eq!(foreign(before), foreign(after), "a role outside the map is left");
    let other = |member: &Member| member.methods.keys().filter(|name| *name != MANUAL).count();
    prop_assert_eq!(other(before), other(after), "another method is left");
    let held = |member: &Member| member.roles.iter().copied().filter(|role| *role != 1).collect::<BTreeSet<u64>>();
    let only_other = other(before) > 0;
    if only_other {
        // What is there by another method may be kept; everything that is called for is there.
        prop_assert!(want.is_subset(&held(after)));
    } else {
        prop_assert_eq!(&held(after), want);
        let is_enrolled = !after.methods.is_empty();
        prop_assert_eq!(is_enrolled, !want.is_empty() || foreign(after) || (suspend && !before.methods.is_empty()));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_reads_back_as_called_for_and_nothing_else_moves(
        seed in prop::collection::vec((0_usize..4, 0_usize..3, 0_usize..3, 0_usize..4), 0..14),
        want in prop::collection::btree_set((0_usize..4, 0_usize..3, 0_usize..3), 0..14),
        suspend: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let site = site(if suspend { SUSPEND } else { BY_REPORT });
            let people = PEOPLE.map(|name| site.add(name, "oidc"));
            let courses = CODES.map(|code| site.course(code));
            let foreign = site.course_called("Playground");
            site.put(foreign, people[0], MANUAL, &["student"]);
            memory_of(&seed, &site, &courses, &people);
            let before = site.world().members();
            let wholes: Vec<(&str, u64)> = PEOPLE.into_iter().zip(people).collect();
            let read = site.read(&wholes).await;
            let mut changes = Vec::new();
            for (at, (name, id)) in wholes.iter().enumerate() {
                let (all, kept) = read.get(*name).cloned().unwrap_or_default();
                let called: BTreeSet<String> = want
                    .iter()
                    .filter(|(_, person, _)| *person == at)
                    .map(|(course, _, role)| format!("{}/{}", key(CODES[*course]), ROLES[*role].0))
                    .collect();
                // What others put there satisfies whoever calls for it, and is not ours to take.
                let ours: BTreeSet<String> =
                    all.iter().filter(|one| !kept.contains(*one) || called.contains(*one)).cloned().collect();
                let record = |elements: &BTreeSet<String>| {
                    Record::new((*name).into()).with(COURSES, Value::Set(elements.clone().into()))
                };
                let edits = difference(&schema::enrolments().unwrap(), &record(&called), &record(&ours));
                let mut ready = enrolment_change(&format!("key-{name}"), &id.to_string(), called, ours);
                prop_assert_eq!(&ready.change.edits, &edits);
                ready.change.kept = kept.into_iter().map(|element| (COURSES, element)).collect();
                if !edits.is_empty() {
                    changes.push(ready);
                }
            }
            let sent: usize = changes.iter().map(|ready| ready.change.edits.len()).sum();
            let outcomes = site.write(changes).await;
            prop_assert_eq!(outcomes.iter().map(landed).sum::<usize>(), sent);
            let after = site.world().members();
            prop_assert_eq!(before.get(&(foreign, people[0])), after.get(&(foreign, people[0])));
            for (course_at, course) in courses.iter().enumerate() {
                for (at, person) in people.iter().enumerate() {
                    let roles: BTreeSet<u64> = want
                        .iter()
                        .filter(|(course, person, _)| (*course, *person) == (course_at, at))
                        .map(|(_, _, role)| ROLES[*role].1)
                        .collect();
                    let at = (*course, *person);
                    let none = Member::default();
                    judge(&roles, before.get(&at).unwrap_or(&none), after.get(&at).unwrap_or(&none), suspend)?;
                }
            }
            let again = site.read(&wholes).await;
            for (at, (name, _)) in wholes.iter().enumerate() {
                let (all, kept) = again.get(*name).cloned().unwrap_or_default();
                for (course, person, role) in &want {
                    if *person == at {
                        let element = format!("{}/{}", key(CODES[*course]), ROLES[*role].0);
                        prop_assert!(all.contains(&element), "{} is not there", element);
                    }
                }
                for element in all.difference(&kept) {
                    let called = want.iter().any(|(course, person, role)| {
                        *person == at && *element == format!("{}/{}", key(CODES[*course]), ROLES[*role].0)
                    });
                    prop_assert!(called, "{} is ours and not called for", element);
                }
            }
            Ok(())
        })?;
    }
}
