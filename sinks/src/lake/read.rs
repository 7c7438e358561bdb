//! The lake read back: the logs that watch has read, and the incidents it told of then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use arrow_array::{Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use bytes::Bytes;
use deltalake_core::{
    DeltaTable, DeltaTableError, arrow, parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder,
    table::builder::DeltaTableBuilder,
};
use dialtone_schemas::{
    Change, Complaint, Control, EventTime, Incident, Record, Summary, arrow::records_from_batch, avro, topic::Topic,
};
use dialtone_wire::{LogRecord, Payload, Place};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::{KEPT, table::LakeError};

/// What watch reads.
const HEARD: [Topic; 4] = [Topic::Summaries, Topic::Changes, Topic::Complaints, Topic::Control];

/// Which days are read: from the first to the last, both included, as days since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// The first.
    pub first: i32,
    /// The last.
    pub last: i32,
}

/// A lake that is only read.
#[derive(Debug)]
pub struct Reader<'a> {
    dir: &'a Path,
    days: Days,
    /// Rows that may still be read: they are all held at once.
    left: usize,
}

impl<'a> Reader<'a> {
    /// Of these days, and no more than so many rows of all tables together.
    pub const fn new(dir: &'a Path, days: Days, most: usize) -> Self {
        Self { dir, days, left: most }
    }

    /// The logs of summaries, changes, complaints and control, with what told them the time; by offset, of each row once.
    /// Summaries are numbered anew from 0, since a fold that begins here has read none before: windows that closed after midnight lie
    /// in the day before.
    pub async fn logs(&mut self) -> Result<BTreeMap<Place, Vec<LogRecord>>, LakeError> {
        let mut logs: BTreeMap<Place, Vec<LogRecord>> = BTreeMap::new();
        for topic in HEARD {
            let Some((_, table)) = KEPT.iter().find(|(kept, _)| *kept == topic) else {
                continue;
            };
            for batch in self.batches(table).await? {
                let payloads = match topic {
                    Topic::Summaries => values::<Summary>(&batch)?,
                    Topic::Changes => values::<Change>(&batch)?,
                    Topic::Complaints => values::<Complaint>(&batch)?,
                    _ => values::<Control>(&batch)?,
                };
                add(&mut logs, &batch, payloads, |_| Some(topic))?;
            }
        }
        for batch in self.batches("clocks").await? {
            let topics = text(&batch, "_kafka_topic")?.clone();
            let topic = |row: usize| HEARD.into_iter().find(|topic| topic.suffix() == topics.value(row));
            add(&mut logs, &batch, clocks(&batch)?, topic)?;
        }
        for (place, log) in &mut logs {
            log.sort_by_key(|record| record.offset);
            if place.0 == Topic::Summaries {
                renumber(log)?;
            }
        }
        Ok(logs)
    }

    /// The days of which summaries are kept, oldest first; of a lake without any, none.
    pub async fn days_with_summaries(dir: &Path) -> Result<Vec<i32>, LakeError> {
        if !dir.join("summaries").is_dir() {
            return Ok(Vec::new());
        }
        let files = files_of("summaries", &dir.join("summaries")).await?.1;
        let days: BTreeSet<i32> = files.iter().filter_map(|file| day_of(file.as_ref())).collect();
        Ok(days.into_iter().collect())
    }

    /// The summaries of these days that were folded, each once, with the place and offset it had in the log.
    pub async fn summaries(&mut self) -> Result<Vec<(Place, i64, Summary)>, LakeError> {
        let mut by_place: BTreeMap<Place, Vec<(i64, Summary)>> = BTreeMap::new();
        for batch in self.batches("summaries").await? {
            let partitions = column::<Int32Array>(&batch, "_kafka_partition")?;
            let offsets = column::<Int64Array>(&batch, "_kafka_offset")?;
            for (row, summary) in records_from_batch::<Summary>(&batch)?.into_iter().enumerate() {
                let place = (Topic::Summaries, partitions.value(row));
                by_place.entry(place).or_default().push((offsets.value(row), summary));
            }
        }
        let mut folded = Vec::new();
        for (place, mut rows) in by_place {
            rows.sort_by_key(|(offset, _)| *offset);
            let numbered: Vec<(usize, i64)> = rows.iter().map(|(_, summary)| summary.number).enumerate().collect();
            let is_in_turn: BTreeSet<usize> = in_turn(&numbered).into_iter().collect();
            let rows = rows.into_iter().enumerate().filter(|(row, _)| is_in_turn.contains(row));
            folded.extend(rows.map(|(_, (offset, summary))| (place, offset, summary)));
        }
        Ok(folded)
    }

