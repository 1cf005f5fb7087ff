//! Semesters, topics, teachings, and who takes and gives them.

use fastrand::Rng;
use jiff::civil::{Date, date};

use super::organisation::Unit;
use super::person::{CampusPerson, Standing};
use super::plan::CampusPlan;
use super::rows::{EnrolmentRow, SemesterRow, TeachingRow, TopicRow};
use super::vault::teaches;

/// Everything about teaching.
pub struct Study {
    pub semesters: Vec<SemesterRow>,
    pub topics: Vec<TopicRow>,
    pub teachings: Vec<TeachingRow>,
    pub enrolments: Vec<EnrolmentRow>,
}

/// Plans the teaching of the previous, the current and the next term, with a few summer courses.
/// Students take as many courses a term as planned (the next one is not open yet), teachers give one to three.
pub fn teach(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], people: &mut [CampusPerson]) -> Study {
    let (semesters, current) = semesters(plan.today);
    let departments: Vec<usize> =
        (0..units.len()).filter(|at| units[*at].level == 3 && !units[*at].acronym.starts_with("ADM")).collect();
    let topics = topics(rng, plan, units, &departments);
    let (teachings, offered) = teachings(rng, plan, &semesters, &topics, &departments);

    let mut enrolments = Vec::new();
    for person in people {
        let home = home(units, person.unit, &departments);
        for (at, offered) in offered.iter().enumerate() {
            if semesters[at].term == "SOM" || offered.iter().all(Vec::is_empty) {
                continue;
            }
            let here = matches!(person.standing, Standing::Active | Standing::Grace);
            let was_here = at < current && person.standing == Standing::Left;
            if person.kind.studies() && at <= current && (here || was_here) {
                let count = rng.usize(plan.courses.clone());
                for course in choose(rng, offered, home, count) {
                    let status = if rng.u8(..100) < 97 { "A" } else { "I" };
                    enrolments.push(enrolment(plan, person, &teachings[course], "student", "student", status));
                }
            }
            if here && teaches(person) {
                let count = rng.usize(1..=3);
                for (nth, course) in choose(rng, offered, home, count).into_iter().enumerate() {
                    let role = ["responsible", "lecturer", "assistant"][nth.min(2)];
                    let teaching = &teachings[course];
                    if let Some(code) = teaching.topic_id.split(':').nth(1) {
                        person.append("idautoPersonCourseCodes", format!("roles:{code}"));
                        person.append("idautoPersonActivityCode", format!("subjectCode|{code}"));
                    }
                    enrolments.push(enrolment(plan, person, teaching, "teacher", role, "A"));
                }
            }
        }
    }
    enrolments.sort();
    Study { semesters, topics, teachings, enrolments }
}

fn enrolment(
    plan: &CampusPlan,
    person: &CampusPerson,
    teaching: &TeachingRow,
    kind: &str,
    role: &str,
    status: &str,
) -> EnrolmentRow {
    EnrolmentRow {
        teaching_id: teaching.id,
        uhid: person.uhid.clone(),
        kind: kind.to_owned(),
        role: role.to_owned(),
        status: status.to_owned(),
        updated_at: plan.updated_at(),
    }
}

/// Four terms around the day, and which of them is the current one (counting from 0).
fn semesters(today: Date) -> (Vec<SemesterRow>, usize) {
    let year = today.year();
    let spring = |year: i16| (year, "VÅR", date(year, 1, 1), date(year, 6, 30));
    let summer = |year: i16| (year, "SOM", date(year, 7, 1), date(year, 7, 31));
    let autumn = |year: i16| (year, "HØST", date(year, 8, 1), date(year, 12, 31));
    let (terms, current) = if today.month() < 7 {
        ([autumn(year - 1), spring(year), summer(year), autumn(year)], 1)
    } else {
        ([spring(year), summer(year), autumn(year), spring(year + 1)], 2)
    };
    let row = |(year, term, from, to): (i16, &str, Date, Date)| SemesterRow {
        id: format!("{year}:{term}"),
        year,
        term: term.to_owned(),
        starts_on: from.to_string(),
        ends_on: to.to_string(),
    };
    (terms.map(row).to_vec(), current)
}

