//! Silence of everything: nobody is left who could tell lost calls from lost reports, and nothing else moves with it.

use super::{BACK, Cell, DROP_WITHOUT_YESTERDAY, Expected, MEMORY, MIN_MISSING, PRESENT, Silence, Volume, push, real};

/// Nothing is reported any more where less than this share of what is expected is: what a few clocks and stragglers send.
const NOTHING: f64 = 2.0 * DROP_WITHOUT_YESTERDAY;
/// It is back when this share is, in each of the last minutes: a large site may be out when all others talk again.
const AGAIN: f64 = 0.15;

impl Volume {
    /// Has everything fallen silent, by what its last minutes and yesterday let expect? Without a yesterday an evening is not told from it.
    pub(super) fn everything(&mut self, threshold: f64) -> Option<Silence> {
        push(&mut self.lately, self.all.now, BACK);
        self.count_mute_minutes();
        let seen = self.seen();
        let Some(expected) = self.all.expects_by_itself() else {
            self.all.calm();
            return None;
        };
        let evidence = self.all.judge(&expected, seen);
        let is_nothing = seen <= NOTHING * expected.events;
        let is_silent = is_nothing && evidence >= threshold && self.all.missing >= MIN_MISSING;
        is_silent.then(|| Silence {
            seen,
            ..self.all.silence(None, &expected, evidence)
        })
    }

    /// Is next to nothing reported while everything is out? The weeks have left so much of what was expected as it fell silent.
    pub fn is_mute_still(&self, left: f64) -> bool {
        let expected = left * self.all.out().unwrap_or(0.0);
        expected > 0.0 && self.seen() <= NOTHING * expected
    }

    /// Is enough of everything reported again, by what the weeks have left?
    pub fn is_heard_again(&self, left: f64) -> bool {
        let expected = left * self.all.out().unwrap_or(0.0);
        self.lately.iter().all(|events| real(*events) >= AGAIN * expected)
    }

    /// Events of the last minutes, silent ones included: those are not learnt.
    fn seen(&self) -> f64 {
        let last: i64 = self.lately.iter().rev().take(PRESENT).sum();
        real(last) / 3.0
    }

    /// What was usual before nobody said anything for as long as is remembered is not what is usual after it.
    fn count_mute_minutes(&mut self) {
        self.mute = if self.all.now == 0 {
            self.mute.saturating_add(1)
        } else {
            0
        };
        if self.mute as usize == MEMORY {
            self.cells
                .values_mut()
                .filter(|cell| cell.out.is_none())
                .for_each(Cell::forget);
        }
    }
}

impl Cell {
    /// Learns anew what is usual.
    pub(super) fn forget(&mut self) {
        self.minutes.clear();
        self.held = None;
        self.calm();
    }

    /// Nothing of an outage has gathered.
    pub(super) const fn calm(&mut self) {
        (self.evidence, self.missing, self.age) = (0.0, 0.0, 0);
    }

    /// What is expected of it where nobody else tells what all do meanwhile: nearly nothing is left in an outage.
    fn expects_by_itself(&mut self) -> Option<Expected> {
        let nobody = Self::default();
        self.yesterday_since(self.measured_since())?;
        let expected = self.expects(&nobody, (0.0, 0.0));
        Some(Expected {
            drop: DROP_WITHOUT_YESTERDAY,
            ..expected
        })
    }
}

#[cfg(test)]
mod tests {
    use dialtone_explain::Condition;
    use dialtone_schemas::Dimension;

    use super::super::{super::dictionary::D, *};

    /// So many events a minute of each of two sites.
    fn minute(volume: &mut Volume, events: [i64; 2]) -> Vec<Silence> {
        for (site, events) in (1..).zip(events) {
            let mut codes = [0; D];
            codes[Dimension::Site.index()] = site;
            volume.add(&codes, events);
        }
        volume.minute(14.0)
    }

    /// A day and a half of so many events a minute of each of two sites.
    fn known(events: [i64; 2]) -> Volume {
        let mut volume = Volume::default();
        for _ in 0..36 * 60 {
            assert_eq!(minute(&mut volume, events), []);
        }
        volume
    }

