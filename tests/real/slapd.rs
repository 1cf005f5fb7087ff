//! A real `slapd` for one test: started through `tests/servers/slapd.sh`, stopped by its pid file, also when
//! the test fails. Clients are the OpenLDAP tools, so that nothing of the program's own client is trusted here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::rig::until;

/// Password of the administrator of the tree.
const ADMIN: [&str; 4] = ["-D", "cn=admin,dc=meta", "-w", "secret"];

/// A running directory.
pub struct Slapd {
    dir: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Slapd {
    /// Starts one in `dir`, with these entries.
    pub fn start(dir: &Path, ldif: &Path) -> Self {
        installed(&["slapd", "ldapsearch", "openssl"]);
        // A free port may be taken by somebody else before slapd binds it.
        for _ in 0..5 {
            let mut slapd = Self { dir: dir.to_owned(), port: free_port(), tls_port: free_port() };
            if slapd.up(&[], Some(ldif)) {
                return slapd;
            }
        }
        panic!("slapd does not start; see {}", dir.join("out").display());
    }

    /// Stops it and starts it again on the same ports, with these settings of `slapd.sh`.
    pub fn restart(&mut self, settings: &[(&str, &str)]) {
        self.stop();
        assert!(self.up(settings, None), "slapd does not start again; see {}", self.dir.join("out").display());
    }

    /// Stops it; its ports refuse connections afterwards.
    pub fn stop(&self) {
        let Ok(pid) = fs::read_to_string(self.dir.join("slapd.pid")) else { return };
        let pid = pid.trim().to_owned();
        if Command::new("kill").arg(&pid).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            until("slapd has ended", || ended(&pid));
        }
    }

    fn up(&mut self, settings: &[(&str, &str)], ldif: Option<&Path>) -> bool {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/slapd.sh");
        let mut command = Command::new(script);
        command.arg(&self.dir).arg(self.port.to_string()).arg(self.tls_port.to_string()).args(ldif);
        command.envs(settings.iter().copied()).stdin(Stdio::null());
        let done = command.output().unwrap();
        done.status.success()
    }

    /// `ldap://`, in the clear until StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// `ldaps://`.
    pub fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// The CA that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// Every entry with its entryCSN, in an order of its own: equal texts, nothing was written.
    pub fn csns(&self) -> String {
        let out = self.tool(
            "ldapsearch",
            &["-LLL", "-o", "ldif-wrap=no", "-b", "dc=meta", "(objectClass=*)", "entryCSN"],
            "",
        );
        let mut entries: Vec<&str> = out.split("\n\n").collect();
        entries.sort_unstable();
        assert!(entries.len() > 3, "an empty directory proves nothing");
        entries.join("\n")
    }

    /// Values of these attributes, by UH-ID and attribute.
    pub fn values(&self, attributes: &[&str]) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        let mut args = vec!["-LLL", "-o", "ldif-wrap=no", "-b", "dc=meta", "(objectClass=idautoPerson)", "idautoID"];
        args.extend(attributes);
        let mut people = BTreeMap::new();
        for entry in self.tool("ldapsearch", &args, "").split("\n\n") {
            let pairs: Vec<(&str, &str)> = entry.lines().filter_map(|line| line.split_once(": ")).collect();
            let Some((_, uhid)) = pairs.iter().find(|(name, _)| *name == "idautoID") else { continue };
            let values: &mut BTreeMap<String, BTreeSet<String>> = people.entry((*uhid).to_owned()).or_default();
            for (name, value) in pairs {
                values.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
        }
        people
    }

    /// Applies LDIF changes.
    pub fn modify(&self, ldif: &str) {
        self.tool("ldapmodify", &[], ldif);
    }

    /// Deletes entries by DN.
    pub fn delete<'d>(&self, dns: impl Iterator<Item = &'d str>) {
        let changes: Vec<String> = dns.map(|dn| format!("dn: {dn}\nchangetype: delete\n")).collect();
        self.modify(&changes.join("\n"));
    }

    fn tool(&self, tool: &str, args: &[&str], input: &str) -> String {
        let mut command = Command::new(tool);
        command.args(["-x", "-H", &self.url()]).args(ADMIN).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        assert!(status.success(), "{tool}: {}", String::from_utf8_lossy(&stderr));
        feeder.join().unwrap().unwrap();
        String::from_utf8(stdout).unwrap()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Gone, or only waiting for somebody to take note of it.
pub fn ended(pid: &str) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// Below the ports that the system hands out by itself: one of those may go to any connection before it is used.
fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let next = || TAKEN.fetch_add(1, Ordering::Relaxed) + std::process::id() * 61;
    let mut ports = std::iter::repeat_with(|| u16::try_from(10_000 + next() % 22_000).unwrap());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// A port of the loopback on which nobody listens.
pub fn silent_port() -> u16 {
    free_port()
}

/// Installs the servers where one of these programs is missing.
pub fn installed(tools: &[&str]) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let there = |tool: &&str| std::env::split_paths(&path).any(|dir| dir.join(tool).exists());
    if !tools.iter().all(there) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/install.sh");
        assert!(Command::new(script).status().unwrap().success(), "{tools:?} cannot be installed");
    }
}
