//! The merge: one order out of many logs, a pure function of them.
//!
//! Tick T is released when every place has reached it. What order the records happened to arrive in means nothing.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use dialtone_schemas::{Class, EventTime, Leaf, Summary, SummaryKind, Text, Tick, Window, topic::Topic};
use dialtone_wire::{FoldError, Place};
use serde::{Deserialize, Serialize};

/// Numbers whose bytes are remembered, to notice two writers that disagree.
const REMEMBERED_NUMBERS: usize = 4096;

/// What is reported so far ahead of its log's clock is not waited for.
const FAR_AHEAD: i64 = 5 * dialtone_schemas::time::MINUTE;

/// Where an item stands in the order: tick, kind, class, window, leaf (or id), topic, partition, number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// The tick it is folded at.
    pub tick: Tick,
    kind: u8,
    class: Option<Class>,
    window: Option<Window>,
    leaf: Option<Leaf>,
    id: Option<Text>,
    topic: Topic,
    partition: i32,
    number: i64,
}

impl Rank {
    /// The partition it came from.
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// The rank of a summary.
    pub fn of_summary(summary: &Summary, partition: i32) -> Self {
        Self {
            tick: summary.tick,
            kind: summary.kind as u8,
            class: summary.class,
            window: summary.window,
            leaf: summary.near.clone(),
            id: summary.tenant.clone(),
            topic: Topic::Summaries,
            partition,
            number: summary.number,
        }
    }

    /// The rank of a change, complaint or control record.
    pub fn of_id(tick: Tick, id: Text, place: Place, offset: i64) -> Self {
        let kind = SummaryKind::Marker as u8 + 1 + place.0 as u8;
        let (topic, partition) = place;
        Self {
            tick,
            kind,
            class: None,
            window: None,
            leaf: None,
            id: Some(id),
            topic,
            partition,
            number: offset,
        }
    }
}

/// One log that is merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The next offset wanted.
    pub next_offset: i64,
    /// How far time has got here.
    pub clock: Option<EventTime>,
    /// The first tick seen here: decides the first tick of all.
    first: Option<Tick>,
    /// The next number wanted (summaries).
    next_number: i64,
    /// Is the log's beginning gone, so that whatever number it shows first is the one wanted?
    takes_any: bool,
    /// Hashes of the last numbers.
    recent: VecDeque<[u8; 8]>,
    /// Given up until here by a record in the log.
    pub absent_until: Option<Tick>,
}

/// What a numbered record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbered {
    /// The next one: take it.
    Next,
    /// Seen before.
    Repeat,
    /// Some before it are missing; they come again, and so will it.
    Beyond,
}

/// The merge of all places, holding items of type `T` until their tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge<T> {
    inputs: BTreeMap<Place, Input>,
    held: BTreeMap<Rank, T>,
    next_tick: Option<Tick>,
}

impl<T> Merge<T> {
    /// A merge of these places, each from its first offset.
    pub fn new(places: impl IntoIterator<Item = (Place, i64)>) -> Self {
        let input = |next_offset| Input {
            next_offset,
            takes_any: next_offset > 0,
            ..Input::default()
        };
        Self {
            inputs: places
                .into_iter()
                .map(|(place, offset)| (place, input(offset)))
                .collect(),
            held: BTreeMap::new(),
            next_tick: None,
        }
    }

    /// Goes over the ticks in which nothing is held and that every place has passed.
    pub fn skip(&mut self) {
        let passed = self.inputs.values().map(|input| input.clock).min().flatten();
        let held = self.held.first_key_value().map(|(rank, _)| rank.tick);
        if let (Some(next), Some(passed)) = (self.next_tick, passed.map(Tick::floor)) {
            self.next_tick = Some(next.max(held.map_or(passed, |held| held.min(passed))));
        }
    }

    /// The next tick to be folded; none before every place has shown its first.
    pub const fn next_tick(&self) -> Option<Tick> {
        self.next_tick
    }

