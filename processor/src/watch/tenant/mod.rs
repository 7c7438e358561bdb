//! One tenant's watch. The story of a minute: expect, compare, notice, locate, open, live on, warn, watch, tell.

mod absorb;
#[cfg(test)]
mod again;
mod beside;
mod blame;
mod complaints;
mod cost;
mod course;
mod deserted;
mod diagnose;
mod doses;
#[cfg(test)]
mod drive;
mod explain;
mod follow;
mod hear;
#[cfg(test)]
mod hidden;
mod live;
mod moved;
mod night;
mod open;
mod quiet;
pub mod readiness;
mod same;
mod silent;
mod study;
#[cfg(test)]
mod tests;
mod told;
mod verdicts;
mod warn;
mod watched;

pub use explain::Explained;
pub use silent::Outside;
pub use warn::Warnings;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use dialtone_explain::Condition;
use dialtone_schemas::{
    Alert, Change, ChangeVerdict, Class, Complaint, Dimension, EventTime, Incident, Summary, SummaryKind, Text, Window,
    time,
};
use serde::{Deserialize, Serialize};

use super::{
    baseline::{Baseline, real},
    book::{Basis, Case},
    budget::Budgets,
    calibration::Calibration,
    detect::{Alarm, CellKey, Detector, Found},
    device::{Devices, Reported},
    dictionary::{Codes, Dictionary},
    evidence::{Bins, Counts, Ring},
    hours::{AtHour, HourlyRates},
    judgements::JudgedCauses,
    levels::{Levels, METRICS},
    local::Clocks,
    locate::{Asked, Evidence},
    ownership::Firsts,
    past::Past,
    reference::References,
    season::Seasons,
    shift::Shifts,
    suspect::Priors,
    volume::{Silence, Volume, outermost},
};
use crate::config::WatchConfig;

/// The baseline is fitted anew so often.
const FIT_EVERY: i64 = 30 * time::MINUTE;
/// Complaints are remembered for so long, changes until the last verdict about them ...
const MEMORY: i64 = 2 * time::DAY;
const CHANGES: i64 = 5 * time::DAY;
/// ... and work that is announced, so long ahead ...
const ANNOUNCED: i64 = 60 * time::DAY;
/// ... and not more than so many of each.
const MOST: usize = 100_000;
/// Fewer minutes with calls than this before a longer silence than that were no beginning: a stray report.
const FEW: u32 = 30;
const STRAY: i64 = 6 * time::HOUR;
/// After so long without calls and incidents the minutes pass without a trace.
const DORMANT: i64 = 3 * time::DAY;

/// No fewer cells are counted when a threshold is set: a young tenant has them soon.
const FEW_CELLS: usize = 100;
/// Every device of the estate could be the bad one: those that are known are those that were poor.
const MANY_DEVICES: usize = 10_000;

/// Who spends the false alarms of a day: together no more than are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spends {
    /// Poor call-ends and levels of cells.
    Rates,
    /// Call-ends that do not come.
    Silence,
    /// Single devices.
    Devices,
}

impl Spends {
    /// Silence is soon sure of itself, and so is a broken device: they can do with little.
    const fn share(self) -> f64 {
        match self {
            Self::Rates => 0.8,
            Self::Silence | Self::Devices => 0.1,
        }
    }
}

