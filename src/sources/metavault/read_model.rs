//! The read model: which tables or views, and which of their columns, are read.
//!
//! An institution owns the views; this list is what the preflight compares them with. The tables are
//! those of the read model in the MetaVault facts; `mv_person.campus` and `mv_position` were added to it.

use crate::sources::error::SourceError;

/// Every table that is read, with the columns that are.
pub const TABLES: [(&str, &[&str]); 8] = [
    (
        "mv_person",
        &[
            "uhid",
            "source_system",
            "source_id",
            "status",
            "employee_no",
            "student_no",
            "campus",
            "main_org",
            "language",
        ],
    ),
    ("mv_affiliation", &["uhid", "kind", "org_id", "role", "valid_from", "valid_to", "is_primary"]),
    ("mv_position", &["uhid", "employee_no", "job_code", "yrk", "title", "org_id", "valid_from", "valid_to", "status"]),
    ("mv_enrolment", &["uhid", "teaching_id", "kind", "role", "status"]),
    ("mv_org", &["id", "parent_id", "acronym", "name_nb", "name_en", "stedkode"]),
    ("mv_semester", &["id", "year", "term", "starts_on", "ends_on"]),
    ("mv_topic", &["source_id", "institution", "code", "version", "name_nb", "name_nn", "name_en", "org_id", "status"]),
    ("mv_teaching", &["id", "topic_id", "semester_id", "term_no", "status"]),
];

/// Holds a table's columns against the read model; without columns there is no table.
///
/// # Errors
/// `Schema`, naming the table and what it lacks.
pub fn compare(table: &str, columns: &[&str], present: &[String]) -> Result<(), SourceError> {
    if present.is_empty() {
        return Err(SourceError::vault_schema(format!("there is no table or view {table}")));
    }
    let missing = missing(columns, present);
    if missing.is_empty() {
        return Ok(());
    }
    Err(SourceError::vault_schema(format!("{table} has no column {}", missing.join(", "))))
}

/// Names are compared folded.
fn missing<'m>(columns: &[&'m str], present: &[String]) -> Vec<&'m str> {
    columns.iter().copied().filter(|column| !present.iter().any(|p| p.eq_ignore_ascii_case(column))).collect()
}
