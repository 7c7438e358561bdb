//! What time it is at a site: its day and its hour are those that its own clocks show, or UTC's where nobody has told its zone.

use std::collections::{BTreeMap, BTreeSet};

use dialtone_schemas::{Dimension, EventTime, Text, time};
use serde::{Deserialize, Serialize};

use super::{calendar::Calendar, dictionary::Dictionary, holiday, zone::Zone};

/// Day 0, 1 January 1970, was a Thursday: so many days after a Monday.
const FIRST: i32 = 3;
/// From this day of the week on nobody works.
const SATURDAY: usize = 5;

/// What the clocks of a site show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// The instant at which UTC's clocks show the same.
    shown: EventTime,
    is_holiday: bool,
}

impl Local {
    /// The hour, counted since 1970. It goes on by the hour, but for the one that is skipped in spring and the one that comes twice in autumn.
    pub const fn hour(self) -> i64 {
        self.shown.micros().div_euclid(time::HOUR)
    }

    /// How many such steps of the day are over.
    pub fn of_day(self, step: i64) -> usize {
        let since_midnight = self.shown.micros().rem_euclid(time::DAY);
        usize::try_from(since_midnight.div_euclid(step)).unwrap_or(0)
    }

    /// The day of the week, from Monday on. A holiday is none.
    pub fn weekday(self) -> Option<usize> {
        let weekday = usize::try_from((self.shown.day() + FIRST).rem_euclid(7));
        weekday.ok().filter(|_| !self.is_holiday)
    }

    /// Is this no working day: a weekend, or a holiday?
    pub fn is_free(self) -> bool {
        self.weekday().is_none_or(|weekday| weekday >= SATURDAY)
    }
}

/// The clock of one site, its holidays as days since 1970, and the countries whose public holidays it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Clock {
    zone: Option<Zone>,
    holidays: BTreeSet<i32>,
    countries: BTreeSet<Text>,
}

impl Clock {
    /// As the calendars say. Of zones that contradict each other the first.
    fn of(calendars: &[Calendar], site: &Text) -> Option<Self> {
        let of_site: Vec<&Calendar> = calendars.iter().filter(|calendar| calendar.has(site)).collect();
        let holidays = of_site.iter().flat_map(|calendar| &calendar.holidays);
        let countries = of_site.iter().filter_map(|calendar| calendar.public());
        (!of_site.is_empty()).then(|| Self {
            zone: of_site.iter().find_map(|calendar| calendar.zone.clone()),
            holidays: holidays.map(|day| day.since_1970()).collect(),
            countries: countries.cloned().collect(),
        })
    }

    /// Is this day, counted since 1970, one of its holidays?
    fn is_holiday(&self, day: i32) -> bool {
        let is_public = |country: &Text| holiday::is_public(country.as_str(), day);
        self.holidays.contains(&day) || self.countries.iter().any(is_public)
    }
}

/// The clocks of all sites that a calendar names, by their codes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Clocks {
    /// The calendars that were read ...
    calendars: Vec<Calendar>,
    /// ... and how many sites were known then.
    known: u32,
    sites: BTreeMap<u32, Clock>,
}

impl Clocks {
    /// The configuration's calendars are those of a tenant's sites. Where they have been read anew: the sites that were known and have another
    /// zone now.
    pub fn keep(&mut self, calendars: &[Calendar], dictionary: &Dictionary) -> Option<Vec<u32>> {
        let index = Dimension::Site.index();
        let known = dictionary.values(index);
        if self.calendars == calendars && self.known == known {
            return None;
        }
        let of_site = |site: u32| Some((site, Clock::of(calendars, dictionary.name(index, site)?)?));
        let read = Self {
            calendars: calendars.to_vec(),
            known,
            sites: (1..known).filter_map(of_site).collect(),
        };
        let zone = |clocks: &Self, site| clocks.sites.get(&site).and_then(|clock| clock.zone.clone());
        let moved = (1..self.known)
            .filter(|site| zone(self, *site) != zone(&read, *site))
            .collect();
        *self = read;
        Some(moved)
    }

    /// What the clocks of a site show at an instant.
    pub fn local(&self, site: u32, at: EventTime) -> Local {
        let Some(clock) = self.sites.get(&site) else {
            return Local {
                shown: at,
                is_holiday: false,
            };
        };
        let shown = clock.zone.as_ref().map_or(at, |zone| zone.shown(at));
        let is_holiday = clock.is_holiday(shown.day());
        Local { shown, is_holiday }
    }

