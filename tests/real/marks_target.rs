//! The portal target by itself against a real slapd: what the in-process directory claims of writes, rights, names
//! and checks is what slapd does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::StreamExt;
use reconcile::config::{Institution, Secret};
use reconcile::model::{Action, Batch, Cause, Change, Effect, ErrorKind, Level, Mark, Outcome, Ready};
use reconcile::sources::port::Directory as _;
use reconcile::sources::portal_ldap::{PortalLdap, PortalLdapConfig};
use reconcile::targets::Registry;
use reconcile::targets::port::{Ask, Surroundings, Target};
use reconcile_state::{AttributeId, Digester, Drift, Edit, Key, Record, Remote, Value};

use crate::slapd::Slapd;

const BIRTHRIGHT: AttributeId = AttributeId(1);
const REQUESTED: AttributeId = AttributeId(2);
const ID: AttributeId = AttributeId(12);
const MARKED: [(&str, Mark); 1] = [("moodle", Mark { entitlement: "moodle", kind: "account", number: 12 })];
const MARKS: (&str, &str) = ("idautoPersonAppRoles5", "idautoPersonAppRoles8");

fn uhid(n: u32) -> String {
    format!("0b7c4e1a-0000-4000-8000-{n:012}")
}

fn start(dir: &Path) -> Slapd {
    let branch = "dn: ou=Guests,ou=Accounts,dc=meta\nobjectClass: organizationalUnit\nou: Guests\n";
    let rows: [(u32, &str, &[&str]); 4] = [
        (1, "", &["AppRoles2: Moodle", "AppRoles6: moodle:editor", "AppRoles5: lenel", "AppRoles7: topdesk:1"]),
        (2, "", &["AppRoles2: moodle", "AppRoles5: MOODLE", "AppRoles7: MOODLE:7", "AppRoles7: moodle:8"]),
        (3, "ou=Guests,", &["AppRoles6: moodle:editor"]),
        (4, "", &["AppRoles2: moodle2", "AppRoles6: my moodle"]),
    ];
    let people = rows.map(|(n, below, lines)| {
        let (id, lines) = (uhid(n), lines.join("\nidautoPerson"));
        let more = if lines.is_empty() { lines } else { format!("idautoPerson{lines}\n") };
        format!(
            "dn: idautoID={id},{below}ou=Accounts,dc=meta\nobjectClass: idautoPerson\nidautoID: {id}\n\
             idautoPersonUserNameMV: testu{n:04}\n{more}"
        )
    });
    let ldif = format!("{branch}\n{}\n", people.join("\n"));
    let file = dir.join("people.ldif");
    std::fs::write(&file, ldif).unwrap();
    Slapd::start(&dir.join("slapd"), &file)
}

fn section(slapd: &Slapd) -> toml::Table {
    let text = format!(
        "url = '{}'\nbind_dn = 'cn=portal,dc=meta'\npassword = 'env:P'\nca_file = '{}'\npage_size = 2\n",
        slapd.tls_url(),
        slapd.ca_file().display()
    );
    toml::from_str(&text).unwrap()
}

fn target(slapd: &Slapd, more: &str) -> Target {
    let institution = Institution { number: "185".into(), name: "U".into(), mail_domain: "uni.example".into() };
    let (ldap, environment) = (section(slapd), |_: &str| Some("portalpw".to_owned()));
    let plain = Surroundings::new(&institution, &environment);
    let around = Surroundings { portal_ldap: Some(&ldap), marks: &MARKED, ..plain };
    Registry::builtin().get("portal").unwrap().open(toml::from_str(more).unwrap(), &around).unwrap()
}

async fn write(target: &Target, n: u32, edits: Vec<Edit>) -> Outcome {
    let (key, digest) = (Key::new(uhid(n)), Digester::new([0; 32]).texts([n.to_string().as_str()]));
    let change = Change {
        id: digest,
        pipeline: "portal",
        kind: "marks",
        key: key.clone(),
        action: Action::Update,
        edits,
        cause: Cause::Source,
        reason: None,
        drift: Drift::Missing,
        wanted: digest,
        expect: None,
        remote: Some(Remote { id: Some(uhid(n)), handle: None }),
        protected: None,
        requires: Vec::new(),
        seen_as: None,
        after: BTreeSet::new(),
        bounds: reconcile::model::Bounds::default(),
        taken_from: std::collections::BTreeMap::new(),
        listed: BTreeSet::new(),
        left: Vec::new(),
        again: 0,
        kept: BTreeSet::new(),
        remembered: None,
        matches: Vec::new(),
        desired: Record::new(key.clone()),
    };
    let ready = Ready { change, references: BTreeMap::from([(ID, "9:a".to_owned())]) };
    let batch: Batch = target.writer.batches(vec![ready]).remove(0);
    target.writer.write(&batch).await.remove(0)
}

fn add(attribute: AttributeId, element: &str) -> Edit {
    Edit::Add { attribute, element: element.into() }
}

fn name(n: u32, from: Option<&str>) -> Edit {
    Edit::Set { attribute: ID, from: from.map(Value::from), to: Value::Reference(Key::new(uhid(n))) }
}

/// Marks and id of everybody, by key.
async fn read(target: &Target) -> BTreeMap<String, Record> {
    let pages: Vec<_> = target.observer.reader.observe("marks", Ask::All).collect().await;
    let seen = pages.into_iter().flat_map(|page| page.unwrap().seen);
    seen.map(|seen| (seen.remote.id.unwrap(), seen.record)).collect()
}

fn texts(record: &Record, id: AttributeId) -> Vec<&str> {
    record.elements(id).collect()
}

