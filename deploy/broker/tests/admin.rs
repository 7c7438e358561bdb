//! Administration with a real admin client.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use rdkafka::admin::{AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

use support::*;

fn topics(broker: &TestBroker) -> Vec<(String, usize)> {
    let consumer: BaseConsumer = broker.client().create().unwrap();
    let metadata = consumer.fetch_metadata(None, DEADLINE).unwrap();
    metadata
        .topics()
        .iter()
        .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
        .collect()
}

#[test]
fn topics_are_created_grown_and_deleted() {
    let mut broker = TestBroker::start();
    broker.create_topic("a", 3, &[]);
    broker.create_topic("b", 1, &[]);
    let grow = NewPartitions::new("b", 2);
    let grown = broker
        .runtime
        .block_on(broker.admin().create_partitions([&grow], &AdminOptions::new()))
        .unwrap();
    assert!(grown[0].is_ok());
    assert_eq!(topics(&broker), [("a".to_owned(), 3), ("b".to_owned(), 2)]);
    let deleted = broker
        .runtime
        .block_on(broker.admin().delete_topics(&["a", "none"], &AdminOptions::new()))
        .unwrap();
    assert_eq!(deleted[0], Ok("a".to_owned()));
    assert_eq!(
        deleted[1].as_ref().unwrap_err().1,
        RDKafkaErrorCode::UnknownTopicOrPartition
    );
    broker.restart();
    assert_eq!(topics(&broker), [("b".to_owned(), 2)]);
}

#[test]
fn a_topic_created_again_begins_empty() {
    let broker = TestBroker::start();
    broker.create_topic("again", 1, &[]);
    produce(&broker.client(), "again", numbered(0..10));
    broker
        .runtime
        .block_on(broker.admin().delete_topics(&["again"], &AdminOptions::new()))
        .unwrap();
    broker.create_topic("again", 1, &[]);
    assert_eq!(read_all(&broker.client(), "again").len(), 0);
}

#[test]
fn what_one_node_cannot_do_is_refused_by_its_own_code() {
    let broker = TestBroker::start();
    broker.create_topic("taken", 1, &[]);
    let new = |name, partitions, replication| NewTopic::new(name, partitions, TopicReplication::Fixed(replication));
    let wanted = [
        new("taken", 1, 1),
        new("three-copies", 1, 3),
        new("a/b", 1, 1),
        new("unknown-config", 1, 1).set("no.such.config", "1"),
        new("too-many", 90_000, 1),
    ];
    let results = broker
        .runtime
        .block_on(broker.admin().create_topics(&wanted, &AdminOptions::new()))
        .unwrap();
    let codes: Vec<_> = results.into_iter().map(|result| result.unwrap_err().1).collect();
    assert_eq!(
        codes,
        [
            RDKafkaErrorCode::TopicAlreadyExists,
            RDKafkaErrorCode::InvalidReplicationFactor,
            RDKafkaErrorCode::InvalidTopic,
            RDKafkaErrorCode::InvalidConfig,
            RDKafkaErrorCode::PolicyViolation,
        ]
    );
}

#[test]
fn a_config_is_altered_and_described_and_survives_a_restart() {
    let mut broker = TestBroker::start();
    broker.create_topic("t", 1, &[("retention.ms", "1000")]);
    let value = |broker: &TestBroker, name: &str| {
        let of = [ResourceSpecifier::Topic("t")];
        let described = broker
            .runtime
            .block_on(broker.admin().describe_configs(&of, &AdminOptions::new()))
            .unwrap();
        described[0].as_ref().unwrap().get(name).unwrap().value.clone().unwrap()
    };
    assert_eq!(value(&broker, "retention.ms"), "1000");
    assert_eq!(value(&broker, "cleanup.policy"), "delete");
    let alter = AlterConfig::new(ResourceSpecifier::Topic("t")).set("cleanup.policy", "compact");
    let altered = broker
        .runtime
        .block_on(broker.admin().alter_configs([&alter], &AdminOptions::new()))
        .unwrap();
    assert!(altered[0].is_ok());
    broker.restart();
    assert_eq!(value(&broker, "cleanup.policy"), "compact");
    assert_eq!(value(&broker, "retention.ms"), "604800000");
}

#[test]
fn without_auto_create_an_unknown_topic_stays_unknown() {
    let broker = TestBroker::with(|config| config.auto_create_topics = false);
    let consumer: BaseConsumer = broker
        .client()
        .set("allow.auto.create.topics", "true")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some("unknown"), DEADLINE).unwrap();
    assert!(metadata.topics()[0].error().is_some());
    assert_eq!(topics(&broker), []);
}
