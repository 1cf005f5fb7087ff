//! Whether what a pass is to leave behind can be written where it is wanted. Asked before anything is read:
//! a pass may take long, and what it made must not be lost for a mistyped path, nor replace somebody's file.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;

use super::args::PassArgs;
use super::exit::Failure;
use super::plan_file;
use super::private_file::{around, clear_left, probe};
use crate::plain::in_words;

/// Refuses places where `--out` and `--report-dir` cannot write, or must not.
pub(super) fn check(args: &PassArgs, store: &Path) -> Result<(), Failure> {
    args.out.as_deref().map_or(Ok(()), |path| plan(path, store))?;
    let Some(dir) = args.report_dir.as_deref() else { return Ok(()) };
    writable(dir, "--report-dir")?;
    clear_left(dir, is_report);
    Ok(())
}

/// A plan may be saved in a new file, or over an older saved plan.
fn plan(path: &Path, store: &Path) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("--out {}: {why}", path.display())));
    if path.as_os_str() == "-" {
        return refuse("a plan is saved in a file; for standard output there is --format json");
    }
    if path.file_name().is_none() {
        return refuse("name a file");
    }
    let dir = around(path);
    writable(&dir, "--out")?;
    if let (Ok(dir), Ok(store)) = (dir.canonicalize(), store.canonicalize())
        && dir.starts_with(store)
    {
        return refuse("it is in the store's directory; save the plan somewhere else");
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => refuse(&in_words(&error)),
        Ok(there) if there.is_dir() => refuse("it is a directory; name a file"),
        Ok(there) if there.is_symlink() => refuse("it is a symbolic link, which is not followed; name a file"),
        Ok(there) if !there.is_file() => refuse("it is no ordinary file"),
        Ok(_) if plan_file::read(path).is_err() => {
            refuse("there is a file that is no saved plan, and it is kept; name another")
        }
        Ok(_) => Ok(()),
    }
}

/// How a pipeline's report is called.
pub(super) fn report_name(pipeline: &str, at: Timestamp, run: &str) -> String {
    format!("{pipeline}-{}-{run}.json", at.strftime("%Y%m%d"))
}

/// Whether a name can be that of a report: `moodle-20260803-20260803T020000-5f1c09aa.json`.
fn is_report(name: &str) -> bool {
    let Some(name) = name.strip_suffix(".json") else { return false };
    let is = |part: &str, form: &str| {
        part.len() == form.len()
            && part.chars().zip(form.chars()).all(|(c, form)| match form {
                '0' => c.is_ascii_digit(),
                'f' => c.is_ascii_hexdigit(),
                form => c == form,
            })
    };
    let mut parts = name.rsplitn(4, '-');
    let mut next = |form: &str| parts.next().is_some_and(|part| is(part, form));
    next("ffffffff") && next("00000000T000000") && next("00000000") && parts.next().is_some()
}

/// Writing is tried: rights alone do not tell of a read-only or full file system.
fn writable(dir: &Path, option: &str) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("{option}: directory {}: {why}", dir.display())));
    match fs::metadata(dir) {
        Err(error) => return refuse(&in_words(&error)),
        Ok(there) if !there.is_dir() => return refuse("it is no directory"),
        Ok(_) => {}
    }
    probe(dir).or_else(|error| refuse(&format!("nothing can be written there: {}", in_words(&error))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    fn checked(out: &Path, store: &Path) -> Result<(), String> {
        let args = PassArgs { out: Some(out.to_owned()), ..PassArgs::default() };
        check(&args, store).map_err(|failure| {
            assert_eq!(failure.exit as u8, 64);
            failure.message
        })
    }

    #[test]
    fn a_plan_replaces_nothing_but_a_plan() {
        let dir = tempfile::tempdir().unwrap();
        let (store, at) = (dir.path().join("store"), |name: &str| dir.path().join(name));
        fs::create_dir(&store).unwrap();
        assert_eq!(checked(&at("new.json"), &store), Ok(()));

        fs::write(at("r.toml"), "[store]\n").unwrap();
        symlink(at("r.toml"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        symlink(&store, at("door")).unwrap();
        fs::write(store.join("key"), "k").unwrap();
        for (path, why) in [
            (at("r.toml"), "is no saved plan, and it is kept"),
            (at("link"), "symbolic link"),
            (at("dangling"), "symbolic link"),
            (at("store"), "is a directory"),
            (store.join("key"), "in the store's directory"),
            (store.join("new.json"), "in the store's directory"),
            (at("door/new.json"), "in the store's directory"),
            (at("none/new.json"), "there is no such file or directory"),
            (at("r.toml/new.json"), "it is no directory"),
            (PathBuf::from("/dev/null"), ""),
            (PathBuf::from("-"), "--format json"),
        ] {
            let refused = checked(&path, &store).expect_err(&path.display().to_string());
            assert!(refused.contains(why), "{refused}");
        }
        assert_eq!(fs::read(at("r.toml")).unwrap(), b"[store]\n");
        assert_eq!(fs::read(store.join("key")).unwrap(), b"k");
    }

    #[test]
    fn directories_are_tried_and_left_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let asked = |path: PathBuf| {
            let args = PassArgs { report_dir: Some(path), ..PassArgs::default() };
            check(&args, Path::new("store"))
        };
        assert_eq!(asked(dir.path().to_owned()), Ok(()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let report = report_name("moodle-courses", Timestamp::UNIX_EPOCH, "20260803T020000-5f1c09aa");
        for name in [format!("{report}.77.new"), "mine.json.77.new".into(), format!("x{report}.new")] {
            fs::write(dir.path().join(name), "half").unwrap();
        }
        assert_eq!(asked(dir.path().to_owned()), Ok(()));
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["mine.json.77.new".to_owned(), format!("x{report}.new")], "half a report is nobody's");
        assert!(asked(dir.path().join("none")).unwrap_err().message.contains("there is no such file or directory"));
    }
}
