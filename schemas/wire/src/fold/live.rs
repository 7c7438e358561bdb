//! What only a live driver decides, from the wall clock: it is written into the log as a record and then obeyed by every
//! reader, so that the folds themselves know no clock.

use std::{collections::BTreeMap, time::Duration};

use dialtone_schemas::{EventTime, Tick, time};

use crate::Place;

/// A partition's clock that has not moved for so long at its log's end is moved by its reader, to so much behind the wall clock.
pub const IDLE: Duration = Duration::from_secs(120);
/// A partition of the summaries without a marker for so long, while others are ahead, is given up.
pub const ABSENT: Duration = Duration::from_secs(600);

/// How long silence is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Before a clock is moved, and how far it stays behind the wall clock then: [`IDLE`].
    pub idle: Duration,
    /// Before a partition is given up: [`ABSENT`].
    pub absent: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            idle: IDLE,
            absent: ABSENT,
        }
    }
}

/// What is known of one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How far its time has got.
    pub clock: Option<EventTime>,
    /// Counts whatever was read of it: stands in for the clock where the fold does not tell it.
    pub read: u64,
    /// Does its reader stand at the log's end?
    pub at_end: bool,
}

/// Total silence, place by place.
#[derive(Debug, Default)]
pub struct Idle {
    moved: BTreeMap<Place, (Standing, Duration)>,
}

impl Idle {
    /// Looks at one place. Answers the clock record that is to be written into it.
    ///
    /// A backlog is never overtaken: nothing is written before the log's end is reached.
    pub fn look(
        &mut self,
        place: Place,
        standing: Standing,
        now: Duration,
        wall: EventTime,
        patience: Duration,
    ) -> Option<EventTime> {
        let (known, since) = self.moved.entry(place).or_insert((standing, now));
        let moved = match standing.clock {
            Some(clock) => known.clock != Some(clock),
            None => known.read != standing.read,
        };
        if moved {
            *since = now;
        }
        *known = standing;
        let behind = wall.plus(-i64::try_from(patience.as_micros()).unwrap_or(i64::MAX));
        let due = standing.at_end
            && now.saturating_sub(*since) >= patience
            && standing.clock.is_none_or(|clock| clock < behind);
        due.then(|| {
            *since = now; // not again before it could have been read
            behind
        })
    }

    /// Forgets the places that are not read any more.
    pub fn clear(&mut self) {
        self.moved.clear();
    }
}

/// Partitions of the summaries that stay behind.
#[derive(Debug, Default)]
pub struct Absence {
    moved: BTreeMap<Place, (Option<EventTime>, Duration)>,
    given_up: BTreeMap<Place, Tick>,
}

impl Absence {
    /// Looks at all places of a fold. Answers which are given up, and until which tick.
    ///
    /// A place is measured against those that do move: what they have all reached, the fold could do without it.
    pub fn look(
        &mut self,
        all: &BTreeMap<Place, Standing>,
        may_be_absent: impl Fn(Place) -> bool,
        now: Duration,
        patience: Duration,
    ) -> Vec<(Place, Tick)> {
        for (place, standing) in all {
            let (clock, since) = self.moved.entry(*place).or_insert((standing.clock, now));
            // Our own record moves the clock too; only a marker counts.
            let by_us = standing.clock.is_some() && standing.clock == self.given_up.get(place).map(|tick| tick.time());
            if *clock != standing.clock && !by_us {
                *since = now;
                self.given_up.remove(place);
            }
            *clock = standing.clock;
        }
        let stuck = |place: &Place| {
            let since = self.moved.get(place).map_or(now, |(_, since)| *since);
            may_be_absent(*place) && all[place].at_end && now.saturating_sub(since) >= patience
        };
        // When all of them stand still, it is their writer that is down, and nobody is ahead.
        if !all.keys().any(|place| may_be_absent(*place) && !stuck(place)) {
            return Vec::new();
        }
        let moving = all.iter().filter(|(place, _)| !stuck(place));
        // One that has not begun yet holds the others back rightly.
        let reached = moving
            .map(|(_, standing)| standing.clock)
            .min()
            .flatten()
            .map(Tick::floor);
        let Some(reached) = reached else { return Vec::new() };
        let is_ahead = |place: &Place| {
            all[place].clock.is_none_or(|clock| clock < reached.time())
                && self.given_up.get(place).is_none_or(|tick| *tick < reached)
        };
        let absent: Vec<_> = all
            .keys()
            .filter(|p| stuck(p) && is_ahead(p))
            .map(|p| (*p, reached))
            .collect();
        self.given_up.extend(absent.iter().copied());
        absent
    }
}

