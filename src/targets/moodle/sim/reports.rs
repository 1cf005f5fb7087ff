//! Custom reports: one query over everything, display text in the cells, and pages without a total order (Moodle facts,
//! section 8). The texts are in `texts.rs`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::accounts::{GUEST, User};
use super::call::Call;
use super::catalogue::FRONT_PAGE;
use super::membership::{Enrolment, MANUAL};
use super::refusal::Refusal;
use super::report::{Column, Report, Source};
use super::strict::Fields;
use super::texts::{auth_title, date, header, method, status, yes_no};
use super::world::State;

/// `core_reportbuilder_list_reports`.
pub(super) fn list(state: &State, mut fields: Fields<'_>) -> Result<Value, Refusal> {
    let (page, perpage) = paging(&mut fields)?;
    fields.finish()?;
    let reports: Vec<Value> =
        state.plan.reports.iter().skip(page.saturating_mul(perpage)).take(perpage).map(Report::described).collect();
    Ok(json!({"reports": reports, "warnings": []}))
}

/// `core_reportbuilder_retrieve_report`.
pub(super) fn retrieve(state: &State, mut fields: Fields<'_>, call: &Call) -> Result<Value, Refusal> {
    let id = fields.need_id("reportid")?;
    let (page, perpage) = paging(&mut fields)?;
    fields.finish()?;
    let report = state
        .plan
        .reports
        .iter()
        .find(|report| report.id == id)
        .ok_or_else(|| Refusal::record("reportbuilder_report"))?;
    let language = state.plan.language;
    let headers = report
        .headers
        .clone()
        .unwrap_or_else(|| report.columns.iter().map(|column| header(column, language)).collect());
    let mut rows = match report.source {
        Source::Users => users(state, report),
        Source::Participants => participants(state, report, call.now),
    };
    let total = rows.len();
    if page > 0 || perpage < total {
        // Every page is a query of its own, and equal sort keys come in whatever order the database likes that time.
        fastrand::Rng::with_seed(id.wrapping_mul(1_000_003).wrapping_add(page as u64)).shuffle(&mut rows);
    }
    let rows: Vec<Value> = rows
        .into_iter()
        .skip(page.saturating_mul(perpage))
        .take(perpage)
        .map(|cells| json!({"columns": cells}))
        .collect();
    Ok(json!({
        "details": report.described(),
        "data": {"headers": headers, "rows": rows, "totalrowcount": total},
        "warnings": [],
    }))
}

fn paging(fields: &mut Fields<'_>) -> Result<(usize, usize), Refusal> {
    let number = |value: Option<i64>, default| value.and_then(|n| usize::try_from(n).ok()).unwrap_or(default);
    let page = number(fields.int("page")?, 0);
    Ok((page, number(fields.int("perpage")?, 10).max(1)))
}

/// A row before its cells are written.
#[derive(Clone, Copy)]
struct Row<'a> {
    user: Option<&'a User>,
    course: Option<(&'a str, &'a str)>,
    method: &'a str,
    enrolment: Option<Enrolment>,
    role: &'a str,
}

fn users(state: &State, report: &Report) -> Vec<Vec<String>> {
    state
        .accounts
        .rows()
        .values()
        .filter(|user| !user.deleted && user.id != GUEST)
        .map(|user| {
            let row = Row { user: Some(user), course: None, method: "", enrolment: None, role: "" };
            cells(state, report, row, state.plan.started_at)
        })
        .collect()
}

