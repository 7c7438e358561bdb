//! Summarise: one partition of events becomes numbered sums in the same partition of the summaries.
//!
//! The story of an event: read → judge time → drop duplicates → judge quality → into its window. Whenever the clock's
//! tick rises, the windows whose time has come are written in one order, and a marker after them (F-3).

pub mod judge;
pub mod memory;
pub mod window;

use std::collections::BTreeMap;

use bytes::Bytes;
use dialtone_schemas::{
    Class, Event, EventTime, Leaf, Reject, Summary, SummaryKind, Text, Tick, Window, avro,
    event::EventId,
    time,
    topic::{self, Topic},
};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};
use serde::{Deserialize, Serialize};

use crate::{
    clock::{PartitionClock, Verdict},
    config::SummariseConfig,
    snapshot::{self, Layout},
};
use judge::{Channels, class_of, end_of, judge};
use memory::Memory;
use window::{Contribution, DeviceRow, Room, Row, WindowTable};

/// Ids of classes without revisions are remembered for the bound and this much longer.
const ID_GRACE: i64 = 10 * time::MINUTE;
/// Ids of classes with revisions (Graph) are remembered for a day.
const REVISION_MEMORY: i64 = time::DAY;
/// A call-end is forgotten when nothing was heard of it for so long.
const END_MEMORY: i64 = 30 * time::MINUTE;
/// A device that was among the worst is reported for so long, good or bad, so that its rate can be told.
const SUSPECT_MEMORY: i64 = 6 * time::HOUR;
/// Devices followed in this way.
const MAX_SUSPECTS: usize = 500;
/// What a snapshot begins with; another number where its fields are others.
const LAYOUT: Layout = *b"s\x02";

/// What has become of the records read (F-1): `received = closed + held + rejected + late + duplicate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events read, whatever became of them.
    pub received: u64,
    /// Events in windows that are closed: passed on.
    pub closed: u64,
    /// Events in windows that are open.
    pub held: u64,
    /// Could not be read.
    pub rejected: u64,
    /// After their window had closed, or from the future.
    pub late: u64,
    /// Seen before, or replaced by a higher revision.
    pub duplicate: u64,
}

/// What is remembered of an event id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    revision: i64,
    class: Class,
    window: Window,
    closing: Tick,
    end: u128,
    contribution: Contribution,
}

/// What is remembered of a call-end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    /// Is it among the call-ends of a window?
    counted: bool,
    /// Channels on which it was poor already.
    poor: Channels,
    /// Setup and drop are judged once.
    judged_once: Channels,
    /// Has it sent interval reports? Then the final report's media is theirs.
    intervals: bool,
    /// The last window it entered histograms in.
    binned: Option<Window>,
}

/// The fold over one partition of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summarise {
    config: SummariseConfig,
    partition: i32,
    next_offset: i64,
    clock: PartitionClock,
    /// The tick of the last marker.
    marked: Option<Tick>,
    next_number: i64,
    windows: BTreeMap<(Tick, Class, Window), WindowTable>,
    ids: Memory<Seen>,
    ends: Memory<End>,
    suspects: BTreeMap<(Text, Text), EventTime>,
    counts: Counts,
    #[serde(skip)]
    outbox: Vec<OutRecord>,
}

impl Summarise {
    /// A fold that has read nothing yet of partition `partition`, whose log begins at `first_offset`.
    pub fn new(config: SummariseConfig, partition: i32, first_offset: i64) -> Self {
        Self {
            config,
            partition,
            next_offset: first_offset,
            clock: PartitionClock::default(),
            marked: None,
            next_number: 0,
            windows: BTreeMap::new(),
            ids: Memory::default(),
            ends: Memory::default(),
            suspects: BTreeMap::new(),
            counts: Counts::default(),
            outbox: Vec::new(),
        }
    }

    /// What has become of the events read (F-1).
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How far event time has got on this partition.
    pub const fn now(&self) -> Option<EventTime> {
        self.clock.now()
    }

    /// The configuration in force.
    pub const fn config(&self) -> &SummariseConfig {
        &self.config
    }

