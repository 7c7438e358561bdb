//! How strongly what is seen of a scope is pulled to what its parents say: as strongly as scopes of its kind have been seen to be alike.
//!
//! Of a scope of which E poor call-ends were expected and K seen, K/E varies around its own ratio by φ/E, and that ratio around 1 by τ². An
//! empirical Bayes estimate pulls it to 1 by φ/τ² expected ones, τ² by the method of moments (Marshall 1991; DESIGN.md §2).

/// What is believed at the start weighs as much as so many scopes of which everything is known.
const WEIGHT: f64 = 10.0;
/// A scope further off than so many standard deviations of what is believed at the start counts as if it were so far off: a fault is no kin.
const FAR: f64 = 4.0;
/// No pull is weaker or stronger than this, times the dispersion: scopes that differ by e^±0.7, and by a tenth.
const LEAST: f64 = 2.0;
const MOST: f64 = 100.0;

/// Expected poor call-ends that pull a scope to its parents, by what was seen of all scopes of its kind, (K, E) each; `start` before any was.
pub fn strength(kin: impl IntoIterator<Item = (f64, f64)>, dispersion: f64, start: f64) -> f64 {
    let (mut differ, mut known) = (WEIGHT / start, WEIGHT);
    for (seen, expected) in kin.into_iter().filter(|(_, expected)| *expected > 0.0) {
        let share = (expected / (expected + start)).powi(2);
        let apart = (seen / expected - 1.0).powi(2) / dispersion;
        // One poor call where hardly any was expected is no wild scope.
        let far = FAR * FAR * (1.0 / start + 1.0 / expected).max(expected.powi(-2));
        differ += share * (apart.min(far) - 1.0 / expected);
        known += share;
    }
    let (least, most) = ((LEAST * dispersion).min(start), (MOST * dispersion).max(start));
    if differ <= known / most {
        most
    } else {
        (known / differ).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty scopes with 1,000 expected, ten 20 % above and ten 20 % below: each of them known by (1000 / 1008)² = 0.984, differing by
    /// 0.2² / 1 − 0.001 = 0.039. (10 / 8 + 19.68 · 0.039) / (10 + 19.68) = 0.068, so that 14.7 expected ones pull instead of 8.
    #[test]
    fn scopes_that_differ_little_are_pulled_more() {
        let kin =
            |apart: f64| (0..20).map(move |i| (1000.0 * if i % 2 == 0 { 1.0 + apart } else { 1.0 - apart }, 1000.0));
        let little = strength(kin(0.2), 1.0, 8.0);
        assert!((little - 14.7).abs() < 0.1, "{little}");
        let much = strength(kin(0.6), 1.0, 8.0);
        assert!((3.0..4.5).contains(&much), "0.36 each: {much}");
    }

    /// Ten of a thousand scopes poor once where 0.01 were expected of each: nothing is known of any, and chance is no difference.
    #[test]
    fn scopes_of_which_nothing_is_known_teach_nothing() {
        let kin = (0..1000).map(|i| (if i % 100 == 0 { 1.0 } else { 0.0 }, 0.01));
        let pull = strength(kin, 1.0, 8.0);
        assert!((pull - 8.0).abs() < 0.1, "{pull}");
        assert!((strength([], 1.0, 8.0) - 8.0).abs() < 1e-9);
    }

    /// One of twenty is ten times as poor. It counts as 4 standard deviations: 16 · (1/8 + 1/1000) = 2.0 rather than 81.
    #[test]
    fn one_wild_scope_does_not_set_the_others_free() {
        let kin = (0..20).map(|i| (if i == 0 { 10_000.0 } else { 1000.0 }, 1000.0));
        let pull = strength(kin, 1.0, 8.0);
        assert!((pull - 9.2).abs() < 0.3, "(1.25 + 1.98 − 0.02) / 29.7 = 0.108: {pull}");
    }

    #[test]
    fn scopes_that_are_all_alike_are_pulled_as_much_as_any() {
        let kin = (0..2000).map(|_| (1000.0, 1000.0));
        assert!((strength(kin, 1.0, 8.0) - MOST).abs() < 1e-9);
    }
}
