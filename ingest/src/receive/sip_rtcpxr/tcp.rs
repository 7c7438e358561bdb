//! SIP over TCP: a stream of messages, each as long as its Content-Length says.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::{
    door::SipDoor,
    message::{MAX_HEAD, Message, MessageError, split_head},
};
use crate::{count::Door, receive::quota::Quota};

/// After a failed accept (out of file descriptors): give others the time to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What comes out of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Two line ends, to be answered by one (RFC 5626 §3.5.1).
    Ping,
    /// A whole message.
    Message(Bytes),
}

/// Cuts a stream into messages, wherever the network cut it.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: BytesMut,
}

impl Framer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Has a message begun?
    pub(super) fn is_within(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame, once it is whole. After an error the stream is out of step and has to be closed.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, MessageError> {
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.buffer.advance(4);
            return Ok(Some(Frame::Ping));
        }
        // A single line end between messages; it may be the first half of a ping.
        if self.buffer.starts_with(b"\r\n") && self.buffer.len() > 3 {
            self.buffer.advance(2);
        }
        if matches!(&self.buffer[..], b"" | b"\r" | b"\r\n" | b"\r\n\r") {
            return Ok(None);
        }
        let Some((head, rest)) = split_head(&self.buffer) else {
            return if self.buffer.len() > MAX_HEAD {
                Err(MessageError::TooLong)
            } else {
                Ok(None)
            };
        };
        let head_length = self.buffer.len() - rest.len();
        // Without a length there is no telling where the next message begins.
        let length = Message::read_head(head)?
            .content_length()?
            .ok_or(MessageError::Length)?;
        if rest.len() < length {
            return Ok(None);
        }
        Ok(Some(Frame::Message(
            self.buffer.split_to(head_length + length).freeze(),
        )))
    }

    fn into_bytes(self) -> BytesMut {
        self.buffer
    }
}

pub(super) async fn serve(door: Arc<SipDoor>, listener: TcpListener, at_work: TaskTracker, stop: CancellationToken) {
    let quota = Quota::new(door.config.max_connections, door.config.max_connections_per_address);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, source)) if door.allows(source.ip()) => {
                let Some(seat) = quota.seat(source.ip()) else { continue };
                let (door, stop) = (Arc::clone(&door), stop.clone());
                at_work.spawn(async move {
                    let _seat = seat;
                    if let Err(error) = converse(&door, stream, source, &stop).await {
                        debug!(%error, "connection ended");
                    }
                });
            }
            Ok(_) => {}
            Err(error) => {
                warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Request by request, until the phone hangs up, is silent or slow for too long, or loses step.
async fn converse(
    door: &SipDoor,
    mut stream: TcpStream,
    source: SocketAddr,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let mut framer = Framer::default();
    let mut chunk = vec![0; 16 * 1024];
    // From the first byte of a request to its last, however the bytes trickle.
    let mut within_until: Option<Instant> = None;
    loop {
        match framer.next() {
            Ok(Some(Frame::Ping)) => send(door, &mut stream, b"\r\n").await?,
            Ok(Some(Frame::Message(bytes))) => {
                within_until = None;
                if let Some(answer) = door.take(Door::SipTcp, &bytes, source).await {
                    send(door, &mut stream, &answer).await?;
                }
            }
            Ok(None) => {
                let until = if framer.is_within() {
                    *within_until.get_or_insert_with(|| Instant::now() + door.config.message_timeout.duration())
                } else {
                    Instant::now() + door.config.idle_timeout.duration()
                };
                let read = tokio::select! {
                    read = timeout_at(until, stream.read(&mut chunk)) => read,
                    () = stop.cancelled() => return Ok(()),
                };
                match read {
                    Ok(Ok(0)) | Err(_) => return Ok(()),
                    Ok(read) => framer.push(&chunk[..read?]),
                }
            }
            Err(error) => {
                let bytes = framer.into_bytes();
                if let Some(answer) = door.refuse_unreadable(Door::SipTcp, &bytes, error, source).await {
                    send(door, &mut stream, &answer).await?;
                }
                return stream.shutdown().await;
            }
        }
    }
}

/// Writes an answer; who does not read it in time is hung up on.
async fn send(door: &SipDoor, stream: &mut TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let patience = door.config.message_timeout.duration();
    timeout(patience, stream.write_all(answer))
        .await
        .map_err(|_elapsed| std::io::ErrorKind::TimedOut)?
}
