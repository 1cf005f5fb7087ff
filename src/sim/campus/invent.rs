//! Invents one person: names, numbers, dates, affiliation, address. Oddities, managers and teaching come later.

use std::collections::{BTreeMap, HashSet};

use fastrand::Rng;
use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::entitlement::grant;
use super::names::{FAMILY, FEMALE, MALE};
use super::number::national_number;
use super::organisation::Unit;
use super::person::{CampusPerson, Kind, Standing, attribute};
use super::plan::CampusPlan;
use super::username::Usernames;

/// A position: job code, occupational code, Norwegian and English title, weight.
pub struct Position(pub &'static str, pub &'static str, pub &'static str, pub &'static str, u32);

/// Positions; the first four teach.
pub const POSITIONS: [Position; 8] = [
    Position("1013", "2310 103", "professor", "Professor", 15),
    Position("1011", "2310 102", "førsteamanuensis", "Associate Professor", 20),
    Position("1009", "2310 112", "universitetslektor", "University Lecturer", 15),
    Position("1017", "2310 114", "stipendiat", "PhD Candidate", 12),
    Position("1364", "2419 101", "seniorrådgiver", "Senior Adviser", 14),
    Position("1408", "4110 101", "førstekonsulent", "Executive Officer", 12),
    Position("1087", "3112 101", "overingeniør", "Senior Engineer", 9),
    Position("0900", "2310 121", "ekstern sensor", "External Examiner", 3),
];

/// What must not repeat over the campus.
pub struct Taken {
    pub usernames: Usernames,
    pub national: HashSet<String>,
    /// The last number given out of each series.
    pub number: u32,
}

/// Invents the person of a UH-ID.
pub fn invent(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], taken: &mut Taken, uhid: String) -> CampusPerson {
    let kind = match rng.u8(..100) {
        0..75 => Kind::Student,
        75..93 => Kind::Employee,
        93..95 => Kind::Both,
        _ => Kind::Guest,
    };
    let standing = match rng.u16(..1000) {
        0..905 => Standing::Active,
        905..930 => Standing::Grace,
        930..965 => Standing::Left,
        965..997 => Standing::Disabled,
        _ => Standing::Deceased,
    };
    let unit = pick_unit(rng, units, kind);
    let mut person = CampusPerson {
        uhid,
        kind,
        standing,
        oddity: None,
        unit,
        in_directory: true,
        attributes: BTreeMap::new(),
        vault_rows: Vec::new(),
        affiliations: Vec::new(),
        positions: Vec::new(),
    };
    let id = person.uhid.clone();
    person.put("idautoID", id);
    identify(rng, plan, taken, &mut person);
    affiliate(rng, plan, units, &mut person);
    if kind.studies() {
        study(rng, plan, taken, &mut person);
    }
    if kind.works() {
        employ(rng, plan, units, taken, &mut person);
    }
    if kind == Kind::Guest {
        taken.number += 1 + rng.u32(..3);
        person.put("idautoPersonHRID", format!("{}", 900_000 + taken.number));
        engage(rng, plan, &mut person, 2);
    }
    grant(rng, &mut person);
    equip(rng, plan, units, &mut person);
    person
}

fn pick_unit(rng: &mut Rng, units: &[Unit], kind: Kind) -> usize {
    let fits = |unit: &Unit| match kind {
        Kind::Student | Kind::Guest => unit.level == 3 && !unit.acronym.starts_with("ADM"),
        Kind::Employee | Kind::Both => unit.level > 1,
    };
    loop {
        let at = rng.usize(..units.len());
        if fits(&units[at]) {
            return at;
        }
    }
}