/// Everything known of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    name: Text,
    dictionary: Dictionary,
    ring: Ring,
    fresh: BTreeMap<u32, Counts>,
    fresh_bins: BTreeMap<u32, Bins>,
    fresh_pairs: BTreeMap<(u32, u32), Counts>,
    baseline: Baseline,
    references: References,
    trained: Option<Window>,
    fitted: Option<EventTime>,
    began: Option<EventTime>,
    /// Minutes with calls since it began, and the start of the youngest window.
    heard: u32,
    last: Option<EventTime>,
    /// Until when the past was studied: what is of before says nothing new.
    studied: Option<EventTime>,
    detectors: [Detector; 3],
    levels: Levels,
    /// By channel: what would be named on quiet days.
    named: [Calibration<()>; 3],
    /// By metric: how the levels of its call-ends move.
    level_detectors: [Detector; METRICS],
    /// After a scan that explained nothing, the next one waits until then: by channel, and that for the levels.
    scan_again: [EventTime; 3],
    levels_again: EventTime,
    volume: Volume,
    devices: Devices,
    cases: Vec<Case>,
    changes: BTreeMap<Text, Change>,
    trials: BTreeMap<Text, verdicts::Trial>,
    seasons: Seasons,
    hours: HourlyRates,
    /// The same of the levels of call-ends, by metric.
    level_hours: HourlyRates,
    shifts: Shifts,
    clocks: Clocks,
    budgets: Budgets,
    complaints: BTreeMap<Text, Complaint>,
    controls: BTreeMap<Text, EventTime>,
    past: Past,
    firsts: Firsts,
    priors: Priors,
    judged: JudgedCauses,
    warnings: Vec<warn::Warning>,
    /// What would have been warned of at the last look, had it been so at the one before.
    sure: Vec<course::Climber>,
    warned: Warnings,
    /// What is told of before an incident opens, or was of late.
    watched: Vec<watched::Watched>,
}

/// What a minute has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// About new revisions of incidents.
    pub alerts: Vec<Alert>,
    /// New verdicts about changes.
    pub verdicts: Vec<ChangeVerdict>,
}

impl Tenant {
    /// A tenant of whom nothing is known.
    pub fn new(name: Text) -> Self {
        Self {
            name,
            dictionary: Dictionary::default(),
            ring: Ring::default(),
            fresh: BTreeMap::new(),
            fresh_bins: BTreeMap::new(),
            fresh_pairs: BTreeMap::new(),
            baseline: Baseline::default(),
            references: References::default(),
            trained: None,
            fitted: None,
            began: None,
            heard: 0,
            last: None,
            studied: None,
            detectors: Default::default(),
            levels: Levels::default(),
            named: Default::default(),
            level_detectors: std::array::from_fn(|_| Detector::of_scores()),
            scan_again: [EventTime::MIN; 3],
            levels_again: EventTime::MIN,
            volume: Volume::default(),
            devices: Devices::default(),
            cases: Vec::new(),
            changes: BTreeMap::new(),
            trials: BTreeMap::new(),
            seasons: Seasons::default(),
            hours: HourlyRates::default(),
            level_hours: HourlyRates::default(),
            shifts: Shifts::default(),
            clocks: Clocks::default(),
            budgets: Budgets::default(),
            complaints: BTreeMap::new(),
            controls: BTreeMap::new(),
            past: Past::default(),
            firsts: Firsts::default(),
            priors: Priors::default(),
            judged: JudgedCauses::default(),
            warnings: Vec::new(),
            sure: Vec::new(),
            warned: Warnings::default(),
            watched: Vec::new(),
        }
    }

    /// When it will have seen enough to open incidents, if it has not yet.
    pub fn warming_up_until(&self, now: EventTime, config: &WatchConfig) -> Option<EventTime> {
        let until = self.began?.plus(config.warm_up.micros());
        (now < until || !self.baseline.is_fitted()).then_some(until)
    }

    /// Cells watched, over all channels.
    pub fn cells(&self) -> usize {
        self.all_detectors().map(Detector::cells).sum::<usize>() + self.volume.cells()
    }

    /// Scopes watched, each once on however many channels.
    pub fn scopes(&self) -> usize {
        let of_volume = self
            .volume
            .conditions()
            .map(|of| CellKey::of((of.attribute, of.code), None));
        let scopes: BTreeSet<CellKey> = self.all_detectors().flat_map(Detector::keys).chain(of_volume).collect();
        scopes.len()
    }

    /// How often a pair of values was not watched because there are too many.
    pub fn refused(&self) -> u64 {
        self.all_detectors().map(Detector::refused).sum()
    }

    fn all_detectors(&self) -> impl Iterator<Item = &Detector> {
        self.detectors.iter().chain(&self.level_detectors)
    }

    /// When the last window began of which something was reported.
    pub const fn last_report(&self) -> Option<EventTime> {
        self.last
    }

