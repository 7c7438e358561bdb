//! How far event time has got, as this ingest knows it, and when it tells the logs.

use dialtone_schemas::{EventTime, Tick, Window, time, topic::Topic};
use dialtone_wire::{OutRecord, Payload, Publish};

/// An end further ahead of its receipt than this is flagged: it moves no clock.
const FLAGGED_AHEAD: i64 = 5 * time::MINUTE;
/// The logs that carry clock records.
const TOPICS: [Topic; 4] = [Topic::Events, Topic::Changes, Topic::Complaints, Topic::Control];

/// The highest published, unflagged event end. It never goes back (T-3), and it is unknown until the first publish.
#[derive(Clone, Copy, Debug, Default)]
pub struct IngestClock {
    highest: Option<EventTime>,
    /// What the logs were last told.
    told: Option<EventTime>,
}

impl IngestClock {
    /// How far event time has got.
    pub fn highest(&self) -> Option<EventTime> {
        self.highest
    }

    /// An event was published. A record from the future cannot push the clock (T-3).
    pub fn published(&mut self, end: EventTime, received_at: EventTime) {
        if !Self::is_ahead(end, received_at) {
            self.highest = self.highest.max(Some(end.min(received_at)));
        }
    }

    /// Is an event of this end, from a source with this bound, too late for its window? Its tick is the window's end plus
    /// the bound; the folds close it once their clock, which is at least this one's floor, has got there.
    pub fn is_late(&self, end: EventTime, bound: i64) -> bool {
        let closes = Window::of_end(end).end().plus(bound);
        self.highest
            .is_some_and(|highest| Tick::floor(highest).time() >= closes)
    }

    /// Is an event flagged? The folds set it aside, as a late one.
    pub fn is_ahead(end: EventTime, received_at: EventTime) -> bool {
        end.since(received_at) > FLAGGED_AHEAD
    }

    /// What the logs are to be told now: nothing before the first publish, nor what they know already.
    pub fn due(&self) -> Option<EventTime> {
        self.highest.filter(|highest| self.told != Some(*highest))
    }

    /// The logs were told; if not all of them acknowledged it, do not call this.
    pub fn told(&mut self, time: EventTime) {
        self.told = Some(time);
    }

    /// The last clock of input that has an end: past every window and the largest bound, so that everything closes.
    pub fn closing(&self, largest_bound: i64) -> Option<EventTime> {
        self.highest
            .map(|highest| highest.ceil(Window::SPAN).plus(largest_bound + time::MINUTE))
    }
}

/// A clock record for every partition of every log that carries them.
pub fn clock_records(publish: &dyn Publish, time: EventTime) -> Vec<OutRecord> {
    TOPICS
        .into_iter()
        .flat_map(|topic| (0..publish.partitions(topic)).map(move |partition| (topic, partition)))
        .map(|(topic, partition)| OutRecord {
            topic,
            partition: Some(partition),
            key: bytes::Bytes::new(),
            payload: Payload::Clock(time),
            headers: Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_micros(1_772_442_000 * time::SECOND + seconds * time::SECOND)
    }

    #[test]
    fn nothing_is_told_before_the_first_publish_nor_twice() {
        let mut clock = IngestClock::default();
        assert_eq!((clock.due(), clock.closing(0)), (None, None));
        clock.published(at(60), at(61));
        assert_eq!(clock.due(), Some(at(60)));
        assert_eq!(clock.due(), Some(at(60)), "until it was acknowledged");
        clock.told(at(60));
        assert_eq!(clock.due(), None);
    }

    #[test]
    fn the_clock_never_goes_back_and_the_future_does_not_push_it() {
        let mut clock = IngestClock::default();
        clock.published(at(60), at(61));
        clock.published(at(30), at(62));
        assert_eq!(clock.highest(), Some(at(60)));
        clock.published(at(63 + 301), at(63));
        assert_eq!(clock.highest(), Some(at(60)), "more than five minutes ahead: flagged");
        clock.published(at(63 + 300), at(63));
        assert_eq!(clock.highest(), Some(at(63)), "a little ahead: as if it were now");
    }

    /// Window 09:00 to 09:01, bound 60 s: it closes once the clock reaches 09:02:00.
    #[test]
    fn an_event_is_late_once_its_window_has_closed() {
        let mut clock = IngestClock::default();
        assert!(!clock.is_late(at(60), time::MINUTE), "without a clock nothing is late");
        clock.published(at(119), at(200));
        assert!(!clock.is_late(at(60), time::MINUTE));
        clock.published(at(120), at(200));
        assert!(clock.is_late(at(60), time::MINUTE));
        assert!(!clock.is_late(at(60), 2 * time::MINUTE), "a class that may be later");
    }

    /// Highest 09:00:30: window end 09:01, bound 120 s, 60 s more: 09:04.
    #[test]
    fn the_closing_clock_is_past_every_window() {
        let mut clock = IngestClock::default();
        clock.published(at(30), at(31));
        assert_eq!(clock.closing(2 * time::MINUTE), Some(at(240)));
    }
}
