//! The courses that are ours, by the key they carry as ID number. Read whole each time that enrolments are read;
//! the writer takes the ids from the last list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::super::answer::FETCH_FAILED;
use super::super::client::Client;
use super::super::wire::{Call, Course};
use crate::model::{ErrorKind, TargetError};
use crate::policy::CourseKey;

/// The format of the front page, which is listed as a course.
const FRONT_PAGE: &str = "site";

/// Row ids by course key.
pub type Courses = BTreeMap<CourseKey, u64>;

/// A list of courses.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that are ours.
    pub ours: Courses,
    /// How many there are, the front page aside.
    pub all: usize,
    /// How many bear a key of another institution, by its number.
    pub others: BTreeMap<String, usize>,
}

/// The last list of courses.
pub struct Catalogue {
    client: Arc<Client>,
    institution: String,
    listed: Mutex<Option<Arc<Courses>>>,
    readings: AtomicU64,
    lists: AtomicU64,
}

impl Catalogue {
    /// The courses of an institution; nothing is read yet.
    pub fn new(client: Arc<Client>, institution: &str) -> Self {
        let (readings, lists) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { client, institution: institution.to_owned(), listed: Mutex::new(None), readings, lists }
    }

    /// The courses as they are now.
    ///
    /// # Errors
    /// The list cannot be read, or shows no course's ID number.
    pub async fn read(&self) -> Result<Arc<Courses>, TargetError> {
        let mut listed = self.listed.lock().await;
        let courses = Arc::new(self.list().await?.ours);
        *listed = Some(Arc::clone(&courses));
        self.lists.fetch_add(1, Ordering::Relaxed);
        Ok(courses)
    }

    /// All courses as they are now, remembered by nobody.
    ///
    /// # Errors
    /// As [`Catalogue::read`].
    pub async fn list(&self) -> Result<Listing, TargetError> {
        sort(self.client.call(&Call::Courses).await?, &self.institution)
    }

    /// Notes that all enrolments are read: what was found out about courses before is out of date.
    pub fn renew(&self) {
        self.readings.fetch_add(1, Ordering::Relaxed);
    }

    /// How often all enrolments were read.
    pub fn readings(&self) -> u64 {
        self.readings.load(Ordering::Relaxed)
    }

    /// How often courses were listed: each reading of enrolments begins with it.
    pub fn lists(&self) -> u64 {
        self.lists.load(Ordering::Relaxed)
    }

    /// The courses as they were last read, or as they are now.
    ///
    /// # Errors
    /// As [`Catalogue::read`].
    pub async fn known(&self) -> Result<Arc<Courses>, TargetError> {
        if let Some(courses) = self.listed.lock().await.as_ref() {
            return Ok(Arc::clone(courses));
        }
        self.read().await
    }
}

/// Ours are those whose ID number is a course key of the institution and stands once.
fn sort(listed: Vec<Course>, institution: &str) -> Result<Listing, TargetError> {
    let listed: Vec<Course> = listed.into_iter().filter(|course| course.format != FRONT_PAGE).collect();
    if !listed.is_empty() && listed.iter().all(|course| course.idnumber.is_none()) {
        let message = "the service account does not see the ID number of any course; grant moodle/course:update";
        return Err(TargetError::new(ErrorKind::Auth, FETCH_FAILED, message));
    }
    let (all, mut others) = (listed.len(), BTreeMap::new());
    let (mut courses, mut twice) = (Courses::new(), BTreeSet::new());
    for course in listed {
        let Some(key) = course.idnumber.as_deref().and_then(CourseKey::parse) else { continue };
        if key.institution != institution {
            *others.entry(key.institution).or_default() += 1;
            continue;
        }
        if twice.contains(&key) {
            continue;
        }
        if courses.insert(key.clone(), course.id).is_some() {
            courses.remove(&key);
            twice.insert(key);
        }
    }
    if !twice.is_empty() {
        // Which of the two is meant nobody can say: nothing is read of either and nothing written to it.
        tracing::warn!(code = "MOODLE_COURSE_TWICE", count = twice.len(), "ID numbers of courses stand twice");
    }
    Ok(Listing { ours: courses, all, others })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(id: u64, idnumber: Option<&str>) -> Course {
        Course { id, idnumber: idnumber.map(str::to_owned), format: "topics".into() }
    }

    fn front_page() -> Course {
        Course { id: 1, idnumber: None, format: FRONT_PAGE.into() }
    }

    #[test]
    fn ours_are_keys_of_the_institution_that_stand_once() {
        let listed = vec![
            front_page(),
            course(2, Some("185:A:1:2026:HØST")),
            course(3, Some("185:B:1:2026:HØST")),
            course(4, Some("185:B:1:2026:HØST")),
            course(5, Some("185:B:1:2026:HØST")),
            course(6, Some("194:A:1:2026:HØST")),
            course(7, Some("")),
            course(8, Some("Playground")),
            course(9, None),
        ];
        let Listing { ours, all, others } = sort(listed, "185").unwrap();
        assert_eq!((all, others), (8, [("194".to_owned(), 1)].into()));
        assert_eq!(ours, Courses::from([(CourseKey::parse("185:A:1:2026:HØST").unwrap(), 2)]));
    }

    #[test]
    fn a_list_that_shows_no_id_number_is_an_error_and_an_empty_site_is_none() {
        let error = sort(vec![front_page(), course(2, None)], "185").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        assert!(error.message.contains("moodle/course:update"));
        assert!(sort(vec![front_page()], "185").unwrap().ours.is_empty());
        assert!(sort(vec![front_page(), course(2, Some(""))], "185").unwrap().ours.is_empty());
    }
}
