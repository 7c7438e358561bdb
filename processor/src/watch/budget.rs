//! The error budget: what share of the call minutes may be poor, by kind of connection, and how much of that is used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::real;
use crate::config::Slo;

/// A budget is for so many days.
const DAYS: i32 = 28;

/// Media judged and poor media in ms, by day and connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets(BTreeMap<i32, BTreeMap<u32, (i64, i64)>>);

/// How a budget stands.
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

impl Budgets {
    /// Counts media of a day and a connection, in ms.
    pub fn add(&mut self, day: i32, connection: u32, media_ms: i64, poor_ms: i64) {
        let sum = self.0.entry(day).or_default().entry(connection).or_default();
        sum.0 += media_ms;
        sum.1 += poor_ms;
    }

    /// Forgets what is older than the budget's days.
    pub fn forget(&mut self, today: i32) {
        self.0.retain(|day, _| (0..DAYS).contains(&(today - day)));
    }

    /// How the budgets stand, by connection; `name` of a code.
    pub fn stand<'a>(&self, slo: &Slo, name: impl Fn(u32) -> Option<&'a str>) -> Vec<Budget> {
        let mut sums: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for (connection, (media, poor)) in self.0.values().flatten() {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wired: 5 of 1000 minutes poor of 1 % that may be: half of it is left. Wi-Fi: 30 of 1000 of 2 %: half of it too many.
    #[test]
    fn a_budget_is_what_may_be_poor_less_what_was() {
        let mut budgets = Budgets::default();
        budgets.add(10, 1, 36_000_000, 180_000);
        budgets.add(11, 1, 24_000_000, 120_000);
        budgets.add(11, 2, 60_000_000, 1_800_000);
        let name = |code: u32| ["wired", "wifi"].get(code as usize - 1).copied();
        let left: Vec<(String, f64)> = budgets
            .stand(&Slo::default(), name)
            .into_iter()
            .map(|budget| (budget.connection, (budget.left * 100.0).round() / 100.0))
            .collect();
        assert_eq!(left, [("wired".to_owned(), 0.5), ("wifi".to_owned(), -0.5)]);
        budgets.forget(10 + DAYS);
        assert_eq!(budgets.0.len(), 1, "the first day is over");
    }
}
