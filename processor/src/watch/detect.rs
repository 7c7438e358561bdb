//! Notice early: a Shiryaev–Roberts e-detector for every cell of one or two conditions, on every watched channel.
//!
//! Each minute a cell's poor call-ends `k` are compared with the expected `e`: for alternatives λ,
//! `M_λ ← exp((k ln λ − (λ−1) γ e) / φ) · (M_λ + 1)`, with indifference γ and the cuboid's learnt dispersion φ. The mean over λ
//! crosses A at most once in A minutes on average while nothing is wrong (DESIGN.md §3).

use std::collections::hash_map::Entry;

use dialtone_explain::Condition;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::dictionary::{Codes, D};

/// Rates that are looked for, as multiples of the indifferent one.
const ALTERNATIVES: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 8.0];
/// Minutes over which residuals are summed before their dispersion is learnt: slow noise shows in sums, not in minutes.
const BLOCK_MINUTES: u16 = 20;
/// Weight of the prior dispersion, in expected poor call-ends.
const DISPERSION_PRIOR: f64 = 30.0;
/// Dispersion believed before anything is learnt.
const DISPERSION_START: f64 = 1.3;
/// Expected poor call-ends that pull a cell's own history towards its model.
const CELL_PRIOR: f64 = 8.0;
/// Hours after which a cell's minutes become its history.
const HISTORY_LAG_HOURS: usize = 2;
/// Most cells of two conditions; beyond, new ones are not watched. Those of one condition are, as many as there are values.
const MAX_PAIRS: usize = 400_000;
/// Hours without a call after which a cell is forgotten: two weeks.
const FORGOTTEN: u16 = 14 * 24;

/// A cell: one or two conditions, packed as `attribute+1, code, attribute+1, code` (5, 27, 5, 27 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey(u64);

impl CellKey {
    fn one(attribute: usize, code: u32) -> u64 {
        (attribute as u64 + 1) << 27 | u64::from(code & 0x07ff_ffff)
    }

    fn of(a: (usize, u32), b: Option<(usize, u32)>) -> Self {
        Self(Self::one(a.0, a.1) << 32 | b.map_or(0, |b| Self::one(b.0, b.1)))
    }

    /// The cell's conditions.
    pub fn conditions(self) -> Vec<Condition> {
        [self.0 >> 32, self.0 & 0xffff_ffff]
            .into_iter()
            .filter(|half| *half != 0)
            .map(|half| {
                #[allow(clippy::cast_possible_truncation, reason = "5 and 27 bits")]
                let (attribute, code) = ((half >> 27) as usize - 1, (half & 0x07ff_ffff) as u32);
                Condition { attribute, code }
            })
            .collect()
    }

    const fn is_pair(self) -> bool {
        self.0 & 0xffff_ffff != 0
    }

    fn cuboid(self) -> u16 {
        #[allow(clippy::cast_possible_truncation, reason = "two times 5 bits")]
        let cuboid = ((self.0 >> 59) << 5 | (self.0 >> 27 & 31)) as u16;
        cuboid
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    k: f64,
    e: f64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.k += other.k;
        self.e += other.e;
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    /// ln M_λ for each alternative.
    log_m: [f64; ALTERNATIVES.len()],
    /// This minute, until it is judged.
    minute: Sum,
    block: Sum,
    /// This hour and the ones before, not yet history.
    hours: [Sum; HISTORY_LAG_HOURS],
    history: Sum,
    /// Hours since its last call.
    idle: u16,
}

impl Cell {
    /// How this cell's rate differs from the model's, by its own history.
    fn own(&self) -> f64 {
        (self.history.k + CELL_PRIOR) / (self.history.e + CELL_PRIOR)
    }

    fn log_mixture(&self) -> f64 {
        let top = self.log_m.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        #[allow(clippy::cast_precision_loss, reason = "five")]
        let count = self.log_m.len() as f64;
        top + (self.log_m.iter().map(|m| (m - top).exp()).sum::<f64>() / count).ln()
    }

    fn judge(&mut self, indifference: f64, dispersion: f64) {
        let Sum { k, e } = self.minute;
        let expected = indifference * e * self.own();
        for (log_m, ratio) in self.log_m.iter_mut().zip(ALTERNATIVES) {
            let evidence = dialtone_explain::poisson(k, expected, ratio) / dispersion;
            *log_m = step(*log_m, evidence);
        }
    }
}

/// One step of a Shiryaev–Roberts detector on the log scale, `M ← e^evidence · (M + 1)`, without leaving the range of a double.
pub(super) fn step(log_m: f64, evidence: f64) -> f64 {
    evidence + if log_m > 30.0 { log_m } else { log_m.exp().ln_1p() }
}

/// Residual dispersion of one cuboid: Σ (k − e)² / Σ e over blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Dispersion {
    squares: f64,
    expected: f64,
}

impl Dispersion {
    fn get(self) -> f64 {
        ((self.squares + DISPERSION_START * DISPERSION_PRIOR) / (self.expected + DISPERSION_PRIOR)).max(1.0)
    }
}

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

/// The detectors of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    #[serde(serialize_with = "sorted", deserialize_with = "unsorted")]
    cells: FxHashMap<CellKey, Cell>,
    dispersion: std::collections::BTreeMap<u16, Dispersion>,
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

