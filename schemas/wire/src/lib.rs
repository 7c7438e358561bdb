//! How records travel: Kafka, the schema registry, the fold's driver and its checkpoint chain.
//!
//! The only crate that names rdkafka. Stages see [`LogRecord`]s and [`OutRecord`]s, framed with the built-in schema ids;
//! where a registry is configured, ids are translated at this edge.

pub mod fold;
pub mod log;
pub mod publish;

pub use fold::{Fold, FoldError};
pub use publish::{Delivered, Deliveries, Delivery, Publish, PublishError};
pub use log::{LogRecord, OutRecord, Payload, Place};
