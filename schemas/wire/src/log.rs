//! What a log holds, as the folds see it.

use bytes::Bytes;
use dialtone_schemas::{EventTime, topic::Topic};
use serde::{Deserialize, Serialize};

/// One partition of one topic.
pub type Place = (Topic, i32);

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// A framed record, with the built-in schema id.
    Value(Bytes),
    /// Event time has got here; no value.
    Clock(EventTime),
    /// The partition is given up until this tick; no value.
    Absent(EventTime),
    /// The fold's configuration from here on, as JSON; no value.
    Config(String),
    /// A value of null without any of our headers: a tombstone, or something foreign. It is counted and skipped.
    Empty,
}

impl Payload {
    /// Bytes of what it carries.
    pub fn size(&self) -> usize {
        match self {
            Self::Value(frame) => frame.len(),
            Self::Config(json) => json.len(),
            Self::Clock(_) | Self::Absent(_) | Self::Empty => 0,
        }
    }
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Which log.
    pub place: Place,
    /// Its position there.
    pub offset: i64,
    /// The key's bytes.
    pub key: Bytes,
    /// What it says.
    pub payload: Payload,
}

impl LogRecord {
    /// What it takes of the memory, nearly.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.payload.size()
    }
}

/// A record on its way out of a fold, before it has an offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutRecord {
    /// Which topic.
    pub topic: Topic,
    /// Which partition; by the key's hash when absent.
    pub partition: Option<i32>,
    /// The key's bytes.
    pub key: Bytes,
    /// What it says.
    pub payload: Payload,
    /// Further headers, in order.
    pub headers: Vec<(String, String)>,
}
