//! What becomes of the levels of call-ends when the odds of being poor grow: those of each level grow alike (proportional odds, McCullagh 1980).
//!
//! Usually half of the call-ends lie above the median, a quarter above P75, a tenth above P90 and three in a hundred above P97 (`levels`). With odds
//! `e^x` times as high it is `1 / (1 + e^−(logit q + x))` of them instead of `q`. A fault that makes call-ends poor has been seen to do so.

use super::levels::CUTS;

/// The score of a call-end: how many of the cuts it lies beyond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Its mean.
    pub mean: f64,
    /// By how much that grows with the log-odds.
    pub slope: f64,
}

/// Log-odds further from the usual ones are not told apart: with nine times the odds nine in ten lie above the median.
pub const FARTHEST: f64 = 2.2;

impl Scores {
    /// Where the log-odds differ so much from the usual ones, at most by 2.2.
    pub fn at(log_odds: f64) -> Self {
        let x = log_odds.clamp(-FARTHEST, FARTHEST);
        let beyond = CUTS.map(|cut| 1.0 / (1.0 + cut / (1.0 - cut) * (-x).exp()));
        Self {
            mean: beyond.iter().sum(),
            slope: beyond.iter().map(|share| share * (1.0 - share)).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Usually .5 + .25 + .1 + .03 = .88, and .25 + .1875 + .09 + .0291 = .5566 more a unit. With twice the odds 2/3 + 2/5 + 2/11 + 2/34.33 = 1.307.
    #[test]
    fn with_twice_the_odds_two_thirds_lie_above_the_median() {
        let (usual, twice) = (Scores::at(0.0), Scores::at(2.0_f64.ln()));
        assert!(
            (usual.mean - 0.88).abs() < 1e-9 && (usual.slope - 0.5566).abs() < 1e-9,
            "{usual:?}"
        );
        assert!((twice.mean - 1.307).abs() < 1e-3, "{twice:?}");
        assert_eq!(Scores::at(50.0), Scores::at(FARTHEST));
    }
}
