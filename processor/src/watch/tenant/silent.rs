//! A scope that has fallen silent: are there no calls, or only no reports? Those who talk to it from elsewhere tell.

use dialtone_schemas::{EventTime, Text, Window, incident::Severity, time};

use super::Tenant;
use crate::watch::{
    baseline::real,
    book::{Basis, Case},
    volume::Silence,
};

/// What those outside said of their calls in so long before the silence tells what is usual.
const USUAL: i64 = 30 * time::MINUTE;
/// The calls that were under way end in so many minutes.
const ENDING: i64 = 2 * time::MINUTE;
/// What is seen since is that of so long: an outage can follow upon lost reports.
const LATELY: i64 = 30 * time::MINUTE;
/// Of an outage's calls so many are still seen from outside; where reports are lost, so many: who reports both ends is missing there too.
const LEFT: f64 = 0.05;
const SEEN: f64 = 0.5;
/// A good pair of leaves stands for so many calls, and one call is seen in so many intervals.
const SAMPLED: f64 = 16.0;
const LASTING: f64 = 3.0;
/// Calls elsewhere, sampled as they are, that pull the trend of what is usual towards "as before".
const TREND_PRIOR: f64 = 3.0 * SAMPLED;
/// Evidence of so many nats tells lost reports from an outage, where so many calls were looked at and seen to go on.
const TOLD: f64 = 1.0;
const LOOKED_AT: f64 = 3.0;
/// Calls that were under way from so long before the silence until so long after it began could be cut off by it. An outage cuts off so
/// many of them, and whoever reports a call from outside tells that it dropped; of other calls so many drop at most.
const BEFORE: i64 = 3 * time::MINUTE;
const AFTER: i64 = 4 * time::MINUTE;
const CUT_OFF: f64 = 0.5;
const DROP_ANYWAY: f64 = 0.02;
/// Where none was cut off, so many calls that were looked at suffice.
const LOOKED_AT_UNCUT: f64 = 1.0;
/// Fewer than so many times what an outage leaves, in so many minutes with reports, where as much evidence could have been seen, takes
/// that back.
const NO_MORE: f64 = 2.0;
const MINUTES: f64 = 20.0;

/// Everything is silent where weeks promise this share of the calls there were before.
const PROMISED: f64 = 0.5;
/// ... and so many call-ends in a quarter of an hour: of fewer, one meeting may be the most.
const FEW: f64 = 60.0;
/// Weeks leave this share at least of what is expected of everything.
const LEAST_LEFT: f64 = 0.02;

/// The watched channel of dropped calls.
const DROPS: usize = 2;
/// The metric of missing calls, and that of missing reports.
const OUTAGE: &str = "volume";
const TELEMETRY: &str = "telemetry";

/// The calls of those outside a silent scope, and in how many minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outside {
    /// Into the scope.
    into: f64,
    /// To others.
    elsewhere: f64,
    /// Into the scope, and dropped.
    dropped: f64,
    minutes: f64,
}

impl Outside {
    /// Calls into the scope that the usual ones let expect: as many a minute, moved by what those outside do elsewhere meanwhile, or by
    /// what the scope's own time of day has `left`, if that is less.
    fn expects(&self, now: &Self, left: f64) -> f64 {
        let span = now.minutes / self.minutes.max(1.0);
        let trend = (now.elsewhere + TREND_PRIOR) / (self.elsewhere * span + TREND_PRIOR);
        self.into * span * trend.min(left)
    }

    /// Calls into the scope at any one time: each is reported once a minute.
    fn under_way(&self) -> f64 {
        self.into / self.minutes.max(1.0)
    }

    /// What the calls that dropped as the silence began say against an outage, in nats: it would have cut off half of those under way.
    fn uncut(&self, at_the_end: &Self) -> f64 {
        let out = CUT_OFF * self.under_way();
        let usual = self.dropped / self.minutes.max(1.0) * at_the_end.minutes;
        let anyway = usual.max(DROP_ANYWAY * self.under_way());
        if out <= anyway {
            return 0.0;
        }
        (out - anyway) - at_the_end.dropped * (out / anyway).ln()
    }
}

