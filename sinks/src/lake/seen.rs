//! Which rows are there: the identities of the last days' rows, read back from the table at the start.

use std::collections::BTreeSet;

use deltalake_core::{
    DeltaResult, DeltaTable, DeltaTableError,
    arrow::array::{Array, StringArray},
    parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

/// Identities remembered; beyond, the whole set is as old as the topics' retention and the oldest file's are forgotten.
const MAX_REMEMBERED: usize = 20_000_000;

/// The identities of rows.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeSet<u128>);

impl Seen {
    /// Reads the identities of all files, newest first, until the memory is full.
    pub(super) async fn read(table: &DeltaTable) -> DeltaResult<Self> {
        let mut seen = Self::default();
        let store = table.object_store();
        let snapshot = table.snapshot()?;
        let files: Vec<_> = snapshot
            .snapshot()
            .file_views(table.log_store().as_ref(), None)
            .try_collect()
            .await?;
        for file in files {
            if seen.0.len() >= MAX_REMEMBERED {
                break;
            }
            let bytes = store.get(&file.object_store_path()).await?.bytes().await?;
            seen.read_file(bytes)?;
        }
        Ok(seen)
    }

    fn read_file(&mut self, bytes: bytes::Bytes) -> DeltaResult<()> {
        let failed =
            |error: &dyn std::fmt::Display| DeltaTableError::generic(format!("row ids cannot be read: {error}"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| failed(&e))?;
        let mask = ProjectionMask::columns(reader.parquet_schema(), ["_row_id"]);
        for batch in reader.with_projection(mask).build().map_err(|e| failed(&e))? {
            let batch = batch.map_err(|e| failed(&e))?;
            let ids = batch.column(0).as_any().downcast_ref::<StringArray>();
            let ids = ids.ok_or_else(|| failed(&"they are no text"))?;
            self.0
                .extend((0..ids.len()).filter_map(|i| u128::from_str_radix(ids.value(i), 16).ok()));
        }
        Ok(())
    }

    /// Is this one there?
    pub(super) fn has(&self, id: u128) -> bool {
        self.0.contains(&id)
    }

    /// These are there now.
    pub(super) fn remember(&mut self, ids: impl IntoIterator<Item = u128>) {
        self.0.extend(ids);
        while self.0.len() > MAX_REMEMBERED {
            self.0.pop_first();
        }
    }
}
