//! The loop that owns clock and I/O: one thread reads, drives its folds, and publishes what they say.
//!
//! Summarise shares the partitions of the events with its group, one fold and one chain a partition. Watch reads all
//! partitions of several topics with one fold and one chain.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use dialtone_schemas::topic::Topic;
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

pub use crate::running::{Running, Status, View};
use crate::{
    Delivery, Fold, KafkaConfig, OutRecord, Payload, Place, Publish,
    consume::{Assignment, ConsumeError, Consumer},
    echo::{Echo, LastWord},
    fold::{
        chain::Chain,
        driver::{DriveError, Driver, Limits, Outcome, Settled},
        live::{self, Absence, Idle, Patience, Standing},
        store::Store,
    },
    registry::Translator,
};

/// Records absorbed of one place before the others have their turn.
const TURN: usize = 2_000;
/// How long a quiet loop waits for records.
const QUIET: Duration = Duration::from_millis(20);
/// How long it waits while deliveries are awaited.
const BUSY: Duration = Duration::from_millis(2);
/// How often the live rules, the numbers and the observer have their turn.
const LOOK: Duration = Duration::from_secs(1);
/// A configuration that the fold has not read after so long is written again.
const WRITTEN_AGAIN: Duration = Duration::from_secs(60);
/// How often the status is renewed.
const STATUS: Duration = Duration::from_millis(100);
/// The pause after the first failed delivery or store access; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Which logs a fold reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The partitions of one topic are shared by the group: a fold and a chain for each.
    Shared(Topic),
    /// All partitions of these topics, in one fold.
    All(Vec<Topic>),
}

/// Makes a fold that has read nothing yet, of these places from these offsets.
pub type Fresh<F> = Box<dyn Fn(&BTreeMap<Place, i64>) -> F + Send>;
/// The configuration that is to be written into the fold's log, if it has another.
pub type ConfigRecord<F> = Box<dyn Fn(&F) -> Option<String> + Send>;
/// Looks at a fold about once a second, with the places it reads: for its own numbers.
pub type Observe<F> = Box<dyn FnMut(&[Place], &F) + Send>;

/// Where the chain lies of a stage that reads all partitions with one fold.
pub fn chain_of_all(stage: &str) -> String {
    format!("{stage}/all")
}

/// A stage: its fold, and how it is run.
pub struct Stage<F> {
    /// `summarise` or `watch`: the thread's name, the chain's folder, a label of the numbers.
    pub name: String,
    /// The consumer group.
    pub group: String,
    /// Which logs.
    pub reads: Reads,
    /// Makes the fold.
    pub fresh: Fresh<F>,
    /// A hash of the configuration, kept in the checkpoints.
    pub config_hash: String,
    /// How a changed configuration gets into the log, for folds that take it from there.
    pub config_record: Option<ConfigRecord<F>>,
    /// Who looks at the fold.
    pub observe: Option<Observe<F>>,
    /// The compacted topic that the fold writes, and its last word there; for folds that read with [`Reads::All`].
    pub last_word: Option<(Topic, LastWord<F>)>,
    /// When a checkpoint is due.
    pub limits: Limits,
    /// Is the log being written as we read? Then silence is told from the wall clock; never for a backtest or a demo.
    pub live: bool,
    /// How long silence is waited for, when live.
    pub patience: Patience,
    /// How long a shutdown or a handover may take.
    pub drain: Duration,
}

impl<F> fmt::Debug for Stage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage")
            .field("name", &self.name)
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}

impl<F: Fold> Stage<F> {
    /// A stage with the usual limits, live.
    pub fn new(name: &str, group: &str, reads: Reads, fresh: Fresh<F>) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            reads,
            fresh,
            config_hash: String::new(),
            config_record: None,
            observe: None,
            last_word: None,
            limits: Limits::default(),
            live: true,
            patience: Patience::default(),
            drain: Duration::from_secs(10),
        }
    }
}

