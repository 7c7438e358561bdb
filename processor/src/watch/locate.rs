//! From an alarm to its causes: the evidence since the onset as a table, with what is known already counted in.

use std::{collections::BTreeMap, ops::Range};

use dialtone_explain::{
    Cause, Condition, Explained, Indifference, Onset, Pair, Row, Sets, Settings, Step, Table, causes, far_ends, onset,
    onset_at_once,
};
use dialtone_schemas::{Dimension, Window, time};

use super::{
    baseline::{Baseline, real},
    book::{Basis, Case},
    control::{Control, beyond_own, control_from},
    detect::{Drift, SAME_DRIFT, WITHIN},
    dictionary::{Codes, D, Dictionary, covers},
    evidence::{Counts, Ring, Slice, Sum},
    hours::{AtHour, HourlyRates},
    judgements::JudgedCauses,
    levels::Levels,
    local::Clocks,
    shift::Shifts,
};

mod outside;

/// No indifference is wider than this.
const WIDEST: f64 = 2.5;

/// The far ends must explain so many nats more than the near ones: a fault on the path shows at both.
const FAR_MARGIN: f64 = 3.0;

/// Causes that explain less than this of what is poor beyond the expected leave most of it outside the dimensions.
const MOST: f64 = 0.5;

/// So often the window of evidence follows the onset of the first cause.
const ROUNDS: usize = 3;

/// Who is cut off reports less than this share of what it did in so long before.
const SILENT: f64 = 0.3;
const USUAL: i64 = 30 * time::MINUTE;

/// Two attributes that name one thing: an access line, a place's Wi-Fi, a release, a headset as a computer drives it;
/// each in the order of the attributes.
pub const THINGS: [&[usize]; 5] = [
    &[Dimension::Site.index(), Dimension::Isp.index()],
    &[Dimension::Site.index(), Dimension::Connection.index()],
    &[Dimension::Building.index(), Dimension::Connection.index()],
    &[Dimension::Device.index(), Dimension::Firmware.index()],
    &[Dimension::Headset.index(), Dimension::Driver.index()],
];

/// What a localisation reads.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// By window.
    pub ring: &'a Ring,
    /// What is normal.
    pub baseline: &'a Baseline,
    /// Names and codes.
    pub dictionary: &'a Dictionary,
    /// Incidents that explain some of it already.
    pub cases: &'a [Case],
    /// Which watched channel.
    pub channel: usize,
    /// What the hour does to the rates ...
    pub hours: &'a HourlyRates,
    /// ... and which hour of which day it is at each site.
    pub clocks: &'a Clocks,
    /// What was accepted as the new normal.
    pub shifts: &'a Shifts,
    /// Where call-ends lie among those of their history.
    pub levels: &'a Levels,
    /// How far rates wander by themselves.
    pub drift: &'a Drift,
    /// Which dimensions the causes of before named that were judged.
    pub judged: &'a JudgedCauses,
    /// No rate below so many times the expected one is worth naming.
    pub least: f64,
    /// Minutes from one window to the next.
    pub every: f64,
    /// Is its mirror image meant, which was as much too poor as what was seen was too good?
    pub is_mirrored: bool,
}

/// What is asked of a cause beside its evidence.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Poor call-ends beyond the expected ones, so many at least.
    pub excess: f64,
    /// Evidence of what lies in no dimension.
    pub outside: f64,
}

/// Since when a scope has been bad, by the first bad window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Began {
    /// The earliest.
    pub from: Window,
    /// The most likely.
    pub best: Window,
    /// The latest.
    pub to: Window,
    /// Did it get worse and worse for a while, rather than at once?
    pub grows: bool,
}

