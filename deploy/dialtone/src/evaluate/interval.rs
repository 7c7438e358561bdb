//! How far a figure can be trusted: 95 % intervals of shares, medians, counts and ratios. Deterministic, no resampling by chance.

/// From and to; infinite where nothing is known on that side.
pub(super) type Interval = (f64, f64);

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;
/// The 95 % point, for one-sided bounds.
const Z_ONE_SIDED: f64 = 1.644_854;

/// A share `k` of `n` (Wilson 1927).
pub(super) fn share(k: usize, n: usize) -> Interval {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (real(k), real(n));
    let (p, z2) = (k / n, Z * Z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// A quantile of values in order: the order statistics between which it lies, by the normal approximation of the binomial.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Interval {
    let n = real(sorted.len());
    let half = Z * (n * q * (1.0 - q)).sqrt();
    let at = |rank: f64| {
        let rank = rank.clamp(0.0, (n - 1.0).max(0.0));
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to an index"
        )]
        sorted.get(rank as usize).copied().unwrap_or(f64::NAN)
    };
    (at((n * q - half).floor()), at((n * q + half).ceil()))
}

/// The rate of rare events: `k` seen in `days`, with one-sided 95 % bounds (Garwood, by the approximation of Wilson and
/// Hilferty).
pub(super) fn rate(k: usize, days: f64) -> Interval {
    let bound = |k: f64, z: f64| k * (1.0 - 1.0 / (9.0 * k) + z / (3.0 * k.sqrt())).powi(3);
    let k = real(k);
    let low = if k > 0.0 { bound(k, -Z_ONE_SIDED) } else { 0.0 };
    (low.max(0.0) / days, bound(k + 1.0, Z_ONE_SIDED) / days)
}

/// Any figure of runs: by leaving out one run after the other (the jackknife).
pub(super) fn jackknife<T>(runs: &[T], figure: impl Fn(&[&T]) -> f64) -> Interval {
    let all: Vec<&T> = runs.iter().collect();
    let (n, whole) = (real(runs.len()), figure(&all));
    if runs.len() < 2 {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let without: Vec<f64> = (0..runs.len())
        .map(|left_out| {
            let rest: Vec<&T> = (0..)
                .zip(runs)
                .filter(|(i, _)| *i != left_out)
                .map(|(_, run)| run)
                .collect();
            figure(&rest)
        })
        .collect();
    let mean = without.iter().sum::<f64>() / n;
    let error = ((n - 1.0) / n * without.iter().map(|f| (f - mean).powi(2)).sum::<f64>()).sqrt();
    (whole - Z * error, whole + Z * error)
}

#[allow(clippy::cast_precision_loss, reason = "counts of runs and causes")]
pub(super) fn real(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Interval, b: Interval) -> bool {
        (a.0 - b.0).abs() < 2e-3 && (a.1 - b.1).abs() < 2e-3
    }

    /// 8 of 10, as tabulated: .490 to .943.
    #[test]
    fn a_share_of_few_is_wide() {
        assert!(close(share(8, 10), (0.4902, 0.9433)), "{:?}", share(8, 10));
        assert!(share(0, 30).1 < 0.12 && share(0, 30).0 < 1e-9);
        assert_eq!(share(0, 0), (0.0, 1.0));
    }

    /// None in 30 days: the exact one-sided bound is −ln 0.05 / 30 = 0.0999.
    #[test]
    fn nothing_seen_is_not_nothing() {
        let (low, high) = rate(0, 30.0);
        assert!(low.abs() < 1e-9 && (high - 0.0999).abs() < 2e-3, "{high}");
    }

    /// The mean of 1, 2, 3: standard error 1/√3 = 0.577.
    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let mean = |runs: &[&f64]| runs.iter().copied().sum::<f64>() / real(runs.len());
        assert!(close(jackknife(&[1.0, 2.0, 3.0], mean), (2.0 - 1.1316, 2.0 + 1.1316)));
    }

    /// Of 25 values the ranks 12.5 ∓ 4.9: from the 8th to the 19th.
    #[test]
    fn the_median_lies_between_two_of_the_values() {
        let values: Vec<f64> = (1..=25).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), (8.0, 19.0));
    }
}
