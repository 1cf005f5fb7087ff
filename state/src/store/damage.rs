//! Damage: what the database meets in a file that somebody or something has overwritten. It panics on much
//! of it; here that becomes an error like any other. Which file it was, and what to do, is added in
//! [`error`](super::error).

use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;

use super::error::{Fault, StoreError};

/// What a file of the database begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

thread_local! {
    /// Whether this thread is at work in the database.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does work in the database; a panic of it says that the file is damaged. The database counts on being
/// left by a panic: it marks what was cut short, and gives it back at the next start.
pub(super) fn caught<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let before = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    done.unwrap_or_else(|_| Err(Fault::damaged("the database")))
}

/// Keeps panics that become an error of the store out of standard error; all others are told as before. For
/// the program to call once, where it begins: what is told of panics is a matter of the whole process.
pub fn silence_caught_panics() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if !CAUGHT.get() {
            before(panic);
        }
    }));
}

/// Whether a file is one of the database at all.
pub(super) fn look_at(path: &Path) -> Result<(), StoreError> {
    let mut begin = [0; MAGIC.len()];
    let damaged = |what: &str| Err(StoreError::Damaged { path: path.to_owned(), what: what.to_owned() });
    let mut file = std::fs::File::open(path).map_err(StoreError::io(path))?;
    match file.read_exact(&mut begin) {
        Ok(()) if begin == MAGIC => Ok(()),
        Ok(()) => damaged("the database (this is no file of one)"),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            damaged("the database (the file is empty or cut off)")
        }
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}