impl Tenant {
    /// Calls that go on from outside into a silent scope say that its reports are lost, not its calls: those of the last minutes, against
    /// what was usual before the silence; and so do calls that were under way and did not drop. Until enough is known it stays what it was
    /// taken for.
    pub(super) fn tell_apart(&self, case: &mut Case, now: EventTime) {
        let Some((since, usual)) = case.silent else { return };
        let usual = usual.unwrap_or_else(|| self.seen_from_outside(case, since.plus(-USUAL), since));
        case.silent = Some((since, Some(usual)));
        let from = since.plus(ENDING).max(now.plus(-LATELY));
        let seen = self.seen_from_outside(case, from, now);
        let gone_home = self.volume.gone_home(case.silent_condition());
        let expected = usual.expects(&seen, gone_home);
        let at_the_end = self.seen_from_outside(case, since.plus(-BEFORE), now.min(since.plus(AFTER)));
        let uncut = usual.uncut(&at_the_end);
        // What has not been reported yet may have been cut off all the same.
        let uncut = if now < since.plus(AFTER) { uncut.min(0.0) } else { uncut };
        let enough = if uncut >= TOLD { LOOKED_AT_UNCUT } else { LOOKED_AT };
        let calls_go_on = uncut + (seen.into * (SEEN / LEFT).ln() - (SEEN - LEFT) * expected) / (SAMPLED * LASTING);
        let could_tell = seen.minutes >= MINUTES && (SEEN - LEFT) * expected / (SAMPLED * LASTING) >= TOLD;
        if calls_go_on >= TOLD && seen.into >= enough * SAMPLED {
            (case.incident.metric, case.incident.severity) = (metric(TELEMETRY), Severity::Minor);
            case.incident.excess_poor_minutes = 0.0;
        } else if could_tell && seen.into <= NO_MORE * LEFT * expected {
            (case.incident.metric, case.incident.severity) = (metric(OUTAGE), Severity::Critical);
        }
    }

    /// Do weeks promise calls now and in the next quarter of an hour, half of those of when it was silent for so many minutes, at least? Else they
    /// end at this hour of this weekday, and of holidays.
    pub(super) fn is_promised(&self, now: EventTime, minutes: u32) -> bool {
        let before = self.promised(now.plus(-USUAL - i64::from(minutes) * time::MINUTE));
        let next = self.promised(now).min(self.promised(now.plus(time::HOUR / 4)));
        next >= FEW && next >= PROMISED * before
    }

    /// Call-ends that the weeks promise of all sites in the quarter of an hour of an instant.
    fn promised(&self, at: EventTime) -> f64 {
        let of_site = |site| self.seasons.expected(site, at, &self.clocks);
        self.seasons.sites().filter_map(of_site).sum()
    }

    /// What share of the calls of an instant the weeks have left by another one: nights and weekends take most of them.
    pub(super) fn left_by_weeks(&self, from: EventTime, now: EventTime) -> f64 {
        let (then, now) = (self.promised(from), self.promised(now));
        if then > 0.0 {
            (now / then).clamp(LEAST_LEFT, 1.0)
        } else {
            1.0
        }
    }

    /// Is next to nothing reported from anywhere, while that is what an open incident says?
    pub(super) fn is_mute_still(&self, now: EventTime) -> bool {
        let everything = |case: &&Case| case.is_open() && case.is_outside() && case.basis == Basis::Volume;
        let open = self.cases.iter().find(everything);
        open.is_some_and(|case| {
            let left = self.left_by_weeks(case.incident.onset.from, now);
            self.volume.is_mute_still(left)
        })
    }

    /// What those outside a scope report of their calls.
    fn seen_from_outside(&self, case: &Case, from: EventTime, to: EventTime) -> Outside {
        let inside = |leaf: &u32| case.covers(self.dictionary.codes(*leaf));
        let mut outside = Outside::default();
        let windows = self.ring.since(Window::of_end(from.plus(1)));
        for (_, slice) in windows.take_while(|(window, _)| window.start() < to) {
            outside.minutes += 1.0;
            for ((_, far), counts) in slice.pairs.iter().filter(|((near, _), _)| !inside(near)) {
                let calls = if inside(far) {
                    &mut outside.into
                } else {
                    &mut outside.elsewhere
                };
                *calls += real(counts.n[0]);
                outside.dropped += if inside(far) { real(counts.k[DROPS]) } else { 0.0 };
            }
        }
        outside
    }
}

/// The case is about a scope of which nothing comes any more.
pub(super) fn silent(case: &mut Case, silence: &Silence, began: Window) {
    case.silent = Some((began.start(), None));
    case.basis = Basis::Volume;
    case.sums = (silence.expected, silence.missing, 0.0);
    // Of everything nobody is left who could tell, and it is rather the reports that are lost than all calls at once.
    let (name, severity) = match silence.condition {
        Some(_) => (OUTAGE, Severity::Critical),
        None => (TELEMETRY, Severity::Major),
    };
    (case.incident.metric, case.incident.severity) = (metric(name), severity);
    case.falls_silent();
}

/// Are only the reports missing?
pub(super) fn is_telemetry(case: &Case) -> bool {
    case.incident.is_of_reports()
}

