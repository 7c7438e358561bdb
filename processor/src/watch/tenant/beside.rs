//! The path of an outage's calls: what they pass goes on without them, or is silent for others as well.

use std::collections::BTreeMap;

use dialtone_explain::Condition;
use dialtone_schemas::{
    Dimension,
    incident::{LayerStanding, Standing},
};

use super::{Tenant, silent::is_telemetry};
use crate::watch::{
    book::Case,
    evidence::Sum,
    path::{Found, along},
    volume::Beside,
};

impl Tenant {
    /// Listens for a minute to what comes beside a silent scope. What is expected there is told in the minute in which the silence is, before
    /// whatever shares calls with it learns anew.
    pub(super) fn hear_beside(&self, case: &mut Case) {
        let Some(scope) = case.silent_condition() else { return };
        let mut beside = case.beside.take().unwrap_or_else(|| {
            let passed = |dimension| self.most_passed(case, dimension);
            self.volume.beside(scope, case.sums.0, passed)
        });
        for of in &mut beside {
            let (there, elsewhere) = self.came_beside(case, of.condition);
            of.hear(there, elsewhere);
        }
        case.beside = Some(beside);
    }

    /// The value of a dimension that most of a scope's usual calls pass, and the share of them that does; of equals the one known first.
    fn most_passed(&self, case: &Case, dimension: Dimension) -> Option<(u32, f64)> {
        let (mut all, mut calls) = (0.0, BTreeMap::<u32, f64>::new());
        let leaves = (0..).zip(self.dictionary.leaves());
        for (leaf, codes) in leaves.filter(|(_, codes)| case.covers(codes)) {
            let weight = self.baseline.weight(leaf);
            all += weight;
            *calls.entry(codes[dimension.index()]).or_default() += weight;
        }
        let named = calls.into_iter().filter(|(code, weight)| *code != 0 && *weight > 0.0);
        let most = named.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        most.map(|(code, weight)| (code, weight / all))
    }

    /// Events of this minute that are not a scope's: those of one value, and all others.
    fn came_beside(&self, case: &Case, of: Condition) -> (i64, i64) {
        let (mut there, mut elsewhere) = (0, 0);
        for (leaf, counts) in &self.fresh {
            let codes = self.dictionary.codes(*leaf);
            match codes[of.attribute] == of.code {
                _ if case.covers(codes) => {}
                true => there += counts.events,
                false => elsewhere += counts.events,
            }
        }
        (there, elsewhere)
    }

    /// Looks at the path of an outage's calls. Where only reports are missing, or everything is, none is told.
    pub(super) fn diagnose_silence(&mut self, i: usize) {
        let case = &self.cases[i];
        if case.is_at_work() {
            let is_told = case.has_scope() && !is_telemetry(case);
            self.cases[i].incident.layers = is_told.then(|| self.path_of_silence(&self.cases[i]));
        }
    }

    /// Every layer but that of the unknown, with the events a minute that are expected there beside the scope's, and those that are missing.
    fn path_of_silence(&self, case: &Case) -> Vec<LayerStanding> {
        let judged = case.beside.iter().flatten().map(|of| self.heard_at(of));
        let expected = case.sums.0 * self.volume.still_expected(case.silent_condition());
        let seen = self.volume.present(case.silent_condition());
        let cause = Found {
            layer: case.incident.layer,
            standing: Standing::Suspected,
            value: None,
            sum: Sum {
                n: expected.round(),
                k: (expected - seen).max(0.0).round(),
                e: 0.0,
            },
        };
        let path = along(&cause, &judged.collect::<Vec<_>>());
        path.iter().map(|found| self.standing(case, found)).collect()
    }

    fn heard_at(&self, beside: &Beside) -> Found {
        let Condition { attribute, code } = beside.condition;
        let dimension = Dimension::ALL[attribute];
        let (standing, sum) = beside.stands(&self.volume);
        Found {
            layer: self.layer_of_value(dimension, code),
            standing,
            value: Some((dimension, code)),
            sum,
        }
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, Leaf, Scope, incident::Layer, time};