/// One row per enrolment and role; one without a person for an enrolment instance that nobody uses.
fn participants(state: &State, report: &Report, now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for course in state.courses.rows().values().filter(|course| course.id != FRONT_PAGE) {
        let manual = course.manual.iter().map(|_| MANUAL);
        for instance in manual.chain(course.methods.iter().map(String::as_str)) {
            let empty = Row {
                user: None,
                course: Some((&course.shortname, &course.idnumber)),
                method: instance,
                enrolment: None,
                role: "",
            };
            let before = rows.len();
            for (id, member) in state.members.of_course(course.id) {
                let (Some(enrolment), Some(user)) = (member.methods.get(instance), state.accounts.get(id)) else {
                    continue;
                };
                let row = Row { user: Some(user), enrolment: Some(*enrolment), ..empty };
                for role in &member.roles {
                    let role = state.plan.roles.iter().find(|known| known.id == *role);
                    let role = role.map_or("", |role| role.shortname.as_str());
                    rows.push(cells(state, report, Row { role, ..row }, now));
                }
                if member.roles.is_empty() {
                    rows.push(cells(state, report, row, now));
                }
            }
            if rows.len() == before {
                rows.push(cells(state, report, empty, now));
            }
        }
    }
    rows
}

fn cells(state: &State, report: &Report, row: Row<'_>, now: Timestamp) -> Vec<String> {
    let language = state.plan.language;
    let person = |pick: fn(&User) -> &String| row.user.map_or("", |user| pick(user).as_str()).to_owned();
    let cell = |column: &Column| match column {
        Column::Username => person(|user| &user.username),
        Column::IdNumber => person(|user| &user.idnumber),
        Column::Email => person(|user| &user.email),
        Column::FirstName => person(|user| &user.firstname),
        Column::LastName => person(|user| &user.lastname),
        Column::Suspended => row.user.map_or("", |user| yes_no(user.suspended, language)).to_owned(),
        Column::Auth if report.auth_titles => row.user.map_or("", |user| auth_title(&user.auth, language)).to_owned(),
        Column::Auth => person(|user| &user.auth),
        Column::Department => person(|user| &user.department),
        Column::Institution => person(|user| &user.institution),
        Column::City => person(|user| &user.city),
        Column::Profile(name) => row.user.and_then(|user| user.custom.get(name)).cloned().unwrap_or_default(),
        Column::CourseShortName => row.course.map_or("", |course| course.0).to_owned(),
        Column::CourseIdNumber => row.course.map_or("", |course| course.1).to_owned(),
        Column::Method => method(row.method, language).to_owned(),
        Column::Status => row.enrolment.map_or("", |enrolment| status(enrolment, now, language)).to_owned(),
        Column::Role => row.role.to_owned(),
        Column::TimeStart => row.enrolment.map_or_else(String::new, |enrolment| date(enrolment.timestart, language)),
        Column::TimeEnd => row.enrolment.map_or_else(String::new, |enrolment| date(enrolment.timeend, language)),
    };
    report.columns.iter().map(|column| escape(cell(column))).collect()
}

