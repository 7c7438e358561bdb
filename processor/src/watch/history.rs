//! The past in short: the calls of whole days in steps of five minutes, by leaf.
//!
//! Weeks of summaries are too many to be watched again before the first minute of a new watch. What they teach of normal needs no minutes: a
//! day is a list of its leaves, what each showed in each step, and where its call-ends lay: those of each leaf on the whole day, and those of
//! each site and connection in each hour. So a tenant learns four weeks in the time in which it would watch two days (`Tenant::study`).

use std::collections::BTreeMap;

use dialtone_schemas::{EventTime, Leaf, Summary, SummaryKind, Text, time};
use serde::{Deserialize, Serialize};

use super::evidence::{Bins, Counts};

/// A step.
pub const STEP: i64 = 5 * time::MINUTE;
/// ... in minutes, ...
pub const STEP_MINUTES: u16 = 5;
/// ... and so many of them are a day.
const STEPS: u16 = 288;

/// What the leaves of a tenant showed in one step, by their place in the day's list.
type Step = BTreeMap<u32, Counts>;
/// Where call-ends lay: how many by metric and histogram bin.
type Lay = BTreeMap<(u8, u16), i64>;
/// Site and connection: among what these showed before a call-end's levels are ranked.
type Place = (Option<Text>, Option<Text>);

/// One day of one tenant, from midnight to midnight UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    day: i32,
    leaves: Vec<Leaf>,
    steps: BTreeMap<u16, Step>,
    bins: BTreeMap<u32, Lay>,
    /// By hour UTC: no more than 24 of each site and connection.
    hours: BTreeMap<(u8, Place), Lay>,
}

impl Day {
    /// Its first instant.
    pub fn start(&self) -> EventTime {
        EventTime::from_micros(i64::from(self.day) * time::DAY)
    }

    /// Its leaves, as the steps number them.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Every step: its first instant, and what the leaves showed.
    pub fn steps(&self) -> impl Iterator<Item = (EventTime, Option<&Step>)> {
        (0..STEPS).map(|step| (self.start().plus(i64::from(step) * STEP), self.steps.get(&step)))
    }

    /// Where the call-ends of each leaf lay on that day.
    pub fn bins(&self) -> impl Iterator<Item = (u32, Bins)> + '_ {
        self.bins.iter().map(|(leaf, lay)| (*leaf, bins_of(lay)))
    }

    /// Where the call-ends of each site and connection lay in each hour, oldest first: its first instant, and a leaf of which no more than these
    /// two is told.
    pub fn hours(&self) -> impl Iterator<Item = (EventTime, Leaf, Bins)> + '_ {
        let midnight = self.start();
        self.hours.iter().map(move |((hour, (site, connection)), lay)| {
            let leaf = Leaf {
                site: site.clone(),
                connection: connection.clone(),
                ..Leaf::default()
            };
            (midnight.plus(i64::from(*hour) * time::HOUR), leaf, bins_of(lay))
        })
    }
}

fn bins_of(lay: &Lay) -> Bins {
    Bins::of(lay.iter().map(|((metric, bin), count)| (*metric, *bin, *count)))
}

/// Days of one tenant that are put together from summaries, in whatever order these come.
#[derive(Debug, Default)]
pub struct Days(BTreeMap<i32, (Day, BTreeMap<Leaf, u32>)>);

impl Days {
    /// Adds what a summary says of a leaf; the others say nothing that is studied.
    pub fn add(&mut self, summary: &Summary) {
        let (SummaryKind::Leaf, Some(near), Some(window)) = (summary.kind, &summary.near, summary.window) else {
            return;
        };
        let number = window.start().day();
        let (day, numbers) = self.0.entry(number).or_default();
        day.day = number;
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let leaf = *numbers.entry(near.clone()).or_insert(next);
        let since_midnight = window.start().since(day.start());
        let step = u16::try_from(since_midnight / STEP).unwrap_or(STEPS);
        let hour = u8::try_from(since_midnight / time::HOUR).unwrap_or_default();
        let counts = day.steps.entry(step).or_default().entry(leaf).or_default();
        counts.add(&Counts::of(summary));
        let mut bins = Bins::default();
        bins.add(summary);
        let place = (near.site.clone(), near.connection.clone());
        let of_day = day.bins.entry(leaf).or_default();
        let of_hour = day.hours.entry((hour, place)).or_default();
        for (metric, bin, count) in bins.iter() {
            *of_day.entry((metric, bin)).or_default() += count;
            *of_hour.entry((metric, bin)).or_default() += count;
        }
    }

    /// The days before one, oldest first; they are complete when nothing of them can come any more.
    pub fn take_before(&mut self, day: i32) -> Vec<Day> {
        let later = self.0.split_off(&day);
        let taken = std::mem::replace(&mut self.0, later);
        taken
            .into_values()
            .map(|(day, numbers)| in_order(day, numbers))
            .collect()
    }
}

