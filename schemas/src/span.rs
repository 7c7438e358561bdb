//! Lengths of time in configuration: `"30s"`, `"75m"`, `"1h30m"`, `"250ms"`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time;

/// A length of time, not negative, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

const UNITS: [(&str, i64); 5] = [
    ("d", time::DAY),
    ("h", time::HOUR),
    ("m", time::MINUTE),
    ("s", time::SECOND),
    ("ms", 1_000),
];

impl Span {
    /// From microseconds; negative ones become zero.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 { Self(0) } else { Self(micros) }
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// As the standard library's duration.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.unsigned_abs())
    }

    /// Reads numbers with units, largest first or not: `1h30m`.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.to_owned());
        let mut rest = text.trim();
        let mut total = 0i64;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .filter(|n| *n > 0)
                .ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let micros = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
            let value = number
                .parse::<i64>()
                .ok()
                .and_then(|n| n.checked_mul(micros))
                .ok_or_else(wrong)?;
            total = total.checked_add(value).ok_or_else(wrong)?;
            rest = tail.trim_start();
        }
        if text.trim().is_empty() {
            Err(wrong())
        } else {
            Ok(Self(total))
        }
    }
}

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: expected a number with a unit (ms, s, m, h, d), such as \"90s\" or \"1h30m\"")]
pub struct SpanError(String);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (name, micros) in UNITS {
            if rest >= micros {
                write!(f, "{}{name}", rest / micros)?;
                rest %= micros;
            }
        }
        if self.0 < 1_000 { f.write_str("0s") } else { Ok(()) }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self::from_micros)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_people_write_it() {
        assert_eq!(Span::parse("1h30m").map(Span::micros), Ok(90 * time::MINUTE));
        assert_eq!(Span::parse("250ms").map(|s| s.to_string()), Ok("250ms".into()));
        assert_eq!(Span::from_micros(75 * time::MINUTE).to_string(), "1h15m");
        for wrong in ["", "90", "h", "5 parsecs", "-3s", "99999999999999d"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }
}
