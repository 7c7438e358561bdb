//! The calls that a rollout touches by stratum, before it and at each stage since: what its effect by dose is read
//! from.

use std::collections::{BTreeMap, BTreeSet};

use dialtone_schemas::{Change, Dimension, EventTime, Window, time};
use serde::{Deserialize, Serialize};

use super::{
    Tenant,
    verdicts::{BEFORE, BOTH_ENDS, Shown, Side, begins, version_of},
};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        book::Case,
        dictionary::{Codes, D},
        dose::{DoseEffect, Rollout, STAGES, Stratum},
    },
};

/// Strata that a rollout is judged by, those seen first; what is beyond says nothing of it.
const MOST: usize = 128;

/// Of which calls sums are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Group {
    /// Those outside the rollout's scope.
    Outside,
    /// Those that agree in these values.
    Stratum(Codes),
}

/// The calls of a rollout by stratum and watched channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Strata(BTreeMap<Group, [Stratum; 3]>);

/// When sums are of: before the rollout, or at a stage since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before,
    Stage(usize),
}

impl Strata {
    /// What was before is summed up anew.
    fn forget_before(&mut self) {
        let all = self.0.values_mut().flatten();
        all.for_each(|stratum| stratum.before = Default::default());
    }

    /// The sums of a group. A group is made by what was before; what first calls afterwards has nothing to be compared
    /// with.
    fn of(&mut self, group: Group, when: When) -> Option<&mut [Stratum; 3]> {
        let strata = self.0.keys().filter(|known| **known != Group::Outside);
        let has_room = group == Group::Outside || strata.count() < MOST;
        match when {
            When::Before if has_room => Some(self.0.entry(group).or_default()),
            When::Before | When::Stage(_) => self.0.get_mut(&group),
        }
    }

    /// One channel's, without the drift and the dispersion of its sums.
    fn rollout(&self, channel: usize) -> Rollout {
        let outside = self.0.get(&Group::Outside).map(|stratum| stratum[channel]);
        let inside = self.0.iter().filter(|(group, _)| **group != Group::Outside);
        Rollout {
            outside: outside.unwrap_or_default(),
            strata: inside.map(|(_, stratum)| stratum[channel]).collect(),
            drift: 0.0,
            dispersion: 0.0,
        }
    }
}

/// Where each leaf is of a rollout, and which incidents hold it.
#[derive(Debug)]
pub(super) struct Leaves<'c> {
    begins: EventTime,
    /// The dimension of the version.
    dimension: usize,
    /// The group, and whether it has the new version; none where the version is not known.
    groups: Vec<Option<(Group, bool)>>,
    holding: &'c [Vec<&'c Case>],
}

