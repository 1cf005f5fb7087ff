//! Reads a configuration: sections, their defaults, and the targets they open.
//!
//! A pipeline's section belongs to two readers: keys that mean the same in every section are the
//! engine's and are taken out here; the rest goes to the target as it stands.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::Document;
use super::error::{ConfigError, Faults};
use super::guard::GuardSettings;
use super::institution::Institution;
use super::limits;
use super::pipeline::{FirstMeeting, OnDrift, OnSurplus, PipelineSettings};
use super::refusal::suggest;
use super::retention::Retention;
use crate::plain::in_words;
use crate::targets::Registry;
use crate::targets::port::{Definition, Mark, OpenError, Surroundings, Target};

/// Sections that are no pipelines.
const SECTIONS: [&str; 6] = ["store", "institution", "portal_ldap", "metavault", "retention", "guard"];

/// Keys of a pipeline's section that the engine takes.
const ENGINE_KEYS: [&str; 5] = ["enabled", "first_meeting", "drift", "surplus", "guard"];

/// The engine's keys in a pipeline's section, as `reconcile init` shows them in each.
const ENGINE: &str = include_str!("engine.toml");

/// The defaults and their explanation; see [`default_document`].
const DEFAULT: &str = include_str!("default.toml");

/// A whole configuration, checked as far as that goes without opening anything.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// The store's directory.
    pub store: PathBuf,
    /// `[institution]`
    pub institution: Institution,
    /// `[guard]`, upon the defaults.
    pub guard: GuardSettings,
    /// `[retention]`, upon the defaults.
    pub retention: Retention,
    /// Pipelines that are configured and enabled, in the order of the registry.
    pub pipelines: Vec<Pipeline>,
    /// Pipelines that are configured and not enabled.
    pub disabled: Vec<&'static str>,
    document: Document,
}

/// One pipeline's section.
#[derive(Clone, PartialEq, Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: &'static str,
    /// What the engine is told.
    pub settings: PipelineSettings,
    section: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreSection {
    path: PathBuf,
}

#[derive(Deserialize)]
struct EngineSection {
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    first_meeting: FirstMeeting,
    #[serde(default)]
    drift: OnDrift,
    #[serde(default)]
    surplus: OnSurplus,
}

fn yes() -> bool {
    true
}

