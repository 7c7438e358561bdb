//! Calls of two ends with confounded scopes: what broke is named, and little else. Rows of many seeds, of which those from 0 to 10 were looked at, by
//! `DIALTONE_CONFOUNDED_SEEDS=0..200 cargo test --release -p dialtone-processor --test confounded -- --nocapture`.

#![allow(clippy::print_stdout, reason = "rows are read by a person")]

mod world;

use std::collections::{BTreeMap, HashMap};

use dialtone_explain::{Condition, beyond};
use dialtone_processor::{
    WatchConfig,
    watch::{
        baseline::{Baseline, real},
        detect::Drift,
        dictionary::{D, Dictionary, covers},
        evidence::{Counts, Ring, Slice},
        hours::HourlyRates,
        judgements::JudgedCauses,
        levels::Levels,
        local::Clocks,
        locate::{Asked, Evidence, Located},
        shift::Shifts,
    },
};
use dialtone_schemas::{Dimension, EventTime, Leaf, Text, Window, time};
use world::{ATTRIBUTES, Leg, Noise, World};

/// Days before today, calls of each, of today before the onset and since, and the minutes of these.
const DAYS: usize = 21;
const A_DAY: usize = 60_000;
const BEFORE: (usize, i64) = (120_000, 180);
const SINCE: (usize, i64) = (60_000, 90);
/// Minutes of a block that teaches drift.
const BLOCK: usize = 20;
/// So many cells an enterprise of this size has, about.
const CELLS: f64 = 20_000.0;
/// Scopes that share this part of their legs are the same.
const SAME: f64 = 0.9;

const DIMENSIONS: [Dimension; ATTRIBUTES] = [
    Dimension::Site,
    Dimension::Segment,
    Dimension::Isp,
    Dimension::Headset,
    Dimension::Client,
    Dimension::Connection,
];

/// What watch would know when the alarm is raised.
struct Known {
    dictionary: Dictionary,
    baseline: Baseline,
    ring: Ring,
    onset: EventTime,
    /// Legs since the onset, by leaf.
    legs: BTreeMap<u32, i64>,
    /// The leaves of legs that were seen: to name one takes longer than to draw a call.
    leaves: HashMap<Leg, u32>,
}

impl Known {
    fn of(world: &mut World, causes: usize) -> Self {
        let mut known = Self {
            dictionary: Dictionary::default(),
            baseline: Baseline::default(),
            ring: Ring::default(),
            onset: EventTime::parse("2026-03-03T09:00:00Z").expect("a time"),
            legs: BTreeMap::new(),
            leaves: HashMap::new(),
        };
        for _ in 0..DAYS {
            world.new_day();
            known.learn_day(world);
        }
        known.baseline.fit(known.dictionary.leaves(), [1.3; 3]);
        world.new_day();
        (0..BEFORE.0).for_each(|_| known.hear(world, -BEFORE.1, BEFORE.1));
        world.breaks(causes);
        (0..SINCE.0).for_each(|_| known.hear(world, 0, SINCE.1));
        known
    }

    fn leaf(&mut self, leg: &Leg) -> u32 {
        if let Some(leaf) = self.leaves.get(leg) {
            return *leaf;
        }
        let mut leaf = Leaf::default();
        for (dimension, value) in DIMENSIONS.into_iter().zip(leg) {
            leaf.set(dimension, Some(name(dimension, *value)));
        }
        let number = self.dictionary.leaf(&leaf);
        self.leaves.insert(*leg, number);
        number
    }

    fn learn_day(&mut self, world: &mut World) {
        let mut sums: BTreeMap<u32, Counts> = BTreeMap::new();
        for _ in 0..A_DAY {
            let call = world.call();
            for leg in call.legs {
                sums.entry(self.leaf(&leg)).or_default().add(&counts(call.is_poor));
            }
        }
        for (leaf, counts) in sums {
            self.baseline.learn(leaf, &counts);
            self.baseline.weigh(leaf, &counts);
        }
    }

    fn hear(&mut self, world: &mut World, from: i64, minutes: i64) {
        let call = world.call();
        let minute = from + world.minute(minutes);
        let [near, far] = call.legs.map(|leg| self.leaf(&leg));
        let slice = self
            .ring
            .slice(Window::of_end(self.onset.plus(minute * time::MINUTE + 1)));
        for (leaf, other) in [(near, far), (far, near)] {
            slice.leaves.entry(leaf).or_default().add(&counts(call.is_poor));
            slice.pairs.entry((leaf, other)).or_default().add(&counts(call.is_poor));
            if from == 0 {
                *self.legs.entry(leaf).or_default() += 1;
            }
        }
    }

