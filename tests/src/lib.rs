//! What the stories share: a simulated run, watched over without Kafka, its events by event time.

use std::{collections::BTreeMap, path::Path, sync::LazyLock};

use anyhow::Result;
use bytes::Bytes;
use dialtone::{
    config::Config,
    evaluate::{self, Before, Named, Watched},
    simulate,
};
use dialtone_processor::offline::Heard;
use dialtone_sinks::Lake;
use dialtone_wire::{LogRecord, Place};

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

[reporting]
gap = "0m"

[[fault]]
kind = "carrier_route"
at = "20m"
scope = { carrier = "telnova" }
change = true
hit = { share = 0.25, loss = 0.12, jitter_ms = 20.0, delay_ms = 60.0 }
"#;

/// The days before built-in runs, for all tests of a process.
static BEFORE: LazyLock<Before<'static>> = LazyLock::new(|| {
    static CONFIG: LazyLock<Config> = LazyLock::new(|| defaults().expect("the defaults"));
    Before::new(&CONFIG, None, 4)
});

/// Watches over all of these runs of built-in scenarios, two at a time.
pub fn watch_over_all(runs: &[(&str, u64)]) -> Result<Vec<Watched>> {
    let named = |(name, seed): &(&str, u64)| Ok((((*name).to_owned(), simulate::load(name)?), *seed));
    let runs: Vec<(Named, u64)> = runs.iter().map(named).collect::<Result<_>>()?;
    let runs: Vec<(&Named, u64)> = runs.iter().map(|(named, seed)| (named, *seed)).collect();
    evaluate::each(&BEFORE, &runs, 2, |watched| watched, |_, _, _| Ok(()))
}

/// What watch read and told, as the sink would have written it.
pub async fn keep(dir: &Path, logs: &[Heard], told: &[Heard]) -> Result<()> {
    let mut lake = Lake::open(dir).await?;
    let mut by_place: BTreeMap<Place, Vec<LogRecord>> = BTreeMap::new();
    for (place, payload) in logs.iter().chain(told) {
        let log = by_place.entry(*place).or_default();
        log.push(LogRecord {
            place: *place,
            // A log whose head is gone, as after its retention.
            offset: 1000 + i64::try_from(log.len())?,
            key: Bytes::new(),
            payload: payload.clone(),
        });
    }
    for (place, log) in by_place {
        let next = log.last().map_or(0, |record| record.offset + 1);
        // In two commits, so that rows of one log lie in several files.
        let (first, second) = log.split_at(log.len() / 2);
        let middle = second.first().map_or(next, |record| record.offset);
        lake.append(place, first, middle).await?;
        lake.append(place, second, next).await?;
    }
    Ok(())
}
