//! The same folds without Kafka: events hashed into partitions in memory, summaries handed straight to watch.
//!
//! What `replay`, `demo`'s judge and the tests use. Logs are numbered as Kafka would number them, so that the folds cannot
//! tell the difference.

use std::collections::BTreeMap;

use bytes::Bytes;
use dialtone_schemas::{
    Alert, Change, Class, Complaint, Control, Event, EventTime, Incident, Record, Reject, Text, Window, avro, time,
    topic::{Topic, event_key, partition_of},
};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};

use crate::{Summarise, SummariseConfig, Watch, WatchConfig, summarise, watch};

/// Time is told to all logs when it has gone on by so much: less than the smallest bound.
const CLOCK_STEP: i64 = 10 * time::SECOND;

/// Both folds over logs in memory.
#[derive(Debug)]
pub struct Offline {
    summarise: Vec<Summarise>,
    watch: Watch,
    offsets: BTreeMap<Place, i64>,
    highest: Option<EventTime>,
    told: Option<EventTime>,
    incidents: BTreeMap<Text, Incident>,
    alerts: Vec<Alert>,
    rejects: Vec<Reject>,
}

impl Offline {
    /// Folds over `partitions` partitions of events.
    pub fn new(summarise: &SummariseConfig, watch: WatchConfig, partitions: i32) -> Self {
        let partitions = partitions.max(1);
        let logs = (0..partitions).map(|p| (Topic::Summaries, p));
        let logs = logs.chain([(Topic::Changes, 0), (Topic::Complaints, 0), (Topic::Control, 0)]);
        Self {
            summarise: (0..partitions)
                .map(|p| Summarise::new(summarise.clone(), p, 0))
                .collect(),
            watch: Watch::new(watch, logs.map(|place| (place, 0))),
            offsets: BTreeMap::new(),
            highest: None,
            told: None,
            incidents: BTreeMap::new(),
            alerts: Vec::new(),
            rejects: Vec::new(),
        }
    }

    /// An event that ingest has normalised.
    pub fn event(&mut self, event: &Event) -> Result<(), FoldError> {
        let tenant = event.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let key = event_key(tenant, event.call_id.as_str());
        self.framed_event(&key, avro::built_in_frame_from(event)?.into())
    }

    /// An event as it would lie in the log.
    pub fn framed_event(&mut self, key: &[u8], frame: Bytes) -> Result<(), FoldError> {
        let partitions = i32::try_from(self.summarise.len()).unwrap_or(i32::MAX);
        let partition = partition_of(key, partitions);
        self.feed_summarise(partition, Bytes::copy_from_slice(key), Payload::Value(frame))?;
        let now = self.summarise[usize::try_from(partition).unwrap_or(0)].now();
        if let Some(now) = now {
            self.highest = Some(self.highest.map_or(now, |highest| highest.max(now)));
        }
        match self.highest {
            Some(now) if self.told.is_none_or(|told| now.since(told) >= CLOCK_STEP) => self.clock(now),
            _ => Ok(()),
        }
    }

    /// A change that ingest has normalised.
    pub fn change(&mut self, change: &Change) -> Result<(), FoldError> {
        self.feed_watch_value((Topic::Changes, 0), change)
    }

    /// A complaint that ingest has normalised.
    pub fn complaint(&mut self, complaint: &Complaint) -> Result<(), FoldError> {
        self.feed_watch_value((Topic::Complaints, 0), complaint)
    }

    /// Something said from outside.
    pub fn control(&mut self, control: &Control) -> Result<(), FoldError> {
        self.feed_watch_value((Topic::Control, 0), control)
    }

    /// Tells every log how far time has got, as ingest does once a second.
    pub fn clock(&mut self, now: EventTime) -> Result<(), FoldError> {
        self.told = Some(now);
        for partition in 0..self.summarise.len() {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            self.feed_summarise(partition, Bytes::new(), Payload::Clock(now))?;
        }
        for topic in [Topic::Changes, Topic::Complaints, Topic::Control] {
            self.feed_watch((topic, 0), Payload::Clock(now))?;
        }
        Ok(())
    }

