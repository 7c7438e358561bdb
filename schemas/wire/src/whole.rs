//! A topic read once, from its beginning to its present end: for the question of a person, not for a fold.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use dialtone_schemas::topic::Topic;

use crate::{
    KafkaConfig, LogRecord, Place,
    consume::{ConsumeError, Consumer},
    registry::Translator,
};

/// How long one look for records takes.
const LOOK: Duration = Duration::from_millis(50);
/// How long the consumer may take to close; afterwards it is left behind.
const CLOSE: Duration = Duration::from_secs(2);

/// Hands every record of a topic to `each`, in the order of each partition, and returns at their ends; or says after `wait` that
/// they were not reached. Blocks; not for async code.
pub fn read(
    config: &KafkaConfig,
    topic: Topic,
    translator: Option<Arc<Translator>>,
    wait: Duration,
    mut each: impl FnMut(LogRecord),
) -> Result<(), ConsumeError> {
    let mut consumer = Consumer::manual(config, "dialtone-reader", translator)?;
    let outcome = read_by(&mut consumer, config, topic, wait, &mut each);
    consumer.close(CLOSE);
    outcome
}

fn read_by(
    consumer: &mut Consumer,
    config: &KafkaConfig,
    topic: Topic,
    wait: Duration,
    each: &mut impl FnMut(LogRecord),
) -> Result<(), ConsumeError> {
    let counts = consumer.partition_counts(&[topic])?;
    let partitions = counts.get(&topic).copied().unwrap_or(0);
    let places: Vec<Place> = (0..partitions).map(|partition| (topic, partition)).collect();
    let first: BTreeMap<Place, i64> = consumer.first_offsets(&places)?;
    consumer.assign(&first)?;
    let deadline = Instant::now() + wait;
    while !places.iter().all(|place| consumer.at_end(*place)) {
        if Instant::now() >= deadline {
            return Err(ConsumeError::Broker {
                doing: format!("read {} to its end", config.topic_name(topic)),
                reason: format!("not reached within {wait:?}"),
            });
        }
        consumer.poll(LOOK)?;
        for place in &places {
            while let Some(record) = consumer.take(*place) {
                each(record);
            }
        }
    }
    Ok(())
}