fn topics(rng: &mut Rng, plan: &CampusPlan, units: &[Unit], departments: &[usize]) -> Vec<TopicRow> {
    let count = (plan.people / 12).clamp(departments.len(), 9000);
    let mut topics = Vec::new();
    for nth in 0..count {
        let unit = &units[departments[nth % departments.len()]];
        let subject = unit.acronym.rsplit('-').next().unwrap_or_default();
        let number = 1000 + nth / departments.len() * 7;
        let code = if nth % 20 == 7 { format!("{subject}{}-1", number / 7) } else { format!("{subject}{number}") };
        let retired = rng.u8(..100) < 6;
        let second = rng.u8(..100) < 10;
        let field = unit.nb.trim_start_matches("Institutt for ");
        let mut add = |version: &str, status: &str| {
            topics.push(TopicRow {
                source_id: format!("{}:{code}:{version}", plan.institution),
                institution: plan.institution.clone(),
                code: code.clone(),
                version: version.to_owned(),
                name_nb: format!("Emne {number} i {field}"),
                name_nn: (nth % 9 == 0).then(|| format!("Emne {number} i {field} (nynorsk)")),
                name_en: (nth % 11 != 0).then(|| format!("Topic {number} of the {}", unit.en)),
                topic_type: Some("EMNE".to_owned()),
                org_id: Some(unit.key(&plan.institution)),
                status: status.to_owned(),
                updated_at: plan.updated_at(),
            });
        };
        add("1", if retired || second { "I" } else { "A" });
        if second {
            add("2", "A");
        }
    }
    topics.sort_by(|one, other| one.source_id.cmp(&other.source_id));
    topics.dedup_by(|one, other| one.source_id == other.source_id);
    topics
}

/// Indexes of teachings by semester and department.
type Offered = Vec<Vec<Vec<usize>>>;

fn teachings(
    rng: &mut Rng,
    plan: &CampusPlan,
    semesters: &[SemesterRow],
    topics: &[TopicRow],
    departments: &[usize],
) -> (Vec<TeachingRow>, Offered) {
    let mut teachings: Vec<TeachingRow> = Vec::new();
    let mut offered = vec![vec![Vec::new(); departments.len()]; semesters.len()];
    // Topics are sorted by key, so those of a department are not dealt out in turn: group by unit.
    let mut orgs: Vec<&str> = topics.iter().filter_map(|topic| topic.org_id.as_deref()).collect();
    orgs.sort_unstable();
    orgs.dedup();
    for (at, semester) in semesters.iter().enumerate() {
        for topic in topics {
            let share = if semester.term == "SOM" { 2 } else { 60 };
            if topic.status != "A" || rng.u8(..100) >= share {
                continue;
            }
            // Some teaching runs over several terms; this is its second one.
            let term_no = if at > 1 && rng.u8(..100) < 4 { 2 } else { 1 };
            let cancelled = rng.u8(..100) < 3;
            let home = topic.org_id.as_deref().and_then(|org| orgs.binary_search(&org).ok()).unwrap_or_default();
            if !cancelled {
                offered[at][home].push(teachings.len());
            }
            teachings.push(TeachingRow {
                id: 70_001 + i64::try_from(teachings.len()).unwrap_or(i64::MAX),
                topic_id: topic.source_id.clone(),
                semester_id: semester.id.clone(),
                term_no,
                status: if cancelled { "I" } else { "A" }.to_owned(),
                updated_at: plan.updated_at(),
            });
        }
    }
    (teachings, offered)
}

/// The department a unit belongs to, by its place among the departments; the first one for units above.
fn home(units: &[Unit], unit: usize, departments: &[usize]) -> usize {
    let mut at = Some(unit);
    while let Some(here) = at {
        if let Ok(found) = departments.binary_search(&here) {
            return found;
        }
        at = units[here].parent;
    }
    unit % departments.len()
}

/// Different courses, most of them of the person's own department; fewer where there are not so many.
fn choose(rng: &mut Rng, offered: &[Vec<usize>], home: usize, count: usize) -> Vec<usize> {
    let mut chosen = Vec::new();
    for _ in 0..count * 4 {
        let own = &offered[home];
        let from = if own.is_empty() || rng.u8(..100) < 25 { &offered[rng.usize(..offered.len())] } else { own };
        if let Some(course) = rng.choice(from)
            && !chosen.contains(course)
        {
            chosen.push(*course);
        }
        if chosen.len() == count {
            break;
        }
    }
    chosen
}
