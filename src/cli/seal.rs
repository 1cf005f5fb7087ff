//! Seal: memory holds credentials and people. No core dump is left of it, and no other process of the same account
//! looks into it.

use nix::sys::resource::{Resource, setrlimit};

/// Closes this process's memory to everybody but the kernel's own administrator. Of a core dump nothing is left also
/// where the system gives it to a program, which no limit stops.
///
/// # Errors
/// Where the system refuses; then nothing secret is to be read.
pub(super) fn memory() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}
