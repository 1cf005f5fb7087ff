//! Targets: one folder each, all behind the traits of [`port`], all listed in the [`registry`].

pub mod moodle;
pub mod port;
pub mod portal;
pub mod registry;

pub use registry::Registry;
