//! A tenant studies days that are past before it watches its first minute: what is normal, how the hours and the scopes differ, how far they
//! wander by themselves, how much evidence gathers where nothing is wrong.
//!
//! Nobody says when something was broken then. So what a cell that would have been noticed held teaches nothing, from before it was noticed
//! until it is no more; and a day with such a cell was no quiet one (DESIGN.md §2).

use std::{
    borrow::Borrow,
    collections::{BTreeMap, VecDeque},
    iter::Peekable,
    ops::Range,
};

use dialtone_explain::Condition;
use dialtone_schemas::{Dimension, EventTime, Leaf, Window, time};

use super::{Tenant, night::WasQuiet, quiet::is_time_to_look};
use crate::{
    config::WatchConfig,
    watch::{
        detect::{BLOCKS_HELD, SUSPECT},
        dictionary::{Codes, covers},
        evidence::{Bins, Counts, Ring},
        history::{Day, STEP, STEP_MINUTES},
        locate::Evidence,
    },
};

/// What is past is fitted less often than what goes on: it is the same for days.
const FIT_EVERY: i64 = 2 * time::HOUR;

/// What is under way while a tenant studies.
#[derive(Debug, Default)]
struct Desk {
    /// Steps that are not yet old enough to teach.
    held: VecDeque<(EventTime, BTreeMap<u32, Counts>)>,
    /// The last hours, each step as its first minute, from which causes are named though it is quiet.
    ring: Ring,
    /// Scopes that were suspect on this day or just before: from when to when.
    suspects: BTreeMap<Vec<Condition>, (EventTime, EventTime)>,
    /// By channel: was some cell suspect today?
    was_broken: [bool; 3],
}

impl Desk {
    /// Was a leaf suspect at that time?
    fn suspects(&self, codes: &Codes, at: EventTime) -> bool {
        let then = |(from, to): (EventTime, EventTime)| (from..to).contains(&at);
        let mut all = self.suspects.iter();
        all.any(|(conditions, when)| then(*when) && covers(conditions, codes))
    }

    /// Was it at any time since?
    fn suspects_since(&self, codes: &Codes, from: EventTime) -> bool {
        let mut all = self.suspects.iter();
        all.any(|(conditions, (_, to))| *to > from && covers(conditions, codes))
    }

    /// May some calls of this site and connection have been suspect in a span of time? Those of a suspect that names another of the two were not.
    fn touches(&self, codes: &Codes, span: &Range<EventTime>) -> bool {
        let then = |(from, to): (EventTime, EventTime)| from < span.end && span.start < to;
        let known = [Dimension::Site.index(), Dimension::Connection.index()];
        let may_be = |one: &Condition| !known.contains(&one.attribute) || codes[one.attribute] == one.code;
        let mut all = self.suspects.iter();
        all.any(|(conditions, when)| then(*when) && conditions.iter().all(may_be))
    }
}

/// What is younger does not teach yet.
fn remembered(config: &WatchConfig) -> i64 {
    config.hold_off.micros().max(BLOCKS_HELD)
}

impl Tenant {
    /// Learns from days that are past, oldest first, before anything is watched. What is reported of them later says nothing new.
    pub fn study<D: Borrow<Day>>(&mut self, days: impl IntoIterator<Item = D>, config: &WatchConfig) {
        let mut desk = Desk::default();
        for day in days {
            self.study_day(day.borrow(), &mut desk, config);
        }
        let threshold = self.noticed_from(config);
        self.detectors
            .iter_mut()
            .for_each(|detector| detector.forget_above(threshold));
    }

    fn study_day(&mut self, day: &Day, desk: &mut Desk, config: &WatchConfig) {
        let leaves: Vec<u32> = day.leaves().iter().map(|leaf| self.dictionary.leaf(leaf)).collect();
        self.keep_calendars(config);
        let known = |leaf: u32| leaves.get(leaf as usize).copied();
        let mut hours = day.hours().peekable();
        for (start, step) in day.steps() {
            if self.began.is_none() && step.is_none() {
                continue;
            }
            let counts = step.into_iter().flatten();
            self.fresh = counts
                .filter_map(|(leaf, counts)| Some((known(*leaf)?, *counts)))
                .collect();
            self.attend_step(start);
            self.learn_level_hours(&mut hours, start.plus(-remembered(config)), desk);
            self.set_apart(start, desk, config);
            self.look_back(start, desk, config);
            desk.held.push_back((start, std::mem::take(&mut self.fresh)));
            self.learn_from(start.plus(STEP), desk, config);
        }
        let midnight = day.start().plus(time::DAY);
        // By the cuts of the midnight before.
        self.learn_level_hours(&mut hours, midnight, desk);
        for (leaf, bins) in day.bins().filter_map(|(leaf, bins)| Some((known(leaf)?, bins))) {
            let codes = self.dictionary.codes(leaf);
            if !desk.suspects_since(codes, day.start()) {
                self.levels.learn(codes, &bins);
            }
        }
        self.end_of(midnight, desk, config);
        self.studied = Some(midnight);
    }

