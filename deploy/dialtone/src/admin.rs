//! `/livez`, `/readyz`, `/metrics`: for orchestrators and Prometheus, on loopback unless told otherwise.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::AdminConfig;

/// The one recorder of the process.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The bound admin port.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

impl Admin {
    /// Takes the port and installs the metrics' recorder.
    pub async fn bind(config: &AdminConfig) -> Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("admin.listen: cannot listen on {}", config.listen))?;
        install()?;
        Ok(Self { listener })
    }

    /// Answers until told to stop.
    pub async fn serve(self, ready: impl Fn() -> bool + Send + Sync + 'static, stop: CancellationToken) {
        let ready = Arc::new(ready);
        let readyz = move || {
            let ready = ready();
            async move {
                if ready {
                    (StatusCode::OK, "ready\n")
                } else {
                    (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                }
            }
        };
        let routes = Router::new()
            .route("/livez", get(|| async { "alive\n" }))
            .route("/readyz", get(readyz))
            .route(
                "/metrics",
                get(|| async { RECORDER.get().map(PrometheusHandle::render).unwrap_or_default() }),
            );
        let served = axum::serve(self.listener, routes).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "admin port");
        }
    }
}

fn install() -> Result<()> {
    if RECORDER.get().is_none() {
        let handle = PrometheusBuilder::new().install_recorder().context("metrics")?;
        RECORDER.set(handle).ok(); // another thread was first: its recorder is the one in force
        metrics::gauge!("dialtone_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    }
    Ok(())
}
