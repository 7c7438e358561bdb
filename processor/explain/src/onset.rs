//! Since when: the start that makes "worse from here on" most likely, by the poor call-ends and by where all the others lie.

use crate::levels::{Levels, Shift};

/// The onset by position in the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Most likely first bad step.
    pub best: usize,
    /// Earliest start within 2 nats of the best.
    pub from: usize,
    /// Latest start within 2 nats of the best.
    pub to: usize,
    /// The likelihood ratio of the best.
    pub llr: f64,
}

/// What one step showed of a scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Call-ends first poor.
    pub poor: f64,
    /// Poor call-ends expected.
    pub expected: f64,
    /// Where the metrics of all its call-ends lay; may be empty.
    pub levels: Levels,
}

impl Step {
    /// A step of which only the poor call-ends are known.
    pub fn of(poor: f64, expected: f64) -> Self {
        Self {
            poor,
            expected,
            levels: Levels::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.poor <= 0.0 && self.expected <= 0.0
    }
}

/// Steps before the end in which a ramp's beginning is looked for.
const RAMP_MEMORY: usize = 180;
/// Steps that a ramp takes to its full height.
const RAMPS: [usize; 7] = [15, 30, 45, 60, 90, 120, 180];
/// Heights tried for a ramp, as multiples of the expected rate.
const HEIGHTS: [f64; 8] = [1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 22.0];
/// A ramp must explain so many nats more than a step: it is the odder story.
const RAMP_MARGIN: f64 = 3.0;
/// A scope that did not exist before is bad from its first call, unless something speaks against it: so many nats.
const BIRTH: f64 = 4.0;
/// ... when nothing was seen of it for so many steps before.
const UNBORN: usize = 30;
/// The levels may move the onset of a step by so many steps, to either side.
const REACH: usize = 45;

/// Profile likelihood of the onset. `series` holds one [`Step`] for each minute, oldest first; the fault lasts to the end of it.
/// For each start two stories are told, "worse from here on" and "worse and worse from here on until it is all there", and
/// the one that explains more wins. Both add the ratio of the poor call-ends (over `dispersion`) and that of the levels
/// of all call-ends, which have a dispersion of their own.
pub fn onset(series: &[Step], dispersion: f64) -> Option<Onset> {
    let dispersion = dispersion.max(1.0);
    let poor = steps(series, dispersion);
    let hint = interval(series, &poor, 0..series.len())?;
    let near = hint.best.saturating_sub(REACH)..series.len().min(hint.best + REACH);
    let step = match Shift::of_step(series, hint.best) {
        Some(shift) => interval(series, &sum(&poor, &shift.from_each_start(series)), near),
        None => Some(hint),
    }?;
    match ramp(series, hint.best, dispersion) {
        Some(ramp) if ramp.llr > step.llr + RAMP_MARGIN => Some(ramp),
        _ => Some(step),
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// For each start, the ratio of "the rate seen from here on" to the expected one.
fn steps(series: &[Step], dispersion: f64) -> Vec<f64> {
    let mut llr = vec![0.0; series.len()];
    let (mut k, mut e) = (0.0, 0.0);
    for (i, step) in series.iter().enumerate().rev() {
        k += step.poor;
        e += step.expected;
        llr[i] = if e > 0.0 && k > e {
            (k * (k / e).ln() - (k - e)) / dispersion
        } else {
            0.0
        };
    }
    let birth = series.iter().position(|step| !step.is_empty()).unwrap_or(0);
    if birth >= UNBORN && llr[birth] > 0.0 {
        llr[birth] += BIRTH;
    }
    llr
}

/// The best of the [`RAMPS`], with the interval of its own starts.
fn ramp(series: &[Step], hint: usize, dispersion: f64) -> Option<Onset> {
    let shift = Shift::of_ramp(series, hint);
    let starts = series.len().saturating_sub(RAMP_MEMORY)..series.len();
    let of_length = |length: &usize| {
        let mut llr = vec![0.0; series.len()];
        for start in starts.clone() {
            let poor = HEIGHTS.iter().map(|height| grows(&series[start..], *length, *height));
            llr[start] = poor.fold(0.0, f64::max) / dispersion;
        }
        let llr = match &shift {
            Some(shift) => sum(&llr, &shift.growing_from_each_start(series, *length, starts.clone())),
            None => llr,
        };
        interval(series, &llr, starts.clone())
    };
    RAMPS
        .iter()
        .filter_map(of_length)
        .max_by(|a, b| a.llr.total_cmp(&b.llr).then(b.best.cmp(&a.best)))
}

/// The ratio of "grows to `height` times the expected rate within `length` steps, then stays" to the expected rate.
fn grows(series: &[Step], length: usize, height: f64) -> f64 {
    let ratio = |i: usize| (height - 1.0).mul_add(grown(i, length), 1.0);
    let seen = series.iter().enumerate().filter(|(_, step)| !step.is_empty());
    seen.map(|(i, step)| crate::poisson(step.poor, step.expected, ratio(i)))
        .sum()
}

/// How much of a ramp of `length` steps is there in its step `i`: its middle counts.
#[allow(clippy::cast_precision_loss, reason = "minutes of hours")]
pub(crate) fn grown(i: usize, length: usize) -> f64 {
    ((i as f64 + 0.5) / length as f64).min(1.0)
}

/// The most likely start among some, with those within 2 nats of it on either side.
fn interval(series: &[Step], llr: &[f64], starts: std::ops::Range<usize>) -> Option<Onset> {
    let best = starts
        .clone()
        .max_by(|a, b| llr[*a].total_cmp(&llr[*b]).then(a.cmp(b)))?;
    if llr[best] <= 0.0 {
        return None;
    }
    let near = |i: &usize| llr[*i] >= llr[best] - 2.0;
    let from = (starts.start..=best).rev().take_while(|i| near(i)).last().unwrap_or(best);
    // Steps in which nothing was seen or expected say nothing: a start there is a start at the next one.
    let from = (from..=best).find(|i| !series[*i].is_empty()).unwrap_or(best);
    let to = (best..starts.end).take_while(near).last().unwrap_or(best);
    Some(Onset {
        best,
        from,
        to,
        llr: llr[best],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poor(series: impl IntoIterator<Item = (f64, f64)>) -> Vec<Step> {
        series.into_iter().map(|(k, e)| Step::of(k, e)).collect()
    }

    #[test]
    fn the_step_at_which_it_got_worse_is_found() {
        let series = poor((0..30).map(|i| if i < 20 { (1.0, 1.0) } else { (6.0, 1.0) }));
        let found = onset(&series, 1.0).expect("worse");
        assert_eq!(found.best, 20);
        assert!(found.from >= 18 && found.to <= 21, "{found:?}");
    }

    /// From step 60 on the rate grows to four times the expected one within an hour.
    #[test]
    fn the_beginning_of_a_slow_ramp_is_found_and_not_where_it_became_obvious() {
        let rate = |i: u32| {
            if i < 60 {
                2.0
            } else {
                2.0 * f64::from(i - 60).mul_add(0.05, 1.0)
            }
        };
        let found = onset(&poor((0..120).map(|i| (rate(i), 2.0))), 1.0).expect("worse");
        assert!((56..=66).contains(&found.best), "{found:?}");
    }

    /// Two poor call-ends in 40 minutes say little of when: but from step 80 on the loss of all calls lies one level higher.
    #[test]
    fn the_levels_of_the_good_calls_tell_when_where_the_poor_ones_are_few() {
        let series: Vec<Step> = (0..120u32)
            .map(|i| Step {
                poor: if [88, 97, 101, 110, 118].contains(&i) { 1.0 } else { 0.0 },
                expected: 0.02,
                levels: Levels::from_iter([((0, if i < 80 { 3 + i as u16 % 3 } else { 6 + i as u16 % 3 }), 10.0)]),
            })
            .collect();
        let without: Vec<Step> = series.iter().map(|s| Step::of(s.poor, s.expected)).collect();
        let (with, without) = (onset(&series, 1.0).expect("worse"), onset(&without, 1.0).expect("worse"));
        assert_eq!((with.from, with.best, with.to), (80, 80, 80));
        assert!(without.best >= 86, "{without:?}");
    }

    #[test]
    fn levels_that_stay_where_they_are_leave_the_onset_to_the_poor_call_ends() {
        let series = |levels: Levels| -> Vec<Step> {
            (0..60u32)
                .map(|i| Step {
                    poor: if i < 40 { 1.0 } else { 5.0 },
                    expected: 1.0,
                    levels: levels.clone(),
                })
                .collect()
        };
        let same = Levels::from_iter([((0, 3), 7.0), ((0, 4), 3.0)]);
        assert_eq!(onset(&series(same), 1.0), onset(&series(Levels::default()), 1.0));
    }

    #[test]
    fn what_did_not_exist_before_did_not_get_worse_before() {
        let mut series = vec![(0.0, 0.0); 20];
        series.extend([(6.0, 1.0); 5]);
        assert_eq!(
            onset(&poor(series), 1.0).map(|found| (found.from, found.best)),
            Some((20, 20))
        );
    }

    /// A version is seen from step 40 on; its first poor calls come five steps later, by chance as far as can be told.
    #[test]
    fn what_is_new_is_bad_from_its_first_call_on() {
        let mut series = vec![(0.0, 0.0); 40];
        series.extend((0..20).map(|i| (if i < 5 { 0.0 } else { 1.0 }, 0.1)));
        assert_eq!(onset(&poor(series), 1.0).map(|found| found.best), Some(40));
    }

    #[test]
    fn where_nothing_got_worse_there_is_no_onset() {
        assert_eq!(onset(&poor([(1.0, 1.0); 10]), 1.0), None);
        assert_eq!(onset(&[], 1.0), None);
    }
}