/// Cells are escaped, quotes included, whatever the caller asked for.
fn escape(text: String) -> String {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#039;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{ask, at, code, site, user};
    use super::super::{Course, Language, World};
    use super::*;

    fn report(world: &World, id: &str, page: &str, perpage: &str) -> (Vec<Vec<String>>, u64) {
        let fields = [("reportid", id), ("page", page), ("perpage", perpage)];
        let answer = ask(world, "core_reportbuilder_retrieve_report", &fields);
        let rows = answer["data"]["rows"].as_array().unwrap();
        let rows = rows.iter().map(|row| serde_json::from_value(row["columns"].clone()).unwrap()).collect();
        (rows, answer["data"]["totalrowcount"].as_u64().unwrap())
    }

    #[test]
    fn reports_are_listed_and_an_unknown_one_is_refused() {
        let world = site();
        let listed = ask(&world, "core_reportbuilder_list_reports", &[]);
        assert_eq!(listed["reports"].as_array().unwrap().len(), 2);
        assert_eq!(listed["reports"][0]["source"], "core_user\\reportbuilder\\datasource\\users");
        assert_eq!(code(&world, "core_reportbuilder_retrieve_report", &[("reportid", "9")]), "invalidrecord");
    }

    #[test]
    fn cells_are_localised_and_escaped_and_the_guest_and_the_deleted_are_left_out() {
        let world = site();
        let odd = User { lastname: "O'Hara & \"Co\"".into(), suspended: true, ..user("odd") };
        world.add_user(odd).unwrap();
        let gone = world.add_user(user("gone")).unwrap();
        world.delete_user(gone, at(0));
        let (rows, total) = report(&world, "1", "0", "100");
        assert_eq!(total, 3);
        let row = rows.iter().find(|row| row[0] == "odd").unwrap();
        assert_eq!((row[4].as_str(), row[5].as_str()), ("O&#039;Hara &amp; &quot;Co&quot;", "Yes"));
        world.edit_plan(|plan| plan.language = Language::Norwegian);
        let (rows, _) = report(&world, "1", "0", "100");
        assert_eq!(rows.iter().find(|row| row[0] == "odd").unwrap()[5], "Ja");
        let fields = [("reportid", "1"), ("perpage", "1")];
        let headers = &ask(&world, "core_reportbuilder_retrieve_report", &fields)["data"]["headers"];
        assert_eq!(headers[0], "Brukernavn");
        world.edit_report(1, |report| {
            report.auth_titles = true;
            report.headers = Some(vec!["Who".into()]);
        });
        let headers = &ask(&world, "core_reportbuilder_retrieve_report", &fields)["data"]["headers"];
        assert_eq!(headers[0], "Who");
        assert_eq!(report_auth(&world), "OpenID Connect");
    }

    fn report_auth(world: &World) -> String {
        let (rows, _) = report(world, "1", "0", "100");
        rows.iter().find(|row| row[0] == "odd").unwrap()[6].clone()
    }

    #[test]
    fn pages_have_no_total_order_but_one_page_holds_everything() {
        let world = site();
        for number in 0..200 {
            world.add_user(user(&format!("u{number:03}"))).unwrap();
        }
        let (all, total) = report(&world, "1", "0", "300000");
        assert_eq!((all.len() as u64, total), (202, 202));
        let mut seen = BTreeSet::new();
        let mut count = 0;
        for page in 0..5 {
            let (rows, total) = report(&world, "1", &page.to_string(), "50");
            assert_eq!(total, 202);
            count += rows.len();
            seen.extend(rows.into_iter().map(|row| row[0].clone()));
        }
        assert_eq!(count, 202, "the number of rows is right");
        assert!(seen.len() < 202, "and yet some are missing");
        let default = ask(&world, "core_reportbuilder_retrieve_report", &[("reportid", "1")]);
        assert_eq!(default["data"]["rows"].as_array().unwrap().len(), 10);
    }

    #[test]
    fn participants_come_per_role_and_an_unused_instance_has_a_row_without_a_person() {
        let world = site();
        let kari = world.add_user(user("kari")).unwrap();
        let used = world.add_course(Course { shortname: "A & B".into(), ..Course::default() });
        world.add_course(Course { shortname: "EMPTY".into(), ..Course::default() });
        world.edit_member(used, kari, |member| {
            let enrolment = Enrolment { timeend: at(86_400).as_second(), ..Enrolment::default() };
            member.methods.insert(MANUAL.into(), enrolment);
            member.roles.extend([3, 5]);
        });
        let (rows, total) = report(&world, "2", "0", "100");
        assert_eq!(total, 3);
        let roles: Vec<_> = rows.iter().filter(|row| row[2] == "kari").map(|row| row[5].as_str()).collect();
        assert_eq!(roles, ["editingteacher", "student"]);
        assert_eq!(rows[0][..5], ["A &amp; B", "", "kari", "Manual enrolments", "Active"].map(String::from));
        assert_eq!(rows[0][6..], ["", "Friday, 16 January 2026, 6:00 AM"].map(String::from));
        let empty: Vec<_> = rows.iter().filter(|row| row[2].is_empty()).collect();
        assert_eq!(empty.len(), 1);
        assert_eq!(empty[0][0], "EMPTY");
        world.edit_member(used, kari, |member| {
            member.methods.insert(MANUAL.into(), Enrolment { timestart: at(99).as_second(), ..Enrolment::default() });
        });
        assert_eq!(report(&world, "2", "0", "100").0[0][4], "Not current");
    }
}
