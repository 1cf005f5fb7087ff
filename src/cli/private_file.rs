//! Files that only their owner may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Whether a file that stands there may be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Existing {
    /// It may.
    Replace,
    /// It is kept, and writing fails.
    Keep,
}

/// Writes `bytes` as [`fill`] does.
pub(super) fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    fill(path, |file| file.write_all(bytes), existing)
}

/// Has a file written beside `path` and moves it there when it is durable. Nothing is left behind on failure; what a
/// process left that was killed here is removed by the next one that writes there.
pub(super) fn fill(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    existing: Existing,
) -> io::Result<()> {
    clear_left(&around(path), |name| path.file_name().is_some_and(|own| own == name));
    let beside = beside(path);
    // Locked for as long as it stands there, so that others leave it.
    let mut file = begin(&beside)?;
    let filled = fill(&mut file).and_then(|()| file.sync_all());
    let written = filled.and_then(|()| match existing {
        Existing::Replace => fs::rename(&beside, path),
        // A link is made or refused in one step; a look beforehand would race.
        Existing::Keep => fs::hard_link(&beside, path),
    });
    // After a rename there is nothing to remove.
    let _ = fs::remove_file(&beside);
    written
}

/// Tries whether a file can be written in a directory, and leaves none.
pub(super) fn probe(dir: &Path) -> io::Result<()> {
    clear_left(dir, |name| name == PROBE);
    let beside = beside(&dir.join(PROBE));
    let tried = begin(&beside).and_then(|file| file.sync_all());
    let removed = fs::remove_file(&beside);
    tried.and(removed)
}

const PROBE: &str = ".reconcile";

/// The directory of a file.
pub(super) fn around(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    beside.into()
}

fn begin(beside: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        file.lock()?;
        // Somebody who clears away may have come between the two.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Removes what processes left that were killed while they wrote files of these names: nobody holds it any more.
/// What cannot be removed stays.
pub(super) fn clear_left(dir: &Path, is_ours: impl Fn(&str) -> bool) {
    for entry in dir.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let part = name.to_str().and_then(|name| name.strip_suffix(".new")?.rsplit_once('.'));
        let is_left = |(name, pid): (&str, &str)| pid.parse::<u32>().is_ok() && is_ours(name);
        if part.is_some_and(is_left)
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_kept_or_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, b"one", Existing::Keep).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&path, b"two", Existing::Keep).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(write(&dir.path().join("no/f"), b"x", Existing::Keep).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_being_written_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let own = format!("f.{}.new", std::process::id());
        for name in [own.as_str(), "f.1.new", "f.2.new", "g.1.new", "f.new", "f.x.new"] {
            fs::write(at(name), "half").unwrap();
        }
        let held = File::open(at("f.2.new")).unwrap();
        held.lock().unwrap();
        write(&at("f"), b"whole", Existing::Keep).unwrap();
        probe(dir.path()).unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["f", "f.2.new", "f.new", "f.x.new", "g.1.new"]);
        drop(held);
        clear_left(dir.path(), |name| name == "f");
        assert_eq!(names(), ["f", "f.new", "f.x.new", "g.1.new"]);
    }
}
