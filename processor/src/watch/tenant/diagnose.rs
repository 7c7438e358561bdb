//! What the numbers say of an incident besides its cause: how each layer of its calls' path stands, and what could be told from it.

use dialtone_explain::{Part, Quadrants};
use dialtone_schemas::{
    Dimension, EventTime, Text, Window,
    incident::{Evidence as Line, Layer, LayerStanding, Rival},
};

use super::{
    Tenant,
    live::{Held, line, round, says_also, whole},
    same::Same,
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        control::CONTROL,
        device,
        dictionary::covers,
        evidence::Sum,
        locate::Evidence,
        owner::layer_at,
        path::{Found, Leaf, Wander, layers},
    },
};

/// Scopes that share so much of their calls are rivals; from the second on they are one.
const RIVALS: std::ops::Range<f64> = 0.5..0.95;

impl Tenant {
    /// Looks at the path and the rivals of one incident, where it is about a scope, at what was before, whom it touches and what its busiest hour
    /// will cost.
    pub(super) fn diagnose(&mut self, i: usize, now: EventTime, config: &WatchConfig) {
        let peak = self.peak(&self.cases[i], now);
        let incident = &mut self.cases[i].incident;
        (incident.peak_at, incident.peak_poor_minutes) = (peak.from, peak.poor_minutes);
        let Basis::Rate(channel) = self.cases[i].basis else {
            self.diagnose_silence(i);
            return;
        };
        if !self.cases[i].is_at_work() {
            return;
        }
        if self.cases[i].has_scope() {
            self.diagnose_scope(i, channel, config);
        }
        let (case, held) = (&self.cases[i], Held::by(&self.cases));
        let touched = self.touched(case, channel, &held);
        let before = self.before(case, channel, &held, now, config);
        let case = &mut self.cases[i];
        (case.incident.devices, case.incident.users) = touched;
        if let Some(before) = before {
            // Of one device there is nothing outside since the onset.
            let since = if case.incident.device_id.is_some() { 1 } else { 2 };
            case.incident.evidence.truncate(since);
            case.incident.evidence.extend(before);
            says_also(case);
        }
    }

    /// The path of a scope's calls, its rivals, and what the same devices and people say of them.
    fn diagnose_scope(&mut self, i: usize, channel: usize, config: &WatchConfig) {
        let mut others = self.cases.clone();
        let case = others.remove(i);
        let evidence = Evidence {
            cases: &others,
            ..self.evidence(channel, config.indifference)
        };
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let sums: Vec<(u32, Sum)> = evidence.beside(&case.conditions, onset).into_iter().collect();
        let minutes = self.ring.since(onset).count();
        let path = self.path(&case, &sums, &evidence, minutes);
        let mut rivals = self.rivals(&case, &sums, &evidence);
        // Devices are followed for the quality of their calls.
        let same = (channel == 0).then(|| self.same(&case, onset, &mut rivals));
        let incident = &mut self.cases[i].incident;
        (incident.layers, incident.rivals) = (Some(path), Some(rivals));
        (incident.crossovers, incident.user_crossovers) = same.map_or((None, None), Same::told);
    }

    /// How many devices and people were poor in its calls since the onset, as far as devices are followed: for the quality of their calls. One
    /// device is not counted, those who used it are.
    fn touched(&self, case: &Case, channel: usize, held: &Held) -> (Option<i64>, Option<i64>) {
        if channel > 0 {
            return (None, None);
        }
        let onset = Window::of_end(case.incident.onset.from.plus(1));
        let (devices, users) = if let Some(id) = &case.incident.device_id {
            let device = self.devices.get(id);
            (None, device.map_or(0, |device| device.poor_users(onset)))
        } else {
            let is_its = |leaf: u32| held.leave(case, channel, self.dictionary.codes(leaf));
            let touched = self.devices.poor(onset, is_its);
            (Some(counted(touched.devices)), touched.users)
        };
        (devices, Some(counted(users)).filter(|users| *users > 0))
    }

    /// The lines of the evidence table about the hours before the onset, as long as these are remembered. What lies in no dimension has no outside: the
    /// other calls are those that open incidents hold.
    fn before(
        &self,
        case: &Case,
        channel: usize,
        held: &Held,
        now: EventTime,
        config: &WatchConfig,
    ) -> Option<Vec<Line>> {
        let onset = case.incident.onset.from;
        if let Some(id) = &case.incident.device_id {
            return self.before_of_device(id, onset, now);
        }
        let from = onset.plus(-CONTROL.min(config.memory.micros() / 2));
        if now.since(from) > config.memory.micros() {
            return None;
        }
        let windows = self.ring.since(Window::of_end(from.plus(1)));
        let before = windows.take_while(|(window, _)| window.end() <= onset);
        let (mut inside, mut outside) = (Sum::default(), Sum::default());
        for (leaf, sum) in self.usual(channel, config.indifference).sums(before) {
            let is_inside = held.leave(case, channel, self.dictionary.codes(leaf));
            if is_inside { &mut inside } else { &mut outside }.add(sum);
        }
        let told = |group, sum: Sum| line(group, (sum.n, sum.k, sum.e));
        let outside = case.has_scope().then(|| told("outside before", outside));
        Some([told("inside before", inside)].into_iter().chain(outside).collect())
    }

