//! F-1 at the doors: what was received was accepted, rejected, known already, or not acknowledged (and is sent again).

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;

use crate::refusal::Reason;

/// A way in, as metrics and rejects name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// `POST /v1/events`, `/v1/changes`, `/v1/complaints`, `/v1/control`.
    Http,
    /// `POST /v1/graph`.
    Graph,
    /// SIP over UDP.
    SipUdp,
    /// SIP over TCP.
    SipTcp,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Http, Self::Graph, Self::SipUdp, Self::SipTcp];

    /// The name in records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Graph => "graph",
            Self::SipUdp => "sip_udp",
            Self::SipTcp => "sip_tcp",
        }
    }
}

/// What came in at one door since the start. One HTTP line, one stream of a call record, one SIP request is one report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Came in.
    pub received: u64,
    /// Published and acknowledged.
    pub accepted: u64,
    /// Refused, with a reason.
    pub rejected: u64,
    /// A retransmission of what came in before.
    pub duplicate: u64,
    /// The broker did not acknowledge; the sender was told to try again.
    pub unacknowledged: u64,
}

impl Counts {
    /// F-1: does it add up? Only while nothing is under way.
    pub fn add_up(&self) -> bool {
        self.received == self.accepted + self.rejected + self.duplicate + self.unacknowledged
    }
}

#[derive(Debug, Default)]
struct Cells {
    received: AtomicU64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    duplicate: AtomicU64,
    unacknowledged: AtomicU64,
}

/// The counts of all doors, mirrored in metrics.
#[derive(Debug, Default)]
pub(crate) struct Counters([Cells; Door::ALL.len()]);

fn add(cell: &AtomicU64, n: u64) {
    cell.fetch_add(n, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn received(&self, door: Door, n: u64) {
        add(&self.0[door as usize].received, n);
        counter!("dialtone_ingest_received_total", "door" => door.name()).increment(n);
    }

    pub(crate) fn accepted(&self, door: Door) {
        add(&self.0[door as usize].accepted, 1);
        counter!("dialtone_ingest_accepted_total", "door" => door.name()).increment(1);
    }

    pub(crate) fn rejected(&self, door: Door, reason: Reason) {
        add(&self.0[door as usize].rejected, 1);
        counter!("dialtone_ingest_rejected_total", "door" => door.name(), "reason" => reason.name()).increment(1);
    }

    pub(crate) fn duplicate(&self, door: Door) {
        add(&self.0[door as usize].duplicate, 1);
        counter!("dialtone_ingest_duplicate_total", "door" => door.name()).increment(1);
    }

    pub(crate) fn unacknowledged(&self, door: Door) {
        add(&self.0[door as usize].unacknowledged, 1);
        counter!("dialtone_ingest_unacknowledged_total", "door" => door.name()).increment(1);
    }

    pub(crate) fn ahead(&self, door: Door, n: u64) {
        counter!("dialtone_ingest_ahead_total", "door" => door.name()).increment(n);
    }

    pub(crate) fn late(&self, door: Door, n: u64) {
        counter!("dialtone_ingest_late_total", "door" => door.name()).increment(n);
    }

    pub(crate) fn of(&self, door: Door) -> Counts {
        let cells = &self.0[door as usize];
        let get = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        Counts {
            received: get(&cells.received),
            accepted: get(&cells.accepted),
            rejected: get(&cells.rejected),
            duplicate: get(&cells.duplicate),
            unacknowledged: get(&cells.unacknowledged),
        }
    }
}
