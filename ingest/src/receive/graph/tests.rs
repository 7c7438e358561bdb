use dialtone_schemas::{Direction, Event, Modality, ReportKind};
use serde_json::{Value, json};
use std::io::Write as _;

use super::*;
use crate::{Normaliser, sample};

fn peer_to_peer() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/graph/peer_to_peer.json")).expect("JSON")
}

fn read(value: &Value) -> Vec<Event> {
    events_of(&reports(&Bytes::from(value.to_string())))
}

fn reports(body: &Bytes) -> Vec<Report> {
    super::reports(body, 100).expect("a hundred at most")
}

fn events_of(reports: &[Report]) -> Vec<Event> {
    let of = |report: &Report| match report.content.as_ref().expect("read") {
        Content::Events(events, Source::Graph) => events.clone(),
        other => panic!("not of a call record: {other:?}"),
    };
    reports.iter().flat_map(of).collect()
}

fn as_text(text: &Option<dialtone_schemas::Text>) -> Option<&str> {
    text.as_ref().map(|text| text.as_str())
}

#[test]
fn each_stream_is_an_event_of_the_end_that_received_it() {
    let events = read(&peer_to_peer());
    assert_eq!(events.len(), 2);
    let (callee, caller) = (&events[0], &events[1]);
    assert_eq!(
        (callee.kind, callee.direction, callee.modality),
        (ReportKind::Final, Direction::Receive, Modality::Audio)
    );
    assert_eq!(
        callee.packets.loss_ratio.map(|r| r.get()),
        Some(0.0138),
        "callerToCallee: what the callee heard"
    );
    assert_eq!(as_text(&callee.near.headset), Some("Corvus H20"));
    assert_eq!(as_text(&callee.near.connection), Some("wifi"));
    assert_eq!(
        callee.far.as_ref().and_then(|far| as_text(&far.headset)),
        Some("Lyra 300")
    );
    assert_eq!(as_text(&caller.near.headset), Some("Lyra 300"));
    assert_eq!(as_text(&caller.near.connection), Some("vpn"), "tunnel");
    assert_eq!(callee.revision, 2);
    assert_eq!(callee.call_id, caller.call_id);
    assert_ne!(callee.leg_id, caller.leg_id);
    assert_ne!(callee.event_id, caller.event_id);
}

#[test]
fn durations_fractions_and_ratings_are_read() {
    let events = read(&peer_to_peer());
    let callee = &events[0];
    assert_eq!(callee.delay.jitter_ms.map(|ms| ms.get()), Some(7.0), "PT0.007S");
    assert_eq!(callee.delay.rtt_ms.map(|ms| ms.get()), Some(64.0));
    assert_eq!(
        callee.start.micros() % 1_000_000,
        216_988,
        "the seventh digit is cut off"
    );
    assert_eq!(callee.provider.mos_degradation, Some(1.160898));
    assert_eq!(as_text(&callee.provider.user_rating), Some("poor"));
    assert_eq!(
        (callee.failure.setup_failed, callee.failure.dropped),
        (Some(false), Some(false))
    );
}

#[test]
fn null_is_unknown_and_a_sentinel_is_left_out_with_a_warning() {
    let events = read(&peer_to_peer());
    let caller = &events[1];
    assert_eq!(
        (caller.packets.loss_ratio, caller.provider.mos_degradation),
        (None, None)
    );
    assert_eq!(caller.near_endpoint.link_speed_bps, None);
    let warnings: Vec<_> = caller.warnings.iter().map(|w| w.as_str()).collect();
    assert!(
        warnings.contains(&"linkSpeed: 4294967295 stands for unknown"),
        "{warnings:?}"
    );
    assert!(warnings.iter().any(|w| w.starts_with("paged")), "{warnings:?}");
}

#[test]
fn a_higher_version_is_a_revision_of_the_same_event() {
    let mut record = peer_to_peer();
    let first = read(&record);
    record["version"] = json!(3);
    record["sessions"][0]["segments"][0]["media"][0]["streams"][0]["averagePacketLossRate"] = json!(0.5);
    let second = read(&record);
    assert_eq!(first[0].event_id, second[0].event_id);
    assert_eq!((first[0].revision, second[0].revision), (2, 3));
}