    /// The next offset wanted of each place.
    pub fn positions(&self) -> BTreeMap<Place, i64> {
        self.inputs
            .iter()
            .map(|(place, input)| (*place, input.next_offset))
            .collect()
    }

    /// Is this place so far ahead of the fold that its reading should pause?
    pub fn is_ahead(&self, place: Place, max_ahead: i64) -> bool {
        let clock = self.inputs.get(&place).and_then(|input| input.clock);
        match (clock, self.next_tick) {
            (Some(clock), Some(next)) => clock.since(next.time()) > max_ahead,
            (Some(clock), None) => self
                .inputs
                .get(&place)
                .and_then(|i| i.first)
                .is_some_and(|f| clock.since(f.time()) > max_ahead),
            (None, _) => false,
        }
    }

    /// How far time has got at a place.
    pub fn clock_of(&self, place: Place) -> Option<EventTime> {
        self.inputs.get(&place)?.clock
    }

    /// Items held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The log of a place, if it is merged here.
    pub fn input(&mut self, place: Place, offset: i64) -> Result<&mut Input, FoldError> {
        let input = self.inputs.get_mut(&place).ok_or(FoldError::UnknownPlace { place })?;
        if offset < input.next_offset {
            return Err(FoldError::OutOfOrder {
                place,
                offset,
                expected: input.next_offset,
            });
        }
        input.next_offset = offset + 1;
        Ok(input)
    }

    /// The log of a place whose offset was taken already.
    pub fn input_again(&mut self, place: Place) -> Result<&mut Input, FoldError> {
        self.inputs.get_mut(&place).ok_or(FoldError::UnknownPlace { place })
    }

    /// Time has got to `time` at a place.
    pub fn clock(&mut self, place: Place, time: EventTime) {
        if let Some(input) = self.inputs.get_mut(&place) {
            input.clock = Some(input.clock.map_or(time, |clock| clock.max(time)));
            input.first.get_or_insert(Tick::floor(time));
        }
        if self.next_tick.is_none() {
            let firsts: Option<Vec<Tick>> = self.inputs.values().map(|input| input.first).collect();
            self.next_tick = firsts.and_then(|firsts| firsts.into_iter().min()).map(Tick::next);
        }
    }

    /// The tick of something reported at `time`: a minute later, but never one that the place's clock has passed, nor one in a
    /// future that nobody has seen: nothing is held for years. The flag says that it is one of these, folded at the next tick.
    pub fn tick_of_report(&self, place: Place, time: EventTime) -> (Tick, bool) {
        let nominal = Tick::ceil(time.plus(dialtone_schemas::time::MINUTE));
        match self.inputs.get(&place).and_then(|input| input.clock) {
            Some(clock) if nominal <= Tick::floor(clock) || time.since(clock) > FAR_AHEAD => {
                (Tick::floor(clock).next(), true)
            }
            _ => (nominal, false),
        }
    }

    /// A place is given up until `time` by a record in its log: what comes behind that for ticks until then is late, whatever
    /// the others have reached meanwhile.
    pub fn absent(&mut self, place: Place, time: EventTime) {
        if let Some(input) = self.inputs.get_mut(&place) {
            let until = Tick::floor(time);
            input.absent_until = Some(input.absent_until.map_or(until, |known| known.max(until)));
        }
        self.clock(place, time);
    }

    /// Is this place given up for that tick?
    pub fn is_given_up(&self, place: Place, tick: Tick) -> bool {
        let until = self.inputs.get(&place).and_then(|input| input.absent_until);
        until.is_some_and(|until| tick <= until)
    }

    /// Does the next tick wait for this place?
    pub fn waits_for(&self, place: Place) -> bool {
        let clock = self.inputs.get(&place).and_then(|input| input.clock);
        match (clock, self.next_tick) {
            (Some(clock), Some(next)) => clock < next.time(),
            (clock, None) => clock.is_none(),
            (None, Some(_)) => true,
        }
    }

