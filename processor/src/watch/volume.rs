//! Volume against expectation: an outage has no leaves, so silence is looked for, window by window.
//!
//! A cell of one condition expects the mean of its last minutes, moved by what everybody else does meanwhile and by what it
//! did at this time yesterday. Calls last minutes, so the events of neighbouring minutes are the same calls: the evidence
//! of the present state counts once, and over time only once a `CORRELATION` (DESIGN.md §5). When a tenant sends nothing at
//! all, no cell is judged, but everything is.

mod beside;
mod everything;
mod look;
#[cfg(test)]
mod morning;
mod outermost;

use std::collections::{BTreeMap, VecDeque};

use dialtone_explain::Condition;
use dialtone_schemas::Dimension;
use serde::{Deserialize, Serialize};

use super::{
    baseline::real,
    calibration::{Calibrated, Calibration},
    detect::WITHIN,
    dictionary::Codes,
};
pub use beside::Beside;
pub use look::{Heard, Quiet, Unheard};
pub use outermost::outermost;

/// Dimensions whose values can fall silent together.
pub const WATCHED: [Dimension; 7] = [
    Dimension::Site,
    Dimension::Building,
    Dimension::Segment,
    Dimension::Connection,
    Dimension::Isp,
    Dimension::Carrier,
    Dimension::Relay,
];
/// The share of its volume that is left in an outage, where yesterday says what is usual at this time.
const DROP: f64 = 0.2;
/// The same where there is no yesterday: an evening can be steep, but nearly nothing is left only in an outage.
const DROP_WITHOUT_YESTERDAY: f64 = 0.05;
/// Minutes that make the expectation, and the youngest ones left out of it.
const MEMORY: usize = 45;
const HOLD_OFF: usize = 5;
/// Minutes that make the present state.
const PRESENT: usize = 3;
/// Minutes after which the calls are others: twice a usual call.
const CORRELATION: f64 = 12.0;
/// A cell expects at least so many events a minute to be judged.
const MIN_EXPECTED: f64 = 4.0;
/// At least so many events must be missing in all.
const MIN_MISSING: f64 = 30.0;
/// Events a minute that pull a trend towards "as before".
const TREND_PRIOR: f64 = 3.0;
/// Evidence from which on a cell is suspect, and minutes after which what is suspect is usual.
const SUSPECT: f64 = 2.0;
const USUAL: u32 = 180;
/// No trend of the others leaves less than this share; nor does it promise more than this, where yesterday says that there is a morning at all, or than
/// so many of the youngest minutes that are remembered show of it.
const LEAST_TREND: f64 = 0.1;
const MOST_TREND: f64 = 1.5;
const MORNING: usize = 15;
/// Minutes in a row that must have a fair share of the expected volume before a silent cell is back.
const BACK: usize = 5;
/// Minutes of a bucket of the daily profile, and buckets of a day.
const BUCKET: usize = 5;
const DAY: usize = 24 * 60 / BUCKET;
/// Buckets kept: a day, and what a silence of up to a day compares with before it.
const PROFILE: usize = 2 * DAY + MEMORY / BUCKET;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cell {
    minutes: VecDeque<i64>,
    now: i64,
    /// Events of five minutes each, as far back as two days; none where the whole tenant was silent.
    profile: VecDeque<Option<i64>>,
    /// The sum of the bucket that is being filled, none while the tenant has sent nothing in it; and its minutes.
    bucket: (Option<i64>, usize),
    evidence: f64,
    missing: f64,
    /// When the evidence began to gather, in minutes before now.
    age: u32,
    /// The mean of the cell and of all others when it became suspect: what it is measured by until it is no more.
    held: Option<(f64, f64)>,
    /// Since an incident was opened about the cell; until it is back.
    out: Option<Out>,
}

/// What is expected of a cell in a minute.
#[derive(Clone, Copy, Debug)]
struct Expected {
    events: f64,
    /// Those that are known to be expected at least.
    known: f64,
    /// The share of them that an outage would leave.
    drop: f64,
}

impl Expected {
    /// What so many events a minute say for an outage, as the present state: for one that leaves nearly nothing as well, at the price of trying two.
    fn state(&self, seen: f64) -> f64 {
        let left = |share| dialtone_explain::poisson(seen, self.events, share);
        let evidence = if self.drop > DROP_WITHOUT_YESTERDAY {
            left(self.drop).max(left(DROP_WITHOUT_YESTERDAY)) - std::f64::consts::LN_2
        } else {
            left(self.drop)
        };
        evidence.max(0.0)
    }

