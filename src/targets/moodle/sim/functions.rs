//! The functions by name.

/// Every function the simulator knows.
pub(super) const FUNCTIONS: &[&str] = &[
    "core_course_create_categories",
    "core_course_create_courses",
    "core_course_delete_courses",
    "core_course_duplicate_course",
    "core_course_get_categories",
    "core_course_get_contents",
    "core_course_get_courses",
    "core_course_get_courses_by_field",
    "core_course_import_course",
    "core_course_update_categories",
    "core_course_update_courses",
    "core_enrol_get_course_enrolment_methods",
    "core_enrol_get_enrolled_users",
    "core_enrol_get_users_courses",
    "core_reportbuilder_list_reports",
    "core_reportbuilder_retrieve_report",
    "core_role_assign_roles",
    "core_role_unassign_roles",
    "core_user_create_users",
    "core_user_delete_users",
    "core_user_get_users",
    "core_user_get_users_by_field",
    "core_user_update_users",
    "core_webservice_get_site_info",
    "enrol_manual_enrol_users",
    "enrol_manual_unenrol_users",
];

/// Whether a function may write.
pub(super) fn writes(function: &str) -> bool {
    function.starts_with("enrol_manual_")
        || ["_create_", "_update_", "_delete_", "_duplicate_", "_import_", "_assign_", "_unassign_"]
            .iter()
            .any(|verb| function.contains(verb))
}
