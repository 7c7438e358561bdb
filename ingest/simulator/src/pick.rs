//! Where a fault lies when the scenario leaves it open: somewhere with enough calls, and not where another fault lies.

use std::collections::BTreeMap;

use dialtone_schemas::{Dimension, EventTime, Leaf, Scope, Text, time};

use crate::{
    call::{End, calls_of_minute},
    catalogue::{PHONES, PLACES, POLICIES},
    drawn,
    fault::{Broken, Fault, FaultKind},
    population::Kind,
    random::{Dice, Stream, name},
    scenario::FaultSpec,
    world::World,
};

/// How often a scenario's calls are looked at to know who calls.
const SAMPLES: i64 = 16;
/// What is picked shares less than one in so many ends with what is broken already.
const SHARED: usize = 7;

/// The call-ends of half an hour in a world: every fourth minute of the two hours that begin at `from`.
pub(crate) fn sample(world: &World, from: EventTime) -> Vec<End> {
    ends_of(world, (0..120).step_by(4).map(|i| from.plus(i * time::MINUTE)))
}

/// The call-ends of these minutes.
pub(crate) fn ends_of(world: &World, minutes: impl Iterator<Item = EventTime>) -> Vec<End> {
    minutes
        .flat_map(|minute| calls_of_minute(world, minute))
        .flat_map(|call| call.ends)
        .collect()
}

/// Decides the scopes of all faults, one after the other.
pub(crate) fn resolve(world: &mut World) {
    let specs = world.scenario.faults.clone();
    for (i, spec) in (0..).zip(&specs) {
        let from = world.scenario.judged_from();
        let onset = from.plus(spec.at.0);
        let mut dice = Dice::new(world.seed, Stream::Pick, i);
        let is = match (spec.kind, &spec.scope) {
            (None, _) => drawn::draw(world, i, onset),
            (Some(kind), Some(scope)) if kind != FaultKind::RoomDevice => Broken::at(kind, scope.clone()),
            (Some(kind), _) => pick(kind, spec, &sample(world, onset), &world.faults, &mut dice),
        };
        let odds = spec.odds.or(is.odds);
        world.faults.push(Fault::new(spec, from, Broken { odds, ..is }));
    }
}

/// Where a fault was written to lie that nobody ever calls from or through: each with its number.
pub(crate) fn strangers(world: &World) -> Vec<String> {
    let (from, whole) = (world.scenario.start, world.scenario.end().since(world.scenario.start));
    let ends: Vec<End> = (0..SAMPLES)
        .flat_map(|n| sample(world, from.plus(whole / SAMPLES * n)))
        .collect();
    let is_new =
        |fault: &Fault, dimension| fault.kind == FaultKind::FirmwareRollout && dimension == Dimension::Firmware;
    let mut strangers = Vec::new();
    for (i, fault) in (1..).zip(&world.faults) {
        let known = || {
            fault
                .scope
                .conditions()
                .filter(|(dimension, _)| !is_new(fault, *dimension))
        };
        let is_place = world.estate.segments.iter().any(|segment| {
            known().all(|(dimension, value)| match dimension {
                Dimension::Site => segment.site == *value,
                Dimension::Building => segment.building == *value,
                Dimension::Segment => segment.name == *value,
                _ => false,
            })
        });
        let covers = |end: &End| known().all(|(dimension, value)| end.leaf.get(dimension) == Some(value));
        if fault.scope == nowhere() {
            strangers.push(format!("fault {i}: nobody calls from where it could lie"));
        } else if !is_place && !ends.iter().any(covers) {
            strangers.push(format!("fault {i}: no call has {}", fault.scope));
        }
    }
    strangers
}

/// Smallest and largest share of the call-ends that a scope of this kind should have.
fn share_wanted(kind: FaultKind) -> (f64, f64) {
    match kind {
        FaultKind::SiteUplink => (0.09, 0.25),
        FaultKind::TotalOutage => (0.03, 0.2),
        FaultKind::WifiSegment => (0.02, 0.1),
        FaultKind::HeadsetDriver => (0.055, 0.2),
        FaultKind::FirmwareRollout => (0.06, 0.3),
        FaultKind::CarrierRoute => (0.09, 0.3),
        FaultKind::PolicyQos => (0.08, 0.4),
        FaultKind::IspAtSite => (0.07, 0.25),
        FaultKind::RelayRegion => (0.1, 0.6),
        FaultKind::RoomDevice | FaultKind::Unlogged => (0.003, 1.0),
    }
}

fn pick(kind: FaultKind, spec: &FaultSpec, ends: &[End], taken: &[Fault], dice: &mut Dice) -> Broken {
    let mut sizes: BTreeMap<(Scope, Option<Text>), f64> = BTreeMap::new();
    let wanted = |end: &&End| spec.device_id.as_ref().is_none_or(|id| *id == end.device_id);
    for end in ends.iter().filter(wanted) {
        if let Some(scope) = candidate(kind, end) {
            let device = (kind == FaultKind::RoomDevice).then(|| end.device_id.clone());
            *sizes.entry((scope, device)).or_default() += 1.0;
        }
    }
    let (scope, device_id) = chosen(kind, &sizes, ends, taken, dice);
    Broken {
        device_id,
        ..Broken::at(kind, scope)
    }
}