#[tokio::test]
async fn slapd_takes_marks_as_the_simulated_directory_does() {
    let dir = tempfile::tempdir().unwrap();
    let slapd = start(dir.path());
    let target = target(&slapd, "");
    let portal: PortalLdapConfig = section(&slapd).try_into().unwrap();
    let source = PortalLdap::new(&portal, Secret::new("portalpw")).unwrap();
    let unmarked = async || source.unmarked(&["moodle", "fs fagperson"], MARKS).await.unwrap();
    assert_eq!(unmarked().await, [Key::new(uhid(1)), Key::new(uhid(3))]);

    let before = source.list().await.unwrap().entries;
    let edits = vec![add(BIRTHRIGHT, "Moodle"), add(REQUESTED, "moodle:editor"), name(1, None)];
    assert_eq!(write(&target, 1, edits).await.error, None);
    let after = source.list().await.unwrap().entries;
    let csn =
        |list: &[(Key, Option<String>)]| list.iter().find(|(key, _)| *key == Key::new(uhid(1))).unwrap().1.clone();
    let echoes = target.writer.echoes();
    assert_eq!((echoes.len(), &echoes[0].before, &echoes[0].after), (1, &csn(&before), &csn(&after)));
    assert!(echoes[0].after.is_some() && echoes[0].before != echoes[0].after);

    // rc 20 for another spelling; the rest lands one by one; ids of another system stay.
    assert_eq!(write(&target, 2, vec![add(BIRTHRIGHT, "moodle"), add(REQUESTED, "moodle:x")]).await.error, None);
    assert_eq!(write(&target, 2, vec![name(2, Some("7, 8"))]).await.error, None);
    // An entry below a branch of the branch.
    assert_eq!(write(&target, 3, vec![add(REQUESTED, "moodle:editor")]).await.error, None);
    assert_eq!(target.writer.echoes().len(), 3);

    let seen = read(&target).await;
    assert_eq!(texts(&seen[&uhid(1)], BIRTHRIGHT), ["Moodle", "lenel"]);
    assert_eq!((texts(&seen[&uhid(1)], REQUESTED), seen[&uhid(1)].text(ID)), (vec!["moodle:editor"], Some("9:a")));
    assert_eq!((texts(&seen[&uhid(2)], BIRTHRIGHT), seen[&uhid(2)].text(ID)), (vec!["MOODLE"], Some("9:a")));
    assert_eq!(texts(&seen[&uhid(3)], REQUESTED), ["moodle:editor"]);
    assert_eq!(unmarked().await, []);

    // What is so already is not written, and its entryCSN stays.
    let quiet = slapd.csns();
    assert_eq!(write(&target, 1, vec![add(BIRTHRIGHT, "MOODLE"), name(1, Some("8"))]).await.error, None);
    assert_eq!(
        write(&target, 4, vec![Edit::Remove { attribute: BIRTHRIGHT, element: "moodle".into() }]).await.error,
        None
    );
    assert_eq!(slapd.csns(), quiet);
    assert!(target.writer.echoes().is_empty());
}

#[tokio::test]
async fn slapd_refuses_a_hidden_attribute_and_both_checks_say_what_they_find() {
    let dir = tempfile::tempdir().unwrap();
    let mut slapd = start(dir.path());
    let portal: PortalLdapConfig = section(&slapd).try_into().unwrap();
    let source = PortalLdap::new(&portal, Secret::new("portalpw")).unwrap();
    let good = |checks: Vec<reconcile::model::Check>| checks.iter().all(|check| check.level == Level::Good);
    assert!(good(source.check().await), "{:?}", source.check().await);
    let unseen = async |slapd: &Slapd| {
        let found = target(slapd, "").observer.reader.check().await;
        assert!(found.iter().all(|check| check.level != Level::Problem), "{found:?}");
        let warned = found.into_iter().filter(|check| check.level == Level::Warning);
        warned.map(|check| check.found.split(':').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(unseen(&slapd).await, ["nobody shows idautoPersonAppRoles8"], "of people that have one");
    let odd = target(&slapd, "target_ids = 'noSuchAttribute'").observer.reader.check().await;
    assert!(odd.iter().any(|check| check.what == "schema" && check.level == Level::Problem), "{odd:?}");
    let identity = target(&slapd, "").observer.reader.identity().await.unwrap();
    assert!(identity.id.starts_with("ou=accounts,dc=meta ") && identity.warnings.is_empty());

    slapd.restart(&[("HIDE", MARKS.0), ("SIZE_LIMIT", "3")]);
    assert_eq!(unseen(&slapd).await[0], format!("nobody shows {}", MARKS.0), "one hidden attribute of three is told");
    let before = slapd.csns();
    let error = write(&target(&slapd, ""), 4, vec![add(BIRTHRIGHT, "moodle")]).await.error.unwrap();
    assert_eq!((error.kind, error.effect), (ErrorKind::Auth, Effect::None));
    assert!(error.message.contains("right to write"), "{error}");
    assert_eq!(slapd.csns(), before);
    let cut = source.check().await;
    assert!(cut.iter().any(|check| check.what == "listing" && check.level == Level::Problem), "{cut:?}");
    assert_eq!(target(&slapd, "").observer.reader.identity().await.unwrap().id, identity.id);

    let lost = target(&slapd, "");
    assert_eq!(write(&lost, 4, vec![add(REQUESTED, "moodle:x")]).await.error, None);
    slapd.restart(&[]);
    let error = write(&lost, 4, vec![add(REQUESTED, "moodle:y")]).await.error;
    assert!(error.is_none_or(|error| error.effect == Effect::Unknown), "the end of a connection may not be known yet");
    assert_eq!(write(&lost, 4, vec![add(REQUESTED, "moodle:z")]).await.error, None, "it is made anew");
}
