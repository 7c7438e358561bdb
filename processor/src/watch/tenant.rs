//! One tenant's watch. The story of a minute: expect, compare, notice, locate, open, live on, tell.

use std::collections::BTreeMap;

use dialtone_explain::{Condition, Settings};
use dialtone_schemas::{
    Alert, Change, Class, Complaint, Control, EventTime, Incident, Scope, State, Summary, SummaryKind, Text, Window,
    alert::AlertReason,
    control::ControlKind,
    incident::{Alternative, Evidence as Line, Onset, Severity},
    time,
};
use serde::{Deserialize, Serialize};

use super::{
    baseline::{Baseline, real},
    book::{Basis, Case, id_of, severity},
    detect::{Alarm, Detector},
    device::{Device, Devices},
    dictionary::Dictionary,
    evidence::{Counts, KINDS, Ring, WATCHED},
    locate::{Evidence, Located},
    owner::{layer_of, owner_of},
    suspect::{Overlap, suspects},
    volume::{Silence, Volume, outermost},
};
use crate::config::WatchConfig;

/// The baseline is fitted anew so often.
const FIT_EVERY: i64 = 30 * time::MINUTE;
/// A young incident is located again every five minutes for so long.
const YOUNG: i64 = 30 * time::MINUTE;
/// A scope that shares so much of its calls with an open incident is the same trouble.
const SAME_TROUBLE: f64 = 0.8;
/// One device that has this share of a scope's excess is the cause itself.
const ONE_DEVICE: f64 = 0.6;
/// After a scan that explained nothing, the next one waits so long.
const PATIENCE: i64 = 3 * time::MINUTE;
/// Changes and complaints are remembered for so long.
const MEMORY: i64 = 2 * time::DAY;
/// A complaint belongs to an incident until so long after it was over.
const COMPLAINT_TAIL: i64 = 2 * time::HOUR;

/// Everything known of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    name: Text,
    dictionary: Dictionary,
    ring: Ring,
    fresh: BTreeMap<u32, Counts>,
    fresh_pairs: BTreeMap<(u32, u32), Counts>,
    baseline: Baseline,
    trained: Option<Window>,
    fitted: Option<EventTime>,
    began: Option<EventTime>,
    detectors: [Detector; 3],
    /// After a scan that explained nothing, the next one waits until then.
    scan_again: [EventTime; 3],
    volume: Volume,
    devices: Devices,
    cases: Vec<Case>,
    changes: BTreeMap<Text, Change>,
    complaints: BTreeMap<Text, Complaint>,
    controls: BTreeMap<Text, EventTime>,
}

impl Tenant {
    /// A tenant of whom nothing is known.
    pub fn new(name: Text) -> Self {
        Self {
            name,
            dictionary: Dictionary::default(),
            ring: Ring::default(),
            fresh: BTreeMap::new(),
            fresh_pairs: BTreeMap::new(),
            baseline: Baseline::default(),
            trained: None,
            fitted: None,
            began: None,
            detectors: Default::default(),
            scan_again: [EventTime::MIN; 3],
            volume: Volume::default(),
            devices: Devices::default(),
            cases: Vec::new(),
            changes: BTreeMap::new(),
            complaints: BTreeMap::new(),
            controls: BTreeMap::new(),
        }
    }

    /// When it will have seen enough to open incidents, if it has not yet.
    pub fn warming_up_until(&self, now: EventTime, config: &WatchConfig) -> Option<EventTime> {
        let until = self.began?.plus(config.warm_up.micros());
        (now < until || !self.baseline.is_fitted()).then_some(until)
    }

    /// Cells watched, over all channels.
    pub fn cells(&self) -> usize {
        self.detectors.iter().map(Detector::cells).sum::<usize>() + self.volume.cells()
    }

    /// A summary whose tick has come.
    pub fn summary(&mut self, summary: &Summary) {
        let (Some(near), Some(window)) = (&summary.near, summary.window) else {
            return;
        };
        let counts = Counts::of(summary);
        let leaf = self.dictionary.leaf(near);
        self.began.get_or_insert(window.start());
        match summary.kind {
            SummaryKind::Leaf => {
                let slice = self.ring.slice(window);
                slice.leaves.entry(leaf).or_default().add(&counts);
                if !summary.exemplars.is_empty() {
                    slice
                        .exemplars
                        .entry(leaf)
                        .or_default()
                        .extend(summary.exemplars.iter().cloned());
                }
                self.baseline.weigh(leaf, &counts);
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
                let expected = self.evidence(0).expected(leaf, counts.n[0]);
                self.devices
                    .add(device, leaf, window, &counts, expected, &summary.exemplars);
            }
            SummaryKind::Marker => {}
        }
    }

