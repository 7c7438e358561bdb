//! Which changes are suspected of an incident: by time and place, and as far as the calls that they touch beside it do not speak against it.

use dialtone_schemas::{
    Change, Window,
    incident::{Onset, SuspectedChange},
    time,
};

use super::{
    Tenant,
    live::round,
    verdicts::{Side, attributes_of, version_of},
};
use crate::watch::{
    baseline::real,
    book::{Basis, Case},
    evidence::Sum,
    suspect::{Fit, Overlap, suspects},
};

impl Tenant {
    /// The changes that may have caused an incident.
    pub(super) fn suspected(&self, case: &Case) -> Vec<SuspectedChange> {
        let Onset { from, to } = case.incident.onset;
        let is_recent =
            |change: &Change| from.since(change.started_at) <= time::DAY || self.names_version_of(change, case);
        let near = |change: &&Change| change.started_at <= to.plus(time::HOUR) && is_recent(change);
        let fit = |change: &Change| {
            let overlap = self.overlap_with(change, case);
            Fit {
                against: if overlap.is_enough() {
                    self.speaks_against(change, case)
                } else {
                    0.0
                },
                grows: case.grows,
                overlap,
            }
        };
        let mut suspected = suspects(self.changes.values().filter(near), (from, to), &self.priors, fit);
        for suspect in &mut suspected {
            suspect.score = round(suspect.score, 1000.0);
        }
        suspected
    }

    /// How the calls that a change touches and those of a case overlap.
    pub(super) fn overlap_with(&self, change: &Change, case: &Case) -> Overlap {
        let selection = self.dictionary.selection(&change.scope);
        let shared = self.shared(|codes| case.covers(codes), |codes| selection.covers(codes));
        Overlap {
            of_cause: shared.of_first,
            of_change: shared.of_second,
            names_version: self.names_version_of(change, case),
        }
    }

    /// Does a case name the version that a change rolls out?
    fn names_version_of(&self, change: &Change, case: &Case) -> bool {
        version_of(change).is_some_and(|(dimension, version)| case.incident.scope.get(dimension) == Some(version))
    }

    /// What the calls say against a change, in nats, that it touches as well since the onset, without being the incident's or another's: had it
    /// broken these, they would be worse by half of the incident's effect at least, on the log scale.
    fn speaks_against(&self, change: &Change, case: &Case) -> f64 {
        let Basis::Rate(channel) = case.basis else { return 0.0 };
        let others = self.cases.iter().filter(|other| other.is_open() && other.has_scope());
        let others: Vec<&Case> = others.collect();
        let is_beside = |leaf: u32, side: Option<Side>| {
            let codes = self.dictionary.codes(leaf);
            let is_held = || others.iter().any(|other| other.covers(codes));
            side == Some(Side::Touched) && !case.covers(codes) && !is_held()
        };
        let beside: Vec<bool> = (0..)
            .zip(self.sides(change))
            .map(|(leaf, side)| is_beside(leaf, side))
            .collect();
        let baseline = self.usual(channel, 1.0);
        let since = || self.ring.since(Window::of_end(case.incident.onset.from.plus(1)));
        let sums = baseline.sums(since()).into_iter();
        let sums = sums.filter(|(leaf, _)| beside.get(*leaf as usize).is_some_and(|is_beside| *is_beside));
        let mut sum = Sum::default();
        sums.for_each(|(_, of_leaf)| sum.add(of_leaf));
        let minutes = real(i64::try_from(since().count()).unwrap_or(i64::MAX));
        let dispersion = baseline.dispersion_of(&attributes_of(change), sum.e / minutes.max(1.0));
        let worse = case.incident.effect.max(1.0).sqrt();
        (-dialtone_explain::poisson(sum.k, sum.e, worse) / dispersion).max(0.0)
    }
}