    use super::*;
    use crate::watch::tenant::drive::{Calls, Drive, day, leaf, site, text};

    /// So many call-ends a minute of a site by a provider, and over a carrier if one is named.
    fn calls(of: &str, isp: &str, carrier: Option<&str>, n: i64) -> Calls {
        let leaf = Leaf {
            isp: Some(text(isp)),
            carrier: carrier.map(text),
            ..leaf(of, "Aural 20")
        };
        (leaf, n, 0.02)
    }

    /// Berlin has 20 a minute, Lyon 30 and, over the carrier that is Berlin's as well, 10; both by Nordnet. Oslo has 40 by Sudnet. From Tuesday nine
    /// o'clock on Berlin is silent, from this minute on Lyon's calls over the carrier are, too. What is told of a layer at half past?
    fn out(carrier_out: i64) -> impl Fn(Layer) -> (Standing, Scope, i64, i64) {
        let from = day(1, 9);
        let minute = move |now: EventTime| now.since(from) / time::MINUTE;
        let mut drive = Drive::new();
        drive.until(from.plus(30 * time::MINUTE), |now| {
            let all = [
                calls(
                    "berlin",
                    "Nordnet",
                    Some("Telnova"),
                    if minute(now) < 0 { 20 } else { 0 },
                ),
                calls("lyon", "Nordnet", None, 30),
                calls(
                    "lyon",
                    "Nordnet",
                    Some("Telnova"),
                    if minute(now) < carrier_out { 10 } else { 0 },
                ),
                calls("oslo", "Sudnet", None, 40),
            ];
            all.into_iter().filter(|(_, n, _)| *n > 0).collect()
        });
        let mut cases = drive.tenant.cases.iter();
        let case = cases.find(|case| case.incident.scope == site("berlin"));
        let incident = case.expect("an outage is told").incident.clone();
        assert_eq!(incident.metric.as_str(), "volume");
        assert_eq!(
            (incident.devices, incident.users),
            (None, None),
            "who is silent is not known"
        );
        let layers = incident.layers.expect("its path is told");
        assert_eq!(layers.len(), Layer::ALL.len() - 1);
        move |layer| {
            let of = layers.iter().find(|of| of.layer == layer).expect("each layer is told");
            (of.standing, of.scope.clone(), of.at_risk, of.poor)
        }
    }

    fn only(dimension: Dimension, value: &str) -> Scope {
        Scope::new([(dimension, text(value))])
    }

    /// Of 60 expected by Nordnet 20 are Berlin's; of 40 all come: 40 ln 0.2 + 0.8 · 40 = −32 nats of an outage. Of 30 over the carrier 10 are
    /// others', and come: −8 nats. Headsets are not listened to.
    #[test]
    fn what_carries_calls_elsewhere_as_before_is_cleared() {
        let of = out(60);
        assert_eq!(of(Layer::Site), (Standing::Suspected, site("berlin"), 20, 20));
        let (isp, carrier) = (only(Dimension::Isp, "Nordnet"), only(Dimension::Carrier, "Telnova"));
        assert_eq!(of(Layer::Wan), (Standing::Cleared, isp, 40, 0));
        assert_eq!(of(Layer::Carrier), (Standing::Cleared, carrier, 10, 0));
        assert_eq!(of(Layer::Peripheral), (Standing::Unknown, Scope::default(), 0, 0));
    }

    /// The last ten minutes nothing comes over the carrier from anywhere: 0.8 · 10 = 8 nats.
    #[test]
    fn a_carrier_that_falls_silent_elsewhere_as_well_is_suspected() {
        let of = out(20);
        let carrier = only(Dimension::Carrier, "Telnova");
        assert_eq!(of(Layer::Carrier), (Standing::Suspected, carrier, 10, 10));
        assert_eq!(of(Layer::Wan).0, Standing::Cleared);
    }
}
