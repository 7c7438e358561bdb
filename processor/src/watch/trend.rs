//! Where a rate is going: level and slope of its log-odds, and the probability that it gets to a line within the hour.
//!
//! A local linear trend with slow noise (Harvey 1989), filtered by Kalman in steps of five minutes: `level' = level + slope + noise`,
//! `slope' = slope + noise`, `wander' = ρ wander + noise`. `x = level + wander` is by how much the log-odds of one metric differ from the
//! usual ones. It shows in the levels of all call-ends (`proportional`), and in the poor ones: of these the metric makes a share poor, and
//! `usual · (1 + share · (e^x − 1))` are poor. Both are linear near where the filter believes to be: what is seen beyond the expected, over
//! what a unit of x would be worth (an extended Kalman filter, as for counts in Fahrmeir 1992), known to the dispersion of single calls
//! (DESIGN.md §3).

use dialtone_schemas::time;

use super::{
    evidence::Sum,
    proportional::{FARTHEST, Scores},
};

/// A step.
pub const STEP: i64 = 5 * time::MINUTE;
/// Steps of the forecast: an hour.
const AHEAD: i32 = 12;
/// What slow noise keeps of itself in a step: it remembers itself for 20 minutes, e^(−5/20).
const WANDER_KEEPS: f64 = 0.779;
/// Variance that the level gains in a step ...
const LEVEL_NOISE: f64 = 0.002;
/// ... and the slope.
const SLOPE_NOISE: f64 = 0.0001;
/// The level before the first step is the usual one, known to this variance ...
const LEVEL_START: f64 = 0.02;
/// ... and the slope none, to this one: a rate that trebles within two hours climbs by 0.046 a step.
const SLOPE_START: f64 = 0.0021;
/// Whether as many are poor as is expected is asked of half an hour or so: a step back it counts so much.
const POOR_KEEPS: f64 = 0.8;

/// What a scope showed in five minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Call-ends at risk.
    pub n: f64,
    /// First poor.
    pub k: f64,
    /// As many as usual.
    pub e: f64,
    /// Call-ends, their score on one metric, and the expected one; nothing where no levels are known.
    pub levels: Sum,
}

/// What is known besides the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// The rate as it usually is.
    pub usual: f64,
    /// The share of the usual poor call-ends that are poor on this metric; all of them where it is about no metric.
    pub share: f64,
    /// The dispersion of single calls ...
    pub dispersion: f64,
    /// ... and that of the scores.
    pub of_levels: f64,
    /// The variance by which the log-odds of such scopes wander.
    pub wander: f64,
}

/// Level, slope and wander, with their covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    x: [f64; 3],
    p: [[f64; 3]; 3],
    known: Known,
    /// Of late, the poor call-ends and those that it expects.
    poor: (f64, f64),
}

impl Trend {
    /// The trend after some steps.
    pub fn of(steps: &[Seen], known: Known) -> Self {
        let start = Self {
            x: [0.0; 3],
            p: [
                [LEVEL_START, 0.0, 0.0],
                [0.0, SLOPE_START, 0.0],
                [0.0, 0.0, known.wander],
            ],
            known,
            poor: (0.0, 0.0),
        };
        steps.iter().fold(start, |trend, seen| trend.step().see(*seen))
    }

    /// The rate now.
    pub fn rate(&self) -> f64 {
        let Known { usual, share, .. } = self.known;
        (usual * share.mul_add(self.odds() - 1.0, 1.0)).min(1.0)
    }

    /// By how much its log-odds differ from the usual ones.
    fn now(&self) -> f64 {
        self.x[0] + self.x[2]
    }

    /// The same as odds.
    fn odds(&self) -> f64 {
        self.now().exp()
    }

    /// How far its log-odds are from those at which the rate is on a line.
    fn way(&self, line: f64) -> f64 {
        let Known { usual, share, .. } = self.known;
        ((line / usual - 1.0) / share).ln_1p() - self.now()
    }

    /// Are of late as many poor as it expects, within two standard deviations? The levels may move without harming anybody.
    pub fn is_borne_out(&self) -> bool {
        let (seen, expected) = self.poor;
        seen >= expected - 2.0 * (self.known.dispersion * expected).sqrt()
    }

