//! Publishing: a record is only handed over when the broker has acknowledged it.

use std::{future::Future, pin::Pin};

use crate::OutRecord;

/// What became of one record.
pub type Delivery = Result<Delivered, PublishError>;

/// Where a record came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}

/// Why a record was not acknowledged. It may still have been written: ids make a repeat harmless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker is out of reach or the queue full: trying again may help.
    #[error("{topic}: not acknowledged: {reason}")]
    Unavailable {
        /// Where to.
        topic: String,
        /// In librdkafka's words.
        reason: String,
    },
    /// The broker refuses this record for good, for instance because it is too large.
    #[error("{topic}: refused: {reason}")]
    Refused {
        /// Where to.
        topic: String,
        /// In librdkafka's words.
        reason: String,
    },
}

/// A future that can be held in a trait object.
pub type Deliveries<'a> = Pin<Box<dyn Future<Output = Vec<Delivery>> + Send + 'a>>;

/// Something that publishes: Kafka, or a log in memory in tests and in `replay`.
pub trait Publish: Send + Sync {
    /// Publishes all of these, in order within a partition, and waits for every acknowledgement. One answer a record, in
    /// the order given. Dropping the future does not recall what was sent.
    fn publish(&self, records: Vec<OutRecord>) -> Deliveries<'_>;

    /// How many partitions a topic has.
    fn partitions(&self, topic: dialtone_schemas::topic::Topic) -> i32;
}
