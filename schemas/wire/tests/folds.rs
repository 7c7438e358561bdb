//! F-3 with the folds that are shipped: four partitions of events, two summarise tasks and watch on simulated logs and a
//! simulated store. Interrupted at random, one task far ahead of the other, the numbered summaries and the incidents are
//! byte-equal to the undisturbed run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test may fail")]

mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use dialtone_processor::{Summarise, SummariseConfig, Watch, WatchConfig};
use dialtone_schemas::{
    Alert, Change, Complaint, Event, EventTime, Incident, Summary, avro, measure::Ratio, time, topic::Topic,
};
use dialtone_wire::{
    Delivered, Delivery, Fold, LogRecord, OutRecord, Payload, Place, PublishError,
    fold::{
        chain::Chain,
        driver::{Driver, Outcome},
        store::{Fault, MemoryStore},
    },
};

const PARTITIONS: i32 = 4;
const MINUTES: i64 = 100;
const CALLS: i64 = 6;
const SEEDS: u64 = 150;
const START: i64 = 1_772_442_000_000_000; // 2026-03-02 09:00 UTC

/// Small, seeded, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

type Logs = BTreeMap<Place, Vec<(Bytes, Payload)>>;

fn at(micros: i64) -> EventTime {
    EventTime::from_micros(START + micros)
}

/// Calls of three sites in every minute; one site turns bad after an hour. Some reports come twice, some late, some from the
/// future, some again in a higher revision that says something else; changes and complaints, some of them late or from the
/// future; clocks in every log.
fn input() -> Logs {
    let mut dice = Dice(99);
    let mut logs = Logs::new();
    for minute in 0..MINUTES {
        for partition in 0..PARTITIONS {
            let log = logs.entry((Topic::Events, partition)).or_default();
            for call in 0..CALLS {
                let site = ["berlin", "paris", "oslo"][dice.below(3)];
                let bad = site == "paris" && minute >= 60 && !dice.one_in(4);
                let late = if dice.one_in(40) { 30 } else { 0 };
                let ahead = if dice.one_in(60) { time::DAY } else { 0 };
                let end = at((minute - late) * time::MINUTE + call * 7 * time::SECOND + ahead);
                let text = |name: &str| format!("{name}-{minute}-{partition}-{call}");
                let id = dialtone_schemas::event::EventId::derive([text("e").as_str()]);
                let json = serde_json::json!({
                    "event_id": id.to_string(), "tenant": "acme", "source": "http", "kind": "interval", "call_id": text("c"),
                    "start": micros(end.plus(-time::MINUTE)), "end": micros(end), "received_at": micros(end.plus(late * time::MINUTE - ahead)),
                    "near": {"site": site, "segment": format!("{site}-{}", call % 2), "headset": format!("h{}", dice.below(3))},
                    "packets": {"loss_ratio": if bad { 0.2 } else { 0.001 }},
                    "delay": {"jitter_ms": if bad { 80.0 } else { 4.0 }, "rtt_ms": 40.0},
                });
                let mut event: Event = serde_json::from_value(json).unwrap();
                let frame: Bytes = avro::built_in_frame_from(&event).unwrap().into();
                for _ in 0..if dice.one_in(10) { 2 } else { 1 } {
                    log.push((Bytes::from(text("acme|c")), Payload::Value(frame.clone())));
                }
                if dice.one_in(12) {
                    event.revision += 1;
                    event.packets.loss_ratio = Some(Ratio::new(if bad { 0.001 } else { 0.2 }).unwrap());
                    let revised = avro::built_in_frame_from(&event).unwrap().into();
                    log.push((Bytes::from(text("acme|c")), Payload::Value(revised)));
                }
            }
            log.push((Bytes::new(), Payload::Clock(at((minute + 1) * time::MINUTE))));
        }
        for place in others() {
            let log = logs.entry(place).or_default();
            // Every seventh minute something is told: of now, of an hour ago, or of next year.
            if (minute + i64::from(place.1)) % 7 == 0 {
                let when = [0, -time::HOUR, 365 * time::DAY][dice.below(3)];
                log.extend(report(place, minute, at(minute * time::MINUTE + when)));
            }
            log.push((Bytes::new(), Payload::Clock(at((minute + 1) * time::MINUTE))));
        }
    }
    for place in logs.keys().copied().collect::<Vec<_>>() {
        let end = Payload::Clock(at((MINUTES + 10) * time::MINUTE));
        logs.entry(place).or_default().push((Bytes::new(), end));
    }
    logs
}

/// A change or a complaint about the site that turns bad.
fn report((topic, partition): Place, minute: i64, when: EventTime) -> Option<(Bytes, Payload)> {
    let id = format!("{}-{minute}-{partition}", topic.suffix());
    let frame = match topic {
        Topic::Changes => {
            let change: Change = serde_json::from_value(serde_json::json!({
                "change_id": id, "tenant": "acme", "kind": "route", "started_at": micros(when), "scope": {"site": ["paris"]},
            }))
            .unwrap();
            avro::built_in_frame_from(&change)
        }
        Topic::Complaints => {
            let complaint: Complaint = serde_json::from_value(serde_json::json!({
                "complaint_id": id, "tenant": "acme", "complained_at": micros(when), "near": {"site": "paris"},
            }))
            .unwrap();
            avro::built_in_frame_from(&complaint)
        }
        _ => return None,
    };
    Some((Bytes::from(id), Payload::Value(frame.unwrap().into())))
}

