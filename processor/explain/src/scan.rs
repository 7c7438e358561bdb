//! The scan over the lattice: every conjunction of a few conditions that holds enough excess.

use crate::{
    lattice::{self, Cells, Packing, sets},
    score::{inside_outside, price},
    table::{Condition, Table},
};

/// What the scan may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Most conditions of a scope.
    pub max_depth: usize,
    /// Least poor call-ends beyond the expected ones.
    pub min_excess: f64,
    /// Residual dispersion, at least 1: likelihood ratios are divided by it (quasi-likelihood).
    pub dispersion: f64,
    /// Candidates kept.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_depth: 3,
            min_excess: 5.0,
            dispersion: 1.0,
            keep: 40,
        }
    }
}

/// A scope with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The conditions, by attribute.
    pub conditions: Vec<Condition>,
    /// Call-ends at risk inside.
    pub n: f64,
    /// Poor ones inside.
    pub k: f64,
    /// Expected ones inside.
    pub e: f64,
    /// The likelihood ratio, in nats.
    pub llr: f64,
    /// The likelihood ratio over the dispersion, less the scope's price.
    pub score: f64,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    n: f64,
    k: f64,
    e: f64,
    rows: u32,
}

impl lattice::Cell for Cell {
    fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// The candidates with the highest scores, best first; equal scores in the order of their conditions.
pub fn scan(table: &Table, settings: &Settings) -> Vec<Candidate> {
    let (total_k, total_e) = table
        .rows()
        .iter()
        .fold((0.0, 0.0), |(k, e), row| (k + row.k, e + row.e));
    let mut found = Vec::new();
    let mut cells = Cells::<Cell>::default();
    for attributes in sets(table.attributes(), settings.max_depth) {
        let Some(packing) = Packing::new(table.all_codes(), &attributes) else {
            continue; // not with as many values as a person can name
        };
        cells.fill(table.all_codes(), &packing, |cell, row| {
            let row = &table.rows()[row];
            cell.n += row.n;
            cell.k += row.k;
            cell.e += row.e;
            cell.rows += 1;
        });
        let count = cells.count();
        for (key, cell) in cells.iter().filter(|(_, cell)| cell.k - cell.e >= settings.min_excess) {
            let llr = inside_outside(cell.k, cell.e, total_k, total_e);
            let score = llr / settings.dispersion.max(1.0) - price(table.attributes(), attributes.len(), count, cell.n);
            found.push(Candidate {
                conditions: packing.conditions(key),
                n: cell.n,
                k: cell.k,
                e: cell.e,
                llr,
                score,
            });
        }
    }
    found.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.conditions.cmp(&b.conditions))
    });
    found.truncate(settings.keep);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    /// 4 sites × 3 headsets × 2 connections, 100 call-ends and 3 expected poor each.
    pub(crate) fn grid(poor: impl Fn(u32, u32, u32) -> f64) -> Table {
        let mut table = Table::new(3);
        for site in 1..=4 {
            for headset in 1..=3 {
                for connection in 1..=2 {
                    let row = Row {
                        n: 100.0,
                        k: poor(site, headset, connection),
                        e: 3.0,
                        weight: 100.0,
                    };
                    table.push(&[site, headset, connection], row);
                }
            }
        }
        table
    }

    #[test]
    fn the_smallest_scope_that_holds_the_excess_comes_first() {
        let one_site = scan(
            &grid(|site, _, _| if site == 2 { 12.0 } else { 3.0 }),
            &Settings::default(),
        );
        assert_eq!(one_site[0].conditions, [Condition { attribute: 0, code: 2 }]);
        assert_eq!((one_site[0].k, one_site[0].e), (72.0, 18.0));

        let corner = grid(|site, headset, _| if (site, headset) == (2, 3) { 20.0 } else { 3.0 });
        let expected = [Condition { attribute: 0, code: 2 }, Condition { attribute: 1, code: 3 }];
        assert_eq!(scan(&corner, &Settings::default())[0].conditions, expected);
    }

    #[test]
    fn where_nothing_is_wrong_no_scope_has_a_positive_score() {
        assert!(
            scan(
                &grid(|_, _, _| 3.0),
                &Settings {
                    min_excess: 0.0,
                    ..Settings::default()
                }
            )
            .iter()
            .all(|candidate| candidate.score < 0.0)
        );
    }

    #[test]
    fn an_unknown_value_is_never_a_cause() {
        let mut table = grid(|_, _, _| 3.0);
        table.push(
            &[0, 0, 0],
            Row {
                n: 100.0,
                k: 90.0,
                e: 3.0,
                weight: 100.0,
            },
        );
        assert!(scan(&table, &Settings::default()).is_empty());
    }
}
