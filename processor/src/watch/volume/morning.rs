//! Stories of mornings: what fills with everybody is missed as much as it has filled, and what is late is missed by nobody.

use dialtone_schemas::Dimension;

use super::{Codes, Volume};
use crate::watch::dictionary::D;

/// Nine and ten o'clock of the second day.
const NINE: i64 = 1440 + 9 * 60;
const TEN: i64 = NINE + 60;

/// Two days of two sites, the first twice as large; from nine to ten a morning fills them, from 8 events a minute to 20, or twice that, but on the second day the
/// second has what `today` says of each minute since nine. When was it silent by so many nats?
fn silent_at(threshold: f64, times: i64, today: impl Fn(i64) -> i64) -> Vec<i64> {
    let site = |code: u32| {
        let mut codes: Codes = [0; D];
        codes[Dimension::Site.index()] = code;
        codes
    };
    let mut volume = Volume::default();
    let mut silent = Vec::new();
    for minute in 0..TEN + 60 {
        let of_nine = (minute % 1440 - 9 * 60).clamp(0, 60);
        let level = times * (8 + 12 * of_nine / 60);
        volume.add(&site(1), 2 * level);
        volume.add(&site(2), if minute < NINE { level } else { today(minute - NINE) });
        for silence in volume.minute(threshold) {
            assert_eq!(silence.condition.map(|condition| condition.code), Some(2));
            silent.push(minute);
        }
    }
    silent
}

/// At ten the second falls silent. Its last three quarters of an hour had 15 a minute: 0.95 · 15 − ln 2 = 13.5 nats, and less than three gathered.
/// 18 are expected, by yesterday, by the other one and by its own last minutes: 16.4.
#[test]
fn who_falls_silent_in_a_morning_is_missed_as_much_as_the_morning_has_filled_it() {
    let silent = silent_at(17.5, 1, |since| if since < 60 { 8 + 12 * since / 60 } else { 0 });
    assert_eq!(silent.first(), Some(&(TEN + 2)), "in the third silent minute");
}

/// Its people come an hour later today, and those of the night have gone: six a minute of sixteen. Its own minutes have not risen, so that sixteen are
/// expected: 0.8 · 16 − 6 ln 5 = 3.1 nats, and hardly any gather. Of the 24 that a morning would make of them it would be 9.5, less ln 2, and 0.6 a minute.
#[test]
fn whose_morning_is_late_is_missed_by_nobody() {
    let late = |since: i64| match since {
        ..20 => 16,
        20..80 => 6,
        _ => 40,
    };
    assert_eq!(silent_at(14.0, 2, late), [0; 0]);
}
