//! What the tests share: a broker, a fold that is easy to check, and waiting with a deadline.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use dialtone_schemas::{EventTime, topic::Topic};
use dialtone_wire::{
    Fold, FoldError, KafkaConfig, KafkaPublisher, LogRecord, OutRecord, Payload, Place, Publish,
    consume::{Assignment, Consumer},
    fold::driver::Limits,
    run::{Reads, Stage},
    topics,
};
use serde::{Deserialize, Serialize};

/// Long enough for a slow machine; nothing waits this long unless something is wrong.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A broker of this test's own, or a prefix of its own on the one that `DIALTONE_TEST_BROKERS` names.
pub struct Cluster {
    pub kafka: KafkaConfig,
    pub dir: tempfile::TempDir,
    running: Option<RunningBroker>,
}

impl Cluster {
    pub async fn start(partitions: i32) -> Self {
        Self::with(partitions, |_| {}).await
    }

    pub async fn with(partitions: i32, adjust: impl FnOnce(&mut BrokerConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test may be told of a real broker")]
        let named = std::env::var("DIALTONE_TEST_BROKERS").ok();
        let (bootstrap, running) = match named {
            Some(named) => (named, None),
            None => {
                let mut config = BrokerConfig::new(dir.path().join("broker"));
                adjust(&mut config);
                let running = Broker::start(config).await.unwrap();
                (running.bootstrap(), Some(running))
            }
        };
        let mut kafka = KafkaConfig::at(&bootstrap);
        kafka.properties.insert("broker.address.family".into(), "v4".into());
        kafka.properties.insert("reconnect.backoff.ms".into(), "20".into());
        kafka.properties.insert("reconnect.backoff.max.ms".into(), "200".into());
        kafka.partitions = partitions;
        let unique = dir
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "");
        kafka.topic_prefix = format!("wire-{unique}");
        topics::ensure(&kafka).await.unwrap();
        Self { kafka, dir, running }
    }

    /// Is it the embedded one, which a test may stop?
    pub fn embedded(&self) -> bool {
        self.running.is_some()
    }

    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    pub async fn publisher(&self) -> KafkaPublisher {
        KafkaPublisher::connect(&self.kafka, None).await.unwrap()
    }

    /// Everything a partition holds now.
    pub async fn read(&self, place: Place) -> Vec<LogRecord> {
        let kafka = self.kafka.clone();
        tokio::task::spawn_blocking(move || read_all(&kafka, place))
            .await
            .unwrap()
    }
}

/// Reads one partition from its beginning to its present end.
pub fn read_all(kafka: &KafkaConfig, place: Place) -> Vec<LogRecord> {
    let mut consumer = Consumer::manual(kafka, "test-reader", None).unwrap();
    let first = consumer.first_offsets(&[place]).unwrap();
    consumer.assign(&first).unwrap();
    let mut records = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while !consumer.at_end(place) {
        assert!(
            Instant::now() < deadline,
            "{} records of {place:?} and no end",
            records.len()
        );
        consumer.poll(Duration::from_millis(20)).unwrap();
        records.extend(std::iter::from_fn(|| consumer.take(place)));
    }
    assert!(consumer.close(DEADLINE));
    records
}

/// Polls until a condition holds.
pub fn poll_until(
    consumer: &mut Consumer,
    what: &str,
    mut done: impl FnMut(&mut Consumer, Option<Assignment>) -> bool,
) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        assert!(Instant::now() < deadline, "never happened: {what}");
        let assignment = consumer.poll(Duration::from_millis(20)).unwrap();
        if done(consumer, assignment) {
            return;
        }
    }
}

/// Waits until a condition holds.
pub async fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(outcome) = condition() {
            return outcome;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn out(topic: Topic, partition: Option<i32>, key: &str, value: impl Into<String>) -> OutRecord {
    OutRecord {
        topic,
        partition,
        key: Bytes::copy_from_slice(key.as_bytes()),
        payload: Payload::Value(Bytes::from(value.into())),
        headers: Vec::new(),
    }
}

pub fn control(topic: Topic, partition: i32, payload: Payload) -> OutRecord {
    OutRecord {
        topic,
        partition: Some(partition),
        key: Bytes::new(),
        payload,
        headers: Vec::new(),
    }
}

/// Publishes and requires every acknowledgement.
pub async fn publish(publisher: &dyn Publish, records: Vec<OutRecord>) {
    for delivery in publisher.publish(records).await {
        delivery.unwrap();
    }
}

pub fn text(record: &LogRecord) -> String {
    match &record.payload {
        Payload::Value(value) => String::from_utf8(value.to_vec()).unwrap(),
        other => format!("{other:?}"),
    }
}

/// A fold that numbers what it reads: `number:sum:value` into the same partition of the summaries. Repeats of a value are
/// dropped; a configuration changes the sum's step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbering {
    pub place: Place,
    pub next: i64,
    pub number: i64,
    pub sum: i64,
    pub step: i64,
    pub clock: Option<EventTime>,
    pub seen: BTreeMap<String, i64>,
    /// Written behind every line, different in every incarnation: a fold that is not deterministic.
    #[serde(skip)]
    pub salt: Option<u64>,
    #[serde(skip)]
    pub outbox: Vec<OutRecord>,
}

