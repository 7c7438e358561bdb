//! Opening a log: every index is rebuilt from the batches, and a torn tail is cut off.
//!
//! Closed segments were forced to disk before their successor began, so walking their headers
//! is enough. The active one is read in full and checked: what does not check is the remains
//! of an append that was cut short, and was acknowledged to nobody (or lost with the power).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tracing::{error, warn};

use super::segment::{Segment, Walker, sync_dir, wide};
use crate::batch::{self, BatchHeader};
use crate::producer_state::ProducerStates;

/// What opening a folder found.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// At least one; the last is the active segment.
    pub(crate) segments: Vec<Segment>,
    pub(crate) active: Arc<File>,
    pub(crate) producers: ProducerStates,
    pub(crate) log_start: i64,
}

/// Opens the log in `dir`, creating it if there is none.
pub(crate) fn open(dir: &Path, producer_limit: usize, now_ms: i64) -> io::Result<Recovered> {
    fs::create_dir_all(dir)?;
    let bases = base_offsets(dir)?;
    let mut producers = ProducerStates::new(producer_limit);
    let mut segments = Vec::with_capacity(bases.len().max(1));
    let mut active = None;
    for (at, base) in bases.iter().enumerate() {
        let is_active = at + 1 == bases.len();
        let (segment, file) = open_segment(dir, *base, is_active, &mut producers, now_ms)?;
        segments.push(segment);
        active = Some(file);
    }
    let active = match active {
        Some(file) => file,
        None => {
            let segment = Segment::empty(dir, read_start(dir)?, now_ms);
            let file = segment.create_file()?;
            sync_dir(dir)?;
            segments.push(segment);
            file
        }
    };
    let first = segments.first().map_or(0, |segment| segment.base_offset);
    let log_start = read_start(dir)?.max(first);
    Ok(Recovered {
        segments,
        active,
        producers,
        log_start,
    })
}

fn base_offsets(dir: &Path) -> io::Result<Vec<i64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        let base = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        match (extension, base) {
            (Some("log"), Some(base)) => bases.push(base),
            // The draft of a compaction or of a start file that never replaced the original.
            (Some("cleaned" | "draft"), _) => fs::remove_file(&path)?,
            _ => {}
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

fn open_segment(
    dir: &Path,
    base: i64,
    is_active: bool,
    producers: &mut ProducerStates,
    now_ms: i64,
) -> io::Result<(Segment, Arc<File>)> {
    let mut segment = Segment::empty(dir, base, now_ms);
    let file = OpenOptions::new().read(true).write(true).open(&segment.path)?;
    let metadata = file.metadata()?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).ok();
    segment.written_ms = modified
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or(now_ms);
    if let Some(first) = scan(&file, metadata.len(), is_active, &mut segment, producers)? {
        segment.opened_ms = first.min(now_ms);
    }
    if segment.bytes < metadata.len() {
        let cut_bytes = metadata.len() - segment.bytes;
        let path = segment.path.display();
        if is_active {
            warn!(%path, end_offset = segment.end_offset, cut_bytes, "torn tail is cut off");
            file.set_len(segment.bytes)?;
            file.sync_all()?;
        } else {
            // Left as it is for whoever wants to look; readers go on with the next segment.
            error!(%path, end_offset = segment.end_offset, unreadable_bytes = cut_bytes, "closed segment is damaged");
        }
    }
    Ok((segment, Arc::new(file)))
}

/// Notes every good batch from the beginning; stops at the first bad one. Returns the time of
/// the first batch.
fn scan(
    file: &File,
    end: u64,
    check: bool,
    segment: &mut Segment,
    producers: &mut ProducerStates,
) -> io::Result<Option<i64>> {
    let mut walker = Walker::new(file, end);
    let mut first = None;
    while let Some(header) = walker.header_at(segment.bytes)? {
        let follows = header.base_offset >= segment.end_offset;
        if !follows || (check && !batch::checksum_fits(&walker.batch_at(segment.bytes, &header)?)) {
            break;
        }
        learn(&header, segment, producers);
        first.get_or_insert(header.max_timestamp);
    }
    Ok(first.filter(|&ms| ms >= 0))
}

fn learn(header: &BatchHeader, segment: &mut Segment, producers: &mut ProducerStates) {
    segment.note(header);
    // The record time stands in for the time of arrival, which is not in the log.
    producers.learn(header, segment.written_ms.max(header.max_timestamp));
}

/// Builds the facts of a segment file that was just written whole.
pub(crate) fn rescan(old: &Segment, file: &File) -> io::Result<Segment> {
    let end = file.metadata()?.len();
    let mut fresh = old.clone().cleared();
    let mut walker = Walker::new(file, end);
    while let Some(header) = walker.header_at(fresh.bytes)? {
        fresh.note(&header);
    }
    fresh.end_offset = old.end_offset;
    debug_assert_eq!(fresh.bytes, wide(usize::try_from(end).unwrap_or(usize::MAX)));
    Ok(fresh)
}

const START_FILE: &str = "start.offset";

/// The first offset left after records were deleted on request.
fn read_start(dir: &Path) -> io::Result<i64> {
    match fs::read_to_string(dir.join(START_FILE)) {
        Ok(text) => text.trim().parse().map_err(io::Error::other),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(other) => Err(other),
    }
}

pub(crate) fn write_start(dir: &Path, offset: i64) -> io::Result<()> {
    super::segment::write_whole(&dir.join(START_FILE), offset.to_string().as_bytes())
}
