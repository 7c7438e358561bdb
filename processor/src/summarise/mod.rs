//! Summarise: one partition of events becomes numbered sums in the same partition of the summaries.
//!
//! What an event adds to which sums is decided in `summing`; here bytes become events, and sums bytes.

pub mod judge;
pub mod memory;
pub mod summing;
pub mod window;

use std::collections::BTreeMap;

use bytes::Bytes;
use dialtone_schemas::{
    Event, EventTime, Reject, Summary, Text, avro,
    topic::{self, Topic},
};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};
use serde::{Deserialize, Serialize};

use crate::{
    config::SummariseConfig,
    snapshot::{self, Layout},
};
use summing::Fate;
pub use summing::{Counts, Summing};

/// What a snapshot begins with; another number where its fields are others.
const LAYOUT: Layout = *b"s\x03";

/// The fold over one partition of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summarise {
    partition: i32,
    next_offset: i64,
    summing: Summing,
    #[serde(skip)]
    outbox: Vec<OutRecord>,
}

impl Summarise {
    /// A fold that has read nothing yet of partition `partition`, whose log begins at `first_offset`.
    pub fn new(config: SummariseConfig, partition: i32, first_offset: i64) -> Self {
        Self {
            partition,
            next_offset: first_offset,
            summing: Summing::new(config),
            outbox: Vec::new(),
        }
    }

    /// What has become of the events read (F-1).
    pub const fn counts(&self) -> Counts {
        self.summing.counts()
    }

    /// How far event time has got on this partition.
    pub const fn now(&self) -> Option<EventTime> {
        self.summing.now()
    }

    /// The configuration in force.
    pub const fn config(&self) -> &SummariseConfig {
        self.summing.config()
    }

    fn event(&mut self, record: &LogRecord, frame: &Bytes) -> Result<(), FoldError> {
        let event = match avro::record_from_built_in_frame::<Event>(frame) {
            Ok(event) => event,
            Err(error) => {
                self.summing.refuse();
                return self.reject(record, frame, &error);
            }
        };
        match self.summing.add(&event) {
            Fate::Counted | Fate::Duplicate => {}
            Fate::Late(why) => self.late(record, frame, why),
            Fate::Refused(why) => self.reject(record, frame, &why)?,
        }
        Ok(())
    }

    fn late(&mut self, record: &LogRecord, frame: &Bytes, why: &str) {
        self.outbox.push(OutRecord {
            topic: Topic::Late,
            partition: None,
            key: record.key.clone(),
            payload: Payload::Value(frame.clone()),
            headers: vec![(topic::LATE_HEADER.into(), why.into())],
        });
    }

    fn reject(&mut self, record: &LogRecord, frame: &Bytes, why: &dyn std::fmt::Display) -> Result<(), FoldError> {
        let reject = unreadable(record, frame, why, self.summing.now());
        self.outbox.push(reject_record(&reject)?);
        Ok(())
    }
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

/// A summary on its way out, into the partition that its events were in.
fn summary_record(summary: &Summary, partition: i32) -> Result<OutRecord, FoldError> {
    let headers = summary
        .tenant
        .iter()
        .map(|t| (topic::TENANT_HEADER.to_owned(), t.as_str().to_owned()))
        .collect();
    Ok(OutRecord {
        topic: Topic::Summaries,
        partition: Some(partition),
        key: Bytes::new(),
        payload: Payload::Value(avro::built_in_frame_from(summary)?.into()),
        headers,
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
            Payload::Clock(time) => self.summing.tell(*time),
            Payload::Config(json) => match serde_json::from_str(json) {
                Ok(config) => self.summing.configure(config),
                Err(error) => self.reject(record, &Bytes::from(json.clone()), &error)?,
            },
            Payload::Absent(_) | Payload::Empty => {}
        }
        self.next_offset = record.offset + 1;
        let (partition, outbox) = (self.partition, &mut self.outbox);
        self.summing
            .advance(|summary| summary_record(summary, partition).map(|record| outbox.push(record)))
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
        self.summing.now()
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
