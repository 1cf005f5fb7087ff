//! The program: everything is in the library.

use std::process::ExitCode;

use reconcile::targets::Registry;

/// Very many small texts come and go in a pass: under the system's allocator it takes a quarter more processor time.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reconcile::cli::process::main(&Registry::builtin())
}
