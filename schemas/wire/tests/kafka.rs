//! Producer, consumer and topics against a broker: the traps of librdkafka, one by one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail")]

mod support;

use std::{collections::BTreeMap, time::Duration};

use dialtone_schemas::{
    EventTime,
    topic::{Topic, partition_of},
};
use dialtone_wire::{
    KafkaConfig, KafkaPublisher, Payload, Publish, PublishError,
    consume::{Assignment, ConsumeError, Consumer},
    produce::ConnectError,
    topics::{self, TopicAction, TopicError},
};
use support::{Cluster, DEADLINE, control, out, poll_until, publish, text};

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_in_order_with_what_they_say() {
    let cluster = Cluster::start(2).await;
    let publisher = cluster.publisher().await;
    let place = (Topic::Events, 1);
    publish(
        &publisher,
        vec![
            out(Topic::Events, Some(1), "k", "one"),
            control(Topic::Events, 1, Payload::Clock(EventTime::from_micros(-5))),
            control(Topic::Events, 1, Payload::Absent(EventTime::from_micros(7))),
            control(Topic::Events, 1, Payload::Config("{\"a\":1}".into())),
            control(Topic::Events, 1, Payload::Empty),
            out(Topic::Events, Some(1), "k", ""),
        ],
    )
    .await;
    let read = cluster.read(place).await;
    let payloads: Vec<_> = read.iter().map(|record| record.payload.clone()).collect();
    assert_eq!(
        payloads,
        [
            Payload::Value("one".into()),
            Payload::Clock(EventTime::from_micros(-5)),
            Payload::Absent(EventTime::from_micros(7)),
            Payload::Config("{\"a\":1}".into()),
            Payload::Empty,
            Payload::Value("".into()),
        ]
    );
    assert!(
        read.iter()
            .enumerate()
            .all(|(at, record)| record.offset == i64::try_from(at).unwrap() && record.place == place)
    );
    assert_eq!(&read[0].key[..], b"k");
    publisher.close(DEADLINE).await.unwrap();
}