/// A cause with the time it began.
#[derive(Clone, Debug)]
pub struct Located {
    /// The cause.
    pub cause: Cause,
    /// Since when.
    pub onset: Began,
    /// The likelihood ratio over the dispersion: against the scope's own control beyond its kind's drift, with the dispersion of single
    /// calls; of a cause at the far ends against the baseline, with the drift in the dispersion.
    pub evidence: f64,
    /// The share of all that is poor beyond the expected which the causes found together explain; of a cause at the far ends it is not
    /// known.
    pub explained: Option<f64>,
}

impl Located {
    /// Does it lie in no dimension?
    pub const fn is_outside(&self) -> bool {
        self.cause.best.conditions.is_empty()
    }
}

impl Evidence<'_> {
    /// Poor call-ends that are expected now of a leaf with `n` at risk, with what incidents explain: what a fault makes poor adds to
    /// what was poor before.
    pub fn expected(&self, hour: &AtHour, leaf: u32, n: i64) -> f64 {
        self.expected_of(hour, leaf, n, Case::is_at_work)
    }

    /// The same in a window of the past, with the incidents of then.
    pub(super) fn expected_in(&self, (window, hour): (Window, &AtHour), leaf: u32, n: i64) -> f64 {
        self.expected_of(hour, leaf, n, |case| case.was_at_work(window))
    }

    /// What the hour of a window does to the rates.
    pub fn hour(&self, window: Window) -> AtHour {
        self.hour_at(window, 0..self.dictionary.values(Dimension::Site.index()))
    }

    /// The same for one leaf's site.
    pub fn hour_of(&self, window: Window, leaf: u32) -> AtHour {
        let site = self.dictionary.codes(leaf)[Dimension::Site.index()];
        self.hour_at(window, site..site + 1)
    }

    fn hour_at(&self, window: Window, sites: Range<u32>) -> AtHour {
        self.hours.at(window.start(), self.channel, sites, self.clocks)
    }

    fn expected_of(&self, hour: &AtHour, leaf: u32, n: i64, is_at_work: impl Fn(&Case) -> bool) -> f64 {
        let codes = self.dictionary.codes(leaf);
        let explains = |case: &&Case| case.basis == Basis::Rate(self.channel) && is_at_work(case) && case.covers(codes);
        let shares = self.cases.iter().filter(explains).map(|case| case.share);
        let of_hour = hour.factor(codes[Dimension::Site.index()]);
        let usual = self.baseline.rate(self.channel, codes) * of_hour * self.shifts.of(self.channel, codes);
        real(n) * (usual + shares.fold(0.0, f64::max)).min(1.0)
    }

    /// The rate of scopes of these attributes that is still indifferent, as a multiple of the expected one.
    pub fn zone(&self, attributes: &[usize]) -> f64 {
        zone(self.drift, attributes, self.least)
    }

    /// The dispersion of a scope's sums of which so much is expected in a minute: of single calls, and of the drift for as long as it
    /// remembers itself.
    pub fn dispersion(&self, conditions: &[Condition], expected: f64) -> f64 {
        self.dispersion_of(&attributes_of(conditions), expected)
    }

    /// The same of scopes of these attributes.
    pub fn dispersion_of(&self, attributes: &[usize], expected: f64) -> f64 {
        self.drift.fine() + self.drift.of(attributes) * expected * f64::from(SAME_DRIFT)
    }

    fn dispersion_of_steps(&self, conditions: &[Condition], steps: &[Step]) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "minutes of hours")]
        let minutes = self.every * steps.len().max(1) as f64;
        self.dispersion(
            conditions,
            steps.iter().map(|step| step.expected).sum::<f64>() / minutes,
        )
    }

    /// What a leaf showed in a window. The mirror image has 2e − k poor where k of e are: of a leaf that may be less than nothing, so that
    /// it comes right in the sums of a scope.
    fn seen(&self, at: (Window, &AtHour), leaf: u32, counts: &Counts) -> Sum {
        let (n, k) = (counts.n[self.channel], real(counts.k[self.channel]));
        let e = self.expected_in(at, leaf, n);
        let k = if self.is_mirrored { 2.0_f64.mul_add(e, -k) } else { k };
        Sum { n: real(n), k, e }
    }

    /// What each window showed of a scope.
    fn series(&self, conditions: &[Condition]) -> Vec<(Window, Step)> {
        let of = |(window, slice): (&Window, &Slice)| (*window, self.step(conditions, *window, slice));
        self.ring.all().map(of).collect()
    }

    fn step(&self, conditions: &[Condition], window: Window, slice: &Slice) -> Step {
        let mut step = Step::default();
        let hour = self.hour(window);
        for (leaf, counts) in &slice.leaves {
            let codes = self.dictionary.codes(*leaf);
            if !covers(conditions, codes) || (conditions.is_empty() && self.is_held(codes)) {
                continue;
            }
            let seen = self.seen((window, &hour), *leaf, counts);
            step.at_risk += seen.n;
            step.poor += seen.k;
            step.expected += seen.e;
            // Levels have no mirror image.
            let Some(bins) = slice.bins.get(leaf).filter(|_| !self.is_mirrored) else {
                continue;
            };
            let rank = self.levels.ranked(codes);
            for (metric, bin, count) in bins.iter() {
                step.levels.add(metric, rank(metric, bin), real(count));
            }
        }
        step
    }

    /// Are these the calls of an incident that has a scope? Whatever else lies in no dimension began without them.
    pub(super) fn is_held(&self, codes: &Codes) -> bool {
        let holds = |case: &Case| case.is_open() && case.has_scope() && case.covers(codes);
        self.cases.iter().any(holds)
    }

    /// Since when a scope has been bad.
    pub fn onset(&self, conditions: &[Condition]) -> Option<Began> {
        let (windows, steps): (Vec<Window>, Vec<Step>) = self.series(conditions).into_iter().unzip();
        // The levels of everything move with the hour, as a ramp does.
        let onset = if conditions.is_empty() { onset_at_once } else { onset };
        let found = onset(&steps, self.dispersion_of_steps(conditions, &steps))?;
        Some(began(&windows, &found))
    }

    /// The causes of what `alarm` noticed. The window of evidence follows the onset of the first cause until that stays, `ROUNDS` times at most:
    /// where several things are broken the alarm's own scope may seem to have begun long before any of them.
    pub fn locate(&self, alarm: &[Condition], asked: Asked) -> Vec<Located> {
        let Some(noticed) = self.onset(alarm) else {
            return Vec::new();
        };
        let (zones, sets) = (zones(self.drift, self.least), self.judged.sets());
        let settings = settings(self.drift, (&zones, &sets), asked.excess);
        let look = |since: Window| self.causes_since(since, &settings);
        let first = |found: &Causes| Some(self.onset(&found.causes.first()?.best.conditions)?.best);
        let (since, found) = settled(noticed.best, look, first);
        let control = self.control(since);
        let by_near = found.causes.first().map_or(0.0, |first| first.best.score);
        if let Some(far) = self.far_cause(since, &control, &settings, by_near) {
            return vec![far];
        }
        if let Some(everything) = self.everything(&settings, asked.outside) {
            return everything;
        }
        let (explained, everywhere) = (found.explained(), found.everywhere());
        let outside = (explained < MOST)
            .then(|| self.outside(&found, since, &settings))
            .flatten();
        let mut located = self.told(found.causes, &control, (everywhere, explained));
        located.extend(outside);
        located
    }

    /// Causes with their onsets and what they say against the hours before and what is poor everywhere; together they explain a share.
    fn told(&self, causes: Vec<Cause>, control: &Control, (everywhere, explained): (f64, f64)) -> Vec<Located> {
        let told = |cause: Cause| {
            let onset = self.onset(&cause.best.conditions)?;
            let evidence = self.against_control(&cause.best.conditions, onset.best, control, everywhere);
            Some(Located {
                cause,
                onset,
                evidence,
                explained: Some(explained),
            })
        };
        causes.into_iter().filter_map(told).collect()
    }

    /// The most evidence of any cause with a scope that would be named, had this been noticed.
    pub fn most_named(&self, noticed: &[Condition], asked: Asked) -> f64 {
        let located = self.locate(noticed, asked).into_iter();
        let named = located.filter(|found| !found.is_outside());
        named.map(|found| found.evidence).fold(0.0, f64::max)
    }

    /// The causes, and what they leave over.
    fn causes_since(&self, since: Window, settings: &Settings<'_>) -> Causes {
        let control = self.control(since);
        let (mut table, rows) = self.table(since, &control);
        let pairs = self.pairs(since, &control);
        let usual: Vec<f64> = table.rows().iter().map(|row| row.e).collect();
        let take = |table: &mut Table, conditions: &[Condition]| {
            // By how much the causes at the near ends make more of them poor.
            let near = |leaf: u32| {
                rows.get(&leaf)
                    .map_or(1.0, |row| table.rows()[*row].e / usual[*row].max(1e-9))
            };
            for (leaf, taken) in self.far_ends(&pairs, conditions, near) {
                if let Some(row) = rows.get(&leaf) {
                    let row = &mut table.rows_mut()[*row];
                    row.k = (row.k - taken).max(0.0);
                }
            }
        };
        // What open incidents do to the far ends of their calls is known already.
        self.at_work().for_each(|case| take(&mut table, &case.conditions));
        let all = summed(table.rows());
        let Explained { causes, left_over } = causes(&table, settings, |table, cause| take(table, &cause.conditions));
        let left = summed(left_over.rows());
        let rest = left.k - left.e;
        let is_inside = |leaf: u32| {
            let codes = self.dictionary.codes(leaf);
            causes.iter().any(|cause| covers(&cause.best.conditions, codes))
        };
        let inside = rows.iter().filter(|(leaf, _)| is_inside(**leaf));
        let inside: f64 = inside.map(|(_, row)| table.rows()[*row].e).sum();
        let apart = rows.iter().filter(|(leaf, _)| !is_inside(**leaf));
        let apart = summed(apart.map(|(_, row)| &left_over.rows()[*row]));
        Causes {
            causes,
            left_over,
            all: Sum { k: left.k, ..all },
            apart,
            inside,
            by_causes: all.k - all.e - rest,
            rest,
            variance: self.dispersion_of_all(all.e) * all.e,
        }
    }

    /// The incidents of this channel that do harm.
    fn at_work(&self) -> impl Iterator<Item = &Case> {
        let is_one = |case: &&Case| self.is_of_calls(case) && case.is_at_work();
        self.cases.iter().filter(is_one)
    }

    /// Does an incident explain calls of this channel?
    fn is_of_calls(&self, case: &Case) -> bool {
        case.basis == Basis::Rate(self.channel)
    }

    /// The dispersion of all calls together, of which so much is expected.
    pub(super) fn dispersion_of_all(&self, expected: f64) -> f64 {
        self.drift.fine() + self.drift.of(&[]) * expected
    }

    /// Sums by leaf over some windows.
    pub(super) fn sums<'s>(&self, slices: impl Iterator<Item = (&'s Window, &'s Slice)>) -> BTreeMap<u32, Sum> {
        let mut sums: BTreeMap<u32, Sum> = BTreeMap::new();
        for (window, slice) in slices {
            let hour = self.hour(*window);
            for (leaf, counts) in &slice.leaves {
                let seen = self.seen((*window, &hour), *leaf, counts);
                sums.entry(*leaf).or_default().add(seen);
            }
        }
        sums
    }

    /// What the hours before the onset ask for, on top of the baseline.
    fn control(&self, onset: Window) -> Control {
        let before = self.ring.since(control_from(onset));
        let sums = self.sums(before.take_while(|(window, _)| **window < onset));
        Control::of_sums(&sums, self.dictionary, self.drift)
    }

    fn table(&self, since: Window, control: &Control) -> (Table, BTreeMap<u32, usize>) {
        let mut table = Table::new(D);
        let mut rows = BTreeMap::new();
        for (leaf, sum) in self.sums(self.ring.since(since)) {
            rows.insert(leaf, rows.len());
            self.push(&mut table, leaf, sum, control);
        }
        (table, rows)
    }

    /// Adds what a leaf showed to a table, as the control lets expect.
    pub(super) fn push(&self, table: &mut Table, leaf: u32, Sum { n, k, e }: Sum, control: &Control) {
        let codes = self.dictionary.codes(leaf);
        let row = Row {
            n,
            k,
            e: e * control.of(codes),
            weight: self.baseline.weight(leaf).max(0.5),
        };
        table.push(codes, row);
    }

    /// A cause that shows only at the other ends of its calls: who is cut off reports nothing, but whoever talked to it was
    /// dropped. Named where the far ends explain more than the near ends, of all calls and of the same calls, and the scope
    /// itself has fallen silent.
    fn far_cause(&self, since: Window, control: &Control, settings: &Settings<'_>, by_near: f64) -> Option<Located> {
        let (mut near, mut far) = (Table::new(D), Table::new(D));
        for ((near_leaf, far_leaf), Sum { n, k, e }) in self.pairs(since, control) {
            let codes = self.dictionary.codes(near_leaf);
            let row = Row {
                n,
                k,
                e,
                weight: self.baseline.weight(far_leaf).max(0.5),
            };
            near.push(codes, row);
            far.push(self.dictionary.codes(far_leaf), row);
        }
        let same_calls = causes(&near, settings, |_, _| {}).causes;
        let by_near = same_calls
            .first()
            .map_or(by_near, |cause| by_near.max(cause.best.score));
        let cause = causes(&far, settings, |_, _| {}).causes.into_iter().next()?;
        if cause.best.score <= by_near + FAR_MARGIN {
            return None;
        }
        let (windows, steps): (Vec<Window>, Vec<Step>) = self.far_series(&cause.best.conditions).into_iter().unzip();
        let dispersion = self.dispersion_of_steps(&cause.best.conditions, &steps);
        let found = onset(&steps, dispersion)?;
        if !self.has_fallen_silent(&cause.best.conditions, windows[found.best]) {
            return None;
        }
        let (k, e) = (cause.best.k, cause.best.e.max(1e-9));
        Some(Located {
            onset: began(&windows, &found),
            evidence: (k * (k / e).ln() - (k - e)).max(0.0) / dispersion,
            explained: None,
            cause,
        })
    }

    /// Does a scope itself report hardly anything since a window, whose last reports may still come, compared with before?
    fn has_fallen_silent(&self, conditions: &[Condition], since: Window) -> bool {
        let before = Window::of_end(since.start().plus(-USUAL));
        let (mut was, mut is) = ((0.0, 0.0), (0.0, 0.0));
        for (window, slice) in self.ring.since(before).filter(|(window, _)| **window != since) {
            let inside = slice
                .leaves
                .iter()
                .filter(|(leaf, _)| covers(conditions, self.dictionary.codes(**leaf)));
            let sum = if *window < since { &mut was } else { &mut is };
            sum.0 += inside.map(|(_, counts)| real(counts.events)).sum::<f64>();
            sum.1 += 1.0;
        }
        is.1 > 0.0 && was.1 > 0.0 && is.0 / is.1 < SILENT * was.0 / was.1
    }

    /// What each window showed of the calls into a scope.
    fn far_series(&self, conditions: &[Condition]) -> Vec<(Window, Step)> {
        let step = |window: Window, slice: &Slice| {
            let hour = self.hour(window);
            let into = slice
                .pairs
                .iter()
                .filter(|((_, far), _)| covers(conditions, self.dictionary.codes(*far)));
            into.fold(Step::default(), |step, ((near, _), counts)| Step {
                at_risk: step.at_risk + real(counts.n[self.channel]),
                poor: step.poor + real(counts.k[self.channel]),
                expected: step.expected + self.expected_in((window, &hour), *near, counts.n[self.channel]),
                ..step
            })
        };
        let of = |(window, slice): (&Window, &Slice)| (*window, step(*window, slice));
        self.ring.all().map(of).collect()
    }

    /// Sums since a window by near and far leaf, as the hours before it let expect. The mirror image has none: only poor ones are told.
    fn pairs(&self, since: Window, control: &Control) -> BTreeMap<(u32, u32), Sum> {
        let mut pairs: BTreeMap<(u32, u32), Sum> = BTreeMap::new();
        for (window, slice) in self.ring.since(since).filter(|_| !self.is_mirrored) {
            let hour = self.hour(*window);
            for ((near, far), counts) in &slice.pairs {
                let sum = pairs.entry((*near, *far)).or_default();
                sum.n += real(counts.n[self.channel]);
                sum.k += real(counts.k[self.channel]);
                sum.e += self.expected_in((*window, &hour), *near, counts.n[self.channel]);
            }
        }
        for ((near, _), sum) in &mut pairs {
            sum.e *= control.of(self.dictionary.codes(*near));
        }
        pairs
    }

    /// A cause also harms the far ends of its calls: poor call-ends to be taken from near leaves; `near` is by how much more of a leaf's are
    /// expected to be poor than the pairs say.
    fn far_ends(
        &self,
        pairs: &BTreeMap<(u32, u32), Sum>,
        conditions: &[Condition],
        near: impl Fn(u32) -> f64,
    ) -> Vec<(u32, f64)> {
        let pair = |(&(near, far), &Sum { n, k, e }): (&(u32, u32), &Sum)| Pair { near, far, n, k, e };
        let is_inside = |leaf: u32| covers(conditions, self.dictionary.codes(leaf));
        far_ends(pairs.iter().map(pair), is_inside, near)
    }

    /// What each leaf showed since a window, as the hours before it let expect, without what a scope did to the far ends of its calls.
    pub(super) fn beside(&self, conditions: &[Condition], since: Window) -> BTreeMap<u32, Sum> {
        let control = self.control(since);
        let mut sums = self.sums(self.ring.since(since));
        for (leaf, sum) in &mut sums {
            sum.e *= control.of(self.dictionary.codes(*leaf));
        }
        for (near, taken) in self.far_ends(&self.pairs(since, &control), conditions, |_| 1.0) {
            if let Some(sum) = sums.get_mut(&near) {
                sum.k = (sum.k - taken).max(0.0);
            }
        }
        sums
    }

    /// The evidence of a scope since its onset against its own rate in the hours before, beyond what such scopes drift by themselves and
    /// what is poor everywhere, for each expected one.
    fn against_control(&self, conditions: &[Condition], onset: Window, control: &Control, everywhere: f64) -> f64 {
        let (before, since) = self.around(conditions, onset, control);
        let zone = self.zone(&attributes_of(conditions)) + everywhere;
        beyond_own(&before, &since, zone) / self.drift.fine()
    }

    /// What a scope has shown since its onset, as the hours before it let expect, without what open incidents do to the far ends of their calls,
    /// and its evidence.
    pub(super) fn stands(&self, conditions: &[Condition], onset: Window) -> (Sum, f64) {
        let control = self.control(onset);
        let (before, mut since) = self.around(conditions, onset, &control);
        let mut at_work = self.at_work().peekable();
        if at_work.peek().is_some() {
            let pairs = self.pairs(onset, &control);
            let taken = at_work.flat_map(|case| self.far_ends(&pairs, &case.conditions, |_| 1.0));
            let inside = taken.filter(|(leaf, _)| covers(conditions, self.dictionary.codes(*leaf)));
            since.k = (since.k - inside.map(|(_, taken)| taken).sum::<f64>()).max(0.0);
        }
        let zone = self.zone(&attributes_of(conditions));
        (since, beyond_own(&before, &since, zone) / self.drift.fine())
    }

    /// What a scope has shown in each window since its onset, as the hours before it let expect, by calls that were no other incident's then.
    pub(super) fn apart(&self, conditions: &[Condition], onset: Window) -> Vec<Sum> {
        let control = self.control(onset);
        let of_window = |(window, slice): (&Window, &Slice)| {
            let hour = self.hour(*window);
            let then = |case: &&Case| self.is_of_calls(case) && case.has_scope() && case.was_at_work(*window);
            let others: Vec<&Case> = self.cases.iter().filter(then).collect();
            let mut sum = Sum::default();
            for (leaf, counts) in &slice.leaves {
                let codes = self.dictionary.codes(*leaf);
                if covers(conditions, codes) && !others.iter().any(|case| case.covers(codes)) {
                    let seen = self.seen((*window, &hour), *leaf, counts);
                    let e = seen.e * control.of(codes);
                    sum.add(Sum { e, ..seen });
                }
            }
            sum
        };
        self.ring.since(onset).map(of_window).collect()
    }

    /// What a scope showed in the control and since its onset.
    fn around(&self, conditions: &[Condition], onset: Window, control: &Control) -> (Sum, Sum) {
        let (mut before, mut since) = (Sum::default(), Sum::default());
        for (window, slice) in self.ring.since(control_from(onset)) {
            let sum = if *window < onset { &mut before } else { &mut since };
            let hour = self.hour(*window);
            for (leaf, counts) in &slice.leaves {
                let codes = self.dictionary.codes(*leaf);
                if covers(conditions, codes) {
                    let seen = self.seen((*window, &hour), *leaf, counts);
                    sum.add(Sum {
                        e: seen.e * control.of(codes),
                        ..seen
                    });
                }
            }
        }
        (before, since)
    }
}

