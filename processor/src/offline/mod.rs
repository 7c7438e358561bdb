//! The same folds without Kafka: events hashed into partitions in memory, summaries handed straight to watch.
//!
//! What `replay`, `demo`'s judge, `evaluate` and the tests use. Logs are numbered as Kafka would number them, so that the folds
//! cannot tell the difference.

mod adding;
mod logs;
mod watching;

pub use adding::Adding;
pub use logs::{Heard, Logs};
pub use watching::Watching;

use bytes::Bytes;
use dialtone_schemas::{Alert, Change, Complaint, Control, Event, EventTime, Incident, Reject, Text};
use dialtone_wire::FoldError;

use crate::{SummariseConfig, Watch, WatchConfig, summarise, watch};

/// Both folds over logs in memory.
#[derive(Debug)]
pub struct Offline {
    logs: Logs,
    watching: Watching,
}

impl Offline {
    /// Folds over `partitions` partitions of events.
    pub fn new(summarise: &SummariseConfig, watch: WatchConfig, partitions: i32) -> Self {
        Self {
            logs: Logs::new(summarise, partitions),
            watching: Watching::new(watch, partitions),
        }
    }

    /// An event that ingest has normalised.
    pub fn event(&mut self, event: &Event) -> Result<(), FoldError> {
        self.logs.event(event)?;
        self.watch_on()
    }

    /// An event as it would lie in the log.
    pub fn framed_event(&mut self, key: &[u8], frame: Bytes) -> Result<(), FoldError> {
        self.logs.framed_event(key, frame)?;
        self.watch_on()
    }

    /// A change that ingest has normalised.
    pub fn change(&mut self, change: &Change) -> Result<(), FoldError> {
        self.logs.change(change)?;
        self.watch_on()
    }

    /// A complaint that ingest has normalised.
    pub fn complaint(&mut self, complaint: &Complaint) -> Result<(), FoldError> {
        self.logs.complaint(complaint)?;
        self.watch_on()
    }

    /// Something said from outside.
    pub fn control(&mut self, control: &Control) -> Result<(), FoldError> {
        self.logs.control(control)?;
        self.watch_on()
    }

    /// Tells every log how far time has got, as ingest does once a second.
    pub fn clock(&mut self, now: EventTime) -> Result<(), FoldError> {
        self.logs.clock(now)?;
        self.watch_on()
    }

    /// The end of input: every window closes.
    pub fn finish(&mut self) -> Result<(), FoldError> {
        self.logs.finish()?;
        self.watch_on()
    }

    fn watch_on(&mut self) -> Result<(), FoldError> {
        self.logs
            .take()
            .into_iter()
            .try_for_each(|heard| self.watching.hear(heard))
    }

    /// The last revision of every incident, by (opened, id).
    pub fn incidents(&self) -> Vec<Incident> {
        self.watching.incidents()
    }

    /// Cells that are watched, each on each of its channels.
    pub fn cells(&self) -> usize {
        self.watching.watch().cells()
    }

    /// Every alert, in order.
    pub fn alerts(&self) -> &[Alert] {
        self.watching.alerts()
    }

    /// What the folds could not read: of summarise, then of watch.
    pub fn rejects(&self) -> Vec<&Reject> {
        self.logs.rejects().iter().chain(self.watching.rejects()).collect()
    }

    /// What has become of the events (F-1).
    pub fn counts(&self) -> summarise::Counts {
        self.logs.counts()
    }

    /// What has become of the records that watch read (F-1).
    pub const fn watch_counts(&self) -> watch::Counts {
        self.watching.watch().counts()
    }

    /// Until when tenants warm up that had not seen enough when the events ended.
    pub fn warming_up(&self) -> Vec<(Text, EventTime)> {
        self.logs
            .highest()
            .map_or_else(Vec::new, |highest| self.watch().warming_up(highest))
    }

    /// The watch fold, to be asked.
    pub const fn watch(&self) -> &Watch {
        self.watching.watch()
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Window, control::ControlKind, time};