    /// The same of one device, if anything was reported of it after it was known and before the onset.
    fn before_of_device(&self, id: &Text, onset: EventTime, now: EventTime) -> Option<Vec<Line>> {
        let from = onset.plus(-CONTROL);
        if now.since(from) > device::MEMORY {
            return None;
        }
        let (n, k, e) = self.devices.get(id)?.before(Window::of_end(from.plus(1)), onset);
        (n > 0.0).then(|| vec![line("inside before", (n, k, e))])
    }

    fn path(&self, case: &Case, sums: &[(u32, Sum)], evidence: &Evidence<'_>, minutes: usize) -> Vec<LayerStanding> {
        let leaves: Vec<Leaf<'_>> = sums
            .iter()
            .map(|(leaf, sum)| {
                let codes = self.dictionary.codes(*leaf);
                Leaf {
                    codes,
                    is_inside: case.covers(codes),
                    sum: *sum,
                }
            })
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "minutes of hours")]
        let minutes = minutes.max(1) as f64;
        let wander = |dimension: Dimension, expected: f64| Wander {
            zone: evidence.zone(&[dimension.index()]),
            dispersion: evidence.dispersion_of(&[dimension.index()], expected / minutes),
        };
        let layer_at = |dimension: Dimension, code: u32| self.layer_of_value(dimension, code);
        let found = layers(&leaves, case.incident.layer, wander, layer_at);
        found.into_iter().map(|found| self.standing(case, &found)).collect()
    }

    /// The layer at which a value of a dimension is passed.
    pub(super) fn layer_of_value(&self, dimension: Dimension, code: u32) -> Layer {
        let name = self.dictionary.name(dimension.index(), code);
        name.map_or(Layer::Unknown, |name| layer_at(dimension, name))
    }

    /// As it is told.
    pub(super) fn standing(&self, case: &Case, found: &Found) -> LayerStanding {
        let of_value = |(dimension, code): (Dimension, u32)| {
            self.dictionary.scope(&[dialtone_explain::Condition {
                attribute: dimension.index(),
                code,
            }])
        };
        let is_cause = found.layer == case.incident.layer;
        LayerStanding {
            layer: found.layer,
            standing: found.standing,
            scope: match found.value {
                None if is_cause => case.incident.scope.clone(),
                value => value.map(of_value).unwrap_or_default(),
            },
            at_risk: whole(found.sum.n),
            poor: whole(found.sum.k),
            expected: round(found.sum.e, 10.0),
        }
    }

    /// What tells the cause from each alternative that has half or more of the same calls.
    fn rivals(&self, case: &Case, sums: &[(u32, Sum)], evidence: &Evidence<'_>) -> Vec<Rival> {
        let of = |alternative: &dialtone_schemas::incident::Alternative| {
            let conditions = self.dictionary.conditions(&alternative.scope)?;
            let jaccard = self.overlap(&case.conditions, &conditions).jaccard;
            if !RIVALS.contains(&jaccard) {
                return None;
            }
            let mut quadrants = Quadrants::default();
            for (leaf, Sum { n, k, e }) in sums {
                let codes = self.dictionary.codes(*leaf);
                let part: &mut Part = match (case.covers(codes), covers(&conditions, codes)) {
                    (true, true) => &mut quadrants.both,
                    (true, false) => &mut quadrants.suspect,
                    (false, true) => &mut quadrants.rival,
                    (false, false) => &mut quadrants.neither,
                };
                part.add(*n, *k, *e);
            }
            let dispersion = evidence.drift.fine();
            let held = quadrants.suspect_held(dispersion);
            let missing = quadrants.calls_missing(case.factor, dispersion);
            Some(Rival {
                scope: alternative.scope.clone(),
                jaccard: round(jaccard, 100.0),
                held: round(held.ratio, 100.0),
                held_low: round(held.low, 100.0),
                calls_missing: missing.map(whole),
            })
        };
        case.incident.alternatives.iter().filter_map(of).collect()
    }
}

