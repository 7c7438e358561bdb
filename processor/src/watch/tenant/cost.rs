//! What waiting costs: poor minutes an hour, as in the last hour.

use dialtone_schemas::{EventTime, Window, time};

use super::{
    Tenant,
    live::{Held, excess_minutes, round},
    silent::is_telemetry,
};
use crate::watch::{
    baseline::real,
    book::{Basis, Case},
    device::Device,
    dictionary::Codes,
    evidence::{Slice, Sum},
};

impl Tenant {
    /// Of the last hour, or of the time since the onset where that is shorter: the poor minutes beyond the expected, by the minutes in which it was not
    /// well.
    pub(super) fn cost_of_scope(&self, case: &Case, channel: usize, held: &Held, now: EventTime) -> f64 {
        let from = last_hour(case.incident.onset.from, now);
        let is_its = |codes: &Codes| held.leave(case, channel, codes);
        let (minutes, poor_ms, Sum { n, k, e }) = self.while_bad(case, channel, from, is_its);
        an_hour(excess_minutes(poor_ms, (n, k, e)), minutes)
    }

    /// What is remembered since a window, but for when an incident was well.
    pub(super) fn bad_since(&self, case: &Case, from: Window) -> impl Iterator<Item = (&Window, &Slice)> {
        self.ring.since(from).filter(|(window, _)| !case.was_well_in(**window))
    }

    /// What some calls have shown since a window while an incident was not well: in how many minutes, poor milliseconds, and the sums.
    pub(super) fn while_bad(
        &self,
        case: &Case,
        channel: usize,
        from: Window,
        is_its: impl Fn(&Codes) -> bool,
    ) -> (f64, i64, Sum) {
        let baseline = self.usual(channel, 1.0);
        let (mut minutes, mut poor_ms, mut sum) = (0.0, 0, Sum::default());
        for (window, slice) in self.bad_since(case, from) {
            let hour = baseline.hour(*window);
            minutes += 1.0;
            let inside = |leaf: &u32| is_its(self.dictionary.codes(*leaf));
            for (leaf, counts) in slice.leaves.iter().filter(|(leaf, _)| inside(leaf)) {
                poor_ms += counts.poor_ms;
                sum.add(Sum {
                    n: real(counts.n[channel]),
                    k: real(counts.k[channel]),
                    e: baseline.expected(&hour, *leaf, counts.n[channel]),
                });
            }
        }
        (minutes, poor_ms, sum)
    }

    /// What an open incident adds in the busiest hour of its scope.
    pub(super) fn peak(&self, case: &Case, now: EventTime) -> Peak {
        let shares = self.shares_of(|_, codes| case.covers(codes));
        let busiest = self.seasons.busiest(&shares, (now, now.plus(time::DAY)), &self.clocks);
        let call_ends = busiest.map(|(_, calls)| calls);
        // Of a silent scope every call is lost, of one whose reports are lost none.
        let share = match case.basis {
            Basis::Volume if is_telemetry(case) => 0.0,
            Basis::Volume => 1.0,
            Basis::Rate(_) => case.share,
        };
        let is_one_device = case.incident.device_id.is_some();
        let of_calls = || call_ends.map(|calls| calls * share * self.baseline.minutes_of_a_poor_end());
        let minutes = if is_one_device {
            case.incident.poor_minutes_an_hour
        } else {
            of_calls()
        };
        Peak {
            from: busiest.map(|(from, _)| from),
            call_ends: call_ends.filter(|_| !is_one_device),
            poor_minutes: minutes.map(|minutes| round(minutes, 10.0)),
        }
    }
}

/// What an open incident costs in the busiest hour of its scope in the next 24.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Peak {
    /// When that begins.
    pub(super) from: Option<EventTime>,
    /// Call-ends in it; of one device they are not known.
    pub(super) call_ends: Option<f64>,
    /// Poor minutes beyond the expected.
    pub(super) poor_minutes: Option<f64>,
}

/// The same of one device.
pub(super) fn cost_of_device(device: &Device, case: &Case, now: EventTime) -> f64 {
    let from = last_hour(case.incident.onset.from, now);
    let minutes = real(case.bad_for(from.start(), now) / time::MINUTE);
    let (Sum { n, k, e }, counts) = device.sums(|window| window >= from && !case.was_well_in(window));
    an_hour(excess_minutes(counts.poor_ms, (n, k, e)), minutes)
}

/// The first window of the last hour that is not before the onset.
pub(super) fn last_hour(onset: EventTime, now: EventTime) -> Window {
    Window::of_end(onset.max(now.plus(-time::HOUR)).plus(1))
}

/// What so many minutes cost, by the hour.
fn an_hour(excess: f64, minutes: f64) -> f64 {
    round(60.0 * excess / minutes.max(1.0), 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12 poor minutes in 20 are 36 an hour; 12 in a whole hour are 12.
    #[test]
    fn a_young_incident_costs_by_the_hour_what_its_minutes_cost() {
        assert!((an_hour(12.0, 20.0) - 36.0).abs() < 1e-9);
        assert!((an_hour(12.0, 60.0) - 12.0).abs() < 1e-9);
    }

    #[test]
    fn the_last_hour_begins_no_earlier_than_the_trouble() {
        let at = |minute: i64| EventTime::from_micros(minute * time::MINUTE);
        assert_eq!(last_hour(at(100), at(120)).start(), at(100));
        assert_eq!(last_hour(at(100), at(300)).start(), at(240));
    }
}
