//! The campus: everybody and everything, from a plan.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};

use fastrand::Rng;
use unicode_normalization::UnicodeNormalization;

use super::invent::{Taken, invent};
use super::ldif;
use super::number::uhid;
use super::oddity::Oddity;
use super::organisation::{self, Unit};
use super::person::{CampusPerson, Standing, attribute};
use super::plan::CampusPlan;
use super::rows::{EnrolmentRow, OrgManagerRow, OrgRow, SemesterRow, TeachingRow, TopicRow};
use super::study::teach;
use super::username::Usernames;
use super::vault::record;
use crate::sim::ldap::Entry;

/// An invented university, every list in a fixed order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Campus {
    /// What it was made from.
    pub plan: CampusPlan,
    /// The organisation, parents before children.
    pub units: Vec<Unit>,
    /// Everybody, by UH-ID.
    pub people: Vec<CampusPerson>,
    /// `mv_org_manager`, by organisation.
    pub managers: Vec<OrgManagerRow>,
    /// `mv_semester`, by time.
    pub semesters: Vec<SemesterRow>,
    /// `mv_topic`, by key.
    pub topics: Vec<TopicRow>,
    /// `mv_teaching`, by id.
    pub teachings: Vec<TeachingRow>,
    /// `mv_enrolment`, by teaching and person.
    pub enrolments: Vec<EnrolmentRow>,
}

impl Campus {
    /// Makes the campus of a plan: the same plan, the same campus.
    pub fn generate(plan: &CampusPlan) -> Self {
        let mut rng = Rng::with_seed(plan.seed);
        let units = organisation::grow(plan.people);
        let mut ids = BTreeSet::new();
        while ids.len() < plan.people {
            ids.insert(uhid(&mut rng));
        }
        let mut taken = Taken { usernames: Usernames::default(), national: HashSet::new(), number: 0 };
        let mut people: Vec<CampusPerson> =
            ids.into_iter().map(|id| invent(&mut rng, plan, &units, &mut taken, id)).collect();
        let managers = manage(plan, &units, &mut people);
        distort(&mut rng, &mut people);
        let study = teach(&mut rng, plan, &units, &mut people);
        for person in &mut people {
            record(plan, &units, person);
        }
        Self {
            plan: plan.clone(),
            units,
            people,
            managers,
            semesters: study.semesters,
            topics: study.topics,
            teachings: study.teachings,
            enrolments: study.enrolments,
        }
    }

    /// The person of a UH-ID.
    pub fn person(&self, uhid: &str) -> Option<&CampusPerson> {
        self.people.binary_search_by(|person| person.uhid.as_str().cmp(uhid)).ok().map(|at| &self.people[at])
    }

    /// Everybody with an oddity.
    pub fn odd(&self, oddity: Oddity) -> impl Iterator<Item = &CampusPerson> {
        self.people.iter().filter(move |person| person.oddity == Some(oddity))
    }

    /// Portal LDAP's entries of people, without the containers above them.
    pub fn ldap_entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.people.iter().filter(|person| person.in_directory).map(CampusPerson::entry)
    }

    /// Writes those entries as LDIF.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_ldif(&self, to: impl Write) -> io::Result<()> {
        ldif::write(to, self.ldap_entries())
    }

    /// `mv_org`, parents before children.
    pub fn org_rows(&self) -> Vec<OrgRow> {
        organisation::rows(&self.units, &self.plan.institution, &self.plan.updated_at())
    }
}

impl CampusPlan {
    pub(super) fn updated_at(&self) -> String {
        format!("{}T03:00:00Z", self.today)
    }
}