impl Tenant {
    /// Where each leaf is of a rollout; none where no version is rolled out.
    pub(super) fn leaves_of_rollout<'c>(
        &self,
        change: &Change,
        sides: &[Option<Side>],
        holding: &'c [Vec<&'c Case>],
    ) -> Option<Leaves<'c>> {
        let (dimension, _) = version_of(change)?;
        let mut selected = self.dictionary.selection(&change.scope);
        selected.drop_dimension(dimension);
        let attributes = attributes_of_strata(change);
        let group = |(codes, side): (&Codes, &Option<Side>)| match side {
            Some(side) => Some((Group::Stratum(only(&attributes, codes)), *side == Side::Touched)),
            None => (!selected.covers(codes)).then_some((Group::Outside, false)),
        };
        Some(Leaves {
            begins: begins(change),
            dimension: dimension.index(),
            groups: self.dictionary.leaves().iter().zip(sides).map(group).collect(),
            holding,
        })
    }

    /// Sums up anew what was before; what each leaf showed then.
    pub(super) fn dose_before(
        &self,
        strata: &mut Strata,
        leaves: &Leaves<'_>,
        windows: (Window, Window),
    ) -> Vec<Option<Shown>> {
        strata.forget_before();
        self.dose(strata, leaves, When::Before, windows)
    }

    /// Adds what some windows since showed, each to its stage.
    pub(super) fn dose_since(&self, strata: &mut Strata, leaves: &Leaves<'_>, (from, to): (Window, Window)) {
        for stage in 0..STAGES {
            let first = from.max(first_of(stage, leaves.begins));
            let end = to.min(first_of(stage + 1, leaves.begins));
            if first < end {
                self.dose(strata, leaves, When::Stage(stage), (first, end));
            }
        }
    }

    /// Adds what each leaf showed over some windows, which is returned.
    fn dose(
        &self,
        strata: &mut Strata,
        leaves: &Leaves<'_>,
        when: When,
        windows: (Window, Window),
    ) -> Vec<Option<Shown>> {
        let by_leaf = self.shown(&leaves.groups, windows, leaves.holding);
        for ((shown, group), codes) in by_leaf.iter().zip(&leaves.groups).zip(self.dictionary.leaves()) {
            let (Some(shown), Some((group, is_new))) = (shown, group) else {
                continue;
            };
            let Some(of_group) = strata.of(*group, when) else {
                continue;
            };
            for (channel, stratum) in of_group.iter_mut().enumerate() {
                let sum = self.sum_of(codes, shown, channel, Some(leaves.dimension));
                let dosed = match when {
                    When::Before => &mut stratum.before,
                    When::Stage(stage) => &mut stratum.stages[stage],
                };
                dosed.add(sum.k, sum.e, *is_new);
            }
        }
        by_leaf
    }

    /// What a new version does by its dose on a channel.
    pub(super) fn effect_by_dose(
        &self,
        change: &Change,
        strata: &Strata,
        channel: usize,
        config: &WatchConfig,
    ) -> Option<DoseEffect> {
        version_of(change)?;
        let attributes = attributes_of_strata(change);
        let evidence = self.evidence(channel, config.indifference);
        let rollout = strata.rollout(channel);
        // Of the busiest stratum: the others vary less.
        let busiest = rollout
            .strata
            .iter()
            .map(|stratum| stratum.before.e)
            .fold(0.0, f64::max);
        let a_minute = busiest / real(BEFORE / time::MINUTE);
        Rollout {
            drift: evidence.drift.of(&attributes),
            dispersion: evidence
                .dispersion_of(&attributes, a_minute)
                .max(if channel == 0 { 1.0 } else { BOTH_ENDS }),
            ..rollout
        }
        .effect()
    }
}

/// In what the calls of a stratum agree: the site, and what the change's scope names beside the version. Finer ones
/// would have too few calls to be compared with themselves, and a site's total stays the same whoever of it is the
/// first.
fn attributes_of_strata(change: &Change) -> Vec<usize> {
    let version = version_of(change).map(|(dimension, _)| dimension);
    let named = change.scope.0.keys().copied().filter(|named| Some(*named) != version);
    let all: BTreeSet<usize> = std::iter::once(Dimension::Site)
        .chain(named)
        .map(Dimension::index)
        .collect();
    all.into_iter().collect()
}

/// These attributes' codes; all others are unknown.
fn only(attributes: &[usize], codes: &Codes) -> Codes {
    let mut few = [0; D];
    for attribute in attributes {
        few[*attribute] = codes[*attribute];
    }
    few
}

/// The first window of a stage: the first hour, the two after it, the four after those, and so on.
fn first_of(stage: usize, begins: EventTime) -> Window {
    let hours = (1_i64 << stage) - 1;
    Window::of_end(begins.plus(hours * time::HOUR + 1))
}

#[cfg(test)]
mod tests {
    use super::{
        super::drive::{at, day},
        *,
    };

    /// Begun on Monday at nine: from nine, ten, noon, four and midnight on, from Tuesday at four in the afternoon and
    /// from the midnight before Thursday; the last stage ends after 127 hours, when nothing is looked at any more.
    #[test]
    fn stages_grow_from_an_hour_to_days() {
        let first = |stage| first_of(stage, day(0, 9)).start();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6].map(first),
            [9, 10, 12, 16, 24, 40, 72].map(|hour| day(0, hour))
        );
        assert!(first(STAGES) > day(0, 9).plus(4 * time::DAY + time::HOUR));
        assert_eq!(first_of(1, at(0)).start(), at(60));
    }

    /// A site more than are kept says nothing, nor does one where somebody calls for the first time afterwards.
    #[test]
    fn strata_are_bounded_and_those_without_a_past_are_left_out() {
        let mut strata = Strata::default();
        let site = |code: u32| Group::Stratum(only(&[0], &[code; D]));
        assert!(strata.of(site(0), When::Stage(0)).is_none());
        let kept = (0..200).filter(|code| strata.of(site(*code), When::Before).is_some());
        assert_eq!(kept.count(), MOST);
        assert!(strata.of(Group::Outside, When::Before).is_some());
        assert_eq!(strata.0.len(), MOST + 1);
        let mut is_there = |code| strata.of(site(code), When::Stage(0)).is_some();
        assert!(is_there(7) && !is_there(150) && !is_there(9000));
    }
}
