//! Where call-ends lie among those of their own scope's history: the levels move before anything is poor.
//!
//! A call-end's loss, jitter, round trip and what is missing to R = 100 are each ranked among what its site and kind of connection showed
//! before: 0 below the median, 1 from P50, 2 from P75, 3 from P90, 4 from P97. The score of a cell is the sum of its call-ends', the
//! expected one what the history says of as many, times what the hour does to the levels of its site (DESIGN.md §3). The cuts are frozen at
//! midnight, so that a day cannot teach them itself.

use std::collections::{BTreeMap, BTreeSet};

use dialtone_schemas::{Dimension, Scale};
use serde::{Deserialize, Serialize};

use super::{
    baseline::real,
    dictionary::Codes,
    evidence::{Bins, Sum},
};

/// Loss, jitter, round trip and what is missing to R = 100.
pub const METRICS: usize = 4;
/// The first of them are measured; R is computed of these, and moves as they do.
pub const MEASURED: usize = 3;
/// Their names.
pub const METRIC_NAMES: [&str; METRICS] = ["loss", "jitter", "delay", "r"];
/// Quantiles of the history from which on a call-end counts one more.
pub const CUTS: [f64; 4] = [0.5, 0.75, 0.9, 0.97];
/// Call-ends of a scope that make a history of its own; of fewer, the kind of connection's is taken, and then everybody's.
const ENOUGH: f64 = 500.0;
/// Ranks are told to so many parts.
const RANKS: u16 = 100;
const BINS: usize = Scale::LAST_BIN as usize + 1;

/// Site and connection; 0 is all of them.
type Of = (u32, u32);

/// The score of each bin, and the mean of the history.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Ladder {
    scores: Vec<u8>,
    /// The rank in steps of 1/[`RANKS`].
    ranks: Vec<u16>,
    mean: f64,
}

impl Ladder {
    /// A bin is ranked by its middle: the share below it, and half of its own.
    fn of(history: &[f64]) -> Self {
        let all: f64 = history.iter().sum();
        let (mut below, mut mean) = (0.0, 0.0);
        let mut ranks = Vec::with_capacity(history.len());
        let scores = history.iter().map(|count| {
            let rank = (below + count / 2.0) / all.max(f64::MIN_POSITIVE);
            ranks.push(steps_of(rank));
            below += count;
            let score = CUTS
                .iter()
                .zip(1u8..)
                .filter(|(cut, _)| rank >= **cut)
                .map(|(_, score)| score)
                .max();
            let score = score.unwrap_or(0);
            mean += f64::from(score) * count / all.max(f64::MIN_POSITIVE);
            score
        });
        Self {
            scores: scores.collect(),
            ranks,
            mean,
        }
    }

    fn rank(&self, bin: u16) -> u16 {
        self.ranks.get(usize::from(bin)).copied().unwrap_or(RANKS)
    }

    fn score(&self, bin: u16) -> i64 {
        self.scores.get(usize::from(bin)).copied().map_or(0, i64::from)
    }
}

/// A share in whole steps.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is 0 to 1"
)]
fn steps_of(rank: f64) -> u16 {
    (rank.clamp(0.0, 1.0) * f64::from(RANKS)) as u16
}

/// What call-ends showed before, and what a call-end's levels are today.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    history: BTreeMap<Of, [Vec<f64>; METRICS]>,
    ladders: BTreeMap<Of, [Option<Ladder>; METRICS]>,
}

impl Levels {
    /// Learns where the call-ends of a leaf lay in a window.
    pub fn learn(&mut self, codes: &Codes, bins: &Bins) {
        let merged = bins.merged();
        for of in BTreeSet::from(scopes_of(codes)) {
            let history = self.history.entry(of).or_default();
            for ((metric, bin), count) in &merged {
                let of_metric = &mut history[usize::from(*metric)];
                of_metric.resize(BINS, 0.0);
                of_metric[usize::from(*bin).min(BINS - 1)] += real(*count);
            }
        }
    }

