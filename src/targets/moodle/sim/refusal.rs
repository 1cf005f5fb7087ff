//! Moodle's failures: an exception object under HTTP 200 (Moodle facts, section 2). Rendering is in `answer.rs`.

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Class name. Clients must not match on it.
    pub exception: &'static str,
    /// The code; absent for a PHP `Error`.
    pub errorcode: Option<String>,
    /// The text, in the site's language.
    pub message: String,
    /// The cause, shown only by a site that runs with debugging.
    pub debuginfo: String,
}

impl Refusal {
    /// `invalidparameter`: all that production says of a bad value, field, type or nesting.
    pub(super) fn parameter(cause: impl Into<String>) -> Self {
        Self {
            exception: "core\\exception\\invalid_parameter_exception",
            errorcode: Some("invalidparameter".into()),
            message: "Invalid parameter value detected".into(),
            debuginfo: cause.into(),
        }
    }

    /// A plain `moodle_exception` with this code.
    pub(super) fn moodle(code: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            exception: "core\\exception\\moodle_exception",
            message: format!("error/{code}"),
            debuginfo: format!("error/{code}"),
            errorcode: Some(code),
        }
    }

    /// `codingerror`.
    pub(super) fn coding(cause: impl Into<String>) -> Self {
        let cause = cause.into();
        Self {
            exception: "core\\exception\\coding_exception",
            errorcode: Some("codingerror".into()),
            message: "Coding error detected, it must be fixed by a programmer".into(),
            debuginfo: cause,
        }
    }

    /// `invalidrecord`: something asked for by id is not in the database.
    pub(super) fn record(table: &str) -> Self {
        Self {
            exception: "dml_missing_record_exception",
            errorcode: Some("invalidrecord".into()),
            message: "Can't find data record in database.".into(),
            debuginfo: format!("SELECT * FROM {table}"),
        }
    }

    /// `dmlwriteexception`: the database refused a write.
    pub(super) fn write(cause: impl Into<String>) -> Self {
        Self {
            exception: "dml_write_exception",
            errorcode: Some("dmlwriteexception".into()),
            message: "Error writing to database".into(),
            debuginfo: cause.into(),
        }
    }

    /// `accessexception`.
    pub(super) fn access(cause: impl Into<String>) -> Self {
        Self {
            exception: "core\\exception\\webservice_access_exception",
            errorcode: Some("accessexception".into()),
            message: "Access control exception".into(),
            debuginfo: cause.into(),
        }
    }

    /// `invalidtoken`.
    pub(super) fn token() -> Self {
        Self {
            errorcode: Some("invalidtoken".into()),
            message: "Invalid token - token not found".into(),
            ..Self::moodle("invalidtoken")
        }
    }

    /// A PHP `Error`: no error code at all.
    pub(super) fn php(message: &str) -> Self {
        Self { exception: "Error", errorcode: None, message: message.into(), debuginfo: String::new() }
    }

    /// The code, empty for a PHP `Error`.
    pub fn code(&self) -> &str {
        self.errorcode.as_deref().unwrap_or_default()
    }
}
