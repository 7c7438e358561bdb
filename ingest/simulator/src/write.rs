//! A whole run as files in a folder, each line as the HTTP door takes it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use dialtone_schemas::time;
use serde::Serialize;

use crate::{Scenario, Simulation, line::json_line};

/// What was written, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles {
    /// `events.ndjson`
    pub events: PathBuf,
    /// `changes.ndjson`
    pub changes: PathBuf,
    /// `complaints.ndjson`
    pub complaints: PathBuf,
    /// `sites.csv`
    pub sites: PathBuf,
    /// `owners.toml`
    pub owners: PathBuf,
    /// `calendars.toml`
    pub calendars: PathBuf,
    /// `truth.json`
    pub truth: PathBuf,
    /// Lines of events, changes and complaints.
    pub lines: [u64; 3],
}

/// Runs a scenario from its start to its end. Files of an earlier run are overwritten.
pub fn write_run(scenario: &Scenario, seed: u64, dir: &Path) -> io::Result<RunFiles> {
    fs::create_dir_all(dir)?;
    let mut simulation = Simulation::new(scenario, seed);
    let mut events = Lines::create(dir.join("events.ndjson"))?;
    let mut changes = Lines::create(dir.join("changes.ndjson"))?;
    let mut complaints = Lines::create(dir.join("complaints.ndjson"))?;
    let mut now = scenario.start;
    while now < simulation.end() {
        now = now.plus(10 * time::MINUTE);
        let arrived = simulation.advance(now);
        events.append(&arrived.events)?;
        changes.append(&arrived.changes)?;
        complaints.append(&arrived.complaints)?;
    }
    let lines = [events.count, changes.count, complaints.count];
    let text = |file: &str, text: &str| -> io::Result<PathBuf> {
        let path = dir.join(file);
        fs::write(&path, text)?;
        Ok(path)
    };
    Ok(RunFiles {
        sites: text("sites.csv", &simulation.sites_csv())?,
        owners: text("owners.toml", &simulation.owners_toml())?,
        calendars: text("calendars.toml", &simulation.calendars_toml())?,
        truth: text(
            "truth.json",
            &(serde_json::to_string_pretty(simulation.truth())? + "\n"),
        )?,
        events: events.finish()?,
        changes: changes.finish()?,
        complaints: complaints.finish()?,
        lines,
    })
}

struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    count: u64,
}

impl Lines {
    fn create(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, File::create(&path)?),
            path,
            count: 0,
        })
    }

    fn append(&mut self, records: &[impl Serialize]) -> io::Result<()> {
        for record in records {
            writeln!(self.file, "{}", json_line(record)?)?;
            self.count += 1;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<PathBuf> {
        self.file.flush()?;
        Ok(self.path)
    }
}
