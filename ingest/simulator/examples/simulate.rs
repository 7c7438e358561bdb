//! `simulate SCENARIO SEED DIR`: writes a run's files, all of its history with them. SCENARIO is a built-in name or a path.
#![allow(clippy::print_stderr, reason = "an example talks to a person")]

use std::{env, error::Error, fs, path::Path};

use dialtone_simulator::{Scenario, scenario, write_run};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [which, seed, dir] = arguments.as_slice() else {
        let names: Vec<&str> = scenario::built_in().iter().map(|(name, _)| *name).collect();
        return Err(format!("simulate SCENARIO SEED DIR; built in: {}", names.join(", ")).into());
    };
    let text = match scenario::built_in().iter().find(|(name, _)| name == which) {
        Some((_, text)) => (*text).to_owned(),
        None => fs::read_to_string(which)?,
    };
    let files = write_run(&Scenario::from_toml(&text)?, seed.parse()?, Path::new(dir))?;
    let [events, changes, complaints] = files.lines;
    eprintln!("{events} events, {changes} changes, {complaints} complaints in {dir}");
    Ok(())
}
