//! When people call: by site, the call-ends of each quarter of an hour of a week, from the days seen so far.
//!
//! Quarters pass by UTC. Which quarter of its week one is, the site's own clocks say: where they change, people come at the same hour. On
//! holidays they call as on a Sunday.

use std::collections::{BTreeMap, VecDeque};

use dialtone_schemas::{EventTime, Window, time};
use serde::{Deserialize, Serialize};

use super::local::Clocks;

/// A quarter of an hour.
const QUARTER: i64 = 15 * time::MINUTE;
/// Quarters of a day.
const DAY: usize = 96;
/// Quarters of a week.
const WEEK: usize = 7 * DAY;
/// What a week still counts for a week later.
const KEEPS: f32 = 0.7;
/// The last day of the week, from Monday on.
const SUNDAY: usize = 6;

/// One quarter of a week: call-ends, and how many weeks have shown it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    calls: f32,
    weight: f32,
}

/// The week of one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Week {
    slots: Vec<Slot>,
    /// Call-ends of the quarter under way.
    now: f32,
    /// The window of the last one.
    last: Option<EventTime>,
    /// The quarters of the last day, oldest first: call-ends, and how many the days before had promised.
    day: VecDeque<(f32, f32)>,
}

impl Default for Week {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); WEEK],
            now: 0.0,
            last: None,
            day: VecDeque::with_capacity(DAY),
        }
    }
}

impl Week {
    fn expected(&self, slot: usize) -> Option<f32> {
        let (day, quarter) = (slot / DAY, slot % DAY);
        let is_free = |day: usize| day >= 5;
        let mean = |days: &dyn Fn(usize) -> bool| {
            let slots = (0..7).filter(|d| days(*d)).map(|d| self.slots[d * DAY + quarter]);
            let (calls, weight) = slots.fold((0.0, 0.0), |sum, slot| (sum.0 + slot.calls, sum.1 + slot.weight));
            (weight > 0.0).then(|| calls / weight)
        };
        mean(&|d| d == day)
            .or_else(|| mean(&|d| is_free(d) == is_free(day)))
            .or_else(|| mean(&|_| true))
    }

    /// A quarter is over. Where no day before had shown it, its calls say nothing of how complete the reports are.
    fn learn(&mut self, slot: usize, calls: f32) {
        let promised = self.expected(slot);
        if self.day.len() >= DAY {
            self.day.pop_front();
        }
        self.day
            .push_back(promised.map_or((0.0, 0.0), |promised| (calls, promised)));
        let slot = &mut self.slots[slot];
        slot.calls = slot.calls * KEEPS + calls;
        slot.weight = slot.weight * KEEPS + 1.0;
    }
}

/// Weeks by site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seasons {
    sites: BTreeMap<u32, Week>,
    /// The quarter under way, counted since 1970; the first one is seen in part and says nothing.
    quarter: Option<i64>,
    is_whole: bool,
}

impl Seasons {
    /// Counts call-ends of a site in a window. What is late counts for the quarter it belongs to.
    #[allow(clippy::cast_precision_loss, reason = "call-ends of a minute")]
    pub fn add(&mut self, site: u32, window: Window, clocks: &Clocks, calls: i64) {
        let quarter = window.start().micros().div_euclid(QUARTER);
        let week = self.sites.entry(site).or_default();
        if calls > 0 {
            week.last = week.last.max(Some(window.end()));
        }
        if self.quarter.is_none_or(|now| quarter >= now) {
            week.now += calls as f32;
        } else {
            let slot = &mut week.slots[slot_of(clocks, site, quarter)];
            slot.calls += if slot.weight > 0.0 { calls as f32 } else { 0.0 };
            let back = self.quarter.and_then(|now| usize::try_from(now - quarter).ok());
            let known = back.and_then(|back| week.day.len().checked_sub(back));
            if let Some((seen, _)) = known
                .and_then(|i| week.day.get_mut(i))
                .filter(|(_, promised)| *promised > 0.0)
            {
                *seen += calls as f32;
            }
        }
    }