pub(super) fn counted(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Incident, Scope, incident::Onset, time};

    use super::*;
    use crate::watch::{
        device::Reported,
        evidence::Counts,
        tenant::drive::{Drive, day, leaf, site, text, two},
    };

    fn opened(tenant: &Tenant, scope: &Scope, channel: usize, at: EventTime) -> Case {
        let onset = Onset { from: at, to: at };
        let incident = Incident::opened(text("i-1"), text("acme"), scope.clone(), text("lan"), onset, at);
        let conditions = tenant.dictionary.conditions(scope).expect("known");
        Case::new(incident, Basis::Rate(channel), conditions)
    }

    /// Somebody's call-end on a device at a site in the minute from then on, poor or not.
    fn call(tenant: &mut Tenant, (id, user): (&str, &str), place: &str, from: EventTime, poor: i64) {
        let counts = Counts {
            n: [1, 0, 0],
            k: [poor, 0, 0],
            ..Counts::default()
        };
        let (leaf, user) = (tenant.dictionary.leaf(&leaf(place, "Aural 20")), text(user));
        let of = Reported {
            leaf,
            window: Window::of_end(from.plus(1)),
            counts: &counts,
            partition: 0,
            expected: 0.05,
            exemplars: &[],
            user: Some(&user),
        };
        tenant.devices.add(&text(id), &of);
    }

    /// From Tuesday nine o'clock on something is broken in no dimension, and Berlin besides. In the three hours before, Lyon had 180 · 60 call-ends, of which one in
    /// fifty was poor: 216. Berlin's are Berlin's, and so is Bob, who is poor there; Ann is in Lyon. Of setups nobody knows whom they touch.
    #[test]
    fn what_lies_in_no_dimension_is_told_with_what_was_before_and_whom_it_touches() {
        let mut drive = Drive::new();
        drive.until(day(1, 9), |_| two(0.02, 0.02));
        let (now, tenant) = (drive.now(), &mut drive.tenant);
        call(tenant, ("phone", "ann"), "lyon", now, 1);
        call(tenant, ("laptop", "bob"), "berlin", now, 1);
        for (channel, poor, touched) in [(0, 215_i64..=217, Some(1)), (1, 0..=0, None)] {
            tenant.cases = vec![
                opened(tenant, &Scope::default(), channel, now),
                opened(tenant, &site("berlin"), channel, now),
            ];
            tenant.diagnose(0, now, &drive.config);
            let incident = &tenant.cases[0].incident;
            let [before] = incident.evidence.as_slice() else {
                panic!("one line: {:?}", incident.evidence)
            };
            assert_eq!((before.group.as_str(), before.at_risk), ("inside before", 10_800));
            assert!(poor.contains(&before.poor), "{before:?}");
            assert_eq!((incident.devices, incident.users), (touched, touched));
            assert!(incident.layers.is_none() && incident.rivals.is_none(), "{incident:?}");
        }
    }

    /// The phone of a room is known by a poor call, has forty good ones after that, of 40 · 0.05 = 2 expected poor ones, and is poor from then on in Ann's hands; in Bob's it
    /// was before. A minute later, when nothing but its sums is looked at, both lines are there still.
    #[test]
    fn one_device_is_told_with_what_it_was_before_and_who_is_poor_on_it() {
        let mut drive = Drive::new();
        drive.until(day(0, 1), |_| two(0.02, 0.02));
        let (onset, tenant) = (drive.now(), &mut drive.tenant);
        let minute = |minute: i64| onset.plus(minute * time::MINUTE);
        call(tenant, ("room", "bob"), "berlin", minute(-41), 1);
        for before in -40..0 {
            call(tenant, ("room", "bob"), "berlin", minute(before), 0);
        }
        tenant.devices.expire(onset);
        for since in 0..5 {
            call(tenant, ("room", "ann"), "berlin", minute(since), 1);
        }
        let mut case = opened(tenant, &site("berlin"), 0, onset);
        case.incident.device_id = Some(text("room"));
        tenant.cases = vec![case];
        for now in [minute(5), minute(6)] {
            tenant.live(now, &drive.config);
            let case = &mut tenant.cases[0];
            case.sent = Some(case.incident.clone());
            let Incident {
                evidence,
                devices,
                users,
                ..
            } = &case.incident;
            let told = evidence
                .iter()
                .map(|line| (line.group.as_str(), line.at_risk, line.poor));
            assert_eq!(told.collect::<Vec<_>>(), [("inside", 5, 5), ("inside before", 40, 0)]);
            assert!((evidence[1].expected - 2.0).abs() < 1e-9, "{evidence:?}");
            assert_eq!((*devices, *users), (None, Some(1)));
        }
    }
}
