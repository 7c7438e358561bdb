//! Everything: does all of what is left over say more than any part of it?
//!
//! The scan asks which scope is poorer than the rest; where all are alike there is none. Then everything is poorer than it was, and no
//! dimension tells why. That is the odder story: as long as one scope, taken by itself, is as far from what was expected of it as all of
//! them together are, it may be that scope.

use std::collections::BTreeMap;

use crate::{
    Settings,
    scan::scan,
    score::beyond,
    table::{Condition, Table},
};

/// A scope of which so large a share of the poor call-ends is expected is everything by another name.
const NEARLY_ALL: f64 = 0.8;

/// All rows of a table together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Everything {
    /// Call-ends at risk.
    pub n: f64,
    /// Poor ones.
    pub k: f64,
    /// Expected ones.
    pub e: f64,
    /// By how many nats they say more than any scope does by itself.
    pub margin: f64,
}

/// What all rows say together, against the scopes of one condition and the best that a scan finds.
pub fn everything(table: &Table, settings: &Settings<'_>) -> Everything {
    let rows = table.rows().iter();
    let all = rows.fold(Everything::default(), |sum, row| Everything {
        n: sum.n + row.n,
        k: sum.k + row.k,
        e: sum.e + row.e,
        margin: 0.0,
    });
    let found = scan(table, settings).into_iter().map(|c| (c.k, c.e));
    let most = found
        .chain(values(table))
        .filter(|(_, e)| *e < NEARLY_ALL * all.e)
        .map(|(k, e)| beyond(k, e))
        .fold(0.0, f64::max);
    Everything {
        margin: beyond(all.k, all.e) - most,
        ..all
    }
}

/// Poor and expected ones of each value of each attribute.
fn values(table: &Table) -> impl Iterator<Item = (f64, f64)> {
    let mut sums: BTreeMap<Condition, (f64, f64)> = BTreeMap::new();
    for (at, row) in table.rows().iter().enumerate() {
        for (attribute, code) in table.codes(at).iter().enumerate().filter(|(_, code)| **code != 0) {
            let sum = sums.entry(Condition { attribute, code: *code }).or_default();
            *sum = (sum.0 + row.k, sum.1 + row.e);
        }
    }
    sums.into_values()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;

    /// Three sites and two headsets, so many poor of ten expected of each pair of them.
    fn table(poor: impl Fn(u32, u32) -> f64) -> Table {
        let mut table = Table::new(2);
        for site in 1..=3 {
            for headset in 1..=2 {
                let row = Row {
                    n: 500.0,
                    k: poor(site, headset),
                    e: 10.0,
                    weight: 500.0,
                };
                table.push(&[site, headset], row);
            }
        }
        table
    }

    /// Twice as poor everywhere: 120 ln 2 − 60 = 23.2 nats, and half of them by the better headset alone, 60 ln 2 − 30 = 11.6.
    #[test]
    fn what_is_poor_everywhere_says_more_than_any_part_of_it() {
        let all = everything(&table(|_, _| 20.0), &Settings::default());
        assert!((all.k - 120.0).abs() < 1e-9 && (all.e - 60.0).abs() < 1e-9);
        assert!((all.margin - 11.6).abs() < 0.1, "{all:?}");
    }

    /// One site is four times as poor: 80 ln 4 − 60 = 50.9 nats by itself, and everything, 120 of 60, has 23.2.
    #[test]
    fn what_one_site_does_is_not_everythings() {
        let site = |site, _| if site == 1 { 40.0 } else { 10.0 };
        let all = everything(&table(site), &Settings::default());
        assert!((all.margin - (23.2 - 50.9)).abs() < 0.1, "{all:?}");
    }
}