    /// Has nothing happened for so long that minutes change nothing?
    pub fn is_dormant(&self, now: EventTime) -> bool {
        self.cases.is_empty() && self.fresh.is_empty() && self.last.is_none_or(|last| now.since(last) > DORMANT)
    }

    /// Is it past that was studied?
    fn has_studied(&self, at: EventTime) -> bool {
        self.studied.is_some_and(|studied| at < studied)
    }

    fn begin(&mut self, start: EventTime) {
        let stray = |last: EventTime| self.heard < FEW && start.since(last) > STRAY;
        if self.last.is_none_or(stray) {
            (self.began, self.heard) = (Some(start), 0);
        }
        self.last = self.last.max(Some(start));
    }

    /// A summary whose tick has come, of this partition.
    pub fn summary(&mut self, summary: &Summary, partition: i32) {
        let (Some(near), Some(window)) = (&summary.near, summary.window) else {
            return;
        };
        if self.has_studied(window.start()) {
            return;
        }
        let counts = Counts::of(summary);
        let leaf = self.dictionary.leaf(near);
        self.begin(window.start());
        match summary.kind {
            SummaryKind::Leaf => {
                let slice = self.ring.slice(window);
                slice.leaves.entry(leaf).or_default().add(&counts);
                let mut bins = Bins::default();
                bins.add(summary);
                slice.bins.entry(leaf).or_default().extend(&bins);
                self.fresh_bins.entry(leaf).or_default().extend(&bins);
                if !summary.exemplars.is_empty() {
                    slice
                        .exemplars
                        .entry(leaf)
                        .or_default()
                        .extend(summary.exemplars.iter().cloned());
                }
                self.attend(leaf, window, &counts);
                // Behind what has been learnt already: old enough by itself.
                if self.trained.is_some_and(|trained| window < trained) && !self.is_in_incident(leaf, window) {
                    self.baseline.learn(leaf, &counts);
                    self.levels.learn(self.dictionary.codes(leaf), &bins);
                }
                // What comes an hour late says nothing of the volume now.
                let events = if summary.class == Some(Class::Graph) {
                    0
                } else {
                    counts.events
                };
                self.fresh.entry(leaf).or_default().add(&Counts { events, ..counts });
            }
            SummaryKind::Pair => {
                let Some(far) = &summary.far else { return };
                let pair = (leaf, self.dictionary.leaf(far));
                self.ring.slice(window).pairs.entry(pair).or_default().add(&counts);
                self.fresh_pairs.entry(pair).or_default().add(&counts);
            }
            SummaryKind::Device => {
                let Some(device) = &summary.device_id else { return };
                let evidence = self.evidence(0, 1.0);
                let expected = evidence.expected(&evidence.hour_of(window, leaf), leaf, counts.n[0])
                    * self.shifts.of_device(device);
                let reported = Reported {
                    leaf,
                    window,
                    counts: &counts,
                    partition,
                    expected,
                    exemplars: &summary.exemplars,
                    user: summary.user.as_ref(),
                };
                self.devices.add(device, &reported);
            }
            SummaryKind::Marker => {}
        }
    }

    /// When people call, how much, and how many of their minutes were poor.
    fn attend(&mut self, leaf: u32, window: Window, counts: &Counts) {
        self.baseline.weigh(leaf, counts);
        let codes = self.dictionary.codes(leaf);
        self.seasons
            .add(codes[Dimension::Site.index()], window, &self.clocks, counts.n[0]);
        let connection = codes[Dimension::Connection.index()];
        self.budgets.add(window.start().day(), connection, counts);
    }

