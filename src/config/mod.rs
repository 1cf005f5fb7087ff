//! Configuration: TOML in, checked values out.

mod institution;

pub use institution::Institution;
