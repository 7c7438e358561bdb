//! The scan over the lattice: every conjunction of a few conditions that holds enough excess.

use crate::{
    columns::Columns,
    lattice,
    limits::{Limits, Share},
    poor::{Found, Group, Poor},
    score::{inside_outside, price},
    table::{Condition, Table},
};

/// Cells that all rows are summed into at once, at most: as many as a processor has at hand.
const MOST_SUMS: usize = 1 << 14;

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

/// The candidates with the highest scores, best first; equal scores in the order of their conditions.
///
/// Poor calls are few, and a cell is worth no more than its poor rows would be worth alone ([`Limits`]). Only cells that could
/// still be among the best by that are summed: first, where they are many, by whole numbers and all at once, then each by its
/// own rows. What is kept does not depend on the order in which cells are looked at.
pub fn scan(table: &Table, settings: &Settings) -> Vec<Candidate> {
    let mut scan = Scan::new(table, settings);
    let all = scan.poor.all();
    // Smaller scopes first: they are often the best, and what follows must be as good.
    for depth in 1..=settings.max_depth.min(table.attributes()) {
        scan.deepen(&all, 0, depth);
    }
    scan.best.found
}

struct Scan<'a> {
    table: &'a Table,
    settings: &'a Settings,
    limits: Limits,
    columns: Columns,
    /// The attributes, those with the most values first: few of their cells hold enough poor calls to go on from.
    order: Vec<usize>,
    poor: Poor,
    /// What all rows hold that their cells are told of.
    shares: Vec<Share>,
    best: Best,
}

impl<'a> Scan<'a> {
    fn new(table: &'a Table, settings: &'a Settings) -> Self {
        let (attributes, rows) = (table.attributes(), table.rows());
        let columns = Columns::new(table.all_codes());
        let limits = Limits::new(attributes, rows, settings);
        let mut order: Vec<usize> = (0..attributes).collect();
        order.sort_by_key(|a| std::cmp::Reverse(columns.of(*a).len()));
        Self {
            table,
            settings,
            poor: Poor::new(&columns, attributes, rows, &limits),
            shares: rows.iter().map(|row| limits.share(row)).collect(),
            limits,
            columns,
            order,
            best: Best::new(settings.keep),
        }
    }

    /// All cuboids of so many attributes more than a group has, from one on in the order.
    fn deepen(&mut self, group: &Group, from: usize, more: usize) {
        for next in from..self.order.len() {
            let attribute = self.order[next];
            if more <= 1 {
                self.cuboid(group, attribute);
                continue;
            }
            let depth = group.attributes.len() + more;
            let fewest = self.fewest_poor(depth);
            let narrowed = self.poor.narrowed(group, attribute, fewest);
            if !narrowed.is_empty() {
                self.deepen(&narrowed, next + 1, more - 1);
            }
        }
    }

    fn fewest_poor(&self, depth: usize) -> u64 {
        self.limits.fewest_poor(self.best.least, self.limits.price(depth, 1.0))
    }

    /// The cells of a group by one more attribute.
    fn cuboid(&mut self, group: &Group, attribute: usize) {
        let depth = group.attributes.len() + 1;
        let fewest = self.fewest_poor(depth);
        let (mut found, count) = self.poor.cells(group, attribute, fewest);
        #[allow(clippy::cast_precision_loss, reason = "no more than there are rows")]
        self.retain(&mut found, depth, count as f64);
        let attributes: Vec<usize> = group.attributes.iter().copied().chain([attribute]).collect();
        // Not with as many values as a person can name.
        if found.is_empty() || !lattice::fits(self.table.all_codes(), &attributes) {
            return;
        }
        let count = self.columns.occupied(&attributes);
        self.retain(&mut found, depth, count);
        if self.are_many(&found, &attributes) {
            self.refine(&mut found, &attributes);
        }
        self.take(found, &attributes, count);
    }

    /// Keeps the cells that could be among the best, of a cuboid with at least so many.
    fn retain(&self, found: &mut Vec<Found>, depth: usize, count: f64) {
        let price = self.limits.price(depth, count);
        found.retain(|found| self.limits.score(found.share, price) >= self.best.least);
    }

    /// Is it less work to sum all rows by all cells than the rows of each?
    fn are_many(&self, found: &[Found], attributes: &[usize]) -> bool {
        let few_places = self
            .columns
            .possible(attributes)
            .is_some_and(|cells| cells <= MOST_SUMS);
        let rows = found
            .iter()
            .map(|found| self.columns.rarest(attributes, &found.cell).len());
        few_places && rows.sum::<usize>() > self.shares.len()
    }

    /// Gives cells the shares of all their rows, in place of those of the poor ones.
    fn refine(&self, found: &mut [Found], attributes: &[usize]) {
        let mut sums = vec![Share::default(); self.columns.possible(attributes).unwrap_or(0)];
        self.columns
            .each_place(attributes, |row, place| sums[place].add(self.shares[row]));
        for found in found {
            found.share = sums[self.columns.place(attributes, &found.cell)];
        }
    }

    /// Sums the rows of each cell that could still be among the best, the most promising first.
    fn take(&mut self, found: Vec<Found>, attributes: &[usize], count: f64) {
        let price = self.limits.price(attributes.len(), count);
        let mut promising: Vec<(f64, Found)> = found
            .into_iter()
            .map(|found| (self.limits.score(found.share, price), found))
            .collect();
        promising.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (most, found) in promising {
            if most < self.best.least {
                break;
            }
            if let Some(candidate) = self.candidate(attributes, &found.cell, count) {
                self.best.take(candidate);
            }
        }
    }

    /// A cell with its sums, if its excess is enough.
    fn candidate(&self, attributes: &[usize], cell: &[u32], count: f64) -> Option<Candidate> {
        let (mut n, mut k, mut e) = (0.0, 0.0, 0.0);
        for row in self.columns.rows_of(attributes, cell) {
            let row = &self.table.rows()[row];
            (n, k, e) = (n + row.n, k + row.k, e + row.e);
        }
        if k - e < self.settings.min_excess {
            return None;
        }
        let llr = inside_outside(k, e, self.limits.total_k, self.limits.total_e);
        let price = price(self.table.attributes(), attributes.len(), count, n);
        let mut conditions: Vec<Condition> = (attributes.iter().zip(cell))
            .map(|(attribute, value)| Condition {
                attribute: *attribute,
                code: self.columns.of(*attribute).code(*value),
            })
            .collect();
        conditions.sort_unstable();
        Some(Candidate {
            conditions,
            n,
            k,
            e,
            llr,
            score: llr / self.settings.dispersion.max(1.0) - price,
        })
    }
}

/// The best candidates so far, best first.
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
        let is_better = |other: &Candidate| {
            let by_score = candidate.score.total_cmp(&other.score);
            by_score
                .then_with(|| other.conditions.cmp(&candidate.conditions))
                .is_lt()
        };
        let at = self.found.partition_point(is_better);
        self.found.insert(at, candidate);
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
