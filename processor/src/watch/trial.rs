//! Has a change harmed the calls it touches? The arithmetic of a verdict, on sums before and after it.
//!
//! With `e` poor call-ends expected since the change by the baseline, by the hours before it and by everybody else's calls, `k` seen and
//! φ the dispersion, `exp((k ln(μ₁/μ₀) + μ₀ − μ₁) / φ)` is an e-process against "the rate is μ₀": it exceeds 1/α with probability α at most,
//! however often it is looked at. So a verdict may be given as soon as it can be (DESIGN.md §7).

use dialtone_explain::TWO_SIDED;
use dialtone_schemas::Ruling;

use super::{
    detect::{ALTERNATIVES, WITHIN, log_of_mean},
    dose::DoseEffect,
    evidence::Sum,
};

/// A verdict of harm is wrong once in a thousand changes, each on three channels: ln 3000.
const HARM: f64 = 8.0;
/// One of harmlessness once in twenty: ln 20.
pub(super) const NO_HARM: f64 = 3.0;
/// Multiples of the expected rate that a change is cleared of, the strictest first.
const CLEARED_OF: [f64; 5] = [1.25, 1.5, 2.0, 3.0, 5.0];
/// The multiple that must be ruled out before a change is called harmless.
const DOUBLE: f64 = 2.0;
/// Expected poor call-ends by which everybody else's change of rate is pulled to none.
pub(super) const OTHERS_PRIOR: f64 = 50.0;

/// The calls that a change touches and all others, before and after it. Where a new version is rolled out, "before" are the calls
/// of the old one at the same time, and there are no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Touched, before.
    pub before: Sum,
    /// Touched, since.
    pub since: Sum,
    /// The others, before.
    pub others_before: Sum,
    /// The others, since.
    pub others_since: Sum,
    /// By how much the log-rates of such scopes wander by themselves, as a variance.
    pub drift: f64,
    /// The dispersion of the sum since the change.
    pub dispersion: f64,
    /// The least multiple that is no longer indifferent.
    pub least: f64,
    /// So many poor call-ends beyond the expected are harm at least.
    pub min_excess: f64,
    /// Where a new version is rolled out: what it does by its dose, as far as that can be told.
    pub dose: Option<DoseEffect>,
}

/// What the sums say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Harmful, harmless, or not enough calls yet.
    pub ruling: Ruling,
    /// The smallest multiple that is ruled out.
    pub within: Option<f64>,
    /// Poor call-ends expected since, without the change.
    pub expected: f64,
    /// The rate as a multiple of the expected one, and the ends of its 95 % interval.
    pub effect: [f64; 3],
    /// Call-ends that are missing until double the expected rate could be ruled out.
    pub missing: Option<f64>,
    /// What a new version does by its dose.
    pub dose: Option<DoseEffect>,
    /// New against old would be harm, but the totals deny that it is the version's doing.
    pub is_denied: bool,
}

impl Judged {
    /// Do the totals deny that a version is to blame for calls that are so many times as poor as the old one's?
    pub fn denies(&self, new_against_old: f64) -> bool {
        self.dose.is_some_and(|dose| dose.denies(new_against_old))
    }
}

impl Compared {
    /// What can be said.
    pub fn judge(&self) -> Judged {
        let per_expected = self.per_expected();
        let wander = (WITHIN * self.unknown().sqrt()).exp();
        let expected = self.since.e * per_expected;
        let within = CLEARED_OF
            .into_iter()
            .find(|times| self.against(times / wander) >= NO_HARM);
        let is_much = self.since.k - expected >= self.min_excess;
        let effect = self.effect(expected);
        let is_worse = is_much && self.for_harm(wander.max(self.least)) >= HARM;
        let is_denied = is_worse && self.dose.is_some_and(|dose| dose.denies(effect[0]));
        let ruling = if is_worse && !is_denied {
            Ruling::Harmful
        } else if within.is_some_and(|within| within <= DOUBLE) {
            Ruling::Harmless
        } else {
            Ruling::NotEnoughCalls
        };
        // If it is who has the version, more calls of the same people tell nothing else.
        let is_missing = ruling == Ruling::NotEnoughCalls && !is_denied;
        Judged {
            ruling,
            within: within.filter(|_| ruling != Ruling::Harmful),
            expected,
            effect,
            missing: is_missing.then(|| self.missing(DOUBLE / wander)),
            dose: self.dose,
            is_denied,
        }
    }

