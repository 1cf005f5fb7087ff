//! The systems that should hold the desired state, one folder each. A target knows neither the others nor the engine.

pub mod moodle;