/// The commented configuration that `reconcile init` writes: the general part, then every target's.
pub fn default_document(registry: &Registry) -> String {
    let mut text = DEFAULT.to_owned();
    for target in registry.iter().map(Definition::configuration).filter(|section| !section.is_empty()) {
        // Below the header and what is said of it, so that a key stands in the section it belongs to.
        let said = target.lines().take_while(|line| line.starts_with('[') || line.starts_with('#')).count();
        let lines: Vec<&str> = target.trim_end().lines().collect();
        let (head, keys) = lines.split_at(said.min(lines.len()));
        let keys = keys.join("\n");
        text += "\n";
        text += &[&head.join("\n"), "", ENGINE, keys.trim_start(), ""].join("\n");
    }
    text
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`]; for a missing file it names the next step.
    pub fn load(path: &Path, registry: &Registry) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let next = if error.kind() == std::io::ErrorKind::NotFound {
                format!("there is no such file; `reconcile init --config {}` writes a commented one", path.display())
            } else {
                format!("the file cannot be read: {}", in_words(&error))
            };
            ConfigError::new(path, None, next)
        })?;
        Self::parse(path, &text, registry)
    }

    /// Reads `text` as if it stood in the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn parse(path: &Path, text: &str, registry: &Registry) -> Result<Self, ConfigError> {
        let document = Document::parse(path, text)?;
        let mut faults = Faults::default();
        unknown_sections(&document, registry).iter().for_each(|error| faults.add(error));
        let store = faults.keep(store(&document));
        let institution = faults.keep(institution(&document));
        let defaults = Document::parse(Path::new("(defaults)"), DEFAULT)?;
        let retention = faults.keep(retention(&document, &defaults));
        let base = defaults.table("guard")?.unwrap_or_default();
        let over = faults.keep(document.table("guard"));
        let guards = limits::layer(&base, &over.flatten().unwrap_or_default());
        let guard = faults.keep(limits::read(&document, "guard", guards.clone()));
        let (Some(store), Some(institution), Some(guard), Some(retention)) = (store, institution, guard, retention)
        else {
            // The pipelines' sections build on these.
            return Err(faults.end().err().unwrap_or_else(|| ConfigError::new(path, None, "nothing to read")));
        };
        let mut config = Self {
            path: path.to_owned(),
            store: path.parent().unwrap_or(Path::new("")).join(store.path),
            institution,
            guard,
            retention,
            pipelines: Vec::new(),
            disabled: Vec::new(),
            document,
        };
        for target in registry.iter() {
            let name = target.name();
            let Some(Some(mut section)) = faults.keep(config.document.table(name)) else { continue };
            let Some((engine, own)) = faults.keep(config.engine_section(name, &mut section, &guards)) else { continue };
            if engine.enabled {
                config.pipelines.push(Pipeline { name, settings: own, section });
            } else {
                config.disabled.push(name);
            }
        }
        faults.end()?;
        if config.pipelines.is_empty() {
            let names: Vec<_> = registry.iter().map(|target| format!("[{}]", target.name())).collect();
            let message = match config.disabled.join(", ") {
                none if none.is_empty() => format!("no pipeline is configured; there are {}", names.join(", ")),
                some => format!("no pipeline is enabled: `enabled = false` stands in the section of {some}"),
            };
            return Err(ConfigError::new(path, None, message));
        }
        Ok(config)
    }

    fn engine_section(
        &self,
        name: &str,
        section: &mut toml::Table,
        guards: &toml::Table,
    ) -> Result<(EngineSection, PipelineSettings), ConfigError> {
        let mut taken: toml::Table =
            ENGINE_KEYS.iter().filter_map(|key| section.remove(*key).map(|value| ((*key).to_owned(), value))).collect();
        let guard = match taken.remove("guard") {
            None => self.guard.clone(),
            Some(toml::Value::Table(over)) => {
                limits::read(&self.document, &format!("{name}.guard"), limits::layer(guards, &over))?
            }
            Some(_) => {
                let message = format!("[{name}] `guard` is a section: write [{name}.guard] on a line of its own");
                return Err(self.document.error(&format!("{name}.guard"), message));
            }
        };
        let engine: EngineSection = self.document.read(name, taken, &[])?;
        let (first_meeting, drift, surplus) = (engine.first_meeting, engine.drift, engine.surplus);
        Ok((engine, PipelineSettings { first_meeting, drift, surplus, guard }))
    }

    /// A section that is no pipeline's, as the settings of whoever it belongs to.
    ///
    /// # Errors
    /// [`ConfigError`] where it is missing or wrong.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        read(&self.document, name)
    }

    /// An error about a key of this file, for whoever finds a value wrong that parses.
    pub fn refuse(&self, section: &str, key: &str, message: &str) -> ConfigError {
        self.document.error(&format!("{section}.{key}"), format!("[{section}] `{key}`: {message}"))
    }

    /// Opens a pipeline's target. No request is made; `environment` is where `env:NAME` is looked up.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key that is wrong, or the secret that is missing.
    pub fn open(
        &self,
        pipeline: &Pipeline,
        registry: &Registry,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Target, ConfigError> {
        let name = pipeline.name;
        let unknown = || self.document.error(name, format!("no target is called `{name}`"));
        let definition = registry.get(name).ok_or_else(unknown)?;
        let portal_ldap = self.document.table("portal_ldap")?;
        let marks = |pipeline: &Pipeline| Some((pipeline.name, registry.get(pipeline.name)?.mark()?));
        let marks: Vec<(&'static str, Mark)> = self.pipelines.iter().filter_map(marks).collect();
        let around = Surroundings {
            institution: &self.institution,
            environment,
            portal_ldap: portal_ldap.as_ref(),
            marks: &marks,
        };
        definition.open(pipeline.section.clone(), &around).map_err(|error| self.blame(name, &ENGINE_KEYS, error))
    }

    fn blame(&self, section: &str, also: &[&str], error: OpenError) -> ConfigError {
        match error {
            OpenError::Syntax(error) => self.document.explain(section, &error, also),
            OpenError::Value { field, message } => self.refuse(section, &field, &message),
            OpenError::Elsewhere { section, error } => self.blame(section, &[], *error),
        }
    }
}

fn read<T: DeserializeOwned>(document: &Document, name: &str) -> Result<T, ConfigError> {
    let Some(table) = document.table(name)? else {
        let message = format!("section [{name}] is missing; `reconcile init` writes a file that explains it");
        return Err(document.error(name, message));
    };
    document.read(name, table, &[])
}

fn store(document: &Document) -> Result<StoreSection, ConfigError> {
    let store: StoreSection = read(document, "store")?;
    if store.path.as_os_str().is_empty() {
        return Err(document.error("store.path", "[store] `path` is empty; name a directory"));
    }
    Ok(store)
}

fn institution(document: &Document) -> Result<Institution, ConfigError> {
    let institution: Institution = read(document, "institution")?;
    let fields =
        [("number", &institution.number), ("name", &institution.name), ("mail_domain", &institution.mail_domain)];
    let mut faults = Faults::default();
    for (key, _) in fields.iter().filter(|(_, value)| value.trim().is_empty()) {
        let message = format!("[institution] `{key}` is empty; fill it in");
        faults.add(&document.error(&format!("institution.{key}"), message));
    }
    faults.end()?;
    Ok(institution)
}

fn retention(document: &Document, defaults: &Document) -> Result<Retention, ConfigError> {
    let mut table = defaults.table("retention")?.unwrap_or_default();
    table.extend(document.table("retention")?.unwrap_or_default());
    let retention: Retention = document.read("retention", table, &[])?;
    match retention.fault() {
        Some((key, why)) => Err(document.error(&format!("retention.{key}"), format!("[retention] `{key}` {why}"))),
        None => Ok(retention),
    }
}

fn unknown_sections(document: &Document, registry: &Registry) -> Vec<ConfigError> {
    let known: Vec<&str> = SECTIONS.iter().copied().chain(registry.iter().map(Definition::name)).collect();
    let unknown = document.keys().filter(|key| !known.contains(key));
    unknown.map(|key| document.error(key, format!("there is no section [{key}]{}", suggest(key, &known)))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::guard::Limit;
    use super::super::toy::Toy;
    use super::*;

    const GOOD: &str = r#"
[store]
path = "state"
[institution]
number = "185"
name = "Testing"
mail_domain = "uni.example"
[portal_ldap]
[metavault]
[toy]
url = "https://toy.example"
token = "env:TOY_TOKEN"
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/etc/r.toml"), text, &Registry::empty().with(Toy))
    }

    fn open(text: &str) -> Result<Target, ConfigError> {
        let config = parse(text)?;
        let environment = |name: &str| (name == "TOY_TOKEN").then(|| "hunter2".to_owned());
        config.open(&config.pipelines[0], &Registry::empty().with(Toy), &environment)
    }

    #[test]
    fn the_embedded_document_parses_and_explains_every_guard_key() {
        let text = default_document(&Registry::builtin().with(Toy));
        let document = Document::parse(Path::new("default"), &text).unwrap();
        let guard = document.table("guard").unwrap().unwrap();
        let settings = limits::read(&document, "guard", guard.clone()).unwrap();
        // Every field is required when it is read alone, so a key that parses is a key that stands here.
        for key in guard.keys() {
            let mut less = guard.clone();
            less.remove(key);
            assert!(limits::read(&document, "guard", less).is_err(), "{key} is not read");
        }
        let lines: Vec<&str> = text.lines().collect();
        for (key, _) in settings.limits() {
            let at = lines.iter().position(|line| line.starts_with(&format!("{key} = "))).unwrap();
            assert!(lines[at - 1].starts_with("# "), "{key} is not explained");
        }
        for key in ENGINE_KEYS.iter().filter(|key| **key != "guard") {
            assert!(text.contains(&format!("# {key} = ")), "{key}");
        }
        assert!(text.contains("[toy]"));
        let all = text.replace("# enabled = true", "enabled = true").replace("# drift = ", "drift = ");
        let all = Document::parse(Path::new("default"), &all).unwrap();
        for section in ["moodle", "toy"] {
            let table = all.table(section).unwrap().unwrap();
            assert!(table.contains_key("enabled") && table.contains_key("drift"), "{section}: {table:?}");
        }
    }

    #[test]
    fn every_key_shown_for_a_source_is_one() {
        use crate::sources::metavault::MetaVaultConfig;
        use crate::sources::portal_ldap::PortalLdapConfig;
        let uncommented = |line: &str| match line.strip_prefix("# ") {
            Some(key) if key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) => key.to_owned(),
            _ => line.to_owned(),
        };
        let text: Vec<String> = DEFAULT.lines().map(uncommented).collect();
        let document = Document::parse(Path::new("default"), &text.join("\n")).unwrap();
        let portal: PortalLdapConfig = read(&document, "portal_ldap").unwrap();
        let keys = document.table("portal_ldap").unwrap().unwrap();
        assert_eq!(keys.len(), 12, "{keys:?}");
        let least = "url = 'x'\nbind_dn = 'x'\npassword = 'env:P'";
        let least: PortalLdapConfig = toml::from_str(least).unwrap();
        let shown = PortalLdapConfig {
            url: least.url.clone(),
            bind_dn: least.bind_dn.clone(),
            password: least.password.clone(),
            ca_file: None,
            attributes: least.attributes.clone(),
            ..portal
        };
        assert_eq!(shown, least, "what is shown as a default is the default");
        let vault: MetaVaultConfig = read(&document, "metavault").unwrap();
        assert_eq!(document.table("metavault").unwrap().unwrap().len(), 8);
        let least = MetaVaultConfig::new(vault.url.clone());
        let examples = |config: MetaVaultConfig| MetaVaultConfig {
            password: None,
            socket: None,
            ca_file: None,
            schema: None,
            ..config
        };
        assert_eq!(examples(vault), least, "what is shown as a default is the default");
    }

    #[test]
    fn defaults_stand_where_nothing_else_does() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.store, Path::new("/etc/state"));
        assert_eq!((config.guard.floor, config.guard.first_load), (10, false));
        assert_eq!(config.guard.disables, Limit { number: Some(50), percent: Some(2) });
        assert_eq!((config.retention.journal_days, config.retention.copies_days), (730, 365));
        let toy = &config.pipelines[0].settings;
        assert_eq!(
            (toy.first_meeting, toy.drift, toy.surplus),
            (FirstMeeting::Report, OnDrift::Enforce, OnSurplus::Report)
        );
        assert_eq!(toy.guard, config.guard);
        assert!(open(GOOD).is_ok());
    }

    #[test]
    fn a_pipeline_replaces_single_limits_and_only_adds_protection() {
        let text = format!(
            "{GOOD}surplus = \"disable\"\n[guard]\nfloor = 3\nupdates = {{ percent = 7 }}\n[guard.protected]\nkeys = [\"a\"]\n\
             [guard.shrink]\npercent = 1\n[toy.guard]\nupdates = {{ number = 9 }}\nprotected = {{ keys = [\"b\"] }}\n"
        );
        let config = parse(&text).unwrap();
        assert_eq!(config.guard.updates, Limit { number: None, percent: Some(7) });
        assert_eq!((config.guard.shrink.percent, config.guard.shrink.floor), (1, 10));
        let toy = &config.pipelines[0].settings;
        assert_eq!((toy.guard.floor, toy.guard.updates), (3, Limit { number: Some(9), percent: None }));
        assert_eq!(toy.guard.protected.keys, ["a", "b"]);
        assert_eq!(toy.surplus, OnSurplus::Disable);
        assert!(open(&text).is_ok(), "the target never sees the engine's keys");
    }

    #[test]
    fn a_section_that_is_not_enabled_is_left_out() {
        let error = parse(&format!("{GOOD}enabled = false\n")).unwrap_err();
        assert_eq!(error.message, "no pipeline is enabled: `enabled = false` stands in the section of toy");
    }

    #[test]
    fn errors_name_line_section_key_and_what_would_be_right() {
        let cases = [
            (GOOD.replace("[toy]", "[toi]"), 10, "there is no section [toi]; did you mean `toy`? Known are `store`"),
            (format!("{GOOD}[guard]\nflor = 3\n"), 14, "[guard] has no key `flor`; did you mean `floor`?"),
            (
                format!("{GOOD}[guard]\nfloor = \"3\"\n"),
                14,
                "[guard] `floor` must be a whole number from 0 up, not a text",
            ),
            (format!("{GOOD}[guard]\nfloor = -3\n"), 14, "[guard] `floor` must be a whole number from 0 up"),
            (
                format!("{GOOD}[guard]\nlost = {{ numbr = 3 }}\n"),
                14,
                "[guard.lost] has no key `numbr`; did you mean `number`? Known are `number`, `percent`",
            ),
            (format!("{GOOD}[guard]\nlost = {{}}\n"), 14, "[guard] `lost` needs `number`, `percent` or both"),
            (
                format!("{GOOD}[toy.guard]\nmoves = {{ percent = 101 }}\n"),
                14,
                "[toy.guard] `moves.percent` is above 100",
            ),
            (
                format!("{GOOD}[guard.protected]\nkey = []\n"),
                14,
                "[guard.protected] has no key `key`; did you mean `keys`?",
            ),
            (
                format!("{GOOD}drift = \"enforced\"\n"),
                13,
                "[toy] `drift` must be one of `enforce`, `report`, `ignore`; did you mean `enforce`?",
            ),
            (format!("{GOOD}guard = 3\n"), 13, "[toy] `guard` is a section"),
            (format!("{GOOD}firstmeeting = 3\n"), 13, "[toy] has no key `firstmeeting`; did you mean `first_meeting`?"),
            (format!("{GOOD}timeout = \"long\"\n"), 13, "[toy] `timeout` must be a whole number from 0 up, not a text"),
            (
                format!("{GOOD}[retention]\njournal_days = 7\n"),
                14,
                "[retention] `journal_days` must be 0 (for ever) or at",
            ),
            (format!("{GOOD}[retention]\njournal = 7\n"), 14, "[retention] has no key `journal`; did you mean"),
            (GOOD.replace("https://toy.example", ""), 11, "[toy] `url`: is empty"),
            (GOOD.replace("url = \"https://toy.example\"", ""), 10, "[toy] lacks `url`"),
            (GOOD.replace("env:TOY_TOKEN", "env:OTHER"), 12, "[toy] `token`: environment variable OTHER is not set"),
            (GOOD.replace("env:TOY_TOKEN", "hunter2"), 12, "[toy] `token`: a secret is given as `env:NAME`"),
            (GOOD.replace("\"185\"", "\"\""), 5, "[institution] `number` is empty; fill it in"),
            (GOOD.replace("\"state\"", "\"\""), 3, "[store] `path` is empty"),
            (GOOD.replace("number = \"185\"", ""), 4, "[institution] lacks `number`"),
            (format!("{GOOD}token = \"hunter2\"\n"), 13, "this is not TOML: "),
            (format!("{GOOD}what = hunter2\n"), 13, "this is not TOML: "),
            (format!("toy = 1\n{}", GOOD.replace("[toy]", "[toy2]")), 11, "there is no section [toy2]"),
            (format!("guard = 1\n{GOOD}"), 1, "`guard` is a section"),
        ];
        for (text, line, message) in cases {
            let error = open(&text).map(|_| ()).expect_err(&text);
            let told = error.each().any(|one| one.message.starts_with(message) && one.line == Some(line));
            assert!(told, "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().starts_with("/etc/r.toml:"));
        }
    }

    #[test]
    fn all_that_can_be_told_is_told_at_once() {
        let text = GOOD.replace("\"185\"", "\"\"").replace("\"Testing\"", "\" \"").replace("path = \"state\"", "");
        let error = parse(&format!("{text}[guard]\nflor = 1\n[toi]\n[toz]\n")).unwrap_err();
        let lines: Vec<Option<usize>> = error.each().map(|one| one.line).collect();
        assert_eq!(lines, [2, 5, 6, 14, 15, 16].map(Some), "{error}");
        assert_eq!(error.to_string().lines().count(), 6);
        assert!(error.to_string().lines().all(|line| line.starts_with("/etc/r.toml:")), "{error}");
        let error = parse(&format!("{GOOD}drift = 1\n[toy.guard]\nflor = 1\n")).unwrap_err();
        assert_eq!(error.each().count(), 1, "one section is read to its first fault");
    }

    #[test]
    fn a_missing_section_or_file_names_the_next_step() {
        let error = parse(&GOOD.replace("[store]\npath = \"state\"", "")).unwrap_err();
        assert!(error.message.contains("[store] is missing; `reconcile init`"), "{error}");
        let error = Config::load(Path::new("/nonexistent/r.toml"), &Registry::empty().with(Toy)).unwrap_err();
        assert!(error.message.contains("reconcile init --config /nonexistent/r.toml"), "{error}");
    }
}
