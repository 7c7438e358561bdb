//! The scan over the lattice: every conjunction of a few conditions that holds enough excess.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::{
    columns::Columns,
    indifference::Indifference,
    lattice,
    limits::{Limits, Share},
    poor::{Found, Group, Poor},
    score::{inside_outside, price},
    sets::Sets,
    table::{Condition, Row, Table},
};

/// Cells that all rows are summed into at once, at most: as many as a processor has at hand.
const MOST_SUMS: usize = 1 << 16;
/// So many of the best have their parents looked at, whatever these are worth.
const CHILDREN: usize = 3;
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
    /// Sets of attributes, each in order, that together name one thing: which of them it is costs no more than which attribute, and [`causes`]
    /// prefers no parent to it. An access line is a site's provider. It orders what [`scan`] has kept.
    ///
    /// [`causes`]: crate::causes
    pub things: &'a [&'a [usize]],
    /// What judged causes say of the attributes that a scope names; without it, nothing. As `things` do, it orders what [`scan`] has kept; whether
    /// any of it is worth naming is asked of the evidence alone.
    pub sets: Option<&'a Sets>,
}

impl Settings<'_> {
    /// Do these conditions name one thing by several attributes?
    pub(crate) fn is_thing(&self, conditions: &[Condition]) -> bool {
        let attributes = || conditions.iter().map(|condition| condition.attribute);
        self.things.iter().any(|thing| thing.iter().copied().eq(attributes()))
    }

    /// What the attributes that these conditions name are worth because of the causes that were judged, in nats.
    pub(crate) fn judged(&self, conditions: &[Condition]) -> f64 {
        self.sets.map_or(0.0, |sets| sets.nats(conditions))
    }
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            max_depth: 3,
            min_excess: 5.0,
            dispersion: 1.0,
            keep: 40,
            indifference: None,
            things: &[],
            sets: None,
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
    Scan::through(table, settings).best.found
}

/// The same, and after them the parents of the best few that are not among them. Where most of what is poor is expected of one kind of calls in a
/// scope, the whole stands out by its rate much less than its other calls do, and yet the same may have struck all of them.
pub(crate) fn scan_with_parents(table: &Table, settings: &Settings<'_>) -> Vec<Candidate> {
    let mut scan = Scan::through(table, settings);
    let parents = scan.parents();
    scan.best.found.into_iter().chain(parents).collect()
}

