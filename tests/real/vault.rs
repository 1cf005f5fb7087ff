//! MetaVault on a real PostgreSQL: read as from SQLite, in one moment, without a trace, and only from a server that
//! is who it says it is.

use reconcile::model::{Check, Level};
use reconcile::sim::campus::{Campus, CampusPlan};
use reconcile::sim::metavault::{READ_MODEL, create_postgres, create_sqlite};
use reconcile::sources::metavault::{MetaVaultConfig, open};
use reconcile::sources::{SourceError, SourceErrorKind, Vault, VaultReading};
use reconcile::targets::moodle::sim::SitePlan;
use reconcile_state::Key;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::connections::another_ca;
use crate::postgres::{PASSWORD, Postgres, VARIABLE};
use crate::rig::Rig;
use crate::slapd::silent_port;

/// A server, and what a reader of it is told.
struct Bench {
    server: Postgres,
    config: MetaVaultConfig,
    place: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let server = Postgres::start(&place.path().join("postgres"));
        let config = toml::from_str(&server.configuration()).unwrap();
        Self { server, config, place }
    }

    async fn filled(plan: &CampusPlan) -> (Self, Campus) {
        let bench = Self::new();
        let campus = Campus::generate(plan);
        create_postgres(&bench.server.administrator(), &campus).await.unwrap();
        (bench, campus)
    }

    fn vault(&self) -> Box<dyn Vault> {
        vault(&self.config)
    }

    async fn refused(&self, config: &MetaVaultConfig) -> SourceError {
        let error = vault(config).read_all().await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains(PASSWORD) && !said.contains("Forgotten"), "{said}");
        error
    }
}

fn vault(config: &MetaVaultConfig) -> Box<dyn Vault> {
    let environment = |name: &str| match name {
        VARIABLE => Some(PASSWORD.to_owned()),
        "WRONG" => Some("Forgotten-4711".to_owned()),
        _ => None,
    };
    open(config, &environment).unwrap()
}

/// What real tables hold and generated ones do not, in words of both engines.
fn odd(campus: &Campus) -> String {
    let holders: Vec<&str> =
        campus.people.iter().filter(|one| !one.positions.is_empty()).map(|one| one.uhid.as_str()).take(2).collect();
    let students: Vec<&str> = campus.enrolments.iter().map(|row| row.uhid.as_str()).take(1).collect();
    let (one, two, student) = (holders[0], holders[1], students[0]);
    let upper = student.to_uppercase();
    format!(
        "UPDATE mv_position SET title = 'Reader | Lektor \"ø\" ''x'' \u{1f393} %s $1 \\', valid_to = NULL WHERE uhid = '{one}';
         UPDATE mv_position SET title = 'two
lines\tand a tab', yrk = NULL, status = 'a' WHERE uhid = '{two}';
         UPDATE mv_person SET status = 'a', campus = '  Nørre Campus', language = '' WHERE uhid = '{one}';
         UPDATE mv_enrolment SET status = 'a' WHERE uhid = '{student}';
         UPDATE mv_affiliation SET role = 'a|b' WHERE uhid = '{two}';
         UPDATE mv_affiliation SET uhid = '{upper}' WHERE uhid = '{student}';
         UPDATE mv_topic SET name_nb = 'Ætt & \"ære\" | <b>', name_en = ' ' WHERE version = '2';
         INSERT INTO mv_person (uhid, source_system, source_id, uhun, status, updated_at)
           VALUES ('12345', 'FS', 'x1', 'x', 'A', '2026');
         INSERT INTO mv_enrolment SELECT '00000000-0000-4000-8000-0000000000ff', teaching_id, kind, role, status, updated_at
           FROM mv_enrolment WHERE uhid = '{student}';
         INSERT INTO mv_enrolment SELECT '0000000A-0000-4000-8000-0000000000ff', teaching_id, kind, role, status, updated_at
           FROM mv_enrolment WHERE uhid = '{student}';"
    )
}

