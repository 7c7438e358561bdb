//! A SIP listener: one tenant, one list of networks, UDP and TCP on one port.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use dialtone_schemas::Source;
use tokio::{
    net::{TcpListener, UdpSocket},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use super::{
    answer::{Status, Verdict, answer, judge},
    message::{Message, MessageError, split_head},
    request::{Received, events_of, unreadable, unsupported},
    tcp,
    transaction::{Key, Seen, Transactions, key, key_of_bytes},
    udp,
};
use crate::{
    config::SipConfig,
    count::Door,
    refusal::Refusal,
    service::{Content, Fate, IngestService, Report},
};

/// What a phone is told to wait where the broker does not acknowledge.
const RETRY_AFTER_S: u64 = 5;
/// When draining, requests at work have this long to be answered.
const DRAIN: Duration = Duration::from_secs(8);

/// What both transports share.
pub(super) struct SipDoor {
    service: Arc<IngestService>,
    pub(super) config: SipConfig,
    transactions: Mutex<Transactions>,
}

impl SipDoor {
    pub(super) fn new(service: Arc<IngestService>, config: SipConfig) -> Self {
        Self {
            service,
            config,
            transactions: Mutex::default(),
        }
    }

    /// Is this one of the tenant's networks? Others hear nothing: an answer would tell them, or whoever's address they
    /// took, that there is something.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.config.allow.iter().any(|network| network.contains(&address))
    }

    /// A request's way, to the answer that goes back, if any.
    pub(super) async fn take(&self, door: Door, bytes: &[u8], source: SocketAddr) -> Option<Vec<u8>> {
        if !self.allows(source.ip()) || is_keep_alive(bytes) {
            return None;
        }
        let message = match Message::read(bytes) {
            Ok(message) => message,
            Err(error) => return self.refuse_unreadable(door, bytes, error, source).await,
        };
        let verdict = judge(&message);
        if verdict == Verdict::Silence {
            return None;
        }
        let key = key(&message, &source.ip().to_string());
        match self.with_transactions(|transactions| transactions.begin(key, self.service.now())) {
            Seen::New => {}
            seen => {
                if verdict != Verdict::Answer(Status::Ok) {
                    self.service.take_duplicate(door);
                }
                return seen.answer();
            }
        }
        let status = match verdict {
            Verdict::Report => self.take_report(door, bytes, &message, source).await,
            Verdict::Answer(Status::Ok) | Verdict::Silence => Status::Ok,
            Verdict::Answer(status) => self.publish(door, bytes, Err(unsupported()), status).await,
        };
        let answer = answer(&message, status, source, &self.tag(key), RETRY_AFTER_S);
        self.settled(key, status, answer.as_deref());
        answer
    }

    /// What comes again hears the same; what could not be kept is taken when it comes again.
    fn settled(&self, key: Key, status: Status, answer: Option<&[u8]>) {
        self.with_transactions(|transactions| match status {
            Status::Unavailable => transactions.failed(key),
            _ => transactions.answered(key, answer),
        });
    }

    async fn take_report(&self, door: Door, bytes: &[u8], message: &Message<'_>, source: SocketAddr) -> Status {
        let received = Received {
            tenant: &self.config.tenant,
            source: source.ip(),
            at: self.service.now(),
            dimensions: &self.config.dimensions,
        };
        let read = events_of(message, &received, self.service.normaliser().privacy());
        let content = read.map(|events| Content::Events(events, Source::VqRtcpxr));
        self.publish(door, bytes, content, Status::BadRequest).await
    }

    /// Publishes a report or a reject: 200 only after the broker's acknowledgement.
    async fn publish(&self, door: Door, bytes: &[u8], content: Result<Content, Refusal>, if_refused: Status) -> Status {
        let report = Report {
            content,
            original: Bytes::copy_from_slice(bytes),
            position: None,
        };
        let fates = self.service.take(door, &self.config.tenant, vec![report]).await;
        match fates.first() {
            Some(Fate::Accepted { .. }) => Status::Ok,
            Some(Fate::Rejected(_)) => if_refused,
            Some(Fate::Unacknowledged(_)) | None => Status::Unavailable,
        }
    }

    /// What is no SIP becomes a reject; if at least its head can be read, the sender hears so.
    pub(super) async fn refuse_unreadable(
        &self,
        door: Door,
        bytes: &[u8],
        error: MessageError,
        source: SocketAddr,
    ) -> Option<Vec<u8>> {
        let same = key_of_bytes(bytes, &source.ip().to_string());
        let seen = self.with_transactions(|transactions| transactions.begin(same, self.service.now()));
        if seen != Seen::New {
            self.service.take_duplicate(door);
            return seen.answer();
        }
        let status = self
            .publish(door, bytes, Err(unreadable(error)), Status::BadRequest)
            .await;
        let head = split_head(bytes).map_or(bytes, |(head, _)| head);
        let message = Message::read_head(head).ok();
        let message = message.filter(|message| judge(message) != Verdict::Silence);
        let answer = message.and_then(|message| answer(&message, status, source, &self.tag(same), RETRY_AFTER_S));
        self.settled(same, status, answer.as_deref());
        answer
    }

    /// This door's tag and the publication's: the same for a request that comes again.
    fn tag(&self, key: Key) -> String {
        format!(
            "{:032x}",
            self.service.normaliser().privacy().id_of_bytes("sip tag", &[], &key)
        )
        .split_off(16)
    }

    fn with_transactions<T>(&self, f: impl FnOnce(&mut Transactions) -> T) -> T {
        f(&mut self.transactions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Line ends or zeros that keep a NAT open.
fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0))
}

/// A bound SIP listener.
pub struct SipServer {
    door: Arc<SipDoor>,
    udp: UdpSocket,
    tcp: TcpListener,
}

impl std::fmt::Debug for SipServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipServer")
            .field("config", &self.door.config)
            .finish_non_exhaustive()
    }
}

impl SipServer {
    /// Takes the port, or says why not. Port 0 is one that is free for both transports.
    pub async fn bind(service: Arc<IngestService>, config: SipConfig) -> io::Result<Self> {
        let tcp = TcpListener::bind(config.listen).await?;
        let udp = UdpSocket::bind(tcp.local_addr()?).await?;
        Ok(Self {
            door: Arc::new(SipDoor::new(service, config)),
            udp,
            tcp,
        })
    }

    /// Where it listens: of interest when the port was 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Serves until told to stop; then answers what is at work and returns.
    pub async fn run(self, stop: CancellationToken) {
        info!(listen = ?self.udp.local_addr().ok(), tenant = %self.door.config.tenant, "sip door is open");
        let at_work = TaskTracker::new();
        let udp = udp::serve(Arc::clone(&self.door), self.udp, at_work.clone(), stop.clone());
        let tcp = tcp::serve(self.door, self.tcp, at_work.clone(), stop);
        tokio::join!(udp, tcp);
        at_work.close();
        if timeout(DRAIN, at_work.wait()).await.is_err() {
            warn!(open = at_work.len(), "sip door closes on requests at work");
        }
    }
}
