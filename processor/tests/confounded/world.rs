//! An enterprise whose calls have two ends: sites with segments and providers, headsets bought per site. A call is poor if either end is
//! impaired, and both ends report it. Nothing here knows of watch.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What each leg of a call is known by.
pub(crate) const ATTRIBUTES: usize = 6;
pub(crate) const SITE: usize = 0;
pub(crate) const SEGMENT: usize = 1;
pub(crate) const ISP: usize = 2;
pub(crate) const HEADSET: usize = 3;
pub(crate) const CLIENT: usize = 4;
pub(crate) const CONNECTION: usize = 5;

const SITES: usize = 60;
const SEGMENTS: usize = 200;
const ISPS: usize = 14;
const HEADSETS: usize = 12;
const CLIENTS: usize = 5;
/// The share of a site's calls over its main provider.
const MAIN_ISP: f64 = 0.85;
/// One end is impaired in this share of its calls, by itself.
const RATE: f64 = 0.012;
/// The odds of a cause, at least and at most.
const ODDS: [f64; 2] = [3.0, 8.0];
/// A cause has this share of all legs, at least and at most.
const SHARE: [f64; 2] = [0.01, 0.15];
/// What may break.
const KINDS: [&[usize]; 7] = [
    &[SITE],
    &[SEGMENT],
    &[ISP],
    &[HEADSET],
    &[SITE, ISP],
    &[SITE, CONNECTION],
    &[HEADSET, CLIENT],
];
/// Causes share less than this part of the smaller one's legs.
const APART: f64 = 0.5;

/// How much varies without being broken: standard deviations of the log-odds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    pub segment_day: f64,
    pub site_day: f64,
    pub headset_client: f64,
}

impl Noise {
    pub(crate) const MILD: Self = Self {
        segment_day: 0.0,
        site_day: 0.0,
        headset_client: 0.0,
    };
    pub(crate) const HARD: Self = Self {
        segment_day: 0.3,
        site_day: 0.2,
        headset_client: 0.3,
    };
}

/// The values of one leg, by attribute; each counted from 0.
pub(crate) type Leg = [usize; ATTRIBUTES];

/// A scope: attributes with their values.
pub(crate) type Scope = Vec<(usize, usize)>;

/// What broke.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub scope: Scope,
    pub odds: f64,
}

/// A call: both legs, and whether it was poor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub legs: [Leg; 2],
    pub is_poor: bool,
}

pub(crate) struct World {
    dice: ChaCha8Rng,
    noise: Noise,
    /// Of each site: where the sum of the weights up to it ends, its segments, its providers, its headsets with the sums of their shares.
    site_weights: Vec<f64>,
    segments: Vec<Vec<usize>>,
    wifi: Vec<bool>,
    providers: Vec<[usize; 2]>,
    headsets: Vec<Vec<(usize, f64)>>,
    /// What multiplies the odds, always: by attribute and value, and by headset and client.
    effects: Vec<Vec<f64>>,
    pairs: Vec<Vec<f64>>,
    /// What multiplies them today: by segment and by site.
    today: [Vec<f64>; 2],
    pub broken: Vec<Broken>,
}

