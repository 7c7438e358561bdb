//! R, MOS and the shares of users that would say "good" or "poor" (G.107 annex B and appendix I).

use std::f64::consts::{FRAC_PI_3, SQRT_2};

/// MOS-CQE of R. The printed cubic falls below 1 for 0 < R < 6.5; nobody can say less than 1.
pub fn mos_from_r(r: f64) -> f64 {
    if r >= 100.0 {
        return 4.5;
    }
    if r <= 0.0 {
        return 1.0;
    }
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
}

/// R of a MOS of 1 to 4.5 (appendix I); `None` outside. It is at least 6.5, where the cubic leaves 1 for good.
pub fn r_from_mos(mos: f64) -> Option<f64> {
    if !(1.0..=4.5).contains(&mos) {
        return None;
    }
    // Just above 4.5 the radicand turns negative; at 4.5 rounding must not.
    let radicand = (-903_522.0 + 1_113_960.0 * mos - 202_500.0 * mos * mos).max(0.0);
    let h = (15.0 * radicand.sqrt()).atan2(18_566.0 - 6_750.0 * mos) / 3.0;
    Some(20.0 / 3.0 * (8.0 - 226.0_f64.sqrt() * (h + FRAC_PI_3).cos()))
}

/// GoB: per cent of users that would call it good or better.
pub fn good_or_better_percent(r: f64) -> f64 {
    100.0 * normal((r - 60.0) / 16.0)
}

/// PoW: per cent of users that would call it poor or worse.
pub fn poor_or_worse_percent(r: f64) -> f64 {
    100.0 * normal((45.0 - r) / 16.0)
}

/// Φ, the share of a standard normal below `x`: Abramowitz and Stegun 7.1.26, to 1.5e-7.
fn normal(x: f64) -> f64 {
    let z = x.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let above = poly * (-z * z).exp() / 2.0;
    if x < 0.0 { above } else { 1.0 - above }
}
