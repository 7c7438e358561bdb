//! What the clocks of a place show, with summer time, from the table that is compiled in.

use dialtone_schemas::{EventTime, time};
use jiff::{
    Timestamp,
    tz::{Offset, TimeZoneDatabase},
};

/// Complaints and the last calls lie beyond the end of a run, mornings of the far east before its beginning.
const MARGIN: i64 = 3 * time::DAY;

/// A time zone during one run. Its clocks are looked at for every interval of every call: when they change is found out
/// once.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// Microseconds that its clocks are ahead of UTC's at first ...
    ahead: i64,
    /// ... and from these instants on.
    changes: Vec<(EventTime, i64)>,
}

impl Zone {
    /// The zone of an IANA name, in a run from `start` to `end`.
    pub(crate) fn new(name: &str, start: EventTime, end: EventTime) -> Self {
        let zone = TimeZoneDatabase::bundled()
            .get(name)
            .expect("the catalogue names zones that there are");
        let [from, until] = [start.plus(-MARGIN), end.plus(MARGIN)].map(stamp);
        let changes = zone.following(from).take_while(|change| change.timestamp() <= until);
        Self {
            ahead: micros(zone.to_offset(from)),
            changes: changes
                .map(|change| {
                    let at = EventTime::from_micros(change.timestamp().as_microsecond());
                    (at, micros(change.offset()))
                })
                .collect(),
        }
    }

    /// The instant at which UTC's clocks show what the clocks of this zone show at `at`.
    pub(crate) fn shown(&self, at: EventTime) -> EventTime {
        at.plus(self.ahead(at))
    }

    /// The instant at which the clocks of this zone show what UTC's show at `shown`. Of a working day: in the night
    /// in which they change it may be an hour off.
    pub(crate) fn instant(&self, shown: EventTime) -> EventTime {
        shown.plus(-self.ahead(shown))
    }

    fn ahead(&self, at: EventTime) -> i64 {
        let last = self.changes.iter().rev().find(|(from, _)| *from <= at);
        last.map_or(self.ahead, |(_, ahead)| *ahead)
    }
}

fn stamp(at: EventTime) -> Timestamp {
    Timestamp::from_microsecond(at.micros()).expect("every event time is one of jiff's")
}

fn micros(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * time::SECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{PLACES, Place};

    /// Minutes ahead of UTC in winter.
    const WINTER: [(&str, i64); 12] = [
        ("berlin", 60),
        ("london", 0),
        ("chicago", -360),
        ("bangalore", 330),
        ("paris", 60),
        ("munich", 60),
        ("warsaw", 60),
        ("madrid", 60),
        ("singapore", 480),
        ("austin", -360),
        ("hamburg", 60),
        ("dublin", 0),
    ];

    fn time_of(text: &str) -> EventTime {
        EventTime::parse(text).expect("a time")
    }

    /// Of the first half of 2026.
    fn zone(place: &Place) -> Zone {
        Zone::new(
            place.zone,
            time_of("2026-01-01T00:00:00Z"),
            time_of("2026-07-01T00:00:00Z"),
        )
    }

    #[test]
    fn clocks_show_an_hour_more_in_summer_but_in_asia() {
        for (place, (site, winter)) in PLACES.iter().zip(WINTER) {
            let minutes = |at: &str| zone(place).shown(time_of(at)).since(time_of(at)) / time::MINUTE;
            let summer = if place.region == 1 { winter } else { winter + 60 };
            assert_eq!(place.site, site);
            for at in ["2025-12-30T00:00:00Z", "2026-01-15T12:00:00Z", "2026-03-08T07:59:59Z"] {
                assert_eq!(minutes(at), winter, "{site} at {at}");
            }
            for at in ["2026-03-29T01:00:00Z", "2026-06-15T12:00:00Z", "2026-07-02T12:00:00Z"] {
                assert_eq!(minutes(at), summer, "{site} at {at}");
            }
        }
    }

    #[test]
    fn clocks_change_at_one_in_europe_and_at_eight_in_the_middle_of_america_by_utc() {
        let shown = |place: usize, at: &str| zone(&PLACES[place]).shown(time_of(at)).to_string();
        let [berlin, chicago] = [0, 2];
        assert_eq!(shown(berlin, "2026-03-29T00:59:59Z"), "2026-03-29T01:59:59Z");
        assert_eq!(shown(berlin, "2026-03-29T01:00:00Z"), "2026-03-29T03:00:00Z");
        assert_eq!(shown(chicago, "2026-03-08T07:59:59Z"), "2026-03-08T01:59:59Z");
        assert_eq!(shown(chicago, "2026-03-08T08:00:00Z"), "2026-03-08T03:00:00Z");
    }

    /// Of a spring that the table lists, and of one that it has only a rule for.
    #[test]
    fn what_was_found_out_once_is_what_the_table_says_of_every_hour() {
        for (place, year) in PLACES.iter().flat_map(|place| [2026, 2040].map(|year| (place, year))) {
            let start = time_of(&format!("{year}-02-20T00:00:00Z"));
            let zone = Zone::new(place.zone, start, start.plus(62 * time::DAY));
            let table = TimeZoneDatabase::bundled().get(place.zone).expect("a zone");
            for at in (0..62 * 24).map(|hour| start.plus(hour * time::HOUR)) {
                assert_eq!(
                    zone.ahead(at),
                    micros(table.to_offset(stamp(at))),
                    "{} at {at}",
                    place.site
                );
            }
        }
    }

    #[test]
    fn a_working_day_by_a_sites_clocks_is_found_by_utc() {
        let instant = |place: usize, shown: &str| zone(&PLACES[place]).instant(time_of(shown)).to_string();
        let [berlin, chicago] = [0, 2];
        assert_eq!(instant(berlin, "2026-03-27T08:00:00Z"), "2026-03-27T07:00:00Z");
        assert_eq!(instant(berlin, "2026-03-30T08:00:00Z"), "2026-03-30T06:00:00Z");
        assert_eq!(instant(chicago, "2026-03-08T08:00:00Z"), "2026-03-08T13:00:00Z");
    }
}
