//! What these stories share: a broker, a folder with a configuration, the real binary, and waiting with a deadline.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use dialtone_schemas::{EventTime, Incident, Summary, Window, avro, time, topic::Topic};
use dialtone_simulator::{Reporting, Scenario, Simulation, json_line};
use dialtone_wire::{KafkaConfig, KafkaPublisher, LogRecord, OutRecord, Payload, Place, Publish, consume::Consumer};
use serde::Serialize;

/// Long enough for a slow machine; nothing waits this long unless something is wrong.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// The key with which replays seal: with it, the doors and a replay give equal pseudonyms.
const REPLAY_KEY: &[u8; 32] = b"dialtone replay seals nothing!!!";
pub const TOKEN: &str = "a token of this test";

/// A few hours of a small enterprise in which a carrier's route goes bad.
pub const SMALL: &str = r#"
name = "small"
start = "2026-03-03T05:00:00Z"
history = "3h"
evaluate = "90m"

[enterprise]
sites = 4
users = 1200
sites_with_final_reports_only = 1

[[fault]]
kind = "carrier_route"
at = "20m"
scope = { carrier = "telnova" }
change = true
hit = { share = 0.25, loss = 0.12, jitter_ms = 20.0, delay_ms = 60.0 }
"#;

/// Waits until a condition holds.
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut every = tokio::time::interval(Duration::from_millis(50));
    loop {
        every.tick().await;
        if let Some(outcome) = condition().await {
            return outcome;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
    }
}

/// A port that is free now.
pub fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A broker of this test's own, or the one that `DIALTONE_TEST_BROKERS` names.
pub struct Cluster {
    bootstrap: String,
    pub dir: tempfile::TempDir,
    running: Option<RunningBroker>,
}

impl Cluster {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        #[allow(clippy::disallowed_methods, reason = "a test may be told of a real broker")]
        let named = std::env::var("DIALTONE_TEST_BROKERS").ok();
        let (bootstrap, running) = match named {
            Some(named) => (named, None),
            None => {
                let config = BrokerConfig::new(dir.path().join("broker"));
                let running = Broker::start(config).await.expect("an embedded broker");
                (running.bootstrap(), Some(running))
            }
        };
        Self {
            bootstrap,
            dir,
            running,
        }
    }

    /// A broker that does not answer.
    pub fn silent() -> Self {
        Self {
            bootstrap: free_port().to_string(),
            dir: tempfile::tempdir().expect("a folder"),
            running: None,
        }
    }

    pub async fn shutdown(self) {
        if let Some(running) = self.running {
            running.shutdown().await;
        }
    }
}

/// One installation: its configuration, its topics and its folder.
pub struct Installation {
    pub dir: PathBuf,
    pub config: PathBuf,
    pub kafka: KafkaConfig,
    pub http: SocketAddr,
    pub admin: SocketAddr,
    client: reqwest::Client,
}

impl Installation {
    /// With topics of its own.
    pub fn new(cluster: &Cluster, name: &str, simulation: &Simulation) -> Self {
        let dir = cluster.dir.path().join(name);
        fs::create_dir_all(&dir).expect("a folder");
        let unique = cluster.dir.path().file_name().expect("a name").to_string_lossy();
        let unique = unique.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let mut kafka = KafkaConfig::at(&cluster.bootstrap);
        kafka.topic_prefix = format!("story-{unique}-{name}");
        kafka.partitions = 4;
        let (http, admin) = (free_port(), free_port());
        fs::write(dir.join("sites.csv"), simulation.sites_csv()).expect("sites");
        fs::write(dir.join("owners.toml"), simulation.owners_toml()).expect("owners");
        secret(&dir.join("token"), TOKEN);
        let key: String = REPLAY_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
        secret(&dir.join("privacy.key"), &key);
        let (here, prefix, bootstrap) = (dir.display(), &kafka.topic_prefix, &cluster.bootstrap);
        let text = format!(
            r#"
admin.listen = "{admin}"
[kafka]
topic_prefix = "{prefix}"
partitions = 4
[kafka.properties]
"bootstrap.servers" = "{bootstrap}"
"broker.address.family" = "v4"
"session.timeout.ms" = "6000"
[ingest]
sites = "{here}/sites.csv"
[ingest.http]
listen = "{http}"
[[ingest.http.tokens]]
tenant = "replay"
file = "{here}/token"
[ingest.privacy]
key_file = "{here}/privacy.key"
[processor]
state_dir = "{here}/state"
owners = "{here}/owners.toml"
live = false
checkpoint = "1s"
[sink]
lake_dir = "{here}/lake"
commit = "2s"
"#
        );
        let config = dir.join("dialtone.toml");
        fs::write(&config, text).expect("a configuration");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self {
            dir,
            config,
            kafka,
            http,
            admin,
            client,
        }
    }

