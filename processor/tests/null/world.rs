//! Sites where nothing is broken, and yet poor call-ends come in more than binomial lumps: a rate that is drawn anew each
//! minute, or one that wanders. Nothing here knows of watch.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};

/// Call-ends a minute of a site; sites take turns. Of few the dispersion of single calls is learnt, of many the drift; and
/// of one or three a minute none is over-dispersed that would be seen: 1 + 2 · 0.05 = 1.1 times the binomial variance, and
/// 1 + 29 · 0.05 = 2.45 of thirty.
pub(crate) const SIZES: [i32; 4] = [1, 3, 10, 30];
/// The share of call-ends that is poor, everywhere.
pub(crate) const RATE: f64 = 0.02;
/// No draw is poorer.
const WORST: f64 = 0.99;

/// How rates vary while nothing is broken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noise {
    /// They do not.
    None,
    /// Each site's is drawn anew each minute (beta-binomial), its call-ends correlated by so much.
    Redrawn(f64),
    /// The log-odds of each site wander by this standard deviation (AR(1)), and forget themselves in so many minutes.
    Wandering { sd: f64, minutes: f64 },
}

impl Noise {
    pub(crate) fn name(self) -> String {
        match self {
            Self::None => "binomial".to_owned(),
            Self::Redrawn(correlated) => format!("beta-binomial, {correlated}"),
            Self::Wandering { sd, minutes } => format!("AR(1), sd {sd}, {minutes} min"),
        }
    }
}

pub(crate) struct World {
    dice: ChaCha8Rng,
    noise: Noise,
    /// By how much the log-odds of each site are off.
    moods: Vec<f64>,
}

impl World {
    pub(crate) fn new(seed: u64, noise: Noise, sites: usize) -> Self {
        Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            noise,
            moods: vec![0.0; sites],
        }
    }

    /// The night is longer than any mood remembers itself.
    pub(crate) fn new_day(&mut self) {
        if let Noise::Wandering { sd, .. } = self.noise {
            for mood in &mut self.moods {
                *mood = sd * normal(&mut self.dice);
            }
        }
    }

    /// Poor ones of this minute's call-ends of a site, whose rate is so many times the usual one.
    pub(crate) fn poor(&mut self, site: usize, call_ends: i32, times: f64) -> i32 {
        let rate = times * self.rate(site);
        binomial(&mut self.dice, call_ends, rate.min(WORST))
    }

    fn rate(&mut self, site: usize) -> f64 {
        match self.noise {
            Noise::None => RATE,
            Noise::Redrawn(correlated) => {
                let of = 1.0 / correlated - 1.0;
                let beta = Beta::new(of * RATE, of * (1.0 - RATE)).expect("both are above none");
                beta.sample(&mut self.dice)
            }
            Noise::Wandering { sd, minutes } => {
                let keeps = (-1.0 / minutes).exp();
                let shock = sd * (1.0 - keeps * keeps).sqrt() * normal(&mut self.dice);
                self.moods[site] = keeps * self.moods[site] + shock;
                // Less half the variance: the mean of the odds is the usual one.
                let odds = RATE / (1.0 - RATE) * (self.moods[site] - sd * sd / 2.0).exp();
                odds / (1.0 + odds)
            }
        }
    }
}

fn normal(dice: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(dice)
}

/// So many of n: the first number up to which a share of the distribution lies that is drawn.
fn binomial(dice: &mut ChaCha8Rng, n: i32, p: f64) -> i32 {
    let mut mass = (1.0 - p).powi(n);
    let mut left = dice.random::<f64>() - mass;
    let mut k = 0;
    while left > 0.0 && k < n {
        mass *= p / (1.0 - p) * f64::from(n - k) / f64::from(k + 1);
        left -= mass;
        k += 1;
    }
    k
}
