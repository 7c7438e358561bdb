//! What judged causes say of the attributes that a scope names: where causes have been segments, the next one is a segment as like as not.

use std::collections::BTreeMap;

use crate::table::Condition;

/// Judgements of either side that are believed to have been there before: the first real ones change little.
const BELIEVED: f64 = 4.0;
/// No set of attributes is worth more than so many nats because it was right before: what the calls say of two scopes can be more ...
const MOST_FOR: f64 = 3.0;
/// ... nor costs more than so many because it was wrong: ln 4.
const MOST_AGAINST: f64 = 2.0 * std::f64::consts::LN_2;

/// How much more often than not something is right that was so often right and so often wrong: (4 + right) / (4 + wrong). These are the
/// odds of the Krichevsky–Trofimov kind of estimate, with four judgements of either side in place of a half.
pub fn odds(right: f64, wrong: f64) -> f64 {
    (BELIEVED + right) / (BELIEVED + wrong)
}

/// Causes that were judged, right and wrong ones, by the attributes that they named.
///
/// A scope's price has the code of its set of attributes, one of `C(attributes, depth)` and how many of them: no set is
/// likelier than another of as many. A set is worth `ln odds(right, wrong)` nats more than that: its code is the flat one times
/// the odds. What would make the codes of all sets add up to one again is the same for every scope, and left out: it says nothing of
/// which one it is, and a set that was never judged costs what it always did. Counts beside the flat code (a
/// Dirichlet estimate) would leap: with thirty judgements believed, a single confirmed cause would make a pair of fourteen attributes, of
/// which the flat code expects one in 1,274, (1274 + 30) / 31 = 42 times as likely.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sets(BTreeMap<Vec<usize>, (f64, f64)>);

impl Sets {
    /// A cause that named these attributes, in order, was the right one, or it was not.
    pub fn judge(&mut self, attributes: Vec<usize>, is_right: bool) {
        let (right, wrong) = self.0.entry(attributes).or_default();
        let count = if is_right { right } else { wrong };
        *count += 1.0;
    }

    /// What the attributes that a scope names are worth because of that, in nats: from −ln 4 to 3, and none of what was never judged.
    pub fn nats(&self, conditions: &[Condition]) -> f64 {
        let attributes: Vec<usize> = conditions.iter().map(|condition| condition.attribute).collect();
        let nats = |(right, wrong): &(f64, f64)| odds(*right, *wrong).ln().clamp(-MOST_AGAINST, MOST_FOR);
        self.0.get(&attributes).map_or(0.0, nats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::price;

    fn conditions(attributes: &[usize]) -> Vec<Condition> {
        let condition = |attribute: &usize| Condition {
            attribute: *attribute,
            code: 1,
        };
        attributes.iter().map(condition).collect()
    }

    /// So many right and wrong ones of attribute 2.
    fn judged(right: usize, wrong: usize) -> Sets {
        let mut sets = Sets::default();
        (0..right).for_each(|_| sets.judge(vec![2], true));
        (0..wrong).for_each(|_| sets.judge(vec![2], false));
        sets
    }

    /// A segment of 50 among 14 attributes with 100 call-ends costs ln 50 + 2 ln 14 + ½ ln 100 = 11.493 nats. After one confirmed segment it is
    /// ln(5/4) = 0.223 cheaper, after ten ln(14/4) = 1.253; after three wrong ones ln(7/4) = 0.560 dearer.
    #[test]
    fn a_set_of_attributes_is_cheaper_where_it_was_right_and_dearer_where_it_was_wrong() {
        let costs = |sets: &Sets| price(14, 1, 50.0, 100.0) - sets.nats(&conditions(&[2]));
        let is_near = |costs: f64, expected: f64| assert!((costs - expected).abs() < 1e-3, "{costs}");
        is_near(costs(&judged(0, 0)), 11.493);
        is_near(costs(&judged(1, 0)), 11.493 - 0.223);
        is_near(costs(&judged(10, 0)), 11.493 - 1.253);
        is_near(costs(&judged(0, 3)), 11.493 + 0.560);
        is_near(costs(&judged(5, 5)), 11.493);
    }

    #[test]
    fn of_other_sets_nothing_was_judged() {
        let sets = judged(10, 0);
        for other in [&[][..], &[1], &[1, 2], &[2, 3]] {
            assert!(sets.nats(&conditions(other)).abs() < 1e-12, "{other:?}");
        }
    }

    /// (4 + 1000) / 4 would be 5.5 nats, and 4 / (4 + 1000) as many against it.
    #[test]
    fn however_often_it_was_right_or_wrong_it_is_worth_no_more_than_three_nats_and_costs_no_more_than_ln_4() {
        let of_segment = |sets: Sets| sets.nats(&conditions(&[2]));
        assert!((of_segment(judged(1000, 0)) - 3.0).abs() < 1e-12);
        assert!((of_segment(judged(0, 1000)) + 4.0_f64.ln()).abs() < 1e-12);
    }
}
