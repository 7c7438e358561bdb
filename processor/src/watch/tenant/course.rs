//! Where the rate of a scope is going, by its poor call-ends and the levels of all of them, and the line that it may cross.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{EventTime, Text, Window, time};
use serde::{Deserialize, Serialize};

use super::{Tenant, warn::AHEAD};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        book::Case,
        dictionary::{Codes, covers},
        evidence::Sum,
        levels::{MEASURED, METRIC_NAMES},
        locate::{Evidence, attributes_of},
        moved::scores,
        proportional::Scores,
        trend::{Known, STEP, Seen, Trend},
    },
};

/// The trend is that of so long.
const MEMORY: i64 = 2 * time::HOUR;
/// Noise that remembers itself for twenty minutes varies so much more by itself than its means over twenty minutes, of which the
/// drift is learnt: 1 / (2 / e).
const OF_A_MOMENT: f64 = 1.36;
/// The line is the share of call minutes that may be poor; of a scope that uses more than that anyway, double its usual rate.
const DOUBLE: f64 = 2.0;
/// No rate is taken for less.
const LEAST_USUAL: f64 = 1e-6;
/// A trend has so many steps.
const FEW: usize = 3;

/// A scope that may get worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Climber {
    pub(super) conditions: Vec<Condition>,
    /// The metric whose levels tell of it, where any do.
    pub(super) metric: Option<usize>,
    /// The open incident whose it is.
    pub(super) incident: Option<Text>,
}

impl Climber {
    /// The scope of an open incident, by the levels of what it is about.
    pub(super) fn of_case(case: &Case) -> Self {
        let is_it = |name: &&str| **name == *case.incident.metric.as_str();
        Self {
            conditions: case.conditions.clone(),
            metric: METRIC_NAMES[..MEASURED].iter().position(is_it),
            incident: Some(case.incident.id.clone()),
        }
    }
}

/// Where a scope's rate is going.
pub(super) struct Course {
    pub(super) trend: Trend,
    /// What it usually is.
    pub(super) usual: f64,
    pub(super) line: f64,
    /// Call-ends of the last hour.
    pub(super) lately: f64,
}

/// What a scope showed, by steps.
#[derive(Default)]
struct Shown {
    steps: BTreeMap<i64, Seen>,
    /// Minutes that may be poor.
    allowed: f64,
}

fn step_of(at: EventTime) -> i64 {
    at.micros().div_euclid(STEP)
}

impl Tenant {
    /// Where a scope's rate is going; none where too little was seen.
    /// The calls of `others` are left out: they are the doing of what they say.
    pub(super) fn course(
        &self,
        climber: &Climber,
        others: &[&[Condition]],
        now: EventTime,
        config: &WatchConfig,
    ) -> Option<Course> {
        let shown = self.steps_of(climber, others, now, config);
        let all = |of: fn(&Seen) -> f64| shown.steps.values().map(of).sum::<f64>();
        let (at_risk, expected) = (all(|seen| seen.n), all(|seen| seen.e));
        if at_risk <= 0.0 || shown.steps.len() < FEW {
            return None;
        }
        let own = self.detectors[0].own(&climber.conditions);
        let usual = (expected * own / at_risk).max(LEAST_USUAL);
        let may_be = shown.allowed / at_risk / self.baseline.minutes_of_a_poor_end();
        let an_hour_ago = step_of(now.plus(-time::HOUR));
        let lately = shown.steps.range(an_hour_ago..).map(|(_, seen)| seen.n).sum();
        let line = may_be.max(DOUBLE * usual);
        let of_this_scope = |seen: Seen| Seen {
            e: seen.e * own,
            ..seen
        };
        let steps: Vec<Seen> = shown.steps.into_values().map(of_this_scope).collect();
        // What is poor more often than not can hardly double.
        (line < 1.0).then(|| Course {
            trend: Trend::of(&steps, self.known(climber, usual)),
            usual,
            line,
            lately,
        })
    }

    /// What is known of such scopes: the levels of all call-ends wander less than their scores, by as much as these follow the log-odds.
    fn known(&self, climber: &Climber, usual: f64) -> Known {
        let attributes = attributes_of(&climber.conditions);
        let of_poor = self.detectors[0].drift();
        let of_levels = climber.metric.map(|metric| self.level_detectors[metric].drift());
        let at_usual = Scores::at(0.0);
        let follows = at_usual.slope / at_usual.mean;
        let wander = of_levels.map_or_else(
            || of_poor.of(&attributes),
            |drift| drift.of(&attributes) / (follows * follows),
        );
        Known {
            usual,
            share: climber.metric.map_or(1.0, |metric| self.baseline.share_of_kind(metric)),
            dispersion: of_poor.fine(),
            of_levels: of_levels.map_or(1.0, |drift| drift.fine()),
            wander: OF_A_MOMENT * wander,
        }
    }

