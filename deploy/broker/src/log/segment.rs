//! One file of a log: whole record batches, one after the other, named by its first offset.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::retention::SegmentFacts;
use crate::batch::{BatchHeader, HEADER_BYTES};

/// One index entry stands for about this many bytes of log.
const INDEX_STEP_BYTES: u64 = 32 << 10;
/// Headers are read this many bytes at a time.
const WALK_BYTES: usize = 32 << 10;

#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    base_offset: i64,
    position: u64,
}

/// What is known of a segment without reading it. Only bytes below `bytes` are valid.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    pub(crate) base_offset: i64,
    pub(crate) bytes: u64,
    /// One past the last offset in it; its base offset while it is empty.
    pub(crate) end_offset: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) opened_ms: i64,
    pub(crate) written_ms: i64,
    index: Vec<IndexEntry>,
}

impl Segment {
    pub(crate) fn empty(dir: &Path, base_offset: i64, now_ms: i64) -> Self {
        Self {
            path: segment_path(dir, base_offset),
            base_offset,
            bytes: 0,
            end_offset: base_offset,
            max_timestamp: -1,
            opened_ms: now_ms,
            written_ms: now_ms,
            index: Vec::new(),
        }
    }

    pub(crate) fn create_file(&self) -> io::Result<Arc<File>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&self.path)?;
        Ok(Arc::new(file))
    }

    /// Takes note of a batch that now stands at the end of the file.
    pub(crate) fn note(&mut self, batch: &BatchHeader) {
        let due = self
            .index
            .last()
            .is_none_or(|last| self.bytes - last.position >= INDEX_STEP_BYTES);
        if due {
            self.index.push(IndexEntry {
                base_offset: batch.base_offset,
                position: self.bytes,
            });
        }
        self.bytes += wide(batch.total_bytes);
        self.end_offset = batch.last_offset() + 1;
        self.max_timestamp = self.max_timestamp.max(batch.max_timestamp);
    }

    /// A position at or before the first batch that reaches `offset`.
    pub(crate) fn position_before(&self, offset: i64) -> u64 {
        let after = self.index.partition_point(|entry| entry.base_offset <= offset);
        after
            .checked_sub(1)
            .and_then(|at| self.index.get(at))
            .map_or(0, |entry| entry.position)
    }

    /// The same segment as if nothing were in it.
    pub(crate) fn cleared(self) -> Self {
        Self {
            bytes: 0,
            end_offset: self.base_offset,
            max_timestamp: -1,
            index: Vec::new(),
            ..self
        }
    }

    pub(crate) fn facts(&self) -> SegmentFacts {
        let newest_ms = if self.max_timestamp >= 0 {
            self.max_timestamp
        } else {
            self.written_ms
        };
        SegmentFacts {
            bytes: self.bytes,
            newest_ms,
        }
    }
}

pub(crate) fn segment_path(dir: &Path, base_offset: i64) -> PathBuf {
    dir.join(format!("{base_offset:020}.log"))
}

/// Reads batches of one file, at any position, a block at a time.
#[derive(Debug)]
pub(crate) struct Walker<'f> {
    file: &'f File,
    end: u64,
    block: Vec<u8>,
    block_at: u64,
}

impl<'f> Walker<'f> {
    pub(crate) fn new(file: &'f File, end: u64) -> Self {
        Self {
            file,
            end,
            block: Vec::new(),
            block_at: 0,
        }
    }

    /// The header at a position; `None` where no whole batch stands.
    pub(crate) fn header_at(&mut self, position: u64) -> io::Result<Option<BatchHeader>> {
        if position + wide(HEADER_BYTES) > self.end {
            return Ok(None);
        }
        if self.in_block(position).is_none() {
            self.block = read_at(self.file, position, narrow(self.end - position).min(WALK_BYTES))?;
            self.block_at = position;
        }
        let header = self.in_block(position).and_then(BatchHeader::parse);
        Ok(header.filter(|header| header.is_current_format() && position + wide(header.total_bytes) <= self.end))
    }

    pub(crate) fn batch_at(&self, position: u64, header: &BatchHeader) -> io::Result<Bytes> {
        read_at(self.file, position, header.total_bytes).map(Bytes::from)
    }

    fn in_block(&self, position: u64) -> Option<&[u8]> {
        let from = narrow(position.checked_sub(self.block_at)?);
        self.block.get(from..from.checked_add(HEADER_BYTES)?)
    }
}

pub(crate) fn read_at(file: &File, position: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    file.read_exact_at(&mut buffer, position)?;
    Ok(buffer)
}

pub(crate) fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

pub(crate) fn narrow(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Makes the creation, renaming or removal of a file in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Replaces a small file as a whole: after a crash either the old or the new content is there.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&draft)?;
    file.write_all_at(content, 0)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}