    /// What a minute with so many events adds to what gathers.
    fn gain(&self, seen: f64) -> f64 {
        dialtone_explain::poisson(seen, self.known, self.drop) / CORRELATION
    }
}

/// A cell that is out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Out {
    /// What was expected when the incident was opened, and what the time of day had left by then.
    expected: f64,
    left: f64,
    /// Minutes since the silence began.
    minutes: u32,
}

impl Cell {
    fn mean(&self) -> f64 {
        if self.has_memory() {
            self.mean_of_youngest(MEMORY)
        } else {
            0.0
        }
    }

    /// Of so many of the youngest minutes, but for the hold-off.
    fn mean_of_youngest(&self, most: usize) -> f64 {
        let minutes = self.minutes.iter().rev().skip(HOLD_OFF).take(most);
        let (sum, count) = minutes.fold((0, 0u32), |(sum, count), events| (sum + events, count + 1));
        real(sum) / f64::from(count.max(1))
    }

    /// How the youngest minutes of its mean compare with that, as far as it is a morning.
    fn has_risen(&self, mean: f64) -> f64 {
        trend((self.mean_of_youngest(MORNING), mean)).clamp(1.0, MOST_TREND)
    }

    /// Are there minutes enough to say what is usual?
    fn has_memory(&self) -> bool {
        self.minutes.len().saturating_sub(HOLD_OFF) >= (MEMORY - HOLD_OFF) / 2
    }

    /// The mean of the cell and of all others that its present is measured by: the last ones, or those of before it became
    /// suspect. An outage must not teach that it is usual; after long enough without an alarm, it is, and so it is where no
    /// yesterday tells an evening from an outage.
    fn usual(&mut self, has_yesterday: bool, mean: f64, others: f64) -> (f64, f64) {
        if !has_yesterday || self.evidence < SUSPECT || self.age > USUAL {
            self.held = None;
            (mean, others)
        } else {
            *self.held.get_or_insert((mean, others))
        }
    }

    /// What is expected of it, moved by what all do meanwhile, whose present and mean these are, and by what it did at this time yesterday.
    fn expects(&mut self, all: &Self, (all_now, all_mean): (f64, f64)) -> Expected {
        let mean = self.mean();
        // What everybody else does meanwhile: the evening takes calls from all.
        let (others_now, others) = without((all_now, all_mean), (self.present(), mean));
        let since = self.measured_since();
        let own = self.means_of_yesterday(since);
        let all = all.means_of_yesterday(since);
        let yesterday = own.map(trend);
        let others_yesterday = all.zip(own).map(|(all, own)| trend(without(all, own)));
        let most = if yesterday.is_some() { self.has_risen(mean) } else { 1.0 };
        let (mean, others) = self.usual(yesterday.is_some(), mean, others);
        let of_others = trend((others_now, others));
        // What everybody did yesterday and nobody does today, a meeting of all hands, is no habit.
        let meets = (of_others / others_yesterday.unwrap_or(of_others)).min(1.0);
        let of_others = of_others.clamp(LEAST_TREND, most);
        let of_day = own.filter(|_| yesterday.unwrap_or(1.0) * meets < of_others);
        let trend = of_others.min(yesterday.unwrap_or(1.0) * meets);
        let events = self.out().unwrap_or(mean * trend);
        Expected {
            events,
            known: events * (-WITHIN * error(mean, of_day)).exp(),
            drop: if yesterday.is_some() {
                DROP
            } else {
                DROP_WITHOUT_YESTERDAY
            },
        }
    }

    /// The last minutes' mean, this one included.
    fn present(&self) -> f64 {
        let last: i64 = self.minutes.iter().rev().take(PRESENT - 1).sum();
        real(last + self.now) / 3.0
    }

    /// How many minutes ago the three quarters of an hour ended that the present is measured by: just now, or when it became suspect.
    fn measured_since(&self) -> u32 {
        if self.held.is_some() { self.age } else { 0 }
    }

