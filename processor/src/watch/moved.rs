//! From moved levels to the scope that has moved: what `locate` does with poor call-ends, with the scores of all of them (`levels`).
//!
//! Whatever makes one call-end in twenty poor moves the others as well, so their levels tell where it is while the poor ones are few. They
//! do not tell that it matters: a scope counts only if its poor call-ends are more than usual, too (DESIGN.md §3).

use std::{collections::BTreeMap, ops::Range};

use dialtone_explain::{Candidate, Cause, Condition, Explained, Settings, Step, Table, causes, onset};
use dialtone_schemas::{Dimension, EventTime, Window};

use super::{
    control::{Control, beyond_own, control_from},
    detect::Drift,
    dictionary::{Codes, D, covers},
    evidence::{Slice, Sum},
    hours::HourlyRates,
    levels::Levels,
    locate::{Began, Evidence, Located, attributes_of, began, settings, settled, zone, zones},
};

/// The call-ends of a window on one metric, their score and the expected one, by leaf of those that are wanted.
pub(super) fn scores(
    poor: &Evidence<'_>,
    (levels, hours): (&Levels, &HourlyRates),
    metric: usize,
    (window, slice): (&Window, &Slice),
    is_wanted: impl Fn(&Codes) -> bool,
) -> Vec<(u32, Sum)> {
    let sites = poor.dictionary.values(Dimension::Site.index());
    let hour = hours.at(window.start(), metric, 0..sites, poor.clocks);
    let all = slice
        .bins
        .iter()
        .map(|(leaf, bins)| (*leaf, poor.dictionary.codes(*leaf), bins));
    let wanted = all.filter(|(_, codes, _)| is_wanted(codes));
    let scores = wanted.map(|(leaf, codes, bins)| {
        let mut score = levels.of_metric(metric, codes, bins);
        score.e *= hour.factor(codes[Dimension::Site.index()]);
        (leaf, score)
    });
    scores.collect()
}

/// No call-end has a higher score.
const HIGHEST: f64 = 4.0;

/// What the levels of one metric say.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    /// What the poor call-ends say: they date what has moved, and must be more than usual in it.
    poor: Evidence<'a>,
    /// How far the levels wander by themselves.
    drift: &'a Drift,
    /// Call-ends, their score and the expected one by window and leaf, oldest first, but for those of open incidents.
    scores: Vec<(Window, Vec<(u32, Sum)>)>,
}

/// A scope that has moved.
#[derive(Clone, Debug)]
pub struct MovedScope {
    /// With the evidence of its levels, and the sums of its poor call-ends.
    pub located: Located,
    /// The evidence of its poor call-ends, against its own control beyond what such scopes drift.
    pub poor: f64,
}

impl<'a> Moved<'a> {
    /// Of one metric, as its levels are at each hour.
    pub fn of(poor: Evidence<'a>, drift: &'a Drift, levels: &Levels, hours: &HourlyRates, metric: usize) -> Self {
        let is_free = |codes: &Codes| !poor.is_held(codes);
        let all = poor.ring.all();
        let scores = all.map(|in_window| (*in_window.0, scores(&poor, (levels, hours), metric, in_window, is_free)));
        let scores = scores.collect();
        Self { poor, drift, scores }
    }

    /// The scopes in which what `alarm` noticed has moved.
    pub fn locate(&self, alarm: &[Condition], min_excess: f64) -> Vec<MovedScope> {
        let Some(noticed) = self.onset(alarm) else {
            return Vec::new();
        };
        let (zones, sets) = (zones(self.drift, self.poor.least), self.poor.judged.sets());
        let settings = settings(self.drift, (&zones, &sets), min_excess);
        let look = |since: Window| {
            let control = self.control(since);
            let found = self.scopes_since(since, &control, &settings);
            (control, found)
        };
        let first = |(_, found): &(Control, Explained)| Some(self.onset(&found.causes.first()?.best.conditions)?.best);
        let (_, (control, found)) = settled(noticed.best, look, first);
        let scopes = found.causes.into_iter();
        let moved = scopes.filter_map(|cause| {
            let conditions = cause.best.conditions.clone();
            let onset = self.onset(&conditions)?;
            let evidence = self.against_control(&conditions, onset.best, &control);
            let (sum, poor) = self.poor.stands(&conditions, onset.best);
            let best = Candidate {
                n: sum.n,
                k: sum.k,
                e: sum.e,
                ..cause.best
            };
            let located = Located {
                cause: Cause { best, ..cause },
                onset,
                evidence,
                explained: None,
            };
            Some(MovedScope { located, poor })
        });
        moved.collect()
    }

    /// Since when a scope is bad: by its poor call-ends and all levels; where none is poor, by these levels alone.
    fn onset(&self, conditions: &[Condition]) -> Option<Began> {
        self.poor.onset(conditions).or_else(|| {
            let steps = self.scores.iter().map(|(window, scores)| {
                let mut sum = Sum::default();
                let inside = scores
                    .iter()
                    .filter(|(leaf, _)| covers(conditions, self.poor.dictionary.codes(*leaf)));
                inside.for_each(|(_, score)| sum.add(*score));
                (*window, Step::of(HIGHEST * sum.n, sum.k, sum.e))
            });
            let (windows, steps): (Vec<Window>, Vec<Step>) = steps.unzip();
            Some(began(&windows, &onset(&steps, self.drift.fine())?))
        })
    }

    /// The evidence that a scope has moved since a window.
    pub fn since(&self, conditions: &[Condition], onset: Window) -> f64 {
        self.against_control(conditions, onset, &self.control(onset))
    }

    fn scopes_since(&self, since: Window, control: &Control, settings: &Settings<'_>) -> Explained {
        let mut table = Table::new(D);
        for (leaf, sum) in self.after(since) {
            self.poor.push(&mut table, leaf, sum, control);
        }
        causes(&table, settings, |_, _| {})
    }

    /// Call-ends, their score and the expected one by leaf from one window to before another.
    fn sums(&self, windows: Range<Window>) -> BTreeMap<u32, Sum> {
        let mut sums: BTreeMap<u32, Sum> = BTreeMap::new();
        let inside = self.scores.iter().filter(|(window, _)| windows.contains(window));
        for (leaf, score) in inside.flat_map(|(_, scores)| scores) {
            sums.entry(*leaf).or_default().add(*score);
        }
        sums
    }

    fn before(&self, onset: Window) -> BTreeMap<u32, Sum> {
        self.sums(control_from(onset)..onset)
    }

    fn after(&self, onset: Window) -> BTreeMap<u32, Sum> {
        self.sums(onset..Window::of_end(EventTime::MAX))
    }

    fn control(&self, onset: Window) -> Control {
        Control::of_sums(&self.before(onset), self.poor.dictionary, self.drift)
    }

    /// The evidence of a scope's levels since its onset against its own in the hours before, beyond what such scopes drift by themselves.
    fn against_control(&self, conditions: &[Condition], onset: Window, control: &Control) -> f64 {
        let inside = |sums: BTreeMap<u32, Sum>| {
            let mut inside = Sum::default();
            for (leaf, sum) in sums {
                let codes = self.poor.dictionary.codes(leaf);
                if covers(conditions, codes) {
                    inside.add(Sum {
                        e: sum.e * control.of(codes),
                        ..sum
                    });
                }
            }
            inside
        };
        let (before, since) = (inside(self.before(onset)), inside(self.after(onset)));
        let zone = zone(self.drift, &attributes_of(conditions), self.poor.least);
        beyond_own(&before, &since, zone) / self.drift.fine()
    }
}