impl Numbering {
    pub fn new(positions: &BTreeMap<Place, i64>) -> Self {
        let (place, next) = positions
            .first_key_value()
            .map(|(place, next)| (*place, *next))
            .unwrap();
        Self {
            place,
            next,
            number: 0,
            sum: 0,
            step: 1,
            clock: None,
            seen: BTreeMap::new(),
            salt: None,
            outbox: Vec::new(),
        }
    }
}

impl Fold for Numbering {
    fn absorb(&mut self, record: &LogRecord) -> Result<(), FoldError> {
        if record.place != self.place {
            return Err(FoldError::UnknownPlace { place: record.place });
        }
        if record.offset < self.next {
            return Err(FoldError::OutOfOrder {
                place: self.place,
                offset: record.offset,
                expected: self.next,
            });
        }
        match &record.payload {
            Payload::Value(value) => {
                let value = String::from_utf8_lossy(value).into_owned();
                if !self.seen.contains_key(&value) {
                    self.seen.insert(value.clone(), record.offset);
                    self.sum += self.step;
                    let salt = self.salt.map_or_else(String::new, |salt| format!("@{salt}"));
                    let line = format!("{}:{}:{value}{salt}", self.number, self.sum);
                    self.number += 1;
                    self.outbox.push(out(Topic::Summaries, Some(self.place.1), "", line));
                }
            }
            Payload::Config(json) => self.step = json.parse().unwrap_or(self.step),
            Payload::Clock(time) | Payload::Absent(time) => self.clock = self.clock.max(Some(*time)),
            Payload::Empty => {}
        }
        self.next = record.offset + 1;
        Ok(())
    }

    fn mark(&self) -> i64 {
        self.next
    }

    fn positions(&self) -> BTreeMap<Place, i64> {
        BTreeMap::from([(self.place, self.next)])
    }

    fn wants(&self, place: Place) -> bool {
        place == self.place
    }

    fn clock(&self, _: Place) -> Option<EventTime> {
        self.clock
    }

    fn take_outbox(&mut self) -> Vec<OutRecord> {
        std::mem::take(&mut self.outbox)
    }

    fn snapshot(&self) -> Result<Vec<u8>, FoldError> {
        Ok(postcard::to_stdvec(self)?)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), FoldError> {
        let salt = self.salt;
        *self = postcard::from_bytes(snapshot)?;
        self.salt = salt;
        Ok(())
    }
}

/// The stage that numbers the events; it checkpoints often, and time is not the wall clock's.
pub fn numbering(kafka: &KafkaConfig) -> Stage<Numbering> {
    let group = format!("{}-numbering", kafka.topic_prefix);
    let mut stage = Stage::new(
        "numbering",
        &group,
        Reads::Shared(Topic::Events),
        Box::new(Numbering::new),
    );
    stage.limits = Limits {
        every: Duration::from_millis(20),
        at_rest: Duration::from_millis(50),
        ..Limits::default()
    };
    stage.live = false;
    stage
}

/// Numbered lines with repeats removed; a number with two meanings fails, and so does a hole.
pub fn numbered(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut by_number: BTreeMap<i64, String> = BTreeMap::new();
    for line in lines {
        let number = line.split(':').next().unwrap().parse().unwrap();
        let known = by_number.entry(number).or_insert_with(|| line.clone());
        assert_eq!(*known, line, "two records under number {number}");
    }
    for (expected, number) in by_number.keys().enumerate() {
        assert_eq!(*number, i64::try_from(expected).unwrap(), "a number is missing");
    }
    by_number.into_values().collect()
}

pub fn shared_store(cluster: &Cluster) -> Arc<dialtone_wire::fold::store::FolderStore> {
    Arc::new(dialtone_wire::fold::store::FolderStore::open(cluster.dir.path().join("state")).unwrap())
}

/// A fold over several places that only counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecting {
    next: BTreeMap<Place, i64>,
}

impl Collecting {
    pub fn new(places: impl IntoIterator<Item = Place>) -> Self {
        Self {
            next: places.into_iter().map(|place| (place, 0)).collect(),
        }
    }
}

impl Fold for Collecting {
    fn absorb(&mut self, record: &LogRecord) -> Result<(), FoldError> {
        let next = self
            .next
            .get_mut(&record.place)
            .ok_or(FoldError::UnknownPlace { place: record.place })?;
        *next = record.offset + 1;
        Ok(())
    }

    fn mark(&self) -> i64 {
        self.next.values().sum()
    }

    fn positions(&self) -> BTreeMap<Place, i64> {
        self.next.clone()
    }

    fn wants(&self, place: Place) -> bool {
        self.next.contains_key(&place)
    }

    fn take_outbox(&mut self) -> Vec<OutRecord> {
        Vec::new()
    }

    fn snapshot(&self) -> Result<Vec<u8>, FoldError> {
        Ok(postcard::to_stdvec(self)?)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<(), FoldError> {
        *self = postcard::from_bytes(snapshot)?;
        Ok(())
    }
}