    /// How this time of day compared, yesterday, with the three quarters of an hour so many minutes ago. None where yesterday is not
    /// known.
    fn yesterday_since(&self, minutes: u32) -> Option<f64> {
        self.means_of_yesterday(minutes).map(trend)
    }

    /// Events a minute at this time of day yesterday, and in the three quarters of an hour so many minutes before it.
    fn means_of_yesterday(&self, minutes: u32) -> Option<(f64, f64)> {
        let now = self.profile.len().checked_sub(DAY)?;
        let end = now.checked_sub(usize::try_from(minutes).ok()? / BUCKET)?;
        let before = end.checked_sub(MEMORY / BUCKET)?;
        let mean = |range: std::ops::Range<usize>| {
            let count = real(i64::try_from(range.len() * BUCKET).ok()?);
            let sum: Option<i64> = self.profile.range(range).copied().sum();
            Some(real(sum?) / count)
        };
        let after = (now + 3).min(self.profile.len());
        Some((mean(now.saturating_sub(1)..after)?, mean(before..end)?))
    }

    /// What is expected now of a cell that is out: as much as when it fell silent, less what this time of day takes away.
    fn out(&self) -> Option<f64> {
        self.out.map(|out| out.expected * self.left_since(out))
    }

    /// What the time of day has left since the incident was opened.
    fn left_since(&self, out: Out) -> f64 {
        (self.left(out.minutes) / out.left).clamp(LEAST_TREND, 1.0)
    }

    /// What the time of day has left since so many minutes ago, by yesterday.
    fn left(&self, minutes: u32) -> f64 {
        // Of what has been silent for days the time of day is compared all the same.
        let left = self.yesterday_since(minutes % (24 * 60));
        left.unwrap_or(1.0).clamp(LEAST_TREND, 1.0)
    }

    /// What the time of day has left since a cell that is out fell silent, by yesterday.
    fn gone_home(&self) -> f64 {
        self.out.map_or(1.0, |out| self.left(out.minutes))
    }
}

/// A cell that has fallen silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// Its one condition; none if everything is silent.
    pub condition: Option<Condition>,
    /// Events missing so far.
    pub missing: f64,
    /// Events expected a minute.
    pub expected: f64,
    /// Events that still come in a minute.
    pub seen: f64,
    /// The share of the expected ones that was tried as an outage's.
    pub drop: f64,
    /// Minutes since it began.
    pub minutes: u32,
    /// The evidence in nats.
    pub evidence: f64,
}

/// The volume of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    cells: BTreeMap<(usize, u32), Cell>,
    all: Cell,
    /// Events of the last minutes, silent ones included.
    lately: VecDeque<i64>,
    /// Minutes in a row in which nothing came at all.
    mute: u32,
    /// By attribute.
    calibration: Calibration<usize>,
}

impl Volume {
    /// Events of a leaf this minute.
    pub fn add(&mut self, codes: &Codes, events: i64) {
        self.all.now += events;
        for dimension in WATCHED {
            let attribute = dimension.index();
            if codes[attribute] != 0 {
                self.cells.entry((attribute, codes[attribute])).or_default().now += events;
            }
        }
    }

    /// Ends the minute. Returns the cells whose silence passes `threshold` nats, strongest first; everything, if none of them does and that is silent.
    pub fn minute(&mut self, threshold: f64) -> Vec<Silence> {
        let everything = self.everything(threshold);
        if self.all.now == 0 {
            // Nobody is judged, and nothing is learnt; the time of day goes on.
            self.all.pass();
            self.cells.values_mut().for_each(Cell::pass);
            return everything.into_iter().collect();
        }
        let of_all = (self.all.present(), self.all.mean());
        let mut silences = Vec::new();
        for ((attribute, code), cell) in &mut self.cells {
            let expected = cell.expects(&self.all, of_all);
            let evidence = cell.judge(&expected, cell.present());
            if cell.missing < MIN_MISSING {
                continue;
            }
            self.calibration.note(*attribute, evidence);
            if evidence >= self.calibration.threshold(attribute, threshold) {
                let condition = Condition {
                    attribute: *attribute,
                    code: *code,
                };
                silences.push(cell.silence(Some(condition), &expected, evidence));
            }
        }
        self.all.next();
        self.cells.values_mut().for_each(Cell::next);
        // What is out already says nothing new.
        let is_news = |silence: &Silence| self.cell(silence.condition).is_some_and(|cell| cell.out.is_none());
        if everything.is_some() && !silences.iter().any(is_news) {
            return everything.into_iter().collect();
        }
        silences.sort_by(|a, b| b.evidence.total_cmp(&a.evidence).then(a.condition.cmp(&b.condition)));
        silences
    }

