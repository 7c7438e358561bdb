//! The error budgets: what share of the call minutes may be poor, by kind of connection, what shares of the calls may fail or drop, and how
//! much of that is used.

use std::collections::BTreeMap;

use dialtone_schemas::Channel;
use serde::{Deserialize, Serialize};

use super::{
    baseline::real,
    evidence::{Counts, WATCHED},
};
use crate::config::Slo;

/// A budget is for so many days.
const DAYS: i32 = 28;
/// The watched channels that count calls: setup and drop.
const OF_CALLS: [usize; 2] = [1, 2];

/// What was judged and what of it was poor, by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// Media in ms, by connection.
    media: BTreeMap<i32, BTreeMap<u32, (i64, i64)>>,
    /// Call-ends, by channel that counts calls.
    calls: BTreeMap<i32, [(i64, i64); 2]>,
}

/// How a budget of minutes stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Budget {
    /// The kind of connection.
    pub connection: String,
    /// The share of call minutes that may be poor.
    pub target: f64,
    /// Call minutes judged in the last 28 days.
    pub minutes: f64,
    /// The share of them that was poor.
    pub poor_share: f64,
    /// The share of the budget that is left; below zero where it is overdrawn.
    pub left: f64,
}

/// How a budget of calls stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallBudget {
    /// Setup: those that were not set up; drop: those that dropped.
    pub channel: Channel,
    /// The share of call-ends that may.
    pub target: f64,
    /// Call-ends that could in the last 28 days.
    pub call_ends: i64,
    /// The share of them that did.
    pub poor_share: f64,
    /// The share of the budget that is left; below zero where it is overdrawn.
    pub left: f64,
}

impl Budgets {
    /// Counts what call-ends of a day showed over a connection.
    pub fn add(&mut self, day: i32, connection: u32, counts: &Counts) {
        let sum = self.media.entry(day).or_default().entry(connection).or_default();
        sum.0 += counts.media_ms;
        sum.1 += counts.poor_ms;
        let calls = self.calls.entry(day).or_default();
        for (sum, channel) in calls.iter_mut().zip(OF_CALLS) {
            sum.0 += counts.n[channel];
            sum.1 += counts.k[channel];
        }
    }

    /// Forgets what is older than the budget's days.
    pub fn forget(&mut self, today: i32) {
        let is_recent = |day: &i32| (0..DAYS).contains(&(today - day));
        self.media.retain(|day, _| is_recent(day));
        self.calls.retain(|day, _| is_recent(day));
    }

    /// How the budgets of minutes stand, by connection; `name` of a code.
    pub fn stand<'a>(&self, slo: &Slo, name: impl Fn(u32) -> Option<&'a str>) -> Vec<Budget> {
        let mut sums: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for (connection, (media, poor)) in self.media.values().flatten() {
            let sum = sums.entry(*connection).or_default();
            sum.0 += media;
            sum.1 += poor;
        }
        let used = sums.into_iter().filter(|(_, (media, _))| *media > 0);
        let budget = |(code, (media, poor)): (u32, (i64, i64))| {
            let connection = name(code).unwrap_or("unknown");
            let target = slo.target(connection);
            let poor_share = real(poor) / real(media);
            Budget {
                connection: connection.to_owned(),
                target,
                minutes: (real(media) / 60_000.0).round(),
                poor_share,
                left: 1.0 - poor_share / target,
            }
        };
        used.map(budget).collect()
    }

    /// How the budgets of calls stand.
    pub fn stand_of_calls(&self, slo: &Slo) -> Vec<CallBudget> {
        let budget = |(place, watched): (usize, usize)| {
            let channel = WATCHED[watched];
            let target = slo.of_calls(channel)?;
            let days = self.calls.values().map(|of_day| of_day[place]);
            let (n, k) = days.fold((0, 0), |sum: (i64, i64), day| (sum.0 + day.0, sum.1 + day.1));
            let poor_share = real(k) / real(n);
            (n > 0).then(|| CallBudget {
                channel,
                target,
                call_ends: n,
                poor_share,
                left: 1.0 - poor_share / target,
            })
        };
        OF_CALLS.into_iter().enumerate().filter_map(budget).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(media_ms: i64, poor_ms: i64) -> Counts {
        Counts {
            media_ms,
            poor_ms,
            ..Counts::default()
        }
    }

    fn hundredths(left: f64) -> f64 {
        (left * 100.0).round() / 100.0
    }

    /// Wired: 5 of 1000 minutes poor of 1 % that may be: half of it is left. Wi-Fi: 30 of 1000 of 2 %: half of it too many.
    #[test]
    fn a_budget_is_what_may_be_poor_less_what_was() {
        let mut budgets = Budgets::default();
        budgets.add(10, 1, &media(36_000_000, 180_000));
        budgets.add(11, 1, &media(24_000_000, 120_000));
        budgets.add(11, 2, &media(60_000_000, 1_800_000));
        let name = |code: u32| ["wired", "wifi"].get(code as usize - 1).copied();
        let left: Vec<(String, f64)> = budgets
            .stand(&Slo::default(), name)
            .into_iter()
            .map(|budget| (budget.connection, hundredths(budget.left)))
            .collect();
        assert_eq!(left, [("wired".to_owned(), 0.5), ("wifi".to_owned(), -0.5)]);
        budgets.forget(10 + DAYS);
        let days = (budgets.media.len(), budgets.calls.len());
        assert_eq!(days, (1, 1), "the first day is over");
    }

    /// Over any connection, 4 of 1000 attempts failed, where 1 % may: 60 % is left. Of 500 calls 30 dropped, where 15 may: as many again are
    /// too many.
    #[test]
    fn calls_that_fail_and_calls_that_drop_have_budgets_of_their_own() {
        let calls = |n: [i64; 2], k: [i64; 2]| Counts {
            n: [0, n[0], n[1]],
            k: [0, k[0], k[1]],
            ..Counts::default()
        };
        let mut budgets = Budgets::default();
        assert_eq!(budgets.stand_of_calls(&Slo::default()), [], "nobody has called");
        budgets.add(10, 1, &calls([600, 0], [4, 0]));
        budgets.add(11, 2, &calls([400, 500], [0, 30]));
        let stand = budgets.stand_of_calls(&Slo::default());
        let stand: Vec<(Channel, i64, f64)> = stand
            .into_iter()
            .map(|budget| (budget.channel, budget.call_ends, hundredths(budget.left)))
            .collect();
        assert_eq!(stand, [(Channel::Setup, 1000, 0.6), (Channel::Drop, 500, -1.0)]);
    }
}