    /// The expected rate as a multiple of the baseline's: as the hours before ask for, and as everybody else's has moved since.
    fn per_expected(&self) -> f64 {
        let others = self.others_since.ratio(OTHERS_PRIOR) / self.others_before.ratio(OTHERS_PRIOR);
        self.before.ratio(1.0 / self.drift) * others
    }

    /// The variance of that on the log scale: what the hours before leave unknown, and no more than the drift.
    fn unknown(&self) -> f64 {
        1.0 / (self.before.e + 1.0 / self.drift)
    }

    /// ln of the evidence for more than `times` the expected rate, mixed over how much more.
    fn for_harm(&self, times: f64) -> f64 {
        let expected = times * self.since.e * self.per_expected();
        let by = |ratio: f64| dialtone_explain::poisson(self.since.k, expected, ratio) / self.dispersion;
        log_of_mean(&ALTERNATIVES.map(by))
    }

    /// ln of the evidence for the expected rate against `times` as much or more.
    fn against(&self, times: f64) -> f64 {
        if times <= 1.0 {
            return 0.0;
        }
        let expected = self.since.e * self.per_expected();
        ((times - 1.0) * expected - self.since.k * times.ln()) / self.dispersion
    }

    /// Call-ends until [`Compared::against`] suffices, if those to come are as poor as expected.
    fn missing(&self, times: f64) -> f64 {
        let rate = self.rate();
        let gain = self.per_expected() * (times - 1.0 - times.ln()) / self.dispersion;
        if times <= 1.0 || gain <= 0.0 || rate <= 0.0 {
            return f64::INFINITY;
        }
        ((NO_HARM - self.against(times)) / gain / rate).max(1.0).ceil()
    }

    /// Poor ones that the baseline expects of a call-end that is touched.
    fn rate(&self) -> f64 {
        let of = |sum: &Sum| (sum.n > 0.0).then(|| sum.e / sum.n);
        let known = [self.since, self.before, self.others_since];
        known.iter().find_map(of).unwrap_or(0.0)
    }