/// Gives each unit with employees a manager, and every other one a deputy; their people learn of both.
fn manage(plan: &CampusPlan, units: &[Unit], people: &mut [CampusPerson]) -> Vec<OrgManagerRow> {
    let mut staff: Vec<Vec<usize>> = vec![Vec::new(); units.len()];
    for (at, person) in people.iter().enumerate() {
        if person.kind.works() && person.standing == Standing::Active {
            staff[person.unit].push(at);
        }
    }
    let mut rows = Vec::new();
    for (at, unit) in units.iter().enumerate() {
        let mut leaders = staff[at].iter();
        let manager = leaders.next();
        let deputy = leaders.next().filter(|_| at % 2 == 0);
        for (kind, leader) in [("manager", manager), ("deputy", deputy)] {
            let Some(leader) = leader.map(|leader| &mut people[*leader]) else { continue };
            if kind == "manager" {
                leader.append(attribute::BUSINESS_ROLES, "iam:manager");
                leader.append("idautoPersonManagedOrgs", unit.id.clone());
            }
            let (org_id, uhid) = (unit.key(&plan.institution), leader.uhid.clone());
            rows.push(OrgManagerRow { org_id, uhid, kind: kind.to_owned(), until: None });
        }
    }
    for at in 0..people.len() {
        if !people[at].kind.works() {
            continue;
        }
        let Some((leader, deputy)) = leaders(units, &staff, people[at].unit, at) else { continue };
        let (dn, id) = (people[leader].dn(), people[leader].uhid.clone());
        let deputy = deputy.map(|deputy| people[deputy].uhid.clone());
        let person = &mut people[at];
        person.put("manager", dn);
        person.put("idautoPersonExt12", id);
        if let Some(deputy) = deputy {
            person.put("idautoPersonExt13", deputy);
        }
    }
    rows
}

/// The manager and deputy of a person: of the own unit, or for its manager of the unit above.
fn leaders(units: &[Unit], staff: &[Vec<usize>], unit: usize, of: usize) -> Option<(usize, Option<usize>)> {
    let mut at = Some(unit);
    while let Some(here) = at {
        match staff[here].first() {
            Some(manager) if *manager != of => {
                let deputy = staff[here].get(1).copied().filter(|deputy| here % 2 == 0 && *deputy != of);
                return Some((*manager, deputy));
            }
            _ => at = units[here].parent,
        }
    }
    None
}

/// Deals the oddities out, each to its share of people.
fn distort(rng: &mut Rng, people: &mut [CampusPerson]) {
    let mut order: Vec<usize> = (0..people.len()).collect();
    rng.shuffle(&mut order);
    for (oddity, _) in Oddity::SHARES {
        let mut first: Option<usize> = None;
        for _ in 0..oddity.count(people.len()) {
            let Some(at) = order.iter().position(|at| suits(&people[*at], oddity)) else { break };
            let at = order.swap_remove(at);
            let partner = first.map(|partner| people[partner].clone());
            people[at].oddity = Some(oddity);
            apply(&mut people[at], oddity, partner.as_ref());
            first = if oddity.in_pairs() && first.is_none() { Some(at) } else { None };
        }
    }
}

fn suits(person: &CampusPerson, oddity: Oddity) -> bool {
    match oddity {
        Oddity::UpperCaseUsername => person.text(attribute::USERNAME).is_some(),
        Oddity::MixedCaseEntitlement => person.texts(attribute::BIRTHRIGHT).iter().any(|system| system == "moodle"),
        Oddity::SharedStudentNumber => person.text(attribute::STUDENT_NUMBER).is_some(),
        Oddity::SharedEmail => person.text(attribute::EMAIL).is_some(),
        Oddity::DecomposedName => decomposed(person).is_some(),
        _ => true,
    }
}

/// The names in decomposed form, if that changes either.
fn decomposed(person: &CampusPerson) -> Option<[String; 2]> {
    let names = [attribute::GIVEN_NAME, attribute::SURNAME].map(|name| person.text(name).unwrap_or_default());
    let apart = names.map(|name| name.nfd().collect::<String>());
    (apart[0] != names[0] || apart[1] != names[1]).then_some(apart)
}