    /// A day is over: was it one without a silence?
    pub fn night(&mut self, is_quiet: bool, threshold: f64) {
        let mut cells: BTreeMap<usize, usize> = BTreeMap::new();
        for (attribute, _) in self.cells.keys() {
            *cells.entry(*attribute).or_default() += 1;
        }
        self.calibration.night(is_quiet, &cells, threshold);
    }

    /// What quiet days have taught of the thresholds; by the guarantee they are this.
    pub fn calibrated(&self, threshold: f64) -> Calibrated {
        self.calibration.stand(threshold)
    }

    /// An incident is open about this cell: its expectation stays as it is until it is back, but for the time of day.
    pub fn is_out(&mut self, silence: &Silence) {
        if let Some(cell) = self.cell_mut(silence.condition) {
            cell.out = Some(Out {
                expected: silence.expected,
                left: cell.left(silence.minutes),
                minutes: silence.minutes,
            });
        }
    }

    /// Forgets what the cells expect whose calls an outage takes as well: they learn anew without it.
    pub fn forget(&mut self, shares_calls: impl Fn(Condition) -> bool) {
        for ((attribute, code), cell) in &mut self.cells {
            if cell.out.is_none()
                && shares_calls(Condition {
                    attribute: *attribute,
                    code: *code,
                })
            {
                cell.forget();
            }
        }
    }

    /// Is the volume of a silent cell back?
    pub fn is_back(&self, condition: Condition) -> bool {
        let Some(cell) = self.cell(Some(condition)) else {
            return true;
        };
        let expected = cell.out().unwrap_or(0.0);
        // Each of the last minutes: those before the silence must not speak for it.
        let mut last = cell.minutes.iter().rev().take(BACK);
        cell.minutes.len() >= BACK && last.all(|events| real(*events) >= 0.3 * expected)
    }

    /// What is expected now of a cell that is out, as a share of what was when its incident was opened.
    pub fn still_expected(&self, of: Option<Condition>) -> f64 {
        self.cell(of)
            .and_then(|cell| Some(cell.left_since(cell.out?)))
            .unwrap_or(1.0)
    }

    /// What the time of day has left of a cell's calls since it fell silent.
    pub fn gone_home(&self, of: Option<Condition>) -> f64 {
        self.cell(of).map_or(1.0, Cell::gone_home)
    }

    /// The incident about a cell is over: it is judged anew.
    pub fn release(&mut self, of: Option<Condition>) {
        if let Some(cell) = self.cell_mut(of) {
            (cell.out, cell.held) = (None, None);
            cell.calm();
        }
    }

    /// What a cell shows is usual from now on: it learns anew.
    pub fn relearn(&mut self, of: Option<Condition>) {
        self.release(of);
        if let Some(cell) = self.cell_mut(of) {
            cell.forget();
        }
        // Everything is what its parts are, and they are what it is.
        match of {
            Some(_) => self.all.forget(),
            None => {
                let well = self.cells.values_mut().filter(|cell| cell.out.is_none());
                well.for_each(Cell::forget);
            }
        }
    }

    /// A cell, or that of everything.
    fn cell(&self, of: Option<Condition>) -> Option<&Cell> {
        of.map_or(Some(&self.all), |c| self.cells.get(&(c.attribute, c.code)))
    }

    fn cell_mut(&mut self, of: Option<Condition>) -> Option<&mut Cell> {
        match of {
            Some(c) => self.cells.get_mut(&(c.attribute, c.code)),
            None => Some(&mut self.all),
        }
    }

    /// The cells.
    pub fn conditions(&self) -> impl Iterator<Item = Condition> + '_ {
        self.cells.keys().map(|(attribute, code)| Condition {
            attribute: *attribute,
            code: *code,
        })
    }

    /// How many cells are watched.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }
}

