//! Records through a real client: what goes in comes out, once, in order, and stays.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminOptions;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use support::*;

#[test]
fn records_come_back_in_order_in_every_codec() {
    let broker = TestBroker::start();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        produce(broker.client().set("compression.type", codec), codec, numbered(0..1000));
        let seen = read_all(&broker.client(), codec);
        assert_eq!(seen.len(), 1000, "{codec}");
        for (at, record) in (0..).zip(&seen) {
            assert_eq!(
                (record.offset, record.key.as_str()),
                (at, format!("key-{at}").as_str()),
                "{codec}"
            );
            assert_eq!(
                record.value.as_deref(),
                Some(format!("value-{at}").as_bytes()),
                "{codec}"
            );
        }
    }
}

#[test]
fn nothing_is_lost_beyond_five_mebibytes_and_a_hundred_thousand_batches() {
    let broker = TestBroker::with(|config| config.segment_bytes = 4 << 20);
    let payload = vec![b'x'; 60];
    let pairs = (0..120_000).map(|at: usize| (at.to_string(), Some(payload.clone())));
    // One record a batch.
    produce(
        broker.client().set("batch.num.messages", "1").set("linger.ms", "0"),
        "many",
        pairs,
    );
    let seen = read_all(&broker.client(), "many");
    assert_eq!(seen.len(), 120_000);
    assert!(seen.iter().enumerate().all(|(at, record)| record.key == at.to_string()));
    assert!(segment_count(&broker.partition_dir("many", 0)) > 3);
}

#[test]
fn a_restart_keeps_every_record_and_goes_on_at_the_next_offset() {
    let mut broker = TestBroker::with(|config| config.segment_bytes = 16 << 10);
    produce(&broker.client(), "kept", numbered(0..2000));
    broker.restart();
    assert_eq!(read_all(&broker.client(), "kept").len(), 2000);
    produce(&broker.client(), "kept", numbered(2000..2001));
    let seen = read_all(&broker.client(), "kept");
    assert_eq!(
        seen.last().map(|record| (record.offset, record.key.as_str())),
        Some((2000, "key-2000"))
    );
}

#[test]
fn an_idempotent_producer_stores_each_record_once_across_restarts() {
    let mut broker = TestBroker::start();
    let mut config = broker.client();
    config.set("enable.idempotence", "true").set("linger.ms", "1");
    let producer: BaseProducer<_> = config.create_with_context(Count::default()).unwrap();
    for at in 0..3000 {
        producer
            .send(
                BaseRecord::to("once")
                    .key(&format!("key-{at}"))
                    .payload("x")
                    .partition(0),
            )
            .unwrap();
        producer.poll(Duration::ZERO);
        if at % 1000 == 500 {
            broker.restart();
        }
    }
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.context().delivered(), 3000);
    let seen = read_all(&broker.client(), "once");
    assert_eq!(keys(&seen), (0..3000).map(|at| format!("key-{at}")).collect::<Vec<_>>());
}

#[test]
fn offsets_are_found_by_time() {
    let broker = TestBroker::with(|config| config.segment_bytes = 4 << 10);
    let producer: BaseProducer = broker.client().create().unwrap();
    for at in 0..500_i64 {
        producer
            .send(
                BaseRecord::to("timed")
                    .key("k")
                    .payload("a payload of some size")
                    .partition(0)
                    .timestamp(1_000_000 + at * 10),
            )
            .unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    let consumer: BaseConsumer = broker.client().set("group.id", "g").create().unwrap();
    let at_time = |ms: i64| {
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_offset("timed", 0, Offset::Offset(ms)).unwrap();
        let found = consumer.offsets_for_times(wanted, DEADLINE).unwrap();
        found.find_partition("timed", 0).unwrap().offset()
    };
    assert_eq!(at_time(0), Offset::Offset(0));
    assert_eq!(at_time(1_000_000 + 1234), Offset::Offset(124));
    assert_eq!(at_time(1_000_000 + 4990), Offset::Offset(499));
    assert_eq!(at_time(1_000_000 + 4991), Offset::End);
    assert_eq!(consumer.fetch_watermarks("timed", 0, DEADLINE).unwrap(), (0, 500));
}

#[test]
fn a_consumer_of_a_compacted_topic_sees_the_last_value_of_each_key() {
    let broker = TestBroker::with(|config| config.maintenance_interval = Duration::from_millis(20));
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "2048"),
        ("min.cleanable.dirty.ratio", "0"),
    ];
    broker.create_topic("compacted", 1, &configs);
    let mut config = broker.client();
    config.set("batch.num.messages", "10").set("compression.type", "lz4");
    let rounds = (0..40)
        .flat_map(|round| (0..10).map(move |key| (format!("key-{key}"), Some(format!("round-{round}").into_bytes()))));
    produce(&config, "compacted", rounds);
    // Enough of another key to close the segments that hold the rounds.
    produce(
        &config,
        "compacted",
        (0..200).map(|_| ("filler".to_owned(), Some(vec![b'x'; 100]))),
    );
    let seen = eventually("old values are gone", || {
        let seen = read_all(&broker.client(), "compacted");
        (seen.iter().filter(|record| record.key != "filler").count() == 10).then_some(seen)
    });
    let kept: Vec<_> = seen.iter().filter(|record| record.key != "filler").collect();
    assert_eq!(
        kept.iter().map(|r| r.offset).collect::<Vec<_>>(),
        (390..400).collect::<Vec<_>>()
    );
    assert!(kept.iter().all(|record| record.value.as_deref() == Some(b"round-39")));
    assert_eq!(seen.last().map(|record| record.offset), Some(599));
}

