//! From events to days, without bytes: what summarise would add up, handed straight to what is studied.

use std::convert::Infallible;

use dialtone_schemas::{
    Event, EventTime,
    topic::{event_key, partition_of},
};

use super::logs::{CLOCK_STEP, all_closed};
use crate::{SummariseConfig, summarise::Summing, watch::history::Days};

/// The sums of all partitions, and the days that they make.
#[derive(Debug)]
pub struct Adding {
    partitions: Vec<Summing>,
    highest: Option<EventTime>,
    told: Option<EventTime>,
    days: Days,
}

impl Adding {
    /// Over so many partitions of events; nothing was read yet.
    pub fn new(config: &SummariseConfig, partitions: i32) -> Self {
        Self {
            partitions: (0..partitions.max(1)).map(|_| Summing::new(config.clone())).collect(),
            highest: None,
            told: None,
            days: Days::default(),
        }
    }

    /// An event that ingest has normalised. Time is told to all partitions as it is to their logs.
    pub fn event(&mut self, event: &Event) {
        let tenant = event.tenant.as_ref().map_or("", |tenant| tenant.as_str());
        let key = event_key(tenant, event.call_id.as_str());
        let of = partition_of(&key, i32::try_from(self.partitions.len()).unwrap_or(i32::MAX));
        if let Some(summing) = self.partitions.get_mut(usize::try_from(of).unwrap_or(usize::MAX)) {
            summing.add(event);
            self.highest = self.highest.max(summing.now());
            Self::close(&mut self.days, summing);
        }
        if let Some(now) = self
            .highest
            .filter(|now| self.told.is_none_or(|told| now.since(told) >= CLOCK_STEP))
        {
            self.clock(now);
        }
    }

    fn clock(&mut self, now: EventTime) {
        self.told = Some(now);
        for summing in &mut self.partitions {
            summing.tell(now);
            Self::close(&mut self.days, summing);
        }
    }

    fn close(days: &mut Days, summing: &mut Summing) {
        let Ok(()) = summing.advance(|summary| {
            days.add(summary);
            Ok::<_, Infallible>(())
        });
    }

    /// The end of input: every window closes.
    pub fn finish(mut self) -> Days {
        if let (Some(highest), Some(one)) = (self.highest, self.partitions.first()) {
            self.clock(all_closed(highest, one.config()));
        }
        self.days
    }
}
