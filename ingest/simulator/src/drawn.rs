//! What breaks when the scenario leaves it to the seed: what kind, where, how hard. A tenth lies in no dimension at all, a quarter of the others where
//! few calls are, and most of the rest, half of all or more, beside a rival: a scope of another owner with much the same calls.

use dialtone_schemas::{EventTime, Scope, Text, time};
use serde::Deserialize;

use crate::{
    fault::{Broken, Fault, FaultKind},
    load::day_of_week,
    owner,
    pick::{covers_before, is_apart, nowhere, sample},
    random::{Dice, Stream, whole},
    span::Span,
    surroundings::{Day, Inside, KINDS},
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
    /// Faults a week in the history, but for its last two days: mended, and nobody was told.
    pub old_per_week: f64,
}

impl Default for Drawn {
    fn default() -> Self {
        Self {
            odds: [2.0, 8.0],
            unlogged: 0.1,
            small: 0.25,
            rival: 0.85,
            old_per_week: 3.0,
        }
    }
}

/// Share of the callers whom a fault in no dimension touches.
const UNLOGGED: f64 = 0.25;
/// Call-ends a day of what is small: at least, and less than.
const SMALL: (f64, f64) = (60.0, 300.0);
/// What is drawn shares less than one in so many ends with what was drawn before.
const SHARED: usize = 2;
/// Nothing is broken so long before the judged part: in all that is watched minute by minute, from the midnight before its last 25 hours.
const QUIET: i64 = 2 * time::DAY + time::HOUR;
/// Old faults are numbered from here on, apart from those of the judged part.
const OLD: u64 = 1 << 32;
/// Half of the old faults were mended by then.
const OLD_MINUTES: f64 = 90.0;

/// What is drawn before it is known who calls.
struct Lot {
    odds: f64,
    is_unlogged: bool,
    is_small: bool,
    has_rival: bool,
}

impl Lot {
    fn draw(rules: &Drawn, dice: &mut Dice) -> Self {
        let [low, high] = rules.odds.map(f64::ln);
        Self {
            odds: (low + (high - low) * dice.unit()).exp(),
            is_unlogged: dice.chance(rules.unlogged),
            is_small: dice.chance(rules.small),
            has_rival: dice.chance(rules.rival),
        }
    }
}

/// Draws the scenario's fault number `i`, apart from those before it.
pub(crate) fn draw(world: &World, i: u64, onset: EventTime) -> Broken {
    draw_numbered(world, &world.faults, number(world.scenario.faults.len(), i), onset)
}

/// The number of a fault among so many: by its own alone, scenarios of one, two and three faults would draw the same first one for a seed,
/// and their runs would not be independent samples.
fn number(faults: usize, i: u64) -> u64 {
    (u64::try_from(faults).unwrap_or(u64::MAX) << 16) | i
}

/// Draws what has this number, apart from what is broken already.
fn draw_numbered(world: &World, broken: &[Fault], number: u64, onset: EventTime) -> Broken {
    let mut dice = Dice::new(world.seed, Stream::Drawn, number);
    let lot = Lot::draw(&world.scenario.drawn, &mut dice);
    let is = if lot.is_unlogged {
        let callers = world.population.callers.iter();
        let touched = callers.filter(|_| dice.chance(UNLOGGED));
        Broken {
            devices: Some(touched.map(|caller| caller.device_id.clone()).collect()),
            ..Broken::at(FaultKind::Unlogged, Scope::default())
        }
    } else {
        let (kind, scope) = Places::before(world, broken, onset).choose(&lot, &mut dice);
        Broken::at(kind, scope)
    };
    Broken {
        odds: Some(lot.odds),
        ..is
    }
}

/// What broke in the history, on working days from seven to sixteen, and was mended after an hour or some. It does not depend on what will
/// break in the judged part, so that runs can share it. New firmware is not mended.
pub(crate) fn old(world: &World) -> Vec<Fault> {
    let scenario = &world.scenario;
    let days = ((scenario.history.0 - QUIET) / time::DAY).max(0);
    let mut dice = Dice::new(world.seed, Stream::Old, 0);
    #[allow(clippy::cast_precision_loss, reason = "days")]
    let count = dice.poisson(scenario.drawn.old_per_week * days as f64 / 7.0);
    let broken = (1..=u64::from(count)).filter_map(|i| {
        let mut dice = Dice::new(world.seed, Stream::Old, i);
        let midnight = scenario
            .start
            .floor(time::DAY)
            .plus(dice.between(1, days.max(2)) * time::DAY);
        let onset = midnight.plus(dice.between(7 * 3600, 16 * 3600) * time::SECOND);
        let minutes = dice.lognormal(OLD_MINUTES, 0.7).clamp(20.0, 720.0);
        let is = draw_numbered(world, &[], OLD + i, onset);
        let lasts = Span(whole(minutes * 60.0) * time::SECOND);
        let is_mended = is.kind != FaultKind::FirmwareRollout && is.scope != nowhere();
        let is_over = onset.plus(lasts.0) <= scenario.judged_from().plus(-QUIET);
        (is_mended && is_over && day_of_week(onset) < 5).then(|| Fault::lasting(lasts, onset, is))
    });
    broken.collect()
}