    /// The probability that the rate is at or beyond a line at some time within the hour. With a way `a` to go, of which `m` is expected to
    /// be gone in the hour with variance `v`, as of a Brownian motion with drift (Harrison 1985):
    /// `Φ((m − a)/√v) + e^(2 m a / v) Φ((−a − m)/√v)`.
    pub fn crosses(&self, line: f64) -> f64 {
        let way = self.way(line);
        if way <= 0.0 {
            return 1.0;
        }
        // Nothing is believed of what is not told apart.
        if self.now() + way > FARTHEST {
            return 0.0;
        }
        let then = (0..AHEAD).fold(*self, |trend, _| trend.step());
        let variance = then.p[0][0] + 2.0 * then.p[0][2] + then.p[2][2];
        let (gone, sd) = (then.now() - self.now(), variance.sqrt());
        let back = normal((-way - gone) / sd).ln() + 2.0 * gone * way / variance;
        (normal((gone - way) / sd) + back.exp()).min(1.0)
    }

    /// Steps until the rate gets to a line by its slope; none if it does not climb, or is there.
    pub fn steps_to(&self, line: f64) -> Option<f64> {
        let way = self.way(line);
        (way > 0.0 && self.x[1] > 0.0).then(|| way / self.x[1])
    }

    /// Five minutes pass.
    fn step(self) -> Self {
        let rho = WANDER_KEEPS;
        let [level, slope, wander] = self.x;
        let [[ll, ls, lw], [_, ss, sw], [_, _, ww]] = self.p;
        let (ls_next, lw_next, sw_next) = (ls + ss, rho * (lw + sw), rho * sw);
        let renewed = self.known.wander * rho.mul_add(-rho, 1.0);
        Self {
            x: [level + slope, slope, rho * wander],
            p: [
                [ll + 2.0 * ls + ss + LEVEL_NOISE, ls_next, lw_next],
                [ls_next, ss + SLOPE_NOISE, sw_next],
                [lw_next, sw_next, (rho * rho).mul_add(ww, renewed)],
            ],
            ..self
        }
    }

    /// Calls are seen.
    fn see(self, seen: Seen) -> Self {
        self.see_levels(&seen.levels).see_poor(seen)
    }

    /// How the levels of all call-ends lie.
    fn see_levels(self, seen: &Sum) -> Self {
        if seen.n <= 0.0 || seen.e <= 0.0 {
            return self;
        }
        let (now, usual) = (Scores::at(self.now()), Scores::at(0.0));
        let (expected, a_unit) = (seen.e * now.mean / usual.mean, seen.e * now.slope / usual.mean);
        let variance = self.known.of_levels * expected / (a_unit * a_unit);
        self.observe((seen.k - expected) / a_unit, variance)
    }

    /// How many of them are poor.
    fn see_poor(mut self, seen: Seen) -> Self {
        let share = self.known.share;
        let expected = seen.e * share.mul_add(self.odds() - 1.0, 1.0);
        if expected <= 0.0 {
            return self;
        }
        let (poor, of_it) = self.poor;
        self.poor = (POOR_KEEPS.mul_add(poor, seen.k), POOR_KEEPS.mul_add(of_it, expected));
        let a_unit = seen.e * share * self.odds();
        let variance = self.known.dispersion * expected / (a_unit * a_unit);
        self.observe((seen.k - expected) / a_unit, variance)
    }

    /// The log-odds are seen to lie so far from where they were believed to be, with this variance.
    fn observe(mut self, off: f64, noise: f64) -> Self {
        let with_seen = [0, 1, 2].map(|i| self.p[i][0] + self.p[i][2]);
        let variance = with_seen[0] + with_seen[2] + noise;
        for (i, x) in self.x.iter_mut().enumerate() {
            *x += with_seen[i] / variance * off;
        }
        let beyond = self.now() - self.now().clamp(-FARTHEST, FARTHEST);
        self.x[0] -= beyond;
        for (i, row) in self.p.iter_mut().enumerate() {
            for (j, p) in row.iter_mut().enumerate() {
                *p -= with_seen[i] * with_seen[j] / variance;
            }
        }
        self
    }
}