    fn event(&mut self, record: &LogRecord, frame: &Bytes) -> Result<(), FoldError> {
        self.counts.received += 1;
        let event = match avro::record_from_built_in_frame::<Event>(frame) {
            Ok(event) => event,
            Err(error) => return self.reject(record, frame, &error),
        };
        let (Some(tenant), Some(id)) = (event.tenant.clone(), event.event_id) else {
            return self.reject(
                record,
                frame,
                &"no tenant or event_id: not written by dialtone's ingest",
            );
        };
        if self.clock.observe(&event) == Verdict::Future {
            return self.late(record, frame, "future");
        }
        let class = class_of(&event);
        let window = Window::of_end(event.end);
        match self.ids.get(id.0) {
            Some(seen) if event.revision <= seen.revision => {
                self.counts.duplicate += 1;
                Ok(())
            }
            Some(seen) if self.marked.is_some_and(|marked| seen.closing <= marked) => {
                self.late(record, frame, "revision_closed")
            }
            Some(_) => {
                let seen = self.take_back(id.0);
                self.counts.duplicate += 1; // the former revision is the one that no longer counts
                self.counts.held -= 1;
                let (class, window) = seen.map_or((class, window), |seen| (seen.class, seen.window));
                self.count(&event, tenant, id, class, window);
                Ok(())
            }
            None if self.is_closed(class, window) => self.late(record, frame, "window_closed"),
            None => {
                self.count(&event, tenant, id, class, window);
                Ok(())
            }
        }
    }

    /// The tick at which a window closes for a class.
    fn closing(&self, class: Class, window: Window) -> Tick {
        Tick::ceil(window.end().plus(self.config.lateness.of(class)))
    }

    fn is_closed(&self, class: Class, window: Window) -> bool {
        self.marked.is_some_and(|marked| self.closing(class, window) <= marked)
    }

    fn room(&self) -> Room {
        Room {
            leaves: self.config.max_leaves,
            pair_sampling: self.config.pair_sampling,
        }
    }

    fn count(&mut self, event: &Event, tenant: Text, id: EventId, class: Class, window: Window) {
        let end_key = end_of(event);
        let contribution = self.contribution(event, tenant, end_key, window);
        let room = self.room();
        let closing = self.closing(class, window);
        self.windows
            .entry((closing, class, window))
            .or_default()
            .add(&contribution, 1, room);
        self.counts.held += 1;
        let memory = match class {
            Class::Graph => REVISION_MEMORY,
            Class::Interval | Class::Final => self.config.lateness.of(class) + ID_GRACE,
        };
        let seen = Seen {
            revision: event.revision,
            closing,
            class,
            window,
            end: end_key,
            contribution,
        };
        self.ids.put(id.0, seen, window.end().plus(memory), self.config.max_ids);
    }

    /// What the event adds, given what is known of its call-end, and what is known of the end from now on.
    fn contribution(&mut self, event: &Event, tenant: Text, end_key: u128, window: Window) -> Contribution {
        let judgement = judge(event, &self.config.thresholds);
        let mut end = self.ends.get(end_key).copied().unwrap_or_default();
        let final_of_intervals = end.intervals && event.kind == dialtone_schemas::ReportKind::Final;
        let quality = if final_of_intervals {
            Channels::default()
        } else {
            Channels::QUALITY
        };
        let once = judgement.judged.without(Channels::QUALITY).without(end.judged_once);
        let at_risk = judgement.judged.and(quality).without(end.poor).with(once);
        let first_poor = judgement.poor.and(at_risk);
        let binned = !final_of_intervals && judgement.judged != Channels::default() && end.binned != Some(window);

        end.poor = end.poor.with(first_poor.and(Channels::QUALITY));
        end.judged_once = end.judged_once.with(once);
        let new_end = !std::mem::replace(&mut end.counted, true);
        end.intervals |= event.kind == dialtone_schemas::ReportKind::Interval;
        if binned {
            end.binned = Some(window);
        }
        self.ends
            .put(end_key, end, window.end().plus(END_MEMORY), self.config.max_ends);
        Contribution {
            tenant,
            call: event.call_id.clone(),
            near: event.near.clone(),
            far: event.far.clone(),
            device: event.near_endpoint.device_id.clone(),
            user: event.near_endpoint.user.clone(),
            judgement,
            at_risk,
            first_poor,
            media: !final_of_intervals,
            new_end,
            binned,
        }
    }

    /// Takes back what a lower revision contributed to its window, which is still open.
    fn take_back(&mut self, id: u128) -> Option<Seen> {
        let seen = self.ids.remove(id)?;
        let room = self.room();
        // The tick it was to close at then: the bounds may have changed since.
        if let Some(table) = self.windows.get_mut(&(seen.closing, seen.class, seen.window)) {
            table.add(&seen.contribution, -1, room);
        }
        if let Some(end) = self.ends.get_mut(seen.end) {
            end.poor = end.poor.without(seen.contribution.first_poor);
            end.judged_once = end.judged_once.without(seen.contribution.at_risk);
            if seen.contribution.binned {
                end.binned = None;
            }
            // What its other streams have shown of the call-end stays.
            end.counted &= !seen.contribution.new_end;
        }
        Some(seen)
    }