#[tokio::test]
async fn both_engines_give_the_same_reading() {
    let (bench, campus) = Bench::filled(&CampusPlan::new(60, 800)).await;
    let file = bench.place.path().join("mv.db");
    create_sqlite(&file, &campus).await.unwrap();
    let sqlite = vault(&MetaVaultConfig::new(format!("sqlite://{}", file.display())));

    let plain = bench.vault().read_all().await.unwrap();
    let odd = odd(&campus);
    bench.server.sql(&odd);
    let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(odd)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let (from_file, from_server) = (sqlite.read_all().await.unwrap(), bench.vault().read_all().await.unwrap());
    same(&from_file, &from_server);
    assert_eq!(from_server.people.len(), plain.people.len());
    assert_eq!(from_server.orphans, plain.orphans + 1, "who is enrolled and not there is counted once");
    assert!(from_server.invalid_keys >= plain.invalid_keys + 2, "no UUID, and mixed case");
    assert!(from_server.people.values().any(|person| !person.findings.is_empty()));

    let mut keys: Vec<Key> = from_file.people.keys().step_by(7).cloned().collect();
    keys.extend([Key::new("00000000-0000-4000-8000-00000000000c"), Key::new("'); DROP TABLE mv_person; --")]);
    let (some_of_file, some) = (sqlite.read(&keys).await.unwrap(), bench.vault().read(&keys).await.unwrap());
    same(&some_of_file, &some);
    assert_eq!(some.people.len(), keys.len() - 2);
    assert!(some.people.iter().all(|(key, person)| from_server.people[key] == *person));
    assert!(bench.vault().read(&[]).await.unwrap().people.is_empty());
}

fn same(file: &VaultReading, server: &VaultReading) {
    assert_eq!((&file.tables, file.invalid_keys, file.orphans), (&server.tables, server.invalid_keys, server.orphans));
    assert_eq!(file.catalogue, server.catalogue);
    for (key, person) in &file.people {
        assert_eq!(Some(person), server.people.get(key), "{key:?}");
    }
    assert!(file == server);
}

/// The read model with the types that a database of one's own would give its columns.
const TYPED: &str = "CREATE SCHEMA typed;
CREATE VIEW typed.mv_person AS SELECT uhid::uuid AS uhid, source_system::varchar(3), source_id, status::char(1),
  employee_no::bigint, student_no::bigint, campus::varchar(20), main_org, language::char(5) FROM public.mv_person;
CREATE VIEW typed.mv_affiliation AS SELECT uhid::uuid AS uhid, kind, org_id, role, valid_from::date,
  valid_to::date, is_primary = 1 AS is_primary FROM public.mv_affiliation;
CREATE VIEW typed.mv_position AS SELECT uhid::uuid AS uhid, employee_no, job_code::varchar(10), yrk, title, org_id,
  valid_from::date, valid_to::date, status::char(1) FROM public.mv_position;
CREATE MATERIALIZED VIEW typed.mv_enrolment AS SELECT uhid::uuid AS uhid, teaching_id::numeric, kind, role,
  status::char(3) FROM public.mv_enrolment;
CREATE VIEW typed.mv_org AS SELECT * FROM public.mv_org;
CREATE VIEW typed.mv_semester AS SELECT id, year::text, term, starts_on::date, ends_on::date FROM public.mv_semester;
CREATE VIEW typed.mv_topic AS SELECT * FROM public.mv_topic;
CREATE VIEW typed.mv_teaching AS SELECT id, topic_id, semester_id, term_no::smallint, status::char(1)
  FROM public.mv_teaching;";

