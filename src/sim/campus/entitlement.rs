//! Who is entitled to what, in shares a real university might show, and the marks of those who once were.

use fastrand::Rng;

use super::person::{CampusPerson, Kind, Standing, attribute};

/// Percent of students, employees and guests with a birthright. Moodle's share with what is requested on
/// top leaves about 8 % without.
const BIRTHRIGHTS: [(&str, [u8; 3]); 6] = [
    ("active directory", [97, 99, 80]),
    ("fs fagperson", [0, 45, 5]),
    ("ldap", [99, 99, 99]),
    ("lenel", [60, 95, 40]),
    ("moodle", [92, 92, 70]),
    ("wiseflow", [80, 30, 5]),
];

/// Sets AppRoles2, 6 and 10, and AppRoles5 and 8 of leavers.
pub fn grant(rng: &mut Rng, person: &mut CampusPerson) {
    let column = match person.kind {
        Kind::Student => 0,
        Kind::Employee | Kind::Both => 1,
        Kind::Guest => 2,
    };
    let chance = |rng: &mut Rng, percent: u8| rng.u8(..100) < percent;
    let birthright: Vec<String> = BIRTHRIGHTS
        .iter()
        .filter(|(_, shares)| chance(rng, shares[column]))
        .map(|(system, _)| (*system).to_owned())
        .collect();
    let mut requested = Vec::new();
    if person.kind.works() && chance(rng, 12) {
        requested.push("wiseflow:author".to_owned());
    }
    if !birthright.iter().any(|system| system == "moodle") && chance(rng, 15) {
        requested.push("moodle".to_owned());
    }
    person.put_all(attribute::BUSINESS_ROLES, business_roles(rng, person.kind));
    match person.standing {
        Standing::Active | Standing::Grace => {
            person.put_all(attribute::BIRTHRIGHT, birthright);
            person.put_all(attribute::REQUESTED, requested);
        }
        Standing::Left => {
            person.put_all(attribute::BIRTHRIGHT_MARKS, marked(rng, birthright));
            person.put_all(attribute::REQUESTED_MARKS, requested);
        }
        Standing::Disabled | Standing::Deceased => {
            person.put_all(attribute::BIRTHRIGHT_MARKS, marked(rng, birthright.clone()));
            person.put_all(attribute::REQUESTED_MARKS, requested.clone());
            // An exclusion takes effect at once, before the entitlements go.
            if rng.bool() {
                person.put_all(attribute::BIRTHRIGHT, birthright);
                person.put_all(attribute::REQUESTED, requested);
            }
        }
    }
}

/// `ldap` is not provisioned by marks; of the rest some were never provisioned.
fn marked(rng: &mut Rng, birthright: Vec<String>) -> Vec<String> {
    birthright.into_iter().filter(|system| system != "ldap" && rng.u8(..100) < 85).collect()
}

fn business_roles(rng: &mut Rng, kind: Kind) -> Vec<String> {
    let mut roles = match kind {
        Kind::Student => vec!["iam:student"],
        Kind::Employee => vec!["iam:employee"],
        Kind::Both => vec!["iam:employee", "iam:student"],
        Kind::Guest => vec!["iam:guest"],
    };
    if kind == Kind::Guest && rng.u8(..100) < 40 {
        roles.push("iam:shorttermguest");
    }
    if kind.works() && rng.u8(..100) < 20 {
        roles.push("iam:adm");
    }
    roles.into_iter().map(str::to_owned).collect()
}
