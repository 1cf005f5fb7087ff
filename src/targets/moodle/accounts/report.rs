//! The custom report "Users" as accounts (facts, section 8): display text, escaped, in the report's own
//! order of columns, under headers that an administrator may change at any time.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::config::ReportConfig;
use super::super::table::{Table, malformed};
use super::super::wire::Report;
use super::seen::Row;
use crate::model::TargetError;

/// Where its settings are, for messages.
const SETTING: &str = "report";

/// Reads a report, row by row: gives what is made of each account, and how many there are by the report's own count;
/// whether all are here is the engine's judgement.
///
/// # Errors
/// A header that is missing or stands twice, a row of another length, a word that is neither yes nor no, a
/// user name that is empty or stands twice: the report is not what it was, or not one consistent page.
pub fn accounts<T>(
    report: Report,
    config: &ReportConfig,
    auth: &str,
    city: bool,
    make: impl Fn(Row) -> T,
) -> Result<(Vec<T>, u64), TargetError> {
    let table = Table::new(SETTING, report.data, &config.columns.wanted(city))?;
    let mut names: HashSet<Cow<'_, str>> = HashSet::with_capacity(table.rows().len());
    let mut accounts = Vec::with_capacity(table.rows().len());
    for row in table.rows() {
        let text = |name| row.cell(name).into_owned();
        let account = Row {
            id: None,
            username: row.cell("username").trim().to_owned(),
            email: text("email"),
            firstname: text("firstname"),
            lastname: text("lastname"),
            idnumber: text("idnumber"),
            department: text("department"),
            institution: text("institution"),
            city: text("city"),
            auth: method(text("auth"), config, auth),
            suspended: truth(&row.cell("suspended"), config)?,
        };
        let name = match row.cell("username") {
            Cow::Borrowed(name) => Cow::Borrowed(name.trim()),
            Cow::Owned(name) => Cow::Owned(name.trim().to_owned()),
        };
        if name.is_empty() || !names.insert(name) {
            let message = "a user name is empty or stands twice; is the report one of source \"Users\"?";
            return Err(malformed(SETTING, message));
        }
        accounts.push(make(account));
    }
    Ok((accounts, table.total()))
}

fn truth(text: &str, config: &ReportConfig) -> Result<bool, TargetError> {
    match text.trim() {
        word if word == config.yes.trim() => Ok(true),
        word if word == config.no.trim() => Ok(false),
        _ => {
            let header = &config.columns.suspended;
            let message = format!("column `suspended` (headed `{header}`) holds neither report.yes nor report.no");
            Err(malformed(SETTING, &message))
        }
    }
}

