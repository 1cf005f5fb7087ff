//! Settings that are allowed, and should be known: what is on only for a while, what guards nothing.

use reconcile_state::trust::ShrinkLimit;

use crate::config::{Config, GuardSettings, Limit, Pipeline};
use crate::model::Check;
use crate::targets::Registry;

/// From this percent on a limit without a number guards hardly anything.
const LAX: u32 = 50;

/// So many changes of a class under no limit are a small institution's all.
const HIGH_FLOOR: u64 = 100;

/// What there is to say of a configuration that was read.
pub fn look(
    config: &Config,
    chosen: &[&Pipeline],
    registry: &Registry,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<Check> {
    let mut checks = vec![Check::good("file", config.path.display().to_string()), pipelines(config)];
    checks.extend(marks(config, registry, environment));
    checks.extend(guard("guard", &config.guard));
    let own = chosen.iter().filter(|pipeline| pipeline.settings.guard != config.guard);
    for pipeline in own {
        // What is told of [guard] already is not repeated for each pipeline that has it from there.
        let section = format!("{}.guard", pipeline.name);
        let general = guard(&section, &config.guard);
        checks.extend(guard(&section, &pipeline.settings.guard).into_iter().filter(|check| !general.contains(check)));
    }
    checks
}

fn pipelines(config: &Config) -> Check {
    let enabled: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name).collect();
    let disabled = match config.disabled.join(", ") {
        none if none.is_empty() => String::new(),
        some => format!("; not enabled: {some}"),
    };
    Check::good("pipelines", format!("{}{disabled}", enabled.join(", ")))
}

/// Marks are written by a pipeline that follows the others; without it this program marks nobody.
fn marks(config: &Config, registry: &Registry, environment: &dyn Fn(&str) -> Option<String>) -> Option<Check> {
    let marks = |pipeline: &&Pipeline| registry.get(pipeline.name).is_some_and(|target| target.mark().is_some());
    let marked: Vec<&str> = config.pipelines.iter().filter(marks).map(|pipeline| pipeline.name).collect();
    // Of one that cannot be opened something else is told.
    let follows = |pipeline: &Pipeline| {
        config.open(pipeline, registry, environment).map_or(true, |target| target.observer.terms.follows)
    };
    if marked.is_empty() || config.pipelines.iter().any(follows) {
        return None;
    }
    Some(Check::warning(
        "marks",
        format!(
            "no section here writes marks: who has {} is not marked in the directory by this program",
            marked.join(", ")
        ),
        "add the section of the pipeline that writes marks (`reconcile init` explains it), or leave it if another \
         program marks",
    ))
}

fn guard(section: &str, guard: &GuardSettings) -> Vec<Check> {
    let mut checks = Vec::new();
    if guard.first_load {
        checks.push(Check::warning(
            "guard",
            format!("[{section}] first_load is on: --yes may fill a target whose first load is not through"),
            "take it out when the first load is done",
        ));
    }
    for (key, limit) in guard.limits() {
        let Limit { number: None, percent: Some(percent) } = limit else { continue };
        if percent >= LAX {
            let never = if percent >= 100 { "never trips" } else { "trips only above half of all records" };
            checks.push(Check::warning(
                "guard",
                format!("[{section}] {key} at {percent} percent {never}"),
                format!("set a smaller percent, or a number beside it: {key} = {{ number = 50, percent = {percent} }}"),
            ));
        }
    }
    if guard.floor > HIGH_FLOOR {
        checks.push(Check::warning(
            "guard",
            format!("[{section}] floor lets {} changes of a class through under no limit", guard.floor),
            "set it to what nobody needs to look at: the default is 10",
        ));
    }
    let ShrinkLimit { percent, .. } = guard.shrink;
    if u64::from(percent) >= u64::from(LAX) {
        checks.push(Check::warning(
            "guard",
            format!("[{section}.shrink] a source that shrinks by {percent} percent is believed"),
            "set a smaller percent: the default is 5",
        ));
    }
    checks
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::toy::Toy;
    use crate::model::Level;
    use crate::targets::port::{Definition, Mark, OpenError, Surroundings, Target};

    /// A target of any name, with a mark, or else the one that writes marks.
    struct Named(&'static str, Option<Mark>);

    impl Definition for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn configuration(&self) -> &'static str {
            ""
        }

        fn mark(&self) -> Option<Mark> {
            self.1
        }

        fn open(&self, _: toml::Table, around: &Surroundings<'_>) -> Result<Target, OpenError> {
            let section = toml::from_str("url = 'https://toy.example'\ntoken = 'env:TOY'")?;
            let mut target = Toy.open(section, around)?;
            target.observer.terms.follows = self.1.is_none();
            Ok(target)
        }
    }

    const MARK: Mark = Mark { entitlement: "badge", kind: "account", number: 1 };

    fn look(more: &str) -> Vec<Check> {
        let text = format!(
            "[store]\npath = \"s\"\n[institution]\nnumber = \"1\"\nname = \"T\"\nmail_domain = \"u.example\"\n{more}"
        );
        let registry = Registry::empty().with(Named("badge", Some(MARK))).with(Named("marks", None));
        let config = Config::parse(Path::new("/etc/r.toml"), &text, &registry).unwrap();
        let chosen: Vec<&Pipeline> = config.pipelines.iter().collect();
        super::look(&config, &chosen, &registry, &|_| Some("t".to_owned()))
    }

    fn warnings(more: &str) -> Vec<String> {
        let warned = look(more).into_iter().filter(|check| check.level != Level::Good);
        warned.map(|check| format!("{}; {}", check.found, check.fix.unwrap())).collect()
    }

    #[test]
    fn settings_as_they_are_shipped_are_nothing_to_warn_of() {
        let checks = look("[badge]\n[marks]\n");
        assert!(checks.iter().all(|check| check.level == Level::Good), "{checks:?}");
        assert_eq!(checks[1].found, "badge, marks");
        assert_eq!(look("[badge]\n[marks]\nenabled = false\n")[1].found, "badge; not enabled: marks");
    }

    #[test]
    fn marks_that_nobody_writes_are_told_of() {
        for section in ["", "[marks]\nenabled = false\n"] {
            let warned = warnings(&format!("[badge]\n{section}"));
            assert_eq!(warned.len(), 1);
            assert!(warned[0].starts_with("no section here writes marks: who has badge is not marked"), "{warned:?}");
        }
    }

    #[test]
    fn what_guards_nothing_is_told_of_where_it_stands() {
        let lax = "[guard]\nfirst_load = true\nfloor = 1000\ndisables = { percent = 100 }\nupdates = { percent = 60 }\n\
            lost = { number = 9, percent = 100 }\n[guard.shrink]\npercent = 90\nfloor = 10\n";
        let warned = warnings(&format!("[badge]\n[marks]\n{lax}"));
        for word in
            ["first_load is on", "[guard] disables at 100 percent never trips", "updates at 60", "lets 1000", "90"]
        {
            assert!(warned.iter().any(|text| text.contains(word)), "{word} is not in {warned:#?}");
        }
        assert_eq!(warned.len(), 5, "a number holds where a percent does not: {warned:#?}");
        let own = warnings("[badge]\n[badge.guard]\nmoves = { percent = 100 }\n[marks]\n");
        assert_eq!(own.len(), 1);
        assert!(own[0].starts_with("[badge.guard] moves at 100"), "{own:?}");
    }
}
