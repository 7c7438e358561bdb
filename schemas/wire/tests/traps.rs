//! What a cluster and a disk do to those who only wanted to go on: each happens here, and nothing is lost by it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail")]

mod support;

use std::{
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use dialtone_broker::{Broker, BrokerConfig};
use dialtone_schemas::topic::Topic;
use dialtone_wire::{
    KafkaConfig, KafkaPublisher, Publish, PublishError,
    fold::store::FolderStore,
    run::{Surroundings, start},
    topics,
};
use rdkafka::{
    ClientConfig,
    error::KafkaError,
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
    types::{RDKafkaApiKey, RDKafkaErrorCode, RDKafkaRespErr},
};
use support::{Cluster, DEADLINE, eventually, numbered, numbering, out, publish, text};

/// A cluster whose broker denies the next producer its id, which is fatal to that producer.
fn denying() -> (MockCluster<'static, DefaultProducerContext>, KafkaConfig) {
    let mock = MockCluster::new(1).unwrap();
    let mut kafka = KafkaConfig::at(&mock.bootstrap_servers());
    kafka.partitions = 1;
    for topic in Topic::ALL {
        mock.create_topic(&kafka.topic_name(topic), 1, 1).unwrap();
    }
    deny_the_next(&mock);
    (mock, kafka)
}

fn deny_the_next(mock: &MockCluster<'_, DefaultProducerContext>) {
    let denied = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED];
    mock.request_errors(RDKafkaApiKey::InitProducerId, &denied);
}

/// Does a plain producer on this cluster refuse everything for good?
fn is_fatal_to_a_plain_producer(servers: &str) -> bool {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", servers)
        .set("enable.idempotence", "true");
    let plain: BaseProducer = config.create().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while plain.client().fatal_error().is_none() {
        assert!(Instant::now() < deadline, "never fatal");
        plain.poll(Duration::from_millis(10));
    }
    let refused = |_| {
        let sent = plain.send(BaseRecord::<(), str>::to("t").payload("x"));
        matches!(sent, Err((KafkaError::MessageProduction(RDKafkaErrorCode::Fatal), _)))
    };
    (0..3).all(refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_with_a_fatal_error_is_replaced_by_one_that_goes_on() {
    let (mock, kafka) = denying();
    let servers = mock.bootstrap_servers();
    let real = tokio::task::spawn_blocking(move || is_fatal_to_a_plain_producer(&servers));
    assert!(real.await.unwrap(), "the trap is real");

    deny_the_next(&mock);
    let publisher = KafkaPublisher::connect(&kafka, None).await.unwrap();
    let deadline = Instant::now() + DEADLINE;
    // What was queued before the denial came is not acknowledged: whoever sent it sends it again.
    let delivered = loop {
        match publisher
            .publish(vec![out(Topic::Events, Some(0), "k", "x")])
            .await
            .remove(0)
        {
            Ok(delivered) => break delivered,
            Err(PublishError::Unavailable { .. }) => assert!(Instant::now() < deadline, "never goes on"),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(
        (delivered.partition, delivered.offset),
        (0, 0),
        "stored once, by the second producer"
    );
    publisher.close(DEADLINE).await.unwrap();
}

/// Five fit into librdkafka's queue and stay there for a tenth of a second; the sixth waits for room instead of failing.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_waited_for_and_order_holds() {
    let mut cluster = Cluster::start(1).await;
    let small = [("queue.buffering.max.messages", "5"), ("linger.ms", "100")];
    let mut config = ClientConfig::new();
    config.set(
        "bootstrap.servers",
        cluster.kafka.properties["bootstrap.servers"].clone(),
    );
    for (key, value) in small {
        config.set(key, value);
    }
    let plain: BaseProducer = config.create().unwrap();
    let send = || {
        let sent = plain.send(BaseRecord::<(), str>::to("elsewhere").payload("x"));
        sent.map_err(|(error, _)| error)
    };
    (0..5).for_each(|_| send().unwrap());
    let is_full = matches!(send(), Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)));
    assert!(is_full, "the trap is real");
    let small = small.map(|(key, value)| (key.to_owned(), value.to_owned()));
    cluster.kafka.properties.extend(small);
    let publisher = cluster.publisher().await;
    let lines: Vec<String> = (0..42).map(|n| n.to_string()).collect();
    let records = lines.iter().map(|line| out(Topic::Events, Some(0), "k", line.clone()));
    publish(&publisher, records.collect()).await;
    let read: Vec<String> = cluster.read((Topic::Events, 0)).await.iter().map(text).collect();
    assert_eq!(read, lines);
    publisher.close(DEADLINE).await.unwrap();
}

/// The broker goes away three times, with records on their way and effects unacknowledged, and comes back where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_stage_survives_a_broker_that_goes_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = BrokerConfig::new(dir.path().join("broker"));
    let mut broker = Broker::start(config.clone()).await.unwrap();
    config.listen = broker.bootstrap().parse().unwrap();
    let mut kafka = KafkaConfig::at(&broker.bootstrap());
    let quick = [("reconnect.backoff.ms", "20"), ("reconnect.backoff.max.ms", "100")];
    kafka
        .properties
        .extend(quick.map(|(key, value)| (key.to_owned(), value.to_owned())));
    kafka.partitions = 1;
    topics::ensure(&kafka).await.unwrap();
    let publisher = Arc::new(KafkaPublisher::connect(&kafka, None).await.unwrap());
    let with = Surroundings {
        kafka: kafka.clone(),
        store: Arc::new(FolderStore::open(dir.path().join("state")).unwrap()),
        publisher: Arc::clone(&publisher) as _,
        translator: None,
    };
    let mut running = start(numbering(&kafka), with).unwrap();
    for round in 0..3_i64 {
        let records = |half: i64| {
            let lines = (0..100).map(move |n| format!("{round}-{half}-{n}"));
            lines
                .map(|line| out(Topic::Events, Some(0), "k", line))
                .collect::<Vec<_>>()
        };
        publish(&*publisher, records(0)).await;
        broker.shutdown().await;
        let meanwhile = tokio::spawn({
            let (publisher, records) = (Arc::clone(&publisher), records(1));
            async move { publish(&*publisher, records).await }
        });
        broker = Broker::start(config.clone()).await.unwrap();
        meanwhile.await.unwrap();
        eventually("caught up", || {
            let next = running.status().positions.get(&(Topic::Events, 0)).copied();
            (next == Some(200 * (round + 1))).then_some(())
        })
        .await;
    }
    running.stop();
    running.finished().await.unwrap();
    let written = tokio::task::spawn_blocking(move || support::read_all(&kafka, (Topic::Summaries, 0)));
    assert_eq!(numbered(written.await.unwrap().iter().map(text)).len(), 600);
    broker.shutdown().await;
}

