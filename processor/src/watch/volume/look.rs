//! Why nothing was told of a silence: what is expected and what comes, the evidence, what it lacks; or why nobody listens.

use dialtone_explain::Condition;
use serde::Serialize;

use super::{Cell, Expected, MIN_EXPECTED, MIN_MISSING, PRESENT, Volume, WATCHED};
use crate::watch::baseline::real;

/// What the volume says of one condition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// It is listened to.
    Watched(Quiet),
    /// Nobody listens to it.
    Unwatched(Unheard),
}

/// How quiet a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quiet {
    /// What speaks for an outage, in nats.
    pub evidence: f64,
    /// What is needed to be noticed.
    pub threshold: f64,
    /// Events expected a minute.
    pub expected: f64,
    /// Events that came, in the mean of the last three minutes.
    pub seen: f64,
    /// The share of the expected ones that is tried as an outage's.
    pub drop: f64,
    /// Minutes since the evidence began to gather.
    pub minutes: u32,
    /// Events missing since then.
    pub missing: f64,
    /// How many must be, to be noticed.
    pub missing_needed: f64,
    /// Minutes until it would be noticed if no more comes than of late; none if it never would be.
    pub minutes_missing: Option<f64>,
}

/// Why nobody listens to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unheard {
    /// What its dimension names does not fall silent as one.
    OtherDimension,
    /// No event of its own was ever reported.
    NeverHeard,
    /// The whole tenant sends nothing: that is telemetry, not a cause.
    TenantSilent,
    /// Too few minutes are known to say what is usual.
    Learning,
    /// Likewise, since it shares calls with a scope that is out.
    BesideOutage,
    /// Fewer events are expected than tell anything.
    TooFew {
        /// Events expected a minute.
        expected: f64,
        /// How many must be.
        needed: f64,
    },
}

impl Quiet {
    /// Has it been noticed?
    pub fn is_noticed(&self) -> bool {
        self.evidence >= self.threshold && self.missing >= self.missing_needed
    }
}

impl Volume {
    /// How quiet a condition was in the last minute.
    pub fn look(&self, condition: Condition, threshold: f64) -> Result<Quiet, Unheard> {
        if WATCHED.iter().all(|dimension| dimension.index() != condition.attribute) {
            return Err(Unheard::OtherDimension);
        }
        let cell = self.cells.get(&(condition.attribute, condition.code));
        let mut cell = cell.ok_or(Unheard::NeverHeard)?.a_minute_ago();
        if self.is_mute() {
            return Err(Unheard::TenantSilent);
        }
        if !cell.has_memory() && cell.held.is_none() && cell.out.is_none() {
            return Err(Unheard::Learning);
        }
        let all = self.all.a_minute_ago();
        let expected = cell.expects(&all, (all.present(), all.mean()));
        if expected.events < MIN_EXPECTED {
            return Err(Unheard::TooFew {
                expected: expected.events,
                needed: MIN_EXPECTED,
            });
        }
        let needed = self.calibration.threshold(&condition.attribute, threshold);
        Ok(cell.quiet(&expected, needed))
    }

    /// Has the tenant sent nothing in the bucket that is being filled, or in the one before if that has just begun?
    fn is_mute(&self) -> bool {
        match self.all.bucket {
            (None, 0) => self.all.profile.back() == Some(&None),
            (None, _) => true,
            (Some(_), _) => false,
        }
    }
}

impl Cell {
    /// As it was when its last minute was judged, with what came of it; but for the oldest minute, which has been forgotten since.
    pub(super) fn a_minute_ago(&self) -> Self {
        let mut cell = self.clone();
        cell.now = cell.minutes.pop_back().unwrap_or(0);
        cell
    }

    fn quiet(&self, expected: &Expected, threshold: f64) -> Quiet {
        let mut quiet = Quiet {
            evidence: self.evidence + expected.state(self.present()),
            threshold,
            expected: expected.events,
            seen: self.present(),
            drop: expected.drop,
            minutes: self.age,
            missing: self.missing,
            missing_needed: MIN_MISSING,
            minutes_missing: Some(0.0),
        };
        if !quiet.is_noticed() {
            quiet.minutes_missing = self.minutes_missing(expected, threshold);
        }
        quiet
    }

    /// The present state is that of minutes like those since the evidence began to gather, as soon as there are enough of them; the rest
    /// must gather.
    fn minutes_missing(&self, expected: &Expected, threshold: f64) -> Option<f64> {
        let gathering = usize::try_from(self.age).unwrap_or(PRESENT).min(PRESENT);
        let like = self.mean_of(if gathering == 0 { PRESENT } else { gathering });
        let evidence = minutes_to(threshold - self.evidence - expected.state(like), expected.gain(like))?;
        let missing = minutes_to(MIN_MISSING - self.missing, expected.events - like)?;
        let present = count(PRESENT - gathering);
        Some(evidence.max(missing).max(present))
    }

