//! Public holidays of countries, as their laws are now: those that everybody there has, in each of its regions. Left out are days that follow
//! the moon (of India and Singapore), those that one year alone has or moves, and those of some regions only: the last Monday of August
//! and Easter Monday are no holidays in all of the United Kingdom. A calendar's own `holidays` add them.

use Rule::{Easter, Last, Nth, On, OnIf};

/// When a holiday is. Weekdays are counted from Monday on.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// On a day of a month.
    On(i32, i32),
    /// On a day of a month, in those years in which it is one of these weekdays.
    OnIf(i32, i32, &'static [i32]),
    /// So many days after Easter Sunday.
    Easter(i32),
    /// On the first, second, ... of a weekday in a month.
    Nth(i32, i32, i32),
    /// On the last of a weekday in a month.
    Last(i32, i32),
}

const MONDAY: i32 = 0;
const TUESDAY: i32 = 1;
const THURSDAY: i32 = 3;
const FRIDAY: i32 = 4;

const GOOD_FRIDAY: Rule = Easter(-2);
const EASTER_MONDAY: Rule = Easter(1);
const ASCENSION: Rule = Easter(39);
const WHIT_MONDAY: Rule = Easter(50);
const CORPUS_CHRISTI: Rule = Easter(60);

/// A country's ISO 3166-1 alpha-2 code, and its rules.
type Country = (&'static str, &'static [Rule]);

static COUNTRIES: [Country; 12] = [
    ("AT", AUSTRIA),
    ("BE", BELGIUM),
    ("CH", SWITZERLAND),
    ("DE", GERMANY),
    ("ES", SPAIN),
    ("FR", FRANCE),
    ("GB", UNITED_KINGDOM),
    ("IE", IRELAND),
    ("IN", INDIA),
    ("PL", POLAND),
    ("SG", SINGAPORE),
    ("US", UNITED_STATES),
];

#[rustfmt::skip]
const AUSTRIA: &[Rule] = &[
    On(1, 1), On(1, 6), EASTER_MONDAY, On(5, 1), ASCENSION, WHIT_MONDAY, CORPUS_CHRISTI, On(8, 15), On(10, 26),
    On(11, 1), On(12, 8), On(12, 25), On(12, 26),
];
#[rustfmt::skip]
const BELGIUM: &[Rule] = &[
    On(1, 1), EASTER_MONDAY, On(5, 1), ASCENSION, WHIT_MONDAY, On(7, 21), On(8, 15), On(11, 1), On(11, 11), On(12, 25),
];
/// Those that all cantons have.
const SWITZERLAND: &[Rule] = &[On(1, 1), ASCENSION, On(8, 1), On(12, 25)];
#[rustfmt::skip]
const GERMANY: &[Rule] = &[
    On(1, 1), GOOD_FRIDAY, EASTER_MONDAY, On(5, 1), ASCENSION, WHIT_MONDAY, On(10, 3), On(12, 25), On(12, 26),
];
#[rustfmt::skip]
const SPAIN: &[Rule] = &[
    On(1, 1), On(1, 6), GOOD_FRIDAY, On(5, 1), On(8, 15), On(10, 12), On(11, 1), On(12, 6), On(12, 8), On(12, 25),
];
#[rustfmt::skip]
const FRANCE: &[Rule] = &[
    On(1, 1), EASTER_MONDAY, On(5, 1), On(5, 8), ASCENSION, WHIT_MONDAY, On(7, 14), On(8, 15), On(11, 1), On(11, 11),
    On(12, 25),
];
/// With the days instead of New Year, Christmas and Boxing Day where these are on a weekend.
#[rustfmt::skip]
const UNITED_KINGDOM: &[Rule] = &[
    On(1, 1), OnIf(1, 2, &[MONDAY]), OnIf(1, 3, &[MONDAY]), GOOD_FRIDAY, Nth(1, MONDAY, 5), Last(MONDAY, 5),
    On(12, 25), On(12, 26), OnIf(12, 27, &[MONDAY, TUESDAY]), OnIf(12, 28, &[MONDAY, TUESDAY]),
];
/// Saint Brigid's Day is the first Monday of February, but 1 February where that is a Friday: so never the fourth.
#[rustfmt::skip]
const IRELAND: &[Rule] = &[
    On(1, 1), OnIf(2, 1, &[MONDAY, FRIDAY]), OnIf(2, 2, &[MONDAY]), OnIf(2, 3, &[MONDAY]), OnIf(2, 5, &[MONDAY]),
    OnIf(2, 6, &[MONDAY]), OnIf(2, 7, &[MONDAY]), On(3, 17), EASTER_MONDAY, Nth(1, MONDAY, 5), Nth(1, MONDAY, 6),
    Nth(1, MONDAY, 8), Last(MONDAY, 10), On(12, 25), On(12, 26),
];
/// The three national ones.
const INDIA: &[Rule] = &[On(1, 26), On(8, 15), On(10, 2)];
#[rustfmt::skip]
const POLAND: &[Rule] = &[
    On(1, 1), On(1, 6), EASTER_MONDAY, On(5, 1), On(5, 3), CORPUS_CHRISTI, On(8, 15), On(11, 1), On(11, 11), On(12, 24),
    On(12, 25), On(12, 26),
];
/// With the Monday after one that is on a Sunday.
#[rustfmt::skip]
const SINGAPORE: &[Rule] = &[
    On(1, 1), OnIf(1, 2, &[MONDAY]), GOOD_FRIDAY, On(5, 1), OnIf(5, 2, &[MONDAY]), On(8, 9), OnIf(8, 10, &[MONDAY]),
    On(12, 25), OnIf(12, 26, &[MONDAY]),
];
/// The federal ones, with the Friday before one that is on a Saturday and the Monday after one that is on a Sunday.
#[rustfmt::skip]
const UNITED_STATES: &[Rule] = &[
    OnIf(12, 31, &[FRIDAY]), On(1, 1), OnIf(1, 2, &[MONDAY]), Nth(3, MONDAY, 1), Nth(3, MONDAY, 2), Last(MONDAY, 5),
    OnIf(6, 18, &[FRIDAY]), On(6, 19), OnIf(6, 20, &[MONDAY]), OnIf(7, 3, &[FRIDAY]), On(7, 4), OnIf(7, 5, &[MONDAY]),
    Nth(1, MONDAY, 9), Nth(2, MONDAY, 10), OnIf(11, 10, &[FRIDAY]), On(11, 11), OnIf(11, 12, &[MONDAY]),
    Nth(4, THURSDAY, 11), OnIf(12, 24, &[FRIDAY]), On(12, 25), OnIf(12, 26, &[MONDAY]),
];

