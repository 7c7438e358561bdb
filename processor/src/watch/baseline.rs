//! Normal: the rate at which call-ends of a leaf are poor, as a product of shrunken main effects.
//!
//! `p_leaf = p0 · Π_d f_d[value]`, fitted by proportional fitting on decayed sums; each factor is pulled towards 1 by
//! as many expected poor call-ends as its dimension's values are alike, so that a value seldom seen has no opinion (DESIGN.md §2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    dictionary::{Codes, D},
    evidence::Counts,
    strength::strength,
};

/// Expected poor call-ends a value needs before its own rate counts half, until its dimension has shown how much its values differ: 1/sd² for
/// effects of sd 0.3 on the log-rate.
const PRIOR: f64 = 11.0;
/// Sweeps of the proportional fitting; the fit is refreshed every half hour, so it need not converge at once.
const SWEEPS: usize = 4;
/// No rate is below this: a cell without poor calls may still have them.
const FLOOR: f64 = 1e-4;
/// Rate of a tenant of which nothing is known, with the weight of `PRIOR_CALLS` call-ends.
const PRIOR_RATE: f64 = 0.02;
const PRIOR_CALLS: f64 = 50.0;
/// The share of each kind of poor that is believed before anything is known.
const PRIOR_SHARE: f64 = 0.25;
/// Minutes of a poor call-end that are believed to be poor before anything is known.
const PRIOR_MINUTES: f64 = 2.0;

/// What is normal for one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Model {
    rate: f64,
    factors: [Vec<f64>; D],
}

/// The rates of one channel as they were at some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates(Model);

impl Rates {
    /// The rate expected of a leaf then; none where one of its values was not known.
    pub fn rate(&self, codes: &Codes) -> Option<f64> {
        let is_known = |(code, factors): (&u32, &Vec<f64>)| (*code as usize) < factors.len();
        let mut all = codes.iter().zip(&self.0.factors);
        all.all(is_known).then(|| self.0.rate(codes))
    }
}

/// Training sums and the rates fitted to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// By leaf: at risk and poor, by watched channel.
    sums: BTreeMap<u32, [(f64, f64); 3]>,
    kinds: [f64; 4],
    kinds_n: f64,
    /// Poor media in minutes, and the call-ends that were first poor.
    poor_minutes: f64,
    poor_ends: f64,
    models: [Model; 3],
    /// Calls a leaf had lately: how much it weighs when scopes are compared.
    weights: BTreeMap<u32, f64>,
}

impl Baseline {
    /// Learns the counts of one leaf.
    pub fn learn(&mut self, leaf: u32, counts: &Counts) {
        let sums = self.sums.entry(leaf).or_default();
        for (sum, (n, k)) in sums.iter_mut().zip(counts.n.into_iter().zip(counts.k)) {
            sum.0 += real(n);
            sum.1 += real(k);
        }
        for (sum, poor) in self.kinds.iter_mut().zip(counts.kinds) {
            *sum += real(poor);
        }
        self.kinds_n += real(counts.n[0]);
        self.poor_minutes += real(counts.poor_ms) / 60_000.0;
        self.poor_ends += real(counts.k[0]);
    }

    /// Counts a leaf's calls for the comparison of scopes, whatever their quality.
    pub fn weigh(&mut self, leaf: u32, counts: &Counts) {
        *self.weights.entry(leaf).or_default() += real(counts.events);
    }

    /// How much a leaf weighs.
    pub fn weight(&self, leaf: u32) -> f64 {
        self.weights.get(&leaf).copied().unwrap_or(0.0)
    }

    /// Call-ends at risk on a watched channel that were learnt of a leaf, as they are remembered.
    pub fn at_risk(&self, channel: usize, leaf: u32) -> f64 {
        self.sums.get(&leaf).map_or(0.0, |sums| sums[channel].0)
    }

    /// Forgets by this factor, for instance ½ after a half-life.
    pub fn decay(&mut self, factor: f64) {
        for sums in self.sums.values_mut() {
            for (n, k) in sums {
                *n *= factor;
                *k *= factor;
            }
        }
        self.sums.retain(|_, sums| sums.iter().any(|(n, _)| *n > 0.01));
        self.weights.values_mut().for_each(|weight| *weight *= factor);
        self.weights.retain(|_, weight| *weight > 0.01);
        self.kinds.iter_mut().for_each(|k| *k *= factor);
        self.kinds_n *= factor;
        self.poor_minutes *= factor;
        self.poor_ends *= factor;
    }

    /// Fits the rates to what was learnt. `dispersion` divides the counts' weight (quasi-likelihood).
    pub fn fit(&mut self, leaves: &[Codes], dispersion: [f64; 3]) {
        for (channel, dispersion) in dispersion.into_iter().enumerate() {
            let rows: Vec<(&Codes, f64, f64)> = self
                .sums
                .iter()
                .filter_map(|(leaf, sums)| Some((leaves.get(*leaf as usize)?, sums[channel].0, sums[channel].1)))
                .collect();
            let (n, k) = rows.iter().fold((0.0, 0.0), |(n, k), row| (n + row.1, k + row.2));
            let model = &mut self.models[channel];
            model.rate = ((k + PRIOR_RATE * PRIOR_CALLS) / (n + PRIOR_CALLS)).max(FLOOR);
            for (d, factors) in model.factors.iter_mut().enumerate() {
                let values = leaves.iter().map(|codes| codes[d]).max().unwrap_or(0) as usize + 1;
                factors.resize(values, 1.0);
            }
            for _ in 0..SWEEPS {
                // The product of a row's factors follows each dimension's step; anew with each sweep, so that no error gathers.
                let mut products: Vec<f64> = rows.iter().map(|(codes, ..)| model.factor(codes)).collect();
                for d in 0..D {
                    sweep(model, &rows, &mut products, d, dispersion.max(1.0));
                }
            }
        }
    }

