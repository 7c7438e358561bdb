//! What all doors share: take, normalise, publish, wait for the acknowledgement, say what became of each.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use dialtone_schemas::{Change, Complaint, Control, Event, EventTime, ReportKind, Source, Text, summary::Class};
use dialtone_wire::{Delivery, OutRecord, Publish, PublishError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    clock::{IngestClock, clock_records},
    config::Bounds,
    count::{Counters, Counts, Door},
    normalise::Normaliser,
    publish::{self, Refused},
    refusal::{Reason, Refusal},
};

/// What time it is: the wall clock's in service, a simulated one in tests.
pub type Now = Arc<dyn Fn() -> EventTime + Send + Sync>;

/// One report as a door read it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What is in it, or why that cannot be said.
    pub content: Result<Content, Refusal>,
    /// As it came in, for a reject.
    pub original: Bytes,
    /// Line or number within what was sent.
    pub position: Option<i64>,
}

/// What a report says.
#[derive(Clone, Debug)]
pub enum Content {
    /// Events that stand or fall together.
    Events(Vec<Event>, Source),
    /// A change.
    Change(Box<Change>),
    /// A complaint.
    Complaint(Box<Complaint>),
    /// What people say about an incident.
    Control(Box<Control>),
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Published and acknowledged.
    Accepted {
        /// The id of the event (of the first one), change, complaint or control record.
        id: String,
        /// Its window had closed: it is kept, but no summary will hold it.
        late: bool,
        /// It ends more than five minutes after its receipt, by the clock of this host: kept, but no summary will hold it.
        ahead: bool,
    },
    /// Refused for good; a reject was published and acknowledged.
    Rejected(Refusal),
    /// The broker did not acknowledge. It may be published all the same: sent again, it is the same event.
    Unacknowledged(String),
}

/// The doors' way to the broker.
pub struct IngestService {
    normaliser: Normaliser,
    publish: Arc<dyn Publish>,
    now: Now,
    bounds: Bounds,
    clock: Mutex<IngestClock>,
    counters: Counters,
}

impl fmt::Debug for IngestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestService")
            .field("clock", &self.clock)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// A report on its way: the records that carry it, and what it becomes once they are acknowledged.
struct Underway {
    records: std::ops::Range<usize>,
    ends: Vec<EventTime>,
    fate: Fate,
}

impl IngestService {
    /// A service that normalises with `normaliser` and publishes to `publish`.
    pub fn new(normaliser: Normaliser, publish: Arc<dyn Publish>, bounds: Bounds, now: Now) -> Self {
        Self {
            normaliser,
            publish,
            now,
            bounds,
            clock: Mutex::default(),
            counters: Counters::default(),
        }
    }

    /// What every event goes through.
    pub fn normaliser(&self) -> &Normaliser {
        &self.normaliser
    }

    /// What time it is.
    pub fn now(&self) -> EventTime {
        (self.now)()
    }

    /// What came in at a door since the start.
    pub fn counts(&self, door: Door) -> Counts {
        self.counters.of(door)
    }

    /// How far event time has got.
    pub fn clock(&self) -> Option<EventTime> {
        self.with_clock(|clock| clock.highest())
    }

    /// Takes reports of one delivery: each has a fate when this returns (F-1). Do not drop the future: run it in a task of
    /// its own where a sender may hang up.
    pub async fn take(&self, door: Door, tenant: &Text, reports: Vec<Report>) -> Vec<Fate> {
        self.counters.received(door, reports.len() as u64);
        let at = self.now();
        let mut records = Vec::with_capacity(reports.len());
        let underway: Vec<Underway> = reports
            .iter()
            .map(|report| self.send_off(door, tenant, report, at, &mut records))
            .collect();
        let deliveries = self.publish.publish(records).await;
        let mut fates: Vec<Fate> = underway
            .into_iter()
            .map(|underway| self.arrive(underway, &deliveries, at))
            .collect();
        self.reject_refused(door, tenant, &reports, &mut fates, at).await;
        fates.iter().for_each(|fate| self.count(door, fate));
        fates
    }

    /// A retransmission came in; its first delivery has had, or will have, its fate.
    pub fn take_duplicate(&self, door: Door) {
        self.counters.received(door, 1);
        self.counters.duplicate(door);
    }

    /// Something was refused before it could be read (too large): there is nothing to keep of it.
    pub fn refuse_unread(&self, door: Door, reason: Reason) {
        self.counters.received(door, 1);
        self.counters.rejected(door, reason);
    }

    /// Tells all logs how far event time has got, if that is news. To be called once a second.
    pub async fn tick(&self) -> Result<(), PublishError> {
        match self.with_clock(|clock| clock.due()) {
            Some(time) => self.tell(time).await,
            None => Ok(()),
        }
    }

