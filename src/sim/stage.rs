//! A stage: a generated campus, its directory, MetaVault in SQLite and the simulator of every target that
//! has one, with a configuration that points at them. What the demo and the benches play on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tempfile::TempDir;

use super::campus::{Campus, CampusPlan};
use super::ldap::{Directory, DirectoryPlan};
use super::metavault::create_sqlite;
use crate::policy::day;
use crate::targets::Registry;
use crate::targets::port::Simulation;

const PASSWORD: &str = "STAGE_PORTAL_PASSWORD";

/// Everything that runs, in a temporary directory that goes with it.
pub struct Stage {
    place: TempDir,
    /// The campus as it was generated.
    pub campus: Campus,
    /// Portal LDAP.
    pub directory: Directory,
    /// The targets.
    pub sites: Vec<Box<dyn Simulation>>,
    secrets: BTreeMap<String, String>,
}

impl Stage {
    /// Generates a campus of so many people and starts everything on loopback. Its day is today, so that its
    /// semesters are those that are processed.
    ///
    /// # Errors
    /// Where a port or the temporary directory is not to be had.
    pub async fn set(registry: &Registry, campus: &CampusPlan, now: Timestamp) -> io::Result<Self> {
        Self::set_in(tempfile::tempdir()?, registry, campus, now).await
    }

    /// The same, in a directory that was made for it.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub async fn set_in(place: TempDir, registry: &Registry, campus: &CampusPlan, now: Timestamp) -> io::Result<Self> {
        let campus = Campus::generate(&CampusPlan { today: day(now), ..campus.clone() });
        create_sqlite(&place.path().join("metavault.db"), &campus).await.map_err(io::Error::other)?;
        let directory = Directory::start(DirectoryPlan::portal(now).with(campus.ldap_entries())).await?;
        let mut sites: Vec<Box<dyn Simulation>> = Vec::new();
        for target in registry.iter() {
            sites.extend(target.simulate(&campus).await?);
        }
        let mut secrets: BTreeMap<String, String> = sites.iter().flat_map(|site| site.secrets()).collect();
        secrets.insert(PASSWORD.to_owned(), "portalpw".to_owned());
        let stage = Self { place, campus, directory, sites, secrets };
        std::fs::write(stage.configuration(), stage.text())?;
        Ok(stage)
    }

    /// Where everything is kept.
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// The configuration's file.
    pub fn configuration(&self) -> PathBuf {
        self.place().join("reconcile.toml")
    }

    /// The secret that the configuration refers to by this name.
    pub fn secret(&self, name: &str) -> Option<String> {
        self.secrets.get(name).cloned()
    }

    fn text(&self) -> String {
        let place = self.place().display();
        let mut text = format!(
            "[store]\npath = \"{place}/store\"\n\n\
             [institution]\nnumber = \"185\"\nname = \"Demo University\"\nmail_domain = \"uni.example\"\n\n\
             [portal_ldap]\nurl = \"{}\"\nbind_dn = \"cn=portal,dc=meta\"\npassword = \"env:{PASSWORD}\"\n\n\
             [metavault]\nurl = \"sqlite://{place}/metavault.db\"\n\n",
            self.directory.url()
        );
        for site in &self.sites {
            let _ = writeln!(text, "{}", site.section());
        }
        text
    }
}
