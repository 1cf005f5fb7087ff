//! The organisation: institution, faculties, departments, groups, and the tuples that name them.

use super::rows::OrgRow;

/// One unit of the organisation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unit {
    /// SAP id, ten digits.
    pub id: String,
    /// Index of the unit above; `None` for the institution.
    pub parent: Option<usize>,
    /// 1 (institution) to 4 (group).
    pub level: u8,
    /// Acronym, `HF-LING-G1`: the path from the faculty down.
    pub acronym: String,
    /// Norwegian name.
    pub nb: String,
    /// English name.
    pub en: String,
    /// Six digits: faculty, department, group.
    pub stedkode: String,
    /// The campus its people work on.
    pub campus: &'static str,
}

impl Unit {
    /// The tuple of the data model: `id|acronym|nb|en|stedkode`.
    pub fn tuple(&self) -> String {
        format!("{}|{}|{}|{}|{}", self.id, self.acronym, self.nb, self.en, self.stedkode)
    }

    /// The tuple of the SCIM document: `acronym|nb|en|stedkode`.
    pub fn short_tuple(&self) -> String {
        format!("{}|{}|{}|{}", self.acronym, self.nb, self.en, self.stedkode)
    }

    /// The key of its row in MetaVault, `institution:system:orgs:id`.
    pub fn key(&self, institution: &str) -> String {
        format!("{institution}:sap:orgs:{}", self.id)
    }
}

const CAMPUSES: [&str; 3] = ["Campus Nord", "Campus Sør", "Campus Øst"];

type Subject = (&'static str, &'static str, &'static str);

const FACULTIES: [(Subject, &[Subject]); 7] = [
    (
        ("HF", "Det humanistiske fakultet", "Faculty of Humanities"),
        &[
            ("LING", "lingvistikk", "Linguistics"),
            ("HIS", "historie", "History"),
            ("FIL", "filosofi", "Philosophy"),
            ("MUS", "musikkvitenskap", "Musicology"),
            ("NOR", "nordisk språk", "Nordic Languages"),
        ],
    ),
    (
        ("NAT", "Fakultet for naturvitenskap", "Faculty of Natural Sciences"),
        &[
            ("FYS", "fysikk", "Physics"),
            ("KJE", "kjemi", "Chemistry"),
            ("BIO", "biologi", "Biology"),
            ("GEO", "geologi", "Geology"),
            ("MAT", "matematikk", "Mathematics"),
        ],
    ),
    (
        ("TEK", "Fakultet for teknologi", "Faculty of Technology"),
        &[
            ("INF", "informatikk", "Informatics"),
            ("ELE", "elektronikk", "Electronics"),
            ("BYG", "byggteknikk", "Civil Engineering"),
            ("ENE", "energi og miljø", "Energy and Environment"),
        ],
    ),
    (
        ("HV", "Fakultet for helsevitenskap", "Faculty of Health Sciences"),
        &[
            ("SYK", "sykepleie", "Nursing"),
            ("ERG", "ergoterapi", "Occupational Therapy"),
            ("FARM", "farmasi", "Pharmacy"),
            ("MED", "medisin", "Medicine"),
        ],
    ),
    (
        ("SV", "Det samfunnsvitenskapelige fakultet", "Faculty of Social Sciences"),
        &[
            ("SØK", "økonomi", "Economics"),
            ("SOS", "sosiologi", "Sociology"),
            ("PSY", "psykologi", "Psychology"),
            ("STV", "statsvitenskap", "Political Science"),
        ],
    ),
    (
        ("LÆR", "Fakultet for lærerutdanning", "Faculty of Teacher Education"),
        &[
            ("PED", "pedagogikk", "Education"),
            ("IDR", "idrett", "Sports"),
            ("KUN", "kunst og håndverk", "Arts and Crafts"),
        ],
    ),
    (
        ("ADM", "Universitetsadministrasjonen", "University Administration"),
        &[("IT", "IT-tjenester", "IT Services"), ("ØKO", "økonomi og lønn", "Finance"), ("UB", "bibliotek", "Library")],
    ),
];

/// The tree, parents before children. It grows with the population: one group per department for a few
/// hundred people, four for twenty thousand.
pub fn grow(people: usize) -> Vec<Unit> {
    let groups = (people / 5000 + 1).min(4);
    let mut units = vec![Unit {
        id: id(0),
        parent: None,
        level: 1,
        acronym: "UNI".to_owned(),
        nb: "Universitetet i Eksempelby".to_owned(),
        en: "University of Eksempelby".to_owned(),
        stedkode: "000000".to_owned(),
        campus: CAMPUSES[0],
    }];
    for (f, ((short, nb, en), departments)) in FACULTIES.iter().enumerate() {
        let campus = CAMPUSES[f % CAMPUSES.len()];
        let faculty = units.len();
        let stedkode = |d: usize, g: usize| format!("{:02}{d:02}{g:02}", f + 11);
        let mut add = |parent, level, acronym: String, nb: String, en: String, stedkode| {
            let id = id(units.len());
            units.push(Unit { id, parent: Some(parent), level, acronym, nb, en, stedkode, campus });
            units.len() - 1
        };
        add(0, 2, (*short).to_owned(), (*nb).to_owned(), (*en).to_owned(), stedkode(0, 0));
        for (d, (code, nb, en)) in departments.iter().enumerate() {
            let acronym = format!("{short}-{code}");
            let names = (format!("Institutt for {nb}"), format!("Department of {en}"));
            let department = add(faculty, 3, acronym.clone(), names.0, names.1, stedkode(d + 1, 0));
            for g in 1..=groups {
                let names = (format!("Seksjon {g} for {nb}"), format!("Section {g} of {en}"));
                add(department, 4, format!("{acronym}-G{g}"), names.0, names.1, stedkode(d + 1, g));
            }
        }
    }
    units
}

fn id(index: usize) -> String {
    format!("{:010}", 1500 + index)
}

/// MetaVault's rows of the units.
pub fn rows(units: &[Unit], institution: &str, updated_at: &str) -> Vec<OrgRow> {
    let key = |index: usize| units.get(index).map(|unit| unit.key(institution));
    units
        .iter()
        .map(|unit| OrgRow {
            id: unit.key(institution),
            parent_id: unit.parent.and_then(key),
            acronym: unit.acronym.clone(),
            name_nb: unit.nb.clone(),
            name_en: Some(unit.en.clone()),
            stedkode: Some(unit.stedkode.clone()),
            institution: institution.to_owned(),
            costcenter: Some(format!("8{}", &unit.stedkode[..4])),
            status: "A".to_owned(),
            updated_at: updated_at.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_four_levels_with_parents_first() {
        let units = grow(20_000);
        assert!(units.iter().enumerate().all(|(at, unit)| unit.parent.is_none_or(|parent| parent < at)));
        for unit in &units {
            let above = unit.parent.map_or(0, |parent| units[parent].level);
            assert_eq!(unit.level, above + 1, "{unit:?}");
            assert_eq!((unit.tuple().split('|').count(), unit.short_tuple().split('|').count()), (5, 4));
        }
        assert_eq!(units.iter().map(|unit| unit.level).max(), Some(4));
    }
}
