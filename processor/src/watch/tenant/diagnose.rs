//! What the numbers say of an incident besides its cause: how each layer of its calls' path stands, and what could be told from it.

use dialtone_explain::{Kept, Part, Quadrants, crossover, kept_by_devices};
use dialtone_schemas::{
    Dimension, EventTime, Scope, Window,
    incident::{Crossover, Evidence as Line, Layer, LayerStanding, Rival},
};

use super::{
    Tenant,
    live::{line, round, says_also, whole},
};
use crate::{
    config::WatchConfig,
    watch::{
        book::{Basis, Case},
        control::CONTROL,
        device::Device,
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
        let crossovers = (channel == 0).then(|| self.same_devices(&case, onset, &mut rivals));
        let is_inside = |leaf: u32| case.covers(self.dictionary.codes(leaf));
        let touched = (channel == 0).then(|| self.devices.poor(onset, is_inside));
        let before = self.before(&case, channel, now, config);
        let incident = &mut self.cases[i].incident;
        (incident.layers, incident.rivals, incident.crossovers) = (Some(path), Some(rivals), crossovers);
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

    /// The devices that called inside and outside the scope since the onset, compared with themselves; and apart from each rival. Of rivals
    /// that the strata of calls do not tell from the cause they have the last word.
    fn same_devices(&self, case: &Case, onset: Window, rivals: &mut [Rival]) -> Vec<Crossover> {
        let is_inside = |leaf: u32| case.covers(self.dictionary.codes(leaf));
        let compared = |device: &Device| [device.crossing(onset, |leaf| Some(is_inside(leaf)))];
        let all = crossover(self.devices.all().map(compared)).map(|found| told(&found, Scope::default()));
        let apart = rivals.iter_mut().filter_map(|rival| {
            let conditions = self.dictionary.conditions(&rival.scope)?;
            let is_in_rival = |leaf: u32| covers(&conditions, self.dictionary.codes(leaf));
            let found = self.apart(onset, is_inside, is_in_rival);
            if rival.calls_missing.is_some() {
                let of_rival = self.apart(onset, is_in_rival, is_inside);
                separate(rival, found.as_ref(), of_rival.as_ref());
            }
            Some(told(&found?, rival.scope.clone()))
        });
        all.into_iter().chain(apart).collect()
    }

    /// The same devices inside and outside a scope, among calls that are alike as to another one: a device's calls inside the other are one
    /// comparison, the rest another.
    fn apart(
        &self,
        onset: Window,
        is_inside: impl Fn(u32) -> bool,
        is_in_other: impl Fn(u32) -> bool,
    ) -> Option<dialtone_explain::Crossover> {
        let compared = |device: &Device| {
            [true, false]
                .map(|side| device.crossing(onset, |leaf| (is_in_other(leaf) == side).then(|| is_inside(leaf))))
        };
        crossover(self.devices.all().map(compared))
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
        let layer_at = |dimension: Dimension, code: u32| {
            let name = self.dictionary.name(dimension.index(), code);
            name.map_or(Layer::Unknown, |name| layer_at(dimension, name))
        };
        let found = layers(&leaves, case.incident.layer, wander, layer_at);
        found.into_iter().map(|found| self.standing(case, &found)).collect()
    }

    fn standing(&self, case: &Case, found: &Found) -> LayerStanding {
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

fn counted(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Nothing but the same devices tells the cause from this rival: where they say that the cause keeps its effect, the figures are theirs.
fn separate(
    rival: &mut Rival,
    of_cause: Option<&dialtone_explain::Crossover>,
    of_rival: Option<&dialtone_explain::Crossover>,
) {
    let Some(kept) = kept_by_devices(of_cause, of_rival) else {
        return;
    };
    rival.calls_missing = None;
    if let (Kept::Suspect, Some(found)) = (kept, of_cause) {
        (rival.held, rival.held_low) = (round(found.odds_ratio, 100.0), round(found.low, 100.0));
    }
}

/// As it is told.
fn told(found: &dialtone_explain::Crossover, apart_from: Scope) -> Crossover {
    Crossover {
        apart_from,
        devices: counted(found.devices),
        odds_ratio: round(found.odds_ratio, 100.0),
        low: round(found.low, 100.0),
        high: round(found.high, 100.0),
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Incident, Leaf, incident::Onset};

    use super::*;
    use crate::watch::{
        device::Reported,
        evidence::Counts,
        tenant::drive::{at, leaf, site, text},
    };

    /// A call in Berlin and one of a branch, both by Nordnet, and one in Berlin by another provider.
    fn places() -> [Leaf; 3] {
        let of = |site, isp| Leaf {
            isp: Some(text(isp)),
            ..leaf(site, "Aural 20")
        };
        [of("berlin", "Nordnet"), of("branch", "Nordnet"), of("berlin", "Sudnet")]
    }

    /// So many laptops call at these places minute by minute, good or poor, and are known by a poor call before that.
    fn laptops(tenant: &mut Tenant, count: i64, calls: &[(usize, i64)]) {
        let leaves = places().map(|leaf| tenant.dictionary.leaf(&leaf));
        for laptop in 0..count {
            let id = text(&format!("mac-{laptop}"));
            let all = [(0, 1)].into_iter().chain(calls.iter().copied());
            for (minute, (place, poor)) in (1..).zip(all) {
                let counts = Counts {
                    n: [1, 0, 0],
                    k: [poor, 0, 0],
                    ..Counts::default()
                };
                let of = Reported {
                    leaf: leaves[place],
                    window: Window::of_end(at(minute)),
                    counts: &counts,
                    partition: 0,
                    expected: 0.05,
                    exemplars: &[],
                    user: None,
                };
                tenant.devices.add(&id, &of);
            }
        }
    }

    /// An incident of Berlin since midnight.
    fn of_berlin(tenant: &Tenant) -> Case {
        let onset = Onset { from: at(0), to: at(1) };
        let incident = Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), onset, at(10));
        let conditions = tenant.dictionary.conditions(&site("berlin")).expect("known");
        Case::new(incident, Basis::Rate(0), conditions)
    }

    /// What is said of Nordnet, which strata of calls do not tell from Berlin, after so many laptops made these calls.
    fn nordnet(count: i64, calls: &[(usize, i64)]) -> (Rival, Vec<Crossover>) {
        let mut tenant = Tenant::new(text("acme"));
        laptops(&mut tenant, count, calls);
        let case = of_berlin(&tenant);
        let mut rivals = [Rival {
            scope: Scope::new([(Dimension::Isp, text("Nordnet"))]),
            jaccard: 0.8,
            held: 1.3,
            held_low: 0.7,
            calls_missing: Some(120),
        }];
        let crossovers = tenant.same_devices(&case, Window::of_end(at(1)), &mut rivals);
        let [rival] = rivals;
        (rival, crossovers)
    }

    /// Six laptops are poor once in Berlin and good once at a branch of the same provider: (6 · 0.5 + 0.125) / 0.125 = 25, 1.27 at least.
    #[test]
    fn laptops_that_leave_the_site_and_keep_its_provider_tell_what_strata_cannot() {
        let (rival, crossovers) = nordnet(6, &[(0, 1), (1, 0)]);
        assert_eq!(rival.calls_missing, None, "{rival:?}");
        assert!(
            (rival.held - 25.0).abs() < 1e-9 && (rival.held_low - 1.27).abs() < 1e-9,
            "{rival:?}"
        );
        let apart = crossovers.iter().find(|of| of.apart_from == rival.scope);
        assert!(apart.is_some_and(|of| of.devices == 6), "{crossovers:?}");
    }

    /// As soon as they are in Berlin by another provider they are well.
    #[test]
    fn laptops_that_keep_the_site_and_leave_its_provider_say_that_this_may_be_the_cause() {
        let (rival, _) = nordnet(6, &[(0, 1), (2, 0)]);
        assert_eq!((rival.calls_missing, rival.held_low < 1.0), (None, true), "{rival:?}");
    }

    #[test]
    fn five_laptops_leave_it_open_and_so_do_six_that_stay() {
        for (count, calls) in [(5, [(0, 1), (1, 0)]), (6, [(0, 1), (0, 1)])] {
            let (rival, _) = nordnet(count, &calls);
            assert_eq!(rival.calls_missing, Some(120), "{rival:?}");
        }
    }
}