#[tokio::test]
async fn columns_of_other_types_and_views_read_as_text_does() {
    let (bench, _) = Bench::filled(&CampusPlan::new(61, 300)).await;
    bench.server.sql(
        "UPDATE mv_person SET employee_no = ltrim(employee_no, '0'), student_no = ltrim(student_no, '0');
         UPDATE mv_affiliation SET valid_from = '2020-01-01' WHERE valid_from = '';
         UPDATE mv_position SET valid_from = '2020-01-01' WHERE valid_from = '';
         DELETE FROM mv_person WHERE length(uhid) <> 36;",
    );
    bench.server.sql(TYPED);
    let typed = MetaVaultConfig { schema: Some("typed".into()), ..bench.config.clone() };
    let plain = bench.vault().read_all().await.unwrap();
    same(&plain, &vault(&typed).read_all().await.unwrap());
    let keys: Vec<Key> = plain.people.keys().step_by(5).cloned().collect();
    same(&bench.vault().read(&keys).await.unwrap(), &vault(&typed).read(&keys).await.unwrap());
}

#[tokio::test]
async fn a_load_that_truncates_and_refills_meanwhile_does_not_show() {
    let (bench, _) = Bench::filled(&CampusPlan::new(62, 200)).await;
    let before = bench.vault().read_all().await.unwrap();
    assert!(before.tables["mv_enrolment"] > 0);
    let mut load = bench.server.administrator().connect().await.unwrap();
    let begun = "BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM mv_enrolment; TRUNCATE mv_enrolment";
    sqlx::raw_sql(begun).execute(&mut load).await.unwrap();

    let vault = bench.vault();
    let reading = tokio::spawn(async move { vault.read_all().await });
    // The reading has begun, and stands before the table that the load holds.
    loop {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'mv_enrolment'::regclass";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut load).await.unwrap();
        assert!(!reading.is_finished(), "the load was not waited for");
        if waiting == 1 {
            break;
        }
    }
    let refill = "INSERT INTO mv_enrolment SELECT * FROM kept; COMMIT";
    sqlx::raw_sql(refill).execute(&mut load).await.unwrap();
    same(&before, &reading.await.unwrap().unwrap());

    // A load that does not end in time is an error, and nothing is concluded from it.
    sqlx::raw_sql("BEGIN; TRUNCATE mv_enrolment").execute(&mut load).await.unwrap();
    let hasty = MetaVaultConfig { statement_timeout_seconds: 1, ..bench.config.clone() };
    let error = bench.refused(&hasty).await;
    assert!(error.retry && error.to_string().contains("mv_enrolment was not read within 1 s"), "{error}");
    assert!(error.to_string().contains("`statement_timeout_seconds`"), "{error}");
}

#[tokio::test]
async fn a_load_that_takes_the_tables_in_another_order_is_never_in_a_deadlock_with_a_reading() {
    let (bench, _) = Bench::filled(&CampusPlan::new(64, 50)).await;
    let before = bench.vault().read_all().await.unwrap();
    let (mut load, mut watch) =
        (bench.server.administrator().connect().await.unwrap(), bench.server.administrator().connect().await.unwrap());
    let impatient = "SET deadlock_timeout = '600ms'; BEGIN; LOCK TABLE mv_enrolment IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(impatient).execute(&mut load).await.unwrap();
    let vault = bench.vault();
    let reading = tokio::spawn(async move { vault.read_all().await });
    let held = "SELECT count(*) FROM pg_locks WHERE granted AND relation = 'mv_person'::regclass \
                AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()";
    while sqlx::query_scalar::<_, i64>(held).fetch_one(&mut watch).await.unwrap() == 0 {
        assert!(!reading.is_finished(), "the load was not waited for");
    }
    // Each now waits for what the other holds.
    sqlx::raw_sql("LOCK TABLE mv_person IN ACCESS EXCLUSIVE MODE; COMMIT").execute(&mut load).await.unwrap();
    same(&before, &reading.await.unwrap().unwrap());
}

