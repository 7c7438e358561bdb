//! Opening incidents: from what was noticed to a scope, an owner, an onset.

use dialtone_explain::Condition;
use dialtone_schemas::{
    Dimension, EventTime, Incident, Scope, Text, Window,
    incident::{Alternative, Onset, Severity},
    time,
};

use super::{
    Tenant,
    live::round,
    silent::{is_telemetry, silent},
};
use crate::{
    config::WatchConfig,
    watch::{
        baseline::real,
        book::{Basis, Case, id_of, severity},
        control::Control,
        detect::Alarm,
        device::{self, Device},
        dictionary::{Codes, covers},
        evidence::{Sum, WATCHED},
        locate::{Began, Located},
        owner::{layer_of, owner_of},
        volume::Silence,
    },
};

/// A scope that shares so much of its calls with an open incident is the same trouble.
pub(super) const SAME_TROUBLE: f64 = 0.8;
/// Two scopes that share so much of what either has are one, by two names.
const SAME_CALLS: f64 = 0.95;
/// What is poor on another channel is an open incident's where that has this share of its calls.
const HALF: f64 = 0.5;
/// A silence that begins within so long of an open incident is that one's dropped calls.
const AT_ONCE: i64 = 15 * time::MINUTE;
/// One device that has this share of a scope's excess is the cause itself.
const ONE_DEVICE: f64 = 0.6;
/// After a scan that explained nothing, the next one waits so long.
pub(super) const PATIENCE: i64 = 3 * time::MINUTE;

/// A fault that nothing tells apart touches this share of all at least: an excess of everything weighs the more on those that have it.
const OF_ALL: f64 = 0.25;
/// Expected poor call-ends that pull the ratio of everything towards 1.
const ALL_PRIOR: f64 = 25.0;
/// Where an excess of everything may have made those that have it so many times as bad, one device is asked whether it stands out of them.
const GENERAL: f64 = 2.0;

/// What came of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No scope explains what was noticed.
    Unexplained,
    /// What explains it is open already.
    Known,
    /// An incident was opened, or opened again.
    Opened,
}

/// What surrounds a device, as a multiple of what is usual.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// Those that share its values.
    alike: f64,
    /// A quarter of all, if all the excess of everything were theirs.
    few: f64,
}

/// How many times as bad a quarter of all is if all the excess is theirs: as much of it as is sure, which is one standard deviation less than
/// what is seen.
fn of_the_few(all: &Sum, dispersion: f64) -> f64 {
    let k = all.k.max(0.0);
    let sure = k - (dispersion * k).sqrt();
    let ratio = (sure + ALL_PRIOR) / (all.e + ALL_PRIOR);
    1.0 + (ratio - 1.0).max(0.0) / OF_ALL
}

/// What an excess says that consists of the excesses of single devices, of each so many poor and expected: that their mean is not nothing, where
/// their variance is what is seen, and no less than that of single call-ends. A normal likelihood ratio: m / 2 · ln(1 + S² / m / V), S the sum, V
/// the squares around the mean. A poor call-end of no known device is one of its own.
fn by_votes(sum: &Sum, votes: &[(f64, f64)]) -> f64 {
    let known: f64 = votes.iter().map(|(k, _)| k).sum();
    let unknown = (sum.k - known).max(0.0);
    let devices = (votes.iter().map(|_| 1.0).sum::<f64>() + unknown).max(1.0);
    let of_devices = unknown + votes.iter().map(|(k, e)| k - e).sum::<f64>();
    let squares = unknown + votes.iter().map(|(k, e)| (k - e).powi(2)).sum::<f64>();
    let around_mean = (squares - of_devices * of_devices / devices).max(sum.k).max(1.0);
    let excess = (sum.k - sum.e).max(0.0);
    devices / 2.0 * (excess * excess / devices / around_mean).ln_1p()
}

