//! What the operating system refuses, in an operator's words. Paths and next steps are the caller's.

use std::io::{Error, ErrorKind};

/// The error in words; the system's own text where there are none for it.
pub(crate) fn in_words(error: &Error) -> String {
    of_kind(error.kind()).map_or_else(|| of_system(error), str::to_owned)
}

/// The kind of an error in words, where nothing more is kept of it.
pub(crate) fn kind_in_words(kind: ErrorKind) -> String {
    of_kind(kind).map_or_else(|| kind.to_string(), str::to_owned)
}

fn of_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "there is no such file or directory",
        ErrorKind::PermissionDenied => "this account has no right to it",
        ErrorKind::AlreadyExists => "it is there already",
        ErrorKind::InvalidData => "it is no text (UTF-8)",
        ErrorKind::IsADirectory => "it is a directory",
        ErrorKind::NotADirectory => "a part of the path is no directory",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "there is no room left",
        ErrorKind::ConnectionRefused => "nothing listens there (connection refused)",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "the other side broke the connection off"
        }
        ErrorKind::UnexpectedEof => "the other side ended the connection before it answered",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "there is no route to it",
        ErrorKind::TimedOut => "no answer in time",
        _ => return None,
    })
}

/// The system's text without Rust's number at its end; a failed look-up of a name has no kind of its own.
fn of_system(error: &Error) -> String {
    let text = error.to_string();
    if text.contains("failed to lookup address") {
        return "the name cannot be resolved to an address".to_owned();
    }
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_rust_reaches_an_operator() {
        for number in [1, 2, 13, 17, 20, 21, 28, 30, 104, 110, 111, 113, 40] {
            let words = in_words(&Error::from_raw_os_error(number));
            assert!(!words.is_empty() && !words.contains("os error") && !words.contains("entity"), "{words}");
        }
        let lookup = Error::other("failed to lookup address information: Name or service not known");
        assert_eq!(in_words(&lookup), "the name cannot be resolved to an address");
        assert_eq!(kind_in_words(ErrorKind::InvalidData), "it is no text (UTF-8)");
    }
}