#[tokio::test]
async fn nothing_can_be_written_while_reading_whatever_the_account_may() {
    let (bench, _) = Bench::filled(&CampusPlan::new(63, 60)).await;
    bench.server.sql(
        "CREATE TABLE trace (at text);
         CREATE FUNCTION leave_trace() RETURNS text LANGUAGE sql AS $$ INSERT INTO trace VALUES ('x') RETURNING at $$;
         ALTER TABLE mv_org RENAME TO org;
         CREATE VIEW mv_org AS SELECT id, parent_id, acronym, leave_trace() AS name_nb, name_en, stedkode FROM org;
         ALTER ROLE reader SUPERUSER;",
    );
    let error = bench.refused(&bench.config).await;
    assert!(error.to_string().contains("mv_org cannot be read (SQLSTATE 25006)"), "{error}");
    assert_eq!(bench.server.sql("SELECT count(*) FROM trace").trim(), "0");
    let rights = one(&bench.vault().check().await, "rights");
    assert!(rights.level == Level::Warning && rights.found.contains("mv_person"), "{rights:?}");
}

fn one(found: &[Check], what: &str) -> Check {
    found.iter().find(|check| check.what == what).unwrap_or_else(|| panic!("{what} is not in {found:?}")).clone()
}

#[tokio::test]
async fn what_is_wrong_is_said_with_the_next_step() {
    let (bench, _) = Bench::filled(&CampusPlan::new(64, 60)).await;
    let good = bench.config.clone();
    let url = bench.server.url("reader");
    let wrong = |url: String| MetaVaultConfig { url, ..good.clone() };

    let password: MetaVaultConfig = toml::from_str(&bench.server.configuration().replace(VARIABLE, "WRONG")).unwrap();
    let silent = silent_port();
    for (config, kind, words) in [
        (password, SourceErrorKind::Auth, "`password`"),
        (MetaVaultConfig { password: None, ..good.clone() }, SourceErrorKind::Auth, "`password`"),
        (wrong(url.replace("/mv", "/other")), SourceErrorKind::Connect, "no database other"),
        (wrong(format!("postgres://reader@localhost:{silent}/mv")), SourceErrorKind::Connect, "nothing listens there"),
        (MetaVaultConfig { schema: Some("none".into()), ..good.clone() }, SourceErrorKind::Schema, "`schema`"),
    ] {
        let error = bench.refused(&config).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        let found = vault(&config).check().await;
        assert!(found.iter().any(|check| check.level == Level::Problem && check.fix.is_some()), "{found:?}");
    }

    let elsewhere = MetaVaultConfig { schema: Some("none".into()), ..good.clone() };
    let found = vault(&elsewhere).check().await;
    let problems: Vec<_> = found.iter().filter(|check| check.level == Level::Problem).collect();
    assert_eq!(problems.len(), 1, "one schema is one fault: {problems:?}");

    let found = bench.vault().check().await;
    assert!(found.iter().all(|check| check.level == Level::Good), "{found:?}");
    assert!(one(&found, "tls").found.contains("TLSv1.3"), "{found:?}");
    assert!(one(&found, "connection").found.contains("PostgreSQL 1"), "{found:?}");
    assert_eq!(found.len(), 11);

    bench.server.sql("REVOKE SELECT ON mv_topic FROM reader");
    let error = bench.refused(&good).await;
    assert!(error.to_string().contains("GRANT SELECT ON mv_topic TO reader"), "{error}");
    let topic = one(&bench.vault().check().await, "mv_topic");
    assert_eq!(topic.fix.as_deref(), Some("GRANT SELECT ON mv_topic TO reader"));

    bench.server.sql("GRANT SELECT ON mv_topic TO reader; ALTER TABLE mv_person DROP COLUMN campus");
    let error = bench.refused(&good).await;
    assert_eq!(error.kind, SourceErrorKind::Schema);
    assert!(error.to_string().contains("mv_person has no column campus"), "{error}");
    bench.server.sql("ALTER TABLE mv_person ADD COLUMN campus text; DROP TABLE mv_position");
    let error = bench.refused(&good).await;
    assert!(error.to_string().contains("no table or view mv_position"), "{error}");
    assert_eq!(one(&bench.vault().check().await, "mv_position").level, Level::Problem);
}

