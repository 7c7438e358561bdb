//! Where all call-ends lie, not only the poor ones: a fault that makes one call in ten poor moves the other nine as well, and
//! tells by them when it began.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::onset::{Step, grown};

/// Call-ends of one step by metric and histogram bin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels(BTreeMap<(u8, u16), f64>);

impl Levels {
    /// Counts call-ends in one bin of one metric.
    pub fn add(&mut self, metric: u8, bin: u16, count: f64) {
        *self.0.entry((metric, bin)).or_default() += count;
    }
}

impl FromIterator<((u8, u16), f64)> for Levels {
    fn from_iter<I: IntoIterator<Item = ((u8, u16), f64)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

/// Steps before the onset that say where the call-ends used to lie, and the ones just before it that are left out.
const REFERENCE: usize = 180;
const HOLD_OFF: usize = 10;
/// Of a ramp more is left out: what is obvious now began long before.
const RAMP_HOLD_OFF: usize = 100;
/// At least so many call-ends must lie in the reference, and so many after the onset.
const MIN_CALLS: f64 = 20.0;
/// Where the reference has these quantiles, a level ends.
const CUTS: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 0.97];
/// Call-ends that pull the levels after the onset towards those before it.
const PRIOR: f64 = 5.0;
/// Steps of a block over which the dispersion of the evidence is learnt.
const BLOCK: usize = 10;
/// A call-end is counted in each of its minutes, so the evidence is never less dispersed than so.
const LEAST_DISPERSION: f64 = 3.0;
/// A shift of less than so many nats is none.
const LEAST: f64 = 6.0;
/// The end of a ramp is as long as this share of what came after the onset, and at least so many steps.
const LAST: usize = 3;
const LAST_STEPS: usize = 5;

/// How the levels before a fault differ from those after it.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    /// Counts of each step by metric and level, as positions in `ratios`.
    counts: Vec<Vec<(usize, f64)>>,
    /// Probability of each level after the onset over that before.
    ratios: Vec<f64>,
    dispersion: f64,
}

impl Shift {
    /// A shift that is all there from `onset` on, if the levels show one.
    pub(crate) fn of_step(series: &[Step], onset: usize) -> Option<Self> {
        let shift = Self::between(series, onset.saturating_sub(HOLD_OFF), onset..series.len())?;
        let best = shift.by_start(series).into_iter().fold(0.0, f64::max);
        (best >= LEAST).then_some(shift)
    }

    /// A shift that is there in the last part of what follows `onset`, if the levels show one.
    pub(crate) fn of_ramp(series: &[Step], onset: usize) -> Option<Self> {
        let length = ((series.len() - onset) / LAST).max(LAST_STEPS);
        let last = series.len().saturating_sub(length)..series.len();
        let shift = Self::between(series, onset.saturating_sub(RAMP_HOLD_OFF), last)?;
        let best = shift.by_start(series).into_iter().fold(0.0, f64::max);
        (best >= LEAST).then_some(shift)
    }

    /// What lies in the steps `after`, against what lay in those before `end`.
    fn between(series: &[Step], end: usize, after: Range<usize>) -> Option<Self> {
        let reference = end.saturating_sub(REFERENCE)..end;
        let level_of = cut(&series[reference.clone()])?;
        let counts: Vec<Vec<(usize, f64)>> = series.iter().map(|step| by_level(step, &level_of)).collect();
        let (before, seen) = (total(&counts[reference.clone()]), total(&counts[after]));
        let mut ratios = vec![1.0; before.len()];
        for metric in 0..before.len() / WIDTH {
            let levels = metric * WIDTH..(metric + 1) * WIDTH;
            let (n0, n1): (f64, f64) = (before[levels.clone()].iter().sum(), seen[levels.clone()].iter().sum());
            if n0 < MIN_CALLS || n1 < MIN_CALLS {
                continue;
            }
            for level in levels {
                let p0 = (before[level] + 1.0) / (n0 + WIDTH_REAL);
                ratios[level] = (seen[level] + PRIOR * p0) / (n1 + PRIOR) / p0;
            }
        }
        let mut shift = Self {
            counts,
            ratios,
            dispersion: 1.0,
        };
        shift.dispersion = shift.learn_dispersion(reference).max(LEAST_DISPERSION);
        Some(shift)
    }

    /// The evidence of one step that the shift is there.
    fn evidence(&self, step: usize) -> f64 {
        let of = |(level, count): &(usize, f64)| count * self.ratios[*level].ln();
        self.counts[step].iter().map(of).sum::<f64>() / self.dispersion
    }

    /// For each start, the evidence that the shift is there from then on.
    pub(crate) fn by_start(&self, series: &[Step]) -> Vec<f64> {
        let mut llr = vec![0.0; series.len()];
        let mut sum = 0.0;
        for step in (0..series.len()).rev() {
            sum += self.evidence(step);
            llr[step] = sum;
        }
        llr
    }

