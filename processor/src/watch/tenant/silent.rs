//! A scope that has fallen silent: are there no calls, or only no reports? Those who talk to it from elsewhere tell.

use dialtone_schemas::{EventTime, Text, Window, incident::Severity, time};

use super::Tenant;
use crate::watch::{baseline::real, book::Case, volume::Silence};

/// What those outside said of their calls into the scope in so long before tells what is usual.
const USUAL: i64 = 30 * time::MINUTE;
/// The calls that were under way end in so many minutes.
const ENDING: i64 = 2 * time::MINUTE;
/// What is seen since is that of so long.
const LATELY: i64 = 10 * time::MINUTE;
/// Of an outage's calls so many are still seen from outside.
const LEFT: f64 = 0.05;
/// A good pair of leaves stands for so many calls: what is seen from outside is known no better.
const SAMPLED: f64 = 16.0;
/// Evidence of so many nats tells the two apart.
const TOLD: f64 = 1.0;

/// The metric of missing calls, and that of missing reports.
const OUTAGE: &str = "volume";
const TELEMETRY: &str = "telemetry";

impl Tenant {
    /// Calls that go on from outside into a silent scope say that its reports are lost, not its calls: those of the last minutes, against
    /// what was usual before the silence. Until enough is known it stays what it was taken for.
    pub(super) fn tell_apart(&self, case: &mut Case, now: EventTime) {
        let Some((since, usual)) = case.silent else { return };
        let usual = usual.unwrap_or_else(|| {
            let (seen, _) = self.seen_from_outside(case, since.plus(-USUAL), since);
            seen / real(USUAL / time::MINUTE)
        });
        case.silent = Some((since, Some(usual)));
        let from = since.plus(ENDING).max(now.plus(-LATELY));
        let (seen, minutes) = self.seen_from_outside(case, from, now);
        let calls_go_on = (seen * (1.0 / LEFT).ln() - (1.0 - LEFT) * usual * minutes) / SAMPLED;
        if calls_go_on >= TOLD {
            (case.incident.metric, case.incident.severity) = (metric(TELEMETRY), Severity::Minor);
            case.incident.excess_poor_minutes = 0.0;
        } else if calls_go_on <= -TOLD {
            (case.incident.metric, case.incident.severity) = (metric(OUTAGE), Severity::Critical);
        }
    }

    /// Call-ends outside a scope that talked into it, and in how many minutes.
    fn seen_from_outside(&self, case: &Case, from: EventTime, to: EventTime) -> (f64, f64) {
        let inside = |leaf: &u32| case.covers(self.dictionary.codes(*leaf));
        let (mut seen, mut minutes) = (0.0, 0.0);
        let windows = self.ring.since(Window::of_end(from.plus(1)));
        for (_, slice) in windows.take_while(|(window, _)| window.start() < to) {
            minutes += 1.0;
            let into = slice
                .pairs
                .iter()
                .filter(|((near, far), _)| inside(far) && !inside(near));
            seen += into.map(|(_, counts)| real(counts.n[0])).sum::<f64>();
        }
        (seen, minutes)
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

    /// Lyon reports 32 call-ends a minute that talk to Berlin; from 09:00 on Berlin is silent, and Lyon reports `after` of them.
    fn silence(after: i64) -> Case {
        let mut tenant = Tenant::new(text("acme"));
        let leaf = |site: &str| Leaf {
            site: Some(text(site)),
            ..Leaf::default()
        };
        let (berlin, lyon) = (
            tenant.dictionary.leaf(&leaf("berlin")),
            tenant.dictionary.leaf(&leaf("lyon")),
        );
        for minute in -30..6 {
            let counts = Counts {
                n: [if minute < 0 { 32 } else { after }, 0, 0],
                ..Counts::default()
            };
            let window = Window::of_end(at(minute).plus(1));
            tenant.ring.slice(window).pairs.insert((lyon, berlin), counts);
        }
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let conditions = tenant.dictionary.conditions(&scope).expect("known");
        let onset = Onset { from: at(0), to: at(0) };
        let incident = dialtone_schemas::Incident::opened(text("i-1"), text("acme"), scope, text("lan"), onset, at(3));
        let mut case = Case::new(incident, Basis::Volume, conditions);
        (case.incident.metric, case.incident.severity) = (metric(OUTAGE), Severity::Critical);
        case.silent = Some((at(0), None));
        tenant.tell_apart(&mut case, at(6));
        case
    }

    /// Four minutes after the first two: 128 usual; 128 seen say (128 ln 20 − 0.95 · 128) / 16 = 16 nats that the calls go on, none
    /// seen −7.6.
    #[test]
    fn reports_that_are_lost_are_no_outage_and_an_outage_is_no_lost_report() {
        let lost = silence(32);
        assert_eq!(
            (lost.incident.metric.as_str(), lost.incident.severity),
            (TELEMETRY, Severity::Minor)
        );
        let out = silence(0);
        assert_eq!(
            (out.incident.metric.as_str(), out.incident.severity),
            (OUTAGE, Severity::Critical)
        );
    }
}
