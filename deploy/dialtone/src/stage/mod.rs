//! The stages as services: each starts what it needs, says when it is ready, and stops when it is told to.

mod ingest;
mod process;
mod sink;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result};
use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use dialtone_ingest::Now;
use dialtone_wire::{
    KafkaConfig,
    produce::KafkaPublisher,
    registry::{Translator, translator_of},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{admin::Admin, config::Config};

pub use ingest::Ingest;
pub use process::Process;
pub use sink::Sink;

/// At the end, a probe has this long.
const LAST_ANSWER: Duration = Duration::from_secs(2);

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
/// first moment on; what has been started until then is drained.
pub async fn run(which: Which, config: Config, now: Now) -> Result<()> {
    let (stop, draining) = (CancellationToken::new(), CancellationToken::new());
    let admin = Admin::bind(&config.admin).await?;
    let ready: Arc<OnceLock<Readiness>> = Arc::default();
    let (shown, no_more) = (Arc::clone(&ready), draining.clone());
    let is_ready = move || !no_more.is_cancelled() && shown.get().is_some_and(|ready| ready());
    let serving = tokio::spawn(admin.serve(is_ready, stop.clone()));

    let mut stages = Stages::default();
    let outcome = tokio::select! {
        outcome = stages.run(which, config, now, &ready) => outcome,
        () = told_to_stop() => {
            tracing::info!("told to stop: draining");
            Ok(())
        }
    };
    draining.cancel();
    let stopped = stages.stop().await;
    stop.cancel();
    // A probe that never ends its question must not keep the process.
    if timeout(LAST_ANSWER, serving).await.is_err() {
        tracing::warn!("the admin port closes on a request at work");
    }
    outcome.and(stopped)
}

type Readiness = Box<dyn Fn() -> bool + Send + Sync>;

/// What runs.
#[derive(Default)]
struct Stages {
    broker: Option<RunningBroker>,
    wire: Option<Wire>,
    process: Option<Process>,
    sink: Option<Sink>,
    ingest: Option<Ingest>,
}

impl Stages {
    /// Until one of them ends by itself. May be dropped at any time: what was started stays here, to be stopped.
    async fn run(&mut self, which: Which, config: Config, now: Now, ready: &OnceLock<Readiness>) -> Result<()> {
        self.start(which, config, now).await?;
        drop(ready.set(self.readiness()));
        tracing::info!(?which, "running");
        Err(self.first_failure().await)
    }

    /// The doors open last, when there is somebody to take what comes in.
    async fn start(&mut self, which: Which, mut config: Config, now: Now) -> Result<()> {
        self.broker = embedded(&mut config).await?;
        let wire = self.wire.insert(Wire::connect(&config).await?);
        if which.process {
            self.process = Some(Process::start(&config, wire).await?);
        }
        if which.sink {
            self.sink = Some(Sink::start(&config, wire).await?);
        }
        if which.ingest {
            self.ingest = Some(Ingest::start(&config, wire, now).await?);
        }
        Ok(())
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