#[test]
fn retention_by_size_moves_the_beginning_of_the_log() {
    let broker = TestBroker::with(|config| config.maintenance_interval = Duration::from_millis(20));
    broker.create_topic("short", 1, &[("retention.bytes", "4096"), ("segment.bytes", "2048")]);
    produce(
        broker.client().set("batch.num.messages", "10"),
        "short",
        numbered(0..1000),
    );
    let seen = eventually("old segments are gone", || {
        let seen = read_all(&broker.client(), "short");
        (seen.len() < 400).then_some(seen)
    });
    assert_eq!(seen.last().map(|record| record.offset), Some(999));
    let out_of_range = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        read_from(&broker.client(), "short", Offset::Offset(0))
    }));
    assert!(
        out_of_range.is_err(),
        "an offset before the beginning is an error, not a jump"
    );
}

#[test]
fn deleted_records_are_not_read_again() {
    let mut broker = TestBroker::start();
    produce(&broker.client(), "cut", numbered(0..100));
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("cut", 0, Offset::Offset(60)).unwrap();
    broker
        .runtime
        .block_on(broker.admin().delete_records(&before, &AdminOptions::new()))
        .unwrap();
    assert_eq!(
        read_all(&broker.client(), "cut").first().map(|record| record.offset),
        Some(60)
    );
    broker.restart();
    assert_eq!(read_all(&broker.client(), "cut").len(), 40);
}

#[test]
fn a_batch_larger_than_the_topic_allows_is_refused() {
    let broker = TestBroker::start();
    broker.create_topic("small", 1, &[("max.message.bytes", "1000")]);
    let config = broker.client();
    let producer: BaseProducer<_> = config.create_with_context(Count::default()).unwrap();
    producer
        .send(BaseRecord::<(), _>::to("small").payload(&vec![b'x'; 2000]).partition(0))
        .unwrap();
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.context().delivered(), 0);
    produce(&config, "small", numbered(0..1));
}

#[test]
fn a_fetch_smaller_than_a_batch_still_gets_the_batch() {
    let broker = TestBroker::start();
    produce(
        broker.client().set("linger.ms", "50"),
        "big",
        (0..20).map(|_| ("k".to_owned(), Some(vec![7; 40_000]))),
    );
    let mut config = broker.client();
    config
        .set("fetch.message.max.bytes", "1000")
        .set("fetch.max.bytes", "2000")
        .set("message.max.bytes", "1000");
    assert_eq!(read_all(&config, "big").len(), 20);
}

#[test]
fn a_waiting_consumer_gets_a_record_as_soon_as_it_is_there() {
    let broker = TestBroker::start();
    broker.create_topic("live", 1, &[]);
    let mut config = broker.client();
    config
        .set("group.id", "g")
        .set("fetch.wait.max.ms", "30000")
        .set("fetch.error.backoff.ms", "10");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("live", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    assert!(consumer.poll(Duration::from_millis(500)).is_none());
    let sent_at = std::time::Instant::now();
    produce(&broker.client(), "live", numbered(0..1));
    let message = consumer.poll(DEADLINE).expect("a record").unwrap();
    drop(message);
    assert!(
        sent_at.elapsed() < Duration::from_secs(15),
        "the long poll was not woken"
    );
}

#[test]
fn transactions_are_refused_at_once() {
    let broker = TestBroker::start();
    let producer: BaseProducer = broker.client().set("transactional.id", "t").create().unwrap();
    let refusal = producer.init_transactions(DEADLINE).unwrap_err();
    let KafkaError::Transaction(refusal) = refusal else {
        panic!("{refusal}")
    };
    assert!(refusal.is_fatal());
    assert_eq!(refusal.code(), RDKafkaErrorCode::TransactionalIdAuthorizationFailed);
}