    /// Hours that are over by an instant teach what they do to the levels, but for what was suspect.
    fn learn_level_hours(
        &mut self,
        hours: &mut Peekable<impl Iterator<Item = (EventTime, Leaf, Bins)>>,
        by: EventTime,
        desk: &Desk,
    ) {
        while let Some((start, leaf, bins)) = hours.next_if(|(start, ..)| start.plus(time::HOUR) <= by) {
            let codes = self.dictionary.known(&leaf);
            if !desk.touches(&codes, &(start..start.plus(time::HOUR))) {
                self.learn_level_hour(Window::of_end(start.plus(Window::SPAN)), &codes, &bins);
            }
        }
    }

    /// The calls of a step count as those of its first minute.
    fn attend_step(&mut self, start: EventTime) {
        let window = Window::of_end(start.plus(Window::SPAN));
        let step = std::mem::take(&mut self.fresh);
        step.iter()
            .for_each(|(leaf, counts)| self.attend(*leaf, window, counts));
        self.fresh = step;
        if !self.fresh.is_empty() {
            self.begin(start);
            self.last = Some(start.plus(STEP));
            self.heard = self.heard.saturating_add(u32::from(STEP_MINUTES));
        }
        self.seasons.advance(start.plus(STEP), &self.clocks);
    }

    /// Cells that would have been noticed are suspect since before their evidence began to gather, as far as it may be remembered.
    fn set_apart(&mut self, start: EventTime, desk: &mut Desk, config: &WatchConfig) {
        let now = start.plus(STEP);
        let is_warm = self.began.is_some() && self.warming_up_until(now, config).is_none();
        let found = self.compare(now, STEP_MINUTES, is_warm, config);
        let alarms = found.map(|of_channel| of_channel.noticed);
        let noticed = self.noticed_from(config);
        for (detector, alarms) in self.detectors.iter_mut().zip(&alarms) {
            if !alarms.is_empty() {
                detector.set_apart_above(noticed / SUSPECT, noticed);
            }
        }
        let remembered = now.plus(-remembered(config));
        for (alarms, was_broken) in alarms.into_iter().zip(&mut desk.was_broken) {
            *was_broken |= !alarms.is_empty();
            for alarm in alarms {
                let since = now.plus(-BLOCKS_HELD);
                let when = desk.suspects.entry(alarm.conditions).or_insert((since, now));
                *when = (if when.1 < remembered { since } else { when.0 }, now);
            }
        }
    }

    /// What would be named now, where no cell was suspect today.
    fn look_back(&mut self, start: EventTime, desk: &mut Desk, config: &WatchConfig) {
        let now = start.plus(STEP);
        let window = Window::of_end(start.plus(Window::SPAN));
        desk.ring.slice(window).leaves.clone_from(&self.fresh);
        if !is_time_to_look(now) {
            return;
        }
        desk.ring.take_before(Window::of_end(now.plus(-config.memory.micros())));
        if self.warming_up_until(now, config).is_some() {
            return;
        }
        for channel in (0..desk.was_broken.len()).filter(|channel| !desk.was_broken[*channel]) {
            let evidence = Evidence {
                ring: &desk.ring,
                every: f64::from(STEP_MINUTES),
                ..self.evidence(channel, config.indifference)
            };
            let most = self.most_named(evidence, config);
            self.named[channel].note((), most);
        }
    }

    /// Steps that are old enough teach, but for what was suspect.
    fn learn_from(&mut self, now: EventTime, desk: &mut Desk, config: &WatchConfig) {
        let old = now.plus(-remembered(config));
        while let Some((start, step)) = desk.held.pop_front_if(|(start, _)| *start < old) {
            let window = Window::of_end(start.plus(Window::SPAN));
            for (leaf, counts) in &step {
                if !desk.suspects(self.dictionary.codes(*leaf), start) {
                    self.learn_hour(window, *leaf, counts);
                    self.baseline.learn(*leaf, counts);
                }
            }
            self.trained = Some(window);
        }
        if !self.baseline.is_fitted() || now.floor(FIT_EVERY) == now {
            self.fit(now, config);
        }
    }

