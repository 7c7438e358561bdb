//! `dialtone simulate`: a simulated enterprise's reports as files, with the truth beside them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use dialtone_schemas::{Span, time};
use dialtone_simulator::{Scenario, Simulation, scenario, write_run};

use crate::{cli, say};

/// What is simulated of a built-in scenario's history unless somebody wants more: three weeks are some three million reports.
const SHORT: Span = Span::from_micros(25 * time::HOUR);

/// Writes a run, or names the scenarios.
pub fn run(args: &cli::Simulate) -> Result<()> {
    if args.list {
        for (name, text) in scenario::built_in() {
            say::line(format!("{name:18} {}", first_comment(text)));
        }
        return Ok(());
    }
    let Some(out) = &args.out else {
        bail!("--out DIR is missing")
    };
    let scenario = shortened(&args.scenario, args.history)?;
    Simulation::new(&scenario, args.seed).check()?;
    let files = write_run(&scenario, args.seed, out).with_context(|| format!("cannot write to {}", out.display()))?;
    let [events, changes, complaints] = files.lines;
    say::line(format!(
        "{events} events, {changes} changes, {complaints} complaints in {}",
        out.display()
    ));
    say::line(format!(
        "replay them: dialtone replay --config {0}/calendars.toml --events {0}/events.ndjson --changes {0}/changes.ndjson \
         --complaints {0}/complaints.ndjson --sites {0}/sites.csv --owners {0}/owners.toml",
        out.display()
    ));
    Ok(())
}

/// A built-in scenario by its name, or a file.
pub fn load(name: &str) -> Result<Scenario> {
    Scenario::from_toml(&text(name)?).with_context(|| format!("scenario {name}"))
}

/// The scenario with no more history than this, a built-in one with no more than [`SHORT`] where nothing is said.
pub fn shortened(name: &str, history: Option<Span>) -> Result<Scenario> {
    let scenario = load(name)?;
    let is_built_in = scenario::built_in().iter().any(|(known, _)| *known == name);
    let longest = history.or_else(|| is_built_in.then_some(SHORT));
    Ok(match longest {
        Some(longest) => scenario.with_history_of(scenario::Span(longest.micros())),
        None => scenario,
    })
}

/// The text of a scenario.
pub fn text(name: &str) -> Result<String> {
    let built_in = scenario::built_in()
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| (*text).to_owned());
    match built_in {
        Some(text) => Ok(text),
        None if Path::new(name).extension().is_some() || name.contains('/') => {
            std::fs::read_to_string(name).with_context(|| format!("cannot read scenario {name}"))
        }
        None => {
            let names: Vec<&str> = scenario::built_in().iter().map(|(name, _)| *name).collect();
            bail!("no scenario {name:?}: expected a file or one of {}", names.join(", "));
        }
    }
}

/// The sentence a scenario begins with.
fn first_comment(text: &str) -> String {
    let comment: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix('#'))
        .map(str::trim)
        .collect();
    let sentence = comment.join(" ");
    sentence
        .split_inclusive(". ")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}
