//! The contract of version 1: what is written is read back, the bytes are frozen, every field is documented.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on says why")]

use apache_avro::Schema;
use dialtone_schemas::{
    Alert, Change, ChangeVerdict, Complaint, Control, Dimension, Event, Incident, Record, RecordKind, Reject, Summary,
    arrow, avro,
    incident::{Crossover, Layer, LayerStanding, Rival, Standing, UserCrossover},
    summary::{ChannelSums, Sums},
};

const EVENT: &str = r#"{
  "kind": "interval", "call_id": "call-1", "leg_id": "a",
  "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:01:00Z",
  "near": {"site": "berlin", "connection": "wifi", "headset": "Aural 20"},
  "far": {"site": "lyon"},
  "near_endpoint": {"address": "10.1.2.3", "user": "alice@example.com", "wifi_signal_ratio": 0.8},
  "packets": {"expected": 3000, "lost": 30, "loss_ratio": 0.01},
  "delay": {"rtt_ms": 40, "jitter_ms": 3.5},
  "score": {"r": 89.5, "mos": 4.3, "method": "g107-2015/g711-plc", "assumed": ["burst"]}
}"#;

fn event() -> Event {
    serde_json::from_str(EVENT).expect("an event as the HTTP door takes it")
}

fn summary() -> Summary {
    let mut sums = Sums {
        events: 3,
        ends: 2,
        ..Sums::default()
    };
    sums.quality = ChannelSums {
        at_risk: 2,
        poor: 1,
        media_ms: 120_000,
        poor_ms: 60_000,
    };
    sums.loss_histogram.add(18, 2);
    let mut summary = Summary::marker(7, dialtone_schemas::Tick::floor(event().end));
    summary.kind = dialtone_schemas::SummaryKind::Leaf;
    summary.near = Some(event().near);
    summary.sums = Some(sums);
    summary.exemplars = vec![event().call_id];
    summary
}

/// With what version 2 appends.
fn latest_summary() -> Summary {
    Summary {
        user: Some(text("u:4f2a")),
        ..summary()
    }
}

fn change() -> Change {
    serde_json::from_str(
        r#"{"change_id": "CHG-1", "kind": "firmware", "started_at": "2026-03-02T08:55:00Z",
            "scope": {"device": ["Vox 300"], "site": ["berlin", "lyon"]}, "to_version": "3.2"}"#,
    )
    .expect("a change as the HTTP door takes it")
}

fn complaint() -> Complaint {
    serde_json::from_str(
        r#"{"complaint_id": "INC-9", "complained_at": "2026-03-02T09:12:00Z", "near": {"site": "berlin"}}"#,
    )
    .expect("a complaint as the HTTP door takes it")
}

fn incident() -> Incident {
    serde_json::from_str(
        r#"{"id": "i-1", "tenant": "acme", "revision": 2, "state": "localised", "scope": {"site": "berlin"},
            "aliases": [{"building": "berlin-1"}], "device_id": null, "layer": "site", "owner": "network-emea",
            "onset": {"from": "2026-03-02T09:00:00Z", "to": "2026-03-02T09:02:00Z"},
            "opened": "2026-03-02T09:05:00Z", "localised": "2026-03-02T09:06:00Z", "closed": null,
            "updated": "2026-03-02T09:06:00Z", "severity": "major", "metric": "loss", "effect": 5.5,
            "excess_poor_minutes": 41.5, "evidence": [{"group": "inside", "at_risk": 90, "poor": 30, "expected": 2.5}],
            "alternatives": [{"scope": {"isp": "Nordnet"}, "score": 0.1}],
            "suspected_changes": [{"change_id": "CHG-1", "score": 0.8}], "complaints": 0, "first_complaint": null,
            "third_complaint": null, "exemplar_calls": ["call-1"], "acknowledged": null, "silenced_until": null}"#,
    )
    .expect("an incident as replay prints it")
}

fn alert() -> Alert {
    Alert {
        alert_id: dialtone_schemas::Text::new("i-1/2").expect("text"),
        reason: dialtone_schemas::alert::AlertReason::Opened,
        page: true,
        at: incident().updated,
        title: "loss at site=berlin".into(),
        incident: incident(),
    }
}

fn reject() -> Reject {
    serde_json::from_str(
        r#"{"reject_id": "r", "door": "http", "reason": "not_json", "detail": "line 1",
            "rejected_at": "2026-03-02T09:12:00Z", "encryption": "none", "original": [104, 105]}"#,
    )
    .expect("a reject")
}

