//! One client: reads frames, has them answered in order, writes the answers.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::debug;

use crate::broker::Shared;
use crate::dispatch::{self, Client};
use crate::shape::Header;

/// Memory is handed out in pieces of this size.
const PERMIT_BYTES: usize = 1 << 10;
const PRODUCE: i16 = 0;
/// Enough of a frame to tell a produce request from the rest.
const KEY_BYTES: usize = 2;
/// A frame that was begun must arrive within this time.
const FRAME_TIME: Duration = Duration::from_secs(60);

/// Memory shared by all connections: whoever asks for more than is left waits.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    permits: Arc<Semaphore>,
    total: u32,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        let total = u32::try_from((bytes / PERMIT_BYTES).max(1)).unwrap_or(u32::MAX);
        Self {
            permits: Arc::new(Semaphore::new(usize::try_from(total).unwrap_or(usize::MAX))),
            total,
        }
    }

    /// Waits for room; a request larger than all of it gets all of it.
    pub(crate) async fn take(&self, bytes: usize) -> io::Result<OwnedSemaphorePermit> {
        let wanted = u32::try_from(bytes.div_ceil(PERMIT_BYTES))
            .unwrap_or(u32::MAX)
            .clamp(1, self.total);
        Arc::clone(&self.permits)
            .acquire_many_owned(wanted)
            .await
            .map_err(io::Error::other)
    }
}

/// An answer on its way out, with the memory it occupies.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Bytes,
    pub(crate) memory: Option<OwnedSemaphorePermit>,
}

/// Serves one client until it leaves, misbehaves or the broker stops.
pub(crate) async fn serve(shared: Arc<Shared>, mut stream: TcpStream, peer: SocketAddr) {
    let stop = shared.stop.clone();
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        outcome = converse(&shared, &mut stream, peer) => outcome,
    };
    if let Err(reason) = outcome {
        debug!(%peer, %reason, "connection closed");
    }
}

async fn converse(shared: &Arc<Shared>, stream: &mut TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let client = Client {
        peer,
        reached_at: stream.local_addr()?,
    };
    while let Some((frame, memory)) = next_frame(shared, stream).await? {
        let header = Header::parse(&frame).ok_or_else(|| malformed("request header"))?;
        let answer = Box::pin(dispatch::answer(shared, &client, &header, frame)).await?;
        drop(memory);
        if let Some(answer) = answer {
            timeout(shared.config.limits.write, stream.write_all(&answer.bytes)).await??;
            drop(answer.memory);
        }
    }
    Ok(())
}

/// The next request, or nothing if the client has left.
async fn next_frame(shared: &Shared, stream: &mut TcpStream) -> io::Result<Option<(Bytes, OwnedSemaphorePermit)>> {
    let limits = &shared.config.limits;
    let mut length = [0; 4];
    match timeout(limits.idle, stream.read_exact(&mut length)).await? {
        Err(left) if left.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
    if !(KEY_BYTES..=limits.request_bytes).contains(&length) {
        return Err(malformed("request length"));
    }
    timeout(FRAME_TIME, async {
        let mut key = [0; KEY_BYTES];
        stream.read_exact(&mut key).await?;
        if i16::from_be_bytes(key) != PRODUCE && length > limits.control_request_bytes {
            return Err(malformed("request length"));
        }
        let memory = shared.request_memory.take(length).await?;
        let frame = read_body(stream, &key, length).await?;
        Ok(Some((frame, memory)))
    })
    .await?
}

/// Memory grows with what arrives, not with what was announced.
async fn read_body(stream: &mut TcpStream, key: &[u8], length: usize) -> io::Result<Bytes> {
    const FIRST_BYTES: usize = 1 << 20;
    let mut frame = BytesMut::with_capacity(length.min(FIRST_BYTES));
    frame.extend_from_slice(key);
    while frame.len() < length {
        let left = u64::try_from(length - frame.len()).map_err(io::Error::other)?;
        if (&mut *stream).take(left).read_buf(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

pub(crate) fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
