//! The program: everything is in the library.

use std::process::ExitCode;

use reconcile::targets::Registry;

fn main() -> ExitCode {
    reconcile::cli::process::main(&Registry::builtin())
}
