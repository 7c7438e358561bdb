//! The producer: one idempotent client, every delivery awaited, a bounded queue, order within a partition.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialtone_schemas::topic::{ABSENT_HEADER, CLOCK_HEADER, CONFIG_HEADER, Topic};
use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    Delivered, Deliveries, Delivery, OutRecord, Payload, Publish, PublishError,
    config::{KafkaConfig, Role},
    registry::Translator,
    topics::partitions_in,
};

/// Records on their way at once, in KiB; whoever publishes more waits.
const ROOM_KIB: usize = 128 * 1024;
/// Each record takes at least this much of the room: its header and its place in librdkafka's queue.
const LEAST_KIB: usize = 1;
/// How long the broker may take to name its topics.
const ANSWER: Duration = Duration::from_secs(15);
/// How often a full queue is tried again.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Why there is no publisher.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// librdkafka refuses the settings, or the broker does not answer.
    #[error("{doing}: {reason}")]
    Broker {
        /// What was attempted.
        doing: &'static str,
        /// In librdkafka's words.
        reason: String,
    },
    /// A topic is missing.
    #[error("topic {name} does not exist: create all with `dialtone topics apply`")]
    NoTopic {
        /// Its name.
        name: String,
    },
    /// A topic has another partition count than configured.
    #[error("topic {name} has {found} partition(s), {wanted} are configured: see `dialtone topics plan`")]
    Partitions {
        /// Its name.
        name: String,
        /// On the broker.
        found: i32,
        /// In the configuration.
        wanted: i32,
    },
}

/// Records were still on their way when the time to close was over.
#[derive(Debug, thiserror::Error)]
#[error("{left} record(s) not acknowledged when closing: {reason}")]
pub struct CloseError {
    /// How many.
    pub left: i32,
    /// In librdkafka's words.
    pub reason: String,
}

/// Publishes to Kafka.
///
/// Close it with [`KafkaPublisher::close`]: librdkafka purges the queue of a producer that is dropped.
pub struct KafkaPublisher {
    config: KafkaConfig,
    producer: RwLock<Arc<Client>>,
    names: BTreeMap<Topic, String>,
    partitions: BTreeMap<Topic, i32>,
    room: Arc<Semaphore>,
    translator: Option<Arc<Translator>>,
}

type Client = ThreadedProducer<Reports>;

