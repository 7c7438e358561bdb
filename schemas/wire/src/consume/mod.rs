//! The consumer: batches from the log, on the thread that owns it.
//!
//! It reads either places it is told ([`Consumer::manual`]), or those a group gives it ([`Consumer::group`]). Where to begin
//! is always said by the caller, never by Kafka's committed offset.

mod batch;
mod context;

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::CStr,
    fmt,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialtone_schemas::{
    EventTime,
    topic::{ABSENT_HEADER, CLOCK_HEADER, CONFIG_HEADER, Topic},
};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::{
    LogRecord, Payload, Place,
    config::{KafkaConfig, Role},
    registry::Translator,
};
use batch::{Headers, Queue, Taken};
pub(crate) use context::log;
use context::{Context, Rebalance};

/// Records of one place held for the fold; beyond, its fetching is paused.
const HIGH_RECORDS: usize = 50_000;
/// Bytes of one place held for the fold; beyond, its fetching is paused.
const HIGH_BYTES: usize = 16 * 1024 * 1024;
/// Fetching goes on when less than this part of a bound is left.
const LOW_PART: usize = 4;
/// How long the broker may take to say where a log begins.
const ANSWER: Duration = Duration::from_secs(15);
/// The pause before it is asked again, while its leaders settle.
const SETTLING: Duration = Duration::from_millis(50);

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// librdkafka refuses, or the broker does not answer.
    #[error("{doing}: {reason}")]
    Broker {
        /// What was attempted.
        doing: String,
        /// In librdkafka's words.
        reason: String,
    },
    /// The wanted position is not in the log: retention has overtaken the reader, or the topic was made anew.
    #[error(
        "{topic} partition {partition}: position {wanted} is not in the log, which holds {low} to {high}: retention has \
         overtaken the reader or the topic was created anew. What is missing cannot be read any more; start a new chain \
         (another state folder) to accept the gap"
    )]
    PositionLost {
        /// The topic's name.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Where reading should have gone on.
        wanted: i64,
        /// The first offset there is.
        low: i64,
        /// The next offset to be written.
        high: i64,
    },
    /// The client is broken for good.
    #[error("consumer failed for good: {reason}")]
    Fatal {
        /// In librdkafka's words.
        reason: String,
    },
}

/// A change of what may be read. Obey it before the next poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// These places are ours now: answer with [`Consumer::assign`].
    Given(Vec<Place>),
    /// Nothing is ours any more: stop what reads, then answer with [`Consumer::release`].
    Taken,
}

#[derive(Debug, Default)]
struct Lane {
    records: VecDeque<LogRecord>,
    bytes: usize,
    /// The next offset wanted from the broker.
    next: i64,
    paused: bool,
    at_end: bool,
    /// Has anything come since the last assignment?
    arrived: bool,
}

impl Lane {
    fn full(&self) -> bool {
        self.records.len() >= HIGH_RECORDS || self.bytes >= HIGH_BYTES
    }

    fn low(&self) -> bool {
        self.records.len() < HIGH_RECORDS / LOW_PART && self.bytes < HIGH_BYTES / LOW_PART
    }
}

/// Reads logs. It lives on one thread; nothing in it is shared.
pub struct Consumer {
    queue: Queue,
    inner: Arc<BaseConsumer<Context>>,
    names: BTreeMap<Topic, String>,
    topics: BTreeMap<String, Topic>,
    lanes: BTreeMap<Place, Lane>,
    translator: Option<Arc<Translator>>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("places", &self.lanes.keys())
            .finish_non_exhaustive()
    }
}

