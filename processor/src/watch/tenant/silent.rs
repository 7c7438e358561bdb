//! A scope that has fallen silent: are there no calls, or only no reports? Those who talk to it from elsewhere tell.

use dialtone_schemas::{EventTime, Text, Window, incident::Severity, time};

use super::Tenant;
use crate::watch::{baseline::real, book::Case, volume::Silence};

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
/// Evidence of so many nats tells lost reports from an outage ...
const TOLD: f64 = 1.0;
/// ... and of so many takes that back.
const TAKEN_BACK: f64 = 3.0;

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
    minutes: f64,
}

impl Outside {
    /// Calls into the scope that the usual ones let expect: as many a minute, moved by what those outside do elsewhere meanwhile.
    fn expects(&self, now: &Self) -> f64 {
        let span = now.minutes / self.minutes.max(1.0);
        let trend = (now.elsewhere + TREND_PRIOR) / (self.elsewhere * span + TREND_PRIOR);
        self.into * span * trend.min(1.0)
    }
}

impl Tenant {
    /// Calls that go on from outside into a silent scope say that its reports are lost, not its calls: those of the last minutes, against
    /// what was usual before the silence. Until enough is known it stays what it was taken for.
    pub(super) fn tell_apart(&self, case: &mut Case, now: EventTime) {
        let Some((since, usual)) = case.silent else { return };
        let usual = usual.unwrap_or_else(|| self.seen_from_outside(case, since.plus(-USUAL), since));
        case.silent = Some((since, Some(usual)));
        let from = since.plus(ENDING).max(now.plus(-LATELY));
        let seen = self.seen_from_outside(case, from, now);
        let gone_home = case
            .conditions
            .iter()
            .map(|c| self.volume.gone_home(*c))
            .fold(1.0, f64::min);
        let expected = gone_home * usual.expects(&seen);
        let calls_go_on = (seen.into * (SEEN / LEFT).ln() - (SEEN - LEFT) * expected) / (SAMPLED * LASTING);
        if calls_go_on >= TOLD {
            (case.incident.metric, case.incident.severity) = (metric(TELEMETRY), Severity::Minor);
            case.incident.excess_poor_minutes = 0.0;
        } else if calls_go_on <= -TAKEN_BACK {
            (case.incident.metric, case.incident.severity) = (metric(OUTAGE), Severity::Critical);
        }
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
            }
        }
        outside
    }
}

/// The case is about a scope of which nothing comes any more.
pub(super) fn silent(case: &mut Case, silence: &Silence, began: Window) {
    case.silent = Some((began.start(), None));
    case.basis = crate::watch::book::Basis::Volume;
    case.sums = (silence.expected, silence.missing, 0.0);
    case.incident.metric = metric(OUTAGE);
    case.incident.severity = Severity::Critical;
    case.incident.effect = 0.0;
}

/// Are only the reports missing?
pub(super) fn is_telemetry(case: &Case) -> bool {
    case.incident.metric.as_str() == TELEMETRY
}

fn metric(name: &str) -> Text {
    #[allow(clippy::expect_used, reason = "constants that are texts")]
    Text::new(name).expect("a text")
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Leaf, Scope, incident::Onset};

    use super::*;
    use crate::watch::{book::Basis, evidence::Counts};

    fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    fn at(minute: i64) -> EventTime {
        EventTime::parse("2026-03-02T09:00:00Z")
            .expect("a time")
            .plus(minute * time::MINUTE)
    }

    /// Lyon reports 32 call-ends a minute that talk to Berlin and 64 that do not; from 09:00 on Berlin is silent, and Lyon reports `after`.
    fn silence(after: (i64, i64)) -> Case {
        let mut tenant = Tenant::new(text("acme"));
        let leaf = |site: &str| Leaf {
            site: Some(text(site)),
            ..Leaf::default()
        };
        let (berlin, lyon) = (
            tenant.dictionary.leaf(&leaf("berlin")),
            tenant.dictionary.leaf(&leaf("lyon")),
        );
        for minute in -30..14 {
            let (into, elsewhere) = if minute < 0 { (32, 64) } else { after };
            let window = Window::of_end(at(minute).plus(1));
            for (far, calls) in [(berlin, into), (lyon, elsewhere)] {
                let counts = Counts {
                    n: [calls, 0, 0],
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
        (case.incident.metric, case.incident.severity) = (metric(OUTAGE), Severity::Critical);
        case.silent = Some((at(0), None));
        tenant.tell_apart(&mut case, at(14));
        case
    }

    /// Twelve minutes after the first two: 384 usual, one in sixteen looked at and seen in three intervals; 384 seen say
    /// (384 ln 10 − 0.45 · 384) / 48 = 14.8 nats that the calls go on, none seen −3.6.
    #[test]
    fn reports_that_are_lost_are_no_outage_and_an_outage_is_no_lost_report() {
        let lost = silence((32, 64));
        assert_eq!(
            (lost.incident.metric.as_str(), lost.incident.severity),
            (TELEMETRY, Severity::Minor)
        );
        let out = silence((0, 64));
        assert_eq!(
            (out.incident.metric.as_str(), out.incident.severity),
            (OUTAGE, Severity::Critical)
        );
    }
    /// Of 64 calls a minute elsewhere none are left, so of the 384 into Berlin 48 / (768 + 48) are expected, 23: too few to tell.
    #[test]
    fn where_those_outside_have_gone_home_as_well_nothing_is_told() {
        let mut case = silence((0, 0));
        assert_eq!(case.incident.metric.as_str(), OUTAGE, "as it was taken for");
        (case.incident.metric, case.incident.severity) = (metric(TELEMETRY), Severity::Minor);
        let usual = case.silent.and_then(|(_, usual)| usual).expect("known");
        let now = Outside {
            into: 0.0,
            elsewhere: 0.0,
            minutes: 12.0,
        };
        let expected = usual.expects(&now);
        assert!((expected - 384.0 * 48.0 / 816.0).abs() < 1e-9, "{expected}");
        assert!((SEEN - LEFT) * expected / (SAMPLED * LASTING) < TAKEN_BACK);
    }
}
