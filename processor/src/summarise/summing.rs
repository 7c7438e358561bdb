//! One partition's events as numbered sums: read → judge time → drop duplicates → judge quality → into its window; whenever the clock's tick
//! rises, the windows whose time has come, in one order, and a marker after them (F-3). No bytes: the fold around it reads and writes them.

use std::collections::BTreeMap;

use dialtone_schemas::{
    Class, Event, EventTime, Leaf, ReportKind, Summary, SummaryKind, Text, Tick, Window, event::EventId, time,
};
use serde::{Deserialize, Serialize};

use super::{
    judge::{Channels, class_of, end_of, judge},
    memory::Memory,
    window::{Contribution, DeviceRow, Room, Row, WindowTable},
};
use crate::{
    clock::{PartitionClock, Verdict},
    config::SummariseConfig,
};

/// Ids of classes without revisions are remembered for the bound and this much longer.
const ID_GRACE: i64 = 10 * time::MINUTE;
/// Ids of classes with revisions (Graph) are remembered for a day.
const REVISION_MEMORY: i64 = time::DAY;
/// A call-end is forgotten when nothing was heard of it for so long.
const END_MEMORY: i64 = 30 * time::MINUTE;
/// A device that was among the worst is reported for so long, good or bad, so that its rate can be told.
const SUSPECT_MEMORY: i64 = 6 * time::HOUR;
/// Devices followed in this way.
const MAX_SUSPECTS: usize = 500;
/// What has become of the records read (F-1): `received = closed + held + rejected + late + duplicate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events read, whatever became of them.
    pub received: u64,
    /// Events in windows that are closed: passed on.
    pub closed: u64,
    /// Events in windows that are open.
    pub held: u64,
    /// Could not be read.
    pub rejected: u64,
    /// After their window had closed, or from the future.
    pub late: u64,
    /// Seen before, or replaced by a higher revision.
    pub duplicate: u64,
}

/// What is remembered of an event id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    revision: i64,
    class: Class,
    window: Window,
    closing: Tick,
    end: u128,
    contribution: Contribution,
}

/// What is remembered of a call-end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    /// Is it among the call-ends of a window?
    counted: bool,
    /// Channels on which it was poor already.
    poor: Channels,
    /// Setup and drop are judged once.
    judged_once: Channels,
    /// Has it sent interval reports? Then the final report's media is theirs.
    intervals: bool,
    /// The last window it entered histograms in.
    binned: Option<Window>,
}

/// What has become of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In its window; or a former revision was, and counts no longer.
    Counted,
    /// Seen before.
    Duplicate,
    /// Its window has closed, or it is from the future: why it is set aside.
    Late(&'static str),
    /// It is not as ingest writes events: why.
    Refused(&'static str),
}

/// The sums of one partition's events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summing {
    config: SummariseConfig,
    clock: PartitionClock,
    /// The tick of the last marker.
    marked: Option<Tick>,
    next_number: i64,
    windows: BTreeMap<(Tick, Class, Window), WindowTable>,
    ids: Memory<Seen>,
    ends: Memory<End>,
    suspects: BTreeMap<(Text, Text), EventTime>,
    counts: Counts,
}

