//! The directory as a real client sees it.

use std::collections::HashSet;
use std::time::Duration;

use ldap3::adapters::{EntriesOnly, PagedResults};
use ldap3::controls::{Assertion, MakeCritical, PostRead, PostReadResp, PreRead, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapError, Mod, Scope, SearchEntry, SearchOptions};

use super::schema::Schema;
use super::{Directory, DirectoryPlan, Entry};
use crate::sim::campus::{Campus, CampusPlan, attribute};
use crate::sim::faults::{Fault, Operation, Refusal, Times};

const PEOPLE: &str = "ou=Accounts,dc=meta";
const EVERYBODY: &str = "(objectClass=idautoPerson)";

fn plan() -> DirectoryPlan {
    DirectoryPlan::portal("2026-09-15T03:00:00Z".parse().unwrap())
}

async fn campus(people: usize) -> (Campus, Directory) {
    let campus = Campus::generate(&CampusPlan::new(21, people));
    let directory = Directory::start(plan().with(campus.ldap_entries())).await.unwrap();
    (campus, directory)
}

async fn connect(directory: &Directory) -> Ldap {
    let (connection, ldap) = LdapConnAsync::new(&directory.url()).await.unwrap();
    tokio::spawn(connection.drive());
    ldap
}

async fn bound(directory: &Directory) -> Ldap {
    let mut ldap = connect(directory).await;
    ldap.simple_bind("CN=portal, dc=meta", "portalpw").await.unwrap().success().unwrap();
    ldap
}

/// Entries and result code of a search in pages of 100.
async fn paged(ldap: &mut Ldap, filter: &str, attributes: Vec<&str>) -> Result<(Vec<SearchEntry>, u32), LdapError> {
    let adapters: Vec<Box<dyn ldap3::adapters::Adapter<_, _>>> =
        vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(100))];
    let mut stream = ldap.streaming_search_with(adapters, PEOPLE, Scope::OneLevel, filter, attributes).await?;
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await? {
        entries.push(SearchEntry::construct(entry));
    }
    Ok((entries, stream.finish().await.rc))
}

async fn plain(ldap: &mut Ldap, base: &str, filter: &str, attributes: Vec<&str>) -> (Vec<SearchEntry>, u32) {
    let found = ldap.search(base, Scope::Subtree, filter, attributes).await.unwrap();
    (found.0.into_iter().map(SearchEntry::construct).collect(), found.1.rc)
}

#[tokio::test]
async fn only_the_service_account_reads_and_writes() {
    let (campus, directory) = campus(20).await;
    let dn = campus.people[0].dn();
    let mut ldap = connect(&directory).await;
    assert_eq!(plain(&mut ldap, PEOPLE, EVERYBODY, vec!["sn"]).await.1, 32);
    let change = vec![Mod::Replace("sn", HashSet::from(["x"]))];
    assert_eq!(ldap.modify(&dn, change).await.unwrap().rc, 8);
    assert_eq!(ldap.simple_bind("cn=portal,dc=meta", "wrong").await.unwrap().rc, 49);
    assert_eq!(ldap.simple_bind("cn=portal,dc=meta", "").await.unwrap().rc, 53);
    assert_eq!(ldap.simple_bind("cn=portal,dc=meta", "portalpw").await.unwrap().rc, 0);
    assert_eq!(plain(&mut ldap, PEOPLE, EVERYBODY, vec!["sn"]).await.1, 0);
    assert_eq!(directory.writes(), 0);
}

#[tokio::test]
async fn two_thousand_entries_come_in_pages_as_the_campus_has_them() {
    let (campus, directory) = campus(2_000).await;
    let mut ldap = bound(&directory).await;
    let (entries, rc) = paged(&mut ldap, EVERYBODY, vec!["*"]).await.unwrap();
    let wanted: Vec<_> = campus.people.iter().filter(|person| person.in_directory).collect();
    assert_eq!((entries.len(), rc), (wanted.len(), 0));
    for (entry, person) in entries.iter().zip(wanted) {
        assert_eq!(entry.dn, person.dn());
        let mut have = entry.attrs.clone();
        have.remove("objectClass");
        assert_eq!(have.into_iter().collect::<std::collections::BTreeMap<_, _>>(), person.attributes);
    }
}

