//! Volume against expectation: an outage has no leaves, so silence is looked for, window by window.
//!
//! A cell of one condition expects the mean of its last hours' minutes, moved by what everybody else does meanwhile. The
//! evidence that only `DROP` of it comes is summed (CUSUM of the Poisson ratio, over the learnt dispersion; DESIGN.md §5).

use std::collections::{BTreeMap, VecDeque};

use dialtone_explain::Condition;
use dialtone_schemas::Dimension;
use serde::{Deserialize, Serialize};

use super::{
    baseline::real,
    dictionary::{Codes, D},
};

/// Dimensions whose values can fall silent together.
const WATCHED: [Dimension; 7] = [
    Dimension::Site,
    Dimension::Building,
    Dimension::Segment,
    Dimension::Isp,
    Dimension::Carrier,
    Dimension::Relay,
    Dimension::Device,
];
/// The share of its volume that is left in an outage.
const DROP: f64 = 0.2;
/// Minutes that make the expectation, and the youngest ones left out of it.
const MEMORY: usize = 45;
const HOLD_OFF: usize = 5;
/// A cell expects at least so many events a minute to be judged.
const MIN_EXPECTED: f64 = 4.0;
/// At least so many events must be missing in all.
const MIN_MISSING: f64 = 30.0;
/// Dispersion of minutes: an event a minute comes from a call of several minutes, so counts move together.
const DISPERSION: f64 = 2.5;

/// Events that pull the trend of the others towards "as before".
const TREND_PRIOR: f64 = 5.0;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    minutes: VecDeque<i64>,
    now: i64,
    evidence: f64,
    missing: f64,
    /// When the evidence began to gather, in minutes before now.
    age: u32,
    /// The expectation is frozen while the cell is out.
    frozen: Option<f64>,
}

impl Cell {
    fn mean(&self) -> f64 {
        let old = self.minutes.iter().take(self.minutes.len().saturating_sub(HOLD_OFF));
        let (sum, count) = old.fold((0, 0u32), |(sum, count), events| (sum + events, count + 1));
        if count as usize >= (MEMORY - HOLD_OFF) / 2 { real(sum) / f64::from(count) } else { 0.0 }
    }
}

/// A cell that has fallen silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Its one condition.
    pub condition: Condition,
    /// Events missing so far.
    pub missing: f64,
    /// Events expected a minute.
    pub expected: f64,
    /// Minutes since it began.
    pub minutes: u32,
    /// The evidence in nats.
    pub evidence: f64,
}

/// The volume of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    cells: BTreeMap<(usize, u32), Cell>,
    all: Cell,
}

impl Volume {
    /// Events of a leaf this minute.
    pub fn add(&mut self, codes: &Codes, events: i64) {
        self.all.now += events;
        for dimension in WATCHED {
            let attribute = dimension.index();
            if codes[attribute] != 0 {
                self.cells.entry((attribute, codes[attribute])).or_default().now += events;
            }
        }
    }

    /// Ends the minute. Returns the cells whose silence passes `threshold` nats, most missing first.
    pub fn minute(&mut self, threshold: f64) -> Vec<Silence> {
        let (all_now, all_mean) = (real(self.all.now), self.all.mean());
        let mut silences = Vec::new();
        for ((attribute, code), cell) in &mut self.cells {
            let mean = cell.mean();
            // What everybody else does meanwhile: the evening takes calls from all.
            let others = (all_mean - mean).max(0.0);
            let others_now = (all_now - real(cell.now)).max(0.0);
            let trend = ((others_now + TREND_PRIOR) / (others + TREND_PRIOR)).clamp(0.2, 1.0);
            let expected = cell.frozen.unwrap_or(mean * trend);
            cell.judge(expected);
            if cell.evidence >= threshold && cell.missing >= MIN_MISSING {
                cell.frozen.get_or_insert(expected);
                let condition = Condition { attribute: *attribute, code: *code };
                let (missing, minutes, evidence) = (cell.missing, cell.age, cell.evidence);
                silences.push(Silence { condition, missing, expected, minutes, evidence });
            }
        }
        self.all.next();
        self.cells.values_mut().for_each(Cell::next);
        self.cells.retain(|_, cell| cell.frozen.is_some() || cell.minutes.iter().any(|events| *events > 0));
        silences.sort_by(|a, b| b.missing.total_cmp(&a.missing).then(a.condition.cmp(&b.condition)));
        silences
    }