    /// A change whose tick has come. Repeats by id are dropped.
    pub fn change(&mut self, change: Change) {
        self.changes.entry(change.change_id.clone()).or_insert(change);
    }

    /// A complaint whose tick has come. Repeats by id are dropped.
    pub fn complaint(&mut self, complaint: Complaint) {
        self.complaints
            .entry(complaint.complaint_id.clone())
            .or_insert(complaint);
    }

    /// Something said from outside about an incident. Repeats by id are dropped.
    pub fn control(&mut self, control: &Control) {
        if self.controls.insert(control.control_id.clone(), control.at).is_some() {
            return;
        }
        let about = |case: &&mut Case| control.incident_id.as_ref() == Some(&case.incident.id);
        let Some(case) = self.cases.iter_mut().find(about) else {
            return;
        };
        match control.kind {
            ControlKind::Acknowledge => case.incident.acknowledged = Some(control.at),
            ControlKind::Silence => case.incident.silenced_until = control.until,
            ControlKind::Configure | ControlKind::Verdict => {}
        }
    }

    fn evidence(&self, channel: usize) -> Evidence<'_> {
        Evidence {
            ring: &self.ring,
            baseline: &self.baseline,
            dictionary: &self.dictionary,
            cases: &self.cases,
            channel,
            dispersion: self.detectors[channel].mean_dispersion(),
        }
    }

    /// A minute is over: compare, notice, locate, tell. Returns the alerts about new revisions.
    pub fn minute(&mut self, now: EventTime, config: &WatchConfig) -> Vec<Alert> {
        let warm = self.began.is_some() && self.warming_up_until(now, config).is_none();
        let alarms = self.compare(warm, config);
        let silences = self.listen(warm, config);
        if warm {
            self.open_rates(now, alarms, config);
            self.open_silences(now, silences, config);
            self.open_devices(now, config);
            self.locate_again(now, config);
        }
        self.live(now, config);
        self.learn(now, config);
        self.fresh.clear();
        self.fresh_pairs.clear();
        self.tell(now, config)
    }

    /// Evidence a cell needs: ln of (cells × minutes of a day / false alarms a day).
    fn threshold(&self, cells: usize, config: &WatchConfig) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52 cells")]
        let cells = cells.max(100) as f64;
        (cells * 1440.0 / config.false_alarms_per_day.max(1e-6)).ln()
    }

    /// Feeds the detectors with the minute's leaves; alarms by channel.
    fn compare(&mut self, warm: bool, config: &WatchConfig) -> [Vec<Alarm>; 3] {
        if !self.baseline.is_fitted() {
            return Default::default();
        }
        let cells = self.cells();
        let mut alarms: [Vec<Alarm>; 3] = Default::default();
        for (channel, alarms) in alarms.iter_mut().enumerate() {
            let taken = self.far_ends(channel);
            let evidence = self.evidence(channel);
            let rows: Vec<(u32, f64, f64)> = self
                .fresh
                .iter()
                .filter(|(_, counts)| counts.n[channel] > 0)
                .map(|(leaf, counts)| {
                    let k = (real(counts.k[channel]) - taken.get(leaf).copied().unwrap_or(0.0)).max(0.0);
                    (*leaf, k, evidence.expected(*leaf, counts.n[channel]))
                })
                .collect();
            let threshold = if warm {
                self.threshold(cells, config)
            } else {
                f64::INFINITY
            };
            let detector = &mut self.detectors[channel];
            for (leaf, k, e) in rows {
                detector.add(self.dictionary.codes(leaf), k, e);
            }
            *alarms = detector.minute(config.indifference, threshold);
        }
        alarms
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
    fn listen(&mut self, warm: bool, config: &WatchConfig) -> Vec<Silence> {
        for (leaf, counts) in &self.fresh {
            self.volume.add(self.dictionary.codes(*leaf), counts.events);
        }
        let out: Vec<Vec<Condition>> = self
            .cases
            .iter()
            .filter(|case| case.is_open() && case.basis == Basis::Volume)
            .map(|case| case.conditions.clone())
            .collect();
        if !out.is_empty() {
            let shares: Vec<Condition> = self
                .volume
                .conditions()
                .filter(|c| self.shares_calls(*c, &out))
                .collect();
            self.volume.forget(|condition| shares.contains(&condition));
        }
        let threshold = if warm {
            self.threshold(self.volume.cells(), config)
        } else {
            f64::INFINITY
        };
        let silences = self.volume.minute(threshold);
        outermost(silences, self.dictionary.leaves(), |leaf| self.baseline.weight(leaf))
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

    fn settings(&self, channel: usize, config: &WatchConfig) -> Settings {
        let dispersion = self.detectors[channel].mean_dispersion();
        Settings {
            min_excess: config.min_excess,
            dispersion,
            ..Settings::default()
        }
    }

    /// Opens an incident for each cause of what the detectors noticed.
    fn open_rates(&mut self, now: EventTime, alarms: [Vec<Alarm>; 3], config: &WatchConfig) {
        let threshold = self.threshold(self.cells(), config);
        for (channel, alarms) in alarms.into_iter().enumerate() {
            let Some(strongest) = alarms.first().filter(|_| now >= self.scan_again[channel]) else {
                continue;
            };
            let settings = self.settings(channel, config);
            let located = self.evidence(channel).locate(&strongest.conditions, &settings);
            let mut explained = false;
            for found in located.into_iter().filter(|found| found.evidence >= threshold) {
                explained = true;
                self.open_rate(now, channel, found, config);
            }
            if explained {
                self.detectors[channel].forget_above(threshold / 3.0);
            } else {
                // Noticed, but no scope explains it against its own control: it must gather anew.
                self.detectors[channel].forget_cell(strongest.key);
                self.scan_again[channel] = now.plus(PATIENCE);
            }
        }
    }

    fn open_rate(&mut self, now: EventTime, channel: usize, found: Located, config: &WatchConfig) {
        let conditions = found.cause.best.conditions.clone();
        let onset = found.onset.1;
        if let Some((id, device)) = self.one_device(&conditions, onset, &found) {
            self.open_device(now, &id, &device, config);
            return;
        }
        if self.is_same_trouble(&conditions) {
            return;
        }
        if self.reopen(now, &conditions, config) {
            return;
        }
        let scope = self.dictionary.scope(&conditions);
        let mut incident = self.incident(now, scope, None, found.onset, config);
        self.describe(&mut incident, &found);
        let case = Case {
            incident,
            basis: Basis::Rate(channel),
            factor: (found.cause.best.k / found.cause.best.e.max(0.1)).max(1.0),
            conditions,
            far_factor: 1.0,
            sums: (0.0, 0.0, 0.0),
            back: 0.0,
            recovering_since: None,
            sent: None,
        };
        self.cases.push(case);
    }

    /// Aliases, alternatives and exemplars of a located cause.
    fn describe(&self, incident: &mut Incident, found: &Located) {
        let scope = |conditions: &[Condition]| self.dictionary.scope(conditions);
        incident.aliases = found.cause.aliases.iter().map(|c| scope(c)).collect();
        incident.alternatives = found
            .cause
            .alternatives
            .iter()
            .map(|(candidate, score)| Alternative {
                scope: scope(&candidate.conditions),
                score: *score,
            })
            .collect();
    }

    /// Does one device have most of the scope's excess?
    fn one_device(&self, conditions: &[Condition], onset: Window, found: &Located) -> Option<(Text, Device)> {
        let excess = found.cause.best.k - found.cause.best.e;
        let covers = |leaf: u32| super::dictionary::covers(conditions, self.dictionary.codes(leaf));
        self.devices
            .of(covers)
            .map(|(id, device)| (id, device, device.since(onset)))
            .filter(|(_, _, (_, k, e))| k - e >= ONE_DEVICE * excess)
            .max_by(|a, b| a.2.1.total_cmp(&b.2.1).then_with(|| b.0.cmp(a.0)))
            .map(|(id, device, _)| (id.clone(), device.clone()))
    }

    /// Is there an open incident that has most of these calls?
    fn is_same_trouble(&self, conditions: &[Condition]) -> bool {
        let open = || {
            self.cases
                .iter()
                .filter(|case| case.is_open() && case.incident.device_id.is_none())
        };
        let (mut own, mut shared) = (0.0, 0.0);
        for (leaf, codes) in self.dictionary.leaves().iter().enumerate() {
            if super::dictionary::covers(conditions, codes) {
                let weight = self.baseline.weight(u32::try_from(leaf).unwrap_or(u32::MAX));
                own += weight;
                shared += if open().any(|case| case.covers(codes)) {
                    weight
                } else {
                    0.0
                };
            }
        }
        own <= 0.0 || shared >= SAME_TROUBLE * own
    }

    fn reopen(&mut self, now: EventTime, conditions: &[Condition], config: &WatchConfig) -> bool {
        let recent = |case: &&mut Case| {
            case.conditions == conditions
                && case
                    .incident
                    .closed
                    .is_some_and(|closed| now.since(closed) <= config.reopen.micros())
        };
        self.cases.iter_mut().find(recent).map(Case::reopen).is_some()
    }

    fn incident(
        &self,
        now: EventTime,
        scope: Scope,
        device_id: Option<Text>,
        onset: (Window, Window, Window),
        config: &WatchConfig,
    ) -> Incident {
        let layer = layer_of(&scope, device_id.is_some());
        let owner = owner_of(&config.owners, layer, &scope);
        #[allow(clippy::expect_used, reason = "a constant that is a text")]
        let metric = Text::new("mos").expect("a text");
        Incident {
            id: id_of(&self.name, &scope, device_id.as_ref(), onset.1.start()),
            tenant: self.name.clone(),
            revision: 0,
            state: State::Localised,
            aliases: Vec::new(),
            device_id,
            layer,
            owner,
            onset: Onset {
                from: onset.0.start(),
                to: onset.2.end(),
            },
            opened: Some(now),
            localised: Some(now),
            closed: None,
            updated: now,
            severity: Severity::Minor,
            metric,
            effect: 1.0,
            excess_poor_minutes: 0.0,
            evidence: Vec::new(),
            alternatives: Vec::new(),
            suspected_changes: Vec::new(),
            complaints: 0,
            first_complaint: None,
            third_complaint: None,
            exemplar_calls: Vec::new(),
            acknowledged: None,
            silenced_until: None,
            scope,
        }
    }

    fn open_silences(&mut self, now: EventTime, silences: Vec<Silence>, config: &WatchConfig) {
        for silence in silences {
            let conditions = vec![silence.condition];
            let is_known = |case: &Case| case.is_open() && case.basis == Basis::Volume && case.conditions == conditions;
            if self.cases.iter().any(is_known) || self.is_same_trouble(&conditions) {
                continue;
            }
            let began = Window::of_end(now.plus(-i64::from(silence.minutes) * time::MINUTE));
            // What closes now ended a bound ago: the silence began that much earlier.
            let began = Window::of_end(began.start().plus(-Window::SPAN));
            let scope = self.dictionary.scope(&conditions);
            let mut incident = self.incident(now, scope, None, (began, began, began), config);
            #[allow(clippy::expect_used, reason = "a constant that is a text")]
            let metric = Text::new("volume").expect("a text");
            incident.metric = metric;
            incident.severity = Severity::Critical;
            incident.effect = 0.0;
            self.cases.push(Case {
                incident,
                basis: Basis::Volume,
                conditions,
                factor: 1.0,
                far_factor: 1.0,
                sums: (silence.expected, silence.missing, 0.0),
                back: 0.0,
                recovering_since: None,
                sent: None,
            });
        }
    }

    fn open_devices(&mut self, now: EventTime, config: &WatchConfig) {
        // Every device of the estate could have been the one: some are known only when they turn bad.
        let threshold = self.threshold(10_000, config);
        for (id, device) in self.devices.alarms(threshold) {
            self.open_device(now, &id, &device, config);
        }
    }

    fn open_device(&mut self, now: EventTime, id: &Text, device: &Device, config: &WatchConfig) {
        self.devices.forget(id);
        if self
            .cases
            .iter()
            .any(|case| case.is_open() && case.incident.device_id.as_ref() == Some(id))
        {
            return;
        }
        let codes = *self.dictionary.codes(device.leaf);
        let is_covered = |case: &Case| case.is_open() && case.incident.device_id.is_none() && case.covers(&codes);
        if self.cases.iter().any(is_covered) {
            return;
        }
        let Some(onset) = device.onset() else { return };
        let began = onset.1;
        let place = [
            dialtone_schemas::Dimension::Site,
            dialtone_schemas::Dimension::Segment,
            dialtone_schemas::Dimension::Device,
        ];
        let conditions: Vec<Condition> = place
            .into_iter()
            .map(|d| Condition {
                attribute: d.index(),
                code: codes[d.index()],
            })
            .filter(|c| c.code != 0)
            .collect();
        let scope = self.dictionary.scope(&conditions);
        let mut incident = self.incident(now, scope, Some(id.clone()), onset, config);
        incident.exemplar_calls = device.exemplars().to_vec();
        let (n, k, e) = device.since(began);
        self.cases.push(Case {
            incident,
            basis: Basis::Rate(0),
            conditions,
            factor: 1.0,
            far_factor: 1.0,
            sums: (n, k, e),
            back: 0.0,
            recovering_since: None,
            sent: None,
        });
    }

    /// More evidence may show another scope: a young incident's scope follows it, its id stays.
    fn locate_again(&mut self, now: EventTime, config: &WatchConfig) {
        if now.floor(5 * time::MINUTE) != now {
            return;
        }
        for i in 0..self.cases.len() {
            let case = &self.cases[i];
            let age = case.incident.opened.map_or(0, |opened| now.since(opened));
            let Basis::Rate(channel) = case.basis else { continue };
            if case.incident.device_id.is_some()
                || !matches!(case.incident.state, State::Open | State::Localised)
                || !(1..=YOUNG).contains(&age)
            {
                continue;
            }
            if let Some(found) = self.better(i, channel, config) {
                let scope = self.dictionary.scope(&found.cause.best.conditions);
                let layer = layer_of(&scope, false);
                let mut incident = self.cases[i].incident.clone();
                incident.owner = owner_of(&config.owners, layer, &scope);
                (incident.layer, incident.scope) = (layer, scope);
                incident.onset = Onset {
                    from: found.onset.0.start(),
                    to: found.onset.2.end(),
                };
                self.describe(&mut incident, &found);
                let case = &mut self.cases[i];
                case.factor = (found.cause.best.k / found.cause.best.e.max(0.1)).max(1.0);
                (case.incident, case.conditions) = (incident, found.cause.best.conditions);
                case.sums = (0.0, 0.0, 0.0);
            }
        }
    }

    /// What the case should be about, if it is not what it says: its own scope is no longer among the causes, and another
    /// that shares half of the smaller one's calls is.
    fn better(&self, i: usize, channel: usize, config: &WatchConfig) -> Option<Located> {
        let others: Vec<Case> = self
            .cases
            .iter()
            .enumerate()
            .filter(|(j, _)| *j != i)
            .map(|(_, c)| c.clone())
            .collect();
        let evidence = Evidence {
            cases: &others,
            ..self.evidence(channel)
        };
        let case = &self.cases[i];
        let located = evidence.locate(&case.conditions, &self.settings(channel, config));
        let overlap = |found: &Located| self.overlap(&found.cause.best.conditions, &case.conditions);
        if located.iter().any(|found| overlap(found).jaccard >= 0.95) {
            return None;
        }
        let is_taken = |found: &Located| {
            let open = others.iter().filter(|other| other.is_open());
            open.into_iter()
                .any(|o| self.overlap(&found.cause.best.conditions, &o.conditions).jaccard >= SAME_TROUBLE)
        };
        located
            .into_iter()
            .find(|found| overlap(found).of_smaller >= 0.5 && !is_taken(found))
    }

    /// How two scopes share their calls.
    fn overlap(&self, a: &[Condition], b: &[Condition]) -> Shared {
        let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
        for (leaf, codes) in self.dictionary.leaves().iter().enumerate() {
            let weight = self.baseline.weight(u32::try_from(leaf).unwrap_or(u32::MAX));
            let (in_a, in_b) = (super::dictionary::covers(a, codes), super::dictionary::covers(b, codes));
            both += if in_a && in_b { weight } else { 0.0 };
            of_a += if in_a { weight } else { 0.0 };
            of_b += if in_b { weight } else { 0.0 };
        }
        let share = |of: f64| if of > 0.0 { both / of } else { 0.0 };
        Shared {
            jaccard: share(of_a + of_b - both),
            of_smaller: share(of_a.min(of_b)),
        }
    }

    /// Open incidents live on: their sums, whether quality is back, their complaints and suspects.
    fn live(&mut self, now: EventTime, config: &WatchConfig) {
        let mut cases = std::mem::take(&mut self.cases);
        for case in cases.iter_mut().filter(|case| case.is_open()) {
            match case.basis {
                Basis::Rate(channel) if case.incident.device_id.is_none() => self.live_rate(case, channel, config),
                Basis::Rate(_) => self.live_device(case),
                Basis::Volume => {
                    let back = case.conditions.iter().all(|c| self.volume.is_back(*c));
                    case.back = if back { f64::INFINITY } else { 0.0 };
                    let missing = if back { 0.0 } else { case.sums.0 };
                    case.incident.excess_poor_minutes = round(case.incident.excess_poor_minutes + missing, 10.0);
                }
            }
            case.live(now, config.quiet.micros());
        }
        for case in &mut cases {
            let until = case.incident.closed.map_or(now, |closed| closed.plus(COMPLAINT_TAIL));
            self.match_complaints(case, until);
            if case.is_open() {
                self.suspect(case);
            }
        }
        cases.retain(|case| {
            case.incident
                .closed
                .is_none_or(|closed| now.since(closed) <= 2 * config.reopen.micros())
        });
        self.cases = cases;
    }

    fn live_rate(&self, case: &mut Case, channel: usize, config: &WatchConfig) {
        let baseline = Evidence {
            cases: &[],
            ..self.evidence(channel)
        };
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let (mut inside, mut outside, mut kinds, mut poor_ms) = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), [0.0; 4], 0);
        let mut exemplars: Vec<Text> = Vec::new();
        let mut minutes = 0.0;
        for (_, slice) in self.ring.since(onset) {
            minutes += 1.0;
            for (leaf, counts) in &slice.leaves {
                let is_inside = case.covers(self.dictionary.codes(*leaf));
                let sum = if is_inside { &mut inside } else { &mut outside };
                sum.0 += real(counts.n[channel]);
                sum.1 += real(counts.k[channel]);
                sum.2 += baseline.expected(*leaf, counts.n[channel]);
                if is_inside {
                    poor_ms += counts.poor_ms;
                    (0..4).for_each(|kind| kinds[kind] += real(counts.kinds[kind]));
                    exemplars.extend(slice.exemplars.get(leaf).into_iter().flatten().take(1).cloned());
                }
            }
        }
        let (mut fresh_k, mut fresh_e) = (0.0, 0.0);
        for (leaf, counts) in self
            .fresh
            .iter()
            .filter(|(leaf, _)| case.covers(self.dictionary.codes(**leaf)))
        {
            fresh_k += real(counts.k[channel]);
            fresh_e += baseline.expected(*leaf, counts.n[channel]);
        }
        case.weigh_recovery(fresh_k, fresh_e, config.indifference, baseline.dispersion);
        if case.incident.state == State::Localised && inside.2 > 0.0 {
            case.factor = (inside.1 / inside.2.max(0.1)).max(1.0);
        }
        case.far_factor = self.far_factor(case, channel, onset);
        case.sums = inside;
        let incident = &mut case.incident;
        incident.severity = incident.severity.max(severity(
            case.basis,
            inside.0,
            inside.1,
            (inside.1 - inside.2) / f64::max(minutes, 1.0),
        ));
        incident.effect = round(inside.1 / inside.2.max(0.1), 100.0);
        let excess = (1.0 - inside.2 / inside.1.max(inside.2).max(0.1)).max(0.0);
        incident.excess_poor_minutes = round(real(poor_ms) / 60_000.0 * excess, 10.0);
        incident.evidence = vec![line("inside", inside), line("outside", outside)];
        incident.exemplar_calls = exemplars.into_iter().take(5).collect();
        incident.metric = self.metric(channel, inside.0, kinds);
    }

    /// How much more often the far ends of a case's calls are poor than expected.
    fn far_factor(&self, case: &Case, channel: usize, onset: Window) -> f64 {
        let baseline = Evidence {
            cases: &[],
            ..self.evidence(channel)
        };
        let (mut k, mut e) = (0.0, 0.0);
        for (_, slice) in self.ring.since(onset) {
            for ((near, far), counts) in &slice.pairs {
                let inside = |leaf: &u32| case.covers(self.dictionary.codes(*leaf));
                if inside(far) && !inside(near) {
                    k += real(counts.k[channel]);
                    e += baseline.expected(*near, counts.n[channel]);
                }
            }
        }
        f64::max((k + 2.0) / (e + 2.0), 1.0)
    }

    /// The channel that shows it most.
    fn metric(&self, channel: usize, n: f64, kinds: [f64; 4]) -> Text {
        let name = if WATCHED[channel] == dialtone_schemas::Channel::Quality {
            let evidence = |kind: usize| {
                let expected = (n * self.baseline.kind_rate(kind)).max(0.1);
                let seen = kinds[kind];
                if seen > expected {
                    seen * (seen / expected).ln() - (seen - expected)
                } else {
                    0.0
                }
            };
            let most = (0..4)
                .max_by(|a, b| evidence(*a).total_cmp(&evidence(*b)).then(b.cmp(a)))
                .unwrap_or(3);
            KINDS[most].name()
        } else {
            WATCHED[channel].name()
        };
        #[allow(clippy::expect_used, reason = "the channels' names are texts")]
        Text::new(name).expect("a text")
    }

    fn live_device(&self, case: &mut Case) {
        let Some(id) = case.incident.device_id.clone() else {
            return;
        };
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let Some((_, device)) = self.devices.of(|_| true).find(|(known, _)| **known == id) else {
            return;
        };
        let (n, k, e) = device.since(onset);
        case.sums = (n, k, e);
        let incident = &mut case.incident;
        incident.effect = round(k / e.max(0.1), 100.0);
        incident.evidence = vec![line("inside", (n, k, e))];
        incident.exemplar_calls = device.exemplars().to_vec();
    }

    fn match_complaints(&self, case: &mut Case, until: EventTime) {
        let from = case.incident.onset.from;
        let mut times: Vec<EventTime> = self
            .complaints
            .values()
            .filter(|c| (from..=until).contains(&c.complained_at) && self.is_about(c, case))
            .map(|c| c.complained_at)
            .collect();
        times.sort_unstable();
        case.incident.complaints = i64::try_from(times.len()).unwrap_or(i64::MAX);
        case.incident.first_complaint = times.first().copied();
        case.incident.third_complaint = times.get(2).copied();
    }

    /// A complaint is about an incident when it names its call, or nothing it says contradicts the scope and something of
    /// it agrees.
    fn is_about(&self, complaint: &Complaint, case: &Case) -> bool {
        if complaint
            .call_id
            .as_ref()
            .is_some_and(|call| case.incident.exemplar_calls.contains(call))
        {
            return true;
        }
        let mut agrees = false;
        for (dimension, value) in case.incident.scope.conditions() {
            match complaint.near.get(dimension) {
                Some(said) if said != value => return false,
                Some(_) => agrees = true,
                None => {}
            }
        }
        agrees
    }

    fn suspect(&self, case: &mut Case) {
        let conditions = &case.conditions;
        let overlap = |change: &Change| {
            let (mut both, mut of_cause, mut of_change) = (0.0, 0.0, 0.0);
            for (leaf, codes) in self.dictionary.leaves().iter().enumerate() {
                let weight = self.baseline.weight(u32::try_from(leaf).unwrap_or(u32::MAX));
                let touched = self.is_touched(change, codes);
                let inside = super::dictionary::covers(conditions, codes);
                both += if inside && touched { weight } else { 0.0 };
                of_cause += if inside { weight } else { 0.0 };
                of_change += if touched { weight } else { 0.0 };
            }
            let share = |of: f64| if of > 0.0 { both / of } else { 0.0 };
            let version = change.to_version.as_ref();
            let names_version = case
                .incident
                .scope
                .conditions()
                .any(|(_, value)| Some(value) == version);
            Overlap {
                of_cause: share(of_cause),
                of_change: share(of_change),
                names_version,
            }
        };
        let Onset { from, to } = case.incident.onset;
        let near =
            |change: &&Change| change.started_at <= to.plus(time::HOUR) && from.since(change.started_at) <= time::DAY;
        case.incident.suspected_changes = suspects(self.changes.values().filter(near), from, to, overlap);
        for suspect in &mut case.incident.suspected_changes {
            suspect.score = round(suspect.score, 1000.0);
        }
    }

    fn is_touched(&self, change: &Change, codes: &super::dictionary::Codes) -> bool {
        change.scope.0.iter().all(|(dimension, values)| {
            let name = self.dictionary.name(dimension.index(), codes[dimension.index()]);
            name.is_some_and(|name| values.contains(name))
        })
    }

    /// Learns what is old enough and in no incident; forgets what is too old.
    fn learn(&mut self, now: EventTime, config: &WatchConfig) {
        let old = Window::of_end(now.plus(-config.hold_off.micros()));
        let from = self.trained.unwrap_or_else(|| Window::of_end(EventTime::MIN));
        let mut learnt = Vec::new();
        for (window, slice) in self.ring.since(from).take_while(|(window, _)| **window < old) {
            for (leaf, counts) in &slice.leaves {
                let codes = self.dictionary.codes(*leaf);
                let during = |case: &Case| {
                    let closed = case.incident.closed.unwrap_or(EventTime::MAX);
                    case.covers(codes) && window.end() > case.incident.onset.from && window.start() < closed
                };
                if !self.cases.iter().any(during) {
                    learnt.push((*leaf, *counts));
                }
            }
        }
        for (leaf, counts) in learnt {
            self.baseline.learn(leaf, &counts);
            self.trained = Some(old);
        }
        self.ring.take_before(Window::of_end(now.plus(-config.memory.micros())));
        self.devices.expire(now);
        self.fit(now, config);
    }

    fn fit(&mut self, now: EventTime, config: &WatchConfig) {
        if self.trained.is_none() || self.fitted.is_some_and(|fitted| now.since(fitted) < FIT_EVERY) {
            return;
        }
        if let Some(fitted) = self.fitted {
            #[allow(clippy::cast_precision_loss, reason = "spans are far below 2^52 µs")]
            let lives = now.since(fitted) as f64 / config.half_life.micros().max(1) as f64;
            self.baseline.decay((-lives * std::f64::consts::LN_2).exp());
        }
        self.fitted = Some(now);
        let dispersion = [0, 1, 2].map(|channel: usize| self.detectors[channel].mean_dispersion());
        self.baseline.fit(self.dictionary.leaves(), dispersion);
        let horizon = now.plus(-MEMORY);
        self.changes.retain(|_, change| change.started_at > horizon);
        self.complaints.retain(|_, complaint| complaint.complained_at > horizon);
        self.controls.retain(|_, at| *at > horizon);
    }

    /// The alerts about new revisions.
    fn tell(&mut self, now: EventTime, config: &WatchConfig) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for case in &mut self.cases {
            case.incident.owner = owner_of(&config.owners, case.incident.layer, &case.incident.scope);
            if let Some(reason) = case.revision(now) {
                alerts.push(alert(&case.incident, reason, now));
            }
        }
        alerts
    }
}

