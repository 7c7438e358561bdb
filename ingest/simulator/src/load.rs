//! When people call: the hours of a day, the days of a week, in each site's own time.

use dialtone_schemas::{EventTime, time};

/// Calls in each local hour of a weekday, relative to the busiest. Two humps, a lunch, a quiet night with a few calls.
const HOURS: [f64; 24] = [
    0.01, 0.005, 0.005, 0.005, 0.01, 0.03, 0.08, 0.25, 0.65, 0.95, 1.0, 0.9, 0.6, 0.75, 0.92, 0.88, 0.7, 0.42, 0.2,
    0.1, 0.06, 0.04, 0.03, 0.02,
];

/// Load at an instant, relative to the busiest hour of a weekday; between the middles of the hours it is interpolated.
pub(crate) fn intensity(at: EventTime, utc_minutes: i64, weekend: f64) -> f64 {
    let local = at.plus(utc_minutes * time::MINUTE);
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
    let weekday = value(hour) * (1.0 - share) + value(hour + 1) * share;
    // 1970-01-01 was a Thursday: days 2 and 3 after it are a weekend.
    let is_weekend = matches!((i64::from(local.day()) + 3).rem_euclid(7), 5 | 6);
    if is_weekend { weekday * weekend } else { weekday }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse(text).expect("an instant")
    }

    #[test]
    fn a_monday_morning_is_busy_where_it_is_morning() {
        let monday = at("2026-03-02T09:30:00Z");
        assert!(
            (intensity(monday, 60, 0.1) - 1.0).abs() < 1e-9,
            "half past ten in Berlin"
        );
        assert!(intensity(monday, -360, 0.1) < 0.02, "half past three in Chicago");
    }

    #[test]
    fn a_weekend_has_its_share_of_a_weekday() {
        let (saturday, monday) = (at("2026-03-07T09:30:00Z"), at("2026-03-09T09:30:00Z"));
        assert!((intensity(saturday, 0, 0.1) - 0.1 * intensity(monday, 0, 0.1)).abs() < 1e-12);
    }
}
