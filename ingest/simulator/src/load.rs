//! When people call: the hours of a day, the days of a week, in each site's own time.

use dialtone_schemas::{EventTime, time};

use crate::{catalogue::Place, holiday::is_holiday, scenario::Enterprise, zone::Zone};

/// Calls in each local hour of a weekday, relative to the busiest. Two humps, a lunch, a quiet night with a few calls.
const HOURS: [f64; 24] = [
    0.01, 0.005, 0.005, 0.005, 0.01, 0.03, 0.08, 0.25, 0.65, 0.95, 1.0, 0.9, 0.6, 0.75, 0.92, 0.88, 0.7, 0.42, 0.2,
    0.1, 0.06, 0.04, 0.03, 0.02,
];

/// The hour in which all hands meet, in UTC: afternoon in Europe, morning in America, evening in India.
const ALL_HANDS: i64 = 14;

/// Load of a place in that zone at an instant, relative to the busiest hour of a weekday.
pub(crate) fn intensity(at: EventTime, place: &Place, zone: &Zone, rules: &Enterprise) -> f64 {
    let local = zone.shown(at);
    let weekday = of_weekday(local);
    let is_free = day_of_week(local) >= 5 || (rules.holidays && is_holiday(place.country, local.day()));
    let load = if is_free { weekday * rules.weekend } else { weekday };
    let hour = at.since(at.floor(time::DAY)) / time::HOUR;
    let they_meet = rules.all_hands > 0.0 && day_of_week(at) == 0 && hour == ALL_HANDS;
    if they_meet { load * rules.all_hands } else { load }
}

/// Between the middles of the hours it is interpolated.
fn of_weekday(local: EventTime) -> f64 {
    let minute = local.since(local.floor(time::DAY)) / time::MINUTE;
    let shifted = (minute + 24 * 60 - 30) % (24 * 60);
    let (hour, rest) = (shifted / 60, shifted % 60);
    let value = |h: i64| {
        usize::try_from(h % 24)
            .ok()
            .and_then(|h| HOURS.get(h))
            .copied()
            .unwrap_or(0.0)
    };
    let share = f64::from(i32::try_from(rest).unwrap_or(0)) / 60.0;
    value(hour) * (1.0 - share) + value(hour + 1) * share
}

/// 0 is Monday: 1970-01-01 was a Thursday.
pub(crate) fn day_of_week(at: EventTime) -> i32 {
    (at.day() + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::PLACES;

    /// The load at `berlin` (0), `london` (1) or `chicago` (2).
    fn load(place: usize, text: &str) -> f64 {
        let at = EventTime::parse(text).expect("an instant");
        let zone = Zone::new(PLACES[place].zone, at, at);
        intensity(at, &PLACES[place], &zone, &Enterprise::default())
    }

    fn are_equal(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_monday_morning_is_busy_where_it_is_morning() {
        assert!(
            are_equal(load(0, "2026-03-02T09:30:00Z"), 1.0),
            "half past ten in Berlin"
        );
        assert!(load(2, "2026-03-02T09:30:00Z") < 0.02, "half past three in Chicago");
    }

    /// By UTC: America's clocks change on 8 March 2026, Europe's on 29 March.
    #[test]
    fn in_summer_people_call_an_hour_earlier() {
        let tuesdays = |place, winter: &str, summer: &str| are_equal(load(place, winter), load(place, summer));
        assert!(
            tuesdays(0, "2026-03-24T09:30:00Z", "2026-03-31T08:30:00Z"),
            "half past ten in Berlin"
        );
        assert!(
            tuesdays(2, "2026-03-03T16:30:00Z", "2026-03-10T15:30:00Z"),
            "half past ten in Chicago"
        );
    }

    #[test]
    fn the_busiest_hour_has_nearly_three_times_the_load_of_the_mean_hour() {
        let mean = HOURS.iter().sum::<f64>() / 24.0;
        assert!((2.5..3.0).contains(&(1.0 / mean)), "{mean}");
    }

    #[test]
    fn a_weekend_has_a_tenth_of_a_weekday() {
        let (saturday, tuesday) = (load(1, "2026-03-07T09:30:00Z"), load(1, "2026-03-03T09:30:00Z"));
        assert!(are_equal(saturday, 0.1 * tuesday));
    }

    /// The first of May 2026 is a Friday.
    #[test]
    fn a_holiday_is_a_weekend_in_its_country_and_a_weekday_elsewhere() {
        assert!(are_equal(
            load(0, "2026-05-01T09:30:00Z"),
            0.1 * load(0, "2026-04-24T09:30:00Z")
        ));
        assert!(are_equal(
            load(1, "2026-05-01T09:30:00Z"),
            load(1, "2026-04-24T09:30:00Z")
        ));
    }

    #[test]
    fn all_hands_meet_on_monday_from_14_to_15_utc() {
        for place in 0..3 {
            assert!(are_equal(
                load(place, "2026-03-02T14:30:00Z"),
                3.0 * load(place, "2026-03-03T14:30:00Z")
            ));
            assert!(are_equal(
                load(place, "2026-03-02T15:00:00Z"),
                load(place, "2026-03-03T15:00:00Z")
            ));
        }
    }
}
