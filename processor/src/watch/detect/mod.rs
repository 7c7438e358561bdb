//! Notice early: a Shiryaev–Roberts e-detector for every cell of one or two conditions and for all calls, on every watched channel.
//!
//! Each minute a cell's poor call-ends `k` are compared with the expected `e`: for alternatives λ,
//! `M_λ ← exp((k ln λ − (λ−1) γ e) / φ) · (M_λ + 1)`, with the cell's own indifference γ and dispersion φ. The mean over λ
//! crosses A at most once in A minutes on average while nothing is wrong (DESIGN.md §3).

mod cell;
mod drift;
mod key;
mod look;

use std::collections::{BTreeMap, hash_map::Entry};

use dialtone_explain::Condition;
use dialtone_schemas::time;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    calibration::{Calibrated, Calibration},
    dependency::Dependencies,
    dictionary::{Codes, D},
    strength::strength,
};
pub(super) use cell::{ALTERNATIVES, log_of_mean, step};
use cell::{Cell, HISTORY_PRIOR, Kin, Sum};
pub use drift::Drift;
pub use key::CellKey;
use key::Cuboid;
pub use look::Look;

/// Minutes of a block: over its sums the drift is learnt (slow noise shows in sums, not in minutes), and it becomes history as a
/// whole.
const BLOCK_MINUTES: u16 = 20;
/// Blocks of evidence that are not yet history: the one under way and three before it, so that a fault of an hour does not
/// teach itself.
const HELD: usize = 4;
/// The same as a span of time.
pub(super) const BLOCKS_HELD: i64 = 80 * time::MINUTE;
/// A drift remembers itself for so many minutes: two blocks.
pub(super) const SAME_DRIFT: u16 = 2 * BLOCK_MINUTES;
/// Quantile of the normal distribution within which a rate may wander: 90 % one-sided.
pub(super) const WITHIN: f64 = 1.282;
/// A cell with this part of the evidence that would be noticed teaches nothing of the drift.
pub(super) const SUSPECT: f64 = 3.0;
/// A cell that lacks no more than this is near: a hundredth of the evidence that would be noticed, ln 100.
pub(super) const NEAR: f64 = 4.605_17;
/// Most cells of two conditions; beyond, new ones are not watched. Those of one condition are, as many as there are values.
const MAX_PAIRS: usize = 400_000;
/// Blocks without a call after which a cell is forgotten: two weeks.
const FORGOTTEN: u16 = 14 * 24 * 60 / BLOCK_MINUTES;

/// A cell over its threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// ln M.
    pub log_m: f64,
    /// The cell.
    pub key: CellKey,
}

/// What a minute shows, strongest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The cells over their thresholds.
    pub noticed: Vec<Alarm>,
    /// Those, and the cells with a hundredth of that evidence or more.
    pub near: Vec<Alarm>,
}

/// The detectors of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    #[serde(serialize_with = "sorted", deserialize_with = "unsorted")]
    cells: FxHashMap<CellKey, Cell>,
    drift: Drift,
    /// How strongly each cuboid's cells are pulled to their model, learnt at midnight.
    histories: BTreeMap<Cuboid, f64>,
    calibration: Calibration<Cuboid>,
    dependencies: Dependencies,
    touched: Vec<CellKey>,
    minutes: u16,
    pairs: usize,
    refused: u64,
}

/// A hash map has no order of its own; a snapshot must (F-3).
fn sorted<S: Serializer>(cells: &FxHashMap<CellKey, Cell>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries: Vec<_> = cells.iter().collect();
    entries.sort_by_key(|(key, _)| **key);
    entries.serialize(serializer)
}

fn unsorted<'de, De: Deserializer<'de>>(deserializer: De) -> Result<FxHashMap<CellKey, Cell>, De::Error> {
    Ok(Vec::<(CellKey, Cell)>::deserialize(deserializer)?.into_iter().collect())
}

fn strongest(a: &Alarm, b: &Alarm) -> std::cmp::Ordering {
    b.log_m.total_cmp(&a.log_m).then(a.key.cmp(&b.key))
}

impl Detector {
    /// Of the scores of all call-ends.
    pub fn of_scores() -> Self {
        Self {
            drift: Drift::of_scores(),
            ..Self::default()
        }
    }

    /// Adds what a leaf showed this minute to its cells of one condition, and to that of all calls.
    pub fn add_alone(&mut self, codes: &Codes, k: f64, e: f64) {
        self.add_to(CellKey::EVERYTHING, Sum { k, e });
        for a in (0..D).filter(|a| codes[*a] != 0) {
            self.add_to(CellKey::of((a, codes[a]), None), Sum { k, e });
        }
    }

