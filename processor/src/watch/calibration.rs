//! The nightly self-calibration: on quiet days, how much evidence do cells gather though nothing is wrong?
//!
//! The guarantee of an e-detector is for independent minutes; slow noise breaks it. So each night the most evidence that any cell of a
//! kind gathered on a quiet day is kept, for 28 such days. Kinds are the cuboids of rates and levels, where the mirror image of each cell
//! counts as well (as much too good as it was too poor, and the other way round), the dimensions whose values fall silent, and devices.
//! Maxima of many follow the Gumbel distribution; what its tail says passes once in so many days is the kind's threshold, where that is more
//! than the guarantee asks for. It is fitted by the median and the upper quartile: some of the days may not have been quiet, and nobody has
//! told; and hardly anybody calls on two of seven (DESIGN.md §3).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Quiet days that are remembered.
const DAYS: usize = 28;
/// With fewer nothing is said.
const FEW: usize = 7;
/// No threshold is raised beyond so many times what the guarantee asks for.
const MOST: f64 = 3.0;
/// The median of a Gumbel distribution lies so many scales above its location, −ln ln 2, ...
const MEDIAN: f64 = 0.366_513;
/// ... and the upper quartile so many above the median, ln (ln 2 / ln (4/3)).
const UPPER: f64 = 0.879_387;
/// No narrower than what independent minutes show: a scale of one nat.
const LEAST_SCALE: f64 = 1.0;

/// The quiet days of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Quiet {
    today: f64,
    days: VecDeque<f64>,
    /// What is needed of its cells, where that is more than the guarantee asks for.
    raised: Option<f64>,
    /// False alarms a day that are to be expected.
    false_a_day: f64,
}

/// What quiet days have taught of the thresholds of cells, by their kinds `K`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>"))]
pub struct Calibration<K> {
    kinds: BTreeMap<K, Quiet>,
    nights: usize,
}

/// What the calibration has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Calibrated {
    /// Quiet days it rests on, at most 28.
    pub quiet_days: usize,
    /// Kinds (sets of attributes, dimensions that fall silent, devices) whose threshold is higher than the guarantee asks for.
    pub raised: usize,
    /// ... the most, in nats.
    pub raised_most: f64,
    /// False alarms a day that are to be expected, by the tails of the quiet days.
    pub false_a_day: f64,
}

impl Calibrated {
    /// That of several taken as one.
    pub fn of_all(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::default(), |sum, of| Self {
            quiet_days: sum.quiet_days.max(of.quiet_days),
            raised: sum.raised + of.raised,
            raised_most: sum.raised_most.max(of.raised_most),
            false_a_day: sum.false_a_day + of.false_a_day,
        })
    }
}

impl<K> Default for Calibration<K> {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            nights: 0,
        }
    }
}

impl<K: Ord> Calibration<K> {
    /// So much evidence has some cell of a kind, or its mirror image.
    pub(super) fn note(&mut self, kind: K, evidence: f64) {
        let quiet = self.kinds.entry(kind).or_default();
        quiet.today = quiet.today.max(evidence);
    }