/// The wall clock as event time.
pub fn wall(now: std::time::SystemTime) -> EventTime {
    let since = now
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    EventTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(time::DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialtone_schemas::topic::Topic;

    const P: Place = (Topic::Events, 0);
    const A: Place = (Topic::Summaries, 0);
    const B: Place = (Topic::Summaries, 1);
    const C: Place = (Topic::Changes, 0);

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn at(secs: i64) -> EventTime {
        EventTime::from_micros(secs * time::SECOND)
    }

    fn standing(clock: Option<i64>, at_end: bool) -> Standing {
        Standing {
            clock: clock.map(at),
            read: 0,
            at_end,
        }
    }

    #[test]
    fn silence_at_the_logs_end_moves_the_clock_after_two_minutes_and_a_backlog_never() {
        let mut idle = Idle::default();
        assert_eq!(idle.look(P, standing(Some(1000), true), secs(0), at(1000), IDLE), None);
        assert_eq!(
            idle.look(P, standing(Some(1000), true), secs(119), at(1119), IDLE),
            None
        );
        assert_eq!(
            idle.look(P, standing(Some(1000), false), secs(121), at(1121), IDLE),
            None,
            "not at the end"
        );
        assert_eq!(
            idle.look(P, standing(Some(1000), true), secs(122), at(1122), IDLE),
            Some(at(1002))
        );
        assert_eq!(
            idle.look(P, standing(Some(1000), true), secs(123), at(1123), IDLE),
            None,
            "not twice before it is read"
        );
        assert_eq!(
            idle.look(P, standing(Some(1002), true), secs(124), at(1124), IDLE),
            None
        );
        assert_eq!(
            idle.look(P, standing(Some(1002), true), secs(244), at(1244), IDLE),
            Some(at(1124))
        );
    }

    #[test]
    fn a_clock_that_moves_is_left_alone_and_so_is_one_ahead_of_the_wall_clock() {
        let mut idle = Idle::default();
        for second in 0..1000_u32 {
            let clock = 1000 + i64::from(second / 60);
            assert_eq!(
                idle.look(P, standing(Some(clock), true), secs(second.into()), at(9000), IDLE),
                None
            );
        }
        assert_eq!(
            idle.look(P, standing(Some(20_000), true), secs(1000), at(9000), IDLE),
            None
        );
        assert_eq!(
            idle.look(P, standing(Some(20_000), true), secs(2000), at(9000), IDLE),
            None
        );
    }

    #[test]
    fn a_partition_without_markers_is_given_up_after_ten_minutes_and_every_tick_until_it_is_back() {
        let mut absence = Absence::default();
        let mut look = |a: i64, b: i64, c: i64, now: u64| {
            let all = BTreeMap::from([
                (A, standing(Some(a), true)),
                (B, standing(Some(b), true)),
                (C, standing(Some(c), true)),
            ]);
            absence.look(&all, |place| place.0 == Topic::Summaries, secs(now), ABSENT)
        };
        assert_eq!(look(100, 100, 100, 0), []);
        assert_eq!(look(650, 100, 640, 599), [], "not yet");
        let tick = |second| Tick::floor(at(second));
        assert_eq!(
            look(700, 100, 695, 600),
            [(B, tick(690))],
            "as far as all others have got"
        );
        assert_eq!(look(705, 690, 699, 610), [], "no new tick; our own record is no marker");
        assert_eq!(look(715, 690, 712, 620), [(B, tick(710))]);
        assert_eq!(look(725, 900, 730, 630), [], "its marker has overtaken");
        assert_eq!(look(1000, 900, 1000, 640), []);
    }

    #[test]
    fn when_all_summaries_stand_still_nobody_is_given_up() {
        let mut absence = Absence::default();
        for (now, c) in [(0, 100), (1200, 2000)] {
            let all = BTreeMap::from([
                (A, standing(Some(100), true)),
                (B, standing(Some(100), true)),
                (C, standing(Some(c), true)),
            ]);
            let look = absence.look(&all, |place| place.0 == Topic::Summaries, secs(now), ABSENT);
            assert_eq!(look, [], "summarise is down");
        }
    }

    #[test]
    fn a_reader_that_is_not_at_the_logs_end_gives_nobody_up() {
        let mut absence = Absence::default();
        for (now, clock) in [(0, 100), (1200, 2000)] {
            let all = BTreeMap::from([(A, standing(Some(clock), true)), (B, standing(Some(100), false))]);
            assert_eq!(absence.look(&all, |_| true, secs(now), ABSENT), []);
        }
    }
}
