//! The accept loop. `axum::serve` has no timeout for heads, so that a thousand slow senders could keep everybody out.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tracing::{debug, info, warn};

use super::pace::{Pace, Paced};
use crate::{
    config::HttpConfig,
    receive::quota::{Quota, Seat},
};

/// After a failed accept (out of file descriptors): give others the time to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// When draining, requests at work have this long to be answered.
const DRAIN: Duration = Duration::from_secs(8);

/// A bound HTTP door.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    router: Router,
    config: HttpConfig,
    quota: Quota,
}

impl HttpServer {
    /// Takes the port, or says why not.
    pub async fn bind(router: Router, config: HttpConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let quota = Quota::new(config.max_connections, config.max_connections_per_address);
        Ok(Self {
            listener,
            router,
            config,
            quota,
        })
    }

    /// Where it listens: of interest when the port was 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until told to stop; then answers what is at work and returns.
    pub async fn run(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        info!(listen = ?self.listener.local_addr().ok(), "http door is open");
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => match self.quota.seat(peer.ip()) {
                    Some(seat) => drop(connections.spawn(self.serve(stream, seat, stop.clone()))),
                    None => debug!("connection refused: too many"),
                },
                Err(error) => {
                    warn!(%error, "accept failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        connections.close();
        if timeout(DRAIN, connections.wait()).await.is_err() {
            warn!(open = connections.len(), "http door closes on requests at work");
        }
    }

    fn serve(&self, stream: TcpStream, seat: Seat, stop: CancellationToken) -> impl Future<Output = ()> + use<> {
        let pace = Pace::default();
        let io = TokioIo::new(Paced::new(stream, pace.clone(), self.config.head_timeout.duration()));
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            pace.busy();
            let (router, pace) = (router.clone(), pace.clone());
            async move {
                let response = router.oneshot(request).await;
                pace.idle();
                response
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.idle_timeout.duration())
            .max_headers(64)
            .serve_connection(io, service);
        async move {
            let _seat = seat;
            let mut connection = std::pin::pin!(connection);
            let served = tokio::select! {
                served = &mut connection => served,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                debug!(%error, "connection ended");
            }
        }
    }
}