fn metric(name: &str) -> Text {
    #[allow(clippy::expect_used, reason = "constants that are texts")]
    Text::new(name).expect("a text")
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Leaf, Scope, incident::Onset};

    use super::*;
    use crate::watch::evidence::Counts;

    fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    fn at(minute: i64) -> EventTime {
        EventTime::parse("2026-03-02T09:00:00Z")
            .expect("a time")
            .plus(minute * time::MINUTE)
    }

    /// Lyon reports 32 call-ends a minute that talk to Berlin and 64 that do not; from 09:00 on Berlin is silent, and Lyon reports what
    /// `after` says of each minute. So far it was taken for lost reports, or for an outage.
    fn silence(taken_for: &str, minutes: i64, after: impl Fn(i64) -> (i64, i64)) -> Case {
        silence_with(taken_for, minutes, 0, after)
    }

    /// The same, where so many calls into Berlin drop as it falls silent.
    fn silence_with(taken_for: &str, minutes: i64, dropped: i64, after: impl Fn(i64) -> (i64, i64)) -> Case {
        let mut tenant = Tenant::new(text("acme"));
        let leaf = |site: &str| Leaf {
            site: Some(text(site)),
            ..Leaf::default()
        };
        let (berlin, lyon) = (
            tenant.dictionary.leaf(&leaf("berlin")),
            tenant.dictionary.leaf(&leaf("lyon")),
        );
        for minute in -30..minutes {
            let (into, elsewhere) = if minute < 0 { (32, 64) } else { after(minute) };
            let window = Window::of_end(at(minute).plus(1));
            for (far, calls) in [(berlin, into), (lyon, elsewhere)] {
                let is_cut = far == berlin && minute == 0;
                let counts = Counts {
                    n: [calls, 0, 0],
                    k: [0, 0, if is_cut { dropped } else { 0 }],
                    ..Counts::default()
                };
                tenant.ring.slice(window).pairs.insert((lyon, far), counts);
            }
        }
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let conditions = tenant.dictionary.conditions(&scope).expect("known");
        let onset = Onset { from: at(0), to: at(0) };
        let incident = dialtone_schemas::Incident::opened(text("i-1"), text("acme"), scope, text("lan"), onset, at(3));
        let mut case = Case::new(incident, Basis::Volume, conditions);
        case.incident.metric = metric(taken_for);
        case.silent = Some((at(0), None));
        tenant.tell_apart(&mut case, at(minutes));
        case
    }

    /// Twelve minutes after the first two: 384 usual, one in sixteen looked at and seen in three intervals; 384 seen say
    /// (384 ln 10 − 0.45 · 384) / 48 = 14.8 nats that the calls go on. Ten minutes later 704 are usual, and none is less than 0.1 · 704.
    #[test]
    fn reports_that_are_lost_are_no_outage_and_an_outage_is_no_lost_report() {
        let lost = silence(OUTAGE, 14, |_| (32, 64));
        assert_eq!(
            (lost.incident.metric.as_str(), lost.incident.severity),
            (TELEMETRY, Severity::Minor)
        );
        let out = silence(TELEMETRY, 24, |_| (0, 64));
        assert_eq!(
            (out.incident.metric.as_str(), out.incident.severity),
            (OUTAGE, Severity::Critical)
        );
    }

    /// Of 64 calls a minute elsewhere none are left, so of the 704 into Berlin 48 / (1,408 + 48) are expected, 23: too few to tell.
    #[test]
    fn where_those_outside_have_gone_home_as_well_nothing_is_told() {
        for taken_for in [OUTAGE, TELEMETRY] {
            let case = silence(taken_for, 24, |_| (0, 0));
            assert_eq!(case.incident.metric.as_str(), taken_for);
        }
    }

    /// Twenty calls were cut off, and one call that is looked at goes on for two minutes: by itself it says (32 ln 10 − 0.45 · 96) / 48 = 0.6 nats at 09:05, and is one call. Half an
    /// hour later none is left of it, and whoever took that for lost reports is told better.
    #[test]
    fn a_straggler_does_not_make_an_outage_one_of_reports() {
        let straggler = |minute| if (3..5).contains(&minute) { (16, 64) } else { (0, 64) };
        let cut = |taken_for, minutes| silence_with(taken_for, minutes, 20, straggler);
        assert_eq!(cut(OUTAGE, 5).incident.metric.as_str(), OUTAGE);
        assert_eq!(cut(TELEMETRY, 40).incident.metric.as_str(), OUTAGE);
    }

    /// 32 calls are under way into Berlin: an outage would have cut off 16, 0.02 · 32 = 0.64 drop anyway. None did: 15.4 nats that calls go
    /// on, and one that is looked at is seen. Twenty did: 20 ln 25 − 15.4 = 49 nats of an outage, though three are still seen.
    #[test]
    fn calls_that_were_not_cut_off_say_that_only_reports_are_missing() {
        let seen = |calls| move |minute| if minute == 3 { (calls, 64) } else { (0, 64) };
        assert_eq!(silence(OUTAGE, 5, seen(16)).incident.metric.as_str(), TELEMETRY);
        assert_eq!(
            silence(OUTAGE, 5, seen(0)).incident.metric.as_str(),
            OUTAGE,
            "nobody is seen"
        );
        assert_eq!(silence_with(OUTAGE, 5, 20, seen(48)).incident.metric.as_str(), OUTAGE);
    }
}