    /// Holds an item until its tick. False when the tick has been folded already: the item is late.
    pub fn hold(&mut self, rank: Rank, item: T) -> bool {
        if self.next_tick.is_some_and(|next| rank.tick < next) {
            return false;
        }
        self.held.insert(rank, item);
        true
    }

    /// The next tick that every place has reached, with its items in order.
    pub fn release(&mut self) -> Option<(Tick, Vec<(Rank, T)>)> {
        let next = self.next_tick?;
        let reached = self
            .inputs
            .values()
            .all(|input| input.clock.is_some_and(|clock| clock >= next.time()));
        if !reached {
            return None;
        }
        let mut items = Vec::new();
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().tick <= next) {
            items.push(entry.remove_entry());
        }
        self.next_tick = Some(next.next());
        Some((next, items))
    }
}

impl Input {
    /// Is this the next numbered record, a repeat, or one beyond a gap? A repeat with other bytes is a contradiction.
    pub fn number(&mut self, partition: i32, number: i64, frame: &Bytes) -> Result<Numbered, FoldError> {
        let mut hash = [0; 8];
        hash.copy_from_slice(&blake3::hash(frame).as_bytes()[..8]);
        if std::mem::take(&mut self.takes_any) {
            self.next_number = number;
        }
        if number > self.next_number {
            return Ok(Numbered::Beyond);
        }
        if number < self.next_number {
            let back = usize::try_from(self.next_number - number).unwrap_or(usize::MAX);
            let known = self.recent.len().checked_sub(back).and_then(|i| self.recent.get(i));
            return match known {
                Some(known) if *known != hash => Err(FoldError::Contradiction { partition, number }),
                _ => Ok(Numbered::Repeat),
            };
        }
        self.next_number += 1;
        self.recent.push_back(hash);
        if self.recent.len() > REMEMBERED_NUMBERS {
            self.recent.pop_front();
        }
        Ok(Numbered::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialtone_schemas::time::SECOND;

    fn at(second: i64) -> EventTime {
        EventTime::from_micros(second * SECOND)
    }

    /// The retention of a log has deleted what came before number 40: it begins at offset 1000.
    #[test]
    fn a_log_that_has_lost_its_beginning_is_read_from_the_first_number_it_shows() {
        let place = (Topic::Summaries, 0);
        let frame = Bytes::from_static(b"x");
        let numbered = |first_offset: i64, numbers: [i64; 3]| {
            let mut merge = Merge::<u8>::new([(place, first_offset)]);
            let input = merge.input_again(place).expect("known");
            numbers.map(|number| input.number(0, number, &frame).expect("no contradiction"))
        };
        let next = Numbered::Next;
        assert_eq!(numbered(1000, [40, 41, 40]), [next, next, Numbered::Repeat]);
        assert_eq!(numbered(1000, [40, 42, 41]), [next, Numbered::Beyond, next]);
        assert_eq!(
            numbered(0, [40, 0, 1]),
            [Numbered::Beyond, next, next],
            "it has its beginning"
        );
    }

    fn rank(tick: i64, id: &str, place: Place) -> Rank {
        Rank::of_id(Tick::floor(at(tick)), Text::new(id).expect("text"), place, 0)
    }

    const A: Place = (Topic::Summaries, 0);
    const B: Place = (Topic::Summaries, 1);

    /// F-3: whether B has reached 200 s when A's record comes must not matter; the absent record in A's own log decides.
    #[test]
    fn what_comes_behind_an_absent_record_is_late_whatever_the_others_have_reached() {
        let mut merge: Merge<()> = Merge::new([(A, 0), (B, 0)]);
        merge.clock(A, at(100));
        merge.clock(B, at(100));
        merge.absent(A, at(200));
        assert!(merge.is_given_up(A, Tick::floor(at(200))));
        assert!(!merge.is_given_up(A, Tick::floor(at(210))) && !merge.is_given_up(B, Tick::floor(at(200))));
        assert_eq!(merge.clock_of(A), Some(at(200)));
        assert!(merge.waits_for(B) && !merge.waits_for(A), "the next tick is 110 s");
    }

    /// The log's clock stands at 1000 s. 1300 s is told a minute later; 1301 s is more than five minutes ahead, like 2099.
    #[test]
    fn what_is_reported_from_a_far_future_is_folded_at_the_next_tick() {
        let mut merge: Merge<()> = Merge::new([(A, 0)]);
        merge.clock(A, at(1000));
        let tick = |seconds| Tick::floor(at(seconds));
        assert_eq!(merge.tick_of_report(A, at(1300)), (tick(1360), false));
        assert_eq!(merge.tick_of_report(A, at(1301)), (tick(1010), true));
        assert_eq!(merge.tick_of_report(A, at(4_070_908_800)), (tick(1010), true));
        assert_eq!(merge.tick_of_report(A, at(900)), (tick(1010), true), "late");
    }

    /// F-3: arrival order means nothing.
    #[test]
    fn a_tick_is_released_when_the_slowest_place_has_reached_it_and_in_one_order() {
        let run = |order: &[(Place, i64, &'static str)]| {
            let mut merge = Merge::new([(A, 0), (B, 0)]);
            merge.clock(A, at(100));
            merge.clock(B, at(100));
            for (place, tick, id) in order {
                assert!(merge.hold(rank(*tick, id, *place), *id));
            }
            merge.clock(A, at(200));
            assert_eq!(merge.release(), None, "B has not reached 110 s");
            merge.clock(B, at(120));
            let mut released = Vec::new();
            while let Some((tick, items)) = merge.release() {
                released.push((
                    tick.time().micros() / SECOND,
                    items.into_iter().map(|(_, i)| i).collect::<Vec<_>>(),
                ));
            }
            released
        };
        let expected = vec![(110, vec!["x"]), (120, vec!["y", "z"])];
        assert_eq!(run(&[(A, 110, "x"), (A, 120, "z"), (B, 120, "y")]), expected);
        assert_eq!(run(&[(B, 120, "y"), (A, 120, "z"), (A, 110, "x")]), expected);
    }

    #[test]
    fn empty_ticks_that_everybody_has_passed_may_be_skipped_and_no_others() {
        let mut merge: Merge<()> = Merge::new([(A, 0), (B, 0)]);
        merge.clock(A, at(100));
        merge.clock(B, at(100));
        merge.hold(rank(5000, "x", A), ());
        merge.clock(A, at(9000));
        merge.clock(B, at(4000));
        merge.skip();
        assert_eq!(merge.next_tick(), Some(Tick::floor(at(4000))), "B is not further");
        merge.clock(B, at(9000));
        merge.skip();
        assert_eq!(merge.next_tick(), Some(Tick::floor(at(5000))), "there is something");
    }

    #[test]
    fn what_comes_behind_a_folded_tick_is_late() {
        let mut merge = Merge::new([(A, 0)]);
        merge.clock(A, at(100));
        merge.clock(A, at(130));
        while merge.release().is_some() {}
        assert!(!merge.hold(rank(120, "x", A), ()));
        assert_eq!(merge.tick_of_report(A, at(0)), (Tick::floor(at(140)), true));
        assert_eq!(merge.tick_of_report(A, at(125)), (Tick::floor(at(190)), false));
    }

    #[test]
    fn numbers_repeat_harmlessly_skip_visibly_and_never_contradict() {
        let mut input = Input::default();
        let (x, y) = (Bytes::from_static(b"x"), Bytes::from_static(b"y"));
        assert_eq!(input.number(0, 1, &x).expect("fine"), Numbered::Beyond);
        assert_eq!(input.number(0, 0, &x).expect("fine"), Numbered::Next);
        assert_eq!(input.number(0, 1, &y).expect("fine"), Numbered::Next);
        assert_eq!(input.number(0, 0, &x).expect("fine"), Numbered::Repeat);
        assert!(matches!(
            input.number(0, 0, &y),
            Err(FoldError::Contradiction { number: 0, .. })
        ));
    }
}
