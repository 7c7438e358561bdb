//! The log of one partition: append, read, cut from the front.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tracing::error;

use super::segment::{Segment, Walker, narrow, read_at, sync_dir, wide};
use super::{LogRules, recover, retention};
use crate::batch::{self, BatchHeader};
use crate::producer_state::{ProducerStates, Verdict};

/// The only leader epoch there ever is on a single node.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appended {
    At { base_offset: i64 },
    Duplicate { base_offset: i64 },
}

/// Why a batch was not appended. The log is as it was.
#[derive(Debug)]
pub(crate) enum AppendError {
    OutOfOrder,
    Fenced,
    Deleted,
    Storage(io::Error),
}

impl From<io::Error> for AppendError {
    fn from(source: io::Error) -> Self {
        Self::Storage(source)
    }
}

/// Where to look for an offset, good for reading without the log's lock.
#[derive(Debug)]
pub(crate) struct ReadPlan {
    file: Arc<File>,
    position: u64,
    end: u64,
    offset: i64,
    /// Where to go on if this file has nothing at or after the offset.
    next_segment: Option<i64>,
}

/// The answer to a plan.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Batches(Bytes),
    GoOnAt(i64),
    Nothing,
}

/// A log and the state that belongs to it.
#[derive(Debug)]
pub(crate) struct PartitionLog {
    dir: PathBuf,
    segments: Vec<Segment>,
    active: Arc<File>,
    producers: ProducerStates,
    log_start: i64,
    next_offset: i64,
    unsynced: bool,
    /// A failed append could not be undone; nothing is appended until it is.
    torn: bool,
    deleted: bool,
    /// Everything before this offset has been through compaction.
    pub(crate) compacted_to: i64,
    #[cfg(test)]
    pub(crate) room_bytes: Option<u64>,
}

impl PartitionLog {
    pub(crate) fn open(dir: &Path, producer_limit: usize, now_ms: i64) -> io::Result<Self> {
        let found = recover::open(dir, producer_limit, now_ms)?;
        let end = found.segments.last().map_or(0, |active| active.end_offset);
        Ok(Self {
            dir: dir.to_owned(),
            segments: found.segments,
            active: found.active,
            producers: found.producers,
            log_start: found.log_start,
            next_offset: end.max(found.log_start),
            unsynced: false,
            torn: false,
            deleted: false,
            compacted_to: 0,
            #[cfg(test)]
            room_bytes: None,
        })
    }

    pub(crate) fn log_start(&self) -> i64 {
        self.log_start
    }

    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Appends one judged batch, giving it the next offsets.
    pub(crate) fn append(
        &mut self,
        batch: &[u8],
        header: &BatchHeader,
        rules: &LogRules,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        if self.deleted {
            return Err(AppendError::Deleted);
        }
        match self.producers.judge(header) {
            Verdict::Append => {}
            Verdict::Duplicate { base_offset } => return Ok(Appended::Duplicate { base_offset }),
            Verdict::OutOfOrder => return Err(AppendError::OutOfOrder),
            Verdict::Fenced => return Err(AppendError::Fenced),
        }
        self.mend()?;
        self.roll_if_due(wide(batch.len()), rules, now_ms)?;
        let placed = BatchHeader {
            base_offset: self.next_offset,
            ..*header
        };
        self.write(&stamped(batch, self.next_offset))?;
        self.producers.learn(&placed, now_ms);
        if let Some(active) = self.segments.last_mut() {
            if active.bytes == 0 {
                active.opened_ms = now_ms;
            }
            active.note(&placed);
            active.written_ms = now_ms;
        }
        self.next_offset = placed.last_offset() + 1;
        self.unsynced = true;
        Ok(Appended::At {
            base_offset: placed.base_offset,
        })
    }

