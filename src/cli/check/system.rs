//! What was found, by the system in which it was.

use jiff::Timestamp;
use reconcile_state::Record;
use serde::Serialize;

use crate::model::{Check, Level, Semester, TargetError};
use crate::sources::{Directory, Vault};
use crate::targets::port::{Identity, Observer, Target};

/// MetaVault's section, under which its findings are.
const METAVAULT: &str = "metavault";

/// The findings about one system.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct System {
    /// Its name: that of its section in the configuration.
    pub system: String,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

impl System {
    /// A system and its findings.
    pub fn new(name: &str, checks: Vec<Check>) -> Self {
        Self { system: name.to_owned(), checks }
    }

    /// How many of a level.
    pub fn count(&self, level: Level) -> usize {
        self.checks.iter().filter(|check| check.level == level).count()
    }
}

/// Looks at Portal LDAP.
pub async fn directory(directory: &dyn Directory) -> System {
    System::new("portal_ldap", directory.check().await)
}

/// Looks at MetaVault.
pub async fn vault(vault: &dyn Vault) -> System {
    System::new(METAVAULT, vault.check().await)
}

/// What the settings of targets make of MetaVault's rows, told with each target. A MetaVault of which a problem was
/// told is not read for it.
pub async fn survey(vault: &dyn Vault, targets: &[Target], at: Timestamp, found: &mut [System]) {
    let sound = |system: &System| system.system != METAVAULT || system.count(Level::Problem) == 0;
    let surveys = || targets.iter().filter_map(|t| Some((t.observer.name, t.observer.project.survey()?)));
    if surveys().next().is_none() || !found.iter().all(sound) {
        return;
    }
    let reading = vault.read_all().await;
    for (name, survey) in surveys() {
        let Some(system) = found.iter_mut().find(|system| system.system == name) else { continue };
        match &reading {
            Ok(reading) => {
                let people: Vec<&Record> = reading.people.values().map(|entry| &entry.record).collect();
                let semesters: Vec<Semester> = reading.catalogue.semesters.values().cloned().collect();
                system.checks.extend(survey.look(&people, &semesters, at));
            }
            Err(error) => {
                let fix = "see docs/errors.md for this code";
                system.checks.push(Check::problem(METAVAULT, format!("{}: {error}", error.code), fix));
            }
        }
    }
}

/// Looks at a target, and whether it is the one that is remembered.
pub async fn target(observer: &Observer, remembered: Option<&Identity>) -> System {
    let mut checks = observer.reader.check().await;
    let bad = checks.iter().any(|check| check.level == Level::Problem);
    checks.extend(known(observer.reader.identity().await, remembered, bad));
    System::new(observer.name, checks)
}

/// Which target it is. That it does not say so is told once.
fn known(identity: Result<Identity, TargetError>, remembered: Option<&Identity>, told: bool) -> Vec<Check> {
    let what = "identity";
    let check = match (identity, remembered) {
        (Err(_), _) if told => return Vec::new(),
        (Err(error), _) => return Check::of_identity(Err(error)),
        (Ok(now), Some(before)) if now.id != before.id => Check::problem(
            what,
            format!(
                "TARGET_CHANGED: this is {} ({}), but {} ({}) is remembered",
                now.title, now.id, before.title, before.id
            ),
            "look at the address in the configuration; if the change is meant, link to the new one with --adopt",
        ),
        (Ok(now), Some(_)) => Check::good(what, format!("{}, as remembered", now.id)),
        (Ok(now), None) => Check::good(what, format!("{}, remembered from the first pass on", now.id)),
    };
    vec![check]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ErrorKind;

    fn identity(id: &str) -> Identity {
        Identity { id: id.into(), title: format!("Site {id}"), warnings: Vec::new() }
    }

    fn levels(checks: &[Check]) -> Vec<Level> {
        checks.iter().map(|check| check.level).collect()
    }

    #[test]
    fn another_target_than_the_remembered_one_is_a_problem_that_is_told_once() {
        let failed = || Err(TargetError::new(ErrorKind::Connect, "TOY_CONNECTION_FAILED", "unreachable"));
        assert_eq!(levels(&known(Ok(identity("a")), None, false)), [Level::Good]);
        assert_eq!(levels(&known(Ok(identity("a")), Some(&identity("a")), false)), [Level::Good]);
        let changed = known(Ok(identity("b")), Some(&identity("a")), true);
        assert_eq!(levels(&changed), [Level::Problem]);
        assert!(changed[0].found.starts_with("TARGET_CHANGED: this is Site b (b), but Site a (a)"), "{changed:?}");
        assert!(changed[0].fix.as_ref().is_some_and(|fix| fix.contains("--adopt")));
        assert_eq!(levels(&known(failed(), Some(&identity("a")), false)), [Level::Problem]);
        assert_eq!(known(failed(), Some(&identity("a")), true), []);
    }
}
