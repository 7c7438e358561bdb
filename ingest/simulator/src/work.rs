//! Work that makes calls worse while it goes on: announced or told of afterwards, over when it should be or later.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, ChangeKind, EventTime, Text, change::Selector, time};
use serde::{Deserialize, Serialize};

use crate::{
    fault::{Fault, FaultKind},
    owner::owner_of,
    random::name,
    scenario::{FaultSpec, Notice},
    span::Span,
    world::World,
};

/// Announced work is told of so long before it begins, or when the run begins.
const AHEAD: i64 = 2 * time::HOUR;
/// Of other work people are told so long after it should be over.
const AFTERWARDS: i64 = time::HOUR / 2;

/// What is known of work that makes calls worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Its change.
    pub change_id: Text,
    /// Did people know of it before it began?
    pub is_announced: bool,
    /// When it should be over, as its change says. When it really was, the cause says.
    pub planned_until: EventTime,
}

/// The change that tells of it, and what the truth says. Nothing is left to chance: other changes stay as they are.
pub(crate) fn told(world: &World, fault: &Fault, number: usize, (notice, planned): (Notice, Span)) -> (Change, Work) {
    let planned_until = fault.onset.plus(planned.0);
    let is_announced = notice == Notice::Announced;
    let reported = match is_announced {
        true => fault.onset.plus(-AHEAD).max(world.scenario.start),
        false => planned_until.plus(AFTERWARDS),
    };
    let conditions = fault.scope.conditions();
    let scope: BTreeMap<_, _> = conditions
        .map(|(dimension, value)| (dimension, vec![value.clone()]))
        .collect();
    let change = Change {
        // Each number has 37 ids of its own: see `change::change`.
        change_id: name(format!("CHG{:07}", 1000 + 37 * number)),
        tenant: None,
        kind: ChangeKind::Maintenance,
        started_at: fault.onset,
        finished_at: Some(planned_until),
        reported_at: Some(reported),
        scope: Selector(scope),
        summary: Some(name(summary(fault.kind))),
        from_version: None,
        to_version: None,
        team: Some(owner_of(fault, &world.estate)),
        system: Some(name("change-calendar")),
        url: None,
        rollback_of: None,
    };
    let work = Work {
        change_id: change.change_id.clone(),
        is_announced,
        planned_until,
    };
    (change, work)
}

/// What is worked on.
const fn summary(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::SiteUplink | FaultKind::TotalOutage => "work on the edge router",
        FaultKind::WifiSegment => "work on the access points",
        FaultKind::HeadsetDriver => "work on the headsets' drivers",
        FaultKind::CarrierRoute => "work at the carrier",
        FaultKind::PolicyQos => "work on the media policy",
        FaultKind::IspAtSite => "work on the access line",
        FaultKind::RelayRegion => "work on the media relays",
        FaultKind::FirmwareRollout | FaultKind::RoomDevice | FaultKind::Unlogged => "work on the devices",
    }
}

/// What makes no sense in what a scenario says of work.
pub(crate) fn problems(spec: &FaultSpec, evaluate: Span) -> Vec<&'static str> {
    let is_work = spec.work.is_some();
    let is_over_in_time = spec.planned.is_none_or(|planned| {
        let told = spec.at.0.saturating_add(planned.0).saturating_add(AFTERWARDS);
        told < evaluate.0
    });
    let demands = [
        (
            !is_work || spec.planned.is_some(),
            "work: needs planned, how long it was meant to take",
        ),
        (is_work || spec.planned.is_none(), "planned: only work has it"),
        (
            spec.planned.is_none_or(|planned| planned.0 > 0),
            "planned: expected more than nothing",
        ),
        (
            !(is_work && spec.change),
            "change: the work is the change, and no other caused it",
        ),
        (
            !is_work || !matches!(spec.kind, None | Some(FaultKind::FirmwareRollout)),
            "work: neither what the seed draws nor a firmware_rollout is work",
        ),
        (
            is_over_in_time,
            "planned: half an hour after it should be over it is told of, or known to overrun: outside the judged part",
        ),
    ];
    let unmet = demands.into_iter().filter(|(holds, _)| !holds);
    unmet.map(|(_, problem)| problem).collect()
}