impl Summing {
    /// Sums of nothing yet.
    pub fn new(config: SummariseConfig) -> Self {
        Self {
            config,
            clock: PartitionClock::default(),
            marked: None,
            next_number: 0,
            windows: BTreeMap::new(),
            ids: Memory::default(),
            ends: Memory::default(),
            suspects: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// What has become of the events (F-1).
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How far event time has got.
    pub const fn now(&self) -> Option<EventTime> {
        self.clock.now()
    }

    /// The configuration in force.
    pub const fn config(&self) -> &SummariseConfig {
        &self.config
    }

    /// The configuration from now on.
    pub fn configure(&mut self, config: SummariseConfig) {
        self.config = config;
    }

    /// Somebody has told how far time has got.
    pub fn tell(&mut self, time: EventTime) {
        self.clock.set(time);
    }

    /// Something came that is no event.
    pub const fn refuse(&mut self) {
        self.counts.received += 1;
        self.counts.rejected += 1;
    }

    /// An event.
    pub fn add(&mut self, event: &Event) -> Fate {
        let (Some(tenant), Some(id)) = (event.tenant.clone(), event.event_id) else {
            self.refuse();
            return Fate::Refused("no tenant or event_id: not written by dialtone's ingest");
        };
        self.counts.received += 1;
        let fate = match self.clock.observe(event) {
            Verdict::Future => Fate::Late("future"),
            Verdict::Fine => self.place(event, tenant, id),
        };
        match fate {
            Fate::Late(_) => self.counts.late += 1,
            Fate::Duplicate => self.counts.duplicate += 1,
            Fate::Counted | Fate::Refused(_) => {}
        }
        fate
    }

    fn place(&mut self, event: &Event, tenant: Text, id: EventId) -> Fate {
        let class = class_of(event);
        let window = Window::of_end(event.end);
        match self.ids.get(id.0) {
            Some(seen) if event.revision <= seen.revision => Fate::Duplicate,
            Some(seen) if self.marked.is_some_and(|marked| seen.closing <= marked) => Fate::Late("revision_closed"),
            Some(_) => {
                let seen = self.take_back(id.0);
                self.counts.duplicate += 1; // the former revision is the one that no longer counts
                self.counts.held -= 1;
                let (class, window) = seen.map_or((class, window), |seen| (seen.class, seen.window));
                self.count(event, tenant, id, class, window);
                Fate::Counted
            }
            None if self.is_closed(class, window) => Fate::Late("window_closed"),
            None => {
                self.count(event, tenant, id, class, window);
                Fate::Counted
            }
        }
    }

    /// The tick at which a window closes for a class.
    fn closing(&self, class: Class, window: Window) -> Tick {
        Tick::ceil(window.end().plus(self.config.lateness.of(class)))
    }

    fn is_closed(&self, class: Class, window: Window) -> bool {
        self.marked.is_some_and(|marked| self.closing(class, window) <= marked)
    }

    fn room(&self) -> Room {
        Room {
            leaves: self.config.max_leaves,
            pair_sampling: self.config.pair_sampling,
        }
    }

    fn count(&mut self, event: &Event, tenant: Text, id: EventId, class: Class, window: Window) {
        let end_key = end_of(event);
        let contribution = self.contribution(event, tenant, end_key, window);
        let room = self.room();
        let closing = self.closing(class, window);
        self.windows
            .entry((closing, class, window))
            .or_default()
            .add(&contribution, 1, room);
        self.counts.held += 1;
        let memory = match class {
            Class::Graph => REVISION_MEMORY,
            Class::Interval | Class::Final => self.config.lateness.of(class) + ID_GRACE,
        };
        let seen = Seen {
            revision: event.revision,
            closing,
            class,
            window,
            end: end_key,
            contribution,
        };
        self.ids.put(id.0, seen, window.end().plus(memory), self.config.max_ids);
    }

    /// What the event adds, given what is known of its call-end, and what is known of the end from now on.
    fn contribution(&mut self, event: &Event, tenant: Text, end_key: u128, window: Window) -> Contribution {
        let judgement = judge(event, &self.config.thresholds);
        let mut end = self.ends.get(end_key).copied().unwrap_or_default();
        let final_of_intervals = end.intervals && event.kind == ReportKind::Final;
        let quality = if final_of_intervals {
            Channels::default()
        } else {
            Channels::QUALITY
        };
        let once = judgement.judged.without(Channels::QUALITY).without(end.judged_once);
        let at_risk = judgement.judged.and(quality).without(end.poor).with(once);
        let first_poor = judgement.poor.and(at_risk);
        let binned = !final_of_intervals && judgement.judged != Channels::default() && end.binned != Some(window);

        end.poor = end.poor.with(first_poor.and(Channels::QUALITY));
        end.judged_once = end.judged_once.with(once);
        let new_end = !std::mem::replace(&mut end.counted, true);
        end.intervals |= event.kind == ReportKind::Interval;
        if binned {
            end.binned = Some(window);
        }
        self.ends
            .put(end_key, end, window.end().plus(END_MEMORY), self.config.max_ends);
        Contribution {
            tenant,
            call: event.call_id.clone(),
            near: event.near.clone(),
            far: event.far.clone(),
            device: event.near_endpoint.device_id.clone(),
            user: event.near_endpoint.user.clone(),
            judgement,
            at_risk,
            first_poor,
            media: !final_of_intervals,
            new_end,
            binned,
        }
    }

    /// Takes back what a lower revision contributed to its window, which is still open.
    fn take_back(&mut self, id: u128) -> Option<Seen> {
        let seen = self.ids.remove(id)?;
        let room = self.room();
        // The tick it was to close at then: the bounds may have changed since.
        if let Some(table) = self.windows.get_mut(&(seen.closing, seen.class, seen.window)) {
            table.add(&seen.contribution, -1, room);
        }
        if let Some(end) = self.ends.get_mut(seen.end) {
            end.poor = end.poor.without(seen.contribution.first_poor);
            end.judged_once = end.judged_once.without(seen.contribution.at_risk);
            if seen.contribution.binned {
                end.binned = None;
            }
            // What its other streams have shown of the call-end stays.
            end.counted &= !seen.contribution.new_end;
        }
        Some(seen)
    }

    /// Writes what the risen clock closes, one window after the other, and a marker after them; nothing while it stands in the same tick. After
    /// a long gap many windows close at once: no more than one of them is held as records. What cannot be written is the end of it.
    pub fn advance<E>(&mut self, mut write: impl FnMut(&Summary) -> Result<(), E>) -> Result<(), E> {
        let Some(tick) = self
            .clock
            .tick()
            .filter(|tick| self.marked.is_none_or(|marked| *tick > marked))
        else {
            return Ok(());
        };
        while let Some(entry) = self.windows.first_entry().filter(|entry| entry.key().0 <= tick) {
            let ((closing, class, window), table) = entry.remove_entry();
            for summary in self.close(closing, class, window, table) {
                write(&summary)?;
            }
        }
        write(&Summary::marker(self.number(), tick))?;
        self.marked = Some(tick);
        self.ids.expire(tick.time());
        self.ends.expire(tick.time());
        self.suspects.retain(|_, until| *until > tick.time());
        Ok(())
    }

    const fn number(&mut self) -> i64 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// The records of one window, sorted by tenant, kind and leaf.
    fn close(&mut self, closing: Tick, class: Class, window: Window, table: WindowTable) -> Vec<Summary> {
        let devices = self.worst_devices(&table, window);
        let closed = |kind, tenant, near, row| summary_of(closing, class, window, kind, tenant, near, row);
        let mut records = Vec::with_capacity(table.leaves.len() + table.pairs.len() + devices.len());
        for ((tenant, near), row) in table.leaves {
            records.push(closed(SummaryKind::Leaf, tenant, near, row));
        }
        for (tenant, row) in table.overflow {
            let overflow = closed(SummaryKind::Leaf, tenant, Leaf::default(), row);
            records.push(Summary {
                overflow: true,
                ..overflow
            });
        }
        let events = records
            .iter()
            .filter_map(|summary| summary.sums.as_ref())
            .map(|sums| sums.events)
            .sum::<i64>();
        for ((tenant, near, far, poor), row) in table.pairs {
            let weight = if poor { 1 } else { self.config.pair_sampling.max(1) };
            let pair = closed(SummaryKind::Pair, tenant, near, row);
            records.push(Summary {
                far: Some(far),
                weight,
                ..pair
            });
        }
        for ((tenant, device), DeviceRow { near, user, row }) in devices {
            let worst = closed(SummaryKind::Device, tenant, near, row);
            records.push(Summary {
                device_id: Some(device),
                user,
                ..worst
            });
        }
        records.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
        let events = u64::try_from(events).unwrap_or(0);
        self.counts.closed += events;
        self.counts.held -= events;
        for summary in &mut records {
            summary.number = self.number();
        }
        records
    }

    /// The devices of a window that are poor, worst first and bounded, and those that were so a while ago.
    fn worst_devices(&mut self, table: &WindowTable, window: Window) -> Vec<((Text, Text), DeviceRow)> {
        let mut poor: Vec<_> = table
            .devices
            .iter()
            .filter(|(_, device)| device.row.sums.quality.poor > 0)
            .collect();
        poor.sort_by_key(|(key, device)| {
            let quality = &device.row.sums.quality;
            (-quality.poor, -quality.poor_ms, (*key).clone())
        });
        poor.truncate(self.config.max_devices);
        let until = window.end().plus(SUSPECT_MEMORY);
        for (key, _) in poor {
            if self.suspects.len() < MAX_SUSPECTS || self.suspects.contains_key(key) {
                self.suspects.insert(key.clone(), until);
            }
        }
        let followed = table.devices.iter().filter(|(key, _)| self.suspects.contains_key(*key));
        followed.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// A record of a window that closes; its number comes when it is written.
fn summary_of(
    closing: Tick,
    class: Class,
    window: Window,
    kind: SummaryKind,
    tenant: Text,
    near: Leaf,
    row: Row,
) -> Summary {
    Summary {
        kind,
        tenant: Some(tenant),
        class: Some(class),
        window: Some(window),
        near: Some(near),
        exemplars: row.exemplars(),
        sums: Some(row.sums),
        ..Summary::marker(0, closing)
    }
}

/// The order of a window's records.
fn place_of(s: &Summary) -> impl Ord + '_ {
    (&s.tenant, s.kind, &s.near, &s.far, &s.device_id, s.weight, s.overflow)
}
