//! The SQLite reader against databases made here with the read model's DDL.

use super::*;
use crate::model::Level;
use crate::model::person::vault as v;
use crate::sources::SourceErrorKind;
use crate::sources::port::{Finding, reason};

const DDL: &str = "
CREATE TABLE mv_semester (id TEXT PRIMARY KEY, year INTEGER NOT NULL, term TEXT NOT NULL, starts_on TEXT NOT NULL,
  ends_on TEXT NOT NULL);
CREATE TABLE mv_org (id TEXT PRIMARY KEY, parent_id TEXT, acronym TEXT NOT NULL, name_nb TEXT NOT NULL, name_en TEXT,
  stedkode TEXT, institution TEXT NOT NULL, costcenter TEXT, status TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE mv_person (uhid TEXT NOT NULL, source_system TEXT NOT NULL, source_id TEXT NOT NULL, uhun TEXT NOT NULL,
  status TEXT NOT NULL, employee_no TEXT, student_no TEXT, main_org TEXT, language TEXT, campus TEXT,
  updated_at TEXT NOT NULL, PRIMARY KEY (uhid, source_system, source_id));
CREATE TABLE mv_affiliation (uhid TEXT NOT NULL, kind TEXT NOT NULL, org_id TEXT NOT NULL, role TEXT NOT NULL,
  valid_from TEXT NOT NULL DEFAULT '', valid_to TEXT, is_primary INTEGER NOT NULL,
  PRIMARY KEY (uhid, kind, org_id, role, valid_from));
CREATE TABLE mv_position (uhid TEXT NOT NULL, employee_no TEXT, job_code TEXT, yrk TEXT, title TEXT, org_id TEXT,
  valid_from TEXT, valid_to TEXT, status TEXT);
CREATE TABLE mv_topic (source_id TEXT PRIMARY KEY, institution TEXT NOT NULL, code TEXT NOT NULL, version TEXT NOT NULL,
  name_nb TEXT NOT NULL, name_nn TEXT, name_en TEXT, topic_type TEXT, org_id TEXT, status TEXT NOT NULL,
  updated_at TEXT NOT NULL);
CREATE TABLE mv_teaching (id BIGINT PRIMARY KEY, topic_id TEXT NOT NULL, semester_id TEXT NOT NULL,
  term_no INTEGER NOT NULL DEFAULT 1, status TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE mv_enrolment (uhid TEXT NOT NULL, teaching_id BIGINT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
  status TEXT NOT NULL, updated_at TEXT NOT NULL, PRIMARY KEY (teaching_id, uhid, kind, role));
CREATE INDEX mv_enrolment_uhid ON mv_enrolment (uhid);
";

const ONE: &str = "00000000-0000-4000-8000-00000000000a";
const TWO: &str = "00000000-0000-4000-8000-00000000000b";

struct Database {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

async fn database(statements: &str) -> Database {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mv.db");
    let mut connection = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
    for sql in [DDL, statements] {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    Database { _dir: dir, path }
}

fn people() -> String {
    let upper = TWO.to_uppercase();
    format!(
        "INSERT INTO mv_person VALUES ('{ONE}','FS','1','testu0001','A',NULL,'123456','fs:1','nb','North','2026');
         INSERT INTO mv_person VALUES ('{ONE}','SAP','7','testu0001','A','00100','','sap:1',NULL,NULL,'2026');
         INSERT INTO mv_person VALUES ('{upper}','FS','2','testu0002','I',NULL,'654321',NULL,NULL,NULL,'2026');
         INSERT INTO mv_affiliation VALUES ('{ONE}','employee','sap:1','adm','2020-01-01',NULL,1);
         INSERT INTO mv_affiliation VALUES ('{ONE}','student','fs:1','student','','2027-01-01',0);
         INSERT INTO mv_position VALUES ('{ONE}','00100','1009','2310 112','Reader|Lektor','sap:1','2020-01-01',NULL,'A');
         INSERT INTO mv_enrolment VALUES ('{ONE}',11,'student','student','A','2026');
         INSERT INTO mv_enrolment VALUES ('{TWO}',11,'teacher','lecturer','A','2026');
         INSERT INTO mv_enrolment VALUES ('{upper}',12,'teacher','lecturer','A','2026');
         INSERT INTO mv_org VALUES ('sap:1',NULL,'UNI','Universitetet',NULL,'000000','185',NULL,'A','2026');
         INSERT INTO mv_org VALUES ('fs:1','sap:1','IFI','Institutt','Department','150500','185',NULL,'A','2026');
         INSERT INTO mv_semester VALUES ('2026:HØST',2026,'HØST','2026-08-01','2026-12-31');
         INSERT INTO mv_topic VALUES ('185:INF1000:1','185','INF1000','1','Grunnkurs',NULL,'Basics',NULL,'fs:1','A','2026');
         INSERT INTO mv_teaching VALUES (11,'185:INF1000:1','2026:HØST',1,'A','2026');
         INSERT INTO mv_teaching VALUES (12,'185:INF1000:1','2027:VÅR',2,'A','2026');"
    )
}

#[tokio::test]
async fn a_reading_holds_every_person_folded_and_every_table_counted() {
    let database = database(&people()).await;
    let reading = SqliteVault::new(&database.path).read_all().await.unwrap();
    assert_eq!(reading.people.keys().map(Key::as_str).collect::<Vec<_>>(), [ONE, TWO]);
    let one = &reading.people[&Key::new(ONE)];
    assert_eq!(one.findings, []);
    for (id, text) in [
        (v::PAYROLL_NUMBER, "00100"),
        (v::STUDENT_NUMBER, "123456"),
        (v::CAMPUS, "North"),
        (v::MAIN_ORG, "sap:1"),
        (v::LANGUAGE, "nb"),
    ] {
        assert_eq!(one.record.text(id), Some(text));
    }
    let affiliations: Vec<_> = one.record.elements(v::AFFILIATIONS).collect();
    assert_eq!(affiliations, ["employee|sap:1|adm|2020-01-01||1", "student|fs:1|student||2027-01-01|0"]);
    let positions: Vec<_> = one.record.elements(v::POSITIONS).collect();
    assert_eq!(positions, ["00100|1009|2310 112|Reader/Lektor|sap:1|2020-01-01||A"]);
    let two = &reading.people[&Key::new(TWO)];
    let enrolments: Vec<_> = two.record.elements(v::ENROLMENTS).collect();
    let taught = ["185:INF1000:1|2026:HØST|teacher|lecturer|A", "185:INF1000:1|2027:VÅR|teacher|lecturer|A"];
    assert_eq!(enrolments, taught, "upper and lower case are one person");
    for person in reading.people.values() {
        v::schema().unwrap().check(&person.record).unwrap();
    }
    let counts: Vec<_> = reading.tables.into_iter().collect();
    let expected = [
        ("mv_affiliation", 2),
        ("mv_enrolment", 3),
        ("mv_org", 2),
        ("mv_person", 3),
        ("mv_position", 1),
        ("mv_semester", 1),
        ("mv_teaching", 2),
        ("mv_topic", 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(reading.catalogue.orgs["fs:1"].parent.as_deref(), Some("sap:1"));
    assert_eq!(reading.catalogue.orgs["sap:1"].stedkode.as_deref(), Some("000000"));
    assert_eq!(reading.catalogue.teachings["12"].term_no, 2);
    assert_eq!(reading.catalogue.topics["185:INF1000:1"].name_nn, None);
    assert_eq!(reading.catalogue.semesters["2026:HØST"].year, 2026);
}

#[tokio::test]
async fn some_people_read_are_as_they_are_in_the_whole() {
    let database = database(&people()).await;
    let vault = SqliteVault::new(&database.path);
    let whole = vault.read_all().await.unwrap();
    let unknown = Key::new("00000000-0000-4000-8000-00000000000c");
    let some = vault.read(&[Key::new(TWO), unknown, Key::new("'); DROP TABLE mv_person; --")]).await.unwrap();
    assert_eq!(some.people.len(), 1);
    assert_eq!(some.people[&Key::new(TWO)], whole.people[&Key::new(TWO)]);
    assert_eq!((&some.tables, &some.catalogue), (&whole.tables, &whole.catalogue));
    assert!(vault.read(&[]).await.unwrap().people.is_empty());
}

#[tokio::test]
async fn what_is_missing_from_the_read_model_is_named() {
    let no_table = database("DROP TABLE mv_position").await;
    let error = SqliteVault::new(&no_table.path).read_all().await.unwrap_err();
    assert_eq!((error.kind, error.code), (SourceErrorKind::Schema, "METAVAULT_SCHEMA_MISMATCH"));
    assert!(error.to_string().contains(": there is no table or view mv_position; look at `url`"), "{error}");
    let view = "ALTER TABLE mv_person RENAME TO p; CREATE VIEW mv_person AS SELECT uhid, source_system, source_id, \
                status, employee_no, student_no, main_org FROM p";
    let no_column = database(view).await;
    let error = SqliteVault::new(&no_column.path).read_all().await.unwrap_err();
    assert!(error.to_string().contains(": mv_person has no column campus, language; look at `url`"), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_named_and_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    let error = SqliteVault::new(&path).read_all().await.unwrap_err();
    assert_eq!((error.kind, error.retry, error.code), (SourceErrorKind::Connect, false, "METAVAULT_CONNECTION_FAILED"));
    assert!(error.to_string().contains("none.db") && !path.exists());
    std::fs::write(&path, "this is no database at all, only some text of more than a page's header").unwrap();
    assert!(SqliteVault::new(&path).read_all().await.is_err());
    assert!(SqliteVault::new(dir.path()).read_all().await.is_err());
}

#[tokio::test]
async fn one_odd_value_is_one_persons_finding_and_odd_keys_are_counted() {
    let odd = format!(
        "{} INSERT INTO mv_person VALUES ('12345','FS','3','x','A',NULL,NULL,NULL,NULL,NULL,'2026');
         INSERT INTO mv_enrolment VALUES ('12345',11,'student','student','A','2026');
         INSERT INTO mv_enrolment VALUES ('00000000-0000-4000-8000-00000000000c',11,'student','student','A','2026');
         UPDATE mv_person SET campus = CAST(x'c328' AS TEXT) WHERE uhid = '{ONE}';
         UPDATE mv_affiliation SET role = 'a|b' WHERE uhid = '{ONE}' AND kind = 'student';",
        people()
    );
    let database = database(&odd).await;
    let reading = SqliteVault::new(&database.path).read_all().await.unwrap();
    assert_eq!((reading.people.len(), reading.invalid_keys, reading.orphans), (2, 2, 1));
    let one = &reading.people[&Key::new(ONE)];
    let found = [
        Finding { code: reason::MALFORMED, attribute: "mv_affiliations" },
        Finding { code: reason::NOT_UTF8, attribute: "mv_campus" },
    ];
    assert_eq!(one.findings, found);
    assert_eq!((one.record.text(v::CAMPUS), one.record.elements(v::AFFILIATIONS).count()), (None, 1));
    assert_eq!(reading.people[&Key::new(TWO)].findings, []);
}

#[tokio::test]
async fn a_reading_writes_nothing() {
    let database = database(&people()).await;
    let before = std::fs::read(&database.path).unwrap();
    SqliteVault::new(&database.path).read_all().await.unwrap();
    assert_eq!(std::fs::read(&database.path).unwrap(), before);
    let mut connection = SqliteVault::new(&database.path).connect().await.unwrap();
    assert!(sqlx::query("DELETE FROM mv_person").execute(&mut connection).await.is_err());
}

#[tokio::test]
async fn a_check_says_of_every_table_how_it_is() {
    let half = format!("{} DROP TABLE mv_topic; DELETE FROM mv_person;", people());
    let database = database(&half).await;
    let found = SqliteVault::new(&database.path).check().await;
    let of = |what: &str| found.iter().find(|check| check.what == what).unwrap();
    assert_eq!((of("connection").level, of("mv_org").level), (Level::Good, Level::Good));
    assert_eq!((of("mv_topic").level, of("mv_person").level), (Level::Problem, Level::Problem));
    assert!(of("mv_topic").found.contains("no table or view mv_topic"), "{found:?}");
    let missing = SqliteVault::new(database.path.with_extension("none")).check().await;
    assert_eq!((missing.len(), missing[0].level), (1, Level::Problem));
}