    /// What was learnt by other clocks of some sites says nothing by these.
    pub fn forget(&mut self, moved: &[u32]) {
        for (_, week) in self.sites.iter_mut().filter(|(site, _)| moved.contains(site)) {
            week.slots = vec![Slot::default(); WEEK];
        }
    }

    /// Time has come so far: quarters that are over are learnt.
    pub fn advance(&mut self, now: EventTime, clocks: &Clocks) {
        let quarter = now.micros().div_euclid(QUARTER);
        if let Some(last) = self.quarter.filter(|last| *last < quarter) {
            let is_whole = self.is_whole;
            for (site, week) in &mut self.sites {
                // Quarters that were skipped had no calls; more than a week of them says nothing more.
                for over in last.max(quarter - i64::try_from(WEEK).unwrap_or(i64::MAX))..quarter {
                    let calls = std::mem::take(&mut week.now);
                    if is_whole || over > last {
                        week.learn(slot_of(clocks, *site, over), calls);
                    }
                }
            }
            self.is_whole = true;
        }
        self.quarter = Some(quarter);
    }

    /// Call-ends expected of a site in the quarter of an instant: as on this weekday, else as on other working days or weekends,
    /// else as on any day. None if no day has shown this quarter.
    pub fn expected(&self, site: u32, at: EventTime, clocks: &Clocks) -> Option<f64> {
        let slot = slot_of(clocks, site, at.micros().div_euclid(QUARTER));
        self.sites.get(&site)?.expected(slot).map(f64::from)
    }

    /// Call-ends that the days before had promised of a site for the last day.
    pub fn promised(&self, site: u32) -> f64 {
        let of = |week: &Week| week.day.iter().map(|(_, promised)| f64::from(*promised)).sum();
        self.sites.get(&site).map_or(0.0, of)
    }

    /// Call-ends of the last day as a share of those that the days before had promised, of all sites. None where nothing was promised.
    pub fn coverage(&self) -> Option<f64> {
        let quarters = self.sites.values().flat_map(|week| &week.day);
        let (seen, promised) = quarters.fold((0.0, 0.0), |sum, (seen, promised)| {
            (sum.0 + f64::from(*seen), sum.1 + f64::from(*promised))
        });
        (promised > 0.0).then(|| seen / promised)
    }

    /// The end of the window in which a site's last call-end was reported.
    pub fn last_call(&self, site: u32) -> Option<EventTime> {
        self.sites.get(&site)?.last
    }

    /// The sites of which calls were seen.
    pub fn sites(&self) -> impl Iterator<Item = u32> + '_ {
        self.sites.keys().copied()
    }

    /// By when so many call-ends are expected after an instant, of scopes that have these shares of their sites' calls; within a week,
    /// and to the quarter of an hour. None if they are not, or no day was seen.
    pub fn by_when(
        &self,
        calls: f64,
        shares: &BTreeMap<u32, f64>,
        after: EventTime,
        clocks: &Clocks,
    ) -> Option<EventTime> {
        let first = after.floor(QUARTER);
        let mut left = calls;
        for quarter in 0..WEEK {
            let at = first.plus(i64::try_from(quarter).ok()? * QUARTER);
            let end = at.plus(QUARTER);
            #[allow(clippy::cast_precision_loss, reason = "a quarter of an hour")]
            let part = end.since(at.max(after)) as f64 / QUARTER as f64;
            let of_site = |(site, share): (&u32, &f64)| Some(self.expected(*site, at, clocks)? * share);
            left -= part * shares.iter().filter_map(of_site).sum::<f64>();
            if left <= 0.0 {
                return Some(end);
            }
        }
        None
    }

    /// The busiest hour between two instants for scopes with these shares: when it begins, and its call-ends. None where no day has shown
    /// any.
    pub fn busiest(
        &self,
        shares: &BTreeMap<u32, f64>,
        (from, to): (EventTime, EventTime),
        clocks: &Clocks,
    ) -> Option<(EventTime, f64)> {
        let hour = |at: EventTime| {
            let of_site = |(site, share): (&u32, &f64)| {
                let quarters = (0..4).map(|q| self.expected(*site, at.plus(q * QUARTER), clocks));
                Some(share * quarters.sum::<Option<f64>>()?)
            };
            shares.iter().filter_map(of_site).reduce(|sum, calls| sum + calls)
        };
        let starts = (0..).map(|q| from.floor(QUARTER).plus(q * QUARTER));
        let hours = starts
            .take_while(|at| at.plus(4 * QUARTER) <= to)
            .filter_map(|at| Some((at, hour(at)?)));
        // Of several alike the first.
        hours.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }
}