    /// How far rates wander by themselves, as the hours before the onset taught it, in blocks.
    fn drift(&self, evidence: &Evidence<'_>) -> Drift {
        let mut drift = Drift::default();
        let before: Vec<_> = self
            .ring
            .all()
            .filter(|(window, _)| window.start() < self.onset)
            .collect();
        for block in before.chunks(BLOCK) {
            for (cell, (k, e)) in self.sums(evidence, block.iter().copied()) {
                drift.learn_of(&attributes(&cell), k, e);
            }
        }
        drift
    }

    fn located(&self) -> Vec<Located> {
        let config = WatchConfig::default();
        let (untaught, hours, shifts) = (Drift::default(), HourlyRates::default(), Shifts::default());
        let (clocks, levels, judged) = (Clocks::default(), Levels::default(), JudgedCauses::default());
        let evidence = Evidence {
            ring: &self.ring,
            baseline: &self.baseline,
            dictionary: &self.dictionary,
            cases: &[],
            channel: 0,
            hours: &hours,
            clocks: &clocks,
            shifts: &shifts,
            levels: &levels,
            judged: &judged,
            drift: &untaught,
            least: config.indifference,
            every: 1.0,
            is_mirrored: false,
        };
        let drift = self.drift(&evidence);
        let evidence = Evidence {
            drift: &drift,
            ..evidence
        };
        // What was noticed has paid for the number of cells; everything has not.
        let enough = (1440.0 / config.false_alarms_per_day).ln();
        let of = |found: &Located| {
            if found.cause.best.conditions.is_empty() {
                enough + CELLS.ln()
            } else {
                enough
            }
        };
        let Some(noticed) = self.noticed(&evidence) else {
            return Vec::new();
        };
        let asked = Asked {
            excess: config.min_excess,
            outside: enough + CELLS.ln(),
        };
        let located = evidence.locate(&noticed, asked);
        located
            .into_iter()
            .filter(|found| found.evidence >= of(found))
            .collect()
    }

    /// The value, or the two, that look worst since the onset.
    fn noticed(&self, evidence: &Evidence<'_>) -> Option<Vec<Condition>> {
        let since = self.ring.since(Window::of_end(self.onset.plus(1)));
        let says = |(k, e): &(f64, f64)| beyond(*k, evidence.least * e);
        let sums = self.sums(evidence, since);
        let worst = sums.into_iter().max_by(|a, b| says(&a.1).total_cmp(&says(&b.1)))?;
        (says(&worst.1) > 0.0).then_some(worst.0)
    }

    /// Poor call-ends, and expected ones, of every value and every two of them.
    fn sums<'s>(
        &self,
        evidence: &Evidence<'_>,
        slices: impl Iterator<Item = (&'s Window, &'s Slice)>,
    ) -> BTreeMap<Vec<Condition>, (f64, f64)> {
        let mut by_leaf: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (window, slice) in slices {
            let hour = evidence.hour(*window);
            for (leaf, counts) in &slice.leaves {
                let sum = by_leaf.entry(*leaf).or_default();
                sum.0 += real(counts.k[0]);
                sum.1 += evidence.expected(&hour, *leaf, counts.n[0]);
            }
        }
        let mut sums: BTreeMap<Vec<Condition>, (f64, f64)> = BTreeMap::new();
        for (leaf, (k, e)) in by_leaf {
            for cell in cells(self.dictionary.codes(leaf)) {
                let sum = sums.entry(cell).or_default();
                sum.0 += k;
                sum.1 += e;
            }
        }
        sums
    }

    /// Do both cover the same legs?
    fn are_same(&self, a: &[Condition], b: &[Condition]) -> bool {
        let (mut both, mut either) = (0, 0);
        for (leaf, n) in &self.legs {
            let codes = self.dictionary.codes(*leaf);
            let inside = [covers(a, codes), covers(b, codes)];
            both += if inside == [true, true] { *n } else { 0 };
            either += if inside == [false, false] { 0 } else { *n };
        }
        real(both) >= SAME * real(either)
    }

    fn conditions(&self, scope: &[(usize, usize)]) -> Vec<Condition> {
        let of = |(attribute, value): &(usize, usize)| (DIMENSIONS[*attribute], name(DIMENSIONS[*attribute], *value));
        let scope = dialtone_schemas::Scope::new(scope.iter().map(of));
        self.dictionary.conditions(&scope).expect("a scope with calls")
    }
}