/// The cells of one set of attributes that could be among the best.
struct Cuboid {
    attributes: Vec<usize>,
    found: Vec<Found>,
    /// The cells that hold a row, at least.
    cells: usize,
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
    /// What cells are told of each row in which no call is poor; of others, that they are there.
    others: Vec<Share>,
    /// The sums of a cuboid's cells, filled again and again.
    sums: Vec<Share>,
    /// The cells of the cuboids that were counted.
    occupied: FxHashMap<Vec<usize>, usize>,
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
            others: rows
                .iter()
                .map(|row| if row.k > 0.0 { Share::THERE } else { limits.share(row) })
                .collect(),
            sums: Vec::new(),
            limits,
            total,
            columns,
            order,
            occupied: FxHashMap::default(),
            best: Best::new(settings.keep),
        }
    }

    /// All that is kept.
    fn through(table: &'a Table, settings: &'a Settings<'a>) -> Self {
        let mut scan = Self::new(table, settings);
        let deepest = settings.max_depth.min(table.attributes());
        scan.climb(deepest);
        // Smaller scopes first: they are often the best, and what follows must be as good.
        (1..=deepest).for_each(|depth| scan.all_of(depth));
        scan
    }

    /// What has fewer conditions of the best few, and is not kept.
    fn parents(&mut self) -> Vec<Candidate> {
        let found = &self.best.found;
        let few = found.iter().take(CHILDREN).flat_map(|child| parts(&child.conditions));
        let is_kept = |conditions: &Vec<Condition>| found.iter().any(|kept| kept.conditions == *conditions);
        let missing: BTreeSet<Vec<Condition>> = few.filter(|part| !is_kept(part)).collect();
        missing.into_iter().filter_map(|part| self.whole(&part)).collect()
    }

    /// A scope with its sums, if it holds enough.
    fn whole(&mut self, conditions: &[Condition]) -> Option<Candidate> {
        let attributes: Vec<usize> = conditions.iter().map(|condition| condition.attribute).collect();
        let row = self.table.covered(conditions).next()?;
        let sum = self.sum(&attributes, row);
        let cells = self.occupied(&attributes);
        self.is_enough(&sum)
            .then(|| self.candidate(&attributes, row, &sum, cells))
    }

    /// All scopes of so many conditions.
    fn all_of(&mut self, depth: usize) {
        let mut cuboids = Vec::new();
        self.look(&self.poor.all(), 0, depth, &mut cuboids);
        self.take_best(cuboids, usize::MAX);
    }

    /// The most promising scope of one condition, the most promising below that, and so on; then all parts of the last but
    /// one: many of the best are parts of the best. With these known others are ruled out sooner. They come up again, and are
    /// not taken twice. Where the first is worth nothing there is nothing to climb for.
    fn climb(&mut self, deepest: usize) {
        for depth in 1..=deepest {
            if self.best.found.first().is_some_and(|best| best.score <= 0.0) {
                return;
            }
            let cuboids = self.below_the_best(deepest);
            self.take_best(cuboids, if depth < deepest { 1 } else { usize::MAX });
        }
    }

    /// The cuboids of the attributes of the best scope, and one more.
    fn below_the_best(&mut self, deepest: usize) -> Vec<Cuboid> {
        let best = self.best.found.first().map_or(&[][..], |best| &best.conditions);
        let of_best: Vec<usize> = best.iter().map(|condition| condition.attribute).collect();
        let occupied = self.occupied(&of_best);
        let mut group = self.poor.all();
        for attribute in &of_best {
            group = self.poor.narrowed(&group, *attribute, 0, occupied);
        }
        let mut cuboids = Vec::new();
        for attribute in (0..self.order.len()).filter(|attribute| !of_best.contains(attribute)) {
            let attributes: Vec<usize> = of_best.iter().copied().chain([attribute]).collect();
            if attributes.len() <= deepest {
                cuboids.extend(self.cuboid(&group, attribute, attributes));
            }
        }
        cuboids
    }

    /// Sums so many cells of some cuboids, the most promising first, and takes those that are among the best.
    fn take_best(&mut self, cuboids: Vec<Cuboid>, most: usize) {
        let cuboids: Vec<Cuboid> = cuboids.into_iter().filter_map(|cuboid| self.refined(cuboid)).collect();
        let mut promising: Vec<(f64, &Cuboid, Found)> = Vec::new();
        for cuboid in &cuboids {
            let price = self.limits.price(cuboid.attributes.len(), cuboid.cells);
            let found = cuboid.found.iter();
            promising.extend(found.map(|found| (self.limits.score(found.share, price), cuboid, *found)));
        }
        promising.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (score, cuboid, found) in promising.into_iter().take(most) {
            if score < self.best.least {
                break;
            }
            self.take(cuboid, found);
        }
    }

    /// Looks at all cuboids of so many attributes more than a group has, from one on in the order.
    fn look(&mut self, group: &Group, from: usize, more: usize, cuboids: &mut Vec<Cuboid>) {
        for next in from..self.order.len() {
            let attribute = self.order[next];
            let attributes: Vec<usize> = group.attributes.iter().copied().chain([attribute]).collect();
            if more <= 1 {
                cuboids.extend(self.cuboid(group, attribute, attributes));
                continue;
            }
            if !lattice::fits(self.table.all_codes(), &attributes) {
                continue;
            }
            let occupied = self.occupied(&attributes);
            self.columns.learn(&attributes, occupied);
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
        // Not with as many values as no person can name.
        if !lattice::fits(self.table.all_codes(), &attributes) {
            return None;
        }
        let cells = group.occupied.saturating_sub(self.columns.of(attribute).unknown());
        let fewest = self.fewest_poor(attributes.len(), cells);
        let (found, seen) = self.poor.cells(group, attribute, fewest);
        let cells = cells.max(seen);
        self.retained(Cuboid {
            attributes,
            found,
            cells,
        })
    }

    /// A cuboid without the cells that cannot be among the best, if any is left.
    fn retained(&self, mut cuboid: Cuboid) -> Option<Cuboid> {
        let price = self.limits.price(cuboid.attributes.len(), cuboid.cells);
        let could = |found: &Found| self.limits.reaches(found.share, price, self.best.least);
        cuboid.found.retain(could);
        (!cuboid.found.is_empty()).then_some(cuboid)
    }

    /// Is it less work to sum all rows by all cells than to look up those of the cells found?
    fn are_many(&self, cuboid: &Cuboid) -> bool {
        let mut left = self.table.rows().len() / LOOK_UP;
        cuboid.found.iter().any(|found| {
            let rest = left.checked_sub(self.columns.to_look_up(&cuboid.attributes, found.row));
            left = rest.unwrap_or(0);
            rest.is_none()
        })
    }

    /// A cuboid whose cells, where they are many, are told of their other rows as well.
    fn refined(&mut self, cuboid: Cuboid) -> Option<Cuboid> {
        if !self.are_many(&cuboid) {
            return Some(cuboid);
        }
        let mut sums = std::mem::take(&mut self.sums);
        let told = self.told(cuboid, &mut sums);
        self.sums = sums;
        told
    }

    /// Tells cells of their other rows, and counts them. Halfway, those are given up that have no chance any more.
    fn told(&self, mut cuboid: Cuboid, sums: &mut Vec<Share>) -> Option<Cuboid> {
        let Some(places) = self.columns.places(&cuboid.attributes, MOST_SUMS) else {
            return Some(cuboid);
        };
        sums.clear();
        sums.resize(places.cells + 1, Share::default());
        for half in 0..2 {
            places.each(half, 2, |row, place| sums[place].add(self.others[row]));
            for found in &mut cuboid.found {
                found.share = found.poor;
                found.share.add(sums[places.of(found.row)]);
            }
            if half == 1 {
                let cells = sums[..places.cells].iter();
                cuboid.cells = cells.filter(|sum| **sum != Share::default()).count();
            }
            cuboid = self.retained(cuboid)?;
        }
        Some(cuboid)
    }

    /// Sums the rows of a cell, and takes it if it is among the best.
    fn take(&mut self, cuboid: &Cuboid, found: Found) {
        let sum = self.sum(&cuboid.attributes, found.row);
        // With fewer cells than there are, its price is too low.
        if self.is_enough(&sum) && self.score(&cuboid.attributes, &sum, cuboid.cells).1 >= self.best.least {
            let cells = self.occupied(&cuboid.attributes);
            let candidate = self.candidate(&cuboid.attributes, found.row, &sum, cells);
            self.best.take(candidate);
        }
    }

    /// Are as many poor beyond the expected as are asked for?
    fn is_enough(&self, sum: &Row) -> bool {
        sum.k - sum.e >= self.settings.min_excess
    }

    /// How many cells of a cuboid hold a row, counted once.
    fn occupied(&mut self, attributes: &[usize]) -> usize {
        if let Some(cells) = self.occupied.get(attributes) {
            return *cells;
        }
        let cells = self.columns.occupied(attributes);
        self.occupied.insert(attributes.to_vec(), cells);
        cells
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

/// The scopes with some of these conditions, but not all.
fn parts(conditions: &[Condition]) -> impl Iterator<Item = Vec<Condition>> {
    let all = (1_u32 << conditions.len()) - 1;
    (1..all).map(move |part| {
        let chosen = conditions.iter().enumerate().filter(|(at, _)| part >> at & 1 == 1);
        chosen.map(|(_, condition)| *condition).collect()
    })
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
        if self
            .found
            .get(at)
            .is_some_and(|same| same.conditions == candidate.conditions)
        {
            return;
        }
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
