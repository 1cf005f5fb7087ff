//! Two invented targets. `listed` can be listed and takes many changes in one request; `asked` knows only
//! the records it is asked for, keeps two kinds and refers from one record to another. `shelf` is where
//! both keep their records, and where they fail as they are told to.

pub mod asked;
pub mod listed;
mod shelf;

pub use asked::Asked;
pub use listed::Listed;
pub use shelf::{Answer, Listing, Toy};
