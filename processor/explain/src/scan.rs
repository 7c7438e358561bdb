//! The scan over the lattice: every conjunction of a few conditions that holds enough excess.

use crate::{
    indifference::Indifference,
    lattice::{self, Cells, Packing, sets},
    score::{inside_outside, price},
    table::{Condition, Row, Table},
};

/// What the scan may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings<'a> {
    /// Most conditions of a scope.
    pub max_depth: usize,
    /// Least poor call-ends beyond the expected ones.
    pub min_excess: f64,
    /// Residual dispersion, at least 1: likelihood ratios are divided by it (quasi-likelihood).
    pub dispersion: f64,
    /// Candidates kept.
    pub keep: usize,
    /// Rates that are not yet worth naming; without it, whatever is above the expected one is.
    pub indifference: Option<&'a Indifference>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            max_depth: 3,
            min_excess: 5.0,
            dispersion: 1.0,
            keep: 40,
            indifference: None,
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

impl Cell {
    fn add(&mut self, row: &Row) {
        self.n += row.n;
        self.k += row.k;
        self.e += row.e;
        self.rows += 1;
    }
}

impl lattice::Cell for Cell {
    fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

/// The candidates with the highest scores, best first; equal scores in the order of their conditions.
///
/// Poor calls are few: most cuboids are ruled out by the rows that have any. A cell cannot be worth more than what its poor
/// rows would be worth alone; only cuboids with a cell that could still be among the best are summed over all rows.
pub fn scan(table: &Table, settings: &Settings<'_>) -> Vec<Candidate> {
    let mut scan = Scan::new(table, settings);
    for attributes in sets(table.attributes(), settings.max_depth) {
        // Not with as many values as a person can name.
        if let Some(packing) = Packing::new(table.all_codes(), &attributes) {
            scan.cuboid(&packing, attributes.len());
        }
    }
    scan.best.sort();
    scan.best.found
}

struct Scan<'a> {
    table: &'a Table,
    settings: &'a Settings<'a>,
    /// Rows with a poor call.
    poor: Vec<usize>,
    total_k: f64,
    total_e: f64,
    bounds: Cells<Cell>,
    cells: Cells<Cell>,
    best: Best,
}

impl<'a> Scan<'a> {
    fn new(table: &'a Table, settings: &'a Settings<'a>) -> Self {
        let rows = table.rows();
        Self {
            table,
            settings,
            poor: (0..rows.len()).filter(|row| rows[*row].k > 0.0).collect(),
            total_k: rows.iter().map(|row| row.k).sum(),
            total_e: rows.iter().map(|row| row.e).sum(),
            bounds: Cells::default(),
            cells: Cells::default(),
            best: Best::new(settings.keep),
        }
    }

    fn cuboid(&mut self, packing: &Packing, depth: usize) {
        let (codes, rows) = (self.table.all_codes(), self.table.rows());
        self.bounds
            .fill(codes, packing, self.poor.iter().copied(), |cell, row| {
                cell.add(&rows[row]);
            });
        let count = self.bounds.count();
        let could = |cell: &Cell| {
            cell.k - cell.e >= self.settings.min_excess && self.score(cell, depth, count).1 >= self.best.least
        };
        let promising: Vec<u64> = self
            .bounds
            .iter()
            .filter(|(_, cell)| could(cell))
            .map(|(key, _)| key)
            .collect();
        if promising.is_empty() {
            return;
        }
        self.cells.fill(codes, packing, 0..rows.len(), |cell, row| {
            cell.add(&rows[row]);
        });
        let count = self.cells.count();
        for key in promising {
            let Some(cell) = self
                .cells
                .get(key)
                .filter(|cell| cell.k - cell.e >= self.settings.min_excess)
            else {
                continue;
            };
            let (llr, score) = self.score(cell, depth, count);
            if score >= self.best.least {
                self.best.take(Candidate {
                    conditions: packing.conditions(key),
                    n: cell.n,
                    k: cell.k,
                    e: cell.e,
                    llr,
                    score,
                });
            }
        }
    }

    /// The likelihood ratio of a cell, and its score among so many cells. Both fall as `e` and `n` rise.
    fn score(&self, cell: &Cell, depth: usize, count: f64) -> (f64, f64) {
        let llr = inside_outside(cell.k, cell.e, self.total_k, self.total_e);
        let price = price(self.table.attributes(), depth, count, cell.n);
        (llr, llr / self.settings.dispersion.max(1.0) - price)
    }
}

/// Best first; equal scores in the order of their conditions.
pub(crate) fn sort(candidates: &mut [Candidate]) {
    candidates.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then_with(|| a.conditions.cmp(&b.conditions))
    });
}

/// The best candidates so far.
struct Best {
    keep: usize,
    found: Vec<Candidate>,
    /// What a further one must be worth.
    least: f64,
}

impl Best {
    const fn new(keep: usize) -> Self {
        Self {
            keep,
            found: Vec::new(),
            least: f64::NEG_INFINITY,
        }
    }

    fn take(&mut self, candidate: Candidate) {
        self.found.push(candidate);
        // Sorted now and then, not each time.
        if self.found.len() >= self.keep.saturating_mul(2).max(64) && self.found.len() > self.keep {
            self.sort();
        }
    }

    fn sort(&mut self) {
        sort(&mut self.found);
        self.found.truncate(self.keep);
        if let Some(last) = self.found.last().filter(|_| self.found.len() == self.keep) {
            self.least = last.score;
        }
    }
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
