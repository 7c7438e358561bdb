//! What the numbers say of an incident besides its cause: how each layer of its calls' path stands, and what could be told from it.

use dialtone_explain::{Part, Quadrants};
use dialtone_schemas::{
    Dimension, EventTime, Window,
    incident::{Evidence as Line, Layer, LayerStanding, Rival},
};

use super::{
    Tenant,
    live::{line, round, says_also, whole},
    same::Same,
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        control::CONTROL,
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
    /// Looks at the path and the rivals of one incident, at what was before, whom it touches and what its busiest hour will cost.
    pub(super) fn diagnose(&mut self, i: usize, now: EventTime, config: &WatchConfig) {
        let peak = self.peak(&self.cases[i], now);
        let incident = &mut self.cases[i].incident;
        (incident.peak_at, incident.peak_poor_minutes) = (peak.from, peak.poor_minutes);
        let Basis::Rate(channel) = self.cases[i].basis else {
            self.diagnose_silence(i);
            return;
        };
        if !self.cases[i].is_at_work()
            || self.cases[i].conditions.is_empty()
            || self.cases[i].incident.device_id.is_some()
        {
            return;
        }
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
        let is_inside = |leaf: u32| case.covers(self.dictionary.codes(leaf));
        let touched = (channel == 0).then(|| self.devices.poor(onset, is_inside));
        let before = self.before(&case, channel, now, config);
        let incident = &mut self.cases[i].incident;
        (incident.layers, incident.rivals) = (Some(path), Some(rivals));
        (incident.crossovers, incident.user_crossovers) = same.map_or((None, None), Same::told);
        incident.devices = touched.map(|touched| counted(touched.devices));
        incident.users = touched.map(|touched| counted(touched.users)).filter(|users| *users > 0);
        if let Some(before) = before {
            incident.evidence.truncate(2);
            incident.evidence.extend(before);
            says_also(&mut self.cases[i]);
        }
    }

    /// The lines of the evidence table about the hours before the onset, as long as these are remembered.
    fn before(&self, case: &Case, channel: usize, now: EventTime, config: &WatchConfig) -> Option<[Line; 2]> {
        let onset = case.incident.onset.from;
        let from = onset.plus(-CONTROL.min(config.memory.micros() / 2));
        if now.since(from) > config.memory.micros() {
            return None;
        }
        let windows = self.ring.since(Window::of_end(from.plus(1)));
        let before = windows.take_while(|(window, _)| window.end() <= onset);
        let (mut inside, mut outside) = (Sum::default(), Sum::default());
        for (leaf, sum) in self.usual(channel, config.indifference).sums(before) {
            let is_inside = case.covers(self.dictionary.codes(leaf));
            if is_inside { &mut inside } else { &mut outside }.add(sum);
        }
        let told = |group, sum: Sum| line(group, (sum.n, sum.k, sum.e));
        Some([told("inside before", inside), told("outside before", outside)])
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