fn method(text: String, config: &ReportConfig, auth: &str) -> String {
    if config.auth.as_deref().is_some_and(|title| title.trim() == text.trim()) { auth.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::ErrorKind;
    use crate::targets::moodle::answer::FETCH_FAILED;
    use crate::targets::moodle::testing::settings;

    const HEADERS: [&str; 9] = [
        "Username",
        "ID number",
        "Email address",
        "First name",
        "Last name",
        "Suspended",
        "Authentication",
        "Department",
        "Institution",
    ];
    const KARI: [&str; 9] =
        ["kari", "5", "k@x.no", "Kari &amp; Co", "O&#039;Hara &quot;K&quot;", "No", "oidc", "A &lt; B", "U"];

    fn config(more: &str) -> ReportConfig {
        settings(&format!("[report]\nid = 1\n{more}")).report.unwrap()
    }

    fn report(headers: &[&str], rows: &[Vec<&str>]) -> Report {
        let rows: Vec<_> = rows.iter().map(|cells| json!({"columns": cells})).collect();
        let data = json!({"headers": headers, "rows": rows, "totalrowcount": rows.len()});
        serde_json::from_value(json!({"data": data, "warnings": []})).unwrap()
    }

    fn read(headers: &[&str], rows: &[Vec<&str>]) -> Result<(Vec<Row>, u64), TargetError> {
        accounts(report(headers, rows), &config(""), "oidc", false, |row| row)
    }

    fn refusal(headers: &[&str], rows: &[Vec<&str>]) -> String {
        let error = read(headers, rows).err().unwrap();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Malformed, FETCH_FAILED));
        error.message
    }

    #[test]
    fn cells_are_unescaped() {
        let (rows, total) = read(&HEADERS, &[KARI.to_vec()]).unwrap();
        let row = &rows[0];
        assert_eq!((total, row.firstname.as_str(), row.lastname.as_str()), (1, "Kari & Co", "O'Hara \"K\""));
        assert_eq!((row.department.as_str(), row.suspended, row.id), ("A < B", false, None));
    }

    #[test]
    fn swapped_columns_are_followed_and_others_do_not_matter() {
        let mut headers = HEADERS.to_vec();
        let mut cells = KARI.to_vec();
        headers.swap(0, 4);
        cells.swap(0, 4);
        headers.push("Last access");
        cells.push("Never");
        let (rows, _) = read(&headers, &[cells]).unwrap();
        assert_eq!((rows[0].username.as_str(), rows[0].lastname.as_str()), ("kari", "O'Hara \"K\""));
    }

    #[test]
    fn a_renamed_missing_or_repeated_header_is_named() {
        for (at, header) in HEADERS.iter().enumerate() {
            let mut headers = HEADERS.to_vec();
            headers[at] = "Something";
            assert!(refusal(&headers, &[KARI.to_vec()]).contains(header));
        }
        let mut headers = HEADERS.to_vec();
        headers[0] = "Institution";
        assert!(refusal(&headers, &[]).contains("report.columns.username"));
        headers[0] = "Username";
        headers[1] = "Email address";
        headers.push("ID number");
        assert!(refusal(&headers, &[]).contains("two columns"));
    }

    #[test]
    fn a_word_that_is_neither_names_the_column_and_not_the_value() {
        let mut cells = KARI.to_vec();
        cells[5] = "Kanskje";
        let message = refusal(&HEADERS, &[cells]);
        assert!(message.contains("`suspended`") && !message.contains("Kanskje"), "{message}");
    }

    #[test]
    fn words_and_titles_are_mapped() {
        let mut cells = KARI.to_vec();
        cells[5] = "Ja";
        cells[6] = "OpenID Connect";
        let config = config("yes = 'Ja'\nno = 'Nei'\nauth = 'OpenID Connect'");
        let (rows, _) = accounts(report(&HEADERS, &[cells]), &config, "oidc", false, |row| row).unwrap();
        assert_eq!((rows[0].suspended, rows[0].auth.as_str()), (true, "oidc"));
    }

    #[test]
    fn rows_that_are_not_one_page_are_refused() {
        assert!(refusal(&HEADERS, &[KARI.to_vec(), KARI.to_vec()]).contains("twice"));
        assert!(refusal(&HEADERS, &[KARI[..8].to_vec()]).contains("cells"));
        let mut nameless = KARI.to_vec();
        nameless[0] = "";
        assert!(refusal(&HEADERS, &[nameless]).contains("empty"));
    }

    #[test]
    fn half_a_page_shows_in_the_count() {
        let mut half = report(&HEADERS, &[KARI.to_vec()]);
        half.data.totalrowcount = 2;
        let (rows, total) = accounts(half, &config(""), "oidc", false, |row| row).unwrap();
        assert_eq!((rows.len(), total), (1, 2));
    }

    #[test]
    fn the_city_is_needed_only_where_it_is_managed() {
        assert!(accounts(report(&HEADERS, &[]), &config(""), "oidc", true, |row| row).is_err());
    }

    proptest! {
        #[test]
        fn no_cell_panics(cells in prop::collection::vec(any::<String>(), 0..12)) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let read = read(&HEADERS, std::slice::from_ref(&cells));
            prop_assert!(read.is_err() || cells.len() == HEADERS.len());
        }
    }
}