    fn steps_of(&self, climber: &Climber, others: &[&[Condition]], now: EventTime, config: &WatchConfig) -> Shown {
        let is_free = |codes: &Codes| !others.iter().any(|other| covers(other, codes));
        let since = Window::of_end(now.plus(1 - MEMORY));
        // What an open incident adds is no part of the usual: of its own scope, or of one that has opened since it was warned of.
        let is_open = climber.incident.is_some() || self.is_held(&climber.conditions);
        let evidence = if is_open {
            self.usual(0, 1.0)
        } else {
            self.evidence(0, 1.0)
        };
        let mut shown = Shown::default();
        for (window, inside) in self.inside_of(evidence, &climber.conditions, since) {
            // A window without its calls counts among the steps, too.
            let seen = shown.steps.entry(step_of(window.start())).or_default();
            let free = inside.into_iter();
            for (leaf, counts, e) in free.filter(|(leaf, ..)| is_free(self.dictionary.codes(*leaf))) {
                seen.n += real(counts.n[0]);
                seen.k += real(counts.k[0]);
                seen.e += e;
                shown.allowed += real(counts.media_ms) / 60_000.0 * self.target(leaf, config);
            }
        }
        if let Some(metric) = climber.metric {
            let is_wanted =
                |codes: &Codes| covers(&climber.conditions, codes) && !evidence.is_held(codes) && is_free(codes);
            let own = self.level_detectors[metric].own(&climber.conditions);
            self.add_levels(&mut shown, (metric, own), &evidence, since, is_wanted);
        }
        shown
    }

    /// The levels of the call-ends that are wanted, on a metric on which the scope's own differ so from what its site and connection show.
    fn add_levels(
        &self,
        shown: &mut Shown,
        (metric, own): (usize, f64),
        evidence: &Evidence<'_>,
        since: Window,
        is_wanted: impl Fn(&Codes) -> bool + Copy,
    ) {
        for in_window in self.ring.since(since) {
            let seen = shown.steps.entry(step_of(in_window.0.start())).or_default();
            for (_, score) in scores(
                evidence,
                (&self.levels, &self.level_hours),
                metric,
                in_window,
                is_wanted,
            ) {
                seen.levels.add(Sum {
                    e: score.e * own,
                    ..score
                });
            }
        }
    }
}

impl Course {
    /// Is it as good as certain that a rate which is under its line will have crossed it within the hour, and does no poor call-end say otherwise?
    pub(super) fn is_sure(&self, needed: f64) -> bool {
        self.trend.rate() < self.line && self.trend.is_borne_out() && self.trend.crosses(self.line) >= needed
    }

    /// Is the rate at a line or beyond, and does no poor call-end say otherwise?
    pub(super) fn has_crossed(&self, line: f64) -> bool {
        self.trend.rate() >= line && self.trend.is_borne_out()
    }

    /// The rate as a multiple of the usual one.
    pub(super) fn effect(&self) -> f64 {
        self.trend.rate() / self.usual
    }

    /// Of so many call-ends, the poor ones at its line that are not usual.
    pub(super) fn beyond_the_usual(&self, calls: f64) -> f64 {
        (self.line - self.usual) * calls
    }

    /// When the level itself gets to the line, within the hour.
    pub(super) fn crosses_by(&self, now: EventTime) -> EventTime {
        #[allow(clippy::cast_possible_truncation, reason = "at most an hour")]
        let ahead = |steps: f64| ((steps * real(STEP)) as i64).min(AHEAD);
        now.plus(self.trend.steps_to(self.line).map_or(AHEAD, ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten steps of 500 call-ends, of which usually 2 % are poor and each step a little more; the line is 4 %. With 250 call-ends an
    /// hour that is (0.04 − 0.02) · 250 = 5 poor ones more than usual, which is the least that counts.
    #[test]
    fn nobody_is_warned_of_what_hardly_anybody_would_hear() {
        let share = |step: u32| 0.02 * (0.061 * f64::from(step)).exp();
        let steps: Vec<Seen> = (0..10)
            .map(|step| Seen {
                n: 500.0,
                k: 500.0 * share(step),
                e: 10.0,
                ..Seen::default()
            })
            .collect();
        let known = Known {
            usual: 0.02,
            share: 1.0,
            dispersion: 1.5,
            of_levels: 1.5,
            wander: 0.04,
        };
        let course = Course {
            trend: Trend::of(&steps, known),
            usual: 0.02,
            line: 0.04,
            lately: 6000.0,
        };
        assert!(course.is_sure(0.8), "{}", course.trend.crosses(0.04));
        let least = WatchConfig::default().min_excess;
        assert!(course.beyond_the_usual(250.1) >= least && course.beyond_the_usual(249.0) < least);
    }
}
