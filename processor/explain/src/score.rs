//! The likelihood ratios and the price of a scope.

/// The half width of a 95 % interval, in standard deviations.
pub const TWO_SIDED: f64 = 1.96;

/// Pseudo-counts that hold the rate outside a scope near the expected one where little lies outside.
pub(crate) const OUTSIDE_PRIOR: f64 = 20.0;

/// What more poor call-ends than expected say against the expected rate, in nats: `k ln(k/e) − (k − e)`.
pub fn beyond(k: f64, e: f64) -> f64 {
    if k > e && e > 0.0 {
        k * (k / e).ln() - (k - e)
    } else {
        0.0
    }
}

/// How much better "inside is worse than outside" explains the counts than "all alike", in nats (Kulldorff 1997, with the
/// rate outside shrunk towards the expected one by 20 pseudo-counts). Zero where inside is not worse.
///
/// `k` poor of `e` expected inside, `total_k` of `total_e` in all.
pub fn inside_outside(k: f64, e: f64, total_k: f64, total_e: f64) -> f64 {
    let (out_k, out_e) = (
        (total_k - k).max(0.0) + OUTSIDE_PRIOR,
        (total_e - e).max(0.0) + OUTSIDE_PRIOR,
    );
    let (all_k, all_e) = (k + out_k, e + out_e);
    if e <= 0.0 || k * out_e <= out_k * e {
        return 0.0;
    }
    k * (k / e).ln() + out_k * (out_k / out_e).ln() - all_k * (all_k / all_e).ln()
}

/// Log-likelihood ratio of a rate `ratio` times the expected one against the expected one, for `k` seen of `e` expected.
pub fn poisson(k: f64, e: f64, ratio: f64) -> f64 {
    k.mul_add(ratio.ln(), -(ratio - 1.0) * e)
}

/// Log-likelihood ratio of the rate seen against the expected one, for `k` poor of `n` at risk where `e` were expected. Zero
/// where no more were seen than expected.
pub fn binomial(n: f64, k: f64, e: f64) -> f64 {
    if e <= 0.0 || k <= e || e >= n {
        return 0.0;
    }
    let good = n - k;
    k * (k / e).ln() + if good > 0.0 { good * (good / (n - e)).ln() } else { 0.0 }
}

/// What a scope costs in nats (minimum description length): which attributes (one of `C(attributes, depth)` sets, and how
/// many of them), which of the cuboid's cells, and its rate (`½ ln n`).
pub fn price(attributes: usize, depth: usize, cells: f64, n: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "some dozens of attributes")]
    let all = attributes as f64;
    cells.max(1.0).ln() + sets(attributes, depth).ln() + all.max(1.0).ln() + 0.5 * n.max(1.0).ln()
}

/// What of the price of `depth` attributes is because there are more sets of them than attributes, in nats.
pub(crate) fn more_sets(attributes: usize, depth: usize) -> f64 {
    (sets(attributes, depth) / sets(attributes, 1)).ln()
}

/// So many sets of `depth` attributes there are, one at least.
fn sets(attributes: usize, depth: usize) -> f64 {
    let of = |sets: f64, i: usize| {
        #[allow(clippy::cast_precision_loss, reason = "some dozens of attributes")]
        let (left, i) = (attributes.saturating_sub(i) as f64, i as f64);
        sets * left / (i + 1.0)
    };
    (0..depth).fold(1.0, of).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    #[test]
    fn a_scope_with_its_expected_share_explains_nothing() {
        assert!(close(inside_outside(10.0, 10.0, 100.0, 100.0), 0.0));
        assert!(
            close(inside_outside(5.0, 10.0, 100.0, 100.0), 0.0),
            "better than outside is no cause"
        );
    }

    /// 40 poor where 10 were expected, 80 of 80 outside (+20 each): 40 ln 4 + 0 − 140 ln(140/110) = 55.452 − 33.763.
    #[test]
    fn the_ratio_can_be_checked_by_hand() {
        assert!(close(inside_outside(40.0, 10.0, 120.0, 90.0), 21.689));
    }

    /// Two of three attributes: 3 sets; 50 cells; 100 call-ends: ln 50 + ln 3 + ln 3 + ½ ln 100 = 3.912 + 2.197 + 2.303.
    #[test]
    fn a_finer_scope_costs_more() {
        assert!(close(price(3, 2, 50.0, 100.0), 8.412));
        assert!(price(14, 3, 1000.0, 100.0) > price(14, 1, 10.0, 100.0));
    }

    /// 91 pairs of 14 attributes: ln(91/14) = ln 6.5.
    #[test]
    fn a_pair_of_attributes_costs_more_since_there_are_more_pairs() {
        assert!(close(more_sets(14, 2), 6.5_f64.ln()));
        assert!(close(more_sets(14, 1), 0.0));
    }

    /// 6 of 8 where 2 were expected: 6 ln 3 + 2 ln(2/6) = 4 ln 3 = 4.394.
    #[test]
    fn the_binomial_ratio_can_be_checked_by_hand() {
        assert!(close(binomial(8.0, 6.0, 2.0), 4.3944));
        assert!(close(binomial(8.0, 8.0, 2.0), 8.0 * 4f64.ln()));
        assert!(close(binomial(8.0, 2.0, 2.0), 0.0));
    }

    /// Three seen where one was expected, at twice the rate: 3 ln 2 − 1 = 1.079.
    #[test]
    fn the_poisson_ratio_can_be_checked_by_hand() {
        assert!(close(poisson(3.0, 1.0, 2.0), 1.0794));
    }

    /// 200 poor of 100 expected: 200 ln 2 − 100.
    #[test]
    fn only_more_than_expected_is_beyond() {
        assert!((beyond(200.0, 100.0) - 38.63).abs() < 0.01);
        assert!(beyond(50.0, 100.0) <= 0.0 && beyond(5.0, 0.0) <= 0.0);
    }
}