impl fmt::Debug for KafkaPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaPublisher")
            .field("config", &self.config)
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl KafkaPublisher {
    /// Connects, and checks that every topic is there with the configured partitions.
    pub async fn connect(config: &KafkaConfig, translator: Option<Arc<Translator>>) -> Result<Self, ConnectError> {
        let client = Arc::new(client(config)?);
        let names: BTreeMap<Topic, String> = Topic::ALL.into_iter().map(|t| (t, config.topic_name(t))).collect();
        let partitions = known_partitions(&client, &names).await?;
        for (topic, name) in &names {
            let wanted = config.partitions_of(*topic);
            match partitions.get(topic) {
                None => return Err(ConnectError::NoTopic { name: name.clone() }),
                Some(found) if *found != wanted => {
                    return Err(ConnectError::Partitions {
                        name: name.clone(),
                        found: *found,
                        wanted,
                    });
                }
                Some(_) => {}
            }
        }
        Ok(Self {
            config: config.clone(),
            producer: RwLock::new(client),
            names,
            partitions,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            translator,
        })
    }

    /// Records that are not acknowledged yet.
    pub fn waiting(&self) -> i32 {
        self.client().in_flight_count()
    }

    /// Waits until everything is acknowledged, at most for so long.
    pub async fn close(self, deadline: Duration) -> Result<(), CloseError> {
        let client = self.client();
        drop(self);
        let flushed = tokio::task::spawn_blocking(move || {
            let flushed = client.flush(deadline);
            let left = client.in_flight_count();
            flushed.map_err(|error| CloseError {
                left,
                reason: error.to_string(),
            })
        });
        flushed.await.unwrap_or_else(|error| {
            Err(CloseError {
                left: -1,
                reason: error.to_string(),
            })
        })
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// After a fatal error a producer refuses everything; only a new one goes on. What the old one had queued comes back as
    /// not acknowledged.
    fn renew(&self, broken: &Arc<Client>) {
        let mut current = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, broken) {
            return; // another has done it
        }
        match client(&self.config) {
            Ok(fresh) => {
                tracing::warn!("producer replaced after a fatal error");
                *current = Arc::new(fresh);
            }
            Err(error) => tracing::error!(%error, "producer cannot be replaced"),
        }
    }

    async fn send(&self, record: OutRecord, slot: Slot) {
        let name = &self.names[&record.topic];
        let waited = Instant::now();
        let frame = self.frame(&record.payload);
        let mut opaque = Box::new(slot);
        loop {
            let client = self.client();
            let mut base = BaseRecord::<[u8], [u8], Box<Slot>>::with_opaque_to(name, opaque);
            if let Some(partition) = record.partition {
                base = base.partition(partition);
            }
            if !record.key.is_empty() {
                base = base.key(&record.key);
            }
            if let Some(frame) = &frame {
                base = base.payload(frame);
            }
            if let Some(headers) = headers_of(&record) {
                base = base.headers(headers);
            }
            let (error, back) = match client.send(base) {
                Ok(()) => return,
                Err(refused) => refused,
            };
            opaque = back.delivery_opaque;
            let code = error.rdkafka_error_code();
            if code == Some(RDKafkaErrorCode::Fatal) {
                self.renew(&client);
            }
            let again = matches!(code, Some(RDKafkaErrorCode::QueueFull | RDKafkaErrorCode::Fatal));
            if !again || waited.elapsed() > self.config.message_timeout() {
                opaque.settle(Err(judged(name, &error)));
                return;
            }
            tokio::time::sleep(FULL_QUEUE_PAUSE).await;
        }
    }

    /// The value on the wire: the frame under the registry's id, where there is one.
    fn frame(&self, payload: &Payload) -> Option<Bytes> {
        match payload {
            Payload::Value(frame) => Some(match &self.translator {
                Some(translator) => translator.to_registry(frame),
                None => frame.clone(),
            }),
            Payload::Clock(_) | Payload::Absent(_) | Payload::Config(_) | Payload::Empty => None,
        }
    }
}

impl Drop for KafkaPublisher {
    fn drop(&mut self) {
        let waiting = self.waiting();
        if waiting > 0 && Arc::strong_count(&self.client()) == 2 {
            tracing::error!(
                waiting,
                "a publisher was dropped with records on their way: they may be lost"
            );
        }
    }
}

impl Publish for KafkaPublisher {
    fn publish(&self, records: Vec<OutRecord>) -> Deliveries<'_> {
        Box::pin(async move {
            if records.is_empty() {
                return Vec::new();
            }
            let topics: Vec<Topic> = records.iter().map(|record| record.topic).collect();
            let (call, answer) = Call::new(records.len());
            for (index, record) in records.into_iter().enumerate() {
                let kib = ((record.payload.size() + record.key.len()) / 1024).clamp(LEAST_KIB, ROOM_KIB);
                let kib = u32::try_from(kib).unwrap_or(u32::MAX);
                // The semaphore is never closed.
                let Ok(room) = Arc::clone(&self.room).acquire_many_owned(kib).await else {
                    break;
                };
                let name = self.names[&record.topic].clone();
                self.send(
                    record,
                    Slot {
                        call: Arc::clone(&call),
                        index,
                        name,
                        _room: room,
                    },
                )
                .await;
            }
            drop(call);
            let unknown = |topic: &Topic| {
                let reason = "the producer is gone".to_owned();
                Err(PublishError::Unavailable {
                    topic: self.names[topic].clone(),
                    reason,
                })
            };
            let deliveries = answer.await.unwrap_or_else(|_| topics.iter().map(unknown).collect());
            for (topic, delivery) in topics.iter().zip(&deliveries) {
                let outcome = if delivery.is_ok() { "acknowledged" } else { "failed" };
                metrics::counter!("dialtone_published_total", "topic" => topic.suffix(), "outcome" => outcome)
                    .increment(1);
            }
            deliveries
        })
    }

    fn partitions(&self, topic: Topic) -> i32 {
        self.partitions
            .get(&topic)
            .copied()
            .unwrap_or_else(|| self.config.partitions_of(topic))
    }
}