/// The normal distribution function, to 7.5e-8 (Abramowitz and Stegun 26.2.17).
fn normal(z: f64) -> f64 {
    const COEFFICIENTS: [f64; 5] = [
        0.319_381_530,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let t = 1.0 / 0.231_641_9_f64.mul_add(z.abs(), 1.0);
    let sum = COEFFICIENTS
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    let beyond = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z >= 0.0 { 1.0 - beyond } else { beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 500 call-ends in five minutes, of which 2 % are poor, and then a little more in each step.
    fn climbing(steps: u32, by: f64) -> Vec<Seen> {
        let share = |step: u32| 0.02 * (by * f64::from(step)).exp();
        (0..steps)
            .map(|step| Seen {
                n: 500.0,
                k: 500.0 * share(step),
                e: 10.0,
                ..Seen::default()
            })
            .collect()
    }

    #[test]
    fn the_normal_distribution_is_as_tabulated() {
        for (z, p) in [(0.0, 0.5), (0.841_621, 0.8), (-1.644_854, 0.05), (3.0, 0.998_65)] {
            assert!((normal(z) - p).abs() < 1e-5, "{z}: {}", normal(z));
        }
    }

    const KNOWN: Known = Known {
        usual: 0.02,
        share: 1.0,
        dispersion: 1.5,
        of_levels: 1.5,
        wander: 0.04,
    };

    /// Trebling within an hour and a half, 0.061 a step: after an hour and a quarter at 4.7 %, and 6 % four steps away: that is nearly
    /// sure. After forty minutes it might be noise.
    #[test]
    fn a_rate_that_climbs_is_forecast_to_cross_and_one_that_stays_is_not() {
        let climbs = Trend::of(&climbing(15, 0.061), KNOWN);
        assert!((climbs.rate() - 0.047).abs() < 0.004, "{}", climbs.rate());
        assert!(climbs.crosses(0.06) > 0.8, "{}", climbs.crosses(0.06));
        assert!(
            climbs.steps_to(0.06).is_some_and(|steps| (3.0..9.0).contains(&steps)),
            "{climbs:?}"
        );
        let lower = Trend::of(&climbing(8, 0.061), KNOWN);
        assert!((0.2..0.8).contains(&lower.crosses(0.06)), "{}", lower.crosses(0.06));
        let stays = Trend::of(&climbing(15, 0.0), KNOWN);
        assert!((stays.rate() - 0.02).abs() < 0.002, "{}", stays.rate());
        assert!(stays.crosses(0.06) < 0.15, "{}", stays.crosses(0.06));
    }

    /// 100 call-ends a step, of which 2 are usually poor, 24 steps; in the last 16 their levels climb, by 0.06 a step on the metric that makes half of them
    /// poor. Where as many are poor as ever, the last of some five steps expect 2 · (1 + (e^0.8 − 1) / 2) = 3.2 each, and 8 of 13 or so are no less than by
    /// two standard deviations of √(1.5 · 13); of ten times as many, 80 of 130, they are.
    #[test]
    fn levels_tell_of_a_climb_and_enough_poor_call_ends_that_it_harms_nobody() {
        let known = Known { share: 0.5, ..KNOWN };
        let trend = |times: f64, is_poor: bool| {
            let step = |step: u32| {
                let x = 0.06 * (f64::from(step) - 8.0).max(0.0);
                let (n, e) = (100.0 * times, 2.0 * times);
                Seen {
                    n,
                    k: if is_poor {
                        e * (x.exp() - 1.0).mul_add(0.5, 1.0)
                    } else {
                        e
                    },
                    e,
                    levels: Sum {
                        n,
                        k: n * Scores::at(x).mean,
                        e: n * Scores::at(0.0).mean,
                    },
                }
            };
            Trend::of(&(0..24).map(step).collect::<Vec<Seen>>(), known)
        };
        let climbs = trend(1.0, true);
        // e^0.9 = 2.46, and half of that beyond the usual: 1.73 times.
        assert!((climbs.rate() / 0.02 - 1.73).abs() < 0.1, "{}", climbs.rate());
        assert!(climbs.crosses(0.04) > 0.8 && climbs.is_borne_out(), "{climbs:?}");
        assert!(trend(1.0, false).is_borne_out(), "of few nothing can be said");
        let harmless = trend(10.0, false);
        assert!(!harmless.is_borne_out(), "{harmless:?}");
    }

    /// All call-ends lie beyond the last cut, and the usual ones are poor: further than e^2.2 = 9 times the odds is not told apart.
    #[test]
    fn no_more_is_believed_than_can_be_told_apart() {
        let worst = Seen {
            n: 100.0,
            k: 100.0,
            e: 2.0,
            levels: Sum {
                n: 100.0,
                k: 400.0,
                e: 88.0,
            },
        };
        let trend = Trend::of(&[worst; 24], KNOWN);
        assert!((trend.rate() - 0.02 * FARTHEST.exp()).abs() < 1e-9, "{}", trend.rate());
        assert!(trend.crosses(0.19) < 1e-9, "nine and a half times as many");
    }

    #[test]
    fn without_calls_nothing_is_known_better() {
        let silent = Trend::of(&[Seen::default(); 12], KNOWN);
        assert!((silent.rate() - 0.02).abs() < 1e-9);
        assert!((0.1..0.7).contains(&silent.crosses(0.06)), "{}", silent.crosses(0.06));
    }
}
