//! What people did to the systems: all changes of a run, and the few that broke something.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, ChangeKind, Dimension, EventTime, Text, change::Selector, time};

use crate::{
    catalogue::PHONES,
    fault::{Fault, FaultKind},
    innocent,
    innocent::{Improvement, Maintenance},
    owner::owner_of,
    random::{Dice, Stream, name},
    rollout, work,
    work::Work,
    world::World,
};

/// The changes of a run.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// All of them, in order of their reports.
    pub(crate) all: Vec<Change>,
    /// Per fault the guilty one.
    pub(crate) guilty: Vec<Option<Text>>,
    /// Per fault that is work, what is known of it: its change is the guilty one.
    pub(crate) works: Vec<Option<Work>>,
    /// Which of the innocent ones are maintenance windows.
    pub(crate) maintenance: Vec<Maintenance>,
    /// ... and which of them make calls better.
    pub(crate) improvements: Vec<Improvement>,
}

pub(crate) fn changes(world: &World) -> Changes {
    let mut dice = Dice::new(world.seed, Stream::Changes, 0);
    let mut changes = Changes::default();
    for (spec, fault) in world.scenario.faults.iter().zip(&world.faults) {
        let number = changes.all.len();
        let told = spec
            .planned_work()
            .map(|planned| work::told(world, fault, number, planned));
        let (change, work) = told.unzip();
        let change = change.or_else(|| spec.change.then(|| guilty_change(world, fault, number, &mut dice)));
        changes.works.push(work);
        changes.guilty.push(change.as_ref().map(|c| c.change_id.clone()));
        changes.all.extend(change);
    }
    innocent::add(world, &mut changes, &mut dice);
    rollout::announce(world, &mut changes.all, &mut dice);
    let (start, end) = (world.scenario.start, world.scenario.end());
    changes
        .all
        .retain(|change| change.time_reported() < end && change.started_at >= start);
    changes
        .all
        .sort_by_key(|change| (change.time_reported(), change.change_id.clone()));
    let is_told = |window: &Maintenance| changes.all.iter().any(|change| change.change_id == window.change_id);
    changes.maintenance.retain(is_told);
    let is_told = |better: &Improvement| changes.all.iter().any(|change| change.change_id == better.change_id);
    changes.improvements.retain(is_told);
    changes
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
        FaultKind::Unlogged => (ChangeKind::Config, "security agent updated"),
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

/// Reported within two minutes.
pub(crate) fn change(
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
