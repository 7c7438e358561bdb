//! New versions that do no harm: they reach the devices in stages, as those do that break something.

use std::collections::BTreeMap;

use dialtone_schemas::{Change, ChangeKind, Dimension, Scope, time};

use crate::{
    catalogue::{Hardware, PHONES},
    change::change,
    fault::{Broken, Fault, FaultKind},
    random::{Dice, Stream, name},
    scenario::{FaultSpec, Hit, Stage, Strain},
    span::Span,
    world::World,
};

/// Minutes and shares: a tenth of the devices, half of them after half an hour, all of them after 70 minutes.
const STAGES: [(i64, f64); 3] = [(0, 0.1), (30, 0.5), (70, 1.0)];
/// With a long history over four days: one in a hundred, then 10, 50 and all.
const STAGES_OF_DAYS: [(i64, f64); 4] = [(0, 0.01), (24 * 60, 0.1), (48 * 60, 0.5), (72 * 60, 1.0)];
/// Such a history.
const LONG: i64 = 5 * time::DAY;

/// The harmless rollouts of a run, each of the next firmware of a phone that no fault names.
pub(crate) fn harmless(world: &World) -> Vec<Fault> {
    let mut dice = Dice::new(world.seed, Stream::Rollout, 0);
    let is_named = |phone: &Hardware| {
        let mut devices = world
            .faults
            .iter()
            .filter_map(|fault| fault.scope.get(Dimension::Device));
        devices.any(|device| device.as_str() == phone.model)
    };
    // In an order that the seed alone draws: what is broken only takes its own phone out.
    let phones = dice.shuffled(PHONES.to_vec());
    let phones = phones.into_iter().filter(|phone| !is_named(phone));
    let mut rollouts = Vec::new();
    let is_long = world.scenario.history.0 >= LONG;
    let (stages, earliest): (&[_], i64) = match is_long {
        true => (&STAGES_OF_DAYS, -3 * time::DAY),
        false => (&STAGES, 0),
    };
    for phone in phones.take(world.scenario.changes.rollouts) {
        let scope = Scope::new([
            (Dimension::Device, name(phone.model)),
            (Dimension::Firmware, name(phone.next_firmware)),
        ]);
        let at = dice.between(earliest / time::SECOND, world.scenario.evaluate.0 / time::SECOND) * time::SECOND;
        let is = Broken::at(FaultKind::FirmwareRollout, scope);
        rollouts.push(Fault::new(&spec(at, stages), world.scenario.judged_from(), is));
    }
    rollouts
}

/// A rollout that does nothing but replace the version.
fn spec(at: i64, stages: &[(i64, f64)]) -> FaultSpec {
    let stage = |(minutes, share): &(i64, f64)| Stage {
        after: Span(minutes * time::MINUTE),
        share: *share,
    };
    FaultSpec {
        at: Span(at),
        stages: stages.iter().map(stage).collect(),
        change: true,
        hit: Some(Hit::default()),
        steady: Some(Strain::default()),
        far: Some(0.0),
        ..FaultSpec::of(FaultKind::FirmwareRollout)
    }
}

/// Each is a change like any other.
pub(crate) fn announce(world: &World, changes: &mut Vec<Change>, dice: &mut Dice) {
    for rollout in &world.rollouts {
        let Some(model) = rollout.scope.get(Dimension::Device) else {
            continue;
        };
        let phone = PHONES.iter().find(|phone| phone.model == model.as_str());
        let scope = BTreeMap::from([(Dimension::Device, vec![model.clone()])]);
        let summary = "staged firmware rollout";
        let mut change = change(changes.len(), ChangeKind::Firmware, rollout.onset, scope, summary, dice);
        change.team = Some(name("endpoint-hardware"));
        change.from_version = phone.map(|phone| name(phone.firmware[0].0));
        change.to_version = rollout.scope.get(Dimension::Firmware).cloned();
        changes.push(change);
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::Leaf;

    use super::*;
    use crate::scenario::Scenario;

    /// A phone that comes after one in twenty has it on the second day, one in the middle on the third, the last on the fourth.
    #[test]
    fn with_a_history_of_weeks_a_rollout_takes_four_days() {
        let scenario = Scenario::from_toml(include_str!("../scenarios/drawn/one_of_any.toml")).expect("a scenario");
        let rollouts = harmless(&World::healthy(&scenario, 1));
        let one = rollouts.first().expect("one");
        let leaf = Leaf {
            device: one.scope.get(Dimension::Device).cloned(),
            ..Leaf::default()
        };
        let day_of =
            |rank: f64| (0..5).find(|day| one.rolled_out(&leaf, rank, one.onset.plus(day * time::DAY)).is_some());
        assert_eq!(
            [0.005, 0.05, 0.4, 0.99].map(day_of),
            [Some(0), Some(1), Some(2), Some(3)]
        );
        assert!(one.onset >= scenario.judged_from().plus(-3 * time::DAY));
    }
}
