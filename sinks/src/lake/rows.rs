//! Rows from records: the record's own columns, its day, its identity, and where it came from.

use std::{collections::BTreeSet, sync::Arc};

use arrow_array::{
    ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use dialtone_schemas::{
    Alert, Change, ChangeVerdict, Complaint, Control, Event, EventId, EventTime, Record, RecordKind, Reject, Summary,
    arrow, avro, topic::Topic,
};
use dialtone_wire::{LogRecord, Payload, Place};

use super::{Appended, LakeError, table::Table};

/// The kind of record of a kept topic.
fn kind_of(topic: Topic) -> RecordKind {
    match topic {
        Topic::Events | Topic::Late => RecordKind::Event,
        Topic::Changes => RecordKind::Change,
        Topic::Complaints => RecordKind::Complaint,
        Topic::Control => RecordKind::Control,
        Topic::Summaries => RecordKind::Summary,
        // Every alert carries the incident's revision, which is what the lake keeps.
        Topic::Incidents | Topic::Alerts => RecordKind::Incident,
        Topic::ChangeVerdicts => RecordKind::ChangeVerdict,
        Topic::Rejects => RecordKind::Reject,
    }
}

/// Day, identity and lineage: the same in every table.
fn lineage() -> Vec<Field> {
    vec![
        Field::new("event_date", DataType::Date32, false),
        Field::new("_row_id", DataType::Utf8, false),
        Field::new("_kafka_topic", DataType::Utf8, false),
        Field::new("_kafka_partition", DataType::Int32, false),
        Field::new("_kafka_offset", DataType::Int64, false),
    ]
}

fn with_lineage(fields: impl IntoIterator<Item = Field>) -> SchemaRef {
    Arc::new(Schema::new(fields.into_iter().chain(lineage()).collect::<Vec<_>>()))
}

/// The columns of a topic's table.
pub(super) fn columns_of_topic(topic: Topic) -> SchemaRef {
    with_lineage(
        arrow::schema(kind_of(topic))
            .fields()
            .iter()
            .map(|field| field.as_ref().clone()),
    )
}

/// The columns of `clocks`: clock, absent and configuration records, so that a backtest has the same logs.
pub(super) fn clock_columns() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    with_lineage([
        Field::new("kind", DataType::Utf8, false),
        Field::new("time", time, true),
        Field::new("config", DataType::Utf8, true),
    ])
}

/// The columns of `unreadable`.
pub(super) fn unreadable_columns() -> SchemaRef {
    with_lineage([
        Field::new("reason", DataType::Utf8, false),
        Field::new("original", DataType::Binary, false),
    ])
}

/// The day a record belongs to, and what it is told apart by.
trait Row: Record {
    fn time(&self) -> EventTime;
    fn identity(&self) -> String;
}

impl Row for Event {
    fn time(&self) -> EventTime {
        self.end
    }
    fn identity(&self) -> String {
        format!(
            "{}/{}",
            self.event_id.map(|id| id.to_string()).unwrap_or_default(),
            self.revision
        )
    }
}

impl Row for Change {
    fn time(&self) -> EventTime {
        self.started_at
    }
    fn identity(&self) -> String {
        tenanted(self.tenant.as_ref(), &self.change_id)
    }
}

impl Row for Complaint {
    fn time(&self) -> EventTime {
        self.complained_at
    }
    fn identity(&self) -> String {
        tenanted(self.tenant.as_ref(), &self.complaint_id)
    }
}

impl Row for Control {
    fn time(&self) -> EventTime {
        self.at
    }
    fn identity(&self) -> String {
        tenanted(self.tenant.as_ref(), &self.control_id)
    }
}

impl Row for Summary {
    fn time(&self) -> EventTime {
        self.window.map_or(self.tick.time(), |window| window.start())
    }
    /// The partition is added when the identity is hashed.
    fn identity(&self) -> String {
        self.number.to_string()
    }
}