    /// Everything has been silent for three minutes and is out.
    fn out(events: [i64; 2]) -> Volume {
        let mut volume = known(events);
        let told: Vec<Silence> = (0..3).flat_map(|_| minute(&mut volume, [0, 0])).collect();
        let [silence] = told.as_slice() else {
            panic!("one silence, of everything: {told:?}")
        };
        assert_eq!((silence.condition, silence.minutes), (None, 3));
        volume.is_out(silence);
        volume
    }

    /// Thirty a minute at each of two sites, and then nothing: sixty are expected, and the state of three silent minutes says 0.95 · 60 = 57 nats, where
    /// 0.95 · 60 exp(−1.282 √(12/2400 + 12/1200 + 12/2700)) / 12 = 3.97 gather in each.
    #[test]
    fn a_tenant_that_falls_silent_is_told_as_everything_and_is_back_when_it_talks_again() {
        let mut volume = out([30, 30]);
        for _ in 0..30 {
            minute(&mut volume, [0, 0]);
            assert!(!volume.is_heard_again(1.0) && volume.is_mute_still(1.0));
        }
        let back = (1..10).find(|_| {
            minute(&mut volume, [30, 30]);
            volume.is_heard_again(1.0)
        });
        assert_eq!(back, Some(5), "five minutes with reports");
        volume.release(None);
        for _ in 0..120 {
            assert_eq!(minute(&mut volume, [30, 30]), [], "and no site is missed afterwards");
        }
    }

    /// Three in four calls are the first site's, which does not come back with the others: a quarter of all is more than nothing, and enough for
    /// everything to be over; the first site is silent by itself.
    #[test]
    fn a_large_site_that_stays_silent_when_all_others_talk_again_is_told() {
        let mut volume = out([90, 30]);
        for _ in 0..10 {
            minute(&mut volume, [0, 0]);
        }
        let told: Vec<Option<u32>> = (0..10)
            .flat_map(|_| minute(&mut volume, [0, 30]))
            .map(|silence| silence.condition.map(|c| c.code))
            .collect();
        assert_eq!(told.last(), Some(&Some(1)), "{told:?}");
        assert!(volume.is_heard_again(1.0) && !volume.is_mute_still(1.0));
    }

    /// Both sites lose all but three in a hundred at once: each is as all others are, so that none of them is silent, and everything is.
    #[test]
    fn where_nearly_nothing_is_left_of_all_no_site_is_blamed() {
        let mut volume = known([100, 100]);
        let told: Vec<Option<Condition>> = (0..10)
            .flat_map(|_| minute(&mut volume, [3, 3]))
            .map(|silence| silence.condition)
            .collect();
        assert!(!told.is_empty() && told.iter().all(Option::is_none), "{told:?}");
    }

    /// A quarter is left of a thousand, as on the afternoon before a holiday: nothing like silence, however many nats it says.
    #[test]
    fn an_early_afternoon_is_no_silence_of_everything() {
        let mut volume = known([500, 500]);
        for minutes in 0..60 {
            let left = (500 - 20 * minutes).max(125);
            assert_eq!(minute(&mut volume, [left, left]), []);
        }
    }

    /// Three quarters of an hour in which nobody says anything, and half of what was usual after it: what was usual is forgotten.
    #[test]
    fn after_a_long_gap_every_site_learns_anew() {
        let mut volume = known([30, 30]);
        for _ in 0..60 {
            minute(&mut volume, [0, 0]);
        }
        volume.release(None);
        for _ in 0..30 {
            assert_eq!(minute(&mut volume, [30, 1]), []);
        }
    }

    /// A first day has no yesterday: an evening is not taken for an outage.
    #[test]
    fn before_a_day_is_known_nothing_is_said_of_everything() {
        let mut volume = Volume::default();
        for _ in 0..120 {
            assert_eq!(minute(&mut volume, [30, 30]), []);
        }
        for _ in 0..60 {
            assert_eq!(minute(&mut volume, [0, 0]), []);
        }
    }
}
