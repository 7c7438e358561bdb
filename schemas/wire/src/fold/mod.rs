//! The fold: `state', effects = f(state, record)`, deterministic, without clock or I/O.
//!
//! Recovery is the newest checkpoint and a replay; a backtest is the same fold over another log (F-3).

pub mod chain;
pub mod driver;
pub mod live;
pub mod store;

use std::collections::BTreeMap;

use dialtone_schemas::EventTime;

use crate::{LogRecord, OutRecord, Place};

/// A deterministic fold over one log, or over the merge of several.
pub trait Fold {
    /// Takes the next record of one place. Records of one place come in the order of their offsets.
    ///
    /// What cannot be read becomes a reject in the outbox, never an error: an error halts the stage.
    fn absorb(&mut self, record: &LogRecord) -> Result<(), FoldError>;

    /// Where this state stands in its chain: the next offset, or the next tick in microseconds. Never goes back.
    fn mark(&self) -> i64;

    /// The next offset wanted of each place it reads.
    fn positions(&self) -> BTreeMap<Place, i64>;

    /// Does it want more of this place now? False while the place is too far ahead of the others.
    fn wants(&self, place: Place) -> bool;

    /// Can it not go on before it has read more of this place? Such a place is read even while checkpoints are waited for: else
    /// a bound would hold back the very record that frees it.
    fn waits_for(&self, _place: Place) -> bool {
        false
    }

    /// How far event time has got on this place, for a live driver's rules of silence; none before the first record, or if
    /// the fold does not tell.
    fn clock(&self, _place: Place) -> Option<EventTime> {
        None
    }

    /// The effects since they were last taken, in order.
    fn take_outbox(&mut self) -> Vec<OutRecord>;

    /// The whole state, without the outbox. Equal states give equal bytes.
    fn snapshot(&self) -> Result<Vec<u8>, FoldError>;

    /// Becomes the state of a snapshot.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), FoldError>;
}

/// Why a fold cannot go on. Whatever it is, going on would lose or double something.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The offset does not follow the last one of its place.
    #[error("{place:?} offset {offset}: expected {expected} or later")]
    OutOfOrder {
        /// Where.
        place: Place,
        /// What came.
        offset: i64,
        /// What was wanted.
        expected: i64,
    },
    /// Another record under a number already seen: two writers disagree.
    #[error("partition {partition} of the summaries holds two different records under number {number}")]
    Contradiction {
        /// Of the summaries.
        partition: i32,
        /// The record's number.
        number: i64,
    },
    /// The place is none of those the fold reads: the partition count has changed.
    #[error(
        "{place:?} is not part of this fold: its partition count has changed; finish the old chain or start a new one"
    )]
    UnknownPlace {
        /// Which.
        place: Place,
    },
    /// A snapshot whose fields are others than this version's.
    #[error(
        "the snapshot was written by another version: start with another `processor.state_dir`, or with that version"
    )]
    Layout,
    /// A snapshot that is torn.
    #[error("snapshot cannot be read")]
    Snapshot(#[from] postcard::Error),
    /// One of our own records cannot be written: a defect.
    #[error("record cannot be written")]
    Write(#[from] dialtone_schemas::avro::AvroError),
    /// One of our own records cannot be written as JSON, or read: a defect.
    #[error("record is no JSON")]
    Json(#[source] serde_json::Error),
}
