//! The lake that the demo writes, read by DuckDB and Polars: every record once, every offset accounted for.

use std::io::Write as _;
use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialtone::{
    cli,
    config::Config,
    demo,
    stage::{Sink, Wire},
};
use dialtone_broker::{Broker, BrokerConfig};
use dialtone_schemas::topic::Topic;
use dialtone_tests::{SMALL, defaults};
use dialtone_wire::{LogRecord, OutRecord, Payload, Place, Publish, consume::Consumer};

/// Nothing waits this long unless something is wrong.
const DEADLINE: Duration = Duration::from_secs(60);
/// Records of each partition that come a second time.
const AGAIN: usize = 50;

/// Asks both readers the same; the answer is one JSON object.
const ASK: &str = r#"
import json, sys
import duckdb, duckdb_extension_delta, polars
lake = sys.argv[1]
c = duckdb.connect()
c.load_extension(duckdb_extension_delta.__path__[0] + '/extensions/v1.5.5/delta.duckdb_extension')
keys = {'events': ['event_id', 'revision'], 'summaries': ['_kafka_partition', 'number'], 'incidents': ['id', 'revision']}
answer = {}
for table, key in keys.items():
    scan = f"delta_scan('{lake}/{table}')"
    rows, = c.sql(f"select count(*) from {scan}").fetchone()
    distinct, = c.sql(f"select count(*) from (select distinct {', '.join(key)} from {scan})").fetchone()
    frame = polars.scan_delta(f"{lake}/{table}").select(key).collect()
    answer[table] = {'duckdb': [rows, distinct], 'polars': [frame.height, frame.unique().height]}
for table in ['events', 'summaries', 'clocks', 'unreadable']:
    query = f"select _kafka_topic, _kafka_partition, _kafka_offset from delta_scan('{lake}/{table}')"
    answer.setdefault(table, {})['offsets'] = c.sql(query).fetchall()
sites = f"select count(distinct near.site) from delta_scan('{lake}/events')"
answer['sites'], = c.sql(sites).fetchone()
print(json.dumps(answer))
"#;

fn python() -> String {
    #[allow(clippy::disallowed_methods, reason = "a test may be told of a Python")]
    let named = std::env::var("DIALTONE_TEST_PYTHON").ok();
    named.unwrap_or_else(|| "python3".into())
}

fn has_readers() -> bool {
    let modules = "import duckdb, duckdb_extension_delta, polars, deltalake";
    let tried = Command::new(python()).args(["-c", modules]).output();
    tried.is_ok_and(|output| output.status.success())
}

fn ask(lake: &Path) -> serde_json::Value {
    let output = Command::new(python())
        .args(["-c", ASK])
        .arg(lake)
        .output()
        .expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The places of a topic and everything in them.
fn read_all(config: &Config, topic: Topic) -> BTreeMap<i32, Vec<LogRecord>> {
    let mut consumer = Consumer::manual(&config.kafka, "test-reader", None).expect("a reader");
    let count = consumer.partition_counts(&[topic]).expect("a count")[&topic];
    let places: Vec<Place> = (0..count).map(|p| (topic, p)).collect();
    consumer
        .assign(&consumer.first_offsets(&places).expect("offsets"))
        .expect("assigned");
    let mut logs: BTreeMap<i32, Vec<LogRecord>> = (0..count).map(|p| (p, Vec::new())).collect();
    let deadline = Instant::now() + DEADLINE;
    while !places.iter().all(|place| consumer.at_end(*place)) {
        assert!(Instant::now() < deadline, "{topic:?} has no end");
        consumer.poll(Duration::from_millis(20)).expect("polled");
        for place in &places {
            let log = logs.entry(place.1).or_default();
            log.extend(std::iter::from_fn(|| consumer.take(*place)));
        }
    }
    assert!(consumer.close(DEADLINE));
    logs
}

async fn read(config: &Config, topic: Topic) -> BTreeMap<i32, Vec<LogRecord>> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || read_all(&config, topic))
        .await
        .expect("read")
}

/// Some records once more, and in each partition one that is none.
fn disturbance(logs: &BTreeMap<i32, Vec<LogRecord>>) -> Vec<OutRecord> {
    let out = |partition, key, payload| OutRecord {
        topic: Topic::Events,
        partition: Some(partition),
        key,
        payload,
        headers: Vec::new(),
    };
    let mut records = Vec::new();
    for (partition, log) in logs {
        let values = log.iter().filter(|r| matches!(r.payload, Payload::Value(_)));
        let again = values
            .take(AGAIN)
            .map(|r| out(*partition, r.key.clone(), r.payload.clone()));
        records.extend(again);
        records.push(out(
            *partition,
            Bytes::new(),
            Payload::Value(Bytes::from_static(b"no record")),
        ));
    }
    records
}

