//! The scan over the lattice: every conjunction of a few conditions that holds enough excess.

use crate::{
    columns::Columns,
    indifference::Indifference,
    lattice,
    limits::{Limits, Share},
    poor::{Found, Group, Poor},
    score::{inside_outside, price},
    table::{Condition, Row, Table},
};

/// Cells that all rows are summed into at once, at most: as many as a processor has at hand.
const MOST_SUMS: usize = 1 << 16;
/// To look a row up takes so many times as long as to pass over it.
const LOOK_UP: usize = 4;

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
    /// Rates that are not yet worth naming as a cause; without it, whatever is above the expected one is.
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

/// The candidates with the highest scores, best first; equal scores in the order of their conditions.
///
/// Poor calls are few, and a cell is worth no more than its poor rows would be worth alone ([`Limits`]). Only cells that could
/// still be among the best by that are summed: first, where they are many, by whole numbers and all at once, then each by its
/// own rows. What is kept does not depend on the order in which cells are looked at.
pub fn scan(table: &Table, settings: &Settings<'_>) -> Vec<Candidate> {
    let mut scan = Scan::new(table, settings);
    let all = scan.poor.all();
    // Smaller scopes first: they are often the best, and what follows must be as good.
    for depth in 1..=settings.max_depth.min(table.attributes()) {
        let mut cuboids = Vec::new();
        scan.look(&all, 0, depth, &mut cuboids);
        cuboids.sort_by(|a: &Cuboid, b| b.most.total_cmp(&a.most));
        for cuboid in cuboids {
            scan.take(cuboid);
        }
    }
    scan.best.found
}

/// The cells of one set of attributes that could be among the best.
struct Cuboid {
    attributes: Vec<usize>,
    found: Vec<Found>,
    /// The cells that hold a row, at least.
    cells: usize,
    /// What the best of those found could be worth.
    most: f64,
}

struct Scan<'a> {
    table: &'a Table,
    settings: &'a Settings<'a>,
    limits: Limits,
    /// Poor calls and expected ones.
    total: (f64, f64),
    columns: Columns,
    /// The attributes, those with the most values first: few of their cells hold enough poor calls to go on from.
    order: Vec<usize>,
    poor: Poor,
    /// What the cells of each row are told of it.
    shares: Vec<Share>,
    best: Best,
}

impl<'a> Scan<'a> {
    fn new(table: &'a Table, settings: &'a Settings<'a>) -> Self {
        let (attributes, rows) = (table.attributes(), table.rows());
        let columns = Columns::new(table.all_codes());
        let total = (rows.iter().map(|row| row.k).sum(), rows.iter().map(|row| row.e).sum());
        let limits = Limits::new(attributes, rows, total, settings);
        let mut order: Vec<usize> = (0..attributes).collect();
        order.sort_by_key(|a| std::cmp::Reverse(columns.of(*a).len()));
        Self {
            table,
            settings,
            poor: Poor::new(&columns, attributes, rows, &limits),
            shares: rows.iter().map(|row| limits.share(row)).collect(),
            limits,
            total,
            columns,
            order,
            best: Best::new(settings.keep),
        }
    }

    /// Looks at all cuboids of so many attributes more than a group has, from one on in the order.
    fn look(&mut self, group: &Group, from: usize, more: usize, cuboids: &mut Vec<Cuboid>) {
        for next in from..self.order.len() {
            let attribute = self.order[next];
            let attributes: Vec<usize> = group.attributes.iter().copied().chain([attribute]).collect();
            // Not with as many values as a person can name.
            if !lattice::fits(self.table.all_codes(), &attributes) {
                continue;
            }
            if more <= 1 {
                cuboids.extend(self.cuboid(group, attribute, attributes));
                continue;
            }
            let occupied = self.columns.occupied(&attributes);
            // Each cell has a cell below it by any further attribute, unless its rows do not know that one.
            let unknown = self.order[next + 1..]
                .iter()
                .map(|a| self.columns.of(*a).unknown())
                .max();
            let below = occupied.saturating_sub(unknown.unwrap_or(0));
            let fewest = self.fewest_poor(group.attributes.len() + more, below);
            let narrowed = self.poor.narrowed(group, attribute, fewest, occupied);
            if !narrowed.is_empty() {
                self.look(&narrowed, next + 1, more - 1, cuboids);
            }
        }
    }

    /// The fewest poor calls, in units, of a scope that could be among the best.
    fn fewest_poor(&self, depth: usize, cells: usize) -> u64 {
        self.limits
            .fewest_poor(self.best.least, self.limits.price(depth, cells))
    }

    /// What the poor rows of a group say of its cells by one more attribute.
    fn cuboid(&mut self, group: &Group, attribute: usize, attributes: Vec<usize>) -> Option<Cuboid> {
        let cells = group.occupied.saturating_sub(self.columns.of(attribute).unknown());
        let fewest = self.fewest_poor(attributes.len(), cells);
        let (found, seen) = self.poor.cells(group, attribute, fewest);
        let cuboid = Cuboid {
            attributes,
            found,
            cells: cells.max(seen),
            most: f64::NEG_INFINITY,
        };
        self.retained(cuboid)
    }

