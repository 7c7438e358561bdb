//! Stages on a broker: the loop, its checkpoints, handovers and interruptions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail")]

mod support;

use std::{sync::Arc, time::Duration};

use dialtone_processor::{Watch, WatchConfig};
use dialtone_schemas::{EventTime, Summary, Tick, avro, time, topic::Topic};
use dialtone_wire::{
    OutRecord, Payload,
    consume::ConsumeError,
    fold::{
        driver::DriveError,
        live::Patience,
        store::{Fault, MemoryStore},
    },
    run::{Reads, RunError, Running, Stage, Surroundings, start},
};
use support::{Cluster, Numbering, control, eventually, numbered, out, publish, shared_store, text};

fn stage(cluster: &Cluster) -> Stage<Numbering> {
    support::numbering(&cluster.kafka)
}

async fn surroundings(cluster: &Cluster) -> Surroundings {
    Surroundings {
        kafka: cluster.kafka.clone(),
        store: shared_store(cluster),
        publisher: Arc::new(cluster.publisher().await),
        translator: None,
    }
}

async fn lines(cluster: &Cluster, partition: i32) -> Vec<String> {
    numbered(cluster.read((Topic::Summaries, partition)).await.iter().map(text))
}

async fn caught_up(running: &Running, partition: i32, to: i64) {
    eventually("caught up", || {
        let status = running.status();
        (status.caught_up && status.positions.get(&(Topic::Events, partition)) >= Some(&to)).then_some(())
    })
    .await;
}

/// Runs the stage until it has everything before this offset, and stops it.
async fn run_to(cluster: &Cluster, with: &Surroundings, to: i64) {
    let mut running = start(stage(cluster), with.clone()).unwrap();
    caught_up(&running, 0, to).await;
    running.stop();
    running.finished().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_stopped_and_started_goes_on_where_it_stood() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    for round in 0..3 {
        let records = (0..50)
            .map(|n| out(Topic::Events, Some(0), "k", format!("{round}-{n}")))
            .collect();
        publish(&*with.publisher, records).await;
        run_to(&cluster, &with, (round + 1) * 50).await;
    }
    let read = cluster.read((Topic::Summaries, 0)).await;
    assert!(
        read.len() <= 250,
        "each of two recoveries repeats at most one outbox: {}",
        read.len()
    );
    assert_eq!(
        lines(&cluster, 0).await.last().map(String::as_str),
        Some("149:150:2-49")
    );
}

/// F-3
#[tokio::test(flavor = "multi_thread")]
async fn a_rebalance_hands_over_at_a_checkpoint() {
    let cluster = Cluster::start(4).await;
    let with = surroundings(&cluster).await;
    let feed = |from: i64, to: i64| {
        (from..to)
            .flat_map(|n| (0..4).map(move |p| out(Topic::Events, Some(p), "k", format!("{n}"))))
            .collect::<Vec<_>>()
    };
    let mut first = start(stage(&cluster), with.clone()).unwrap();
    publish(&*with.publisher, feed(0, 500)).await;
    eventually("the first has all", || {
        (first.status().positions.len() == 4).then_some(())
    })
    .await;
    let mut second = start(stage(&cluster), with.clone()).unwrap();
    publish(&*with.publisher, feed(500, 1000)).await;
    eventually("they share", || {
        (first.status().positions.len() == 2 && second.status().positions.len() == 2).then_some(())
    })
    .await;
    publish(&*with.publisher, feed(1000, 1500)).await;
    eventually("both are done", || {
        let (a, b) = (first.status(), second.status());
        (a.caught_up
            && b.caught_up
            && a.positions
                .values()
                .chain(b.positions.values())
                .all(|next| *next == 1500))
        .then_some(())
    })
    .await;
    second.stop();
    second.finished().await.unwrap();
    publish(&*with.publisher, feed(1500, 2000)).await;
    eventually("the first has all again", || {
        let status = first.status();
        (status.caught_up && status.positions.len() == 4 && status.positions.values().all(|next| *next == 2000))
            .then_some(())
    })
    .await;
    first.stop();
    first.finished().await.unwrap();
    for partition in 0..4 {
        assert_eq!(
            lines(&cluster, partition).await.len(),
            2000,
            "partition {partition}: numbered without a hole or a contradiction"
        );
    }
}

