//! A Kafka-compatible broker for one machine: a single node, on loopback only unless told
//! otherwise, and neither a cluster nor a replacement for one.
//!
//! It lets dialtone run where there is no Kafka, with one command and durable data. Whoever
//! outgrows it points `bootstrap.servers` at a real cluster and changes nothing else.
//!
//! ```no_run
//! # async fn example() -> Result<(), dialtone_broker::BrokerError> {
//! use dialtone_broker::{Broker, BrokerConfig};
//!
//! let broker = Broker::start(BrokerConfig::new("/var/lib/dialtone/broker")).await?;
//! println!("bootstrap.servers={}", broker.bootstrap());
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does
//!
//! * Topics: create, delete, grow, create on first use (a setting), describe and alter configs.
//! * Produce, with checksums verified, and idempotence: a producer's last five batches per
//!   partition are remembered, so what is sent twice is stored once, also across a restart.
//! * Fetch, with long poll and byte limits; offsets by time, to the record.
//! * Classic consumer groups: any client-side assignor, static members, session timeouts;
//!   committed offsets with metadata; list and describe.
//! * Retention by time and size, compaction, delete records.
//!
//! # What it promises
//!
//! * An acknowledged record survives the death of the process, at any instant. It survives a
//!   power cut too under [`FsyncPolicy::Always`]; by default up to 100 ms may be lost.
//! * A torn tail is cut off on opening, and a failed append (a full disk, say) is answered with
//!   `KAFKA_STORAGE_ERROR` and leaves the log as it was.
//! * One data directory has one broker; a second is refused.
//! * Everything is bounded: see [`Limits`].
//!
//! # What it does not do
//!
//! No replication, no transactions, no topic ids, no next-generation consumer protocol, no
//! quotas, no ACLs: these are refused with the protocol's own error codes, or not advertised.
//! **No authentication and no encryption**: an address beyond loopback is refused unless
//! [`BrokerConfig::insecure`] is set, and then everyone who reaches the port may do everything.
//!
//! # Known limits
//!
//! * What is remembered of a producer is rebuilt from the log. If retention or compaction has
//!   removed its batches, a restart forgets it, and its next batch is taken at any sequence.
//! * Compaction leaves small segments small; it does not merge them.
//! * Opening walks every batch header, so it takes time in proportion to the log.

mod admin;
mod batch;
mod broker;
mod clock;
mod config;
mod configs;
mod connection;
mod dispatch;
mod error;
mod fetch;
mod group;
mod groups;
mod log;
mod metadata;
mod offsets;
mod produce;
mod producer_ids;
mod producer_state;
mod refuse;
mod shape;
mod topic_config;
mod topics;

pub use broker::{Broker, RunningBroker};
pub use config::{BrokerConfig, FsyncPolicy, Limits};
pub use error::BrokerError;
