//! What a user may tune, with defaults that suit one machine.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::error::BrokerError;

/// When appended bytes are forced onto the disk. Whatever is chosen, a killed process loses
/// nothing it acknowledged: the operating system has the bytes. This is about losing power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// Before every acknowledgement.
    Always,
    /// When a segment is closed, and every so often in between.
    Every(Duration),
    /// Only when a segment is closed; for the rest, when the operating system pleases.
    Never,
}

/// Bounds, and what happens at each.
#[derive(Debug, Clone)]
pub struct Limits {
    /// A larger produce request closes its connection.
    pub request_bytes: usize,
    /// Any other request may be this large; a larger one closes its connection.
    pub control_request_bytes: usize,
    /// Bytes of requests held at once by all connections; a reader waits for its share.
    pub request_memory_bytes: usize,
    /// Bytes of fetched records held at once by all connections; a fetch waits for its share.
    pub response_memory_bytes: usize,
    /// One fetch answers at most this much, whatever the client asks for.
    pub fetch_bytes: usize,
    /// A connection beyond this number is closed at once.
    pub connections: usize,
    /// Creating a partition beyond this number is refused with `POLICY_VIOLATION`.
    pub partitions: usize,
    /// A new group beyond this number is refused with `POLICY_VIOLATION`.
    pub groups: usize,
    /// A member beyond this number is refused with `GROUP_MAX_SIZE_REACHED`.
    pub group_members: usize,
    /// Idempotent producers remembered per partition; beyond it the longest silent is forgotten.
    pub producers_per_partition: usize,
    /// Longest offset metadata; longer is refused with `OFFSET_METADATA_TOO_LARGE`.
    pub offset_metadata_bytes: usize,
    /// Memory for the keys of one compaction run; a larger log is compacted in several runs.
    pub compaction_key_bytes: usize,
    /// A connection that sends nothing for this long is closed.
    pub idle: Duration,
    /// A client that does not take its answer within this time is disconnected.
    pub write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 100 << 20,
            control_request_bytes: 8 << 20,
            request_memory_bytes: 256 << 20,
            response_memory_bytes: 256 << 20,
            fetch_bytes: 32 << 20,
            connections: 1_000,
            partitions: 2_000,
            groups: 1_000,
            group_members: 1_000,
            producers_per_partition: 1_000,
            offset_metadata_bytes: 4_096,
            compaction_key_bytes: 64 << 20,
            idle: Duration::from_secs(600),
            write: Duration::from_secs(30),
        }
    }
}

/// Settings of one broker.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Where everything is kept. Locked: two brokers never share one.
    pub data_dir: PathBuf,
    /// Where to listen; port 0 lets the operating system choose.
    pub listen: SocketAddr,
    /// The broker has neither passwords nor encryption. Listening beyond loopback therefore
    /// needs this explicit consent.
    pub insecure: bool,
    /// Partitions of a topic whose creator names no number.
    pub default_partitions: i32,
    /// Whether asking for an unknown topic creates it.
    pub auto_create_topics: bool,
    /// When to force bytes onto the disk.
    pub fsync: FsyncPolicy,
    /// Default `segment.bytes`.
    pub segment_bytes: u64,
    /// Default `retention.ms`; `None` keeps for ever.
    pub retention: Option<Duration>,
    /// Default `retention.bytes` per partition; `None` sets no limit.
    pub retention_bytes: Option<u64>,
    /// Default `max.message.bytes`: the largest record batch.
    pub max_message_bytes: u32,
    /// How often retention and compaction run.
    pub maintenance_interval: Duration,
    /// How long a brand-new group waits for more members before its first assignment.
    pub initial_rebalance_delay: Duration,
    /// How long the offsets of a group without members are kept.
    pub offsets_retention: Duration,
    /// Bounds.
    pub limits: Limits,
}

impl BrokerConfig {
    /// The defaults, with data in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            insecure: false,
            default_partitions: 1,
            auto_create_topics: true,
            fsync: FsyncPolicy::Every(Duration::from_millis(100)),
            segment_bytes: 256 << 20,
            retention: Some(Duration::from_secs(7 * 24 * 3600)),
            retention_bytes: None,
            max_message_bytes: 1_048_588,
            maintenance_interval: Duration::from_secs(10),
            initial_rebalance_delay: Duration::ZERO,
            offsets_retention: Duration::from_secs(7 * 24 * 3600),
            limits: Limits::default(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), BrokerError> {
        if !self.listen.ip().is_loopback() && !self.insecure {
            return Err(BrokerError::NotLoopback { listen: self.listen });
        }
        let invalid = |key, reason| Err(BrokerError::Config { key, reason });
        if self.default_partitions < 1 {
            return invalid("default_partitions", "must be at least 1");
        }
        if self.segment_bytes < 1024 {
            return invalid("segment_bytes", "must be at least 1024");
        }
        if self.max_message_bytes < 1024 {
            return invalid("max_message_bytes", "must be at least 1024");
        }
        if matches!(self.fsync, FsyncPolicy::Every(every) if every.is_zero()) {
            return invalid("fsync", "an interval of zero is the policy Always");
        }
        if self.maintenance_interval.is_zero() {
            return invalid("maintenance_interval", "must not be zero");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_address_is_refused_without_explicit_consent() {
        let mut config = BrokerConfig::new("/nowhere");
        config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
        let refusal = config.validate().unwrap_err().to_string();
        assert!(refusal.contains("insecure"), "{refusal}");
        config.insecure = true;
        config.validate().unwrap();
    }

    #[test]
    fn the_defaults_are_valid() {
        BrokerConfig::new("/nowhere").validate().unwrap();
    }
}
