//! The lake: one Delta table of Parquet for each kind of record, partitioned by `event_date`.
//!
//! Rows and the offset they bring the table to are one commit (`txn`: application `dialtone-sink/<topic>/<partition>`,
//! version = next offset), so a file is visible exactly when its commit is, and no offset is kept twice (S-1). A repeat of
//! a row that is there already is counted, not written.

mod read;
mod rows;
mod seen;
mod table;

use std::{collections::BTreeMap, path::Path};

use dialtone_schemas::{Change, ChangeVerdict, Complaint, Control, Event, Reject, Summary, topic::Topic};
use dialtone_wire::{LogRecord, Payload, Place};

pub use read::{Days, Reader};
pub use table::LakeError;
use table::Table;

/// What became of the records handed over (F-1): `records = rows + repeats + clocks + unreadable + empty`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Records handed over that the table did not have yet.
    pub records: u64,
    /// Rows written.
    pub rows: u64,
    /// Repeats of rows that were there.
    pub repeats: u64,
    /// Clock and absent records: rows of the table `clocks`.
    pub clocks: u64,
    /// Values that are no record of their topic; they are rows of `unreadable`.
    pub unreadable: u64,
    /// Tombstones and foreign records without a value.
    pub empty: u64,
}

/// The topics kept, with their tables. The compacted topic of incidents is not kept: every revision is in the alerts.
pub const KEPT: [(Topic, &str); 8] = [
    (Topic::Events, "events"),
    (Topic::Changes, "changes"),
    (Topic::Complaints, "complaints"),
    (Topic::Control, "control"),
    (Topic::Summaries, "summaries"),
    (Topic::Alerts, "incidents"),
    (Topic::ChangeVerdicts, "change_verdicts"),
    (Topic::Rejects, "rejects"),
];

/// All tables under one folder.
#[derive(Debug)]
pub struct Lake {
    tables: BTreeMap<Topic, Table>,
    clocks: Table,
    unreadable: Table,
}

impl Lake {
    /// Opens the tables, creating those that are missing.
    pub async fn open(dir: &Path) -> Result<Self, LakeError> {
        let mut tables = BTreeMap::new();
        for (topic, name) in KEPT {
            tables.insert(
                topic,
                Table::with_identities(dir, name, rows::columns_of_topic(topic)).await?,
            );
        }
        let clocks = Table::open(dir, "clocks", rows::clock_columns()).await?;
        let unreadable = Table::open(dir, "unreadable", rows::unreadable_columns()).await?;
        Ok(Self {
            tables,
            clocks,
            unreadable,
        })
    }

    /// The next offset wanted of a place: what lies before is in the lake, in all of its tables. None where nothing is.
    pub async fn position(&mut self, place: Place) -> Result<Option<i64>, LakeError> {
        self.clocks.look_up(place).await?;
        self.unreadable.look_up(place).await?;
        match self.tables.get_mut(&place.0) {
            // The main table's offset is the last to move.
            Some(table) => table.look_up(place).await,
            None => Ok(None),
        }
    }

    /// Appends records of one place, in the order of their offsets. `next` is the offset after them: control offsets that
    /// were skipped count as read.
    pub async fn append(&mut self, place: Place, records: &[LogRecord], next: i64) -> Result<Appended, LakeError> {
        let mut appended = Appended::default();
        let Some(table) = self.tables.get_mut(&place.0) else {
            return Ok(appended);
        };
        let from = table.position(place).unwrap_or(0);
        let fresh: Vec<&LogRecord> = records.iter().filter(|record| record.offset >= from).collect();
        appended.records = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        let mut batch = rows::Batch::default();
        for record in fresh {
            match &record.payload {
                Payload::Value(frame) => batch.value(record, frame, table, &mut appended),
                Payload::Clock(_) | Payload::Absent(_) | Payload::Config(_) => appended.clocks += 1,
                Payload::Empty => appended.empty += 1,
            }
        }
        let columns = match place.0 {
            Topic::Events => batch.columns::<Event>(place)?,
            Topic::Changes => batch.columns::<Change>(place)?,
            Topic::Complaints => batch.columns::<Complaint>(place)?,
            Topic::Control => batch.columns::<Control>(place)?,
            Topic::Summaries => batch.columns::<Summary>(place)?,
            Topic::Alerts => batch.incident_columns(place)?,
            Topic::ChangeVerdicts => batch.columns::<ChangeVerdict>(place)?,
            _ => batch.columns::<Reject>(place)?,
        };
        // The side tables first: the main table's offset is the last to move, so that nothing is skipped after a crash.
        let before = self.clocks.position(place).unwrap_or(0);
        self.clocks
            .commit(place, rows::clocks(place, records, before)?, next)
            .await?;
        let before = self.unreadable.position(place).unwrap_or(0);
        self.unreadable
            .commit(place, batch.unreadable_columns(place, before)?, next)
            .await?;
        if let Some(table) = self.tables.get_mut(&place.0) {
            table.commit(place, columns, next).await?;
            table.remember(batch.ids());
        }
        Ok(appended)
    }
}

#[cfg(test)]
mod tests;