    /// The last revision of each incident told of on these days, by (opened, id).
    pub async fn incidents(&mut self) -> Result<Vec<Incident>, LakeError> {
        let mut last: BTreeMap<dialtone_schemas::Text, Incident> = BTreeMap::new();
        for batch in self.batches("incidents").await? {
            for incident in records_from_batch::<Incident>(&batch)? {
                let known = last.get(&incident.id).map(|known| known.revision);
                if known.is_none_or(|known| known < incident.revision) {
                    last.insert(incident.id.clone(), incident);
                }
            }
        }
        let mut incidents: Vec<Incident> = last.into_values().collect();
        incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
        Ok(incidents)
    }

    /// The rows of a table on the days wanted.
    async fn batches(&mut self, name: &str) -> Result<Vec<RecordBatch>, LakeError> {
        let failed = |source| failed(name, source);
        let (table, files) = files_of(name, &self.dir.join(name)).await?;
        let mut batches = Vec::new();
        for path in files {
            if !is_of(path.as_ref(), self.days) {
                continue;
            }
            let bytes = async { table.object_store().get(&path).await?.bytes().await };
            let bytes = bytes.await.map_err(DeltaTableError::from).map_err(failed)?;
            for batch in of_file(bytes).map_err(failed)? {
                let rows = batch.num_rows();
                self.left = self
                    .left
                    .checked_sub(rows)
                    .ok_or_else(|| LakeError::TooMuch { table: name.to_owned() })?;
                batches.push(batch);
            }
        }
        Ok(batches)
    }
}

fn failed(table: &str, source: DeltaTableError) -> LakeError {
    LakeError::Delta {
        table: table.to_owned(),
        doing: "read",
        source: Box::new(source),
    }
}

/// A table with the paths of the files it has now.
async fn files_of(name: &str, folder: &Path) -> Result<(DeltaTable, Vec<object_store::path::Path>), LakeError> {
    let failed = |source| failed(name, source);
    let table = opened(folder).await.map_err(failed)?;
    let snapshot = table.snapshot().map_err(failed)?.snapshot();
    let views = snapshot.file_views(table.log_store().as_ref(), None);
    let files: Vec<_> = views.try_collect().await.map_err(failed)?;
    let paths = files.iter().map(|file| file.object_store_path()).collect();
    Ok((table, paths))
}

async fn opened(folder: &Path) -> Result<DeltaTable, DeltaTableError> {
    let folder = folder
        .canonicalize()
        .map_err(|error| DeltaTableError::generic(format!("{}: {error}", folder.display())))?;
    let url = deltalake_core::table::builder::parse_table_uri(folder.to_string_lossy())?;
    let mut table = DeltaTableBuilder::from_url(url)?.build()?;
    table.load().await?;
    Ok(table)
}

/// Does a file lie in the folder of a day that is wanted?
fn is_of(path: &str, days: Days) -> bool {
    day_of(path).is_some_and(|day| (days.first..=days.last).contains(&day))
}

/// The day in whose folder a file lies.
fn day_of(path: &str) -> Option<i32> {
    let day = path.split('/').find_map(|part| part.strip_prefix("event_date="))?;
    let midnight = EventTime::parse(&format!("{day}T00:00:00Z")).ok()?;
    Some(midnight.day())
}

fn of_file(bytes: Bytes) -> Result<Vec<RecordBatch>, DeltaTableError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
    reader.map(|batch| batch.map_err(DeltaTableError::from)).collect()
}