    /// Adds what a leaf showed this minute to its cells.
    pub fn add(&mut self, codes: &Codes, k: f64, e: f64) {
        self.add_alone(codes, k, e);
        for a in (0..D).filter(|a| codes[*a] != 0) {
            for b in a + 1..D {
                if codes[b] != 0 && !self.dependencies.are_one(a, b) {
                    self.add_to(CellKey::of((a, codes[a]), Some((b, codes[b]))), Sum { k, e });
                }
            }
        }
    }

    fn add_to(&mut self, key: CellKey, sum: Sum) {
        let cell = match self.cells.entry(key) {
            Entry::Occupied(cell) => cell.into_mut(),
            Entry::Vacant(_) if key.is_pair() && self.pairs >= MAX_PAIRS => {
                self.refused += 1;
                return;
            }
            Entry::Vacant(room) => {
                self.pairs += usize::from(key.is_pair());
                room.insert(Cell::default())
            }
        };
        if cell.add(sum) {
            self.touched.push(key);
        }
    }

    /// Ends the minute: judges every cell that saw calls. Returns the cells over `threshold`, strongest first.
    pub fn minute(&mut self, indifference: f64, threshold: f64) -> Vec<Alarm> {
        self.minutes(1, indifference, threshold).noticed
    }

    /// Ends some minutes that were added as one: the cells over `threshold`, and those that are near it.
    pub fn minutes(&mut self, minutes: u16, indifference: f64, threshold: f64) -> Found {
        let mut found = Found::default();
        let fine = self.drift.fine();
        // Nothing is learnt within a minute: what is known of a cuboid is the same for all of its cells.
        let mut kins: FxHashMap<Cuboid, Kin> = FxHashMap::default();
        for key in std::mem::take(&mut self.touched) {
            let cuboid = key.cuboid();
            let kin = *kins.entry(cuboid).or_insert_with(|| self.kin(cuboid, fine));
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.judge(kin, indifference);
            let log_m = cell.log_mixture();
            if log_m < threshold - NEAR {
                continue;
            }
            let missing = self.calibration.threshold(&key.cuboid(), threshold) - log_m;
            if missing <= NEAR {
                found.near.push(Alarm {
                    conditions: key.conditions(),
                    log_m,
                    key,
                });
            }
            if missing <= 0.0 {
                found.noticed.extend(found.near.last().cloned());
            }
        }
        found.noticed.sort_by(strongest);
        found.near.sort_by(strongest);
        self.minutes += minutes;
        if self.minutes >= BLOCK_MINUTES {
            self.minutes = 0;
            self.block(indifference, threshold);
        }
        found
    }

    /// Pairs of dimensions of which one follows from the other are not watched: the one alone is.
    pub fn depend(&mut self, dependencies: Dependencies) {
        self.dependencies = dependencies;
        let is_one = |key: &CellKey| match key.conditions().as_slice() {
            [a, b] => dependencies.are_one(a.attribute, b.attribute),
            _ => false,
        };
        self.cells.retain(|key, _| !is_one(key));
        self.pairs = self.cells.keys().filter(|key| key.is_pair()).count();
    }

    /// What is known of the cells of a cuboid.
    fn kin(&self, cuboid: Cuboid, fine: f64) -> Kin {
        Kin {
            drift: self.drift.of_cuboid(cuboid, fine),
            fine,
            history: self.histories.get(&cuboid).copied().unwrap_or(HISTORY_PRIOR),
        }
    }

    /// How much the cells of each cuboid have differed so far.
    fn compare(&self) -> BTreeMap<Cuboid, f64> {
        let fine = self.drift.fine();
        let mut keys: Vec<CellKey> = self.cells.keys().copied().collect();
        keys.sort_unstable_by_key(|key| (key.cuboid(), *key));
        let of_cuboid = |cells: &[CellKey]| {
            let pasts = cells.iter().filter_map(|key| self.cells.get(key)).map(Cell::past);
            (cells[0].cuboid(), strength(pasts, fine, HISTORY_PRIOR))
        };
        keys.chunk_by(|a, b| a.cuboid() == b.cuboid()).map(of_cuboid).collect()
    }

    /// A day is over, with an incident or without.
    pub fn night(&mut self, is_quiet: bool, threshold: f64) {
        self.histories = self.compare();
        let mut cells: BTreeMap<Cuboid, usize> = BTreeMap::new();
        #[allow(clippy::iter_over_hash_type, reason = "counts do not depend on their order")]
        for key in self.cells.keys() {
            *cells.entry(key.cuboid()).or_default() += 1;
        }
        self.calibration.night(is_quiet, &cells, threshold);
    }

