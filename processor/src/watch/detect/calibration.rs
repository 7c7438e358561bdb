//! The nightly self-calibration: on quiet days, how much evidence do cells gather though nothing is wrong?
//!
//! The guarantee of an e-detector is for independent minutes; slow noise breaks it. So each night the most evidence that any cell of a
//! cuboid gathered on a quiet day is kept, of the cell as it was and of its mirror image (as much too good as it was too poor, and the
//! other way round), for 28 such days. Maxima of many follow the Gumbel distribution; what its tail says passes once in so many days
//! is the cuboid's threshold, where that is more than the guarantee asks for (DESIGN.md §3).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::key::Cuboid;

/// Quiet days that are remembered.
const DAYS: usize = 28;
/// With fewer nothing is said.
const FEW: usize = 7;
/// No threshold is raised beyond so many times what the guarantee asks for.
const MOST: f64 = 3.0;
/// Euler's constant: the mean of a Gumbel distribution lies so many scales above its location.
const EULER: f64 = 0.577_216;
/// No narrower than what independent minutes show: a scale of one nat.
const LEAST_SCALE: f64 = 1.0;

/// The quiet days of one cuboid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Quiet {
    today: f64,
    days: VecDeque<f64>,
    /// What is needed of its cells, where that is more than the guarantee asks for.
    raised: Option<f64>,
    /// False alarms a day that are to be expected.
    false_a_day: f64,
}

/// What quiet days have taught of the thresholds of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    cuboids: BTreeMap<Cuboid, Quiet>,
    nights: usize,
}

/// What the calibration has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Calibrated {
    /// Quiet days it rests on, at most 28.
    pub quiet_days: usize,
    /// Sets of attributes whose threshold is higher than the guarantee asks for.
    pub raised: usize,
    /// ... the most, in nats.
    pub raised_most: f64,
    /// False alarms a day that are to be expected, by the tails of the quiet days.
    pub false_a_day: f64,
}

impl Calibration {
    /// So much evidence has some cell of a cuboid, or its mirror image.
    pub(super) fn note(&mut self, cuboid: Cuboid, evidence: f64) {
        let quiet = self.cuboids.entry(cuboid).or_default();
        quiet.today = quiet.today.max(evidence);
    }

    /// A day is over. `cells` of each cuboid; `threshold` is that of every cell by the guarantee.
    pub(super) fn night(&mut self, is_quiet: bool, cells: &BTreeMap<Cuboid, usize>, threshold: f64) {
        self.cuboids.retain(|cuboid, _| cells.contains_key(cuboid));
        self.nights = (self.nights + usize::from(is_quiet)).min(DAYS);
        for (cuboid, quiet) in &mut self.cuboids {
            let most = std::mem::take(&mut quiet.today);
            if is_quiet {
                quiet.days.push_back(most);
            }
            if quiet.days.len() > DAYS {
                quiet.days.pop_front();
            }
            #[allow(clippy::cast_precision_loss, reason = "some thousands of cells")]
            let cells = cells.get(cuboid).copied().unwrap_or(0) as f64;
            let budget = cells * 1440.0 * (-threshold).exp();
            (quiet.raised, quiet.false_a_day) = match tail(&quiet.days) {
                Some((location, scale)) => {
                    let asked = scale.mul_add(-budget.ln(), location).min(MOST * threshold);
                    let needed = asked.max(threshold);
                    let passes = (-(needed - location) / scale).exp().min(1.0);
                    ((asked > threshold).then_some(asked), passes)
                }
                None => (None, budget),
            };
        }
    }

    /// What is needed of the cells of a cuboid.
    pub(super) fn threshold(&self, cuboid: Cuboid, guaranteed: f64) -> f64 {
        let raised = self.cuboids.get(&cuboid).and_then(|quiet| quiet.raised);
        raised.map_or(guaranteed, |raised| raised.max(guaranteed))
    }