fn client(config: &KafkaConfig) -> Result<Client, ConnectError> {
    let refused = |error: KafkaError| ConnectError::Broker {
        doing: "create the producer",
        reason: error.to_string(),
    };
    config
        .client(Role::Producer)
        .create_with_context(Reports)
        .map_err(refused)
}

async fn known_partitions(
    client: &Arc<Client>,
    names: &BTreeMap<Topic, String>,
) -> Result<BTreeMap<Topic, i32>, ConnectError> {
    const DOING: &str = "ask the broker for its topics";
    let names = names.iter().map(|(topic, name)| (name.clone(), *topic)).collect();
    let client = Arc::clone(client);
    let asked = tokio::task::spawn_blocking(move || {
        client
            .client()
            .fetch_metadata(None, ANSWER)
            .map(|metadata| partitions_in(&metadata, &names))
    });
    let failed = |reason: String| ConnectError::Broker { doing: DOING, reason };
    asked
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}

fn headers_of(record: &OutRecord) -> Option<OwnedHeaders> {
    let own = match &record.payload {
        Payload::Clock(time) => Some((CLOCK_HEADER, time.micros().to_string())),
        Payload::Absent(time) => Some((ABSENT_HEADER, time.micros().to_string())),
        Payload::Config(json) => Some((CONFIG_HEADER, json.clone())),
        Payload::Value(_) | Payload::Empty => None,
    };
    if own.is_none() && record.headers.is_empty() {
        return None;
    }
    let own = own.iter().map(|(key, value)| (*key, value.as_str()));
    let others = record.headers.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let insert = |headers: OwnedHeaders, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    };
    Some(own.chain(others).fold(OwnedHeaders::new(), insert))
}

/// May trying again help?
fn judged(topic: &str, error: &KafkaError) -> PublishError {
    let (topic, reason) = (topic.to_owned(), error.to_string());
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidMessage
            | RDKafkaErrorCode::InvalidRecord,
        ) => PublishError::Refused { topic, reason },
        _ => PublishError::Unavailable { topic, reason },
    }
}

/// What one call of `publish` waits for.
struct Call {
    deliveries: Mutex<Vec<Option<Delivery>>>,
    left: AtomicUsize,
    done: Mutex<Option<oneshot::Sender<Vec<Delivery>>>>,
}

impl Call {
    fn new(records: usize) -> (Arc<Self>, oneshot::Receiver<Vec<Delivery>>) {
        let (done, answer) = oneshot::channel();
        let call = Self {
            deliveries: Mutex::new(vec![None; records]),
            left: AtomicUsize::new(records),
            done: Mutex::new(Some(done)),
        };
        (Arc::new(call), answer)
    }

    fn settle(&self, index: usize, delivery: Delivery) {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(delivery);
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let deliveries = std::mem::take(&mut *self.deliveries.lock().unwrap_or_else(PoisonError::into_inner));
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(done) = done {
            // Nobody waits any more: the caller has gone, the records have not.
            drop(done.send(deliveries.into_iter().flatten().collect()));
        }
    }
}

/// One record's place in its call, and in the room.
struct Slot {
    call: Arc<Call>,
    index: usize,
    name: String,
    _room: OwnedSemaphorePermit,
}

impl Slot {
    fn settle(self, delivery: Delivery) {
        self.call.settle(self.index, delivery);
    }
}

/// Hears what became of each record.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        crate::consume::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Slot>;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: Box<Slot>) {
        let delivery = match result {
            Ok(message) => Ok(Delivered {
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(judged(&slot.name, error)),
        };
        slot.settle(delivery);
    }
}
