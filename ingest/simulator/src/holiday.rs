//! Public holidays of a fixed date, by country. Those that move with Easter or the moon are left out.

use std::ops::RangeInclusive;

use dialtone_schemas::{EventTime, time};

/// Month and day of the holidays of a country.
type Holidays = (&'static str, &'static [(i32, i32)]);

#[rustfmt::skip]
const HOLIDAYS: [Holidays; 9] = [
    ("DE", &[(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)]),
    ("ES", &[(1, 1), (1, 6), (5, 1), (8, 15), (10, 12), (11, 1), (12, 6), (12, 8), (12, 25)]),
    ("FR", &[(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]),
    ("GB", &[(1, 1), (12, 25), (12, 26)]),
    ("IE", &[(1, 1), (3, 17), (12, 25), (12, 26)]),
    ("IN", &[(1, 26), (8, 15), (10, 2)]),
    ("PL", &[(1, 1), (1, 6), (5, 1), (5, 3), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)]),
    ("SG", &[(1, 1), (5, 1), (8, 9), (12, 25)]),
    ("US", &[(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)]),
];

/// Is this day, counted from 1970-01-01, a public holiday there?
pub(crate) fn is_holiday(country: &str, day: i32) -> bool {
    let date = month_and_day(day);
    HOLIDAYS
        .iter()
        .any(|(of, dates)| *of == country && dates.contains(&date))
}

/// The public holidays of a country among these days, counted from 1970-01-01: each as a date like `2026-12-25`.
pub(crate) fn dates(country: &str, days: RangeInclusive<i32>) -> Vec<String> {
    let midnight = |day: i32| EventTime::from_micros(i64::from(day) * time::DAY).to_string();
    days.filter(|day| is_holiday(country, *day))
        .map(|day| midnight(day).chars().take_while(|c| *c != 'T').collect())
        .collect()
}

/// Of a day counted from 1970-01-01, in the Gregorian calendar; the year begins in March, so that a leap day is its last.
fn month_and_day(day: i32) -> (i32, i32) {
    const FOUR_CENTURIES: i32 = 146_097;
    let in_era = (day + 719_468).rem_euclid(FOUR_CENTURIES);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / (FOUR_CENTURIES - 1)) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let of_month = in_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(date: &str) -> i32 {
        EventTime::parse(&format!("{date}T00:00:00Z")).expect("a day").day()
    }

    #[test]
    fn a_day_has_its_month_and_its_day() {
        for (date, expected) in [
            ("1970-01-01", (1, 1)),
            ("2026-03-17", (3, 17)),
            ("2024-02-29", (2, 29)),
            ("2100-02-28", (2, 28)),
            ("2100-03-01", (3, 1)),
            ("2026-12-31", (12, 31)),
        ] {
            assert_eq!(month_and_day(day(date)), expected, "{date}");
        }
    }

    #[test]
    fn a_holiday_is_one_in_its_country_only() {
        assert!(is_holiday("IE", day("2026-03-17")) && !is_holiday("GB", day("2026-03-17")));
        assert!(is_holiday("US", day("2026-07-04")) && is_holiday("FR", day("2026-07-14")));
    }

    #[test]
    fn the_holidays_of_some_days_are_those_on_or_between_the_first_and_the_last() {
        let from = |first, last| dates("FR", day(first)..=day(last));
        assert_eq!(from("2026-05-01", "2026-05-08"), ["2026-05-01", "2026-05-08"]);
        assert!(from("2026-05-02", "2026-05-07").is_empty());
    }
}
