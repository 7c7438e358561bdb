//! Opening incidents: from what was noticed to a scope, an owner, an onset; and following a young incident's scope.

use dialtone_explain::{Condition, Settings};
use dialtone_schemas::{
    Dimension, EventTime, Incident, Scope, State, Text, Window,
    incident::{Alternative, Onset, Severity},
    time,
};

use super::Tenant;
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case, id_of},
        detect::Alarm,
        device::Device,
        dictionary::covers,
        locate::{Evidence, Located},
        owner::{layer_of, owner_of},
        volume::Silence,
    },
};

/// A young incident is located again every five minutes for so long.
const YOUNG: i64 = 30 * time::MINUTE;
/// A scope that shares so much of its calls with an open incident is the same trouble.
const SAME_TROUBLE: f64 = 0.8;
/// One device that has this share of a scope's excess is the cause itself.
const ONE_DEVICE: f64 = 0.6;
/// After a scan that explained nothing, the next one waits so long.
const PATIENCE: i64 = 3 * time::MINUTE;

impl Tenant {
    fn settings(&self, channel: usize, config: &WatchConfig) -> Settings {
        let dispersion = self.detectors[channel].mean_dispersion();
        Settings {
            min_excess: config.min_excess,
            dispersion,
            ..Settings::default()
        }
    }

    /// Opens an incident for each cause of what the detectors noticed.
    pub(super) fn open_rates(&mut self, now: EventTime, alarms: [Vec<Alarm>; 3], config: &WatchConfig) {
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
        let covers = |leaf: u32| covers(conditions, self.dictionary.codes(leaf));
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
            if covers(conditions, codes) {
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

    pub(super) fn open_silences(&mut self, now: EventTime, silences: Vec<Silence>, config: &WatchConfig) {
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

    pub(super) fn open_devices(&mut self, now: EventTime, config: &WatchConfig) {
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
    pub(super) fn locate_again(&mut self, now: EventTime, config: &WatchConfig) {
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
            let (in_a, in_b) = (covers(a, codes), covers(b, codes));
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
}

/// How two scopes share their calls.
#[derive(Clone, Copy, Debug)]
struct Shared {
    /// Of the calls of either, the share that both cover.
    jaccard: f64,
    /// Of the calls of the smaller one, the share that both cover.
    of_smaller: f64,
}
