//! A table of contents: read the command line, do what it says, say how it went.

use std::process::ExitCode;

use clap::Parser;
use dialtone::{cli::Cli, say};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dialtone::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            say::error(&error);
            ExitCode::from(2)
        }
    }
}
