//! What follows from what: a segment lies at one site, a driver belongs to one headset. A pair of such values is one of them, and need
//! not be watched twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dictionary::{Codes, D};

/// A dimension follows from another one when its conditional entropy is below so many nats.
const SURE: f64 = 0.01;

/// Which dimensions follow from which: by dimension a bit for each one that is one with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies([u16; D]);

impl Dependencies {
    /// Of leaves with their calls: `b` follows from `a` when `H(b | a) = Σ p(a) Σ −p(b | a) ln p(b | a)` is next to nothing, over the calls
    /// that name values of both.
    pub fn of<'a>(leaves: impl Iterator<Item = (&'a Codes, f64)> + Clone) -> Self {
        let mut found = Self::default();
        for a in 0..D {
            for b in (0..D).filter(|b| *b != a) {
                if entropy(leaves.clone(), a, b).is_some_and(|of| of < SURE) {
                    found.0[a] |= 1 << b;
                    found.0[b] |= 1 << a;
                }
            }
        }
        found
    }

    /// Does one of two dimensions follow from the other?
    pub const fn are_one(&self, a: usize, b: usize) -> bool {
        self.0[a] >> b & 1 == 1
    }
}

/// The conditional entropy of `b` given `a`, in nats; none where no call names values of both.
fn entropy<'a>(leaves: impl Iterator<Item = (&'a Codes, f64)>, a: usize, b: usize) -> Option<f64> {
    let mut calls: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
    for (codes, weight) in leaves.filter(|(codes, weight)| codes[a] != 0 && codes[b] != 0 && *weight > 0.0) {
        *calls.entry(codes[a]).or_default().entry(codes[b]).or_default() += weight;
    }
    let (mut sum, mut all) = (0.0, 0.0);
    for of_value in calls.values() {
        let total: f64 = of_value.values().sum();
        all += total;
        sum -= of_value.values().map(|calls| calls * (calls / total).ln()).sum::<f64>();
    }
    (all > 0.0).then(|| sum / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments 1 and 2 lie at site 1, segment 3 at site 2. One call in two hundred of segment 3 was placed at site 1.
    #[test]
    fn a_segment_tells_its_site_and_a_site_does_not_tell_its_segment() {
        let leaf = |site: u32, segment: u32| {
            let mut codes = [0; D];
            (codes[0], codes[2]) = (site, segment);
            codes
        };
        let leaves = [
            (leaf(1, 1), 100.0),
            (leaf(1, 2), 100.0),
            (leaf(2, 3), 199.0),
            (leaf(1, 3), 1.0),
        ];
        let of = |leaves: &[(Codes, f64)]| Dependencies::of(leaves.iter().map(|(codes, calls)| (codes, *calls)));
        let dependencies = of(&leaves[..3]);
        assert!(dependencies.are_one(0, 2) && dependencies.are_one(2, 0) && !dependencies.are_one(0, 1));
        // −(199 ln 0.995 + ln 0.005) / 400 = 0.0157: that is no longer sure.
        assert!(!of(&leaves).are_one(0, 2));
        assert_eq!(of(&[]), Dependencies::default());
    }
}