    /// Writes at the end of the active segment, or leaves it as it was.
    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let end = self.active_bytes();
        self.write_at_end(batch, end).inspect_err(|_| {
            self.torn = true;
            if let Err(source) = self.mend() {
                error!(dir = %self.dir.display(), %source, "failed append cannot be undone yet; partition takes no records");
            }
        })
    }

    #[cfg(not(test))]
    fn write_at_end(&self, batch: &[u8], end: u64) -> io::Result<()> {
        self.active.write_all_at(batch, end)
    }

    /// In tests the disk can be nearly full.
    #[cfg(test)]
    fn write_at_end(&self, batch: &[u8], end: u64) -> io::Result<()> {
        match self.room_bytes.map(narrow) {
            Some(room) if room < batch.len() => {
                self.active.write_all_at(&batch[..room], end)?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => self.active.write_all_at(batch, end),
        }
    }

    /// Removes what a failed append left behind the last good batch.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.active.set_len(self.active_bytes())?;
            self.torn = false;
        }
        Ok(())
    }

    fn active_bytes(&self) -> u64 {
        self.segments.last().map_or(0, |active| active.bytes)
    }

    fn roll_if_due(&mut self, incoming: u64, rules: &LogRules, now_ms: i64) -> io::Result<()> {
        let due = self
            .segments
            .last()
            .is_some_and(|active| retention::should_roll(active.bytes, active.opened_ms, incoming, rules, now_ms));
        if due { self.roll(now_ms) } else { Ok(()) }
    }

    /// Closes the active segment, durably, and begins the next.
    pub(crate) fn roll(&mut self, now_ms: i64) -> io::Result<()> {
        self.mend()?;
        self.active.sync_data()?;
        let next = Segment::empty(&self.dir, self.next_offset, now_ms);
        self.active = next.create_file()?;
        self.segments.push(next);
        self.unsynced = false;
        sync_dir(&self.dir)
    }

    /// How to read at `offset`; `None` when nothing is there yet.
    pub(crate) fn plan_read(&self, offset: i64) -> io::Result<Option<ReadPlan>> {
        if offset >= self.next_offset {
            return Ok(None);
        }
        let at = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset)
            .saturating_sub(1);
        let Some(segment) = self.segments.get(at) else {
            return Ok(None);
        };
        let is_active = at + 1 == self.segments.len();
        let file = if is_active {
            Arc::clone(&self.active)
        } else {
            Arc::new(File::open(&segment.path)?)
        };
        Ok(Some(ReadPlan {
            file,
            position: segment.position_before(offset),
            end: segment.bytes,
            offset,
            next_segment: self.segments.get(at + 1).map(|next| next.base_offset),
        }))
    }

    /// Roughly how many bytes a reader at `offset` has before it.
    pub(crate) fn bytes_after(&self, offset: i64) -> u64 {
        if offset >= self.next_offset {
            return 0;
        }
        let at = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset)
            .saturating_sub(1);
        let here = self
            .segments
            .get(at)
            .map_or(0, |segment| segment.bytes - segment.position_before(offset));
        let later: u64 = self.segments.iter().skip(at + 1).map(|segment| segment.bytes).sum();
        (here + later).max(1)
    }

    /// Where to begin looking for the first record at or after a time; `None` if it cannot be here.
    pub(crate) fn first_offset_near(&self, timestamp: i64) -> Option<i64> {
        let segment = self
            .segments
            .iter()
            .find(|segment| segment.max_timestamp >= timestamp)?;
        Some(segment.base_offset.max(self.log_start))
    }

    /// The file to force to disk, if anything was written since the last time.
    pub(crate) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| Arc::clone(&self.active))
    }

    pub(crate) fn sync_failed(&mut self) {
        self.unsynced = true;
    }

    /// Deletes all records before `offset`, as a client asked.
    pub(crate) fn delete_before(&mut self, offset: i64, now_ms: i64) -> io::Result<()> {
        if offset <= self.log_start {
            return Ok(());
        }
        recover::write_start(&self.dir, offset)?;
        self.log_start = offset;
        if offset == self.next_offset && self.active_bytes() > 0 {
            self.roll(now_ms)?;
        }
        let gone = self
            .segments
            .iter()
            .skip(1)
            .take_while(|next| next.base_offset <= offset)
            .count();
        self.drop_oldest(gone)
    }

    /// Applies retention by time and size.
    pub(crate) fn retain(&mut self, rules: &LogRules, now_ms: i64) -> io::Result<()> {
        self.producers.forget_silent(now_ms);
        self.roll_if_due(0, rules, now_ms)?;
        let facts: Vec<_> = self.segments.iter().map(Segment::facts).collect();
        let doomed = retention::doomed(&facts, rules, now_ms);
        if doomed == self.segments.len() {
            self.roll(now_ms)?;
        }
        self.drop_oldest(doomed)
    }

    fn drop_oldest(&mut self, count: usize) -> io::Result<()> {
        for _ in 0..count.min(self.segments.len().saturating_sub(1)) {
            if let Some(oldest) = self.segments.first() {
                fs::remove_file(&oldest.path)?;
            }
            self.segments.remove(0);
        }
        let first = self.segments.first().map_or(0, |segment| segment.base_offset);
        self.log_start = self.log_start.max(first);
        Ok(())
    }

    /// The segments that will not change any more.
    pub(crate) fn closed(&self) -> &[Segment] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }

    /// Puts a thinner file in the place of a closed segment, unless it is gone by now.
    pub(crate) fn replace_closed(&mut self, old: &Segment, thinner: &Path, fresh: Segment) -> io::Result<()> {
        let count = self.closed().len();
        let here = self
            .segments
            .iter_mut()
            .take(count)
            .find(|segment| segment.base_offset == old.base_offset);
        let Some(here) = here.filter(|segment| segment.bytes == old.bytes) else {
            return fs::remove_file(thinner);
        };
        fs::rename(thinner, &here.path)?;
        *here = fresh;
        sync_dir(&self.dir)
    }

    pub(crate) fn mark_deleted(&mut self) {
        self.deleted = true;
    }
}