/// C-2
#[tokio::test(flavor = "multi_thread")]
async fn librdkafka_puts_a_key_where_our_own_arithmetic_says() {
    let cluster = Cluster::start(7).await;
    let publisher = cluster.publisher().await;
    let keys: Vec<String> = (0..300).map(|n| format!("tenant|call-{}", n * 7919)).collect();
    let deliveries = publisher
        .publish(keys.iter().map(|key| out(Topic::Events, None, key, "x")).collect())
        .await;
    for (key, delivery) in keys.iter().zip(deliveries) {
        assert_eq!(delivery.unwrap().partition, partition_of(key.as_bytes(), 7), "{key}");
    }
    assert_eq!(
        (
            publisher.partitions(Topic::Events),
            publisher.partitions(Topic::Control)
        ),
        (7, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn order_within_a_partition_holds_over_many_batches() {
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    let lines: Vec<String> = (0..30_000).map(|n| format!("{n}")).collect();
    for chunk in lines.chunks(10_000) {
        publish(
            &publisher,
            chunk
                .iter()
                .map(|line| out(Topic::Events, None, "k", line.clone()))
                .collect(),
        )
        .await;
    }
    let read: Vec<String> = cluster.read((Topic::Events, 0)).await.iter().map(text).collect();
    assert!(read == lines, "{} read", read.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_future_of_a_publish_does_not_lose_what_was_accepted() {
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    {
        let mut publishing = publisher.publish(vec![out(Topic::Events, Some(0), "k", "kept")]);
        let once = futures::poll!(&mut publishing);
        assert!(once.is_pending());
    }
    publisher.close(DEADLINE).await.unwrap();
    assert_eq!(cluster.read((Topic::Events, 0)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_what_a_plain_drop_would_purge() {
    let mut cluster = Cluster::start(1).await;
    cluster.kafka.properties.insert("linger.ms".into(), "20000".into());
    let dropped = cluster.publisher().await;
    let mut lost = dropped.publish(vec![out(Topic::Events, Some(0), "k", "x")]);
    assert!(futures::poll!(&mut lost).is_pending());
    drop(lost);
    tokio::task::spawn_blocking(move || drop(dropped)).await.unwrap();
    assert_eq!(
        cluster.read((Topic::Events, 0)).await.len(),
        0,
        "the trap is real: librdkafka purges"
    );
    let closed = cluster.publisher().await;
    let mut kept = closed.publish(vec![out(Topic::Events, Some(0), "k", "x")]);
    assert!(futures::poll!(&mut kept).is_pending());
    drop(kept);
    closed.close(DEADLINE).await.unwrap();
    assert_eq!(cluster.read((Topic::Events, 0)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused_for_good_and_the_others_are_not() {
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    let large = "x".repeat(6 * 1024 * 1024);
    let records = vec![
        out(Topic::Rejects, Some(0), "a", "small"),
        out(Topic::Rejects, Some(0), "b", large),
        out(Topic::Rejects, Some(0), "c", "y".repeat(2 * 1024 * 1024)),
    ];
    let deliveries = publisher.publish(records).await;
    assert!(deliveries[0].is_ok() && deliveries[2].is_ok(), "{deliveries:?}");
    assert!(
        matches!(&deliveries[1], Err(PublishError::Refused { .. })),
        "{:?}",
        deliveries[1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_a_record_counts_as_not_acknowledged_in_time() {
    let mut cluster = Cluster::start(1).await;
    if !cluster.embedded() {
        return;
    }
    cluster
        .kafka
        .properties
        .insert("message.timeout.ms".into(), "5000".into());
    let publisher = cluster.publisher().await;
    cluster.stop().await;
    let deliveries = publisher.publish(vec![out(Topic::Events, Some(0), "k", "x")]).await;
    assert!(matches!(&deliveries[0], Err(PublishError::Unavailable { topic, .. }) if topic.ends_with("events.v1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_wants_its_topics_with_the_configured_partitions() {
    let cluster = Cluster::start(2).await;
    let missing = KafkaConfig {
        topic_prefix: "nobody".into(),
        ..cluster.kafka.clone()
    };
    assert!(matches!(
        KafkaPublisher::connect(&missing, None).await,
        Err(ConnectError::NoTopic { .. })
    ));
    let other = KafkaConfig {
        partitions: 3,
        ..cluster.kafka.clone()
    };
    assert!(matches!(
        KafkaPublisher::connect(&other, None).await,
        Err(ConnectError::Partitions {
            found: 2,
            wanted: 3,
            ..
        })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_once_and_a_changed_count_changes_nothing() {
    let cluster = Cluster::start(3).await;
    let again = topics::ensure(&cluster.kafka).await.unwrap();
    assert!(again.iter().all(|plan| plan.action == TopicAction::Keep), "{again:?}");
    let present = topics::describe(&cluster.kafka).await.unwrap();
    assert_eq!(present[&Topic::Incidents].cleanup.as_deref(), Some("compact"));
    let grown = KafkaConfig {
        partitions: 6,
        ..cluster.kafka.clone()
    };
    // All but control, which has one partition whatever is configured.
    assert!(
        matches!(topics::ensure(&grown).await, Err(TopicError::Refused(refused)) if refused.len() == Topic::ALL.len() - 1)
    );
    assert_eq!(topics::describe(&cluster.kafka).await.unwrap(), present);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_knows_the_end_of_each_log_and_its_lag() {
    let cluster = Cluster::start(2).await;
    let publisher = cluster.publisher().await;
    publish(
        &publisher,
        (0..100)
            .map(|n| out(Topic::Changes, Some(0), "k", format!("{n}")))
            .collect(),
    )
    .await;
    let (full, empty) = ((Topic::Changes, 0), (Topic::Changes, 1));
    let kafka = cluster.kafka.clone();
    let consumer = tokio::task::spawn_blocking(move || {
        let mut consumer = Consumer::manual(&kafka, "g", None).unwrap();
        consumer.assign(&BTreeMap::from([(full, 40), (empty, 0)])).unwrap();
        poll_until(&mut consumer, "the end", |consumer, _| {
            consumer.at_end(empty) && consumer.has(full)
        });
        assert!(!consumer.at_end(full), "there are records to be taken");
        poll_until(&mut consumer, "the lag", |consumer, _| consumer.lag(full) == Some(60));
        let taken: Vec<_> = std::iter::from_fn(|| consumer.take(full))
            .map(|record| record.offset)
            .collect();
        assert_eq!(taken, (40..100).collect::<Vec<_>>());
        poll_until(&mut consumer, "the end", |consumer, _| consumer.at_end(full));
        assert_eq!(consumer.lag(full), Some(0));
        consumer
    });
    let mut consumer = consumer.await.unwrap();
    publish(&publisher, vec![out(Topic::Changes, Some(1), "k", "late")]).await;
    tokio::task::spawn_blocking(move || {
        poll_until(&mut consumer, "it is seen", |consumer, _| consumer.has(empty));
        assert!(!consumer.at_end(empty));
        assert!(consumer.close(DEADLINE));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_not_taken_from_is_paused_at_its_bound_and_nothing_is_lost_or_doubled() {
    const RECORDS: usize = 130_000;
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    for chunk in (0..RECORDS).collect::<Vec<_>>().chunks(20_000) {
        publish(
            &publisher,
            chunk
                .iter()
                .map(|n| out(Topic::Events, Some(0), "k", format!("{n}")))
                .collect(),
        )
        .await;
    }
    let kafka = cluster.kafka.clone();
    let place = (Topic::Events, 0);
    let read = tokio::task::spawn_blocking(move || {
        let mut consumer = Consumer::manual(&kafka, "g", None).unwrap();
        consumer.assign(&BTreeMap::from([(place, 0)])).unwrap();
        let mut quiet = 0;
        poll_until(&mut consumer, "it is paused", |consumer, _| {
            quiet = if consumer.lag(place) == Some(i64::try_from(RECORDS).unwrap()) && consumer.has(place) {
                quiet + 1
            } else {
                0
            };
            quiet > 20
        });
        assert!(!consumer.at_end(place), "it holds a part only");
        let mut read = Vec::new();
        poll_until(&mut consumer, "the end", |consumer, _| {
            read.extend(
                std::iter::from_fn(|| consumer.take(place))
                    .take(777)
                    .map(|record| record.offset),
            );
            consumer.at_end(place)
        });
        assert!(consumer.close(DEADLINE));
        read
    });
    let read = read.await.unwrap();
    assert_eq!(read.len(), RECORDS);
    assert!(
        read.iter()
            .enumerate()
            .all(|(at, offset)| *offset == i64::try_from(at).unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn assigning_again_goes_back_to_the_position_that_is_said() {
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    publish(
        &publisher,
        (0..1000)
            .map(|n| out(Topic::Events, Some(0), "k", format!("{n}")))
            .collect(),
    )
    .await;
    let kafka = cluster.kafka.clone();
    let place = (Topic::Events, 0);
    tokio::task::spawn_blocking(move || {
        let mut consumer = Consumer::manual(&kafka, "g", None).unwrap();
        for from in [0, 500, 3, 1000, 999, 0] {
            consumer.assign(&BTreeMap::from([(place, from)])).unwrap();
            let mut read = Vec::new();
            poll_until(&mut consumer, "the end", |consumer, _| {
                read.extend(std::iter::from_fn(|| consumer.take(place)).map(|record| record.offset));
                consumer.at_end(place)
            });
            assert_eq!(read, (from..1000).collect::<Vec<_>>());
        }
        assert!(consumer.close(DEADLINE));
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_log_does_not_hold_is_loud() {
    let cluster = Cluster::start(1).await;
    let publisher = cluster.publisher().await;
    publish(&publisher, vec![out(Topic::Events, Some(0), "k", "x")]).await;
    let kafka = cluster.kafka.clone();
    let error = tokio::task::spawn_blocking(move || {
        let mut consumer = Consumer::manual(&kafka, "g", None).unwrap();
        consumer.assign(&BTreeMap::from([((Topic::Events, 0), 500)])).unwrap();
        let deadline = std::time::Instant::now() + DEADLINE;
        loop {
            assert!(std::time::Instant::now() < deadline, "never loud");
            if let Err(error) = consumer.poll(Duration::from_millis(50)) {
                return error;
            }
        }
    });
    let error = error.await.unwrap();
    assert!(
        matches!(
            &error,
            ConsumeError::PositionLost {
                wanted: 500,
                low: 0,
                high: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_hands_partitions_over_and_nobody_reads_before_saying_from_where() {
    let cluster = Cluster::start(4).await;
    let publisher = cluster.publisher().await;
    publish(
        &publisher,
        (0..4)
            .map(|p| out(Topic::Events, Some(p), "k", format!("{p}")))
            .collect(),
    )
    .await;
    let kafka = cluster.kafka.clone();
    tokio::task::spawn_blocking(move || {
        let group = format!("{}-group", kafka.topic_prefix);
        let mut first = Consumer::group(&kafka, &group, Topic::Events, None).unwrap();
        let mut given = Vec::new();
        poll_until(&mut first, "all are given", |_, assignment| {
            if let Some(Assignment::Given(places)) = assignment {
                given = places;
            }
            given.len() == 4
        });
        let positions: BTreeMap<_, _> = given.iter().map(|place| (*place, 0)).collect();
        first.assign(&positions).unwrap();
        poll_until(&mut first, "all are read", |first, _| {
            given.iter().all(|place| first.has(*place))
        });

        let mut second = Consumer::group(&kafka, &group, Topic::Events, None).unwrap();
        let (mut of_first, mut of_second) = (Vec::new(), Vec::new());
        let deadline = std::time::Instant::now() + DEADLINE;
        while of_first.len() != 2 || of_second.len() != 2 {
            assert!(
                std::time::Instant::now() < deadline,
                "never shared: {of_first:?} {of_second:?}"
            );
            match first.poll(Duration::from_millis(10)).unwrap() {
                Some(Assignment::Taken) => first.release().unwrap(),
                Some(Assignment::Given(places)) => of_first = places,
                None => {}
            }
            if let Some(Assignment::Given(places)) = second.poll(Duration::from_millis(10)).unwrap() {
                of_second = places;
            }
        }
        assert!(of_first.iter().all(|place| !of_second.contains(place)));
        first
            .assign(&of_first.iter().map(|place| (*place, 0)).collect())
            .unwrap();
        second
            .assign(&of_second.iter().map(|place| (*place, 0)).collect())
            .unwrap();
        let place = of_second[0];
        poll_until(&mut second, "the second reads", |second, _| second.has(place));
        assert_eq!(second.take(place).unwrap().offset, 0);
        assert!(
            first.close(DEADLINE) && second.close(DEADLINE),
            "closing a member of a group is bounded"
        );
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_consumer_is_bounded_when_the_brokers_are_gone() {
    let mut cluster = Cluster::start(1).await;
    if !cluster.embedded() {
        return;
    }
    let kafka = cluster.kafka.clone();
    let consumer = tokio::task::spawn_blocking(move || {
        let mut consumer = Consumer::group(&kafka, "gone", Topic::Events, None).unwrap();
        poll_until(&mut consumer, "given", |_, assignment| {
            matches!(assignment, Some(Assignment::Given(_)))
        });
        consumer
    });
    let consumer = consumer.await.unwrap();
    cluster.stop().await;
    let begun = std::time::Instant::now();
    tokio::task::spawn_blocking(move || consumer.close(Duration::from_secs(3)))
        .await
        .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
}
