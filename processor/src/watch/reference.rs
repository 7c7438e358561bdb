//! The frozen reference: what was normal weeks ago.
//!
//! A baseline that learns every day takes slow decay for normal: a scope that gets 2 % poorer a day is twice as poor in five weeks, and on
//! no day is anything out of the ordinary. So the rates are set aside once a week, and those of today are compared with the oldest that are
//! kept, four to five weeks old (DESIGN.md §2). What people accepted counts as normal then, too.

use std::collections::{BTreeMap, VecDeque};

use dialtone_explain::{Condition, beyond};
use dialtone_schemas::{EventTime, time};
use serde::{Deserialize, Serialize};

use super::{
    baseline::{Baseline, Rates},
    book::Case,
    dictionary::{Codes, D, covers},
    shift::Shifts,
};

/// Rates are set aside so often, ...
const EVERY: i64 = 7 * time::DAY;
/// ... and so many times are kept.
const KEPT: usize = 5;
/// A scope whose rate is this multiple of that of then has got slowly worse.
const WORSE: f64 = 1.5;
/// Poor call-ends that must have been learnt of it.
const ENOUGH: f64 = 30.0;
/// Scopes named at most.
const MOST: usize = 5;
/// A scope that has this share of its excess in one that is named already is the same.
const SAME: f64 = 0.5;

/// The rates of one day, by watched channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Frozen {
    at: EventTime,
    rates: [Rates; 3],
    shifts: Shifts,
}

/// The rates of some weeks, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct References(VecDeque<Frozen>);

impl References {
    /// A day is over: once a week what is normal is set aside.
    pub fn freeze(&mut self, now: EventTime, baseline: &Baseline, shifts: &Shifts) {
        if self.0.back().is_some_and(|last| now.since(last.at) < EVERY) {
            return;
        }
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Frozen {
            at: now,
            rates: [0, 1, 2].map(|channel| baseline.rates(channel)),
            shifts: shifts.clone(),
        });
    }

    /// What people accept was no decay.
    pub fn accept(&mut self, case: &Case) {
        self.0.iter_mut().for_each(|frozen| frozen.shifts.accept(case));
    }

    /// When the oldest rates were set aside.
    pub fn since(&self) -> Option<EventTime> {
        Some(self.0.front()?.at)
    }

    /// The share of a leaf's call-ends that was poor on a watched channel then; none where one of its values did not exist.
    pub fn rate(&self, channel: usize, codes: &Codes) -> Option<f64> {
        let frozen = self.0.front()?;
        Some(frozen.rates[channel].rate(codes)? * frozen.shifts.of(channel, codes))
    }
}

/// A leaf on one channel: its call-ends at risk as they are remembered, and the shares of them that were and are poor.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// Its values.
    pub codes: &'a Codes,
    /// Call-ends.
    pub calls: f64,
    /// The share that was poor then.
    pub then: f64,
    /// ... and is now.
    pub now: f64,
}

impl Leaf<'_> {
    fn excess(&self) -> f64 {
        self.calls * (self.now - self.then)
    }
}

/// A scope that has got slowly worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Worse {
    /// One condition; none is everything.
    pub conditions: Vec<Condition>,
    /// The shares of its call-ends that were and are poor.
    pub then: f64,
    /// ... and is now.
    pub now: f64,
}

/// The scopes of one condition, or all calls, that have got worse: those first of which it says most, each with most of its excess in none
/// before it.
pub fn worse(leaves: &[Leaf<'_>]) -> Vec<Worse> {
    let of_scopes = sums(leaves).into_iter();
    let mut found: Vec<(f64, Worse)> = of_scopes.filter_map(|(scope, sum)| got_worse(scope, sum)).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.conditions.cmp(&b.1.conditions)));
    let mut named: Vec<Worse> = Vec::new();
    for (_, scope) in found {
        let is_named = |leaf: &&Leaf<'_>| named.iter().any(|other| covers(&other.conditions, leaf.codes));
        let inside = || leaves.iter().filter(|leaf| covers(&scope.conditions, leaf.codes));
        let known: f64 = inside().filter(is_named).map(Leaf::excess).sum();
        let excess: f64 = inside().map(Leaf::excess).sum();
        if known < SAME * excess && named.len() < MOST {
            named.push(scope);
        }
    }
    named
}