/// A day with its leaves in their order, in whichever they came.
fn in_order(day: Day, numbers: BTreeMap<Leaf, u32>) -> Day {
    let places: BTreeMap<u32, u32> = numbers.values().copied().zip(0..).collect();
    let of = |leaf: u32| places.get(&leaf).copied().unwrap_or(leaf);
    let step = |step: Step| step.into_iter().map(|(leaf, counts)| (of(leaf), counts)).collect();
    Day {
        leaves: numbers.into_keys().collect(),
        steps: day.steps.into_iter().map(|(i, leaves)| (i, step(leaves))).collect(),
        bins: day.bins.into_iter().map(|(leaf, bins)| (of(leaf), bins)).collect(),
        ..day
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{
        Tick, Window,
        summary::{ChannelSums, Sums},
    };

    use super::*;

    fn summary(site: &str, at: &str, n: i64) -> Summary {
        let window = Window::of_end(EventTime::parse(at).expect("a time"));
        let quality = ChannelSums {
            at_risk: n,
            ..ChannelSums::default()
        };
        let mut sums = Sums {
            events: n,
            quality,
            ..Sums::default()
        };
        sums.jitter_histogram.add(7, n);
        Summary {
            kind: SummaryKind::Leaf,
            window: Some(window),
            near: Some(Leaf {
                site: Some(Text::new(site).expect("a text")),
                ..Leaf::default()
            }),
            sums: Some(sums),
            ..Summary::marker(1, Tick::floor(window.end()))
        }
    }

    /// 10 and 20 call-ends at 00:01 and 00:05 are one step; that of 00:06 is the next, and what follows the midnight the next day's.
    #[test]
    fn five_minutes_are_one_step_and_midnight_parts_the_days() {
        let mut days = Days::default();
        days.add(&summary("bern", "2026-03-03T00:00:01Z", 5));
        days.add(&summary("lyon", "2026-03-02T00:05:01Z", 40));
        days.add(&summary("bern", "2026-03-02T00:01:00Z", 10));
        days.add(&summary("bern", "2026-03-02T00:05:00Z", 20));
        days.add(&Summary::marker(1, Tick::floor(EventTime::MIN)));
        let tuesday = EventTime::parse("2026-03-03T00:00:00Z").expect("a time").day();
        let taken = days.take_before(tuesday);
        assert_eq!(taken.len(), 1);
        let monday = &taken[0];
        assert_eq!(monday.steps().count(), 288, "with calls or without");
        let n = |step: Option<&Step>| -> Vec<(u32, i64)> {
            step.into_iter()
                .flatten()
                .map(|(leaf, counts)| (*leaf, counts.n[0]))
                .collect()
        };
        let seen: Vec<_> = monday.steps().take(3).map(|(_, step)| n(step)).collect();
        assert_eq!(seen, [vec![(0, 30)], vec![(1, 40)], vec![]]);
        let bins: Vec<_> = monday
            .bins()
            .map(|(leaf, bins)| (leaf, bins.merged()[&(1, 7)]))
            .collect();
        assert_eq!(bins, [(0, 30), (1, 40)]);
        assert_eq!(days.take_before(tuesday + 1).len(), 1, "Tuesday was still open");
    }

    /// 10 and 20 call-ends by Wi-Fi between nine and ten are one hour's, with whichever headset; 40 by VPN and 5 after ten stand apart.
    #[test]
    fn an_hour_is_kept_by_site_and_connection_whatever_else_its_leaves_are() {
        let with = |at: &str, n: i64, headset: &str, connection: &str| {
            let mut summary = summary("bern", at, n);
            if let Some(near) = &mut summary.near {
                (near.headset, near.connection) = (Text::new(headset).ok(), Text::new(connection).ok());
            }
            summary
        };
        let mut days = Days::default();
        days.add(&with("2026-03-02T10:00:01Z", 5, "Aural 20", "wifi"));
        days.add(&with("2026-03-02T09:01:00Z", 10, "Aural 20", "wifi"));
        days.add(&with("2026-03-02T10:00:00Z", 20, "Aural 30", "wifi"));
        days.add(&with("2026-03-02T09:30:00Z", 40, "Aural 20", "vpn"));
        let taken = days.take_before(i32::MAX);
        let monday = &taken[0];
        let seen: Vec<_> = monday
            .hours()
            .map(|(start, leaf, bins)| {
                assert!(leaf.site.is_some() && leaf.headset.is_none(), "{leaf:?}");
                let hour = start.since(monday.start()) / time::HOUR;
                (hour, leaf.connection, bins.merged()[&(1, 7)])
            })
            .collect();
        let (vpn, wifi) = (Text::new("vpn").ok(), Text::new("wifi").ok());
        assert_eq!(seen, [(9, vpn, 40), (9, wifi.clone(), 30), (10, wifi, 5)]);
    }
}
