//! What varies without being a fault: people, places, hours. Drawn once per seed; it multiplies the odds of a bad interval.

use dialtone_schemas::{EventTime, time};
use serde::Deserialize;

use crate::random::{Dice, Stream};

/// Standard deviations, in the logarithm of the odds of a bad interval. The defaults are those of a large, lived-in network.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Noise {
    /// Between users: desks far from the access point, bad cables. Constant.
    pub user_sd: f64,
    /// Between segments, another draw each day.
    pub segment_day_sd: f64,
    /// Between sites, another draw each day.
    pub site_day_sd: f64,
    /// Between combinations of headset and client. Constant.
    pub headset_client_sd: f64,
    /// Of a segment's slow drift within the day.
    pub drift_sd: f64,
    /// How long the drift remembers itself, in minutes.
    pub drift_minutes: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            user_sd: 0.8,
            segment_day_sd: 0.3,
            site_day_sd: 0.2,
            headset_client_sd: 0.3,
            drift_sd: 0.25,
            drift_minutes: 20.0,
        }
    }
}

/// Step of the drift.
const STEP: i64 = 5 * time::MINUTE;

/// The noise of one run, drawn.
#[derive(Debug)]
pub(crate) struct Draws {
    start: EventTime,
    users: Vec<f64>,
    /// Per segment, per day.
    segment_days: Vec<Vec<f64>>,
    /// Per site, per day.
    site_days: Vec<Vec<f64>>,
    /// Per headset, per client.
    peripherals: Vec<Vec<f64>>,
    /// Per segment, per step.
    drift: Vec<Vec<f64>>,
}

/// How many of each thing there is to draw for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) start: EventTime,
    pub(crate) end: EventTime,
    pub(crate) users: usize,
    pub(crate) segments: usize,
    pub(crate) sites: usize,
    pub(crate) headsets: usize,
    pub(crate) clients: usize,
}

impl Draws {
    pub(crate) fn new(noise: &Noise, seed: u64, extent: Extent) -> Self {
        let dice = &mut Dice::new(seed, Stream::Noise, 0);
        let days = index(extent.end.since(extent.start), time::DAY) + 2;
        let steps = index(extent.end.since(extent.start), STEP) + 2;
        let keep = (-5.0 / noise.drift_minutes.max(0.1)).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        Self {
            start: extent.start,
            users: normals(dice, extent.users, noise.user_sd),
            segment_days: (0..extent.segments)
                .map(|_| normals(dice, days, noise.segment_day_sd))
                .collect(),
            site_days: (0..extent.sites)
                .map(|_| normals(dice, days, noise.site_day_sd))
                .collect(),
            peripherals: (0..=extent.headsets)
                .map(|_| normals(dice, extent.clients + 1, noise.headset_client_sd))
                .collect(),
            drift: (0..extent.segments)
                .map(|_| walk(dice, steps, noise.drift_sd, keep, fresh))
                .collect(),
        }
    }

    /// What the odds of a bad interval are multiplied with.
    pub(crate) fn factor(&self, whose: Whose, at: EventTime) -> f64 {
        let since = at.since(self.start);
        let (day, step) = (index(since, time::DAY), index(since, STEP));
        let sum = of(&self.users, whose.user)
            + self.segment_days.get(whose.segment).map_or(0.0, |days| of(days, day))
            + self.site_days.get(whose.site).map_or(0.0, |days| of(days, day))
            + self
                .peripherals
                .get(whose.headset)
                .map_or(0.0, |clients| of(clients, whose.client))
            + self.drift.get(whose.segment).map_or(0.0, |steps| of(steps, step));
        sum.exp()
    }
}

/// Whose noise is asked for, by number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose {
    pub(crate) user: usize,
    pub(crate) segment: usize,
    pub(crate) site: usize,
    pub(crate) headset: usize,
    pub(crate) client: usize,
}

fn index(span: i64, step: i64) -> usize {
    usize::try_from(span.div_euclid(step)).unwrap_or(0)
}

fn of(values: &[f64], i: usize) -> f64 {
    values.get(i).copied().unwrap_or(0.0)
}

fn normals(dice: &mut Dice, n: usize, sd: f64) -> Vec<f64> {
    (0..n).map(|_| sd * dice.normal()).collect()
}

/// First-order autoregression with standard deviation `sd`.
fn walk(dice: &mut Dice, steps: usize, sd: f64, keep: f64, fresh: f64) -> Vec<f64> {
    let mut level = dice.normal();
    (0..steps)
        .map(|_| {
            level = keep * level + fresh * dice.normal();
            sd * level
        })
        .collect()
}
