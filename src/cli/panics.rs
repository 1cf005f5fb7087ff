//! Panics are told by their place alone: what a panic says quotes what was being worked on, such as the bytes that a
//! library could not decode. Functions in a backtrace (`RUST_BACKTRACE=1`) name no values.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write;
use std::panic::{Location, set_hook};

/// From now on panics of this process are told by their place. For the program to call once, where it begins.
pub(super) fn tell_places_only() {
    set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), place);
        let told = format!(
            "error: the program met what it was not made for, at {place}; what it was is not shown, as it may hold \
             names or secrets"
        );
        // There is nobody to tell when this fails too.
        let _ = writeln!(std::io::stderr(), "{told}");
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            let _ = writeln!(std::io::stderr(), "{backtrace}");
        }
    }));
}

/// File and line, without the directories of the machine on which the program was built.
fn place(at: &Location<'_>) -> String {
    let parts: Vec<&str> = at.file().rsplit('/').take(4).collect();
    let file: Vec<&str> = parts.into_iter().rev().skip_while(|part| part.is_empty()).collect();
    format!("{}:{}", file.join("/"), at.line())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const AGAIN: &str = "RECONCILE_TEST_PANICS";

    #[test]
    fn a_panic_tells_its_place_and_nothing_of_what_it_met() {
        if std::env::var_os(AGAIN).is_some() {
            tell_places_only();
            let met = std::hint::black_box("Kari Nordmann");
            panic!("met {met}");
        }
        // The hook is the whole process's: a process of its own, so that other tests keep theirs.
        for backtrace in ["0", "full"] {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again
                .args(["--exact", "--nocapture"])
                .arg(format!("{}::a_panic_tells_its_place_and_nothing_of_what_it_met", module()));
            let run = again.env(AGAIN, "1").env("RUST_BACKTRACE", backtrace).output().unwrap();
            let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
            assert!(!run.status.success() && said.contains("not made for, at src/cli/panics.rs:"), "{said}");
            assert!(!said.contains("Nordmann"), "{said}");
            assert_eq!(said.contains("stack backtrace") || said.contains("0: "), backtrace == "full", "{said}");
        }
    }

    fn module() -> &'static str {
        module_path!().split_once("::").map_or("", |(_, module)| module)
    }
}