impl World {
    pub(crate) fn new(seed: u64, noise: Noise) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let weights: Vec<f64> = (0..SITES).map(|_| (0.8 * normal(&mut dice)).exp()).collect();
        let mut segments = vec![Vec::new(); SITES];
        for segment in 0..SEGMENTS {
            let site = if segment < SITES {
                segment
            } else {
                pick(&mut dice, &sums(&weights))
            };
            segments[site].push(segment);
        }
        let wifi: Vec<bool> = (0..SEGMENTS).map(|_| dice.random::<f64>() < 0.4).collect();
        let providers = (0..SITES)
            .map(|_| [dice.random_range(0..ISPS), dice.random_range(0..ISPS)])
            .collect();
        let headsets = (0..SITES)
            .map(|_| {
                let bought: Vec<usize> = (0..3).map(|_| dice.random_range(0..HEADSETS)).collect();
                bought.into_iter().zip([0.6, 0.9, 1.0]).collect()
            })
            .collect();
        let sizes = [
            (SITES, 0.2),
            (SEGMENTS, 0.3),
            (ISPS, 0.2),
            (HEADSETS, 0.3),
            (CLIENTS, 0.1),
            (2, 0.2),
        ];
        let effects = sizes.map(|(n, sd)| draws(&mut dice, n, sd)).to_vec();
        let pairs = (0..HEADSETS)
            .map(|_| draws(&mut dice, CLIENTS, noise.headset_client))
            .collect();
        let mut world = Self {
            dice,
            noise,
            site_weights: sums(&weights),
            segments,
            wifi,
            providers,
            headsets,
            effects,
            pairs,
            today: Default::default(),
            broken: Vec::new(),
        };
        world.new_day();
        world
    }

    /// Segments and sites are in another mood.
    pub(crate) fn new_day(&mut self) {
        self.today = [
            draws(&mut self.dice, SEGMENTS, self.noise.segment_day),
            draws(&mut self.dice, SITES, self.noise.site_day),
        ];
    }

    /// So many things break, each of any kind, apart from those before.
    pub(crate) fn breaks(&mut self, causes: usize) {
        let legs: Vec<Leg> = (0..20_000).map(|_| self.leg()).collect();
        while self.broken.len() < causes {
            let leg = legs[self.dice.random_range(0..legs.len())];
            let kind = KINDS[self.dice.random_range(0..KINDS.len())];
            let scope: Scope = kind.iter().map(|attribute| (*attribute, leg[*attribute])).collect();
            let own = legs.iter().filter(|leg| covers(&scope, leg)).count();
            let fits = (SHARE[0]..SHARE[1]).contains(&share(own, legs.len()));
            let is_apart = self.broken.iter().all(|other| {
                let others = legs.iter().filter(|leg| covers(&other.scope, leg)).count();
                let both = legs
                    .iter()
                    .filter(|leg| covers(&scope, leg) && covers(&other.scope, leg));
                share(both.count(), own.min(others)) < APART
            });
            if fits && is_apart {
                let [low, high] = ODDS.map(f64::ln);
                let odds = (low + (high - low) * self.dice.random::<f64>()).exp();
                self.broken.push(Broken { scope, odds });
            }
        }
    }

    pub(crate) fn call(&mut self) -> Call {
        let site = self.site();
        let other = if self.dice.random::<f64>() < 0.3 {
            site
        } else {
            self.site()
        };
        let legs = [self.leg_at(site), self.leg_at(other)];
        let hazards = legs.each_ref().map(|leg| self.hazard(leg));
        let is_poor = hazards.iter().any(|hazard| self.dice.random::<f64>() < *hazard);
        Call { legs, is_poor }
    }

    /// When within so many minutes.
    pub(crate) fn minute(&mut self, minutes: i64) -> i64 {
        self.dice.random_range(0..minutes)
    }

    fn site(&mut self) -> usize {
        pick(&mut self.dice, &self.site_weights)
    }

    fn leg(&mut self) -> Leg {
        let site = self.site();
        self.leg_at(site)
    }

    fn leg_at(&mut self, site: usize) -> Leg {
        let own = &self.segments[site];
        let segment = own[self.dice.random_range(0..own.len())];
        let isp = self.providers[site][usize::from(self.dice.random::<f64>() >= MAIN_ISP)];
        let which = self.dice.random::<f64>();
        let bought = self.headsets[site].iter().find(|(_, until)| which < *until);
        let headset = bought.map_or(0, |(headset, _)| *headset);
        let client = self.dice.random_range(0..CLIENTS);
        [site, segment, isp, headset, client, usize::from(self.wifi[segment])]
    }

    fn hazard(&self, leg: &Leg) -> f64 {
        let always: f64 = leg.iter().zip(&self.effects).map(|(value, of)| of[*value]).product();
        let pair = self.pairs[leg[HEADSET]][leg[CLIENT]];
        let today = self.today[0][leg[SEGMENT]] * self.today[1][leg[SITE]];
        let broken = self.broken.iter().filter(|broken| covers(&broken.scope, leg));
        let odds = RATE / (1.0 - RATE) * always * pair * today * broken.map(|broken| broken.odds).product::<f64>();
        odds / (1.0 + odds)
    }
}

pub(crate) fn covers(scope: &[(usize, usize)], leg: &Leg) -> bool {
    scope.iter().all(|(attribute, value)| leg[*attribute] == *value)
}

#[allow(clippy::cast_precision_loss, reason = "counts of calls")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}

fn normal(dice: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(dice)
}

fn draws(dice: &mut ChaCha8Rng, n: usize, sd: f64) -> Vec<f64> {
    (0..n).map(|_| (sd * normal(dice)).exp()).collect()
}

fn sums(weights: &[f64]) -> Vec<f64> {
    let add = |sum: &mut f64, weight: &f64| {
        *sum += weight;
        Some(*sum)
    };
    weights.iter().scan(0.0, add).collect()
}

/// An index with a probability in proportion to its weight; what is given are the sums of the weights.
fn pick(dice: &mut ChaCha8Rng, sums: &[f64]) -> usize {
    let at = dice.random::<f64>() * sums.last().copied().unwrap_or(0.0);
    sums.partition_point(|sum| *sum <= at).min(sums.len() - 1)
}