#[test]
fn the_campus_fits_the_schema() {
    let schema = Schema::portal();
    for entry in Campus::generate(&CampusPlan::new(8, 2_000)).ldap_entries() {
        for (name, values) in entry.attributes() {
            let kind = schema.get(name).unwrap_or_else(|| panic!("{name} is not in the schema"));
            assert_eq!(kind.name, name);
            assert!(!kind.single || values.len() == 1, "{name} has several values");
            assert!(values.iter().all(|value| !value.is_empty()), "{name} has an empty value");
        }
        assert!(!entry.values("idautoPersonUserNameMV").is_empty());
    }
}

#[tokio::test]
async fn filters_find_whom_they_describe() {
    let (campus, directory) = campus(400).await;
    let mut ldap = bound(&directory).await;
    let person = campus.people.iter().find(|person| person.in_directory && person.oddity.is_none()).unwrap();
    let uhid = person.uhid.to_uppercase();
    let name = person.text(attribute::UH_USERNAME).unwrap();
    for filter in [
        format!("(idautoID={uhid})"),
        format!("(&(IDAUTOPERSONSAMACCOUNTNAME={name})(objectClass=idautoPerson))"),
        format!("(|(idautoID={uhid})(idautoID=none))"),
        format!("(idautoPersonUserNameMV={}*{})", &name[..5], &name[7..]),
        format!("(&(entryCSN>=20260915030000.000000Z#000000#000#000000)(idautoID={uhid}))"),
    ] {
        let (found, rc) = plain(&mut ldap, "DC=meta", &filter, vec!["idautoID"]).await;
        assert_eq!((found.len(), rc), (1, 0), "{filter}");
        assert_eq!(found[0].attrs["idautoID"], [person.uhid.as_str()]);
    }
    let pending = "(&(idautoPersonAppRoles2=moodle)(!(idautoPersonAppRoles5=moodle)))";
    let wanted = campus.people.iter().filter(|person| {
        let has = |name| person.texts(name).iter().any(|value| value.eq_ignore_ascii_case("moodle"));
        person.in_directory && has(attribute::BIRTHRIGHT) && !has(attribute::BIRTHRIGHT_MARKS)
    });
    assert_eq!(plain(&mut ldap, PEOPLE, pending, vec!["1.1"]).await.0.len(), wanted.count());
    let surname = ldap3::ldap_escape("Sørensen").into_owned();
    let wanted = campus
        .people
        .iter()
        .filter(|person| person.in_directory && person.text("sn").is_some_and(|name| name.trim() == "Sørensen"));
    assert_eq!(plain(&mut ldap, PEOPLE, &format!("(sn={surname})"), vec!["sn"]).await.0.len(), wanted.count());
}

#[tokio::test]
async fn operational_attributes_come_only_when_asked_for() {
    let (campus, directory) = campus(10).await;
    let mut ldap = bound(&directory).await;
    let dn = campus.people[0].dn();
    let names = |found: Vec<SearchEntry>| found[0].attrs.keys().cloned().collect::<HashSet<_>>();
    let all = names(plain(&mut ldap, &dn, "(objectClass=*)", vec![]).await.0);
    assert!(all.contains("idautoID") && !all.contains("entryCSN"));
    assert!(names(plain(&mut ldap, &dn, "(objectClass=*)", vec!["1.1"]).await.0).is_empty());
    let asked = names(plain(&mut ldap, &dn, "(objectClass=*)", vec!["entrycsn", "entryUUID", "IDAUTOID"]).await.0);
    assert_eq!(asked, ["entryCSN", "entryUUID", "idautoID"].map(String::from).into());
    let both = names(plain(&mut ldap, &dn, "(objectClass=*)", vec!["*", "+"]).await.0);
    assert!(both.len() == all.len() + 4 && both.contains("modifyTimestamp"));
}

#[tokio::test]
async fn a_size_limit_is_not_lifted_by_paging() {
    let campus = Campus::generate(&CampusPlan::new(21, 300));
    let mut plan = plan().with(campus.ldap_entries());
    plan.size_limit = Some(150);
    let directory = Directory::start(plan).await.unwrap();
    let mut ldap = bound(&directory).await;
    let (entries, rc) = paged(&mut ldap, EVERYBODY, vec!["idautoID"]).await.unwrap();
    assert_eq!((entries.len(), rc), (150, 4));
    let (entries, rc) = plain(&mut ldap, PEOPLE, EVERYBODY, vec!["idautoID"]).await;
    assert_eq!((entries.len(), rc), (150, 4));
    ldap.with_search_options(SearchOptions::new().sizelimit(7));
    let found = ldap.search(PEOPLE, Scope::OneLevel, EVERYBODY, vec!["idautoID"]).await.unwrap();
    assert_eq!((found.0.len(), found.1.rc), (7, 4));
}