    /// The rate expected of a leaf on a watched channel.
    pub fn rate(&self, channel: usize, codes: &Codes) -> f64 {
        self.models[channel].rate(codes)
    }

    /// The rates of a watched channel as they are now.
    pub fn rates(&self, channel: usize) -> Rates {
        Rates(self.models[channel].clone())
    }

    /// The same without what the value of one dimension does.
    pub fn rate_without(&self, channel: usize, codes: &Codes, dimension: usize) -> f64 {
        let model = &self.models[channel];
        let factor = model.factors[dimension].get(codes[dimension] as usize).copied();
        (model.rate(codes) / factor.unwrap_or(1.0)).clamp(FLOOR, 0.9)
    }

    /// The tenant's rate of one kind of poor.
    pub fn kind_rate(&self, kind: usize) -> f64 {
        (self.kinds[kind] + 0.5) / (self.kinds_n + 50.0)
    }

    /// The share of poor call-ends that are poor of one kind; some are of several.
    pub fn share_of_kind(&self, kind: usize) -> f64 {
        ((self.kinds[kind] + PRIOR_SHARE * PRIOR) / (self.poor_ends + PRIOR)).min(1.0)
    }

    /// How many minutes of a poor call-end are poor.
    pub fn minutes_of_a_poor_end(&self) -> f64 {
        (self.poor_minutes + PRIOR_MINUTES * PRIOR) / (self.poor_ends + PRIOR)
    }

    /// Has anything been fitted?
    pub fn is_fitted(&self) -> bool {
        self.models[0].rate > 0.0
    }
}

impl Model {
    fn rate(&self, codes: &Codes) -> f64 {
        self.of(self.factor(codes))
    }

    /// The product of the factors of all its values.
    fn factor(&self, codes: &Codes) -> f64 {
        codes
            .iter()
            .zip(&self.factors)
            .map(|(code, factors)| factors.get(*code as usize).copied().unwrap_or(1.0))
            .product()
    }

    /// The rate of a product of factors.
    const fn of(&self, factor: f64) -> f64 {
        (self.rate * factor).clamp(FLOOR, 0.9)
    }
}

/// One dimension's factors, given all the others. `products` are those of each row's factors.
fn sweep(model: &mut Model, rows: &[(&Codes, f64, f64)], products: &mut [f64], d: usize, dispersion: f64) {
    let values = model.factors[d].len();
    let (mut seen, mut expected) = (vec![0.0; values], vec![0.0; values]);
    for ((codes, n, k), product) in rows.iter().zip(&*products) {
        let value = codes[d] as usize;
        seen[value] += k;
        expected[value] += n * model.of(*product) / model.factors[d][value];
    }
    let values = || seen.iter().copied().zip(expected.iter().copied());
    let prior = strength(values(), dispersion, PRIOR * dispersion);
    let fitted: Vec<f64> = values()
        .map(|(seen, expected)| (seen + prior) / (expected + prior))
        .collect();
    let before = std::mem::replace(&mut model.factors[d], fitted);
    for ((codes, ..), product) in rows.iter().zip(products) {
        let value = codes[d] as usize;
        *product *= model.factors[d][value] / before[value];
    }
}

/// Counts as the formulas want them.
#[allow(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
pub const fn real(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(n: i64, k: i64) -> Counts {
        Counts {
            n: [n, 0, 0],
            k: [k, 0, 0],
            ..Counts::default()
        }
    }

    #[test]
    fn a_bad_headset_at_two_sites_is_expected_at_the_third() {
        let mut baseline = Baseline::default();
        let codes = |site: u32, headset: u32| {
            let mut codes = [0; D];
            (codes[0], codes[6]) = (site, headset);
            codes
        };
        let leaves = [codes(1, 1), codes(1, 2), codes(2, 1), codes(2, 2), codes(3, 2)];
        for (leaf, k) in [(0, 200), (1, 800), (2, 200), (3, 800)] {
            baseline.learn(leaf, &counts(10_000, k));
        }
        baseline.fit(&leaves, [1.0; 3]);
        let good = baseline.rate(0, &leaves[0]);
        let bad = baseline.rate(0, &leaves[4]);
        assert!((good - 0.02).abs() < 0.002, "{good}");
        assert!(bad / good > 3.5, "{bad} at a site never seen, because of its headset");
    }

    #[test]
    fn a_value_seldom_seen_has_no_opinion() {
        let mut baseline = Baseline::default();
        let mut rare = [0; D];
        rare[0] = 1;
        let leaves = [[0; D], rare];
        baseline.learn(0, &counts(10_000, 200));
        baseline.learn(1, &counts(10, 2));
        baseline.fit(&leaves, [1.0; 3]);
        let ratio = baseline.rate(0, &leaves[1]) / baseline.rate(0, &leaves[0]);
        // Expected 0.2 of 10; 2 seen: (2 + 11) / (0.2 + 11) = 1.16
        assert!((1.05..1.3).contains(&ratio), "{ratio}");
    }
}
