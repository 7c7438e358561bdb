//! What the hour does to the rate: by site, the poor call-ends of each hour of a working day and of a free one, and of each hour of the week, over
//! what the baseline expects. Hours are those that the site's own clocks show.
//!
//! One day says little: its hours wander by themselves. So a day counts as no more than 25 expected poor call-ends an hour, and an hour
//! has no opinion before three days have shown it (DESIGN.md §2).
//!
//! The same is learnt of the levels of all call-ends, with their scores and expected scores for poor and expected ones, metrics for channels.
//! A call-end scores 0.88 on average with a variance of 1.19 (0 to 4 on shares of .5, .25, .15, .07, .03), and once in each of its minutes. The
//! constants are the same (DESIGN.md §3): where many call, a day's own mood is more than the dispersion of its calls.

use std::{collections::BTreeMap, ops::Range};

use dialtone_schemas::{EventTime, Window, time};
use serde::{Deserialize, Serialize};

use super::local::{Clocks, Local};

/// Hours of a day.
const DAY: usize = 24;
/// Hours of a working day, then those of a free one.
const KINDS: usize = 2 * DAY;
/// Hours of a week, from Monday on.
const WEEK: usize = 7 * DAY;
/// Expected poor call-ends that pull an hour of everybody to the baseline, one of a site to everybody's, and that of a weekday to the site's.
const PRIOR: f64 = 11.0;
/// A day's hour tells as much as so many expected poor call-ends: 1/τ² for rates that wander by τ = 0.2.
const DAY_TELLS: f64 = 25.0;
/// So many days must have shown an hour.
const DAYS: f64 = 2.5;
/// What a day still counts for a day of its kind later is half of it after fourteen of them.
const KEEPS_A_DAY: f64 = 0.9517;
/// What a weekday still counts a week later is half of it after eight weeks: no more than twelve of them count.
const KEEPS_A_WEEK: f64 = 0.917;

/// Poor and expected call-ends, by channel: as many as are told of.
type Sums = Vec<(f64, f64)>;
/// What one hour has shown, by channel; nothing yet if it is empty.
type Slots = Vec<Slot>;

/// One hour: sums over the days, each cut to what a day tells, and how many days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    k: f64,
    e: f64,
    days: f64,
}

impl Slot {
    fn learn(&mut self, (k, e): (f64, f64), keeps: f64) {
        let tells = (DAY_TELLS / e.max(1e-9)).min(1.0);
        *self = Self {
            k: self.k * keeps + k * tells,
            e: self.e * keeps + e * tells,
            days: self.days * keeps + 1.0,
        };
    }

    /// The rate of an hour over the baseline's, pulled to what it is of all that this one is a part of.
    fn factor(self, of_all: f64) -> f64 {
        if self.days < DAYS {
            return of_all;
        }
        (self.k + PRIOR * of_all) / (self.e + PRIOR)
    }
}

/// An hour is over.
fn learn(slots: &mut Slots, sums: &[(f64, f64)], keeps: f64) {
    slots.resize(sums.len(), Slot::default());
    for (slot, counts) in slots.iter_mut().zip(sums) {
        slot.learn(*counts, keeps);
    }
}

/// The slot of a channel.
fn of_channel(slots: &[Slot], channel: usize) -> Slot {
    slots.get(channel).copied().unwrap_or_default()
}

fn add(sums: &mut Sums, counts: &[(f64, f64)]) {
    sums.resize(counts.len(), (0.0, 0.0));
    for (sum, (k, e)) in sums.iter_mut().zip(counts) {
        sum.0 += k;
        sum.1 += e;
    }
}

/// The hours of one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hours {
    kinds: Vec<Slots>,
    week: Vec<Slots>,
    /// The last window of the hour that is being learnt and what the clocks showed then, and the sums of this hour.
    last: Option<(Window, Local)>,
    now: Sums,
}

impl Default for Hours {
    fn default() -> Self {
        Self {
            kinds: vec![Slots::new(); KINDS],
            week: vec![Slots::new(); WEEK],
            last: None,
            now: Sums::new(),
        }
    }
}

