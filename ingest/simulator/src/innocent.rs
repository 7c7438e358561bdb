//! Changes that broke nothing: half of them just when something broke for another reason, some of those just where it broke;
//! and maintenance windows, announced or not, that end when they should or later.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, ChangeKind, Dimension, EventTime, Leaf, Text, change::Selector, time};
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{CLIENTS, HEADSETS, PHONES, POLICIES},
    change::{Changes, change},
    fault::{Fault, FaultKind},
    random::{Dice, Stream, name},
    world::World,
};

/// A maintenance window, and when it was really over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Its change.
    pub change_id: Text,
    /// Did people know of it before it began?
    pub is_announced: bool,
    /// When it was over: later than the change says where it overran.
    pub really_finished_at: EventTime,
}

/// A change that makes the calls better which it touches, from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Improvement {
    /// Its change.
    pub change_id: Text,
    /// Since when.
    pub from: EventTime,
    /// What it touches.
    pub scope: Selector,
    /// By how much it multiplies the odds of a bad interval.
    pub factor: f64,
}

impl Improvement {
    /// Does it do this end of a call good?
    pub(crate) fn covers(&self, leaf: &Leaf, at: EventTime) -> bool {
        at >= self.from && self.scope.covers(leaf)
    }
}

/// What is done, to what, by whom.
#[derive(Clone, Copy, Debug)]
struct Work {
    kind: ChangeKind,
    dimension: Dimension,
    team: &'static str,
    summary: &'static str,
}

const fn work(kind: ChangeKind, dimension: Dimension, team: &'static str, summary: &'static str) -> Work {
    Work {
        kind,
        dimension,
        team,
        summary,
    }
}

/// What an improvement leaves of the odds of a bad interval: least and most.
const BETTER: [f64; 2] = [0.5, 0.9];

/// So many of the works are done at any time; the others only to what is broken.
const USUAL: usize = 9;

#[rustfmt::skip]
const WORKS: [Work; 13] = [
    work(ChangeKind::Config, Dimension::Segment, "campus-network", "access switch configuration"),
    work(ChangeKind::Config, Dimension::Site, "network-operations", "firewall rules"),
    work(ChangeKind::Route, Dimension::Site, "network-operations", "route preference"),
    work(ChangeKind::Client, Dimension::Client, "voice-platform", "client settings"),
    work(ChangeKind::Driver, Dimension::Headset, "endpoint-hardware", "driver package for new laptops"),
    work(ChangeKind::Firmware, Dimension::Device, "endpoint-hardware", "firmware for new phones"),
    work(ChangeKind::Policy, Dimension::Policy, "voice-platform", "policy description"),
    work(ChangeKind::Carrier, Dimension::Carrier, "voice-carriers", "number range ported"),
    work(ChangeKind::Certificate, Dimension::Site, "network-operations", "certificate renewed"),
    work(ChangeKind::Driver, Dimension::Driver, "endpoint-hardware", "driver signed again"),
    work(ChangeKind::Firmware, Dimension::Firmware, "endpoint-hardware", "settings for one firmware"),
    work(ChangeKind::Route, Dimension::Isp, "wan-providers", "provider's routes documented"),
    work(ChangeKind::Certificate, Dimension::Relay, "voice-platform", "relay certificate renewed"),
];

/// Every day's innocent changes.
pub(crate) fn add(world: &World, changes: &mut Changes, dice: &mut Dice) {
    let (mut day, end) = (world.scenario.start, world.scenario.end());
    while day < end {
        let next = day.plus(time::DAY);
        let faults: Vec<&Fault> = world.faults.iter().filter(|f| (day..next).contains(&f.onset)).collect();
        for _ in 0..world.scenario.changes.per_day {
            let (at, near) = time_of(world, day, &faults, dice);
            let number = changes.all.len();
            let change = innocent_change(world, at, number, dice);
            let mut own = Dice::new(world.seed, Stream::Innocent, u64::try_from(number).unwrap_or(0));
            let (change, window) = varied(world, change, near, &mut own);
            if !world.faults.iter().any(|fault| touches_one(&change, fault)) {
                changes.improvements.extend(improvement(world, &change, &mut own));
            }
            changes.all.push(change);
            changes.maintenance.extend(window);
        }
        day = next;
    }
}

/// Near an onset of the day, if there is one and it so happens; otherwise within the working day.
fn time_of<'a>(world: &World, day: EventTime, faults: &[&'a Fault], dice: &mut Dice) -> (EventTime, Option<&'a Fault>) {
    let is_near = dice.chance(world.scenario.changes.near_onset);
    let which = dice.below(faults.len());
    let near = dice.between(-3600, 3600) * time::SECOND;
    let within = dice.between(6 * 3600, 18 * 3600) * time::SECOND;
    match faults.get(which) {
        Some(fault) if is_near => (fault.onset.plus(near), Some(fault)),
        _ => (day.floor(time::DAY).plus(within), None),
    }
}