impl Tenant {
    /// Opens an incident for each cause of what the detectors noticed. Has quality opened any?
    pub(super) fn open_rates(&mut self, now: EventTime, alarms: [Vec<Alarm>; 3], config: &WatchConfig) -> bool {
        let mut has_opened = false;
        for (channel, alarms) in alarms.into_iter().enumerate() {
            let Some(strongest) = alarms.first().filter(|_| now >= self.scan_again[channel]) else {
                continue;
            };
            let outcome = self.open_causes(now, channel, &strongest.conditions, config);
            has_opened |= channel == 0 && outcome == Outcome::Opened;
            if outcome == Outcome::Unexplained {
                // Noticed, but no scope explains it against its own control: it must gather anew.
                self.detectors[channel].forget_cell(strongest.key);
                self.scan_again[channel] = now.plus(PATIENCE);
            } else {
                self.forget_above(channel, config);
            }
        }
        has_opened
    }

    /// Whatever has gathered beside what is open now gathers anew.
    pub(super) fn forget_above(&mut self, channel: usize, config: &WatchConfig) {
        let noticed = self.noticed_from(config) / 3.0;
        self.detectors[channel].forget_above(noticed);
        let of_levels = self.level_detectors.iter_mut().filter(|_| channel == 0);
        of_levels.for_each(|detector| detector.forget_above(noticed));
    }

    /// Opens an incident for each cause that is found where something was noticed.
    pub(super) fn open_causes(
        &mut self,
        now: EventTime,
        channel: usize,
        noticed: &[Condition],
        config: &WatchConfig,
    ) -> Outcome {
        // What was noticed has paid for the number of cells; the scope it leads to must pass as one. It has not paid for everything.
        let threshold = self.named_from(channel, config);
        let evidence = self.evidence(channel, config.indifference);
        let asked = self.asked(config);
        let located = evidence.locate(noticed, asked);
        let is_sure = |found: &Located| found.evidence >= if found.is_outside() { asked.outside } else { threshold };
        self.open_located(now, channel, located.into_iter().filter(is_sure), config)
    }

    /// Opens an incident for each of these.
    pub(super) fn open_located(
        &mut self,
        now: EventTime,
        channel: usize,
        located: impl IntoIterator<Item = Located>,
        config: &WatchConfig,
    ) -> Outcome {
        let open = |cases: &[Case]| cases.iter().filter(|case| case.is_open()).count();
        let before = open(&self.cases);
        let mut outcome = Outcome::Unexplained;
        for found in located {
            if self.open_rate(now, channel, found, config) {
                outcome = Outcome::Known;
            }
        }
        if open(&self.cases) > before {
            Outcome::Opened
        } else {
            outcome
        }
    }

    /// Opens an incident for a cause, unless one is open; or not yet, as long as what lies in no dimension may be all of it, or only the calls of others show
    /// it: then nothing explains it.
    pub(super) fn open_rate(&mut self, now: EventTime, channel: usize, found: Located, config: &WatchConfig) -> bool {
        let conditions = found.cause.best.conditions.clone();
        if let Some((id, device)) = self.one_device(channel, &found) {
            let is_its_own = self.is_its_own(&device, found.onset.best, config);
            if is_its_own {
                self.open_device(now, &id, &device, config);
            }
            return is_its_own;
        }
        if self.is_same_trouble(&conditions) {
            self.worsen(now, channel, &found);
            return true;
        }
        let closed: Vec<Text> = self.closed_about(channel, &conditions);
        let severe = severity_of(channel, &found, now);
        let began = found.onset.best.start();
        if let Some(case) = self.reopen((began, now), config, |case| closed.contains(&case.incident.id)) {
            case.incident.severity = severe;
            return true;
        }
        if self.may_be_outside(channel, &found, config) || self.is_of_others(channel, &found, config) {
            return false;
        }
        let scope = self.dictionary.scope(&conditions);
        let mut incident = self.incident(now, scope, (Basis::Rate(channel), None), found.onset, config);
        self.describe(&mut incident, &found);
        self.take_over(&mut incident, &conditions);
        let mut case = Case::new(incident, Basis::Rate(channel), conditions);
        case.does(found.cause.best.n, found.cause.best.k, found.cause.best.e);
        case.grows = found.onset.grows;
        self.cases.push(case);
        true
    }

