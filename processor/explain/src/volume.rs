//! Volumes that differ from what was predicted: which scopes did they go missing from, or come from?
//!
//! A cause changes all its leaves by the same share (the generalised ripple effect of Squeeze, ISSRE 2019). A leaf's
//! deviation is `x = (predicted − real) / ((predicted + real) / 2)`, between −2 and 2; its spread is learned from the
//! leaves themselves, by what was predicted of them. A scope explains `(Σ w x)² / 2 Σ w` nats, `w = 1 / spread²`, of either
//! sign.

use crate::{
    lattice::{self, Cells, Packing, sets},
    score::price,
    table::{Codes, Condition},
};

/// A cause must be better than nothing by so many nats: one in a thousand tables of pure noise would name one.
const MARGIN: f64 = 6.9;
/// Scopes accepted before the tail of the noise is known, by this margin.
const FIRST_MARGIN: f64 = 3.0;
/// Most causes named at once.
const MAX_CAUSES: usize = 12;
/// Leaves of the same size that a spread is learned from, at least.
const LEAVES_OF_A_SIZE: usize = 50;
/// Sizes that are told apart.
const SIZES: usize = 20;
/// The normal distribution's ratio of the standard deviation to the median of the absolute value.
const MAD: f64 = 1.4826;
/// The tail of the noise is measured at this quantile of the absolute deviation, which a normal one has at [`TAIL_AT`].
const TAIL: f64 = 0.997;
/// See [`TAIL`].
const TAIL_AT: f64 = 2.9677;
/// The least spread: a leaf that differs by one part in a hundred is as predicted.
const LEAST_SPREAD: f64 = 0.01;
/// Leaves that no cause holds, fewer than which say nothing of the noise.
const FEW: usize = 50;

/// Leaves with what was predicted of them, and what came.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    codes: Codes,
    leaves: Vec<Leaf>,
    /// Has any volume a fraction? If not, they are counts.
    has_fractions: bool,
}

/// What was predicted of a leaf, or came where nothing was, and how far it deviates.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    size: f64,
    x: f64,
}

/// A scope whose volume is not the predicted one.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeCause {
    /// The conditions, by attribute.
    pub conditions: Vec<Condition>,
    /// The deviation of its leaves: 2 where nothing came, negative where more came than predicted.
    pub deviation: f64,
    /// The evidence over the dispersion, less the scope's price, in nats.
    pub score: f64,
}

impl Volumes {
    /// Of so many attributes.
    pub fn new(attributes: usize) -> Self {
        Self {
            codes: Codes::new(attributes),
            leaves: Vec::new(),
            has_fractions: false,
        }
    }

    /// Adds a leaf. A volume below nothing is nothing; where nothing was predicted and nothing came, nothing is said.
    pub fn push(&mut self, codes: &[u32], real: f64, predicted: f64) {
        let (real, predicted) = (real.max(0.0), predicted.max(0.0));
        let mean = f64::midpoint(real, predicted);
        self.has_fractions |= real.fract() > 0.0;
        if mean > 0.0 {
            self.codes.push(codes);
            self.leaves.push(Leaf {
                size: if predicted > 0.0 { predicted } else { real },
                x: (predicted - real) / mean,
            });
        }
    }

