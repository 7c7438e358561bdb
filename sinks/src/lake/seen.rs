//! Which rows are there: the identities of the last days' rows, read back from the table at the start.

use std::collections::{BTreeSet, VecDeque};

use deltalake_core::{
    DeltaResult, DeltaTable, DeltaTableError,
    arrow::array::{Array, StringArray},
    parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

/// Identities remembered; beyond, the oldest are forgotten first. What is sent twice is sent twice within minutes: an outbox
/// after a recovery, a delivery whose acknowledgement was lost.
const MAX_REMEMBERED: usize = 10_000_000;

/// The identities of rows, and in which order they came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: BTreeSet<u128>,
    order: VecDeque<u128>,
}

impl Seen {
    /// Reads the identities of all files, newest first, until the memory is full.
    pub(super) async fn read(table: &DeltaTable) -> DeltaResult<Self> {
        let mut seen = Self::default();
        let store = table.object_store();
        let snapshot = table.snapshot()?;
        let mut files: Vec<_> = snapshot
            .snapshot()
            .file_views(table.log_store().as_ref(), None)
            .try_collect()
            .await?;
        files.sort_by_key(|file| std::cmp::Reverse(file.modification_datetime().ok()));
        let (mut newest_first, mut count) = (Vec::new(), 0);
        for file in files {
            if count >= MAX_REMEMBERED {
                break;
            }
            let bytes = store.get(&file.object_store_path()).await?.bytes().await?;
            let ids = Self::of_file(bytes)?;
            count += ids.len();
            newest_first.push(ids);
        }
        seen.remember(newest_first.into_iter().rev().flatten());
        Ok(seen)
    }

    fn of_file(bytes: bytes::Bytes) -> DeltaResult<Vec<u128>> {
        let mut found = Vec::new();
        let failed =
            |error: &dyn std::fmt::Display| DeltaTableError::generic(format!("row ids cannot be read: {error}"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| failed(&e))?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["_row_id"]);
        for batch in reader.with_projection(mask).build().map_err(|e| failed(&e))? {
            let batch = batch.map_err(|e| failed(&e))?;
            let ids = batch.column(0).as_any().downcast_ref::<StringArray>();
            let ids = ids.ok_or_else(|| failed(&"they are no text"))?;
            found.extend((0..ids.len()).filter_map(|i| u128::from_str_radix(ids.value(i), 16).ok()));
        }
        Ok(found)
    }

    /// Is this one there?
    pub(super) fn has(&self, id: u128) -> bool {
        self.known.contains(&id)
    }

    /// These are there now.
    pub(super) fn remember(&mut self, ids: impl IntoIterator<Item = u128>) {
        self.remember_at_most(ids, MAX_REMEMBERED);
    }

    fn remember_at_most(&mut self, ids: impl IntoIterator<Item = u128>, most: usize) {
        for id in ids {
            if self.known.insert(id) {
                self.order.push_back(id);
            }
            if self.order.len() > most
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_not_the_smallest() {
        let mut seen = Seen::default();
        seen.remember_at_most([9, 5, 9, 7, 1], 3);
        assert!(!seen.has(9) && seen.has(5) && seen.has(7) && seen.has(1));
        seen.remember_at_most([0], 3);
        assert!(!seen.has(5) && seen.has(0), "a small new one stays");
    }
}
