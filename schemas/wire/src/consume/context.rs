//! What librdkafka tells the consumer from inside its poll.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, KafkaResult},
    types::RDKafkaRespErr,
};

/// A change of what this member of a group may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rebalance {
    Assign(Vec<(String, i32)>),
    Revoke,
}

/// Writes rebalances down. They are obeyed after the poll, by the same thread, where folds may be stopped and recovered
/// without librdkafka waiting in a callback.
#[derive(Debug, Default)]
pub(super) struct Context {
    rebalances: Mutex<VecDeque<Rebalance>>,
    closing: AtomicBool,
}

impl Context {
    pub(super) fn take(&self) -> Option<Rebalance> {
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// From now on revocations are obeyed at once: nobody looks at them any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "consumer");
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        if self.closing.load(Ordering::Acquire) {
            if let Err(error) = consumer.unassign() {
                tracing::warn!(%error, "unassign while closing");
            }
            return;
        }
        let rebalance = if error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            Rebalance::Assign(
                list.elements()
                    .iter()
                    .map(|e| (e.topic().to_owned(), e.partition()))
                    .collect(),
            )
        } else {
            Rebalance::Revoke
        };
        self.rebalances
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(rebalance);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            // Only a hint is lost: positions come from the chain.
            tracing::debug!(%error, "commit hint");
        }
    }
}

/// librdkafka's own words, in our log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}