#[tokio::test]
async fn only_a_server_that_proves_who_it_is_is_spoken_to() {
    let (bench, _) = Bench::filled(&CampusPlan::new(65, 60)).await;
    bench.vault().read_all().await.unwrap();
    let other = bench.place.path().join("other.crt");
    another_ca(&other);
    let tls = |error: &SourceError| {
        assert!(!error.retry && error.kind == SourceErrorKind::Connect, "{error}");
        assert!(error.to_string().contains("TLS: ") && error.to_string().contains("`ca_file`"), "{error}");
    };
    tls(&bench.refused(&MetaVaultConfig { ca_file: Some(other), ..bench.config.clone() }).await);
    let at = |host: &str| MetaVaultConfig { url: bench.config.url.replace("localhost", host), ..bench.config.clone() };
    let local = at("127.0.0.1");
    vault(&local).read_all().await.unwrap();
    // The right authority, and a name that the certificate does not have.
    tls(&bench.refused(&at("127.0.0.2")).await);

    // On this machine, without TLS: the password goes by SCRAM, and by the socket nobody asks for one.
    let clear = MetaVaultConfig { ca_file: None, ..bench.config.clone() };
    let found = vault(&clear).check().await;
    assert!(found.iter().all(|check| check.level == Level::Good), "{found:?}");
    assert!(one(&found, "tls").found.contains("none"), "{found:?}");
    let socket = MetaVaultConfig { password: None, socket: Some(bench.server.socket()), ..clear };
    same(&vault(&local).read_all().await.unwrap(), &vault(&socket).read_all().await.unwrap());

    bench.server.sql("ALTER SYSTEM SET ssl = off");
    bench.server.sql("SELECT pg_reload_conf()");
    tls(&bench.refused(&bench.config).await);
}

/// The documented master tables, and those whose columns the example assumes.
const MASTERS: &str = "
CREATE TABLE master_persons (id varchar(50), uhid varchar(36), uhun varchar(9), status char(1), eppn varchar(36),
  employee_no varchar(45), first_name text, last_name text, fnr varchar(12), birthdate varchar(10), start_date varchar(10),
  end_date varchar(10), main_organization varchar(12), external_id text, reservation varchar(200), fagperson bit,
  campus text, language_preferred text, dfo_brukerident varchar(12), source_institution text, source_system varchar(3),
  source_id text, created_at timestamp, updated_at timestamp);
CREATE TABLE master_orgs (id text, managed_by text, short_name text, name text, parent_id text, status char(1),
  costcenter text, source_institution text, source_system varchar(3), source_id text, deputy_id text,
  deputy_held_to varchar(10), updated_at timestamp);
CREATE TABLE master_positions (id text, held_by text, held_from varchar(10), held_until varchar(10), status char(1),
  job_code text, title text, organization text, yrk text, custom_title text);
CREATE TABLE orgreg_load (ou_id text, external_key_system text, external_key_type text, external_key_value text,
  norwegian_name text, english_name text, acronym text);
CREATE TABLE master_studyrights (held_by text, organization text, valid_from varchar(10), valid_to varchar(10), status char(1));
CREATE TABLE master_semester (year integer, term text, starts_on varchar(10), ends_on varchar(10));
CREATE TABLE master_topics (source_id text, name_nb text, name_nn text, name_en text, topic_type text, organization text,
  status char(1), updated_at timestamp);
CREATE TABLE master_teaching (id bigint, topic_id text, year integer, term text, term_no integer, status char(1), updated_at timestamp);
CREATE TABLE master_studentteacher (held_by text, teaching_id bigint, status char(1), updated_at timestamp);
CREATE TABLE master_roles (held_by text, teaching_id bigint, role text, status char(1), updated_at timestamp);
INSERT INTO master_persons (id, uhid, uhun, status, employee_no, source_institution, source_system, source_id, main_organization)
  VALUES ('1', '0000000A-0000-4000-8000-0000000000FF', 'testu0001', 'A', '100', '185', 'sap', '7', 'o1');
