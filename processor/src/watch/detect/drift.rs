//! How far rates wander by themselves: for each cuboid, learnt on blocks of cells that are not suspected of anything.
//!
//! A cell's poor call-ends vary by `φ e + τ² e²`: φ is the dispersion of single calls (people who are poor again and again), τ the
//! standard deviation by which a cell's log-rate drifts. φ is read where little is expected, τ² where much is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{cell::Sum, key::Cuboid};

/// Drift believed before anything is learnt: a variance of the log-rate.
const START: f64 = 0.04;
/// ... with the weight of so many squared expected call-ends.
const WEIGHT: f64 = 30.0;
/// No drift is smaller.
const FLOOR: f64 = 0.005;
/// Dispersion believed before anything is learnt, of poor call-ends and of scores, with the weight of so many expected ones.
const FINE_START: f64 = 1.3;
const FINE_START_SCORES: f64 = 5.0;
const FINE_WEIGHT: f64 = 30.0;
/// Blocks with less expected than this tell of single calls: of poor call-ends ...
const FEW: f64 = 0.5;
/// ... and of their scores, of which a call has one in each of its minutes.
const FEW_SCORES: f64 = 8.0;
/// A block further off than so many standard deviations of the drift at the start counts as if it were so far off.
const FAR: f64 = 4.0;
/// What a block still counts for a block later: a day's weigh as much as everything before them.
const KEEPS: f64 = 0.99;

/// Sums over blocks: squared residuals, expected, and their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    squares: f64,
    expected: f64,
    expected_squared: f64,
}

impl Moments {
    fn add(&mut self, block: Sum, fine_start: f64) {
        // One poor call where hardly any was expected is no wild block.
        let variance = (fine_start * block.e + START * block.e * block.e).max(1.0);
        self.squares += (block.k - block.e).powi(2).min(FAR * FAR * variance);
        self.expected += block.e;
        self.expected_squared += block.e * block.e;
    }

    fn keep(&mut self, share: f64) {
        self.squares *= share;
        self.expected *= share;
        self.expected_squared *= share;
    }
}

/// What has been learnt of the drift on one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    cuboids: BTreeMap<Cuboid, Moments>,
    fine: Moments,
    /// Blocks with less expected tell of single calls.
    few: f64,
    /// The dispersion of single calls that is believed before anything is learnt.
    fine_start: f64,
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            cuboids: BTreeMap::new(),
            fine: Moments::default(),
            few: FEW,
            fine_start: FINE_START,
        }
    }
}

impl Drift {
    /// Of the scores of all call-ends.
    pub(super) fn of_scores() -> Self {
        Self {
            few: FEW_SCORES,
            fine_start: FINE_START_SCORES,
            ..Self::default()
        }
    }

    /// Learns from a block of a scope of one or two attributes: its poor call-ends, and how many were expected.
    pub fn learn_of(&mut self, attributes: &[usize], k: f64, e: f64) {
        if let [one, rest @ ..] = attributes {
            self.learn(Cuboid::of(*one, rest.first().copied()), Sum { k, e });
        }
    }

    /// Learns from the block of a cell, as far as it was expected of this cell.
    pub(super) fn learn(&mut self, cuboid: Cuboid, block: Sum) {
        self.cuboids.entry(cuboid).or_default().add(block, self.fine_start);
        if block.e < self.few {
            self.fine.add(block, self.fine_start);
        }
    }

    /// A block is over: what was learnt before counts less.
    pub(super) fn age(&mut self) {
        self.fine.keep(KEEPS);
        self.cuboids.values_mut().for_each(|moments| moments.keep(KEEPS));
    }

    /// The dispersion of single calls.
    pub fn fine(&self) -> f64 {
        ((self.fine.squares + self.fine_start * FINE_WEIGHT) / (self.fine.expected + FINE_WEIGHT)).max(1.0)
    }

