//! What the levels of all call-ends say: an incident where a scope has moved and more of its call-ends are poor, a scope that is watched
//! where few of them are yet.

use dialtone_explain::Condition;
use dialtone_schemas::{EventTime, Window};

use super::{
    Spends, Tenant,
    open::{Outcome, PATIENCE},
    warn::SAME,
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        detect::Alarm,
        levels::METRICS,
        locate::{Evidence, Located},
        moved::{Moved, MovedScope},
    },
};

/// What has moved is opened when its poor call-ends say so many nats, too: somebody suffers.
const POOR_TOO: f64 = 3.0;

/// Levels lead an incident to another scope when they say so many nats more of it.
const MARGIN: f64 = 3.0;

/// A scope whose levels have moved while few of its call-ends are poor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Early {
    pub(super) conditions: Vec<Condition>,
    pub(super) metric: usize,
    /// Since when: it is dated once, and whether somebody suffers is asked since then.
    pub(super) onset: Window,
}

impl Tenant {
    /// Opens an incident for each scope in which the levels of call-ends have moved and more of them are poor; where the levels name none, for
    /// each cause that is found among the poor ones. Returns the scopes in which few are poor yet.
    pub(super) fn open_levels(
        &mut self,
        now: EventTime,
        strongest: Option<(usize, Alarm)>,
        config: &WatchConfig,
    ) -> Vec<Early> {
        let Some((metric, strongest)) = strongest.filter(|_| now >= self.levels_again) else {
            return Vec::new();
        };
        let (poor, early) = self.moved_scopes(metric, &strongest.conditions, config);
        let mut outcome = self.open_located(now, 0, poor, config);
        if outcome == Outcome::Unexplained {
            outcome = self.open_causes(now, 0, &strongest.conditions, config);
        }
        if outcome == Outcome::Opened {
            self.forget_above(0, config);
        } else {
            // What is open or watched already says nothing about what else has moved.
            self.level_detectors[metric].forget_cell(strongest.key);
            self.levels_again = now.plus(PATIENCE);
        }
        early
    }

    /// Opens an incident for each scope that is watched since its levels have moved, when more of its call-ends are poor since then.
    pub(super) fn open_moved(&mut self, now: EventTime, config: &WatchConfig) {
        if now.floor(PATIENCE) != now {
            return;
        }
        let evidence = self.evidence(0, config.indifference);
        let watched = self.watched_for_levels().into_iter();
        let suffer: Vec<Early> = watched
            .filter(|early| evidence.stands(&early.conditions, early.onset).1 >= POOR_TOO)
            .collect();
        for early in suffer {
            let (poor, _) = self.moved_scopes(early.metric, &early.conditions, config);
            let is_it = |found: &Located| {
                let shared = self.overlap(&found.cause.best.conditions, &early.conditions);
                shared.of_smaller >= SAME
            };
            let found: Vec<Located> = poor.into_iter().filter(is_it).collect();
            if self.open_located(now, 0, found, config) == Outcome::Opened {
                self.forget_above(0, config);
            }
        }
    }

    /// The scopes that have moved and in which more call-ends are poor than usual, and those in which they are not.
    fn moved_scopes(&self, metric: usize, noticed: &[Condition], config: &WatchConfig) -> (Vec<Located>, Vec<Early>) {
        // What was noticed has paid for the number of cells; the scope it leads to must pass as one.
        let threshold = self.threshold(1, Spends::Rates, config);
        let moved = self.moved(self.evidence(0, config.indifference), metric);
        let scopes = moved.locate(noticed, config.min_excess).into_iter();
        let (poor, early): (Vec<MovedScope>, Vec<MovedScope>) = scopes
            .filter(|scope| scope.located.evidence >= threshold)
            .partition(|scope| scope.poor >= POOR_TOO && !self.may_be_outside(0, &scope.located, config));
        let of = |scope: MovedScope| Early {
            onset: scope.located.onset.best,
            conditions: scope.located.cause.best.conditions,
            metric,
        };
        (
            poor.into_iter().map(|scope| scope.located).collect(),
            early.into_iter().map(of).collect(),
        )
    }

    fn moved<'a>(&'a self, poor: Evidence<'a>, metric: usize) -> Moved<'a> {
        let drift = self.level_detectors[metric].drift();
        Moved::of(poor, drift, &self.levels, &self.level_hours, metric)
    }

