//! What the simulator sends is what the doors take: every report of two hours, each at its own door.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use dialtone_ingest::{
    IngestRules, IngestService, Normaliser, PrivacyKey, PrivacyRules, Sites,
    config::{Bounds, SipConfig},
    count::Door,
    emodel::ScoringRules,
    receive::{graph, json, sip_rtcpxr::SipServer},
    service::{Content, Fate, Report},
};
use dialtone_schemas::{Change, Complaint, Event, Source, Text, avro, time, topic::Topic};
use dialtone_simulator::{
    Deliveries as Arrived, Door as Way, Reporting, Scenario, Simulation, door_of, json_line,
    render::{graph::call_record, sip},
    scenario::Span,
};
use dialtone_wire::{Delivered, Deliveries, OutRecord, Payload, Publish};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Memory(Mutex<Vec<OutRecord>>);

impl Publish for Memory {
    fn publish(&self, records: Vec<OutRecord>) -> Deliveries<'_> {
        Box::pin(async move {
            let answers = records
                .iter()
                .map(|_| {
                    Ok(Delivered {
                        partition: 0,
                        offset: 0,
                    })
                })
                .collect();
            self.0.lock().expect("lock").extend(records);
            answers
        })
    }

    fn partitions(&self, _: Topic) -> i32 {
        1
    }
}

impl Memory {
    fn events(&self) -> Vec<Event> {
        let log = self.0.lock().expect("lock");
        let frames = log
            .iter()
            .filter(|record| record.topic == Topic::Events)
            .filter_map(|record| match &record.payload {
                Payload::Value(frame) => Some(frame),
                _ => None,
            });
        frames
            .map(|frame| avro::record_from_built_in_frame(frame).expect("an event"))
            .collect()
    }
}

/// Two hours from the scenario's first fault on, or from its start where it has none.
fn simulated() -> (Simulation, Arrived) {
    // What a phone repeats is a retransmission to SIP, and an event more to HTTP.
    let toml = include_str!("../simulator/scenarios/isp_at_site.toml");
    let scenario = Scenario {
        reporting: Reporting::perfect(),
        ..Scenario::from_toml(toml)
            .expect("a scenario")
            .with_history_of(Span(time::HOUR))
    };
    let mut simulation = Simulation::new(&scenario, 7);
    let from = simulation.truth().warm_up_until;
    simulation.advance(from);
    let arrived = simulation.advance(from.plus(2 * time::HOUR));
    (simulation, arrived)
}

fn rules(simulation: &Simulation) -> IngestRules {
    IngestRules {
        sites: Sites::read(simulation.sites_csv().as_bytes()).expect("the simulator's building file is in order"),
        key: PrivacyKey::from_bytes([7; 32]),
        privacy: PrivacyRules::default(),
        scoring: ScoringRules::default(),
    }
}

fn acme() -> Text {
    Text::new("acme").expect("text")
}

#[test]
fn every_line_is_taken_placed_and_scored() {
    let (simulation, arrived) = simulated();
    let normaliser = Normaliser::new(rules(&simulation));
    let lines: Vec<String> = arrived
        .events
        .iter()
        .map(|event| json_line(event).expect("JSON"))
        .collect();
    let began = Instant::now();
    let events: Vec<Event> = lines
        .iter()
        .map(|line| {
            json::read::<Event>(line.as_bytes())
                .and_then(|e| normaliser.event(e, &acme(), Source::Http, None))
                .expect("taken")
        })
        .collect();
    let took = began.elapsed();
    eprintln!(
        "{} events read and normalised in {took:?}: {:?} each",
        events.len(),
        took / u32::try_from(events.len()).expect("few")
    );
    assert!(events.len() > 10_000, "{}", events.len());
    assert!(
        events.iter().all(|e| e.near.site.is_some() && e.near.segment.is_some()),
        "all are placed"
    );
    let is_media = |e: &&Event| e.packets.loss_ratio.is_some();
    assert!(
        events.iter().filter(is_media).all(|e| e.score.is_some()),
        "whatever has media has a score"
    );
    for complaint in &arrived.complaints {
        let line = json_line(complaint).expect("JSON");
        normaliser
            .complaint(json::read::<Complaint>(line.as_bytes()).expect("read"), &acme())
            .expect("taken");
    }
    for change in &arrived.changes {
        let line = json_line(change).expect("JSON");
        normaliser
            .change(json::read::<Change>(line.as_bytes()).expect("read"), &acme(), None)
            .expect("taken");
    }
}