/// Call-ends, and how many of them were and are to be expected poor.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    calls: f64,
    then: f64,
    now: f64,
}

/// Of everything, and of each value of each dimension.
fn sums(leaves: &[Leaf<'_>]) -> BTreeMap<Vec<Condition>, Sum> {
    let mut sums: BTreeMap<Vec<Condition>, Sum> = BTreeMap::new();
    for leaf in leaves {
        let named = (0..D).filter(|attribute| leaf.codes[*attribute] != 0);
        let values = named.map(|attribute| {
            let code = leaf.codes[attribute];
            vec![Condition { attribute, code }]
        });
        for scope in std::iter::once(Vec::new()).chain(values) {
            let sum = sums.entry(scope).or_default();
            sum.calls += leaf.calls;
            sum.then += leaf.calls * leaf.then;
            sum.now += leaf.calls * leaf.now;
        }
    }
    sums
}

/// A scope with what speaks for it, if it has got worse.
fn got_worse(conditions: Vec<Condition>, Sum { calls, then, now }: Sum) -> Option<(f64, Worse)> {
    let is_worse = now >= ENOUGH && now >= WORSE * then;
    is_worse.then(|| {
        let worse = Worse {
            conditions,
            then: then / calls,
            now: now / calls,
        };
        (beyond(now, then), worse)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(site: u32, headset: u32) -> Codes {
        let mut codes = [0; D];
        (codes[0], codes[6]) = (site, headset);
        codes
    }

    fn site(code: u32) -> Vec<Condition> {
        vec![Condition { attribute: 0, code }]
    }

    /// Site 1 with two headsets went from 2 to 4 %, the others stayed: of all call-ends 4,000 · 0.04 + 12,000 · 0.02 = 400 are poor where
    /// 320 were, a quarter more. A site with ten call-ends says nothing.
    #[test]
    fn the_site_that_got_slowly_worse_is_named_and_not_what_it_has_in_it() {
        let all: Vec<(Codes, f64, f64)> = vec![
            (codes(1, 1), 2000.0, 0.04),
            (codes(1, 2), 2000.0, 0.04),
            (codes(2, 1), 6000.0, 0.02),
            (codes(3, 2), 6000.0, 0.02),
            (codes(4, 1), 10.0, 0.2),
        ];
        let leaf = |(codes, calls, now)| Leaf {
            codes,
            calls,
            then: 0.02,
            now,
        };
        let leaves: Vec<Leaf<'_>> = all
            .iter()
            .map(|(codes, calls, now)| leaf((codes, *calls, *now)))
            .collect();
        let found = worse(&leaves);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].conditions, site(1));
        assert!((found[0].now - 0.04).abs() < 1e-9 && (found[0].then - 0.02).abs() < 1e-9);
    }

    /// Half of all calls are site 1's, which went from 2 to 5 %: 50 ln 2.5 − 30 = 15.8 a thousand, and everything, 70 of 40, 9.2.
    #[test]
    fn a_big_site_is_named_and_not_everything() {
        let all = [(codes(1, 1), 0.05), (codes(2, 1), 0.02)];
        let leaves = all.iter().map(|(codes, now)| Leaf {
            codes,
            calls: 1000.0,
            then: 0.02,
            now: *now,
        });
        let found = worse(&leaves.collect::<Vec<_>>());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].conditions, site(1));
    }

    #[test]
    fn what_got_worse_everywhere_is_everything() {
        let all = [codes(1, 1), codes(2, 1), codes(3, 2)];
        let leaves = all.iter().map(|codes| Leaf {
            codes,
            calls: 5000.0,
            then: 0.02,
            now: 0.035,
        });
        let found = worse(&leaves.collect::<Vec<_>>());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].conditions, []);
    }

    /// Set aside on days 0, 7, 14, 21, 28, and the first again on day 35.
    #[test]
    fn the_reference_is_four_to_five_weeks_old() {
        let start = EventTime::parse("2026-03-02T00:00:00Z").expect("a time");
        let mut references = References::default();
        let since = |references: &mut References, days: std::ops::RangeInclusive<i64>| {
            for day in days {
                references.freeze(start.plus(day * time::DAY), &Baseline::default(), &Shifts::default());
            }
            references.since().map(|since| since.since(start) / time::DAY)
        };
        assert_eq!(since(&mut references, 0..=34), Some(0));
        assert_eq!(since(&mut references, 35..=41), Some(7));
    }
}