/// The causes that were found, and what they leave over.
#[derive(Debug)]
struct Causes {
    causes: Vec<Cause>,
    /// The calls, with what the causes do expected.
    left_over: Table,
    /// All calls as if nothing were known of the causes, without what they do to the far ends of theirs.
    all: Sum,
    /// Those of them that lie in no cause.
    apart: Sum,
    /// Poor call-ends expected in the causes.
    inside: f64,
    /// Poor call-ends beyond the expected: by the causes, and the others.
    by_causes: f64,
    rest: f64,
    /// By how much the sum of all varies by itself.
    variance: f64,
}

impl Causes {
    /// What the causes leave over, as far as it is more than chance: two standard deviations.
    fn left(&self) -> f64 {
        (self.rest - 2.0 * self.variance.max(0.0).sqrt()).max(0.0)
    }

    /// The same for each that was expected outside the causes: as much is taken to be in the causes too, without being their doing. Where
    /// less than half lies outside, that tells little of the rest: as if it were half.
    fn everywhere(&self) -> f64 {
        self.left() / (self.all.e - self.inside).max(self.all.e / 2.0).max(1.0)
    }

    /// The share of them that the causes explain beyond what everything does, of which so much is poor besides for each expected one.
    fn explained_beyond(&self, everywhere: f64) -> f64 {
        let beyond = (self.by_causes - everywhere * self.inside).max(0.0);
        (beyond / (self.all.k - self.all.e).max(1.0)).min(1.0)
    }