    /// Some sites with their zones, and no holidays.
    #[cfg(test)]
    pub(super) fn in_zones(zones: &[(u32, &str)]) -> Self {
        let clock = |zone: &str| Clock {
            zone: Some(Zone::named(zone).expect("a zone")),
            holidays: BTreeSet::new(),
            countries: BTreeSet::new(),
        };
        Self {
            sites: zones.iter().map(|(site, zone)| (*site, clock(zone))).collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::Leaf;

    use super::*;

    /// Of berlin, boston and lyon, in this order from 1 on; lyon is in no calendar.
    fn clocks() -> Clocks {
        let calendars: Vec<Calendar> = serde_json::from_str(
            r#"[{"country": "DE", "sites": ["berlin"], "zone": "Europe/Berlin", "holidays": ["2026-12-25"]},
                {"sites": ["berlin"], "holidays": ["2026-12-31"]},
                {"country": "US", "sites": ["boston"], "zone": "America/New_York", "holidays": ["2026-12-25"]}]"#,
        )
        .expect("calendars");
        let mut dictionary = Dictionary::default();
        for site in ["berlin", "boston", "lyon"] {
            dictionary.leaf(&Leaf {
                site: Text::new(site).ok(),
                ..Leaf::default()
            });
        }
        let mut clocks = Clocks::default();
        assert_eq!(
            clocks.keep(&calendars, &dictionary),
            Some(Vec::new()),
            "no site was known"
        );
        assert_eq!(clocks.keep(&calendars, &dictionary), None, "nothing has changed");
        clocks
    }

    fn local(site: u32, at: &str) -> Local {
        clocks().local(site, EventTime::parse(at).expect("a time"))
    }

    /// 25 December 2026 is a Friday, the 26th a Saturday.
    #[test]
    fn a_holiday_is_free_where_it_is_one_and_a_weekend_everywhere() {
        let [berlin, boston, lyon] = [1, 2, 3];
        let is_free = |site, at| local(site, at).is_free();
        assert!(is_free(berlin, "2026-12-25T09:00:00Z") && !is_free(lyon, "2026-12-25T09:00:00Z"));
        assert!(is_free(lyon, "2026-12-26T09:00:00Z") && !is_free(berlin, "2026-12-28T09:00:00Z"));
        assert!(
            is_free(berlin, "2026-12-31T09:00:00Z"),
            "a day of its own, beside its country's"
        );
        assert!(!is_free(boston, "2026-12-31T09:00:00Z"));
        assert_eq!(local(berlin, "2026-12-25T09:00:00Z").weekday(), None);
        assert_eq!(local(lyon, "2026-12-25T09:00:00Z").weekday(), Some(4));
    }

    /// Easter Monday of 2026 is 6 April, and Thanksgiving 26 November: nobody has typed them.
    #[test]
    fn the_public_holidays_of_a_country_are_free_beside_those_that_are_typed() {
        let [berlin, boston, lyon] = [1, 2, 3];
        let is_free = |site, at| local(site, at).is_free();
        let (easter, thanksgiving) = ("2026-04-06T15:00:00Z", "2026-11-26T15:00:00Z");
        assert!(is_free(berlin, easter) && !is_free(boston, easter) && !is_free(lyon, easter));
        assert!(!is_free(berlin, thanksgiving) && is_free(boston, thanksgiving) && !is_free(lyon, thanksgiving));
        assert!(
            is_free(boston, "2027-01-02T03:00:00Z"),
            "where New Year is not over yet"
        );
    }

    #[test]
    fn a_mere_name_and_a_calendar_without_public_holidays_free_the_typed_days_alone() {
        let calendars: Vec<Calendar> = serde_json::from_str(
            r#"[{"country": "Germany", "sites": ["berlin"], "holidays": ["2026-12-25"]},
                {"country": "IE", "sites": ["dublin"], "holidays": ["2026-12-25"], "public_holidays": false}]"#,
        )
        .expect("calendars");
        for site in ["berlin", "dublin"] {
            let clock = Clock::of(&calendars, &Text::new(site).expect("a text")).expect("a clock");
            let is_holiday = |date: &str| {
                let midnight = EventTime::parse(&format!("{date}T00:00:00Z"));
                clock.is_holiday(midnight.expect("a day").day())
            };
            assert!(is_holiday("2026-12-25"), "{site}");
            assert!(!is_holiday("2026-04-06") && !is_holiday("2027-12-25"), "{site}");
        }
    }

    #[test]
    fn only_a_site_whose_zone_is_another_is_said_to_have_moved() {
        let calendars = |zone: &str| -> Vec<Calendar> {
            let text = format!(
                r#"[{{"sites": ["berlin"], "zone": "Europe/Paris"}}, {{"sites": ["lyon"], "zone": "{zone}"}}]"#
            );
            serde_json::from_str(&text).expect("calendars")
        };
        let mut dictionary = Dictionary::default();
        for site in ["berlin", "lyon"] {
            dictionary.leaf(&Leaf {
                site: Text::new(site).ok(),
                ..Leaf::default()
            });
        }
        let mut clocks = Clocks::default();
        assert_eq!(clocks.keep(&calendars("UTC"), &dictionary), Some(Vec::new()));
        assert_eq!(clocks.keep(&calendars("Europe/Paris"), &dictionary), Some(vec![2]));
        assert_eq!(clocks.keep(&calendars("Europe/Paris")[..1], &dictionary), Some(vec![2]));
    }

    /// Boston is five hours behind UTC in winter, Berlin one ahead. 2 March 2026 is a Monday.
    #[test]
    fn a_day_begins_at_a_sites_own_midnight() {
        let [berlin, boston, lyon] = [1, 2, 3];
        let is_free = |site, at| local(site, at).is_free();
        assert!(!is_free(boston, "2026-12-25T04:59:00Z") && is_free(boston, "2026-12-25T05:00:00Z"));
        assert!(!is_free(berlin, "2026-03-01T23:00:00Z") && is_free(lyon, "2026-03-01T23:00:00Z"));
        let hour = |site, at| local(site, at).of_day(time::HOUR);
        assert_eq!(hour(berlin, "2026-03-02T08:30:00Z"), 9);
        assert_eq!(hour(boston, "2026-03-02T08:30:00Z"), 3);
        assert_eq!(hour(lyon, "2026-03-02T08:30:00Z"), 8);
    }
}