fn apply(person: &mut CampusPerson, oddity: Oddity, partner: Option<&CampusPerson>) {
    let share = |person: &mut CampusPerson, name: &str| {
        if let Some(value) = partner.and_then(|partner| partner.text(name)) {
            person.put(name, value);
        }
    };
    match oddity {
        Oddity::NoSurname => drop(person.attributes.remove(attribute::SURNAME)),
        Oddity::NoGivenName => drop(person.attributes.remove(attribute::GIVEN_NAME)),
        Oddity::NoAffiliation => {
            person.attributes.remove(attribute::AFFILIATION);
            person.attributes.remove(attribute::AFFILIATIONS);
        }
        Oddity::OnlyUserNameMv => {
            person.attributes.remove(attribute::UH_USERNAME);
            person.attributes.remove(attribute::USERNAME);
        }
        Oddity::UpperCaseUsername => {
            let name = person.text(attribute::USERNAME).unwrap_or_default().to_uppercase();
            person.put(attribute::USERNAME, name);
        }
        Oddity::TrailingBlanks => {
            for name in [attribute::GIVEN_NAME, attribute::SURNAME] {
                let value = format!("{} ", person.text(name).unwrap_or_default());
                person.put(name, value);
            }
        }
        Oddity::DecomposedName => {
            if let Some([given, family]) = decomposed(person) {
                person.put("displayName", format!("{given} {family}"));
                person.put(attribute::GIVEN_NAME, given);
                person.put(attribute::SURNAME, family);
            }
        }
        Oddity::MalformedUnit => {
            person.put(attribute::DEPT_CODE, "HF|ukjent");
            person.put(attribute::DEPT_CODES, "HF|ukjent");
        }
        Oddity::MixedCaseEntitlement => {
            for system in person.attributes.entry(attribute::BIRTHRIGHT.to_owned()).or_default() {
                if system == "moodle" {
                    "Moodle".clone_into(system);
                }
            }
        }
        Oddity::SharedStudentNumber => share(person, attribute::STUDENT_NUMBER),
        Oddity::SharedEmail => share(person, attribute::EMAIL),
        Oddity::NoDirectoryEntry => person.in_directory = false,
        Oddity::NoVaultRow | Oddity::SeveralVaultRows => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::campus::Kind;
    use std::collections::BTreeMap;

    fn ldif(campus: &Campus) -> Vec<u8> {
        let mut text = Vec::new();
        campus.write_ldif(&mut text).unwrap();
        text
    }

    #[test]
    fn the_same_seed_gives_the_same_campus_and_another_seed_another() {
        let one = Campus::generate(&CampusPlan::new(1, 300));
        let again = Campus::generate(&CampusPlan::new(1, 300));
        let other = Campus::generate(&CampusPlan::new(2, 300));
        assert_eq!(one, again);
        assert_eq!(ldif(&one), ldif(&again));
        assert_ne!(ldif(&one), ldif(&other));
    }

    #[test]
    fn every_oddity_occurs_as_often_as_documented() {
        let campus = Campus::generate(&CampusPlan::new(5, 2_000));
        for (oddity, _) in Oddity::SHARES {
            let count = campus.odd(oddity).count();
            assert_eq!(count, oddity.count(2_000), "{oddity:?}");
            assert!(count >= 2, "{oddity:?}");
        }
    }

    #[test]
    fn oddities_are_what_they_say() {
        let campus = Campus::generate(&CampusPlan::new(5, 2_000));
        let every = |oddity, holds: fn(&CampusPerson) -> bool| {
            assert!(campus.odd(oddity).all(holds), "{oddity:?}");
        };
        every(Oddity::NoSurname, |person| person.text("sn").is_none());
        every(Oddity::NoGivenName, |person| person.text("givenName").is_none());
        every(Oddity::NoAffiliation, |person| person.texts(attribute::AFFILIATIONS).is_empty());
        every(Oddity::OnlyUserNameMv, |person| {
            person.text(attribute::UH_USERNAME).is_none() && !person.texts(attribute::USERNAMES).is_empty()
        });
        every(Oddity::UpperCaseUsername, |person| {
            person.text(attribute::USERNAME).unwrap().contains(|letter: char| letter.is_ascii_uppercase())
        });
        every(Oddity::TrailingBlanks, |person| person.text("sn").unwrap().ends_with(' '));
        every(Oddity::DecomposedName, |person| {
            let name = person.text("displayName").unwrap();
            name.nfc().collect::<String>() != name
        });
        every(Oddity::MalformedUnit, |person| person.text(attribute::DEPT_CODE).unwrap().split('|').count() < 4);
        every(Oddity::MixedCaseEntitlement, |person| {
            person.texts(attribute::BIRTHRIGHT).contains(&"Moodle".to_owned())
        });
        every(Oddity::NoVaultRow, |person| person.vault_rows.is_empty() && person.in_directory);
        every(Oddity::NoDirectoryEntry, |person| !person.vault_rows.is_empty() && !person.in_directory);
        every(Oddity::SeveralVaultRows, |person| person.vault_rows.len() >= 3);
        for (oddity, name) in
            [(Oddity::SharedStudentNumber, attribute::STUDENT_NUMBER), (Oddity::SharedEmail, attribute::EMAIL)]
        {
            let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
            for person in &campus.people {
                *holders.entry(person.text(name).unwrap_or_default()).or_default() += 1;
            }
            for person in campus.odd(oddity) {
                assert_eq!(holders[person.text(name).unwrap()], 2, "{oddity:?} {}", person.uhid);
            }
        }
    }

    #[test]
    fn people_without_oddity_are_whole_and_their_keys_unique() {
        let campus = Campus::generate(&CampusPlan::new(9, 2_000));
        assert!(campus.people.is_sorted_by(|one, other| one.uhid < other.uhid));
        let mut seen = HashSet::new();
        for person in campus.people.iter().filter(|person| person.oddity.is_none()) {
            for name in [attribute::UH_USERNAME, attribute::EPPN, attribute::NATIONAL_NUMBER, "givenName", "sn"] {
                assert!(person.text(name).is_some(), "{name} {}", person.uhid);
            }
            assert_eq!(person.text("mail"), person.text(attribute::EPPN));
            assert!(person.texts(attribute::USERNAMES).iter().all(|name| seen.insert(name.clone())));
            assert!(seen.insert(person.text(attribute::NATIONAL_NUMBER).unwrap().to_owned()));
            assert_eq!(campus.person(&person.uhid), Some(person));
        }
    }

    #[test]
    fn shares_are_those_of_a_university() {
        let campus = Campus::generate(&CampusPlan::new(4, 5_000));
        let percent = |holds: &dyn Fn(&CampusPerson) -> bool| {
            campus.people.iter().filter(|person| holds(person)).count() * 100 / campus.people.len()
        };
        assert!((72..=78).contains(&percent(&|person| person.kind == Kind::Student)));
        assert!((16..=20).contains(&percent(&|person| person.kind == Kind::Employee)));
        assert!((3..=7).contains(&percent(&|person| person.kind == Kind::Guest)));
        assert!((45..=55).contains(&percent(&|person| person.text(attribute::USERNAME).is_some())));
        let active: Vec<_> = campus.people.iter().filter(|person| person.standing == Standing::Active).collect();
        let entitled = active.iter().filter(|person| person.entitled("moodle")).count() * 100 / active.len();
        assert!((90..=94).contains(&entitled), "{entitled}");
        let left: Vec<_> = campus.people.iter().filter(|person| person.standing == Standing::Left).collect();
        assert!(left.iter().all(|person| !person.entitled("moodle")));
        assert!(left.iter().any(|person| person.texts(attribute::BIRTHRIGHT_MARKS).contains(&"moodle".to_owned())));
    }

    #[test]
    fn enrolments_name_people_and_teachings_that_exist() {
        let campus = Campus::generate(&CampusPlan::new(3, 1_500));
        let teachings: HashSet<i64> = campus.teachings.iter().map(|teaching| teaching.id).collect();
        let topics: HashSet<&str> = campus.topics.iter().map(|topic| topic.source_id.as_str()).collect();
        let mut keys = HashSet::new();
        for row in &campus.enrolments {
            assert!(teachings.contains(&row.teaching_id) && campus.person(&row.uhid).is_some());
            assert!(keys.insert((row.teaching_id, &row.uhid, &row.kind, &row.role)));
        }
        assert!(campus.teachings.iter().all(|teaching| topics.contains(teaching.topic_id.as_str())));
        assert!((5..=9).contains(&(campus.enrolments.len() / campus.people.len())));
    }
}
