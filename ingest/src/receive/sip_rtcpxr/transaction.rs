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
    /// It was answered so; without a word where it could not be told whom to answer.
    Answered(Option<Vec<u8>>),
}

impl Seen {
    /// What goes back at once.
    pub(super) fn answer(self) -> Option<Vec<u8>> {
        match self {
            Self::Answered(answer) => answer,
            Self::New | Self::AtWork => None,
        }
    }
}

/// The requests of the last 32 seconds.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    requests: HashMap<Key, (EventTime, Seen)>,
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
    let body = letters(message.body);
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

/// What cannot be read is the same if all its bytes are.
pub(super) fn key_of_bytes(bytes: &[u8], host: &str) -> Key {
    dialtone_schemas::EventId::derive([host, "", &letters(bytes)])
        .0
        .to_be_bytes()
}

/// A letter for each byte: different bytes are different letters, whether they are UTF-8 or not.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Transactions {
    /// A request came in.
    pub(super) fn begin(&mut self, key: Key, now: EventTime) -> Seen {
        self.forget(now);
        if let Some((_, seen)) = self.requests.get(&key) {
            return seen.clone();
        }
        self.requests.insert(key, (now, Seen::AtWork));
        self.order.push_back((now, key));
        Seen::New
    }

    /// It was answered.
    pub(super) fn answered(&mut self, key: Key, answer: Option<&[u8]>) {
        if let Some((_, seen)) = self.requests.get_mut(&key) {
            *seen = Seen::Answered(answer.map(<[u8]>::to_vec));
        }
    }

    /// It could not be kept: sent again, it is a new request.
    pub(super) fn failed(&mut self, key: Key) {
        self.requests.remove(&key);
    }

    fn forget(&mut self, now: EventTime) {
        while let Some((since, key)) = self.order.front().copied()
            && (now.since(since) > LIFE || self.order.len() >= MAX_KEPT)
        {
            self.order.pop_front();
            // It may have come again since.
            if self.requests.get(&key).is_some_and(|(begun, _)| *begun == since) {
                self.requests.remove(&key);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }
}
