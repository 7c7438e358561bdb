//! Against a real schema registry with Confluent's API, named by `DIALTONE_TEST_REGISTRY_URL`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail")]

use std::io::Write as _;
mod support;

use std::sync::Arc;

use dialtone_schemas::{RecordKind, Summary, Tick, avro, topic::Topic};
use dialtone_wire::{
    KafkaConfig, KafkaPublisher, Payload,
    config::RegistryConfig,
    consume::Consumer,
    registry::{Registry, RegistryError},
};
use support::{Cluster, DEADLINE, control, poll_until, publish};

#[tokio::test(flavor = "multi_thread")]
async fn ids_come_from_the_registry_and_are_built_in_ones_inside() {
    #[allow(clippy::disallowed_methods, reason = "a test may be told of a registry")]
    let Ok(url) = std::env::var("DIALTONE_TEST_REGISTRY_URL") else {
        drop(writeln!(
            std::io::stderr(),
            "SKIPPED: no schema registry; set DIALTONE_TEST_REGISTRY_URL to one's base URL"
        ));
        return;
    };
    let cluster = Cluster::start(1).await;
    let config = RegistryConfig {
        url,
        username: None,
        password: None,
        token: None,
        auto_register: false,
    };
    let kafka = KafkaConfig {
        registry: Some(config.clone()),
        ..cluster.kafka.clone()
    };
    let registry = Registry::new(&config).unwrap();

    let before = registry.check(&kafka).await.unwrap();
    assert!(
        before.iter().all(|subject| subject.id.is_none() && subject.compatible),
        "{before:?}"
    );
    assert!(matches!(
        registry.translator(&kafka, false).await,
        Err(RegistryError::NotRegistered { .. })
    ));
    let registered = registry.register(&kafka).await.unwrap();
    assert!(registered.iter().all(|subject| subject.id.is_some()), "{registered:?}");
    assert_eq!(
        registry.register(&kafka).await.unwrap(),
        registered,
        "twice changes nothing"
    );
    assert_eq!(registry.check(&kafka).await.unwrap(), registered);

    let translator = Arc::new(registry.translator(&kafka, false).await.unwrap());
    let publisher = KafkaPublisher::connect(&kafka, Some(Arc::clone(&translator)))
        .await
        .unwrap();
    let summary = Summary::marker(1, Tick::floor(dialtone_schemas::EventTime::from_micros(0)));
    let frame: bytes::Bytes = avro::built_in_frame_from(&summary).unwrap().into();
    publish(
        &publisher,
        vec![control(Topic::Summaries, 0, Payload::Value(frame.clone()))],
    )
    .await;

    let raw = cluster.read((Topic::Summaries, 0)).await;
    let Payload::Value(raw) = &raw[0].payload else {
        panic!("a value")
    };
    let id = registered
        .iter()
        .find(|subject| subject.kind == RecordKind::Summary)
        .and_then(|subject| subject.id);
    assert_eq!(
        avro::split_frame(raw).ok().map(|(id, _)| id),
        id,
        "the registry's id is on the wire"
    );

    tokio::task::spawn_blocking(move || {
        let place = (Topic::Summaries, 0);
        let mut consumer = Consumer::manual(&kafka, "g", Some(translator)).unwrap();
        consumer.assign(&[(place, 0)].into()).unwrap();
        poll_until(&mut consumer, "a record", |consumer, _| consumer.has(place));
        assert_eq!(consumer.take(place).unwrap().payload, Payload::Value(frame));
        assert!(consumer.close(DEADLINE));
    })
    .await
    .unwrap();
}