    /// Is there no leaf that says anything?
    pub const fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The scopes that together explain what differs, strongest first, with scopes of up to so many conditions.
    ///
    /// Accepted one after the other, each from the leaves that those before it leave over. In the end each is judged by the
    /// spread of what none of them holds, and by the tail of what no stronger one holds, its own leaves included: what
    /// stands out a little from many others that do is noise.
    pub fn causes(&self, max_depth: usize) -> Vec<VolumeCause> {
        let accepted = self.accepted(max_depth);
        let mut free = vec![true; self.leaves.len()];
        accepted
            .iter()
            .flat_map(|(_, rows)| rows)
            .for_each(|row| free[*row] = false);
        let are_few = free.iter().filter(|free| **free).count() < FEW;
        let spread = self.spread(&if are_few { vec![true; free.len()] } else { free });
        let mut unexplained = vec![true; self.leaves.len()];
        let judged = accepted.into_iter().map(|(candidate, rows)| {
            let dispersion = self.tail(&unexplained, &spread);
            rows.iter().for_each(|row| unexplained[*row] = false);
            let (a, w) = rows.iter().fold((0.0, 0.0), |(a, w), row| {
                let weight = spread[*row].powi(-2);
                (weight.mul_add(self.leaves[*row].x, a), w + weight)
            });
            VolumeCause {
                deviation: a / w,
                score: a * a / (2.0 * w * dispersion) - candidate.price,
                conditions: candidate.conditions,
            }
        });
        judged.filter(|cause| cause.score >= MARGIN).collect()
    }

    /// Scopes with the leaves that each explains, before the tail of the noise is known.
    fn accepted(&self, max_depth: usize) -> Vec<(Candidate, Vec<usize>)> {
        let mut free = vec![true; self.leaves.len()];
        let mut accepted = Vec::new();
        while accepted.len() < MAX_CAUSES {
            let best = self.scan(&free, &self.spread(&free), max_depth, 1).into_iter().next();
            let Some(best) = best.filter(|best| best.llr - best.price >= FIRST_MARGIN) else {
                break;
            };
            let held = |row: &usize| free[*row] && self.codes.covers(&best.conditions, *row);
            let rows: Vec<usize> = (0..free.len()).filter(held).collect();
            rows.iter().for_each(|row| free[*row] = false);
            accepted.push((best, rows));
        }
        accepted
    }

    /// Single scopes by their evidence, best first: what a person is shown beside the causes.
    pub fn ranked(&self, max_depth: usize, keep: usize) -> Vec<VolumeCause> {
        let free = vec![true; self.leaves.len()];
        let spread = self.spread(&free);
        let found = self.scan(&free, &spread, max_depth, keep).into_iter();
        found
            .map(|candidate| VolumeCause {
                score: candidate.llr - candidate.price,
                deviation: candidate.deviation,
                conditions: candidate.conditions,
            })
            .collect()
    }

    /// The best so many scopes that explain more than they cost.
    fn scan(&self, free: &[bool], spread: &[f64], max_depth: usize, keep: usize) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        let mut cells = Cells::<Cell>::default();
        for attributes in sets(self.codes.attributes(), max_depth) {
            let Some(packing) = Packing::new(&self.codes, &attributes) else {
                continue;
            };
            cells.fill(&self.codes, &packing, 0..self.codes.len(), |cell, row| {
                cell.n += 1.0;
                if free[row] {
                    let weight = spread[row].powi(-2);
                    cell.w += weight;
                    cell.a = weight.mul_add(self.leaves[row].x, cell.a);
                }
            });
            let count = cells.count();
            let candidate = |(key, cell): (u64, &Cell)| Candidate {
                conditions: packing.conditions(key),
                llr: cell.a * cell.a / (2.0 * cell.w),
                price: price(self.codes.attributes(), attributes.len(), count, cell.n),
                deviation: cell.a / cell.w,
            };
            let of_cuboid = cells.iter().filter(|(_, cell)| cell.w > 0.0).map(candidate);
            found.extend(of_cuboid.filter(|candidate| candidate.llr >= candidate.price));
            found.sort_by(|a, b| {
                let by_score = (b.llr - b.price).total_cmp(&(a.llr - a.price));
                by_score.then_with(|| a.conditions.cmp(&b.conditions))
            });
            found.truncate(keep);
        }
        found
    }

    /// The spread of each leaf's deviation: 1.4826 times the median absolute deviation of the free leaves of its size,
    /// between the sizes by interpolation in their logarithms. Of counts it is at least that of counting, 1/√size.
    fn spread(&self, free: &[bool]) -> Vec<f64> {
        let leaves = self.leaves.iter().zip(free).filter(|(_, free)| **free);
        let mut known: Vec<Leaf> = leaves.map(|(leaf, _)| *leaf).collect();
        // Stable: what is of one size stays in the order of the table, which knows nothing of the deviations.
        known.sort_by(|a, b| a.size.total_cmp(&b.size));
        let of_a_size = (known.len() / SIZES).max(LEAVES_OF_A_SIZE);
        let mut points: Vec<(f64, f64)> = Vec::new();
        for leaves in known.chunks(of_a_size) {
            // A few left over at the end are too few to learn from.
            if points.is_empty() || 2 * leaves.len() >= of_a_size {
                points.push((leaves[leaves.len() / 2].size.ln(), spread_of(leaves).ln()));
            }
        }
        let least = |leaf: &Leaf| {
            if self.has_fractions {
                LEAST_SPREAD
            } else {
                leaf.size.sqrt().recip()
            }
        };
        let spread = |leaf: &Leaf| interpolate(&points, leaf.size.ln()).exp().max(least(leaf));
        self.leaves.iter().map(spread).collect()
    }

    /// How much wider than normal the tail of these leaves' deviations is, as a variance: at least 1.
    fn tail(&self, of: &[bool], spread: &[f64]) -> f64 {
        let mut scaled: Vec<f64> = (0..of.len())
            .filter(|row| of[*row])
            .map(|row| self.leaves[row].x.abs() / spread[row])
            .collect();
        (quantile(&mut scaled, TAIL) / TAIL_AT).powi(2).max(1.0)
    }
}

