//! How records travel: Kafka, the schema registry, the fold's driver and its checkpoint chain.
//!
//! The only crate that names rdkafka. Stages see [`LogRecord`]s and [`OutRecord`]s, framed with the built-in schema ids;
//! where a registry is configured, ids are translated at this edge.

pub mod config;
pub mod consume;
pub mod echo;
pub mod fold;
pub mod log;
pub mod produce;
pub mod publish;
pub mod registry;
pub mod run;
mod running;
pub mod topics;
pub mod whole;

pub use config::{KafkaConfig, is_secret};
pub use fold::{Fold, FoldError};
pub use log::{LogRecord, OutRecord, Payload, Place};
pub use produce::KafkaPublisher;
pub use publish::{Delivered, Deliveries, Delivery, Publish, PublishError};