impl Detector {
    /// Adds what a leaf showed this minute to its cells.
    pub fn add(&mut self, codes: &Codes, k: f64, e: f64) {
        for a in 0..D {
            if codes[a] == 0 {
                continue;
            }
            self.add_to(CellKey::of((a, codes[a]), None), Sum { k, e });
            for b in a + 1..D {
                if codes[b] != 0 {
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
        if cell.minute.e <= 0.0 {
            self.touched.push(key);
        }
        cell.minute.add(sum);
    }

    /// Ends the minute: judges every cell that saw calls. Returns the cells over `threshold`, strongest first.
    pub fn minute(&mut self, indifference: f64, threshold: f64) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            let dispersion = self.dispersion.get(&key.cuboid()).copied().unwrap_or_default().get();
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.judge(indifference, dispersion);
            let minute = std::mem::take(&mut cell.minute);
            cell.block.add(minute);
            cell.hours[0].add(minute);
            let log_m = cell.log_mixture();
            if log_m >= threshold {
                alarms.push(Alarm {
                    conditions: key.conditions(),
                    log_m,
                    key,
                });
            }
        }
        alarms.sort_by(|a, b| b.log_m.total_cmp(&a.log_m).then(a.key.cmp(&b.key)));
        self.minutes = self.minutes.wrapping_add(1);
        if self.minutes.is_multiple_of(BLOCK_MINUTES) {
            self.learn_dispersion(threshold);
        }
        if self.minutes.is_multiple_of(60) {
            self.age();
        }
        alarms
    }

    /// Learns from the blocks of cells that are not suspected of anything.
    fn learn_dispersion(&mut self, threshold: f64) {
        let mut keys: Vec<CellKey> = self.cells.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            let block = std::mem::take(&mut cell.block);
            if block.e > 0.0 && cell.log_mixture() < threshold / 2.0 {
                let expected = block.e * cell.own();
                let of_cuboid = self.dispersion.entry(key.cuboid()).or_default();
                of_cuboid.squares += (block.k - expected).powi(2);
                of_cuboid.expected += expected;
            }
        }
        for of_cuboid in self.dispersion.values_mut() {
            // A day's blocks weigh as much as everything before them.
            of_cuboid.squares *= 0.99;
            of_cuboid.expected *= 0.99;
        }
    }

    /// An hour is over: the hours move on, the oldest becomes history.
    fn age(&mut self) {
        #[allow(clippy::iter_over_hash_type, reason = "each cell ages by itself")]
        for cell in self.cells.values_mut() {
            let oldest = cell.hours[HISTORY_LAG_HOURS - 1];
            cell.history.add(oldest);
            cell.idle = if cell.hours[0].e > 0.0 { 0 } else { cell.idle + 1 };
            cell.hours.rotate_right(1);
            cell.hours[0] = Sum::default();
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
            cell.log_m = [0.0; ALTERNATIVES.len()];
        }
    }

    /// Forgets the evidence of every cell that has gathered some: what a named cause does not explain gathers anew.
    pub fn forget_above(&mut self, log_m: f64) {
        #[allow(clippy::iter_over_hash_type, reason = "each cell is reset by itself")]
        for cell in self.cells.values_mut() {
            if cell.log_mixture() > log_m {
                cell.log_m = [0.0; ALTERNATIVES.len()];
            }
        }
    }

    /// How many cells are watched.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The mean dispersion of the one-condition cuboids: that of a scan's residuals.
    pub fn mean_dispersion(&self) -> f64 {
        let single = self
            .dispersion
            .iter()
            .filter(|(cuboid, d)| **cuboid & 31 == 0 && d.expected > 0.0);
        let (squares, expected) = single.fold((0.0, 0.0), |(s, e), (_, d)| (s + d.squares, e + d.expected));
        Dispersion { squares, expected }.get()
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

    #[test]
    fn a_cell_names_its_conditions() {
        let key = CellKey::of((0, 7), Some((13, 90_000)));
        let expected = [
            Condition { attribute: 0, code: 7 },
            Condition {
                attribute: 13,
                code: 90_000,
            },
        ];
        assert_eq!(key.conditions(), expected);
        assert_eq!(CellKey::of((6, 1), None).conditions().len(), 1);
    }

    /// One poor call a minute where 0.2 were expected: about 20 minutes to ln A = 14, and the site's cell is among the first.
    #[test]
    fn a_fivefold_rate_is_noticed_within_half_an_hour_and_a_quiet_site_is_not() {
        let mut detector = Detector::default();
        let mut noticed = None;
        for minute in 0..120 {
            detector.add(
                &codes(1, 1),
                if minute >= 60 {
                    1.0
                } else {
                    f64::from(u8::from(minute % 5 == 0))
                },
                0.2,
            );
            detector.add(&codes(2, 1), f64::from(u8::from(minute % 5 == 0)), 0.2);
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
        assert!(noticed.is_some_and(|minute| (65..90).contains(&minute)), "{noticed:?}");
    }

    #[test]
    fn a_cell_without_calls_for_two_weeks_is_forgotten_and_gives_its_room_back() {
        let mut detector = Detector::default();
        detector.add(&codes(1, 1), 0.0, 0.2);
        detector.minute(1.25, 14.0);
        assert_eq!((detector.cells(), detector.pairs), (3, 1));
        for _ in 0..15 * 24 * 60 {
            detector.add(&codes(2, 0), 0.0, 0.2);
            detector.minute(1.25, 14.0);
        }
        assert_eq!((detector.cells(), detector.pairs), (1, 0));
    }

    #[test]
    fn wild_blocks_teach_dispersion() {
        let mut wild = Detector::default();
        for minute in 0..2000 {
            // Every other block of 20 minutes has twice its share, every other none.
            let k = if minute / 20 % 2 == 0 { 2.0 } else { 0.0 };
            wild.add(&codes(1, 1), k, 1.0);
            wild.minute(1.25, 1e9);
        }
        // (40 − 20)² / 20 = 20 for each block; the prior of 30 at 1.3 pulls it down a little.
        assert!(
            (15.0..=20.5).contains(&wild.mean_dispersion()),
            "{}",
            wild.mean_dispersion()
        );
    }
}
