//! Reports through the real door into the real binary: what it finds is what a replay finds, however often it is killed.

mod support;

use std::{collections::BTreeMap, time::Duration};

use dialtone_schemas::{EventTime, time, topic::Topic};
use dialtone_simulator::{Deliveries, Simulation, write_run};
use dialtone_wire::Payload;
use support::{Cluster, Installation, eventually, small};

const SEED: u64 = 101;
/// Less than the smallest bound, so that nothing is late whatever is in one body.
const STEP: i64 = 30 * time::SECOND;
/// What a drain may take.
const DRAIN: Duration = Duration::from_secs(10);

/// The whole run in steps, events in the order in which they arrive: that of the files a replay reads.
fn steps() -> Vec<Deliveries> {
    let mut simulation = Simulation::new(&small(), SEED);
    let mut now = simulation.start();
    let mut steps = Vec::new();
    while now < simulation.end() {
        now = now.plus(STEP);
        steps.push(simulation.advance(now));
    }
    steps
}

fn highest(steps: &[Deliveries]) -> EventTime {
    let ends = steps.iter().flat_map(|step| &step.events).map(|event| event.end);
    ends.max().expect("events")
}

fn count(steps: &[Deliveries]) -> u64 {
    steps.iter().map(|step| step.events.len() as u64).sum()
}

async fn post(installation: &Installation, step: &Deliveries) -> Result<(), String> {
    installation.post("changes", &step.changes).await?;
    installation.post("events", &step.events).await?;
    installation.post("complaints", &step.complaints).await
}

/// Posts until it is acknowledged, as a sender must: the door is closed while the process is down.
async fn post_until_acknowledged(installation: &Installation, step: &Deliveries) {
    eventually("the step is acknowledged", async || post(installation, step).await.ok()).await;
}

async fn fate(installation: &Installation, fate: &str) -> u64 {
    let labels = format!("fate=\"{fate}\"");
    let count = installation.metric("dialtone_summarise_events_total", &labels).await;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
    let count = count.unwrap_or(-1.0) as u64;
    count
}

/// F-1: every event that was sent is passed on, and the doors, the log, the folds and the replay agree about it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_pipeline_finds_is_what_a_replay_of_the_same_lines_finds() {
    let cluster = Cluster::start().await;
    let scenario = small();
    let installation = Installation::new(&cluster, "plain", &Simulation::new(&scenario, SEED));
    let files = cluster.dir.path().join("files");
    let written = write_run(&scenario, SEED, &files).unwrap();
    let steps = steps();
    assert_eq!(count(&steps), written.lines[0], "the same lines");

    let all = installation.start_ready("all").await;
    for step in &steps {
        post(&installation, step).await.unwrap();
    }
    let end = installation.close(highest(&steps)).await;
    installation.processed_until(end).await;
    eventually("every event is passed on", async || {
        (fate(&installation, "passed_on").await == written.lines[0]).then_some(())
    })
    .await;
    for (kind, expected) in [
        ("received", written.lines[0]),
        ("rejected", 0),
        ("late", 0),
        ("duplicate", 0),
    ] {
        assert_eq!(fate(&installation, kind).await, expected, "{kind}");
    }
    assert!(all.terminate(DRAIN).await.success());

    let logged = installation.read(Topic::Events).await;
    let logged = logged
        .iter()
        .flatten()
        .filter(|r| matches!(r.payload, Payload::Value(_)));
    assert_eq!(logged.count() as u64, written.lines[0], "events in the log");
    let rejects = installation.read(Topic::Rejects).await;
    assert_eq!(rejects.iter().flatten().count(), 0, "rejects");
    let (replayed, said) = installation.replay(&files);
    assert!(
        said.contains(&format!(
            "{0} events: {0} counted, 0 late, 0 duplicate, 0 held",
            written.lines[0]
        )),
        "{said}"
    );
    let found = installation.incidents().await;
    assert!(
        found.iter().any(|line| line.contains("telnova")),
        "the planted cause: {found:?}"
    );
    assert_eq!(installation.opened().await, replayed);
    cluster.shutdown().await;
}

/// F-3, with real processes: `kill -9` of ingest, process and sink at once, while bodies are on their way, while state is
/// restored, and while the end is caught up with.
#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_ends_with_the_summaries_and_incidents_of_an_undisturbed_run() {
    let cluster = Cluster::start().await;
    let scenario = small();
    let simulation = Simulation::new(&scenario, SEED);
    let hurt = Installation::new(&cluster, "hurt", &simulation);
    let files = cluster.dir.path().join("files");
    let written = write_run(&scenario, SEED, &files).unwrap();
    let steps = steps();
    // When, in per cent of the run, and how many turns after a body was sent off.
    let kills = [(20, 0), (45, 1_000), (47, 3_000), (70, 10_000), (90, 30_000)];
    let kills: BTreeMap<usize, u32> = kills
        .map(|(percent, turns)| (steps.len() * percent / 100, turns))
        .into();

    let mut all = hurt.start_ready("all").await;
    for (i, step) in steps.iter().enumerate() {
        if let Some(turns) = kills.get(&i) {
            let kill = async {
                for _ in 0..*turns {
                    tokio::task::yield_now().await;
                }
                all.kill();
            };
            let (posted, ()) = tokio::join!(post(&hurt, step), kill);
            println!("killed during step {i}: {posted:?}");
            all = hurt.start("all");
        }
        post_until_acknowledged(&hurt, step).await;
    }
    let end = hurt.close(highest(&steps)).await;
    all.kill();
    let all = hurt.start("all");
    hurt.processed_until(end).await;
    eventually("every event is passed on", async || {
        (fate(&hurt, "passed_on").await == written.lines[0]).then_some(())
    })
    .await;
    for kind in ["rejected", "late"] {
        assert_eq!(fate(&hurt, kind).await, 0, "{kind}");
    }
    let repeated = fate(&hurt, "duplicate").await;
    assert_eq!(fate(&hurt, "received").await, written.lines[0] + repeated, "F-1");
    assert!(all.terminate(DRAIN).await.success());

    let undisturbed = Installation::new(&cluster, "undisturbed", &simulation);
    hurt.copy_input_to(&undisturbed).await;
    let process = undisturbed.start_ready("process").await;
    undisturbed.processed_until(end).await;
    assert!(process.terminate(DRAIN).await.success());

    for (p, (ours, theirs)) in hurt
        .summaries()
        .await
        .iter()
        .zip(undisturbed.summaries().await)
        .enumerate()
    {
        assert!(
            ours.keys().copied().eq(0..i64::try_from(ours.len()).expect("fewer")),
            "partition {p} has dense numbers"
        );
        assert!(
            *ours == theirs,
            "partition {p}: {} against {} summaries",
            ours.len(),
            theirs.len()
        );
    }
    let found = hurt.incidents().await;
    assert_eq!(found, undisturbed.incidents().await);
    assert_eq!(hurt.opened().await, hurt.replay(&files).0);
    println!(
        "{} events, {repeated} repeated, {} incidents",
        written.lines[0],
        found.len()
    );
    cluster.shutdown().await;
}