/// Where something could break, with the call-ends of the day before.
struct Places<'a> {
    broken: &'a [Fault],
    day: Day,
    places: Vec<Place>,
}

struct Place {
    kind: FaultKind,
    scope: Scope,
    owner: Text,
    /// Which of the ends lie there.
    inside: Inside,
    /// Do people call from there when it breaks: in the two hours from then on, half as much as in the mean hour or more?
    is_awake: bool,
}

impl<'a> Places<'a> {
    fn before(world: &World, broken: &'a [Fault], onset: EventTime) -> Self {
        let day = Day::before(world, onset);
        let then = sample(world, onset);
        let places = day.places().into_iter().map(|(kind, scope)| {
            let awake = then.iter().filter(|end| covers_before(kind, &scope, &end.leaf)).count();
            let inside = day.inside(kind, &scope);
            Place {
                owner: owner::of(kind.layer(), &scope, &world.estate),
                is_awake: 24 * awake >= inside.ends,
                kind,
                scope,
                inside,
            }
        });
        let places = places.collect();
        Self { broken, day, places }
    }

    /// One of the places of the wanted size, with a rival if there is any with one: first a kind, then a place of it.
    fn choose(&self, lot: &Lot, dice: &mut Dice) -> (FaultKind, Scope) {
        let awake = self.places.iter().filter(|place| place.is_awake);
        let known = awake.filter(|place| self.is_small(place).is_some());
        let free: Vec<&Place> = known.filter(|place| self.is_free(place)).collect();
        let of_size: Vec<&Place> = free
            .iter()
            .copied()
            .filter(|place| self.is_small(place) == Some(lot.is_small))
            .collect();
        // Where nothing is small, it is drawn like the others.
        let is_small = lot.is_small && !of_size.is_empty();
        let of_size = if of_size.is_empty() { free } else { of_size };
        let beside: Vec<&Place> = of_size.iter().copied().filter(|place| self.has_rival(place)).collect();
        let wanted = if lot.has_rival && !is_small && !beside.is_empty() {
            beside
        } else {
            of_size
        };
        let kinds: Vec<FaultKind> = KINDS
            .into_iter()
            .filter(|kind| wanted.iter().any(|place| place.kind == *kind))
            .collect();
        let Some(kind) = kinds.get(dice.below(kinds.len())) else {
            return (KINDS[0], nowhere());
        };
        let of_kind: Vec<&&Place> = wanted.iter().filter(|place| place.kind == *kind).collect();
        (*kind, of_kind[dice.below(of_kind.len())].scope.clone())
    }

    /// Does it share less than half of the smaller one's ends with each fault that there is?
    fn is_free(&self, place: &Place) -> bool {
        let inside = || self.day.ends.iter().zip(place.inside.has.iter().copied());
        self.broken.iter().all(|fault| is_apart(inside(), fault, SHARED))
    }

    /// None of what nearly nobody calls from.
    fn is_small(&self, place: &Place) -> Option<bool> {
        let a_day = self.day.a_day(place.inside.ends);
        (a_day >= SMALL.0).then_some(a_day < SMALL.1)
    }

    fn has_rival(&self, place: &Place) -> bool {
        let mut others = self.places.iter().filter(|other| other.owner != place.owner);
        others.any(|other| place.inside.is_rival_of(&other.inside))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Scenario, random::real};

    /// Of 1,000 seeds a tenth in no dimension, a quarter small, 85 in 100 beside a rival if there is one, and odds of 4, the middle of the
    /// logarithms of 2 and 8, or more in half of them: each to four standard deviations.
    #[test]
    fn shares_and_odds_are_drawn_as_the_scenario_says() {
        let rules = Drawn::default();
        let lots: Vec<Lot> = (0..1000)
            .map(|seed| Lot::draw(&rules, &mut Dice::new(seed, Stream::Drawn, 0)))
            .collect();
        let share = |is: fn(&Lot) -> bool| real(lots.iter().filter(|lot| is(lot)).count()) / 1000.0;
        let near = |share: f64, wanted: f64| (share - wanted).abs() < 4.0 * (wanted * (1.0 - wanted) / 1000.0).sqrt();
        assert!(near(share(|lot| lot.is_unlogged), 0.1));
        assert!(near(share(|lot| lot.is_small), 0.25));
        assert!(near(share(|lot| lot.has_rival), 0.85));
        assert!(near(share(|lot| lot.odds >= 4.0), 0.5));
        assert!(lots.iter().all(|lot| (2.0..8.0).contains(&lot.odds)));
    }