    use super::*;

    fn offline() -> Offline {
        Offline::new(&SummariseConfig::default(), WatchConfig::default(), 2)
    }

    fn event(number: i64, end: EventTime) -> Event {
        let (end, id) = (end.to_string(), format!("{number:032x}"));
        let text = serde_json::json!({"tenant": "acme", "event_id": id, "kind": "interval", "call_id": id, "start": end,
            "end": end, "near": {"site": "berlin"}, "media": {"packets": {"expected": 1000, "lost": 0}}});
        serde_json::from_value(text).expect("an event")
    }

    fn at(text: &str) -> EventTime {
        EventTime::parse(text).expect("a time")
    }

    /// Two hours are needed. An hour and a half is not enough, and a single line of 1970 before it is no beginning.
    #[test]
    fn a_stray_old_report_neither_ends_the_warming_up_nor_takes_long() {
        let start = at("2026-03-02T08:00:00Z");
        let run = |stray: &[EventTime]| {
            let mut offline = offline();
            let ends = stray
                .iter()
                .copied()
                .chain((0..90).map(|m| start.plus(m * time::MINUTE)));
            for (number, end) in (0..).zip(ends) {
                offline.event(&event(number, end)).expect("absorbed");
            }
            offline.finish().expect("closed");
            offline
                .warming_up()
                .into_iter()
                .map(|(_, until)| until)
                .collect::<Vec<_>>()
        };
        let until = Window::of_end(start).start().plus(2 * time::HOUR);
        assert_eq!(run(&[]), [until]);
        // A jump of decades counts when a second call confirms it: in each partition the first one is set aside.
        let stray = run(&[at("1970-01-01T00:00:00Z")]);
        assert!(
            stray.len() == 1 && (until..until.plus(5 * time::MINUTE)).contains(&stray[0]),
            "{stray:?}"
        );
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_rejected_and_changes_nothing() {
        let mut offline = offline();
        let now = at("2026-03-02T08:00:00Z");
        let control = Control {
            control_id: Text::new("configure-1").expect("a text"),
            tenant: None,
            kind: ControlKind::Configure,
            at: now,
            incident_id: None,
            until: None,
            body: Some("{\"false_alarms\": 1}".to_owned()),
            team: None,
            to: None,
            reason: None,
        };
        offline.clock(now).expect("absorbed");
        offline.control(&control).expect("absorbed");
        offline.event(&event(1, now)).expect("absorbed");
        offline.finish().expect("closed");
        assert_eq!(offline.rejects().len(), 1);
        assert!(
            offline.rejects()[0].detail.contains("false_alarms"),
            "{:?}",
            offline.rejects()
        );
        assert_eq!(*offline.watch().config(), WatchConfig::default());
        let counts = offline.watch_counts();
        assert_eq!(counts.received, counts.folded + counts.rejected, "{counts:?}");
    }

    /// F-1: it is folded, and says nothing: neither of an incident that is not there, nor of a tenant that is not.
    #[test]
    fn what_is_said_about_an_unknown_incident_is_counted_and_ignored() {
        let mut offline = offline();
        let now = at("2026-03-02T08:00:00Z");
        offline.clock(now).expect("absorbed");
        for (id, tenant) in [("c-1", "acme"), ("c-2", "nobody")] {
            let json = format!(
                r#"{{"control_id": "{id}", "tenant": "{tenant}", "kind": "acknowledge", "at": "{now}", "incident_id": "i-1"}}"#
            );
            let control: Control = serde_json::from_str(&json).expect("control");
            offline.control(&control).expect("absorbed");
        }
        offline.event(&event(1, now)).expect("absorbed");
        offline.finish().expect("closed");
        let counts = offline.watch_counts();
        assert_eq!((counts.ignored, counts.rejected), (2, 0), "{counts:?}");
        assert_eq!(counts.received, counts.folded, "{counts:?}");
    }
}
