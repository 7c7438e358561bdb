//! Requests of the last 32 seconds with their answers: UDP loses answers, so phones send again, and must hear the same.

use std::collections::{HashMap, VecDeque};

use dialtone_schemas::{EventTime, time};

use super::message::{Message, Start};

/// 64 × T1 (RFC 3261 §17.2.2, timer J): after that nobody sends the same request again.
const LIFE: i64 = 32 * time::SECOND;
/// Transactions kept; beyond that the oldest are forgotten, and a retransmission of one is a new request with the same
/// event id.
const MAX_KEPT: usize = 65_536;

/// What identifies a request, as a hash.
pub(super) type Key = [u8; 16];

/// What is known of a request that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Never before: it is at work from now on.
    New,
    /// It is at work: its answer will come.
    AtWork,
    /// It was answered so.
    Answered(Vec<u8>),
}

/// The requests of the last 32 seconds.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// `None` while at work.
    answers: HashMap<Key, Option<Vec<u8>>>,
    order: VecDeque<(EventTime, Key)>,
}

/// The same request has the same method, branch, Call-ID, CSeq, From and body, from the same host (whose port may change
/// behind a NAT). The body counts because there are phones, and RFC 6035's own examples, that use a branch twice.
pub(super) fn key(message: &Message<'_>, host: &str) -> Key {
    let header = |name: &str| message.header(name).unwrap_or_default();
    let method = if let Start::Request { method } = &message.start {
        method
    } else {
        ""
    };
    let body = String::from_utf8_lossy(message.body);
    let parts = [
        host,
        method,
        header("via"),
        header("call-id"),
        header("cseq"),
        header("from"),
        &body,
    ];
    dialtone_schemas::EventId::derive(parts).0.to_be_bytes()
}

impl Transactions {
    /// A request came in.
    pub(super) fn begin(&mut self, key: Key, now: EventTime) -> Seen {
        self.forget(now);
        match self.answers.get(&key) {
            Some(Some(answer)) => Seen::Answered(answer.clone()),
            Some(None) => Seen::AtWork,
            None => {
                self.answers.insert(key, None);
                self.order.push_back((now, key));
                Seen::New
            }
        }
    }

    /// It was answered.
    pub(super) fn answered(&mut self, key: Key, answer: &[u8]) {
        if let Some(slot) = self.answers.get_mut(&key) {
            *slot = Some(answer.to_vec());
        }
    }

    fn forget(&mut self, now: EventTime) {
        while let Some((since, key)) = self.order.front().copied()
            && (now.since(since) > LIFE || self.order.len() >= MAX_KEPT)
        {
            self.order.pop_front();
            self.answers.remove(&key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }
}