    /// Three a week in 20 days are 8.6; of seven days two are free, and new firmware is not mended: some five are left of them.
    #[test]
    fn what_broke_in_the_history_was_mended_two_days_before_the_judged_part() {
        let scenario = Scenario::from_toml(include_str!("../scenarios/drawn/one_of_any.toml")).expect("a scenario");
        let olds: Vec<Vec<Fault>> = (1..=6).map(|seed| old(&World::healthy(&scenario, seed))).collect();
        let all: Vec<&Fault> = olds.iter().flatten().collect();
        assert!((15..60).contains(&all.len()), "{}", all.len());
        for fault in all {
            let until = fault.until.expect("mended");
            assert!(fault.onset >= scenario.start && until <= scenario.judged_from().plus(-time::DAY));
            assert!(day_of_week(fault.onset) < 5 && fault.odds.is_some_and(|odds| (2.0..8.0).contains(&odds)));
        }
        let short = scenario.with_history_of(Span(25 * time::HOUR));
        assert!(old(&World::healthy(&short, 1)).is_empty(), "a day is no history");
    }

    #[test]
    fn scenarios_of_one_two_and_three_faults_draw_another_first_one() {
        let odds = |faults: usize| {
            let mut dice = Dice::new(1, Stream::Drawn, number(faults, 0));
            Lot::draw(&Drawn::default(), &mut dice).odds
        };
        let [one, two, three] = [odds(1), odds(2), odds(3)];
        let are_apart = |a: f64, b: f64| (a - b).abs() > 1e-9;
        assert!(are_apart(one, two) && are_apart(two, three) && are_apart(one, three));
        assert!(
            (number(3, 2)..OLD).contains(&number(65_535, 0)),
            "old faults have numbers of their own"
        );
    }

    /// Where a world's first fault was drawn.
    struct Seen {
        lot: Lot,
        kind: FaultKind,
        is_small: bool,
        has_rival: bool,
        /// Is anything small there?
        has_small: bool,
    }

    impl Seen {
        fn of(scenario: &Scenario, seed: u64) -> Self {
            let world = World::healthy(scenario, seed);
            let places = Places::before(&world, &[], scenario.judged_from().plus(time::HOUR));
            let mut dice = Dice::new(seed, Stream::Drawn, number(scenario.faults.len(), 0));
            let lot = Lot::draw(&scenario.drawn, &mut dice);
            let (kind, scope) = places.choose(&lot, &mut dice);
            let it = |place: &&Place| (place.kind, &place.scope) == (kind, &scope);
            let place = places.places.iter().find(it).expect("a place");
            assert!(place.is_awake, "{scope}");
            let mut awake = places.places.iter().filter(|place| place.is_awake);
            Self {
                lot,
                kind,
                is_small: places.is_small(place).expect("not tiny"),
                has_rival: places.has_rival(place),
                has_small: awake.any(|place| places.is_small(place) == Some(true)),
            }
        }
    }

    /// What is wanted small is small where anything is, and most of the others have a rival; people call from there when it breaks. At least
    /// half of all should have a rival and a fifth be small, those in no dimension among all. What 24 draws can show of that: of a half six
    /// or fewer in one of 88 cases, of a fifth none in one of 212. In each of these worlds something is small.
    #[test]
    fn what_is_drawn_lies_where_it_was_wanted() {
        let scenario = Scenario::from_toml(include_str!("../scenarios/drawn/one_of_any.toml")).expect("a scenario");
        let all: Vec<Seen> = (1..=24).map(|seed| Seen::of(&scenario, seed)).collect();
        for seen in &all {
            assert_eq!(seen.is_small, seen.lot.is_small && seen.has_small, "{:?}", seen.kind);
        }
        let count = |is: fn(&Seen) -> bool| all.iter().filter(|seen| is(seen)).count();
        let large = count(|seen| !seen.lot.is_small);
        let beside = count(|seen| !seen.lot.is_small && seen.has_rival);
        assert!(2 * beside >= large, "{beside} of {large}");
        let rivals = count(|seen| !seen.lot.is_unlogged && seen.has_rival);
        let small = count(|seen| !seen.lot.is_unlogged && seen.is_small);
        let with_small = count(|seen| seen.has_small);
        let said = format!("of 24, {rivals} with a rival, {small} small; {with_small} worlds have something small");
        assert!(rivals >= 7 && small >= 1 && with_small == all.len(), "{said}");
        let kinds: BTreeSet<FaultKind> = all.iter().map(|seen| seen.kind).collect();
        assert!(kinds.len() >= 4, "{kinds:?}");
    }
}