INSERT INTO master_persons (id, uhid, uhun, status, external_id, source_institution, source_system, source_id)
  VALUES ('2', '0000000A-0000-4000-8000-0000000000FF', 'testu0001', 'A', '471100', '185', 'fs', '8');
INSERT INTO master_orgs (id, managed_by, short_name, name, status, source_institution, source_system, source_id)
  VALUES ('o1', '185:sap:employee:100', 'UNI', 'Universitetet', 'A', '185', 'sap', 'k1'),
         ('o1', '185:sap:employee:101', 'UNI', 'Universitetet', 'A', '185', 'sap', 'k1');
INSERT INTO orgreg_load VALUES ('ou', 'sap', 'id', 'k1', 'Universitetet', 'University', 'UNI'),
  ('ou', 'fs', 'stedkode', '150500', 'Universitetet', 'University', 'UNI');
INSERT INTO master_positions VALUES ('p', '185:sap:employee:100', '2020-01-01', NULL, 'A', '1011', 'Lektor', 'o1', '2310112', NULL);
INSERT INTO master_studyrights VALUES ('185:471100', 'o1', '2024-08-01', NULL, 'A');
INSERT INTO master_semester VALUES (2026, 'HØST', '2026-08-01', '2026-12-31');
INSERT INTO master_topics VALUES ('185:INF1000:1', 'Grunnkurs', NULL, NULL, NULL, 'o1', 'A', now());
INSERT INTO master_teaching VALUES (11, '185:INF1000:1', 2026, 'HØST', 1, 'A', now());
INSERT INTO master_studentteacher VALUES ('185:471100', 11, 'A', now());
INSERT INTO master_roles VALUES ('185:sap:employee:100', 11, 'lecturer', 'A', now());";

#[tokio::test]
async fn the_example_views_are_the_read_model() {
    let bench = Bench::new();
    bench.server.sql(MASTERS);
    let views = include_str!("../../docs/metavault-views.sql");
    bench.server.sql(views);
    let reading = bench.vault().read_all().await.unwrap();
    let (key, person) = reading.people.iter().next().unwrap();
    let elements: Vec<String> = reconcile::model::person::vault::attributes()
        .iter()
        .flat_map(|attribute| person.record.elements(attribute.id).map(str::to_owned))
        .collect();
    assert_eq!((reading.people.len(), key.as_str()), (1, "0000000a-0000-4000-8000-0000000000ff"));
    assert_eq!(
        elements,
        [
            "employee|o1|employee|2020-01-01||1",
            "student|o1|student|2024-08-01||0",
            "100|1011|2310112|Lektor|o1|2020-01-01||A",
            "185:INF1000:1|2026:HØST|student|student|A",
            "185:INF1000:1|2026:HØST|teacher|lecturer|A",
        ]
    );
    let org = &reading.catalogue.orgs["o1"];
    assert_eq!((org.stedkode.as_deref(), org.name_en.as_deref()), (Some("150500"), Some("University")));
    assert_eq!(
        bench.server.sql("SELECT count(*), min(uhid) FROM mv_org_manager").trim(),
        format!("1|{}", key.as_str())
    );
    let columns = READ_MODEL.lines().filter(|line| line.starts_with("CREATE TABLE")).count();
    assert_eq!(views.matches("CREATE VIEW").count(), columns, "a table of the read model has no example");
    let found = bench.vault().check().await;
    assert!(found.iter().all(|check| check.level == Level::Good), "{found:?}");
}

#[test]
fn a_pass_over_metavault_on_a_server_is_as_over_a_file() {
    let rig = Rig::on_postgres(&CampusPlan::new(66, 200), SitePlan::default());
    let before = rig.outside();
    rig.run(&["--plan"]).expect(2).gives_nobody_away(&rig);
    rig.nothing_was_written(&before);
    rig.run(&["--yes"]).expect(0);
    rig.run(&["--plan"]).expect(0);
    rig.everybody_has_one_account();
    rig.sql("DELETE FROM mv_org");
    rig.run(&["--yes"]).expect(5).says(&["MetaVault", "mv_org"]);
}