/// Is this the code of a country whose holidays are known, in whatever case?
pub fn is_known(country: &str) -> bool {
    !rules(country).is_empty()
}

/// Is this day, counted from 1970-01-01, a public holiday there? Never where the country is not known.
pub fn is_public(country: &str, day: i32) -> bool {
    let date = Date::of(day);
    rules(country).iter().any(|rule| date.fits(*rule))
}

/// The rules of a country; none where it is not known.
fn rules(country: &str) -> &'static [Rule] {
    let of_code = COUNTRIES.iter().find(|(code, _)| code.eq_ignore_ascii_case(country));
    of_code.map(|(_, rules)| *rules).unwrap_or_default()
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug)]
struct Date {
    /// Days since 1970-01-01.
    day: i32,
    /// The year that began with the last 1 March, so that a leap day is its last.
    year: i32,
    /// Days since that 1 March.
    since_march: i32,
    month: i32,
    of_month: i32,
    /// From Monday on.
    weekday: i32,
}

impl Date {
    fn of(day: i32) -> Self {
        const FOUR_CENTURIES: i32 = 146_097;
        // Days since 1 March of the year 0; 1 January 1970 was a Thursday.
        let since_0 = day + 719_468;
        let in_era = since_0.rem_euclid(FOUR_CENTURIES);
        let of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / (FOUR_CENTURIES - 1)) / 365;
        let since_march = in_era - (365 * of_era + of_era / 4 - of_era / 100);
        let month = (5 * since_march + 2) / 153;
        Self {
            day,
            year: 400 * since_0.div_euclid(FOUR_CENTURIES) + of_era,
            since_march,
            month: if month < 10 { month + 3 } else { month - 9 },
            of_month: since_march - (153 * month + 2) / 5 + 1,
            weekday: (day + THURSDAY).rem_euclid(7),
        }
    }

    fn fits(self, rule: Rule) -> bool {
        let is = |month: i32, weekday: i32| self.month == month && self.weekday == weekday;
        match rule {
            On(month, day) => (self.month, self.of_month) == (month, day),
            OnIf(month, day, weekdays) => {
                (self.month, self.of_month) == (month, day) && weekdays.contains(&self.weekday)
            }
            // No day of January or February is so near to the Easter before.
            Easter(after) => self.since_march - easter(self.year) == after,
            Nth(n, weekday, month) => is(month, weekday) && (self.of_month - 1) / 7 + 1 == n,
            Last(weekday, month) => is(month, weekday) && Self::of(self.day + 7).month != month,
        }
    }
}

