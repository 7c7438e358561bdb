//! What a person reads: the only place that prints.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the binary talks to people here and nowhere else"
)]

use std::io::{IsTerminal, Write};

/// A line of the answer.
pub fn line(text: impl std::fmt::Display) {
    println!("{text}");
}

/// A line beside the answer.
pub fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Why it did not work, with every cause.
pub fn error(error: &anyhow::Error) {
    eprintln!("dialtone: {error:#}");
}

/// How far it has got: overwritten on a terminal, left out elsewhere.
pub fn progress(text: impl std::fmt::Display) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        // A terminal that is gone is no reason to stop the work.
        drop(write!(out, "\r\x1b[2K{text}"));
        drop(out.flush());
    }
}

/// Ends the progress line.
pub fn progress_done() {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
}
