//! The clock of one partition of events: how far event time has got, evaluated after every record.

use dialtone_schemas::{Event, EventTime, Tick, time};
use serde::{Deserialize, Serialize};

/// An event further ahead of what may move the clock is flagged.
pub const FUTURE: i64 = 5 * time::MINUTE;
/// Without a time of receipt, a jump of more than this needs a second call's confirmation.
pub const JUMP: i64 = time::HOUR;

/// The clock of one partition. It never goes back, and a record from the future cannot push it (T-3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionClock {
    now: Option<EventTime>,
    /// A jump that one call has shown and no second has confirmed.
    jump: Option<(EventTime, String)>,
}

/// What an event did to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be counted.
    Fine,
    /// It claims to be from the future: set aside.
    Future,
}

impl PartitionClock {
    /// How far event time has got; nothing before the first record.
    pub const fn now(&self) -> Option<EventTime> {
        self.now
    }

    /// The last tick passed.
    pub fn tick(&self) -> Option<Tick> {
        self.now.map(Tick::floor)
    }

    /// A clock record was read.
    pub fn set(&mut self, time: EventTime) {
        self.now = Some(self.now.map_or(time, |now| now.max(time)));
    }

    /// An event was read: may it be counted, and does time go on?
    pub fn observe(&mut self, event: &Event) -> Verdict {
        let may_move = match event.received_at {
            Some(received) => event.end.min(received),
            None => self.confirmed(event),
        };
        if event.end.since(may_move) > FUTURE {
            return Verdict::Future;
        }
        self.set(may_move);
        Verdict::Fine
    }

    /// Without a time of receipt: a jump of more than an hour counts only when a second call confirms it. The first
    /// event of all is believed.
    fn confirmed(&mut self, event: &Event) -> EventTime {
        let Some(now) = self.now else { return event.end };
        if event.end.since(now) <= JUMP {
            return event.end;
        }
        match &self.jump {
            Some((time, call)) if call != event.call_id.as_str() && event.end.since(*time).abs() <= JUMP => {
                self.jump = None;
                event.end
            }
            _ => {
                self.jump = Some((event.end, event.call_id.as_str().to_owned()));
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(call: &str, end: &str, received: Option<&str>) -> Event {
        let text =
            serde_json::json!({"kind": "interval", "call_id": call, "start": end, "end": end, "received_at": received});
        serde_json::from_value(text).expect("an event")
    }

    fn at(text: &str) -> Option<EventTime> {
        EventTime::parse(text).ok()
    }

    /// T-3
    #[test]
    fn a_record_from_the_future_moves_the_clock_no_further_than_its_receipt() {
        let mut clock = PartitionClock::default();
        let fine = event("a", "2026-03-02T09:04:00Z", Some("2026-03-02T09:00:00Z"));
        assert_eq!(
            clock.observe(&fine),
            Verdict::Fine,
            "four minutes ahead is a phone's clock"
        );
        assert_eq!(clock.now(), at("2026-03-02T09:00:00Z"));
        let far = event("a", "2036-03-02T09:00:00Z", Some("2026-03-02T09:01:00Z"));
        assert_eq!(clock.observe(&far), Verdict::Future);
        assert_eq!(clock.now(), at("2026-03-02T09:00:00Z"), "a flagged event moves nothing");
    }

    #[test]
    fn without_a_receipt_one_call_alone_cannot_jump_ahead() {
        let mut clock = PartitionClock::default();
        assert_eq!(clock.observe(&event("a", "2026-03-02T09:00:00Z", None)), Verdict::Fine);
        assert_eq!(
            clock.observe(&event("b", "2026-03-02T12:00:00Z", None)),
            Verdict::Future
        );
        assert_eq!(
            clock.observe(&event("b", "2026-03-02T12:00:10Z", None)),
            Verdict::Future,
            "the same call again"
        );
        assert_eq!(clock.now(), at("2026-03-02T09:00:00Z"));
        assert_eq!(clock.observe(&event("c", "2026-03-02T12:01:00Z", None)), Verdict::Fine);
        assert_eq!(clock.now(), at("2026-03-02T12:01:00Z"));
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut clock = PartitionClock::default();
        clock.set(EventTime::from_micros(50 * time::SECOND));
        clock.set(EventTime::from_micros(20 * time::SECOND));
        assert_eq!(clock.now(), Some(EventTime::from_micros(50 * time::SECOND)));
        assert_eq!(
            clock.tick().map(Tick::time),
            Some(EventTime::from_micros(50 * time::SECOND))
        );
    }
}
