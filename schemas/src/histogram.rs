//! Sparse histograms with logarithmic bins and documented edges: they add exactly and show a shift long before
//! anything is poor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bin edges of one metric. Bin 0 holds everything below the first edge; bin `i` ≥ 1 holds
/// `first * ratio^(i-1) ≤ value < first * ratio^i`, with ratio 2^(1/4) ≈ 1.189 (±9 % around a bin's middle).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Loss as a ratio; first edge 0.0005 (one packet in 2,000: 40 s of 20 ms packets).
    Loss,
    /// Jitter in ms; first edge 0.5 ms.
    Jitter,
    /// Round trip in ms; first edge 1 ms.
    Delay,
    /// What is missing to R = 100, that is `100 - R`; first edge 1.
    MissingR,
}

impl Scale {
    /// Bins an octave.
    pub const BINS_PER_OCTAVE: f64 = 4.0;
    /// Highest bin: 2^32 times the first edge.
    pub const LAST_BIN: u16 = 128;

    const fn first_edge(self) -> f64 {
        match self {
            Self::Loss => 0.0005,
            Self::Jitter => 0.5,
            Self::Delay | Self::MissingR => 1.0,
        }
    }

    /// The bin of a value (of this scale's unit).
    pub fn bin(self, value: f64) -> u16 {
        if value < self.first_edge() || value.is_nan() {
            return 0;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 1..=LAST_BIN"
        )]
        let bin = ((value / self.first_edge()).log2() * Self::BINS_PER_OCTAVE)
            .floor()
            .clamp(0.0, 127.0) as u16
            + 1;
        bin
    }

    /// Lower edge of a bin.
    pub fn lower_edge(self, bin: u16) -> f64 {
        if bin == 0 {
            0.0
        } else {
            self.first_edge() * ((f64::from(bin) - 1.0) / Self::BINS_PER_OCTAVE).exp2()
        }
    }
}

/// Counts by bin; empty bins are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Bin>", into = "Vec<Bin>")]
pub struct Histogram(BTreeMap<u16, i64>);

/// One bin as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bin {
    bin: i32,
    count: i64,
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, bin: u16, count: i64) {
        let held = self.0.entry(bin).or_default();
        *held += count;
        if *held == 0 {
            self.0.remove(&bin);
        }
    }

    /// Adds another histogram (W-1), or takes it away with `sign = -1`.
    pub fn merge(&mut self, other: &Self, sign: i64) {
        for (bin, count) in &other.0 {
            self.add(*bin, sign * count);
        }
    }

    /// Bins and their counts, ascending.
    pub fn bins(&self) -> impl Iterator<Item = (u16, i64)> {
        self.0.iter().map(|(bin, count)| (*bin, *count))
    }

    /// Everything counted.
    pub fn total(&self) -> i64 {
        self.0.values().sum()
    }
}

impl From<Vec<Bin>> for Histogram {
    fn from(bins: Vec<Bin>) -> Self {
        let mut histogram = Self::default();
        for Bin { bin, count } in bins {
            histogram.add(
                u16::try_from(bin.max(0))
                    .unwrap_or(Scale::LAST_BIN)
                    .min(Scale::LAST_BIN),
                count,
            );
        }
        histogram
    }
}

impl From<Histogram> for Vec<Bin> {
    fn from(histogram: Histogram) -> Self {
        histogram
            .bins()
            .map(|(bin, count)| Bin {
                bin: i32::from(bin),
                count,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_between_its_bins_edges() {
        for scale in [Scale::Loss, Scale::Jitter, Scale::Delay, Scale::MissingR] {
            for value in [0.0, 0.0004, 0.01, 0.5, 1.0, 7.3, 150.0, 2000.0] {
                let bin = scale.bin(value);
                assert!(scale.lower_edge(bin) <= value * (1.0 + 1e-12), "{scale:?} {value}");
                assert!(value < scale.lower_edge(bin + 1), "{scale:?} {value}");
            }
        }
        assert_eq!(Scale::Jitter.bin(1.0), 5, "one octave above 0.5 ms is four bins on");
    }

    #[test]
    fn taking_away_what_was_added_leaves_nothing() {
        let mut a = Histogram::default();
        a.add(3, 2);
        let b = a.clone();
        a.merge(&b, 1);
        assert_eq!(a.total(), 4);
        a.merge(&b, -1);
        a.merge(&b, -1);
        assert_eq!(a, Histogram::default());
    }
}
