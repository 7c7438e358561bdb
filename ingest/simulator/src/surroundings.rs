//! What lies around a planted cause: how many call-ends its scope has a day, and its rival, the scope of another owner with much the same
//! call-ends.

use std::collections::BTreeSet;

use dialtone_schemas::{Dimension, EventTime, Scope, Text, time};
use serde::{Deserialize, Serialize};

use crate::{
    call::End,
    estate::Estate,
    fault::{Fault, FaultKind},
    owner,
    pick::{candidate, covers_before, ends_of},
    random::real,
    world::World,
};

/// What may be drawn; a rival is where one of them could lie.
pub(crate) const KINDS: [FaultKind; 8] = [
    FaultKind::SiteUplink,
    FaultKind::WifiSegment,
    FaultKind::HeadsetDriver,
    FaultKind::FirmwareRollout,
    FaultKind::CarrierRoute,
    FaultKind::PolicyQos,
    FaultKind::IspAtSite,
    FaultKind::RelayRegion,
];

/// Jaccard index of rivals: at least, and less than.
const RIVALS: (f64, f64) = (0.5, 0.95);
const MINUTES_A_DAY: f64 = 1440.0;
/// Minutes between those looked at.
const STEP: i64 = 4;

/// A scope of another owner with much the same call-ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Which call-ends lie in it.
    pub scope: Scope,
    /// The team that would own what breaks there.
    pub owner: Text,
    /// Call-ends in both of those in either, the day before the onset: at least 0.5, less than 0.95.
    pub jaccard: f64,
}

/// What lies around a planted cause.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Surroundings {
    /// Call-ends a day in its scope.
    pub(crate) calls_a_day: Option<f64>,
    /// The nearest of its rivals; of equals the first by kind and scope.
    pub(crate) rival: Option<Rival>,
}

/// By the day before the onset, or as much of it as was simulated. Nothing of a single device, nor of what lies in no dimension.
pub(crate) fn surroundings(world: &World, fault: &Fault) -> Surroundings {
    if fault.device_id.is_some() || fault.kind == FaultKind::Unlogged {
        return Surroundings::default();
    }
    let day = Day::before(world, fault.onset);
    let inside = day.inside(fault.kind, &fault.scope);
    Surroundings {
        calls_a_day: Some(day.a_day(inside.ends)),
        rival: day.rival(&inside, &owner::owner_of(fault, &world.estate), &world.estate),
    }
}

/// The call-ends of some minutes of a day.
pub(crate) struct Day {
    pub(crate) ends: Vec<End>,
    /// Minutes that were looked at.
    minutes: usize,
}

impl Day {
    /// The day before an instant.
    pub(crate) fn before(world: &World, onset: EventTime) -> Self {
        let minutes = (0..time::DAY / time::MINUTE / STEP).map(|n| onset.plus(-n * STEP * time::MINUTE));
        let minutes: Vec<EventTime> = minutes.filter(|minute| *minute >= world.scenario.start).collect();
        Self {
            ends: ends_of(world, minutes.iter().map(|minute| minute.floor(time::MINUTE))),
            minutes: minutes.len(),
        }
    }

    /// Where something could break.
    pub(crate) fn places(&self) -> BTreeSet<(FaultKind, Scope)> {
        KINDS
            .into_iter()
            .flat_map(|kind| {
                self.ends
                    .iter()
                    .filter_map(move |end| Some((kind, candidate(kind, end)?)))
            })
            .collect()
    }

    /// Its ends that lie in a scope in which such a fault breaks out.
    pub(crate) fn inside(&self, kind: FaultKind, scope: &Scope) -> Inside {
        let has = self.ends.iter().map(|end| covers_before(kind, scope, &end.leaf));
        Inside::of(has.collect())
    }

    /// So many ends of its minutes are so many a day.
    pub(crate) fn a_day(&self, ends: usize) -> f64 {
        real(ends) * MINUTES_A_DAY / real(self.minutes.max(1))
    }

    /// The nearest place of another owner.
    fn rival(&self, inside: &Inside, owner: &Text, estate: &Estate) -> Option<Rival> {
        let rivals = self.places().into_iter().filter_map(|(kind, scope)| {
            let others = owner::of(kind.layer(), &scope, estate);
            if others == *owner {
                return None;
            }
            let there = self.inside(kind, &scope);
            inside.is_rival_of(&there).then(|| Rival {
                scope: scope_before(kind, &scope),
                owner: others,
                jaccard: inside.jaccard(&there),
            })
        });
        rivals.reduce(|best, other| if other.jaccard > best.jaccard { other } else { best })
    }
}