/// The same call tells the same story at its own door: time, call, loss, place, and whose it is.
#[tokio::test]
async fn every_door_takes_what_is_sent_to_it_and_understands_the_same() {
    let (simulation, arrived) = simulated();
    let by_http = Normaliser::new(rules(&simulation));
    let memory = Arc::new(Memory::default());
    let now = simulation.end();
    let publish = Arc::<Memory>::clone(&memory);
    let service = IngestService::new(
        Normaliser::new(rules(&simulation)),
        publish,
        Bounds::default(),
        Arc::new(move || now),
    );
    let service = Arc::new(service);
    let mut config = SipConfig::new(acme(), vec!["127.0.0.0/8".parse().expect("a network")]);
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = SipServer::bind(Arc::clone(&service), config)
        .await
        .expect("a free port");
    let (address, stop) = (server.local_addr().expect("bound"), CancellationToken::new());
    let served = tokio::spawn(server.run(stop.clone()));

    let phones: Vec<&Event> = arrived
        .events
        .iter()
        .filter(|e| door_of(e) == Way::Sip)
        .take(2000)
        .collect();
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for event in &phones {
        let request = sip::publish(event, "127.0.0.1:5060", sip::Transport::Tcp).expect("a request");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = [0; 2048];
        let length = stream.read(&mut answer).await.expect("an answer");
        assert!(
            answer[..length].starts_with(b"SIP/2.0 200 OK"),
            "{}",
            String::from_utf8_lossy(&answer[..length])
        );
    }
    stop.cancel();
    drop(stream);
    served.await.expect("served");
    let published = memory.events();
    assert_eq!(published.len(), phones.len());
    for (sent, taken) in phones.iter().zip(&published) {
        let expected = by_http
            .event((*sent).clone(), &acme(), Source::Http, None)
            .expect("taken");
        assert_eq!(
            (&taken.call_id, taken.kind, taken.start, taken.end),
            (&expected.call_id, expected.kind, expected.start, expected.end)
        );
        let known = |e: &Event| {
            let near = &e.near;
            let dimensions = [
                &near.site,
                &near.building,
                &near.segment,
                &near.isp,
                &near.device,
                &near.firmware,
                &near.carrier,
                &near.relay,
                &near.codec,
                &near.policy,
            ];
            (
                dimensions.map(Clone::clone),
                e.near_endpoint.user.clone(),
                e.near_endpoint.device_id.clone(),
                e.near_endpoint.address.clone(),
            )
        };
        assert_eq!(known(taken), known(&expected));
        let loss = |e: &Event| e.packets.loss_ratio.map_or(-1.0, |r| r.get());
        assert!((loss(taken) - loss(&expected)).abs() < 1e-4);
        assert!(taken.score.is_some());
    }
    assert!(service.counts(Door::SipTcp).add_up());
}

#[tokio::test]
async fn call_records_become_an_event_for_each_end() {
    let (simulation, arrived) = simulated();
    let memory = Arc::new(Memory::default());
    let publish = Arc::<Memory>::clone(&memory);
    let now = simulation.end();
    let service = IngestService::new(
        Normaliser::new(rules(&simulation)),
        publish,
        Bounds::default(),
        Arc::new(move || now),
    );
    let mut calls = BTreeMap::<&Text, Vec<&Event>>::new();
    for event in arrived.events.iter().filter(|e| door_of(e) == Way::Graph) {
        calls.entry(&event.call_id).or_default().push(event);
    }
    let records: Vec<serde_json::Value> = calls
        .values()
        .filter_map(|ends| match ends[..] {
            [caller, callee] => call_record(caller, callee),
            _ => None,
        })
        .collect();
    assert!(!records.is_empty());
    let body = serde_json::to_vec(&serde_json::json!({"value": records})).expect("JSON");
    let fates = service
        .take(Door::Graph, &acme(), graph::reports(&body.into(), 20_000).expect("few"))
        .await;
    assert_eq!(fates.len(), records.len());
    assert!(
        fates.iter().all(|fate| matches!(fate, Fate::Accepted { .. })),
        "{fates:?}"
    );
    // A call that was never set up has no network in its record: nobody can say where it was.
    let events = memory.events();
    assert!(events.iter().all(|e| e.source == Some(Source::Graph)));
    assert!(
        events
            .iter()
            .filter(|e| e.packets.loss_ratio.is_some())
            .all(|e| e.near.site.is_some() && e.score.is_some())
    );
}

/// What goes in over one service and comes in again is the same event, byte for byte but for the time of receipt.
#[tokio::test]
async fn a_repeat_has_equal_bytes() {
    let (simulation, arrived) = simulated();
    let memory = Arc::new(Memory::default());
    let publish = Arc::<Memory>::clone(&memory);
    let now = simulation.end();
    let service = IngestService::new(
        Normaliser::new(rules(&simulation)),
        publish,
        Bounds::default(),
        Arc::new(move || now),
    );
    let report = |event: &Event| Report {
        content: Ok(Content::Events(vec![event.clone()], Source::Http)),
        original: bytes::Bytes::new(),
        position: None,
    };
    for _ in 0..2 {
        service
            .take(
                Door::Http,
                &acme(),
                arrived.events.iter().take(500).map(report).collect(),
            )
            .await;
    }
    let log = memory.0.lock().expect("lock");
    assert_eq!(log[..500], log[500..1000]);
}
