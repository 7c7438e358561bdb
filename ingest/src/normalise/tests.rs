use dialtone_schemas::{ChangeKind, Endpoint, EventId};

use super::*;
use crate::sample::{self, text};

fn normaliser() -> Normaliser {
    Normaliser::new(sample::rules())
}

fn normal(event: Event) -> Event {
    normaliser()
        .event(event, &text("acme"), Source::Http, None)
        .expect("an event")
}

#[test]
fn an_event_is_placed_scored_sealed_and_identified() {
    let event = normal(sample::event());
    assert_eq!(event.near.site, Some(text("Berlin")));
    assert_eq!(event.near.segment, Some(text("berlin-wifi-2")));
    assert_eq!(event.near_endpoint.address, Some(text("10.1.0.0/24")));
    assert!(
        event
            .near_endpoint
            .user
            .as_ref()
            .is_some_and(|user| user.as_str().starts_with("u:"))
    );
    assert_eq!(
        event.score.as_ref().map(|s| s.method.as_str()),
        Some("g107-2015/g711-plc")
    );
    assert!(event.event_id.is_some());
    assert_eq!((event.tenant, event.source), (Some(text("acme")), Some(Source::Http)));
}

#[test]
fn the_far_end_is_placed_as_well_and_an_unknown_one_is_none() {
    let mut event = sample::event();
    event.far_endpoint = Some(Endpoint {
        address: Some(text("10.200.1.1")),
        ..Endpoint::default()
    });
    let placed = normal(event.clone());
    assert_eq!(placed.far.and_then(|far| far.segment), Some(text("vpn-emea")));
    event.far_endpoint = Some(Endpoint {
        address: Some(text("198.51.100.10")),
        ..Endpoint::default()
    });
    assert_eq!(normal(event).far, None);
}

#[test]
fn what_a_door_finds_in_our_own_fields_is_replaced() {
    let mut event = sample::event();
    event.tenant = Some(text("other"));
    event.source = Some(Source::Graph);
    event.event_id = Some(EventId(1));
    let normal = normal(event);
    assert_eq!((normal.tenant, normal.source), (Some(text("acme")), Some(Source::Http)));
    assert_ne!(normal.event_id, Some(EventId(1)));
}

#[test]
fn a_codec_has_one_name_and_may_follow_from_the_payload_type() {
    let with = |codec: Option<&str>, payload_type| {
        let mut event = sample::event();
        event.near.codec = codec.map(text);
        event.media.payload_type = payload_type;
        normal(event).near.codec.map(|c| c.as_str().to_owned())
    };
    assert_eq!(with(Some("G.711 ULAW"), None).as_deref(), Some("pcmu"));
    assert_eq!(with(Some("PCMA"), None).as_deref(), Some("pcma"));
    assert_eq!(with(None, Some(9)).as_deref(), Some("g722"));
    assert_eq!(with(None, Some(111)), None);
}

#[test]
fn a_contradiction_is_refused_in_words() {
    let mut event = sample::event();
    event.end = event.start.plus(-1);
    let refusal = normaliser()
        .event(event, &text("acme"), Source::Http, None)
        .expect_err("ends before it starts");
    assert_eq!(refusal.reason, Reason::InvalidEvent);
    assert!(refusal.detail.starts_with("end "), "{refusal}");
}

/// As an event's names are, so that the change goes on to mean the same calls.
#[test]
fn a_changes_scope_is_named_and_cleaned_as_an_events_is() {
    let change: Change = serde_json::from_value(serde_json::json!({
        "change_id": "CHG1", "kind": "policy", "started_at": "2026-03-02T09:00:00Z",
        "scope": {"codec": ["G711u", "G.722"], "headset": ["Anna's AirPods", "Corvus H20"]},
        "url": "https://example.org/?by=anna@example.org",
    }))
    .expect("a change");
    let normaliser = Normaliser::new(sample::rules());
    let change = normaliser.change(change, &text("acme"), None).expect("a change");
    let json = serde_json::to_value(&change).expect("JSON");
    assert_eq!(
        json["scope"]["headset"],
        serde_json::json!(["[removed] AirPods", "Corvus H20"])
    );
    assert_eq!(json["scope"]["codec"], serde_json::json!(["pcmu", "g722"]));
    assert_eq!(json["url"], "[removed]");
}

