//! What is selected, in words that every engine understands: every text column is cast to text, every flag is
//! `1` or `0`, and nothing is NULL inside a joined row.
//!
//! How rows are grouped and how some people are asked for is each engine's own.

/// Columns of `mv_person`, in the order that `rows` reads them in.
pub const PEOPLE: &str = "CAST(uhid AS TEXT), CAST(status AS TEXT), CAST(source_system AS TEXT), CAST(source_id AS TEXT), \
     CAST(employee_no AS TEXT), CAST(student_no AS TEXT), CAST(campus AS TEXT), CAST(main_org AS TEXT), \
     CAST(language AS TEXT)";

macro_rules! joined {
    ($first:literal $(, $column:literal)*) => {
        concat!("coalesce(CAST(", $first, " AS TEXT), '')" $(, " || '|' || coalesce(CAST(", $column, " AS TEXT), '')")*)
    };
}

/// One row as one text, in the order of `fold::PARTS`. Codes hold no `|`; a title is free text and may.
pub const PARTS: [&str; 3] = [
    concat!(
        joined!("kind", "org_id", "role", "valid_from", "valid_to"),
        " || '|' || CASE CAST(is_primary AS TEXT) WHEN 'true' THEN '1' WHEN 'false' THEN '0' \
         ELSE coalesce(CAST(is_primary AS TEXT), '0') END"
    ),
    concat!(
        joined!("employee_no", "job_code", "yrk"),
        " || '|' || replace(coalesce(CAST(title AS TEXT), ''), '|', '/') || '|' || ",
        joined!("org_id", "valid_from", "valid_to", "status")
    ),
    joined!("teaching_id", "kind", "role", "status"),
];

/// What is not about people: table and statement.
pub const CATALOGUE: [(&str, &str); 4] = [
    (
        "mv_org",
        "SELECT CAST(id AS TEXT), CAST(parent_id AS TEXT), CAST(acronym AS TEXT), CAST(name_nb AS TEXT), \
         CAST(name_en AS TEXT), CAST(stedkode AS TEXT) FROM mv_org",
    ),
    (
        "mv_semester",
        "SELECT CAST(id AS TEXT), CAST(year AS BIGINT), CAST(term AS TEXT), CAST(starts_on AS TEXT), \
         CAST(ends_on AS TEXT) FROM mv_semester",
    ),
    (
        "mv_topic",
        "SELECT CAST(source_id AS TEXT), CAST(institution AS TEXT), CAST(code AS TEXT), CAST(version AS TEXT), \
         CAST(name_nb AS TEXT), CAST(name_nn AS TEXT), CAST(name_en AS TEXT), CAST(org_id AS TEXT), \
         CAST(status AS TEXT) FROM mv_topic",
    ),
    (
        "mv_teaching",
        "SELECT CAST(id AS TEXT), CAST(topic_id AS TEXT), CAST(semester_id AS TEXT), CAST(term_no AS BIGINT), \
         CAST(status AS TEXT) FROM mv_teaching",
    ),
];
