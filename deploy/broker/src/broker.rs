//! Starting, running and stopping the broker.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::clock::now_ms;
use crate::config::{BrokerConfig, FsyncPolicy};
use crate::connection::{self, Memory};
use crate::dispatch::blocking;
use crate::error::BrokerError;
use crate::group::coordinator::Coordinator;
use crate::group::offsets::Offsets;
use crate::log::compact::compact;
use crate::log::segment::write_whole;
use crate::producer_ids::ProducerIds;
use crate::topics::{Partition, Topic, Topics};

/// The only broker there is.
pub(crate) const NODE_ID: i32 = 1;
/// How often groups look at the clock.
const GROUP_TICK: Duration = Duration::from_millis(25);
/// How often the accept loop tries again when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections and background tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) cluster_id: String,
    pub(crate) topics: Topics,
    pub(crate) coordinator: Coordinator,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) request_memory: Memory,
    pub(crate) response_memory: Memory,
    pub(crate) stop: CancellationToken,
    /// Work on the disk: what was begun is finished before the data directory is free.
    pub(crate) jobs: TaskTracker,
    member_seed: RandomState,
    members_named: AtomicU64,
    /// Held as long as the broker lives.
    lock: File,
}

impl Shared {
    /// A member id nobody has had before.
    pub(crate) fn fresh_member_id(&self, client_id: &str) -> String {
        let count = self.members_named.fetch_add(1, Ordering::Relaxed);
        format!(
            "{client_id}-{:016x}{:016x}",
            self.member_seed.hash_one(count),
            self.member_seed.hash_one((count, now_ms()))
        )
    }
}

/// The embedded broker, before it runs.
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// Opens the data directory, recovers every log, and begins to listen.
    pub async fn start(config: BrokerConfig) -> Result<RunningBroker, BrokerError> {
        config.validate()?;
        let listen = config.listen;
        let config = Arc::new(config);
        let opened = tokio::task::spawn_blocking(move || open(config))
            .await
            .map_err(io::Error::other);
        let shared = Arc::new(opened.map_err(BrokerError::storage(Path::new("."), "open data directory"))??);
        let bind = |source| BrokerError::Bind { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let tasks = TaskTracker::new();
        tasks.spawn(accept(Arc::clone(&shared), listener, tasks.clone()));
        tasks.spawn(every(shared.stop.clone(), GROUP_TICK, Arc::clone(&shared), |shared| {
            shared.coordinator.groups().pass_time();
        }));
        if let FsyncPolicy::Every(period) = shared.config.fsync {
            tasks.spawn(every(shared.stop.clone(), period, Arc::clone(&shared), flush));
        }
        let period = shared.config.maintenance_interval;
        tasks.spawn(every(shared.stop.clone(), period, Arc::clone(&shared), maintain));
        if !address.ip().is_loopback() {
            warn!(%address, "listening beyond loopback without authentication or encryption");
        }
        info!(%address, data_dir = %shared.config.data_dir.display(), "broker started");
        Ok(RunningBroker { shared, tasks, address })
    }
}

/// A broker that runs until it is shut down. Dropping it stops it too, without waiting.
#[derive(Debug)]
pub struct RunningBroker {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    address: SocketAddr,
}

impl RunningBroker {
    /// What clients put into `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// Closes every connection, forces everything to disk and frees the data directory.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.shared.jobs.close();
        self.shared.jobs.wait().await;
        if let Err(source) = blocking(&self.shared, flush).await {
            error!(%source, "last flush failed");
        }
        // Said, and not left to the last owner: a child process may still hold a copy of the open file.
        if let Err(source) = self.shared.lock.unlock() {
            warn!(%source, "data directory not unlocked");
        }
        info!(address = %self.address, "broker stopped");
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn open(config: Arc<BrokerConfig>) -> Result<Shared, BrokerError> {
    let dir = &config.data_dir;
    fs::create_dir_all(dir).map_err(BrokerError::storage(dir, "create folder"))?;
    let lock = lock(dir)?;
    let limits = &config.limits;
    let offsets = Offsets::open(dir)?;
    Ok(Shared {
        cluster_id: cluster_id(dir)?,
        topics: Topics::open(&config)?,
        coordinator: Coordinator::new(offsets, &config),
        producer_ids: ProducerIds::open(dir)?,
        request_memory: Memory::new(limits.request_memory_bytes),
        response_memory: Memory::new(limits.response_memory_bytes),
        stop: CancellationToken::new(),
        jobs: TaskTracker::new(),
        member_seed: RandomState::new(),
        members_named: AtomicU64::new(0),
        lock,
        config: Arc::clone(&config),
    })
}

fn lock(dir: &Path) -> Result<File, BrokerError> {
    let path = dir.join("lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(BrokerError::storage(&path, "open lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BrokerError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(BrokerError::storage(path, "lock")(source)),
    }
}

/// Made up at the first start and kept.
fn cluster_id(dir: &Path) -> Result<String, BrokerError> {
    let path = dir.join("cluster-id");
    match fs::read_to_string(&path) {
        Ok(id) => Ok(id.trim().to_owned()),
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
            let id = format!("dialtone-{:016x}", RandomState::new().hash_one(now_ms()));
            write_whole(&path, id.as_bytes()).map_err(BrokerError::storage(&path, "write cluster id"))?;
            Ok(id)
        }
        Err(source) => Err(BrokerError::storage(path, "read cluster id")(source)),
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(shared.config.limits.connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(source) => {
                warn!(%source, "connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            warn!(%peer, limit = shared.config.limits.connections, "connection limit reached; closing the newest");
            continue;
        };
        let shared = Arc::clone(&shared);
        tasks.spawn(async move {
            Box::pin(connection::serve(shared, stream, peer)).await;
            drop(place);
        });
    }
}

/// Runs work that touches the disk, again and again, until the broker stops.
async fn every(stop: CancellationToken, period: Duration, shared: Arc<Shared>, work: fn(&Shared)) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(source) = blocking(&shared, work).await {
            error!(%source, "background work failed");
        }
    }
}

/// Forces to disk what was written since the last time. Appending goes on meanwhile.
fn flush(shared: &Shared) {
    for_each_partition(shared, |name, index, _, partition| {
        let file = partition.log().take_unsynced();
        if let Some(Err(source)) = file.map(|file| file.sync_data()) {
            partition.log().sync_failed();
            error!(topic = name, partition = index, %source, "records cannot be forced to disk");
        }
    });
    let journal = shared.coordinator.groups().offsets.take_unsynced();
    if let Some(Err(source)) = journal.map(|file| file.sync_data()) {
        error!(%source, "offsets cannot be forced to disk");
    }
}

/// Retention, compaction, and groups that are over.
fn maintain(shared: &Shared) {
    for_each_partition(shared, |name, index, topic, partition| {
        if shared.stop.is_cancelled() {
            return;
        }
        let rules = topic.rules();
        if let Err(source) = partition.log().retain(&rules, now_ms()) {
            error!(topic = name, partition = index, %source, "retention failed");
        }
        if rules.compacts {
            let key_bytes = shared.config.limits.compaction_key_bytes;
            if let Err(source) = compact(partition.shared_log(), &rules, key_bytes, now_ms()) {
                error!(topic = name, partition = index, %source, "compaction failed");
            }
        }
    });
    shared.coordinator.groups().sweep();
}

fn for_each_partition(shared: &Shared, mut visit: impl FnMut(&str, usize, &Topic, &Partition)) {
    for (name, topic) in shared.topics.all() {
        for (index, partition) in topic.partitions().iter().enumerate() {
            visit(&name, index, &topic, partition);
        }
    }
}
