//! What is written down of the days and the clocks of sites: the holidays of their country, their own, and their time zone.

use dialtone_schemas::{EventTime, Text};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    holiday,
    owner::{GONE, thousands},
    zone::Zone,
};

/// Sites that are named of those that no calendar names.
const NAMED: usize = 5;

/// A day of a site's own calendar, written `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// Days since 1970.
    pub const fn since_1970(self) -> i32 {
        self.0
    }
}

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

/// The holidays of some sites, and what their clocks show. A site may be in several: that of its country, and one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// Whose calendar it is: reports name no country. The code of a country whose holidays are known brings them; any other name is for people.
    #[serde(default)]
    pub country: Option<Text>,
    /// The sites, as they are named in reports.
    pub sites: Vec<Text>,
    /// Their time zone; UTC where no calendar of a site has one.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// Days on which they work as little as on a Sunday.
    #[serde(default)]
    pub holidays: Vec<Day>,
    /// Are the public holidays of the country such days, too, where they are known?
    #[serde(default = "are_kept")]
    pub public_holidays: bool,
}

/// Public holidays are, unless a calendar says otherwise.
const fn are_kept() -> bool {
    true
}

impl Calendar {
    /// Is a site one of this calendar's?
    pub fn has(&self, site: &Text) -> bool {
        self.sites.contains(site)
    }

    /// The country whose public holidays its sites have: none where these are not known or not wanted.
    pub fn public(&self) -> Option<&Text> {
        let country = self.country.as_ref().filter(|_| self.public_holidays);
        country.filter(|country| holiday::is_known(country.as_str()))
    }

    /// What is wrong with this calendar alone, with its key.
    fn says_nothing(&self) -> Option<(&'static str, String)> {
        if self.sites.is_empty() {
            return Some((".sites", "names no site".to_owned()));
        }
        let is_empty = self.zone.is_none() && self.holidays.is_empty() && self.public().is_none();
        is_empty.then(|| ("", "has neither a zone nor holidays".to_owned()))
    }
}

/// What is wrong with calendars, with the key: those that say nothing, and clocks of one site that differ.
pub fn objections(calendars: &[Calendar]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (i, calendar) in calendars.iter().enumerate() {
        let other = calendar
            .sites
            .iter()
            .find_map(|site| other_zone(calendar, &calendars[..i], site));
        let wrong = calendar.says_nothing().into_iter().chain(other);
        found.extend(wrong.map(|(key, what)| (format!("calendar[{i}]{key}"), what)));
    }
    found
}

/// A site's zone that differs from what a calendar before says.
fn other_zone(calendar: &Calendar, before: &[Calendar], site: &Text) -> Option<(&'static str, String)> {
    let zone = calendar.zone.as_ref()?;
    let mut zones = before
        .iter()
        .filter(|other| other.has(site))
        .filter_map(|other| other.zone.as_ref());
    let other = zones.find(|other| *other != zone)?;
    Some((".zone", format!("site {site:?} has the zone {} already", other.name())))
}

/// Of the sites that are observed, with their call-ends, those that no calendar names, in words: what has the most call-ends first. Where nobody
/// has written any calendar, nobody has forgotten one.
pub fn without_calendar<'a>(calendars: &[Calendar], observed: impl Iterator<Item = (&'a Text, f64)>) -> Vec<String> {
    if calendars.is_empty() {
        return Vec::new();
    }
    let is_without =
        |(site, calls): &(&Text, f64)| *calls > GONE && !calendars.iter().any(|calendar| calendar.has(site));
    let mut found: Vec<(&Text, f64)> = observed.filter(is_without).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let said = |(site, calls): &(&Text, f64)| {
        let calls = thousands(*calls);
        format!("no calendar names site={site} ({calls} call-ends): its clocks are UTC's, and it has no holidays")
    };
    let mut told: Vec<String> = found.iter().take(NAMED).map(said).collect();
    let more = found.len() - told.len();
    if more > 0 {
        told.push(format!("and {more} more that no calendar names"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendars(text: &str) -> serde_json::Result<Vec<Calendar>> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_calendar_is_written_as_it_was_read() {
        let text = concat!(
            r#"[{"country":"DE","sites":["berlin"],"zone":"Europe/Berlin","#,
            r#""holidays":["2026-12-25"],"public_holidays":false}]"#
        );
        let read = calendars(text).expect("a calendar");
        assert_eq!(serde_json::to_string(&read).expect("json"), text);
        let bytes = postcard::to_stdvec(&read).expect("bytes");
        assert_eq!(postcard::from_bytes::<Vec<Calendar>>(&bytes).expect("calendars"), read);
        let typo = calendars(r#"[{"sites": ["berlin"], "holidays": ["25.12."]}]"#);
        assert!(typo.is_err_and(|error| error.to_string().contains("expected a day like 2026-12-25")));
    }

    /// Seven sites that no calendar names: of the last of them half a call-end is remembered, and it is gone; five are named, and one is not.
    #[test]
    fn sites_that_no_calendar_names_are_told_by_their_calls_where_there_is_a_calendar() {
        let calendars = calendars(r#"[{"sites": ["berlin"], "zone": "Europe/Berlin"}]"#).expect("a calendar");
        let calls = [9000.0, 10.0, 1240.0, 30.0, 40.0, 50.0, 60.0, 0.5];
        let names = ["berlin", "bern", "lyon", "oslo", "pisa", "rome", "ulm", "vaduz"];
        let names = names.map(|name| Text::new(name).expect("a text"));
        let told = |calendars: &[Calendar]| without_calendar(calendars, names.iter().zip(calls));
        let told_of = told(&calendars);
        let of_lyon = "no calendar names site=lyon (1,240 call-ends): its clocks are UTC's, and it has no holidays";
        assert_eq!((told_of[0].as_str(), told_of.len()), (of_lyon, 6));
        let sites = |line: &String| {
            line.split_once("site=")
                .and_then(|(_, rest)| rest.split(' ').next().map(str::to_owned))
        };
        let named: Vec<String> = told_of.iter().filter_map(sites).collect();
        assert_eq!(named, ["lyon", "ulm", "rome", "pisa", "oslo"]);
        assert_eq!(told_of[5], "and 1 more that no calendar names");
        assert_eq!(told(&[]), [""; 0]);
    }

    #[test]
    fn a_site_may_have_several_calendars_and_one_zone() {
        let read = calendars(
            r#"[{"country": "DE", "sites": ["berlin", "munich"], "zone": "Europe/Berlin", "holidays": ["2026-12-25"]},
                {"sites": ["munich"], "holidays": ["2026-08-15"]},
                {"sites": ["berlin"], "zone": "Europe/Berlin"},
                {"sites": ["lyon", "berlin"], "zone": "Europe/Paris"},
                {"sites": ["lyon"]},
                {"sites": [], "zone": "Europe/Paris"},
                {"country": "FR", "sites": ["lyon"]},
                {"country": "France", "sites": ["lyon"]},
                {"country": "FR", "sites": ["lyon"], "public_holidays": false},
                {"country": "France", "sites": ["lyon"], "holidays": ["2026-07-14"]}]"#,
        );
        let found = objections(&read.expect("calendars"));
        let expected = [
            ("calendar[3].zone", "site \"berlin\" has the zone Europe/Berlin already"),
            ("calendar[4]", "has neither a zone nor holidays"),
            ("calendar[5].sites", "names no site"),
            ("calendar[7]", "has neither a zone nor holidays"),
            ("calendar[8]", "has neither a zone nor holidays"),
        ];
        assert_eq!(found, expected.map(|(key, what)| (key.to_owned(), what.to_owned())));
    }
}