#[test]
fn what_a_server_heard_is_the_senders_to_have_sent() {
    let mut record = peer_to_peer();
    record["sessions"][0]["callee"] = json!({"@odata.type": "#microsoft.graph.callRecords.serviceEndpoint"});
    let events = read(&record);
    assert_eq!(
        (events[0].direction, events[1].direction),
        (Direction::Send, Direction::Receive)
    );
    assert_eq!(
        as_text(&events[0].near.headset),
        Some("Lyra 300"),
        "the caller is near in both"
    );
    assert_eq!(events[0].leg_id, events[1].leg_id);
    assert_ne!(events[0].event_id, events[1].event_id);
}

#[test]
fn a_session_that_failed_speaks_for_both_ends() {
    let mut record = peer_to_peer();
    record["sessions"][0]["segments"][0]["media"] = json!([]);
    record["sessions"][0]["failureInfo"] = json!({"stage": "callSetup", "reason": "timed out"});
    record["sessions"][0]["segments"][0]["failureInfo"] = json!(null);
    let events = read(&record);
    assert_eq!(events.len(), 2);
    assert!(
        events
            .iter()
            .all(|e| e.failure.setup_failed == Some(true) && e.failure.dropped == Some(false))
    );
}

#[test]
fn a_room_is_a_device_and_keeps_its_name_a_persons_computer_does_not() {
    let mut record = peer_to_peer();
    record["sessions"][0]["callee"]["userAgent"]["platform"] = json!("roomSystem");
    record["sessions"][0]["callee"]["name"] = json!("room-berlin-01");
    let normaliser = Normaliser::new(sample::rules());
    let normal = |event: Event| {
        normaliser
            .event(event, &sample::text("acme"), Source::Graph, None)
            .expect("an event")
    };
    let events: Vec<Event> = read(&record).into_iter().map(normal).collect();
    assert_eq!(as_text(&events[0].near_endpoint.device_id), Some("room-berlin-01"));
    assert_eq!(
        (as_text(&events[0].near.device), as_text(&events[0].near.headset)),
        (Some("Corvus H20"), None)
    );
    assert!(as_text(&events[1].near_endpoint.device_id).is_some_and(|id| id.starts_with("d:")));
    let json = serde_json::to_string(&events).expect("JSON");
    for canary in ["abbie", "owen", "annas-laptop", "10.1.0.77", "machine:"] {
        assert!(!json.to_lowercase().contains(canary), "{canary} in {json}");
    }
    assert_eq!(
        as_text(&events[0].near.site),
        Some("Berlin"),
        "placed before the address was sealed"
    );
}

#[test]
fn a_page_an_array_and_a_record_are_read_alike() {
    let record = peer_to_peer();
    let ids = |value: &Value| read(value).into_iter().map(|e| e.event_id).collect::<Vec<_>>();
    assert_eq!(ids(&json!([record])), ids(&record));
    assert_eq!(ids(&json!({"value": [record]})), ids(&record));
}

#[test]
fn a_record_that_cannot_be_read_is_refused_with_its_place_beside_its_good_neighbours() {
    let mut broken = peer_to_peer();
    broken["sessions"][0]["segments"][0]["media"][0]["streams"][1]["packetUtilization"] = json!("many");
    let reports = reports(&Bytes::from(json!([broken, peer_to_peer()]).to_string()));
    assert_eq!(reports.len(), 2);
    let refusal = reports[0].content.as_ref().expect_err("broken");
    assert!(
        refusal
            .detail
            .starts_with("sessions[0].segments[0].media[0].streams[1].packetUtilization"),
        "{refusal}"
    );
    assert_eq!((reports[0].position, reports[1].position), (Some(1), Some(2)));
}

#[test]
fn a_record_keeps_the_bytes_it_was_sent_with() {
    let record = include_str!("../../../tests/fixtures/graph/peer_to_peer.json").trim();
    let body = format!("\u{feff}{{\"@odata.count\": 2, \"value\": [ {record} , {{ \"id\" :7}}]}}");
    let reports = reports(&Bytes::from(body));
    assert_eq!(reports[0].original, record);
    assert!(reports[0].content.is_ok() && reports[1].content.is_err());
    assert_eq!(reports[1].original, "{ \"id\" :7}", "spaces and all");
}