/// The slot of a quarter in a site's week. The hour that comes twice in autumn is learnt twice, the one that is skipped in spring is not.
fn slot_of(clocks: &Clocks, site: u32, quarter: i64) -> usize {
    let local = clocks.local(site, EventTime::from_micros(quarter.saturating_mul(QUARTER)));
    local.weekday().unwrap_or(SUNDAY) * DAY + local.of_day(QUARTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2 March 2026, midnight, and so many hours later.
    fn at(hours: i64) -> EventTime {
        let monday = EventTime::parse("2026-03-02T00:00:00Z").expect("a time");
        monday.plus(hours * time::HOUR)
    }

    /// Two sites over some days: 10 call-ends in each quarter from nine to ten, none else; the second one only a third of it.
    fn seen(days: std::ops::Range<i64>) -> Seasons {
        let mut seasons = Seasons::default();
        for quarter in days.start * 96..days.end * 96 {
            let start = at(0).plus(quarter * QUARTER);
            seasons.advance(start, &Clocks::default());
            if (36..40).contains(&quarter.rem_euclid(96)) {
                seasons.add(1, Window::of_end(start.plus(1)), &Clocks::default(), 9);
                seasons.add(2, Window::of_end(start.plus(1)), &Clocks::default(), 3);
            }
        }
        seasons.advance(at(days.end * 24), &Clocks::default());
        seasons
    }

    #[test]
    fn a_day_that_was_never_seen_is_taken_for_one_of_its_kind() {
        let seasons = seen(0..2);
        let calls = |hours| seasons.expected(1, at(hours), &Clocks::default()).map(f64::round);
        assert_eq!((calls(9), calls(12)), (Some(9.0), Some(0.0)), "Monday, as seen");
        assert_eq!(calls(3 * 24 + 9), Some(9.0), "Thursday as Monday and Tuesday");
        assert_eq!(calls(5 * 24 + 9), Some(9.0), "Saturday, for want of a better guess");
        assert_eq!(seasons.expected(7, at(9), &Clocks::default()), None);
        assert_eq!(
            Seasons::default().by_when(1.0, &BTreeMap::from([(1, 1.0)]), at(0), &Clocks::default()),
            None
        );
    }

    /// Half of the first site and all of the second: 7.5 a quarter. 20 are reached in the third quarter after nine on Wednesday.
    #[test]
    fn calls_that_are_missing_at_night_are_expected_in_the_morning() {
        let shares = BTreeMap::from([(1, 0.5), (2, 1.0)]);
        let seasons = seen(0..2);
        let expected = at(2 * 24 + 9).plus(3 * QUARTER);
        assert_eq!(
            seasons.by_when(20.0, &shares, at(2 * 24), &Clocks::default()),
            Some(expected)
        );
        assert_eq!(
            seasons.by_when(1e6, &shares, at(2 * 24), &Clocks::default()),
            None,
            "not within a week"
        );
    }

    #[test]
    fn the_busiest_hour_is_that_of_the_days_before() {
        let shares = BTreeMap::from([(1, 1.0)]);
        let (from, calls) = seen(0..2)
            .busiest(&shares, (at(48), at(72)), &Clocks::default())
            .expect("an hour");
        assert_eq!((from, calls.round()), (at(48 + 9), 36.0));
    }

    /// On the third day nobody reports from the first site: the days before had promised 36 call-ends there and 12 at the other.
    #[test]
    fn what_was_promised_and_did_not_come_is_missed() {
        let mut seasons = seen(0..2);
        assert_eq!(seasons.coverage(), Some(1.0), "the second day was as the first");
        for quarter in 2 * 96..3 * 96 {
            let start = at(0).plus(quarter * QUARTER);
            seasons.advance(start, &Clocks::default());
            if (36..40).contains(&quarter.rem_euclid(96)) {
                seasons.add(2, Window::of_end(start.plus(1)), &Clocks::default(), 3);
            }
        }
        seasons.advance(at(72), &Clocks::default());
        assert_eq!((seasons.promised(1), seasons.coverage()), (36.0, Some(12.0 / 48.0)));
        assert!(seasons.last_call(1).is_some_and(|last| last < at(34)));
    }

    /// Monday 9, a week later 18: (9 · 0.7 + 18) / 1.7 = 14.3.
    #[test]
    fn the_younger_week_counts_for_more() {
        let mut seasons = seen(0..7);
        for quarter in 7 * 96..8 * 96 {
            let start = at(0).plus(quarter * QUARTER);
            seasons.advance(start, &Clocks::default());
            if (36..40).contains(&quarter.rem_euclid(96)) {
                seasons.add(1, Window::of_end(start.plus(1)), &Clocks::default(), 18);
            }
        }
        seasons.advance(at(8 * 24), &Clocks::default());
        let calls = seasons.expected(1, at(14 * 24 + 9), &Clocks::default()).expect("seen");
        assert!((calls - 24.3 / 1.7).abs() < 0.01, "{calls}");
    }

    /// From 23 March on both sites call from 08:00Z to 09:00Z. On the 29th Berlin's clocks go from two to three: its nine o'clock, which was 08:00Z,
    /// is 07:00Z on Monday the 30th. The other site is UTC's.
    #[test]
    fn summer_time_moves_the_quarter_and_not_the_habit() {
        let (mut seasons, clocks) = (Seasons::default(), Clocks::in_zones(&[(1, "Europe/Berlin")]));
        for quarter in 21 * 96..28 * 96 {
            let start = at(0).plus(quarter * QUARTER);
            seasons.advance(start, &clocks);
            if (32..36).contains(&quarter.rem_euclid(96)) {
                seasons.add(1, Window::of_end(start.plus(1)), &clocks, 9);
                seasons.add(2, Window::of_end(start.plus(1)), &clocks, 3);
            }
        }
        seasons.advance(at(28 * 24), &clocks);
        let calls = |site, hours: i64| seasons.expected(site, at(28 * 24 + hours), &clocks).map(f64::round);
        assert_eq!((calls(1, 7), calls(1, 8)), (Some(9.0), Some(0.0)));
        assert_eq!((calls(2, 7), calls(2, 8)), (Some(0.0), Some(3.0)));
        let shares = BTreeMap::from([(1, 1.0)]);
        let busiest = seasons.busiest(&shares, (at(28 * 24), at(29 * 24)), &clocks);
        assert_eq!(busiest.map(|(from, _)| from), Some(at(28 * 24 + 7)));
    }

    /// Kathmandu is 5:45 ahead: a quarter past nine is 03:30Z.
    #[test]
    fn a_zone_of_quarters_has_its_own_quarters() {
        let clocks = Clocks::in_zones(&[(1, "Asia/Kathmandu")]);
        let quarter = at(3).plus(2 * QUARTER).micros() / QUARTER;
        assert_eq!(slot_of(&clocks, 1, quarter), 37);
        assert_eq!(slot_of(&clocks, 2, quarter), 14);
    }
}
