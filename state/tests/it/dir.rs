//! The directory: one process at a time, its own format and key, nothing half-made.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use reconcile_state::store::{Absence, StoreDir, StoreError};
use redb::TableDefinition;

use crate::campus::{KEY, OBSERVED, bodies, digest, key, open, people, person, read_all, schema};

const HELD: &str = "RECONCILE_TEST_STORE_HELD_BY_PARENT";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_second_process_is_told_who_holds_the_store() {
    if let Some(path) = std::env::var_os(HELD) {
        let refused = StoreDir::open(path, KEY).unwrap_err();
        let StoreError::Locked { holder, .. } = refused else { panic!("{refused}") };
        assert_eq!(holder, Some(std::os::unix::process::parent_id()));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let held = open(dir.path());
    let store = held.pipeline("test").unwrap();
    let ask = || {
        let test = "dir::a_second_process_is_told_who_holds_the_store";
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", test]).env(HELD, dir.path()).output().unwrap()
    };
    let answer = ask();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stdout));
    drop(held);
    assert!(ask().status.success(), "an open file of the store holds it too");
    drop(store);
    assert!(!ask().status.success(), "the store is free again");
}

#[test]
fn everything_is_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/store");
    let store = open(&path);
    store.sources().unwrap();
    store.pipeline("moodle-courses").unwrap().backup_claims(&path.join("claims.jsonl")).unwrap();
    assert_eq!(mode(&path), 0o700);
    let held = names(&path);
    assert_eq!(held, ["claims.jsonl", "digest.key", "format", "lock", "moodle-courses.redb", "sources.redb"]);
    for name in held {
        assert_eq!(mode(&path.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn the_key_of_a_store_stays() {
    let dir = tempfile::tempdir().unwrap();
    let text = |dir: StoreDir| dir.digester().bytes(b"text");
    let first = text(StoreDir::open(dir.path(), [1; 32]).unwrap());
    let second = text(StoreDir::open(dir.path(), [2; 32]).unwrap());
    assert_eq!(first, second);
    fs::remove_file(dir.path().join("digest.key")).unwrap();
    let refused = StoreDir::open(dir.path(), [1; 32]).unwrap_err();
    assert!(matches!(refused, StoreError::Key { state: "missing", .. }), "{refused}");
    assert!(!dir.path().join("digest.key").exists(), "no new key under old digests");
    let missing = refused.to_string();
    fs::write(dir.path().join("digest.key"), "0123\n").unwrap();
    let refused = StoreDir::open(dir.path(), [1; 32]).unwrap_err();
    assert!(matches!(refused, StoreError::Key { state: "damaged", .. }), "{refused}");
    assert_eq!(missing.replace("missing", "damaged"), refused.to_string(), "one advice, whatever was tried first");
}

#[test]
fn without_a_key_the_claims_come_along_to_a_new_store() {
    let place = tempfile::tempdir().unwrap();
    let (old, new) = (place.path().join("old"), place.path().join("new"));
    {
        let dir = open(&old);
        let store = dir.pipeline("test").unwrap();
        store.put_claims("account", &[(key(1), Some(crate::journal::claim("7")))].into()).unwrap();
        fs::create_dir(old.join("claims")).unwrap();
        store.backup_claims(&dir.claims_copy("test")).unwrap();
    }
    fs::create_dir(&new).unwrap();
    fs::rename(old.join("claims"), new.join("claims")).unwrap();
    let dir = StoreDir::open(&new, [9; 32]).unwrap();
    let store = dir.pipeline("test").unwrap();
    assert_eq!(store.claims("account").unwrap(), [(key(1), crate::journal::claim("7"))].into());
    assert_eq!(store.restored_claims().unwrap(), Some(1));
}

#[test]
fn a_file_in_the_way_is_told_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store");
    fs::write(&file, "text").unwrap();
    let text = StoreDir::open(&file, KEY).unwrap_err().to_string();
    assert!(text.contains("a file is where") && text.contains("configuration"), "{text}");
    assert_eq!(fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_directory_of_somebody_elses_files_becomes_no_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.path().join("thesis"), "").unwrap();
    let text = StoreDir::open(dir.path(), KEY).unwrap_err().to_string();
    assert!(text.contains("1 other file;") && !text.contains("thesis"), "{text}");
    assert_eq!((names(dir.path()), mode(dir.path())), (vec!["thesis".to_owned()], 0o755), "nothing was touched");
    fs::remove_file(dir.path().join("thesis")).unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    drop(open(dir.path()));
    fs::write(dir.path().join("notes"), "").unwrap();
    assert!(StoreDir::open(dir.path(), KEY).is_ok(), "a store stays one");
}

#[test]
fn a_directory_open_to_others_is_closed_and_told() {
    let dir = tempfile::tempdir().unwrap();
    for open_to in [0o755, 0o770, 0o701] {
        fs::set_permissions(dir.path(), Permissions::from_mode(open_to)).unwrap();
        assert_eq!(open(dir.path()).tightened(), Some(open_to));
        assert_eq!(mode(dir.path()), 0o700);
    }
    assert_eq!(open(dir.path()).tightened(), None);
}

#[test]
fn a_beginning_that_was_cut_short_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let before = StoreDir::open(dir.path(), [1; 32]).unwrap().digester().bytes(b"text");
    fs::remove_file(dir.path().join("format")).unwrap();
    fs::write(dir.path().join("format.new"), "recon").unwrap();
    fs::write(dir.path().join("test.redb.new"), "half a file").unwrap();
    let again = StoreDir::open(dir.path(), [2; 32]).unwrap();
    assert_eq!(again.digester().bytes(b"text"), before);
    again.pipeline("test").unwrap().set_meta("a", &1).unwrap();
    assert_eq!(names(dir.path()), ["digest.key", "format", "lock", "test.redb"]);
}

#[test]
fn another_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).pipeline("test").unwrap();
    fs::write(dir.path().join("format"), "reconcile store 2\n").unwrap();
    let before = fs::read(dir.path().join("test.redb")).unwrap();
    let refused = StoreDir::open(dir.path(), KEY).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("reconcile store 2") && text.contains("reconcile store 1"), "{text}");
    assert_eq!(fs::read(dir.path().join("test.redb")).unwrap(), before);
    fs::remove_file(dir.path().join("format")).unwrap();
    let refused = StoreDir::open(dir.path(), KEY).unwrap_err();
    assert!(matches!(refused, StoreError::Format { .. }), "files without a format are not overlaid: {refused}");
}

