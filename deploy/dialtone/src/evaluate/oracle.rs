//! How well an onset can be told at all from poor call-ends, by whoever knows the scope, what is usual there and its odds.
//!
//! Poor call-ends of a minute are Poisson's: `usual` before the onset, `odds` times as many after it. Away from the true onset, to either
//! side, the logarithm of the likelihood is a random walk that falls on average. The most likely onset lies so many minutes to one side if
//! that side's walk is higher there than ever before, never comes so high again, and the other side's never comes so high at all. Each is
//! a sum over what a minute may show: nothing is drawn by chance.
//!
//! Whoever names the middle of the eleven minutes that are the most likely together, and not the most likely one, is right a little more
//! often: .60 in place of .56 at odds of 2 and 0.5 poor call-ends a minute.

use std::collections::BTreeMap;

use super::interval::real;

/// The onset is told when it is this near, in minutes: as near as `judge` asks for.
const NEAR: u32 = 5;
/// Nobody looks for it further away than this.
const FARTHEST: u32 = 240;
/// Odds that grow less tell nothing.
const LEAST: f64 = 1e-6;
/// So high, in nats, a walk comes less than once in e^25.
const SURELY: f64 = 25.0;
/// What is rarer than e^-35 is left out.
const RARE: f64 = -35.0;
/// Of onsets that are equally likely the earlier one is taken: it is more likely by this, a minute.
const EARLIER: f64 = 1e-9;

/// Chance that the most likely onset lies within five minutes of the true one, where the cause lasted so long.
pub(super) fn onset_tellable(odds: f64, usual: f64, lasted_min: f64) -> f64 {
    if odds < 1.0 + LEAST || usual <= 0.0 {
        return 0.0;
    }
    let grown = usual * (odds - 1.0);
    let later = Side {
        walk: Walk::new(grown - EARLIER, -odds.ln(), usual * odds),
        minutes: whole_minutes(lasted_min),
    };
    let earlier = Side {
        walk: Walk::new(EARLIER - grown, odds.ln(), usual),
        minutes: FARTHEST,
    };
    let after: f64 = (0..=NEAR).map(|minutes| later.has_highest(minutes, &earlier)).sum();
    let before: f64 = (1..=NEAR).map(|minutes| earlier.has_highest(minutes, &later)).sum();
    before + after
}

fn whole_minutes(lasted: f64) -> u32 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to minutes of hours"
    )]
    let minutes = lasted.clamp(0.0, f64::from(FARTHEST)) as u32;
    minutes
}

/// The onsets after the truth, or those before it.
struct Side {
    walk: Walk,
    /// How far they reach.
    minutes: u32,
}

impl Side {
    /// Chance that the most likely onset lies so far on this side.
    fn has_highest(&self, minutes: u32, other: &Self) -> f64 {
        let Some(left) = self.minutes.checked_sub(minutes) else {
            return 0.0;
        };
        let others = other.walk.below(self.walk.height(minutes, 0), other.minutes);
        let records = self.walk.records(minutes);
        let is_higher: f64 = records.iter().map(|(height, chance)| chance * others.at(*height)).sum();
        is_higher * self.walk.below(0.0, left).at(0.0)
    }
}

/// The likelihood as it goes away from the truth: it drifts every minute, and jumps with every poor call-end.
struct Walk {
    drift: f64,
    jump: f64,
    /// So many poor call-ends in a minute, and how likely that is.
    poor: Vec<(usize, f64)>,
    /// So many jumps above where it begins it never comes.
    never: usize,
}

impl Walk {
    fn new(drift: f64, jump: f64, rate: f64) -> Self {
        // In a walk of small jumps ten standard deviations of their number are less than the nats.
        let spread = 10.0 * (f64::from(FARTHEST) * rate).sqrt() + 20.0;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number, rounded up"
        )]
        let never = (SURELY / jump.abs()).min(spread).ceil() as usize;
        Self {
            drift,
            jump,
            poor: poisson(rate),
            never,
        }
    }

    /// Its height after so many minutes with so many poor call-ends.
    fn height(&self, minutes: u32, poor: usize) -> f64 {
        f64::from(minutes) * self.drift + real(poor) * self.jump
    }

    /// Where it is if after so many minutes it is higher than ever, and how likely that is. In the other order, which is as likely, its
    /// minutes are a walk that is above its beginning after every one of them.
    fn records(&self, minutes: u32) -> Vec<(f64, f64)> {
        let mut chances = BTreeMap::from([(0, 1.0)]);
        for minute in 1..=minutes {
            let mut next = BTreeMap::new();
            for (before, chance) in &chances {
                for (poor, of_poor) in &self.poor {
                    let poor = before + poor;
                    if self.height(minute, poor) > 0.0 {
                        *next.entry(poor).or_insert(0.0) += chance * of_poor;
                    }
                }
            }
            chances = next;
        }
        let height = |(poor, chance)| (self.height(minutes, poor), chance);
        chances.into_iter().map(height).collect()
    }

    /// Chances that it stays below a height for so many minutes: below this height, and all that lie whole jumps from it. From the last
    /// minute to the first: after each it must stay below what that has left of the height.
    fn below(&self, height: f64, minutes: u32) -> Below {
        let apart = self.jump.abs();
        let lowest = |gone: u32| (height - f64::from(gone) * self.drift).rem_euclid(apart);
        let nothing_left = Below {
            lowest: lowest(minutes),
            apart,
            chances: Vec::new(),
        };
        (0..minutes).rev().map(lowest).fold(nothing_left, |next, lowest| {
            let stays = |i: usize| {
                let left = lowest + real(i) * apart - self.drift;
                let of_poor = |(poor, chance): &(usize, f64)| chance * next.at(left - real(*poor) * self.jump);
                self.poor.iter().map(of_poor).sum()
            };
            Below {
                lowest,
                apart,
                chances: (0..self.never).map(stays).collect(),
            }
        })
    }
}

