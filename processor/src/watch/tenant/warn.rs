//! Early warnings: what will cross its line within the hour, mostly before there is evidence enough to open an incident. Nobody is called for
//! one; it is kept until it is known whether it came true.

use dialtone_explain::Condition;
use dialtone_schemas::{Alert, EventTime, time};
use serde::{Deserialize, Serialize};

use super::{
    Tenant,
    course::{Climber, Course},
    watched::Forecast,
};
use crate::{
    config::WatchConfig,
    watch::{baseline::real, book::Case, detect::Detector, dictionary::covers, levels::MEASURED, trend::STEP},
};

/// It is looked so often.
const EVERY: i64 = STEP;
/// A warning is about the hour to come ...
pub(super) const AHEAD: i64 = time::HOUR;
/// ... and comes true so often: ...
const SURE: f64 = 0.8;
/// ... it is given from this probability on, at two looks in a row, since what is looked at was chosen because it climbs; from more where
/// those before it did not come true so often.
const ASKED: f64 = 0.9;
/// Warnings that are believed to have been given, of which four in five came true.
const BELIEVED: f64 = 5.0;
/// Of so many open incidents it is asked where they are going, and of so many scopes whose levels have moved: of the first so many.
const MOST: usize = 8;
const LOOKED_AT: usize = 40;
/// Levels have moved when they say so many nats in the last hour and a bit: of some thousand cells one in an hour does by chance.
const MOVED: f64 = 5.0;
/// A scope that shares so much of its calls with one that was warned of, or is watched, is the same.
pub(super) const SAME: f64 = 0.5;
/// After a warning nothing is said of the same for so long.
const REST: i64 = 3 * time::HOUR;