/// By the median; where more than half are as predicted, by the root of the mean square.
fn spread_of(leaves: &[Leaf]) -> f64 {
    let mut deviations: Vec<f64> = leaves.iter().map(|leaf| leaf.x.abs()).collect();
    let by_median = MAD * median(&mut deviations);
    #[allow(clippy::cast_precision_loss, reason = "counts of leaves")]
    let mean_square = || deviations.iter().map(|x| x * x).sum::<f64>() / deviations.len().max(1) as f64;
    let spread = if by_median > 0.0 {
        by_median
    } else {
        mean_square().sqrt()
    };
    spread.max(LEAST_SPREAD)
}

struct Candidate {
    conditions: Vec<Condition>,
    llr: f64,
    price: f64,
    deviation: f64,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    n: f64,
    w: f64,
    a: f64,
}

impl lattice::Cell for Cell {
    fn is_empty(&self) -> bool {
        self.n <= 0.0
    }
}

fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// Zero of nothing.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index, rounded down"
    )]
    let at = ((values.len() - 1) as f64 * share) as usize;
    let (_, value, _) = values.select_nth_unstable_by(at, f64::total_cmp);
    *value
}

/// Linear between the points, which are in order; flat beyond them.
fn interpolate(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|point| point.0 <= x);
    match (after.checked_sub(1).map(|before| points[before]), points.get(after)) {
        (Some(before), Some(after)) if after.0 > before.0 => {
            (after.1 - before.1).mul_add((x - before.0) / (after.0 - before.0), before.1)
        }
        (Some(before), _) => before.1,
        (None, Some(after)) => after.1,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact arithmetic on small numbers")]
mod tests {
    use super::*;

    /// 10 sites × 20 headsets, 1000 predicted each, and ±1 % of noise that is the same in every run.
    fn volumes(share_left: impl Fn(u32, u32) -> f64) -> Volumes {
        let mut volumes = Volumes::new(2);
        for site in 1..=10 {
            for headset in 1..=20 {
                let noise = f64::from((site * 7919 + headset * 104_729) % 21) / 1000.0 - 0.01;
                volumes.push(
                    &[site, headset],
                    1000.0 * share_left(site, headset) * (1.0 + noise),
                    1000.0,
                );
            }
        }
        volumes
    }

    fn named(volumes: &Volumes) -> Vec<Vec<(usize, u32)>> {
        let of = |cause: VolumeCause| cause.conditions.iter().map(|c| (c.attribute, c.code)).collect();
        volumes.causes(2).into_iter().map(of).collect()
    }

    #[test]
    fn a_site_that_has_lost_a_third_and_a_headset_that_has_doubled_are_both_named() {
        let causes = named(&volumes(|site, headset| match (site, headset) {
            (3, _) => 0.67,
            (_, 8) => 2.0,
            _ => 1.0,
        }));
        assert_eq!(
            causes,
            [vec![(1, 8)], vec![(0, 3)]],
            "10 leaves by 2/3 before 20 by 2/5"
        );
    }

    #[test]
    fn one_leaf_is_named_as_one_leaf() {
        let volumes = volumes(|site, headset| if (site, headset) == (3, 8) { 0.0 } else { 1.0 });
        assert_eq!(named(&volumes), [vec![(0, 3), (1, 8)]]);
        assert_eq!(volumes.causes(2)[0].deviation, 2.0, "nothing came");
    }

    #[test]
    fn noise_is_no_cause() {
        assert_eq!(named(&volumes(|_, _| 1.0)), Vec::<Vec<_>>::new());
    }

    /// 200 leaves of 1 to 8; one in ten has one more or one less, the others what was predicted.
    #[test]
    fn a_few_small_leaves_among_many_that_are_exact_are_no_cause() {
        for salt in 0..20_u32 {
            let mut volumes = Volumes::new(2);
            for leaf in 0..200_u32 {
                let mixed = (leaf + 1000 * salt).wrapping_mul(2_654_435_761) >> 16;
                let (predicted, off) = (f64::from(1 + mixed % 8), f64::from(mixed / 8 % 10 == 0));
                let sign = if mixed / 128 % 2 == 0 { 1.0 } else { -1.0 };
                volumes.push(&[1 + leaf % 10, 1 + leaf / 10], predicted + off * sign, predicted);
            }
            assert_eq!(named(&volumes), Vec::<Vec<_>>::new(), "salt {salt}");
        }
    }

    /// 20 sites × 100 headsets, all predicted 1000.5, and a site that lost 2 % under 1 % of noise: 100 leaves, 200 nats.
    #[test]
    fn a_small_loss_of_a_large_site_is_seen_where_all_leaves_are_predicted_alike() {
        let mut volumes = Volumes::new(2);
        for (site, headset) in (1..=20_u32).flat_map(|site| (1..=100_u32).map(move |headset| (site, headset))) {
            let noise = f64::from((site * 7919 + headset * 104_729) % 41) / 1000.0 - 0.02;
            let left = if site == 7 { 0.98 } else { 1.0 };
            volumes.push(&[site, headset], 1000.5 * left * (1.0 + noise), 1000.5);
        }
        assert_eq!(named(&volumes), [vec![(0, 7)]]);
    }

    #[test]
    fn causes_that_hold_every_leaf_are_named() {
        let mut volumes = Volumes::new(2);
        for (site, headset) in (1..=2_u32).flat_map(|site| (1..=100_u32).map(move |headset| (site, headset))) {
            volumes.push(&[site, headset], if site == 1 { 700.0 } else { 1400.0 }, 1000.0);
        }
        assert_eq!(named(&volumes), [vec![(0, 1)], vec![(0, 2)]]);
    }

    #[test]
    fn a_quantile_and_a_line_can_be_checked_by_hand() {
        assert_eq!(quantile(&mut [5.0, 1.0, 4.0, 2.0, 3.0], 0.5), 3.0);
        assert_eq!(quantile(&mut [], 0.5), 0.0);
        let points = [(0.0, 10.0), (2.0, 30.0)];
        assert_eq!(
            [-1.0, 0.5, 2.0, 9.0].map(|x| interpolate(&points, x)),
            [10.0, 15.0, 30.0, 30.0]
        );
    }
}