/// Does the cluster still agree on who leads? So it is for a moment after a topic was made, or a broker has gone.
fn is_settling(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

fn broker(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> ConsumeError {
    |error| ConsumeError::Broker {
        doing: doing.into(),
        reason: error.to_string(),
    }
}

impl Consumer {
    /// Reads places it is told with [`Consumer::assign`]. The group only serves to show its progress.
    pub fn manual(
        config: &KafkaConfig,
        group: &str,
        translator: Option<Arc<Translator>>,
    ) -> Result<Self, ConsumeError> {
        let inner: BaseConsumer<Context> = config
            .client(Role::Consumer { group })
            .create_with_context(Context::default())
            .map_err(broker("create the consumer"))?;
        let inner = Arc::new(inner);
        let names: BTreeMap<Topic, String> = Topic::ALL.into_iter().map(|t| (t, config.topic_name(t))).collect();
        let topics = names.iter().map(|(topic, name)| (name.clone(), *topic)).collect();
        let queue = Queue::new(Arc::clone(&inner));
        Ok(Self {
            queue,
            inner,
            names,
            topics,
            lanes: BTreeMap::new(),
            translator,
        })
    }

    /// Joins a group that shares the partitions of one topic.
    pub fn group(
        config: &KafkaConfig,
        group: &str,
        topic: Topic,
        translator: Option<Arc<Translator>>,
    ) -> Result<Self, ConsumeError> {
        let consumer = Self::manual(config, group, translator)?;
        let name = &consumer.names[&topic];
        consumer
            .inner
            .subscribe(&[name])
            .map_err(broker(format!("join group {group} for {name}")))?;
        Ok(consumer)
    }

    /// The partitions each of these topics has on the broker.
    pub fn partition_counts(&self, topics: &[Topic]) -> Result<BTreeMap<Topic, i32>, ConsumeError> {
        let mut counts = BTreeMap::new();
        for topic in topics {
            let name = &self.names[topic];
            let metadata = self
                .inner
                .fetch_metadata(Some(name), ANSWER)
                .map_err(broker(format!("ask for the partitions of {name}")))?;
            match crate::topics::partitions_in(&metadata, &self.topics).get(topic) {
                Some(count) => counts.insert(*topic, *count),
                None => {
                    let reason = "it does not exist: create all topics with `dialtone topics apply`".to_owned();
                    return Err(ConsumeError::Broker {
                        doing: format!("ask for the partitions of {name}"),
                        reason,
                    });
                }
            };
        }
        Ok(counts)
    }

    /// Where each of these logs begins.
    pub fn first_offsets(&self, places: &[Place]) -> Result<BTreeMap<Place, i64>, ConsumeError> {
        let first = |place: &Place| Ok((*place, self.ask_watermarks(*place)?.0));
        places.iter().map(first).collect()
    }

    /// What the group has committed of these places. It tells whether anybody has been here before, never where to begin.
    pub fn committed(&self, places: &[Place]) -> Result<BTreeMap<Place, i64>, ConsumeError> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in places {
            list.add_partition(&self.names[topic], *partition);
        }
        let committed = self.inner.committed_offsets(list, ANSWER);
        let committed = committed.map_err(broker("ask what the group has committed"))?;
        let known = |place: &Place| {
            let element = committed.find_partition(&self.names[&place.0], place.1)?;
            match element.offset() {
                Offset::Offset(offset) => Some((*place, offset)),
                _ => None,
            }
        };
        Ok(places.iter().filter_map(known).collect())
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a pause between two questions, with a deadline, on a thread of its own"
    )]
    fn ask_watermarks(&self, (topic, partition): Place) -> Result<(i64, i64), ConsumeError> {
        let name = &self.names[&topic];
        let doing = || format!("ask where {name} partition {partition} begins");
        let deadline = Instant::now() + ANSWER;
        loop {
            match self.inner.fetch_watermarks(name, partition, ANSWER) {
                Err(error) if is_settling(&error) && Instant::now() < deadline => std::thread::sleep(SETTLING),
                outcome => return outcome.map_err(|error| broker(doing())(error)),
            }
        }
    }

    /// Reads these places from these positions, and no others. What was read of them and not taken is dropped.
    pub fn assign(&mut self, positions: &BTreeMap<Place, i64>) -> Result<(), ConsumeError> {
        let mut list = TopicPartitionList::new();
        self.lanes.clear();
        for ((topic, partition), next) in positions {
            let name = &self.names[topic];
            let doing = || format!("read {name} partition {partition} from {next}");
            if !self.queue.divert(name, *partition) {
                return Err(ConsumeError::Broker {
                    doing: doing(),
                    reason: "its queue cannot be had".to_owned(),
                });
            }
            list.add_partition_offset(name, *partition, Offset::Offset(*next))
                .map_err(|error| broker(doing())(error))?;
            self.lanes.insert(
                (*topic, *partition),
                Lane {
                    next: *next,
                    ..Lane::default()
                },
            );
        }
        self.inner.assign(&list).map_err(broker("assign"))
    }

    /// Reads nothing any more, after [`Assignment::Taken`].
    pub fn release(&mut self) -> Result<(), ConsumeError> {
        self.lanes.clear();
        self.inner.unassign().map_err(broker("unassign"))
    }

    /// Waits for records at most so long. Answers a change of the assignment, which must be obeyed at once.
    pub fn poll(&mut self, wait: Duration) -> Result<Option<Assignment>, ConsumeError> {
        if let Some(assignment) = self.serve()? {
            return Ok(Some(assignment));
        }
        let Self {
            queue,
            topics,
            names,
            lanes,
            ..
        } = self;
        // A partition that was assigned before is first stopped, on librdkafka's own thread, and that undoes the diversion. It
        // is made again until something has come this way, which is always after the stop.
        for ((topic, partition), _) in lanes.iter().filter(|(_, lane)| !lane.arrived) {
            queue.divert(&names[topic], *partition);
        }
        let mut failed = None;
        queue.take(wait, |taken| match taken {
            Taken::Message {
                topic,
                partition,
                offset,
                key,
                value,
                headers,
            } => {
                let place = topics.get(topic).map(|topic| (*topic, partition));
                // Records of a place that was taken away meanwhile belong to its next reader.
                let Some((place, lane)) = place.and_then(|place| Some((place, lanes.get_mut(&place)?))) else {
                    return;
                };
                if offset < lane.next {
                    return; // fetched twice, around a pause
                }
                let record = record(place, offset, key, value, &headers);
                lane.bytes += size(&record);
                lane.next = offset + 1;
                (lane.at_end, lane.arrived) = (false, true);
                lane.records.push_back(record);
            }
            Taken::End {
                topic,
                partition,
                offset,
            } => {
                let place = topics.get(topic).map(|topic| (*topic, partition));
                if let Some(lane) = place.and_then(|place| lanes.get_mut(&place)) {
                    // Nothing but control records may lie between.
                    lane.next = lane.next.max(offset);
                    (lane.at_end, lane.arrived) = (true, true);
                }
            }
            Taken::Error {
                topic,
                partition,
                offset,
                code,
                text,
            } => {
                if failed.is_none() {
                    failed = Some((
                        topic.and_then(|t| topics.get(t)).map(|t| (*t, partition)),
                        offset,
                        code,
                        text,
                    ));
                }
            }
        });
        if let Some((place, offset, code, text)) = failed {
            self.judge(place, offset, code, text)?;
        }
        if let Some(translator) = &self.translator {
            for record in self.lanes.values().filter_map(|lane| lane.records.front()) {
                translator.learn(&record.payload);
            }
        }
        self.pace()?;
        Ok(None)
    }

    /// Rebalances and the client's errors.
    fn serve(&mut self) -> Result<Option<Assignment>, ConsumeError> {
        match self.inner.poll(Duration::ZERO) {
            None | Some(Ok(_)) => {}
            Some(Err(error)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                self.judge(None, -1, code, error.to_string())?;
            }
        }
        if let Some((code, reason)) = self.inner.client().fatal_error() {
            return Err(ConsumeError::Fatal {
                reason: format!("{code}: {reason}"),
            });
        }
        let place = |(name, partition): (String, i32)| Some((*self.topics.get(&name)?, partition));
        Ok(self.inner.context().take().map(|rebalance| match rebalance {
            Rebalance::Assign(list) => Assignment::Given(list.into_iter().filter_map(place).collect()),
            Rebalance::Revoke => Assignment::Taken,
        }))
    }

    /// Which errors end the reading? librdkafka recovers from the others by itself.
    fn judge(
        &self,
        place: Option<Place>,
        offset: i64,
        code: RDKafkaErrorCode,
        text: String,
    ) -> Result<(), ConsumeError> {
        match (code, place) {
            (RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange, Some(place)) => {
                let (low, high) = self.ask_watermarks(place).unwrap_or((-1, -1));
                let wanted = self.lanes.get(&place).map_or(offset, |lane| lane.next);
                Err(ConsumeError::PositionLost {
                    topic: self.names[&place.0].clone(),
                    partition: place.1,
                    wanted,
                    low,
                    high,
                })
            }
            (RDKafkaErrorCode::Fatal, _) => Err(ConsumeError::Fatal { reason: text }),
            (
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed,
                _,
            ) => {
                let at = place.map_or_else(String::new, |(t, p)| format!("{} partition {p}", self.names[&t]));
                Err(ConsumeError::Broker {
                    doing: format!("read {at}"),
                    reason: text,
                })
            }
            _ => {
                tracing::warn!(?place, ?code, text, "reading was disturbed, it goes on");
                metrics::counter!("dialtone_consumer_disturbances_total").increment(1);
                Ok(())
            }
        }
    }

    /// Pauses the places that hold enough, resumes those that hold little again (F-4).
    fn pace(&mut self) -> Result<(), ConsumeError> {
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        for ((topic, partition), lane) in &mut self.lanes {
            if !lane.paused && lane.full() {
                pause.add_partition(&self.names[topic], *partition);
                lane.paused = true;
            } else if lane.paused && lane.low() {
                resume.add_partition(&self.names[topic], *partition);
                lane.paused = false;
            }
        }
        if pause.count() > 0 {
            self.inner.pause(&pause).map_err(broker("pause"))?;
        }
        if resume.count() > 0 {
            self.inner.resume(&resume).map_err(broker("resume"))?;
        }
        Ok(())
    }

    /// The next record of a place. None also while the registry has not told yet what its schema is.
    pub fn take(&mut self, place: Place) -> Option<LogRecord> {
        let lane = self.lanes.get_mut(&place)?;
        let first = lane.records.front()?;
        if self
            .translator
            .as_ref()
            .is_some_and(|translator| translator.is_unknown(&first.payload))
        {
            return None;
        }
        let mut record = lane.records.pop_front()?;
        lane.bytes -= size(&record);
        if let Some(translator) = &self.translator {
            record.payload = translator.to_built_in(record.payload);
        }
        Some(record)
    }

    /// Is there a record of this place that can be taken?
    pub fn has(&self, place: Place) -> bool {
        self.lanes.get(&place).is_some_and(|lane| !lane.records.is_empty())
    }

    /// Has everything of this place been taken that was in the log when it was last asked?
    pub fn at_end(&self, place: Place) -> bool {
        self.lanes
            .get(&place)
            .is_some_and(|lane| lane.at_end && lane.records.is_empty())
    }

    /// Records between what was taken and the log's end; unknown before the first fetch.
    pub fn lag(&self, place: Place) -> Option<i64> {
        let lane = self.lanes.get(&place)?;
        let next_taken = lane.records.front().map_or(lane.next, |record| record.offset);
        let (_, high) = self.queue.watermarks(&self.names[&place.0], place.1)?;
        Some((high - next_taken).max(0))
    }

    /// Tells Kafka how far a checkpoint has got: a hint for people and tools, never read back (F-2).
    pub fn commit(&self, positions: &BTreeMap<Place, i64>) {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in positions {
            if let Err(error) = list.add_partition_offset(&self.names[topic], *partition, Offset::Offset(*next)) {
                tracing::debug!(%error, "commit hint");
            }
        }
        if let Err(error) = self.inner.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "commit hint");
        }
    }

    /// Leaves the group and closes, on a thread of its own: with the brokers gone that can take for ever. Answers whether it
    /// was done in time; if not, the thread is left behind.
    pub fn close(self, deadline: Duration) -> bool {
        let Self { queue, inner, .. } = self;
        inner.context().close();
        let (done, closed) = mpsc::sync_channel(1);
        let begun = Instant::now();
        let closing = std::thread::Builder::new()
            .name("dialtone-consumer-close".to_owned())
            .spawn(move || {
                inner.unsubscribe();
                if let Err(error) = inner.unassign() {
                    tracing::debug!(%error, "unassign while closing");
                }
                drop(queue);
                drop(inner);
                done.send(()).ok(); // the caller may have given up waiting
            });
        let in_time = closing.is_ok() && closed.recv_timeout(deadline).is_ok();
        if !in_time {
            tracing::warn!(waited = ?begun.elapsed(), "the consumer does not close: left behind");
        }
        in_time
    }
}

