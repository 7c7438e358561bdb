//! What the reports look like at the other doors.

use std::collections::BTreeMap;

use crate::audit::short;
use dialtone_schemas::{Event, ReportKind, Text, measure::Millis, time};
use dialtone_simulator::{
    Door, Simulation, door_of,
    render::{
        graph::{Halves, call_record},
        sip::{Transport, publish},
    },
};

/// The reports of the first two hours, by their door.
fn by_door() -> BTreeMap<Door, Vec<Event>> {
    let mut simulation = Simulation::new(&short("none"), 1);
    let until = simulation.truth().warm_up_until.plus(time::HOUR);
    let mut doors = BTreeMap::<Door, Vec<Event>>::new();
    for event in simulation.advance(until).events {
        doors.entry(door_of(&event)).or_default().push(event);
    }
    doors
}

#[test]
fn every_door_gets_its_share() {
    let doors = by_door();
    let count = |door| doors[&door].len();
    assert!(
        count(Door::Http) > count(Door::Sip) && count(Door::Sip) > 2000,
        "{} {}",
        count(Door::Http),
        count(Door::Sip)
    );
    assert!((20..1000).contains(&count(Door::Graph)), "{}", count(Door::Graph));
}

#[test]
fn a_phone_publishes_a_body_of_the_length_it_says() {
    let doors = by_door();
    for event in &doors[&Door::Sip] {
        let request = publish(event, "127.0.0.1:5060", Transport::Udp).expect("a request");
        let (head, body) = request.split_once("\r\n\r\n").expect("an empty line");
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("Content-Length: "))
            .expect("a length");
        assert_eq!(length.parse(), Ok(body.len()));
        assert!(
            request.split("\r\n").all(|line| !line.contains(['\r', '\n'])),
            "only whole line ends"
        );
        let first = if event.kind == ReportKind::Final {
            "VQSessionReport: CallTerm\r\n"
        } else {
            "VQIntervalReport\r\n"
        };
        assert!(body.starts_with(first));
        assert!(body.contains(&format!("Timestamps:START={} STOP={}\r\n", event.start, event.end)));
    }
}

#[test]
fn a_published_loss_is_in_per_cent_and_the_phone_says_what_it_is() {
    let doors = by_door();
    let event = doors[&Door::Sip]
        .iter()
        .find(|e| e.packets.lost.is_some_and(|l| l > 30))
        .expect("a lossy minute");
    let request = publish(event, "collector.example.com", Transport::Tcp).expect("a request");
    let loss = event.packets.loss_ratio.expect("measured").get();
    assert!(
        request.contains(&format!("PacketLoss:NLR={:.2} ", loss * 100.0)),
        "{request}"
    );
    let (device, firmware) = (
        event.near.device.as_ref().expect("a model"),
        event.near.firmware.as_ref().expect("one"),
    );
    assert!(request.contains(&format!("User-Agent: {device} {firmware}\r\n")));
    assert!(request.starts_with("PUBLISH sip:quality@collector.example.com SIP/2.0\r\nVia: SIP/2.0/TCP "));
}

#[test]
fn a_call_record_holds_both_streams_of_a_finished_call() {
    let doors = by_door();
    let mut calls = BTreeMap::<Text, Vec<&Event>>::new();
    for event in &doors[&Door::Graph] {
        assert_eq!(event.kind, ReportKind::Final, "the provider reports after the end");
        calls.entry(event.call_id.clone()).or_default().push(event);
    }
    let mut ends: Vec<&Event> = calls
        .into_values()
        .find(|ends| ends.len() == 2)
        .expect("a call with both ends");
    ends.sort_by_key(|e| e.leg_id.clone());
    let record = call_record(ends[0], ends[1]).expect("a record");
    let media = &record["sessions"][0]["segments"][0]["media"][0];
    let loss = |i: usize| media["streams"][i]["averagePacketLossRate"].as_f64();
    assert_eq!(media["streams"][0]["streamDirection"], "callerToCallee");
    assert_eq!(
        loss(0),
        ends[1].packets.loss_ratio.map(|r| r.get()),
        "the callee received what the caller sent"
    );
    assert_eq!(loss(1), ends[0].packets.loss_ratio.map(|r| r.get()));
    assert!(
        media["streams"][0]["averageRoundTripTime"]
            .as_str()
            .is_some_and(|t| t.starts_with("PT0."))
    );
    assert!(call_record(ends[0], ends[0]).is_none(), "one end is not a call");
}

/// 599.4 ms in seconds is 0.5993999999999999 where it is not rounded.
#[test]
fn a_duration_has_no_more_decimals_than_were_measured() {
    let doors = by_door();
    let mut halves = Halves::default();
    let (caller, mut callee) = doors[&Door::Graph]
        .iter()
        .filter(|event| event.packets.loss_ratio.is_some())
        .find_map(|event| halves.pair(event.clone()))
        .expect("a call with both ends");
    callee.delay.rtt_ms = Millis::new(599.4).ok();
    let record = call_record(&caller, &callee).expect("a record");
    let media = &record["sessions"][0]["segments"][0]["media"][0];
    assert_eq!(media["streams"][0]["averageRoundTripTime"], "PT0.5994S");
}

#[test]
fn an_end_waits_for_the_other_one_however_often_it_reports() {
    let doors = by_door();
    let mut halves = Halves::default();
    let mut pairs = Vec::new();
    for event in &doors[&Door::Graph] {
        pairs.extend(halves.pair(event.clone()));
    }
    let (caller, callee) = pairs.pop().expect("a call with both ends");
    let leg = |event: &Event| event.leg_id.as_ref().map(Text::to_string);
    assert_eq!((leg(&caller), leg(&callee)), (Some("a".into()), Some("b".into())));
    let mut halves = Halves::default();
    assert_eq!(halves.pair(callee.clone()), None);
    assert_eq!(halves.pair(callee.clone()), None, "the same end");
    let mut interim = caller.clone();
    interim.kind = ReportKind::Interval;
    assert_eq!(halves.pair(interim), None);
    assert_eq!(halves.waiting(), 1);
    assert_eq!(halves.pair(caller.clone()), Some((caller, callee)));
    assert_eq!(halves.waiting(), 0);
}

#[test]
fn both_phones_of_a_call_name_the_same_dialog_and_each_others_streams() {
    let doors = by_door();
    let mut calls = BTreeMap::<Text, BTreeMap<Text, &Event>>::new();
    for event in &doors[&Door::Sip] {
        calls
            .entry(event.call_id.clone())
            .or_default()
            .insert(event.leg_id.clone().expect("a leg"), event);
    }
    let pair: Vec<&Event> = calls
        .into_values()
        .find(|legs| legs.len() == 2)
        .expect("two phones")
        .into_values()
        .collect();
    let field = |event: &Event, start: &str, key: &str| {
        let request = publish(event, "127.0.0.1:5060", Transport::Udp).expect("a request");
        let line = request
            .lines()
            .find(|line| line.starts_with(start))
            .expect("a line")
            .to_owned();
        line.split(key).nth(1).expect("a value").to_owned()
    };
    assert_eq!(field(pair[0], "DialogID", ":"), field(pair[1], "DialogID", ":"));
    assert_eq!(
        field(pair[0], "LocalAddr", "SSRC="),
        field(pair[1], "RemoteAddr", "SSRC=")
    );
    assert_eq!(
        field(pair[0], "RemoteAddr", "SSRC="),
        field(pair[1], "LocalAddr", "SSRC=")
    );
}
