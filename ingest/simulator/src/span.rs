//! Lengths of time, as a person writes them.

use dialtone_schemas::time;
use serde::{Deserialize, Deserializer, de};

/// A length of time: `"24h"`, `"1h10m"`, `"90s"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub i64);

impl Span {
    /// Reads digits each followed by one of `d`, `h`, `m`, `s`.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut total, mut number, mut empty) = (0_i64, None::<i64>, true);
        for c in text.chars() {
            if let Some(digit) = c.to_digit(10) {
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
                continue;
            }
            let unit = match c {
                'd' => time::DAY,
                'h' => time::HOUR,
                'm' => time::MINUTE,
                's' => time::SECOND,
                _ => return None,
            };
            total = total.checked_add(number.take()?.checked_mul(unit)?)?;
            empty = false;
        }
        (number.is_none() && !empty).then_some(Self(total))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is not a length of time such as \"1h10m\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_needs_its_units() {
        assert_eq!(Span::parse("1h10m"), Some(Span(70 * time::MINUTE)));
        assert_eq!(Span::parse("2d"), Some(Span(2 * time::DAY)));
        for text in ["", "10", "h", "1h10", "1.5h", "-1h"] {
            assert_eq!(Span::parse(text), None, "{text:?}");
        }
    }
}