    /// Aliases, alternatives and exemplars of a located cause.
    pub(super) fn describe(&self, incident: &mut Incident, found: &Located) {
        let scope = |conditions: &[Condition]| self.dictionary.scope(conditions);
        incident.explained_ratio = found.explained.map(|ratio| round(ratio, 100.0));
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

    /// Does one device have most of the scope's excess? Of devices quality is known.
    fn one_device(&self, channel: usize, found: &Located) -> Option<(Text, Device)> {
        let excess = found.cause.best.k - found.cause.best.e;
        let covers = |leaf: u32| covers(&found.cause.best.conditions, self.dictionary.codes(leaf));
        self.devices
            .of(|leaf| channel == 0 && covers(leaf))
            .map(|(id, device)| (id, device, device.since(found.onset.best)))
            .filter(|(_, _, (_, k, e))| k - e >= ONE_DEVICE * excess)
            .max_by(|a, b| a.2.1.total_cmp(&b.2.1).then_with(|| b.0.cmp(a.0)))
            .map(|(id, device, _)| (id.clone(), device.clone()))
    }

    /// Is there an open incident that has most of these calls? One outside the dimensions has all of them, and is another trouble than
    /// that of any scope.
    fn is_same_trouble(&self, conditions: &[Condition]) -> bool {
        let is_of_all = |case: &Case| case.is_outside() && case.basis != Basis::Volume;
        self.have_most(conditions, |case| match conditions.is_empty() {
            true => is_of_all(case),
            false => !case.is_outside(),
        })
    }

    /// Is a silence part of another that is open?
    fn is_of_a_silence(&self, conditions: &[Condition], now: EventTime) -> bool {
        let is_mute = self.is_mute_still(now);
        self.have_most(conditions, |case| match case.basis {
            // Whoever was called about it looks at both.
            Basis::Volume if conditions.is_empty() => !is_telemetry(case) || case.called.is_some(),
            Basis::Volume => case.has_scope() || is_mute,
            Basis::Rate(_) => false,
        })
    }

    /// Is a silence what was noticed just now by the calls that it cut off? What was worse before it hides no outage.
    fn is_noticed_by_its_calls(&self, silence: &Silence, began: Window) -> bool {
        let conditions: Vec<Condition> = silence.condition.into_iter().collect();
        let is_young = i64::from(silence.minutes) * time::MINUTE <= AT_ONCE;
        let of_calls = |case: &Case| case.basis != Basis::Volume && case.has_scope() && began_with(case, began);
        is_young && !conditions.is_empty() && self.have_most(&conditions, of_calls)
    }

    /// Have open incidents of these most of the calls?
    fn have_most(&self, conditions: &[Condition], is_one: impl Fn(&Case) -> bool) -> bool {
        let is_open = |case: &&Case| case.is_open() && case.incident.device_id.is_none() && is_one(case);
        let open: Vec<&Case> = self.cases.iter().filter(is_open).collect();
        let is_held = |codes: &Codes| open.iter().any(|case| case.covers(codes));
        let shared = self.shared(|codes| covers(conditions, codes), is_held);
        shared.first <= 0.0 || shared.of_first >= SAME_TROUBLE
    }

    /// Calls of an open incident turn bad in another way as well: it is one trouble, and as bad as the worst of it, which its evidence shows.
    fn worsen(&mut self, now: EventTime, channel: usize, found: &Located) {
        let best = &found.cause.best;
        let of_calls = |case: &Case| (0..WATCHED.len()).any(|of| case.is_of_calls(of));
        let is_one = |case: &&Case| case.is_open() && of_calls(case) && case.is_outside() == best.conditions.is_empty();
        let shared = |case: &Case| self.overlap(&best.conditions, &case.conditions).of_first;
        let most = (0..).zip(&self.cases).filter(|(_, case)| is_one(case));
        let most = most.map(|(i, case)| (i, shared(case)));
        let most = most.filter(|(_, shared)| *shared >= HALF);
        let Some((i, _)) = most.max_by(|a: &(usize, f64), b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else {
            return;
        };
        if !self.cases[i].is_of_calls(channel) {
            let severe = severity_of(channel, found, now);
            self.cases[i].is_poor_too(channel, (best.n, best.k, best.e), severe);
        }
    }

    /// The incidents that are closed and were about these calls, by this name or by another that means the same.
    fn closed_about(&self, channel: usize, conditions: &[Condition]) -> Vec<Text> {
        let is_same = |case: &&Case| {
            case.conditions == *conditions
                || case.has_scope() && self.overlap(&case.conditions, conditions).jaccard >= SAME_CALLS
        };
        let of_calls = self
            .cases
            .iter()
            .filter(|case| !case.is_open() && case.is_of_calls(channel));
        of_calls.filter(is_same).map(|case| case.incident.id.clone()).collect()
    }

    /// Opens again what was closed a while ago about the same: bad since then, as is seen now.
    fn reopen(
        &mut self,
        (began, now): (EventTime, EventTime),
        config: &WatchConfig,
        same: impl Fn(&Case) -> bool,
    ) -> Option<&mut Case> {
        let is_recent = |closed: EventTime| now.since(closed) <= config.reopen.micros();
        // What was accepted is over for good: should it turn worse than that, it is another one. What was absorbed never recovered.
        let recent = |case: &&mut Case| {
            let is_for_good = case.incident.accepted.is_some() || case.incident.absorbed_by.is_some();
            case.incident.closed.is_some_and(is_recent) && !is_for_good && same(case)
        };
        let case = self.cases.iter_mut().find(recent)?;
        case.reopen(began, config.memory.micros().max(device::MEMORY));
        Some(case)
    }

    fn incident(
        &self,
        now: EventTime,
        scope: Scope,
        (basis, device_id): (Basis, Option<Text>),
        onset: Began,
        config: &WatchConfig,
    ) -> Incident {
        let id = |clash| id_of(&self.name, &scope, device_id.as_ref(), basis, onset.best.start(), clash);
        let is_free = |id: &Text| self.cases.iter().all(|case| case.incident.id != *id);
        let id = (0..).map(id).find(is_free).unwrap_or_else(|| id(u32::MAX));
        let layer = layer_of(&scope, device_id.is_some());
        let owner = owner_of(&config.owners, layer, &scope).team;
        Incident {
            device_id,
            layer,
            ..Incident::opened(id, self.name.clone(), scope, owner, span_of(onset), now)
        }
    }

    pub(super) fn open_silences(&mut self, now: EventTime, silences: Vec<Silence>, config: &WatchConfig) {
        for silence in silences {
            let conditions: Vec<Condition> = silence.condition.into_iter().collect();
            // What closes now ended a bound ago, so the first of the silent minutes is this one.
            let began = Window::of_end(now.plus(-i64::from(silence.minutes) * time::MINUTE));
            let named_so = self.named_so(&conditions, began);
            let is_known = named_so.is_some_and(|i| self.cases[i].basis == Basis::Volume);
            if is_known || named_so.is_none() && self.is_of_a_silence(&conditions, now) {
                continue;
            }
            if let Some(i) = named_so.or_else(|| self.cut_off_by(&conditions, began)) {
                // It was noticed by its dropped calls first.
                self.turn_to(i, &conditions);
                silent(&mut self.cases[i], &silence, began);
                self.volume.is_out(&silence);
                continue;
            }
            if self.is_noticed_by_its_calls(&silence, began) {
                continue;
            }
            self.volume.is_out(&silence);
            let closed = |case: &Case| case.basis == Basis::Volume && case.conditions == conditions;
            if let Some(case) = self.reopen((began.start(), now), config, closed) {
                silent(case, &silence, began);
                continue;
            }
            let scope = self.dictionary.scope(&conditions);
            let incident = self.incident(now, scope, (Basis::Volume, None), at_once(began), config);
            let mut case = Case::new(incident, Basis::Volume, conditions);
            silent(&mut case, &silence, began);
            self.cases.push(case);
        }
    }

    /// The open incident about a silence of this very name, or about calls that turned poor as it began.
    fn named_so(&self, conditions: &[Condition], began: Window) -> Option<usize> {
        let is_one = |case: &Case| match case.basis {
            Basis::Volume => true,
            Basis::Rate(_) => case.has_scope() && began_with(case, began),
        };
        let is_it = |case: &Case| case.is_open() && case.conditions == *conditions && is_one(case);
        self.cases.iter().position(is_it)
    }

    /// The open incident of failed setups or dropped calls that began with a silence, most of whose calls are those that it took, and half of those:
    /// of several the one that has most of them. None that people have spoken of: they spoke of another scope.
    fn cut_off_by(&self, conditions: &[Condition], began: Window) -> Option<usize> {
        if conditions.is_empty() {
            return None;
        }
        let is_cut_off = |case: &Case| matches!(case.basis, Basis::Rate(channel) if channel > 0) && case.has_scope();
        let is_young = |case: &Case| began_with(case, began) && !is_spoken_of(&case.incident);
        let is_one = |case: &Case| case.is_open() && is_cut_off(case) && is_young(case);
        let noticed = (0..).zip(&self.cases).filter(|(_, case)| is_one(case));
        let shared = noticed.map(|(i, case)| (i, self.overlap(conditions, &case.conditions)));
        let most = shared.filter(|(_, shared)| shared.jaccard >= HALF && shared.of_second >= SAME_TROUBLE);
        most.max_by(|a: &(usize, Shared), b| a.1.jaccard.total_cmp(&b.1.jaccard).then(b.0.cmp(&a.0)))
            .map(|(i, _)| i)
    }

    /// An incident is about these calls rather than those it was noticed by; whose it is then, is said when it is told.
    fn turn_to(&mut self, i: usize, conditions: &[Condition]) {
        let case = &mut self.cases[i];
        if case.conditions == *conditions {
            return;
        }
        let scope = self.dictionary.scope(conditions);
        (case.incident.layer, case.incident.scope) = (layer_of(&scope, false), scope);
        (case.incident.aliases, case.incident.alternatives) = (Vec::new(), Vec::new());
        case.conditions = conditions.to_vec();
    }

    pub(super) fn open_devices(&mut self, now: EventTime, config: &WatchConfig) {
        let threshold = self.one_device_from(config);
        for (id, device) in self.devices.alarms(threshold) {
            if self.is_told(&id, device.leaf) || self.stands_out(&device, threshold) {
                self.open_device(now, &id, &device, config);
            }
        }
    }

    /// Is a device as bad as that against what surrounds it in the same hours? Where all that it shares with others is worse than usual as well,
    /// its trouble is not its own; nor where everything is, as far as a few may have all of that.
    fn stands_out(&self, device: &Device, threshold: f64) -> bool {
        let Some(onset) = device.onset() else { return false };
        let Around { alike, few } = self.around(device, onset.best);
        device.evidence_beside(onset.best, alike.max(few)) >= threshold
    }

    /// Is what one device has of a scope's excess its own trouble, even where everything is much worse?
    fn is_its_own(&self, device: &Device, since: Window, config: &WatchConfig) -> bool {
        if self.is_broken_outside() {
            return false;
        }
        let is_general = self.around(device, since).few >= GENERAL;
        !is_general || self.stands_out(device, self.one_device_from(config))
    }

    /// How everybody else is since a window, beyond what open incidents explain.
    fn around(&self, device: &Device, since: Window) -> Around {
        let evidence = self.evidence(0, 1.0);
        let mut others = evidence.sums(self.ring.since(since));
        for (leaf, own) in device.since_by_leaf(since) {
            if let Some(sum) = others.get_mut(&leaf) {
                *sum = sum.without(&own);
            }
        }
        let mut all = Sum::default();
        others.values().for_each(|sum| all.add(*sum));
        let control = Control::of_sums(&others, &self.dictionary, evidence.drift);
        Around {
            alike: control.of(self.dictionary.codes(device.leaf)).max(1.0),
            few: of_the_few(&all, evidence.dispersion_of_all(all.e)),
        }
    }

    /// Is quality worse in no dimension? Nothing tells who has that; of devices only quality is known.
    fn is_broken_outside(&self) -> bool {
        let is_one = |case: &Case| case.is_of_calls(0) && case.is_outside() && case.is_at_work();
        self.cases.iter().any(is_one)
    }

    /// May a scope be poor because something is broken in no dimension? Those who have that may sit together anywhere, so that a scope must be
    /// bad by its devices' votes as well.
    pub(super) fn may_be_outside(&self, channel: usize, found: &Located, config: &WatchConfig) -> bool {
        channel == 0
            && !found.is_outside()
            && self.is_broken_outside()
            && self.by_devices(found, config) < self.named_from(channel, config)
    }

    /// What the excess of a scope since its onset says where each device has one vote, in nats.
    fn by_devices(&self, found: &Located, config: &WatchConfig) -> f64 {
        let (conditions, onset) = (&found.cause.best.conditions, found.onset.best);
        let (sum, _) = self.evidence(0, config.indifference).stands(conditions, onset);
        let is_inside = |leaf: &u32| covers(conditions, self.dictionary.codes(*leaf));
        let votes = self.devices.of(|_| true).filter_map(|(_, device)| {
            let mut inside = Sum::default();
            let leaves = device.since_by_leaf(onset).into_iter();
            leaves
                .filter(|(leaf, _)| is_inside(leaf))
                .for_each(|(_, own)| inside.add(own));
            (inside.n > 0.0).then_some((inside.k, inside.e))
        });
        by_votes(&sum, &votes.collect::<Vec<_>>())
    }

    /// Is an incident open of this device, of a scope that its leaf lies in, or of what lies in no dimension, which any device may have?
    fn is_told(&self, id: &Text, leaf: u32) -> bool {
        let codes = self.dictionary.codes(leaf);
        let tells =
            |case: &Case| case.incident.device_id.as_ref() == Some(id) || case.has_scope() && case.covers(codes);
        self.is_broken_outside() || self.cases.iter().any(|case| case.is_open() && tells(case))
    }

    fn open_device(&mut self, now: EventTime, id: &Text, device: &Device, config: &WatchConfig) {
        self.devices.forget(id);
        if self.is_told(id, device.leaf) {
            return;
        }
        let onset = device.onset();
        let began = onset.map_or(now, |onset| onset.best.start());
        let is_its = |case: &Case| case.incident.device_id.as_ref() == Some(id);
        if self.reopen((began, now), config, is_its).is_some() {
            return;
        }
        let Some(onset) = onset else { return };
        let codes = *self.dictionary.codes(device.leaf);
        let place = [Dimension::Site, Dimension::Segment, Dimension::Device];
        let conditions: Vec<Condition> = place
            .into_iter()
            .map(|d| Condition {
                attribute: d.index(),
                code: codes[d.index()],
            })
            .filter(|c| c.code != 0)
            .collect();
        let scope = self.dictionary.scope(&conditions);
        let incident = self.incident(now, scope, (Basis::Rate(0), Some(id.clone())), onset, config);
        self.cases.push(Case::new(incident, Basis::Rate(0), conditions));
    }

    /// How two scopes share their calls.
    pub(super) fn overlap(&self, a: &[Condition], b: &[Condition]) -> Shared {
        self.shared(|codes| covers(a, codes), |codes| covers(b, codes))
    }

    /// How those of one kind and those of another share their calls.
    pub(super) fn shared(&self, is_a: impl Fn(&Codes) -> bool, is_b: impl Fn(&Codes) -> bool) -> Shared {
        let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
        for (leaf, codes) in self.dictionary.leaves().iter().enumerate() {
            let (in_a, in_b) = (is_a(codes), is_b(codes));
            if !in_a && !in_b {
                continue;
            }
            let weight = self.baseline.weight(u32::try_from(leaf).unwrap_or(u32::MAX));
            both += if in_a && in_b { weight } else { 0.0 };
            of_a += if in_a { weight } else { 0.0 };
            of_b += if in_b { weight } else { 0.0 };
        }
        let share = |of: f64| if of > 0.0 { both / of } else { 0.0 };
        Shared {
            first: of_a,
            jaccard: share(of_a + of_b - both),
            of_smaller: share(of_a.min(of_b)),
            of_first: share(of_a),
            of_second: share(of_b),
        }
    }
}

/// Did a case begin with a silence?
fn began_with(case: &Case, began: Window) -> bool {
    case.incident.onset.from.since(began.start()).abs() <= AT_ONCE
}

/// Have people silenced an incident, given it to another team or judged its cause?
const fn is_spoken_of(incident: &Incident) -> bool {
    incident.silenced_until.is_some() || incident.reassigned.is_some() || incident.verdict.is_some()
}

/// What begins in one window.
const fn at_once(began: Window) -> Began {
    Began {
        from: began,
        best: began,
        to: began,
        grows: false,
    }
}

pub(super) const fn span_of(began: Began) -> Onset {
    Onset {
        from: began.from.start(),
        to: began.to.end(),
    }
}

/// How two scopes share their calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// The usual calls of the first one.
    first: f64,
    /// Of the calls of either, the share that both cover.
    pub(super) jaccard: f64,
    /// Of the calls of the smaller one, the share that both cover.
    pub(super) of_smaller: f64,
    /// Of the calls of the first one, the share that both cover.
    pub(super) of_first: f64,
    /// Of the calls of the second one, the share that both cover.
    pub(super) of_second: f64,
}

/// How bad a located cause is by what its calls show since its onset.
fn severity_of(channel: usize, found: &Located, now: EventTime) -> Severity {
    let best = &found.cause.best;
    let minutes = real(now.since(found.onset.best.start()) / time::MINUTE).max(1.0);
    severity(Basis::Rate(channel), best.n, best.k, (best.k - best.e) / minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Excesses of ten by each of two devices: 20 poor, V = 20 as of single call-ends, 2 / 2 · ln(1 + 400 / 2 / 20) = 2.4 nats; of ten by each of
    /// fifteen, 15 / 2 · ln(1 + 150² / 15 / 150) = 18. Thirty by three of nine: V = 300 − 900 / 9 = 200, 9 / 2 · ln(1 + 900 / 9 / 200) = 1.8. Thirty
    /// whose devices nobody knows: 30 / 2 · ln(1 + 30² / 30 / 30) = 10.4.
    #[test]
    fn an_excess_of_few_devices_says_little_of_their_scope() {
        let all = |k: f64| Sum { n: 1000.0, k, e: 0.0 };
        let mut three_of_nine = [(0.0, 0.0); 9];
        three_of_nine[..3].fill((10.0, 0.0));
        let said = [
            by_votes(&all(20.0), &[(10.0, 0.0); 2]),
            by_votes(&all(150.0), &[(10.0, 0.0); 15]),
            by_votes(&all(30.0), &three_of_nine),
            by_votes(&all(30.0), &[]),
        ];
        let right = [2.398, 17.98, 1.825, 10.397];
        assert!(said.iter().zip(right).all(|(a, b)| (a - b).abs() < 0.01), "{said:?}");
    }

    /// Of 100 expected 240 were poor, 19 of which may be chance: (221 + 25) / (100 + 25) = 1.97 times, which a quarter of all shows where it is
    /// 1 + 0.97 · 4 = 4.9 times as bad. 110 of 100 may be chance.
    #[test]
    fn an_excess_of_everything_may_lie_on_a_quarter_of_it() {
        let all = |k: f64| Sum {
            n: 10_000.0,
            k,
            e: 100.0,
        };
        let worse = [240.0, 110.0, -1.0].map(|k| of_the_few(&all(k), 1.5));
        assert!((worse[0] - 4.87).abs() < 0.01, "{worse:?}");
        assert!(worse[1..].iter().all(|worse| (worse - 1.0).abs() < 1e-9), "{worse:?}");
    }
}