    /// Starts stages as a process.
    pub fn start(&self, stages: &str) -> Dialtone {
        Dialtone::start(&[stages, "--config", &self.config.display().to_string()], &self.dir)
    }

    /// Starts stages and waits until they are ready.
    pub async fn start_ready(&self, stages: &str) -> Dialtone {
        let mut dialtone = self.start(stages);
        eventually("/readyz answers 200", async || {
            assert!(
                dialtone.child.try_wait().expect("a status").is_none(),
                "{}",
                dialtone.log()
            );
            (self.admin("readyz").await?.0 == 200).then_some(())
        })
        .await;
        dialtone
    }

    /// What the admin port answers, if it does.
    pub async fn admin(&self, path: &str) -> Option<(u16, String)> {
        let answer = self
            .client
            .get(format!("http://{}/{path}", self.admin))
            .send()
            .await
            .ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// The sum of a metric's series whose labels contain this text.
    pub async fn metric(&self, name: &str, labels: &str) -> Option<f64> {
        let (_, text) = self.admin("metrics").await?;
        let series = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(labels));
        let values: Vec<f64> = series
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// Posts records through the HTTP door; all of them are acknowledged, or an error says that perhaps some are not.
    pub async fn post(&self, path: &str, records: &[impl Serialize]) -> Result<(), String> {
        if records.is_empty() {
            return Ok(());
        }
        let mut body = String::new();
        for record in records {
            body += &json_line(record).expect("a line");
            body.push('\n');
        }
        let packed = zstd::encode_all(body.as_bytes(), 1).expect("packed");
        let request = self.client.post(format!("http://{}/v1/{path}", self.http));
        let request = request
            .bearer_auth(TOKEN)
            .header("content-type", "application/x-ndjson");
        let sent = request.header("content-encoding", "zstd").body(packed).send().await;
        let answer = sent.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        match status {
            200 => Ok(()),
            _ => Err(format!("{status}: {text}")),
        }
    }

    /// Everything that a topic holds, partition by partition.
    pub async fn read(&self, topic: Topic) -> Vec<Vec<LogRecord>> {
        let kafka = self.kafka.clone();
        let read = tokio::task::spawn_blocking(move || read_all(&kafka, topic));
        read.await.expect("read")
    }

    /// Writes records to a topic, each under its key, as watch does.
    pub async fn write(&self, topic: Topic, records: Vec<(Vec<u8>, Vec<u8>)>) {
        let record = |(key, frame): (Vec<u8>, Vec<u8>)| OutRecord {
            topic,
            partition: None,
            key: key.into(),
            payload: Payload::Value(frame.into()),
            headers: Vec::new(),
        };
        let publisher = self.publisher().await;
        for delivery in publisher.publish(records.into_iter().map(record).collect()).await {
            delivery.expect("acknowledged");
        }
        publisher.close(DEADLINE).await.expect("closed");
    }

    /// What `dialtone …` says of it: its status, its answer, and what it says beside.
    pub async fn asked(&self, words: &str) -> (bool, String, String) {
        let config = self.config.display().to_string();
        let words: Vec<String> = words
            .split(' ')
            .chain(["--config", &config])
            .map(str::to_owned)
            .collect();
        let output = tokio::task::spawn_blocking(move || run(&words.iter().map(String::as_str).collect::<Vec<_>>()));
        let output = output.await.expect("the binary");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    }

    pub async fn publisher(&self) -> KafkaPublisher {
        KafkaPublisher::connect(&self.kafka, None).await.expect("a producer")
    }

    /// The input has ended: tells all logs a time past every window, as ingest does at the end of a demo.
    pub async fn close(&self, highest: EventTime) -> EventTime {
        let end = highest.ceil(Window::SPAN).plus(75 * time::MINUTE + time::MINUTE);
        let publisher = self.publisher().await;
        let clocks = dialtone_ingest::clock::clock_records(&publisher, end);
        for delivery in publisher.publish(clocks).await {
            delivery.expect("acknowledged");
        }
        end
    }

    /// Waits until both folds have read everything up to the end and told it.
    pub async fn processed_until(&self, end: EventTime) {
        eventually("every partition is summarised to its end", async || {
            let summaries = self.summaries().await;
            let ended = summaries.iter().all(|numbered| {
                let last = numbered.values().last().map(|bytes| summary(bytes).tick.time());
                last.is_some_and(|tick| tick.plus(10 * time::SECOND) > end)
            });
            ended.then_some(())
        })
        .await;
        let mut values = 0;
        for topic in [Topic::Summaries, Topic::Changes, Topic::Complaints, Topic::Control] {
            let logs = self.read(topic).await;
            values += logs
                .iter()
                .flatten()
                .filter(|r| matches!(r.payload, Payload::Value(_)))
                .count();
        }
        eventually("watch has read every summary, change and complaint", async || {
            let received = self.metric("dialtone_watch_records_total", "fate=\"received\"").await?;
            #[allow(clippy::cast_precision_loss, reason = "some hundred thousand")]
            let all = received >= values as f64;
            all.then_some(())
        })
        .await;
    }

    /// The numbered summaries of each partition as bytes, repeats removed; a repeat with other bytes fails the test.
    pub async fn summaries(&self) -> Vec<BTreeMap<i64, Vec<u8>>> {
        let logs = self.read(Topic::Summaries).await;
        logs.into_iter()
            .map(|log| {
                let mut numbered = BTreeMap::new();
                for record in log {
                    let Payload::Value(frame) = record.payload else {
                        continue;
                    };
                    let number = summary(&frame).number;
                    let known = numbered.entry(number).or_insert_with(|| frame.to_vec());
                    assert_eq!(
                        *known, frame,
                        "{:?}: number {number} was told twice, differently",
                        record.place
                    );
                }
                numbered
            })
            .collect()
    }

    /// The last revision of every incident as JSON lines, by (opened, id), as `dialtone replay` prints them.
    pub async fn incidents(&self) -> Vec<String> {
        let mut last = BTreeMap::new();
        for record in self.read(Topic::Incidents).await.into_iter().flatten() {
            let Payload::Value(frame) = record.payload else {
                continue;
            };
            let incident: Incident = avro::record_from_built_in_frame(&frame).expect("an incident");
            last.insert(incident.id.clone(), incident);
        }
        let mut incidents: Vec<Incident> = last.into_values().collect();
        incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
        incidents
            .iter()
            .map(|i| serde_json::to_string(i).expect("a line"))
            .collect()
    }

    /// Those of them that have opened: a replay does not tell of what was only watched.
    pub async fn opened(&self) -> Vec<String> {
        let is_opened = |line: &String| !line.contains("\"opened\":null");
        self.incidents().await.into_iter().filter(is_opened).collect()
    }

    /// What replaying files finds, by the same configuration: its lines, and what it says beside them.
    pub fn replay(&self, files: &Path) -> (Vec<String>, String) {
        let file = |name: &str| files.join(name).display().to_string();
        let output = run(&[
            "replay",
            "--config",
            &self.config.display().to_string(),
            "--events",
            &file("events.ndjson"),
            "--changes",
            &file("changes.ndjson"),
            "--complaints",
            &file("complaints.ndjson"),
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let lines = String::from_utf8(output.stdout).expect("text");
        (lines.lines().map(str::to_owned).collect(), said)
    }

    /// The same input logs under another installation's names, clocks included.
    pub async fn copy_input_to(&self, other: &Self) {
        dialtone_wire::topics::ensure(&other.kafka).await.expect("topics");
        let publisher = other.publisher().await;
        for topic in [Topic::Events, Topic::Changes, Topic::Complaints, Topic::Control] {
            let copy = |record: LogRecord| OutRecord {
                topic,
                partition: Some(record.place.1),
                key: record.key,
                payload: record.payload,
                headers: Vec::new(),
            };
            let copies: Vec<OutRecord> = self.read(topic).await.into_iter().flatten().map(copy).collect();
            for some in copies.chunks(2_000) {
                for delivery in publisher.publish(some.to_vec()).await {
                    delivery.expect("acknowledged");
                }
            }
        }
    }
}

fn summary(frame: &[u8]) -> Summary {
    avro::record_from_built_in_frame(frame).expect("a summary")
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).expect("a secret");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}

/// Reads each partition of a topic from its beginning to its present end.
fn read_all(kafka: &KafkaConfig, topic: Topic) -> Vec<Vec<LogRecord>> {
    let mut consumer = Consumer::manual(kafka, "test-reader", None).expect("a reader");
    let count = consumer.partition_counts(&[topic]).expect("a count")[&topic];
    let places: Vec<Place> = (0..count).map(|p| (topic, p)).collect();
    let first = consumer.first_offsets(&places).expect("first offsets");
    consumer.assign(&first).expect("assigned");
    let mut logs = vec![Vec::new(); places.len()];
    let deadline = Instant::now() + DEADLINE;
    while !places.iter().all(|place| consumer.at_end(*place)) {
        assert!(Instant::now() < deadline, "{topic:?} has no end");
        consumer.poll(Duration::from_millis(20)).expect("polled");
        for (log, place) in logs.iter_mut().zip(&places) {
            log.extend(std::iter::from_fn(|| consumer.take(*place)));
        }
    }
    assert!(consumer.close(DEADLINE));
    logs
}

/// The real binary as a process.
pub struct Dialtone {
    pub child: Child,
    log: PathBuf,
}

impl Dialtone {
    pub fn start(args: &[&str], dir: &Path) -> Self {
        let log = dir.join("log");
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let mut command = command(args);
        let command = command.stdout(Stdio::null()).stderr(file.try_clone().expect("a log"));
        let child = command.stdout(file).spawn().expect("the binary");
        Self { child, log }
    }

    /// What it has logged, and those before it.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// How it ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually("it ends by itself", async || self.child.try_wait().expect("a status")).await
    }

    /// SIGTERM, and how it ended within a time.
    pub async fn terminate(mut self, within: Duration) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .expect("kill")
                .success()
        );
        let told = Instant::now();
        let status = eventually("it ends when told to", async || {
            self.child.try_wait().expect("a status")
        })
        .await;
        assert!(
            told.elapsed() <= within,
            "it took {:?} to stop\n{}",
            told.elapsed(),
            self.log()
        );
        status
    }
}

impl Drop for Dialtone {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dialtone"));
    command.args(args).env_remove("DIALTONE_CONFIG").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn run(args: &[&str]) -> Output {
    command(args).output().expect("the binary")
}

/// The small scenario.
pub fn small() -> Scenario {
    // What is lost, repeated or late on the way would hide what the stages do to it.
    Scenario {
        reporting: Reporting::perfect(),
        ..Scenario::from_toml(SMALL).expect("a scenario")
    }
}
