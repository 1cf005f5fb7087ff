//! Every error code and reason of this target, each with what it means and what to do.

/// Codes, then reasons; each group in the order in which a pass may meet them.
pub const CODES: &[(&str, &str)] = &[
    (
        "MOODLE_CONNECTION_FAILED",
        "The site did not answer, the connection broke, or its external service does not list a function. The message \
         names the function: add it to the service. Otherwise look at address, certificate and firewall; the next pass \
         tries again.",
    ),
    (
        "MOODLE_TOKEN_FAILED",
        "The token is wrong, expired or not valid from this address, or the log-in was refused. Make a new token for \
         the service account, or check user name, password and service.",
    ),
    (
        "MOODLE_FETCH_FAILED",
        "Accounts, courses or enrolments could not be read, or not as they should be. The message names the report \
         column or the capability; `reconcile check` shows all at once. Nothing is written on such a reading.",
    ),
    (
        "MOODLE_USER_CREATE_FAILED",
        "An account could not be made. The message begins with the site's own code or with `username-taken` or \
         `email-taken`: settle who bears the name or address.",
    ),
    ("MOODLE_USER_UPDATE_FAILED", "An account could not be changed; as MOODLE_USER_CREATE_FAILED."),
    (
        "MOODLE_USER_DISABLE_FAILED",
        "An account could not be suspended and is still open. The message begins with the site's own code; suspend by \
         hand if it must not wait.",
    ),
    (
        "MOODLE_COURSE_ENROL_FAILED",
        "Somebody could not be enrolled, or given a role in a course. The message names the course and the fix: enable \
         manual enrolments in the course (wsnoinstance), allow the role to be assigned (wsusercannotassign), correct \
         enrolments.role_ids. A mail that failed is told so too, after the enrolment was stored: it is read back at \
         once; switch the course welcome message off.",
    ),
    (
        "MOODLE_COURSE_UNENROL_FAILED",
        "Somebody could not be unenrolled, suspended in a course, or a role not be taken away. As \
         MOODLE_COURSE_ENROL_FAILED.",
    ),
    (
        "MOODLE_ROLE_ID_WRONG",
        "An id in enrolments.role_ids is another role's at the site. The message names the role, the id that is set and \
         what the site shows: nobody is given that role until the setting is corrected. Where nobody had it yet, the \
         service account tried it and was taken out of the course again.",
    ),
    (
        "MOODLE_COURSE_TWICE",
        "Two courses bear one ID number, so nobody can say which is meant: neither is read or written to, and \
         enrolments in them wait. Take the number away from one of them.",
    ),
    (
        "invalid-user-name",
        "The user name is empty or holds something else than a-z 0-9 . _ - @. Correct it at its source.",
    ),
    (
        "reserved-user-name",
        "The user name is `admin` or `guest`, which come with the site. Give the person another one.",
    ),
    (
        "invalid-email",
        "The address is not one that Moodle takes: ASCII, one @, a domain with a dot. Correct it at its source.",
    ),
    ("invalid-name", "A name is blank, or holds `<` or a control character. Correct it at its source."),
    ("invalid-text", "A text holds what looks like a tag, or a control character. Correct it, or the template."),
    ("value-too-long", "A value is longer than its column: names, user name and e-mail 100, city 120, the rest 255."),
    ("template-failed", "A template's expression fails on this person's values. Correct the template."),
    (
        "other-auth",
        "The account has another authentication method and is nobody's of ours. Change its method if it should be.",
    ),
    ("built-in-account", "Guest and administrator come with the site and are never touched."),
    ("service-account", "The account with which this program works is never touched."),
    (
        "account-closed",
        "The account is closed, or about to be: it keeps its enrolments, and none are added or removed until it returns.",
    ),
    ("not-in-mv", "MetaVault has no row of the person: enrolments are left as they are until it has one."),
    (
        "teaching-unknown",
        "The person is enrolled in a teaching that is not in mv_teaching, or one of a topic that is not in mv_topic: \
         enrolments are left as they are. Reload the read model, or look for the missing rows.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{accounts, answer, enrolments};
    use super::*;

    #[test]
    fn every_code_and_reason_is_listed_once() {
        let listed: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(listed.len(), CODES.len());
        let codes = [
            answer::CONNECTION_FAILED,
            answer::TOKEN_FAILED,
            answer::FETCH_FAILED,
            answer::CREATE_FAILED,
            answer::UPDATE_FAILED,
            answer::DISABLE_FAILED,
            answer::ENROL_FAILED,
            answer::UNENROL_FAILED,
            answer::ROLE_ID_WRONG,
        ];
        let reasons = accounts::REASONS.iter().chain(enrolments::REASONS).map(|reason| reason.0);
        for code in codes.into_iter().chain(reasons) {
            assert!(listed.contains(code), "{code}");
        }
    }
}