#[test]
fn a_change_that_does_not_say_when_it_was_reported_was_reported_when_it_came() {
    let at = sample::event().start;
    let change: Change = serde_json::from_value(serde_json::json!({
        "change_id": "CHG1", "kind": "firmware", "started_at": at, "summary": "ask anna@example.org",
    }))
    .expect("a change");
    let normal = normaliser()
        .change(change, &text("acme"), Some(at.plus(7)))
        .expect("a change");
    assert_eq!(
        (normal.reported_at, normal.kind),
        (Some(at.plus(7)), ChangeKind::Firmware)
    );
    assert_eq!(normal.summary, Some(text("ask [removed]")));
    assert_eq!(normal.tenant, Some(text("acme")));
}

#[test]
fn a_complaints_user_and_call_are_named_as_the_events_are() {
    let complaint: Complaint = serde_json::from_value(serde_json::json!({
        "complaint_id": "INC1", "complained_at": sample::event().end, "user": "sip:anna@example.org", "call_id": "7@10.1.0.77",
    }))
    .expect("a complaint");
    let mut event = sample::event();
    event.call_id = text("7@10.1.0.77");
    let (complaint, event) = (
        normaliser().complaint(complaint, &text("acme")).expect("taken"),
        normal(event),
    );
    assert_eq!(complaint.user, event.near_endpoint.user);
    assert_eq!(complaint.call_id, Some(event.call_id));
}

/// P-1: whatever field a source puts a person into, none of it is in the published bytes.
#[test]
fn no_canary_survives() {
    let canaries = [
        "anna",
        "+4930123456",
        "10.1.0.77",
        "198.51.100.77",
        "00:04:f2:a1:b2:c3",
        "0004f2a1b2c3",
        "annas-laptop",
        "2001:db8:aa:bb::77",
    ];
    for canary in canaries {
        let mail = format!("{canary}@example.org");
        let mut event = sample::event();
        let personal = text(&format!("x <sip:{mail}> y"));
        event.call_id = text(&format!("77@{canary}"));
        event.leg_id = Some(text(&format!("sip:{mail}")));
        event.near.device = Some(personal.clone());
        event.near.carrier = Some(personal.clone());
        event.failure.reason = Some(personal.clone());
        event.provider.user_rating = Some(personal.clone());
        event.warnings = vec![personal.clone()];
        let end = Endpoint {
            address: Some(text(canary)),
            user: Some(text(canary)),
            device_id: Some(text(&mail)),
            group: Some(personal.clone()),
            os: Some(personal.clone()),
            user_agent: Some(personal),
            ..Endpoint::default()
        };
        event.near_endpoint = end.clone();
        event.far_endpoint = Some(end);
        let normal = normal(event);
        let json = serde_json::to_string(&normal).expect("json");
        assert!(!json.contains(canary), "{canary} in {json}");
        let avro = dialtone_schemas::avro::datum_from(&normal).expect("avro");
        assert!(
            !avro.windows(canary.len()).any(|w| w == canary.as_bytes()),
            "{canary} in Avro"
        );
    }
}

#[test]
fn codes_out_of_their_range_are_refused_by_name() {
    let event = |extra: serde_json::Value| {
        let mut json = serde_json::json!({"kind": "final", "call_id": "c", "start": "2026-03-02T09:00:00Z",
            "end": "2026-03-02T09:01:00Z"});
        json.as_object_mut()
            .expect("an object")
            .extend(extra.as_object().expect("an object").clone());
        serde_json::from_value::<Event>(json).expect("an event").check()
    };
    assert!(event(serde_json::json!({"media": {"payload_type": 127, "ssrc": 4_294_967_295_i64}})).is_ok());
    for (field, wrong) in [
        ("ssrc", serde_json::json!({"media": {"ssrc": -1}})),
        ("payload_type", serde_json::json!({"media": {"payload_type": 128}})),
        (
            "sample_rate_hz",
            serde_json::json!({"media": {"sample_rate_hz": -8000}}),
        ),
        ("gap_min", serde_json::json!({"packets": {"gap_min": -3}})),
        ("sip_code", serde_json::json!({"failure": {"sip_code": 42}})),
        (
            "discarded",
            serde_json::json!({"packets": {"expected": 10, "discarded": 11}}),
        ),
    ] {
        let error = event(wrong).expect_err(field).to_string();
        assert!(error.contains(field), "{field}: {error}");
    }
}