    /// Tells the logs the time once a second until told to stop. A log that is not told now is told a second later.
    pub async fn keep_time(&self, stop: CancellationToken) {
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = second.tick() => {}
                () = stop.cancelled() => return,
            }
            if let Err(error) = self.tick().await {
                warn!(%error, "clock not acknowledged");
            }
        }
    }

    /// The input has ended: moves all clocks past every window and bound, so that everything closes.
    pub async fn close(&self) -> Result<(), PublishError> {
        match self.with_clock(|clock| clock.closing(self.bounds.largest())) {
            Some(time) => self.tell(time).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, time: EventTime) -> Result<(), PublishError> {
        let deliveries = self.publish.publish(clock_records(&*self.publish, time)).await;
        deliveries.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.with_clock(|clock| clock.told(time));
        Ok(())
    }

    /// Normalises a report and adds its records to those that are published.
    fn send_off(
        &self,
        door: Door,
        tenant: &Text,
        report: &Report,
        at: EventTime,
        records: &mut Vec<OutRecord>,
    ) -> Underway {
        let first = records.len();
        let normal = report
            .content
            .clone()
            .and_then(|content| self.normal(content, tenant, at));
        let (ends, fate) = match normal {
            Ok(Normal {
                sent,
                ends,
                id,
                late,
                ahead,
            }) => {
                records.extend(sent);
                (ends, Fate::Accepted { id, late, ahead })
            }
            Err(refusal) => {
                let original = &report.original;
                let refused = Refused {
                    door,
                    tenant,
                    refusal: &refusal,
                    original,
                    position: report.position,
                    at,
                };
                records.extend(refused.record(self.normaliser.privacy()));
                (Vec::new(), Fate::Rejected(refusal))
            }
        };
        Underway {
            records: first..records.len(),
            ends,
            fate,
        }
    }

    fn normal(&self, content: Content, tenant: &Text, at: EventTime) -> Result<Normal, Refusal> {
        match content {
            Content::Events(events, source) => {
                let mut normal = Normal::default();
                for event in events {
                    let event = self.normaliser.event(event, tenant, source, Some(at))?;
                    normal.late |= self.with_clock(|clock| clock.is_late(event.end, self.bounds.of(class_of(&event))));
                    normal.ahead |= IngestClock::is_ahead(event.end, at);
                    if normal.id.is_empty() {
                        normal.id = event.event_id.map(|id| id.to_string()).unwrap_or_default();
                    }
                    normal.ends.push(event.end);
                    normal.sent.push(publish::of_event(&event)?);
                }
                Ok(normal)
            }
            Content::Change(change) => {
                let change = self.normaliser.change(*change, tenant, Some(at))?;
                Ok(Normal::one(publish::of_change(&change)?, &change.change_id))
            }
            Content::Complaint(complaint) => {
                let complaint = self.normaliser.complaint(*complaint, tenant)?;
                Ok(Normal::one(publish::of_complaint(&complaint)?, &complaint.complaint_id))
            }
            Content::Control(control) => {
                let control = self.normaliser.control(*control, tenant)?;
                Ok(Normal::one(publish::of_control(&control)?, &control.control_id))
            }
        }
    }

    /// All of a report's records are acknowledged, or it was not taken.
    fn arrive(&self, underway: Underway, deliveries: &[Delivery], at: EventTime) -> Fate {
        // An answer that is missing is no acknowledgement.
        let Some(own) = deliveries.get(underway.records) else {
            return Fate::Unacknowledged("the broker's answer is missing".to_owned());
        };
        let unavailable = own.iter().find_map(|delivery| match delivery {
            Err(error @ PublishError::Unavailable { .. }) => Some(error.to_string()),
            _ => None,
        });
        let refused = own.iter().find_map(|delivery| delivery.as_ref().err());
        match (unavailable, refused, underway.fate) {
            (Some(why), _, _) => Fate::Unacknowledged(why),
            (None, Some(error), Fate::Accepted { .. }) => {
                Fate::Rejected(Refusal::new(Reason::RefusedByBroker, error.to_string()))
            }
            (None, _, fate) => {
                self.with_clock(|clock| underway.ends.iter().for_each(|end| clock.published(*end, at)));
                fate
            }
        }
    }

    /// What the broker refused for good becomes a reject as well.
    async fn reject_refused(&self, door: Door, tenant: &Text, reports: &[Report], fates: &mut [Fate], at: EventTime) {
        let (mut records, mut whose) = (Vec::new(), Vec::new());
        for (report, fate) in reports.iter().zip(fates.iter_mut()) {
            if let Fate::Rejected(refusal) = fate
                && refusal.reason == Reason::RefusedByBroker
            {
                let original = &report.original;
                let refused = Refused {
                    door,
                    tenant,
                    refusal,
                    original,
                    position: report.position,
                    at,
                };
                records.extend(refused.record(self.normaliser.privacy()));
                whose.push(fate);
            }
        }
        if records.is_empty() {
            return;
        }
        for (delivery, fate) in self.publish.publish(records).await.into_iter().zip(whose) {
            if let Err(error @ PublishError::Unavailable { .. }) = delivery {
                *fate = Fate::Unacknowledged(error.to_string());
            }
        }
    }

    fn count(&self, door: Door, fate: &Fate) {
        match fate {
            Fate::Accepted { late, ahead, .. } => {
                self.counters.accepted(door);
                self.counters.late(door, u64::from(*late));
                self.counters.ahead(door, u64::from(*ahead));
            }
            Fate::Rejected(refusal) => self.counters.rejected(door, refusal.reason),
            Fate::Unacknowledged(_) => self.counters.unacknowledged(door),
        }
    }

    fn with_clock<T>(&self, f: impl FnOnce(&mut IngestClock) -> T) -> T {
        f(&mut self.clock.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A report as it is published.
#[derive(Default)]
struct Normal {
    sent: Vec<OutRecord>,
    ends: Vec<EventTime>,
    id: String,
    late: bool,
    ahead: bool,
}

impl Normal {
    fn one(record: OutRecord, id: &Text) -> Self {
        Self {
            sent: vec![record],
            id: id.as_str().to_owned(),
            ..Self::default()
        }
    }
}

/// How late an event's source may be.
fn class_of(event: &Event) -> Class {
    match (event.source, event.kind) {
        (Some(Source::Graph), _) => Class::Graph,
        (_, ReportKind::Final) => Class::Final,
        (_, ReportKind::Interval | ReportKind::Alert) => Class::Interval,
    }
}

#[cfg(test)]
mod tests;
