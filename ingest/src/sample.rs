//! What the tests of this crate begin with.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use dialtone_schemas::{Event, EventTime, Record, Text, avro, topic::Topic};
use dialtone_wire::{Delivered, Deliveries, Delivery, OutRecord, Payload, Publish, PublishError};

use crate::{
    IngestService, Normaliser, PrivacyKey, PrivacyRules, Sites, config::Bounds, emodel::ScoringRules,
    normalise::IngestRules,
};

/// Two networks: an office's Wi-Fi and a VPN.
pub(crate) const SITES: &str = "10.1.0.0,berlin-wifi-2,22,berlin-b1,Leased,Office,Office,Berlin,10115,DE,,emea,1,0,0\n\
                                10.200.0.0,vpn-emea,16,vpn-emea,,,,remote-emea,,,,,0,0,1\n";

pub(crate) fn text(value: &str) -> Text {
    Text::new(value).expect("a text")
}

pub(crate) fn rules() -> IngestRules {
    IngestRules {
        sites: Sites::read(SITES.as_bytes()).expect("a building file"),
        key: PrivacyKey::from_bytes([7; 32]),
        privacy: PrivacyRules::default(),
        scoring: ScoringRules::default(),
    }
}

/// A minute of G.711 with 2 % loss, 80 ms round trip, 5 ms jitter, as a door takes it.
pub(crate) fn event() -> Event {
    serde_json::from_value(serde_json::json!({
        "kind": "interval",
        "call_id": "6dg37f1890463",
        "leg_id": "a",
        "start": "2026-03-02T09:00:00Z",
        "end": "2026-03-02T09:01:00Z",
        "near": {"codec": "pcmu"},
        "near_endpoint": {"address": "10.1.0.77", "user": "anna@example.org", "device_id": "lap-0001"},
        "media": {"concealment": true},
        "packets": {"loss_ratio": 0.02},
        "delay": {"rtt_ms": 80, "jitter_ms": 5},
    }))
    .expect("an event")
}

/// Half a minute after the sample event's end.
pub(crate) fn now() -> EventTime {
    EventTime::parse("2026-03-02T09:01:30Z").expect("an instant")
}

/// A log in memory that acknowledges, or does not, on command.
#[derive(Default)]
pub(crate) struct Memory {
    log: Mutex<Vec<OutRecord>>,
    is_down: AtomicBool,
    refuses_events: AtomicBool,
}

impl Memory {
    pub(crate) fn records(&self, topic: Topic) -> Vec<OutRecord> {
        let log = self.log.lock().expect("lock");
        log.iter().filter(|record| record.topic == topic).cloned().collect()
    }

    pub(crate) fn read<R: Record>(&self, topic: Topic) -> Vec<R> {
        let frame = |record: &OutRecord| match &record.payload {
            Payload::Value(frame) => Some(avro::record_from_built_in_frame(frame).expect("a record")),
            _ => None,
        };
        self.records(topic).iter().filter_map(frame).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.read(Topic::Events)
    }

    /// All bytes that were published.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let of = |record: &OutRecord| match &record.payload {
            Payload::Value(frame) => [&record.key[..], &frame[..]].concat(),
            _ => record.key.to_vec(),
        };
        self.log.lock().expect("lock").iter().flat_map(of).collect()
    }

    pub(crate) fn goes_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    pub(crate) fn refuses_events(&self) {
        self.refuses_events.store(true, Ordering::Relaxed);
    }

    fn deliver(&self, record: OutRecord) -> Delivery {
        let (topic, reason) = (record.topic.suffix().to_owned(), "on command".to_owned());
        if self.is_down.load(Ordering::Relaxed) {
            return Err(PublishError::Unavailable { topic, reason });
        }
        if record.topic == Topic::Events && self.refuses_events.load(Ordering::Relaxed) {
            return Err(PublishError::Refused { topic, reason });
        }
        let mut log = self.log.lock().expect("lock");
        log.push(record);
        Ok(Delivered {
            partition: 0,
            offset: i64::try_from(log.len()).expect("few") - 1,
        })
    }
}

impl Publish for Memory {
    fn publish(&self, records: Vec<OutRecord>) -> Deliveries<'_> {
        Box::pin(async move { records.into_iter().map(|record| self.deliver(record)).collect() })
    }

    fn partitions(&self, topic: Topic) -> i32 {
        if topic.single_partition() { 1 } else { 2 }
    }
}

/// A service that publishes into memory, at [`now`].
pub(crate) fn service() -> (Arc<IngestService>, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    let publish = Arc::<Memory>::clone(&memory);
    let service = IngestService::new(Normaliser::new(rules()), publish, Bounds::default(), Arc::new(now));
    (Arc::new(service), memory)
}
