//! All targets there are. Adding one is a folder and a line here.

use std::sync::Arc;

use super::port::Definition;

/// The targets the program knows, in the order in which they are shown.
#[derive(Clone)]
pub struct Registry(Vec<Arc<dyn Definition>>);

impl Registry {
    /// The targets that are shipped.
    pub fn builtin() -> Self {
        Self(vec![Arc::new(super::moodle::Moodle), Arc::new(super::portal::Portal)])
    }

    /// No targets: what tests and demonstrations start from.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// The same registry and one target more.
    #[must_use]
    pub fn with(mut self, target: impl Definition + 'static) -> Self {
        self.0.push(Arc::new(target));
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Definition> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The one with this name.
    pub fn get(&self, name: &str) -> Option<&dyn Definition> {
        self.iter().find(|target| target.name() == name)
    }
}
