//! Where strata of calls tell neither of two scopes from the other: do the devices that were on both sides, or the people?
//!
//! A device compared with itself says nothing of what it does itself wherever it is, and what it does in one place alone (a headset that
//! lies at home) looks like the place. So no device may decide by itself, however much it calls: several must say the same. It is no other with
//! people, who may have other devices in other places besides: they are asked after the devices.

use crate::{crossover::Crossover, score::TWO_SIDED};

/// So many must say something: that fewer all say the same is no less likely than 5 %, as of coins tossed. 2 / 2⁶ = 3 %, 2 / 2⁵ = 6 %.
const FEWEST: usize = 6;
/// The odds ratio's lower end is above 1 as people read it, with two decimals.
const ABOVE_ONE: f64 = 1.005;

/// Which of two scopes keeps its effect on the same devices, or people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The suspect: its rival is a symptom.
    Suspect,
    /// The rival: it fits better.
    Rival,
}

/// What the same devices, or people, say of a suspect and its rival: the suspect's odds ratio among calls that are alike as to the rival, and
/// the rival's among calls that are alike as to the suspect. One keeps its effect, and the other shows none.
///
/// That of one of them is none where nobody was on both sides of it; then the other tells, as it is compared among calls that are alike as
/// to it.
pub fn kept_by_the_same(suspect: Option<&Crossover>, rival: Option<&Crossover>) -> Option<Kept> {
    let shows = |of: Option<&Crossover>| of.is_some_and(|of| of.low > 1.0);
    let keeps = |of: Option<&Crossover>| of.is_some_and(is_kept);
    if keeps(suspect) && !shows(rival) {
        Some(Kept::Suspect)
    } else if keeps(rival) && !shows(suspect) {
        Some(Kept::Rival)
    } else {
        None
    }
}

/// Does its interval lie above 1, and do enough of them say so, each counted once?
fn is_kept(of: &Crossover) -> bool {
    of.low > ABOVE_ONE && of.telling >= FEWEST && of.agreement > TWO_SIDED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossover::{crossover, tests::device};

    /// So many that were poor inside once and good outside once, and as many the other way round as are said.
    fn pairs(inside: usize, outside: usize) -> Crossover {
        let poor_inside = std::iter::repeat_n(device((1.0, 1.0), (1.0, 0.0)), inside);
        let poor_outside = std::iter::repeat_n(device((1.0, 0.0), (1.0, 1.0)), outside);
        crossover(poor_inside.chain(poor_outside)).expect("both sides")
    }

    /// Six say 0.5 each: (3 + 0.125) / 0.125 = 25, variance 3.0625 / (2 · 3.125²) + 0.125 / (2 · 3.125 · 0.125) + 0.0625 / (2 · 0.125²) = 2.32:
    /// at least exp(ln 25 − 1.96 · 1.52) = 1.27; together 3 / √(6 · 0.25) = 2.45.
    #[test]
    fn six_laptops_that_are_well_as_soon_as_they_leave_the_site_clear_its_provider() {
        let of_site = pairs(6, 0);
        assert!((of_site.low - 1.27).abs() < 0.01 && (of_site.agreement - 2.449).abs() < 0.001);
        let of_provider = pairs(2, 2);
        assert_eq!(
            kept_by_the_same(Some(&of_site), Some(&of_provider)),
            Some(Kept::Suspect)
        );
        assert_eq!(kept_by_the_same(Some(&of_site), None), Some(Kept::Suspect));
    }

    #[test]
    fn laptops_that_are_poor_wherever_the_rival_is_say_that_it_fits_better() {
        let (of_site, of_provider) = (pairs(3, 3), pairs(16, 4));
        assert_eq!(kept_by_the_same(Some(&of_site), Some(&of_provider)), Some(Kept::Rival));
        assert_eq!(kept_by_the_same(None, Some(&of_provider)), Some(Kept::Rival));
    }

    /// (2.5 + 0.125) / 0.125 = 21, at least exp(ln 21 − 1.96 · 1.54) = 1.02: the interval alone would do.
    #[test]
    fn five_laptops_are_too_few_whatever_they_say() {
        let five = pairs(5, 0);
        assert!(five.low > ABOVE_ONE, "{five:?}");
        assert_eq!(kept_by_the_same(Some(&five), None), None);
    }

    /// One phone is poor in 30 of 40 calls inside and 5 of 40 outside: 30 · 35/80 − 10 · 5/80 = 12.5. Six laptops are divided. The odds ratio is
    /// (13.125 + 1.5 + 0.125) / (0.625 + 1.5 + 0.125) = 6.56, at least 2.5, and together they say 12.5 / √(12.5² + 6 · 0.25) = 0.995.
    #[test]
    fn one_phone_that_calls_all_day_does_not_decide_for_the_others() {
        let divided = [device((1.0, 1.0), (1.0, 0.0)), device((1.0, 0.0), (1.0, 1.0))];
        let laptops = divided.into_iter().cycle().take(6);
        let found = crossover(laptops.chain([device((40.0, 30.0), (40.0, 5.0))])).expect("both sides");
        assert!((found.odds_ratio - 14.75 / 2.25).abs() < 1e-9, "{found:?}");
        assert!(found.low > 2.0 && found.telling == 7, "{found:?}");
        assert!((found.agreement - 0.995).abs() < 0.001, "{found:?}");
        assert_eq!(kept_by_the_same(Some(&found), None), None);
    }

    #[test]
    fn where_both_keep_their_effect_or_neither_does_nothing_is_told() {
        let (strong, none) = (pairs(16, 4), pairs(5, 5));
        assert_eq!(kept_by_the_same(Some(&strong), Some(&strong)), None);
        assert_eq!(kept_by_the_same(Some(&none), Some(&none)), None);
        assert_eq!(kept_by_the_same(None, None), None);
    }

    /// Five laptops do not tell for the site, and yet they speak against the provider's having done it alone.
    #[test]
    fn what_a_scope_only_shows_is_enough_to_doubt_the_other() {
        assert_eq!(kept_by_the_same(Some(&pairs(5, 0)), Some(&pairs(16, 4))), None);
    }
}
