//! An eighth target touches its own folder and one line of the registry.
//!
//! The toys prove it by running; this proves that no target has grown into the rest of the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reconcile::targets::Registry;

use crate::toys::{Asked, Listed, asked, listed};

/// Where a target may be named outside its folder, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("src/targets/registry.rs", "the line of the registry"),
    ("src/targets/mod.rs", "the line that makes the folder a module"),
    ("src/config/default.toml", "the embedded configuration shows every section"),
    ("src/fuzzing/", "fuzzers are handed what each target decodes"),
    ("src/sim/", "the generated campus entitles people to real systems by name"),
];

/// Names that are ordinary words, or parts of them: these count where they stand as a target's name.
const ORDINARY: &[&str] = &["ad", "fs", "portal"];

/// What is called like a target and is none.
const OTHERS: &[&str] = &["\"portal-ldap\""];

fn names(text: &str, target: &str) -> bool {
    let text = OTHERS.iter().fold(text.to_owned(), |text, other| text.replace(other, ""));
    let as_name =
        [format!("targets::{target}"), format!("\"{target}\""), format!("\"{target}-"), format!("[{target}]")];
    as_name.iter().any(|form| text.contains(form)) || (!ORDINARY.contains(&target) && text.contains(target))
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "toml") {
            found.push(path);
        }
    }
}

/// The program's text without comments, and without tests, which are at the end of a file or one of their own:
/// examples may name a real system there.
fn program(text: &str) -> String {
    let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

fn is_test(path: &str) -> bool {
    ["tests.rs", "_tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end))
}

#[test]
fn no_target_is_named_outside_its_folder_and_its_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("state/src"), &mut files);
    assert!(files.len() > 80, "the program was found");
    let folders = std::fs::read_dir(root.join("src/targets")).unwrap().map(|entry| entry.unwrap());
    let targets = folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap());
    let targets: Vec<String> = targets.collect();
    assert!(targets.contains(&"moodle".to_owned()));
    let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let text = program(&std::fs::read_to_string(&file).unwrap());
        for name in &targets {
            let own = path.starts_with(&format!("src/targets/{name}/"));
            let allowed = own || is_test(&path) || ALLOWED.iter().any(|(place, _)| path.starts_with(place));
            if !allowed && names(&text, name) {
                named.entry(name.clone()).or_default().push(path.clone());
            }
        }
    }
    assert!(named.is_empty(), "targets are named outside their folders: {named:#?}");
}

#[test]
fn every_target_is_one_line_of_the_registry() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let registry = program(&std::fs::read_to_string(root.join("src/targets/registry.rs")).unwrap());
    for target in Registry::builtin().iter() {
        let folder = target.name().split('-').next().unwrap().to_owned();
        assert!(root.join("src/targets").join(&folder).is_dir(), "{folder}");
        assert!(registry.contains(&format!("super::{folder}::")), "{folder}");
    }
}

#[test]
fn a_target_from_outside_is_found_like_those_that_are_shipped() {
    let shipped = Registry::builtin().iter().count();
    let registry = Registry::builtin().with(Listed::new()).with(Asked::new());
    let names: Vec<&str> = registry.iter().map(reconcile::targets::port::Definition::name).skip(shipped).collect();
    assert_eq!(names, [listed::NAME, asked::NAME]);
    assert!(registry.iter().all(|target| registry.get(target.name()).is_some()));
    for toy in names {
        assert!(registry.get(toy).unwrap().configuration().starts_with(&format!("[{toy}]")));
    }
}
