//! Guard settings in layers: the embedded defaults, `[guard]`, `[<pipeline>.guard]`.

use super::document::Document;
use super::error::ConfigError;
use super::guard::{GuardSettings, Limit};

/// `over` upon `base`, key by key: a limit is replaced as a whole (`{ percent = 1 }` means that no number
/// is set), `shrink` and `windows` key by key, and `protected` only grows.
pub(super) fn layer(base: &toml::Table, over: &toml::Table) -> toml::Table {
    let mut layered = base.clone();
    for (key, value) in over {
        let value = match (key.as_str(), layered.get(key), value) {
            ("shrink" | "windows", Some(toml::Value::Table(base)), toml::Value::Table(over)) => {
                let mut both = base.clone();
                both.extend(over.clone());
                toml::Value::Table(both)
            }
            ("protected", Some(toml::Value::Table(base)), toml::Value::Table(over)) => {
                toml::Value::Table(united(base, over))
            }
            _ => value.clone(),
        };
        layered.insert(key.clone(), value);
    }
    layered
}

fn united(base: &toml::Table, over: &toml::Table) -> toml::Table {
    let mut both = base.clone();
    for (key, value) in over {
        let value = match (both.get(key), value) {
            (Some(toml::Value::Array(base)), toml::Value::Array(over)) => {
                toml::Value::Array(base.iter().chain(over).cloned().collect())
            }
            _ => value.clone(),
        };
        both.insert(key.clone(), value);
    }
    both
}

/// The settings in a layered table; `at` is the section to blame.
pub(super) fn read(document: &Document, at: &str, table: toml::Table) -> Result<GuardSettings, ConfigError> {
    let guard: GuardSettings = document.read(at, table, &[])?;
    for (key, limit) in guard.limits() {
        let place = format!("{at}.{key}");
        if limit == (Limit { number: None, percent: None }) {
            return Err(document.error(&place, format!("[{at}] `{key}` needs `number`, `percent` or both")));
        }
        if limit.percent.is_some_and(|percent| percent > 100) {
            return Err(document.error(&place, format!("[{at}] `{key}.percent` is above 100")));
        }
    }
    let most = guard.windows;
    for (key, times, least) in [("day", most.day, 1), ("week", most.week, most.day)] {
        if times < least {
            let message = format!("[{at}.windows] `{key}` is below {least}: what one pass may do, several may too");
            return Err(document.error(&format!("{at}.windows.{key}"), message));
        }
    }
    if guard.shrink.percent > 100 {
        return Err(document.error(&format!("{at}.shrink.percent"), format!("[{at}.shrink] `percent` is above 100")));
    }
    Ok(guard)
}
