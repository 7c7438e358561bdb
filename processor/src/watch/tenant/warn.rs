//! Early warnings: what will cross its line within the hour, before there is evidence enough to open an incident. Nobody is called for
//! one; it is kept until it is known whether it came true.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{Alert, EventTime, Window, time};
use serde::{Deserialize, Serialize};

use super::{Tenant, watched::Forecast};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        dictionary::covers,
        locate::attributes_of,
        trend::{Known, STEP, Seen, Trend},
    },
};

/// It is looked so often.
const EVERY: i64 = STEP;
/// The trend is that of so long.
const MEMORY: i64 = 2 * time::HOUR;
/// A warning is about the hour to come ...
pub(super) const AHEAD: i64 = time::HOUR;
/// ... and comes true so often: ...
const SURE: f64 = 0.8;
/// ... it is given from this probability on, at two looks in a row, since what is looked at was chosen because it climbs; from more where
/// those before it did not come true so often.
const ASKED: f64 = 0.9;
/// Warnings that are believed to have been given, of which four in five came true.
const BELIEVED: f64 = 5.0;
/// Noise that remembers itself for twenty minutes varies so much more by itself than its means over twenty minutes, of which the
/// drift is learnt: 1 / (2 / e).
const OF_A_MOMENT: f64 = 1.36;
/// Cells with this part of the evidence that would be noticed are watched closely, at most so many of them.
const CLOSE: f64 = 6.0;
const MOST: usize = 5;
/// The line is the share of call minutes that may be poor; of a scope that uses more than that anyway, double its usual rate.
const DOUBLE: f64 = 2.0;
/// A scope that shares so much of its calls with one that was warned of, or is watched, is the same.
pub(super) const SAME: f64 = 0.5;
/// After a warning nothing is said of the same for so long.
const REST: i64 = 3 * time::HOUR;

/// One warning, until it is known whether it came true. What is told of it is what is told of a scope that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Warning {
    conditions: Vec<Condition>,
    at: EventTime,
    /// The rate that it said would be crossed.
    line: f64,
    /// Did it come true?
    came_true: Option<bool>,
}

/// How warnings of late came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warnings {
    /// Warnings whose hour is over.
    pub given: u64,
    /// Of them, those that came true.
    pub came_true: u64,
}

impl Warnings {
    /// The probability from which on one is given: with a share s of those before it that came true, 1 − 0.1 (s / 0.8)².
    fn needed(self) -> f64 {
        let count = |n: u64| real(i64::try_from(n).unwrap_or(i64::MAX));
        let share = (count(self.came_true) + SURE * BELIEVED) / (count(self.given) + BELIEVED);
        (1.0 - (1.0 - ASKED) * (share / SURE).powi(2)).max(ASKED)
    }
}

impl Tenant {
    /// How warnings came out so far.
    pub const fn warnings(&self) -> Warnings {
        self.warned
    }

    /// Looks where rates are going. What is told of it calls nobody.
    pub(super) fn warn(&mut self, now: EventTime, config: &WatchConfig) -> Vec<Alert> {
        if now.floor(EVERY) != now {
            return Vec::new();
        }
        let mut told = Vec::new();
        self.come_out(now, config);
        self.warnings.retain(|warning| now.since(warning.at) < REST);
        let needed = self.warned.needed();
        let before = std::mem::take(&mut self.sure);
        for conditions in self.climbing(config) {
            if self.is_known_trouble(&conditions) || !self.levels_move(&conditions, config) {
                continue;
            }
            let Some(course) = self.course(&conditions, now, config) else {
                continue;
            };
            let is_sure = course.is_sure(needed) && self.matters(&conditions, &course, now, config);
            if is_sure && before.contains(&conditions) {
                told.push(self.warn_of(conditions, &course, now, config));
            } else if is_sure {
                self.sure.push(conditions);
            }
        }
        told
    }

    /// The cells that gather evidence, the strongest first; a warning names a scope, so not that of all calls.
    fn climbing(&self, config: &WatchConfig) -> Vec<Vec<Condition>> {
        let threshold = self.noticed_from(config);
        let cells = self.detectors[0].above(threshold / CLOSE).into_iter();
        let scopes = cells
            .map(|alarm| alarm.conditions)
            .filter(|conditions| !conditions.is_empty());
        scopes.take(MOST).collect()
    }

    /// Do the levels of all its call-ends move as well, with the same part of the evidence, in the condition where they move most? What makes
    /// one call in twenty poor moves the others, too; chance does not. Where nothing is known of levels they say nothing.
    fn levels_move(&self, conditions: &[Condition], config: &WatchConfig) -> bool {
        let threshold = self.noticed_from(config);
        let cells = conditions
            .iter()
            .flat_map(|condition| self.level_detectors.iter().map(move |detector| (detector, *condition)));
        let evidence = cells.filter_map(|(detector, condition)| {
            let look = detector.look(&[condition], config.indifference, threshold)?;
            Some(look.evidence)
        });
        evidence.reduce(f64::max).is_none_or(|most| most >= threshold / CLOSE)
    }

    /// Is it an open incident's, or has it been warned of?
    fn is_known_trouble(&self, conditions: &[Condition]) -> bool {
        let open = self
            .cases
            .iter()
            .filter(|case| case.is_open() && !case.is_outside())
            .map(|case| &case.conditions);
        let warned = self.warnings.iter().map(|warning| &warning.conditions);
        open.chain(warned)
            .any(|known| self.overlap(conditions, known).of_smaller >= SAME)
    }