    /// A day is over. `cells` of each kind; `threshold` is that of every cell by the guarantee.
    pub(super) fn night(&mut self, is_quiet: bool, cells: &BTreeMap<K, usize>, threshold: f64) {
        self.kinds.retain(|kind, _| cells.contains_key(kind));
        self.nights = (self.nights + usize::from(is_quiet)).min(DAYS);
        for (kind, quiet) in &mut self.kinds {
            let most = std::mem::take(&mut quiet.today);
            if is_quiet {
                quiet.days.push_back(most);
            }
            if quiet.days.len() > DAYS {
                quiet.days.pop_front();
            }
            #[allow(clippy::cast_precision_loss, reason = "some thousands of cells")]
            let cells = cells.get(kind).copied().unwrap_or(0) as f64;
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

    /// What is needed of the cells of a kind.
    pub(super) fn threshold(&self, kind: &K, guaranteed: f64) -> f64 {
        let raised = self.kinds.get(kind).and_then(|quiet| quiet.raised);
        raised.map_or(guaranteed, |raised| raised.max(guaranteed))
    }

    /// What has been done; `guaranteed` is the threshold by the guarantee.
    pub fn stand(&self, guaranteed: f64) -> Calibrated {
        let raised = self.kinds.values().filter_map(|quiet| quiet.raised);
        let beyond: Vec<f64> = raised
            .map(|raised| raised - guaranteed)
            .filter(|beyond| *beyond > 0.0)
            .collect();
        Calibrated {
            quiet_days: self.nights,
            raised: beyond.len(),
            raised_most: beyond.iter().copied().fold(0.0, f64::max),
            false_a_day: self.kinds.values().map(|quiet| quiet.false_a_day).sum(),
        }
    }
}

/// Location and scale of the Gumbel distribution of maxima, by their quartiles: scale = (q75 − median) / 0.879, location = median − 0.367 scale.
fn tail(maxima: &VecDeque<f64>) -> Option<(f64, f64)> {
    if maxima.len() < FEW {
        return None;
    }
    let mut sorted: Vec<f64> = maxima.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    // Between two of them in proportion.
    let quartile = |n: usize| {
        let (at, part) = ((sorted.len() - 1) * n / 4, (sorted.len() - 1) * n % 4);
        #[allow(clippy::cast_precision_loss, reason = "less than four")]
        let part = part as f64 / 4.0;
        let next = sorted.get(at + 1).copied().unwrap_or(sorted[at]);
        part.mul_add(next - sorted[at], sorted[at])
    };
    let scale = ((quartile(3) - quartile(2)) / UPPER).max(LEAST_SCALE);
    Some((quartile(2) - MEDIAN * scale, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: usize = 0;

    fn nights(calibration: &mut Calibration<usize>, maxima: &[f64], is_quiet: bool) {
        let cells = BTreeMap::from([(SITE, 10)]);
        for most in maxima {
            calibration.note(SITE, *most);
            calibration.night(is_quiet, &cells, 20.0);
        }
    }

    /// The budget of ten cells at 20 nats is 10 · 1440 · e^−20 = 3.0e-5 a day, −ln of it 10.4.
    #[test]
    fn cells_that_wander_far_on_quiet_days_need_more_evidence() {
        let mut calibration = Calibration::default();
        let needed = |calibration: &Calibration<usize>| calibration.threshold(&SITE, 20.0);
        // Median 7, upper quartile 8.5: scale 1.5 / 0.879 = 1.71, location 7 − 0.63 = 6.37: 6.37 + 1.71 · 10.4 = 24.1.
        nights(&mut calibration, &[6.0, 6.0, 6.0, 7.0, 7.0, 7.0, 8.5, 8.5, 8.5], true);
        assert!((needed(&calibration) - 24.1).abs() < 0.2, "{}", needed(&calibration));
        // Nine more of 9 and 12: median 8.75, upper quartile 12, scale 3.70, location 7.39: 7.39 + 3.70 · 10.4 = 45.9.
        nights(&mut calibration, &[9.0, 12.0, 12.0].repeat(3), true);
        let stand = calibration.stand(20.0);
        assert_eq!((stand.quiet_days, stand.raised), (18, 1));
        assert!((stand.raised_most - 25.9).abs() < 0.5, "{stand:?}");
        let budget = stand.false_a_day / 3.0e-5;
        assert!((budget - 1.0).abs() < 0.05, "and then the budget holds: {stand:?}");
        nights(&mut calibration, &[6.0, 24.0].repeat(14), true);
        assert!((needed(&calibration) - 60.0).abs() < 1e-9, "three times, no more");
        assert!(calibration.stand(20.0).false_a_day > 1e-4, "which is told");
    }

    /// Twenty days of 7 to 8.2 and eight of 3, at weekends: median 7.4, upper quartile 7.8: the least scale, 7.0 + 10.4 is less than 20. On
    /// two of the days something was broken and nobody has told; by mean and standard deviation that would ask for some sixty.
    #[test]
    fn weekends_and_a_day_in_ten_that_was_not_quiet_raise_nothing() {
        let mut calibration = Calibration::default();
        let week = [7.0, 7.4, 7.8, 8.2, 7.4, 3.0, 3.0];
        nights(&mut calibration, &week.repeat(4), true);
        assert!((calibration.threshold(&SITE, 20.0) - 20.0).abs() < 1e-9);
        nights(&mut calibration, &[33.0; 2], true);
        assert!((calibration.threshold(&SITE, 20.0) - 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_day_with_an_incident_teaches_nothing_and_six_quiet_ones_too_little() {
        let mut calibration = Calibration::default();
        nights(&mut calibration, &[18.0; 20], false);
        nights(&mut calibration, &[6.0, 18.0, 6.0, 18.0, 6.0, 18.0], true);
        assert!((calibration.threshold(&SITE, 20.0) - 20.0).abs() < 1e-9);
        assert_eq!(calibration.stand(20.0).quiet_days, 6);
    }
}