/// The batch with its place in this log.
fn stamped(batch: &[u8], base_offset: i64) -> BytesMut {
    let mut out = BytesMut::with_capacity(batch.len());
    out.put_i64(base_offset);
    out.put_slice(batch.get(8..12).unwrap_or_default());
    out.put_i32(LEADER_EPOCH);
    out.put_slice(batch.get(16..).unwrap_or_default());
    out
}

impl ReadPlan {
    /// Whole batches from the offset on, `max_bytes` at most; but at least one batch when
    /// `at_least_one`, so that a large one does not stop its readers for ever.
    pub(crate) fn read(&self, max_bytes: usize, at_least_one: bool) -> io::Result<Read> {
        let mut walker = Walker::new(&self.file, self.end);
        let Some((position, first)) = self.find(&mut walker)? else {
            return Ok(self.next_segment.map_or(Read::Nothing, Read::GoOnAt));
        };
        if first.total_bytes > max_bytes {
            let alone = if at_least_one {
                walker.batch_at(position, &first)?
            } else {
                Bytes::new()
            };
            return Ok(Read::Batches(alone));
        }
        let mut bytes = read_at(&self.file, position, narrow(self.end - position).min(max_bytes))?;
        bytes.truncate(whole_batches(&bytes));
        Ok(Read::Batches(bytes.into()))
    }

    /// The first batch that reaches the offset.
    fn find(&self, walker: &mut Walker<'_>) -> io::Result<Option<(u64, BatchHeader)>> {
        let mut position = self.position;
        while let Some(header) = walker.header_at(position)? {
            if header.last_offset() >= self.offset {
                return Ok(Some((position, header)));
            }
            position += wide(header.total_bytes);
        }
        Ok(None)
    }