fn size(record: &LogRecord) -> usize {
    const OVERHEAD: usize = 96;
    let value = match &record.payload {
        Payload::Value(frame) => frame.len(),
        Payload::Config(json) => json.len(),
        Payload::Clock(_) | Payload::Absent(_) | Payload::Empty => 0,
    };
    value + record.key.len() + OVERHEAD
}

/// A message as the folds see it. Key and value share one allocation.
fn record(place: Place, offset: i64, key: &[u8], value: Option<&[u8]>, headers: &Headers<'_>) -> LogRecord {
    match value {
        Some(value) => {
            let mut both = Vec::with_capacity(key.len() + value.len());
            both.extend_from_slice(key);
            both.extend_from_slice(value);
            let value = Bytes::from(both);
            let key = value.slice(..key.len());
            LogRecord {
                place,
                offset,
                payload: Payload::Value(value.slice(key.len()..)),
                key,
            }
        }
        None => LogRecord {
            place,
            offset,
            key: Bytes::copy_from_slice(key),
            payload: payload_of_headers(headers),
        },
    }
}

/// What a record without value says.
fn payload_of_headers(headers: &Headers<'_>) -> Payload {
    let text = |name: &'static str| {
        let mut c_name = [0_u8; 32]; // the names are short and constant
        c_name.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        std::str::from_utf8(headers.get(CStr::from_bytes_until_nul(&c_name).ok()?)?).ok()
    };
    let time = |name| text(name).and_then(|t| t.parse().ok()).map(EventTime::from_micros);
    time(CLOCK_HEADER)
        .map(Payload::Clock)
        .or_else(|| time(ABSENT_HEADER).map(Payload::Absent))
        .or_else(|| text(CONFIG_HEADER).map(|json| Payload::Config(json.to_owned())))
        .unwrap_or(Payload::Empty)
}
