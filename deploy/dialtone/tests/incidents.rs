//! A person at the command line: what watch has found is listed, and what the person says about it is in the log.

mod support;

use dialtone_schemas::{
    Control, Dimension, EventTime, Incident, Scope, State, Text, avro, control::ControlKind, incident::Onset,
    topic::Topic,
};
use dialtone_simulator::Simulation;
use dialtone_wire::Payload;
use support::{Cluster, Installation, small};

fn text(value: &str) -> Text {
    Text::new(value).expect("a text")
}

/// Found at a site, at nine.
fn incident(id: &str, site: &str, revision: i64) -> Incident {
    let at = EventTime::parse("2026-03-02T09:00:00Z").expect("a time");
    let scope = Scope::new([(Dimension::Site, text(site))]);
    let onset = Onset { from: at, to: at };
    Incident {
        revision,
        ..Incident::opened(text(id), text("acme"), scope, text("lan"), onset, at)
    }
}

/// An installation on whose topic of incidents these lie, as watch writes them.
async fn installation(cluster: &Cluster, name: &str, incidents: &[Incident]) -> Installation {
    let installation = Installation::new(cluster, name, &Simulation::new(&small(), 1));
    dialtone_wire::topics::ensure(&installation.kafka)
        .await
        .expect("topics");
    let record = |incident: &Incident| {
        let frame = avro::built_in_frame_from(incident).expect("a frame");
        (incident.id.as_str().as_bytes().to_vec(), frame)
    };
    let records = incidents.iter().map(record).collect();
    installation.write(Topic::Incidents, records).await;
    installation
}

/// What `dialtone incidents …` says: its status, its answer, and what it says beside.
async fn incidents(installation: &Installation, words: &str) -> (bool, String, String) {
    installation.asked(&format!("incidents {words}")).await
}

/// The control records in the log.
async fn said(installation: &Installation) -> Vec<Control> {
    let records = installation.read(Topic::Control).await.into_iter().flatten();
    let control = |payload| match payload {
        Payload::Value(frame) => Some(avro::record_from_built_in_frame(&frame).expect("control")),
        _ => None,
    };
    records.filter_map(|record| control(record.payload)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_listed_and_what_a_person_says_about_it_is_in_the_log() {
    let cluster = Cluster::start().await;
    let closed = Incident {
        state: State::Closed,
        ..incident("i-c1", "oslo", 4)
    };
    let found = [
        incident("i-a1", "berlin", 0),
        incident("i-a2", "lyon", 0),
        incident("i-a1", "berlin", 1),
        closed,
    ];
    let installation = installation(&cluster, "desk", &found).await;

    let (ok, listed, beside) = incidents(&installation, "list").await;
    assert!(ok, "{beside}");
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "two are open: {listed}");
    assert!(lines[0].starts_with("i-a1  minor  localised  lan  site=berlin  since 2026-03-02T09:00:00Z"));
    let (_, json, _) = incidents(&installation, "list --all --json").await;
    let read: Vec<Incident> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("an incident"))
        .collect();
    assert_eq!(read.len(), 3);
    assert!(
        read.iter().any(|one| one.id == text("i-a1") && one.revision == 1),
        "the newest: {json}"
    );
    let (_, shown, _) = incidents(&installation, "show i-a2").await;
    assert!(
        shown.contains("site=lyon") && shown.contains("nobody has acknowledged it"),
        "{shown}"
    );

    let (ok, done, beside) = incidents(&installation, "ack i-a1 --by lan").await;
    assert!(
        ok && done.starts_with("i-a1 (site=berlin, lan) is acknowledged"),
        "{done}{beside}"
    );
    let (ok, _, beside) = incidents(&installation, "reassign i-a2 --to wan-providers --reason theirs").await;
    assert!(ok, "{beside}");
    let said = said(&installation).await;
    assert_eq!(
        said.iter().map(|c| c.kind).collect::<Vec<_>>(),
        [ControlKind::Acknowledge, ControlKind::Reassign]
    );
    assert_eq!(
        (&said[0].tenant, &said[0].team),
        (&Some(text("acme")), &Some(text("lan")))
    );
    assert_eq!(
        (&said[1].incident_id, &said[1].to),
        (&Some(text("i-a2")), &Some(text("wan-providers")))
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_no_incident_or_of_two_is_refused_and_nothing_is_written() {
    let cluster = Cluster::start().await;
    let found = [incident("i-a1", "berlin", 0), incident("i-a2", "lyon", 0)];
    let installation = installation(&cluster, "unsure", &found).await;
    for (words, why) in [
        ("ack i-x", "no incident begins with i-x"),
        (
            "silence i-a --for 2h",
            "i-a is not one incident: i-a1 (site=berlin), i-a2 (site=lyon)",
        ),
        ("verdict i-a1 maybe", "expected `right` or `wrong`"),
        ("reassign i-a1 --to wan", "--reason <TEXT>"),
        ("reassign i-a1 --to wan --reason theirs", "knows no team wan, but "),
    ] {
        let (ok, _, beside) = incidents(&installation, words).await;
        assert!(!ok && beside.contains(why), "{words}: {beside}");
    }
    assert_eq!(said(&installation).await, []);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_is_named() {
    let cluster = Cluster::silent();
    let installation = Installation::new(&cluster, "nobody", &Simulation::new(&small(), 1));
    let (ok, listed, beside) = incidents(&installation, "list").await;
    let bootstrap = &installation.kafka.properties["bootstrap.servers"];
    assert!(!ok && listed.is_empty(), "{listed}");
    assert!(
        beside.contains(&format!("the incidents cannot be read from {bootstrap}")),
        "{beside}"
    );
}
