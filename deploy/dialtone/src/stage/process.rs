//! Process as a service: summarise shares the partitions of events with its group, watch reads everything.

use std::{cell::RefCell, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use dialtone_processor::{Summarise, Watch, config::Owners, watch::owner::doubts};
use dialtone_schemas::{Control, EventId, Text, avro, control::ControlKind, topic::Topic};
use dialtone_wire::{
    OutRecord, Payload, Place, Publish,
    fold::{
        chain::Chain,
        store::{FolderStore, probe},
    },
    run::{Reads, Running, Stage, Status, Surroundings, View, chain_of_all, start},
};
use tokio::sync::Mutex;

use super::Wire;
use crate::{config::Config, past::Past};

/// The stage of watch, and its chain's folder.
const WATCH: &str = "watch";

/// Both folds at work.
#[derive(Debug)]
pub struct Process {
    summarise: Arc<Mutex<Running>>,
    watch: Arc<Mutex<Running>>,
    views: [View; 2],
}

impl Process {
    /// Starts both folds from their newest checkpoints.
    pub async fn start(config: &Config, wire: &Wire) -> Result<Self> {
        if config.processor.live {
            configure(config, wire).await?;
        }
        let summarise = start(summarise(config)?, surroundings(wire, &config.processor.state_dir)?)?;
        let of_watch = surroundings(wire, &config.processor.state_dir)?;
        let chain = Chain::new(Arc::clone(&of_watch.store), chain_of_all(WATCH));
        let past = past(config, &chain).await?;
        let watch = start(watch(config, chain, past)?, of_watch)?;
        Ok(Self {
            views: [summarise.view(), watch.view()],
            summarise: Arc::new(Mutex::new(summarise)),
            watch: Arc::new(Mutex::new(watch)),
        })
    }

    /// How both stand.
    pub fn status(&self) -> [Status; 2] {
        self.views.each_ref().map(View::now)
    }

    /// Are both ready? For a probe, which must not wait.
    pub fn readiness(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let views = self.views.clone();
        move || views.iter().all(|view| view.now().ready)
    }

    /// Waits until one of them ends by itself.
    pub async fn failed(&self) -> anyhow::Error {
        let mut every = tokio::time::interval(Duration::from_millis(200));
        loop {
            every.tick().await;
            for stage in [&self.summarise, &self.watch] {
                let mut running = stage.lock().await;
                match tokio::time::timeout(Duration::from_millis(1), running.finished()).await {
                    Ok(Err(error)) => return error.into(),
                    Ok(Ok(())) => return anyhow::anyhow!("a stage has ended"),
                    Err(_) => {}
                }
            }
        }
    }

    /// Last checkpoints, acknowledged outboxes, groups left.
    pub async fn stop(self) -> Result<()> {
        for stage in [&self.summarise, &self.watch] {
            stage.lock().await.stop();
        }
        let summarise = self.summarise.lock().await.finished().await;
        let watch = self.watch.lock().await.finished().await;
        Ok(summarise.and(watch)?)
    }
}

/// Tells watch its configuration through the log it reads, so that a restart with another one takes effect at a tick, and a
/// replay of the logs is told the same. Where nothing has changed, nothing changes.
async fn configure(config: &Config, wire: &Wire) -> Result<()> {
    let body = serde_json::to_string(&config.watch(config.owners()?))?;
    let control = Control {
        control_id: Text::new(format!("configure-{}", EventId::derive(["watch", &body])))?,
        tenant: None,
        kind: ControlKind::Configure,
        at: crate::wall(),
        incident_id: None,
        until: None,
        body: Some(body),
        team: None,
        to: None,
        reason: None,
    };
    let record = OutRecord {
        topic: Topic::Control,
        partition: Some(0),
        key: Bytes::copy_from_slice(control.control_id.as_str().as_bytes()),
        payload: Payload::Value(avro::built_in_frame_from(&control)?.into()),
        headers: Vec::new(),
    };
    for delivery in wire.publisher.publish(vec![record]).await {
        delivery.context("the configuration was not acknowledged")?;
    }
    Ok(())
}

fn surroundings(wire: &Wire, state: &Path) -> Result<Surroundings> {
    let of_state = || format!("processor.state_dir {}", state.display());
    let store = FolderStore::open(state).with_context(of_state)?;
    probe(&store).with_context(of_state)?;
    Ok(Surroundings {
        kafka: wire.kafka.clone(),
        store: Arc::new(store),
        publisher: Arc::clone(&wire.publisher) as _,
        translator: wire.translator.clone(),
    })
}

fn summarise(config: &Config) -> Result<Stage<Summarise>> {
    let settings = config.processor.summarise.clone();
    let json = serde_json::to_string(&settings)?;
    let wanted = settings.clone();
    let written = json.clone();
    let fresh = move |first: &std::collections::BTreeMap<_, _>| {
        let (partition, offset) = first
            .iter()
            .next()
            .map_or((0, 0), |((_, p), o): (&(Topic, i32), &i64)| (*p, *o));
        Summarise::new(settings.clone(), partition, offset)
    };
    let mut stage = Stage::new(
        "summarise",
        "dialtone-summarise",
        Reads::Shared(Topic::Events),
        Box::new(fresh),
    );
    stage.config_record = Some(Box::new(move |fold: &Summarise| {
        (*fold.config() != wanted).then(|| written.clone())
    }));
    stage.observe = Some(Box::new(|places, fold| {
        let partition = places.first().map_or_else(String::new, |(_, p)| p.to_string());
        let counts = fold.counts();
        for (fate, count) in [
            ("received", counts.received),
            ("passed_on", counts.closed),
            ("rejected", counts.rejected),
            ("late", counts.late),
            ("duplicate", counts.duplicate),
        ] {
            metrics::counter!("dialtone_summarise_events_total", "fate" => fate, "partition" => partition.clone())
                .absolute(count);
        }
        #[allow(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("dialtone_summarise_held_events", "partition" => partition).set(counts.held as f64);
    }));
    finish(stage, config, &json)
}

/// What a watch learns from that begins: nothing where a chain of checkpoints says what it knows. A lake that cannot be read keeps nobody from
/// watching; it then begins knowing nothing, and warms up.
async fn past(config: &Config, chain: &Chain) -> Result<Past> {
    let days = config.processor.days_to_study();
    if days == 0 || chain.has_begun().context("processor.state_dir")? {
        return Ok(Past::default());
    }
    let read = Past::read(&config.sink.lake_dir, days).await;
    Ok(read.unwrap_or_else(|error| {
        tracing::warn!(error = format!("{error:#}"), "nothing is learnt from the past");
        Past::default()
    }))
}

/// What is doubtful about the owners' rules, in one warning: they are obeyed all the same, and `dialtone validate` and the morning's report tell
/// all of it.
fn warn_of(owners: &Owners) {
    let doubts = doubts(owners);
    if let Some(first) = doubts.first() {
        let count = doubts.len();
        tracing::warn!(count, %first, "the owners' rules are doubtful: `dialtone validate` tells why");
    }
}

/// Which sites no calendar names, in one warning. Where this process cannot read the building file, which is ingest's, nothing is known of them.
fn warn_of_clocks(config: &Config) {
    let sites = config.without_calendar().unwrap_or_default();
    if let Some(first) = sites.first() {
        let count = sites.len();
        tracing::warn!(count, %first, "no calendar names these sites, which live by UTC then: `dialtone validate` names all");
    }
}

fn watch(config: &Config, chain: Chain, past: Past) -> Result<Stage<Watch>> {
    let owners = config.owners()?;
    warn_of(&owners);
    warn_of_clocks(config);
    let settings = config.watch(owners);
    let json = serde_json::to_string(&settings)?;
    let past = RefCell::new(past);
    let fresh = move |first: &std::collections::BTreeMap<_, _>| {
        let places = first.iter().map(|(place, offset): (&Place, &i64)| (*place, *offset));
        let mut watch = Watch::new(settings.clone(), places);
        // Where a chain has begun, the fold is what that says: what was read of the past is let go.
        match chain.has_begun() {
            Ok(false) => past.borrow().teach(&mut watch, first),
            _ => drop(past.take()),
        }
        watch
    };
    let reads = Reads::All(vec![
        Topic::Summaries,
        Topic::Changes,
        Topic::Complaints,
        Topic::Control,
    ]);
    let mut stage = Stage::new(WATCH, "dialtone-watch", reads, Box::new(fresh));
    stage.last_word = Some((Topic::Incidents, Box::new(Watch::last_word)));
    stage.observe = Some(Box::new(|_, fold: &Watch| {
        let counts = fold.counts();
        for (fate, count) in [
            ("received", counts.received),
            ("folded", counts.folded),
            ("rejected", counts.rejected),
            ("late", counts.late),
            ("repeat", counts.repeats),
            ("beyond", counts.beyond),
            ("ignored", counts.ignored),
        ] {
            metrics::counter!("dialtone_watch_records_total", "fate" => fate).absolute(count);
        }
        metrics::counter!("dialtone_watch_refused_pairs_total").absolute(fold.refused());
        #[allow(clippy::cast_precision_loss, reason = "gauges")]
        for (name, value) in [("held", fold.held() as f64), ("cells", fold.cells() as f64)] {
            metrics::gauge!("dialtone_watch_size", "of" => name).set(value);
        }
    }));
    finish(stage, config, &json)
}

/// What both have in common.
fn finish<F: dialtone_wire::Fold>(mut stage: Stage<F>, config: &Config, json: &str) -> Result<Stage<F>> {
    stage.config_hash = EventId::derive(["config", json]).to_string();
    stage.live = config.processor.live;
    stage.limits.every = config.processor.checkpoint.duration();
    stage.drain = Duration::from_secs(10);
    Ok(stage)
}
