//! Why a key of the section is refused.

use crate::targets::port::OpenError;

/// A refusal of one key.
pub(super) fn refused(field: &str, message: impl Into<String>) -> OpenError {
    OpenError::Value { field: field.to_owned(), message: message.into() }
}