    /// Midnight: the thresholds are calibrated, and what was suspect long ago is forgotten.
    fn end_of(&mut self, midnight: EventTime, desk: &mut Desk, config: &WatchConfig) {
        // Silences and single devices are not studied.
        let was_quiet = WasQuiet {
            rates: std::mem::take(&mut desk.was_broken).map(|was_broken| !was_broken),
            ..WasQuiet::default()
        };
        self.calibrate(midnight, was_quiet, config);
        self.budgets.forget(midnight.day());
        let oldest = midnight.plus(-remembered(config));
        desk.suspects.retain(|_, (_, to)| *to >= oldest);
    }
}

#[cfg(test)]
mod tests {
    use dialtone_explain::Condition;
    use dialtone_schemas::{Dimension, EventTime, Window, time};

    use super::{
        super::drive::{Drive, day, leaf, site, summary, two},
        Desk,
    };
    use crate::watch::{
        dictionary::D,
        evidence::Bins,
        history::{Day, Days},
    };

    /// The share of a site's call-ends that is expected to be poor now.
    fn expected(drive: &Drive, name: &str) -> f64 {
        let codes = drive.tenant.dictionary.known(&leaf(name, "Aural 20"));
        drive.tenant.baseline.rate(0, &codes)
    }

    /// Berlin's calls are four times as poor as Lyon's on three days. On the fourth, from its first minute on, that is normal; three times
    /// as much at ten is an incident, with no hour of warming up.
    #[test]
    fn what_was_studied_is_normal_from_the_first_minute_on() {
        let mut drive = Drive::after_study(3, |_| two(0.04, 0.01));
        assert_eq!(drive.tenant.warming_up_until(drive.now(), &drive.config), None);
        let (berlin, lyon) = (expected(&drive, "berlin"), expected(&drive, "lyon"));
        assert!(
            (berlin - 0.04).abs() < 0.002 && (lyon - 0.01).abs() < 0.001,
            "{berlin} {lyon}"
        );
        let told = drive.until(day(3, 1), |_| two(0.04, 0.01));
        assert!(told.alerts.is_empty(), "{:?}", told.alerts);
        let told = drive.until(day(3, 2), |_| two(0.12, 0.01));
        let opened = told.alerts.iter().find(|alert| alert.incident.opened.is_some());
        assert_eq!(opened.expect("an incident").incident.scope, site("berlin"));
    }

    /// On Tuesday from ten to two a fifth of Berlin's calls were poor. Nobody has labelled it: with it the three days would have
    /// 0.02 · 68/72 + 0.2 · 4/72 = 3.0 % poor ones, without it 2 %.
    #[test]
    fn an_old_fault_that_nobody_labelled_teaches_nothing() {
        let broken = day(1, 10)..day(1, 14);
        let drive = Drive::after_study(3, |now| {
            let is_broken = broken.contains(&now);
            two(if is_broken { 0.2 } else { 0.02 }, 0.02)
        });
        let berlin = expected(&drive, "berlin");
        assert!((0.0185..0.0215).contains(&berlin), "{berlin}");
        let conditions = drive.tenant.dictionary.conditions(&site("berlin")).expect("known");
        let look = drive.tenant.detectors[0].look(&conditions, 1.25, 14.0).expect("a cell");
        assert!((0.95..1.05).contains(&look.own), "nor its own cell: {look:?}");
        let quiet = drive.tenant.detectors[0].calibrated(14.0).quiet_days;
        assert_eq!(quiet, 1, "Wednesday: Monday warmed up, Tuesday had a fault");
    }

    /// A summary of Wednesday that comes on Thursday changes nothing, and no minute of Wednesday passes again, nor the midnight after it.
    #[test]
    fn what_was_studied_says_nothing_new() {
        let mut drive = Drive::after_study(3, |_| two(0.02, 0.02));
        let before = drive.tenant.clone();
        let wednesday: EventTime = day(2, 12);
        let late = summary(&leaf("berlin", "Aural 20"), Window::of_end(wednesday), 60, 60);
        drive.tenant.summary(&late, 0);
        let told = drive.tenant.minute(wednesday.plus(time::MINUTE), &drive.config.clone());
        assert_eq!(told, super::super::Told::default());
        drive.tenant.minute(day(3, 0), &drive.config.clone());
        assert_eq!(drive.tenant, before);
    }

