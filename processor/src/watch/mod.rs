//! Watch: the sums of all partitions, changes, complaints and control in one order; out come incidents and alerts.

pub mod baseline;
pub mod book;
pub mod budget;
pub mod calendar;
pub mod calibration;
pub mod control;
pub mod dependency;
pub mod detect;
pub mod device;
pub mod dictionary;
pub mod dose;
pub mod evidence;
pub mod history;
pub mod holiday;
pub mod hours;
pub mod judgements;
pub mod levels;
pub mod local;
pub mod locate;
pub mod merge;
pub mod moved;
pub mod owner;
pub mod ownership;
pub mod past;
pub mod path;
pub mod proportional;
pub mod reference;
pub mod season;
pub mod shift;
pub mod strength;
pub mod suspect;
pub mod tenant;
pub mod trend;
pub mod trial;
pub mod volume;
pub mod zone;

use std::{borrow::Borrow, collections::BTreeMap};

use bytes::Bytes;
use dialtone_schemas::{
    Alert, Change, ChangeVerdict, Complaint, Control, EventTime, Incident, Record, Scope, Summary, SummaryKind, Text,
    Tick, avro,
    control::ControlKind,
    time,
    topic::{Topic, event_key},
};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};
use serde::{Deserialize, Serialize};

use crate::{
    config::{AlertFormat, WatchConfig},
    snapshot::{self, Layout},
    summarise::{reject_record, unreadable},
};
use merge::{Merge, Numbered, Rank};
use tenant::Tenant;
pub use tenant::{Explained, Warnings, readiness};

/// Items held before a place that is ahead is paused, whatever its clock says.
const MAX_HELD: usize = 1_000_000;
/// What a snapshot begins with; another number where its fields are others.
const LAYOUT: Layout = *b"w\x0b";

/// What is merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Summary(Box<Summary>),
    Change(Box<Change>),
    Complaint(Box<Complaint>),
    Control(Box<Control>),
    Configure(Box<WatchConfig>),
}

impl Item {
    fn of_control(control: Box<Control>) -> Result<Self, serde_json::Error> {
        if control.kind == ControlKind::Configure {
            serde_json::from_str(control.body.as_deref().unwrap_or_default()).map(Self::Configure)
        } else {
            Ok(Self::Control(control))
        }
    }
}

/// What has become of the records read (F-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records with a value, whatever became of them.
    pub received: u64,
    /// Folded at their tick.
    pub folded: u64,
    /// Could not be read.
    pub rejected: u64,
    /// Summaries of a partition given up, dropped.
    pub late: u64,
    /// Changes, complaints and control records behind or far ahead of their log's clock: among those folded, at the next tick.
    pub flagged: u64,
    /// Numbers seen before.
    pub repeats: u64,
    /// Numbers beyond a gap; they come again.
    pub beyond: u64,
    /// Control records that say nothing (an unknown incident, something missing): among those folded.
    pub ignored: u64,
}

/// The fold over all partitions of summaries, changes, complaints and control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    config: WatchConfig,
    merge: Merge<Item>,
    tenants: BTreeMap<Text, Tenant>,
    counts: Counts,
    #[serde(skip)]
    outbox: Vec<OutRecord>,
}

impl Watch {
    /// A fold that has read nothing yet of these places, each from its first offset.
    pub fn new(config: WatchConfig, places: impl IntoIterator<Item = (Place, i64)>) -> Self {
        Self {
            config,
            merge: Merge::new(places),
            tenants: BTreeMap::new(),
            counts: Counts::default(),
            outbox: Vec::new(),
        }
    }

    /// What has become of the records read (F-1).
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Items waiting for their tick.
    pub fn held(&self) -> usize {
        self.merge.held()
    }

    /// The next tick to be folded.
    pub const fn next_tick(&self) -> Option<Tick> {
        self.merge.next_tick()
    }

    /// The configuration in force.
    pub const fn config(&self) -> &WatchConfig {
        &self.config
    }

    /// Cells watched, over all tenants and channels.
    pub fn cells(&self) -> usize {
        self.tenants.values().map(Tenant::cells).sum()
    }

    /// Scopes watched, each once on however many channels, over all tenants.
    pub fn scopes(&self) -> usize {
        self.tenants.values().map(Tenant::scopes).sum()
    }