async fn keep(config: &Config, wire: &Wire) {
    let sink = Sink::start(config, wire).await.expect("a sink");
    let deadline = Instant::now() + DEADLINE;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    while !sink.caught_up() {
        assert!(Instant::now() < deadline, "the sink does not catch up");
        every.tick().await;
    }
    sink.stop().await.expect("stopped");
}

/// Offsets of one partition in some tables of the lake, sorted.
fn offsets(answer: &serde_json::Value, tables: &[&str], topic: &str, partition: i32) -> Vec<i64> {
    let of = |table: &&str| answer[*table]["offsets"].as_array().expect("rows").clone();
    let rows = tables.iter().flat_map(of);
    let here = rows.filter(|row| row[0].as_str().is_some_and(|t| t.contains(topic)) && row[1] == partition);
    let mut offsets: Vec<i64> = here.filter_map(|row| row[2].as_i64()).collect();
    offsets.sort_unstable();
    offsets
}

/// S-1
#[tokio::test(flavor = "multi_thread")]
async fn duckdb_and_polars_read_each_record_of_the_demos_lake_once_and_no_offset_is_missing() {
    if !has_readers() {
        drop(writeln!(
            std::io::stderr(),
            "SKIPPED: no DuckDB and Polars; pip install duckdb==1.5.5 duckdb-extension-delta==1.5.5 polars==2.1.0 deltalake, \
             or name a Python that has them in DIALTONE_TEST_PYTHON"
        ));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("small.toml");
    // What senders repeat is kept once; here only what the log itself repeats is told from it.
    let without_repeats = SMALL.replace("[reporting]", "[reporting]\nduplicates = 0.0");
    std::fs::write(&scenario, without_repeats).unwrap();
    let run = dir.path().join("run");
    let args = cli::Demo {
        dir: Some(run.clone()),
        seed: 101,
        scenario: scenario.display().to_string(),
        history: None,
        overwrite: false,
    };
    demo::run(&args, defaults().unwrap()).await.unwrap();

    let broker = Broker::start(BrokerConfig::new(run.join("broker"))).await.unwrap();
    let mut config = dialtone::config::load(Some(&run.join("dialtone.toml")), std::iter::empty()).unwrap();
    config
        .kafka
        .properties
        .insert("bootstrap.servers".into(), broker.bootstrap());
    let wire = Wire::connect(&config).await.unwrap();
    let before = read(&config, Topic::Events).await;
    for delivery in wire.publisher.publish(disturbance(&before)).await {
        delivery.unwrap();
    }
    keep(&config, &wire).await;

    let answer = ask(&config.sink.lake_dir);
    for table in ["events", "summaries", "incidents"] {
        let rows = answer[table]["duckdb"][0].as_u64().unwrap();
        assert!(rows > 0, "{table} is empty");
        for reader in ["duckdb", "polars"] {
            assert_eq!(
                answer[table][reader],
                serde_json::json!([rows, rows]),
                "{table} by {reader}: rows, distinct"
            );
        }
        println!("{table}: {rows} rows");
    }
    assert_eq!(
        answer["sites"], 7,
        "four offices, and three regions of those who work at home"
    );

    for (partition, log) in read(&config, Topic::Events).await {
        let kept = offsets(&answer, &["events", "clocks", "unreadable"], "events", partition);
        let first_time = before[&partition].iter().map(|r| r.offset);
        let unreadable = log.last().unwrap().offset;
        assert_eq!(log.len(), before[&partition].len() + AGAIN + 1, "partition {partition}");
        let expected: Vec<i64> = first_time.chain([unreadable]).collect();
        assert_eq!(
            kept, expected,
            "partition {partition} of events: rows + clocks + unreadable, without the repeats"
        );
    }
    for (partition, log) in read(&config, Topic::Summaries).await {
        let kept = offsets(&answer, &["summaries", "clocks", "unreadable"], "summaries", partition);
        assert_eq!(
            kept,
            log.iter().map(|r| r.offset).collect::<Vec<_>>(),
            "partition {partition} of summaries"
        );
    }
    let alerts: usize = read(&config, Topic::Alerts).await.values().map(Vec::len).sum();
    assert_eq!(answer["incidents"]["duckdb"][0], alerts as u64, "one row an alert");
    drop(wire);
    broker.shutdown().await;
}
