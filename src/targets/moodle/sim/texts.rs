//! The display texts of report headers and cells, in the languages a site can be read in.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::membership::Enrolment;
use super::plan::Language;
use super::report::Column;

fn pick(language: Language, english: &'static str, norwegian: &'static str) -> &'static str {
    match language {
        Language::English => english,
        Language::Norwegian => norwegian,
    }
}

/// The localised header of a column.
pub(super) fn header(column: &Column, language: Language) -> String {
    let (english, norwegian) = match column {
        Column::Username => ("Username", "Brukernavn"),
        Column::IdNumber => ("ID number", "ID-nummer"),
        Column::Email => ("Email address", "E-postadresse"),
        Column::FirstName => ("First name", "Fornavn"),
        Column::LastName => ("Last name", "Etternavn"),
        Column::Suspended => ("Suspended", "Suspendert"),
        Column::Auth => ("Authentication", "Autentisering"),
        Column::Department => ("Department", "Avdeling"),
        Column::Institution => ("Institution", "Institusjon"),
        Column::City => ("City/town", "Poststed"),
        Column::Profile(name) => return name.clone(),
        Column::CourseShortName => ("Course short name", "Kortnavn på kurset"),
        Column::CourseIdNumber => ("Course ID number", "Kursets ID-nummer"),
        Column::Method => ("Enrolment method", "Påmeldingsmetode"),
        Column::Status => ("Enrolment status", "Påmeldingsstatus"),
        Column::Role => ("Role short name", "Rollens kortnavn"),
        Column::TimeStart => ("Enrolment start date", "Påmelding starter"),
        Column::TimeEnd => ("Enrolment end date", "Påmelding slutter"),
    };
    pick(language, english, norwegian).to_owned()
}

/// `Yes` or `No`.
pub(super) fn yes_no(value: bool, language: Language) -> &'static str {
    if value { pick(language, "Yes", "Ja") } else { pick(language, "No", "Nei") }
}

/// The title of an authentication plugin.
pub(super) fn auth_title(auth: &str, language: Language) -> &'static str {
    match auth {
        "manual" => pick(language, "Manual accounts", "Manuelle kontoer"),
        "nologin" => pick(language, "No login", "Ingen innlogging"),
        "ldap" => pick(language, "LDAP server", "LDAP-tjener"),
        "db" => pick(language, "External database", "Ekstern database"),
        "oauth2" => "OAuth 2",
        "oidc" => "OpenID Connect",
        "shibboleth" => "Shibboleth",
        "cas" => pick(language, "CAS server (SSO)", "CAS-tjener (SSO)"),
        "email" => pick(language, "Email-based self-registration", "E-postbasert selvregistrering"),
        _ => pick(language, "Other authentication", "Annen autentisering"),
    }
}

/// The title of an enrolment method.
pub(super) fn method(name: &str, language: Language) -> &'static str {
    match name {
        "" => "",
        "manual" => pick(language, "Manual enrolments", "Manuell påmelding"),
        "self" => pick(language, "Self enrolment", "Selvregistrering"),
        "cohort" => pick(language, "Cohort sync", "Synkronisering av kull"),
        "database" => pick(language, "External database", "Ekstern database"),
        "meta" => pick(language, "Course meta link", "Metakurslenke"),
        _ => pick(language, "Other method", "Annen metode"),
    }
}

/// The status of an enrolment at this time.
pub(super) fn status(enrolment: Enrolment, now: Timestamp, language: Language) -> &'static str {
    if enrolment.suspended {
        pick(language, "Suspended", "Suspendert")
    } else if enrolment.is_current(now) {
        pick(language, "Active", "Aktiv")
    } else {
        pick(language, "Not current", "Ikke gjeldende")
    }
}

/// A time as a sentence, in UTC; nothing for 0.
pub(super) fn date(second: i64, language: Language) -> String {
    let Some(at) = Timestamp::from_second(second).ok().filter(|_| second != 0) else { return String::new() };
    let at = at.to_zoned(TimeZone::UTC);
    match language {
        Language::English => at.strftime("%A, %-d %B %Y, %-I:%M %p").to_string(),
        Language::Norwegian => {
            const DAYS: [&str; 7] = ["mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"];
            const MONTHS: [&str; 12] = [
                "januar",
                "februar",
                "mars",
                "april",
                "mai",
                "juni",
                "juli",
                "august",
                "september",
                "oktober",
                "november",
                "desember",
            ];
            let place = |number: i8| usize::try_from(number).unwrap_or(0);
            let day = DAYS[place(at.weekday().to_monday_zero_offset()) % 7];
            let month = MONTHS[place(at.month() - 1) % 12];
            format!("{day}, {}. {month} {}, {:02}:{:02}", at.day(), at.year(), at.hour(), at.minute())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_sentences_in_the_reader_s_language() {
        let second = 1_768_539_600;
        assert_eq!(date(second, Language::English), "Friday, 16 January 2026, 5:00 AM");
        assert_eq!(date(second, Language::Norwegian), "fredag, 16. januar 2026, 05:00");
        assert_eq!(date(0, Language::English), "");
    }
}