impl Hours {
    /// What the clocks showed in a window, if it is the last one.
    fn local(&self, window: Window) -> Option<Local> {
        self.last.filter(|(last, _)| *last == window).map(|(_, local)| local)
    }

    fn add(&mut self, window: Window, local: Local, counts: &[(f64, f64)]) {
        let hour = self.last.map_or(i64::MIN, |(_, last)| last.hour());
        // What is late belongs to an hour that has been learnt: too little to matter.
        if local.hour() < hour {
            return;
        }
        if local.hour() > hour {
            self.close();
        }
        self.last = Some((window, local));
        add(&mut self.now, counts);
    }

    /// The hour under way is over.
    fn close(&mut self) {
        let now = std::mem::take(&mut self.now);
        let Some((_, local)) = self.last else { return };
        learn(&mut self.kinds[kind_of(local)], &now, KEEPS_A_DAY);
        if let Some(slot) = of_week(local) {
            learn(&mut self.week[slot], &now, KEEPS_A_WEEK);
        }
    }

    fn factor(&self, local: Local, channel: usize, everybody: f64) -> f64 {
        let of_kind = of_channel(&self.kinds[kind_of(local)], channel).factor(everybody);
        of_week(local).map_or(of_kind, |slot| of_channel(&self.week[slot], channel).factor(of_kind))
    }
}

/// The hours of everybody: nine o'clock is that of each site, whenever its clocks show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everybody {
    kinds: Vec<Slots>,
    /// Hours that are not over everywhere, counted since 1970: of those who work then, and of those who do not.
    under_way: BTreeMap<(i64, bool), Sums>,
    /// The youngest hour of UTC's ...
    now: i64,
    /// ... and by how many the clocks are behind it that are furthest behind.
    behind: i64,
}

impl Default for Everybody {
    fn default() -> Self {
        Self {
            kinds: vec![Slots::new(); KINDS],
            under_way: BTreeMap::new(),
            now: i64::MIN,
            behind: i64::MIN,
        }
    }
}

impl Everybody {
    fn add(&mut self, window: Window, local: Local, counts: &[(f64, f64)]) {
        let hour = window.start().micros().div_euclid(time::HOUR);
        self.now = self.now.max(hour);
        self.behind = self.behind.max(hour - local.hour());
        let first = self.now - self.behind;
        while let Some(over) = self.under_way.first_entry().filter(|entry| entry.key().0 < first) {
            let ((hour, is_free), sums) = over.remove_entry();
            learn(&mut self.kinds[slot_of(hour, is_free)], &sums, KEEPS_A_DAY);
        }
        // What is late belongs to an hour that has been learnt: too little to matter.
        if local.hour() >= first {
            let sums = self.under_way.entry((local.hour(), local.is_free())).or_default();
            add(sums, counts);
        }
    }

    fn factor(&self, local: Local, channel: usize) -> f64 {
        of_channel(&self.kinds[kind_of(local)], channel).factor(1.0)
    }

    /// Does it say anything of a channel?
    fn is_known(&self, channel: usize) -> bool {
        self.kinds.iter().any(|slots| of_channel(slots, channel).days >= DAYS)
    }
}

/// The hours of every site, and those of everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HourlyRates {
    sites: BTreeMap<u32, Hours>,
    everybody: Everybody,
}

/// What an hour does to the rates of all sites, on one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtHour {
    /// The first site ...
    first: u32,
    /// ... and those after it.
    factors: Vec<f64>,
}

impl AtHour {
    /// What it does to the rate of a site's calls.
    pub fn factor(&self, site: u32) -> f64 {
        let place = site.checked_sub(self.first);
        let factor = place.and_then(|place| self.factors.get(place as usize));
        factor.copied().unwrap_or(1.0)
    }
}

impl HourlyRates {
    /// Learns poor and expected call-ends of a site in a window, by channel: of the same channels each time. The clocks are asked once for a
    /// site and a window.
    pub fn learn(&mut self, site: u32, window: Window, clocks: &Clocks, counts: &[(f64, f64)]) {
        let hours = self.sites.entry(site).or_default();
        let local = hours
            .local(window)
            .unwrap_or_else(|| clocks.local(site, window.start()));
        hours.add(window, local, counts);
        self.everybody.add(window, local, counts);
    }

