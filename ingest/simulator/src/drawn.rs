//! What breaks when the scenario leaves it to the seed: what kind, where, how hard. A tenth lies in no dimension at all, a fifth where few
//! calls are, and half or more of the rest beside a rival: a scope of another owner with much the same calls.

use std::collections::BTreeSet;

use dialtone_schemas::{EventTime, Scope, Text, time};
use serde::Deserialize;

use crate::{
    call::{End, calls_of_minute},
    fault::{Broken, Fault, FaultKind},
    owner,
    pick::{candidate, covers_before, sample},
    random::{Dice, Stream, real},
    world::World,
};

/// How it is drawn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drawn {
    /// By how much the odds of a bad interval grow at least and at most; the logarithm is uniform.
    pub odds: [f64; 2],
    /// Share of the faults that lie in no dimension that reports have.
    pub unlogged: f64,
    /// Share of the others that lie in a scope of fewer than 300 call-ends a day.
    pub small: f64,
    /// Share of the others for which a scope with a rival is looked for.
    pub rival: f64,
}

impl Default for Drawn {
    fn default() -> Self {
        Self {
            odds: [2.0, 8.0],
            unlogged: 0.1,
            small: 0.2,
            rival: 0.75,
        }
    }
}

/// Share of the callers whom a fault in no dimension touches.
const UNLOGGED: f64 = 0.25;
/// Call-ends a day of what is small: at least, and less than.
const SMALL: (f64, f64) = (60.0, 300.0);
/// Jaccard index of rivals: at least, and less than.
const RIVALS: (f64, f64) = (0.5, 0.95);
const MINUTES_A_DAY: f64 = 1440.0;
/// Minutes between those looked at.
const STEP: i64 = 4;

const KINDS: [FaultKind; 8] = [
    FaultKind::SiteUplink,
    FaultKind::WifiSegment,
    FaultKind::HeadsetDriver,
    FaultKind::FirmwareRollout,
    FaultKind::CarrierRoute,
    FaultKind::PolicyQos,
    FaultKind::IspAtSite,
    FaultKind::RelayRegion,
];

/// Draws the fault number `i`, apart from those before it.
pub(crate) fn draw(world: &World, i: u64, onset: EventTime) -> Broken {
    let rules = &world.scenario.drawn;
    let mut dice = Dice::new(world.seed, Stream::Drawn, i);
    let [low, high] = rules.odds.map(f64::ln);
    let odds = (low + (high - low) * dice.unit()).exp();
    let (is_unlogged, is_small) = (dice.chance(rules.unlogged), dice.chance(rules.small));
    let has_rival = dice.chance(rules.rival);
    if is_unlogged {
        let callers = world.population.callers.iter();
        let touched = callers.filter(|_| dice.chance(UNLOGGED));
        return Broken {
            odds: Some(odds),
            devices: Some(touched.map(|caller| caller.device_id.clone()).collect()),
            ..Broken::at(FaultKind::Unlogged, Scope::default())
        };
    }
    let places = Places::before(world, onset);
    let (kind, scope) = places.choose(is_small, has_rival, &mut dice);
    Broken {
        odds: Some(odds),
        ..Broken::at(kind, scope)
    }
}

/// Where something could break, with the call-ends of the day before.
struct Places<'a> {
    world: &'a World,
    ends: Vec<End>,
    /// Minutes that were looked at.
    minutes: usize,
    places: Vec<Place>,
}

struct Place {
    kind: FaultKind,
    scope: Scope,
    owner: Text,
    /// Which of the ends lie there.
    has: Vec<bool>,
    ends: usize,
    /// Do people call from there when it breaks: in the two hours from then on, half as much as in the mean hour or more?
    is_awake: bool,
}

impl<'a> Places<'a> {
    fn before(world: &'a World, onset: EventTime) -> Self {
        let minutes = (0..time::DAY / time::MINUTE / STEP).map(|n| onset.plus(-n * STEP * time::MINUTE));
        let minutes: Vec<EventTime> = minutes.filter(|minute| *minute >= world.scenario.start).collect();
        let ends: Vec<End> = minutes
            .iter()
            .flat_map(|minute| calls_of_minute(world, minute.floor(time::MINUTE)))
            .flat_map(|call| call.ends)
            .collect();
        let known: BTreeSet<(FaultKind, Scope)> = KINDS
            .into_iter()
            .flat_map(|kind| ends.iter().filter_map(move |end| Some((kind, candidate(kind, end)?))))
            .collect();
        let then = sample(world, onset);
        let places = known.into_iter().map(|(kind, scope)| {
            let awake = then.iter().filter(|end| covers_before(kind, &scope, &end.leaf)).count();
            let has: Vec<bool> = ends.iter().map(|end| covers_before(kind, &scope, &end.leaf)).collect();
            Place {
                owner: owner::of(kind.layer(), &scope, &world.estate),
                is_awake: 24 * awake >= has.iter().filter(|has| **has).count(),
                ends: has.iter().filter(|has| **has).count(),
                kind,
                scope,
                has,
            }
        });
        let places = places.collect();
        Self {
            world,
            ends,
            minutes: minutes.len(),
            places,
        }
    }