    /// The first record at or after a time, looking from the offset on; or where to go on.
    pub(crate) fn find_time(&self, timestamp: i64) -> io::Result<Result<(i64, i64), Option<i64>>> {
        let mut walker = Walker::new(&self.file, self.end);
        let Some((mut position, _)) = self.find(&mut walker)? else {
            return Ok(Err(self.next_segment));
        };
        while let Some(header) = walker.header_at(position)? {
            if header.max_timestamp >= timestamp {
                let batch = walker.batch_at(position, &header)?;
                if let Some(found) = first_record_at(&header, &batch, timestamp, self.offset) {
                    return Ok(Ok(found));
                }
            }
            position += wide(header.total_bytes);
        }
        Ok(Err(self.next_segment))
    }
}

fn first_record_at(header: &BatchHeader, batch: &Bytes, timestamp: i64, from: i64) -> Option<(i64, i64)> {
    match batch::records(header, batch) {
        Some(records) => records
            .iter()
            .find(|record| record.timestamp >= timestamp && record.offset >= from)
            .map(|record| (record.offset, record.timestamp)),
        // Records that cannot be looked into: the batch is the best answer there is.
        None => Some((header.base_offset, header.max_timestamp)),
    }
}

fn whole_batches(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(header) = bytes.get(end..).and_then(BatchHeader::parse) {
        if end + header.total_bytes > bytes.len() {
            break;
        }
        end += header.total_bytes;
    }
    end
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;

    use super::super::retention::samples::RULES;
    use super::*;
    use crate::batch::samples;

    fn append(log: &mut PartitionLog, batch: &Bytes) -> Result<Appended, AppendError> {
        log.append(batch, &BatchHeader::parse(batch).unwrap(), &RULES, 0)
    }

    fn one(text: &str) -> Bytes {
        samples::batch(&[(text, Some(text))], 1000, Compression::None)
    }

    #[test]
    fn a_full_disk_refuses_the_batch_and_leaves_the_log_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        append(&mut log, &one("kept")).unwrap();
        let before = fs::read(&log.segments[0].path).unwrap();

        log.room_bytes = Some(30);
        let refusal = append(&mut log, &one("refused"));
        assert!(matches!(refusal, Err(AppendError::Storage(e)) if e.kind() == io::ErrorKind::StorageFull));
        assert_eq!(log.next_offset(), 1);
        assert_eq!(fs::read(&log.segments[0].path).unwrap(), before);

        log.room_bytes = None;
        assert_eq!(
            append(&mut log, &one("later")).unwrap(),
            Appended::At { base_offset: 1 }
        );
    }

    #[test]
    fn a_duplicate_is_still_known_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let batch = samples::produced(&[("a", Some("1"))], 1000, Compression::None, 7, 0, 0);
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        append(&mut log, &one("before")).unwrap();
        assert_eq!(append(&mut log, &batch).unwrap(), Appended::At { base_offset: 1 });
        drop(log);
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        assert_eq!(
            append(&mut log, &batch).unwrap(),
            Appended::Duplicate { base_offset: 1 }
        );
        assert_eq!(log.next_offset(), 2);
    }

    #[test]
    fn deleted_records_stay_deleted_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        for text in ["a", "b", "c"] {
            append(&mut log, &one(text)).unwrap();
        }
        log.delete_before(2, 0).unwrap();
        drop(log);
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        assert_eq!((log.log_start(), log.next_offset()), (2, 3));
        log.delete_before(3, 0).unwrap();
        assert_eq!(log.bytes(), 0);
        drop(log);
        let log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        assert_eq!((log.log_start(), log.next_offset()), (3, 3));
    }

    #[test]
    fn a_time_is_found_to_the_record() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        let pairs = [("a", Some("1")), ("b", Some("2")), ("c", Some("3"))];
        append(&mut log, &samples::batch(&pairs, 1000, Compression::Lz4)).unwrap();
        append(&mut log, &samples::batch(&pairs, 2000, Compression::Zstd)).unwrap();
        let plan = log.plan_read(0).unwrap().unwrap();
        assert_eq!(plan.find_time(1001).unwrap(), Ok((1, 1001)));
        assert_eq!(plan.find_time(1500).unwrap(), Ok((3, 2000)));
        assert_eq!(plan.find_time(3000).unwrap(), Err(None));
    }
}
