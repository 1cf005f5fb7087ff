//! A setting that cannot be right, said in words that name it.

/// A value that is refused before anything is opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {message}")]
pub struct SettingError {
    /// The key, within the section that holds it.
    pub field: &'static str,
    /// What is wrong and what would be right; never a secret.
    pub message: String,
}

impl SettingError {
    /// A refusal of `field`.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}