    /// Half a call-end on both sides keeps it finite.
    fn effect(&self, expected: f64) -> [f64; 3] {
        let effect = (self.since.k + 0.5) / (expected + 0.5);
        let wide = TWO_SIDED * (self.dispersion / (self.since.k + 0.5) + self.unknown()).sqrt();
        [effect, effect / wide.exp(), effect * wide.exp()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(n: f64, k: f64, e: f64) -> Sum {
        Sum { n, k, e }
    }

    /// A scope that was as expected for 475 poor call-ends: with a drift of 0.04 its own rate is known to 1/(475 + 25) = 0.002, which is
    /// exp(1.282 · √0.002) = 1.059 one-sided.
    fn compared(since: Sum) -> Compared {
        Compared {
            before: sum(20_000.0, 475.0, 475.0),
            since,
            others_before: Sum::default(),
            others_since: Sum::default(),
            drift: 0.04,
            dispersion: 1.5,
            least: 1.25,
            min_excess: 5.0,
            dose: None,
        }
    }

    /// Double / 1.059 = 1.888: (0.888 − ln 1.888) · e / 1.5 = 0.168 e: 17.8 expected ones, of which 17.8 were poor, are 3 nats.
    #[test]
    fn a_change_is_cleared_when_double_the_rate_is_ruled_out() {
        let before = compared(sum(700.0, 17.0, 17.0)).judge();
        assert_eq!(before.ruling, Ruling::NotEnoughCalls);
        // 0.14 nats are missing, a call-end brings 0.168 · 17/700 = 0.0041.
        assert!(before.missing.is_some_and(|n| (25.0..45.0).contains(&n)), "{before:?}");
        let after = compared(sum(740.0, 18.0, 18.0)).judge();
        assert_eq!((after.ruling, after.within), (Ruling::Harmless, Some(2.0)));
        let later = compared(sum(20_000.0, 475.0, 475.0)).judge();
        assert_eq!(later.within, Some(1.25), "and the longer, the closer: {later:?}");
    }

    /// Threefold: against 1.25 times 20 expected ones, 60 poor ones are 60 · ln 2 − 25 = 16.6 over 1.5 for the alternative 2.
    #[test]
    fn a_threefold_rate_is_harm_and_what_wanders_is_not() {
        let harm = compared(sum(800.0, 60.0, 20.0)).judge();
        assert_eq!((harm.ruling, harm.within, harm.missing), (Ruling::Harmful, None, None));
        assert!(
            (harm.effect[0] - 60.5 / 20.5).abs() < 0.01 && harm.effect[1] > 1.5,
            "{harm:?}"
        );
        assert_ne!(compared(sum(800.0, 28.0, 20.0)).judge().ruling, Ruling::Harmful);
    }

    /// Threefold again, but by dose it is no more than 1.54 times, and √(60.5 / 20.5) = 1.72; up to 2.5 times it may
    /// be.
    #[test]
    fn harm_that_the_totals_deny_is_not_said_and_no_more_calls_are_asked_for() {
        let by_dose = |high: f64| Compared {
            dose: Some(DoseEffect {
                effect: [1.0, 0.54, high],
                evidence: 0.0,
            }),
            ..compared(sum(800.0, 60.0, 20.0))
        };
        let denied = by_dose(1.54).judge();
        assert_eq!((denied.ruling, denied.missing), (Ruling::NotEnoughCalls, None));
        assert!(denied.is_denied && denied.denies(3.0) && !denied.denies(2.0));
        let unsure = by_dose(2.5).judge();
        assert_eq!((unsure.ruling, unsure.is_denied), (Ruling::Harmful, false));
    }

    /// Five drops where a tenth was expected are 4.9 too many.
    #[test]
    fn a_handful_of_calls_is_no_harm() {
        let few = compared(sum(100.0, 5.0, 0.1)).judge();
        assert_eq!(few.ruling, Ruling::NotEnoughCalls);
        assert_eq!(compared(sum(100.0, 9.0, 0.1)).judge().ruling, Ruling::Harmful);
    }

    /// Everybody's calls are three times as poor: (650 / 250) / 1 = 2.6 times is to be expected of the touched ones too.
    #[test]
    fn what_happened_to_everybody_is_not_the_changes_doing() {
        let everywhere = Compared {
            others_before: sum(8000.0, 200.0, 200.0),
            others_since: sum(8000.0, 600.0, 200.0),
            ..compared(sum(800.0, 60.0, 20.0))
        };
        let judged = everywhere.judge();
        assert_ne!(judged.ruling, Ruling::Harmful);
        assert!((judged.expected - 52.0).abs() < 0.1, "{judged:?}");
    }

    /// At night: five calls say nothing, and how many would is known all the same.
    #[test]
    fn before_anyone_has_called_it_is_told_how_many_calls_are_missing() {
        let judged = compared(Sum::default()).judge();
        assert_eq!(judged.ruling, Ruling::NotEnoughCalls);
        // 3 nats at 0.168 · 475/20000 = 0.0040 a call-end.
        assert!(
            judged.missing.is_some_and(|n| (700.0..800.0).contains(&n)),
            "{judged:?}"
        );
        assert!((judged.effect[0] - 1.0).abs() < 1e-9 && judged.effect[1] < 0.1 && judged.effect[2] > 10.0);
    }

    /// Of a scope of which nothing is known, a drift of 0.04 may hide exp(1.282 · 0.2) = 1.29 times: 1.25 cannot be ruled out for ever.
    #[test]
    fn no_change_is_cleared_of_what_the_scope_does_by_itself() {
        let unknown = Compared {
            before: Sum::default(),
            ..compared(sum(1e6, 20_000.0, 20_000.0))
        };
        assert_eq!(unknown.judge().within, Some(1.5));
    }
}
