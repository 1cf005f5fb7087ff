//! The one question.

use super::io::Io;

/// Asks on the terminal; only a typed `yes` is one.
pub(super) fn ask(question: &str, io: &mut Io<'_>) -> std::io::Result<bool> {
    write!(io.err, "{question} Type `yes`: ")?;
    io.err.flush()?;
    let mut answer = String::new();
    io.input.read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