    /// Is the volume of a silent cell back? Then it is judged anew.
    pub fn is_back(&mut self, condition: Condition) -> bool {
        let Some(cell) = self.cells.get_mut(&(condition.attribute, condition.code)) else { return true };
        let expected = cell.frozen.unwrap_or(0.0);
        let last: i64 = cell.minutes.iter().rev().take(5).sum();
        let back = real(last) >= 0.5 * 5.0 * expected;
        if back {
            (cell.frozen, cell.evidence, cell.missing, cell.age) = (None, 0.0, 0.0, 0);
        }
        back
    }

    /// How many cells are watched.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }
}

impl Cell {
    fn judge(&mut self, expected: f64) {
        if expected < MIN_EXPECTED {
            return;
        }
        let seen = real(self.now);
        let evidence = dialtone_explain::poisson(seen, expected, DROP) / DISPERSION;
        self.evidence = (self.evidence + evidence).max(0.0);
        if self.evidence > 0.0 {
            self.missing += (expected - seen).max(0.0);
            self.age += 1;
        } else {
            (self.missing, self.age) = (0.0, 0);
        }
    }

    fn next(&mut self) {
        self.minutes.push_back(self.now);
        if self.minutes.len() > MEMORY {
            self.minutes.pop_front();
        }
        self.now = 0;
    }
}

/// Of silent cells, those that are not just a part of a larger one. `leaves` tells who shares calls with whom.
pub fn outermost(silences: Vec<Silence>, leaves: &[Codes], weight: impl Fn(u32) -> f64) -> Vec<Silence> {
    let mut kept: Vec<Silence> = Vec::new();
    for silence in silences {
        let c = silence.condition;
        let (mut own, mut shared) = (0.0, 0.0);
        for (leaf, codes) in leaves.iter().enumerate().filter(|(_, codes)| codes[c.attribute] == c.code) {
            let w = weight(u32::try_from(leaf).unwrap_or(u32::MAX));
            own += w;
            shared += if kept.iter().any(|k| codes[k.condition.attribute] == k.condition.code) { w } else { 0.0 };
        }
        if own <= 0.0 || shared < 0.6 * own {
            kept.push(silence);
        }
    }
    kept
}

const _: () = assert!(D == 14);

#[cfg(test)]
mod tests {
    use super::*;

    fn site(code: u32) -> Codes {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = code;
        codes
    }

    /// 20 events a minute fall to none: 0.8 · 20 / 2.5 = 6.4 nats a minute, 30 missing after two minutes.
    #[test]
    fn a_site_that_falls_silent_is_noticed_in_three_minutes_and_the_others_are_not() {
        let mut volume = Volume::default();
        let mut noticed = None;
        for minute in 0..90 {
            volume.add(&site(1), 40);
            if minute < 70 {
                volume.add(&site(2), 20);
            }
            for silence in volume.minute(14.0) {
                assert_eq!(silence.condition.code, 2);
                noticed.get_or_insert(minute);
            }
        }
        assert_eq!(noticed, Some(72), "6.4 · 3 = 19.2 > 14");
    }

    #[test]
    fn an_evening_that_empties_everybody_is_no_outage() {
        let mut volume = Volume::default();
        for minute in 0..240i64 {
            let level = (240 - minute).max(10);
            volume.add(&site(1), level / 4);
            volume.add(&site(2), level / 8);
            assert_eq!(volume.minute(14.0), []);
        }
    }

    #[test]
    fn a_building_is_part_of_its_silent_site() {
        let silence = |dimension: Dimension, missing| Silence {
            condition: Condition { attribute: dimension.index(), code: 1 },
            missing,
            expected: 10.0,
            minutes: 3,
            evidence: 20.0,
        };
        let mut codes = site(1);
        codes[Dimension::Building.index()] = 1;
        let both = vec![silence(Dimension::Site, 60.0), silence(Dimension::Building, 30.0)];
        let kept = outermost(both, &[codes], |_| 1.0);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].condition.attribute, Dimension::Site.index());
    }
}