    /// By how much the log-rates of a cuboid's cells vary by themselves: of two attributes as of the one that drifts more, until
    /// more is known.
    pub(super) fn of_cuboid(&self, cuboid: Cuboid, fine: f64) -> f64 {
        let start = match cuboid.halves() {
            Some(halves) => halves
                .map(|half| self.learnt(half, fine, START))
                .into_iter()
                .fold(FLOOR, f64::max),
            None => START,
        };
        self.learnt(cuboid, fine, start)
    }

    fn learnt(&self, cuboid: Cuboid, fine: f64, start: f64) -> f64 {
        let of = self.cuboids.get(&cuboid).copied().unwrap_or_default();
        let beyond = (of.squares - fine * of.expected).max(0.0);
        ((beyond + start * WEIGHT) / (of.expected_squared + WEIGHT)).max(FLOOR)
    }

    /// The same of scopes of these attributes: of three, that of the two which drift most.
    pub fn of(&self, attributes: &[usize]) -> f64 {
        let fine = self.fine();
        let pairs = (0..attributes.len()).flat_map(|i| (i + 1..attributes.len()).map(move |j| (i, j)));
        match attributes {
            [] => self.of_cuboid(Cuboid::EVERYTHING, fine),
            [one] => self.of_cuboid(Cuboid::of(*one, None), fine),
            _ => pairs
                .map(|(i, j)| self.of_cuboid(Cuboid::of(attributes[i], Some(attributes[j])), fine))
                .fold(FLOOR, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of 100 expected with 80 and 120 poor: (20² − 1.3 · 100) / 100² = 0.027 — a rate that wanders by 16 %.
    #[test]
    fn blocks_that_wander_together_teach_drift() {
        let mut drift = Drift::default();
        let site = Cuboid::of(0, None);
        for i in 0..50 {
            let k = if i % 2 == 0 { 80.0 } else { 120.0 };
            drift.learn(site, Sum { k, e: 100.0 });
        }
        assert!((drift.of(&[0]) - 0.027).abs() < 0.001, "{}", drift.of(&[0]));
        assert!((drift.of(&[1]) - START).abs() < 1e-9, "nothing is known of another");
    }

    /// Where a tenth is expected and every tenth block has one: (0.9² + 9 · 0.1²) / (10 · 0.1) = 0.9 → at least 1.
    #[test]
    fn single_calls_have_a_dispersion_of_their_own() {
        let mut drift = Drift::default();
        for i in 0..10_000 {
            let k = if i % 10 == 0 { 1.0 } else { 0.0 };
            drift.learn(Cuboid::of(3, Some(5)), Sum { k, e: 0.1 });
        }
        assert!((drift.fine() - 1.0).abs() < 0.01, "{}", drift.fine());
        assert!((drift.of(&[3, 5]) - START * WEIGHT / (100.0 + WEIGHT)).abs() < 0.01);
    }

    #[test]
    fn one_wild_block_is_taken_for_four_standard_deviations() {
        let mut drift = Drift::default();
        drift.learn(Cuboid::of(0, None), Sum { k: 1000.0, e: 1.0 });
        // 16 · (1.3 + 0.04) = 21.44; less 1.3 and with the start's 1.2: 21.34 / 31
        assert!((drift.of(&[0]) - 21.34 / 31.0).abs() < 0.01, "{}", drift.of(&[0]));
    }

    #[test]
    fn three_attributes_drift_as_the_two_that_drift_most() {
        let mut drift = Drift::default();
        let pair = Cuboid::of(0, Some(6));
        (0..100).for_each(|i| {
            let k = if i % 2 == 0 { 0.0 } else { 20.0 };
            drift.learn(pair, Sum { k, e: 10.0 });
        });
        assert!((drift.of(&[0, 3, 6]) - drift.of(&[0, 6])).abs() < 1e-9);
        assert!(drift.of(&[0, 3, 6]) > drift.of(&[0, 3]));
    }
}
