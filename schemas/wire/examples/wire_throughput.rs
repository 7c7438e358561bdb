//! How fast records are published and read, against the embedded broker in this very process.
//!
//! `cargo run --release -p dialtone-wire --example wire_throughput -- 1000000`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement"
)]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialtone_broker::{Broker, BrokerConfig};
use dialtone_schemas::topic::Topic;
use dialtone_wire::{KafkaConfig, KafkaPublisher, OutRecord, Payload, Place, Publish, consume::Consumer, topics};

const VALUE_BYTES: usize = 300;
const BATCH: usize = 5_000;
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() {
    let records: usize = std::env::args().nth(1).map_or(500_000, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
    let kafka = KafkaConfig::at(&broker.bootstrap());
    topics::ensure(&kafka).await.unwrap();
    let publisher = Arc::new(KafkaPublisher::connect(&kafka, None).await.unwrap());

    let value = Bytes::from(
        (0..VALUE_BYTES)
            .map(|n| u8::try_from(n * 31 % 251).unwrap_or(0))
            .collect::<Vec<_>>(),
    );
    let begun = Instant::now();
    let mut sending = tokio::task::JoinSet::new();
    for batch in 0..records / BATCH {
        if sending.len() >= AT_ONCE {
            sending.join_next().await;
        }
        let record = |n: usize| OutRecord {
            topic: Topic::Events,
            partition: None,
            key: Bytes::from(format!("acme|call-{}", batch * BATCH + n)),
            payload: Payload::Value(value.clone()),
            headers: Vec::new(),
        };
        let (publisher, out) = (Arc::clone(&publisher), (0..BATCH).map(record).collect());
        sending.spawn(async move { assert!(publisher.publish(out).await.iter().all(Result::is_ok)) });
    }
    while sending.join_next().await.is_some() {}
    say("published, each acknowledged", records, begun.elapsed());

    tokio::task::spawn_blocking(move || {
        let places: Vec<Place> = (0..kafka.partitions).map(|p| (Topic::Events, p)).collect();
        let mut consumer = Consumer::manual(&kafka, "throughput", None).unwrap();
        consumer
            .assign(&places.iter().map(|place| (*place, 0)).collect::<BTreeMap<_, _>>())
            .unwrap();
        let (mut read, begun) = (0, Instant::now());
        while read < records / BATCH * BATCH {
            consumer
                .poll(Duration::from_millis(if read == 0 { 20 } else { 1 }))
                .unwrap();
            for place in &places {
                while consumer.take(*place).is_some() {
                    read += 1;
                }
            }
        }
        say("read", records, begun.elapsed());
    })
    .await
    .unwrap();
}

fn say(what: &str, records: usize, took: Duration) {
    let rate = records as f64 / took.as_secs_f64();
    println!(
        "{records} records of {VALUE_BYTES} bytes {what}: {:.2} s, {rate:.0} records/s",
        took.as_secs_f64()
    );
}