/// A real full disk under the checkpoints, where mounting one is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_checkpoints_is_waited_for_and_nothing_is_said_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(dir.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: a small disk cannot be mounted here; a store that fails is tested with the stages");
        return;
    }
    let path = dir.path().to_owned();
    let outcome = tokio::spawn(async move { on_a_small_disk(&path).await }).await;
    assert!(
        Command::new("umount")
            .arg("-l")
            .arg(dir.path())
            .status()
            .unwrap()
            .success()
    );
    outcome.unwrap();
}

async fn on_a_small_disk(disk: &Path) {
    let cluster = Cluster::start(1).await;
    let publisher = Arc::new(cluster.publisher().await);
    let store = FolderStore::open(disk.join("state")).unwrap();
    let with = Surroundings {
        kafka: cluster.kafka.clone(),
        store: Arc::new(store),
        publisher: Arc::clone(&publisher) as _,
        translator: None,
    };
    let mut running = start(numbering(&cluster.kafka), with).unwrap();
    eventually("it has begun", || running.status().ready.then_some(())).await;
    let ballast = disk.join("ballast");
    let full = std::fs::write(&ballast, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let line = |n: i64| out(Topic::Events, Some(0), "k", format!("{n}"));
    publish(&*publisher, (0..100).map(line).collect()).await;
    eventually("all is read", || {
        let next = running.status().positions.get(&(Topic::Events, 0)).copied();
        (next == Some(100)).then_some(())
    })
    .await;
    let said = cluster.read((Topic::Summaries, 0)).await.len();
    assert_eq!(said, 0, "no effect before its checkpoint");

    std::fs::remove_file(&ballast).unwrap();
    eventually("caught up", || running.status().caught_up.then_some(())).await;
    running.stop();
    running.finished().await.unwrap();
    let lines = numbered(cluster.read((Topic::Summaries, 0)).await.iter().map(text));
    assert_eq!(lines.len(), 100);
}