    fn late(&mut self, record: &LogRecord, frame: &Bytes, why: &str) -> Result<(), FoldError> {
        self.counts.late += 1;
        self.outbox.push(OutRecord {
            topic: Topic::Late,
            partition: None,
            key: record.key.clone(),
            payload: Payload::Value(frame.clone()),
            headers: vec![(topic::LATE_HEADER.into(), why.into())],
        });
        Ok(())
    }

    fn reject(&mut self, record: &LogRecord, frame: &Bytes, why: &dyn std::fmt::Display) -> Result<(), FoldError> {
        self.counts.rejected += 1;
        let reject = unreadable(record, frame, why, self.clock.now());
        self.outbox.push(reject_record(&reject)?);
        Ok(())
    }

    /// Writes what the risen clock closes, then a marker.
    fn advance(&mut self) -> Result<(), FoldError> {
        let Some(tick) = self
            .clock
            .tick()
            .filter(|tick| self.marked.is_none_or(|marked| *tick > marked))
        else {
            return Ok(());
        };
        while let Some(entry) = self.windows.first_entry().filter(|entry| entry.key().0 <= tick) {
            let ((closing, class, window), table) = entry.remove_entry();
            self.close(closing, class, window, table)?;
        }
        let marker = Summary::marker(self.number(), tick);
        self.write(&marker)?;
        self.marked = Some(tick);
        self.ids.expire(tick.time());
        self.ends.expire(tick.time());
        self.suspects.retain(|_, until| *until > tick.time());
        Ok(())
    }

    const fn number(&mut self) -> i64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// The records of one window, sorted by tenant, kind and leaf.
    fn close(&mut self, closing: Tick, class: Class, window: Window, table: WindowTable) -> Result<(), FoldError> {
        let devices = self.worst_devices(&table, window);
        let closed = |kind, tenant, near, row| summary_of(closing, class, window, kind, tenant, near, row);
        let mut records = Vec::with_capacity(table.leaves.len() + table.pairs.len() + devices.len());
        for ((tenant, near), row) in table.leaves {
            records.push(closed(SummaryKind::Leaf, tenant, near, row));
        }
        for (tenant, row) in table.overflow {
            let overflow = closed(SummaryKind::Leaf, tenant, Leaf::default(), row);
            records.push(Summary {
                overflow: true,
                ..overflow
            });
        }
        let events = records
            .iter()
            .filter_map(|summary| summary.sums.as_ref())
            .map(|sums| sums.events)
            .sum::<i64>();
        for ((tenant, near, far, poor), row) in table.pairs {
            let weight = if poor { 1 } else { self.config.pair_sampling.max(1) };
            let pair = closed(SummaryKind::Pair, tenant, near, row);
            records.push(Summary {
                far: Some(far),
                weight,
                ..pair
            });
        }
        for ((tenant, device), DeviceRow { near, user, row }) in devices {
            let worst = closed(SummaryKind::Device, tenant, near, row);
            records.push(Summary {
                device_id: Some(device),
                user,
                ..worst
            });
        }
        records.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
        let events = u64::try_from(events).unwrap_or(0);
        self.counts.closed += events;
        self.counts.held -= events;
        for mut summary in records {
            summary.number = self.number();
            self.write(&summary)?;
        }
        Ok(())
    }

    /// The devices of a window that are poor, worst first and bounded, and those that were so a while ago.
    fn worst_devices(&mut self, table: &WindowTable, window: Window) -> Vec<((Text, Text), DeviceRow)> {
        let mut poor: Vec<_> = table
            .devices
            .iter()
            .filter(|(_, device)| device.row.sums.quality.poor > 0)
            .collect();
        poor.sort_by_key(|(key, device)| {
            let quality = &device.row.sums.quality;
            (-quality.poor, -quality.poor_ms, (*key).clone())
        });
        poor.truncate(self.config.max_devices);
        let until = window.end().plus(SUSPECT_MEMORY);
        for (key, _) in poor {
            if self.suspects.len() < MAX_SUSPECTS || self.suspects.contains_key(key) {
                self.suspects.insert(key.clone(), until);
            }
        }
        let followed = table.devices.iter().filter(|(key, _)| self.suspects.contains_key(*key));
        followed.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn write(&mut self, summary: &Summary) -> Result<(), FoldError> {
        let headers = summary
            .tenant
            .iter()
            .map(|t| (topic::TENANT_HEADER.to_owned(), t.as_str().to_owned()))
            .collect();
        self.outbox.push(OutRecord {
            topic: Topic::Summaries,
            partition: Some(self.partition),
            key: Bytes::new(),
            payload: Payload::Value(avro::built_in_frame_from(summary)?.into()),
            headers,
        });
        Ok(())
    }
}

/// A record of a window that closes; its number comes when it is written.
fn summary_of(
    closing: Tick,
    class: Class,
    window: Window,
    kind: SummaryKind,
    tenant: Text,
    near: Leaf,
    row: Row,
) -> Summary {
    Summary {
        kind,
        tenant: Some(tenant),
        class: Some(class),
        window: Some(window),
        near: Some(near),
        exemplars: row.exemplars(),
        sums: Some(row.sums),
        ..Summary::marker(0, closing)
    }
}

/// The order of a window's records.
fn place_of(s: &Summary) -> impl Ord + '_ {
    (&s.tenant, s.kind, &s.near, &s.far, &s.device_id, s.weight, s.overflow)
}

