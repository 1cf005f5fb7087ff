//! The source against the in-process directory, over sockets: who bears no mark, and what a check finds.

use proptest::prelude::*;
use reconcile_state::Key;

use super::{PortalLdap, PortalLdapConfig, decode, mapping};
use crate::config::Secret;
use crate::model::{Check, Level, Person};
use crate::policy::{entitlement, entitles};
use crate::sim::faults::{Fault, Operation, Refusal, Times};
use crate::sim::ldap::{Directory, DirectoryPlan, Entry};
use crate::sources::port::Directory as _;
use crate::wire::ldap::RawEntry;

const MARKS: (&str, &str) = (mapping::BIRTHRIGHT_MARKS, mapping::REQUESTED_MARKS);

fn person(n: usize) -> Entry {
    let uhid = format!("0b7c4e1a-0000-4000-8000-{n:012}");
    Entry::new(format!("idautoID={uhid},ou=Accounts,dc=meta"))
        .with("objectClass", ["idautoPerson"])
        .with("idautoID", [uhid])
        .with("idautoPersonUserNameMV", [format!("testu{n:04}")])
}

async fn directory(entries: impl IntoIterator<Item = Entry>) -> Directory {
    let plan = DirectoryPlan::portal("2026-09-15T03:00:00Z".parse().unwrap());
    Directory::start(plan.with(entries)).await.unwrap()
}

fn source(directory: &Directory, more: &str) -> PortalLdap {
    let text = format!("url = '{}'\nbind_dn = 'cn=portal,dc=meta'\npassword = 'env:P'\n{more}", directory.url());
    let config: PortalLdapConfig = toml::from_str(&text).unwrap();
    PortalLdap::new(&config, Secret::new("portalpw")).unwrap()
}

/// The same question, asked of the entry by the program's own rule.
fn is_unmarked(entry: &Entry, system: &str) -> bool {
    let raw = RawEntry::new("x", entry.attributes().map(|(name, values)| (name.to_owned(), values.to_vec())));
    let mapping = mapping::Mapping::new(&std::collections::BTreeMap::new()).unwrap();
    let person = Person { directory: decode::person(&raw, &mapping).unwrap().record, vault: None };
    let held = entitlement(&person, system);
    let lacks = |marks: &str| !entry.texts(marks).iter().any(|text| entitles(text, system));
    (!held.birthright.is_empty() && lacks(MARKS.0)) || (!held.requested.is_empty() && lacks(MARKS.1))
}

