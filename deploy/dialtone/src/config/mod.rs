//! The configuration: one TOML file over the documented defaults, every problem reported at once with its place.

mod calendars;
mod load;
mod owners;
mod problem;
mod ranges;
mod settings;

use std::path::PathBuf;

use anyhow::{Context, Result};
use dialtone_ingest::{IngestConfig, Sites};
use dialtone_processor::{SummariseConfig, WatchConfig, config::Owners, watch::calendar};
use dialtone_schemas::{Span, Text, time};
use dialtone_wire::KafkaConfig;
use serde::{Deserialize, Serialize};

pub use calendars::or_simulated;
pub(crate) use load::edits;
pub use load::load;
pub use owners::{owners, read_owners};
pub use problem::{Problem, Problems};

/// The documented defaults are the defaults.
pub const DEFAULTS: &str = include_str!("../../../config/defaults.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How to log.
    pub log: LogConfig,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin: AdminConfig,
    /// The embedded broker, for one machine without Kafka.
    pub broker: EmbeddedConfig,
    /// The broker.
    pub kafka: KafkaConfig,
    /// The doors.
    pub ingest: IngestConfig,
    /// The folds.
    pub processor: ProcessorConfig,
    /// The lake.
    pub sink: SinkConfig,
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged, as `RUST_LOG` writes it.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

/// `[admin]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Loopback unless set otherwise: metrics have no authentication.
    pub listen: std::net::SocketAddr,
}

/// `[broker]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedConfig {
    /// Start it with the stages, and use it instead of `kafka.properties."bootstrap.servers"`?
    pub embedded: bool,
    /// Where it keeps its logs.
    pub data_dir: PathBuf,
    /// Where it listens: loopback, since it has neither passwords nor encryption.
    pub listen: std::net::SocketAddr,
}

/// `[processor]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessorConfig {
    /// Where the checkpoint chains lie.
    pub state_dir: PathBuf,
    /// The accountable teams; empty: everything is the service desk's.
    pub owners: PathBuf,
    /// Is the wall clock the time of the calls? False for simulated or replayed time.
    pub live: bool,
    /// How often a checkpoint is made.
    pub checkpoint: Span,
    /// A watch that begins without a checkpoint learns what is normal from those of the lake's last so many days that its logs have lost.
    pub study: Span,
    /// Summarise.
    pub summarise: SummariseConfig,
    /// Watch; its owners come from the file named above.
    pub watch: WatchConfig,
}

impl ProcessorConfig {
    /// So many whole days are studied.
    pub fn days_to_study(&self) -> usize {
        usize::try_from(self.study.micros() / time::DAY).unwrap_or(usize::MAX)
    }
}

/// `[sink]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// The folder of the Delta tables.
    pub lake_dir: PathBuf,
    /// How often a commit is made.
    pub commit: Span,
    /// A commit is made before so many records.
    pub max_records: usize,
    /// And before records of so many bytes are held.
    pub max_bytes: usize,
}

impl Config {
    /// The building file, if one is named.
    pub fn sites(&self) -> Result<Sites> {
        match &self.ingest.sites {
            Some(path) => crate::replay::read_sites(path),
            None => Sites::read(b"").context("no sites"),
        }
    }

    /// The sites of the building file that no calendar names, where there is any calendar: their clocks are UTC's, and they have no holidays.
    pub fn without_calendar(&self) -> Result<Vec<Text>> {
        let calendars = &self.processor.watch.calendars;
        if calendars.is_empty() {
            return Ok(Vec::new());
        }
        let sites = self.sites()?;
        let is_named = |site: &Text| calendars.iter().any(|calendar| calendar.has(site));
        Ok(sites
            .names()
            .into_iter()
            .filter(|site| !is_named(site))
            .cloned()
            .collect())
    }

    /// The teams, if a file names them.
    pub fn owners(&self) -> Result<Owners> {
        if self.processor.owners.as_os_str().is_empty() {
            return Ok(Owners::default());
        }
        read_owners(&self.processor.owners)
    }

    /// The watch's settings with the owners in place.
    pub fn watch(&self, owners: Owners) -> WatchConfig {
        WatchConfig {
            owners,
            ..self.processor.watch.clone()
        }
    }

    /// As a file would say it: without what comes from elsewhere (owners from their file, ingest's bounds from the
    /// processor's lateness).
    pub fn to_table(&self) -> Result<toml::Table> {
        let mut table = toml::Table::try_from(self)?;
        let below = |table: &mut toml::Table, path: &[&str], key: &str| {
            let at = path
                .iter()
                .try_fold(table, |table, name| table.get_mut(*name)?.as_table_mut());
            at.and_then(|table| table.remove(key))
        };
        below(&mut table, &["ingest"], "bounds");
        below(&mut table, &["processor", "watch"], "owners");
        Ok(table)
    }

    /// What types alone cannot say: keys that contradict each other, with what is wrong.
    fn contradictions(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = self
            .kafka
            .validate()
            .into_iter()
            .map(|p| (format!("kafka.{}", p.key.replace('"', "")), p.reason))
            .collect();
        found.extend(
            self.ingest
                .problems()
                .into_iter()
                .map(|problem| match problem.split_once(": ") {
                    Some((key, what)) => (format!("ingest.{key}"), what.to_owned()),
                    None => ("ingest".to_owned(), problem),
                }),
        );
        let lateness = &self.processor.summarise.lateness;
        for (key, span) in [
            ("interval", lateness.interval),
            ("final", lateness.at_end),
            ("graph", lateness.graph),
        ] {
            if span.micros() % dialtone_schemas::Tick::STEP != 0 {
                let key = format!("processor.summarise.lateness.{key}");
                found.push((key, format!("{span} is not a multiple of the 10 s tick")));
            }
        }
        let watch = &self.processor.watch;
        if watch.memory < watch.hold_off {
            found.push((
                "processor.watch.memory".into(),
                "is shorter than hold_off: nothing would be learnt".into(),
            ));
        }
        let of_calendars = calendar::objections(&watch.calendars).into_iter();
        found.extend(of_calendars.map(|(key, what)| (format!("processor.watch.{key}"), what)));
        found.extend(ranges::out_of_range(self));
        found
    }
}