/// The first segment could not be set up and has no streams; the second carried the call.
#[test]
fn a_segment_that_failed_is_told_beside_one_that_did_not() {
    let mut record = peer_to_peer();
    let mut failed = record["sessions"][0]["segments"][0].clone();
    failed["id"] = json!("first-try");
    failed["media"] = json!([]);
    failed["failureInfo"] = json!({"stage": "callSetup", "reason": "no route"});
    record["sessions"][0]["segments"]
        .as_array_mut()
        .expect("segments")
        .insert(0, failed);
    let events = read(&record);
    let setup_failed: Vec<_> = events.iter().map(|event| event.failure.setup_failed).collect();
    assert_eq!(setup_failed, [Some(true), Some(true), Some(false), Some(false)]);
}

#[test]
fn more_records_than_may_be_and_a_record_of_too_many_objects_are_refused() {
    let ones = |n: usize| Bytes::from(format!("[{}]", vec!["1"; n].join(",")));
    assert_eq!(super::reports(&ones(100), 100).map(|reports| reports.len()), Some(100));
    assert!(super::reports(&ones(101), 100).is_none());
    let crowded = format!(
        "{{\"id\": \"x\", \"sessions\": [{}]}}",
        vec!["{}"; MAX_OBJECTS].join(",")
    );
    let refusal = reports(&Bytes::from(crowded)).remove(0).content.expect_err("too many");
    assert_eq!(refusal.reason, Reason::TooLarge);
}

/// Two streams of one direction without ids, and two segments without: four events.
#[test]
fn what_has_no_id_is_told_apart_by_its_place() {
    let mut record = peer_to_peer();
    let segments = record["sessions"][0]["segments"].as_array_mut().expect("segments");
    let streams = segments[0]["media"][0]["streams"].as_array_mut().expect("streams");
    let mut stream = streams[0].clone();
    stream["streamId"] = json!(null);
    *streams = vec![stream.clone(), stream];
    segments[0]["id"] = json!(null);
    segments.push(segments[0].clone());
    let ids: std::collections::BTreeSet<_> = read(&record).into_iter().map(|event| event.event_id).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_stream_without_a_direction_leaves_a_warning_on_the_others() {
    let mut record = peer_to_peer();
    record["sessions"][0]["segments"][0]["media"][0]["streams"][0]["streamDirection"] = json!("unknownFutureValue");
    let events = read(&record);
    assert_eq!(events.len(), 1);
    assert!(
        events[0]
            .warnings
            .iter()
            .any(|warning| warning.as_str().contains("without a direction"))
    );
}

#[test]
fn what_is_no_record_is_refused() {
    for body in [
        "{",
        "{}",
        "7",
        "{\"id\": \"x\", \"startDateTime\": \"\", \"endDateTime\": \"\"}",
    ] {
        let reports = reports(&Bytes::from_static(body.as_bytes()));
        assert!(reports.len() == 1 && reports[0].content.is_err(), "{body}");
    }
}

/// The public example of Microsoft's own page, where it lies beside the repository.
#[test]
fn microsofts_own_example_is_read() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/samples/graph_callrecord/callRecord_expanded_v1.json"
    );
    let Ok(text) = std::fs::read(path) else {
        drop(writeln!(std::io::stderr(), "SKIPPED: {path} is not there"));
        return;
    };
    let events = events_of(&reports(&Bytes::from(text)));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].delay.jitter_ms.map(|ms| ms.get()), Some(16.0));
    assert_eq!(
        as_text(&events[0].far_endpoint.as_ref().expect("far").address),
        Some("10.150.0.2")
    );
    assert_eq!(
        as_text(&events[0].provider.user_rating),
        Some("poor"),
        "the callee's, who received it"
    );
    assert_eq!(
        events[0].far.as_ref().and_then(|far| far.headset.clone()),
        None,
        "a default device is no model"
    );
}

proptest::proptest! {
    /// Whatever bytes come: reports, read or refused, never none and never a panic.
    #[test]
    fn mutated_records_never_panic(at in 0_usize..5000, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..6)) {
        let mut body = include_bytes!("../../../tests/fixtures/graph/peer_to_peer.json").to_vec();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes);
        proptest::prop_assert!(!reports(&body.into()).is_empty());
    }
}
