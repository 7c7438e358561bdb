//! Precision, recall and F1 of runs. Where nothing was raised there is no precision, where nothing was planted no recall, and where neither was
//! there is no F1: that nothing is found where nothing is, is no success of finding.
//!
//! An incident that abstains wrongly is raised and not right: it names no cause, and its cause counts as missed.
//!
//! Runs differ, and causes within a run have something in common: intervals are those of the jackknife over runs, with Student's t, or those of
//! the pooled counts, as if causes were independent, whichever is wider on each side. Where the jackknife tells nothing, because all runs are
//! alike or only one has a cause, the pooled ones stand alone: Wilson's of right of raised and of right of planted. Of F1, 2R / (raised +
//! planted), it is Wilson's of R of all that was raised or planted, each thing once, F* = R / (raised + planted − R), since F1 = 2 F* / (1 + F*) grows with it (Hand, Christen and Kirielle 2021).

use super::{
    fate::Fate,
    interval::{self, Interval, real, sum},
};

/// A figure, and where it may lie.
pub(super) type Figure = (Option<f64>, Interval);

/// How many were right of how many raised and planted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score {
    right: f64,
    raised: f64,
    planted: f64,
}

impl Score {
    fn of(runs: &[&Fate]) -> Self {
        let right = named(runs);
        let besides: usize = runs.iter().map(|run| run.false_incidents + run.abstained_wrongly).sum();
        let planted: usize = runs.iter().map(|run| run.causes.len()).sum();
        Self {
            right: real(right),
            raised: real(right + besides),
            planted: real(planted),
        }
    }

    /// As an oracle would have it: what is knowable is raised, and right as often as its onset can be told.
    fn of_oracle(runs: &[&Fate]) -> Self {
        let causes = || runs.iter().flat_map(|run| &run.causes);
        let knowable = || causes().filter(|cause| cause.is_knowable());
        Self {
            right: sum(knowable().map(|cause| cause.onset_tellable.unwrap_or(1.0))),
            raised: real(knowable().count()),
            planted: real(causes().count()),
        }
    }

    fn precision(self) -> Option<f64> {
        ratio(self.right, self.raised)
    }

    fn recall(self) -> Option<f64> {
        ratio(self.right, self.planted)
    }

    fn f1(self) -> Option<f64> {
        ratio(2.0 * self.right, self.raised + self.planted)
    }

    /// Where F1 lies if all things raised or planted are independent.
    fn f1_interval(self) -> Interval {
        let (low, high) = interval::share_of(self.right, self.raised + self.planted - self.right);
        let f1 = |share: f64| 2.0 * share / (1.0 + share);
        (f1(low), f1(high))
    }
}

/// Causes that were named.
fn named(runs: &[&Fate]) -> usize {
    let causes = runs.iter().flat_map(|run| &run.causes);
    causes.filter(|cause| cause.named).count()
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Right incidents of all.
pub(super) fn precision(runs: &[&Fate]) -> Figure {
    let all = Score::of(runs);
    let pooled = interval::share_of(all.right, all.raised);
    share(runs, |runs| Score::of(runs).precision(), pooled)
}

/// Named causes of all.
pub(super) fn recall(runs: &[&Fate]) -> Figure {
    let all = Score::of(runs);
    let pooled = interval::share_of(all.right, all.planted);
    share(runs, |runs| Score::of(runs).recall(), pooled)
}

/// Their harmonic mean.
pub(super) fn f1(runs: &[&Fate]) -> Figure {
    share(runs, |runs| Score::of(runs).f1(), Score::of(runs).f1_interval())
}

/// That of an oracle.
pub(super) fn f1_of_oracle(runs: &[&Fate]) -> Figure {
    let pooled = Score::of_oracle(runs).f1_interval();
    share(runs, |runs| Score::of_oracle(runs).f1(), pooled)
}

/// Further openings about causes that are named, for each that is.
pub(super) fn duplicates(runs: &[&Fate]) -> Figure {
    let further = |runs: &[&Fate]| runs.iter().map(|run| run.duplicates).sum::<usize>();
    let of = |runs: &[&Fate]| ratio(real(further(runs)), real(named(runs)));
    let pooled = interval::count(further(runs), named(runs));
    let (low, high) = interval::widest(interval::jackknife(runs, of), pooled);
    (of(runs), (low.max(0.0), high))
}

/// A figure between 0 and 1.
fn share(runs: &[&Fate], of: impl Fn(&[&Fate]) -> Option<f64>, pooled: Interval) -> Figure {
    let (low, high) = interval::widest(interval::jackknife(runs, &of), pooled);
    (of(runs), (low.max(0.0), high.min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fate::tests::cause, totals::tests::run},
        *,
    };

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    /// Two of two: from 2 / (2 + 3.84) = .342 on; F1 from 2 · .342 / 1.342 = .510 on.
    #[test]
    fn two_clean_runs_prove_little() {
        let clean = run(vec![cause(Some(10.0), None, 0.4)], 0);
        let runs = [&clean, &clean];
        for ((value, (low, high)), least) in [(precision(&runs), 0.342), (recall(&runs), 0.342), (f1(&runs), 0.510)] {
            assert_eq!(value, Some(1.0));
            assert!(near(low, least) && near(high, 1.0), "{low} {high}");
        }
        let (value, (low, high)) = duplicates(&runs);
        assert_eq!(value, Some(0.0));
        assert!(near(low, 0.0) && (1.5..2.5).contains(&high), "3.69 for two: {high}");
    }

    /// Seven right runs and one with a false incident besides: 8/9; without a right one 7/8, without the other 1. Their mean is .890625 and
    /// √(7/8 · (7 · .015625² + .109375²)) = .109375 the error, 2.365 of which are .259: from .630 to beyond 1. Wilson's of 8 of 9 is from .565
    /// to .980.
    #[test]
    fn runs_that_differ_have_the_wider_interval_on_each_side_and_a_share_stays_one() {
        let clean = run(vec![cause(Some(10.0), None, 0.4)], 0);
        let besides = run(vec![cause(Some(10.0), None, 0.4)], 1);
        let runs: Vec<&Fate> = [&clean; 7].into_iter().chain([&besides]).collect();
        let (value, (low, high)) = precision(&runs);
        assert!(value.is_some_and(|value| near(value, 8.0 / 9.0)));
        assert!(near(low, 0.565) && near(high, 1.0), "{low} {high}");
    }

    /// One right, and one that says a rival cannot be told from its cause though it can: one right of two raised and two planted.
    #[test]
    fn an_incident_that_abstains_wrongly_is_raised_and_not_right() {
        let wrongly = Fate {
            abstained_wrongly: 1,
            ..run(vec![cause(Some(10.0), None, 0.4), cause(None, None, 0.4)], 0)
        };
        for (value, _) in [precision(&[&wrongly]), recall(&[&wrongly]), f1(&[&wrongly])] {
            assert_eq!(value, Some(0.5));
        }
    }

    #[test]
    fn where_nothing_was_planted_and_nothing_raised_there_is_no_score() {
        let quiet = run(Vec::new(), 0);
        for (value, _) in [
            precision(&[&quiet]),
            recall(&[&quiet]),
            f1(&[&quiet]),
            duplicates(&[&quiet]),
        ] {
            assert_eq!(value, None);
        }
        let (value, _) = f1(&[&run(Vec::new(), 1)]);
        assert_eq!(value, Some(0.0), "something was raised");
    }
}
