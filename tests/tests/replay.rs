//! Replaying files: equal input gives byte-equal output, however it is packed and in whichever order its lines are.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use dialtone::{cli, replay};
use dialtone_schemas::{Control, Incident, Text, control::ControlKind, incident::Verdict, time};
use dialtone_simulator::{Scenario, write_run};
use dialtone_tests::{SMALL, defaults};

fn simulated(dir: &Path) -> PathBuf {
    write_run(&Scenario::from_toml(SMALL).expect("a scenario"), 101, dir)
        .expect("files")
        .events
}

/// Replays a run's files with these events, and reads what was found.
fn found(dir: &Path, events: &Path) -> String {
    found_and_told(dir, events, None)
}

/// The same where people say something of it.
fn found_and_told(dir: &Path, events: &Path, control: Option<PathBuf>) -> String {
    let out = dir.join("incidents.ndjson");
    let args = cli::Replay {
        events: Some(events.to_owned()),
        graph: Vec::new(),
        changes: Some(dir.join("changes.ndjson")),
        complaints: Some(dir.join("complaints.ndjson")),
        control,
        sites: Some(dir.join("sites.csv")),
        owners: Some(dir.join("owners.toml")),
        incidents_out: Some(out.clone()),
    };
    replay::run(&args, &defaults().expect("defaults")).expect("replayed");
    fs::read_to_string(out).expect("incidents")
}

/// The same lines in another order, far from the first: every line goes where a multiplier sends it.
fn shuffled(lines: &str) -> String {
    const STRIDE: usize = 7_919;
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        !lines.len().is_multiple_of(STRIDE),
        "{} lines: every line is reached once",
        lines.len()
    );
    (0..lines.len())
        .map(|i| format!("{}\n", lines[i * STRIDE % lines.len()]))
        .collect()
}

#[test]
fn a_replay_twice_gives_equal_bytes_and_names_the_planted_cause() {
    let dir = tempfile::tempdir().unwrap();
    let events = simulated(dir.path());
    let first = found(dir.path(), &events);
    assert!(
        first.lines().any(|line| line.contains(r#""carrier":"telnova""#)),
        "{first}"
    );
    assert_eq!(first, found(dir.path(), &events));
}

#[test]
fn packed_with_gzip_or_zstd_or_with_its_lines_shuffled_a_file_gives_the_same_incidents() {
    let dir = tempfile::tempdir().unwrap();
    let events = simulated(dir.path());
    let plain = found(dir.path(), &events);
    assert!(!plain.is_empty());
    let text = fs::read_to_string(&events).unwrap();

    let gzip = dir.path().join("events.ndjson.gz");
    let mut packer = flate2::write::GzEncoder::new(fs::File::create(&gzip).unwrap(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap();
    assert_eq!(found(dir.path(), &gzip), plain, "gzip");

    let zstd = dir.path().join("events.ndjson.zst");
    fs::write(&zstd, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    assert_eq!(found(dir.path(), &zstd), plain, "zstd");

    // Out of order, lines are taken by event time: which report of a call-end comes first may be another, so the figures
    // may differ by a call; what is named may not, and two shuffles are the same.
    let other = dir.path().join("shuffled.ndjson");
    fs::write(&other, shuffled(&text)).unwrap();
    let once = found(dir.path(), &other);
    assert_eq!(named(&once), named(&plain), "shuffled");
    fs::write(&other, shuffled(&shuffled(&text))).unwrap();
    assert_eq!(found(dir.path(), &other), once, "shuffled twice");
}

/// A quarter of an hour after it has opened it is acknowledged, silenced for two hours and judged right. That it is given to another team was
/// said an hour before it opened, when it was not there, and says nothing; a configuration is not taken from a file.
#[test]
fn what_people_said_of_an_incident_is_on_it_when_a_replay_is_told_it_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let events = simulated(dir.path());
    let read = |line: &str| serde_json::from_str::<Incident>(line).expect("an incident");
    let unsaid = found(dir.path(), &events);
    let planted = unsaid.lines().find(|line| line.contains(r#""carrier":"telnova""#));
    let before = read(planted.expect("the planted cause"));
    assert_eq!((before.acknowledged, before.verdict), (None, None));

    let opened = before.opened.expect("opened");
    let at = opened.plus(15 * time::MINUTE);
    let until = at.plus(2 * time::HOUR);
    let says = |kind, at| Control::about(&before, kind, at);
    let said = [
        Control {
            to: Some(Text::new("lan").unwrap()),
            reason: Some(Text::new("their switch").unwrap()),
            ..says(ControlKind::Reassign, opened.plus(-time::HOUR))
        },
        Control {
            body: Some("{}".to_owned()),
            ..says(ControlKind::Configure, at)
        },
        says(ControlKind::Acknowledge, at),
        Control {
            until: Some(until),
            ..says(ControlKind::Silence, at)
        },
        Control {
            body: Some("right".to_owned()),
            ..says(ControlKind::Verdict, at)
        },
    ];
    let lines = said.map(|control| serde_json::to_string(&control).unwrap());
    let control = dir.path().join("control.ndjson");
    fs::write(&control, lines.join("\n")).unwrap();

    let told = found_and_told(dir.path(), &events, Some(control));
    let mut incidents = told.lines().map(read);
    let after = incidents.find(|incident| incident.id == before.id).expect("the same");
    assert_eq!((after.acknowledged, after.silenced_until), (Some(at), Some(until)));
    assert_eq!((after.verdict, after.reassigned), (Some(Verdict::Right), None));
}

/// What a replay named, and when it began.
fn named(incidents: &str) -> Vec<(String, String)> {
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("an incident");
    let incidents = incidents.lines().map(read);
    incidents
        .map(|incident| (incident["id"].to_string(), incident["scope"].to_string()))
        .collect()
}

/// Call records from a file: each stream is an event; what cannot be read is told, and is not everything.
#[test]
fn call_records_are_replayed_from_files() {
    let dir = tempfile::tempdir().expect("a folder");
    let records = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ingest/tests/fixtures/graph");
    let mut files: Vec<PathBuf> = fs::read_dir(records)
        .expect("fixtures")
        .map(|file| file.expect("one").path())
        .collect();
    files.sort();
    let out = dir.path().join("incidents.ndjson");
    let args = |graph| cli::Replay {
        events: None,
        graph,
        changes: None,
        complaints: None,
        control: None,
        sites: None,
        owners: None,
        incidents_out: Some(out.clone()),
    };
    let config = defaults().expect("defaults");
    replay::run(&args(files), &config).expect("replayed");
    assert_eq!(
        fs::read_to_string(&out).expect("written"),
        "",
        "nothing is wrong in them"
    );
    let bad = dir.path().join("bad.json");
    fs::write(&bad, "{\"sessions\": 7}").expect("written");
    let error = replay::run(&args(vec![bad]), &config).expect_err("nothing was taken");
    assert!(error.to_string().contains("every line was rejected"), "{error}");
}