/// Chances to stay below heights of the same distance, the lowest first.
struct Below {
    lowest: f64,
    apart: f64,
    chances: Vec<f64>,
}

impl Below {
    /// Of one of these heights: none where the lowest is above it, for the walk is there already; certainty above the highest.
    fn at(&self, height: f64) -> f64 {
        let place = ((height - self.lowest) / self.apart).round();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is negative is not taken"
        )]
        let chance = (place >= 0.0).then(|| self.chances.get(place as usize).copied().unwrap_or(1.0));
        chance.unwrap_or(0.0)
    }
}

/// Poisson's chances of none, one, two and so on, without the rare.
fn poisson(rate: f64) -> Vec<(usize, f64)> {
    let logs = (0..).scan(-rate, |log, n: usize| {
        if n > 0 {
            *log += (rate / real(n)).ln();
        }
        Some((n, *log))
    });
    let most = rate + 12.0 * rate.sqrt() + 30.0;
    logs.take_while(|(n, _)| real(*n) < most)
        .filter(|(_, log)| *log > RARE)
        .map(|(n, log)| (n, log.exp()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    /// Where next to nothing is poor before, the first poor call-end is the onset. At 0.1 a minute it comes in the minute of the onset or the
    /// five after it with 1 − e^−0.6 = .451; at 1 a minute with 1 − e^−6 = .9975.
    #[test]
    fn where_nothing_is_usual_the_first_poor_call_end_tells_it() {
        assert!(near(onset_tellable(1e6, 1e-7, 240.0), 0.4512));
        assert!(near(onset_tellable(1e6, 1e-6, 240.0), 0.9975));
        // What was over after three minutes is not dated later than that.
        assert!(near(onset_tellable(1e6, 1e-7, 3.0), 1.0));
    }

    /// Ten a minute that become eighty: who is a minute late must take eighty for ten, who is a minute early ten for eighty.
    #[test]
    fn where_one_minute_tells_nearly_everything_it_is_told() {
        assert!(onset_tellable(8.0, 10.0, 240.0) > 0.999_999);
    }

    /// Of 481 minutes eleven are near enough; a walk that neither rises nor falls is highest near its ends sooner than in its middle.
    #[test]
    fn odds_that_hardly_grow_leave_it_to_chance_or_worse() {
        let told = onset_tellable(1.01, 1.0, 240.0);
        assert!(told > 0.5 * 11.0 / 481.0 && told < 11.0 / 481.0, "{told}");
        assert!(onset_tellable(1.0, 1.0, 240.0) < 1e-9, "the earliest of all is taken");
        assert!(onset_tellable(3.0, 0.0, 240.0) < 1e-9, "likewise");
    }

    #[test]
    fn more_calls_and_higher_odds_tell_more() {
        let by_usual = [0.03, 0.1, 0.3, 1.0, 3.0].map(|usual| onset_tellable(3.0, usual, 120.0));
        assert!(by_usual.is_sorted_by(|a, b| a < b), "{by_usual:?}");
        let by_odds = [1.5, 2.0, 3.0, 5.0, 8.0].map(|odds| onset_tellable(odds, 0.3, 120.0));
        assert!(by_odds.is_sorted_by(|a, b| a < b), "{by_odds:?}");
    }

    /// Of a hundred thousand simulated onsets, two hours long, so many were told.
    #[test]
    fn it_is_what_simulated_onsets_show() {
        for (odds, usual, told) in [(4.0, 0.05, 0.41), (3.0, 0.3, 0.73), (2.0, 1.0, 0.747)] {
            let chance = onset_tellable(odds, usual, 120.0);
            assert!((chance - told).abs() < 0.006, "{odds} {usual}: {chance}");
        }
    }
}
