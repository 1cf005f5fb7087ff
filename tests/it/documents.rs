//! Documents that are made from the program are what it makes, and leave nothing out.
//!
//! `UPDATE_DOCS=1 tests/run documents` writes them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reconcile::codes;
use reconcile::config::default_document;
use reconcile::engine::RULE_CODES;
use reconcile::targets::Registry;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn compare(name: &str, text: &str) {
    let path = root().join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "docs/{name} is not what the program makes; UPDATE_DOCS=1 tests/run documents writes it");
}

#[test]
fn the_configuration_page_is_the_embedded_default() {
    let text = format!(
        "# Configuration\n\nWhat `reconcile init` writes: every key with its default, and what it means. This page is \
         generated from the program.\n\n```toml\n{}```\n",
        default_document(&Registry::builtin())
    );
    compare("configuration.md", &text);
}

#[test]
fn the_page_of_codes_is_made_from_the_program() {
    compare("errors.md", &codes::document(&Registry::builtin()));
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "sim" && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !name.ends_with("tests") && name != "codes" {
            found.push(path);
        }
    }
}

/// Texts in double quotes of which all characters are of `alphabet`, with at least one `joint`.
fn words(text: &str, joint: char, alphabet: fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter(move |word| {
        word.contains(joint) && word.chars().all(|c| alphabet(c) || c == joint) && !word.starts_with(joint)
    })
}

/// Words in capitals that are no codes: variables of the environment.
const VARIABLES: [&str; 5] = ["CARGO_PKG_VERSION", "NO_COLOR", "SUDO_USER", "DEMO_MOODLE_TOKEN", "UPDATE_DOCS"];

#[test]
fn every_code_in_the_program_is_told() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    sources(&root().join("state/src"), &mut files);
    assert!(files.len() > 80, "the program was found");
    let registry = Registry::builtin();
    let mut untold: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut told = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let errors = words(program, '_', |c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let errors = errors.filter(|word| !VARIABLES.contains(word));
        let reasons = ["Reason(\"", "Doubt::new(\"", "Doubt::new(\n"].into_iter().flat_map(|before| {
            program
                .split(before)
                .skip(1)
                .filter_map(|after| after.trim_start().trim_start_matches('"').split('"').next())
        });
        let reasons = reasons.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        for word in errors.chain(reasons) {
            if codes::is_told(&registry, word) {
                told += 1;
            } else {
                untold.entry(word.to_owned()).or_default().insert(file.display().to_string());
            }
        }
    }
    assert!(untold.is_empty(), "not told in src/codes.rs, or by the target: {untold:#?}");
    assert!(told > 60, "codes were found: {told}");
    assert!(RULE_CODES.iter().all(|rule| codes::is_told(&registry, rule)));
}

#[test]
fn no_code_is_told_twice_in_one_chapter() {
    let registry = Registry::builtin();
    let all = codes::CHAPTERS.iter().map(|chapter| (chapter.title, chapter.codes));
    for (title, codes) in all.chain(registry.iter().map(|target| (target.name(), target.codes()))) {
        let known: BTreeSet<&str> = codes.iter().map(|(code, _)| *code).collect();
        assert_eq!(known.len(), codes.len(), "{title}");
        assert!(codes.iter().all(|(_, meaning)| meaning.ends_with('.')), "{title}: a meaning is a sentence");
    }
}