/// One that has the share of the ends that such a fault should have, or the largest.
fn chosen(
    kind: FaultKind,
    sizes: &BTreeMap<(Scope, Option<Text>), f64>,
    ends: &[End],
    taken: &[Fault],
    dice: &mut Dice,
) -> (Scope, Option<Text>) {
    #[allow(clippy::cast_precision_loss, reason = "some thousand ends")]
    let all = ends.len().max(1) as f64;
    let (low, high) = share_wanted(kind);
    let others = || {
        let is_other = |scope: &Scope| taken.iter().all(|fault| fault.scope != *scope);
        sizes.iter().filter(move |((scope, _), _)| is_other(scope))
    };
    let apart: Vec<_> = others()
        .filter(|((scope, _), _)| {
            let inside = || ends.iter().map(|end| (end, scope.covers(&end.leaf)));
            taken.iter().all(|fault| is_apart(inside(), fault, SHARED))
        })
        .collect();
    // Where everything shares calls with what is broken already, so does this.
    let free = if apart.is_empty() { others().collect() } else { apart };
    let wanted: Vec<_> = free
        .iter()
        .filter(|(_, n)| (low..=high).contains(&(*n / all)))
        .collect();
    if wanted.is_empty() {
        let largest = free.iter().max_by(|a, b| a.1.total_cmp(b.1));
        return largest.map_or_else(|| (nowhere(), None), |(candidate, _)| (*candidate).clone());
    }
    wanted[dice.below(wanted.len())].0.clone()
}

/// Without any call nothing can be broken that anybody would see.
pub(crate) fn nowhere() -> Scope {
    Scope::new([(Dimension::Site, name("nowhere"))])
}

/// Do a scope, which has some of these ends inside, and a fault share less than one in so many of the smaller one's ends?
pub(crate) fn is_apart<'e>(ends: impl Iterator<Item = (&'e End, bool)>, fault: &Fault, one_in: usize) -> bool {
    if fault.kind == FaultKind::Unlogged {
        return true;
    }
    let (mut ours, mut theirs, mut both) = (0, 0, 0);
    for (end, is_ours) in ends {
        let is_theirs = covers_before(fault.kind, &fault.scope, &end.leaf);
        ours += usize::from(is_ours);
        theirs += usize::from(is_theirs);
        both += usize::from(is_ours && is_theirs);
    }
    both == 0 || one_in * both < ours.min(theirs)
}

/// The scope of a rollout names a firmware that nobody has yet: its device stands for it.
pub(crate) fn covers_before(kind: FaultKind, scope: &Scope, leaf: &Leaf) -> bool {
    match (kind, scope.get(Dimension::Device)) {
        (FaultKind::FirmwareRollout, Some(device)) => leaf.device.as_ref() == Some(device),
        _ => scope.covers(leaf),
    }
}

/// The scope that this end would lie in, if it were the one.
pub(crate) fn candidate(kind: FaultKind, end: &End) -> Option<Scope> {
    let leaf = &end.leaf;
    let at_office = leaf.connection.as_ref().is_some_and(|c| c.as_str() != "vpn");
    let dimensions: &[Dimension] = match kind {
        FaultKind::SiteUplink | FaultKind::TotalOutage if at_office => &[Dimension::Site],
        FaultKind::WifiSegment if leaf.connection.as_ref().is_some_and(|c| c.as_str() == "wifi") => {
            &[Dimension::Segment]
        }
        FaultKind::IspAtSite if at_office && is_shared(leaf) => &[Dimension::Site, Dimension::Isp],
        FaultKind::HeadsetDriver => &[Dimension::Headset, Dimension::Driver],
        FaultKind::CarrierRoute => &[Dimension::Carrier],
        FaultKind::RelayRegion => &[Dimension::Relay],
        FaultKind::PolicyQos if leaf.policy.as_ref().is_some_and(|p| p.as_str() != POLICIES[0].0) => {
            &[Dimension::Policy]
        }
        FaultKind::FirmwareRollout => return rollout(leaf),
        FaultKind::RoomDevice if end.kind == Kind::Room => &[Dimension::Segment, Dimension::Device],
        _ => return None,
    };
    let conditions: Option<Vec<_>> = dimensions
        .iter()
        .map(|d| leaf.get(*d).map(|value| (*d, value.clone())))
        .collect();
    conditions.map(Scope::new)
}

/// Is the end's provider found at more than one site?
fn is_shared(leaf: &Leaf) -> bool {
    let isp = leaf.isp.as_ref().map_or("", Text::as_str);
    PLACES.iter().filter(|place| place.isps.contains(&isp)).count() > 1
}

fn rollout(leaf: &Leaf) -> Option<Scope> {
    let device = leaf.device.as_ref()?;
    let phone = PHONES.iter().find(|phone| phone.model == device.as_str())?;
    Some(Scope::new([
        (Dimension::Device, device.clone()),
        (Dimension::Firmware, name(phone.next_firmware)),
    ]))
}