impl Cell {
    /// The evidence that only `drop` of what is expected comes: that of the present state, and what gathered before. An expectation that is
    /// wrong is so in every minute: what gathers is measured by what is `known` to be expected at least.
    fn judge(&mut self, expected: &Expected, present: f64) -> f64 {
        if expected.events < MIN_EXPECTED {
            self.calm();
            return 0.0;
        }
        let seen = real(self.now);
        self.evidence = (self.evidence + expected.gain(seen)).max(0.0);
        if self.evidence > 0.0 {
            self.missing += (expected.events - seen).max(0.0);
            self.age += 1;
        } else {
            (self.missing, self.age) = (0.0, 0);
        }
        self.evidence + expected.state(present)
    }

    /// As it is told once its evidence is enough.
    fn silence(&self, condition: Option<Condition>, expected: &Expected, evidence: f64) -> Silence {
        Silence {
            condition,
            missing: self.missing,
            expected: expected.events,
            seen: self.present(),
            drop: expected.drop,
            minutes: self.age,
            evidence,
        }
    }

    fn next(&mut self) {
        push(&mut self.minutes, self.now, MEMORY);
        *self.bucket.0.get_or_insert(0) += std::mem::take(&mut self.now);
        self.pass();
    }

    /// A minute more of the daily profile.
    fn pass(&mut self) {
        if let Some(out) = &mut self.out {
            out.minutes = out.minutes.saturating_add(1);
        }
        self.bucket.1 += 1;
        if self.bucket.1 == BUCKET {
            push(&mut self.profile, self.bucket.0, PROFILE);
            self.bucket = (None, 0);
        }
    }
}

/// The standard deviation of the logarithm of what is expected: of the mean of the last minutes, and of yesterday's two where they move it.
/// A mean of events, `CORRELATION` of which are one call's, varies by one over its calls.
fn error(mean: f64, of_day: Option<(f64, f64)>) -> f64 {
    let over = |minutes: usize, mean: f64| {
        let minutes = real(i64::try_from(minutes).unwrap_or(i64::MAX));
        CORRELATION / (minutes * mean).max(CORRELATION)
    };
    let of_day = of_day.map_or(0.0, |(now, before)| over(4 * BUCKET, now) + over(MEMORY, before));
    (over(MEMORY - HOLD_OFF, mean) + of_day).sqrt()
}

/// How events a minute now compare with those before, pulled to "as before".
fn trend((now, before): (f64, f64)) -> f64 {
    (now + TREND_PRIOR) / (before + TREND_PRIOR)
}

/// Events a minute, now and before, of all but these.
fn without(all: (f64, f64), own: (f64, f64)) -> (f64, f64) {
    ((all.0 - own.0).max(0.0), (all.1 - own.1).max(0.0))
}

