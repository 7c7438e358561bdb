//! What to expect of a leaf from its own past: for plain tables, where no baseline was learned.

use std::collections::BTreeMap;

use crate::table::{Row, Table};

/// Calls of the common rate that a leaf's own history is mixed with.
const PRIOR: f64 = 20.0;
/// A variance is not taken to be less than this.
const LEAST_VARIANCE: f64 = 0.25;

/// What was seen of one leaf at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The values of its attributes; 0 is unknown.
    pub codes: Vec<u32>,
    /// When, in any unit.
    pub at: i64,
    /// Calls.
    pub calls: f64,
    /// Poor ones.
    pub poor: f64,
}

/// What was seen at one time against what was seen before: the table to be scanned, and the dispersion of the past.
///
/// A leaf is expected to be poor at its own rate, shrunk to the common one: `(K + 20 P) / (N + 20)`, where the common one is
/// `(K + ½) / (N + 1)` of all: a past without a poor call does not make the first one impossible. The dispersion is the
/// mean of Pearson's `(k − n p)² / n p (1 − p)` over the leaves and times of the past, at least 1.
pub fn against_history(observations: &[Observation], at: i64) -> (Table, f64) {
    let attributes = observations.first().map_or(0, |first| first.codes.len());
    let past = || observations.iter().filter(|seen| seen.at < at);
    let mut own: BTreeMap<&[u32], (f64, f64)> = BTreeMap::new();
    let (mut calls, mut poor) = (0.0, 0.0);
    for seen in past() {
        let sum = own.entry(&seen.codes).or_default();
        *sum = (sum.0 + seen.calls, sum.1 + seen.poor);
        (calls, poor) = (calls + seen.calls, poor + seen.poor);
    }
    let common = (poor + 0.5) / (calls + 1.0);
    let rate = |codes: &[u32]| {
        let (calls, poor) = own.get(codes).copied().unwrap_or_default();
        PRIOR.mul_add(common, poor) / (calls + PRIOR)
    };
    let mut table = Table::new(attributes);
    for seen in observations.iter().filter(|seen| seen.at == at) {
        let row = Row {
            n: seen.calls,
            k: seen.poor,
            e: seen.calls * rate(&seen.codes),
            weight: seen.calls,
        };
        table.push(&seen.codes, row);
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for seen in past() {
        let p = rate(&seen.codes);
        let variance = (seen.calls * p * (1.0 - p)).max(LEAST_VARIANCE);
        sum += (seen.poor - seen.calls * p).powi(2) / variance;
        count += 1.0;
    }
    (table, if count > 0.0 { (sum / count).max(1.0) } else { 1.0 })
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact arithmetic on small numbers")]
mod tests {
    use super::*;

    fn seen(code: u32, at: i64, calls: f64, poor: f64) -> Observation {
        Observation {
            codes: vec![code],
            at,
            calls,
            poor,
        }
    }

    /// Before: leaf 1 had 4 poor of 60, leaf 2 had 0 of 29: 4.5 / 90 = 5 % in all, 20 calls of which are 1 poor. Leaf 1:
    /// (4+1)/80, of 80 calls 5. Leaf 3 was never seen: 5 %, of 40 calls 2.
    #[test]
    fn a_leaf_is_expected_to_go_on_as_before_and_a_new_one_as_all() {
        let past = [seen(1, 0, 30.0, 3.0), seen(1, 1, 30.0, 1.0), seen(2, 1, 29.0, 0.0)];
        let now = [seen(1, 2, 80.0, 50.0), seen(3, 2, 40.0, 0.0), seen(1, 3, 9.0, 9.0)];
        let (table, dispersion) = against_history(&[past.as_slice(), now.as_slice()].concat(), 2);
        let rows: Vec<_> = table.rows().iter().map(|row| (row.n, row.k, row.e)).collect();
        assert_eq!(
            rows,
            [(80.0, 50.0, 5.0), (40.0, 0.0, 2.0)],
            "what came later is not known yet"
        );
        assert_eq!(dispersion, 1.0, "the past was calmer than chance");
    }

    /// Common and own rate 1/2; 90 and 10 of 100, expected 50 each: 40² / 25 = 64 both times.
    #[test]
    fn a_restless_past_is_dispersed() {
        let past = [seen(1, 0, 100.0, 90.0), seen(1, 1, 100.0, 10.0)];
        assert_eq!(against_history(&past, 2).1, 64.0);
    }
}