fn micros(time: EventTime) -> serde_json::Value {
    serde_json::to_value(time).unwrap()
}

fn others() -> Vec<Place> {
    vec![
        (Topic::Changes, 0),
        (Topic::Changes, 1),
        (Topic::Complaints, 0),
        (Topic::Control, 0),
    ]
}

fn summaries() -> impl Iterator<Item = Place> {
    (0..PARTITIONS).map(|p| (Topic::Summaries, p))
}

fn watch_config() -> WatchConfig {
    let minutes = |n| serde_json::from_value(serde_json::json!(format!("{n}m"))).unwrap();
    WatchConfig {
        warm_up: minutes(20),
        hold_off: minutes(10),
        ..WatchConfig::default()
    }
}

fn summarise(partition: i32) -> Summarise {
    Summarise::new(SummariseConfig::default(), partition, 0)
}

fn watch() -> Watch {
    Watch::new(watch_config(), summaries().chain(others()).map(|place| (place, 0)))
}

/// What was told, with repeats removed: summaries by partition and number, incidents and alerts by id and revision. Two
/// meanings under one key fail.
fn told(logs: &Logs) -> BTreeMap<String, Bytes> {
    let mut told = BTreeMap::new();
    for ((topic, partition), records) in logs {
        for (_, payload) in records {
            let Payload::Value(frame) = payload else { continue };
            let key = match topic {
                Topic::Summaries => {
                    let summary: Summary = avro::record_from_built_in_frame(frame).unwrap();
                    format!("summary {partition} {:012}", summary.number)
                }
                Topic::Incidents => {
                    let incident: Incident = avro::record_from_built_in_frame(frame).unwrap();
                    format!("incident {} {:06}", incident.id.as_str(), incident.revision)
                }
                Topic::Alerts => {
                    let alert: Alert = avro::record_from_built_in_frame(frame).unwrap();
                    format!("alert {} {:06}", alert.incident.id.as_str(), alert.incident.revision)
                }
                Topic::Late | Topic::Rejects => format!("{topic:?} {:?}", blake3::hash(frame)),
                _ => continue,
            };
            let known = told.entry(key.clone()).or_insert_with(|| frame.clone());
            assert!(known == frame, "two meanings of {key}");
        }
    }
    told
}

fn write(logs: &mut Logs, record: &OutRecord) {
    let place = (record.topic, record.partition.unwrap_or(0));
    logs.entry(place)
        .or_default()
        .push((record.key.clone(), record.payload.clone()));
}

fn undisturbed(input: &Logs) -> BTreeMap<String, Bytes> {
    let mut logs = input.clone();
    let feed = |fold: &mut dyn Fold, logs: &mut Logs, place: Place| {
        for (offset, (key, payload)) in logs[&place].clone().into_iter().enumerate() {
            let offset = i64::try_from(offset).unwrap();
            fold.absorb(&LogRecord {
                place,
                offset,
                key,
                payload,
            })
            .unwrap();
        }
        for record in fold.take_outbox() {
            write(logs, &record);
        }
    };
    for partition in 0..PARTITIONS {
        feed(&mut summarise(partition), &mut logs, (Topic::Events, partition));
    }
    let mut watch = watch();
    for place in summaries().chain(others()) {
        feed(&mut watch, &mut logs, place);
    }
    told(&logs)
}

struct World {
    dice: Dice,
    store: Arc<MemoryStore>,
    logs: Logs,
}

impl World {
    fn recover<F: Fold>(&mut self, folder: &str, fresh: impl Fn() -> F) -> Driver<F> {
        loop {
            let chain = Chain::new(Arc::clone(&self.store) as _, folder);
            match Driver::recover(
                chain,
                &BTreeMap::from([(Topic::Events, PARTITIONS)]),
                "c",
                Duration::ZERO,
                &fresh,
            ) {
                Ok(driver) => return driver,
                Err(error) => assert!(error.is_store(), "{error}"),
            }
        }
    }

