//! A person who changed something: what is said of each change is listed and shown, and an incident says how its repairs went.

mod support;

use dialtone_schemas::{
    Alert, ChangeVerdict, Dimension, EventTime, Incident, Scope, Text,
    alert::AlertReason,
    avro,
    incident::Onset,
    topic::{Topic, event_key},
};
use dialtone_simulator::Simulation;
use serde_json::json;
use support::{Cluster, Installation, small};

fn text(value: &str) -> Text {
    Text::new(value).expect("a text")
}

/// What is said of a change: 29 of 400 call-ends were poor where 9 were expected, and whatever else is to be said.
fn verdict(id: &str, rest: serde_json::Value) -> ChangeVerdict {
    let mut whole = json!({
        "verdict_id": format!("{id}/0"), "change_id": id, "tenant": "acme", "revision": 0, "at": "2026-03-02T10:00:00Z",
        "ruling": "harmful", "channel": "quality", "is_final": false, "kind": "route", "started_at": "2026-03-02T08:55:00Z",
        "team": "voice", "effect": 3.2, "effect_low": 2.0, "effect_high": 5.0, "at_risk": 400, "poor": 29, "expected": 9.0
    });
    if let (Some(whole), serde_json::Value::Object(rest)) = (whole.as_object_mut(), rest) {
        whole.extend(rest);
    }
    serde_json::from_value(whole).expect("a verdict")
}

/// An installation on whose topic these verdicts lie.
async fn installation(cluster: &Cluster, name: &str, verdicts: &[ChangeVerdict]) -> Installation {
    let installation = Installation::new(cluster, name, &Simulation::new(&small(), 1));
    dialtone_wire::topics::ensure(&installation.kafka)
        .await
        .expect("topics");
    let record = |verdict: &ChangeVerdict| {
        let key = event_key(verdict.tenant.as_str(), verdict.change_id.as_str());
        (key, avro::built_in_frame_from(verdict).expect("a frame"))
    };
    let records = verdicts.iter().map(record).collect();
    installation.write(Topic::ChangeVerdicts, records).await;
    installation
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_verdict_of_each_change_is_listed_the_harmful_ones_first_and_shown() {
    let cluster = Cluster::start().await;
    let waiting = json!({
        "ruling": "not_enough_calls", "calls_missing": 120, "expected_by": "2026-03-02T10:20:00Z",
        "at": "2026-03-02T09:00:00Z"
    });
    let harmless = json!({"ruling": "harmless", "harmless_within": 1.5});
    let verdicts = [
        verdict("CHG-2", harmless),
        verdict("CHG-1", waiting.clone()),
        verdict("CHG-1", json!({"revision": 1, "incident_id": "i-1"})),
        verdict("REL-3", waiting),
    ];
    let installation = installation(&cluster, "changes", &verdicts).await;

    let (ok, listed, beside) = installation.asked("changes list").await;
    assert!(ok, "{beside}");
    let ids: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids, ["CHG-1", "REL-3", "CHG-2"], "{listed}");
    assert!(listed.contains("CHG-1  harmful, 3.2 times as poor "), "{listed}");
    let (_, json, _) = installation.asked("changes list --ruling undecided --json").await;
    let read: ChangeVerdict = serde_json::from_str(json.trim_end()).expect("one verdict");
    assert_eq!((read.change_id, read.calls_missing), (text("REL-3"), Some(120)));

    let (ok, shown, beside) = installation.asked("changes show REL").await;
    assert!(ok, "{beside}");
    let head =
        "REL-3  not enough calls yet: 120 more call-ends would tell, expected by 2026-03-02T10:20:00Z; revision 0";
    assert!(shown.starts_with(head), "{shown}");
    assert!(shown.contains("29 poor of 400 call-ends"), "{shown}");
    for (words, why) in [
        ("changes show CHG", "CHG is not one change: CHG-1 (acme), CHG-2 (acme)"),
        (
            "changes show REL-33",
            "no change begins with REL-33; did you mean REL-3?",
        ),
        (
            "changes list --ruling bad",
            "[possible values: harmful, harmless, undecided]",
        ),
    ] {
        let (ok, _, beside) = installation.asked(words).await;
        assert!(!ok && beside.contains(why), "{words}: {beside}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_says_how_its_repair_went_and_how_it_came_to_stand_as_it_does() {
    let cluster = Cluster::start().await;
    let repair = json!({"ruling": "harmless", "harmless_within": 1.5, "repairs": "i-1", "repair": "no_effect"});
    let other = json!({"ruling": "harmless", "harmless_within": 1.5, "repairs": "i-2", "repair": "confirmed"});
    let verdicts = [verdict("CHG-9", repair), verdict("CHG-8", other)];
    let installation = installation(&cluster, "repairs", &verdicts).await;
    let at = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
    let scope = Scope::new([(Dimension::Site, text("berlin"))]);
    let onset = Onset { from: at, to: at };
    let incident = |id: &str| Incident::opened(text(id), text("acme"), scope.clone(), text("lan"), onset, at);
    let alert = |id: &str| Alert {
        alert_id: text("a"),
        reason: AlertReason::Opened,
        page: true,
        at,
        title: String::new(),
        incident: incident(id),
    };
    let key = |id: &str| id.as_bytes().to_vec();
    let frame = avro::built_in_frame_from(&incident("i-1")).expect("a frame");
    installation.write(Topic::Incidents, vec![(key("i-1"), frame)]).await;
    let framed = |id: &str| (key(id), avro::built_in_frame_from(&alert(id)).expect("a frame"));
    installation
        .write(Topic::Alerts, vec![framed("i-1"), framed("i-2")])
        .await;

    let (ok, shown, beside) = installation.asked("incidents show i-1 --history").await;
    assert!(ok, "{beside}");
    let about = |name: &str| -> Vec<String> {
        let named = format!("  {name} ");
        let lines = shown.lines().filter(|line| line.starts_with(&named));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(
        about("repair"),
        ["  repair     CHG-9: no effect, the fault remains (as of 2026-03-02T10:00:00Z)"]
    );
    assert_eq!(
        about("history"),
        ["  history    2026-03-02T09:00:00Z  localised  site=berlin  lan  minor  opened  somebody was called"]
    );
    let (_, json, _) = installation.asked("incidents show i-1 --json").await;
    let read: Incident = serde_json::from_str(json.trim_end()).expect("an incident");
    assert_eq!(read, incident("i-1"), "as it is on its topic");
    cluster.shutdown().await;
}
