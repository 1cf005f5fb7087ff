//! What `reconcile check` says of MetaVault, the same for every engine. Names tables and columns; no row is shown.

use std::collections::BTreeMap;

use crate::model::Check;
use crate::sources::error::SourceError;

/// What was found of one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Table {
    /// It is as the read model says, and has so many rows.
    Rows(u64),
    /// It is not there: in these words.
    Absent(String),
    /// It lacks columns, or cannot be read: in these words.
    Unlike(String),
    /// It may not be read by this account.
    Closed(String),
}

/// The connection, or what came after it, failed.
pub fn failed(error: &SourceError) -> Check {
    let again = if error.retry {
        "try again; if it stays, ask who keeps MetaVault"
    } else {
        "correct what is named there, or let whoever keeps MetaVault do so, and check again"
    };
    let text = format!("{}: {error}", error.code);
    let (found, fix) = text.split_once("; ").unwrap_or((&text, again));
    Check::problem("connection", found, fix)
}

/// One line for each table, and one for tables that do not fit together.
pub fn tables(tables: &BTreeMap<&'static str, Table>) -> Vec<Check> {
    if tables.values().all(|table| matches!(table, Table::Absent(_))) {
        let found = format!("none of the {} tables and views is there", tables.len());
        let fix = "look at `schema` in [metavault], and whether `url` names the right database";
        return vec![Check::problem("tables", found, fix)];
    }
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
        Table::Absent(said) | Table::Unlike(said) => {
            let fix = "make the table or view as the read model has it (docs/metavault-read-model.sql in the sources of \
                       this program), and look at `url` and `schema`";
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
            ("mv_topic", Table::Absent("there is no table or view mv_topic".into())),
        ]));
        let none = tables(&BTreeMap::from(["mv_org", "mv_topic"].map(|name| (name, Table::Absent(String::new())))));
        assert_eq!(none.len(), 1, "{none:?}");
        assert!(none[0].level == Level::Problem && none[0].fix.as_ref().unwrap().contains("`schema`"));
        let level = |what: &str| found.iter().find(|check| check.what == what).unwrap().level;
        assert_eq!(level("mv_person"), Level::Good);
        assert_eq!((level("mv_enrolment"), level("load")), (Level::Warning, Level::Warning));
        assert_eq!((level("mv_org"), level("mv_topic")), (Level::Problem, Level::Problem));
        assert!(found.iter().all(|check| check.level == Level::Good || check.fix.is_some()));
    }
}