    /// One turn of one driver. False if it has lost its chain.
    fn turn<F: Fold>(&mut self, driver: &mut Driver<F>, faulty: bool) -> bool {
        for (place, next) in driver.positions() {
            let many = self.dice.below(120);
            let next = usize::try_from(next).unwrap();
            let held = self.logs.get(&place).map_or(0, Vec::len);
            for offset in next..held.min(next + many) {
                if !driver.fold().wants(place) {
                    break;
                }
                let (key, payload) = self.logs[&place][offset].clone();
                driver
                    .absorb(&LogRecord {
                        place,
                        offset: i64::try_from(offset).unwrap(),
                        key,
                        payload,
                    })
                    .unwrap();
            }
        }
        if faulty && self.dice.one_in(3) {
            return true; // it does no more for now
        }
        if faulty {
            let fault = [Fault::None, Fault::Before, Fault::After, Fault::Spurious];
            let faults: Vec<_> = (0..self.dice.below(7)).map(|_| fault[self.dice.below(4)]).collect();
            self.store.inject(faults);
        }
        match driver.checkpoint(Duration::ZERO) {
            Ok(Outcome::Lost) => return false,
            Ok(Outcome::Appended | Outcome::Nothing) => {}
            Err(error) => assert!(error.is_store(), "{error}"),
        }
        if faulty && self.dice.one_in(4) {
            return true;
        }
        let mut deliveries: Vec<Delivery> = Vec::new();
        for record in driver.outgoing().to_vec() {
            let fate = if faulty { self.dice.below(100) } else { 99 };
            if fate != 0 {
                write(&mut self.logs, &record);
            }
            let failed = PublishError::Unavailable {
                topic: "t".into(),
                reason: "injected".into(),
            };
            deliveries.push(if fate <= 1 {
                Err(failed)
            } else {
                Ok(Delivered {
                    partition: 0,
                    offset: 0,
                })
            });
        }
        driver.settle(&deliveries).unwrap();
        true
    }
}

fn interrupted(seed: u64, input: &Logs) -> BTreeMap<String, Bytes> {
    let mut world = World {
        dice: Dice(seed),
        store: Arc::default(),
        logs: input.clone(),
    };
    let folder = |partition: i32| format!("summarise/{partition:05}");
    let mut tasks: Vec<(i32, Driver<Summarise>)> = Vec::new();
    let mut watches: Vec<Driver<Watch>> = Vec::new();
    for round in 0..400 {
        // Partitions 0 and 1 are far ahead of 2 and 3 in the first part.
        let partition = i32::try_from(world.dice.below(if round < 60 { 2 } else { 4 })).unwrap();
        match world.dice.below(10) {
            0 => {
                let driver = world.recover(&folder(partition), || summarise(partition));
                tasks.push((partition, driver)); // perhaps beside one that does not know it yet
            }
            1 if watches.len() < 2 => {
                let driver = world.recover("watch/all", watch);
                watches.push(driver);
            }
            2 if !tasks.is_empty() && (tasks.len() > 6 || world.dice.one_in(2)) => {
                let at = world.dice.below(tasks.len());
                tasks.swap_remove(at);
            }
            3 if !watches.is_empty() && world.dice.one_in(3) => {
                let at = world.dice.below(watches.len());
                watches.swap_remove(at);
            }
            4..7 if !watches.is_empty() => {
                let at = world.dice.below(watches.len());
                if !world.turn(&mut watches[at], true) {
                    watches.swap_remove(at);
                }
            }
            _ if !tasks.is_empty() => {
                let at = world.dice.below(tasks.len());
                if !world.turn(&mut tasks[at].1, true) {
                    tasks.swap_remove(at);
                }
            }
            _ => {}
        }
    }
    // The faults end, and somebody new does the rest.
    let mut tasks: Vec<_> = (0..PARTITIONS)
        .map(|p| (p, world.recover(&folder(p), || summarise(p))))
        .collect();
    let mut watching = world.recover("watch/all", watch);
    for _ in 0..3000 {
        for (partition, driver) in &mut tasks {
            if !world.turn(driver, false) {
                *driver = world.recover(&folder(*partition), || summarise(*partition));
            }
        }
        if !world.turn(&mut watching, false) {
            watching = world.recover("watch/all", watch);
        }
        let read =
            |(place, next): (Place, i64)| usize::try_from(next).unwrap() == world.logs.get(&place).map_or(0, Vec::len);
        let quiet = |done: bool, positions: BTreeMap<Place, i64>| done && positions.into_iter().all(read);
        if tasks
            .iter()
            .all(|(_, driver)| quiet(driver.is_quiet(), driver.positions()))
            && quiet(watching.is_quiet(), watching.positions())
        {
            return told(&world.logs);
        }
    }
    panic!("seed {seed}: no end");
}

/// F-3
#[test]
fn summaries_and_incidents_are_byte_equal_however_often_the_stages_are_interrupted() {
    let input = input();
    let expected = undisturbed(&input);
    let of = |kind: &str| expected.keys().filter(|key| key.starts_with(kind)).count();
    assert!(
        of("summary") > 1000 && of("incident") > 0 && of("Late") > 0,
        "{} {} {}",
        of("summary"),
        of("incident"),
        of("Late")
    );
    for seed in 0..SEEDS {
        let got = interrupted(seed, &input);
        let missing: Vec<_> = expected.keys().filter(|key| !got.contains_key(*key)).take(3).collect();
        let other: Vec<_> = got
            .iter()
            .filter(|(key, value)| expected.get(*key) != Some(value))
            .map(|(k, _)| k)
            .take(3)
            .collect();
        assert!(
            missing.is_empty() && other.is_empty(),
            "seed {seed}: missing {missing:?}, other {other:?}"
        );
    }
}