fn attributes(scope: &[Condition]) -> Vec<usize> {
    scope.iter().map(|condition| condition.attribute).collect()
}

/// Every value of a leaf, and every two of them.
fn cells(codes: &[u32; D]) -> Vec<Vec<Condition>> {
    let of = |attribute: usize| Condition {
        attribute,
        code: codes[attribute],
    };
    let known: Vec<usize> = (0..D).filter(|attribute| codes[*attribute] > 0).collect();
    let pairs = known
        .iter()
        .flat_map(|a| known.iter().filter(move |b| a < *b).map(move |b| vec![of(*a), of(*b)]));
    known.iter().map(|a| vec![of(*a)]).chain(pairs).collect()
}

fn name(dimension: Dimension, value: usize) -> Text {
    Text::new(format!("{}-{value}", dimension.name())).expect("a text")
}

fn counts(is_poor: bool) -> Counts {
    Counts {
        n: [1, 0, 0],
        k: [i64::from(is_poor), 0, 0],
        events: 1,
        ..Counts::default()
    }
}

/// Causes named, causes planted, scopes that are none.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    named: i64,
    planted: i64,
    wrong: i64,
}

impl Score {
    fn of(seed: u64, noise: Noise, causes: usize) -> Self {
        let mut world = World::new(seed, noise);
        let known = Known::of(&mut world, causes);
        let located = known.located();
        let planted: Vec<Vec<Condition>> = world
            .broken
            .iter()
            .map(|broken| known.conditions(&broken.scope))
            .collect();
        let is_it = |found: &Located, cause: &Vec<Condition>| {
            let mut scopes = std::iter::once(&found.cause.best.conditions).chain(&found.cause.aliases);
            scopes.any(|scope| known.are_same(scope, cause))
        };
        // Each cause is named once; whatever else was found is wrong.
        let named = planted
            .iter()
            .filter(|cause| located.iter().any(|found| is_it(found, cause)))
            .count();
        let count = |n: usize| i64::try_from(n).expect("few");
        Self {
            named: count(named),
            planted: count(planted.len()),
            wrong: count(located.len().saturating_sub(named)),
        }
    }

    const fn add(self, other: Self) -> Self {
        Self {
            named: self.named + other.named,
            planted: self.planted + other.planted,
            wrong: self.wrong + other.wrong,
        }
    }

    fn f1(self) -> f64 {
        2.0 * real(self.named) / real(self.named + self.wrong + self.planted).max(1.0)
    }
}

/// All seeds, half of them on a thread of their own.
fn row(name: &str, noise: Noise, causes: usize, seeds: &std::ops::Range<u64>) -> Score {
    let half = |parity: u64| {
        let of_half = seeds.clone().filter(move |seed| seed % 2 == parity);
        of_half.fold(Score::default(), |sum, seed| sum.add(Score::of(seed, noise, causes)))
    };
    let score = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        half(0).add(odd.join().expect("a sum"))
    });
    println!(
        "{name} noise, {causes} causes, seeds {seeds:?}: F1 {:.3}, {} of {} named, {} others",
        score.f1(),
        score.named,
        score.planted,
        score.wrong
    );
    score
}

#[allow(clippy::disallowed_methods, reason = "a test may be told of more seeds")]
fn seeds() -> std::ops::Range<u64> {
    let said = std::env::var("DIALTONE_CONFOUNDED_SEEDS").unwrap_or_else(|_| "2000..2020".to_owned());
    let (first, end) = said.split_once("..").expect("FIRST..END");
    first.parse().expect("a seed")..end.parse().expect("a seed")
}

/// F1 with one, two and three causes that two hundred seeds must reach; of twenty, whose F1 has a standard deviation of some .05, two of these less.
const GOALS: [(&str, Noise, [f64; 3]); 2] = [
    ("mild", Noise::MILD, [0.90, 0.87, 0.88]),
    ("hard", Noise::HARD, [0.85, 0.80, 0.75]),
];

#[test]
fn confounded_causes_are_named_with_few_others() {
    let seeds = seeds();
    let slack = if seeds.end - seeds.start < 200 { 0.1 } else { 0.0 };
    for (name, noise, goals) in GOALS {
        for (causes, goal) in (1..).zip(goals) {
            let score = row(name, noise, causes, &seeds);
            let is_reached = score.f1() >= goal - slack && 10 * score.wrong <= score.planted;
            assert!(
                is_reached,
                "{name} noise, {causes} causes, {goal} is the goal: {score:?}"
            );
        }
    }
}