/// One warning, until it is known whether it came true. What is told of it is what is told of a scope that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Warning {
    about: Climber,
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
    /// How likely the next one comes true: the share that did, of these and of those that are believed.
    pub(super) fn share(self) -> f64 {
        let count = |n: u64| real(i64::try_from(n).unwrap_or(i64::MAX));
        (count(self.came_true) + SURE * BELIEVED) / (count(self.given) + BELIEVED)
    }

    /// The probability from which on one is given: with a share s of those before it that came true, 1 − 0.1 (s / 0.8)².
    fn needed(self) -> f64 {
        (1.0 - (1.0 - ASKED) * (self.share() / SURE).powi(2)).max(ASKED)
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
        self.withdraw_forecasts();
        let before = std::mem::take(&mut self.sure);
        let known = self.warnings.len();
        for climber in self.climbers(config) {
            // In a look one scope is sure once.
            let is_sure_already = self.sure.iter().any(|sure| sure.conditions == climber.conditions);
            if is_sure_already || self.is_warned_of(&climber.conditions, known) {
                continue;
            }
            let Some(course) = self.course(&climber, &self.warned_before(self.warnings.len()), now, config) else {
                continue;
            };
            let is_sure = course.is_sure(needed) && self.matters(&climber.conditions, &course, now, config);
            if is_sure && before.contains(&climber) {
                told.extend(self.warn_of(climber, &course, now, config));
            } else if is_sure {
                self.sure.push(climber);
            }
        }
        told
    }

    /// What may get worse: the scopes of open incidents, and those that are watched or whose levels have moved in the last hour. What nothing else
    /// speaks against climbs by chance as often as not. A warning names a scope, so not that of all calls.
    fn climbers(&self, config: &WatchConfig) -> Vec<Climber> {
        let at_work = |case: &&Case| case.is_at_work() && case.is_of_calls(0) && case.has_scope();
        // The youngest first.
        let open = self.cases.iter().rev().filter(at_work).map(Climber::of_case).take(MOST);
        let open = open.filter(|climber| !self.is_warned_of(&climber.conditions, 0));
        let watched = self.watched_scopes().filter(|conditions| !self.is_known(conditions));
        let watched = watched.map(|conditions| Climber {
            metric: self.most_moved(conditions, config),
            conditions: conditions.to_vec(),
            incident: None,
        });
        open.chain(watched).chain(self.moving(config)).collect()
    }

    /// The scopes of one condition whose levels have moved lately, those first of which they say most, as much as their metric makes poor.
    fn moving(&self, config: &WatchConfig) -> Vec<Climber> {
        let of_metric = |(metric, detector): (usize, &Detector)| {
            let climbing = detector.climbing(MOVED, config.indifference).into_iter();
            let share = self.baseline.share_of_kind(metric);
            climbing.map(move |(condition, said)| (said * share, condition, metric))
        };
        let mut moving: Vec<_> = self.measured().flat_map(of_metric).collect();
        moving.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
        let moving = moving.into_iter().map(|(_, condition, metric)| Climber {
            conditions: vec![condition],
            metric: Some(metric),
            incident: None,
        });
        // What is known already takes nobody's place, however much it says.
        let unknown = moving
            .take(LOOKED_AT)
            .filter(|climber| !self.is_known(&climber.conditions));
        unknown.take(MOST).collect()
    }

    /// The levels of what is measured: those of R follow from them.
    fn measured(&self) -> impl Iterator<Item = (usize, &Detector)> {
        self.level_detectors.iter().enumerate().take(MEASURED)
    }

    /// The metric whose levels have moved most of late in one of these conditions, where any have.
    fn most_moved(&self, conditions: &[Condition], config: &WatchConfig) -> Option<usize> {
        let said = |detector: &Detector| {
            let looks = conditions
                .iter()
                .filter_map(|condition| detector.look(&[*condition], config.indifference, 0.0));
            looks
                .map(|look| look.lately())
                .reduce(f64::max)
                .filter(|said| *said > 0.0)
        };
        let known = self
            .measured()
            .filter_map(|(metric, detector)| Some((metric, said(detector)?)));
        let most = known.max_by(|(a, of_a), (b, of_b)| of_a.total_cmp(of_b).then(b.cmp(a)));
        most.map(|(metric, _)| metric)
    }

    /// Has half of the same been warned of, but for the first so many warnings?
    fn is_warned_of(&self, conditions: &[Condition], after: usize) -> bool {
        let mut warned = self.warnings.iter().skip(after);
        warned.any(|warning| self.overlap(conditions, &warning.about.conditions).of_smaller >= SAME)
    }

    /// Is it an open incident's, or what is watched, under another name, or has it been warned of?
    fn is_known(&self, conditions: &[Condition]) -> bool {
        let is_open = |case: &&Case| case.is_open() && !case.is_outside();
        let open = self.cases.iter().filter(is_open).map(|case| case.conditions.as_slice());
        let mut others = open.chain(self.watched_scopes()).filter(|known| *known != conditions);
        self.is_warned_of(conditions, 0) || others.any(|known| self.overlap(conditions, known).of_smaller >= SAME)
    }

    /// Are there calls enough in the hour to come for somebody to mind? As many as the days before let expect, or as in the last one.
    fn matters(&self, conditions: &[Condition], course: &Course, now: EventTime, config: &WatchConfig) -> bool {
        let shares = self.shares_of(|_, codes| covers(conditions, codes));
        let coming = self.seasons.busiest(&shares, (now, now.plus(AHEAD)), &self.clocks);
        course.beyond_the_usual(coming.map_or(course.lately, |(_, calls)| calls)) >= config.min_excess
    }

    /// An incident tells by when its line will be crossed until that has come out, while it is at work and about the same scope.
    fn withdraw_forecasts(&mut self) {
        let pending = self.warnings.iter().filter(|warning| warning.came_true.is_none());
        let pending: Vec<&Climber> = pending.map(|warning| &warning.about).collect();
        for case in &mut self.cases {
            let is_its = |about: &&Climber| {
                about.incident.as_ref() == Some(&case.incident.id) && about.conditions == case.conditions
            };
            if !case.is_at_work() || !pending.iter().any(is_its) {
                case.incident.crosses_by = None;
            }
        }
    }

    /// Warns of a scope; an open incident says so itself.
    fn warn_of(&mut self, about: Climber, course: &Course, now: EventTime, config: &WatchConfig) -> Option<Alert> {
        let forecast = Forecast {
            effect: course.effect(),
            crosses_by: course.crosses_by(now),
        };
        let is_it = |case: &&mut Case| about.incident.as_ref() == Some(&case.incident.id);
        let told = if let Some(case) = self.cases.iter_mut().find(is_it) {
            case.incident.crosses_by = Some(forecast.crosses_by);
            None
        } else {
            Some(self.watch_warned(&about.conditions, &forecast, now, config))
        };
        self.warnings.push(Warning {
            about,
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
            let is_same = |warning: &&Warning| {
                warning.about.incident.is_none()
                    && self.overlap(&warning.about.conditions, &case.conditions).of_smaller >= SAME
            };
            let first = self.warnings.iter().filter(is_same).map(|warning| warning.at).min();
            self.cases[i].incident.warned = first;
        }
    }

    /// The scopes of the first so many warnings, but for those that did not come true.
    fn warned_before(&self, count: usize) -> Vec<&[Condition]> {
        let stand = self.warnings.iter().take(count);
        let stand = stand.filter(|warning| warning.came_true != Some(false));
        stand.map(|warning| warning.about.conditions.as_slice()).collect()
    }

    /// Warnings that came true or whose hour is over, whatever has become of what was told of them.
    fn come_out(&mut self, now: EventTime, config: &WatchConfig) {
        for i in 0..self.warnings.len() {
            let warning = &self.warnings[i];
            if warning.came_true.is_some() {
                continue;
            }
            let course = self.course(&warning.about, &self.warned_before(i), now, config);
            let is_there = course.is_some_and(|course| course.has_crossed(warning.line));
            let is_over = now.since(warning.at) >= AHEAD;
            if is_there || is_over {
                self.warnings[i].came_true = Some(is_there);
                self.warned.given += 1;
                self.warned.came_true += u64::from(is_there);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None of five came true: s = (0 + 4) / (5 + 5) = 0.4, and 1 − 0.1 · 0.25 = 0.975 is asked for.
    #[test]
    fn warnings_that_did_not_come_true_make_the_next_one_rarer() {
        let share = |given, came_true| Warnings { given, came_true }.share();
        assert!((share(0, 0) - 0.8).abs() < 1e-9 && (share(5, 0) - 0.4).abs() < 1e-9);
        let needed = |given, came_true| Warnings { given, came_true }.needed();
        assert!((needed(0, 0) - 0.9).abs() < 1e-9);
        assert!((needed(5, 0) - 0.975).abs() < 1e-9);
        assert!((needed(50, 50) - 0.9).abs() < 1e-9, "and never less than that");
    }
}