    /// What quiet days have taught of the thresholds; by the guarantee they are this.
    pub fn calibrated(&self, threshold: f64) -> Calibrated {
        self.calibration.stand(threshold)
    }

    /// The cells of one condition of which the last hour and a bit say so many nats by themselves, with what they say, in the order of the
    /// conditions.
    pub fn climbing(&self, least: f64, indifference: f64) -> Vec<(Condition, f64)> {
        let fine = self.drift.fine();
        let of_one = self.cells.iter().filter_map(|(key, cell)| {
            if key.is_pair() {
                return None;
            }
            let condition = *key.conditions().first()?;
            let said = cell.look(self.kin(key.cuboid(), fine), indifference, 0.0).lately();
            (said >= least).then_some((condition, said))
        });
        let mut climbing: Vec<(Condition, f64)> = of_one.collect();
        climbing.sort_by_key(|(condition, _)| *condition);
        climbing
    }

    /// How a scope differs from the model by its own history and by today, as a multiple; of more conditions than are watched together that of
    /// the one with the fewest calls.
    pub fn own(&self, conditions: &[Condition]) -> f64 {
        let look = |conditions: &[Condition]| self.look(conditions, 1.0, 0.0);
        let alone = conditions.iter().filter_map(|condition| look(&[*condition]));
        let fewest = alone.min_by(|a, b| a.expected_per_minute.total_cmp(&b.expected_per_minute));
        look(conditions).or(fewest).map_or(1.0, |look| look.own)
    }

    /// The cell with the most evidence, or the one whose mirror image has the most.
    pub fn most(&self, is_mirrored: bool) -> Option<Vec<Condition>> {
        let evidence = |cell: &Cell| {
            if is_mirrored {
                cell.mirrored()
            } else {
                cell.log_mixture()
            }
        };
        let cells = self.cells.iter().map(|(key, cell)| (evidence(cell), *key));
        let most = cells.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        most.map(|(_, key)| key.conditions())
    }

