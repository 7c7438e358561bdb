//! What a person reads: the only place that prints.
//! A reader that has left (`| head`) is no reason to stop the work, nor to complain.

use std::io::{IsTerminal, Write};

/// A line of the answer.
pub fn line(text: impl std::fmt::Display) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// A line beside the answer.
pub fn note(text: impl std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Why it did not work, with every cause.
pub fn error(error: &anyhow::Error) {
    note(format!("dialtone: {error:#}"));
}

/// How far it has got: overwritten on a terminal, left out elsewhere.
pub fn progress(text: impl std::fmt::Display) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        drop(write!(out, "\r\x1b[2K{text}"));
        drop(out.flush());
    }
}

/// Ends the progress line.
pub fn progress_done() {
    if std::io::stderr().is_terminal() {
        note("");
    }
}