    /// What was learnt by other clocks of some sites says nothing by these, nor what they have in common with everybody.
    pub fn forget(&mut self, moved: &[u32]) {
        if !moved.is_empty() {
            self.everybody = Everybody::default();
        }
        self.sites.retain(|site, _| !moved.contains(site));
    }

    /// What the hour of an instant does to the rates of sites with these codes.
    pub fn at(&self, at: EventTime, channel: usize, sites: Range<u32>, clocks: &Clocks) -> AtHour {
        if !self.everybody.is_known(channel) {
            return AtHour::default();
        }
        AtHour {
            first: sites.start,
            factors: sites
                .map(|site| self.factor(site, clocks.local(site, at), channel))
                .collect(),
        }
    }

    fn factor(&self, site: u32, local: Local, channel: usize) -> f64 {
        let everybody = self.everybody.factor(local, channel);
        self.sites
            .get(&site)
            .map_or(everybody, |hours| hours.factor(local, channel, everybody))
    }
}

/// The slot of an hour since 1970 in a working day or a free one.
fn slot_of(hour: i64, is_free: bool) -> usize {
    usize::try_from(hour.rem_euclid(24)).unwrap_or(0) + if is_free { DAY } else { 0 }
}

fn kind_of(local: Local) -> usize {
    slot_of(local.hour(), local.is_free())
}

