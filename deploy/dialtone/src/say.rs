//! What a person reads: the only place that prints.
//! A reader that has left (`| head`) is no reason to stop the work, nor to complain.

use std::io::{IsTerminal, Write};

/// A line of the answer, at once: who waits for it need not wait for the next one.
pub fn line(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// A line beside the answer.
pub fn note(text: impl std::fmt::Display) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Why it did not work, with every cause.
pub fn error(error: &anyhow::Error) {
    note(format!("dialtone: {error:#}"));
}

/// What is known under a name, line by line: the name stands in front of the first.
pub fn named(name: &str, texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let line = |(i, text): (usize, String)| {
        let name = if i == 0 { name } else { "" };
        format!("  {name:<10} {text}")
    };
    texts.into_iter().enumerate().map(line).collect()
}

/// Rows of a table, so that the cells of a column begin below each other.
pub fn aligned<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Signs of a bar.
const BAR: usize = 20;

/// How much of a whole is done, as a bar: full only when all of it is.
pub fn bar(done: usize, total: usize) -> String {
    let part = done.min(total) * BAR;
    let full = part.checked_div(total).unwrap_or(BAR);
    format!("[{}{}]", "#".repeat(full), "·".repeat(BAR - full))
}

/// How far it has got: overwritten on a terminal, left out elsewhere.
pub fn progress(text: impl std::fmt::Display) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        drop(write!(out, "\r\x1b[2K{text}"));
        drop(out.flush());
    }
}

/// Makes room on a terminal for a line of the answer.
pub fn progress_gone() {
    progress("");
}

/// Ends the progress line.
pub fn progress_done() {
    if std::io::stderr().is_terminal() {
        note("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 11 of 36 are 6.1 of 20, 35 of 36 are 19.4.
    #[test]
    fn a_bar_has_twenty_signs_and_is_full_only_at_the_end() {
        assert_eq!(bar(0, 36), "[····················]");
        assert_eq!(bar(11, 36), "[######··············]");
        assert_eq!(bar(35, 36), "[###################·]");
        assert_eq!(bar(36, 36), "[####################]");
        assert_eq!(bar(0, 0), bar(36, 36), "of nothing nothing is left to do");
    }
}
