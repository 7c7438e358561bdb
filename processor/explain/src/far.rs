//! A cause also harms the far ends of its calls: what they suffer beyond the expected is its doing, not theirs.
//!
//! Hazards add: where the cause makes a share δ of the calls into it poor, it has `δ n / (e + δ n)` of the `k` poor ones of each pair (the
//! responsibility of expectation maximisation); δ is the most likely one, where `Σ k n / (e + δ n) = Σ n`.

use crate::added::share_added;

/// Poor call-ends, as many as expected, that pull what a cause does to the far ends of its calls towards nothing.
const PRIOR: f64 = 2.0;

/// What the calls from one leaf to another showed at their near ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pair {
    /// The leaf of the ends that are counted.
    pub near: u32,
    /// The leaf of the other ends.
    pub far: u32,
    /// Call-ends at risk.
    pub n: f64,
    /// Call-ends poor.
    pub k: f64,
    /// Poor call-ends expected.
    pub e: f64,
}

/// Poor call-ends to be taken from near leaves, pair by pair: what a cause did to the far ends of its calls. `is_inside` says whether a leaf lies
/// in the cause, `factor` how many times as many of a near leaf's are expected to be poor as its pairs say.
pub fn far_ends(
    pairs: impl Iterator<Item = Pair>,
    is_inside: impl Fn(u32) -> bool,
    factor: impl Fn(u32) -> f64,
) -> Vec<(u32, f64)> {
    let touched = pairs.filter(|pair| is_inside(pair.far) && !is_inside(pair.near));
    let touched: Vec<Pair> = touched
        .map(|pair| Pair {
            e: (pair.e * factor(pair.near)).max(1e-9),
            ..pair
        })
        .collect();
    let (n, e) = touched.iter().fold((0.0, 0.0), |(n, e), pair| (n + pair.n, e + pair.e));
    // A few calls that were as expected, before any is believed to be the cause's doing.
    let prior = (PRIOR * n / e.max(1e-9), PRIOR, PRIOR);
    let rows = touched.iter().map(|pair| (pair.n, pair.k, pair.e));
    let rows: Vec<(f64, f64, f64)> = rows.chain([prior]).collect();
    let share = share_added(&rows);
    let taken = |pair: &Pair| (pair.near, pair.k * share * pair.n / share.mul_add(pair.n, pair.e));
    touched.iter().map(taken).filter(|(_, taken)| *taken > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many poor of 400 calls, with 4 expected.
    fn pair(near: u32, far: u32, k: f64) -> Pair {
        Pair {
            near,
            far,
            n: 400.0,
            k,
            e: 4.0,
        }
    }

    /// What a cause in leaf 9 takes, where so many times as many are expected.
    fn taken(pairs: &[Pair], factor: f64) -> Vec<(u32, f64)> {
        far_ends(pairs.iter().copied(), |leaf| leaf == 9, |_| factor)
    }

    fn are_near(taken: &[(u32, f64)], expected: &[(u32, f64)]) -> bool {
        let is_near = |(a, b): (&(u32, f64), &(u32, f64))| a.0 == b.0 && (a.1 - b.1).abs() < 1e-6;
        taken.len() == expected.len() && taken.iter().zip(expected).all(is_near)
    }

    /// 10 and 8 poor of 400 each, 4 expected of each, and 2 of 2 besides: 20 of 10 expected, so that 1 in 100 is the cause's doing, and half of
    /// what is poor.
    #[test]
    fn a_cause_takes_its_share_of_what_is_poor_at_the_far_ends_of_its_calls() {
        let pairs = [pair(1, 9, 10.0), pair(2, 9, 8.0)];
        let found = taken(&pairs, 1.0);
        assert!(are_near(&found, &[(1, 5.0), (2, 4.0)]), "{found:?}");
    }

    /// Where twice as many are expected, 20 are poor of 18: a tenth of them is the cause's.
    #[test]
    fn what_the_near_ends_let_expect_is_not_taken() {
        let pairs = [pair(1, 9, 10.0), pair(2, 9, 8.0)];
        let found = taken(&pairs, 2.0);
        assert!(are_near(&found, &[(1, 1.0), (2, 0.8)]), "{found:?}");
        assert!(taken(&pairs, 3.0).is_empty(), "fewer than expected");
    }

    #[test]
    fn calls_within_a_cause_out_of_it_and_beside_it_lose_nothing() {
        let others = [pair(9, 9, 100.0), pair(9, 1, 100.0), pair(1, 2, 100.0)];
        assert!(taken(&others, 1.0).is_empty());
    }
}
