//! SIP over UDP: one datagram, one request, at most one answer, never larger than what was asked.

use std::{sync::Arc, time::Duration};

use tokio::{net::UdpSocket, sync::Semaphore, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::door::SipDoor;
use crate::count::Door;

/// The largest datagram there is.
const MAX_DATAGRAM: usize = 65_535;
/// After a failed receive.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn serve(door: Arc<SipDoor>, socket: UdpSocket, at_work: TaskTracker, stop: CancellationToken) {
    let socket = Arc::new(socket);
    let room = Arc::new(Semaphore::new(door.config.max_requests));
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stop.cancelled() => return,
        };
        let (length, source) = match received {
            Ok(received) => received,
            Err(error) => {
                warn!(%error, "receive failed");
                sleep(PAUSE).await;
                continue;
            }
        };
        // Before anything is done or remembered: strangers cost nothing.
        if !door.allows(source.ip()) {
            continue;
        }
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            metrics::counter!("dialtone_ingest_sip_overload_total").increment(1);
            continue;
        };
        let (door, socket, bytes) = (Arc::clone(&door), Arc::clone(&socket), buffer[..length].to_vec());
        at_work.spawn(async move {
            let _permit = permit;
            if let Some(answer) = door.take(Door::SipUdp, &bytes, source).await
                && answer.len() <= bytes.len()
                && let Err(error) = socket.send_to(&answer, source).await
            {
                debug!(%error, "answer not sent");
            }
        });
    }
}