    /// Forgets by this factor, for instance ½ after a half-life.
    pub fn decay(&mut self, factor: f64) {
        let counts = self.history.values_mut().flatten().flatten();
        counts.for_each(|count| *count *= factor);
        let is_left = |history: &[Vec<f64>; METRICS]| history.iter().flatten().sum::<f64>() > 1.0;
        self.history.retain(|_, history| is_left(history));
    }

    /// From now on levels are told by what is known now.
    pub fn freeze(&mut self) {
        let ladder = |history: &Vec<f64>| (history.iter().sum::<f64>() >= ENOUGH).then(|| Ladder::of(history));
        let of_all = self.history.iter();
        self.ladders = of_all
            .map(|(of, history)| (*of, history.each_ref().map(ladder)))
            .collect();
    }

    /// The ladder of a leaf's call-ends on one metric: of the first of its scopes that has a history.
    fn ladder(&self, metric: usize, codes: &Codes) -> Option<&Ladder> {
        let known = scopes_of(codes);
        known.iter().find_map(|of| self.ladders.get(of)?[metric].as_ref())
    }

    /// How a leaf's call-ends are ranked among those of its history, by metric and bin: a bin of the same rank is the same news whichever site and
    /// kind of connection it is of. Before there is a history a bin is its own rank.
    pub fn ranked(&self, codes: &Codes) -> impl Fn(u8, u16) -> u16 {
        let ladders = [0, 1, 2, 3].map(|metric| self.ladder(metric, codes));
        move |metric, bin| {
            let ladder = ladders.get(usize::from(metric)).copied().flatten();
            ladder.map_or(bin, |ladder| ladder.rank(bin))
        }
    }

    /// A leaf's call-ends on one metric, their score and the expected one of as many; none of either before there is a history.
    pub fn of_metric(&self, metric: usize, codes: &Codes, bins: &Bins) -> Sum {
        let Some(ladder) = self.ladder(metric, codes) else {
            return Sum::default();
        };
        let of_metric = bins.iter().filter(|(of, ..)| usize::from(*of) == metric);
        let (score, count) = of_metric.fold((0, 0), |(score, all), (_, bin, count)| {
            (score + count * ladder.score(bin), all + count)
        });
        let n = real(count);
        Sum {
            n,
            k: real(score),
            e: n * ladder.mean,
        }
    }

    /// The score of a leaf's call-ends by metric, and the one expected of as many at any hour; nothing before there is a history.
    pub fn of(&self, codes: &Codes, bins: &Bins) -> [(f64, f64); METRICS] {
        let ladders = [0, 1, 2, 3].map(|metric| self.ladder(metric, codes));
        // Whole numbers: in what order they came makes no difference.
        let mut sums = [(0, 0); METRICS];
        for (metric, bin, count) in bins.iter() {
            let metric = usize::from(metric);
            sums[metric].0 += count * ladders[metric].map_or(0, |ladder| ladder.score(bin));
            sums[metric].1 += count;
        }
        let mean = |metric: usize| ladders[metric].map_or(0.0, |ladder| ladder.mean);
        [0, 1, 2, 3].map(|metric| (real(sums[metric].0), real(sums[metric].1) * mean(metric)))
    }
}

