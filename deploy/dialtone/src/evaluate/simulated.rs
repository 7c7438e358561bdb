//! One simulated run as watch will read it, from where it is watched minute by minute: its logs, beside its truth.
//!
//! Every report comes by its door: the folds see what the formats leave of it. The truth is told by what was simulated, so that a scope means
//! the same calls whatever their reports have lost.

use std::{collections::BTreeSet, path::Path};

use anyhow::Result;
use dialtone_processor::{
    config::Thresholds,
    offline::{Heard, Logs},
    summarise::{
        Counts,
        judge::{end_of, judge},
    },
};
use dialtone_schemas::{Channel, Event, EventTime, Leaf, Text, time};
use dialtone_simulator::{Aggrieved, Cause, Scenario, Simulation, Truth};
use serde::{Deserialize, Serialize};

use super::{
    before::{STEP, TENANT, live_from},
    doors::{Doors, Taken},
    interval::real,
    kept,
};
use crate::{config::Config, judge::Calls};

/// What changed in the last days before is told all the same.
const CHANGES: i64 = 5 * time::DAY;
/// How many calls a scope has is counted so long before the onset.
const USUAL: i64 = time::HOUR;
/// What a run holds and how its reports came into it. Another word where that changes: what was kept before is not taken
/// for it.
const LAYOUT: &str = "doors surroundings before reports";

/// One simulated run, summarised: what watch will read, and what a judge must know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Simulated {
    pub(super) truth: Truth,
    /// What the days before are made of.
    pub(super) made_of_before: String,
    pub(super) logs: Vec<Heard>,
    pub(super) counts: Counts,
    /// The reported calls of the judged part, as they were.
    pub(super) calls: Calls,
    /// Of each planted cause: the call-ends while it lasted, each once.
    pub(super) since: Vec<Calls>,
    /// Of each planted cause: poor call-ends a minute that were to be expected there, had it not broken.
    pub(super) usual: Vec<f64>,
    /// ... reports a minute, in the hour before its onset.
    pub(super) reports: Vec<f64>,
    /// Of each planted cause: the complaints about calls that it has touched, since it began, at half the rate, at the scenario's and at
    /// double.
    pub(super) complaints: Vec<[Vec<EventTime>; RATES.len()]>,
}

impl Simulated {
    /// Simulates and summarises: everything in the order in which it arrives, so that what comes too late for its window is set aside.
    pub fn new(config: &Config, scenario: &Scenario, seed: u64) -> Result<Self> {
        let mut simulation = Simulation::new(scenario, seed);
        simulation.check()?;
        let mut doors = Doors::of(config, &simulation, TENANT)?;
        let mut logs = Logs::new(&config.processor.summarise, config.kafka.partitions);
        let live_from = live_from(scenario);
        let is_live = |event: &Event| live_from == scenario.start || event.end > live_from;
        simulation.skip_to(live_from);
        let truth = simulation.truth().clone();
        let mut usual = Usual::new(&truth, &config.processor.summarise.thresholds);
        let mut complaints = Complaints::new(&truth);
        let mut calls = Calls::default();
        let mut since = Since::new(&truth);
        let mut now = simulation.start();
        while now < simulation.end() {
            let is_judged = now >= scenario.judged_from();
            now = now.plus(STEP);
            let mut arrived = simulation.advance(now);
            arrived.events.retain(is_live);
            for taken in doors.take(arrived.events, now)? {
                let Taken { simulated, event } = &taken;
                let may = simulation.may_have(simulated);
                usual.see(&taken, &may);
                complaints.see(simulated, &may);
                since.see(simulated);
                if is_judged {
                    calls.add(&simulated.near);
                }
                logs.event(event)?;
            }
            for change in arrived.changes {
                if change.time_reported() >= live_from.plus(-CHANGES) {
                    logs.change(&doors.change(&change)?)?;
                }
            }
            for complaint in arrived.complaints {
                if complaint.complained_at >= live_from {
                    logs.complaint(&doors.complaint(&complaint)?)?;
                }
            }
        }
        logs.finish()?;
        Ok(Self {
            truth,
            made_of_before: simulation.made_of_before(),
            logs: logs.take(),
            counts: logs.counts(),
            calls,
            since: since.calls(),
            usual: usual.poor_per_minute(),
            reports: usual.reports_per_minute(),
            complaints: complaints.by_cause(simulation.aggrieved(), scenario.end()),
        })
    }

    /// What was planted.
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    /// What watch will read.
    pub fn logs(&self) -> &[Heard] {
        &self.logs
    }

    /// The same from a folder where it was kept, or simulated and kept there for the next time.
    pub fn kept(folder: Option<&Path>, config: &Config, scenario: &Scenario, seed: u64) -> Result<Self> {
        let name = format!("{}-{seed}", scenario.name);
        let made_of = format!("{LAYOUT} {seed} {scenario:?}");
        kept::or_made(folder, config, &name, &made_of, || Self::new(config, scenario, seed))
    }
}