fn innocent_change(world: &World, at: EventTime, number: usize, dice: &mut Dice) -> Change {
    let site = &world.estate.sites[dice.below(world.estate.sites.len())];
    let segment = &world.estate.segments[dice.below(world.estate.segments.len())];
    let headset = HEADSETS[dice.below(HEADSETS.len())];
    let phone = PHONES[dice.below(PHONES.len())];
    let client = CLIENTS[dice.below(CLIENTS.len())].0;
    let policy = POLICIES[dice.below(POLICIES.len())].0;
    let carrier = site.place.carriers[dice.below(2)];
    let work = WORKS[dice.below(USUAL)];
    let value = match work.dimension {
        Dimension::Segment => segment.name.as_str(),
        Dimension::Client => client,
        Dimension::Headset => headset.model,
        Dimension::Device => phone.model,
        Dimension::Policy => policy,
        Dimension::Carrier => carrier,
        _ => site.name.as_str(),
    };
    let scope = BTreeMap::from([(work.dimension, vec![name(value)])]);
    let mut change = change(number, work.kind, at, scope, work.summary, dice);
    change.team = Some(name(work.team));
    change
}

/// Perhaps it touches what is broken, perhaps it is a maintenance window.
fn varied(world: &World, mut change: Change, near: Option<&Fault>, dice: &mut Dice) -> (Change, Option<Maintenance>) {
    let rules = &world.scenario.changes;
    let (overlaps, is_window) = (dice.chance(rules.overlapping), dice.chance(rules.maintenance));
    if let Some(fault) = near.filter(|_| overlaps) {
        overlap(&mut change, fault, dice);
    }
    let window = is_window.then(|| maintain(world, &mut change, dice));
    (change, window)
}

/// Perhaps it does good, unless it is a maintenance window. What did good before the judged part is what calls are usually like.
fn improvement(world: &World, change: &Change, dice: &mut Dice) -> Option<Improvement> {
    let improves = dice.chance(world.scenario.changes.improving);
    let [least, most] = BETTER;
    let factor = least + (most - least) * dice.unit();
    let is_one =
        improves && change.kind != ChangeKind::Maintenance && change.started_at >= world.scenario.judged_from();
    is_one.then(|| Improvement {
        change_id: change.change_id.clone(),
        from: change.started_at,
        scope: change.scope.clone(),
        factor,
    })
}

/// Does the change touch a condition of the fault's scope? What is broken is not mended by chance.
fn touches_one(change: &Change, fault: &Fault) -> bool {
    let is_of =
        |(dimension, value): (Dimension, &Text)| change.scope.0.get(&dimension).is_some_and(|of| of.contains(value));
    fault.scope.conditions().any(is_of)
}

/// The change touches one condition of the fault's scope.
fn overlap(change: &mut Change, fault: &Fault, dice: &mut Dice) {
    let is_new = |dimension| fault.kind == FaultKind::FirmwareRollout && dimension == Dimension::Firmware;
    let conditions = fault.scope.conditions();
    let known: Vec<(Dimension, &Text)> = conditions.filter(|(dimension, _)| !is_new(*dimension)).collect();
    let Some((dimension, value)) = known.get(dice.below(known.len())) else {
        return;
    };
    let suits: Vec<&Work> = WORKS.iter().filter(|work| work.dimension == *dimension).collect();
    if let Some(work) = suits.get(dice.below(suits.len())) {
        change.kind = work.kind;
        change.summary = Some(name(work.summary));
        change.team = Some(name(work.team));
    }
    change.scope = Selector(BTreeMap::from([(*dimension, vec![(*value).clone()])]));
}

/// The change becomes a window of half an hour to three hours.
fn maintain(world: &World, change: &mut Change, dice: &mut Dice) -> Maintenance {
    let finished = change.started_at.plus(dice.between(30, 180) * time::MINUTE);
    let ahead = dice.between(60, 24 * 60) * time::MINUTE;
    let overrun = dice.between(15, 90) * time::MINUTE;
    let afterwards = dice.between(5, 60) * time::MINUTE;
    let (is_announced, overruns) = [(true, false), (true, true), (false, false)][dice.weighted(&[0.5, 0.25, 0.25])];
    change.kind = ChangeKind::Maintenance;
    change.finished_at = Some(finished);
    change.reported_at = Some(match is_announced {
        true => change.started_at.plus(-ahead).max(world.scenario.start),
        false => finished.plus(afterwards),
    });
    Maintenance {
        change_id: change.change_id.clone(),
        is_announced,
        really_finished_at: if overruns { finished.plus(overrun) } else { finished },
    }
}