fn values<R: Record>(batch: &RecordBatch) -> Result<Vec<Payload>, LakeError> {
    let records = records_from_batch::<R>(batch)?;
    let frame = |record: &R| Ok(Payload::Value(avro::built_in_frame_from(record)?.into()));
    records.iter().map(frame).collect()
}

fn clocks(batch: &RecordBatch) -> Result<Vec<Payload>, LakeError> {
    let (kinds, configs) = (text(batch, "kind")?, text(batch, "config")?);
    let times = column::<TimestampMicrosecondArray>(batch, "time")?;
    let payload = |row: usize| {
        let time = EventTime::from_micros(if times.is_null(row) { 0 } else { times.value(row) });
        match kinds.value(row) {
            "clock" => Payload::Clock(time),
            "absent" => Payload::Absent(time),
            _ => Payload::Config(configs.value(row).to_owned()),
        }
    };
    Ok((0..batch.num_rows()).map(payload).collect())
}

/// Rows as records of the logs they came from; those of other topics are left out.
fn add(
    logs: &mut BTreeMap<Place, Vec<LogRecord>>,
    batch: &RecordBatch,
    payloads: Vec<Payload>,
    topic: impl Fn(usize) -> Option<Topic>,
) -> Result<(), LakeError> {
    let partitions = column::<Int32Array>(batch, "_kafka_partition")?;
    let offsets = column::<Int64Array>(batch, "_kafka_offset")?;
    for (row, payload) in payloads.into_iter().enumerate() {
        let Some(topic) = topic(row) else { continue };
        let place = (topic, partitions.value(row));
        logs.entry(place).or_default().push(LogRecord {
            place,
            offset: offsets.value(row),
            key: Bytes::new(),
            payload,
        });
    }
    Ok(())
}

/// Numbers a log of summaries from 0, without the holes that other days leave; what was folded then is folded now, so repeats and
/// what came before its turn are emptied.
fn renumber(log: &mut [LogRecord]) -> Result<(), LakeError> {
    let mut summaries = Vec::new();
    for (row, record) in log.iter().enumerate() {
        if let Payload::Value(frame) = &record.payload {
            let summary: Summary = avro::record_from_built_in_frame(frame)?;
            summaries.push((row, summary.number));
        }
    }
    let mut number = 0;
    let mut in_turn = in_turn(&summaries).into_iter().peekable();
    for (row, _) in summaries {
        let record = &mut log[row];
        let payload = match &record.payload {
            Payload::Value(frame) if in_turn.next_if_eq(&row).is_some() => {
                let mut summary: Summary = avro::record_from_built_in_frame(frame)?;
                (summary.number, number) = (number, number + 1);
                Payload::Value(avro::built_in_frame_from(&summary)?.into())
            }
            _ => Payload::Empty,
        };
        record.payload = payload;
    }
    Ok(())
}

/// The rows that were folded in their turn: of each number the first row behind the one of the number before.
fn in_turn(numbered: &[(usize, i64)]) -> Vec<usize> {
    let mut by_number = numbered.to_vec();
    by_number.sort_unstable_by_key(|(row, number)| (*number, *row));
    let mut in_turn: Vec<(usize, i64)> = Vec::new();
    for (row, number) in by_number {
        if in_turn
            .last()
            .is_none_or(|(before, last)| *last < number && *before < row)
        {
            in_turn.push((row, number));
        }
    }
    in_turn.into_iter().map(|(row, _)| row).collect()
}

fn text<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, LakeError> {
    column(batch, name)
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, LakeError> {
    let missing = || {
        LakeError::Arrow(arrow::error::ArrowError::SchemaError(format!(
            "no column {name} as it was written"
        )))
    };
    let column = batch.column_by_name(name).ok_or_else(missing)?;
    column.as_any().downcast_ref::<A>().ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 lies in the day before. 5 came before its turn and came again; 4 was repeated.
    #[test]
    fn holes_are_closed_and_only_what_was_folded_then_is_folded_again() {
        let numbered = [(0, 2), (1, 5), (2, 4), (3, 4), (4, 5), (7, 6)];
        assert_eq!(in_turn(&numbered), [0, 2, 4, 7]);
    }
}
