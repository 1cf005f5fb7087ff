//! What `reconcile check` says of MetaVault, the same for every engine. Names tables and columns; no row is shown.

use std::collections::BTreeMap;

use crate::model::Check;
use crate::sources::error::SourceError;

/// What was found of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Table {
    /// It is as the read model says, and has so many rows.
    Rows(u64),
    /// It is not there, or lacks columns: in these words.
    Unlike(String),
    /// It may not be read by this account.
    Closed(String),
}

/// The connection, or what came after it, failed.
pub fn failed(error: &SourceError) -> Check {
    let fix = if error.retry {
        "try again; if it stays, ask who keeps MetaVault"
    } else {
        "see docs/errors.md for this code"
    };
    Check::problem("connection", format!("{}: {error}", error.code), fix)
}

/// One line for each table, and one for tables that do not fit together.
pub fn tables(tables: &BTreeMap<&'static str, Table>) -> Vec<Check> {
    let mut found: Vec<Check> = tables.iter().map(|(name, table)| of_table(name, table)).collect();
    found.extend(half_filled(tables));
    found
}

fn of_table(name: &str, table: &Table) -> Check {
    let loads = "MetaVault may be loading; if it stays empty, correct the view";
    match table {
        Table::Rows(0) if name == "mv_person" => Check::problem(name, "no rows: nobody could be joined", loads),
        Table::Rows(0) => Check::warning(name, "no rows", loads),
        Table::Rows(rows) => Check::good(name, format!("{rows} rows")),
        Table::Unlike(said) => {
            let fix = "make the table or view as docs/metavault-read-model.sql has it, and look at `url` and `schema`";
            Check::problem(name, said, fix)
        }
        Table::Closed(user) => {
            Check::problem(name, "this account may not read it", format!("GRANT SELECT ON {name} TO {user}"))
        }
    }
}

/// A load that was cut off leaves tables that cannot be of one moment.
fn half_filled(tables: &BTreeMap<&'static str, Table>) -> Option<Check> {
    let rows = |name: &str| match tables.get(name) {
        Some(Table::Rows(rows)) => Some(*rows),
        _ => None,
    };
    let (people, affiliations) = (rows("mv_person")?, rows("mv_affiliation")?);
    if affiliations > 0 && affiliations < people / 10 {
        return Some(Check::warning(
            "load",
            format!("mv_affiliation has {affiliations} rows for {people} rows of mv_person: half a load?"),
            "wait for the load to end and check again; passes hold back while a table is small",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    #[test]
    fn every_shortcoming_has_its_next_step() {
        let found = tables(&BTreeMap::from([
            ("mv_person", Table::Rows(1_000)),
            ("mv_affiliation", Table::Rows(3)),
            ("mv_enrolment", Table::Rows(0)),
            ("mv_org", Table::Closed("reader".into())),
            ("mv_topic", Table::Unlike("there is no table or view mv_topic".into())),
        ]));
        let level = |what: &str| found.iter().find(|check| check.what == what).unwrap().level;
        assert_eq!(level("mv_person"), Level::Good);
        assert_eq!((level("mv_enrolment"), level("load")), (Level::Warning, Level::Warning));
        assert_eq!((level("mv_org"), level("mv_topic")), (Level::Problem, Level::Problem));
        assert!(found.iter().all(|check| check.level == Level::Good || check.fix.is_some()));
    }
}
