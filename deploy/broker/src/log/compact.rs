//! Compaction: of all records with the same key the last one stays, at its own offset.
//!
//! Closed segments only, as they are safely on disk: dropping a value because of a newer one
//! that a power cut could still take back would lose both. One run reads the keys of the
//! closed segments not compacted yet, as many as fit into the key memory, then rewrites every
//! segment up to there. Each rewritten file replaces its original whole. Records without a
//! key, and batches that cannot be read, stay. Tombstones go once older than
//! `delete.retention.ms`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::partition::PartitionLog;
use super::segment::{Segment, Walker, wide};
use super::{LogRules, recover};
use crate::batch::{self, BatchHeader, RawRecord};

/// The last offset of each key.
type LastOffsets = BTreeMap<Bytes, i64>;
/// What an entry of the map costs beside the key.
const ENTRY_BYTES: usize = 64;

/// Compacts one log, as far as one run goes. Returns whether it did anything.
pub(crate) fn compact(log: &Mutex<PartitionLog>, rules: &LogRules, key_bytes: usize, now_ms: i64) -> io::Result<bool> {
    let (closed, compacted_to) = {
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        (log.closed().to_vec(), log.compacted_to)
    };
    if !is_due(&closed, compacted_to, rules.dirty_ratio) {
        return Ok(false);
    }
    let (last, covered_to) = read_keys(&closed, compacted_to, key_bytes)?;
    for segment in closed.iter().filter(|segment| segment.base_offset < covered_to) {
        rewrite(log, segment, &last, rules, now_ms)?;
    }
    log.lock().unwrap_or_else(PoisonError::into_inner).compacted_to = covered_to;
    Ok(true)
}

fn is_due(closed: &[Segment], compacted_to: i64, dirty_ratio: f64) -> bool {
    let bytes = |dirty_only: bool| -> u64 {
        closed
            .iter()
            .filter(|s| !dirty_only || s.base_offset >= compacted_to)
            .map(|s| s.bytes)
            .sum()
    };
    let (dirty, total) = (bytes(true), bytes(false));
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes, compared with a setting")]
    let ratio = dirty as f64 / total.max(1) as f64;
    dirty > 0 && ratio >= dirty_ratio
}

/// The last offset of every key in the dirty segments, and the offset up to which that holds.
fn read_keys(closed: &[Segment], compacted_to: i64, key_bytes: usize) -> io::Result<(LastOffsets, i64)> {
    let mut last = LastOffsets::new();
    let mut spent = 0_usize;
    let mut covered_to = compacted_to;
    for segment in closed.iter().filter(|segment| segment.base_offset >= compacted_to) {
        if spent >= key_bytes {
            break;
        }
        each_batch(segment, |header, batch| {
            for record in batch::records(header, batch).unwrap_or_default() {
                let Some(key) = record.key else { continue };
                match last.get_mut(&key) {
                    Some(offset) => *offset = record.offset,
                    None => {
                        spent += key.len() + ENTRY_BYTES;
                        last.insert(Bytes::copy_from_slice(&key), record.offset);
                    }
                }
            }
            Ok(())
        })?;
        covered_to = segment.end_offset.max(segment.base_offset + 1);
    }
    Ok((last, covered_to))
}

fn each_batch(segment: &Segment, mut visit: impl FnMut(&BatchHeader, &Bytes) -> io::Result<()>) -> io::Result<()> {
    let file = match File::open(&segment.path) {
        Ok(file) => file,
        // Retention or the deletion of the topic was faster.
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(other) => return Err(other),
    };
    let mut walker = Walker::new(&file, segment.bytes);
    let mut position = 0;
    while let Some(header) = walker.header_at(position)? {
        visit(&header, &walker.batch_at(position, &header)?)?;
        position += wide(header.total_bytes);
    }
    Ok(())
}

fn rewrite(
    log: &Mutex<PartitionLog>,
    segment: &Segment,
    last: &LastOffsets,
    rules: &LogRules,
    now_ms: i64,
) -> io::Result<()> {
    let drops_tombstones = now_ms.saturating_sub(segment.facts().newest_ms) > rules.delete_retention_ms;
    let draft = segment.path.with_extension("cleaned");
    let mut out = BufWriter::new(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&draft)?,
    );
    let mut dropped = 0_usize;
    each_batch(segment, |header, batch| {
        let Some(records) = batch::records(header, batch) else {
            return out.write_all(batch);
        };
        let before = records.len();
        let kept: Vec<_> = records
            .into_iter()
            .filter(|record| stays(record, last, drops_tombstones))
            .collect();
        dropped += before - kept.len();
        if kept.len() == before {
            out.write_all(batch)
        } else if kept.is_empty() {
            Ok(())
        } else {
            let thinner = batch::with_records(batch, header, &kept);
            out.write_all(thinner.as_ref().unwrap_or(batch))
        }
    })?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if dropped == 0 {
        return std::fs::remove_file(&draft);
    }
    file.sync_all()?;
    let fresh = recover::rescan(segment, &file)?;
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .replace_closed(segment, &draft, fresh)
}