/// The slot of an hour in its week: of a holiday none, which is as free days are.
fn of_week(local: Local) -> Option<usize> {
    Some(local.weekday()? * DAY + local.of_day(time::HOUR))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour of a day since a Monday: 5 January 1970.
    fn at(day: i64, hour: i64) -> EventTime {
        EventTime::from_micros((4 + day) * time::DAY + hour * time::HOUR)
    }

    /// From one instant to another some sites are twice as poor in some of their hours as the baseline expects, 80 of 40; else as expected.
    fn hours(
        rates: &mut HourlyRates,
        clocks: &Clocks,
        sites: &[u32],
        span: Range<EventTime>,
        is_poor: fn(Local) -> bool,
    ) {
        let starts = (0..).map(|hour| span.start.plus(hour * time::HOUR));
        for start in starts.take_while(|start| *start < span.end) {
            for site in sites {
                let is_poor = is_poor(clocks.local(*site, start));
                let counts = [(if is_poor { 80.0 } else { 40.0 }, 40.0), (0.0, 0.0), (0.0, 0.0)];
                rates.learn(*site, Window::of_end(start.plus(1)), clocks, &counts);
            }
        }
    }

    fn is_nine(local: Local) -> bool {
        local.of_day(time::HOUR) == 9
    }

    fn is_nine_on_monday(local: Local) -> bool {
        is_nine(local) && local.weekday() == Some(0)
    }

    /// A site of UTC's that is poor at nine for some days from Monday on.
    fn days(days: i64) -> HourlyRates {
        let mut rates = HourlyRates::default();
        hours(&mut rates, &Clocks::default(), &[1], at(0, 0)..at(days, 0), is_nine);
        rates
    }

    fn factor(rates: &HourlyRates, site: u32, at: EventTime, channel: usize) -> f64 {
        rates.factor(site, Clocks::default().local(site, at), channel)
    }

    /// Five days, each of which counts as 50 of 25, the older ones less: 114 expected; everybody is this site, so
    /// (228 + 11) / (114 + 11) = 1.91, and the site itself (228 + 11 · 1.91) / (114 + 11) = 1.99.
    #[test]
    fn an_hour_that_is_poor_on_every_day_is_expected_to_be_poor() {
        let rates = days(5);
        let of = |day, hour, channel| factor(&rates, 1, at(day, hour), channel);
        assert!((of(7, 9, 0) - 1.99).abs() < 0.02, "{}", of(7, 9, 0));
        assert!((of(7, 15, 0) - 1.0).abs() < 1e-9, "{}", of(7, 15, 0));
        let other = factor(&rates, 2, at(7, 9), 0);
        assert!(
            (other - 1.91).abs() < 0.02,
            "a site never seen is as everybody is: {other}"
        );
        assert!((of(5, 9, 0) - 1.0).abs() < 1e-9, "not on a free day");
        assert!((of(7, 9, 1) - 1.0).abs() < 1e-9, "nor on another channel");
    }

    #[test]
    fn two_days_are_no_habit() {
        assert!((factor(&days(2), 1, at(2, 9), 0) - 1.0).abs() < 1e-9);
    }

    /// Of a working day at nine, after three weeks: 271 expected, and a Monday's 25 more poor ones, by now 25 · (0.820 + 0.640 + 0.500) = 49; of
    /// everybody (320 + 11) / (271 + 11) = 1.174, of the site (320 + 11 · 1.174) / 282 = 1.180. Of the Mondays 25 · (1 + 0.917 + 0.841) = 69:
    /// (138 + 11 · 1.180) / (69 + 11) = 1.887. Of the Tuesdays (69 + 11 · 1.180) / 80 = 1.025. After two weeks a Monday is a working
    /// day: 202 expected, (239 + 11 · 1.171) / (202 + 11) = 1.180.
    #[test]
    fn what_is_poor_every_monday_is_expected_on_the_fourth_and_on_no_tuesday() {
        let (mut rates, clocks) = (HourlyRates::default(), Clocks::default());
        hours(&mut rates, &clocks, &[1], at(0, 0)..at(14, 0), is_nine_on_monday);
        let third = factor(&rates, 1, at(14, 9), 0);
        assert!((third - 1.180).abs() < 0.001, "{third}");
        hours(&mut rates, &clocks, &[1], at(14, 0)..at(21, 0), is_nine_on_monday);
        let (fourth, tuesday) = (factor(&rates, 1, at(21, 9), 0), factor(&rates, 1, at(22, 9), 0));
        assert!((fourth - 1.887).abs() < 0.001, "{fourth}");
        assert!((tuesday - 1.025).abs() < 0.001, "{tuesday}");
        let ten = factor(&rates, 1, at(21, 10), 0);
        assert!((ten - 1.0).abs() < 1e-9, "nor an hour later: {ten}");
    }

    /// Berlin is poor at its nine, which is 08:00Z from Monday, 23 March, to Friday, and 07:00Z on Monday, 30 March: five days, 1.99 as above.
    #[test]
    fn summer_time_moves_the_hour_and_not_the_habit() {
        let clocks = Clocks::in_zones(&[(1, "Europe/Berlin")]);
        let utc = |text: &str| EventTime::parse(text).expect("a time");
        let mut rates = HourlyRates::default();
        let winter = utc("2026-03-23T00:00:00Z")..utc("2026-03-28T00:00:00Z");
        hours(&mut rates, &clocks, &[1], winter, is_nine);
        let of = |at: &str| rates.at(utc(at), 0, 1..2, &clocks).factor(1);
        assert!((of("2026-03-27T08:30:00Z") - 1.99).abs() < 0.02);
        assert!((of("2026-03-27T07:30:00Z") - 1.0).abs() < 1e-9);
        assert!((of("2026-03-30T07:30:00Z") - 1.99).abs() < 0.02);
        assert!((of("2026-03-30T08:30:00Z") - 1.0).abs() < 1e-9);
    }

    /// Berlin's nine o'clock is 08:00Z in winter, Boston's 14:00Z. Together they show 160 poor ones of 80, 50 of 25 again: 1.91 as above, at nine
    /// o'clock of a third site that nobody has seen.
    #[test]
    fn nine_oclock_of_everybody_is_that_of_each() {
        let clocks = Clocks::in_zones(&[(1, "Europe/Berlin"), (2, "America/New_York")]);
        let mut rates = HourlyRates::default();
        hours(&mut rates, &clocks, &[1, 2], at(0, 0)..at(5, 0), is_nine);
        let of = |hour| rates.at(at(7, hour), 0, 1..4, &clocks).factor(3);
        assert!((of(9) - 1.91).abs() < 0.02, "{}", of(9));
        assert!((of(8) - 1.0).abs() < 1e-9 && (of(14) - 1.0).abs() < 1e-9);
    }
}