/// Original bytes beyond this are cut off: a broker takes messages of 1 MiB unless told otherwise, and a reject that cannot be
/// written would halt the stage.
const MAX_ORIGINAL_BYTES: usize = 768 * 1024;

/// The reject of a record that a fold cannot read. It is at a place of a log: encrypting it again would hide nothing.
pub(crate) fn unreadable(
    record: &LogRecord,
    frame: &Bytes,
    why: &dyn std::fmt::Display,
    now: Option<EventTime>,
) -> Reject {
    let (topic, partition) = record.place;
    let text = |value: &str| Text::lenient(value);
    let place = format!("{}/{partition}/{}", topic.suffix(), record.offset);
    let kept = frame.slice(..frame.len().min(MAX_ORIGINAL_BYTES));
    let cut = if kept.len() < frame.len() {
        format!("; only the first {} of its {} bytes are kept", kept.len(), frame.len())
    } else {
        String::new()
    };
    #[allow(clippy::expect_used, reason = "constants and numbers are texts")]
    Reject {
        reject_id: text(&place).expect("a text"),
        tenant: None,
        door: text(topic.suffix()).expect("a text"),
        reason: text("unreadable_record").expect("a text"),
        detail: format!("{why}{cut}"),
        rejected_at: now.unwrap_or_default(),
        position: Some(record.offset),
        encryption: text("none").expect("a text"),
        key_id: None,
        original: kept.to_vec(),
    }
}

/// A reject on its way out.
pub(crate) fn reject_record(reject: &Reject) -> Result<OutRecord, FoldError> {
    Ok(OutRecord {
        topic: Topic::Rejects,
        partition: None,
        key: Bytes::copy_from_slice(reject.reject_id.as_str().as_bytes()),
        payload: Payload::Value(avro::built_in_frame_from(reject)?.into()),
        headers: Vec::new(),
    })
}

impl Fold for Summarise {
    fn absorb(&mut self, record: &LogRecord) -> Result<(), FoldError> {
        let place = (Topic::Events, self.partition);
        if record.place != place {
            return Err(FoldError::UnknownPlace { place: record.place });
        }
        if record.offset < self.next_offset {
            return Err(FoldError::OutOfOrder {
                place,
                offset: record.offset,
                expected: self.next_offset,
            });
        }
        match &record.payload {
            Payload::Value(frame) => self.event(record, frame)?,
            Payload::Clock(time) => self.clock.set(*time),
            Payload::Config(json) => match serde_json::from_str(json) {
                Ok(config) => self.config = config,
                Err(error) => {
                    let reject = unreadable(record, &Bytes::from(json.clone()), &error, self.clock.now());
                    self.outbox.push(reject_record(&reject)?);
                }
            },
            Payload::Absent(_) | Payload::Empty => {}
        }
        self.next_offset = record.offset + 1;
        self.advance()
    }

    fn mark(&self) -> i64 {
        self.next_offset
    }

    fn positions(&self) -> BTreeMap<Place, i64> {
        BTreeMap::from([((Topic::Events, self.partition), self.next_offset)])
    }

    fn wants(&self, place: Place) -> bool {
        place == (Topic::Events, self.partition)
    }

    fn clock(&self, _place: Place) -> Option<EventTime> {
        self.clock.now()
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
        let new = || Summarise::new(SummariseConfig::default(), 0, 3);
        let snapshot = new().snapshot().expect("a snapshot");
        let mut restored = Summarise::new(SummariseConfig::default(), 0, 7);
        restored.restore(&snapshot).expect("of this version");
        assert_eq!(restored, new());
        let of_another = new().restore(&snapshot[LAYOUT.len()..]);
        assert!(matches!(of_another, Err(FoldError::Layout)), "{of_another:?}");
    }
}