fn stays(record: &RawRecord, last: &LastOffsets, drops_tombstones: bool) -> bool {
    let Some(key) = &record.key else { return true };
    match last.get(key) {
        Some(&newest) if newest > record.offset => false,
        _ => !(record.is_tombstone && drops_tombstones),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kafka_protocol::records::Compression;

    use super::super::partition::Read;
    use super::super::retention::samples::RULES;
    use super::*;
    use crate::batch::samples;

    type Pair<'a> = (&'a str, Option<&'a str>);

    /// Every inner slice is one batch in a segment of its own; the last one stays active.
    fn log_of(dir: &Path, segments: &[&[Pair<'_>]]) -> Mutex<PartitionLog> {
        let mut log = PartitionLog::open(dir, 10, 0).unwrap();
        for (at, pairs) in segments.iter().enumerate() {
            if at > 0 {
                log.roll(0).unwrap();
            }
            let batch = samples::batch(pairs, 1000, Compression::Lz4);
            log.append(&batch, &BatchHeader::parse(&batch).unwrap(), &RULES, 0)
                .unwrap();
        }
        Mutex::new(log)
    }

    fn contents(log: &Mutex<PartitionLog>) -> Vec<(i64, String, bool)> {
        let log = log.lock().unwrap();
        let mut found = Vec::new();
        let mut offset = log.log_start();
        while let Some(plan) = log.plan_read(offset).unwrap() {
            match plan.read(1 << 20, true).unwrap() {
                Read::GoOnAt(next) => offset = next,
                Read::Nothing => break,
                Read::Batches(mut bytes) => {
                    while !bytes.is_empty() {
                        let header = BatchHeader::parse(&bytes).unwrap();
                        let batch = bytes.split_to(header.total_bytes);
                        assert!(batch::checksum_fits(&batch));
                        offset = header.last_offset() + 1;
                        for record in batch::records(&header, &batch).unwrap() {
                            let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                            found.push((record.offset, key, record.is_tombstone));
                        }
                    }
                }
            }
        }
        found
    }

    fn seen(of: &[(i64, &str, bool)]) -> Vec<(i64, String, bool)> {
        of.iter()
            .map(|&(offset, key, tombstone)| (offset, key.to_owned(), tombstone))
            .collect()
    }

    #[test]
    fn the_last_record_of_each_key_stays_at_its_offset() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_of(
            dir.path(),
            &[
                &[("a", Some("1")), ("b", Some("1"))],
                &[("a", Some("2")), ("c", Some("1"))],
                &[("a", Some("3"))],
            ],
        );
        assert!(compact(&log, &RULES, 1 << 20, 0).unwrap());
        // The active segment (offset 4) takes no part.
        let expected = seen(&[(1, "b", false), (2, "a", false), (3, "c", false), (4, "a", false)]);
        assert_eq!(contents(&log), expected);
        drop(log);
        let reopened = Mutex::new(PartitionLog::open(dir.path(), 10, 0).unwrap());
        assert_eq!(contents(&reopened), expected);
        assert_eq!(reopened.lock().unwrap().next_offset(), 5);
    }

    #[test]
    fn a_tombstone_goes_only_after_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_of(dir.path(), &[&[("a", Some("1")), ("a", None)], &[("z", None)]]);
        let rules = LogRules {
            delete_retention_ms: 500,
            ..RULES
        };
        compact(&log, &rules, 1 << 20, 1400).unwrap();
        assert_eq!(contents(&log), seen(&[(1, "a", true), (2, "z", true)]));
        log.lock().unwrap().compacted_to = 0;
        compact(&log, &rules, 1 << 20, 1502).unwrap();
        assert_eq!(contents(&log), seen(&[(2, "z", true)]));
    }

    #[test]
    fn little_key_memory_takes_several_runs_to_the_same_end() {
        let dir = tempfile::tempdir().unwrap();
        let pairs: &[Pair<'_>] = &[("a", Some("1")), ("b", Some("1"))];
        let log = log_of(dir.path(), &[pairs, pairs, pairs, pairs]);
        let mut runs = 0;
        while compact(&log, &RULES, 1, 0).unwrap() {
            runs += 1;
        }
        assert_eq!(runs, 3);
        let expected = seen(&[(4, "a", false), (5, "b", false), (6, "a", false), (7, "b", false)]);
        assert_eq!(contents(&log), expected);
    }

    #[test]
    fn nothing_new_means_nothing_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_of(dir.path(), &[&[("a", Some("1"))], &[("a", Some("2"))]]);
        assert!(compact(&log, &RULES, 1 << 20, 0).unwrap());
        assert!(!compact(&log, &RULES, 1 << 20, 0).unwrap());
    }
}
