//! The log against a plain list: whatever is appended, cut, torn and reopened, a reader sees
//! what the list says.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use kafka_protocol::records::Compression;
use proptest::prelude::*;

use super::LogRules;
use super::partition::{PartitionLog, Read};
use super::retention::samples::RULES;
use crate::batch::{self, BatchHeader, samples};

#[derive(Debug, Clone)]
enum Step {
    Append {
        records: usize,
        payload: usize,
    },
    Reopen,
    /// The process dies in the middle of an append: this much of the batch reached the file.
    TornAppend {
        bytes: usize,
    },
    /// The disk held blocks of garbage after the last good batch.
    Garbage {
        bytes: Vec<u8>,
    },
    DeleteBefore {
        share: u8,
    },
    Roll,
    ReadFrom {
        share: u8,
        max_bytes: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1..6_usize, 0..200_usize).prop_map(|(records, payload)| Step::Append { records, payload }),
        1 => Just(Step::Reopen),
        1 => (1..150_usize).prop_map(|bytes| Step::TornAppend { bytes }),
        1 => prop::collection::vec(any::<u8>(), 1..200).prop_map(|bytes| Step::Garbage { bytes }),
        1 => any::<u8>().prop_map(|share| Step::DeleteBefore { share }),
        1 => Just(Step::Roll),
        4 => (any::<u8>(), 1..2000_usize).prop_map(|(share, max_bytes)| Step::ReadFrom { share, max_bytes }),
    ]
}

/// The list: every value ever appended, and the first that is still there.
#[derive(Debug, Default)]
struct Model {
    values: Vec<String>,
    start: usize,
}

const SMALL_SEGMENTS: LogRules = LogRules {
    segment_bytes: 700,
    ..RULES
};

fn batch_of(values: &[String]) -> bytes::Bytes {
    let pairs: Vec<_> = values
        .iter()
        .map(|value| (value.as_str(), Some(value.as_str())))
        .collect();
    samples::batch(&pairs, 1000, Compression::None)
}

fn active_file(dir: &Path) -> std::path::PathBuf {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "log"));
    names.sort();
    names.pop().unwrap()
}

fn append_to_file(dir: &Path, bytes: &[u8]) {
    OpenOptions::new()
        .append(true)
        .open(active_file(dir))
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

/// Reads from an offset until something comes, as a fetch does.
fn read(log: &PartitionLog, mut offset: i64, max_bytes: usize) -> Vec<(i64, String)> {
    let from = offset;
    while let Some(plan) = log.plan_read(offset).unwrap() {
        match plan.read(max_bytes, true).unwrap() {
            Read::Nothing => break,
            Read::GoOnAt(next) => offset = next,
            Read::Batches(mut bytes) => {
                let mut found = Vec::new();
                while !bytes.is_empty() {
                    let header = BatchHeader::parse(&bytes).unwrap();
                    let batch = bytes.split_to(header.total_bytes);
                    for record in batch::records(&header, &batch).unwrap() {
                        let key = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
                        found.push((record.offset, key));
                    }
                }
                found.retain(|(at, _)| *at >= from);
                return found;
            }
        }
    }
    Vec::new()
}

fn share_of(model: &Model, share: u8) -> usize {
    model.start + (model.values.len() - model.start) * usize::from(share) / 255
}

fn offset(at: usize) -> i64 {
    i64::try_from(at).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_sees_exactly_what_was_appended_whatever_happens_in_between(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = PartitionLog::open(dir.path(), 10, 0).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Append { records, payload } => {
                    let fresh: Vec<String> = (0..records)
                        .map(|at| format!("{}-{}", model.values.len() + at, "x".repeat(payload)))
                        .collect();
                    let batch = batch_of(&fresh);
                    log.append(&batch, &BatchHeader::parse(&batch).unwrap(), &SMALL_SEGMENTS, 0).unwrap();
                    model.values.extend(fresh);
                }
                Step::Reopen => {
                    drop(log);
                    log = PartitionLog::open(dir.path(), 10, 0).unwrap();
                }
                Step::TornAppend { bytes } => {
                    drop(log);
                    let batch = batch_of(&["never acknowledged ".repeat(10)]);
                    append_to_file(dir.path(), &batch[..bytes.min(batch.len() - 1)]);
                    log = PartitionLog::open(dir.path(), 10, 0).unwrap();
                }
                Step::Garbage { bytes } => {
                    drop(log);
                    append_to_file(dir.path(), &bytes);
                    log = PartitionLog::open(dir.path(), 10, 0).unwrap();
                }
                Step::DeleteBefore { share } => {
                    model.start = share_of(&model, share);
                    log.delete_before(offset(model.start), 0).unwrap();
                }
                Step::Roll => log.retain(&LogRules { segment_ms: 0, ..SMALL_SEGMENTS }, 0).unwrap(),
                Step::ReadFrom { share, max_bytes } => {
                    let from = share_of(&model, share);
                    let found = read(&log, offset(from), max_bytes);
                    let expected = model.values[from..].iter().enumerate().map(|(at, v)| (offset(from + at), v.clone()));
                    prop_assert!(from == model.values.len() || !found.is_empty());
                    prop_assert!(expected.take(found.len()).eq(found));
                }
            }
            prop_assert_eq!(log.next_offset(), offset(model.values.len()));
            prop_assert_eq!(log.log_start(), offset(model.start));
        }
    }
}
