//! What lies in no dimension: everything is poorer than it was, and no scope tells why.

use dialtone_explain::{Candidate, Cause, Settings, beyond, everything};
use dialtone_schemas::Window;

use super::{Began, Causes, Evidence, Located, MOST, summed};
use crate::watch::{baseline::real, evidence::Sum};

/// Everything must say so many nats more than any one scope, over the dispersion: that no dimension tells is the odder story.
const OUTSIDE_MARGIN: f64 = 3.0;

/// Minutes that everything's evidence is that of, at most.
const LATELY: f64 = 120.0;

impl Evidence<'_> {
    /// Something is broken in no dimension, where everything says more since its own onset than any one scope, and than the causes that are found since then do together, and what lies in none of these is worse as well. With
    /// an onset of their own each scope's is later: the hours before it hold the trouble already, and a control that has learnt it takes it for
    /// normal. After it the causes, by what they say beyond everything.
    pub(super) fn everything(&self, settings: &Settings<'_>, enough: f64) -> Option<Vec<Located>> {
        let onset = self.onset(&[])?;
        let control = self.control(onset.best);
        // What the far ends of calls are charged with can only take from it.
        let (table, _) = self.table(onset.best, &control);
        let is_enough = self.lately(onset.best, summed(table.rows())) >= enough;
        if !is_enough || everything(&table, settings).margin < OUTSIDE_MARGIN * self.drift.fine() {
            return None;
        }
        let found = self.causes_since(onset.best, settings);
        let by_causes: f64 = found.causes.iter().map(|cause| cause.best.score).sum();
        let evidence = self.lately(onset.best, found.all);
        let is_worse = |sum: Sum, than: f64| self.of_all(sum) >= than + OUTSIDE_MARGIN;
        let everywhere = (found.all.k / found.all.e.max(1.0) - 1.0).max(0.0);
        let explained = found.explained_beyond(everywhere);
        let is_everything = is_worse(found.all, by_causes) && is_worse(found.apart, 0.0) && explained < MOST;
        if evidence < enough || !is_everything {
            return None;
        }
        let beside = self.told(found.causes, &control, (everywhere, explained));
        let everything = in_no_dimension(found.all, evidence, onset, explained);
        Some(std::iter::once(everything).chain(beside).collect())
    }

    /// What the causes leave over, as one of no dimension: poor call-ends everywhere, as far as all of them together are more than
    /// they drift by themselves, and say more than those of any one scope.
    pub(super) fn outside(&self, found: &Causes, since: Window, settings: &Settings<'_>) -> Option<Located> {
        let all = everything(&found.left_over, settings);
        if all.margin < OUTSIDE_MARGIN * self.drift.fine() {
            return None;
        }
        let sum = Sum {
            n: all.n,
            k: all.k,
            e: all.e,
        };
        let evidence = self.lately(since, sum);
        Some(in_no_dimension(sum, evidence, self.onset(&[])?, found.explained()))
    }

    /// The evidence of everything since a window. Of a longer time counts what `LATELY` says at its pace: a day that is a little worse than the one
    /// before gathers evidence for hours, and nothing has broken.
    fn lately(&self, since: Window, all: Sum) -> f64 {
        let minutes = real(i64::try_from(self.ring.since(since).count()).unwrap_or(i64::MAX)).max(1.0);
        self.of_all(all) * (LATELY / minutes).min(1.0)
    }

    /// What call-ends of no scope say beyond what everything drifts by itself, in nats over the dispersion.
    fn of_all(&self, sum: Sum) -> f64 {
        beyond(sum.k, sum.e * self.zone(&[])) / self.drift.fine()
    }
}

/// What lies in no dimension, as a cause; of all that is poor beyond the expected others explain a share.
fn in_no_dimension(Sum { n, k, e }: Sum, evidence: f64, onset: Began, explained: f64) -> Located {
    let best = Candidate {
        conditions: Vec::new(),
        n,
        k,
        e,
        llr: evidence,
        score: evidence,
    };
    let cause = Cause {
        best,
        aliases: Vec::new(),
        alternatives: Vec::new(),
        share: 1.0,
    };
    Located {
        cause,
        onset,
        evidence,
        explained: Some(explained),
    }
}
