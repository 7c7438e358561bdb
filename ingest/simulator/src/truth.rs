//! The truth about a run: what was broken, where, from when to when, by whose change.

use dialtone_schemas::{Dimension, EventTime, Scope, Text};
use serde::{Deserialize, Serialize};

use crate::{
    call::End,
    change::Changes,
    fault::{Fault, FaultKind},
    innocent::{Improvement, Maintenance},
    moving::OfficeMove,
    owner::owner_of,
    pick,
    random::name,
    reporting::{ClockOff, Disorder, Gap},
    surroundings::{Rival, surroundings},
    work::Work,
    world::World,
};

/// Everything that was planted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The scenario's name.
    pub scenario: Text,
    /// The seed.
    pub seed: u64,
    /// Until then a detector may warm up: nothing that is judged is broken, though something may have been and mended.
    pub warm_up_until: EventTime,
    /// Everything ends here.
    pub end: EventTime,
    /// The planted causes, in order of the scenario.
    pub causes: Vec<Cause>,
    /// Where and when no report got out, though nothing was broken.
    #[serde(default)]
    pub gap: Option<Gap>,
    /// Whose clocks were off.
    #[serde(default)]
    pub clock_off: Option<ClockOff>,
    /// The maintenance windows that broke nothing: work that did is a cause.
    #[serde(default)]
    pub maintenance: Vec<Maintenance>,
    /// Changes that make calls better.
    #[serde(default)]
    pub improvements: Vec<Improvement>,
    /// Whose people work somewhere else, from when on.
    #[serde(default)]
    pub office_move: Option<OfficeMove>,
}

/// One planted cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// `cause-1`, `cause-2` …
    pub id: Text,
    /// What broke.
    pub kind: FaultKind,
    /// Which call-ends lie in it.
    pub scope: Scope,
    /// Other scopes that cover the same call-ends (Jaccard at least 0.9).
    pub aliases: Vec<Scope>,
    /// The one device, if it is one.
    pub device_id: Option<Text>,
    /// When it began.
    pub onset: EventTime,
    /// When it was over; `null`: not before the end.
    pub until: Option<EventTime>,
    /// The change that caused it.
    pub change_id: Option<Text>,
    /// The team that owns it.
    pub owner: Text,
    /// The channel that shows it most; `volume`, `setup` or `drop` where four fifths or more of the calls are cut off, never set up or dropped.
    pub channel: Text,
    /// By how much it multiplies the odds of a bad interval, where it is told by them.
    #[serde(default)]
    pub odds: Option<f64>,
    /// What is known of the work that it is, if it is any: then `change_id` is the change that tells of it.
    #[serde(default)]
    pub work: Option<Work>,
    /// Call-ends a day in the scope, by every fourth minute of the day before the onset, or of as much of it as was simulated; `null` for a
    /// single device and for what lies in no dimension.
    #[serde(default)]
    pub calls_a_day: Option<f64>,
    /// The scope of another owner that shares the most of its call-ends, by the same minutes, if any shares enough; `null` likewise.
    #[serde(default)]
    pub rival: Option<Rival>,
}

impl Cause {
    /// Is it an outage: are four fifths or more of its calls cut off, never set up or dropped?
    pub fn is_outage(&self) -> bool {
        ["volume", "setup", "drop"].contains(&self.channel.as_str())
    }

    /// Does it lie in a scope? What no report has a dimension for does not.
    pub fn has_place(&self) -> bool {
        self.kind != FaultKind::Unlogged
    }
}

/// Scopes with at least this Jaccard index mean the same call-ends.
const SAME: f64 = 0.9;

pub(crate) fn truth(world: &World, changes: &Changes, disorder: &Disorder) -> Truth {
    let causes = world.faults.iter().enumerate().map(|(i, fault)| {
        let scope = named_scope(fault);
        let around = surroundings(world, fault);
        Cause {
            id: name(format!("cause-{}", i + 1)),
            kind: fault.kind,
            aliases: aliases(fault, &scope, &pick::sample(world, fault.onset)),
            scope,
            device_id: fault.device_id.clone(),
            onset: fault.onset,
            until: fault.until,
            change_id: changes.guilty.get(i).cloned().flatten(),
            owner: owner_of(fault, &world.estate),
            channel: name(fault.channel()),
            odds: fault.odds,
            work: changes.works.get(i).cloned().flatten(),
            calls_a_day: around.calls_a_day,
            rival: around.rival,
        }
    });
    Truth {
        scenario: world.scenario.name.clone(),
        seed: world.seed,
        warm_up_until: world.scenario.judged_from(),
        end: world.scenario.end(),
        causes: causes.collect(),
        gap: disorder.gap.clone(),
        clock_off: disorder.clock_off.clone(),
        maintenance: changes.maintenance.clone(),
        improvements: changes.improvements.clone(),
        office_move: world.office_move.clone(),
    }
}

/// A rollout's new firmware says it all; every other scope is the fault's own.
fn named_scope(fault: &Fault) -> Scope {
    match (fault.kind, fault.scope.get(Dimension::Firmware)) {
        (FaultKind::FirmwareRollout, Some(firmware)) => Scope::new([(Dimension::Firmware, firmware.clone())]),
        _ => fault.scope.clone(),
    }
}

/// Scopes of up to two conditions that cover the same ends of the sample, the smallest first. What merely adds a condition
/// to one already listed is left out.
fn aliases(fault: &Fault, scope: &Scope, ends: &[End]) -> Vec<Scope> {
    let inside: Vec<&End> = ends.iter().filter(|end| fault.scope.covers(&end.leaf)).collect();
    let common: Vec<(Dimension, Text)> = Dimension::ALL
        .into_iter()
        .filter_map(|d| dominant(d, &inside))
        .collect();
    let single = common.iter().map(|c| Scope::new([c.clone()]));
    let pairs = common
        .iter()
        .enumerate()
        .flat_map(|(i, a)| common[i + 1..].iter().map(move |b| Scope::new([a.clone(), b.clone()])));
    let mut known = vec![scope.clone()];
    for candidate in single.chain(pairs).chain([fault.scope.clone()]) {
        let is_new = candidate == fault.scope || known.iter().all(|k| !candidate.implies(k));
        if is_new && !known.contains(&candidate) && jaccard(fault, &candidate, ends) >= SAME {
            known.push(candidate);
        }
    }
    known.split_off(1)
}

/// The value of a dimension that nearly all of these ends have.
fn dominant(dimension: Dimension, inside: &[&End]) -> Option<(Dimension, Text)> {
    let mut counts = std::collections::BTreeMap::<&Text, f64>::new();
    for value in inside.iter().filter_map(|end| end.leaf.get(dimension)) {
        *counts.entry(value).or_default() += 1.0;
    }
    let (value, count) = counts.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    #[allow(clippy::cast_precision_loss, reason = "some thousand ends")]
    let all = inside.len() as f64;
    (count >= SAME * all).then(|| (dimension, value.clone()))
}

fn jaccard(fault: &Fault, other: &Scope, ends: &[End]) -> f64 {
    let (mut both, mut either) = (0.0, 0.0);
    for end in ends {
        let (a, b) = (fault.scope.covers(&end.leaf), other.covers(&end.leaf));
        both += f64::from(u8::from(a && b));
        either += f64::from(u8::from(a || b));
    }
    if either > 0.0 { both / either } else { 0.0 }
}
