//! The stages as services: each starts what it needs, says when it is ready, and stops when it is told to.

mod ingest;
mod process;
mod sink;

use std::sync::Arc;

use anyhow::{Context, Result};
use dialtone_broker::{Broker, BrokerConfig, RunningBroker};
use dialtone_wire::{
    KafkaConfig,
    produce::KafkaPublisher,
    registry::{Translator, translator_of},
};
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

/// Runs stages until one of them fails or the process is told to stop.
pub async fn run(which: Which, mut config: Config, now: dialtone_ingest::Now) -> Result<()> {
    let broker = embedded(&mut config).await?;
    let stop = CancellationToken::new();
    let admin = Admin::bind(&config.admin).await?;
    let wire = Wire::connect(&config).await?;
    let ingest = if which.ingest {
        Some(Ingest::start(&config, &wire, now).await?)
    } else {
        None
    };
    let process = if which.process {
        Some(Process::start(&config, &wire).await?)
    } else {
        None
    };
    let sink = if which.sink {
        Some(Sink::start(&config, &wire).await?)
    } else {
        None
    };
    let serving = tokio::spawn(admin.serve(readiness(process.as_ref(), sink.as_ref()), stop.clone()));
    tracing::info!(?which, "running");

    let mut failed = None;
    tokio::select! {
        () = told_to_stop() => tracing::info!("told to stop: draining"),
        error = first_failure(process.as_ref(), sink.as_ref()) => failed = Some(error),
    }
    // In the direction of the data: what ingest still publishes is not waited for by the others, they find it next time.
    if let Some(ingest) = ingest {
        ingest.stop().await?;
    }
    if let Some(process) = process {
        process.stop().await?;
    }
    if let Some(sink) = sink {
        sink.stop().await?;
    }
    stop.cancel();
    serving.await.context("admin")?;
    drop(wire);
    if let Some(broker) = broker {
        broker.shutdown().await;
    }
    failed.map_or(Ok(()), Err)
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

fn readiness(process: Option<&Process>, sink: Option<&Sink>) -> impl Fn() -> bool + Send + Sync + 'static {
    let process = process.map(Process::readiness);
    let sink = sink.map(Sink::readiness);
    move || process.as_ref().is_none_or(|ready| ready()) && sink.as_ref().is_none_or(|ready| ready())
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

/// The first stage that ends by itself.
async fn first_failure(process: Option<&Process>, sink: Option<&Sink>) -> anyhow::Error {
    let process = async {
        match process {
            Some(process) => process.failed().await,
            None => std::future::pending().await,
        }
    };
    let sink = async {
        match sink {
            Some(sink) => sink.failed().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! { error = process => error, error = sink => error }
}
