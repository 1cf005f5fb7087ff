//! What must hold of every decoder of bytes from outside, whatever the bytes: for fuzzers (feature `fuzz`, see
//! `tests/fuzz`) and for the tests that go through what they found before.
//!
//! A check takes bytes and panics where a property does not hold. That an error quotes nothing is checked with a mark:
//! every `@` of the input becomes [`MARK`], which no error of ours holds by chance.

mod configuration;
mod directory;
mod memory;
mod moodle;
mod typed;
mod vault;

pub use configuration::configuration;
pub use directory::directory;
pub use memory::memory;
pub use moodle::moodle;
pub use typed::typed;
pub use vault::vault;

/// A check by the name of its corpus.
pub type Check = (&'static str, fn(&[u8]));

/// Every check.
pub const CHECKS: [Check; 6] = [
    ("configuration", configuration),
    ("directory", directory),
    ("memory", memory),
    ("moodle", moodle),
    ("typed", typed),
    ("vault", vault),
];

/// What an error must never quote.
const MARK: &str = "Qx7@K4ri";

/// The text with marks in it.
fn marked(text: &str) -> String {
    text.replace('@', MARK)
}

/// Holds that a message quotes nothing of its input.
fn quotes_nothing(message: &str) {
    assert!(!message.contains("Qx7") && !message.contains("K4ri"), "the input is quoted: {message}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn whatever_a_fuzzer_began_with_or_found_is_decoded_or_refused() {
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        for (name, check) in CHECKS {
            let mut count = 0;
            for entry in fs::read_dir(corpora.join(name)).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                check(&bytes);
                // Cut short and with a byte of another kind, each is one more.
                check(&bytes[..bytes.len() / 2]);
                let damaged: Vec<u8> =
                    bytes.iter().enumerate().map(|(at, byte)| if at % 7 == 3 { byte ^ 0x20 } else { *byte }).collect();
                check(&damaged);
                count += 1;
            }
            assert!(count > 0, "{name} has no corpus");
        }
    }

    #[test]
    fn every_format_has_a_seed_that_is_accepted() {
        use crate::cli::fuzzing::{keys, parse_plan};
        use crate::targets::moodle::wire::{Report, SiteInfo};

        let seed =
            |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)).unwrap();
        let text = |name: &str| String::from_utf8(seed(name)).unwrap();
        for name in ["least", "much"] {
            let text = text(&format!("configuration/{name}"));
            crate::config::Config::parse(Path::new("r.toml"), &text, &crate::targets::Registry::builtin()).unwrap();
        }
        let entry =
            |name| ldap3::asn1::parse_tag(&seed(name)).ok().and_then(|(_, tag)| crate::wire::ldap::entry::entry(tag));
        assert!(crate::sources::portal_ldap::decode::key(&entry("directory/person").unwrap()).is_some());
        assert!(crate::wire::ldap::entry::paging_cookie(&seed("directory/cookie")).is_some());
        assert!(crate::wire::ldap::modify::csn(&seed("directory/csn")).is_some());
        assert_eq!(crate::targets::portal::value::id(&text("directory/mark")), Some("a:b"));
        assert_eq!(crate::wire::ldap::schema::names(&text("directory/type")), ["2.5.4.4", "sn", "surname"]);
        let (directory, vault) =
            (crate::model::person::directory::schema().unwrap(), crate::model::person::vault::schema().unwrap());
        for (kind, seed) in [(directory.kind, seed("memory/body-directory")), (vault.kind, seed("memory/body-vault"))] {
            reconcile_state::digest::decode(kind, reconcile_state::Key::new("k"), &seed).unwrap();
        }
        for name in ["intent", "outcome", "note"] {
            serde_json::from_slice::<reconcile_state::Entry>(&seed(&format!("memory/{name}"))).unwrap();
        }
        serde_json::from_slice::<reconcile_state::Claim>(&seed("memory/claim")).unwrap();
        reconcile_state::fuzzing::memory(&seed("memory/claims")).unwrap();
        let answer = |name| seed(name)[1..].to_vec();
        serde_json::from_slice::<SiteInfo>(&answer("moodle/site")).unwrap();
        for name in ["moodle/report", "moodle/participants"] {
            serde_json::from_slice::<Report>(&answer(name)).unwrap();
        }
        let wait = text("moodle/wait");
        let (wait, date) = wait[1..].split_once('\n').unwrap();
        assert_eq!(crate::wire::retry::parse_retry_after(wait, Some(date)).map(|wait| wait.as_secs()), Some(120));
        assert_eq!(keys(&text("typed/keys")).unwrap().len(), 4);
        assert!(parse_plan(Path::new("plan.json"), &seed("typed/plan")).is_ok());
    }

    #[test]
    #[should_panic(expected = "the input is quoted")]
    fn an_error_that_quotes_is_noticed() {
        quotes_nothing(&format!("there is no user {}", marked("kari@uni.example")));
    }
}