#[test]
fn another_encoding_drops_caches_and_keeps_claims_and_journal() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path()).pipeline("test").unwrap();
        read_all(&store, &people(0..10), Absence::Believed);
        store.put_claims("account", &[(key(1), Some(crate::journal::claim("7")))].into()).unwrap();
        store.record_intents(&[crate::journal::intent(1)]).unwrap();
        assert_eq!(store.reencoded_from(), None);
    }
    let file = redb::Database::open(dir.path().join("test.redb")).unwrap();
    let txn = file.begin_write().unwrap();
    txn.open_table(TableDefinition::<&str, u64>::new("mark")).unwrap().insert("encoding", 0).unwrap();
    txn.commit().unwrap();
    drop(file);
    let store = open(dir.path()).pipeline("test").unwrap();
    assert_eq!(store.reencoded_from(), Some(0));
    assert_eq!(store.root(OBSERVED).unwrap(), None);
    assert!(store.digests(OBSERVED).unwrap().is_empty() && bodies(&store, OBSERVED).is_empty());
    assert_eq!(store.claims("account").unwrap().len(), 1);
    assert_eq!(store.open_intents().unwrap().len(), 1);
    assert_eq!(read_all(&store, &people(0..10), Absence::Believed).new, 10);
    drop(store);
    assert_eq!(open(dir.path()).pipeline("test").unwrap().reencoded_from(), None);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let text = StoreDir::open(file.join("store"), KEY).unwrap_err().to_string();
    assert!(text.contains("file/store") && text.contains("configuration"), "{text}");

    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
    // A privileged account is stopped by no permission bits; there, a file system that takes no files does.
    let privileged = fs::write(closed.join("probe"), "").is_ok();
    let empty = |dir: &std::path::PathBuf| fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    let mut elsewhere =
        ["/sys/kernel/software_nodes", "/sys/kernel/iommu_groups", "/sys/kernel/debug", "/sys/fs/pstore"]
            .map(std::path::PathBuf::from)
            .into_iter()
            .filter(empty);
    let closed = if privileged { elsewhere.next().unwrap() } else { closed };
    let text = StoreDir::open(&closed, KEY).unwrap_err().to_string();
    assert!(text.contains(closed.to_str().unwrap()) && text.contains("read and write here"), "{text}");
}

#[test]
fn names_that_are_no_pipeline_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for name in ["", "sources", "../x", "A", "a.b"] {
        assert!(matches!(store.pipeline(name), Err(StoreError::Name { .. })), "{name}");
    }
    assert_eq!(names(dir.path()), ["digest.key", "format", "lock"]);
}

#[test]
fn a_damaged_body_is_told_by_its_key_and_without_its_content() {
    let dir = tempfile::tempdir().unwrap();
    read_all(&open(dir.path()).pipeline("test").unwrap(), &[person(3, 0)], Absence::Believed);
    let file = redb::Database::open(dir.path().join("test.redb")).unwrap();
    let txn = file.begin_write().unwrap();
    let table = TableDefinition::<(u16, &str), &[u8]>::new("body");
    txn.open_table(table).unwrap().insert((0, "uh000003"), &b"Invented"[..]).unwrap();
    txn.commit().unwrap();
    drop(file);
    let text = open(dir.path()).pipeline("test").unwrap().body(OBSERVED, &key(3)).unwrap_err().to_string();
    assert!(text.contains("the body of account uh000003") && !text.contains("Invented"), "{text}");
}

#[test]
fn one_file_is_one_store_however_often_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (store.pipeline("test").unwrap(), store.pipeline("test").unwrap());
    one.put(OBSERVED, &schema(), &[person(1, 0)]).unwrap();
    let held = two.digests(OBSERVED).unwrap();
    assert_eq!(held.get(&crate::campus::key_digest(1)), Some(digest(&person(1, 0))));
    assert!(store.sources().unwrap().digests(OBSERVED).unwrap().is_empty());
    drop(one.snapshot(OBSERVED, &schema()).unwrap());
}