    /// Nats that a cell needs to be noticed, of the tenant where it is most.
    pub fn needed(&self) -> f64 {
        let of = self.tenants.values().map(|tenant| tenant.noticed_from(&self.config));
        of.fold(0.0, f64::max)
    }

    /// How often a pair of values was not watched because there are too many, over all tenants and channels.
    pub fn refused(&self) -> u64 {
        self.tenants.values().map(Tenant::refused).sum()
    }

    /// When the last window began of which any tenant has reported something.
    pub fn last_report(&self) -> Option<EventTime> {
        self.tenants.values().filter_map(Tenant::last_report).max()
    }

    /// Tenants that had not seen enough at a time, with the time until which they warm up.
    pub fn warming_up(&self, now: EventTime) -> Vec<(Text, EventTime)> {
        let until =
            |(name, tenant): (&Text, &Tenant)| Some((name.clone(), tenant.warming_up_until(now, &self.config)?));
        self.tenants.iter().filter_map(until).collect()
    }

    /// How a scope of a tenant stands, or which of its conditions are unknown; none if nothing is known of the tenant.
    pub fn explain(&self, tenant: &Text, scope: &Scope) -> Option<Result<Explained, Scope>> {
        let now = self.next_tick()?.time();
        Some(self.tenants.get(tenant)?.explain(scope, now, &self.config))
    }

    /// How the day will be for each tenant.
    pub fn readiness(&self) -> Vec<readiness::Readiness> {
        let Some(now) = self.next_tick().map(Tick::time) else {
            return Vec::new();
        };
        let of = |tenant: &Tenant| tenant.readiness(now, &self.config);
        self.tenants.values().map(of).collect()
    }

    /// How the early warnings of all tenants came out.
    pub fn warnings(&self) -> Warnings {
        let all = self.tenants.values().map(Tenant::warnings);
        all.fold(Warnings::default(), |sum, of| Warnings {
            given: sum.given + of.given,
            came_true: sum.came_true + of.came_true,
        })
    }

    /// Lets a tenant learn from days that are past, oldest first, before anything is read. Whatever lies before their end says nothing new.
    pub fn study<D: Borrow<history::Day>>(&mut self, tenant: &Text, days: impl IntoIterator<Item = D>) {
        let of = self.tenants.entry(tenant.clone());
        let tenant = of.or_insert_with(|| Tenant::new(tenant.clone()));
        tenant.study(days, &self.config);
    }

    /// The tenants known.
    pub fn tenants(&self) -> impl Iterator<Item = &Text> {
        self.tenants.keys()
    }

    fn value(&mut self, record: &LogRecord, frame: &Bytes) -> Result<(), FoldError> {
        self.counts.received += 1;
        match record.place.0 {
            Topic::Summaries => self.summary(record, frame),
            Topic::Changes => self.report(
                record,
                frame,
                |c: &Change| (c.time_reported(), c.change_id.clone()),
                |change| Ok(Item::Change(change)),
            ),
            Topic::Complaints => self.report(
                record,
                frame,
                |c: &Complaint| (c.complained_at, c.complaint_id.clone()),
                |complaint| Ok(Item::Complaint(complaint)),
            ),
            Topic::Control => self.report(
                record,
                frame,
                |c: &Control| (c.at, c.control_id.clone()),
                Item::of_control,
            ),
            _ => Err(FoldError::UnknownPlace { place: record.place }),
        }
    }

    fn summary(&mut self, record: &LogRecord, frame: &Bytes) -> Result<(), FoldError> {
        let summary: Summary = match avro::record_from_built_in_frame(frame) {
            Ok(summary) => summary,
            Err(error) => return self.reject(record, frame, &error),
        };
        let partition = record.place.1;
        let input = self.merge.input_again(record.place)?;
        match input.number(partition, summary.number, frame)? {
            Numbered::Repeat => self.counts.repeats += 1,
            Numbered::Beyond => self.counts.beyond += 1,
            Numbered::Next if summary.kind == SummaryKind::Marker => {
                self.counts.folded += 1;
                self.merge.clock(record.place, summary.tick.time());
            }
            Numbered::Next if self.merge.is_given_up(record.place, summary.tick) => self.counts.late += 1,
            Numbered::Next => {
                let rank = Rank::of_summary(&summary, partition);
                if !self.merge.hold(rank, Item::Summary(Box::new(summary))) {
                    self.counts.late += 1;
                }
            }
        }
        Ok(())
    }