    /// A block is over: the drift is learnt from cells that are not suspected of anything, and the blocks move on.
    fn block(&mut self, indifference: f64, threshold: f64) {
        self.drift.age();
        let fine = self.drift.fine();
        let mut keys: Vec<CellKey> = self.cells.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let kin = self.kin(key.cuboid(), fine);
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.mirror(kin, indifference);
            self.calibration
                .note(key.cuboid(), cell.log_mixture().max(cell.mirrored()));
            let block = cell.age(kin);
            if block.e > 0.0 && cell.log_mixture() < threshold / SUSPECT {
                self.drift.learn(key.cuboid(), block);
            }
        }
        self.cells.retain(|_, cell| cell.idle < FORGOTTEN);
        self.pairs = self.cells.keys().filter(|key| key.is_pair()).count();
    }

    /// How often a pair of values was not watched because there are too many.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Forgets the evidence of one cell.
    pub fn forget_cell(&mut self, key: CellKey) {
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.forget();
        }
    }

    /// What cells with so much evidence show is set apart: it becomes no history, and neither today. Nor do they gather more than `most`, so
    /// that what is over is soon forgotten.
    pub fn set_apart_above(&mut self, log_m: f64, most: f64) {
        #[allow(clippy::iter_over_hash_type, reason = "each cell by itself")]
        for cell in self.cells.values_mut() {
            if cell.log_mixture() > log_m {
                cell.set_apart(most);
            }
        }
    }

    /// Forgets the evidence of every cell that has gathered some: what a named cause does not explain gathers anew.
    pub fn forget_above(&mut self, log_m: f64) {
        #[allow(clippy::iter_over_hash_type, reason = "each cell is reset by itself")]
        for cell in self.cells.values_mut() {
            if cell.log_mixture() > log_m {
                cell.forget();
            }
        }
    }

    /// How many cells are watched.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Their keys, in no order.
    pub fn keys(&self) -> impl Iterator<Item = CellKey> + '_ {
        self.cells.keys().copied()
    }

    /// How the cell of one or two conditions stands, or that of all calls; none if no call of it was seen.
    pub fn look(&self, conditions: &[Condition], indifference: f64, threshold: f64) -> Option<Look> {
        let of = |condition: &Condition| (condition.attribute, condition.code);
        let key = match conditions {
            [] => CellKey::EVERYTHING,
            [one] => CellKey::of(of(one), None),
            [one, other] if self.dependencies.are_one(one.attribute, other.attribute) => {
                // The one from which the other follows has all the calls of both: the fewer of the two.
                let of_one = |condition: &Condition| self.look(&[*condition], indifference, threshold);
                let looks = [of_one(one), of_one(other)].into_iter().flatten();
                return looks.min_by(|a, b| a.expected_per_minute.total_cmp(&b.expected_per_minute));
            }
            [one, other] => CellKey::of(of(one.min(other)), Some(of(one.max(other)))),
            _ => return None,
        };
        let fine = self.drift.fine();
        let kin = self.kin(key.cuboid(), fine);
        let threshold = self.calibration.threshold(&key.cuboid(), threshold);
        Some(self.cells.get(&key)?.look(kin, indifference, threshold))
    }

    /// How far rates wander by themselves.
    pub const fn drift(&self) -> &Drift {
        &self.drift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(site: u32, headset: u32) -> Codes {
        let mut codes = [0; D];
        (codes[0], codes[6]) = (site, headset);
        codes
    }

    /// After ten quiet hours γ is 1.25, and φ 1.3 + τ² · 8. One poor call a minute where 0.2 were expected says (ln 3 − 2 · 0.25) / 1.5 = 0.4
    /// a minute for λ = 3: some 35 minutes to ln A = 14, and the site's cell is among the first.
    #[test]
    fn a_fivefold_rate_is_noticed_within_three_quarters_of_an_hour_and_a_quiet_site_is_not() {
        let mut detector = Detector::default();
        let mut noticed = None;
        let usual = |minute: u32| f64::from(u8::from(minute.is_multiple_of(5)));
        for minute in 0..660 {
            detector.add(&codes(1, 1), if minute >= 600 { 1.0 } else { usual(minute) }, 0.2);
            detector.add(&codes(2, 1), usual(minute), 0.2);
            let alarms = detector.minute(1.25, 14.0);
            if let (None, Some(alarm)) = (noticed, alarms.first()) {
                assert!(
                    alarm.conditions.contains(&Condition { attribute: 0, code: 1 }),
                    "{alarm:?}"
                );
                noticed = Some(minute);
            }
            assert!(
                alarms
                    .iter()
                    .all(|a| a.conditions != [Condition { attribute: 0, code: 2 }])
            );
        }
        assert!(
            noticed.is_some_and(|minute| (615..645).contains(&minute)),
            "{noticed:?}"
        );
    }

    /// Twenty sites with a thousand expected, a fifth more or less poor, φ = 1.3: known by u = (1000 / 1008)² = 0.984, and apart by 0.04 / 1.3 − 0.001 =
    /// 0.030. (10 / 8 + 19.7 · 0.030) / 29.7 = 1 / 16.2. Of headsets nothing was seen.
    #[test]
    fn at_midnight_cells_learn_how_much_their_like_differ() {
        let mut detector = Detector::default();
        for site in 1..=20 {
            let k = if site % 2 == 0 { 1200.0 } else { 800.0 };
            detector.add(&codes(site, 0), k, 1000.0);
        }
        (0..6 * BLOCK_MINUTES).for_each(|_| drop(detector.minute(1.25, 14.0)));
        let pull = |detector: &Detector, attribute| detector.kin(Cuboid::of(attribute, None), 1.3).history;
        assert!((pull(&detector, 0) - 8.0).abs() < 1e-9, "not before midnight");
        detector.night(true, 14.0);
        assert!((pull(&detector, 0) - 16.2).abs() < 0.3, "{}", pull(&detector, 0));
        assert!((pull(&detector, 6) - 8.0).abs() < 1e-9);
    }

    /// Three poor ones a minute of a half at one site, none of as many at the other, for a block.
    #[test]
    fn the_cell_with_the_most_evidence_is_poor_and_the_most_in_the_mirror_is_good() {
        let mut detector = Detector::default();
        assert_eq!(detector.most(false), None);
        for _ in 0..BLOCK_MINUTES {
            detector.add(&codes(1, 1), 3.0, 0.5);
            detector.add(&codes(2, 2), 0.0, 0.5);
            detector.minute(1.25, 14.0);
        }
        let most = [false, true].map(|is_mirrored| detector.most(is_mirrored).unwrap_or_default());
        assert!(most[0].iter().any(|condition| condition.code == 1), "{most:?}");
        assert!(most[1].iter().any(|condition| condition.code == 2), "{most:?}");
    }

    #[test]
    fn a_cell_without_calls_for_two_weeks_is_forgotten_and_gives_its_room_back() {
        let mut detector = Detector::default();
        detector.add(&codes(1, 1), 0.0, 0.2);
        detector.minute(1.25, 14.0);
        assert_eq!((detector.cells(), detector.pairs), (4, 1));
        for _ in 0..15 * 24 * 60 {
            detector.add(&codes(2, 0), 0.0, 0.2);
            detector.minute(1.25, 14.0);
        }
        assert_eq!((detector.cells(), detector.pairs), (2, 0));
    }
}
