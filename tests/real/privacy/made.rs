//! Files that the program makes are their owner's alone, whatever the surroundings allow, and so is its memory.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::rig::Rig;

/// Every file and folder below a path, with its permission bits.
fn modes(path: &Path) -> Vec<(PathBuf, u32)> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mut all = vec![(path.to_owned(), metadata.permissions().mode() & 0o7777)];
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            all.extend(modes(&entry.unwrap().path()));
        }
    }
    all
}

/// Holds that all of these are their owner's alone; gives their names.
#[track_caller]
fn private(rig: &Rig, paths: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    for (path, mode) in paths.iter().flat_map(|path| modes(&rig.path(path))) {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        names.push(path.strip_prefix(rig.path("")).unwrap().display().to_string());
    }
    names
}

#[test]
fn every_file_that_is_made_or_replaced_is_its_owners_alone_under_any_umask() {
    for (seed, umask) in [(132, "000"), (133, "077")] {
        let rig = Rig::new(seed, 60);
        let script = format!("umask {umask}; exec \"$@\"");
        let run = |rig: &Rig, args: &[&str], code: i32| {
            drop(rig.start_through(&["sh", "-c", &script, "sh"], args).end().expect(code));
        };
        let path = rig.path("fresh.toml").display().to_string();
        run(&rig, &["init", "--config", &path], 0);
        private(&rig, &["fresh.toml"]);
        run(&rig, &["--plan", "--out", "plan.json"], 2);
        private(&rig, &["plan.json", "store"]);
        fs::create_dir(rig.path("reports")).unwrap();
        fs::set_permissions(rig.path("reports"), PermissionsExt::from_mode(0o700)).unwrap();
        run(&rig, &["--approve", "plan.json", "--report-dir", "reports"], 0);
        assert_eq!(private(&rig, &["reports"]).len(), 2, "a report");
        run(&rig, &["--yes"], 0);
        // What somebody opened to others is closed where it is written anew.
        fs::set_permissions(rig.path("plan.json"), PermissionsExt::from_mode(0o666)).unwrap();
        run(&rig, &["--plan", "--out", "plan.json"], 0);
        private(&rig, &["plan.json"]);
        let copy = rig.path("store/claims/moodle.jsonl");
        // A copy that cannot be believed is put aside, and claims are begun again.
        fs::remove_file(rig.path("store/moodle.redb")).unwrap();
        fs::write(copy, "torn").unwrap();
        run(&rig, &["--rebuild-claims", "--yes"], 0);
        // Another site: the former one's claims are copied aside.
        rig.world().edit_plan(|plan| plan.site_url = Some("https://another.example".into()));
        run(&rig, &["--yes", "--adopt"], 0);
        let all = private(&rig, &["store"]);
        for part in
            ["/lock", "/format", "/digest.key", "/claimed", "/sources.redb", "/moodle.redb", ".refused", "-before-"]
        {
            assert!(all.iter().any(|name| name.contains(part)), "{part} is not among {all:?}");
        }
    }
}

/// Somebody without any privilege: ourselves, or nobody where we have some.
struct Account(Option<u32>);

impl Account {
    fn new() -> Self {
        Self(nix::unistd::geteuid().is_root().then_some(65534))
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some(id) = self.0 {
            command.uid(id).gid(id);
        }
        command
    }

    fn own(&self, path: &Path) {
        std::os::unix::fs::chown(path, self.0, self.0).unwrap();
    }

    /// Whether another process of the account sees with which secrets this one was started.
    fn sees(&self, process: &Child) -> bool {
        let environment = format!("/proc/{}/environ", process.id());
        let seen = self.command("cat").arg(environment).output().unwrap();
        assert_eq!(seen.status.success(), !seen.stdout.is_empty());
        seen.status.success()
    }
}

#[test]
fn no_other_process_of_the_account_looks_into_memory_and_no_core_is_left_of_it() {
    let (account, place) = (Account::new(), tempfile::tempdir().unwrap());
    let program = place.path().join("reconcile");
    fs::copy(env!("CARGO_BIN_EXE_reconcile"), &program).unwrap();
    let site = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = place.path().join("reconcile.toml");
    let text = format!(
        "[store]\npath = \"store\"\n[institution]\nnumber = \"185\"\nname = \"T\"\nmail_domain = \"u.example\"\n\
         [portal_ldap]\nurl = \"ldaps://127.0.0.1:1\"\nbind_dn = \"cn=r\"\npassword = \"env:SEALED\"\n\
         [metavault]\nurl = \"sqlite:///nonexistent/mv.db\"\n\
         [moodle]\nurl = \"http://{}\"\ntoken = \"env:SEALED\"\nauth = \"oidc\"\n",
        site.local_addr().unwrap()
    );
    fs::write(&config, text).unwrap();
    [place.path(), &program, &config].into_iter().for_each(|path| account.own(path));
    let begin = |words: &[&std::ffi::OsStr]| {
        let mut command = account.command("sh");
        command.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"]).args(words);
        command.current_dir(place.path()).env("SEALED", "sealed").stdout(Stdio::null()).spawn().unwrap()
    };
    let mut other = begin(&["sleep".as_ref(), "600".as_ref()]);
    let mut process = begin(&[program.as_ref(), "--config".as_ref(), config.as_ref(), "--plan".as_ref()]);
    // It holds its secrets by now, and waits for an answer.
    let (mut asked, _) = site.accept().unwrap();
    asked.read_exact(&mut [0]).unwrap();
    let seen = (account.sees(&other), account.sees(&process));
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    let abort = Command::new("kill").args(["-s", "ABRT", &process.id().to_string()]).status().unwrap();
    let ended = process.wait().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(seen, (true, false), "what anybody else's process shows, and this one");
    assert_eq!(cores.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{cores}");
    assert!(abort.success() && ended.signal() == Some(6) && !ended.core_dumped(), "{ended}");
    let left = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("core")));
}
