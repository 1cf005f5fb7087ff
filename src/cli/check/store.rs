//! The store: whether it is there, whose it is, and whether it can be read. It is looked at and let go at once, so
//! that no pass waits for a slow target.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reconcile_state::store::{StoreError, StoreView};

use crate::engine::IDENTITY;
use crate::model::Check;
use crate::targets::port::Identity;

/// Looks at the store of these pipelines; gives the findings, and which target each remembers.
pub fn look(path: &Path, pipelines: &[&'static str]) -> (Vec<Check>, BTreeMap<&'static str, Identity>) {
    let mut remembered = BTreeMap::new();
    let checks = match StoreView::open(path) {
        Ok(None) => vec![to_be_made(path)],
        Ok(Some(view)) => {
            let mut checks = vec![Check::good("place", path.display().to_string()), owner(path)];
            if let Err(error) = view.sources() {
                checks.push(refused("sources", &error));
            }
            checks.extend(pipelines.iter().map(|name| pipeline(&view, name, &mut remembered)));
            checks
        }
        Err(error) => vec![refused("place", &error)],
    };
    (checks, remembered)
}

/// Where there is none yet, it must be possible to make it.
fn to_be_made(path: &Path) -> Check {
    let what = "place";
    match path.ancestors().skip(1).find(|above| above.exists() || above.as_os_str().is_empty()) {
        Some(above) if !above.as_os_str().is_empty() && !above.is_dir() => Check::problem(
            what,
            format!("{}: {} is no directory", path.display(), above.display()),
            "name another directory as `path` in [store]",
        ),
        _ => Check::good(what, format!("{} will be made at the first run", path.display())),
    }
}

fn owner(path: &Path) -> Check {
    let what = "permissions";
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return refused(what, &StoreError::Io { path: path.to_owned(), source: error }),
    };
    let (mode, uid) = (metadata.mode() & 0o777, metadata.uid());
    let found = format!("mode {mode:o}, of user id {uid}");
    let others = mode & 0o077;
    if others == 0 {
        return Check::good(what, found);
    }
    let fix = format!("chmod 700 {}; where the account may, the next pass does so", path.display());
    Check::warning(what, format!("others may enter: {found}"), fix)
}

fn pipeline(view: &StoreView, name: &'static str, remembered: &mut BTreeMap<&'static str, Identity>) -> Check {
    let copy = view.claims_copy(name);
    if let Some(error) = view.lost_claims(name).unwrap_or_else(Some) {
        return refused(name, &error);
    }
    let store = match view.pipeline(name) {
        Err(error) => return refused(name, &error),
        Ok(None) if copy.exists() => {
            return Check::warning(
                name,
                format!("the file of this pipeline is not there; its claims will come back from {}", copy.display()),
                "restore the file from the backup, or run a plan and read it: what differs is listed as at a first meeting",
            );
        }
        Ok(None) => return Check::good(name, "nothing remembered yet"),
        Ok(Some(store)) => store,
    };
    let read = || Ok((store.meta::<Identity>(IDENTITY)?, store.open_intents()?.len(), store.journal_back(None, 1)?));
    let (identity, open, last) = match read() {
        Err(error) => return refused(name, &error),
        Ok(read) => read,
    };
    let acted = identity.is_some();
    remembered.extend(identity.map(|identity| (name, identity)));
    if acted && !copy.exists() {
        return Check::warning(
            name,
            format!("there is no copy of the claims at {}", copy.display()),
            "the next pass that acts makes it; include it in the backup",
        );
    }
    let entries = last.first().map_or(0, |(number, _)| *number);
    let doubt = match open {
        0 => String::new(),
        _ => format!(", writes without an outcome: {open} (`reconcile journal --open` lists them)"),
    };
    let due = match store.is_to_be_rewritten() {
        Ok(true) => ", the file is written anew by the next pass",
        _ => "",
    };
    Check::good(name, format!("{entries} entries in the journal so far{doubt}{due}"))
}

/// The store says what is wrong and, after the first semicolon, what to do.
fn refused(what: &str, error: &StoreError) -> Check {
    let text = error.to_string();
    let (found, fix) = text.split_once("; ").unwrap_or((&text, "see the message"));
    match error {
        // It works, and is done with soon.
        StoreError::Locked { .. } | StoreError::ReadOnly { .. } => Check::warning(what, found, fix),
        _ => Check::problem(what, found, fix),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use reconcile_state::store::StoreDir;

    use super::*;
    use crate::model::Level;

    const TOY: [&str; 1] = ["toy"];

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        (dir, path)
    }

    fn identity() -> Identity {
        Identity { id: "a".into(), title: "Site".into(), warnings: Vec::new() }
    }

    #[test]
    fn a_store_that_is_not_there_yet_is_not_made() {
        let (dir, path) = place();
        let (checks, _) = look(&path, &TOY);
        assert_eq!(checks, [Check::good("place", format!("{} will be made at the first run", path.display()))]);
        assert!(!path.exists());
        fs::write(dir.path().join("file"), "x").unwrap();
        let (checks, _) = look(&dir.path().join("file/store"), &TOY);
        assert_eq!(checks[0].level, Level::Problem);
    }

    #[test]
    fn what_is_remembered_is_told_and_given_on() {
        let (_dir, path) = place();
        let store = StoreDir::open(&path, [7; 32]).unwrap();
        let toy = store.pipeline("toy").unwrap();
        let copy = store.claims_copy("toy");
        drop((toy, store));
        assert_eq!(
            look(&path, &["toy", "other"]).0.iter().map(|check| check.found.as_str()).skip(2).collect::<Vec<_>>(),
            ["0 entries in the journal so far", "nothing remembered yet"]
        );
        let store = StoreDir::open(&path, [7; 32]).unwrap();
        store.pipeline("toy").unwrap().set_meta(IDENTITY, &identity()).unwrap();
        drop(store);
        let (checks, remembered) = look(&path, &TOY);
        assert_eq!(
            (checks[2].level, remembered),
            (Level::Warning, [("toy", identity())].into()),
            "no copy: {checks:?}"
        );
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::write(&copy, "").unwrap();
        assert_eq!(look(&path, &TOY).0[2].level, Level::Good);
        fs::remove_file(path.join("toy.redb")).unwrap();
        assert!(look(&path, &TOY).0[2].found.contains("come back from"));
        fs::write(path.join("toy.redb"), "no database").unwrap();
        let (checks, _) = look(&path, &TOY);
        assert_eq!(checks[2].level, Level::Problem);
        assert!(checks[2].fix.as_ref().unwrap().starts_with("move the file away"), "{checks:?}");
    }

    #[test]
    fn others_who_may_enter_and_a_pass_that_runs_are_told_of() {
        let (_dir, path) = place();
        let held = StoreDir::open(&path, [7; 32]).unwrap();
        let (checks, _) = look(&path, &TOY);
        assert_eq!((checks.len(), checks[0].level), (1, Level::Warning));
        assert!(checks[0].found.contains("in use by process"), "{checks:?}");
        drop(held);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let (checks, _) = look(&path, &TOY);
        assert_eq!(checks[1].level, Level::Warning);
        assert!(checks[1].found.contains("mode 755"), "{checks:?}");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o755, "looking tightens nothing");
    }
}
