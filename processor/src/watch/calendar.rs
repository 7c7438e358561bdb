//! Days without work: weekends, and the holidays of a site's country.

use dialtone_schemas::{EventTime, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Day 0, 1 January 1970, was a Thursday: so many days after a Monday.
const FIRST: i32 = 3;

/// A day in UTC, written `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i32);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let midnight = EventTime::parse(&format!("{text}T00:00:00Z"));
        let day =
            midnight.map_err(|_not_a_time| de::Error::custom(format!("{text:?}: expected a day like 2026-12-25")))?;
        Ok(Self(day.day()))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let midnight = EventTime::from_micros(i64::from(self.0) * dialtone_schemas::time::DAY);
        serializer.collect_str(midnight.to_string().get(..10).unwrap_or_default())
    }
}

/// The holidays of some sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// The sites, as they are named in reports.
    pub sites: Vec<Text>,
    /// Days on which they work as little as on a Sunday.
    pub holidays: Vec<Day>,
}

/// The holidays of a site, as days since 1970.
pub fn holidays<'a>(calendars: &'a [Calendar], site: &'a Text) -> impl Iterator<Item = i32> + 'a {
    let of_site = calendars.iter().filter(|calendar| calendar.sites.contains(site));
    of_site.flat_map(|calendar| calendar.holidays.iter().map(|day| day.0))
}

/// Is this no working day of a site: a weekend, or a holiday of its calendar?
pub fn is_free(calendars: &[Calendar], site: Option<&Text>, at: EventTime) -> bool {
    let day = at.day();
    is_weekend(day) || site.is_some_and(|site| holidays(calendars, site).any(|holiday| holiday == day))
}

const fn is_weekend(day: i32) -> bool {
    (day + FIRST).rem_euclid(7) >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holiday_is_free_where_it_is_one_and_a_weekend_everywhere() {
        let calendars: Vec<Calendar> =
            serde_json::from_str(r#"[{"sites": ["berlin"], "holidays": ["2026-12-25"]}]"#).expect("a calendar");
        let text = |text: &str| Text::new(text).expect("a text");
        let at = |text: &str| EventTime::parse(text).expect("a time");
        let free = |site, day| is_free(&calendars, Some(&text(site)), at(day));
        // 25 December 2026 is a Friday, the 26th a Saturday.
        assert!(free("berlin", "2026-12-25T09:00:00Z") && !free("lyon", "2026-12-25T09:00:00Z"));
        assert!(free("lyon", "2026-12-26T09:00:00Z") && !free("berlin", "2026-12-28T09:00:00Z"));
        assert_eq!(
            serde_json::to_string(&calendars).expect("json"),
            r#"[{"sites":["berlin"],"holidays":["2026-12-25"]}]"#
        );
        let typo = serde_json::from_str::<Vec<Calendar>>(r#"[{"sites": [], "holidays": ["25.12."]}]"#);
        assert!(typo.is_err_and(|error| error.to_string().contains("expected a day like 2026-12-25")));
    }
}
