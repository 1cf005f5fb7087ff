//! Course categories and courses as rows. The rules are in `categories.rs` and `courses.rs`.

use std::collections::{BTreeMap, BTreeSet};

/// Id of the front page, which is a course.
pub const FRONT_PAGE: u64 = 1;

/// A course category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Category {
    /// Row id.
    pub id: u64,
    /// Name; may repeat, also among siblings.
    pub name: String,
    /// ID number, if any.
    pub idnumber: Option<String>,
    /// Description.
    pub description: String,
    /// Parent category, 0 for none.
    pub parent: u64,
    /// Theme, if forced.
    pub theme: Option<String>,
    /// When last written, Unix seconds.
    pub modified: i64,
    /// When committed, in ticks.
    pub(super) stamp: u64,
}

/// A course.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// Row id.
    pub id: u64,
    /// Full name.
    pub fullname: String,
    /// Short name.
    pub shortname: String,
    /// ID number, possibly empty.
    pub idnumber: String,
    /// Category. An update can leave one that does not exist.
    pub category: u64,
    /// Summary.
    pub summary: String,
    /// Course format; any text is stored.
    pub format: String,
    /// Start, Unix seconds.
    pub startdate: i64,
    /// End, Unix seconds, 0 for none.
    pub enddate: i64,
    /// Whether participants see it.
    pub visible: bool,
    /// Forced language, if any.
    pub lang: String,
    /// Further settings as sent.
    pub settings: BTreeMap<String, i64>,
    /// Names of the activities, in order.
    pub activities: Vec<String>,
    /// The manual enrolment instance, if it is there.
    pub manual: Option<ManualInstance>,
    /// Other enrolment methods.
    pub methods: BTreeSet<String>,
    /// When made, Unix seconds.
    pub created: i64,
    /// When last written, Unix seconds.
    pub modified: i64,
}

/// The manual enrolment method of a course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManualInstance {
    /// Whether it is enabled.
    pub enabled: bool,
    /// Whether it sends the welcome message.
    pub welcome: bool,
}

impl Course {
    /// The front page: format `site`, category 0, no enrolment method.
    pub(super) fn front_page(site_name: &str, now: i64) -> Self {
        Self {
            id: FRONT_PAGE,
            fullname: site_name.to_owned(),
            shortname: site_name.to_owned(),
            format: "site".into(),
            visible: true,
            created: now,
            modified: now,
            ..Self::default()
        }
    }
}

/// All courses.
#[derive(Clone, Debug, Default)]
pub(super) struct Courses {
    rows: BTreeMap<u64, Course>,
    /// When a row's keys were committed, and when the row was last written, in ticks.
    stamps: BTreeMap<u64, (u64, u64)>,
    last_id: u64,
}

impl Courses {
    /// The next id, gone also on rollback.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// All rows by id.
    pub(super) fn rows(&self) -> &BTreeMap<u64, Course> {
        &self.rows
    }

    /// Rows in the order the database holds them: a written row moves to the end.
    pub(super) fn in_storage_order(&self) -> Vec<&Course> {
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_by_key(|course| (self.stamps.get(&course.id).map_or(0, |stamp| stamp.1), course.id));
        rows
    }

    /// A row.
    pub(super) fn get(&self, id: u64) -> Option<&Course> {
        self.rows.get(&id)
    }

    /// When the row's keys were committed, in ticks.
    pub(super) fn stamp(&self, id: u64) -> u64 {
        self.stamps.get(&id).map_or(0, |stamp| stamp.0)
    }

    /// Inserts or replaces a row.
    pub(super) fn insert(&mut self, course: Course, tick: u64) {
        let keys = match (self.rows.get(&course.id), self.stamps.get(&course.id)) {
            (Some(before), Some(stamp))
                if before.shortname == course.shortname && before.idnumber == course.idnumber =>
            {
                stamp.0
            }
            _ => tick,
        };
        self.last_id = self.last_id.max(course.id);
        self.stamps.insert(course.id, (keys, tick));
        self.rows.insert(course.id, course);
    }

    /// Takes a row away.
    pub(super) fn remove(&mut self, id: u64) -> Option<Course> {
        self.rows.remove(&id)
    }
}