    /// Monday to Friday with calls from nine to one, 60 call-ends in each five minutes, one of them poor. The jitter of 30 of them is high at
    /// nine, later of 10.
    fn five_days_high_at_nine() -> Vec<Day> {
        let mut past = Days::default();
        let hours = (0..5).flat_map(|of| (9..13).map(move |hour| (day(of, hour), if hour == 9 { 30 } else { 10 })));
        for (start, high) in hours {
            for step in 0..12 {
                let window = Window::of_end(start.plus(step * 5 * time::MINUTE + 1));
                let mut summary = summary(&leaf("berlin", "Aural 20"), window, 60, 1);
                let sums = summary.sums.as_mut().expect("sums");
                sums.jitter_histogram.add(4, 60 - high);
                sums.jitter_histogram.add(8, high);
                past.add(&summary);
            }
        }
        past.take_before(day(5, 0).day())
    }

    fn after_five_days_high_at_nine() -> Drive {
        let mut drive = Drive::new();
        drive.tenant.study(five_days_high_at_nine(), &drive.config);
        drive
    }

    /// A quarter of a day's call-ends, (30 + 3 · 10) / (4 · 60), are high: their middle at .875 scores 2, that of the others at .375 nothing, the
    /// mean is .5. At nine 720 call-ends score 720 where 360 are expected, cut to 50 of 25; at ten 240, cut to 16.7. Monday has no cuts yet. Of the
    /// four days after it 93.0 count at nine with a score of 186.0: everybody's (186.0 + 11) / (93.0 + 11) = 1.894, the site's
    /// (186.0 + 11 · 1.894) / 104.0 = 1.989. At ten 62.0 of 93.0: 73.0 / 104.0 = 0.702, and (62.0 + 11 · 0.702) / 104.0 = 0.670.
    #[test]
    fn days_whose_levels_are_high_at_nine_teach_that_nine_is_so_on_a_working_day() {
        let drive = after_five_days_high_at_nine();
        let tenant = &drive.tenant;
        let of = |at: EventTime| tenant.hour_of_levels(Window::of_end(at.plus(1)))[1].factor(1);
        let (nine, ten, saturday) = (of(day(7, 9)), of(day(7, 10)), of(day(5, 9)));
        assert!((nine - 1.989).abs() < 0.001, "{nine}");
        assert!((ten - 0.670).abs() < 0.001, "{ten}");
        assert!((saturday - 1.0).abs() < 1e-9, "not on a free day: {saturday}");
    }

    /// Ten minutes with 60 call-ends, 30 of them high, score 600. At any hour 300 are expected of them, on a Monday at nine 1.989 times as many.
    #[test]
    fn a_score_is_compared_with_what_its_hour_expects() {
        let scored = |from: EventTime| {
            let mut drive = after_five_days_high_at_nine();
            let berlin = drive.tenant.dictionary.leaf(&leaf("berlin", "Aural 20"));
            let bins = Bins::of([(1, 4, 30), (1, 8, 30)].into_iter());
            drive.tenant.fresh_bins.insert(berlin, bins);
            for minute in 1..=10 {
                let now = from.plus(minute * time::MINUTE);
                drive.tenant.compare_levels(now, true, &drive.config);
            }
            let conditions = drive.tenant.dictionary.conditions(&site("berlin")).expect("known");
            let look = drive.tenant.level_detectors[1].look(&conditions, 1.25, 14.0);
            look.map(|look| (look.poor, look.expected)).expect("a cell")
        };
        let (poor, expected) = scored(day(7, 9));
        assert!(
            (poor - 600.0).abs() < 1e-9 && (expected - 596.6).abs() < 0.5,
            "{expected}"
        );
        let (_, on_saturday) = scored(day(5, 9));
        assert!((on_saturday - 300.0).abs() < 1e-9, "{on_saturday}");
    }

    /// A headset was suspect at a site from half past nine until eleven: it may be of the site's calls from nine and from ten on, by any connection.
    #[test]
    fn a_suspect_touches_the_hours_of_its_site_and_of_no_other() {
        let condition = |dimension: Dimension, code: u32| Condition {
            attribute: dimension.index(),
            code,
        };
        let mut desk = Desk::default();
        let conditions = vec![condition(Dimension::Site, 1), condition(Dimension::Headset, 2)];
        let half_past = day(0, 9).plus(30 * time::MINUTE);
        desk.suspects.insert(conditions, (half_past, day(0, 11)));
        let touches = |site: u32, hour: i64| {
            let mut codes = [0; D];
            (codes[Dimension::Site.index()], codes[Dimension::Connection.index()]) = (site, 3);
            desk.touches(&codes, &(day(0, hour)..day(0, hour + 1)))
        };
        assert_eq!([8, 9, 10, 11].map(|hour| touches(1, hour)), [false, true, true, false]);
        assert!(!touches(2, 9));
    }
}
