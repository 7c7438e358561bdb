//! The same reports in the formats of other doors.
//!
//! What a format has no place for does not travel: that is part of what is simulated.

pub mod graph;
pub mod sip;

use dialtone_schemas::{Event, Text};

use crate::catalogue::PHONES;

/// The way in that a report takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// A JSON event over HTTP.
    Http,
    /// A SIP PUBLISH of a desk phone, RFC 6035.
    Sip,
    /// A call record of the meeting service's provider.
    Graph,
}

/// The door of a report: desk phones publish, the provider's own calls (they have GUIDs) come as call records, the rest
/// over HTTP. RFC 6035 cannot say that a call failed: such reports come over HTTP, whoever sends them.
pub fn door_of(event: &Event) -> Door {
    let failed = event.failure.setup_failed == Some(true) || event.failure.dropped == Some(true);
    if is_guid(&event.call_id) && event.far.is_some() {
        Door::Graph
    } else if is_phone(event.near.device.as_ref()) && !failed {
        Door::Sip
    } else {
        Door::Http
    }
}

fn is_phone(device: Option<&Text>) -> bool {
    device.is_some_and(|device| PHONES.iter().any(|phone| phone.model == device.as_str()))
}

fn is_guid(id: &Text) -> bool {
    let id = id.as_str();
    id.len() == 36 && [8, 13, 18, 23].iter().all(|i| id.as_bytes().get(*i) == Some(&b'-'))
}
