//! What is lost, and what is damaged: claims come back from their copy, and no file takes the program down.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use reconcile_state::store::{Absence, Store, StoreDir, StoreError, silence_caught_panics};
use reconcile_state::{Claim, Key};

use crate::campus::{OBSERVED, fresh, key, open, people, person, read_all, schema};
use crate::journal::claim;

fn claims(numbers: std::ops::Range<u32>) -> BTreeMap<Key, Claim> {
    numbers.map(|n| (key(n), claim(&n.to_string()))).collect()
}

fn put(store: &Store, claims: BTreeMap<Key, Claim>) {
    store.put_claims("account", &claims.into_iter().map(|(key, claim)| (key, Some(claim))).collect()).unwrap();
}

/// A store with a pipeline of so many claims, copied, and its file lost.
fn lost(dir: &Path, count: u32) -> StoreDir {
    {
        let dir = open(dir);
        let store = dir.pipeline("test").unwrap();
        put(&store, claims(0..count));
        fs::create_dir(dir.path().join("claims")).unwrap();
        store.backup_claims(&dir.claims_copy("test")).unwrap();
        assert_eq!(store.restored_claims().unwrap(), None);
    }
    fs::remove_file(dir.join("test.redb")).unwrap();
    open(dir)
}

#[test]
fn claims_of_a_lost_file_come_back_from_their_copy() {
    let dir = tempfile::tempdir().unwrap();
    let copy = {
        let lost = lost(dir.path(), 50);
        let store = lost.pipeline("test").unwrap();
        assert_eq!(store.claims("account").unwrap(), claims(0..50));
        assert_eq!(store.restored_claims().unwrap(), Some(50));
        lost.claims_copy("test")
    };
    let text = fs::read(&copy).unwrap();
    let again = open(dir.path()).pipeline("test").unwrap();
    assert_eq!(again.restored_claims().unwrap(), Some(50), "it is known until something is done about it");
    again.backup_claims(&copy).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), text);
}

#[test]
fn a_copy_is_restored_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let lost = lost(dir.path(), 3);
    let copy = lost.claims_copy("test");
    let good = fs::read_to_string(&copy).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let (one, two) = (lines[0], lines[1]);
    let wrong = [
        (format!("{one}\n{}\n", &two[..two.len() - 9]), 2, "is no claim"),
        (format!("{one}\nInvented\n{two}\n"), 2, "is no claim"),
        (format!("{one}\n\n{two}\n"), 2, "is no claim"),
        (format!("\n{one}\n"), 1, "is no claim"),
        (format!("{one}\n{two}\n{}\n", one.replacen('{', "{\"more\":1,", 1)), 3, "is no claim"),
        (format!("{one}\n{two}\n{one}\n"), 3, "a second time"),
        (one.replace("uh000000", ""), 1, "has no kind or no key"),
    ];
    for (text, line, why) in wrong {
        fs::write(&copy, &text).unwrap();
        let refused = lost.pipeline("test").unwrap_err().to_string();
        assert!(refused.contains(copy.to_str().unwrap()) && refused.contains(why), "{refused}");
        assert!(refused.contains(&format!(": line {line} ")) && !refused.contains("Invented"), "{refused}");
        assert!(!dir.path().join("test.redb").exists() && !dir.path().join("test.redb.new").exists());
    }
    fs::write(&copy, good.trim_end()).unwrap();
    assert_eq!(lost.pipeline("test").unwrap().claims("account").unwrap(), claims(0..3));
}

#[test]
fn a_copy_with_many_claims_is_not_lost_to_one_with_few() {
    let (dir, store) = fresh();
    let copy = dir.path().join("test.jsonl");
    let count = |name: &str| fs::read_to_string(dir.path().join(name)).ok().map(|text| text.lines().count());
    let back_up = |held: u32| {
        let none = store.claims("account").unwrap().into_keys().map(|key| (key, None)).collect();
        store.put_claims("account", &none).unwrap();
        put(&store, claims(0..held));
        store.backup_claims(&copy).unwrap();
        (count("test.jsonl"), count("test.jsonl.1"))
    };
    assert_eq!(back_up(100), (Some(100), None));
    assert_eq!(back_up(50), (Some(50), None), "half may go");
    assert_eq!(back_up(100), (Some(100), None));
    assert_eq!(back_up(49), (Some(49), Some(100)));
    assert_eq!(back_up(3), (Some(3), Some(100)), "not by two steps either");
    assert_eq!(back_up(0), (Some(0), Some(100)));
    assert_eq!(back_up(80), (Some(80), Some(100)));
    assert_eq!(back_up(1), (Some(1), Some(80)), "one of about the same size is newer");
}

