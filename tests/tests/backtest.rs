//! A backtest is the same fold over the same logs: what lies in the lake gives the incidents that were told then.

use std::collections::BTreeMap;

use dialtone::{backtest, cli, config::Config, evaluate::Simulated, past::Past, refold};
use dialtone_processor::{
    Watch,
    offline::{Heard, Watching},
    watch::history::{Day, Days},
};
use dialtone_schemas::{EventTime, Incident, Span, Summary, SummaryKind, Text, avro, time, topic::Topic};
use dialtone_simulator::Scenario;
use dialtone_tests::{SMALL, defaults, keep};
use dialtone_wire::{Fold as _, LogRecord, Payload, Place};

fn then(config: &Config, logs: &[Heard]) -> (Vec<Incident>, Vec<Heard>) {
    let mut watching = Watching::new(config.watch(config.owners().expect("owners")), config.kafka.partitions);
    for heard in logs {
        watching.hear(heard.clone()).expect("heard");
    }
    let frame = |alert| Payload::Value(avro::built_in_frame_from(alert).expect("a frame").into());
    let told = watching.alerts().iter().map(|alert| ((Topic::Alerts, 0), frame(alert)));
    (watching.incidents(), told.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_configuration_gives_the_same_incidents_and_another_one_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let scenario = Scenario::from_toml(SMALL).expect("a scenario");
    let mut config = defaults().expect("the defaults");
    let run = Simulated::new(&config, &scenario, 7).expect("a run");
    let (incidents, told) = then(&config, run.logs());
    assert!(!incidents.is_empty(), "something is broken in it");
    keep(dir.path(), run.logs(), &told).await.expect("kept");

    let args = cli::Backtest {
        lake: dir.path().to_owned(),
        from: scenario.start,
        to: scenario.end(),
        history: Span::from_micros(time::DAY),
        json: false,
    };
    let pairs = backtest::compare(&args, &config).await.expect("compared");
    let both: Vec<_> = pairs.iter().map(|pair| (pair.then.clone(), pair.now.clone())).collect();
    let expected: Vec<_> = incidents.into_iter().map(|i| (Some(i.clone()), Some(i))).collect();
    assert_eq!(both, expected, "to the last figure");

    // One that warms up for a week has seen nothing worth telling in five hours.
    config.processor.watch.warm_up = Span::from_micros(7 * time::DAY);
    let pairs = backtest::compare(&args, &config).await.expect("compared");
    assert!(!pairs.is_empty() && pairs.iter().all(|pair| pair.then.is_some() && pair.now.is_none()));
}

/// A run from half past nine in the evening until two, kept in a lake.
async fn night(config: &Config) -> (Scenario, Simulated, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let at_night = SMALL.replace("2026-03-03T05:00:00Z", "2026-03-03T21:30:00Z");
    let scenario = Scenario::from_toml(&at_night).expect("a scenario");
    let run = Simulated::new(config, &scenario, 7).expect("a run");
    keep(dir.path(), run.logs(), &[]).await.expect("kept");
    (scenario, run, dir)
}

/// Windows that closed after midnight lie in the day before: what begins at midnight lacks some of the numbers in its log.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_in_the_middle_of_the_lake_is_read_to_its_end() {
    let config = defaults().expect("the defaults");
    let (scenario, _, dir) = night(&config).await;
    let midnight = EventTime::parse("2026-03-04T00:00:00Z").expect("a time");
    let days = refold::days(midnight, midnight, 0);
    let refolded = async |config: &Config| {
        refold::refold((dir.path(), days), config, EventTime::MAX)
            .await
            .expect("folded")
    };
    let watching = refolded(&config).await;
    let reached = watching.watch().next_tick().expect("a tick").time();
    assert!(
        scenario.end().since(reached) < 5 * time::MINUTE,
        "until {reached} of {}",
        scenario.end()
    );
    assert_eq!(watching.watch().counts().beyond, 0);

    // What lies before is studied, unless nothing is to be.
    let mut forgetful = config.clone();
    forgetful.processor.study = Span::from_micros(0);
    let cells = |watching: &Watching| watching.watch().cells();
    let (studied, not) = (cells(&watching), cells(&refolded(&forgetful).await));
    assert!(studied > not, "{studied} cells, and {not} without the evening before");
}

/// The logs of a run as records, with the offsets that `keep` gives them.
fn records(run: &Simulated) -> Vec<LogRecord> {
    let mut next: BTreeMap<Place, i64> = BTreeMap::new();
    let record = |(place, payload): &Heard| {
        let offset = next.entry(*place).and_modify(|offset| *offset += 1).or_insert(1000);
        LogRecord {
            place: *place,
            offset: *offset,
            key: bytes::Bytes::new(),
            payload: payload.clone(),
        }
    };
    run.logs().iter().map(record).collect()
}