    /// A cuboid without the cells that cannot be among the best, if any is left.
    fn retained(&self, mut cuboid: Cuboid) -> Option<Cuboid> {
        let price = self.limits.price(cuboid.attributes.len(), cuboid.cells);
        cuboid.most = f64::NEG_INFINITY;
        cuboid.found.retain(|found| {
            let score = self.limits.score(found.share, price);
            cuboid.most = cuboid.most.max(score);
            score >= self.best.least
        });
        (!cuboid.found.is_empty()).then_some(cuboid)
    }

    /// Sums the cells of a cuboid that could still be among the best.
    fn take(&mut self, cuboid: Cuboid) {
        if cuboid.most < self.best.least {
            return;
        }
        let Some(mut cuboid) = self.retained(cuboid) else {
            return;
        };
        if let Some(cells) = self.worth_refining(&cuboid) {
            self.refine(&mut cuboid, cells);
            let Some(refined) = self.retained(cuboid) else {
                return;
            };
            cuboid = refined;
        }
        self.take_each(&cuboid);
    }

    /// How many cells all rows would be summed into, where that is less work than to sum the rows of each cell found.
    fn worth_refining(&self, cuboid: &Cuboid) -> Option<usize> {
        let mut left = self.shares.len() / LOOK_UP;
        let is_more = |found: &Found| {
            let rows = self.columns.rarest(&cuboid.attributes, found.row).len();
            left.checked_sub(rows).map(|rest| left = rest).is_none()
        };
        let are_many = cuboid.found.iter().any(is_more);
        are_many
            .then(|| self.columns.possible(&cuboid.attributes, MOST_SUMS))
            .flatten()
    }

    /// Gives cells the shares of all their rows, in place of those of the poor ones, and counts them.
    fn refine(&self, cuboid: &mut Cuboid, cells: usize) {
        let mut sums = vec![Share::default(); cells + 1];
        self.columns.each_place(&cuboid.attributes, cells, |row, place| {
            sums[place].add(self.shares[row]);
        });
        for found in &mut cuboid.found {
            found.share = sums[self.columns.place_of(&cuboid.attributes, found.row)];
        }
        cuboid.cells = sums[..cells].iter().filter(|sum| **sum != Share::default()).count();
    }

    /// Sums the rows of each cell that could still be among the best, the most promising first.
    fn take_each(&mut self, cuboid: &Cuboid) {
        let price = self.limits.price(cuboid.attributes.len(), cuboid.cells);
        let score = |found: &Found| (self.limits.score(found.share, price), *found);
        let mut promising: Vec<(f64, Found)> = cuboid.found.iter().map(score).collect();
        promising.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut occupied = None;
        for (most, found) in promising {
            if most < self.best.least {
                break;
            }
            let row = self.sum(&cuboid.attributes, found.row);
            let is_enough = row.k - row.e >= self.settings.min_excess;
            // With fewer cells than there are, its price is too low.
            if is_enough && self.score(&cuboid.attributes, &row, cuboid.cells).1 >= self.best.least {
                let cells = *occupied.get_or_insert_with(|| self.columns.occupied(&cuboid.attributes));
                let candidate = self.candidate(&cuboid.attributes, found.row, &row, cells);
                self.best.take(candidate);
            }
        }
    }

    /// The sums of the cell that a row lies in.
    fn sum(&self, attributes: &[usize], row: usize) -> Row {
        let rows = self.columns.rows_with(attributes, row);
        rows.fold(Row::default(), |sum, row| {
            let row = &self.table.rows()[row];
            Row {
                n: sum.n + row.n,
                k: sum.k + row.k,
                e: sum.e + row.e,
                weight: 0.0,
            }
        })
    }

    /// The likelihood ratio of a cell, and its score among so many cells.
    fn score(&self, attributes: &[usize], sum: &Row, cells: usize) -> (f64, f64) {
        let llr = inside_outside(sum.k, sum.e, self.total.0, self.total.1);
        #[allow(clippy::cast_precision_loss, reason = "no more than there are rows")]
        let price = price(self.table.attributes(), attributes.len(), cells as f64, sum.n);
        (llr, llr / self.settings.dispersion.max(1.0) - price)
    }

    /// The cell that a row lies in, with its sums.
    fn candidate(&self, attributes: &[usize], row: usize, sum: &Row, cells: usize) -> Candidate {
        let (llr, score) = self.score(attributes, sum, cells);
        let condition = |attribute: &usize| Condition {
            attribute: *attribute,
            code: self.table.codes(row)[*attribute],
        };
        let mut conditions: Vec<Condition> = attributes.iter().map(condition).collect();
        conditions.sort_unstable();
        Candidate {
            conditions,
            n: sum.n,
            k: sum.k,
            e: sum.e,
            llr,
            score,
        }
    }
}

/// Best first; equal scores in the order of their conditions.
pub(crate) fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let by_score = b.score.total_cmp(&a.score);
    by_score.then_with(|| a.conditions.cmp(&b.conditions))
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
        let is_better = |other: &Candidate| order(other, &candidate).is_lt();
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
