//! From events to the logs that watch reads: summarise's folds over partitions in memory.

use bytes::Bytes;
use dialtone_schemas::{
    Change, Class, Complaint, Control, Event, EventTime, Record, Reject, Window, avro, time,
    topic::{Topic, event_key, partition_of},
};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};

use crate::{Summarise, SummariseConfig, summarise};

/// Time is told to all logs when it has gone on by so much: less than the smallest bound.
pub(super) const CLOCK_STEP: i64 = 10 * time::SECOND;

/// When every window of what ended until then has closed.
pub(super) fn all_closed(highest: EventTime, config: &SummariseConfig) -> EventTime {
    let bounds = Class::ALL.into_iter().map(|class| config.lateness.of(class));
    highest
        .ceil(Window::SPAN)
        .plus(bounds.max().unwrap_or(0) + time::MINUTE)
}

/// A record that watch reads, with the log it lies in.
pub type Heard = (Place, Payload);

/// Summarise over partitions in memory: what goes in are events, changes and complaints, what comes out are the logs of watch.
#[derive(Debug)]
pub struct Logs {
    folds: Vec<Summarise>,
    offsets: Vec<i64>,
    highest: Option<EventTime>,
    told: Option<EventTime>,
    heard: Vec<Heard>,
    rejects: Vec<Reject>,
}

impl Logs {
    /// Folds over `partitions` partitions of events.
    pub fn new(config: &SummariseConfig, partitions: i32) -> Self {
        let partitions = 0..partitions.max(1);
        Self {
            offsets: partitions.clone().map(|_| 0).collect(),
            folds: partitions.map(|p| Summarise::new(config.clone(), p, 0)).collect(),
            highest: None,
            told: None,
            heard: Vec::new(),
            rejects: Vec::new(),
        }
    }

    /// An event that ingest has normalised.
    pub fn event(&mut self, event: &Event) -> Result<(), FoldError> {
        let tenant = event.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let key = event_key(tenant, event.call_id.as_str());
        self.framed_event(&key, avro::built_in_frame_from(event)?.into())
    }

    /// An event as it would lie in the log.
    pub fn framed_event(&mut self, key: &[u8], frame: Bytes) -> Result<(), FoldError> {
        let partitions = i32::try_from(self.folds.len()).unwrap_or(i32::MAX);
        let partition = partition_of(key, partitions);
        self.feed(partition, Bytes::copy_from_slice(key), Payload::Value(frame))?;
        let now = self.folds[usize::try_from(partition).unwrap_or(0)].now();
        if let Some(now) = now {
            self.highest = Some(self.highest.map_or(now, |highest| highest.max(now)));
        }
        match self.highest {
            Some(now) if self.told.is_none_or(|told| now.since(told) >= CLOCK_STEP) => self.clock(now),
            _ => Ok(()),
        }
    }

    /// A change that ingest has normalised.
    pub fn change(&mut self, change: &Change) -> Result<(), FoldError> {
        self.value((Topic::Changes, 0), change)
    }

    /// A complaint that ingest has normalised.
    pub fn complaint(&mut self, complaint: &Complaint) -> Result<(), FoldError> {
        self.value((Topic::Complaints, 0), complaint)
    }

    /// Something said from outside.
    pub fn control(&mut self, control: &Control) -> Result<(), FoldError> {
        self.value((Topic::Control, 0), control)
    }

    fn value<R: Record>(&mut self, place: Place, record: &R) -> Result<(), FoldError> {
        let frame = avro::built_in_frame_from(record)?;
        self.heard.push((place, Payload::Value(frame.into())));
        Ok(())
    }

    /// Tells every log how far time has got, as ingest does once a second.
    pub fn clock(&mut self, now: EventTime) -> Result<(), FoldError> {
        self.told = Some(now);
        for partition in 0..self.folds.len() {
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            self.feed(partition, Bytes::new(), Payload::Clock(now))?;
        }
        for topic in [Topic::Changes, Topic::Complaints, Topic::Control] {
            self.heard.push(((topic, 0), Payload::Clock(now)));
        }
        Ok(())
    }

    /// The end of input: every window closes.
    pub fn finish(&mut self) -> Result<(), FoldError> {
        let Some(highest) = self.highest else { return Ok(()) };
        self.clock(all_closed(highest, self.folds[0].config()))
    }

    fn feed(&mut self, partition: i32, key: Bytes, payload: Payload) -> Result<(), FoldError> {
        let place = (Topic::Events, partition);
        let at = usize::try_from(partition).unwrap_or(usize::MAX);
        let (Some(fold), Some(offset)) = (self.folds.get_mut(at), self.offsets.get_mut(at)) else {
            return Err(FoldError::UnknownPlace { place });
        };
        fold.absorb(&LogRecord {
            place,
            offset: *offset,
            key,
            payload,
        })?;
        *offset += 1;
        let out = fold.take_outbox();
        out.into_iter().try_for_each(|record| self.pass_on(record))
    }

    fn pass_on(&mut self, record: OutRecord) -> Result<(), FoldError> {
        match (record.topic, record.partition, record.payload) {
            (Topic::Summaries, Some(partition), payload) => self.heard.push(((Topic::Summaries, partition), payload)),
            (Topic::Rejects, _, Payload::Value(frame)) => {
                self.rejects.push(avro::record_from_built_in_frame(&frame)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes what watch reads next, in an order in which it may arrive.
    pub fn take(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// The highest event time so far.
    pub const fn highest(&self) -> Option<EventTime> {
        self.highest
    }

    /// What summarise could not read.
    pub fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// What has become of the events (F-1).
    pub fn counts(&self) -> summarise::Counts {
        self.folds
            .iter()
            .map(Summarise::counts)
            .fold(summarise::Counts::default(), |a, b| summarise::Counts {
                received: a.received + b.received,
                closed: a.closed + b.closed,
                held: a.held + b.held,
                rejected: a.rejected + b.rejected,
                late: a.late + b.late,
                duplicate: a.duplicate + b.duplicate,
            })
    }
}
