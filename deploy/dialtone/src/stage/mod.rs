//! The stages as services: each starts what it needs, says when it is ready, and stops when it is told to.

mod ingest;
mod process;
mod sink;

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use dialtone_ingest::Now;
use dialtone_wire::{
    KafkaConfig,
    produce::KafkaPublisher,
    registry::{Translator, translator_of},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{admin::Admin, config::Config};

pub use ingest::Ingest;
pub use process::Process;
pub use sink::Sink;

/// Which stages run in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Take reports in.
    pub ingest: bool,
    /// Summarise and watch.
    pub process: bool,
    /// Keep the lake.
    pub sink: bool,
}

/// What every stage needs of Kafka.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The cluster.
    pub kafka: KafkaConfig,
    /// The producer.
    pub publisher: Arc<KafkaPublisher>,
    /// The registry's ids, where there is one.
    pub translator: Option<Arc<Translator>>,
}

impl Wire {
    /// Connects, and sees that the topics are there.
    pub async fn connect(config: &Config) -> Result<Self> {
        let kafka = config.kafka.clone();
        dialtone_wire::topics::ensure(&kafka).await.context("topics")?;
        let translator = translator_of(&kafka).await.context("schema registry")?;
        let publisher = KafkaPublisher::connect(&kafka, translator.clone())
            .await
            .context("producer")?;
        Ok(Self {
            kafka,
            publisher: Arc::new(publisher),
            translator,
        })
    }
}

/// Runs stages until one of them fails or the process is told to stop. Probes are answered, and a stop is heard, from the
/// first moment on.
pub async fn run(which: Which, config: Config, now: Now) -> Result<()> {
    let stop = CancellationToken::new();
    let admin = Admin::bind(&config.admin).await?;
    let ready: Arc<OnceLock<Readiness>> = Arc::default();
    let shown = Arc::clone(&ready);
    let is_ready = move || shown.get().is_some_and(|ready| ready());
    let serving = tokio::spawn(admin.serve(is_ready, stop.clone()));
    let mut told = tokio::spawn(told_to_stop());

    let outcome = tokio::select! {
        stages = Stages::start(which, config, now) => serve(stages?, which, &ready, &mut told).await,
        _ = &mut told => {
            tracing::info!("told to stop before everything had started");
            Ok(())
        }
    };
    stop.cancel();
    serving.await.context("admin")?;
    outcome
}

/// Until told to stop, or one of them ends by itself; then all stop, and the first failure is the outcome.
async fn serve(stages: Stages, which: Which, ready: &OnceLock<Readiness>, told: &mut JoinHandle<()>) -> Result<()> {
    drop(ready.set(stages.readiness()));
    tracing::info!(?which, "running");
    let failed = tokio::select! {
        _ = told => {
            tracing::info!("told to stop: draining");
            None
        }
        error = stages.first_failure() => Some(error),
    };
    let stopped = stages.stop().await;
    failed.map_or(stopped, Err)
}

type Readiness = Box<dyn Fn() -> bool + Send + Sync>;

/// What runs.
struct Stages {
    broker: Option<RunningBroker>,
    wire: Wire,
    ingest: Option<Ingest>,
    process: Option<Process>,
    sink: Option<Sink>,
}

impl Stages {
    async fn start(which: Which, mut config: Config, now: Now) -> Result<Self> {
        let broker = embedded(&mut config).await?;
        let wire = Wire::connect(&config).await?;
        let mut stages = Self {
            broker,
            wire,
            ingest: None,
            process: None,
            sink: None,
        };
        if which.ingest {
            stages.ingest = Some(Ingest::start(&config, &stages.wire, now).await?);
        }
        if which.process {
            stages.process = Some(Process::start(&config, &stages.wire).await?);
        }
        if which.sink {
            stages.sink = Some(Sink::start(&config, &stages.wire).await?);
        }
        Ok(stages)
    }

    /// Doors are open once they are there; the others must have found where they stand.
    fn readiness(&self) -> Readiness {
        let process = self.process.as_ref().map(Process::readiness);
        let sink = self.sink.as_ref().map(Sink::readiness);
        Box::new(move || process.as_ref().is_none_or(|ready| ready()) && sink.as_ref().is_none_or(|ready| ready()))
    }

    /// The first stage that ends by itself.
    async fn first_failure(&self) -> anyhow::Error {
        tokio::select! {
            error = of(self.ingest.as_ref().map(Ingest::failed)) => error,
            error = of(self.process.as_ref().map(Process::failed)) => error,
            error = of(self.sink.as_ref().map(Sink::failed)) => error,
        }
    }

    /// In the direction of the data: what ingest still publishes is not waited for by the others, they find it next time.
    /// Each is stopped whatever became of the others.
    async fn stop(self) -> Result<()> {
        let ingest = match self.ingest {
            Some(ingest) => ingest.stop().await,
            None => Ok(()),
        };
        let process = match self.process {
            Some(process) => process.stop().await,
            None => Ok(()),
        };
        let sink = match self.sink {
            Some(sink) => sink.stop().await,
            None => Ok(()),
        };
        drop(self.wire);
        if let Some(broker) = self.broker {
            broker.shutdown().await;
        }
        ingest.and(process).and(sink)
    }
}

/// How a stage that runs fails; one that does not, never does.
async fn of(failure: Option<impl Future<Output = anyhow::Error>>) -> anyhow::Error {
    match failure {
        Some(failure) => failure.await,
        None => std::future::pending().await,
    }
}

/// The embedded broker, if it is wanted; from then on it is the cluster.
async fn embedded(config: &mut Config) -> Result<Option<RunningBroker>> {
    if !config.broker.embedded {
        return Ok(None);
    }
    let settings = BrokerConfig {
        listen: config.broker.listen,
        ..BrokerConfig::new(&config.broker.data_dir)
    };
    let broker = Broker::start(settings).await.context("embedded broker")?;
    config
        .kafka
        .properties
        .insert("bootstrap.servers".into(), broker.bootstrap());
    Ok(Some(broker))
}

/// SIGTERM or Ctrl-C.
async fn told_to_stop() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminate => {}
        heard = tokio::signal::ctrl_c() => if let Err(error) = heard { tracing::warn!(%error, "Ctrl-C cannot be heard") },
    }
}
