//! What the hour does to the rate: by site, the poor call-ends of each hour of a working day and of a free one, over what the
//! baseline expects.
//!
//! One day says little: its hours wander by themselves. So a day counts as no more than 25 expected poor call-ends an hour, and an hour
//! has no opinion before three days have shown it (DESIGN.md §2).

use std::{collections::BTreeMap, ops::Range};

use dialtone_schemas::{EventTime, Window, time};
use serde::{Deserialize, Serialize};

/// Hours of a working day, then those of a free one.
const HOURS: usize = 48;
/// Expected poor call-ends that pull an hour of everybody to the baseline, and an hour of one site to everybody's.
const PRIOR: f64 = 11.0;
/// A day's hour tells as much as so many expected poor call-ends: 1/τ² for rates that wander by τ = 0.2.
const DAY_TELLS: f64 = 25.0;
/// So many days must have shown an hour.
const DAYS: f64 = 2.5;
/// What a day still counts for a week later is half of it after fourteen days.
const KEEPS_A_DAY: f64 = 0.9517;

/// One hour: sums over the days, each cut to what a day tells, and how many days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    k: f64,
    e: f64,
    days: f64,
}

/// The hours of one site, or of everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hours {
    slots: Vec<[Slot; 3]>,
    /// The hour that is being learnt, counted since 1970, and its sums.
    hour: i64,
    now: [(f64, f64); 3],
    is_free: bool,
}

impl Default for Hours {
    fn default() -> Self {
        Self {
            slots: vec![Default::default(); HOURS],
            hour: i64::MIN,
            now: Default::default(),
            is_free: false,
        }
    }
}

impl Hours {
    fn add(&mut self, hour: i64, is_free: bool, counts: [(f64, f64); 3]) {
        if self.hour < hour {
            self.close();
            (self.hour, self.is_free) = (hour, is_free);
        }
        // What is late belongs to an hour that has been learnt: too little to matter.
        if self.hour == hour {
            for (sum, (k, e)) in self.now.iter_mut().zip(counts) {
                sum.0 += k;
                sum.1 += e;
            }
        }
    }

    /// The hour under way is over.
    fn close(&mut self) {
        let now = std::mem::take(&mut self.now);
        if self.hour == i64::MIN {
            return;
        }
        let slots = &mut self.slots[slot_of(self.hour, self.is_free)];
        for (slot, (k, e)) in slots.iter_mut().zip(now) {
            let tells = (DAY_TELLS / e.max(1e-9)).min(1.0);
            *slot = Slot {
                k: slot.k * KEEPS_A_DAY + k * tells,
                e: slot.e * KEEPS_A_DAY + e * tells,
                days: slot.days * KEEPS_A_DAY + 1.0,
            };
        }
    }

    /// The rate of an hour over the baseline's, pulled to what everybody's is.
    fn factor(&self, slot: usize, channel: usize, everybody: f64) -> f64 {
        let Slot { k, e, days } = self.slots[slot][channel];
        if days < DAYS {
            return everybody;
        }
        (k + PRIOR * everybody) / (e + PRIOR)
    }
}

/// The hours of every site, and those of everybody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HourlyRates {
    sites: BTreeMap<u32, Hours>,
    /// Of working days, and of free ones: a holiday is one for some.
    everybody: [Hours; 2],
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
    /// Learns poor and expected call-ends of a site in a window, by channel; `is_free`: no working day there.
    pub fn learn(&mut self, site: u32, window: Window, is_free: bool, counts: [(f64, f64); 3]) {
        let hour = hour_of(window.start());
        self.everybody[usize::from(is_free)].add(hour, is_free, counts);
        self.sites.entry(site).or_default().add(hour, is_free, counts);
    }

    /// What the hour of an instant does to the rates of sites with these codes; `is_free` of one: no working day there.
    pub fn at(&self, at: EventTime, channel: usize, sites: Range<u32>, is_free: impl Fn(u32) -> bool) -> AtHour {
        let is_known = |slot: &[Slot; 3]| slot[channel].days >= DAYS;
        if !self.everybody.iter().flat_map(|hours| &hours.slots).any(is_known) {
            return AtHour::default();
        }
        AtHour {
            first: sites.start,
            factors: sites
                .map(|site| self.factor(site, at, is_free(site), channel))
                .collect(),
        }
    }

    fn factor(&self, site: u32, at: EventTime, is_free: bool, channel: usize) -> f64 {
        let slot = slot_of(hour_of(at), is_free);
        let everybody = self.everybody[usize::from(is_free)].factor(slot, channel, 1.0);
        self.sites
            .get(&site)
            .map_or(everybody, |hours| hours.factor(slot, channel, everybody))
    }
}

fn hour_of(at: EventTime) -> i64 {
    at.micros().div_euclid(time::HOUR)
}

fn slot_of(hour: i64, is_free: bool) -> usize {
    usize::try_from(hour.rem_euclid(24)).unwrap_or(0) + if is_free { 24 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, hour: i64) -> EventTime {
        EventTime::from_micros(day * time::DAY + hour * time::HOUR)
    }

    /// Every day from nine to ten a site is twice as poor as the baseline expects, 80 of 40; else as expected.
    fn days(rates: &mut HourlyRates, days: i64) {
        for day in 0..days {
            for hour in 0..24 {
                let k = if hour == 9 { 80.0 } else { 40.0 };
                let counts = [(k, 40.0), (0.0, 0.0), (0.0, 0.0)];
                rates.learn(1, Window::of_end(at(day, hour).plus(1)), false, counts);
            }
        }
    }

    /// Five days, each of which counts as 50 of 25, the older ones less: 114 expected; everybody is this site, so
    /// (228 + 11) / (114 + 11) = 1.91, and the site itself (228 + 11 · 1.91) / (114 + 11) = 1.99.
    #[test]
    fn an_hour_that_is_poor_on_every_day_is_expected_to_be_poor() {
        let mut rates = HourlyRates::default();
        days(&mut rates, 5);
        let factor = |hour| rates.factor(1, at(5, hour), false, 0);
        assert!((factor(9) - 1.99).abs() < 0.02, "{}", factor(9));
        assert!((factor(15) - 1.0).abs() < 1e-9, "{}", factor(15));
        let other = rates.factor(2, at(5, 9), false, 0);
        assert!(
            (other - 1.91).abs() < 0.02,
            "a site never seen is as everybody is: {other}"
        );
        assert!(
            (rates.factor(1, at(5, 9), true, 0) - 1.0).abs() < 1e-9,
            "not on a free day"
        );
        assert!(
            (rates.factor(1, at(5, 9), false, 1) - 1.0).abs() < 1e-9,
            "nor on another channel"
        );
    }

    #[test]
    fn two_days_are_no_habit() {
        let mut rates = HourlyRates::default();
        days(&mut rates, 2);
        assert!((rates.factor(1, at(2, 9), false, 0) - 1.0).abs() < 1e-9);
    }
}
