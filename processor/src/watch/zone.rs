//! Time zones with their summer times, from the table that is compiled in: every machine says the same.

use dialtone_schemas::{EventTime, time};
use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time zone, written by its IANA name: `Europe/Berlin`.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of a name, in whatever case. None if there is no such zone.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The instant at which UTC's clocks show what the clocks of this zone show at `at`.
    pub fn shown(&self, at: EventTime) -> EventTime {
        // Every event time is one of jiff's.
        Timestamp::from_microsecond(at.micros()).map_or(at, |stamp| {
            at.plus(i64::from(self.0.to_offset(stamp).seconds()) * time::SECOND)
        })
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || {
            de::Error::custom(format!(
                "{name:?} is no `zone`: expected an IANA name like Europe/Berlin"
            ))
        };
        Self::named(&name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, at: &str) -> String {
        let zone = Zone::named(zone).expect("a zone");
        zone.shown(EventTime::parse(at).expect("a time")).to_string()
    }

    /// In 2026 Berlin's clocks go from two to three on 29 March, and from three back to two on 25 October. Kathmandu is 5:45 ahead.
    #[test]
    fn clocks_show_summer_time_in_summer_and_quarters_where_they_have_them() {
        assert_eq!(shown("Europe/Berlin", "2026-03-29T00:59:00Z"), "2026-03-29T01:59:00Z");
        assert_eq!(shown("Europe/Berlin", "2026-03-29T01:00:00Z"), "2026-03-29T03:00:00Z");
        assert_eq!(shown("Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-25T02:30:00Z");
        assert_eq!(shown("Europe/Berlin", "2026-10-25T01:30:00Z"), "2026-10-25T02:30:00Z");
        assert_eq!(shown("Asia/Kathmandu", "2026-03-02T03:20:00Z"), "2026-03-02T09:05:00Z");
        assert_eq!(shown("utc", "2026-03-02T03:20:00Z"), "2026-03-02T03:20:00Z");
    }

    #[test]
    fn a_zone_is_kept_by_its_name() {
        let berlin = Zone::named("europe/berlin").expect("a zone");
        let bytes = postcard::to_stdvec(&berlin).expect("bytes");
        assert_eq!(bytes, b"\x0dEurope/Berlin");
        assert_eq!(postcard::from_bytes::<Zone>(&bytes).expect("a zone"), berlin);
        let unknown = serde_json::from_str::<Zone>("\"Europe/Berlln\"").expect_err("no zone");
        assert!(
            unknown.to_string().starts_with("\"Europe/Berlln\" is no `zone`"),
            "{unknown}"
        );
        assert_eq!(Zone::named("Etc/Unknown"), None);
    }
}
