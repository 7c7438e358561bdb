//! The topics: which there are, their configuration, and the logs of their partitions.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use kafka_protocol::ResponseError;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{error, info};

use crate::clock::now_ms;
use crate::config::BrokerConfig;
use crate::error::BrokerError;
use crate::log::LogRules;
use crate::log::partition::PartitionLog;
use crate::log::segment::{sync_dir, write_whole};
use crate::topic_config::{self, Overrides};

const TOPIC_FILE: &str = "topic.json";
/// A folder of this name is a topic whose deletion has begun.
const DELETED_PREFIX: &str = "~deleted-";
const NAME_BYTES: usize = 249;

/// A refusal: the protocol's code and a sentence for the operator.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseError,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(code: ResponseError, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(source: io::Error) -> Self {
        error!(%source, "topic storage failed");
        Self::new(ResponseError::KafkaStorageError, source.to_string())
    }
}

/// One partition: its log, and who waits for more records in it.
#[derive(Debug)]
pub(crate) struct Partition {
    log: Mutex<PartitionLog>,
    waiting: Mutex<Vec<Weak<Notify>>>,
}

impl Partition {
    fn open(dir: &Path, producer_limit: usize) -> io::Result<Arc<Self>> {
        let log = PartitionLog::open(dir, producer_limit, now_ms())?;
        Ok(Arc::new(Self {
            log: Mutex::new(log),
            waiting: Mutex::default(),
        }))
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shared_log(&self) -> &Mutex<PartitionLog> {
        &self.log
    }

    /// Wakes `waiter` at the next append.
    pub(crate) fn wake_on_append(&self, waiter: &Arc<Notify>) {
        const SWEEP_AT: usize = 32;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= SWEEP_AT {
            // Whoever timed out or left is gone; what remains is bounded by the connections.
            waiting.retain(|other| other.strong_count() > 0);
        }
        waiting.push(Arc::downgrade(waiter));
    }

    pub(crate) fn appended(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for waiter in waiting.iter().filter_map(Weak::upgrade) {
            waiter.notify_one();
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct TopicFile {
    partitions: i32,
    configs: Overrides,
}

#[derive(Debug, Clone)]
struct Settings {
    overrides: Overrides,
    rules: LogRules,
}

/// A topic. Its partitions only ever become more.
#[derive(Debug)]
pub(crate) struct Topic {
    dir: PathBuf,
    partitions: RwLock<Vec<Arc<Partition>>>,
    settings: RwLock<Settings>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<Arc<Partition>> {
        let at = usize::try_from(index).ok()?;
        self.partitions
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(at)
            .cloned()
    }

    pub(crate) fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn partition_count(&self) -> i32 {
        count(self.partitions.read().unwrap_or_else(PoisonError::into_inner).len())
    }

    pub(crate) fn rules(&self) -> LogRules {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).rules
    }

    pub(crate) fn overrides(&self) -> Overrides {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .overrides
            .clone()
    }
}

fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// All topics of the broker.
#[derive(Debug)]
pub(crate) struct Topics {
    root: PathBuf,
    config: Arc<BrokerConfig>,
    topics: RwLock<BTreeMap<String, Arc<Topic>>>,
    /// Creating, growing, altering and deleting happen one at a time.
    changing: Mutex<()>,
}

impl Topics {
    pub(crate) fn open(config: &Arc<BrokerConfig>) -> Result<Self, BrokerError> {
        let root = config.data_dir.join("topics");
        fs::create_dir_all(&root).map_err(BrokerError::storage(&root, "create folder"))?;
        let mut topics = BTreeMap::new();
        for entry in fs::read_dir(&root).map_err(BrokerError::storage(&root, "list folder"))? {
            let dir = entry.map_err(BrokerError::storage(&root, "list folder"))?.path();
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(DELETED_PREFIX) {
                fs::remove_dir_all(&dir).map_err(BrokerError::storage(&dir, "finish deleting topic"))?;
            } else if let Some(topic) = open_topic(&dir, config)? {
                topics.insert(name, Arc::new(topic));
            }
        }
        Ok(Self {
            root,
            config: Arc::clone(config),
            topics: RwLock::new(topics),
            changing: Mutex::default(),
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    pub(crate) fn all(&self) -> Vec<(String, Arc<Topic>)> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics
            .iter()
            .map(|(name, topic)| (name.clone(), Arc::clone(topic)))
            .collect()
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<Arc<Partition>> {
        self.get(topic)?.partition(index)
    }

    /// Creates a topic, or only says whether it could be created.
    pub(crate) fn create(
        &self,
        name: &str,
        partitions: i32,
        overrides: Overrides,
        validate_only: bool,
    ) -> Result<Arc<Topic>, Refusal> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_valid_name(name) {
            return Err(Refusal::new(ResponseError::InvalidTopicException, "not a topic name"));
        }
        if self.get(name).is_some() {
            return Err(Refusal::new(ResponseError::TopicAlreadyExists, "topic exists"));
        }
        self.check_partitions(partitions, 0)?;
        let rules = topic_config::rules(&overrides, &self.config)
            .map_err(|reason| Refusal::new(ResponseError::InvalidConfig, reason))?;
        let topic = Arc::new(Topic {
            dir: self.root.join(name),
            partitions: RwLock::default(),
            settings: RwLock::new(Settings {
                overrides: overrides.clone(),
                rules,
            }),
        });
        if validate_only {
            return Ok(topic);
        }
        self.lay_out(&topic, partitions, overrides)?;
        info!(topic = name, partitions, "topic created");
        self.topics
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    fn lay_out(&self, topic: &Topic, partitions: i32, configs: Overrides) -> io::Result<()> {
        fs::create_dir_all(&topic.dir)?;
        self.add_partitions(topic, partitions)?;
        // The file makes the topic: a folder without it was never created.
        write_topic_file(&topic.dir, &TopicFile { partitions, configs })?;
        sync_dir(&self.root)
    }

    fn add_partitions(&self, topic: &Topic, total: i32) -> io::Result<()> {
        let mut opened = topic.partitions();
        for index in count(opened.len())..total {
            let dir = topic.dir.join(index.to_string());
            opened.push(Partition::open(&dir, self.config.limits.producers_per_partition)?);
        }
        *topic.partitions.write().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(())
    }

    fn check_partitions(&self, wanted: i32, present: i32) -> Result<(), Refusal> {
        if wanted <= present {
            let reason = format!("{wanted} partitions wanted, {present} present");
            return Err(Refusal::new(ResponseError::InvalidPartitions, reason));
        }
        let limit = self.config.limits.partitions;
        let in_use: usize = self.all().iter().map(|(_, topic)| topic.partitions().len()).sum();
        let added = usize::try_from(wanted - present).unwrap_or(usize::MAX);
        if in_use.saturating_add(added) > limit {
            let reason = format!("{in_use} partitions in use, {added} more wanted, {limit} allowed");
            return Err(Refusal::new(ResponseError::PolicyViolation, reason));
        }
        Ok(())
    }

    /// Gives a topic more partitions.
    pub(crate) fn grow(&self, name: &str, total: i32, validate_only: bool) -> Result<(), Refusal> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(unknown_topic)?;
        self.check_partitions(total, topic.partition_count())?;
        if !validate_only {
            write_topic_file(
                &topic.dir,
                &TopicFile {
                    partitions: total,
                    configs: topic.overrides(),
                },
            )?;
            self.add_partitions(&topic, total)?;
            info!(topic = name, partitions = total, "partitions added");
        }
        Ok(())
    }

    /// Replaces a topic's own configuration by what `change` makes of it.
    pub(crate) fn alter(
        &self,
        name: &str,
        change: impl FnOnce(&mut Overrides) -> Result<(), Refusal>,
        validate_only: bool,
    ) -> Result<(), Refusal> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(unknown_topic)?;
        let mut overrides = topic.overrides();
        change(&mut overrides)?;
        let rules = topic_config::rules(&overrides, &self.config)
            .map_err(|reason| Refusal::new(ResponseError::InvalidConfig, reason))?;
        if !validate_only {
            let partitions = topic.partition_count();
            write_topic_file(
                &topic.dir,
                &TopicFile {
                    partitions,
                    configs: overrides.clone(),
                },
            )?;
            *topic.settings.write().unwrap_or_else(PoisonError::into_inner) = Settings { overrides, rules };
        }
        Ok(())
    }

    pub(crate) fn delete(&self, name: &str) -> Result<(), Refusal> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = self.get(name).ok_or_else(unknown_topic)?;
        // Renamed first: whatever happens next, the topic is gone as a whole.
        let grave = self.root.join(format!("{DELETED_PREFIX}{name}"));
        for partition in topic.partitions() {
            partition.log().mark_deleted();
        }
        fs::rename(&topic.dir, &grave)?;
        sync_dir(&self.root)?;
        self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        for partition in topic.partitions() {
            partition.appended();
        }
        info!(topic = name, "topic deleted");
        Ok(fs::remove_dir_all(&grave)?)
    }
}

fn unknown_topic() -> Refusal {
    Refusal::new(ResponseError::UnknownTopicOrPartition, "no such topic")
}

fn open_topic(dir: &Path, config: &BrokerConfig) -> Result<Option<Topic>, BrokerError> {
    let path = dir.join(TOPIC_FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
            // Creation was cut short before it was acknowledged.
            fs::remove_dir_all(dir).map_err(BrokerError::storage(dir, "remove unfinished topic"))?;
            return Ok(None);
        }
        Err(source) => return Err(BrokerError::storage(path, "read topic file")(source)),
    };
    let corrupt = |reason| BrokerError::Corrupt {
        path: path.clone(),
        reason,
    };
    let file: TopicFile = serde_json::from_slice(&text).map_err(|source| corrupt(source.to_string()))?;
    let rules = topic_config::rules(&file.configs, config).map_err(corrupt)?;
    let mut partitions = Vec::new();
    for index in 0..file.partitions {
        let dir = dir.join(index.to_string());
        let opened = Partition::open(&dir, config.limits.producers_per_partition)
            .map_err(BrokerError::storage(&dir, "open partition"))?;
        partitions.push(opened);
    }
    Ok(Some(Topic {
        dir: dir.to_owned(),
        partitions: RwLock::new(partitions),
        settings: RwLock::new(Settings {
            overrides: file.configs,
            rules,
        }),
    }))
}

fn write_topic_file(dir: &Path, file: &TopicFile) -> io::Result<()> {
    write_whole(&dir.join(TOPIC_FILE), &serde_json::to_vec_pretty(file)?)
}

/// Names are folder names too, so nothing but these characters, and no dots alone.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= NAME_BYTES && name != "." && name != ".." && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(dir: &Path, partitions: usize) -> Topics {
        let mut config = BrokerConfig::new(dir);
        config.limits.partitions = partitions;
        Topics::open(&Arc::new(config)).unwrap()
    }

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for name in ["", ".", "..", "a/b", "../x", "a b", "~deleted-x", &"x".repeat(250)] {
            assert!(!is_valid_name(name), "{name}");
        }
        assert!(is_valid_name("dialtone.events.v1"));
    }

    #[test]
    fn partitions_beyond_the_limit_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let topics = topics(dir.path(), 3);
        topics.create("a", 2, Overrides::new(), false).unwrap();
        let refusal = topics.create("b", 2, Overrides::new(), false).unwrap_err();
        assert_eq!(refusal.code, ResponseError::PolicyViolation);
        topics.grow("a", 3, false).unwrap();
        assert_eq!(
            topics.grow("a", 4, false).unwrap_err().code,
            ResponseError::PolicyViolation
        );
        assert_eq!(
            topics.grow("a", 3, false).unwrap_err().code,
            ResponseError::InvalidPartitions
        );
    }

    #[test]
    fn topics_and_their_configuration_survive_reopening_and_deleted_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let first = topics(dir.path(), 10);
        first
            .create("kept", 2, Overrides::from([("retention.ms".into(), "7".into())]), false)
            .unwrap();
        first.create("gone", 1, Overrides::new(), false).unwrap();
        first.create("never", 1, Overrides::new(), true).unwrap();
        first.delete("gone").unwrap();
        drop(first);
        fs::create_dir(dir.path().join("topics/unfinished")).unwrap();
        let again = topics(dir.path(), 10);
        assert_eq!(
            again.all().into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["kept"]
        );
        let kept = again.get("kept").unwrap();
        assert_eq!((kept.partition_count(), kept.rules().retention_ms), (2, Some(7)));
    }
}