    /// Of the poor call-ends beyond the expected, the share that the causes explain.
    fn explained(&self) -> f64 {
        let all = self.by_causes.max(0.0) + self.left();
        if all > 0.0 {
            (self.by_causes - self.everywhere() * self.inside).max(0.0) / all
        } else {
            1.0
        }
    }
}

/// The rate of scopes of these attributes that is still indifferent, as a multiple of the expected one: at least so much.
pub(super) fn zone(drift: &Drift, attributes: &[usize], least: f64) -> f64 {
    let wanders = drift.of(attributes).sqrt();
    (WITHIN * wanders).exp().clamp(least, WIDEST.max(least))
}

/// The rates of scopes that are still indifferent: at least so many times the expected ones.
pub(super) fn zones(drift: &Drift, least: f64) -> Indifference {
    Indifference::new(D, |attributes| zone(drift, attributes, least))
}

/// How causes are looked for among what drifts so, where causes were judged before.
pub(super) fn settings<'a>(
    drift: &Drift,
    (zones, sets): (&'a Indifference, &'a Sets),
    min_excess: f64,
) -> Settings<'a> {
    Settings {
        min_excess,
        dispersion: drift.fine(),
        indifference: Some(zones),
        things: &THINGS,
        sets: Some(sets),
        ..Settings::default()
    }
}

