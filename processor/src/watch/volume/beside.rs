//! What comes beside a scope that is silent, where its calls pass: does its provider, its carrier go on without them?
//!
//! What is expected there of others is told as the scope falls silent: cells that share calls with it learn anew from then on. Since then it is
//! moved by what comes everywhere else meanwhile, and is no more than yesterday leaves at this time. The last minutes are one state, as those of
//! a silence are.

use std::collections::VecDeque;

use dialtone_explain::Condition;
use dialtone_schemas::{Dimension, incident::Standing};
use serde::{Deserialize, Serialize};

use super::{LEAST_TREND, MIN_EXPECTED, PRESENT, Volume, WATCHED, push, trend};
use crate::watch::{baseline::real, evidence::Sum};

/// Evidence of so many nats (95 %) clears and suspects.
const ENOUGH: f64 = 3.0;

/// What the calls of a silent scope pass, and what comes there of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// What they pass.
    pub condition: Condition,
    /// Events a minute of others that were expected there as the scope fell silent, and those that came everywhere else.
    expected: f64,
    elsewhere: f64,
    /// What the time of day had left there by then.
    left: f64,
    /// The share of the expected ones that an outage would leave.
    drop: f64,
    /// Minutes since then.
    minutes: u32,
    /// What came in the last of them: there, and everywhere else.
    last: VecDeque<(i64, i64)>,
}

impl Beside {
    /// One more minute: so many events of others came there, and so many everywhere else.
    pub fn hear(&mut self, there: i64, elsewhere: i64) {
        self.minutes = self.minutes.saturating_add(u32::from(!self.last.is_empty()));
        push(&mut self.last, (there, elsewhere), PRESENT);
    }

    /// Does it go on? With the events a minute that are expected there now, and those that are missing.
    pub fn stands(&self, volume: &Volume) -> (Standing, Sum) {
        let of_day = volume.left_since(self.condition, self.minutes) / self.left;
        let of_others = trend((self.mean(|(_, elsewhere)| *elsewhere), self.elsewhere));
        let expected = self.expected * of_day.min(of_others).clamp(LEAST_TREND, 1.0);
        let seen = self.mean(|(there, _)| *there);
        let sum = Sum {
            n: expected.round(),
            k: (expected - seen).max(0.0).round(),
            e: 0.0,
        };
        // Where nothing comes from anywhere, nothing is said of any of it.
        let is_mute = of_others < LEAST_TREND;
        let standing = if is_mute {
            Standing::Unknown
        } else {
            self.standing(expected, seen)
        };
        (standing, sum)
    }

    /// Too few to judge, or as silent as the scope, or no such thing, or neither.
    fn standing(&self, expected: f64, seen: f64) -> Standing {
        if expected < MIN_EXPECTED || self.last.is_empty() {
            return Standing::Unknown;
        }
        match dialtone_explain::poisson(seen, expected, self.drop) {
            silent if silent >= ENOUGH => Standing::Suspected,
            silent if silent <= -ENOUGH => Standing::Cleared,
            _ => Standing::Unknown,
        }
    }

    /// Events a minute in the mean of the last ones.
    fn mean(&self, of: impl Fn(&(i64, i64)) -> i64) -> f64 {
        let minutes = real(i64::try_from(self.last.len().max(1)).unwrap_or(i64::MAX));
        real(self.last.iter().map(of).sum()) / minutes
    }
}

impl Volume {
    /// What the calls of a scope pass that has just fallen silent, with so many events a minute expected: in each other dimension that is
    /// listened to the value, and the share of them that passes it, as `passed` tells. What is not listened to long enough, or would hardly
    /// hear anybody else, is left out.
    pub fn beside(
        &self,
        scope: Condition,
        silent: f64,
        passed: impl Fn(Dimension) -> Option<(u32, f64)>,
    ) -> Vec<Beside> {
        let others = WATCHED
            .into_iter()
            .filter(|dimension| dimension.index() != scope.attribute);
        let of = |dimension: Dimension| {
            let (code, share) = passed(dimension)?;
            let attribute = dimension.index();
            self.beside_at(Condition { attribute, code }, share * silent)
        };
        others.filter_map(of).collect()
    }

