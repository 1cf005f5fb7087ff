//! Looks through everything that the program puts out and keeps.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use reconcile_state::store::StoreDir;

use super::planted::{Place, Planted};
use crate::rig::{Rig, Run, Running};

/// What is looked for, and the files that are not the program's.
pub struct Watch {
    planted: Vec<Planted>,
    ours: BTreeSet<PathBuf>,
}

impl Watch {
    /// Looks for these values. Files that are there already are the rig's own.
    pub fn new(rig: &Rig, planted: Vec<Planted>) -> Self {
        let mut ours: BTreeSet<PathBuf> =
            fs::read_dir(rig.path("")).unwrap().map(|file| file.unwrap().path()).collect();
        ours.remove(&rig.path("store"));
        Self { planted, ours }
    }

    /// The values, one after another, as somebody careless would repeat them.
    pub fn everything(&self) -> String {
        self.planted.iter().map(|planted| planted.value.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// A folder of the rig's that the program writes to.
    pub fn is_to_be_searched(&mut self, path: &Path) {
        self.ours.remove(path);
    }

    /// A file or folder that the test itself made.
    pub fn is_ours(&mut self, path: PathBuf) {
        self.ours.insert(path);
    }

    /// Holds that a text at this place holds nothing that may not stand there.
    #[track_caller]
    pub fn look(&self, place: Place, what: &str, text: &str) {
        let folded = text.to_lowercase();
        for planted in self.planted.iter().filter(|planted| !planted.class.may_stand_in(place)) {
            if let Some(spelling) = planted.found_in(text, &folded) {
                let (at, text) =
                    text.find(spelling).map_or((folded.find(spelling).unwrap_or(0), &*folded), |at| (at, text));
                let around: String =
                    text[text.floor_char_boundary(at.saturating_sub(300))..].chars().take(700).collect();
                panic!("{} ({:?}) is in {place:?} of {what} as `{spelling}`:\n{around}", planted.what, planted.class);
            }
        }
    }

    /// How many of the planted values stand in a text: a search that finds none anywhere proves nothing.
    pub fn shown(&self, text: &str) -> usize {
        let folded = text.to_lowercase();
        self.planted.iter().filter(|planted| planted.found_in(text, &folded).is_some()).count()
    }

    /// Looks through both streams of a run.
    #[track_caller]
    pub fn run(&self, run: Run) -> Run {
        let words = run.words.clone();
        let place = if ["check", "journal", "init"].iter().any(|word| words.starts_with(word)) {
            Place::Finding
        } else {
            Place::Result
        };
        self.look(place, &words, &run.out);
        self.look(Place::Errors, &words, &run.err);
        run
    }

    /// Looks at the arguments of a process and of its children.
    #[track_caller]
    pub fn command_line(&self, running: &Running) {
        let mut all = vec![running.pid().to_string()];
        while let Some(pid) = all.pop() {
            let read = |path: &str| fs::read(format!("/proc/{pid}/{path}")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            self.look(Place::CommandLine, "the process", &arguments);
            let children = read(&format!("task/{pid}/children"));
            all.extend(String::from_utf8_lossy(&children).split_whitespace().map(str::to_owned));
        }
    }

    /// Looks through every file that was made, holds that only its owner may read it, and through the journal.
    #[track_caller]
    pub fn files(&self, rig: &Rig) {
        let mut seen = 0;
        for entry in fs::read_dir(rig.path("")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The streams of the runs, and what the rig holds beside the program.
            if self.ours.contains(&path)
                || ["stdout-", "stderr-", "input", "result", "metavault.db"].iter().any(|own| name.starts_with(own))
            {
                continue;
            }
            let place = match name.as_str() {
                "store" => Place::Store,
                "plan.json" | "reports" => Place::File,
                _ => Place::Elsewhere,
            };
            seen += self.file(place, &path);
        }
        assert!(seen > 0, "nothing was kept");
        let Ok(store) = StoreDir::open(rig.path("store"), [0; 32]) else { return };
        for pipeline in ["moodle", "portal"] {
            if rig.path("store").join(format!("{pipeline}.redb")).exists() {
                let entries = store.pipeline(pipeline).unwrap().journal(0, usize::MAX).unwrap();
                let json = serde_json::to_string(&entries).unwrap();
                self.look(Place::Journal, pipeline, &json);
            }
        }
    }

    fn file(&self, place: Place, path: &Path) -> usize {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            return fs::read_dir(path).unwrap().map(|entry| self.file(place, &entry.unwrap().path())).sum();
        }
        assert_eq!(mode, 0o600, "{}", path.display());
        self.look(Place::Elsewhere, "a file's name", &path.file_name().unwrap().to_string_lossy());
        self.look(place, &path.display().to_string(), &String::from_utf8_lossy(&fs::read(path).unwrap()));
        1
    }
}