    /// Where a scope's rate is going.
    fn course(&self, conditions: &[Condition], now: EventTime, config: &WatchConfig) -> Option<Course> {
        let mut steps: BTreeMap<i64, Seen> = BTreeMap::new();
        let (mut expected, mut n, mut allowed) = (0.0, 0.0, 0.0);
        for (window, inside) in self.inside_since(conditions, 0, Window::of_end(now.plus(1 - MEMORY))) {
            // A window without its calls counts among the steps, too.
            let seen = steps.entry(window.start().micros().div_euclid(EVERY)).or_default();
            for (leaf, counts, e) in inside {
                let at_risk = real(counts.n[0]);
                seen.n += at_risk;
                seen.k += real(counts.k[0]);
                n += at_risk;
                expected += e;
                allowed += real(counts.media_ms) / 60_000.0 * self.target(leaf, config);
            }
        }
        if n <= 0.0 || steps.len() < 3 {
            return None;
        }
        let usual = expected / n;
        let line = (allowed / n / self.baseline.minutes_of_a_poor_end()).max(DOUBLE * usual);
        let drift = self.detectors[0].drift();
        let known = Known {
            usual,
            dispersion: drift.fine(),
            wander: OF_A_MOMENT * drift.of(&attributes_of(conditions)),
        };
        let an_hour_ago = now.plus(-time::HOUR).micros().div_euclid(EVERY);
        let lately = steps.range(an_hour_ago..).map(|(_, seen)| seen.n).sum();
        let steps: Vec<Seen> = steps.into_values().collect();
        Some(Course {
            trend: Trend::of(&steps, known),
            usual,
            line,
            lately,
        })
    }

    /// Are there calls enough in the hour to come for somebody to mind? As many as the days before let expect, or as in the last one.
    fn matters(&self, conditions: &[Condition], course: &Course, now: EventTime, config: &WatchConfig) -> bool {
        let shares = self.shares_of(|_, codes| covers(conditions, codes));
        let coming = self.seasons.busiest(&shares, (now, now.plus(AHEAD)), &self.clocks);
        course.beyond_the_usual(coming.map_or(course.lately, |(_, calls)| calls)) >= config.min_excess
    }

    fn warn_of(&mut self, conditions: Vec<Condition>, course: &Course, now: EventTime, config: &WatchConfig) -> Alert {
        let forecast = Forecast {
            effect: course.trend.rate() / course.usual.max(1e-9),
            crosses_by: course.crosses_by(now),
        };
        let told = self.watch_warned(&conditions, &forecast, now, config);
        self.warnings.push(Warning {
            conditions,
            at: now,
            line: course.line,
            came_true: None,
        });
        told
    }

    /// Incidents that have just opened say that they were warned of.
    pub(super) fn remember_warnings(&mut self) {
        for i in 0..self.cases.len() {
            let case = &self.cases[i];
            // Warnings name scopes.
            if case.sent.is_some() || case.is_outside() {
                continue;
            }
            let is_same = |warning: &&Warning| self.overlap(&warning.conditions, &case.conditions).of_smaller >= SAME;
            let first = self.warnings.iter().filter(is_same).map(|warning| warning.at).min();
            self.cases[i].incident.warned = first;
        }
    }

    /// Warnings that came true or whose hour is over, whatever has become of what was told of them.
    fn come_out(&mut self, now: EventTime, config: &WatchConfig) {
        let mut warnings = std::mem::take(&mut self.warnings);
        for warning in warnings.iter_mut().filter(|warning| warning.came_true.is_none()) {
            let is_there = self
                .course(&warning.conditions, now, config)
                .is_some_and(|course| course.trend.rate() >= warning.line);
            let is_over = now.since(warning.at) >= AHEAD;
            if is_there || is_over {
                warning.came_true = Some(is_there);
                self.warned.given += 1;
                self.warned.came_true += u64::from(is_there);
            }
        }
        self.warnings = warnings;
    }
}

/// Where a scope's rate is going.
struct Course {
    trend: Trend,
    /// What it usually is.
    usual: f64,
    line: f64,
    /// Call-ends of the last hour.
    lately: f64,
}

impl Course {
    /// Is it as good as certain that a rate which is under its line will have crossed it within the hour?
    fn is_sure(&self, needed: f64) -> bool {
        self.trend.rate() < self.line && self.trend.crosses(self.line) >= needed
    }

    /// Of so many call-ends, the poor ones at its line that are not usual.
    fn beyond_the_usual(&self, calls: f64) -> f64 {
        (self.line - self.usual) * calls
    }

    /// When the level itself gets to the line, within the hour.
    fn crosses_by(&self, now: EventTime) -> EventTime {
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
            })
            .collect();
        let known = Known {
            usual: 0.02,
            dispersion: 1.5,
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

    /// None of five came true: s = (0 + 4) / (5 + 5) = 0.4, and 1 − 0.1 · 0.25 = 0.975 is asked for.
    #[test]
    fn warnings_that_did_not_come_true_make_the_next_one_rarer() {
        let needed = |given, came_true| Warnings { given, came_true }.needed();
        assert!((needed(0, 0) - 0.9).abs() < 1e-9);
        assert!((needed(5, 0) - 0.975).abs() < 1e-9);
        assert!((needed(50, 50) - 0.9).abs() < 1e-9, "and never less than that");
    }
}