    /// The same at one value, where so many of the expected events are the scope's.
    fn beside_at(&self, condition: Condition, own: f64) -> Option<Beside> {
        let heard = self.look(condition, f64::INFINITY).ok()?;
        let expected = heard.expected - own;
        (expected >= MIN_EXPECTED).then(|| Beside {
            condition,
            expected,
            elsewhere: (self.all.a_minute_ago().present() - heard.seen).max(0.0),
            left: self.left_since(condition, 0),
            drop: heard.drop,
            minutes: 0,
            last: VecDeque::new(),
        })
    }

    /// What the time of day has left of a condition's calls since so many minutes ago, by yesterday.
    fn left_since(&self, of: Condition, minutes: u32) -> f64 {
        self.cell(Some(of)).map_or(1.0, |cell| cell.left(minutes))
    }

    /// Events a minute of a condition, in the mean of the last three.
    pub fn present(&self, of: Option<Condition>) -> f64 {
        self.cell(of).map_or(0.0, |cell| cell.a_minute_ago().present())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::dictionary::{Codes, D};

    fn codes(site: u32, isp: u32) -> Codes {
        let mut codes = [0; D];
        (codes[Dimension::Site.index()], codes[Dimension::Isp.index()]) = (site, isp);
        codes
    }

    const fn condition(dimension: Dimension, code: u32) -> Condition {
        Condition {
            attribute: dimension.index(),
            code,
        }
    }

    /// Site 1 has 20 events a minute over provider 1, site 2 so many, and site 3 has 40 over provider 2; after 70 minutes site 1 has been silent for
    /// three. What is heard beside it at its provider?
    fn provider(second: i64) -> (Volume, Option<Beside>) {
        let mut volume = Volume::default();
        let mut silent = None;
        for minute in 0..73 {
            if minute < 70 {
                volume.add(&codes(1, 1), 20);
            }
            volume.add(&codes(2, 1), second);
            volume.add(&codes(3, 2), 40);
            silent = volume.minute(14.0).into_iter().next();
        }
        let silence = silent.expect("site 1 is silent");
        let site = condition(Dimension::Site, 1);
        assert_eq!(silence.condition, Some(site));
        let passed = |dimension: Dimension| (dimension == Dimension::Isp).then_some((1, 1.0));
        let mut beside = volume.beside(site, silence.expected, passed);
        assert!(beside.len() < 2, "{beside:?}");
        (volume, beside.pop())
    }

    /// 60 are expected at the provider, of which 20 were the site's. 40 of 40 say 40 ln 0.05 + 0.95 · 40 = −82 nats of an outage, of which 5 % would be
    /// left; 0, 0 and 40 in three minutes are 13.3 on average, −1.9 nats; none in three minutes says 38.
    #[test]
    fn a_provider_that_carries_calls_elsewhere_is_cleared_until_it_is_silent_there_as_well() {
        let (volume, beside) = provider(40);
        let mut beside = beside.expect("it is listened to");
        let mut stands = |there: i64| {
            beside.hear(there, 40);
            let (standing, sum) = beside.stands(&volume);
            (standing, whole(sum))
        };
        assert_eq!(stands(40), (Standing::Cleared, [40, 0]));
        assert_eq!(stands(0), (Standing::Cleared, [40, 20]));
        assert_eq!(stands(0), (Standing::Unknown, [40, 27]));
        assert_eq!(stands(0), (Standing::Suspected, [40, 40]));
    }

    /// Expected and missing.
    #[allow(clippy::cast_possible_truncation, reason = "rounded, and few")]
    fn whole(sum: Sum) -> [i64; 2] {
        [sum.n, sum.k].map(|count| count as i64)
    }

    /// In the evening a quarter is left everywhere else, (10 + 3) / (40 + 3), so that 12.1 of 40 are expected: ten are no silence.
    #[test]
    fn an_evening_is_taken_off_what_is_expected_beside() {
        let (volume, beside) = provider(40);
        let mut beside = beside.expect("it is listened to");
        beside.hear(10, 10);
        let (standing, sum) = beside.stands(&volume);
        assert_eq!((standing, whole(sum)), (Standing::Cleared, [12, 2]));
    }

    /// With three a minute of others at the provider, fewer than four, nothing is told.
    #[test]
    fn where_hardly_anybody_else_is_heard_nothing_is_told() {
        assert_eq!(provider(3).1, None);
        assert!(provider(4).1.is_some());
    }
}
