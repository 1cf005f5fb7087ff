//! What MetaVault says of a person, made from what the directory says and a little more.

use super::invent::POSITIONS;
use super::oddity::Oddity;
use super::organisation::Unit;
use super::person::{CampusPerson, Kind, Standing, attribute};
use super::plan::CampusPlan;
use super::rows::{AffiliationRow, PersonRow, PositionRow};

/// Fills the person's rows.
pub fn record(plan: &CampusPlan, units: &[Unit], person: &mut CampusPerson) {
    if person.oddity == Some(Oddity::NoVaultRow) {
        return;
    }
    let unit = &units[person.unit];
    let common = common_row(plan, unit, person);
    let own = |name: &str| person.text(name).map(str::to_owned);
    let mut rows = Vec::new();
    if person.kind.works() {
        let employee_no = own(attribute::PAYROLL_NUMBER);
        rows.push(PersonRow {
            source_system: "sap".to_owned(),
            source_id: employee_no.clone().unwrap_or_default(),
            employee_no,
            fagperson: Some(u8::from(teaches(person))),
            dfo_brukerident: own(attribute::UH_USERNAME),
            start_date: day(person, "idautoPersonStaffStartDate"),
            end_date: day(person, "idautoPersonStaffEndDate"),
            ..common.clone()
        });
    }
    if person.kind.studies() {
        rows.push(PersonRow {
            source_system: "fs".to_owned(),
            source_id: own("idautoPersonSchoolID").unwrap_or_default(),
            student_no: own(attribute::STUDENT_NUMBER),
            fs_personlopenr: own("idautoPersonSchoolID"),
            start_date: day(person, "idautoPersonEnrollDate"),
            end_date: own("idautoPersonTermDate"),
            ..common.clone()
        });
    }
    if person.kind == Kind::Guest {
        rows.push(PersonRow {
            source_system: "grg".to_owned(),
            source_id: own("idautoPersonHRID").unwrap_or_default(),
            start_date: day(person, "idautoPersonStaffStartDate"),
            end_date: day(person, "idautoPersonStaffEndDate"),
            ..common.clone()
        });
    }
    if person.oddity == Some(Oddity::SeveralVaultRows) {
        contradict(&mut rows, &common);
    }
    person.affiliations = affiliations(plan, unit, person);
    person.positions = positions(plan, unit, person);
    person.vault_rows = rows;
}

/// Whether a person's position is one that teaches.
pub fn teaches(person: &CampusPerson) -> bool {
    let code = person.text("idautoPersonJobCode").and_then(|tuple| tuple.split('|').next());
    POSITIONS[..4].iter().any(|position| Some(position.0) == code)
}

fn common_row(plan: &CampusPlan, unit: &Unit, person: &CampusPerson) -> PersonRow {
    let own = |name: &str| person.text(name).map(str::to_owned);
    let here = matches!(person.standing, Standing::Active | Standing::Grace);
    PersonRow {
        uhid: person.uhid.clone(),
        uhun: own(attribute::UH_USERNAME).or_else(|| own(attribute::USERNAMES)).unwrap_or_default(),
        status: if here { "A" } else { "I" }.to_owned(),
        eppn: own(attribute::EPPN),
        first_name: own(attribute::GIVEN_NAME),
        last_name: own(attribute::SURNAME),
        fnr: own(attribute::NATIONAL_NUMBER),
        birthdate: own("idautoPersonBirthDate").map(|text| text.split('.').rev().collect::<Vec<_>>().join("-")),
        main_org: Some(unit.key(&plan.institution)),
        email: own(attribute::EMAIL),
        mobile: own("mobile"),
        language: own("idautoPersonPreferredLanguage"),
        reservation: own("idautoPersonExtBool1"),
        campus: Some(unit.campus.to_owned()),
        updated_at: plan.updated_at(),
        ..PersonRow::default()
    }
}

/// Makes it three rows: a stale one of a guest, and an older one of the same system, that disagree with the
/// person's own in status, name, campus and language.
fn contradict(rows: &mut Vec<PersonRow>, common: &PersonRow) {
    let stale = |source_system: &str, source_id: String, last_name: &str| PersonRow {
        source_system: source_system.to_owned(),
        source_id,
        status: "I".to_owned(),
        last_name: Some(last_name.to_owned()),
        campus: Some("Campus Vest".to_owned()),
        language: None,
        ..common.clone()
    };
    let older = rows.first().map(|row| (row.source_system.clone(), format!("{}-1", row.source_id)));
    rows.push(stale("grg", "899999".to_owned(), "Gammelnavn"));
    if let (Some((system, id)), true) = (older, rows.len() < 3) {
        rows.push(stale(&system, id, "Tidligere"));
    }
}

fn affiliations(plan: &CampusPlan, unit: &Unit, person: &CampusPerson) -> Vec<AffiliationRow> {
    let mut rows: Vec<AffiliationRow> = Vec::new();
    let mut add = |kind: &str, from: &str, to: Option<String>| {
        rows.push(AffiliationRow {
            uhid: person.uhid.clone(),
            kind: kind.to_owned(),
            org_id: unit.key(&plan.institution),
            role: kind.to_owned(),
            valid_from: day(person, from).unwrap_or_default(),
            valid_to: to,
            is_primary: u8::from(rows.is_empty()),
        });
    };
    if person.kind.works() {
        add("employee", "idautoPersonStaffStartDate", day(person, "idautoPersonStaffEndDate"));
    }
    if person.kind.studies() {
        add("student", "idautoPersonEnrollDate", person.text("idautoPersonTermDate").map(str::to_owned));
    }
    if person.kind == Kind::Guest {
        add("guest", "idautoPersonStaffStartDate", day(person, "idautoPersonStaffEndDate"));
    }
    rows
}

fn positions(plan: &CampusPlan, unit: &Unit, person: &CampusPerson) -> Vec<PositionRow> {
    let Some(tuple) = person.text("idautoPersonJobCode") else { return Vec::new() };
    let mut fields = tuple.split('|');
    let (job_code, yrk) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
    let title = person.text("idautoPersonJobTitle").and_then(|title| title.split('|').next());
    let here = matches!(person.standing, Standing::Active | Standing::Grace);
    vec![PositionRow {
        uhid: person.uhid.clone(),
        employee_no: person.text(attribute::PAYROLL_NUMBER).unwrap_or_default().to_owned(),
        job_code: job_code.to_owned(),
        yrk: Some(yrk.replace(' ', "")),
        title: title.map(str::to_owned),
        org_id: unit.key(&plan.institution),
        valid_from: day(person, "idautoPersonStaffStartDate").unwrap_or_default(),
        valid_to: day(person, "idautoPersonStaffEndDate"),
        status: if here { "A" } else { "I" }.to_owned(),
    }]
}

/// The day of a GeneralizedTime, `2026-09-01`.
fn day(person: &CampusPerson, name: &str) -> Option<String> {
    let text = person.text(name)?;
    Some(format!("{}-{}-{}", text.get(..4)?, text.get(4..6)?, text.get(6..8)?))
}