#[tokio::test]
async fn marks_are_written_conditionally_and_read_back() {
    let (campus, directory) = campus(10).await;
    let mut ldap = bound(&directory).await;
    let person = &campus.people[0];
    let seen = directory.csn(&person.uhid).unwrap();
    let change = || vec![Mod::Add("idautoPersonAppRoles7", HashSet::from(["moodle:17"]))];
    let controls = |csn: &str| -> Vec<RawControl> {
        let assertion: RawControl = Assertion { filter: format!("(entryCSN={csn})") }.critical().into();
        vec![assertion, PreRead::new(vec!["entryCSN"]), PostRead::new(vec!["entryCSN", "idautoPersonAppRoles7"])]
    };
    let done = ldap.with_controls(controls(&seen)).modify(&person.dn(), change()).await.unwrap();
    assert_eq!(done.rc, 0);
    let after: PostReadResp = done.ctrls[1].1.parse();
    assert_eq!(after.attrs["idautoPersonAppRoles7"], ["moodle:17"]);
    assert_eq!(after.attrs["entryCSN"], [directory.csn(&person.uhid).unwrap()]);
    let stale = ldap.with_controls(controls(&seen)).modify(&person.dn(), change()).await.unwrap();
    assert_eq!(stale.rc, 122);
    assert_eq!(ldap.modify(&person.dn(), change()).await.unwrap().rc, 20);
    assert_eq!(directory.writes(), 1);
    assert!(ldap.compare(&person.dn(), "idautopersonapproles7", "MOODLE:17").await.unwrap().equal().unwrap());
}

#[tokio::test]
async fn a_snapshot_shows_every_write_even_of_the_same_value() {
    let (campus, directory) = campus(10).await;
    let (uhid, before) = (&campus.people[0].uhid, directory.snapshot());
    let mut ldap = bound(&directory).await;
    plain(&mut ldap, PEOPLE, EVERYBODY, vec!["*"]).await;
    assert_eq!(directory.snapshot(), before);
    assert!(directory.modify(uhid, |entry| entry.set("idautoID", [uhid.as_str()])));
    assert_ne!(directory.snapshot(), before);
    assert_eq!(directory.writes(), 0);
    assert!(directory.remove(uhid).is_some() && directory.get(uhid).is_none());
    directory.insert(Entry::new(campus.people[0].dn()).with("idautoID", [uhid.as_str()]));
    assert!(directory.get(uhid).is_some() && !directory.modify("none", |_| {}));
}

