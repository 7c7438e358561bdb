//! What the stories share: a simulated run, watched over without Kafka, its events by event time.

use std::collections::VecDeque;
use std::sync::Mutex;

use anyhow::{Context, Result};
use dialtone::{
    config::Config,
    judge::{Calls, Judgement},
    replay, simulate,
};
use dialtone_ingest::Sites;
use dialtone_processor::{Offline, summarise::Counts};
use dialtone_schemas::{Incident, Source, Text, avro, time, topic::event_key};
use dialtone_simulator::{Scenario, Simulation, Truth};

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

/// One simulated run and what was found in it.
#[derive(Debug)]
pub struct Watched {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: u64,
    /// What was planted.
    pub truth: Truth,
    /// What was found.
    pub incidents: Vec<Incident>,
    /// What became of the events.
    pub counts: Counts,
    calls: Calls,
}

impl Watched {
    /// Simulates a built-in scenario and lets the folds watch over it.
    pub fn built_in(name: &str, seed: u64) -> Result<Self> {
        Self::over(&simulate::load(name)?, name, seed)
    }

    /// Simulates and lets the folds watch: changes and complaints as they lie in their logs, events in the order of time.
    pub fn over(scenario: &Scenario, name: &str, seed: u64) -> Result<Self> {
        let config = defaults()?;
        let mut simulation = Simulation::new(scenario, seed);
        let sites = Sites::read(simulation.sites_csv().as_bytes()).context("the simulated sites")?;
        let owners = toml_owners(&simulation)?;
        let normaliser = replay::normaliser(&config, sites);
        let mut offline = Offline::new(
            &config.processor.summarise,
            config.watch(owners),
            config.kafka.partitions,
        );
        let tenant = Text::new("replay")?;
        let (mut events, mut calls) = (Vec::new(), Calls::default());
        let mut now = simulation.start();
        while now < simulation.end() {
            let is_judged = now >= scenario.judged_from();
            now = now.plus(10 * time::MINUTE);
            let arrived = simulation.advance(now);
            for event in arrived.events {
                let event = normaliser.event(event, &tenant, Source::Http, None)?;
                if is_judged {
                    calls.add(&event.near);
                }
                let key = event_key(tenant.as_str(), event.call_id.as_str());
                events.push((event.end, key, avro::built_in_frame_from(&event)?));
            }
            for change in arrived.changes {
                offline.change(&normaliser.change(change, &tenant, None)?)?;
            }
            for complaint in arrived.complaints {
                offline.complaint(&normaliser.complaint(complaint, &tenant)?)?;
            }
        }
        events.sort_by_key(|(end, ..)| *end);
        for (_, key, frame) in events {
            offline.framed_event(&key, frame.into())?;
        }
        offline.finish()?;
        Ok(Self {
            scenario: name.to_owned(),
            seed,
            truth: simulation.truth().clone(),
            incidents: offline.incidents(),
            counts: offline.counts(),
            calls,
        })
    }

    /// Found beside planted.
    pub fn judgement(&self) -> Judgement<'_> {
        Judgement::of(&self.truth, &self.incidents, &self.calls)
    }

    /// One line of a table: how many causes were named, what else was raised, what was missed.
    pub fn row(&self) -> String {
        let judgement = self.judgement();
        let named = judgement.causes.iter().filter(|named| named.incident.is_some()).count();
        let missed = judgement.causes.iter().filter(|named| named.incident.is_none());
        let missed: Vec<String> = missed
            .map(|named| format!("missed {} since {}", named.cause.scope, named.cause.onset))
            .collect();
        let others: Vec<String> = judgement
            .others
            .iter()
            .map(|i| format!("raised {} since {} to {}", i.scope, i.onset.from, i.onset.to))
            .collect();
        format!(
            "{:18} {:5}  {named}/{}  {}  {}",
            self.scenario,
            self.seed,
            judgement.causes.len(),
            judgement.others.len(),
            [missed, others].concat().join("; ")
        )
    }
}

fn toml_owners(simulation: &Simulation) -> Result<dialtone_processor::config::Owners> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("owners.toml");
    std::fs::write(&path, simulation.owners_toml())?;
    dialtone::config::read_owners(&path)
}

/// Watches over all of these runs, two at a time: each needs one processor and some hundred megabytes.
pub fn watch_over_all(runs: &[(&str, u64)]) -> Result<Vec<Watched>> {
    let waiting: Mutex<VecDeque<_>> = Mutex::new(runs.iter().copied().enumerate().collect());
    let take = || waiting.lock().map_or(None, |mut runs| runs.pop_front());
    let work = || {
        std::iter::from_fn(take)
            .map(|(i, (name, seed))| {
                Ok((
                    i,
                    Watched::built_in(name, seed).with_context(|| format!("{name}, seed {seed}"))?,
                ))
            })
            .collect::<Result<Vec<_>>>()
    };
    let mut watched = std::thread::scope(|threads| {
        let workers = [threads.spawn(work), threads.spawn(work)];
        let mut watched = Vec::new();
        for worker in workers {
            let done = worker
                .join()
                .map_err(|_panicked| anyhow::anyhow!("a run has panicked"))?;
            watched.extend(done?);
        }
        Ok::<_, anyhow::Error>(watched)
    })?;
    watched.sort_by_key(|(i, _)| *i);
    Ok(watched.into_iter().map(|(_, run)| run).collect())
}