    /// What the levels of the metric that says most of an incident's scope say of it, if they say enough: scopes that say more by a margin, or
    /// the same one.
    pub(super) fn moved_again(&self, case: &Case, evidence: Evidence<'_>, config: &WatchConfig) -> Vec<Located> {
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        if case.basis != Basis::Rate(0) || case.is_outside() {
            return Vec::new();
        }
        let metrics = (0..METRICS).map(|metric| self.moved(evidence, metric));
        let told = metrics.map(|moved| (moved.since(&case.conditions, onset), moved));
        let most = told.max_by(|(a, _), (b, _)| a.total_cmp(b));
        let Some((said, moved)) = most.filter(|(said, _)| *said >= self.threshold(1, Spends::Rates, config)) else {
            return Vec::new();
        };
        let says_more = |scope: &MovedScope| {
            let is_same = scope.located.cause.best.conditions == case.conditions;
            scope.poor >= POOR_TOO && (is_same || scope.located.evidence >= said + MARGIN)
        };
        let scopes = moved.locate(&case.conditions, config.min_excess).into_iter();
        scopes.filter(says_more).map(|scope| scope.located).collect()
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{State, time};

    use super::super::{
        Told,
        drive::{Drive, day, leaf, site, text, two},
    };

    const USUAL: [(u16, i64); 5] = [(4, 30), (5, 15), (6, 9), (7, 4), (8, 2)];
    /// One level worse.
    const MOVED: [(u16, i64); 4] = [(5, 30), (6, 15), (7, 9), (8, 6)];

    fn jitter_of(drive: &mut Drive, berlin: &[(u16, i64)]) {
        let sites = [("berlin", berlin), ("lyon", &USUAL)];
        drive.jitter = sites.map(|(site, bins)| (text(site), bins.to_vec())).into();
    }

    /// Berlin's call-ends are a level worse from Tuesday nine on; so many of them are poor, of which 2 % are usual.
    fn moved_at_nine(poor: f64) -> (Drive, Told) {
        let mut drive = Drive::new();
        jitter_of(&mut drive, &USUAL);
        drive.until(day(1, 9), |_| two(0.02, 0.02));
        jitter_of(&mut drive, &MOVED);
        let told = drive.until(day(1, 10), |_| two(poor, 0.02));
        (drive, told)
    }

    /// For an hour no more calls are poor than ever; then three times as many are. After half an hour more 180 of 108 since nine, beyond the
    /// quarter that is indifferent: (180 ln(180/135) − 45) / 1.3 = 5 nats.
    #[test]
    fn what_has_moved_is_watched_and_opens_under_that_id_when_somebody_suffers() {
        let (mut drive, told) = moved_at_nine(0.02);
        let first = told.alerts.first().expect("watched");
        assert_eq!((first.incident.state, first.page), (State::Watch, false));
        assert_eq!((&first.incident.scope, first.incident.opened), (&site("berlin"), None));
        assert!(told.alerts.iter().all(|alert| alert.incident.opened.is_none()));
        let told = drive.until(day(1, 11), |_| two(0.06, 0.02));
        let called = told.alerts.iter().find(|alert| alert.page).expect("somebody is called");
        assert_eq!(
            (&called.incident.id, &called.incident.scope),
            (&first.incident.id, &site("berlin"))
        );
        assert_eq!(called.incident.watched, Some(first.at));
    }

    /// Three times as many are poor from the minute on in which the others get worse.
    #[test]
    fn moved_levels_say_where_it_is_while_the_poor_ones_are_few() {
        let opened = |told: &Told| {
            let mut opened = told.alerts.iter().filter_map(|alert| alert.incident.opened);
            opened.next().expect("told of")
        };
        let (_, with) = moved_at_nine(0.06);
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| two(0.02, 0.02));
        let without = drive.until(day(1, 10), |_| two(0.06, 0.02));
        let (with, without) = (opened(&with).since(day(1, 9)), opened(&without).since(day(1, 9)));
        assert!(2 * with <= without, "{with} with levels, {without} without");
    }

    /// A line that was rerouted at nine is slower from then on, and nobody minds. At four in the afternoon it has been told once, and let go.
    #[test]
    fn what_has_moved_for_good_and_harms_nobody_is_watched_once_and_let_go() {
        let (mut drive, mut told) = moved_at_nine(0.02);
        told.alerts.extend(drive.until(day(1, 16), |_| two(0.02, 0.02)).alerts);
        let states: Vec<State> = told.alerts.iter().map(|alert| alert.incident.state).collect();
        assert_eq!(states, [State::Watch, State::Closed], "{:?}", told.alerts);
        let watched = told.alerts[1].at.since(told.alerts[0].at);
        assert!(
            watched <= 4 * time::HOUR + 5 * time::MINUTE,
            "{}",
            watched / time::MINUTE
        );
        assert!(told.alerts.iter().all(|alert| !alert.page));
    }

    /// Of Berlin's call-ends none has ever been poor.
    #[test]
    fn levels_are_dated_by_themselves_where_no_call_is_poor() {
        let none = || {
            vec![
                (leaf("berlin", "Aural 20"), 60, 0.0),
                (leaf("lyon", "Aural 20"), 60, 0.0),
            ]
        };
        let mut drive = Drive::new();
        jitter_of(&mut drive, &USUAL);
        drive.until(day(1, 9), |_| none());
        jitter_of(&mut drive, &MOVED);
        let told = drive.until(day(1, 10), |_| none());
        let first = told.alerts.first().expect("watched");
        assert_eq!(
            (first.incident.state, &first.incident.scope),
            (State::Watch, &site("berlin"))
        );
    }

    /// What gets better is no news, however much.
    #[test]
    fn levels_that_get_better_are_not_watched() {
        let mut drive = Drive::new();
        jitter_of(&mut drive, &MOVED);
        drive.until(day(1, 9), |_| two(0.02, 0.02));
        jitter_of(&mut drive, &USUAL);
        let told = drive.until(day(1, 11), |_| two(0.02, 0.02));
        assert!(told.alerts.is_empty(), "{:?}", told.alerts);
    }
}