/// Texts, spelled in all ways the server takes for one value only once.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(vec![
        "moodle",
        "MOODLE",
        "moodle:editor",
        "Moodle:reader",
        "moodle2",
        "my moodle",
        "fs fagperson",
        "FS Fagperson:x",
        "fs",
        "a*(b)\\c",
        "a*(b)\\c:x",
    ]);
    prop::collection::vec(one, 0..4).prop_map(|texts| {
        let mut kept: Vec<String> = Vec::new();
        for text in texts {
            if !kept.iter().any(|known| known.eq_ignore_ascii_case(text)) {
                kept.push(text.to_owned());
            }
        }
        kept
    })
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let one = (texts(), texts(), texts(), texts(), prop::sample::select(vec![None, Some("TRUE"), Some("FALSE")]));
    prop::collection::vec(one, 0..20).prop_map(|all| {
        let entry = |(n, (two, six, five, eight, disabled)): (usize, (_, _, _, _, Option<&str>))| {
            let (two, six, five, eight): (Vec<String>, Vec<String>, Vec<String>, Vec<String>) = (two, six, five, eight);
            person(n)
                .with("idautoPersonAppRoles2", two)
                .with("idautoPersonAppRoles6", six)
                .with(MARKS.0, five)
                .with(MARKS.1, eight)
                .with("idautoDisabled", disabled)
        };
        all.into_iter().enumerate().map(entry).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn exactly_those_who_are_entitled_and_bear_no_mark_are_found(
        entries in entries(),
        asked in prop::sample::subsequence(vec!["moodle", "fs fagperson", "a*(b)\\c"], 0..=3),
    ) {
        let model: Vec<Key> = entries
            .iter()
            .filter(|entry| asked.iter().any(|system| is_unmarked(entry, system)))
            .map(|entry| Key::new(entry.text("idautoID").unwrap()))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(async {
            let directory = directory(entries).await;
            source(&directory, "page_size = 3\n").unmarked(&asked, MARKS).await
        });
        prop_assert_eq!(found, Ok(model));
    }
}

#[tokio::test]
async fn a_mapped_attribute_is_asked_and_an_odd_mark_is_refused() {
    let entry = person(1).with("idautoPersonExt1", ["moodle"]).with("idautoPersonExt2", ["TRUE"]);
    let directory = directory([entry, person(2).with("idautoPersonExt1", ["moodle"])]).await;
    let source =
        source(&directory, "attributes = { birthright = 'idautoPersonExt1', disabled = 'idautoPersonExt2' }\n");
    assert_eq!(source.unmarked(&["moodle"], MARKS).await.unwrap().len(), 1);
    assert_eq!(source.unmarked(&["moodle"], ("idautoPersonExt1", MARKS.1)).await, Ok(vec![]));
    assert!(source.unmarked(&["moodle"], ("a)(b=*", MARKS.1)).await.is_err());
    directory.faults().play(Fault::SizeLimit(0), Times::Always);
    assert!(source.unmarked(&["moodle"], MARKS).await.is_err(), "a part is no answer");
}

fn level(found: &[Check], what: &str) -> Option<Level> {
    found.iter().filter(|check| check.what == what).map(|check| check.level).max()
}

#[tokio::test]
async fn a_check_names_what_stands_in_the_way_and_its_fix() {
    use Level::{Good, Problem, Warning};
    let directory = directory((0..30).map(person)).await;
    let before = directory.snapshot();
    let all = source(&directory, "page_size = 7\n").check().await;
    let whats: Vec<&str> = all.iter().map(|check| check.what.as_str()).collect();
    assert_eq!(whats, ["connection", "branch", "schema", "listing", "entryCSN"]);
    assert!(all.iter().all(|check| check.level == Good), "{all:?}");
    assert!(all[3].found.starts_with("30 people"));
    let rows: [(Fault, &str, Level, &str); 5] = [
        (Fault::SizeLimit(10), "listing", Problem, "size limit"),
        (Fault::HideAttribute("entryCSN".into()), "entryCSN", Warning, "entryCSN"),
        (Fault::HideAttribute("idautoID".into()), "listing", Problem, "idautoID"),
        (Fault::Refuse(Operation::Bind, Refusal::Unwilling), "connection", Problem, "bind_dn"),
        (Fault::Refuse(Operation::Read, Refusal::Unavailable), "branch", Problem, "url"),
    ];
    for (fault, what, wanted, fix) in rows {
        directory.faults().clear();
        directory.faults().play(fault.clone(), Times::Always);
        let found = source(&directory, "").check().await;
        assert_eq!(level(&found, what), Some(wanted), "{fault:?}: {found:?}");
        let worst = found.iter().find(|check| check.what == what && check.level == wanted).unwrap();
        assert!(worst.fix.as_ref().unwrap().contains(fix), "{worst:?}");
    }
    directory.faults().clear();
    let odd = source(&directory, "attributes = { email = 'noSuchAttribute' }\n").check().await;
    assert!(odd.iter().any(|check| check.level == Problem && check.found.contains("noSuchAttribute")), "{odd:?}");
    let nobody = source(&directory, "object_class = 'person'\n").check().await;
    assert_eq!(level(&nobody, "listing"), Some(Problem));
    let nowhere = source(&directory, "people_base = 'ou=Nowhere,dc=meta'\n").check().await;
    assert_eq!((level(&nowhere, "branch"), level(&nowhere, "listing")), (Some(Problem), None));
    assert_eq!(directory.snapshot(), before);
}
