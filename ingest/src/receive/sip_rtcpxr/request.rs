//! From a request to the events of its report: pure, so that whoever has bytes and no socket reads as the listener does.

use std::{collections::BTreeMap, net::IpAddr};

use dialtone_schemas::{Dimension, Event, EventTime, Text};

use super::{
    answer::{Verdict, judge},
    event::{Envelope, events},
    message::{Message, MessageError},
    report::Body,
};
use crate::{
    privacy::Privacy,
    refusal::{Reason, Refusal},
};

/// What is known of a request beside its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Whose phones report here.
    pub tenant: &'a Text,
    /// Where it came from.
    pub source: IpAddr,
    /// When it came in.
    pub at: EventTime,
    /// What is known of all phones of the listener.
    pub dimensions: &'a BTreeMap<Dimension, Text>,
}

/// The events of a request, before they are normalised; what carries no report is refused. Whether it may come from there, whether it
/// came before, and what is answered, only a listener knows.
pub fn read(bytes: &[u8], received: &Received<'_>, privacy: &Privacy) -> Result<Vec<Event>, Refusal> {
    let message = Message::read(bytes).map_err(unreadable)?;
    match judge(&message) {
        Verdict::Report => events_of(&message, received, privacy),
        Verdict::Answer(_) | Verdict::Silence => Err(unsupported()),
    }
}

/// The events of a message that carries a report.
pub(super) fn events_of(
    message: &Message<'_>,
    received: &Received<'_>,
    privacy: &Privacy,
) -> Result<Vec<Event>, Refusal> {
    let envelope = Envelope {
        tenant: received.tenant.as_str(),
        call_id: message.header("call-id").unwrap_or_default(),
        cseq: message.header("cseq").unwrap_or_default(),
        agent: message.header("user-agent"),
        source: received.source,
        received_at: received.at,
        dimensions: received.dimensions,
    };
    events(&Body::read(message.body)?, &envelope, privacy)
}

/// It is no SIP.
pub(super) fn unreadable(error: MessageError) -> Refusal {
    Refusal::new(Reason::MalformedSip, error.to_string())
}

/// It is for somebody else.
pub(super) fn unsupported() -> Refusal {
    Refusal::new(Reason::UnsupportedSip, "neither a PUBLISH nor a NOTIFY of vq-rtcpxr")
}