    /// The mean of so many last minutes, this one included.
    fn mean_of(&self, minutes: usize) -> f64 {
        let before: i64 = self.minutes.iter().rev().take(minutes - 1).sum();
        real(before + self.now) / count(minutes)
    }
}

/// Minutes until nothing is lacking, where each brings so much; none where none brings anything.
fn minutes_to(lack: f64, gain: f64) -> Option<f64> {
    if lack <= 0.0 {
        return Some(0.0);
    }
    (gain > 1e-6).then(|| lack / gain)
}

fn count(minutes: usize) -> f64 {
    real(i64::try_from(minutes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::Dimension;

    use super::*;
    use crate::watch::dictionary::{Codes, D};

    fn condition(dimension: Dimension, code: u32) -> Condition {
        Condition {
            attribute: dimension.index(),
            code,
        }
    }

    fn site(code: u32) -> Codes {
        let mut codes = [0; D];
        codes[Dimension::Site.index()] = code;
        codes
    }

    /// Forty events a minute at the first site, and at the second what each of its minutes says.
    fn volume(second: impl IntoIterator<Item = i64>) -> Volume {
        let mut volume = Volume::default();
        for events in second {
            volume.add(&site(1), 40);
            volume.add(&site(2), events);
            volume.minute(14.0);
        }
        volume
    }

    /// So many a minute for seventy minutes, and then none in so many.
    fn silent(usual: i64, minutes: usize) -> Volume {
        volume(std::iter::repeat_n(usual, 70).chain(std::iter::repeat_n(0, minutes)))
    }

    fn second(volume: &Volume) -> Result<Quiet, Unheard> {
        volume.look(condition(Dimension::Site, 2), 14.0)
    }

    /// 20 events a minute; after two silent ones a third of them is the mean of three, which says nothing yet: 6.7 ln 0.05 + 0.95 · 20 < 0. What
    /// has gathered are two minutes of 0.95 · 20 exp(−1.282 √(12/800)) / 12 = 1.35 each. When the third is silent, too, the state says 19.
    #[test]
    fn what_is_missing_is_the_minute_that_makes_the_present_state() {
        let quiet = second(&silent(20, 2)).expect("it is listened to");
        let near = |value: f64, of: f64| (value - of).abs() < 0.01;
        assert!(near(quiet.evidence, 2.71) && near(quiet.missing, 40.0), "{quiet:?}");
        assert!(near(quiet.expected, 20.0) && near(quiet.seen, 6.67), "{quiet:?}");
        assert_eq!((quiet.minutes, quiet.minutes_missing), (2, Some(1.0)));
        let noticed = second(&silent(20, 3)).expect("it is listened to");
        assert!(noticed.is_noticed() && near(noticed.missing, 60.0), "{noticed:?}");
        assert_eq!(noticed.minutes_missing, Some(0.0));
        let calm = second(&silent(20, 0)).expect("it is listened to");
        assert_eq!((calm.evidence, calm.minutes, calm.minutes_missing), (0.0, 0, None));
    }

    /// 7 events a minute; after three silent ones the state says 0.95 · 7 = 6.65, and each minute adds 0.95 · 7 exp(−1.282 √(12/280)) / 12 =
    /// 0.425: 14 − 6.65 − 3 · 0.425 = 6.1 are lacking, some fourteen minutes.
    #[test]
    fn what_the_present_state_does_not_say_must_gather() {
        let quiet = second(&silent(7, 3)).expect("it is listened to");
        let minutes = quiet.minutes_missing.expect("it would be noticed");
        assert!((minutes - 14.29).abs() < 0.05, "{quiet:?}");
        assert!(!quiet.is_noticed() && (quiet.missing - 21.0).abs() < 1e-9, "{quiet:?}");
    }

    #[test]
    fn to_whom_nobody_listens_it_is_said_why() {
        let usual = volume([20; 70]);
        let headset = usual.look(condition(Dimension::Headset, 2), 14.0);
        assert_eq!(headset, Err(Unheard::OtherDimension));
        let nobody = usual.look(condition(Dimension::Site, 3), 14.0);
        assert_eq!(nobody, Err(Unheard::NeverHeard));
        assert_eq!(second(&volume([20; 20])), Err(Unheard::Learning));
        let (expected, needed) = (2.0, 4.0);
        assert_eq!(second(&volume([2; 70])), Err(Unheard::TooFew { expected, needed }));
        let mut mute = usual;
        mute.minute(14.0);
        assert_eq!(second(&mute), Err(Unheard::TenantSilent));
    }
}