/// Why a stage has stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Reading.
    #[error("{stage}: reading")]
    Consume {
        /// Which stage.
        stage: String,
        /// Why.
        source: ConsumeError,
    },
    /// The fold or its chain.
    #[error("{stage}: fold")]
    Drive {
        /// Which stage.
        stage: String,
        /// Why.
        source: DriveError,
    },
    /// Its thread cannot be started, or has gone without a word.
    #[error("{stage}: {reason}")]
    Thread {
        /// Which stage.
        stage: String,
        /// Why.
        reason: String,
    },
}

impl RunError {
    /// Why it failed, if nothing is wrong: the store or the broker does not answer, and trying again may help.
    fn passing(&self) -> Option<String> {
        match self {
            Self::Consume { source, .. } => matches!(source, ConsumeError::Broker { .. }).then(|| source.to_string()),
            Self::Drive { source, .. } => source.is_store().then(|| source.to_string()),
            Self::Thread { .. } => None,
        }
    }
}

/// What a stage runs with.
#[derive(Clone)]
pub struct Surroundings {
    /// The cluster.
    pub kafka: KafkaConfig,
    /// Where the checkpoints are.
    pub store: Arc<dyn Store>,
    /// Where effects go.
    pub publisher: Arc<dyn Publish>,
    /// The registry's ids.
    pub translator: Option<Arc<Translator>>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("kafka", &self.kafka)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// Starts a stage on a thread of its own. To be called within a tokio runtime, on which deliveries are awaited.
pub fn start<F: Fold + Send + 'static>(stage: Stage<F>, with: Surroundings) -> Result<Running, RunError> {
    let name = stage.name.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let view = View::default();
    let (done, finished) = oneshot::channel();
    let (stop_it, shown, runtime) = (Arc::clone(&stop), view.clone(), Handle::current());
    let thread = thread::Builder::new().name(format!("dialtone-{name}")).spawn(move || {
        let outcome = run(stage, with, &stop_it, &shown, &runtime);
        if let Err(error) = &outcome {
            let why = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
            let why: Vec<_> = why.map(ToString::to_string).collect();
            tracing::error!(error = why.join(": "), "stage halts");
        }
        shown.change(|status| status.ready = false);
        drop(done.send(outcome));
    });
    match thread {
        Ok(_) => Ok(Running {
            stage: name,
            stop,
            view,
            finished: Some(finished),
        }),
        Err(error) => Err(RunError::Thread {
            stage: name,
            reason: error.to_string(),
        }),
    }
}

/// One fold, what it reads, and what it is sending.
struct Task<F> {
    driver: Driver<F>,
    chain: Chain,
    places: Vec<Place>,
    sending: Option<JoinHandle<Vec<Delivery>>>,
    /// After a failure nothing is tried before this.
    not_before: Duration,
    pause: Duration,
    /// When a changed configuration was last written; again after [`WRITTEN_AGAIN`], if the fold still has another.
    config_written: Option<Duration>,
    read: BTreeMap<Place, u64>,
}

