//! What the tests share: a broker to test, real clients, and waiting with a deadline.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Long enough for a slow machine; nothing waits this long unless something is wrong.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A broker on a temporary directory, with a runtime of its own.
pub struct TestBroker {
    pub runtime: Runtime,
    pub dir: TempDir,
    running: Option<RunningBroker>,
    adjust: fn(&mut BrokerConfig),
    bootstrap: String,
}

impl TestBroker {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(adjust: fn(&mut BrokerConfig)) -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut broker = Self {
            runtime,
            dir,
            running: None,
            adjust,
            bootstrap: "127.0.0.1:0".to_owned(),
        };
        broker.open();
        broker
    }

    fn open(&mut self) {
        let mut config = BrokerConfig::new(self.dir.path());
        config.listen = self.bootstrap.parse().unwrap();
        (self.adjust)(&mut config);
        let running = self.runtime.block_on(Broker::start(config)).unwrap();
        self.bootstrap = running.bootstrap();
        self.running = Some(running);
    }

    /// Stops the broker in good order and starts it again on the same port.
    pub fn restart(&mut self) {
        self.stop();
        self.open();
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown());
        }
    }

    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub fn client(&self) -> ClientConfig {
        client(&self.bootstrap)
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let topic = configs.iter().fold(
            NewTopic::new(name, partitions, TopicReplication::Fixed(1)),
            |topic, (k, v)| topic.set(k, v),
        );
        let results = self
            .runtime
            .block_on(self.admin().create_topics([&topic], &AdminOptions::new()))
            .unwrap();
        results.into_iter().for_each(|result| drop(result.unwrap()));
    }

    pub fn partition_dir(&self, topic: &str, partition: i32) -> std::path::PathBuf {
        self.dir.path().join("topics").join(topic).join(partition.to_string())
    }
}

pub fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("broker.address.family", "v4");
    config
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "200");
    config
}

/// Produces `(key, value)` pairs to partition 0 and waits for every acknowledgement.
pub fn produce(config: &ClientConfig, topic: &str, pairs: impl IntoIterator<Item = (String, Option<Vec<u8>>)>) {
    let producer: ThreadedProducer<Count> = config.create_with_context(Count::default()).unwrap();
    let mut sent = 0;
    for (key, value) in pairs {
        let mut record = BaseRecord::to(topic).key(&key).partition(0);
        if let Some(value) = &value {
            record = record.payload(value);
        }
        while let Err((KafkaError::MessageProduction(_), back)) = producer.send(record) {
            producer.flush(Duration::from_millis(10)).ok();
            record = back;
        }
        sent += 1;
    }
    producer.flush(DEADLINE).unwrap();
    assert_eq!(producer.context().delivered(), sent, "every record is acknowledged");
}

pub fn numbered(range: std::ops::Range<usize>) -> impl Iterator<Item = (String, Option<Vec<u8>>)> {
    range.map(|at| (format!("key-{at}"), Some(format!("value-{at}").into_bytes())))
}

/// Counts what the broker acknowledged.
#[derive(Default)]
pub struct Count {
    good: std::sync::atomic::AtomicUsize,
}

impl Count {
    pub fn delivered(&self) -> usize {
        self.good.load(std::sync::atomic::Ordering::SeqCst)
    }
}

impl rdkafka::ClientContext for Count {}

impl rdkafka::producer::ProducerContext for Count {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::producer::DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => drop(self.good.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
            Err((error, _)) => eprintln!("not delivered: {error}"),
        }
    }
}

/// A record as a consumer saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub offset: i64,
    pub key: String,
    pub value: Option<Vec<u8>>,
}

/// Reads partition 0 from an offset to its present end.
pub fn read_from(config: &ClientConfig, topic: &str, offset: Offset) -> Vec<Seen> {
    let mut config = config.clone();
    config
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    config.set("auto.offset.reset", "error").set("check.crcs", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, offset).unwrap();
    consumer.assign(&assignment).unwrap();
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Vec::new();
    loop {
        assert!(
            Instant::now() < deadline,
            "{} records of {topic} and no end",
            seen.len()
        );
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => seen.push(Seen {
                offset: message.offset(),
                key: String::from_utf8(message.key().unwrap_or_default().to_vec()).unwrap(),
                value: message.payload().map(<[u8]>::to_vec),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => return seen,
            Some(Err(error)) => panic!("{error}"),
        }
    }
}

pub fn read_all(config: &ClientConfig, topic: &str) -> Vec<Seen> {
    read_from(config, topic, Offset::Beginning)
}

pub fn keys(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|record| record.key.as_str()).collect()
}

/// Waits until a condition holds.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(outcome) = condition() {
            return outcome;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

pub fn segment_count(dir: &Path) -> usize {
    let files = std::fs::read_dir(dir).unwrap();
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "log"))
        .count()
}
