//! What watch makes of one simulated run: its incidents beside its truth.

use anyhow::Result;
use dialtone_processor::{summarise::Counts, watch::Warnings};
use dialtone_schemas::{ChangeVerdict, EventTime, Incident};
use dialtone_simulator::{Scenario, Truth};

use super::{
    before::{Before, live_from},
    revision::{Revision, revisions},
    simulated::{RATES, Simulated},
};
use crate::judge::{Calls, Judgement};

/// One simulated run and what was found in it.
#[derive(Debug)]
pub struct Watched {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: u64,
    /// First instant of what was watched minute by minute.
    pub began: EventTime,
    /// When incidents could open: enough was known of what is normal.
    pub warm_from: EventTime,
    /// What was planted.
    pub truth: Truth,
    /// What was found.
    pub incidents: Vec<Incident>,
    /// The last verdict about every change.
    pub verdicts: Vec<ChangeVerdict>,
    /// How the early warnings came out.
    pub warnings: Warnings,
    /// What became of the events.
    pub counts: Counts,
    /// Cells watched at the end: a scope is one on each of its channels, and they are summed.
    pub cells: usize,
    /// Scopes watched at the end, each once.
    pub scopes: usize,
    /// Nats that each of them needs to be noticed: the false alarms a day that are accepted, over their minutes.
    pub needed: f64,
    /// What was told of incidents since they opened, in order.
    pub(super) revisions: Vec<Revision>,
    pub(super) calls: Calls,
    pub(super) since: Vec<Calls>,
    pub(super) usual: Vec<f64>,
    /// Of each planted cause: does it grow? The truth does not tell.
    pub(super) growing: Vec<bool>,
    pub(super) reports: Vec<f64>,
    pub(super) complaints: Vec<[Vec<EventTime>; RATES.len()]>,
}

impl Watched {
    /// Simulates and lets the folds watch, which have studied the days before.
    pub fn over(before: &Before<'_>, scenario: &Scenario, name: &str, seed: u64) -> Result<Self> {
        let config = before.config;
        let run = Simulated::kept(before.kept, config, scenario, seed)?;
        let mut watching = before.watching(&run.made_of_before, scenario, seed)?;
        run.logs.into_iter().try_for_each(|heard| watching.hear(heard))?;
        let began = live_from(scenario);
        Ok(Self {
            scenario: name.to_owned(),
            seed,
            began,
            warm_from: began.max(scenario.start.plus(config.processor.watch.warm_up.micros())),
            truth: run.truth,
            incidents: watching.incidents(),
            verdicts: watching.verdicts(),
            warnings: watching.watch().warnings(),
            counts: run.counts,
            cells: watching.watch().cells(),
            scopes: watching.watch().scopes(),
            needed: watching.watch().needed(),
            revisions: revisions(watching.alerts()),
            calls: run.calls,
            since: run.since,
            usual: run.usual,
            growing: growing(scenario),
            reports: run.reports,
            complaints: run.complaints,
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
        let others: Vec<String> = judgement.others.iter().map(|incident| raised(incident)).collect();
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

/// Of each fault of a scenario, in the order of the planted causes: does it grow to its full size over a while?
fn growing(scenario: &Scenario) -> Vec<bool> {
    let faults = scenario.faults.iter();
    faults.map(|fault| fault.ramp.is_some_and(|ramp| ramp.0 > 0)).collect()
}

/// An incident in a line of a table.
pub(super) fn raised(incident: &Incident) -> String {
    let onset = &incident.onset;
    let of = incident
        .device_id
        .as_ref()
        .map_or(String::new(), |device| format!(" device={device}"));
    format!(
        "raised {} of {}{of} since {} to {}",
        incident.metric, incident.scope, onset.from, onset.to
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_grows_where_its_scenario_gives_it_a_ramp() {
        let text = "name = \"x\"\nstart = \"2026-03-03T06:00:00Z\"\nhistory = \"1h\"\nevaluate = \"1h\"\n\
                    [[fault]]\nat = \"5m\"\n[[fault]]\nat = \"5m\"\nramp = \"1h\"\n[[fault]]\nat = \"5m\"\nramp = \"0m\"\n";
        let scenario = Scenario::from_toml(text).expect("a scenario");
        assert_eq!(growing(&scenario), [false, true, false]);
    }
}