fn identify(rng: &mut Rng, plan: &CampusPlan, taken: &mut Taken, person: &mut CampusPerson) {
    let female = rng.bool();
    let given = pick(rng, if female { FEMALE } else { MALE });
    let family = pick(rng, FAMILY);
    let born =
        date(1955, 1, 1).saturating_add(rng.i32(0..if person.kind == Kind::Student { 8_000 } else { 17_000 }).days());
    let born = if person.kind == Kind::Student { born.saturating_add(32.years()) } else { born };

    person.put(attribute::GIVEN_NAME, given);
    person.put(attribute::SURNAME, family);
    person.put("displayName", format!("{given} {family}"));
    if rng.u8(..100) < 3 {
        person.put("idautoPersonPreferredName", pick(rng, if female { FEMALE } else { MALE }));
    }
    if rng.u8(..100) < 2 {
        person.put("idautoPersonPreferredLastName", pick(rng, FAMILY));
    }
    person.put("idautoPersonGender", if female { "f" } else { "m" });
    person.put("idautoPersonBirthDate", born.strftime("%d.%m.%Y").to_string());
    person.put(attribute::NATIONAL_NUMBER, national_number(rng, born, &mut taken.national));

    let uh = taken.usernames.uh(rng, given, family);
    let mut all = vec![uh.clone()];
    let mut selected = uh.clone();
    if rng.bool() {
        // The local name may equal the UH user name.
        let local = if rng.u8(..100) < 10 { uh.clone() } else { taken.usernames.local(rng, given, family) };
        person.put(attribute::USERNAME, local.clone());
        if local != uh {
            all.push(local.clone());
        }
        selected = local;
    }
    if rng.u8(..100) < 5 {
        all.push(taken.usernames.local(rng, given, family));
    }
    person.put(attribute::UH_USERNAME, uh);
    person.put_all(attribute::USERNAMES, all);
    let eppn = format!("{selected}@{}", plan.realm);
    person.put("mail", eppn.clone());
    person.put(attribute::EPPN, eppn);
    if rng.u8(..100) < if person.kind == Kind::Student { 30 } else { 80 } {
        person.put(attribute::EMAIL, taken.usernames.email(given, family, &plan.mail_domain));
    }
    person.put("idautoPersonHomeEmail", format!("{selected}@privat.example"));
    let language = match rng.u8(..100) {
        0..80 => "nb",
        80..88 => "nn",
        _ => "en",
    };
    person.put("idautoPersonPreferredLanguage", language);
}

fn affiliate(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], person: &mut CampusPerson) {
    let gone = matches!(person.standing, Standing::Left | Standing::Disabled);
    let mut affiliations: Vec<&str> = match person.kind {
        _ if person.standing == Standing::Deceased => vec!["Deceased"],
        Kind::Student if gone => vec!["Separated Student"],
        Kind::Employee | Kind::Both if gone => vec!["Separated Employee"],
        Kind::Employee if rng.u8(..100) < 2 => vec!["Employee LoA"],
        Kind::Student => vec!["Student"],
        Kind::Employee => vec!["Employee"],
        Kind::Both => vec!["Employee", "Student"],
        Kind::Guest => vec!["Guest"],
    };
    if person.kind == Kind::Student && !gone && rng.u8(..100) < 3 {
        affiliations.push("Guest");
    }
    person.put(attribute::AFFILIATION, affiliations[0]);
    person.put_all(attribute::AFFILIATIONS, affiliations.into_iter().map(str::to_owned).collect());

    // Tenants mix the two documented forms; here one person in eight has the short one.
    let short = rng.u8(..8) == 0;
    let tuple = |at: usize| if short { units[at].short_tuple() } else { units[at].tuple() };
    person.put(attribute::DEPT_CODE, tuple(person.unit));
    let mut tuples = vec![tuple(person.unit)];
    if person.kind == Kind::Both || rng.u8(..100) < 6 {
        let second = pick_unit(rng, units, Kind::Student);
        if second != person.unit {
            tuples.push(tuple(second));
        }
    }
    person.put_all(attribute::DEPT_CODES, tuples);
    person.put("idautoPersonLocCode", plan.institution.clone());
}

fn study(rng: &mut Rng, plan: &CampusPlan, taken: &mut Taken, person: &mut CampusPerson) {
    taken.number += 1 + rng.u32(..3);
    person.put(attribute::STUDENT_NUMBER, format!("{}", 400_000 + taken.number));
    person.put("idautoPersonSchoolID", format!("{}", 2_000_000 + taken.number));
    let started = plan.today.saturating_sub(rng.i32(30..1500).days());
    person.put("idautoPersonEnrollDate", moment(rng, started));
    let ended = end(rng, plan, person.standing);
    person.put("idautoPersonTermDate", ended.unwrap_or_else(|| started.saturating_add(5.years())).to_string());
    let status = if ended.is_some() { "sluttet" } else { "aktiv" };
    let privatist = rng.u8(..100) < 2;
    person.append("idautoPersonExt9", format!("studentstatus={status}|privatist={privatist}"));
}

