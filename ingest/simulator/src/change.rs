//! What people did to the systems: mostly innocent, half of it just when something broke for another reason.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, ChangeKind, Dimension, EventTime, Text, change::Selector, time};

use crate::{
    catalogue::{CLIENTS, HEADSETS, PHONES, POLICIES},
    fault::{Fault, FaultKind},
    owner::owner_of,
    random::{Dice, Stream, name},
    world::World,
};

/// All changes in order of their reports, and per fault the guilty one.
pub(crate) fn changes(world: &World) -> (Vec<Change>, Vec<Option<Text>>) {
    let mut dice = Dice::new(world.seed, Stream::Changes, 0);
    let mut changes = Vec::new();
    let mut guilty = Vec::new();
    for (spec, fault) in world.scenario.faults.iter().zip(&world.faults) {
        let change = spec
            .change
            .then(|| guilty_change(world, fault, changes.len(), &mut dice));
        guilty.push(change.as_ref().map(|c: &Change| c.change_id.clone()));
        changes.extend(change);
    }
    let (mut day, end) = (world.scenario.start, world.scenario.end());
    while day < end {
        let next = day.plus(time::DAY);
        let onsets: Vec<EventTime> = world
            .faults
            .iter()
            .map(|f| f.onset)
            .filter(|o| (day..next).contains(o))
            .collect();
        for _ in 0..world.scenario.changes.per_day {
            let at = innocent_time(world, day, &onsets, &mut dice);
            changes.push(innocent_change(world, at, changes.len(), &mut dice));
        }
        day = next;
    }
    changes.retain(|change| change.time_reported() < end && change.started_at >= world.scenario.start);
    changes.sort_by_key(|change| (change.time_reported(), change.change_id.clone()));
    (changes, guilty)
}

/// 0 to 10 minutes before the onset.
fn guilty_change(world: &World, fault: &Fault, number: usize, dice: &mut Dice) -> Change {
    let at = fault.onset.plus(-dice.between(0, 600) * time::SECOND);
    let (kind, summary) = match fault.kind {
        FaultKind::SiteUplink | FaultKind::TotalOutage => (ChangeKind::Config, "replace edge router configuration"),
        FaultKind::WifiSegment => (ChangeKind::Config, "new channel plan on the access points"),
        FaultKind::HeadsetDriver => (ChangeKind::Driver, "driver settings pushed to headsets"),
        FaultKind::FirmwareRollout => (ChangeKind::Firmware, "staged firmware rollout"),
        FaultKind::CarrierRoute => (ChangeKind::Carrier, "traffic moved to another route of the carrier"),
        FaultKind::PolicyQos => (ChangeKind::Policy, "media policy edited"),
        FaultKind::IspAtSite => (ChangeKind::Route, "provider maintenance on the access line"),
        FaultKind::RelayRegion => (ChangeKind::Config, "media relays redeployed"),
        FaultKind::RoomDevice => (ChangeKind::Config, "room system set up again"),
    };
    let mut scope = BTreeMap::new();
    for (dimension, value) in fault.scope.conditions() {
        // Who gets a new firmware is the scope; which one is the version.
        if fault.kind != FaultKind::FirmwareRollout || dimension != Dimension::Firmware {
            scope.insert(dimension, vec![value.clone()]);
        }
    }
    let mut change = change(number, kind, at, scope, summary, dice);
    change.team = Some(owner_of(fault, &world.estate));
    if fault.kind == FaultKind::FirmwareRollout {
        let model = fault.scope.get(Dimension::Device);
        let phone = PHONES.iter().find(|p| model.is_some_and(|m| m.as_str() == p.model));
        change.from_version = phone.map(|p| name(p.firmware[0].0));
        change.to_version = fault.scope.get(Dimension::Firmware).cloned();
    }
    change
}

/// Near an onset of the day, if there is one and it so happens; otherwise within the working day.
fn innocent_time(world: &World, day: EventTime, onsets: &[EventTime], dice: &mut Dice) -> EventTime {
    let is_near = dice.chance(world.scenario.changes.near_onset);
    let which = dice.below(onsets.len());
    let near = dice.between(-3600, 3600) * time::SECOND;
    let within = dice.between(6 * 3600, 18 * 3600) * time::SECOND;
    match onsets.get(which) {
        Some(onset) if is_near => onset.plus(near),
        _ => day.floor(time::DAY).plus(within),
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
    let (kind, dimension, value, team, summary) = match dice.below(9) {
        0 => (
            ChangeKind::Config,
            Dimension::Segment,
            segment.name.as_str(),
            "campus-network",
            "access switch configuration",
        ),
        1 => (
            ChangeKind::Config,
            Dimension::Site,
            site.name.as_str(),
            "network-operations",
            "firewall rules",
        ),
        2 => (
            ChangeKind::Route,
            Dimension::Site,
            site.name.as_str(),
            "network-operations",
            "route preference",
        ),
        3 => (
            ChangeKind::Client,
            Dimension::Client,
            client,
            "voice-platform",
            "client settings",
        ),
        4 => (
            ChangeKind::Driver,
            Dimension::Headset,
            headset.model,
            "workplace-peripherals",
            "driver package for new laptops",
        ),
        5 => (
            ChangeKind::Firmware,
            Dimension::Device,
            phone.model,
            "endpoint-hardware",
            "firmware for new phones",
        ),
        6 => (
            ChangeKind::Policy,
            Dimension::Policy,
            policy,
            "voice-platform",
            "policy description",
        ),
        7 => (
            ChangeKind::Carrier,
            Dimension::Carrier,
            carrier,
            "voice-carriers",
            "number range ported",
        ),
        _ => (
            ChangeKind::Certificate,
            Dimension::Site,
            site.name.as_str(),
            "network-operations",
            "certificate renewed",
        ),
    };
    let scope = BTreeMap::from([(dimension, vec![name(value)])]);
    let mut change = change(number, kind, at, scope, summary, dice);
    change.team = Some(name(team));
    change
}

/// Reported within two minutes.
fn change(
    number: usize,
    kind: ChangeKind,
    at: EventTime,
    scope: BTreeMap<Dimension, Vec<Text>>,
    summary: &str,
    dice: &mut Dice,
) -> Change {
    Change {
        change_id: name(format!("CHG{:07}", 1000 + 37 * number + dice.below(37))),
        tenant: None,
        kind,
        started_at: at,
        finished_at: Some(at.plus(dice.between(5, 40) * time::MINUTE)),
        reported_at: Some(at.plus(dice.between(0, 120) * time::SECOND)),
        scope: Selector(scope),
        summary: Some(name(summary)),
        from_version: None,
        to_version: None,
        team: None,
        system: Some(name("change-calendar")),
        url: None,
        rollback_of: None,
    }
}