/// Easter Sunday of a year, in days since 1 March: the anonymous Gregorian algorithm (Nature, 20 April 1876; Meeus, Astronomical
/// Algorithms, chapter 8).
const fn easter(year: i32) -> i32 {
    let (golden, century, of_century) = (year % 19, year / 100, year % 100);
    let moon = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - moon + 15) % 30;
    let to_sunday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let too_late = (golden + 11 * epact + 22 * to_sunday) / 451;
    epact + to_sunday - 7 * too_late + 21
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, time};

    use super::*;

    fn day(date: &str) -> i32 {
        EventTime::parse(&format!("{date}T00:00:00Z")).expect("a day").day()
    }

    /// All holidays of a country in a year, as month and day.
    fn year(country: &str, year: i32) -> Vec<String> {
        let days = day(&format!("{year}-01-01"))..=day(&format!("{year}-12-31"));
        days.filter(|day| is_public(country, *day))
            .map(|day| EventTime::from_micros(i64::from(day) * time::DAY).to_string())
            .map(|midnight| midnight[5..10].to_owned())
            .collect()
    }

    /// The earliest and the latest that there is among them, and two that come a week earlier than the moon alone would say.
    #[test]
    fn easter_is_the_sunday_that_the_church_says() {
        for date in [
            "1818-03-22",
            "1954-04-18",
            "1981-04-19",
            "2000-04-23",
            "2024-03-31",
            "2025-04-20",
            "2026-04-05",
            "2027-03-28",
            "2038-04-25",
        ] {
            let date = Date::of(day(date));
            assert_eq!(date.since_march, easter(date.year), "{date:?}");
            assert_eq!(date.weekday, 6, "{date:?}");
        }
    }

    #[test]
    fn a_day_has_its_month_and_its_day() {
        for (date, expected) in [
            ("1970-01-01", (1969, 1, 1)),
            ("2024-02-29", (2023, 2, 29)),
            ("2026-03-01", (2026, 3, 1)),
            ("2100-02-28", (2099, 2, 28)),
            ("2100-03-01", (2100, 3, 1)),
            ("2026-12-31", (2026, 12, 31)),
        ] {
            let of = Date::of(day(date));
            assert_eq!((of.year, of.month, of.of_month), expected, "{date}");
        }
    }

    #[test]
    fn holidays_that_follow_easter_move_with_it() {
        let of_2026 = "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26";
        assert_eq!(year("DE", 2026).join(" "), of_2026);
        let of_2027 = "01-01 03-26 03-29 05-01 05-06 05-17 10-03 12-25 12-26";
        assert_eq!(year("DE", 2027).join(" "), of_2027);
        assert!(
            is_public("AT", day("2026-06-04")) && is_public("PL", day("2026-06-04")),
            "Corpus Christi"
        );
        assert!(!is_public("DE", day("2026-06-04")), "in some of its states only");
        assert!(is_public("SG", day("2026-04-03")) && !is_public("FR", day("2026-04-03")));
    }

    /// 4 July 2026 is a Saturday, and so are 25 December and 1 January of the winter of 2021.
    #[test]
    fn holidays_of_the_united_states_are_those_of_the_federation() {
        let of_2026 = "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25";
        assert_eq!(year("US", 2026).join(" "), of_2026);
        assert!(is_public("US", day("2021-12-24")) && is_public("US", day("2021-12-31")));
        assert!(!is_public("US", day("2026-12-24")) && !is_public("US", day("2026-12-31")));
    }

    #[test]
    fn bank_holidays_follow_the_weekday() {
        let of_gb = "01-01 04-03 05-04 05-25 12-25 12-26 12-28";
        assert_eq!(year("GB", 2026).join(" "), of_gb);
        let of_gb = "01-01 01-03 04-15 05-02 05-30 12-25 12-26 12-27";
        assert_eq!(year("GB", 2022).join(" "), of_gb, "without the jubilee");
        let of_ie = "01-01 02-02 03-17 04-06 05-04 06-01 08-03 10-26 12-25 12-26";
        assert_eq!(year("IE", 2026).join(" "), of_ie);
        let brigid = |year: i32| {
            let days = (1..=7).map(|of_month| format!("{year}-02-0{of_month}"));
            days.filter(|date| is_public("IE", day(date))).collect::<Vec<_>>()
        };
        assert_eq!(brigid(2030), ["2030-02-01"], "a Friday");
        assert_eq!(brigid(2027), ["2027-02-01"], "a Monday");
        assert_eq!(brigid(2028), ["2028-02-07"]);
    }

    #[test]
    fn what_follows_the_moon_is_no_holiday_here() {
        assert_eq!(year("IN", 2026).join(" "), "01-26 08-15 10-02");
        // National Day of 2026 is a Sunday.
        assert_eq!(year("SG", 2026).join(" "), "01-01 04-03 05-01 08-09 08-10 12-25");
    }

    #[test]
    fn a_country_is_known_by_its_code_and_a_mere_name_has_no_holidays() {
        assert!(is_known("DE") && is_known("de"));
        for name in ["Germany", "UK", "XX", ""] {
            assert!(!is_known(name) && year(name, 2026).is_empty(), "{name}");
        }
        assert!(
            COUNTRIES
                .iter()
                .all(|(code, _)| is_known(code) && !year(code, 2026).is_empty())
        );
    }
}
