//! Committed offsets, in memory and in a journal on disk.
//!
//! The journal is a file of entries `length, crc32c, json`. It is replayed on opening, where a
//! torn tail is cut off, and rewritten whole once most of it is history.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::error::BrokerError;
use crate::log::segment::{read_at, sync_dir, wide, write_whole};

const ENTRY_HEAD_BYTES: usize = 8;
/// The journal is rewritten when larger than this and than four times what it must hold.
const REWRITE_AT_BYTES: u64 = 4 << 20;

/// One committed position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    pub(crate) at_ms: i64,
}

/// What happened to the offsets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Change {
    Commit {
        group: String,
        topic: String,
        partition: i32,
        committed: Committed,
    },
    ForgetGroup {
        group: String,
    },
    ForgetTopic {
        topic: String,
    },
}

type OfGroup = BTreeMap<(String, i32), Committed>;

/// All committed offsets of all groups.
#[derive(Debug)]
pub(crate) struct Offsets {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
    /// What the journal measured after it was last rewritten.
    rewritten_bytes: u64,
    unsynced: bool,
    groups: BTreeMap<String, OfGroup>,
}

impl Offsets {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let path = data_dir.join("offsets.journal");
        Self::replay(&path).map_err(BrokerError::storage(path, "replay offsets"))
    }

    fn replay(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let end = file.metadata()?.len();
        let mut content = &read_at(&file, 0, crate::log::segment::narrow(end))?[..];
        let mut groups = BTreeMap::new();
        let mut bytes = 0;
        while let Some((change, used)) = next_entry(content) {
            apply(&mut groups, change);
            content = content.get(used..).unwrap_or_default();
            bytes += wide(used);
        }
        if bytes < end {
            warn!(path = %path.display(), cut_bytes = end - bytes, "torn tail is cut off");
            file.set_len(bytes)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file: Arc::new(file),
            bytes,
            rewritten_bytes: 0,
            unsynced: false,
            groups,
        })
    }

    /// Makes changes, all or none: on an error nothing has changed.
    pub(crate) fn record(&mut self, changes: Vec<Change>) -> io::Result<()> {
        let mut entries = BytesMut::new();
        for change in &changes {
            put_entry(&mut entries, change)?;
        }
        if let Err(source) = self.file.write_all_at(&entries, self.bytes) {
            // What was written lies beyond `bytes`: the next entry overwrites it.
            self.file.set_len(self.bytes)?;
            return Err(source);
        }
        self.bytes += wide(entries.len());
        self.unsynced = true;
        for change in changes {
            apply(&mut self.groups, change);
        }
        if self.bytes > REWRITE_AT_BYTES.max(self.rewritten_bytes.saturating_mul(4)) {
            self.rewrite()?;
        }
        Ok(())
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut entries = BytesMut::new();
        for (group, offsets) in &self.groups {
            for ((topic, partition), committed) in offsets {
                let (group, topic, committed) = (group.clone(), topic.clone(), committed.clone());
                put_entry(
                    &mut entries,
                    &Change::Commit {
                        group,
                        topic,
                        partition: *partition,
                        committed,
                    },
                )?;
            }
        }
        write_whole(&self.path, &entries)?;
        self.file = Arc::new(OpenOptions::new().read(true).write(true).open(&self.path)?);
        self.bytes = wide(entries.len());
        self.rewritten_bytes = self.bytes;
        self.unsynced = false;
        self.path.parent().map_or(Ok(()), sync_dir)
    }

    pub(crate) fn take_unsynced(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.unsynced).then(|| Arc::clone(&self.file))
    }

    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(&(topic.to_owned(), partition))
    }

    pub(crate) fn of_group(&self, group: &str) -> impl Iterator<Item = (&(String, i32), &Committed)> {
        self.groups.get(group).into_iter().flatten()
    }

    pub(crate) fn knows_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    pub(crate) fn group_names(&self) -> impl Iterator<Item = &String> {
        self.groups.keys()
    }

    /// Groups whose latest commit is older than `before_ms`.
    pub(crate) fn groups_silent_since(&self, before_ms: i64) -> Vec<String> {
        let silent = |offsets: &OfGroup| offsets.values().all(|committed| committed.at_ms < before_ms);
        self.groups
            .iter()
            .filter(|(_, offsets)| silent(offsets))
            .map(|(group, _)| group.clone())
            .collect()
    }
}