/// Which ends of a day lie in a scope.
pub(crate) struct Inside {
    /// Of each end.
    pub(crate) has: Vec<bool>,
    /// How many do.
    pub(crate) ends: usize,
}

impl Inside {
    fn of(has: Vec<bool>) -> Self {
        Self {
            ends: has.iter().filter(|has| **has).count(),
            has,
        }
    }

    /// Have they much the same ends, but not all?
    pub(crate) fn is_rival_of(&self, other: &Self) -> bool {
        (RIVALS.0..RIVALS.1).contains(&self.jaccard(other))
    }

    /// Ends in both of those in either, of the same day; 0 of none.
    fn jaccard(&self, other: &Self) -> f64 {
        let pairs = self.has.iter().zip(&other.has);
        let both = pairs.filter(|(a, b)| **a && **b).count();
        real(both) / real((self.ends + other.ends - both).max(1))
    }
}

/// Nobody has the firmware of a rollout yet: its device stands for it.
fn scope_before(kind: FaultKind, scope: &Scope) -> Scope {
    match (kind, scope.get(Dimension::Device)) {
        (FaultKind::FirmwareRollout, Some(device)) => Scope::new([(Dimension::Device, device.clone())]),
        _ => scope.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, fault::Broken, random::name, span::Span};

    /// Three of 36 minutes are 120 of 1,440. Three ends and two of them: two thirds. A third, and the same, are no rivals.
    #[test]
    fn rivals_share_half_of_their_ends_or_more_but_not_all() {
        let day = Day {
            ends: Vec::new(),
            minutes: 36,
        };
        assert!((day.a_day(3) - 120.0).abs() < 1e-9);
        let inside = |has: [bool; 4]| Inside::of(has.to_vec());
        let three = inside([true, true, true, false]);
        let two = inside([true, true, false, false]);
        assert_eq!((three.ends, two.ends), (3, 2));
        assert!((three.jaccard(&two) - 2.0 / 3.0).abs() < 1e-9 && three.is_rival_of(&two));
        assert!(!three.is_rival_of(&three), "the same ends");
        assert!(!three.is_rival_of(&inside([true, false, false, false])), "a third");
        assert!(inside([false; 4]).jaccard(&inside([false; 4])).abs() < 1e-9);
    }

    /// Eight in ten people of a site have its main line, and site and line have owners of their own. Three hours and ten minutes of history.
    #[test]
    fn a_site_and_its_main_line_are_rivals_of_each_other() {
        let text = "name = \"x\"\nstart = \"2026-03-03T08:00:00Z\"\nhistory = \"3h\"\nevaluate = \"2h\"\n";
        let scenario = Scenario::from_toml(text).expect("a scenario");
        let world = World::healthy(&scenario, 1);
        let onset = scenario.judged_from().plus(10 * time::MINUTE);
        let site = Scope::new([(Dimension::Site, name("dublin"))]);
        let line = Scope::new([(Dimension::Site, name("dublin")), (Dimension::Isp, name("crown-fibre"))]);
        let around = |is: Broken| surroundings(&world, &Fault::lasting(Span(time::HOUR), onset, is));
        let of_site = around(Broken::at(FaultKind::SiteUplink, site.clone()));
        let of_line = around(Broken::at(FaultKind::IspAtSite, line.clone()));
        let (of, beside) = (of_site.rival.expect("a rival"), of_line.rival.expect("a rival"));
        assert_eq!((&of.scope, of.owner.as_str()), (&line, "wan-providers"));
        assert_eq!((&beside.scope, beside.owner.as_str()), (&site, "site-it-dublin"));
        assert!((of.jaccard - beside.jaccard).abs() < 1e-9, "{of:?}");
        // The line lies within the site: its share of the site's ends is the index.
        let [all, some] = [of_site.calls_a_day, of_line.calls_a_day].map(|a_day| a_day.expect("so many"));
        assert!((some / all - of.jaccard).abs() < 1e-9, "{some} of {all}");
        let room = Broken {
            device_id: Some(name("room-dublin-01")),
            ..Broken::at(FaultKind::RoomDevice, site)
        };
        assert_eq!(around(room), Surroundings::default());
        let unlogged = Broken::at(FaultKind::Unlogged, Scope::default());
        assert_eq!(around(unlogged), Surroundings::default());
    }

    #[test]
    fn a_rollout_is_named_as_a_rival_by_its_device() {
        let device = (Dimension::Device, name("Ridge 450"));
        let rollout = Scope::new([device.clone(), (Dimension::Firmware, name("12.6.0"))]);
        assert_eq!(scope_before(FaultKind::FirmwareRollout, &rollout), Scope::new([device]));
    }
}