    /// One of the places of the wanted size, with a rival if there is any with one: first a kind, then a place of it.
    fn choose(&self, is_small: bool, has_rival: bool, dice: &mut Dice) -> (FaultKind, Scope) {
        let awake = self.places.iter().filter(|place| place.is_awake);
        let known = awake.filter(|place| self.is_small(place).is_some());
        let free: Vec<&Place> = known.filter(|place| self.is_free(place)).collect();
        let of_size: Vec<&Place> = free
            .iter()
            .copied()
            .filter(|place| self.is_small(place) == Some(is_small))
            .collect();
        let of_size = if of_size.is_empty() { free } else { of_size };
        let beside: Vec<&Place> = of_size.iter().copied().filter(|place| self.has_rival(place)).collect();
        let wanted = if has_rival && !is_small && !beside.is_empty() {
            beside
        } else {
            of_size
        };
        let kinds: Vec<FaultKind> = KINDS
            .into_iter()
            .filter(|kind| wanted.iter().any(|place| place.kind == *kind))
            .collect();
        let Some(kind) = kinds.get(dice.below(kinds.len())) else {
            return (KINDS[0], crate::pick::nowhere());
        };
        let of_kind: Vec<&&Place> = wanted.iter().filter(|place| place.kind == *kind).collect();
        (*kind, of_kind[dice.below(of_kind.len())].scope.clone())
    }

    /// Does it share less than half of the smaller one's ends with each fault before it?
    fn is_free(&self, place: &Place) -> bool {
        let is_apart = |fault: &Fault| {
            let (mut theirs, mut both) = (0, 0);
            for (end, has) in self.ends.iter().zip(&place.has) {
                let is_theirs = covers_before(fault.kind, &fault.scope, &end.leaf);
                theirs += usize::from(is_theirs);
                both += usize::from(is_theirs && *has);
            }
            both == 0 || 2 * both < place.ends.min(theirs)
        };
        let logged = self
            .world
            .faults
            .iter()
            .filter(|fault| fault.kind != FaultKind::Unlogged);
        logged.into_iter().all(is_apart)
    }

    /// None of what nearly nobody calls from.
    fn is_small(&self, place: &Place) -> Option<bool> {
        let a_day = real(place.ends) * MINUTES_A_DAY / real(self.minutes.max(1));
        (a_day >= SMALL.0).then_some(a_day < SMALL.1)
    }

    fn has_rival(&self, place: &Place) -> bool {
        let others = self.places.iter().filter(|other| other.owner != place.owner);
        others.into_iter().any(|other| {
            let pairs = place.has.iter().zip(&other.has);
            let both = pairs.filter(|(a, b)| **a && **b).count();
            let jaccard = real(both) / real((place.ends + other.ends - both).max(1));
            (RIVALS.0..RIVALS.1).contains(&jaccard)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    /// Of forty seeds: some four in no dimension, of the others some seven small, half or more with a rival, and nearly every kind.
    #[test]
    fn what_is_drawn_is_of_every_kind_and_mostly_has_a_rival() {
        let scenario = Scenario::from_toml(include_str!("../scenarios/drawn/one_of_any.toml")).expect("a scenario");
        let (mut kinds, mut unlogged, mut small, mut rivals) = (BTreeSet::new(), 0, 0, 0);
        for seed in 1..=40 {
            let world = World::healthy(&scenario, seed);
            let onset = scenario.judged_from().plus(time::HOUR);
            let is = draw(&world, 0, onset);
            assert!(is.odds.is_some_and(|odds| (2.0..8.0).contains(&odds)));
            kinds.insert(is.kind);
            if is.kind == FaultKind::Unlogged {
                unlogged += 1;
                continue;
            }
            let places = Places::before(&world, onset);
            let it = |place: &&Place| (place.kind, &place.scope) == (is.kind, &is.scope);
            let place = places.places.iter().find(it).expect("a place");
            small += usize::from(places.is_small(place) == Some(true));
            rivals += usize::from(places.has_rival(place));
        }
        assert!((1..=9).contains(&unlogged), "{unlogged} in no dimension");
        assert!((2..=13).contains(&small), "{small} small");
        assert!(rivals >= 20, "{rivals} with a rival");
        assert!(kinds.len() >= 7, "{kinds:?}");
    }
}
