//! Invented targets. `listed` can be listed and takes many changes in one request; `asked` knows only
//! the records it is asked for, keeps two kinds and refers from one record to another. `shelf` is where
//! both keep their records, and where they fail as they are told to.
//!
//! `seated` has accounts like `listed`, and seats that are parts of them, in the `hall`; `marked` follows it
//! and keeps marks of who is in.

pub mod asked;
mod hall;
pub mod listed;
pub mod marked;
pub mod seated;
mod shelf;

pub use asked::Asked;
pub use hall::{Hand, room_of};
pub use listed::Listed;
pub use marked::Marked;
pub use seated::Seated;
pub use shelf::{Answer, Landed, Listing, Shelf, Toy};