fn push<T>(events: &mut VecDeque<T>, newest: T, most: usize) {
    events.push_back(newest);
    if events.len() > most {
        events.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::dictionary::D;

    /// The second site.
    const SECOND: Condition = Condition {
        attribute: Dimension::Site.index(),
        code: 2,
    };

    fn site(code: u32) -> Codes {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = code;
        codes
    }

    /// 20 events a minute fall to none. Without a yesterday 5 % would be an outage: 0.95 · 20 = 19 nats of the present state
    /// when its three minutes are all silent, and 1.6 a minute gathered; before, 6.7 left of 20 say 19 − 6.7 · 3 < 0.
    #[test]
    fn a_site_that_falls_silent_is_noticed_in_three_minutes_and_the_others_are_not() {
        let mut volume = Volume::default();
        let mut noticed = None;
        for minute in 0..90 {
            volume.add(&site(1), 40);
            if minute < 70 {
                volume.add(&site(2), 20);
            }
            for silence in volume.minute(14.0) {
                assert_eq!(silence.condition, Some(SECOND));
                noticed.get_or_insert(minute);
            }
        }
        assert_eq!(noticed, Some(72));
    }

    /// Two hours of 20 events a minute, in three minutes of which only so many come. When was it noticed?
    fn stumbles(volume: &mut Volume, left: i64) -> Option<i32> {
        let mut noticed = None;
        for minute in 0..120 {
            volume.add(&site(1), 40);
            volume.add(&site(2), if (60..63).contains(&minute) { left } else { 20 });
            if !volume.minute(14.0).is_empty() {
                noticed.get_or_insert(minute - 60);
            }
        }
        noticed
    }

    /// Three of 20 say 0.95 · 20 − 3 · 3 = 10 nats, and 0.6 gathers in each of three minutes: 11.8. Seven quiet days of that ask for 11.8 − 0.37 +
    /// ln(1 / (2 · 1440 e^−14)) = 17.5 instead of 14. Two of 20 say 13 + 2.6 = 15.6, none 19 + 4.
    #[test]
    fn a_site_that_stumbles_on_quiet_days_must_be_more_silent_than_that() {
        let mut volume = Volume::default();
        assert_eq!(stumbles(&mut volume.clone(), 2), Some(2), "nothing is known of it yet");
        for _ in 0..7 {
            assert_eq!(stumbles(&mut volume, 3), None);
            volume.night(true, 14.0);
        }
        let calibrated = volume.calibrated(14.0);
        assert_eq!((calibrated.quiet_days, calibrated.raised), (7, 1));
        assert!((calibrated.raised_most - 3.5).abs() < 0.4, "{calibrated:?}");
        assert_eq!(stumbles(&mut volume.clone(), 2), None);
        assert_eq!(stumbles(&mut volume, 0), Some(2));
    }

    #[test]
    fn when_nothing_comes_at_all_no_cell_is_blamed() {
        let mut volume = Volume::default();
        for minute in 0..90 {
            if minute < 70 {
                volume.add(&site(2), 20);
            }
            assert_eq!(volume.minute(14.0), []);
        }
    }

    #[test]
    fn an_evening_that_empties_everybody_is_no_outage() {
        let mut volume = Volume::default();
        for minute in 0..240i64 {
            let level = (240 - minute).max(10);
            volume.add(&site(1), level / 4);
            volume.add(&site(2), level / 8);
            assert_eq!(volume.minute(14.0), []);
        }
    }

    /// 7 events a minute say 0.95 · 7 − ln 2 = 6.0 nats when three minutes are silent. Gathered is what is known of them, 7 exp(−1.282 √(12/280)) = 5.4, so
    /// 0.36 a minute: the evidence is there after some twenty-three minutes, by when the silence must not have become what is usual. There is
    /// a yesterday to compare with.
    #[test]
    fn a_small_site_that_falls_silent_is_noticed_in_the_end() {
        const SILENT: i32 = 26 * 60;
        let mut volume = Volume::default();
        let mut noticed = None;
        for minute in 0..SILENT + 60 {
            volume.add(&site(1), 40);
            if minute < SILENT {
                volume.add(&site(2), 7);
            }
            for silence in volume.minute(14.0) {
                assert_eq!(silence.condition, Some(SECOND));
                noticed.get_or_insert(minute - SILENT);
            }
        }
        assert!(noticed.is_some_and(|minute| (10..30).contains(&minute)), "{noticed:?}");
    }

    /// 8 events a minute, and yesterday 5 from the second hour on, of which today one is left: a fifth. Of a hundred events, twelve to a call,
    /// nobody knows a rate: √(12/320 + 12/100 + 12/360) = 0.44, and 5 exp(−0.56) = 2.9 are known. One of those says 0.7 nats, a twelfth a minute,
    /// and no alarm in an hour; one of 5 would have said 2.4.
    #[test]
    fn a_small_evening_that_is_steeper_than_yesterdays_is_no_outage() {
        const TODAY: i64 = 24 * 60;
        let mut volume = Volume::default();
        for minute in 0..TODAY + 180 {
            let evening = match (minute % TODAY, minute < TODAY) {
                (120..180, true) => 5,
                (120..180, false) => 1,
                _ => 8,
            };
            volume.add(&site(1), 40);
            volume.add(&site(2), evening);
            assert_eq!(volume.minute(14.0), [], "{minute}");
        }
        assert!((error(8.0, Some((5.0, 8.0))) - 0.4364).abs() < 1e-3);
    }

    /// Twenty minutes out, eight minutes back, out again: it was not over in between.
    #[test]
    fn a_site_that_flaps_is_still_out() {
        let out = |minute: i32| (70..90).contains(&minute) || minute >= 98;
        let mut volume = Volume::default();
        let mut back = Vec::new();
        for minute in 0..110 {
            volume.add(&site(1), 40);
            volume.add(&site(2), if out(minute) { 0 } else { 20 });
            for silence in volume.minute(14.0).iter().filter(|_| minute == 72) {
                volume.is_out(silence);
            }
            if minute > 72 && volume.is_back(SECOND) {
                back.push(minute);
            }
        }
        assert_eq!(back, [94, 95, 96, 97], "five good minutes each, and then no more");
    }

    /// At 16:00 three in four go home at once, and half an hour later the rest falls silent: about 5 a minute are expected by then, and
    /// three tenths of them are 1.5. The evening is not taken off once more: with 1 a minute it is not back.
    #[test]
    fn who_falls_silent_in_the_evening_is_not_back_with_a_fifth_of_its_evening() {
        const FOUR_PM: i32 = 16 * 60;
        let mut volume = Volume::default();
        let mut opened = None;
        for minute in 0..1440 + FOUR_PM + 120 {
            let usual = if minute % 1440 < FOUR_PM { 20 } else { 5 };
            volume.add(&site(1), 40);
            volume.add(
                &site(2),
                match minute - 1440 - FOUR_PM {
                    30.. if opened.is_none() => 0,
                    30.. => 1,
                    _ => usual,
                },
            );
            for silence in volume.minute(3.0) {
                if opened.is_none() && minute >= 1440 + FOUR_PM + 30 {
                    volume.is_out(&silence);
                    opened = Some(minute);
                }
            }
            assert!(
                opened.is_none_or(|opened| minute < opened + 6 || !volume.is_back(SECOND)),
                "{minute}"
            );
        }
        assert!(opened.is_some());
    }

    /// Out from 16:00 on, when 20 events a minute are usual; at 16:40 they come again, but it is evening there, and 5 a minute are usual
    /// (yesterday too): (5 + 3) / (20 + 3) of 20 is 7, and a third of it is back.
    #[test]
    fn who_comes_back_in_the_evening_is_back_though_there_are_fewer_calls() {
        const FOUR_PM: i32 = 16 * 60;
        let mut volume = Volume::default();
        let (mut is_known, mut back) = (false, None);
        for minute in 0..1440 + FOUR_PM + 60 {
            let usual = if minute % 1440 < FOUR_PM + 30 { 20 } else { 5 };
            let is_out = (1440 + FOUR_PM..1440 + FOUR_PM + 40).contains(&minute);
            volume.add(&site(1), 40);
            volume.add(&site(2), if is_out { 0 } else { usual });
            for silence in volume.minute(14.0) {
                if !is_known {
                    volume.is_out(&silence);
                    is_known = true;
                }
            }
            if minute > 1440 + FOUR_PM + 10 && volume.is_back(SECOND) {
                back.get_or_insert(minute - 1440 - FOUR_PM);
            }
        }
        assert_eq!(back, Some(44), "five minutes of calls");
    }

    /// The second site empties after two o'clock, from 40 events a minute to 4. On the first day all hands meet then, and everybody has three
    /// times the calls: at half past two 39 were left of 40. On the second day 13 are, a third of what yesterday says: as everybody has.
    #[test]
    fn an_evening_after_a_day_when_all_hands_met_is_no_outage() {
        let mut volume = Volume::default();
        for minute in 0..2 * 1440i64 {
            let of_day = minute % 1440;
            let level = match of_day {
                ..840 => 40,
                840..880 => 40 - (of_day - 840) * 9 / 10,
                _ => 4,
            };
            let meets = if minute < 1440 && (840..900).contains(&of_day) {
                3
            } else {
                1
            };
            volume.add(&site(1), 60 * meets);
            volume.add(&site(2), level * meets);
            let silences = volume.minute(14.0);
            assert!(silences.is_empty() || minute < 1440, "minute {minute}: {silences:?}");
        }
    }

    /// An office without calls from 20:00 to 07:00 for the whole tenant: yesterday is the same time of day.
    #[test]
    fn the_time_of_day_goes_on_while_nobody_calls() {
        let mut volume = Volume::default();
        for minute in 0..2 * 1440 {
            if (7 * 60..20 * 60).contains(&(minute % 1440)) {
                volume.add(&site(1), 40);
                // Every day at ten this site halts for an hour: on the second day that is usual.
                volume.add(&site(2), if minute % 1440 / 60 == 10 { 0 } else { 20 });
            }
            let silences = volume.minute(14.0);
            assert!(silences.is_empty() || minute < 1440, "minute {minute}: {silences:?}");
        }
    }
}
