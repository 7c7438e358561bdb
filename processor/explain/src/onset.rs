//! Since when: the start that makes "worse from here on" most likely, by the poor call-ends and by where all the others lie.

use std::ops::Range;

use crate::levels::{Levels, Shift};

/// The onset by position in the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Onset {
    /// Most likely first bad step.
    pub best: usize,
    /// The start lies from here ...
    pub from: usize,
    /// ... to here with nine tenths of the probability, or within 2 nats of the best where that is narrower, and with less at the beginning
    /// of the series; the middle is where most of it lies close together.
    pub to: usize,
    /// The likelihood ratio of the best.
    pub llr: f64,
    /// Did it get worse and worse for a while, rather than at once?
    pub grows: bool,
}

/// What one step showed of a scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Call-ends at risk.
    pub at_risk: f64,
    /// Of these, first poor.
    pub poor: f64,
    /// Of these, expected to be poor.
    pub expected: f64,
    /// Where the metrics of all its call-ends lay; may be empty.
    pub levels: Levels,
}

impl Step {
    /// A step of which only counts are known.
    pub fn of(at_risk: f64, poor: f64, expected: f64) -> Self {
        Self {
            at_risk,
            poor,
            expected,
            levels: Levels::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.at_risk <= 0.0
    }
}

/// Steps before the end in which a ramp's beginning is looked for.
const RAMP_MEMORY: usize = 180;
/// Steps that a ramp takes to its full height. What grows faster is a step.
const RAMPS: [usize; 6] = [30, 45, 60, 90, 120, 180];
/// How the levels follow a ramp: as it grows, or with its square.
const BENDS: [i32; 2] = [1, 2];
/// Heights tried for a ramp, as multiples of the expected rate.
const HEIGHTS: [f64; 8] = [1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 14.0, 22.0];
/// A ramp must explain so many nats more than a step, and such a share more: it is the odder story, and bends more easily.
const RAMP_MARGIN: f64 = 3.0;
const RAMP_SHARE: f64 = 0.02;
/// A scope that did not exist before is bad from its first call, unless something speaks against it: so many nats.
const BIRTH: f64 = 4.0;
/// ... when nothing was seen of it for so many steps before.
const UNBORN: usize = 30;
/// Its first calls tell how long one waits for one; no longer than this.
const FIRST_CALLS: usize = 4;
const LONGEST_GAP: usize = 15;
/// The levels may move the onset of a step by so many steps, to either side.
const REACH: usize = 45;
/// ... and are asked so often, each time from where they put it.
const REACHES: usize = 4;

/// What lies so many steps apart lies close together.
const CLOSE: usize = 8;
/// The share of the probability that an interval holds.
const HELD: f64 = 0.9;
/// ... unless starts within so many nats of the best reach less far.
const ENOUGH: f64 = 2.0;

/// Profile likelihood of the onset. `series` holds one [`Step`] for each minute, oldest first; the fault lasts to the end of it.
/// For each start two stories are told, "worse from here on" and "worse and worse from here on until it is all there", and
/// the one that explains more wins. Both add the ratio of the poor call-ends (over `dispersion`) and that of the levels
/// of all call-ends, which have a dispersion of their own.
pub fn onset(series: &[Step], dispersion: f64) -> Option<Onset> {
    let dispersion = dispersion.max(1.0);
    let poor = steps(series, dispersion);
    let hint = interval(series, &poor, 0..series.len())?;
    let step = step(series, &poor, hint).unwrap_or(hint);
    // Ramp and step are compared by one measure: what the levels have come to.
    let growing = Shift::of_ramp(series, hint.best);
    let (first, last) = (reach(series, hint.best), reach(series, step.best));
    let near = first.start.min(last.start)..first.end.max(last.end);
    let with = |shift: &Shift| interval(series, &sum(&poor, &shift.by_start(series)), near.clone());
    let as_step = growing.as_ref().and_then(with).unwrap_or(hint).llr;
    // What began at once before the memory of ramps is not a ramp that seems to begin there.
    let memory = series.len().saturating_sub(RAMP_MEMORY);
    let ramp = (step.best >= memory)
        .then(|| ramp(series, growing.as_ref(), dispersion, memory..series.len()))
        .flatten();
    let found = match ramp {
        Some(ramp) if ramp.llr > as_step.mul_add(1.0 + RAMP_SHARE, RAMP_MARGIN) => Onset { grows: true, ..ramp },
        _ => step,
    };
    Some(before_birth(series, found))
}

/// The onset of what broke at once, by the poor call-ends and, near to where they put it, by the levels.
pub fn onset_at_once(series: &[Step], dispersion: f64) -> Option<Onset> {
    let poor = steps(series, dispersion.max(1.0));
    let hint = interval(series, &poor, 0..series.len())?;
    Some(before_birth(series, step(series, &poor, hint).unwrap_or(hint)))
}

/// The onset of a step by the poor call-ends and the levels, from where the poor ones alone put it. Where the levels used to lie is learnt from
/// what came before that place: where the few poor ones come late, the fault itself lies there and hides the shift, so it is learnt again
/// from what is found until that stays. What lies at the end of the levels' reach is looked for from there; levels that get better
/// and better however far one goes tell nothing of a step.
fn step(series: &[Step], poor: &[f64], hint: Onset) -> Option<Onset> {
    let mut from = hint.best;
    let mut step = None;
    for _ in 0..REACHES {
        let near = reach(series, from);
        let shift = Shift::of_step(series, from)?;
        let found = interval(series, &sum(poor, &shift.by_start(series)), near.clone())?;
        let is_first = found.best == near.start && near.start > 0;
        let is_last = found.best + 1 == near.end && near.end < series.len();
        step = (!is_first && !is_last).then_some(found);
        if found.best == from {
            break;
        }
        from = found.best;
    }
    step
}

/// The starts that levels may move an onset to.
fn reach(series: &[Step], from: usize) -> Range<usize> {
    from.saturating_sub(REACH)..series.len().min(from + REACH)
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// For each start, the ratio of "the rate seen from here on" to the expected one: binomial, since a device may be poor in most
/// of its calls.
fn steps(series: &[Step], dispersion: f64) -> Vec<f64> {
    let mut llr = vec![0.0; series.len()];
    let (mut n, mut k, mut e) = (0.0, 0.0, 0.0);
    for (i, step) in series.iter().enumerate().rev() {
        n += step.at_risk;
        k += step.poor;
        e += step.expected;
        llr[i] = crate::binomial(n, k, e) / dispersion;
    }
    if let Some(birth) = birth(series).filter(|birth| llr[*birth] > 0.0) {
        llr[birth] += BIRTH;
    }
    llr
}

/// The first step in which a scope is seen that was not there before.
fn birth(series: &[Step]) -> Option<usize> {
    series
        .iter()
        .position(|step| !step.is_empty())
        .filter(|birth| *birth >= UNBORN)
}

/// What is bad from its first call on became so before it: earlier by as long as one waits for a call of its kind.
fn before_birth(series: &[Step], found: Onset) -> Onset {
    let Some(birth) = birth(series).filter(|birth| found.best == *birth) else {
        return found;
    };
    let calls = (birth..series.len()).filter(|i| !series[*i].is_empty());
    let (last, count) = calls
        .take(FIRST_CALLS)
        .enumerate()
        .fold((birth, 0), |_, (i, at)| (at, i));
    let gap = (last - birth).checked_div(count).unwrap_or(LONGEST_GAP);
    Onset {
        from: birth - gap.min(LONGEST_GAP),
        to: birth,
        ..found
    }
}

/// The best of the [`RAMPS`] that begin in `starts`, with the interval of its own starts.
fn ramp(series: &[Step], shift: Option<&Shift>, dispersion: f64, starts: Range<usize>) -> Option<Onset> {
    let of_length = |length: usize| {
        let poor = growing_poor(series, length, dispersion, starts.clone());
        let best_bend = |shift: &Shift| {
            let bent = |bend| {
                let levels = shift.growing_by_start(series, length, bend, starts.clone());
                interval(series, &sum(&poor, &levels), starts.clone())
            };
            BENDS
                .into_iter()
                .filter_map(bent)
                .max_by(|a, b| a.llr.total_cmp(&b.llr))
        };
        match shift {
            Some(shift) => best_bend(shift),
            None => interval(series, &poor, starts.clone()),
        }
    };
    RAMPS
        .into_iter()
        .filter_map(of_length)
        .max_by(|a, b| a.llr.total_cmp(&b.llr).then(b.best.cmp(&a.best)))
}

/// For each start, the ratio of "grows within `length` steps to the likeliest of the [`HEIGHTS`], then stays" to the expected rate.
fn growing_poor(series: &[Step], length: usize, dispersion: f64, starts: Range<usize>) -> Vec<f64> {
    let ratio = |height: f64, i: usize| (height - 1.0).mul_add(grown(i, length), 1.0);
    let of_height = |height: f64| -> Vec<(f64, f64)> {
        let ratios = (0..=length).map(|i| ratio(height, i));
        ratios.map(|ratio| (ratio.ln(), ratio - 1.0)).collect()
    };
    let tables = HEIGHTS.map(of_height);
    let mut llr = vec![0.0; series.len()];
    for start in starts {
        let of_table = |table: &Vec<(f64, f64)>| {
            let mut sum = 0.0;
            for (i, step) in series[start..].iter().enumerate() {
                let (log, more) = table[i.min(length)];
                sum += step.poor * log - step.expected * more;
            }
            sum
        };
        llr[start] = tables.iter().map(of_table).fold(0.0, f64::max) / dispersion;
    }
    llr
}

/// How much of a ramp of `length` steps is there in its step `i`: its middle counts.
#[allow(clippy::cast_precision_loss, reason = "minutes of hours")]
pub(crate) fn grown(i: usize, length: usize) -> f64 {
    ((i as f64 + 0.5) / length as f64).min(1.0)
}

/// The most likely start among some, and from when to when it may lie.
fn interval(series: &[Step], llr: &[f64], starts: Range<usize>) -> Option<Onset> {
    let best = starts
        .clone()
        .max_by(|a, b| llr[*a].total_cmp(&llr[*b]).then(a.cmp(b)))?;
    if llr[best] <= 0.0 {
        return None;
    }
    // Steps in which nothing was seen or expected say nothing: a start there is a start at the next one.
    let weight = |i: usize| {
        if series[i].is_empty() {
            0.0
        } else {
            (llr[i] - llr[best]).exp()
        }
    };
    let weights: Vec<f64> = starts.clone().map(weight).collect();
    let at = best - starts.start;
    let (middle, half) = held(&weights, at);
    // Many starts of which each is unlikely are no reason to tell of hours: those within 2 nats of the best, without a gap, are enough.
    let near = |i: &usize| llr[*i] >= llr[best] - ENOUGH;
    let first = (starts.start..=best).rev().take_while(near).last().unwrap_or(best) - starts.start;
    let until = (best..starts.end).take_while(near).last().unwrap_or(best) - starts.start;
    let enough = middle.abs_diff(first).max(middle.abs_diff(until));
    // What began before the series is not known: it is cut on the other side as well, and holds less, so that its middle stays.
    let last = weights.len() - 1;
    let half = half.min(enough).min(middle).max(middle.abs_diff(at));
    Some(Onset {
        best,
        from: starts.start + middle.saturating_sub(half),
        to: starts.start + (middle + half).min(last),
        llr: llr[best],
        grows: false,
    })
}

/// The middle of where most of the weight lies close together, and how far to either side [`HELD`] of it is held.
///
/// With equal odds beforehand the likelihoods of the starts are their probabilities. The likeliest start alone is more often far off than
/// the place where likely ones lie together: within [`CLOSE`] steps, those further off counting less (Epanechnikov's kernel).
fn held(weights: &[f64], best: usize) -> (usize, usize) {
    let near = |middle: usize| {
        let from = middle.saturating_sub(CLOSE);
        let until = weights.len().min(middle + CLOSE + 1);
        let part = |(i, weight): (usize, &f64)| weight * (1.0 - (distance(i, middle) / distance(CLOSE, 0)).powi(2));
        (from..until).zip(&weights[from..until]).map(part).sum::<f64>()
    };
    let together: Vec<f64> = (0..weights.len()).map(near).collect();
    // Where several lie alike, the one nearest to the best.
    let order = |a: usize, b: usize| {
        let by_distance = b.abs_diff(best).cmp(&a.abs_diff(best));
        together[a].total_cmp(&together[b]).then(by_distance)
    };
    let middle = (0..weights.len()).max_by(|a, b| order(*a, *b)).unwrap_or(best);
    let all: f64 = weights.iter().sum();
    let (mut half, mut inside) = (0, weights[middle]);
    while inside < HELD * all && half < weights.len() {
        half += 1;
        let before = middle.checked_sub(half).map_or(0.0, |i| weights[i]);
        inside += before + weights.get(middle + half).copied().unwrap_or(0.0);
    }
    (middle, half)
}

#[allow(clippy::cast_precision_loss, reason = "minutes of hours")]
fn distance(a: usize, b: usize) -> f64 {
    a.abs_diff(b) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Poor and expected of a hundred times as many at risk as are expected.
    fn poor(series: impl IntoIterator<Item = (f64, f64)>) -> Vec<Step> {
        let step = |(k, e)| Step::of(100.0 * e, k, e);
        series.into_iter().map(step).collect()
    }

    /// One start is the likeliest, but three likely ones lie together: each has 1 − 1/64 or 1 − 4/64 of the next in a sum of 0.6 + 2 · 0.6 · 0.98 =
    /// 1.78 for the middle one. Of 2.8 in all nine tenths reach from there to the lone one.
    #[test]
    fn likely_starts_that_lie_together_outdo_a_lone_one() {
        let mut weights = vec![0.0; 40];
        weights[5] = 1.0;
        weights[20..23].fill(0.6);
        assert_eq!(held(&weights, 5), (21, 16));
        weights[5] = 0.1;
        assert_eq!(held(&weights, 20), (21, 1), "1.8 of 1.9 are more than nine tenths");
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
        let series: Vec<Step> = (0..120u16)
            .map(|i| Step {
                at_risk: 10.0,
                poor: if [88, 97, 101, 110, 118].contains(&i) { 1.0 } else { 0.0 },
                expected: 0.02,
                levels: Levels::from_iter([((0, if i < 80 { 3 + i % 3 } else { 6 + i % 3 }), 10.0)]),
            })
            .collect();
        let without: Vec<Step> = series.iter().map(|s| Step::of(10.0, s.poor, s.expected)).collect();
        let (with, without) = (
            onset(&series, 1.0).expect("worse"),
            onset(&without, 1.0).expect("worse"),
        );
        assert_eq!((with.from, with.best, with.to), (80, 80, 80));
        assert!(without.best >= 86, "{without:?}");
    }

    /// Four calls a minute; from step 120 on four in ten of them lie four levels higher. None is poor before step 150, so what lay before that is
    /// half an hour of the fault as well: learnt once, the shift says 149, anywhere from 119 to 169.
    #[test]
    fn where_the_poor_ones_come_late_the_shift_is_learnt_again_before_what_it_says() {
        let level = |i: u16, call: u16| {
            let usual = (i * 13 + call * 29 + i / 3) % 12;
            let is_hit = i >= 120 && (i * 7 + call * 3) % 10 < 4;
            if is_hit { usual + 4 } else { usual }
        };
        let step = |i: u16| Step {
            at_risk: 4.0,
            poor: if i >= 150 && i.is_multiple_of(5) { 1.0 } else { 0.0 },
            expected: 0.02,
            levels: (0..4).fold(Levels::default(), |mut levels, call| {
                levels.add(0, level(i, call), 1.0);
                levels
            }),
        };
        let series: Vec<Step> = (0..240).map(step).collect();
        let poor_alone: Vec<Step> = series.iter().map(|s| Step::of(s.at_risk, s.poor, s.expected)).collect();
        assert_eq!(onset(&poor_alone, 1.0).map(|found| found.best), Some(150));
        let found = onset(&series, 1.0).expect("worse");
        assert_eq!((found.best, found.grows), (120, false), "{found:?}");
        assert!(found.from >= 115 && found.to <= 125, "to five minutes: {found:?}");
    }

    /// Four calls a minute; from step 100 on two in ten of them lie four levels higher and one in sixty is poor, from step 160 on more and more,
    /// nine in ten at the end, with no more of them poor. A ramp of 180 steps that begins at step 160 fits the levels better, but that is only
    /// where one begins to look.
    #[test]
    fn what_began_long_ago_is_no_ramp_that_begins_where_one_looks() {
        let hit = |i: u16| match i {
            0..100 => 0,
            100..160 => 2,
            _ => 2 + (i - 160) / 25,
        };
        let step = |i: u16| Step {
            at_risk: 4.0,
            poor: if i >= 100 && i.is_multiple_of(15) { 1.0 } else { 0.0 },
            expected: 0.02,
            levels: (0..4).fold(Levels::default(), |mut levels, call| {
                let usual = (i * 13 + call * 29 + i / 3) % 12;
                let is_hit = (i * 7 + call * 3) % 10 < hit(i);
                levels.add(0, if is_hit { usual + 4 } else { usual }, 1.0);
                levels
            }),
        };
        let series: Vec<Step> = (0..340).map(step).collect();
        let found = onset(&series, 1.0).expect("worse");
        assert!(!found.grows && found.best.abs_diff(100) <= 5, "{found:?}");
    }

    #[test]
    fn levels_that_stay_where_they_are_leave_the_onset_to_the_poor_call_ends() {
        let series = |levels: Levels| -> Vec<Step> {
            (0..60u32)
                .map(|i| Step {
                    at_risk: 10.0,
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

    /// A version is seen from step 40 on, in every third one; its first poor call comes in the fourth of them, by chance as
    /// far as can be told. It was there three steps before its first call, the time between two of them.
    #[test]
    fn what_is_new_is_bad_from_before_its_first_call_on() {
        let mut series = vec![(0.0, 0.0); 40];
        series.extend((0..60).map(|i| {
            if i % 3 > 0 {
                (0.0, 0.0)
            } else {
                (f64::from(u8::from(i > 6)), 0.1)
            }
        }));
        let found = onset(&poor(series), 1.0).expect("worse");
        assert_eq!((found.from, found.best), (37, 40));
    }

    /// A device is poor by chance in one of 30 good calls, and then in nine of ten: the chance is not where it began.
    #[test]
    fn good_calls_after_a_poor_one_speak_against_an_onset_there() {
        let series: Vec<Step> = (0..45)
            .map(|i| Step::of(1.0, f64::from(u8::from(i == 3 || i > 32 && i != 40)), 0.02))
            .collect();
        assert_eq!(onset(&series, 1.0).map(|found| found.best), Some(33));
    }

    #[test]
    fn where_nothing_got_worse_there_is_no_onset() {
        assert_eq!(onset(&poor([(1.0, 1.0); 10]), 1.0), None);
        assert_eq!(onset(&[], 1.0), None);
    }
}
