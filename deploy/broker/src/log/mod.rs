//! The log of a partition: segment files, and what opens, reads, appends to, thins and deletes them.

pub(crate) mod compact;
pub(crate) mod partition;
pub(crate) mod recover;
pub(crate) mod retention;
pub(crate) mod segment;

#[cfg(test)]
mod model_tests;

/// How a log behaves; the topic's configuration in the log's own words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LogRules {
    pub(crate) segment_bytes: u64,
    pub(crate) segment_ms: i64,
    pub(crate) retention_ms: Option<i64>,
    pub(crate) retention_bytes: Option<u64>,
    pub(crate) deletes: bool,
    pub(crate) compacts: bool,
    pub(crate) delete_retention_ms: i64,
    pub(crate) dirty_ratio: f64,
    pub(crate) max_message_bytes: u32,
}