/// Everything the store does with a file.
fn use_all(dir: &Path) -> Result<(), StoreError> {
    let dir = StoreDir::open(dir, [42; 32])?;
    let store = dir.pipeline("test")?;
    store.digests(OBSERVED)?;
    store.for_each_body(OBSERVED, drop)?;
    store.claims("account")?;
    store.applied("account")?;
    store.meta::<String>("name")?;
    store.open_intents()?;
    store.journal(1, 1_000_000)?;
    let mut writer = store.snapshot(OBSERVED, &schema())?;
    for n in 0..200 {
        writer.see(&person(n, 1))?;
    }
    writer.finish(Absence::Believed)?;
    store.put_claims("account", &[(key(1), None)].into())?;
    store.fold()
}

#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    silence_caught_panics();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("test.redb");
    {
        let store = open(dir.path()).pipeline("test").unwrap();
        read_all(&store, &people(0..2000), Absence::Believed);
        put(&store, claims(0..2000));
    }
    let good = fs::read(&file).unwrap();
    use_all(dir.path()).unwrap();
    let mut refused = 0;
    for seed in 0..40_u32 {
        let mut bad = good.clone();
        // Random bytes over a fifth of the file, from anywhere behind its beginning.
        let mut noise = blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof();
        let from = 4096 + (good.len() - good.len() / 5 - 4096) / 40 * seed as usize;
        noise.fill(&mut bad[from..from + good.len() / 5]);
        fs::write(&file, &bad).unwrap();
        match use_all(dir.path()) {
            // What was overwritten was not in use.
            Ok(()) => {}
            Err(StoreError::Damaged { .. }) => refused += 1,
            Err(other) => panic!("{seed}: {other}"),
        }
    }
    assert!(refused > 10, "{refused}");
    fs::write(&file, &good).unwrap();
    use_all(dir.path()).unwrap();
}

#[test]
fn a_file_that_is_none_of_the_database_is_told_in_our_own_words() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, what) in [
        ("sources.redb", &b""[..], "empty"),
        ("test.redb", b"", "empty"),
        ("sources.redb", b"Invented text, long enough", "no file of one"),
        ("test.redb", b"redb\x1a\x0a\xa9\x0d\x0a", "the database is damaged"),
    ] {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        // A file alone makes no store.
        fs::write(dir.path().join("format"), "reconcile store 1\n").unwrap();
        fs::write(dir.path().join("digest.key"), "2a".repeat(32)).unwrap();
        let store = open(dir.path());
        let refused = if name == "sources.redb" { store.sources() } else { store.pipeline("test") };
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(what) && text.contains(file.to_str().unwrap()), "{text}");
        let next = if name == "sources.redb" { "it is a cache" } else { "claims/test.jsonl" };
        assert!(text.contains("move the file away") && text.contains(next) && !text.contains("Invented"), "{text}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
        fs::remove_file(file).unwrap();
    }
}

/// A store with a pipeline of so many claims, copied as after a pass.
fn copied(dir: &Path, count: u32) {
    let dir = open(dir);
    let store = dir.pipeline("test").unwrap();
    put(&store, claims(0..count));
    dir.copy_claims("test").unwrap();
}