impl Row for Alert {
    fn time(&self) -> EventTime {
        self.at
    }
    fn identity(&self) -> String {
        self.alert_id.to_string()
    }
}

impl Row for ChangeVerdict {
    fn time(&self) -> EventTime {
        self.at
    }
    fn identity(&self) -> String {
        tenanted(Some(&self.tenant), &self.verdict_id)
    }
}

impl Row for Reject {
    fn time(&self) -> EventTime {
        self.rejected_at
    }
    fn identity(&self) -> String {
        self.reject_id.to_string()
    }
}

fn tenanted(tenant: Option<&dialtone_schemas::Text>, id: &dialtone_schemas::Text) -> String {
    format!("{}|{id}", tenant.map_or("", |tenant| tenant.as_str()))
}

/// Where a row came from and what day it belongs to.
#[derive(Clone, Debug)]
struct Origin {
    day: i32,
    id: String,
    offset: i64,
}

/// The rows of one commit.
#[derive(Debug, Default)]
pub(super) struct Batch {
    frames: Vec<Bytes>,
    origins: Vec<Origin>,
    ids: BTreeSet<u128>,
    unreadable: Vec<(i64, String, Bytes)>,
}

impl Batch {
    /// Takes a value: a row, a repeat, or unreadable.
    pub(super) fn value(&mut self, record: &LogRecord, frame: &Bytes, table: &Table, appended: &mut Appended) {
        let read = match record.place.0 {
            Topic::Events => origin::<Event>(frame),
            Topic::Changes => origin::<Change>(frame),
            Topic::Complaints => origin::<Complaint>(frame),
            Topic::Control => origin::<Control>(frame),
            Topic::Summaries => origin::<Summary>(frame),
            Topic::Alerts => origin::<Alert>(frame),
            Topic::ChangeVerdicts => origin::<ChangeVerdict>(frame),
            _ => origin::<Reject>(frame),
        };
        let (time, identity) = match read {
            Ok(read) => read,
            Err(error) => {
                appended.unreadable += 1;
                self.unreadable.push((record.offset, error, frame.clone()));
                return;
            }
        };
        let partition = if record.place.0 == Topic::Summaries {
            record.place.1.to_string()
        } else {
            String::new()
        };
        let id = EventId::derive([record.place.0.suffix(), partition.as_str(), identity.as_str()]);
        if table.has(id.0) || !self.ids.insert(id.0) {
            appended.repeats += 1;
            return;
        }
        appended.rows += 1;
        self.frames.push(frame.clone());
        self.origins.push(Origin {
            day: time.day(),
            id: id.to_string(),
            offset: record.offset,
        });
    }

    /// The identities written.
    pub(super) fn ids(self) -> BTreeSet<u128> {
        self.ids
    }

    /// The columns of the rows.
    pub(super) fn columns<R: Record>(&self, place: Place) -> Result<Option<RecordBatch>, LakeError> {
        self.columns_of(place, |record: R| record)
    }

    /// The columns of the incidents that alerts carry.
    pub(super) fn incident_columns(&self, place: Place) -> Result<Option<RecordBatch>, LakeError> {
        self.columns_of(place, |alert: Alert| alert.incident)
    }

    fn columns_of<R: Record, T: Record>(
        &self,
        place: Place,
        kept: impl Fn(R) -> T,
    ) -> Result<Option<RecordBatch>, LakeError> {
        if self.frames.is_empty() {
            return Ok(None);
        }
        let records: Vec<T> = self
            .frames
            .iter()
            .filter_map(|frame| decode(frame).ok())
            .map(kept)
            .collect();
        let own = arrow::batch_from_records(&records)?;
        let days = self.origins.iter().map(|o| o.day);
        let ids = self.origins.iter().map(|o| o.id.clone());
        let offsets = self.origins.iter().map(|o| o.offset);
        let columns = own
            .columns()
            .iter()
            .cloned()
            .chain(lineage_columns(place, days, ids, offsets));
        Ok(Some(RecordBatch::try_new(
            columns_of_topic(place.0),
            columns.collect(),
        )?))
    }