    /// The end of input: every window closes.
    pub fn finish(&mut self) -> Result<(), FoldError> {
        let Some(highest) = self.highest else { return Ok(()) };
        let config = self.summarise[0].config();
        let bound = Class::ALL
            .into_iter()
            .map(|class| config.lateness.of(class))
            .max()
            .unwrap_or(0);
        self.clock(highest.ceil(Window::SPAN).plus(bound + time::MINUTE))
    }

    fn next_offset(&mut self, place: Place) -> i64 {
        let next = self.offsets.entry(place).or_default();
        *next += 1;
        *next - 1
    }

    fn feed_summarise(&mut self, partition: i32, key: Bytes, payload: Payload) -> Result<(), FoldError> {
        let place = (Topic::Events, partition);
        let offset = self.next_offset(place);
        let Some(fold) = usize::try_from(partition).ok().and_then(|p| self.summarise.get_mut(p)) else {
            return Err(FoldError::UnknownPlace { place });
        };
        fold.absorb(&LogRecord {
            place,
            offset,
            key,
            payload,
        })?;
        let out = fold.take_outbox();
        self.pass_on(out)
    }

    fn feed_watch_value<R: Record>(&mut self, place: Place, record: &R) -> Result<(), FoldError> {
        self.feed_watch(place, Payload::Value(avro::built_in_frame_from(record)?.into()))
    }

    fn feed_watch(&mut self, place: Place, payload: Payload) -> Result<(), FoldError> {
        let offset = self.next_offset(place);
        self.watch.absorb(&LogRecord {
            place,
            offset,
            key: Bytes::new(),
            payload,
        })?;
        let out = self.watch.take_outbox();
        self.pass_on(out)
    }

    fn pass_on(&mut self, out: Vec<OutRecord>) -> Result<(), FoldError> {
        for record in out {
            let Payload::Value(frame) = &record.payload else {
                continue;
            };
            match (record.topic, record.partition) {
                (Topic::Summaries, Some(partition)) => {
                    self.feed_watch((Topic::Summaries, partition), Payload::Value(frame.clone()))?;
                }
                (Topic::Incidents, _) => {
                    let incident: Incident = told(frame)?;
                    self.incidents.insert(incident.id.clone(), incident);
                }
                (Topic::Alerts, _) => self.alerts.push(told(frame)?),
                (Topic::Rejects, _) => self.rejects.push(avro::record_from_built_in_frame(frame)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The last revision of every incident, by (opened, id).
    pub fn incidents(&self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> = self.incidents.values().cloned().collect();
        incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
        incidents
    }

    /// Cells that are watched, each on each of its channels.
    pub fn cells(&self) -> usize {
        self.watch.cells()
    }

    /// Every alert, in order.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// What the folds could not read.
    pub fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// What has become of the events (F-1).
    pub fn counts(&self) -> summarise::Counts {
        self.summarise
            .iter()
            .map(Summarise::counts)
            .fold(summarise::Counts::default(), |a, b| summarise::Counts {
                received: a.received + b.received,
                closed: a.closed + b.closed,
                held: a.held + b.held,
                rejected: a.rejected + b.rejected,
                late: a.late + b.late,
                duplicate: a.duplicate + b.duplicate,
            })
    }

    /// What has become of the records that watch read (F-1).
    pub const fn watch_counts(&self) -> watch::Counts {
        self.watch.counts()
    }

    /// Until when tenants warm up that had not seen enough when the events ended.
    pub fn warming_up(&self) -> Vec<(Text, EventTime)> {
        self.highest
            .map_or_else(Vec::new, |highest| self.watch.warming_up(highest))
    }

    /// The watch fold, to be asked.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }
}

/// An incident or alert as it travels: framed Avro, or JSON.
fn told<R: Record>(frame: &Bytes) -> Result<R, FoldError> {
    if frame.first() == Some(&b'{') {
        return serde_json::from_slice(frame).map_err(FoldError::Json);
    }
    Ok(avro::record_from_built_in_frame(frame)?)
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::control::ControlKind;

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
