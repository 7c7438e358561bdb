//! Sink as a service: reads every kept topic from where the lake stands, commits now and then.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use dialtone_sinks::{Appended, Lake, LakeError, lake::KEPT};
use dialtone_wire::{LogRecord, Place, consume::Consumer};
use tokio::{runtime::Handle, sync::oneshot};

use super::Wire;
use crate::config::Config;

/// How long a quiet reader waits for records.
const QUIET: Duration = Duration::from_millis(100);
/// Records taken of one place before the others have their turn.
const TURN: usize = 2_000;

/// The lake's keeper, on a thread of its own.
#[derive(Debug)]
pub struct Sink {
    stop: Arc<AtomicBool>,
    caught_up: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
    /// None once it was heard.
    finished: tokio::sync::Mutex<Option<oneshot::Receiver<Result<()>>>>,
}

impl Sink {
    /// Opens the lake and reads on from where it stands.
    pub async fn start(config: &Config, wire: &Wire) -> Result<Self> {
        let dir = &config.sink.lake_dir;
        let lake = Lake::open(dir)
            .await
            .with_context(|| format!("sink.lake_dir {}", dir.display()))?;
        let consumer = Consumer::manual(&wire.kafka, "dialtone-sink", wire.translator.clone())?;
        let stop = Arc::new(AtomicBool::new(false));
        let caught_up = Arc::new(AtomicBool::new(false));
        let ready = Arc::new(AtomicBool::new(false));
        let (done, finished) = oneshot::channel();
        let keeper = Keeper {
            lake,
            consumer,
            runtime: Handle::current(),
            every: config.sink.commit.duration(),
            max_records: config.sink.max_records,
            max_bytes: config.sink.max_bytes,
            held: BTreeMap::new(),
            held_bytes: 0,
            stop: Arc::clone(&stop),
            caught_up: Arc::clone(&caught_up),
            ready: Arc::clone(&ready),
        };
        std::thread::Builder::new()
            .name("dialtone-sink".into())
            .spawn(move || {
                let outcome = keeper.run();
                if let Err(error) = &outcome {
                    tracing::error!(error = format!("{error:#}"), "sink halts");
                }
                drop(done.send(outcome));
            })?;
        Ok(Self {
            stop,
            caught_up,
            ready,
            finished: tokio::sync::Mutex::new(Some(finished)),
        })
    }

    /// Does the lake hold everything that was in the logs when they were last asked?
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Does it read? For a probe.
    pub fn readiness(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let ready = Arc::clone(&self.ready);
        move || ready.load(Ordering::Acquire)
    }

    /// Waits until it ends by itself.
    pub async fn failed(&self) -> anyhow::Error {
        let mut finished = self.finished.lock().await;
        let Some(receiver) = finished.as_mut() else {
            return anyhow::anyhow!("the sink has ended");
        };
        let outcome = receiver.await;
        *finished = None;
        match outcome {
            Ok(Err(error)) => error,
            _ => anyhow::anyhow!("the sink has ended"),
        }
    }

    /// Commits what is held and ends.
    pub async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Release);
        match self.finished.into_inner() {
            Some(finished) => finished.await.unwrap_or(Ok(())),
            None => Ok(()), // it had ended before, and was heard
        }
    }
}

struct Keeper {
    lake: Lake,
    consumer: Consumer,
    runtime: Handle,
    every: Duration,
    max_records: usize,
    max_bytes: usize,
    held: BTreeMap<Place, Vec<LogRecord>>,
    held_bytes: usize,
    stop: Arc<AtomicBool>,
    caught_up: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
}

impl Keeper {
    fn run(mut self) -> Result<()> {
        let places = self.begin()?;
        self.ready.store(true, Ordering::Release);
        let mut committed = Instant::now();
        while !self.stop.load(Ordering::Acquire) {
            self.consumer.poll(QUIET)?;
            self.take(&places);
            let held: usize = self.held.values().map(Vec::len).sum();
            let due =
                committed.elapsed() >= self.every || held >= self.max_records || self.held_bytes >= self.max_bytes;
            let at_end = places.iter().all(|place| self.consumer.at_end(*place));
            if due && held > 0 {
                self.commit(&places)?;
                committed = Instant::now();
            }
            self.caught_up.store(at_end && self.held.is_empty(), Ordering::Release);
        }
        self.commit(&places)?;
        self.consumer.close(Duration::from_secs(5));
        Ok(())
    }

    /// Reads on from where the lake stands; a log of which it knows nothing, from its beginning.
    fn begin(&mut self) -> Result<Vec<Place>> {
        let topics: Vec<_> = KEPT.iter().map(|(topic, _)| *topic).collect();
        let counts = self.consumer.partition_counts(&topics)?;
        let places: Vec<Place> = counts
            .into_iter()
            .flat_map(|(topic, count)| (0..count).map(move |p| (topic, p)))
            .collect();
        let mut positions = self.consumer.first_offsets(&places)?;
        for (place, first) in &mut positions {
            let known = self.runtime.block_on(self.lake.position(*place))?;
            if let Some(known) = known {
                if known < *first {
                    anyhow::bail!(
                        "{place:?}: the log begins at {first}, the lake ends at {known}: retention has overtaken the sink"
                    );
                }
                *first = known;
            }
        }
        self.consumer.assign(&positions)?;
        Ok(places)
    }

    fn take(&mut self, places: &[Place]) {
        for place in places {
            for _ in 0..TURN {
                let is_full = self.held.get(place).is_some_and(|held| held.len() >= self.max_records);
                if is_full || self.held_bytes >= self.max_bytes {
                    break;
                }
                let Some(record) = self.consumer.take(*place) else {
                    break;
                };
                self.held_bytes += record.size();
                self.held.entry(*place).or_default().push(record);
            }
        }
    }

    fn commit(&mut self, places: &[Place]) -> Result<()> {
        let mut positions = BTreeMap::new();
        self.held_bytes = 0;
        for place in places {
            let Some(records) = self.held.remove(place) else {
                continue;
            };
            let Some(next) = records.last().map(|record| record.offset + 1) else {
                continue;
            };
            match self.runtime.block_on(self.lake.append(*place, &records, next)) {
                Ok(appended) => count(*place, appended),
                Err(LakeError::Stale { table, .. }) => {
                    tracing::warn!(
                        table,
                        ?place,
                        "another writer keeps this log: reading its position again"
                    );
                    self.held.clear();
                    self.begin()?;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
            positions.insert(*place, next);
        }
        self.consumer.commit(&positions);
        Ok(())
    }
}

fn count(place: Place, appended: Appended) {
    let topic = place.0.suffix();
    for (fate, count) in [
        ("row", appended.rows),
        ("repeat", appended.repeats),
        ("clock", appended.clocks),
        ("unreadable", appended.unreadable),
        ("empty", appended.empty),
    ] {
        metrics::counter!("dialtone_sink_records_total", "topic" => topic, "fate" => fate).increment(count);
    }
}