/// F-3: the one that was thrown out of the group does not know it yet.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_both_believe_to_own_a_partition_write_one_history() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    let zombie = |n: i32| Stage {
        group: format!("{}-{n}", cluster.kafka.topic_prefix),
        ..stage(&cluster)
    };
    let mut first = start(zombie(1), with.clone()).unwrap();
    let mut second = start(zombie(2), with.clone()).unwrap();
    for round in 0..40 {
        publish(
            &*with.publisher,
            (0..25)
                .map(|n| out(Topic::Events, Some(0), "k", format!("{round}-{n}")))
                .collect(),
        )
        .await;
    }
    for running in [&mut first, &mut second] {
        caught_up(running, 0, 1000).await;
    }
    first.stop();
    second.stop();
    first.finished().await.unwrap();
    second.finished().await.unwrap();
    assert_eq!(lines(&cluster, 0).await.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_written_into_the_log_and_then_obeyed() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    let mut stage = stage(&cluster);
    stage.config_record = Some(Box::new(|fold: &Numbering| (fold.step != 10).then(|| "10".to_owned())));
    let mut running = start(stage, with.clone()).unwrap();
    caught_up(&running, 0, 1).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    caught_up(&running, 0, 2).await;
    running.stop();
    running.finished().await.unwrap();
    assert_eq!(
        cluster.read((Topic::Events, 0)).await[0].payload,
        Payload::Config("10".into())
    );
    assert_eq!(lines(&cluster, 0).await, ["0:10:a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_partition_count_halts_with_the_way_out() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    run_to(&cluster, &with, 1).await;

    let grown = Cluster::start(2).await;
    let with = Surroundings {
        store: Arc::clone(&with.store),
        ..surroundings(&grown).await
    };
    let error = start(stage(&grown), with).unwrap().finished().await.unwrap_err();
    let RunError::Drive { source, .. } = error else {
        panic!("{error}")
    };
    assert!(source.to_string().contains("another state folder"), "{source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_checkpoint_halts_the_stage_and_is_left_as_it_is() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    run_to(&cluster, &with, 1).await;
    let newest = with.store.list("numbering/00000").unwrap().pop().unwrap();
    let whole = with.store.get(&newest).unwrap().unwrap();
    let file = cluster.dir.path().join("state").join(&newest);
    std::fs::write(file, &whole[..whole.len() - 1]).unwrap();
    let error = start(stage(&cluster), with.clone())
        .unwrap()
        .finished()
        .await
        .unwrap_err();
    assert!(matches!(error, RunError::Drive { .. }), "{error}");
    assert_eq!(with.store.get(&newest).unwrap().unwrap(), whole[..whole.len() - 1]);
}

/// F-2: a mistyped or lost state folder is not a new beginning.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_state_folder_halts_the_stage_before_it_numbers_anything_twice() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    run_to(&cluster, &with, 1).await;

    let elsewhere = Surroundings {
        store: Arc::new(MemoryStore::default()),
        ..with.clone()
    };
    let error = start(stage(&cluster), elsewhere).unwrap().finished().await.unwrap_err();
    let RunError::Drive { source, .. } = error else {
        panic!("{error}")
    };
    assert!(matches!(source, DriveError::Forgotten { offset: 1, .. }), "{source}");
    assert!(source.to_string().contains("Restore the folder"), "{source}");
    assert_eq!(lines(&cluster, 0).await, ["0:1:a"]);

    run_to(&cluster, &with, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fold_reads_all_partitions_of_several_topics() {
    let cluster = Cluster::start(2).await;
    let with = surroundings(&cluster).await;
    let places = [(Topic::Control, 0), (Topic::Changes, 0), (Topic::Changes, 1)];
    for (topic, partition) in places {
        publish(
            &*with.publisher,
            vec![
                control(topic, partition, Payload::Empty),
                out(topic, Some(partition), "k", "x"),
            ],
        )
        .await;
    }
    let reads = Reads::All(vec![Topic::Changes, Topic::Control]);
    let group = format!("{}-all", cluster.kafka.topic_prefix);
    let mut stage = Stage::new(
        "all",
        &group,
        reads,
        Box::new(|positions| support::Collecting::new(positions.keys().copied())),
    );
    stage.live = false;
    let mut running = start(stage, with.clone()).unwrap();
    eventually("all is read", || {
        let positions = running.status().positions;
        places
            .iter()
            .all(|place| positions.get(place) == Some(&2))
            .then_some(())
    })
    .await;
    running.stop();
    running.finished().await.unwrap();
    assert!(!with.store.list("all/all").unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_that_overtakes_a_stopped_stage_is_loud_and_not_a_silent_jump() {
    // By size: time would take the first record too, from a stage that is slow to begin.
    let little = |config: &mut dialtone_broker::BrokerConfig| {
        config.segment_bytes = 1024;
        config.retention_bytes = Some(2000);
        config.maintenance_interval = Duration::from_millis(50);
    };
    let cluster = Cluster::with(1, little).await;
    if !cluster.embedded() {
        return;
    }
    let with = surroundings(&cluster).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    run_to(&cluster, &with, 1).await;

    // Each record fills a segment, and one segment is all that may stay.
    let deadline = std::time::Instant::now() + support::DEADLINE;
    let place = (Topic::Events, 0);
    loop {
        publish(
            &*with.publisher,
            vec![out(Topic::Events, Some(0), "k", "x".repeat(2000))],
        )
        .await;
        let kafka = cluster.kafka.clone();
        let first = tokio::task::spawn_blocking(move || {
            let consumer = dialtone_wire::consume::Consumer::manual(&kafka, "looks", None).unwrap();
            let first = consumer.first_offsets(&[place]).unwrap()[&place];
            assert!(consumer.close(support::DEADLINE));
            first
        });
        if first.await.unwrap() > 1 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "retention never comes");
    }
    let error = start(stage(&cluster), with.clone())
        .unwrap()
        .finished()
        .await
        .unwrap_err();
    let RunError::Consume {
        source: ConsumeError::PositionLost { wanted: 1, .. },
        ..
    } = error
    else {
        panic!("{error:?}")
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_asked_again_and_the_stage_goes_on() {
    let cluster = Cluster::start(1).await;
    let store = Arc::new(MemoryStore::default());
    store.inject([Fault::Before; 7]);
    let with = Surroundings {
        store: Arc::clone(&store) as _,
        ..surroundings(&cluster).await
    };
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    let mut running = start(stage(&cluster), with.clone()).unwrap();
    caught_up(&running, 0, 1).await;
    store.inject([Fault::Before; 12]);
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "b")]).await;
    caught_up(&running, 0, 2).await;
    running.stop();
    running.finished().await.unwrap();
    assert_eq!(lines(&cluster, 0).await, ["0:1:a", "1:2:b"]);
}

/// F-3: revision 3 of a sleeper arrives behind revision 5; whoever reads the compacted topic must end with 5.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_word_that_comes_last_in_a_compacted_topic_is_contradicted() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    let said = |key: &str, revision: i64| out(Topic::Incidents, Some(0), key, revision.to_string());
    publish(&*with.publisher, vec![said("a", 5), said("b", 7), said("a", 3)]).await;
    let group = format!("{}-last-word", cluster.kafka.topic_prefix);
    let mut stage = Stage::new(
        "last-word",
        &group,
        Reads::All(vec![Topic::Control]),
        Box::new(|positions| support::Collecting::new(positions.keys().copied())),
    );
    stage.live = false;
    stage.last_word = Some((
        Topic::Incidents,
        Box::new(|_, record| {
            let revision: i64 = text(record).parse().ok()?;
            let own = if record.key.as_ref() == b"a" { 5 } else { 7 };
            (revision < own).then(|| {
                out(
                    Topic::Incidents,
                    Some(0),
                    &String::from_utf8_lossy(&record.key),
                    own.to_string(),
                )
            })
        }),
    ));
    let last_of = async |key: &'static [u8]| {
        let log = cluster.read((Topic::Incidents, 0)).await;
        let last = log.iter().rfind(|record| record.key.as_ref() == key).map(text);
        (log.len(), last.unwrap_or_default())
    };
    let mut running = start(stage, with.clone()).unwrap();
    let deadline = std::time::Instant::now() + support::DEADLINE;
    while last_of(b"a").await.1 != "5" {
        assert!(std::time::Instant::now() < deadline, "never put right");
    }
    // A second sleeper, while the stage is at work.
    publish(&*with.publisher, vec![said("b", 6)]).await;
    while last_of(b"b").await.1 != "7" {
        assert!(std::time::Instant::now() < deadline, "never put right");
    }
    running.stop();
    running.finished().await.unwrap();
    let (records, last) = last_of(b"a").await;
    assert_eq!(last, "5");
    assert!(records <= 8, "what is right is not said again and again: {records}");
}

fn at(seconds: i64) -> EventTime {
    EventTime::from_micros(seconds * time::SECOND)
}

/// The clock of an event partition that hears nothing more follows the wall clock, so that total silence is seen.
#[tokio::test(flavor = "multi_thread")]
async fn silence_at_the_end_of_a_log_is_written_into_it() {
    let cluster = Cluster::start(1).await;
    let with = surroundings(&cluster).await;
    publish(&*with.publisher, vec![out(Topic::Events, Some(0), "k", "a")]).await;
    let mut stage = stage(&cluster);
    stage.live = true;
    stage.patience.idle = Duration::from_millis(100);
    let before = dialtone_wire::fold::live::wall(std::time::SystemTime::now());
    let mut running = start(stage, with.clone()).unwrap();
    let deadline = std::time::Instant::now() + support::DEADLINE;
    let told = loop {
        let log = cluster.read((Topic::Events, 0)).await;
        if let Some(Payload::Clock(told)) = log.last().map(|record| record.payload.clone()) {
            break told;
        }
        assert!(std::time::Instant::now() < deadline, "silence is never told");
    };
    running.stop();
    running.finished().await.unwrap();
    assert!(
        told > before.plus(-time::SECOND),
        "the wall clock, a tenth of a second ago"
    );
}

/// Two partitions of summaries: one has markers until 2000 s, the other none since 1000 s. What watch waits for is given up in
/// that partition's own log, as far as all the others have got.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_stays_behind_is_given_up_in_its_own_log() {
    let cluster = Cluster::start(2).await;
    let with = surroundings(&cluster).await;
    let marker = |partition, number, seconds| OutRecord {
        payload: Payload::Value(
            avro::built_in_frame_from(&Summary::marker(number, Tick::floor(at(seconds))))
                .unwrap()
                .into(),
        ),
        ..control(Topic::Summaries, partition, Payload::Empty)
    };
    let places = [(Topic::Changes, 2), (Topic::Complaints, 2), (Topic::Control, 1)];
    let clocks = |seconds| {
        let of = move |(topic, count)| (0..count).map(move |p| control(topic, p, Payload::Clock(at(seconds))));
        places.into_iter().flat_map(of).collect::<Vec<_>>()
    };
    publish(
        &*with.publisher,
        vec![marker(0, 0, 1000), marker(1, 0, 1000), marker(0, 1, 2000)],
    )
    .await;
    publish(&*with.publisher, [clocks(1000), clocks(2000)].concat()).await;
    let reads = vec![Topic::Summaries, Topic::Changes, Topic::Complaints, Topic::Control];
    let group = format!("{}-watch", cluster.kafka.topic_prefix);
    let mut stage = Stage::new(
        "watch",
        &group,
        Reads::All(reads),
        Box::new(|first| {
            Watch::new(
                WatchConfig::default(),
                first.iter().map(|(place, offset)| (*place, *offset)),
            )
        }),
    );
    stage.patience = Patience {
        absent: Duration::from_secs(3),
        ..Patience::default()
    };
    let mut running = start(stage, with.clone()).unwrap();
    let deadline = std::time::Instant::now() + support::DEADLINE;
    for number in 2.. {
        publish(&*with.publisher, vec![marker(0, number, 2000 + 10 * number)]).await;
        let log = cluster.read((Topic::Summaries, 1)).await;
        if log.last().map(|record| record.payload.clone()) == Some(Payload::Absent(at(2000))) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "never given up: {:?}", log.last());
    }
    running.stop();
    running.finished().await.unwrap();
    let other = cluster.read((Topic::Summaries, 0)).await;
    assert!(
        other.iter().all(|record| matches!(record.payload, Payload::Value(_))),
        "only the one behind"
    );
}