    /// The columns of what could not be read, from an offset on.
    pub(super) fn unreadable_columns(&self, place: Place, from: i64) -> Result<Option<RecordBatch>, LakeError> {
        let fresh: Vec<_> = self.unreadable.iter().filter(|(offset, ..)| *offset >= from).collect();
        if fresh.is_empty() {
            return Ok(None);
        }
        let reasons: ArrayRef = Arc::new(StringArray::from_iter_values(fresh.iter().map(|(_, why, _)| why)));
        let originals: ArrayRef = Arc::new(BinaryArray::from_iter_values(fresh.iter().map(|(_, _, bytes)| bytes)));
        let offsets = || fresh.iter().map(|(offset, ..)| *offset);
        let ids = offsets().map(|offset| position_id(place, offset));
        let days = offsets().map(|_| 0);
        let lineage = lineage_columns(place, days, ids, offsets());
        Ok(Some(RecordBatch::try_new(
            unreadable_columns(),
            [reasons, originals].into_iter().chain(lineage).collect(),
        )?))
    }
}

/// A record from its frame, or from JSON where the alerts travel so.
fn decode<R: Record>(frame: &Bytes) -> Result<R, String> {
    if frame.first() == Some(&b'{') {
        return serde_json::from_slice(frame).map_err(|error| error.to_string());
    }
    avro::record_from_built_in_frame(frame).map_err(|error| error.to_string())
}

fn origin<R: Row>(frame: &Bytes) -> Result<(EventTime, String), String> {
    let record: R = decode(frame)?;
    Ok((record.time(), record.identity()))
}

fn position_id(place: Place, offset: i64) -> String {
    EventId::derive([place.0.suffix(), &place.1.to_string(), &offset.to_string()]).to_string()
}

fn lineage_columns(
    place: Place,
    days: impl Iterator<Item = i32>,
    ids: impl Iterator<Item = String>,
    offsets: impl Iterator<Item = i64>,
) -> Vec<ArrayRef> {
    let offsets = Int64Array::from_iter_values(offsets);
    let count = offsets.values().len();
    vec![
        Arc::new(Date32Array::from_iter_values(days)),
        Arc::new(StringArray::from_iter_values(ids)),
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            place.0.suffix(),
            count,
        ))),
        Arc::new(Int32Array::from_iter_values(std::iter::repeat_n(place.1, count))),
        Arc::new(offsets),
    ]
}

/// The rows of `clocks` from an offset on.
pub(super) fn clocks(place: Place, records: &[LogRecord], from: i64) -> Result<Option<RecordBatch>, LakeError> {
    let told: Vec<(i64, &str, Option<EventTime>, Option<&str>)> = records
        .iter()
        .filter(|record| record.offset >= from)
        .filter_map(|record| match &record.payload {
            Payload::Clock(time) => Some((record.offset, "clock", Some(*time), None)),
            Payload::Absent(time) => Some((record.offset, "absent", Some(*time), None)),
            Payload::Config(config) => Some((record.offset, "config", None, Some(config.as_str()))),
            Payload::Value(_) | Payload::Empty => None,
        })
        .collect();
    if told.is_empty() {
        return Ok(None);
    }
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(told.iter().map(|(_, kind, ..)| *kind)));
    let times = told.iter().map(|(.., time, _)| time.map(EventTime::micros));
    let times: ArrayRef = Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"));
    let configs: ArrayRef = Arc::new(told.iter().map(|(.., config)| *config).collect::<StringArray>());
    let days = told.iter().map(|(.., time, _)| time.map_or(0, EventTime::day));
    let ids = told.iter().map(|(offset, ..)| position_id(place, *offset));
    let lineage = lineage_columns(place, days, ids, told.iter().map(|(offset, ..)| *offset));
    Ok(Some(RecordBatch::try_new(
        clock_columns(),
        [kinds, times, configs].into_iter().chain(lineage).collect(),
    )?))
}