fn change_verdict() -> ChangeVerdict {
    serde_json::from_str(
        r#"{"verdict_id": "CHG-1/2", "change_id": "CHG-1", "tenant": "acme", "revision": 2,
            "at": "2026-03-02T10:20:00Z", "ruling": "not_enough_calls", "channel": "quality", "is_final": false, "kind": "firmware",
            "started_at": "2026-03-02T08:55:00Z", "team": "voice", "summary": null, "effect": 1.1, "effect_low": 0.6,
            "effect_high": 2.1, "harmless_within": 2.0, "at_risk": 400, "poor": 9, "expected": 8.2, "calls_missing": 120,
            "expected_by": "2026-03-02T11:00:00Z", "incident_id": null, "repairs": "i-1", "repair": "confirmed"}"#,
    )
    .expect("a verdict")
}

/// With what version 2 appends.
fn second_change_verdict() -> ChangeVerdict {
    ChangeVerdict {
        dose_effect: Some(1.2),
        dose_effect_low: Some(0.7),
        dose_effect_high: Some(1.9),
        ..change_verdict()
    }
}

fn control() -> Control {
    serde_json::from_str(r#"{"control_id": "c", "kind": "acknowledge", "at": "2026-03-02T09:12:00Z"}"#)
        .expect("control")
}

fn reassignment() -> Control {
    Control {
        kind: dialtone_schemas::control::ControlKind::Reassign,
        incident_id: Some(text("i-1")),
        to: Some(text("wan")),
        reason: Some(text("the provider's line")),
        ..control()
    }
}

fn acceptance() -> Control {
    Control {
        kind: dialtone_schemas::control::ControlKind::Accept,
        to: None,
        reason: Some(text("the new codec is like that")),
        ..reassignment()
    }
}

fn text(text: &str) -> dialtone_schemas::Text {
    dialtone_schemas::Text::new(text).expect("text")
}

/// With what version 2 appends.
fn second_incident() -> Incident {
    let at = Some(incident().updated);
    Incident {
        contact: Some(text("lan@example.com")),
        runbook: Some(text("https://wiki.example.com/lan")),
        acknowledged_by: Some(text("lan")),
        reassigned: at,
        reassigned_reason: Some(text("the provider's line")),
        verdict: Some(dialtone_schemas::incident::Verdict::Wrong),
        verdict_reason: Some(text("it was the carrier")),
        escalated: at,
        escalated_to: Some(text("network-lead")),
        earlier: Some(2),
        earlier_id: Some(text("i-0")),
        poor_minutes_an_hour: Some(31.5),
        poor_call_ends: Some(30),
        ..incident()
    }
}

/// With what version 3 appends.
fn later_incident() -> Incident {
    let scope = |dimension, value: &str| dialtone_schemas::Scope::new([(dimension, text(value))]);
    Incident {
        maintenance: Some(text("CHG-7")),
        layers: Some(vec![LayerStanding {
            layer: Layer::Wan,
            standing: Standing::Cleared,
            scope: scope(Dimension::Isp, "Nordnet"),
            at_risk: 800,
            poor: 20,
            expected: 19.5,
        }]),
        rivals: Some(vec![Rival {
            scope: scope(Dimension::Isp, "Nordnet"),
            jaccard: 0.8,
            held: 3.0,
            held_low: 0.9,
            calls_missing: Some(120),
        }]),
        explained_ratio: Some(0.9),
        burn_rate: Some(14.4),
        warned: Some(incident().updated),
        crosses_by: Some(incident().updated),
        accepted: Some(incident().updated),
        accepted_reason: Some(text("the new codec is like that")),
        ..second_incident()
    }
}

/// With what version 4 appends.
fn fourth_incident() -> Incident {
    Incident {
        crossovers: Some(vec![Crossover {
            apart_from: dialtone_schemas::Scope::new([(Dimension::Isp, text("Nordnet"))]),
            devices: 20,
            odds_ratio: 4.0,
            low: 1.5,
            high: 10.6,
        }]),
        ..later_incident()
    }
}

/// With what version 7 appends.
fn latest_incident() -> Incident {
    Incident {
        absorbed_by: Some(text("i-2")),
        user_crossovers: Some(vec![UserCrossover {
            apart_from: dialtone_schemas::Scope::new([(Dimension::Isp, text("Nordnet"))]),
            users: 18,
            odds_ratio: 5.0,
            low: 1.25,
            high: 20.5,
        }]),
        ..sixth_incident()
    }
}

/// With what version 6 appends.
fn sixth_incident() -> Incident {
    Incident {
        users: Some(22),
        watched: Some(incident().updated),
        ..fifth_incident()
    }
}

/// With what version 5 appends.
fn fifth_incident() -> Incident {
    Incident {
        effect_low: Some(2.1),
        effect_high: Some(4.4),
        devices: Some(25),
        peak_at: Some(incident().updated),
        peak_poor_minutes: Some(48.5),
        ..fourth_incident()
    }
}

/// C-1, C-2: through Avro and back nothing changes; the bytes are those frozen with its schema's version.
fn keeps<R: Record + PartialEq + std::fmt::Debug>(record: &R) {
    let frame = avro::built_in_frame_from(record).expect("written");
    assert_eq!(&avro::record_from_built_in_frame::<R>(&frame).expect("read"), record);
    let batch = arrow::batch_from_records(std::slice::from_ref(record)).expect("columns");
    assert_eq!(&arrow::records_from_batch::<R>(&batch).expect("rows")[0], record);

    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = golden(R::KIND, R::KIND.version(), &hex);
    assert_eq!(hex, golden, "the bytes of {} differ from those frozen", R::KIND.name());
}

fn golden(kind: RecordKind, version: u32, today: &str) -> String {
    let name = kind.name();
    let file = format!("{}/golden/v{version}/{name}.avro.hex", env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}; today's bytes: {today}"));
    golden.trim().to_owned()
}

/// The frame frozen with a version.
fn frozen(kind: RecordKind, version: u32) -> Vec<u8> {
    let hex = golden(kind, version, "");
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// C-1: what version 1 wrote is read; what it did not know is absent.
#[test]
fn what_version_1_wrote_is_still_read() {
    fn reads<R: Record + PartialEq + std::fmt::Debug>(record: &R) {
        let frame = frozen(R::KIND, 1);
        assert_eq!(&avro::record_from_built_in_frame::<R>(&frame).expect("read"), record);
    }
    reads(&event());
    reads(&change());
    reads(&complaint());
    reads(&summary());
    reads(&incident());
    reads(&alert());
    reads(&reject());
    reads(&control());
    reads(&change_verdict());
    assert_eq!(change_verdict().dose_effect, None);
    assert_eq!((incident().contact, incident().earlier), (None, None));
}

/// C-1: what version 2 wrote of incidents, with what it appended, is read; what it did not know is absent.
#[test]
fn what_version_2_wrote_is_still_read() {
    let read = read_of(2, &second_incident());
    assert_eq!((read.layers, read.burn_rate), (None, None));
    let read: Control = avro::record_from_built_in_frame(&frozen(RecordKind::Control, 2)).expect("read");
    assert_eq!(read, reassignment());
}

/// C-1: what version 3 wrote of incidents likewise.
#[test]
fn what_version_3_wrote_is_still_read() {
    let read = read_of(3, &later_incident());
    assert_eq!((read.accepted_reason.is_some(), read.crossovers), (true, None));
}

/// C-1: what version 4 wrote of incidents likewise.
#[test]
fn what_version_4_wrote_is_still_read() {
    let read = read_of(4, &fourth_incident());
    assert_eq!((read.crossovers.is_some(), read.devices), (true, None));
}

/// C-1: what version 5 wrote of incidents likewise.
#[test]
fn what_version_5_wrote_is_still_read() {
    let read = read_of(5, &fifth_incident());
    assert_eq!((read.devices.is_some(), read.users, read.watched), (true, None, None));
}

/// C-1: what version 6 wrote of incidents likewise.
#[test]
fn what_version_6_wrote_is_still_read() {
    let read = read_of(6, &sixth_incident());
    assert_eq!(
        (read.watched.is_some(), read.absorbed_by, read.user_crossovers),
        (true, None, None)
    );
}

/// The incident that a version wrote, by itself and in an alert.
fn read_of(version: u32, written: &Incident) -> Incident {
    let read: Incident = avro::record_from_built_in_frame(&frozen(RecordKind::Incident, version)).expect("read");
    assert_eq!(&read, written);
    let alert: Alert = avro::record_from_built_in_frame(&frozen(RecordKind::Alert, version)).expect("read");
    assert_eq!(&alert.incident, written);
    read
}

/// C-1: each version appends, so that a reader of the one before finds its own fields first. Today's reader stands for it: under the
/// next version's id with more behind, it reads what it knows.
#[test]
fn what_a_later_version_appends_is_skipped() {
    let kind = RecordKind::Incident;
    let mut frame = avro::built_in_frame_from(&latest_incident()).expect("frame");
    frame.extend_from_slice(&[2, 6, b'b', b'a', b'd']);
    frame[1..5].copy_from_slice(&(kind.built_in_id() + 8).to_be_bytes());
    assert_eq!(
        avro::record_from_built_in_frame::<Incident>(&frame).expect("read"),
        latest_incident()
    );

    let fields = |text: &str| match Schema::parse_str(text).expect("schema") {
        Schema::Record(record) => record.fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    for kind in RecordKind::ALL {
        assert_eq!(
            kind.earlier_avsc().len() + 1,
            kind.version() as usize,
            "{}",
            kind.name()
        );
        for earlier in kind.earlier_avsc() {
            let (before, now) = (fields(earlier), fields(kind.avsc()));
            assert!(
                now.starts_with(&before),
                "{}: {before:?} is no beginning of {now:?}",
                kind.name()
            );
        }
    }
}

#[test]
fn every_record_survives_avro_and_arrow_and_has_its_frozen_bytes() {
    keeps(&event());
    keeps(&change());
    keeps(&complaint());
    keeps(&latest_summary());
    keeps(&latest_incident());
    keeps(&Alert {
        incident: latest_incident(),
        ..alert()
    });
    keeps(&reject());
    keeps(&acceptance());
    keeps(&second_change_verdict());
}

#[test]
fn every_schema_documents_every_field() {
    fn walk(path: &str, schema: &Schema) {
        match schema {
            Schema::Record(record) => {
                assert!(record.doc.is_some(), "{path} has no doc");
                for field in &record.fields {
                    let path = format!("{path}.{}", field.name);
                    assert!(field.doc.as_ref().is_some_and(|doc| doc.len() > 3), "{path} has no doc");
                    walk(&path, &field.schema);
                }
            }
            Schema::Union(union) => union.variants().iter().for_each(|v| walk(path, v)),
            Schema::Array(array) => walk(path, &array.items),
            _ => {}
        }
    }
    for kind in RecordKind::ALL {
        walk(kind.name(), avro::schema(kind));
    }
}

#[test]
fn a_later_minor_version_with_one_more_field_is_still_read() {
    let wider = RecordKind::Complaint.avsc().replacen(
        "\"fields\": [",
        "\"fields\": [ {\"name\": \"mood\", \"type\": [\"null\", \"string\"], \"default\": null, \"doc\": \"later\"},",
        1,
    );
    let wider = Schema::parse_str(&wider).expect("schema");
    let mut datum = vec![2, 6]; // union branch 1, three bytes
    datum.extend_from_slice(b"bad");
    datum.extend_from_slice(&avro::datum_from(&complaint()).expect("datum"));
    assert_eq!(
        avro::record_from_datum::<Complaint>(&wider, &datum).expect("read"),
        complaint()
    );
}

#[test]
fn broken_frames_are_refused_with_their_reason() {
    let frame = avro::built_in_frame_from(&event()).expect("frame");
    let refused = |bytes: &[u8]| {
        avro::record_from_built_in_frame::<Event>(bytes)
            .expect_err("refused")
            .to_string()
    };
    assert_eq!(
        refused(b""),
        "0 bytes without a Confluent frame (00 and four bytes of schema id)"
    );
    assert_eq!(
        refused(&avro::built_in_frame_from(&change()).expect("frame")),
        "schema id 2 is not one of event"
    );
    assert_eq!(refused(&frame[..frame.len() - 1]), "event cannot be read");
    assert_eq!(refused(&[&frame[..], &[1]].concat()), "event is followed by 1 bytes");
}

#[test]
fn the_lake_has_only_types_that_every_reader_accepts() {
    use arrow_schema::{DataType, TimeUnit};
    fn check(path: &str, data_type: &DataType) {
        match data_type {
            DataType::Utf8 | DataType::Int32 | DataType::Int64 | DataType::Float64 | DataType::Boolean => {}
            DataType::Binary => {}
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => assert_eq!(&**zone, "UTC"),
            DataType::List(element) => check(path, element.data_type()),
            DataType::Struct(fields) => {
                fields
                    .iter()
                    .for_each(|f| check(&format!("{path}.{}", f.name()), f.data_type()));
            }
            other => panic!("{path}: {other}"),
        }
    }
    for kind in RecordKind::ALL {
        arrow::schema(kind)
            .fields()
            .iter()
            .for_each(|f| check(f.name(), f.data_type()));
    }
}

/// A few bytes may announce gigabytes: a block of 2^63 items, a text of 2^40 bytes. Behind every beginning of a valid frame each of
/// them must be refused or read as something else, at once and without the memory.
#[test]
fn a_frame_that_announces_more_than_it_holds_is_refused_at_once() {
    const BOMBS: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40],
    ];
    let frame = avro::built_in_frame_from(&event()).unwrap();
    let header = frame.len() - avro::split_frame(&frame).unwrap().1.len();
    let mut refused = 0;
    for cut in header..frame.len() {
        for bomb in BOMBS {
            let armed = [&frame[..cut], bomb].concat();
            refused += usize::from(avro::record_from_built_in_frame::<Event>(&armed).is_err());
        }
    }
    assert_eq!(refused, BOMBS.len() * (frame.len() - header), "not one is an event");
}