impl<F> Task<F> {
    fn wait(&mut self, now: Duration) {
        self.not_before = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    const fn went_well(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}

struct Loop<'a, F> {
    stage: Stage<F>,
    with: Surroundings,
    runtime: &'a Handle,
    consumer: Consumer,
    partitions: BTreeMap<Topic, i32>,
    tasks: Vec<Task<F>>,
    begun: Instant,
    idle: Idle,
    absence: Absence,
    echo: Option<Echo>,
    writing: Vec<JoinHandle<Vec<Delivery>>>,
    looked: Duration,
    shown: Duration,
    lost: u64,
    assigned: bool,
}

fn run<F: Fold>(
    stage: Stage<F>,
    with: Surroundings,
    stop: &AtomicBool,
    view: &View,
    runtime: &Handle,
) -> Result<(), RunError> {
    let name = stage.name.clone();
    let consume = |source| RunError::Consume {
        stage: name.clone(),
        source,
    };
    let (topics, shared) = match &stage.reads {
        Reads::Shared(topic) => (vec![*topic], true),
        Reads::All(topics) => (topics.clone(), false),
    };
    let translator = with.translator.clone();
    let consumer = if shared {
        Consumer::group(&with.kafka, &stage.group, topics[0], translator)
    } else {
        Consumer::manual(&with.kafka, &stage.group, translator)
    };
    let consumer = consumer.map_err(consume)?;
    let partitions = consumer.partition_counts(&topics).map_err(consume)?;
    let mut lop = Loop {
        stage,
        with,
        runtime,
        consumer,
        partitions,
        tasks: Vec::new(),
        begun: Instant::now(),
        idle: Idle::default(),
        absence: Absence::default(),
        echo: None,
        writing: Vec::new(),
        looked: Duration::ZERO,
        shown: Duration::ZERO,
        lost: 0,
        assigned: false,
    };
    let outcome = lop.run(shared, stop, view);
    if outcome.is_ok() {
        lop.hand_over();
    }
    // What closes does so at once; what hangs must not take all of the time that a shutdown may.
    let in_time = lop.consumer.close(lop.stage.drain / 2);
    tracing::info!(stage = name, in_time, "stage stopped");
    outcome
}

impl<F: Fold> Loop<'_, F> {
    fn run(&mut self, shared: bool, stop: &AtomicBool, view: &View) -> Result<(), RunError> {
        if !shared {
            let count = |(topic, count): (&Topic, &i32)| (0..*count).map(|p| (*topic, p)).collect::<Vec<_>>();
            let places: Vec<Place> = self.partitions.iter().flat_map(count).collect();
            let listen = || self.listen_to_ourselves().map_err(|source| self.consume(source));
            self.echo = self.patiently(stop, "listen to what is said", listen)?.flatten();
            self.take_up(vec![places], stop)?;
        }
        let mut hungry = false;
        while !stop.load(Ordering::Acquire) {
            let wait = match (hungry, self.tasks.iter().any(|task| task.sending.is_some())) {
                (true, _) => Duration::ZERO,
                (false, true) => BUSY,
                (false, false) => QUIET,
            };
            match self.consumer.poll(wait).map_err(|source| self.consume(source))? {
                Some(Assignment::Given(places)) => {
                    self.take_up(places.into_iter().map(|place| vec![place]).collect(), stop)?;
                }
                Some(Assignment::Taken) => {
                    self.hand_over();
                    self.consumer.release().map_err(|source| self.consume(source))?;
                }
                None => {}
            }
            hungry = self.absorb()?;
            if let Some(echo) = &mut self.echo {
                echo.read(&mut self.consumer);
            }
            self.effects(stop)?;
            let now = self.begun.elapsed();
            if now.saturating_sub(self.looked) >= LOOK {
                self.looked = now;
                self.look(now);
            }
            if now.saturating_sub(self.shown) >= STATUS {
                self.shown = now;
                let status = self.status();
                view.change(|shown| *shown = status);
            }
        }
        Ok(())
    }

    fn consume(&self, source: ConsumeError) -> RunError {
        RunError::Consume {
            stage: self.stage.name.clone(),
            source,
        }
    }

    fn drive(&self, source: DriveError) -> RunError {
        RunError::Drive {
            stage: self.stage.name.clone(),
            source,
        }
    }