fn apply(groups: &mut BTreeMap<String, OfGroup>, change: Change) {
    match change {
        Change::Commit {
            group,
            topic,
            partition,
            committed,
        } => {
            groups.entry(group).or_default().insert((topic, partition), committed);
        }
        Change::ForgetGroup { group } => {
            groups.remove(&group);
        }
        Change::ForgetTopic { topic } => {
            for offsets in groups.values_mut() {
                offsets.retain(|(of, _), _| *of != topic);
            }
            groups.retain(|_, offsets| !offsets.is_empty());
        }
    }
}

fn put_entry(out: &mut BytesMut, change: &Change) -> io::Result<()> {
    let json = serde_json::to_vec(change)?;
    out.put_u32(u32::try_from(json.len()).map_err(io::Error::other)?);
    out.put_u32(crc32c::crc32c(&json));
    out.put_slice(&json);
    Ok(())
}

fn next_entry(mut content: &[u8]) -> Option<(Change, usize)> {
    if content.len() < ENTRY_HEAD_BYTES {
        return None;
    }
    let length = usize::try_from(content.get_u32()).ok()?;
    let crc = content.get_u32();
    let json = content.get(..length).filter(|json| crc32c::crc32c(json) == crc)?;
    Some((serde_json::from_slice(json).ok()?, ENTRY_HEAD_BYTES + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(group: &str, partition: i32, offset: i64) -> Change {
        let committed = Committed {
            offset,
            leader_epoch: -1,
            metadata: "m".into(),
            at_ms: offset,
        };
        Change::Commit {
            group: group.into(),
            topic: "t".into(),
            partition,
            committed,
        }
    }

    #[test]
    fn commits_survive_reopening_and_a_torn_tail_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut offsets = Offsets::open(dir.path()).unwrap();
        offsets.record(vec![commit("g", 0, 5), commit("g", 1, 6)]).unwrap();
        offsets.record(vec![commit("g", 0, 7)]).unwrap();
        let good = offsets.bytes;
        offsets.file.write_all_at(&[0, 0, 0, 9, 1], good).unwrap();
        drop(offsets);
        let mut offsets = Offsets::open(dir.path()).unwrap();
        assert_eq!(offsets.bytes, good);
        assert_eq!(offsets.get("g", "t", 0).unwrap().offset, 7);
        assert_eq!(offsets.get("g", "t", 1).unwrap().metadata, "m");
        offsets.record(vec![commit("g", 2, 8)]).unwrap();
        drop(offsets);
        assert_eq!(Offsets::open(dir.path()).unwrap().of_group("g").count(), 3);
    }

    #[test]
    fn a_rewritten_journal_says_the_same_in_fewer_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut offsets = Offsets::open(dir.path()).unwrap();
        for offset in 0..50 {
            offsets.record(vec![commit("g", 0, offset)]).unwrap();
        }
        offsets
            .record(vec![commit("h", 0, 1), Change::ForgetGroup { group: "h".into() }])
            .unwrap();
        let before = offsets.bytes;
        offsets.rewrite().unwrap();
        assert!(offsets.bytes * 40 < before);
        offsets.record(vec![commit("g", 1, 9)]).unwrap();
        drop(offsets);
        let again = Offsets::open(dir.path()).unwrap();
        assert_eq!(
            (
                again.get("g", "t", 0).unwrap().offset,
                again.get("g", "t", 1).unwrap().offset
            ),
            (49, 9)
        );
        assert!(!again.knows_group("h"));
    }

    #[test]
    fn a_deleted_topic_takes_its_offsets_along() {
        let dir = tempfile::tempdir().unwrap();
        let mut offsets = Offsets::open(dir.path()).unwrap();
        offsets.record(vec![commit("g", 0, 5)]).unwrap();
        offsets.record(vec![Change::ForgetTopic { topic: "t".into() }]).unwrap();
        assert!(offsets.get("g", "t", 0).is_none() && !offsets.knows_group("g"));
    }
}
