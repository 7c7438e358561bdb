//! What the stories share: a simulated run, watched over without Kafka, its events by event time.

use anyhow::Result;
use dialtone::{
    config::Config,
    evaluate::{self, Named, Pace, Watched},
    simulate,
};

/// The documented defaults.
pub fn defaults() -> Result<Config> {
    dialtone::config::load(None, std::iter::empty())
}

/// A few hours of a small enterprise in which a carrier's route goes bad.
pub const SMALL: &str = r#"
name = "small"
start = "2026-03-03T05:00:00Z"
history = "3h"
evaluate = "90m"

[enterprise]
sites = 4
users = 1200
sites_with_final_reports_only = 1

[[fault]]
kind = "carrier_route"
at = "20m"
scope = { carrier = "telnova" }
change = true
hit = { share = 0.25, loss = 0.12, jitter_ms = 20.0, delay_ms = 60.0 }
"#;

/// Watches over all of these runs of built-in scenarios, two at a time.
pub fn watch_over_all(runs: &[(&str, u64)]) -> Result<Vec<Watched>> {
    let config = defaults()?;
    let named = |(name, seed): &(&str, u64)| Ok((((*name).to_owned(), simulate::load(name)?), *seed));
    let runs: Vec<(Named, u64)> = runs.iter().map(named).collect::<Result<_>>()?;
    let runs: Vec<(&Named, u64)> = runs.iter().map(|(named, seed)| (named, *seed)).collect();
    let pace = Pace { threads: 2, kept: None };
    evaluate::each(&config, &runs, pace, |watched| watched, |_, _| {})
}
