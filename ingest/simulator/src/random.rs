//! All chance comes from here: one seed, many independent streams, so that a fault changes nothing but what it touches.

use dialtone_schemas::Text;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream of random numbers is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// People, devices, purchases.
    Population = 1,
    /// Slow noise of segments, sites and users.
    Noise = 2,
    /// Which scope a fault is given when the scenario leaves it open.
    Pick = 3,
    /// How many calls start in a minute; numbered by the minute.
    Arrivals = 4,
    /// One call without faults; numbered by the call.
    Call = 5,
    /// What faults do to one call; numbered by the call.
    Damage = 6,
    /// Changes.
    Changes = 7,
    /// Who complains about one call; numbered by the call.
    Complaints = 8,
    /// Complaints that have no bad call behind them.
    Background = 9,
    /// Which reports never come, come twice or come late; numbered by the call and its end.
    Reporting = 10,
    /// Where and when no report gets out, and whose clocks are off.
    Disorder = 11,
    /// Who names a wrong site; numbered by the complaint.
    WrongSite = 12,
    /// What an innocent change overlaps, and whether it is a maintenance window; numbered by the change.
    Innocent = 13,
    /// Which devices a harmless version reaches, and when.
    Rollout = 14,
    /// Which office moves, where to and when.
    Move = 15,
    /// What breaks, when the scenario leaves it open; numbered by the fault.
    Drawn = 16,
    /// What broke in the history, when and for how long; numbered by the fault.
    Old = 17,
    /// What that did to one call; numbered by the call.
    OldDamage = 18,
}

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream number `n` of its kind.
    pub(crate) fn new(seed: u64, stream: Stream, n: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((stream as u64) << 56) | n);
        Self(rng)
    }

    /// Uniform in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// True with probability `p`. Always consumes one number.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..high.max(low + 1))
    }

    /// Uniform index below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n.max(1))
    }

    /// The same things in any order.
    pub(crate) fn shuffled<T>(&mut self, mut things: Vec<T>) -> Vec<T> {
        for left in (2..=things.len()).rev() {
            things.swap(left - 1, self.below(left));
        }
        things
    }

    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Log-normal by its median and the sd of its logarithm.
    pub(crate) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Poisson, in portions small enough to be drawn by multiplication (Knuth).
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        const PORTION: f64 = 50.0;
        let (mut count, mut rest) = (0, mean.max(0.0));
        while rest > PORTION {
            count += self.small_poisson(PORTION);
            rest -= PORTION;
        }
        count + self.small_poisson(rest)
    }

    fn small_poisson(&mut self, mean: f64) -> u32 {
        let floor = (-mean).exp();
        let (mut count, mut product) = (0, self.unit());
        while product > floor {
            count += 1;
            product *= self.unit();
        }
        count
    }

    /// An index with probability in proportion to its weight.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut rest = self.unit() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            rest -= weight;
            if rest < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// A name out of the catalogue or a scenario.
pub(crate) fn name(text: impl AsRef<str>) -> Text {
    Text::new(text).expect("names in here are short and printable")
}

/// The nearest whole number. For counts and microseconds, far inside the range where `f64` is exact.
#[allow(clippy::cast_possible_truncation, reason = "callers stay below 2^52")]
pub(crate) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A count, as a factor.
#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

/// `value` with `places` digits after the point: a report does not claim more than it measured.
pub(crate) fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poisson_count_has_its_mean_and_its_variance() {
        let mut dice = Dice::new(1, Stream::Noise, 0);
        for mean in [0.3, 7.0, 130.0] {
            let draws: Vec<f64> = (0..20_000).map(|_| f64::from(dice.poisson(mean))).collect();
            let average = draws.iter().sum::<f64>() / 20_000.0;
            let variance = draws.iter().map(|d| (d - average).powi(2)).sum::<f64>() / 20_000.0;
            assert!((average / mean - 1.0).abs() < 0.03, "{average} for {mean}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{variance} for {mean}");
        }
    }

    #[test]
    fn streams_of_one_seed_have_nothing_in_common() {
        let first = |stream, n| Dice::new(7, stream, n).bits();
        assert_eq!(first(Stream::Call, 1), first(Stream::Call, 1));
        assert_ne!(first(Stream::Call, 1), first(Stream::Call, 2));
        assert_ne!(first(Stream::Call, 1), first(Stream::Damage, 1));
    }
}