    /// For each start, the evidence that the shift grows from then on, and is all there after `length` steps. Of a level that
    /// half the fault would not reach, half of the shift is not there when half of the fault is: `bend` is the power.
    pub(crate) fn growing_by_start(&self, series: &[Step], length: usize, bend: i32, starts: Range<usize>) -> Vec<f64> {
        let whole = self.by_start(series);
        let logs = |i: usize| {
            let share = grown(i, length).powi(bend);
            let log = |ratio: &f64| share.mul_add(ratio - 1.0, 1.0).ln() / self.dispersion;
            self.ratios.iter().map(log).collect::<Vec<f64>>()
        };
        let logs: Vec<Vec<f64>> = (0..length).map(logs).collect();
        let mut llr = vec![0.0; series.len()];
        for start in starts {
            let growing = series.len().min(start + length);
            let young = self.counts[start..growing].iter().zip(&logs);
            let young =
                young.map(|(counts, logs)| counts.iter().map(|(level, count)| count * logs[*level]).sum::<f64>());
            llr[start] = young.sum::<f64>() + whole.get(growing).copied().unwrap_or(0.0);
        }
        llr
    }

    /// How much wilder the evidence of the reference's blocks is than independent call-ends would have it.
    fn learn_dispersion(&self, reference: Range<usize>) -> f64 {
        let scores: Vec<f64> = self.ratios.iter().map(|ratio| ratio.ln()).collect();
        let before = total(&self.counts[reference.clone()]);
        let steps: Vec<usize> = reference.collect();
        let (mut seen, mut expected) = (0.0, 0.0);
        for block in steps.chunks(BLOCK) {
            let (mut deviation, mut variance) = (0.0, 0.0);
            let counts = total(&self.counts[block[0]..block[0] + block.len()]);
            for metric in 0..before.len().min(counts.len()) / WIDTH {
                let levels = || metric * WIDTH..(metric + 1) * WIDTH;
                let all: f64 = levels().map(|l| before[l]).sum();
                let mean = levels().map(|l| before[l] * scores[l]).sum::<f64>() / all.max(1.0);
                let square = levels().map(|l| before[l] * scores[l].powi(2)).sum::<f64>() / all.max(1.0);
                let n: f64 = levels().map(|l| counts[l]).sum();
                deviation += levels().map(|l| counts[l] * scores[l]).sum::<f64>() - n * mean;
                variance += n * (square - mean * mean).max(0.0);
            }
            seen += deviation * deviation;
            expected += variance;
        }
        if expected > 0.0 { seen / expected } else { 1.0 }
    }
}

/// Levels of a metric.
const WIDTH: usize = CUTS.len() + 1;
const WIDTH_REAL: f64 = 6.0;

/// The highest bin of each level but the last, by metric; nothing where the reference is too small to say.
fn cut(reference: &[Step]) -> Option<BTreeMap<u8, [u16; CUTS.len()]>> {
    let mut sums: BTreeMap<u8, BTreeMap<u16, f64>> = BTreeMap::new();
    for ((metric, bin), count) in reference.iter().flat_map(|step| &step.levels.0) {
        *sums.entry(*metric).or_default().entry(*bin).or_default() += count;
    }
    let mut cuts = BTreeMap::new();
    for (metric, bins) in sums {
        let all: f64 = bins.values().sum();
        if all < MIN_CALLS {
            continue;
        }
        let quantile = |share: f64| {
            let mut sum = 0.0;
            let reached = bins.iter().find(|(_, count)| {
                sum += **count;
                sum >= share * all
            });
            reached.map_or(u16::MAX, |(bin, _)| *bin)
        };
        cuts.insert(metric, CUTS.map(quantile));
    }
    (!cuts.is_empty()).then_some(cuts)
}

fn by_level(step: &Step, cuts: &BTreeMap<u8, [u16; CUTS.len()]>) -> Vec<(usize, f64)> {
    let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
    for ((metric, bin), count) in &step.levels.0 {
        if let Some(cuts) = cuts.get(metric) {
            let level = cuts.iter().filter(|cut| bin > cut).count();
            *counts.entry(usize::from(*metric) * WIDTH + level).or_default() += count;
        }
    }
    counts.into_iter().collect()
}

/// The sums over some steps, by metric and level.
fn total(counts: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let mut sums = vec![0.0; METRICS * WIDTH];
    for (level, count) in counts.iter().flatten() {
        if let Some(sum) = sums.get_mut(*level) {
            *sum += count;
        }
    }
    sums
}

/// Metrics whose levels are compared: loss, jitter, delay, what is missing to R = 100.
const METRICS: usize = 4;