    fn report<R: Record>(
        &mut self,
        record: &LogRecord,
        frame: &Bytes,
        when: impl Fn(&R) -> (EventTime, Text),
        item: impl Fn(Box<R>) -> Result<Item, serde_json::Error>,
    ) -> Result<(), FoldError> {
        let report: R = match avro::record_from_built_in_frame(frame) {
            Ok(report) => report,
            Err(error) => return self.reject(record, frame, &error),
        };
        let (time, id) = when(&report);
        let item = match item(Box::new(report)) {
            Ok(item) => item,
            Err(error) => return self.reject(record, frame, &error),
        };
        let (mut tick, flagged) = self.merge.tick_of_report(record.place, time);
        if let Some(next) = self.merge.next_tick() {
            tick = tick.max(next);
        }
        self.counts.flagged += u64::from(flagged);
        let rank = Rank::of_id(tick, id, record.place, record.offset);
        self.merge.hold(rank, item);
        Ok(())
    }

    fn reject(&mut self, record: &LogRecord, frame: &Bytes, why: &dyn std::fmt::Display) -> Result<(), FoldError> {
        self.counts.rejected += 1;
        let now = self.next_tick().map(Tick::time);
        self.outbox.push(reject_record(&unreadable(record, frame, why, now))?);
        Ok(())
    }

    /// Folds every tick that all places have reached.
    fn fold(&mut self) -> Result<(), FoldError> {
        while let Some((tick, items)) = self.merge.release() {
            for (rank, item) in items {
                self.counts.folded += 1;
                self.item(item, rank.partition());
            }
            if self.tenants.values().all(|tenant| tenant.is_dormant(tick.time())) {
                self.merge.skip();
            }
            if tick.time().floor(time::MINUTE) == tick.time() {
                self.minute(tick.time())?;
            }
        }
        Ok(())
    }

    fn item(&mut self, item: Item, partition: i32) {
        match item {
            Item::Summary(summary) => {
                if let Some(name) = summary.tenant.clone() {
                    self.tenant(name).summary(&summary, partition);
                }
            }
            Item::Change(change) => {
                if let Some(name) = change.tenant.clone() {
                    self.tenant(name).change(*change);
                }
            }
            Item::Complaint(complaint) => {
                if let Some(name) = complaint.tenant.clone() {
                    self.tenant(name).complaint(*complaint);
                }
            }
            Item::Configure(config) => self.config = *config,
            Item::Control(control) => {
                let tenant = control.tenant.as_ref().and_then(|name| self.tenants.get_mut(name));
                let is_heard = tenant.is_some_and(|tenant| tenant.control(&control));
                self.counts.ignored += u64::from(!is_heard);
            }
        }
    }

    fn tenant(&mut self, name: Text) -> &mut Tenant {
        self.tenants.entry(name.clone()).or_insert_with(|| Tenant::new(name))
    }

    fn minute(&mut self, now: EventTime) -> Result<(), FoldError> {
        let mut told = Vec::new();
        for tenant in self.tenants.values_mut() {
            told.push(tenant.minute(now, &self.config));
        }
        let format = self.config.alert_format;
        for told in told {
            for alert in &told.alerts {
                self.tell(alert)?;
            }
            for verdict in &told.verdicts {
                self.outbox.push(cloud_event(
                    Topic::ChangeVerdicts,
                    verdict,
                    &About::verdict(verdict),
                    format,
                )?);
            }
        }
        Ok(())
    }

    /// The incident's last revision to the compacted topic, the alert to the log.
    fn tell(&mut self, alert: &Alert) -> Result<(), FoldError> {
        let format = self.config.alert_format;
        let about = About::incident(&alert.incident);
        self.outbox
            .push(cloud_event(Topic::Incidents, &alert.incident, &about, format)?);
        self.outbox.push(cloud_event(Topic::Alerts, alert, &about, format)?);
        Ok(())
    }

    /// The fold's last word on an incident, if this record of the incidents' topic is an older one.
    pub fn last_word(&self, record: &LogRecord) -> Option<OutRecord> {
        let Payload::Value(value) = &record.payload else {
            return None;
        };
        let read: Incident = avro::record_from_frame_or_json(value).ok()?;
        let sent = self.tenants.get(&read.tenant)?.sent(&read.id)?;
        if sent.revision <= read.revision {
            return None;
        }
        cloud_event(Topic::Incidents, sent, &About::incident(sent), self.config.alert_format).ok()
    }
}

