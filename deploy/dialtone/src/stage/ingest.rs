//! Ingest as a service: the doors, and the clock that tells all logs how far event time has got.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use dialtone_ingest::{
    IngestRules, IngestService, Normaliser, Now, PrivacyKey,
    config::Bounds,
    receive::http::{HttpServer, router},
    receive::sip_rtcpxr::SipServer,
};
use tokio::{sync::Mutex, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::Wire;
use crate::config::Config;

/// The open doors.
#[derive(Debug)]
pub struct Ingest {
    service: Arc<IngestService>,
    http: SocketAddr,
    sip: Vec<SocketAddr>,
    stop: CancellationToken,
    tasks: Mutex<JoinSet<()>>,
}

impl Ingest {
    /// Opens every configured door.
    pub async fn start(config: &Config, wire: &Wire, now: Now) -> Result<Self> {
        let normaliser = Normaliser::new(IngestRules {
            sites: config.sites()?,
            key: PrivacyKey::read_or_create(&config.ingest.privacy.key_file)?,
            privacy: config.ingest.privacy.rules,
            scoring: config.ingest.scoring.clone(),
        });
        let lateness = &config.processor.summarise.lateness;
        let bounds = Bounds {
            interval: lateness.interval,
            final_: lateness.at_end,
            graph: lateness.graph,
        };
        let service = Arc::new(IngestService::new(
            normaliser,
            Arc::clone(&wire.publisher) as _,
            bounds,
            now,
        ));
        let stop = CancellationToken::new();
        let (clock, stop_clock) = (Arc::clone(&service), stop.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { clock.keep_time(stop_clock).await });

        let door = &config.ingest.http;
        let routes = router(Arc::clone(&service), door.clone()).context("ingest.http.tokens")?;
        let server = HttpServer::bind(routes, door.clone())
            .await
            .with_context(|| format!("ingest.http.listen: cannot listen on {}", door.listen))?;
        let http = server.local_addr()?;
        tasks.spawn(server.run(stop.clone()));

        let mut sip = Vec::new();
        for door in &config.ingest.sip {
            let server = SipServer::bind(Arc::clone(&service), door.clone())
                .await
                .with_context(|| format!("ingest.sip.listen: cannot listen on {}", door.listen))?;
            sip.push(server.local_addr()?);
            tasks.spawn(server.run(stop.clone()));
        }
        Ok(Self {
            service,
            http,
            sip,
            stop,
            tasks: Mutex::new(tasks),
        })
    }

    /// Where HTTP listens.
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where SIP listens, UDP and TCP.
    pub fn sip(&self) -> &[SocketAddr] {
        &self.sip
    }

    /// The doors' way to the broker.
    pub fn service(&self) -> &Arc<IngestService> {
        &self.service
    }

    /// Waits until a door or the clock ends by itself.
    pub async fn failed(&self) -> anyhow::Error {
        match self.tasks.lock().await.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("ingest"),
            _ => anyhow::anyhow!("ingest: a door has closed by itself"),
        }
    }

    /// Closes the doors, after what is inside has its answer.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let mut tasks = self.tasks.into_inner();
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            outcome = outcome.and(ended.context("ingest"));
        }
        outcome
    }
}
