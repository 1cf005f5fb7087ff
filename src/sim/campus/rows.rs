//! Rows of MetaVault's read model (`docs/metavault-read-model.sql`): field names are column names.

use serde::Serialize;

/// `mv_semester`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct SemesterRow {
    pub id: String,
    pub year: i16,
    pub term: String,
    pub starts_on: String,
    pub ends_on: String,
}

/// `mv_org`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct OrgRow {
    pub id: String,
    pub parent_id: Option<String>,
    pub acronym: String,
    pub name_nb: String,
    pub name_en: Option<String>,
    pub stedkode: Option<String>,
    pub institution: String,
    pub costcenter: Option<String>,
    pub status: String,
    pub updated_at: String,
}

/// `mv_org_manager`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct OrgManagerRow {
    pub org_id: String,
    pub uhid: String,
    pub kind: String,
    pub until: Option<String>,
}

/// `mv_person`.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct PersonRow {
    pub uhid: String,
    pub source_system: String,
    pub source_id: String,
    pub uhun: String,
    pub status: String,
    pub eppn: Option<String>,
    pub employee_no: Option<String>,
    pub student_no: Option<String>,
    pub fs_personlopenr: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub fnr: Option<String>,
    pub birthdate: Option<String>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub main_org: Option<String>,
    pub email: Option<String>,
    pub mobile: Option<String>,
    pub language: Option<String>,
    pub reservation: Option<String>,
    pub fagperson: Option<u8>,
    pub dfo_brukerident: Option<String>,
    pub campus: Option<String>,
    pub updated_at: String,
}

impl std::fmt::Debug for PersonRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("PersonRow");
        shown.field("uhid", &self.uhid).field("source_system", &self.source_system).finish_non_exhaustive()
    }
}

/// `mv_affiliation`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct AffiliationRow {
    pub uhid: String,
    pub kind: String,
    pub org_id: String,
    pub role: String,
    pub valid_from: String,
    pub valid_to: Option<String>,
    pub is_primary: u8,
}

/// `mv_position`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct PositionRow {
    pub uhid: String,
    pub employee_no: String,
    pub job_code: String,
    pub yrk: Option<String>,
    pub title: Option<String>,
    pub org_id: String,
    pub valid_from: String,
    pub valid_to: Option<String>,
    pub status: String,
}

/// `mv_topic`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct TopicRow {
    pub source_id: String,
    pub institution: String,
    pub code: String,
    pub version: String,
    pub name_nb: String,
    pub name_nn: Option<String>,
    pub name_en: Option<String>,
    pub topic_type: Option<String>,
    pub org_id: Option<String>,
    pub status: String,
    pub updated_at: String,
}

/// `mv_teaching`.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct TeachingRow {
    pub id: i64,
    pub topic_id: String,
    pub semester_id: String,
    pub term_no: u8,
    pub status: String,
    pub updated_at: String,
}

/// `mv_enrolment`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[expect(missing_docs, reason = "columns, described in the read model")]
pub struct EnrolmentRow {
    pub teaching_id: i64,
    pub uhid: String,
    pub kind: String,
    pub role: String,
    pub status: String,
    pub updated_at: String,
}
