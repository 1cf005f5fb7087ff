//! What an operator hands over: saved plans, lists of keys, keys and times on the command line.

use std::path::Path;

use jiff::Timestamp;

use super::{marked, quotes_nothing};
use crate::cli::fuzzing::{Since, keys, parse_key, parse_plan};
use crate::policy::CourseKey;

/// Holds that what is accepted is written down and accepted again as the same, and that refusals quote nothing of files.
///
/// # Panics
/// Where that does not hold.
pub fn typed(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let text = marked(text);
    match parse_plan(Path::new("plan.json"), text.as_bytes()) {
        Ok(plan) => {
            let written = serde_json::to_string(&plan.approval).unwrap_or_default();
            let seal = plan.seal;
            let file = format!(
                "{{\"seal\": \"{seal}\", \"version\": {}, \"report\": 1, \"approval\": {written}}}",
                plan.version
            );
            let again = parse_plan(Path::new("plan.json"), file.as_bytes());
            let same = again.is_ok_and(|again| again.approval == plan.approval && again.seal == seal);
            assert!(same, "a plan that is another when read again");
        }
        Err(failure) => quotes_nothing(&failure.message),
    }
    match keys(&text) {
        Ok(all) => {
            assert!(!all.is_empty(), "a scope of nobody");
            let written: Vec<String> = all.iter().map(|(field, value)| format!("{field}={value}")).collect();
            assert_eq!(keys(&written.join("\n")).as_ref(), Ok(&all));
        }
        Err(message) => quotes_nothing(&message),
    }
    for line in text.lines() {
        if let Ok((field, value)) = parse_key(line) {
            assert!(!value.is_empty() && value.trim() == value);
            assert_eq!(parse_key(&format!("{field}={value}")), Ok((field, value)));
        }
        if let Ok(since) = Since::parse(line) {
            let now = Timestamp::UNIX_EPOCH;
            assert!(since.millisecond(now) <= since.millisecond(Timestamp::MAX));
        }
        if let Some(course) = CourseKey::parse(line) {
            assert_eq!(CourseKey::parse(&course.to_string()).as_ref(), Some(&course));
            assert_eq!(CourseKey::new(&course.topic(), &course.semester()), Some(course));
        }
    }
}
