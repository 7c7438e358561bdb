//! Silence of everything: nobody is left who could tell lost calls from lost reports, and nothing else moves with it.

use super::{Cell, DROP_WITHOUT_YESTERDAY, Expected, MIN_MISSING, Silence, Volume};

impl Volume {
    /// Has everything fallen silent, by what its last minutes and yesterday let expect? Without a yesterday an evening is not told from it.
    pub(super) fn everything(&mut self, threshold: f64) -> Option<Silence> {
        let Some(expected) = self.all.expects_by_itself() else {
            (self.all.evidence, self.all.missing, self.all.age) = (0.0, 0.0, 0);
            return None;
        };
        let evidence = self.all.judge(&expected);
        let is_silent = evidence >= threshold && self.all.missing >= MIN_MISSING;
        is_silent.then(|| self.all.silence(None, &expected, evidence))
    }
}

impl Cell {
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
    fn minute(volume: &mut Volume, events: i64) -> Vec<Silence> {
        for site in [1, 2] {
            let mut codes = [0; D];
            codes[Dimension::Site.index()] = site;
            volume.add(&codes, events);
        }
        volume.minute(14.0)
    }

    /// A day and a half of thirty a minute at each of two sites, and then nothing: sixty are expected, and every minute says
    /// 0.95 · 60 exp(−1.282 √(12/2400 + 12/1200 + 12/2700)) / 12 = 3.97 nats: the fourth is enough, with 240 missing.
    #[test]
    fn a_tenant_that_falls_silent_is_told_as_everything_and_is_back_when_it_talks_again() {
        let mut volume = Volume::default();
        for _ in 0..36 * 60 {
            assert_eq!(minute(&mut volume, 30), []);
        }
        let silent: Vec<Vec<Silence>> = (0..4).map(|_| minute(&mut volume, 0)).collect();
        let [first @ .., last] = silent.as_slice() else {
            panic!("four minutes")
        };
        assert!(first.iter().all(Vec::is_empty), "{first:?}");
        let [silence] = last.as_slice() else {
            panic!("one silence, of everything: {last:?}")
        };
        assert_eq!((silence.condition, silence.minutes), (None, 4));
        assert!((silence.missing - 240.0).abs() < 1e-6, "{silence:?}");
        volume.is_out(silence);
        for _ in 0..90 {
            minute(&mut volume, 0);
            assert!(!volume.is_back(None));
        }
        let back = (1..10).find(|_| {
            minute(&mut volume, 30);
            volume.is_back(None)
        });
        assert_eq!(back, Some(5), "five minutes with reports");
        volume.release(None);
        for _ in 0..120 {
            assert_eq!(minute(&mut volume, 30), [], "and no site is missed afterwards");
        }
    }

    /// Both sites lose all but three in a hundred at once: each is as all others are, so that none of them is silent, and everything is.
    #[test]
    fn where_nearly_nothing_is_left_of_all_no_site_is_blamed() {
        let mut volume = Volume::default();
        for _ in 0..36 * 60 {
            assert_eq!(minute(&mut volume, 100), []);
        }
        let told: Vec<Option<Condition>> = (0..10)
            .flat_map(|_| minute(&mut volume, 3))
            .map(|silence| silence.condition)
            .collect();
        assert!(!told.is_empty() && told.iter().all(Option::is_none), "{told:?}");
    }

    /// A first day has no yesterday: an evening is not taken for an outage.
    #[test]
    fn before_a_day_is_known_nothing_is_said_of_everything() {
        let mut volume = Volume::default();
        for _ in 0..120 {
            assert_eq!(minute(&mut volume, 30), []);
        }
        for _ in 0..60 {
            assert_eq!(minute(&mut volume, 0), []);
        }
    }
}
