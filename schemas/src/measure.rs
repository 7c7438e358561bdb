//! Measured quantities with their units and ranges in the type: a loss of `2` cannot be built.

use serde::{Deserialize, Serialize};

/// Why a number is not a quantity.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{quantity} of {value}: expected {low} to {high}{unit}")]
pub struct OutOfRange {
    quantity: &'static str,
    value: f64,
    low: f64,
    high: f64,
    unit: &'static str,
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $low:literal ..= $high:literal, $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Refuses values outside the range, NaN included.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                if ($low..=$high).contains(&value) {
                    // `+ 0.0` turns -0.0 into 0.0, so that equal values have equal bytes (C-2).
                    Ok(Self(value + 0.0))
                } else {
                    Err(OutOfRange { quantity: stringify!($name), value, low: $low, high: $high, unit: $unit })
                }
            }

            /// The number in the type's unit.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = OutOfRange;
            fn try_from(value: f64) -> Result<Self, OutOfRange> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }
    };
}

quantity!(
    /// A share of packets, samples or time: 0 to 1, never per cent.
    Ratio, 0.0..=1.0, ""
);
quantity!(
    /// A duration in milliseconds: jitter, delay, buffer. At most an hour: longer ones are sentinels.
    Millis, 0.0..=3_600_000.0, " ms"
);
quantity!(
    /// Transmission rating R of ITU-T G.107 (0 to 100), G.107.1 (to 129) or G.107.2 (to 148), by the method beside it.
    RFactor, 0.0..=148.0, ""
);
quantity!(
    /// Mean opinion score, ITU-T P.800.1, 1 to 5.
    Mos, 1.0..=5.0, ""
);
quantity!(
    /// A level in dBm0 or dB.
    Decibel, -127.0..=127.0, " dB"
);
quantity!(
    /// Frames a second.
    FrameRate, 0.0..=1000.0, " 1/s"
);

impl Ratio {
    /// From per cent, as RFC 6035 and most vendors send it.
    pub fn from_percent(percent: f64) -> Result<Self, OutOfRange> {
        Self::new(percent / 100.0)
    }

    /// As per cent, as the E-model's formulas want it.
    pub fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_two_is_refused_with_its_range() {
        let error = Ratio::new(2.0).expect_err("two is two hundred per cent");
        assert_eq!(error.to_string(), "Ratio of 2: expected 0 to 1");
        assert_eq!(Ratio::from_percent(2.0), Ratio::new(0.02));
    }

    #[test]
    fn nan_is_no_quantity_and_minus_zero_is_zero() {
        assert!(Millis::new(f64::NAN).is_err());
        assert!(Mos::new(0.0).is_err(), "0 is a sentinel, not an opinion");
        assert_eq!(Millis::new(-0.0).expect("zero").get().to_bits(), 0);
    }
}