/// Rows of a table together.
fn summed<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Sum {
    let mut sum = Sum::default();
    for &Row { n, k, e, .. } in rows {
        sum.add(Sum { n, k, e });
    }
    sum
}

/// What is found since a window; the window follows the onset of what is found first until that stays, `ROUNDS` times at most.
pub(super) fn settled<T>(
    noticed: Window,
    look: impl Fn(Window) -> T,
    first: impl Fn(&T) -> Option<Window>,
) -> (Window, T) {
    let (mut since, mut found) = (noticed, look(noticed));
    for _ in 0..ROUNDS {
        let Some(again) = first(&found).filter(|again| *again != since) else {
            break;
        };
        (since, found) = (again, look(again));
    }
    (since, found)
}

pub(super) fn began(windows: &[Window], found: &Onset) -> Began {
    Began {
        from: windows[found.from],
        best: windows[found.best],
        to: windows[found.to],
        grows: found.grows,
    }
}

pub(super) fn attributes_of(conditions: &[Condition]) -> Vec<usize> {
    conditions.iter().map(|condition| condition.attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_one_thing_is_listed_in_the_order_of_its_attributes() {
        assert!(THINGS.iter().all(|thing| thing.is_sorted()));
    }

    /// 60 poor beyond 100 expected in the cause, 40 beyond 100 elsewhere; a variance of 100 makes 20 of the 40 chance. What is left is 0.2 for
    /// each expected one, 20 in the cause as well: 40 of 80. Where 1,000 are expected elsewhere it is 2: 58 of 80.
    #[test]
    fn what_the_causes_leave_over_counts_as_far_as_it_is_no_chance_and_is_in_the_causes_too() {
        let found = |causes: (f64, f64), rest: (f64, f64), variance| Causes {
            causes: Vec::new(),
            left_over: Table::new(0),
            all: Sum {
                n: 0.0,
                k: causes.0 + causes.1 + rest.0 + rest.1,
                e: causes.1 + rest.1,
            },
            apart: Sum::default(),
            inside: causes.1,
            by_causes: causes.0,
            rest: rest.0,
            variance,
        };
        assert!((found((60.0, 100.0), (40.0, 100.0), 100.0).explained() - 0.5).abs() < 1e-9);
        assert!((found((60.0, 100.0), (40.0, 100.0), 100.0).everywhere() - 0.2).abs() < 1e-9);
        assert!((found((60.0, 100.0), (40.0, 1000.0), 100.0).explained() - 0.725).abs() < 1e-9);
        assert!((found((40.0, 100.0), (15.0, 100.0), 100.0).explained() - 1.0).abs() < 1e-9);
        assert!(found((5.0, 1.0), (95.0, 100.0), 4.0).explained() < 0.1);
        // 160 beyond 200 expected are 0.8 for each: of the 100 expected in the cause that would be 80, more than its 60.
        assert!(found((60.0, 100.0), (100.0, 100.0), 100.0).explained_beyond(0.8) < 1e-9);
        // Beyond 0.4 for each the cause has 20 of the 100.
        assert!((found((60.0, 100.0), (40.0, 100.0), 100.0).explained_beyond(0.4) - 0.2).abs() < 1e-9);
    }
}
