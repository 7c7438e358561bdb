//! Why a cell is silent: its evidence, what it lacks, and what it could see.

use serde::Serialize;

use super::cell::ALTERNATIVES;

/// How a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Look {
    /// ln M: what speaks for a fault, in nats.
    pub evidence: f64,
    /// What is needed to be noticed.
    pub threshold: f64,
    /// Poor call-ends of the last hour and a bit.
    pub poor: f64,
    /// Expected ones, of this cell by itself.
    pub expected: f64,
    /// Expected ones a minute, at its busiest lately.
    pub expected_per_minute: f64,
    /// The cell's rate as a multiple of the model's, by its own history and by today.
    pub own: f64,
    /// The rate that is still indifferent, as a multiple of the expected one.
    pub indifference: f64,
    /// The dispersion that its evidence is divided by.
    pub dispersion: f64,
}

impl Look {
    /// Minutes until it would be noticed if calls go on as poor as of late; none if they never would be.
    pub fn minutes_missing(&self) -> Option<f64> {
        let ratio = self.poor / self.expected.max(1e-9);
        let gain = ALTERNATIVES
            .iter()
            .map(|tried| self.gain(ratio, *tried))
            .fold(0.0, f64::max);
        (gain > 1e-6).then(|| (self.threshold - self.evidence).max(0.0) / gain)
    }

    /// The least multiple of the expected rate that would be noticed within so many minutes; none where nothing is expected.
    pub fn visible_within(&self, minutes: f64) -> Option<f64> {
        if self.expected_per_minute <= 0.0 {
            return None;
        }
        let needed = self.threshold * self.dispersion / (minutes * self.expected_per_minute);
        let by = |tried: &f64| (needed + (tried - 1.0) * self.indifference) / tried.ln();
        ALTERNATIVES.iter().map(by).reduce(f64::min)
    }

    /// What the last hour and a bit say by themselves, however long evidence has been gathered: `(k ln(k/e) − (k − e)) / φ`, in nats.
    pub fn lately(&self) -> f64 {
        let (k, e) = (self.poor, self.expected);
        if k <= e || e <= 0.0 {
            return 0.0;
        }
        (k * (k / e).ln() - (k - e)) / self.dispersion
    }

    /// What a minute adds for one alternative while the rate is such a multiple of the expected one.
    fn gain(&self, ratio: f64, tried: f64) -> f64 {
        (ratio * tried.ln() - (tried - 1.0) * self.indifference) * self.expected_per_minute / self.dispersion
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        evidence: 6.0,
        threshold: 21.0,
        poor: 40.0,
        expected: 10.0,
        expected_per_minute: 0.5,
        own: 1.0,
        indifference: 1.25,
        dispersion: 1.5,
    };

    /// Four times the expected rate, λ = 3: (4 ln 3 − 2 · 1.25) · 0.5 / 1.5 = 0.632 a minute; 15 nats are missing.
    #[test]
    fn what_is_missing_is_told_in_minutes() {
        let minutes = LOOK.minutes_missing().expect("it would be noticed");
        assert!((minutes - 15.0 / 0.6315).abs() < 0.1, "{minutes}");
        let quiet = Look { poor: 10.0, ..LOOK };
        assert_eq!(quiet.minutes_missing(), None, "as expected, and for ever");
    }

    /// 40 where 10 were expected: (40 ln 4 − 30) / 1.5 = 17.0. Fewer than expected say nothing.
    #[test]
    fn what_the_last_hour_says_does_not_grow_with_idle_minutes() {
        let idle = Look { evidence: 12.0, ..LOOK };
        assert!(
            [LOOK, idle].iter().all(|look| (look.lately() - 16.97).abs() < 0.01),
            "{}",
            LOOK.lately()
        );
        let good = Look { poor: 9.0, ..LOOK };
        assert!(good.lately() <= 0.0);
    }

    /// Within an hour 21 · 1.5 / 30 = 1.05 a unit is needed; λ = 3: (1.05 + 2.5) / ln 3 = 3.23 times, and λ = 2: 3.32 times.
    #[test]
    fn what_a_cell_can_see_depends_on_its_calls() {
        let sees = |look: Look| look.visible_within(60.0);
        assert!(sees(LOOK).is_some_and(|times| (times - 3.23).abs() < 0.01));
        let night = Look {
            expected_per_minute: 0.01,
            ..LOOK
        };
        assert!(
            sees(night).is_some_and(|times| times > 20.0),
            "a site at night sees hardly anything"
        );
        let idle = Look {
            expected_per_minute: 0.0,
            ..LOOK
        };
        assert_eq!(sees(idle), None);
    }
}
