//! One Delta table: opened or created, appended to with offsets in the same commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use deltalake_core::{
    DeltaTable, DeltaTableError,
    kernel::{StructType, Transaction, engine::arrow_conversion::TryIntoKernel, transaction::CommitBuilder},
    operations::create::CreateBuilder,
    parquet::{
        basic::{Compression, ZstdLevel},
        file::properties::WriterProperties,
    },
    protocol::{DeltaOperation, SaveMode},
    table::builder::DeltaTableBuilder,
    writer::{DeltaWriter, RecordBatchWriter},
};
use dialtone_wire::Place;

use super::seen::Seen;

/// What the sink calls itself in a table's transactions.
const APPLICATION: &str = "dialtone-sink";

/// Why the lake cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// Delta or the store says no.
    #[error("lake table {table}: cannot be {doing}")]
    Delta {
        /// Which.
        table: String,
        /// What was attempted.
        doing: &'static str,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// Another writer has gone on from the offset this one stands at: it must read its positions again.
    #[error("lake table {table}: {place:?} is at offset {found} and not at {expected}: another writer keeps it")]
    Stale {
        /// Which.
        table: String,
        /// Of which log.
        place: Place,
        /// What the table says.
        found: i64,
        /// What this writer thought.
        expected: i64,
    },
    /// Records cannot be columns: a defect.
    #[error("records cannot be turned into columns")]
    Columns(#[from] dialtone_schemas::arrow::ArrowError),
    /// Columns do not fit together: a defect.
    #[error("columns do not fit together")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// What is read of a record that is no record: a defect, or another program's table.
    #[error("a row of the lake is no record")]
    Record(#[from] dialtone_schemas::avro::AvroError),
    /// More rows than may be held.
    #[error("lake table {table}: more rows than can be held at once; choose fewer days")]
    TooMuch {
        /// Which.
        table: String,
    },
    /// A path that is no URL.
    #[error("lake folder {0} is no absolute path")]
    Folder(String),
    /// A folder cannot be made, or a file not be forced to disk.
    #[error("{folder} of the lake cannot be made or forced to disk")]
    Io {
        /// Which.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
}

/// A table and what is known of its rows.
#[derive(Debug)]
pub(super) struct Table {
    name: String,
    folder: PathBuf,
    table: DeltaTable,
    positions: BTreeMap<Place, i64>,
    /// Where repeats are told; None where every offset is a row.
    seen: Option<Seen>,
}

impl Table {
    /// Opens a table whose rows are told apart by what they say.
    pub(super) async fn with_identities(dir: &Path, name: &str, columns: SchemaRef) -> Result<Self, LakeError> {
        let mut table = Self::open(dir, name, columns).await?;
        table.seen = Some(Seen::read(&table.table).await.map_err(table.failed("read"))?);
        Ok(table)
    }

    /// Opens a table, creating it with these columns if there is none.
    pub(super) async fn open(dir: &Path, name: &str, columns: SchemaRef) -> Result<Self, LakeError> {
        let failed = |doing| {
            let table = name.to_owned();
            move |source| LakeError::Delta {
                table,
                doing,
                source: Box::new(source),
            }
        };
        let folder = dir.join(name);
        let io = |source| LakeError::Io {
            folder: folder.display().to_string(),
            source,
        };
        std::fs::create_dir_all(&folder).map_err(io)?;
        let folder = folder.canonicalize().map_err(io)?;
        let url = deltalake_core::table::builder::parse_table_uri(folder.to_string_lossy()).map_err(failed("named"))?;
        let unopened = DeltaTableBuilder::from_url(url)
            .and_then(DeltaTableBuilder::build)
            .map_err(failed("opened"))?;
        let exists = unopened
            .verify_deltatable_existence()
            .await
            .map_err(failed("looked at"))?;
        let schema: StructType = columns
            .as_ref()
            .try_into_kernel()
            .map_err(|error| failed("created")(DeltaTableError::generic(format!("{error}"))))?;
        let table = if exists {
            let mut table = unopened;
            table.load().await.map_err(failed("opened"))?;
            widened(table, &schema).await.map_err(failed("widened"))?
        } else {
            CreateBuilder::new()
                .with_log_store(unopened.log_store())
                .with_table_name(name)
                .with_columns(schema.fields().cloned())
                .with_partition_columns(["event_date"])
                .with_save_mode(SaveMode::Ignore)
                .await
                .map_err(failed("created"))?
        };
        Ok(Self {
            name: name.to_owned(),
            folder,
            table,
            positions: BTreeMap::new(),
            seen: None,
        })
    }

    /// Is a row with this identity there?
    pub(super) fn has(&self, id: u128) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.has(id))
    }

    /// Remembers rows that were written.
    pub(super) fn remember(&mut self, ids: impl IntoIterator<Item = u128>) {
        if let Some(seen) = &mut self.seen {
            seen.remember(ids);
        }
    }

    /// The next offset wanted of a place, as far as it was asked for.
    pub(super) fn position(&self, place: Place) -> Option<i64> {
        self.positions.get(&place).copied()
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(DeltaTableError) -> LakeError + use<> {
        let table = self.name.clone();
        move |source| LakeError::Delta {
            table,
            doing,
            source: Box::new(source),
        }
    }

    /// Reads from the table how far it has got with a place.
    pub(super) async fn look_up(&mut self, place: Place) -> Result<Option<i64>, LakeError> {
        let found = self.committed(place).await?;
        if let Some(found) = found {
            self.positions.insert(place, found);
        }
        Ok(found)
    }

    /// What the table says now.
    async fn committed(&mut self, place: Place) -> Result<Option<i64>, LakeError> {
        self.table.update_state().await.map_err(self.failed("looked at"))?;
        let snapshot = self.table.snapshot().map_err(self.failed("looked at"))?;
        let store = self.table.log_store();
        snapshot
            .transaction_version(store.as_ref(), application(place))
            .await
            .map_err(self.failed("looked at"))
    }

    /// Rows and the offset after them, in one commit from the snapshot whose offset is the one this writer stands at (S-1).
    pub(super) async fn commit(&mut self, place: Place, rows: Option<RecordBatch>, next: i64) -> Result<(), LakeError> {
        let expected = self.position(place).unwrap_or(0);
        self.refuse_stale(place, expected).await?;
        if next <= expected {
            return Ok(());
        }
        let mut actions = Vec::new();
        if let Some(rows) = rows {
            let mut writer = RecordBatchWriter::for_table(&self.table)
                .map_err(self.failed("written"))?
                .with_writer_properties(properties());
            writer.write(rows).await.map_err(self.failed("written"))?;
            let adds = writer.flush().await.map_err(self.failed("written"))?;
            self.force_to_disk(adds.iter().map(|add| add.path.as_str()))?;
            actions.extend(adds.into_iter().map(deltalake_core::kernel::Action::Add));
        }
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec!["event_date".to_owned()]),
            predicate: None,
        };
        let properties = deltalake_core::kernel::transaction::CommitProperties::default()
            .with_application_transaction(Transaction::new(application(place), next));
        let snapshot = self.table.snapshot().map_err(self.failed("committed"))?;
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(snapshot), self.table.log_store(), operation)
            .await;
        match committed {
            Ok(committed) => {
                let log = format!("_delta_log/{:020}.json", committed.version());
                self.force_to_disk([log.as_str()])?;
                self.positions.insert(place, next);
                Ok(())
            }
            Err(error) => {
                // Another has committed for this place at the same time.
                self.refuse_stale(place, expected).await?;
                Err(self.failed("committed")(error))
            }
        }
    }

    /// Does the table stand where this writer thinks? If not, its rows are not all known here either.
    async fn refuse_stale(&mut self, place: Place, expected: i64) -> Result<(), LakeError> {
        let found = self.committed(place).await?.unwrap_or(0);
        if found == expected {
            return Ok(());
        }
        if self.seen.is_some() {
            self.seen = Some(Seen::read(&self.table).await.map_err(self.failed("read"))?);
        }
        Err(LakeError::Stale {
            table: self.name.clone(),
            place,
            found,
            expected,
        })
    }

    /// Files of the table and the folders they lie in: the store forces nothing to disk itself, and what Kafka is told to be
    /// done must survive a power loss.
    fn force_to_disk<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Result<(), LakeError> {
        let mut paths = BTreeSet::from([self.folder.clone()]);
        for file in files {
            let path = self.folder.join(file);
            paths.extend(path.parent().map(Path::to_path_buf));
            paths.insert(path);
        }
        for path in paths {
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|source| LakeError::Io {
                folder: path.display().to_string(),
                source,
            })?;
        }
        Ok(())
    }
}

/// An older version's table gets the columns it has not: rows written before have nothing in them.
async fn widened(table: DeltaTable, wanted: &StructType) -> Result<DeltaTable, DeltaTableError> {
    let present = table.snapshot()?.schema();
    let missing: Vec<_> = wanted
        .fields()
        .filter(|field| present.field(field.name()).is_none())
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(table);
    }
    table.add_columns().with_fields(missing).await
}

/// The name of a place in a table's transactions.
fn application(place: Place) -> String {
    format!("{APPLICATION}/{}/{}", place.0.suffix(), place.1)
}

/// zstd and no Arrow schema of ours: readers see plain Parquet.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap_or_default()))
        .build()
}