/// The summary that a record holds, if it holds one.
fn summary(record: &LogRecord) -> Option<Summary> {
    match &record.payload {
        Payload::Value(frame) if record.place.0 == Topic::Summaries => {
            Some(avro::record_from_built_in_frame(frame).expect("a summary"))
        }
        _ => None,
    }
}

/// Two hours and a half before midnight and two after it lie in the lake. A log that has them all leaves nothing to be learnt from the
/// lake; one that begins behind the first day's last summary leaves that day; one that has lost everything leaves both.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_without_checkpoints_learns_from_the_whole_days_that_its_logs_have_lost() {
    let config = defaults().expect("the defaults");
    let (scenario, run, dir) = night(&config).await;
    let past = Past::read(dir.path(), 28).await.expect("read");

    let (records, midnight) = (records(&run), scenario.start.day() + 1);
    let place = |partition| (Topic::Summaries, partition);
    let begin = |first: &BTreeMap<Place, i64>| {
        let settings = config.watch(config.owners().expect("owners"));
        Watch::new(settings, first.iter().map(|(place, offset)| (*place, *offset)))
    };
    let taught = |first: &BTreeMap<Place, i64>| {
        let mut watch = begin(first);
        past.teach(&mut watch, first);
        watch
    };
    let studied = |first: &BTreeMap<Place, i64>, before: i32| {
        let (mut watch, mut days) = (begin(first), Days::default());
        records
            .iter()
            .filter_map(summary)
            .for_each(|summary| days.add(&summary));
        let days: Vec<Day> = days.take_before(before);
        watch.study(&Text::new("replay").expect("a name"), days);
        watch
    };
    let all =
        |offset: i64| -> BTreeMap<Place, i64> { (0..config.kafka.partitions).map(|p| (place(p), offset)).collect() };

    let whole = all(1000);
    assert_eq!(taught(&whole), begin(&whole), "the logs have everything");
    let lost = all(i64::MAX);
    assert_eq!(taught(&lost), studied(&lost, i32::MAX), "they have nothing");
    let mut behind = whole;
    for (record, summary) in records.iter().filter_map(|record| Some((record, summary(record)?))) {
        let is_of_first = summary.window.is_some_and(|window| window.start().day() < midnight);
        if is_of_first && summary.kind != SummaryKind::Marker {
            behind.insert(record.place, record.offset + 1);
        }
    }
    let watch = taught(&behind);
    assert_eq!(watch, studied(&behind, midnight), "they begin in the second day");
    assert_ne!(watch, begin(&behind));

    // What is left of the logs is read from the first number that it shows.
    let mut places: BTreeMap<Place, i64> = behind.clone();
    places.extend([Topic::Changes, Topic::Complaints, Topic::Control].map(|topic| ((topic, 0), 1000)));
    let mut watch = taught(&places);
    let left = records.iter().filter(|record| record.offset >= places[&record.place]);
    left.for_each(|record| watch.absorb(record).expect("absorbed"));
    let counts = watch.counts();
    assert_eq!((counts.beyond, counts.folded > 1000), (0, true), "{counts:?}");
}

/// Half an hour in nothing has been said yet for want of evidence; at the end the incident that was opened holds the scope.
#[tokio::test(flavor = "multi_thread")]
async fn the_lake_says_why_nothing_was_told_and_what_holds_a_scope_now() {
    let dir = tempfile::tempdir().expect("a folder");
    let scenario = Scenario::from_toml(SMALL).expect("a scenario");
    let config = defaults().expect("the defaults");
    let run = Simulated::new(&config, &scenario, 7).expect("a run");
    let (incidents, told) = then(&config, run.logs());
    keep(dir.path(), run.logs(), &told).await.expect("kept");
    let opened = incidents[0].opened.expect("opened");
    let explain = async |at: EventTime| {
        let days = refold::days(scenario.start, at, 1);
        let watching = refold::refold((dir.path(), days), &config, at).await.expect("folded");
        let tenant = Text::new("replay").expect("a text");
        let explained = watching.watch().explain(&tenant, &incidents[0].scope);
        explained.expect("a tenant").expect("a scope")
    };

    let before = explain(opened.plus(-3 * time::MINUTE)).await;
    let look = before.channels[0].1.expect("calls were seen");
    assert!(
        before.incidents.is_empty() && look.evidence < look.threshold,
        "{look:?}"
    );
    assert!(
        look.minutes_missing().is_some_and(|minutes| minutes > 0.0),
        "it gathers: {look:?}"
    );

    let after = explain(opened.plus(3 * time::MINUTE)).await;
    let holding: Vec<&Text> = after.incidents.iter().map(|incident| &incident.id).collect();
    assert_eq!(holding, [&incidents[0].id]);
}
