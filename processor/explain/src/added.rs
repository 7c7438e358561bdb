//! Hazards add: a broken line makes one call in twenty poor whether it was a good line before or a bad one.
//!
//! With `n` at risk, `k` poor and `e` expected in each row of a scope, the likelihood ratio of "a share δ of all its call-ends is poor
//! beyond what was expected" is `Σ k ln(1 + δ n / e) − δ Σ n`, at its highest where `Σ k n / (e + δ n) = Σ n`.

use crate::{scan::Candidate, table::Table};

/// Steps of the search for the share; it converges within a few.
const STEPS: usize = 30;

/// A row's call-ends at risk, poor and expected.
type Row = (f64, f64, f64);

/// What this story explains more than "everything is multiplied by k / e", in nats; never below zero.
pub(crate) fn gain(table: &Table, candidate: &Candidate, zone: f64) -> f64 {
    let rows = rows(table, candidate, zone);
    let share = share_added(&rows);
    let added: f64 = rows
        .iter()
        .map(|(n, k, e)| k * (share * n / e).ln_1p() - share * n)
        .sum();
    let (k, e) = (candidate.k, candidate.e * zone);
    let multiplied = if k > e { k * (k / e).ln() - (k - e) } else { 0.0 };
    (added - multiplied).max(0.0)
}

/// The share of call-ends that is poor beyond what was expected.
pub(crate) fn share(table: &Table, candidate: &Candidate, zone: f64) -> f64 {
    share_added(&rows(table, candidate, zone))
}

fn rows(table: &Table, candidate: &Candidate, zone: f64) -> Vec<Row> {
    let of = |row: usize| {
        let row = &table.rows()[row];
        (row.n, row.k, row.e * zone)
    };
    let covered = table.covered(&candidate.conditions).map(of);
    covered.filter(|(n, _, e)| *n > 0.0 && *e > 0.0).collect()
}

/// The share of call-ends that is poor beyond what was expected, of rows of call-ends at risk, poor and expected (more than none).
///
/// Newton's method on a falling, convex function, from the left: it never steps beyond the root.
pub(crate) fn share_added(rows: &[(f64, f64, f64)]) -> f64 {
    let total: f64 = rows.iter().map(|(n, ..)| n).sum();
    let mut share = 0.0;
    for _ in 0..STEPS {
        let (mut slope, mut beyond) = (0.0, -total);
        for (n, k, e) in rows {
            let expected = share * n + e;
            beyond += k * n / expected;
            slope += k * n * n / (expected * expected);
        }
        if beyond <= 1e-9 * total || slope <= 0.0 {
            break;
        }
        share += beyond / slope;
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Condition, Row};

    fn table(rows: &[(f64, f64, f64)]) -> (Table, Candidate) {
        let mut table = Table::new(1);
        for (n, k, e) in rows {
            let row = Row {
                n: *n,
                k: *k,
                e: *e,
                weight: *n,
            };
            table.push(&[1], row);
        }
        let sum = |of: fn(&(f64, f64, f64)) -> f64| rows.iter().map(of).sum();
        let candidate = Candidate {
            conditions: vec![Condition { attribute: 0, code: 1 }],
            n: sum(|r| r.0),
            k: sum(|r| r.1),
            e: sum(|r| r.2),
            llr: 0.0,
            score: 0.0,
        };
        (table, candidate)
    }

    /// 1000 wired call-ends with 10 expected and 60 poor, 1000 on Wi-Fi with 40 expected and 90 poor: 5 % more of each. Added:
    /// 60 ln 6 + 90 ln 2.25 − 100 = 80.5 nats; multiplied by three: 150 ln 3 − 100 = 64.8.
    #[test]
    fn the_same_share_on_good_and_bad_lines_is_one_cause() {
        let (table, candidate) = table(&[(1000.0, 60.0, 10.0), (1000.0, 90.0, 40.0)]);
        assert!((share(&table, &candidate, 1.0) - 0.05).abs() < 1e-6);
        let expected = 60.0 * 6.0_f64.ln() + 90.0 * 2.25_f64.ln() - 150.0 * 3.0_f64.ln();
        assert!((gain(&table, &candidate, 1.0) - expected).abs() < 1e-6);
    }

    #[test]
    fn what_is_multiplied_gains_nothing_by_being_added() {
        let (tripled, candidate) = table(&[(1000.0, 30.0, 10.0), (1000.0, 120.0, 40.0)]);
        assert!(gain(&tripled, &candidate, 1.0) <= 0.0);
        let (better, candidate) = table(&[(1000.0, 5.0, 10.0)]);
        assert!(share(&better, &candidate, 1.0) <= 0.0 && gain(&better, &candidate, 1.0) <= 0.0);
    }
}
