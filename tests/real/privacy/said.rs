//! What servers say: whatever they put into an error, an answer or a row in the wrong place is not repeated.

use std::io::{Read, Write};
use std::net::TcpListener;

use jiff::Timestamp;
use reconcile::sim::campus::CampusPlan;
use reconcile::sim::faults::{Fault as LdapFault, Operation, Refusal, Times};
use reconcile::sim::ldap::{Directory, DirectoryPlan};
use reconcile::targets::moodle::sim::{Fault, SitePlan};

use super::{planted, somebody};
use crate::rig::{CREATE, REPORT, Rig, UPDATE};

const SITE_INFO: &str = "core_webservice_get_site_info";
const BY_FIELD: &str = "core_user_get_users_by_field";

#[test]
fn whatever_a_site_answers_is_not_repeated() {
    let rig = Rig::loaded(134, 60);
    let watch = planted(&rig);
    let all = watch.everything();
    let refused =
        |code: &str| format!(r#"{{"exception":"{all}","errorcode":"{code}","message":"{all}","debuginfo":"{all}"}}"#);
    let words = ["plantsladre77", "889977553311", rig.moodle.token(), "invalidparameter", &all];
    let mut said: Vec<(u16, String)> = words.iter().map(|code| (200, refused(code))).collect();
    said.extend([
        (200, all.clone()),
        (200, format!("<html>{all}</html>")),
        (200, format!("\"{all}\"")),
        (200, format!(r#"[{{"id":"{all}","username":1,"{all}":2}}]"#)),
        (200, format!(r#"{{"warnings":[{{"item":"{all}","warningcode":"{all}","message":"{all}"}}]}}"#)),
        (200, format!(r#"{{"{all}":1}}"#)),
        (200, format!(r#"{{"userid":"{all}","functions":"{all}"}}"#)),
        (400, all.clone()),
        (404, format!("<html>{all}</html>")),
    ]);
    let functions = [Some(SITE_INFO), Some(REPORT), Some(BY_FIELD), Some(CREATE), Some(UPDATE)];
    for (at, (status, body)) in said.into_iter().enumerate() {
        // Each body is said by one function; by all of them while nothing is written.
        rig.world().edit_user(rig.managed()[0].id, |user| user.department = format!("by hand {at}"));
        rig.faults().always(functions[at % 5], Fault::Says(status, body.clone()));
        watch.careless(&rig, &["--yes", "-vvv", "--format", "json"]);
        rig.faults().clear();
        rig.faults().always(None, Fault::Says(status, body));
        watch.careless(&rig, &["check", "-vvv"]);
        rig.faults().clear();
    }
    rig.faults().next(1, None, Fault::Says(500, all.clone()));
    watch.careless(&rig, &["--yes", "-vvv"]);
    assert!(rig.world().edit_report(1, |report| report.headers = Some(vec![all.clone(); 9])));
    watch.careless(&rig, &["--yes", "-vvv"]).expect(5);
    watch.careless(&rig, &["check", "-vvv"]);
    watch.files(&rig);
}

#[test]
fn whatever_a_directory_says_is_not_repeated() {
    let mut rig = Rig::new(135, 60);
    let watch = planted(&rig);
    let all = watch.everything();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plan = DirectoryPlan::portal(Timestamp::now()).with(rig.campus.ldap_entries());
    let directory = runtime.block_on(Directory::start(plan)).unwrap();
    let (mut url, other) = (rig.slapd.tls_url(), directory.url());
    rig.reconfigure("[guard]", "[portal]\n\n[guard]");
    rig.reconfigure(&format!("ca_file = \"{}\"\n", rig.slapd.ca_file().display()), "");
    rig.reconfigure(&url, &other);
    url = other;
    directory.faults().play(LdapFault::Explain(all.clone()), Times::Always);
    for operation in [Operation::Bind, Operation::Read, Operation::Write] {
        for refusal in [Refusal::Unwilling, Refusal::Forbidden, Refusal::Internal] {
            directory.faults().clear();
            directory.faults().play(LdapFault::Explain(all.clone()), Times::Always);
            directory.faults().play(LdapFault::Refuse(operation, refusal), Times::Always);
            watch.careless(&rig, &["--yes", "-vvv", "--format", "json"]);
            watch.careless(&rig, &["check", "-vvv"]);
        }
    }
    assert!(directory.faults().played() > 9);
    directory.faults().clear();
    for fault in [LdapFault::Referral(format!("ldap://{}/", rig.moodle.token())), LdapFault::NotUtf8("sn".into())] {
        directory.faults().play(fault, Times::Always);
        watch.careless(&rig, &["--yes", "-vvv"]);
        directory.faults().clear();
    }
    watch.files(&rig);
    // Neither text nor any other that the protocol allows: the protocol library panics on it, quoting the bytes.
    let garbled = garbled(&all);
    rig.reconfigure(&url, &garbled);
    for args in [&["--yes", "-vvv"][..], &["check", "-vvv"]] {
        let run = watch.careless(&rig, args).expect(1);
        run.says(&["cannot be decoded"]);
    }
}

/// A directory that answers everything with success and bytes that are no text.
fn garbled(words: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let message = [words.as_bytes(), &[0xff]].concat();
    // Ends with the process.
    std::thread::spawn(move || {
        let long = |of: &[u8]| [&[0x82][..], &u16::try_from(of.len()).unwrap().to_be_bytes(), of].concat();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            while let Ok(1..) = stream.read(&mut asked) {
                let text = [&[0x04][..], &long(&message)].concat();
                let result = [&[0x0a, 1, 0, 0x04, 0][..], &text].concat();
                let bound = [&[0x02, 1, 1, 0x61][..], &long(&result)].concat();
                if stream.write_all(&[&[0x30][..], &long(&bound)].concat()).is_err() {
                    break;
                }
            }
        }
    });
    url
}

#[test]
fn whatever_stands_in_metavault_is_not_repeated() {
    let rig = Rig::loaded(136, 60);
    let watch = planted(&rig);
    let all = watch.everything();
    let runs = || {
        watch.careless(&rig, &["check", "-vvv"]);
        watch.careless(&rig, &["--yes", "-vvv", "--format", "json"])
    };
    let uhid = somebody(&rig).uhid;
    rig.sql(&format!("UPDATE mv_person SET student_no = CAST(x'ff' || '{all}' AS TEXT) WHERE lower(uhid) = '{uhid}'"));
    watch.careless(&rig, &["--yes", "-vvv"]);
    rig.sql("UPDATE mv_person SET student_no = NULL");
    rig.sql(&format!("UPDATE mv_semester SET year = '{all}' || year"));
    runs();
    rig.sql(&format!("UPDATE mv_semester SET year = CAST(replace(year, '{all}', '') AS INTEGER)"));
    rig.sql(&format!("ALTER TABLE mv_org RENAME COLUMN acronym TO \"{all}\""));
    runs().expect(1);
    let mut bytes = std::fs::read(rig.path("metavault.db")).unwrap();
    let at = bytes.len() / 4;
    bytes[at..].iter_mut().zip(all.bytes().cycle()).for_each(|(byte, other)| *byte = other);
    std::fs::write(rig.path("metavault.db"), bytes).unwrap();
    runs().expect(1);
    watch.files(&rig);
}

#[test]
fn whatever_a_server_of_metavault_says_is_not_repeated() {
    let rig = Rig::on_postgres(&CampusPlan::new(137, 60), SitePlan::default());
    let watch = planted(&rig);
    let uhid = somebody(&rig).uhid;
    watch.careless(&rig, &["--yes", "-vvv"]).expect(0);
    let server = rig.postgres.as_ref().unwrap();
    server.sql("ALTER TABLE mv_person RENAME TO masters");
    let columns = "uhid, source_system, source_id, uhun, status, eppn, employee_no, student_no, fs_personlopenr, first_name, last_name, fnr, birthdate, start_date, end_date, main_org, email, mobile, language, reservation, fagperson, dfo_brukerident, updated_at";
    let told = format!(
        "CREATE FUNCTION tell(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', $1 USING DETAIL = $1, \
         HINT = $1, ERRCODE = 'P0001'; END $$; SELECT 1 FROM masters WHERE uhid = '{uhid}'"
    );
    server.sql(&told);
    for says in ["(fnr || last_name)::int::text", "tell(fnr || ' ' || last_name || ' ' || email)"] {
        server.sql(&format!(
            "DROP VIEW IF EXISTS mv_person; CREATE VIEW mv_person AS SELECT {columns}, CASE WHEN lower(uhid) = '{uhid}' \
             THEN {says} ELSE campus END AS campus FROM masters"
        ));
        for args in [&["--yes", "-vvv"][..], &["--plan", "--format", "json"], &["check", "-vvv"]] {
            let run = watch.careless(&rig, args);
            assert!(run.code == 1 || args[0] == "check", "{}", run.text());
        }
    }
    watch.files(&rig);
}
