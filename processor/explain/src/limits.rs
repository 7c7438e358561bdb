//! What a scope could be worth at most, when less is known of it than its sums.
//!
//! The likelihood ratio rises with `k` and falls as `e` rises, and the price rises with `n` and the number of cells. So a
//! scope is worth no more than what `k` from above and `e`, `n` and the cells from below make of it. The bounds are a little
//! wider than that, for what floating point rounds.

use crate::{
    Settings,
    score::{OUTSIDE_PRIOR, price},
    table::Row,
};

/// What rounding could add to a score, for each poor call-end.
const ROUNDING: f64 = 1e-9;
/// Bits of a word that hold the expected ones; those above hold the poor ones.
const EXPECTED_BITS: u32 = 36;
/// The poor ones of a table are so many units at most, and one more for each row that is rounded up.
const POOR_UNITS: f64 = (1_u64 << 26) as f64;
/// And the expected ones.
const EXPECTED_UNITS: f64 = (1_u64 << 35) as f64;
/// One is two to this power of units at most, so that even next to nothing is a number of them.
const MOST_DOUBLINGS: f64 = 1000.0;

/// The sums of a cell as two whole numbers in one word: `k` above, rounded up; `e` below, rounded down. The share of a row is
/// never nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share(u64);

impl Share {
    /// Of a row that was counted elsewhere: no more than that it is there.
    pub(crate) const THERE: Self = Self(1);

    /// Adds what another holds. Neither number ever needs more bits than it has.
    pub(crate) const fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// The poor call-ends, in units.
    pub(crate) const fn poor(self) -> u64 {
        self.0 >> EXPECTED_BITS
    }

    const fn expected(self) -> u64 {
        self.0 & ((1 << EXPECTED_BITS) - 1)
    }
}

/// What is known of the whole table, for the bounds.
#[derive(Debug)]
pub(crate) struct Limits {
    settings: Settings<'static>,
    attributes: usize,
    total_k: f64,
    /// Poor calls and expected ones, with the pseudo-counts.
    all_k: f64,
    all_e: f64,
    /// What rounding could add to a score.
    rounding: f64,
    /// Units of a poor call-end and of an expected one.
    units: (f64, f64),
    /// Rows with less than one unit expected, and poor ones, which are counted twice: one unit more than they have at most.
    /// No cell has more too much.
    too_much: u64,
    /// The least expected for each poor one, of the rows that have any.
    least_e: f64,
    /// The least at risk for each expected one.
    least_n: f64,
}

impl Limits {
    pub(crate) fn new(
        attributes: usize,
        rows: &[Row],
        (total_k, total_e): (f64, f64),
        settings: &Settings<'_>,
    ) -> Self {
        let units = (units(total_k, POOR_UNITS), units(total_e, EXPECTED_UNITS));
        let (mut least_e, mut least_n) = (f64::INFINITY, f64::INFINITY);
        for row in rows {
            least_e = if row.k > 0.0 {
                least_e.min(row.e / row.k)
            } else {
                least_e
            };
            least_n = if row.e > 0.0 {
                least_n.min(row.n / row.e)
            } else {
                least_n
            };
        }
        Self {
            settings: Settings {
                indifference: None,
                things: &[],
                sets: None,
                ..*settings
            },
            attributes,
            total_k,
            all_k: total_k + OUTSIDE_PRIOR,
            all_e: total_e + OUTSIDE_PRIOR,
            rounding: ROUNDING * (1.0 + total_k),
            units,
            too_much: rows
                .iter()
                .map(|row| u64::from(row.e * units.1 < 1.0) + u64::from(row.k > 0.0))
                .sum(),
            least_e: least_e * (1.0 - ROUNDING),
            least_n: least_n * (1.0 - ROUNDING),
        }
    }

    /// A row as what its cells are told of it.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^35")]
    pub(crate) fn share(&self, row: &Row) -> Share {
        let (k, e) = ((row.k * self.units.0).ceil(), row.e * self.units.1);
        Share((k as u64) << EXPECTED_BITS | (e as u64).max(1))
    }

    /// What nothing costs less than: a scope of such a depth, among so many cells.
    #[allow(clippy::cast_precision_loss, reason = "no more than there are rows")]
    pub(crate) fn price(&self, depth: usize, cells: usize) -> f64 {
        price(self.attributes, depth, cells as f64, 1.0)
    }

    /// The score that no cell with such a share exceeds.
    pub(crate) fn score(&self, share: Share, price: f64) -> f64 {
        let (k, e) = self.sums(share);
        self.evidence(k, e) - price - self.rate(e)
    }

    /// Could a cell with such a share have enough excess, and such a score?
    pub(crate) fn reaches(&self, share: Share, price: f64, score: f64) -> bool {
        let (k, e) = self.sums(share);
        let left = self.evidence(k, e) - price;
        // Most do not even before their rate is paid for.
        k - e >= self.settings.min_excess - ROUNDING * (1.0 + k) && left >= score && left - self.rate(e) >= score
    }

    /// `k` from above and `e` from below.
    fn sums(&self, share: Share) -> (f64, f64) {
        let expected = share.expected().saturating_sub(self.too_much);
        let (k, e) = (number(share.poor()) / self.units.0, number(expected) / self.units.1);
        (k, e * (1.0 - ROUNDING))
    }

    /// What a scope pays for its rate, at least.
    fn rate(&self, e: f64) -> f64 {
        let n = self.least_n * e;
        if n > 1.0 && n.is_finite() { 0.5 * n.ln() } else { 0.0 }
    }

    /// The fewest poor call-ends, in units, of a scope that could score so much.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded down, between nothing and 2^26"
    )]
    pub(crate) fn fewest_poor(&self, score: f64, price: f64) -> u64 {
        let (mut few, mut enough) = (0.0, self.total_k);
        // By halves: evidence rises with `k` where `e` rises with it. Where `e` may be nothing it has no limit, and few are enough.
        for _ in 0..24 {
            let middle = f64::midpoint(few, enough);
            if self.evidence(middle, middle * self.least_e) - price < score {
                few = middle;
            } else {
                enough = middle;
            }
        }
        let poor = few.max(self.settings.min_excess).max(0.0) * (1.0 - ROUNDING);
        (poor * self.units.0) as u64
    }

    /// The most evidence of such a `k` and at least such an `e`. With the table's rate q, the ratio is
    /// `k ln(k / qe) + k' ln(1 − x)`, where `x = 1 − k' / qe'`, and `ln(1 − x)` is at most `−x − x²/2`.
    fn evidence(&self, k: f64, e: f64) -> f64 {
        if e <= 0.0 {
            return f64::INFINITY;
        }
        let alike = e * self.all_k / self.all_e;
        if k <= alike {
            return self.rounding;
        }
        let outside = (self.all_k - k).max(0.0);
        let x = 1.0 - outside / (self.all_k - alike);
        let llr = k * (k / alike).ln() - outside * x * (0.5f64.mul_add(x, 1.0));
        llr / self.settings.dispersion.max(1.0) + self.rounding
    }
}

/// How many units one is, so that a total has no more than so many: a power of two, so that whole numbers stay whole.
fn units(total: f64, most: f64) -> f64 {
    if total > 0.0 {
        (most / total).log2().floor().min(MOST_DOUBLINGS).exp2()
    } else {
        1.0
    }
}

#[allow(clippy::cast_precision_loss, reason = "less than 2^36")]
const fn number(units: u64) -> f64 {
    units as f64
}
