//! How far a figure can be trusted: 95 % intervals of shares, medians, counts and ratios. Deterministic, no resampling by chance.

/// From and to; infinite where nothing is known on that side.
pub(super) type Interval = (f64, f64);

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;
/// The 95 % point, for one-sided bounds.
const Z_ONE_SIDED: f64 = 1.644_854;

/// Nothing is known.
pub(super) const NOTHING: Interval = (f64::NEG_INFINITY, f64::INFINITY);

/// The 97.5 % points of Student's t distribution with 1, 2, 3 … degrees of freedom (Abramowitz and Stegun 1964, table 26.10).
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// What lies beyond either end of an interval.
const TAIL: f64 = 0.025;
/// Runs that differ by less are alike.
const ALIKE: f64 = 1e-9;

/// A share `k` of `n` (Wilson 1927).
pub(super) fn share(k: usize, n: usize) -> Interval {
    share_of(real(k), real(n))
}

/// The same where an oracle is right by halves.
pub(super) fn share_of(k: f64, n: f64) -> Interval {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let (p, z2) = (k / n, Z * Z);
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// A quantile of values in order: the order statistics between which it lies, by the binomial distribution of how many values lie below it
/// (David and Nagaraja 2003, 7.1). Where even the smallest or the largest value lies on the wrong side of it too often, that end is open: of a
/// median both ends below 6 values, of nine tenths the upper one below 36.
pub(super) fn quantile(sorted: &[f64], q: f64) -> Interval {
    let below = rank(sorted.len(), q);
    let above = rank(sorted.len(), 1.0 - q);
    let low = below.checked_sub(1).and_then(|place| sorted.get(place));
    let high = sorted.get(sorted.len() - above);
    (
        low.copied().unwrap_or(f64::NEG_INFINITY),
        high.copied().unwrap_or(f64::INFINITY),
    )
}

/// The highest rank whose value of `n` lies above their quantile in no more than one case in forty: fewer values than its rank lie below the
/// quantile then. None is 0.
fn rank(n: usize, q: f64) -> usize {
    let odds = (q / (1.0 - q)).ln();
    let mut log = real(n) * (1.0 - q).ln();
    let mut fewer = log.exp();
    let mut rank = 0;
    while rank < n && fewer <= TAIL {
        log += (real(n - rank) / real(rank + 1)).ln() + odds;
        fewer += log.exp();
        rank += 1;
    }
    rank
}

/// The rate of rare events: `k` seen in `days`, with one-sided 95 % bounds (Garwood 1936, by the approximation of Wilson and
/// Hilferty).
pub(super) fn rate(k: usize, days: f64) -> Interval {
    poisson(k, days, Z_ONE_SIDED)
}

/// `k` events for `n` others, with both ends of a 95 % interval, likewise.
pub(super) fn count(k: usize, n: usize) -> Interval {
    poisson(k, real(n), Z)
}

fn poisson(k: usize, exposure: f64, z: f64) -> Interval {
    let bound = |k: f64, z: f64| k * (1.0 - 1.0 / (9.0 * k) + z / (3.0 * k.sqrt())).powi(3);
    let k = real(k);
    let low = if k > 0.0 { bound(k, -z) } else { 0.0 };
    (low.max(0.0) / exposure, bound(k + 1.0, z) / exposure)
}

/// Any figure of runs: by leaving out one run after the other (the jackknife), and Student's t with one degree of freedom less than there are
/// runs (Tukey 1958): by the normal distribution the interval of few runs is too short. Nothing where that tells nothing: runs are alike,
/// there is one only, or the figure is one run's alone.
pub(super) fn jackknife<T: Copy>(runs: &[T], figure: impl Fn(&[T]) -> Option<f64>) -> Option<Interval> {
    let whole = figure(runs)?;
    let without_one = |left_out: usize| {
        let others = runs.iter().enumerate().filter(|(i, _)| *i != left_out);
        figure(&others.map(|(_, run)| *run).collect::<Vec<T>>())
    };
    let without: Vec<f64> = (0..runs.len()).map(without_one).collect::<Option<_>>()?;
    let n = real(without.len());
    let mean = without.iter().sum::<f64>() / n;
    let error = ((n - 1.0) / n * without.iter().map(|f| (f - mean).powi(2)).sum::<f64>()).sqrt();
    let half = student(without.len().saturating_sub(1)) * error;
    (error > ALIKE).then_some((whole - half, whole + half))
}

/// The 97.5 % point of Student's t; beyond the table by its expansion (Abramowitz and Stegun 1964, 26.7.5). Without a degree of freedom nothing
/// is known.
fn student(degrees: usize) -> f64 {
    let Some(place) = degrees.checked_sub(1) else {
        return f64::INFINITY;
    };
    let n = real(degrees);
    let first = (Z.powi(3) + Z) / 4.0;
    let second = (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0;
    let expanded = Z + first / n + second / (n * n);
    STUDENT.get(place).copied().unwrap_or(expanded)
}

/// The wider of two intervals on each side; the second alone where the first tells nothing.
pub(super) fn widest(first: Option<Interval>, second: Interval) -> Interval {
    let (low, high) = first.unwrap_or(second);
    (low.min(second.0), high.max(second.1))
}

/// The sum of figures; of none it is 0, and not -0 as the sum of floating-point numbers is.
pub(super) fn sum(figures: impl Iterator<Item = f64>) -> f64 {
    figures.fold(0.0, |sum, figure| sum + figure)
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

    /// The mean of 1, 2, 3: standard error 1/√3 = 0.5774, and 4.303 of them at two degrees of freedom.
    #[test]
    fn the_jackknife_of_a_mean_is_students_interval() {
        let mean = |runs: &[f64]| (!runs.is_empty()).then(|| runs.iter().sum::<f64>() / real(runs.len()));
        let interval = jackknife(&[1.0, 2.0, 3.0], mean).expect("they differ");
        assert!(close(interval, (2.0 - 2.4843, 2.0 + 2.4843)), "{interval:?}");
        assert_eq!(jackknife(&[2.0, 2.0, 2.0], mean), None, "alike");
        assert_eq!(jackknife(&[2.0], mean), None, "one");
    }

    /// As tabulated: 2.042 with 30 degrees of freedom, 2.000 with 60, 1.980 with 120.
    #[test]
    fn the_more_runs_the_nearer_students_t_comes_to_the_normal_distribution() {
        assert!(student(0).is_infinite());
        for (degrees, tabulated) in [(1, 12.706), (30, 2.042), (60, 2.000), (120, 1.980)] {
            assert!((student(degrees) - tabulated).abs() < 1e-3, "{degrees}");
        }
        let points: Vec<f64> = (1..200).map(student).collect();
        assert!(points.is_sorted_by(|fewer, more| fewer > more && *more > Z));
    }

    #[test]
    fn of_two_intervals_each_side_is_the_wider_one() {
        assert!(close(widest(Some((0.2, 0.9)), (0.3, 1.0)), (0.2, 1.0)));
        assert!(close(widest(Some((0.4, 0.6)), (0.3, 0.5)), (0.3, 0.6)));
        assert!(close(widest(None, (0.3, 1.0)), (0.3, 1.0)));
    }

    /// Of 25 values fewer than 8 lie below the median in 2.2 % of all cases, fewer than 9 in 5.4 %: from the 8th to the 18th.
    #[test]
    fn the_median_lies_between_two_of_the_values() {
        let values: Vec<f64> = (1..=25).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), (8.0, 18.0));
    }

    /// All of five lie above the median once in 2⁵ = 32 cases, 3.1 %, all of six once in 64, 1.6 %. All of 35 lie below nine tenths in
    /// .9³⁵ = 2.503 % of the cases, all of 36 in 2.25 %.
    #[test]
    fn of_too_few_values_a_quantile_has_open_ends() {
        let values: Vec<f64> = (1..=36).map(f64::from).collect();
        assert_eq!(quantile(&values[..1], 0.5), NOTHING);
        assert_eq!(quantile(&values[..5], 0.5), NOTHING);
        assert_eq!(quantile(&values[..6], 0.5), (1.0, 6.0));
        let (low, high) = quantile(&values[..35], 0.9);
        assert!(low > 20.0 && high.is_infinite(), "{low} {high}");
        assert!((quantile(&values, 0.9).1 - 36.0).abs() < 1e-9);
        assert_eq!(quantile(&[], 0.5), NOTHING);
    }

    /// None for ten others: 3.69 at most for all of them (two-sided, Garwood).
    #[test]
    fn none_may_still_be_some() {
        let (low, high) = count(0, 10);
        assert!(low.abs() < 1e-9 && (high - 0.369).abs() < 5e-3, "{high}");
    }

    #[test]
    fn a_sum_of_nothing_has_no_sign() {
        assert!(sum(std::iter::empty()).is_sign_positive());
    }
}