    /// What has been done; `guaranteed` is the threshold by the guarantee.
    pub fn stand(&self, guaranteed: f64) -> Calibrated {
        let raised = self.cuboids.values().filter_map(|quiet| quiet.raised);
        let beyond: Vec<f64> = raised
            .map(|raised| raised - guaranteed)
            .filter(|beyond| *beyond > 0.0)
            .collect();
        Calibrated {
            quiet_days: self.nights,
            raised: beyond.len(),
            raised_most: beyond.iter().copied().fold(0.0, f64::max),
            false_a_day: self.cuboids.values().map(|quiet| quiet.false_a_day).sum(),
        }
    }
}

/// Location and scale of the Gumbel distribution of maxima, by their moments: scale = sd √6 / π, location = mean − 0.577 scale.
fn tail(maxima: &VecDeque<f64>) -> Option<(f64, f64)> {
    if maxima.len() < FEW {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "28 days")]
    let n = maxima.len() as f64;
    let mean = maxima.iter().sum::<f64>() / n;
    let variance = maxima.iter().map(|most| (most - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let scale = (variance.sqrt() * 6.0_f64.sqrt() / std::f64::consts::PI).max(LEAST_SCALE);
    Some((mean - EULER * scale, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: fn() -> Cuboid = || Cuboid::of(0, None);

    fn nights(calibration: &mut Calibration, maxima: &[f64], is_quiet: bool) {
        let cells = BTreeMap::from([(SITE(), 10)]);
        for most in maxima {
            calibration.note(SITE(), *most);
            calibration.night(is_quiet, &cells, 20.0);
        }
    }

    /// The budget of ten cells at 20 nats is 10 · 1440 · e^−20 = 3.0e-5 a day, −ln of it 10.4. In the end, daily maxima are 6 and 18 in turn: sd
    /// 6.1, scale 4.76, location 12 − 2.75 = 9.25; they need 9.25 + 4.76 · 10.4 = 58.8, less than three times 20.
    #[test]
    fn cells_that_wander_far_on_quiet_days_need_more_evidence() {
        let mut calibration = Calibration::default();
        let needed = |calibration: &Calibration| calibration.threshold(SITE(), 20.0);
        // sd 1.6, scale 1.25, location 7.5 − 0.72 = 6.78: 6.78 + 1.25 · 10.4 = 19.8
        nights(&mut calibration, &[6.0, 9.0].repeat(4), true);
        assert!(
            (needed(&calibration) - 20.0).abs() < 1e-9,
            "less than the guarantee asks for"
        );
        // Six of 6, four of 9, two of 18: mean 9, sd 4.43, scale 3.46, location 7.0: 7.0 + 3.46 · 10.4 = 43.0
        nights(&mut calibration, &[6.0, 18.0].repeat(2), true);
        let stand = calibration.stand(20.0);
        assert_eq!((stand.quiet_days, stand.raised), (12, 1));
        assert!((stand.raised_most - 23.0).abs() < 0.1, "{stand:?}");
        let budget = stand.false_a_day / 3.0e-5;
        assert!((budget - 1.0).abs() < 0.05, "and then the budget holds: {stand:?}");
        nights(&mut calibration, &[6.0, 18.0].repeat(14), true);
        assert!((needed(&calibration) - 58.8).abs() < 0.3, "{}", needed(&calibration));
        nights(&mut calibration, &[6.0, 24.0].repeat(14), true);
        assert!((needed(&calibration) - 60.0).abs() < 1e-9, "three times, no more");
        assert!(calibration.stand(20.0).false_a_day > 1e-4, "which is told");
    }

    #[test]
    fn a_day_with_an_incident_teaches_nothing_and_six_quiet_ones_too_little() {
        let mut calibration = Calibration::default();
        nights(&mut calibration, &[18.0; 20], false);
        nights(&mut calibration, &[6.0, 18.0, 6.0, 18.0, 6.0, 18.0], true);
        assert!((calibration.threshold(SITE(), 20.0) - 20.0).abs() < 1e-9);
        assert_eq!(calibration.stand(20.0).quiet_days, 6);
    }
}