/// The scopes whose history is a leaf's, its own first.
fn scopes_of(codes: &Codes) -> [Of; 3] {
    let (site, connection) = (codes[Dimension::Site.index()], codes[Dimension::Connection.index()]);
    [(site, connection), (0, connection), (0, 0)]
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, Window, time};

    use super::*;
    use crate::watch::{dictionary::D, hours::HourlyRates, local::Clocks};

    fn codes(site: u32) -> Codes {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = site;
        codes[Dimension::Connection.index()] = 1;
        codes
    }

    /// So many call-ends in each of these jitter bins.
    fn jitter(bins: &[(u16, i64)]) -> Bins {
        Bins::of(bins.iter().map(|(bin, count)| (1, *bin, *count)))
    }

    /// Of 1,000 call-ends 500 lie in bin 4, 250 in 5, 150 in 6, 70 in 7, 30 in 8: their middles at .25, .625, .825, .935 and .985 are ranked
    /// 0 to 4, and the mean is .25 + 2 · .15 + 3 · .07 + 4 · .03 = .88.
    #[test]
    fn a_call_end_is_ranked_among_what_its_own_scope_showed_before() {
        let mut levels = Levels::default();
        levels.learn(&codes(1), &jitter(&[(4, 500), (5, 250), (6, 150), (7, 70), (8, 30)]));
        assert_eq!(
            levels.of(&codes(1), &jitter(&[(8, 1)]))[1],
            (0.0, 0.0),
            "not before midnight"
        );
        levels.freeze();
        let of = |bin| levels.of(&codes(1), &jitter(&[(bin, 1)]))[1];
        for (bin, score) in [(0, 0.0), (4, 0.0), (5, 1.0), (6, 2.0), (7, 3.0), (8, 4.0), (60, 4.0)] {
            let (k, e) = of(bin);
            assert!((k - score).abs() < 1e-9 && (e - 0.88).abs() < 1e-9, "{bin}: {k} of {e}");
        }
    }

    /// Site 2 has 10 call-ends of its own: it is measured by all on its kind of connection, where they are the best.
    #[test]
    fn a_small_site_is_ranked_among_all_on_its_kind_of_connection() {
        let mut levels = Levels::default();
        levels.learn(&codes(1), &jitter(&[(20, 990)]));
        levels.learn(&codes(2), &jitter(&[(2, 10)]));
        levels.freeze();
        let (k, e) = levels.of(&codes(2), &jitter(&[(2, 10)]))[1];
        assert!(k < 1e-9 && e > 0.0, "{k} of {e}");
    }

    /// An hour of a day since a Monday, 5 January 1970.
    fn at(day: i64, hour: i64) -> EventTime {
        EventTime::from_micros((4 + day) * time::DAY + hour * time::HOUR)
    }

    /// The history is that of `a_call_end_is_ranked_...`. At nine on every working day 100 call-ends lie a bin further than at ten: a score of
    /// 50 + 2 · 25 + 3 · 15 + 4 · (7 + 3) = 185 where 88 are expected. Three days, each cut to 52.6 of 25, the older ones less: 150.2 of
    /// 71.4, so everybody's nine o'clock is (150.2 + 11) / (71.4 + 11) = 1.955, the site's (150.2 + 11 · 1.955) / (71.4 + 11) = 2.083, and on the
    /// fourth day 88 · 2.083 = 183.3 are expected of the 185.
    #[test]
    fn a_morning_whose_levels_rise_every_working_day_is_no_news_on_the_fourth() {
        let (mut levels, mut hours, clocks) = (Levels::default(), HourlyRates::default(), Clocks::default());
        levels.learn(&codes(1), &jitter(&[(4, 500), (5, 250), (6, 150), (7, 70), (8, 30)]));
        levels.freeze();
        let nine = levels.of(&codes(1), &jitter(&[(5, 50), (6, 25), (7, 15), (8, 7), (9, 3)]));
        let ten = levels.of(&codes(1), &jitter(&[(4, 50), (5, 25), (6, 15), (7, 7), (8, 3)]));
        for (start, sums) in (0..3).flat_map(|day| [(at(day, 9), nine), (at(day, 10), ten)]) {
            hours.learn(1, Window::of_end(start.plus(1)), &clocks, &sums);
        }
        let expected = |hour, (_, e): (f64, f64)| e * hours.at(at(3, hour), 1, 1..2, &clocks).factor(1);
        let (at_nine, at_ten) = (expected(9, nine[1]), expected(10, ten[1]));
        assert!(
            (nine[1].0 - 185.0).abs() < 1e-9 && (at_nine - 183.3).abs() < 0.1,
            "{at_nine}"
        );
        assert!(
            (ten[1].0 - 88.0).abs() < 1e-9 && (at_ten - 88.0).abs() < 1e-9,
            "{at_ten}"
        );
    }
}