#[tokio::test]
async fn faults_of_searches_show_as_told() {
    let (campus, directory) = campus(250).await;
    let whole = campus.people.iter().filter(|person| person.in_directory).count();
    let faults = directory.faults();
    let mut ldap = bound(&directory).await;

    faults.play(Fault::Refuse(Operation::Read, Refusal::Busy), Times::Next(1));
    assert_eq!(plain(&mut ldap, PEOPLE, EVERYBODY, vec!["sn"]).await.1, 51);
    faults.play(Fault::SizeLimit(120), Times::Always);
    let (entries, rc) = paged(&mut ldap, EVERYBODY, vec!["sn"]).await.unwrap();
    assert_eq!((entries.len(), rc), (120, 4));

    faults.clear();
    faults.play(Fault::HideAttribute("IDAUTOPERSONAPPROLES2".into()), Times::Always);
    assert_eq!(plain(&mut ldap, PEOPLE, "(idautoPersonAppRoles2=moodle)", vec![]).await.0.len(), 0);
    let (entries, _) = plain(&mut ldap, PEOPLE, EVERYBODY, vec![]).await;
    assert!(entries.iter().all(|entry| !entry.attrs.contains_key("idautoPersonAppRoles2")));

    faults.clear();
    faults.play(Fault::HideEntries(30), Times::Next(3));
    let (some, rc) = plain(&mut ldap, PEOPLE, EVERYBODY, vec!["1.1"]).await;
    let (again, _) = plain(&mut ldap, PEOPLE, EVERYBODY, vec!["1.1"]).await;
    assert!(rc == 0 && (whole / 2..whole * 9 / 10).contains(&some.len()));
    assert_eq!(some.len(), again.len());
    let shown: HashSet<&str> = some.iter().map(|entry| entry.dn.as_str()).collect();
    let missing =
        campus.people.iter().find(|person| person.in_directory && !shown.contains(person.dn().as_str())).unwrap();
    assert_eq!(plain(&mut ldap, &missing.dn(), EVERYBODY, vec!["1.1"]).await.1, 32);
    assert_eq!(plain(&mut ldap, PEOPLE, EVERYBODY, vec!["1.1"]).await.0.len(), whole);

    faults.play(Fault::RepeatAttribute("idautoPersonAppRoles2".into()), Times::Next(1));
    let name = "idautoPersonAppRoles2";
    let person = campus.people.iter().find(|person| person.in_directory && person.texts(name).len() > 2).unwrap();
    let (entries, _) = plain(&mut ldap, &person.dn(), EVERYBODY, vec![name]).await;
    assert_eq!(entries[0].attrs[name].len(), person.texts(name).len() - 1, "this client keeps the last of the two");

    faults.play(Fault::NotUtf8("sn".into()), Times::Next(1));
    let (entries, _) = plain(&mut ldap, PEOPLE, EVERYBODY, vec!["sn"]).await;
    assert_eq!(entries.iter().filter(|entry| entry.bin_attrs.contains_key("sn")).count(), 1);

    faults.play(Fault::Referral("ldap://127.0.0.1:1/dc=other".into()), Times::Next(1));
    faults.play(Fault::Drip(Duration::from_micros(10)), Times::Next(1));
    let mut stream = ldap.streaming_search(PEOPLE, Scope::Subtree, EVERYBODY, vec!["1.1"]).await.unwrap();
    let (mut entries, mut references) = (0, 0);
    while let Some(entry) = stream.next().await.unwrap() {
        *(if entry.is_ref() { &mut references } else { &mut entries }) += 1;
    }
    assert_eq!((entries, references), (whole, 1));
}

#[tokio::test]
async fn a_dropped_connection_breaks_the_search_and_the_next_connection_works() {
    let (campus, directory) = campus(250).await;
    directory.faults().play(Fault::DropAfter(30), Times::Next(1));
    let mut ldap = bound(&directory).await;
    assert!(paged(&mut ldap, EVERYBODY, vec!["sn"]).await.is_err());
    let mut ldap = bound(&directory).await;
    let whole = campus.people.iter().filter(|person| person.in_directory).count();
    assert_eq!(paged(&mut ldap, EVERYBODY, vec!["sn"]).await.unwrap().0.len(), whole);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_landed_and_a_refused_one_has_not() {
    let (campus, directory) = campus(10).await;
    let person = &campus.people[0];
    let change = || vec![Mod::Add("idautoPersonAppRoles7", HashSet::from(["moodle:17"]))];
    let faults = directory.faults();
    faults.play(Fault::Refuse(Operation::Write, Refusal::Unwilling), Times::Next(1));
    faults.play(Fault::LoseAnswer(Operation::Write), Times::Next(1));
    let mut ldap = bound(&directory).await;
    assert_eq!(ldap.modify(&person.dn(), change()).await.unwrap().rc, 53);
    assert_eq!(directory.writes(), 0);
    assert!(ldap.modify(&person.dn(), change()).await.is_err());
    assert_eq!(directory.writes(), 1);
    assert!(directory.get(&person.uhid).unwrap().holds("idautoPersonAppRoles7", "moodle:17"));
}

#[tokio::test]
async fn the_root_names_its_contexts_and_a_stopped_directory_is_gone() {
    let (_, directory) = campus(5).await;
    let mut ldap = connect(&directory).await;
    let found =
        ldap.search("", Scope::Base, "(objectClass=*)", vec!["namingContexts", "supportedControl"]).await.unwrap();
    let root = SearchEntry::construct(found.0.into_iter().next().unwrap());
    assert_eq!(root.attrs["namingContexts"], ["dc=meta"]);
    assert!(root.attrs["supportedControl"].contains(&"1.2.840.113556.1.4.319".to_owned()));
    let url = directory.url();
    directory.shutdown().await;
    assert!(LdapConnAsync::new(&url).await.is_err());
}
