//! Ways to the servers: TLS, wrong credentials, servers that are not there, tables that are missing.

use std::path::Path;
use std::process::Command;

use crate::rig::{Rig, Run};
use crate::slapd::silent_port;

#[test]
fn the_directory_is_reached_by_ldaps_and_by_starttls() {
    let mut rig = Rig::new(80, 60);
    rig.run(&["--plan"]).expect(2);
    let (tls, plain) = (rig.slapd.tls_url(), rig.slapd.url());
    rig.reconfigure(&format!("url = \"{tls}\"\n"), &format!("url = \"{plain}\"\nstarttls = true\n"));
    rig.run(&["--plan"]).expect(2);
    assert_eq!(rig.run(&["--yes"]).expect(0).err, "");
}

fn refused(rig: &Rig, run: Run, code: i32, words: &[&str]) {
    let run = run.expect(code);
    assert_eq!(run.out, "", "an error is no result");
    assert!(run.err.lines().count() <= 2, "an error is one line\n{}", run.err);
    run.says(words).gives_nobody_away(rig);
}

#[test]
fn a_directory_that_cannot_be_trusted_or_reached_is_an_error() {
    let mut rig = Rig::loaded(81, 60);
    let before = rig.outside();
    another_ca(&rig.path("other.crt"));
    let (right, wrong) = (rig.slapd.ca_file().display().to_string(), rig.path("other.crt").display().to_string());
    rig.reconfigure(&right, &wrong);
    refused(&rig, rig.run(&["--yes"]), 1, &["LDAP_CONNECTION_FAILED", "certificate"]);
    rig.reconfigure(&wrong, "/nonexistent/ca.crt");
    refused(&rig, rig.run(&["--yes"]), 78, &["/nonexistent/ca.crt"]);
    rig.reconfigure("/nonexistent/ca.crt", &right);

    rig.secret("wrong", "Forgotten-4711");
    let file = format!("file:{}", rig.path("wrong").display());
    rig.reconfigure("env:REAL_PORTAL_PASSWORD", &file);
    let run = rig.run(&["--yes"]);
    assert!(!run.text().contains("Forgotten-4711"));
    refused(&rig, run, 1, &["LDAP_CONNECTION_FAILED", "bind was refused"]);
    rig.reconfigure(&file, "env:NOT_SET_ANYWHERE");
    refused(&rig, rig.run(&["--yes"]), 78, &["NOT_SET_ANYWHERE"]);
    rig.reconfigure("env:NOT_SET_ANYWHERE", "Forgotten-4711");
    let run = rig.run(&["--yes"]);
    assert!(!run.text().contains("Forgotten-4711"));
    refused(&rig, run, 78, &["a secret is given as"]);
    rig.reconfigure("Forgotten-4711", "env:REAL_PORTAL_PASSWORD");

    rig.nothing_was_written(&before);
    let url = rig.slapd.tls_url();
    let silent = format!("ldaps://127.0.0.1:{}", silent_port());
    rig.reconfigure(&url, &silent);
    refused(&rig, rig.run(&["--yes"]), 1, &["LDAP_CONNECTION_FAILED"]);
    rig.reconfigure(&silent, &url);
    rig.nothing_was_written(&before);
    rig.run(&["--plan"]).expect(0);
}

#[test]
fn a_metavault_that_is_missing_or_lacks_a_table_is_an_error() {
    let mut rig = Rig::loaded(82, 60);
    let before = rig.outside();
    rig.reconfigure("metavault.db", "no-such.db");
    refused(&rig, rig.run(&["--yes"]), 1, &["METAVAULT_CONNECTION_FAILED"]);
    assert!(!rig.path("no-such.db").exists(), "a source is not made by reading it");
    rig.reconfigure("no-such.db", "metavault.db");
    rig.nothing_was_written(&before);
    rig.sql("DROP TABLE mv_org");
    let before = rig.outside();
    refused(&rig, rig.run(&["--yes"]), 1, &["METAVAULT_SCHEMA_MISMATCH", "mv_org"]);
    rig.nothing_was_written(&before);
    std::fs::write(rig.path("metavault.db"), "no database, but long enough to be taken for one".repeat(200)).unwrap();
    let _ = std::fs::remove_file(rig.path("metavault.db-wal"));
    refused(&rig, rig.run(&["--yes"]), 1, &["METAVAULT_"]);
}

#[test]
fn a_site_that_is_not_there_ends_its_pipeline() {
    let mut rig = Rig::loaded(83, 60);
    let before = rig.outside();
    let (url, silent) = (rig.moodle.base_url(), format!("http://127.0.0.1:{}", silent_port()));
    rig.reconfigure(&url, &silent);
    let run = rig.run(&["--yes"]).expect(1);
    run.says(&["MOODLE_CONNECTION_FAILED"]).gives_nobody_away(&rig);
    rig.reconfigure(&silent, &url);
    rig.secret("token", "0123456789abcdef0123456789abcdef");
    let run = rig.run(&["--yes"]).expect(1);
    run.says(&["MOODLE_TOKEN_FAILED"]).gives_nobody_away(&rig);
    assert!(!run.text().contains("0123456789abcdef"));
    rig.nothing_was_written(&before);
}

/// A certificate authority that signed nothing here.
pub fn another_ca(path: &Path) {
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=another CA", "-keyout", "/dev/null", "-out"])
        .arg(path)
        .output()
        .unwrap();
    assert!(done.status.success());
}