/// What a message is about, in the words of a CloudEvent.
struct About {
    key: Vec<u8>,
    id: String,
    tenant: Text,
    subject: Text,
    time: EventTime,
}

impl About {
    fn incident(incident: &Incident) -> Self {
        Self {
            key: incident.id.as_str().into(),
            id: format!("{}/{}", incident.id, incident.revision),
            tenant: incident.tenant.clone(),
            subject: incident.id.clone(),
            time: incident.updated,
        }
    }

    fn verdict(verdict: &ChangeVerdict) -> Self {
        Self {
            key: event_key(verdict.tenant.as_str(), verdict.change_id.as_str()),
            id: verdict.verdict_id.to_string(),
            tenant: verdict.tenant.clone(),
            subject: verdict.change_id.clone(),
            time: verdict.at,
        }
    }
}

/// A record in Avro or JSON, with the headers of a CloudEvent 1.0 in Kafka's binary mode.
fn cloud_event<R: Record>(
    topic: Topic,
    record: &R,
    about: &About,
    format: AlertFormat,
) -> Result<OutRecord, FoldError> {
    let (value, content_type) = match format {
        AlertFormat::Avro => (avro::built_in_frame_from(record)?, "application/avro"),
        AlertFormat::Json => (serde_json::to_vec(record).map_err(FoldError::Json)?, "application/json"),
    };
    let headers = [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", about.id.clone()),
        ("ce_source", format!("/dialtone/{}", about.tenant)),
        ("ce_type", format!("io.dialtone.{}.v1", R::KIND.name())),
        ("ce_time", about.time.to_string()),
        ("ce_subject", about.subject.to_string()),
        ("content-type", content_type.to_owned()),
    ];
    Ok(OutRecord {
        topic,
        partition: None,
        key: about.key.clone().into(),
        payload: Payload::Value(value.into()),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
    })
}

impl Fold for Watch {
    fn absorb(&mut self, record: &LogRecord) -> Result<(), FoldError> {
        self.merge.input(record.place, record.offset)?;
        match &record.payload {
            Payload::Value(frame) => self.value(record, frame)?,
            Payload::Clock(time) => self.merge.clock(record.place, *time),
            Payload::Absent(time) => self.merge.absent(record.place, *time),
            Payload::Config(_) | Payload::Empty => {}
        }
        self.fold()
    }

    /// The next tick; before the first one, the beginning of time.
    fn mark(&self) -> i64 {
        self.next_tick().map_or(EventTime::MIN, Tick::time).micros()
    }

    fn positions(&self) -> BTreeMap<Place, i64> {
        self.merge.positions()
    }

    fn wants(&self, place: Place) -> bool {
        let has_room = self.merge.held() < MAX_HELD || self.merge.waits_for(place);
        has_room && !self.merge.is_ahead(place, self.config.max_ahead.micros())
    }

    fn waits_for(&self, place: Place) -> bool {
        self.merge.waits_for(place)
    }

    fn clock(&self, place: Place) -> Option<EventTime> {
        self.merge.clock_of(place)
    }

    fn take_outbox(&mut self) -> Vec<OutRecord> {
        std::mem::take(&mut self.outbox)
    }

    fn snapshot(&self) -> Result<Vec<u8>, FoldError> {
        snapshot::of(self, LAYOUT)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), FoldError> {
        *self = snapshot::state_of(snapshot, LAYOUT)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_of_another_version_is_refused_by_that_name() {
        let new = || Watch::new(WatchConfig::default(), [((Topic::Summaries, 0), 0)]);
        let snapshot = new().snapshot().expect("a snapshot");
        let mut restored = new();
        restored.restore(&snapshot).expect("of this version");
        assert_eq!(restored.positions(), new().positions());
        let of_another = new().restore(&snapshot[LAYOUT.len()..]);
        assert!(matches!(of_another, Err(FoldError::Layout)), "{of_another:?}");
        let torn = new().restore(&snapshot[..snapshot.len() - 1]);
        assert!(matches!(torn, Err(FoldError::Snapshot(_))), "{torn:?}");
    }
}
