//! Event time: instants, ticks and windows. Boundaries floor, also before 1970 (T-2).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Microseconds since 1970-01-01T00:00:00Z. It comes from the report, never from the broker or the clock (T-1).
///
/// JSON shows it as RFC 3339 in UTC and also takes an integer of microseconds; Avro and Arrow carry `timestamp-micros`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

/// One second in the unit of [`EventTime`].
pub const SECOND: i64 = 1_000_000;
/// One minute in the unit of [`EventTime`].
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in the unit of [`EventTime`].
pub const HOUR: i64 = 60 * MINUTE;
/// One day in the unit of [`EventTime`].
pub const DAY: i64 = 24 * HOUR;

impl EventTime {
    /// Earliest instant taken: year 1 (what RFC 3339 can write).
    pub const MIN: Self = Self(-62_135_596_800 * SECOND);
    /// Latest instant taken: the end of year 9998 (so that a day can still be added).
    pub const MAX: Self = Self(253_370_764_799 * SECOND);

    /// From microseconds since 1970, clamped to what can be written.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant plus `micros`, which may be negative.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this instant.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The last multiple of `step` not after this instant; for `step = DAY`, midnight UTC.
    #[must_use]
    pub const fn floor(self, step: i64) -> Self {
        Self(self.0 - self.0.rem_euclid(step))
    }

    /// The first multiple of `step` not before this instant.
    #[must_use]
    pub const fn ceil(self, step: i64) -> Self {
        Self(self.0 + (-self.0).rem_euclid(step))
    }

    /// Days since 1970, as Arrow's `date32` counts them.
    pub const fn day(self) -> i32 {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "MIN..=MAX are fewer than four million days"
        )]
        let day = self.0.div_euclid(DAY) as i32;
        day
    }

    /// Reads RFC 3339 with any offset and any number of fractional digits (those after the microsecond are dropped).
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let stamp: jiff::Timestamp = text
            .trim()
            .parse()
            .map_err(|e: jiff::Error| TimeError(format!("{text:?} is not RFC 3339: {e}")))?;
        Ok(Self::from_micros(stamp.as_microsecond()))
    }
}

/// Why a text is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimeError(String);

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(stamp) => stamp.fmt(f),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Instant;
        impl de::Visitor<'_> for Instant {
            type Value = EventTime;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 instant such as \"2026-03-02T09:00:00Z\", or microseconds since 1970")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<EventTime, E> {
                EventTime::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<EventTime, E> {
                Ok(EventTime::from_micros(micros))
            }
            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<EventTime, E> {
                i64::try_from(micros).map(EventTime::from_micros).map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Instant)
        } else {
            deserializer.deserialize_i64(Instant)
        }
    }
}

/// A multiple of 10 s: the step in which time passes for the folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(EventTime);

impl Tick {
    /// 10 s.
    pub const STEP: i64 = 10 * SECOND;

    /// The last tick not after `time`.
    pub const fn floor(time: EventTime) -> Self {
        Self(time.floor(Self::STEP))
    }

    /// The first tick not before `time`.
    pub const fn ceil(time: EventTime) -> Self {
        Self(time.ceil(Self::STEP))
    }

    /// The tick after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.plus(Self::STEP))
    }

    /// The instant of this tick.
    pub const fn time(self) -> EventTime {
        self.0
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tumbling window of 60 s, named by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(EventTime);

impl Window {
    /// 60 s.
    pub const SPAN: i64 = MINUTE;

    /// The one window of an event that ended at `end`: that of its last microsecond (T-2).
    pub const fn of_end(end: EventTime) -> Self {
        Self(end.plus(-1).floor(Self::SPAN))
    }

    /// Its first instant.
    pub const fn start(self) -> EventTime {
        self.0
    }

    /// The first instant after it.
    pub const fn end(self) -> EventTime {
        self.0.plus(Self::SPAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse(text).expect("an instant")
    }

    #[test]
    fn an_end_on_the_boundary_belongs_to_the_window_before_it() {
        assert_eq!(
            Window::of_end(at("2026-03-02T09:01:00Z")).start(),
            at("2026-03-02T09:00:00Z")
        );
        assert_eq!(
            Window::of_end(at("2026-03-02T09:01:00.000001Z")).start(),
            at("2026-03-02T09:01:00Z")
        );
    }

    #[test]
    fn boundaries_floor_before_1970_too() {
        assert_eq!(
            Window::of_end(EventTime::from_micros(0)).start(),
            EventTime::from_micros(-MINUTE)
        );
        assert_eq!(
            EventTime::from_micros(-1).floor(SECOND),
            EventTime::from_micros(-SECOND)
        );
        assert_eq!(Tick::ceil(EventTime::from_micros(-1)).time(), EventTime::from_micros(0));
        assert_eq!(EventTime::from_micros(-1).day(), -1);
    }

    #[test]
    fn seven_fractional_digits_and_offsets_are_read() {
        assert_eq!(at("2020-02-25T18:52:21.2169889Z").micros(), 1_582_656_741_216_988);
        assert_eq!(at("2026-03-02T10:00:00+01:00"), at("2026-03-02T09:00:00Z"));
        assert!(EventTime::parse("yesterday").is_err());
    }

    #[test]
    fn json_shows_text_and_takes_text_or_microseconds() {
        let time = at("2026-03-02T09:00:00.5Z");
        assert_eq!(
            serde_json::to_string(&time).expect("json"),
            "\"2026-03-02T09:00:00.5Z\""
        );
        assert_eq!(
            serde_json::from_str::<EventTime>("1772442000500000").expect("micros"),
            time
        );
    }
}