/// How two scopes share their calls.
#[derive(Clone, Copy, Debug)]
struct Shared {
    /// Of the calls of either, the share that both cover.
    jaccard: f64,
    /// Of the calls of the smaller one, the share that both cover.
    of_smaller: f64,
}

/// The message about a revision.
fn alert(incident: &Incident, reason: AlertReason, now: EventTime) -> Alert {
    let silenced = incident.silenced_until.is_some_and(|until| until > now);
    let calls = matches!(reason, AlertReason::Opened | AlertReason::Escalated);
    let what = incident
        .device_id
        .as_ref()
        .map_or_else(|| incident.scope.to_string(), ToString::to_string);
    #[allow(clippy::expect_used, reason = "an id and a number are a text")]
    let alert_id = Text::new(format!("{}/{}", incident.id, incident.revision)).expect("a text");
    Alert {
        alert_id,
        reason,
        page: calls && !silenced,
        at: now,
        title: format!("{} at {what} since {}", incident.metric, incident.onset.from),
        incident: incident.clone(),
    }
}

fn line(group: &str, (n, k, e): (f64, f64, f64)) -> Line {
    #[allow(clippy::expect_used, reason = "a constant that is a text")]
    let group = Text::new(group).expect("a text");
    #[allow(clippy::cast_possible_truncation, reason = "sums of integer counts")]
    let (at_risk, poor) = (n as i64, k as i64);
    Line {
        group,
        at_risk,
        poor,
        expected: round(e, 10.0),
    }
}

/// Figures for people need no sixteen digits.
fn round(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}