    /// Tries again and again while the store or the broker does not answer. None when asked to stop meanwhile.
    fn patiently<T>(
        &self,
        stop: &AtomicBool,
        doing: &str,
        attempt: impl Fn() -> Result<T, RunError>,
    ) -> Result<Option<T>, RunError> {
        let mut pause = FIRST_PAUSE;
        while !stop.load(Ordering::Acquire) {
            match attempt() {
                Ok(done) => return Ok(Some(done)),
                Err(error) => match error.passing() {
                    Some(reason) => tracing::warn!(reason, doing, ?pause, "not yet possible, it is tried again"),
                    None => return Err(error),
                },
            }
            self.runtime.block_on(async { tokio::time::sleep(pause).await });
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(None)
    }

    /// The compacted topic that the fold writes, from its beginning.
    fn listen_to_ourselves(&self) -> Result<Option<Echo>, ConsumeError> {
        let Some((topic, _)) = &self.stage.last_word else {
            return Ok(None);
        };
        let count = self.consumer.partition_counts(&[*topic])?[topic];
        let places: Vec<Place> = (0..count).map(|p| (*topic, p)).collect();
        Ok(Some(Echo::new(self.consumer.first_offsets(&places)?)))
    }

    /// Recovers a fold for each of these sets of places, beside those there are, and reads on where they stand.
    fn take_up(&mut self, sets: Vec<Vec<Place>>, stop: &AtomicBool) -> Result<(), RunError> {
        for places in sets {
            let folder = match places.as_slice() {
                [(_, partition)] if matches!(self.stage.reads, Reads::Shared(_)) => {
                    format!("{}/{partition:05}", self.stage.name)
                }
                _ => chain_of_all(&self.stage.name),
            };
            let chain = Chain::new(Arc::clone(&self.with.store), folder);
            let Some(driver) = self.recover(&chain, &places, stop)? else {
                return Ok(());
            };
            tracing::info!(stage = self.stage.name, chain = chain.prefix(), positions = ?driver.positions(), "fold taken up");
            self.tasks.push(Task {
                driver,
                chain,
                places,
                sending: None,
                not_before: Duration::ZERO,
                pause: FIRST_PAUSE,
                config_written: None,
                read: BTreeMap::new(),
            });
        }
        self.assigned = true;
        self.read_on()
    }

    /// Recovers one fold. None when asked to stop while the store or the broker does not answer.
    fn recover(&self, chain: &Chain, places: &[Place], stop: &AtomicBool) -> Result<Option<Driver<F>>, RunError> {
        let doing = format!("take up {}", chain.prefix());
        self.patiently(stop, &doing, || self.try_recover(chain, places))
    }

    fn try_recover(&self, chain: &Chain, places: &[Place]) -> Result<Driver<F>, RunError> {
        let ask = |asked: Result<_, _>| asked.map_err(|source| self.consume(source));
        let first = ask(self.consumer.first_offsets(places))?;
        let of_chain = |source| DriveError::Chain {
            prefix: chain.prefix().to_owned(),
            source,
        };
        // A commit follows a checkpoint: where there is one, there was a chain. Asked in this order, another that begins
        // meanwhile is no contradiction.
        if let Some((place, offset)) = ask(self.consumer.committed(places))?.into_iter().next()
            && !chain.has_begun().map_err(|source| self.drive(of_chain(source)))?
        {
            return Err(self.drive(DriveError::Forgotten {
                prefix: chain.prefix().to_owned(),
                place,
                offset,
            }));
        }
        let fresh = || (self.stage.fresh)(&first);
        let now = self.begun.elapsed();
        Driver::recover(chain.clone(), &self.partitions, &self.stage.config_hash, now, fresh)
            .map_err(|source| self.drive(source))
    }

    fn read_on(&mut self) -> Result<(), RunError> {
        let echoed = self.echo.iter().flat_map(Echo::positions);
        let positions = self.tasks.iter().flat_map(|task| task.driver.positions());
        let positions = positions.chain(echoed).collect();
        self.idle.clear();
        self.consumer.assign(&positions).map_err(|source| RunError::Consume {
            stage: self.stage.name.clone(),
            source,
        })
    }

    /// Gives each fold what it wants. True if there is more to be had at once.
    fn absorb(&mut self) -> Result<bool, RunError> {
        let mut more = false;
        for task in &mut self.tasks {
            for place in &task.places {
                let mut left = TURN;
                while left > 0
                    && task.driver.has_room_for(*place, &self.stage.limits)
                    && task.driver.fold().wants(*place)
                {
                    let Some(record) = self.consumer.take(*place) else {
                        break;
                    };
                    let absorbed = task.driver.absorb(&record);
                    absorbed.map_err(|source| RunError::Drive {
                        stage: self.stage.name.clone(),
                        source,
                    })?;
                    left -= 1;
                }
                let taken = (TURN - left) as u64;
                if taken > 0 {
                    *task.read.entry(*place).or_default() += taken;
                    metrics::counter!("dialtone_absorbed_total", "stage" => self.stage.name.clone(), "topic" => place.0.suffix())
                        .increment(taken);
                }
                more |= left == 0;
            }
        }
        Ok(more)
    }

    /// Checkpoints that are due, sendings that are over or to be begun.
    fn effects(&mut self, stop: &AtomicBool) -> Result<(), RunError> {
        for at in 0..self.tasks.len() {
            let now = self.begun.elapsed();
            self.settle(at, now)?;
            let task = &mut self.tasks[at];
            if now < task.not_before {
                continue;
            }
            if task.driver.is_due(now, &self.stage.limits) {
                match task.driver.checkpoint(now) {
                    Ok(Outcome::Lost) => {
                        self.recover_lost(at, stop)?;
                        continue;
                    }
                    Ok(Outcome::Appended | Outcome::Nothing) => {
                        let cost = self.begun.elapsed().saturating_sub(now);
                        task.driver.took(cost);
                        task.went_well();
                        if task.driver.outgoing().is_empty() {
                            self.consumer.commit(task.driver.durable());
                        }
                        metrics::histogram!("dialtone_checkpoint_seconds", "stage" => self.stage.name.clone())
                            .record(cost);
                    }
                    Err(error) if error.is_store() => {
                        tracing::warn!(%error, pause = ?task.pause, "checkpoint not written, it is tried again");
                        task.wait(now);
                        continue;
                    }
                    Err(error) => return Err(self.drive(error)),
                }
            }
            self.send(at, now);
        }
        Ok(())
    }

    /// Begins to send the outbox, and writes a changed configuration into the log.
    fn send(&mut self, at: usize, now: Duration) {
        let task = &mut self.tasks[at];
        if task.sending.is_none() && !task.driver.outgoing().is_empty() {
            let (publisher, records) = (Arc::clone(&self.with.publisher), task.driver.outgoing().to_vec());
            task.sending = Some(self.runtime.spawn(async move { publisher.publish(records).await }));
        }
        let is_due = task
            .config_written
            .is_none_or(|written| now.saturating_sub(written) >= WRITTEN_AGAIN);
        if let (true, Some(config_record)) = (is_due, &self.stage.config_record) {
            task.config_written = Some(now);
            if let Some(json) = config_record(task.driver.fold()) {
                let place = task.places[0];
                tracing::info!(
                    stage = self.stage.name,
                    ?place,
                    "the configuration has changed: written into the log"
                );
                self.write(place, Payload::Config(json));
            }
        }
    }

    /// Takes the answers to a sending that is over.
    fn settle(&mut self, at: usize, now: Duration) -> Result<(), RunError> {
        let task = &mut self.tasks[at];
        let Some(sending) = task.sending.take_if(|sending| sending.is_finished()) else {
            return Ok(());
        };
        // A panic in the publisher leaves the records unanswered: they are sent again.
        let deliveries = self.runtime.block_on(sending).unwrap_or_default();
        match task.driver.settle(&deliveries).map_err(|source| self.drive(source))? {
            Settled::Done => {
                let task = &mut self.tasks[at];
                task.went_well();
                self.consumer.commit(task.driver.durable());
            }
            Settled::Again(error) => {
                let task = &mut self.tasks[at];
                tracing::warn!(%error, left = task.driver.outgoing().len(), pause = ?task.pause, "outbox is sent again");
                metrics::counter!("dialtone_resent_total", "stage" => self.stage.name.clone()).increment(1);
                task.wait(now);
            }
        }
        Ok(())
    }

    /// Another goes on with a chain of ours: begin where it stands.
    fn recover_lost(&mut self, at: usize, stop: &AtomicBool) -> Result<(), RunError> {
        self.lost += 1;
        metrics::counter!("dialtone_chain_lost_total", "stage" => self.stage.name.clone()).increment(1);
        let (chain, places) = (self.tasks[at].chain.clone(), self.tasks[at].places.clone());
        tracing::warn!(chain = chain.prefix(), "another has gone on with the chain: recovering");
        if let Some(driver) = self.recover(&chain, &places, stop)? {
            let task = &mut self.tasks[at];
            task.driver = driver;
            task.sending = None;
            self.read_on()?;
        }
        Ok(())
    }

    /// Stops all folds at a checkpoint with their outbox acknowledged, if that can be had in time. If not, nothing is lost:
    /// whoever takes the chain up does the rest.
    fn hand_over(&mut self) {
        let deadline = Instant::now() + self.stage.drain;
        for mut task in std::mem::take(&mut self.tasks) {
            if let Err(reason) = hand_over(&mut task, self.runtime, &self.with.publisher, deadline, self.begun) {
                tracing::warn!(
                    chain = task.chain.prefix(),
                    reason,
                    "fold left behind its last checkpoint"
                );
                continue;
            }
            self.consumer.commit(task.driver.durable());
            tracing::info!(chain = task.chain.prefix(), positions = ?task.driver.durable(), "fold handed over");
        }
        self.assigned = false;
    }

    /// What has its turn once a second.
    fn look(&mut self, now: Duration) {
        for task in &self.tasks {
            for place in &task.places {
                if let Some(lag) = self.consumer.lag(*place) {
                    #[allow(clippy::cast_precision_loss, reason = "a gauge")]
                    metrics::gauge!("dialtone_lag_records", "stage" => self.stage.name.clone(), "topic" => place.0.suffix(),
                        "partition" => place.1.to_string())
                    .set(lag as f64);
                }
            }
            if let Some(observe) = &mut self.stage.observe {
                observe(&task.places, task.driver.fold());
            }
        }
        self.writing.retain(|writing| !writing.is_finished());
        self.have_the_last_word();
        if self.stage.live && self.writing.is_empty() {
            for (place, payload) in self.silence(now) {
                if let Payload::Absent(until) = &payload {
                    tracing::warn!(topic = place.0.suffix(), partition = place.1, %until, "partition given up: no marker");
                    metrics::counter!("dialtone_absent_total", "partition" => place.1.to_string()).increment(1);
                } else {
                    tracing::info!(
                        topic = place.0.suffix(),
                        partition = place.1,
                        "silence is written into the log"
                    );
                    metrics::counter!("dialtone_silence_total", "topic" => place.0.suffix()).increment(1);
                }
                self.write(place, payload);
            }
        }
    }

    /// Says again what somebody's older word has covered up in the fold's own topic (F-3).
    fn have_the_last_word(&mut self) {
        let (Some(echo), Some((_, last_word)), [task]) = (&mut self.echo, &self.stage.last_word, self.tasks.as_slice())
        else {
            return;
        };
        if !task.driver.is_quiet() || task.sending.is_some() || !self.writing.is_empty() {
            return;
        }
        for record in echo.contradict(&self.consumer, |record| last_word(task.driver.fold(), record)) {
            tracing::warn!(
                topic = record.topic.suffix(),
                key = %String::from_utf8_lossy(&record.key),
                "an older word was the last one: said again"
            );
            metrics::counter!("dialtone_said_again_total", "stage" => self.stage.name.clone()).increment(1);
            let publisher = Arc::clone(&self.with.publisher);
            self.writing
                .push(self.runtime.spawn(async move { publisher.publish(vec![record]).await }));
        }
    }

    /// What the live rules have to say.
    fn silence(&mut self, now: Duration) -> Vec<(Place, Payload)> {
        let (wall, patience) = (live::wall(SystemTime::now()), self.stage.patience);
        let mut standings = BTreeMap::new();
        for task in &self.tasks {
            for place in &task.places {
                let clock = task.driver.fold().clock(*place);
                let read = task.read.get(place).copied().unwrap_or_default();
                standings.insert(
                    *place,
                    Standing {
                        clock,
                        read,
                        at_end: self.consumer.at_end(*place),
                    },
                );
            }
        }
        let mut records = Vec::new();
        for (place, standing) in &standings {
            // The summaries' clock is their markers, which only summarise writes.
            if place.0 != Topic::Summaries
                && let Some(time) = self.idle.look(*place, *standing, now, wall, patience.idle)
            {
                records.push((*place, Payload::Clock(time)));
            }
        }
        let absent = self
            .absence
            .look(&standings, |place| place.0 == Topic::Summaries, now, patience.absent);
        records.extend(
            absent
                .into_iter()
                .map(|(place, tick)| (place, Payload::Absent(tick.time()))),
        );
        records
    }

    /// Writes a record of the driver's own. If it is lost, the rule that asked for it asks again.
    fn write(&mut self, (topic, partition): Place, payload: Payload) {
        let record = OutRecord {
            topic,
            partition: Some(partition),
            key: Bytes::new(),
            payload,
            headers: Vec::new(),
        };
        let publisher = Arc::clone(&self.with.publisher);
        self.writing.push(self.runtime.spawn(async move {
            let deliveries = publisher.publish(vec![record]).await;
            for error in deliveries.iter().filter_map(|delivery| delivery.as_ref().err()) {
                tracing::warn!(%error, "a record of the driver's own was not written");
            }
            deliveries
        }));
    }

    fn status(&self) -> Status {
        let places = || self.tasks.iter().flat_map(|task| task.places.iter());
        let settled = |task: &Task<F>| task.driver.is_quiet() && task.sending.is_none();
        Status {
            ready: self.assigned,
            positions: self.tasks.iter().flat_map(|task| task.driver.positions()).collect(),
            caught_up: self.assigned && places().all(|p| self.consumer.at_end(*p)) && self.tasks.iter().all(settled),
            lag: places().filter_map(|place| self.consumer.lag(*place)).sum(),
            lost: self.lost,
        }
    }
}

/// Brings one fold to a checkpoint whose outbox is acknowledged, or says why that was not possible in time.
fn hand_over<F: Fold>(
    task: &mut Task<F>,
    runtime: &Handle,
    publisher: &Arc<dyn Publish>,
    deadline: Instant,
    begun: Instant,
) -> Result<(), String> {
    let mut checkpointed = false;
    while Instant::now() < deadline {
        if let Some(sending) = task.sending.take() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(deliveries) = runtime.block_on(async { tokio::time::timeout(left, sending).await }) else {
                break;
            };
            task.driver
                .settle(&deliveries.unwrap_or_default())
                .map_err(|error| error.to_string())?;
        } else if !task.driver.outgoing().is_empty() {
            let (publisher, records) = (Arc::clone(publisher), task.driver.outgoing().to_vec());
            task.sending = Some(runtime.spawn(async move { publisher.publish(records).await }));
        } else if checkpointed {
            return Ok(());
        } else {
            match task
                .driver
                .checkpoint(begun.elapsed())
                .map_err(|error| error.to_string())?
            {
                Outcome::Appended | Outcome::Nothing => checkpointed = true,
                Outcome::Lost => return Err("another has gone on with the chain".to_owned()),
            }
        }
    }
    Err("not acknowledged in time".to_owned())
}