/// Multiples of the scenario's rate of complaints at which leads are told.
pub(super) const RATES: [f64; 3] = [0.5, 1.0, 2.0];

/// What was usual before anything was broken: the share of poor call-ends, and the call-ends and reports of each planted scope in the hour
/// before its onset.
struct Usual {
    thresholds: Thresholds,
    until: EventTime,
    ends: BTreeSet<u128>,
    poor: BTreeSet<u128>,
    scopes: Vec<HourBefore>,
}

/// The hour before a planted cause began, where it lies.
struct HourBefore {
    cause: Cause,
    ends: BTreeSet<u128>,
    reports: usize,
}

impl HourBefore {
    fn of(cause: &Cause) -> Self {
        Self {
            cause: cause.clone(),
            ends: BTreeSet::new(),
            reports: 0,
        }
    }

    /// Is a report one of this hour, from there?
    fn has(&self, event: &Event, near: &Leaf) -> bool {
        let onset = self.cause.onset;
        event.end < onset && event.end >= onset.plus(-USUAL) && self.cause.scope.covers(near)
    }
}

impl Usual {
    fn new(truth: &Truth, thresholds: &Thresholds) -> Self {
        Self {
            thresholds: thresholds.clone(),
            until: truth.warm_up_until,
            ends: BTreeSet::new(),
            poor: BTreeSet::new(),
            scopes: truth.causes.iter().map(HourBefore::of).collect(),
        }
    }

    /// A call-end lies where it was, and is as poor as its report says.
    fn see(&mut self, Taken { simulated, event }: &Taken, may: &[bool]) {
        let judgement = judge(event, &self.thresholds);
        let is_judged = judgement.judged.contains(Channel::Quality);
        let end = end_of(simulated);
        if is_judged && event.end < self.until {
            self.ends.insert(end);
            if judgement.poor.contains(Channel::Quality) {
                self.poor.insert(end);
            }
        }
        for (hour, _) in self.scopes.iter_mut().zip(may).filter(|(_, may)| **may) {
            if hour.has(event, &simulated.near) {
                hour.reports += 1;
                if is_judged {
                    hour.ends.insert(end);
                }
            }
        }
    }

    /// Of each planted cause.
    fn poor_per_minute(&self) -> Vec<f64> {
        let share = real(self.poor.len()) / real(self.ends.len().max(1));
        let of = |hour: &HourBefore| a_minute(hour.ends.len()) * share;
        self.scopes.iter().map(of).collect()
    }

    /// Of each planted cause, however the calls were.
    fn reports_per_minute(&self) -> Vec<f64> {
        self.scopes.iter().map(|hour| a_minute(hour.reports)).collect()
    }
}

/// So many in the hour before.
fn a_minute(n: usize) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "an hour")]
    let minutes = (USUAL / time::MINUTE) as f64;
    real(n) / minutes
}

/// The call-ends while each planted cause lasted.
struct Since(Vec<(Cause, BTreeSet<u128>, Calls)>);

impl Since {
    fn new(truth: &Truth) -> Self {
        let of = |cause: &Cause| (cause.clone(), BTreeSet::new(), Calls::default());
        Self(truth.causes.iter().map(of).collect())
    }

    fn see(&mut self, event: &Event) {
        for (cause, ends, calls) in &mut self.0 {
            let lasts = event.end > cause.onset && cause.until.is_none_or(|until| event.start < until);
            if lasts && ends.insert(end_of(event)) {
                calls.add(&event.near);
            }
        }
    }

    fn calls(self) -> Vec<Calls> {
        self.0.into_iter().map(|(_, _, calls)| calls).collect()
    }
}

/// Who complained about calls that a planted cause has touched.
struct Complaints {
    touched: Vec<(Cause, BTreeSet<Text>)>,
}

impl Complaints {
    fn new(truth: &Truth) -> Self {
        Self {
            touched: truth
                .causes
                .iter()
                .map(|cause| (cause.clone(), BTreeSet::new()))
                .collect(),
        }
    }

    fn see(&mut self, event: &Event, may: &[bool]) {
        for ((cause, calls), _) in self.touched.iter_mut().zip(may).filter(|(_, may)| **may) {
            if event.end >= cause.onset && cause.scope.covers(&event.near) {
                calls.insert(event.call_id.clone());
            }
        }
    }

    /// Their times in order, of each planted cause, at each of the rates. Few complaints name their call; which it is, is known of all of
    /// them here.
    fn by_cause(&self, aggrieved: &[Aggrieved], end: EventTime) -> Vec<[Vec<EventTime>; RATES.len()]> {
        let of = |(_, calls): &(Cause, BTreeSet<Text>)| {
            let about = || {
                aggrieved
                    .iter()
                    .filter(|one| calls.contains(&one.call_id) && one.at < end)
            };
            RATES.map(|rate| {
                let told = about().filter(|one| one.told_from < rate);
                let mut times: Vec<EventTime> = told.map(|one| one.at).collect();
                times.sort_unstable();
                times
            })
        };
        self.touched.iter().map(of).collect()
    }
}