#[test]
fn a_pipeline_that_had_claims_and_lost_them_is_not_taken_for_a_new_one() {
    let place = tempfile::tempdir().unwrap();
    copied(place.path(), 50);
    let (file, copy) = (place.path().join("test.redb"), place.path().join("claims/test.jsonl"));
    let good = fs::read_to_string(&copy).unwrap();
    fs::remove_file(&file).unwrap();
    let half: Vec<&str> = good.lines().take(24).collect();
    for (text, why) in [
        (None, "is not there either"),
        (Some(String::new()), "holds 0 claims"),
        (Some(half.join("\n")), "holds 24 claims"),
        (Some(format!("{good}x")), "line 51 is no claim"),
    ] {
        match &text {
            None => fs::remove_file(&copy).unwrap(),
            Some(text) => fs::write(&copy, text).unwrap(),
        }
        let dir = open(place.path());
        let refused = dir.pipeline("test").unwrap_err();
        assert!(refused.is_loss_of_claims() && !file.exists(), "{refused}");
        let said = refused.to_string();
        for words in [why, copy.to_str().unwrap(), "--rebuild-claims", "from the backup"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(dir.pipeline("other").is_ok(), "the others go on");
        drop(dir);
        let view = reconcile_state::store::StoreView::open(place.path()).unwrap().unwrap();
        assert_eq!(view.lost_claims("test").unwrap().unwrap().to_string(), said);
        assert!(view.lost_claims("other").unwrap().is_none());
    }
    fs::write(&copy, good.lines().take(25).collect::<Vec<_>>().join("\n")).unwrap();
    let older = open(place.path()).pipeline("test").unwrap();
    assert_eq!(older.claims("account").unwrap(), claims(0..25), "an older copy from the backup is one");
}

#[test]
fn it_is_known_that_a_pipeline_has_claims_before_its_first_copy_and_after_the_list_was_lost() {
    let place = tempfile::tempdir().unwrap();
    let list = place.path().join("claimed");
    {
        let dir = open(place.path());
        dir.pipeline("test").unwrap();
        assert!(!list.exists(), "it never had any");
        dir.expect_claims("test").unwrap();
    }
    fs::remove_file(place.path().join("test.redb")).unwrap();
    assert!(open(place.path()).pipeline("test").unwrap_err().is_loss_of_claims());
    fs::remove_file(&list).unwrap();
    copied(place.path(), 3);
    fs::remove_file(&list).unwrap();
    drop(open(place.path()).pipeline("test").unwrap());
    assert_eq!(fs::read_to_string(&list).unwrap(), "test 0\n");
    fs::write(&list, "??").unwrap();
    assert!(open(place.path()).pipeline("test").unwrap_err().to_string().contains("no list of pipelines"));
}

#[test]
fn lost_claims_begin_again_with_what_was_derived_and_with_nothing_half() {
    let place = tempfile::tempdir().unwrap();
    copied(place.path(), 50);
    fs::remove_file(place.path().join("test.redb")).unwrap();
    let copy = place.path().join("claims/test.jsonl");
    fs::write(&copy, "damaged").unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    fs::File::options().write(true).open(&copy).unwrap().set_modified(long_ago).unwrap();
    let dir = open(place.path());
    let derived = [("account", claims(0..7))].into();
    let values = [("name", serde_json::json!("value"))];
    let store = dir.begin_again("test", &derived, &values).unwrap();
    assert_eq!(store.claims("account").unwrap(), claims(0..7));
    assert_eq!(store.meta::<String>("name").unwrap().as_deref(), Some("value"));
    assert_eq!(store.restored_claims().unwrap(), None, "these are no copy's");
    assert_eq!(dir.drop_copies(1_000_000).unwrap(), 0, "it was put aside just now");
    assert_eq!(fs::read_to_string(place.path().join("claims/test.jsonl.refused")).unwrap(), "damaged");
    assert!(!copy.exists());
    assert!(dir.begin_again("test", &derived, &values).is_err(), "what is there is not begun again");
    dir.copy_claims("test").unwrap();
    assert_eq!(fs::read_to_string(place.path().join("claimed")).unwrap(), "test 7\n");
    assert_eq!(dir.pipeline("test").unwrap().claims("account").unwrap().len(), 7);
}

#[test]
fn a_copy_is_private_also_where_nothing_moved() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let place = tempfile::tempdir().unwrap();
    copied(place.path(), 2);
    let copy = place.path().join("claims/test.jsonl");
    let before = copy.metadata().unwrap();
    assert_eq!(before.permissions().mode() & 0o777, 0o600);
    open(place.path()).copy_claims("test").unwrap();
    assert_eq!(copy.metadata().unwrap().ino(), before.ino(), "an equal one is not written again");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
    open(place.path()).copy_claims("test").unwrap();
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}