fn employ(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], taken: &mut Taken, person: &mut CampusPerson) {
    taken.number += 1 + rng.u32(..3);
    person.put(attribute::PAYROLL_NUMBER, format!("{:08}", 10_000_000 + taken.number));
    let mut weight = rng.u32(..100);
    let position = POSITIONS.iter().find(|position| {
        let chosen = weight < position.4;
        weight = weight.saturating_sub(position.4);
        chosen
    });
    let Position(code, yrk, nb, en, _) = position.unwrap_or(&POSITIONS[0]);
    let position_id = 300_000 + taken.number;
    let unit = &units[person.unit];
    person.put("idautoPersonJobCode", format!("{code}|{position_id}|{yrk}|{}", unit.acronym));
    let percent = *rng.choice(&[100, 100, 100, 80, 50, 20]).unwrap_or(&100);
    person.put("idautoPersonDeptDescr", format!("{position_id}|{percent}"));
    let title = if rng.u8(..100) < 20 { format!("{nb}|{nb}|{en}") } else { (*nb).to_owned() };
    person.put("idautoPersonJobTitle", title);
    let (from, to) = engage(rng, plan, person, 20);
    let to = to.map_or_else(|| "31.12.9999".to_owned(), |to| to.strftime("%d.%m.%Y").to_string());
    person.append("idautoPersonExt9", format!("{code}|{yrk}|1|1|{}|{to}", from.strftime("%d.%m.%Y")));
    person.append(
        "idautoPersonAppRoles1",
        format!("iam:employee:{}/{}", plan.institution, unit.acronym.replace('-', "/")),
    );
    person.put("idautoPersonOfficePhone", format!("+4700{:06}", rng.u32(..1_000_000)));
    if rng.bool() {
        person.put("idautoPersonPhoneExtension", format!("+4700{:06}", rng.u32(..1_000_000)));
    }
}

/// Start and end of an employment or a visit, some years ago at most.
fn engage(rng: &mut Rng, plan: &CampusPlan, person: &mut CampusPerson, years: i32) -> (Date, Option<Date>) {
    let from = plan.today.saturating_sub(rng.i32(60..365 * years).days());
    person.put("idautoPersonStaffStartDate", moment(rng, from));
    let temporary = person.kind == Kind::Guest || rng.u8(..100) < 25;
    let ended = end(rng, plan, person.standing);
    let to = ended.or_else(|| temporary.then(|| plan.today.saturating_add(rng.i32(20..700).days())));
    if let Some(to) = to {
        person.put("idautoPersonStaffEndDate", moment(rng, to));
    }
    (from, to)
}

fn end(rng: &mut Rng, plan: &CampusPlan, standing: Standing) -> Option<Date> {
    match standing {
        Standing::Active => None,
        Standing::Grace => Some(plan.today.saturating_sub(rng.i32(1..30).days())),
        _ => Some(plan.today.saturating_sub(rng.i32(31..180).days())),
    }
}

fn equip(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], person: &mut CampusPerson) {
    let unit = &units[person.unit];
    if person.kind != Kind::Student {
        let (building, room) = (rng.u8(1..30), format!("{}.{:02}", rng.u8(1..6), rng.u8(1..40)));
        let address = format!("Eksempelveien {}, 0000 Eksempelby", rng.u8(1..90));
        person.append(
            "idautoPersonWorkStreetAddress",
            format!("{address}|Bygg {building}|{}|Bygg {building}|{room}", unit.campus),
        );
    }
    if person.texts(attribute::BIRTHRIGHT).iter().any(|system| system == "lenel") {
        for _ in 0..=u8::from(rng.u8(..100) < 10) {
            person.append("idautoPersonBadgeIDs", format!("{:010}", rng.u32(1_000_000..)));
        }
        if rng.bool() {
            person.put("idautoPersonExt5", format!("{:04}", rng.u16(..10_000)));
        }
    }
    if rng.bool() {
        person.put("mobile", format!("+4700{:06}", rng.u32(..1_000_000)));
    }
    if rng.u8(..100) < 2 {
        person.put("idautoPersonExtBool1", "TRUE");
    }
    if rng.u8(..100) < 96 {
        person.put("idautoPersonClaimFlag", "TRUE");
    }
    if matches!(person.standing, Standing::Disabled | Standing::Deceased) {
        person.put(attribute::DISABLED, "TRUE");
        let since = plan.today.saturating_sub(rng.i32(1..180).days());
        person.put("idautoPersonAllAccessTermDate", moment(rng, since));
    }
    person.put("idautoPersonExt19", format!("{} {:02}:{:02}", plan.today, rng.u8(..24), rng.u8(..60)));
}

/// GeneralizedTime, with seconds or without: both are found in production.
fn moment(rng: &mut Rng, day: Date) -> String {
    let seconds = if rng.u8(..100) < 80 { "00" } else { "" };
    format!("{}0000{seconds}Z", day.strftime("%Y%m%d"))
}

fn pick(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.usize(..from.len())]
}