    /// A change whose tick has come. What is reported later of the same change stands: its end is known now, or its window is longer.
    /// What was reported before that is dropped.
    pub fn change(&mut self, change: Change) {
        bound(&mut self.changes, |change| change.started_at);
        match self.changes.entry(change.change_id.clone()) {
            Entry::Occupied(known) if change.time_reported() < known.get().time_reported() => {}
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                let what = |change: &Change| (change.kind, verdicts::begins(change), change.scope.clone());
                if what(known) != what(&change)
                    && let Some(trial) = self.trials.get_mut(&change.change_id)
                {
                    trial.begin_anew();
                }
                *known = change;
            }
            Entry::Vacant(room) => {
                room.insert(change);
            }
        }
    }

    /// A complaint whose tick has come. Repeats by id are dropped.
    pub fn complaint(&mut self, complaint: Complaint) {
        bound(&mut self.complaints, |complaint| complaint.complained_at);
        if let Entry::Vacant(room) = self.complaints.entry(complaint.complaint_id.clone()) {
            self.firsts.complain(complaint.complained_at);
            room.insert(complaint);
        }
    }

    /// The last revision of an incident, or of what is watched, that was sent.
    pub fn sent(&self, id: &Text) -> Option<&Incident> {
        let of_case = self.cases.iter().find(|case| case.incident.id == *id);
        of_case.map_or_else(|| self.sent_watched(id), |case| case.sent.as_ref())
    }

    fn evidence(&self, channel: usize, least: f64) -> Evidence<'_> {
        Evidence {
            ring: &self.ring,
            baseline: &self.baseline,
            dictionary: &self.dictionary,
            hours: &self.hours,
            shifts: &self.shifts,
            clocks: &self.clocks,
            cases: &self.cases,
            channel,
            levels: &self.levels,
            drift: self.detectors[channel].drift(),
            judged: &self.judged,
            least,
            every: 1.0,
            is_mirrored: false,
        }
    }

    /// The same, whatever incidents explain.
    fn usual(&self, channel: usize, least: f64) -> Evidence<'_> {
        Evidence {
            cases: &[],
            ..self.evidence(channel, least)
        }
    }

    /// A minute is over: compare, notice, locate, tell.
    pub fn minute(&mut self, now: EventTime, config: &WatchConfig) -> Told {
        // The midnight that ends the last day was studied with it.
        if self.is_dormant(now) || self.has_studied(now.plus(-1)) {
            return Told::default();
        }
        self.keep_calendars(config);
        self.seasons.advance(now, &self.clocks);
        self.heard = self.heard.saturating_add(u32::from(!self.fresh.is_empty()));
        let warm = self.began.is_some() && self.warming_up_until(now, config).is_none();
        let mut found = self.compare(now, 1, warm, config);
        let near = found.each_mut().map(|of_channel| std::mem::take(&mut of_channel.near));
        let alarms = found.map(|of_channel| of_channel.noticed);
        let levels = self.compare_levels(now, warm, config);
        let silences = self.listen(now, warm, config);
        let mut early = Vec::new();
        if warm {
            let has_opened = self.open_rates(now, alarms, config);
            // The levels that have moved are those of what was opened just now, as like as not.
            early = self.open_levels(now, levels.filter(|_| !has_opened), config);
            self.open_moved(now, config);
            self.open_silences(now, silences, config);
            self.open_devices(now, config);
            self.locate_again(now, config);
            self.absorb(now, config);
            self.look_though_quiet(now, config);
        }
        self.live(now, config);
        self.learn(now, config);
        self.fresh.clear();
        self.fresh_bins.clear();
        self.fresh_pairs.clear();
        if now.floor(time::DAY) == now {
            let was_quiet = self.was_quiet(now.plus(-time::DAY));
            self.calibrate(now, was_quiet, config);
        }
        let mut alerts = if warm { self.warn(now, config) } else { Vec::new() };
        alerts.extend(self.keep_watch(now, &near, early, config));
        self.remember_warnings();
        alerts.extend(self.tell(now, config));
        let verdicts = if warm {
            self.try_changes(now, config)
        } else {
            Vec::new()
        };
        Told { alerts, verdicts }
    }

    /// Evidence a cell needs to be noticed.
    pub fn noticed_from(&self, config: &WatchConfig) -> f64 {
        self.threshold(self.cells().max(FEW_CELLS), Spends::Rates, config)
    }

    /// What is asked of a cause: an alarm has paid for the number of cells, but not for everything.
    fn asked(&self, config: &WatchConfig) -> Asked {
        Asked {
            excess: config.min_excess,
            outside: self.noticed_from(config),
        }
    }

    /// Evidence a silence needs to be noticed.
    fn silent_from(&self, config: &WatchConfig) -> f64 {
        self.threshold(self.volume.cells().max(FEW_CELLS), Spends::Silence, config)
    }

    /// Evidence a device needs to be noticed.
    fn one_device_from(&self, config: &WatchConfig) -> f64 {
        self.threshold(MANY_DEVICES, Spends::Devices, config)
    }

    /// Evidence that one of so many needs: ln of (cells × minutes of a day / false alarms a day that are theirs).
    fn threshold(&self, cells: usize, spends: Spends, config: &WatchConfig) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52 cells")]
        let cells = cells as f64;
        (cells * 1440.0 / (spends.share() * config.false_alarms_per_day).max(1e-6)).ln()
    }

    /// Feeds the detectors with the leaves of the last minutes; what they show by channel.
    fn compare(&mut self, now: EventTime, minutes: u16, warm: bool, config: &WatchConfig) -> [Found; 3] {
        if !self.baseline.is_fitted() {
            return Default::default();
        }
        let threshold = self.noticed_from(config);
        let mut found: [Found; 3] = Default::default();
        for (channel, found) in found.iter_mut().enumerate() {
            let taken = self.far_ends(channel);
            let evidence = self.evidence(channel, config.indifference);
            let hour = evidence.hour(Window::of_end(now));
            let rows: Vec<(u32, f64, f64)> = self
                .fresh
                .iter()
                .filter(|(_, counts)| counts.n[channel] > 0)
                .map(|(leaf, counts)| {
                    let k = (real(counts.k[channel]) - taken.get(leaf).copied().unwrap_or(0.0)).max(0.0);
                    (*leaf, k, evidence.expected(&hour, *leaf, counts.n[channel]))
                })
                .collect();
            let detector = &mut self.detectors[channel];
            for (leaf, k, e) in rows {
                detector.add(self.dictionary.codes(leaf), k, e);
            }
            let of_channel = detector.minutes(minutes, config.indifference, threshold);
            if warm {
                *found = of_channel;
            }
        }
        found
    }

    /// Compares the levels of the minute's call-ends; of all metrics the strongest alarm.
    fn compare_levels(&mut self, now: EventTime, warm: bool, config: &WatchConfig) -> Option<(usize, Alarm)> {
        let threshold = self.noticed_from(config);
        self.feed_levels(now);
        let mut strongest: Option<(usize, Alarm)> = None;
        for (metric, detector) in self.level_detectors.iter_mut().enumerate() {
            let found = detector.minute(config.indifference, threshold).into_iter().next();
            let is_stronger = |alarm: &Alarm| strongest.as_ref().is_none_or(|(_, other)| alarm.log_m > other.log_m);
            if let Some(alarm) = found.filter(|alarm| warm && is_stronger(alarm)) {
                strongest = Some((metric, alarm));
            }
        }
        strongest
    }

    /// Feeds the level detectors with the minute's leaves, but for those in open incidents.
    fn feed_levels(&mut self, now: EventTime) {
        let hour = self.hour_of_levels(Window::of_end(now));
        // One outside the dimensions has all leaves, and hides none.
        let hides = |case: &&Case| case.is_open() && !case.is_outside();
        let open: Vec<&Case> = self.cases.iter().filter(hides).collect();
        for (leaf, bins) in &self.fresh_bins {
            let codes = self.dictionary.codes(*leaf);
            if open.iter().any(|case| case.covers(codes)) {
                continue;
            }
            let (site, sums) = (codes[Dimension::Site.index()], self.levels.of(codes, bins));
            let detectors = self.level_detectors.iter_mut().zip(&hour);
            for ((detector, hour), (k, e)) in detectors.zip(sums).filter(|(_, (_, e))| *e > 0.0) {
                detector.add_alone(codes, k, e * hour.factor(site));
            }
        }
    }

    /// What the hour of a window does to the levels, by metric.
    fn hour_of_levels(&self, window: Window) -> [AtHour; METRICS] {
        let sites = self.dictionary.values(Dimension::Site.index());
        let of = |metric: usize| self.level_hours.at(window.start(), metric, 0..sites, &self.clocks);
        [0, 1, 2, 3].map(of)
    }

    /// Poor call-ends that an open incident's far ends explain, by near leaf.
    fn far_ends(&self, channel: usize) -> BTreeMap<u32, f64> {
        let mut taken = BTreeMap::new();
        let open = self
            .cases
            .iter()
            .filter(|case| case.is_open() && case.basis == Basis::Rate(channel));
        for case in open.filter(|case| case.far_factor > 1.0) {
            for ((near, far), counts) in &self.fresh_pairs {
                let inside = |leaf: &u32| case.covers(self.dictionary.codes(*leaf));
                if inside(far) && !inside(near) {
                    let share = 1.0 - 1.0 / case.far_factor;
                    *taken.entry(*near).or_default() += real(counts.k[channel]) * share;
                }
            }
        }
        taken
    }

    /// Feeds the volume with the minute's leaves; silences by cell.
    fn listen(&mut self, now: EventTime, warm: bool, config: &WatchConfig) -> Vec<Silence> {
        for (leaf, counts) in &self.fresh {
            self.volume.add(self.dictionary.codes(*leaf), counts.events);
        }
        let out = self.out();
        if !out.is_empty() {
            let shares: Vec<Condition> = self
                .volume
                .conditions()
                .filter(|c| self.shares_calls(*c, &out))
                .collect();
            self.volume.forget(|condition| shares.contains(&condition));
        }
        let threshold = if warm { self.silent_from(config) } else { f64::INFINITY };
        let mut silences = self.volume.minute(threshold);
        silences.retain(|silence| silence.condition.is_some() || self.is_promised(now, silence.minutes));
        outermost(silences, self.dictionary.leaves(), |leaf| self.baseline.weight(leaf))
    }

    /// The scopes that are out.
    fn out(&self) -> Vec<Vec<Condition>> {
        let open = self
            .cases
            .iter()
            .filter(|case| case.is_open() && case.has_scope() && case.basis == Basis::Volume);
        open.map(|case| case.conditions.clone()).collect()
    }

    /// Has a cell a tenth or more of its calls in scopes that are out?
    fn shares_calls(&self, condition: Condition, out: &[Vec<Condition>]) -> bool {
        let (mut own, mut shared) = (0.0, 0.0);
        for (leaf, codes) in self.dictionary.leaves().iter().enumerate() {
            if codes[condition.attribute] == condition.code {
                let weight = self.baseline.weight(u32::try_from(leaf).unwrap_or(u32::MAX));
                own += weight;
                let is_out = out
                    .iter()
                    .any(|conditions| super::dictionary::covers(conditions, codes));
                shared += if is_out { weight } else { 0.0 };
            }
        }
        shared >= 0.1 * own
    }

    /// Learns what is old enough and in no incident; forgets what is too old.
    fn learn(&mut self, now: EventTime, config: &WatchConfig) {
        let old = Window::of_end(now.plus(-config.hold_off.micros()));
        let from = self.trained.unwrap_or_else(|| Window::of_end(EventTime::MIN));
        let (mut learnt, mut is_any) = (Vec::new(), false);
        for (window, slice) in self.ring.since(from).take_while(|(window, _)| **window < old) {
            is_any = true;
            for (leaf, counts) in &slice.leaves {
                if !self.is_in_incident(*leaf, *window) {
                    let bins = slice.bins.get(leaf).cloned().unwrap_or_default();
                    learnt.push((*window, *leaf, *counts, bins));
                }
            }
        }
        for (window, leaf, counts, bins) in learnt {
            self.learn_hour(window, leaf, &counts);
            self.baseline.learn(leaf, &counts);
            let codes = *self.dictionary.codes(leaf);
            self.learn_level_hour(window, &codes, &bins);
            self.levels.learn(&codes, &bins);
        }
        // What incidents held is passed over for good.
        if is_any {
            self.trained = Some(old);
        }
        self.ring.take_before(Window::of_end(now.plus(-config.memory.micros())));
        self.devices.expire(now);
        if now.floor(FIT_EVERY) == now {
            self.forget(now);
        }
        self.fit(now, config);
    }

    /// What the hour does to the rate of a site, beyond what the baseline expects.
    fn learn_hour(&mut self, window: Window, leaf: u32, counts: &Counts) {
        if !self.baseline.is_fitted() {
            return;
        }
        let codes = self.dictionary.codes(leaf);
        let site = codes[Dimension::Site.index()];
        let of = |channel: usize| {
            let rate = self.baseline.rate(channel, codes) * self.shifts.of(channel, codes);
            let expected = real(counts.n[channel]) * rate;
            (real(counts.k[channel]), expected)
        };
        self.hours.learn(site, window, &self.clocks, &[0, 1, 2].map(of));
    }

    /// What the hour does to the levels of a site, beyond what their history expects at any hour; nothing before that is known.
    fn learn_level_hour(&mut self, window: Window, codes: &Codes, bins: &Bins) {
        let sums = self.levels.of(codes, bins);
        if sums.iter().any(|(_, expected)| *expected > 0.0) {
            let site = codes[Dimension::Site.index()];
            self.level_hours.learn(site, window, &self.clocks, &sums);
        }
    }

    /// The configuration's calendars are those of this tenant's sites.
    fn keep_calendars(&mut self, config: &WatchConfig) {
        if let Some(moved) = self.clocks.keep(&config.calendars, &self.dictionary) {
            self.seasons.forget(&moved);
            self.hours.forget(&moved);
            self.level_hours.forget(&moved);
        }
    }

    /// Was this leaf in an incident then? Such windows teach the baseline nothing.
    fn is_in_incident(&self, leaf: u32, window: Window) -> bool {
        let codes = self.dictionary.codes(leaf);
        let counts = |case: &&Case| case.incident.accepted.is_none();
        self.cases.iter().filter(counts).any(|case| {
            let closed = case.incident.closed.unwrap_or(EventTime::MAX);
            case.covers(codes) && window.end() > case.incident.onset.from && window.start() < closed
        })
    }

    /// Changes, complaints and control records that are too old, or of a day to come; incidents of a month ago.
    fn forget(&mut self, now: EventTime) {
        let near = |at: EventTime| now.since(at).abs() < MEMORY;
        self.changes.retain(|_, change| {
            let over = change.finished_at.unwrap_or(change.started_at).max(change.started_at);
            now.since(over) < CHANGES && change.started_at.since(now) < ANNOUNCED
        });
        self.complaints.retain(|_, complaint| near(complaint.complained_at));
        self.controls.retain(|_, at| near(*at));
        self.past.forget(now);
        self.firsts.forget(now);
        self.budgets.forget(now.day());
    }

    fn fit(&mut self, now: EventTime, config: &WatchConfig) {
        if self.trained.is_none() || self.fitted.is_some_and(|fitted| now.since(fitted) < FIT_EVERY) {
            return;
        }
        if let Some(fitted) = self.fitted {
            #[allow(clippy::cast_precision_loss, reason = "spans are far below 2^52 µs")]
            let lives = now.since(fitted) as f64 / config.half_life.micros().max(1) as f64;
            let keeps = (-lives * std::f64::consts::LN_2).exp();
            self.baseline.decay(keeps);
            self.shifts.decay(keeps);
            self.levels.decay(keeps);
        }
        self.fitted = Some(now);
        let dispersion = [0, 1, 2].map(|channel: usize| self.detectors[channel].drift().fine());
        self.baseline.fit(self.dictionary.leaves(), dispersion);
    }
}

/// Makes room in a full memory: the older half goes.
fn bound<T>(memory: &mut BTreeMap<Text, T>, time: impl Fn(&T) -> EventTime) {
    if memory.len() < MOST {
        return;
    }
    let mut times: Vec<EventTime> = memory.values().map(&time).collect();
    let (_, middle, _) = times.select_nth_unstable(MOST / 2);
    let middle = *middle;
    memory.retain(|_, item| time(item) > middle);
}
