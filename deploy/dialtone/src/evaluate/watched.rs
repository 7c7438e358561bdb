//! One simulated run, watched over without Kafka: its events by event time, its incidents beside its truth.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use dialtone_ingest::Sites;
use dialtone_processor::{
    Offline,
    config::Thresholds,
    summarise::{
        Counts,
        judge::{end_of, judge},
    },
};
use dialtone_schemas::{Channel, Complaint, Event, EventTime, Incident, Source, Text, avro, time, topic::event_key};
use dialtone_simulator::{Cause, Scenario, Simulation, Truth};

use super::interval::real;
use crate::{
    config::{Config, owners},
    judge::{Calls, Judgement},
    replay,
};

/// The simulation goes on by so much at a time.
const STEP: i64 = 10 * time::MINUTE;
/// How many calls a scope has is counted so long before the onset.
const USUAL: i64 = time::HOUR;

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
    /// Cells watched at the end, each on each of its channels.
    pub cells: usize,
    pub(super) calls: Calls,
    /// Of each planted cause: poor call-ends a minute that were to be expected there, had it not broken.
    pub(super) usual: Vec<f64>,
    /// Of each planted cause: the complaints about calls that it has touched, since it began.
    pub(super) complaints: Vec<Vec<EventTime>>,
}

impl Watched {
    /// Simulates and lets the folds watch: changes and complaints as they lie in their logs, events in the order of time.
    pub fn over(config: &Config, scenario: &Scenario, name: &str, seed: u64) -> Result<Self> {
        let mut simulation = Simulation::new(scenario, seed);
        simulation.check()?;
        let sites = Sites::read(simulation.sites_csv().as_bytes()).context("the simulated sites")?;
        let normaliser = replay::normaliser(config, sites);
        let owners = owners("the simulated owners", &simulation.owners_toml())?;
        let mut offline = Offline::new(
            &config.processor.summarise,
            config.watch(owners),
            config.kafka.partitions,
        );
        let tenant = Text::new("replay")?;
        let truth = simulation.truth().clone();
        let mut usual = Usual::new(&truth, &config.processor.summarise.thresholds);
        let mut complaints = Complaints::new(&truth);
        let (mut events, mut calls) = (Vec::new(), Calls::default());
        let mut now = simulation.start();
        while now < simulation.end() {
            let is_judged = now >= scenario.judged_from();
            now = now.plus(STEP);
            let arrived = simulation.advance(now);
            for event in arrived.events {
                let event = normaliser.event(event, &tenant, Source::Http, None)?;
                usual.see(&event);
                complaints.see(&event);
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
                let complaint = normaliser.complaint(complaint, &tenant)?;
                complaints.hear(&complaint);
                offline.complaint(&complaint)?;
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
            truth,
            incidents: offline.incidents(),
            counts: offline.counts(),
            cells: offline.cells(),
            calls,
            usual: usual.poor_per_minute(),
            complaints: complaints.by_cause(),
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

/// What was usual before anything was broken: the share of poor call-ends, and the call-ends of each planted scope in the hour
/// before its onset.
struct Usual {
    thresholds: Thresholds,
    until: EventTime,
    ends: BTreeSet<u128>,
    poor: BTreeSet<u128>,
    scopes: Vec<(Cause, BTreeSet<u128>)>,
}

impl Usual {
    fn new(truth: &Truth, thresholds: &Thresholds) -> Self {
        Self {
            thresholds: thresholds.clone(),
            until: truth.warm_up_until,
            ends: BTreeSet::new(),
            poor: BTreeSet::new(),
            scopes: truth
                .causes
                .iter()
                .map(|cause| (cause.clone(), BTreeSet::new()))
                .collect(),
        }
    }

    fn see(&mut self, event: &Event) {
        let judgement = judge(event, &self.thresholds);
        if !judgement.judged.contains(Channel::Quality) {
            return;
        }
        let end = end_of(event);
        if event.end < self.until {
            self.ends.insert(end);
            if judgement.poor.contains(Channel::Quality) {
                self.poor.insert(end);
            }
        }
        for (cause, ends) in &mut self.scopes {
            let is_before = event.end < cause.onset && event.end >= cause.onset.plus(-USUAL);
            if is_before && cause.scope.covers(&event.near) {
                ends.insert(end);
            }
        }
    }

    /// Of each planted cause.
    fn poor_per_minute(&self) -> Vec<f64> {
        let share = real(self.poor.len()) / real(self.ends.len().max(1));
        #[allow(clippy::cast_precision_loss, reason = "an hour")]
        let minutes = (USUAL / time::MINUTE) as f64;
        self.scopes
            .iter()
            .map(|(_, ends)| real(ends.len()) / minutes * share)
            .collect()
    }
}

/// Who complained about calls that a planted cause has touched.
struct Complaints {
    touched: Vec<(Cause, BTreeSet<Text>)>,
    heard: Vec<(EventTime, Text)>,
}

impl Complaints {
    fn new(truth: &Truth) -> Self {
        Self {
            touched: truth
                .causes
                .iter()
                .map(|cause| (cause.clone(), BTreeSet::new()))
                .collect(),
            heard: Vec::new(),
        }
    }

    fn see(&mut self, event: &Event) {
        for (cause, calls) in &mut self.touched {
            if event.end >= cause.onset && cause.scope.covers(&event.near) {
                calls.insert(event.call_id.clone());
            }
        }
    }

    fn hear(&mut self, complaint: &Complaint) {
        self.heard
            .extend(complaint.call_id.clone().map(|call| (complaint.complained_at, call)));
    }

    /// Their times in order, of each planted cause.
    fn by_cause(&self) -> Vec<Vec<EventTime>> {
        let of = |(_, calls): &(Cause, BTreeSet<Text>)| {
            let about = self.heard.iter().filter(|(_, call)| calls.contains(call));
            let mut times: Vec<EventTime> = about.map(|(at, _)| *at).collect();
            times.sort_unstable();
            times
        };
        self.touched.iter().map(of).collect()
    }
}
