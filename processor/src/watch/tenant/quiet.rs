//! What would be named though nothing is wrong: on quiet days causes are looked for at fixed instants, as if the cell with the most evidence
//! had been noticed, and once more in the mirror image of what was seen, as if the cell whose mirror image has the most had been.
//!
//! What was noticed has paid for the minutes and the cells; the scan chooses among scopes and onsets once more. How much evidence that
//! choice alone brings is in the days' maxima, and a cause is named for no less than their tail asks for (DESIGN.md §3).

use std::collections::BTreeMap;

use dialtone_schemas::{EventTime, time};

use super::{Spends, Tenant};
use crate::{
    config::WatchConfig,
    watch::{book::Case, calibration::Calibrated, evidence::WATCHED, locate::Evidence},
};

/// So often: an onset has three hours of control before it and what follows is young, so that two looks have little in common.
const EVERY: i64 = 4 * time::HOUR;

/// Every four hours, the last time at the midnight that ends the day.
pub(super) fn is_time_to_look(now: EventTime) -> bool {
    now.floor(EVERY) == now
}

impl Tenant {
    /// Evidence that one scope needs by the guarantee.
    pub(super) fn one_scope_from(&self, config: &WatchConfig) -> f64 {
        self.threshold(1, Spends::Rates, config)
    }

    /// Evidence that a cause needs to be named: of one scope, or more where quiet days ask for it.
    pub(super) fn named_from(&self, channel: usize, config: &WatchConfig) -> f64 {
        self.named[channel].threshold(&(), self.one_scope_from(config))
    }

    /// Looks for causes on each channel on which no incident is open, and remembers the most evidence.
    pub(super) fn look_though_quiet(&mut self, now: EventTime, config: &WatchConfig) {
        if !is_time_to_look(now) {
            return;
        }
        for channel in 0..WATCHED.len() {
            let is_open = |case: &Case| case.is_open() && case.is_of_calls(channel);
            if self.cases.iter().any(is_open) {
                continue;
            }
            let most = self.most_named(self.evidence(channel, config.indifference), config);
            self.named[channel].note((), most);
        }
    }

    /// The most evidence of a cause in what was seen, or in its mirror image.
    pub(super) fn most_named(&self, evidence: Evidence<'_>, config: &WatchConfig) -> f64 {
        let of_image = |is_mirrored: bool| {
            let noticed = self.detectors[evidence.channel].most(is_mirrored)?;
            let image = Evidence {
                is_mirrored,
                ..evidence
            };
            Some(image.most_named(&noticed, self.asked(config)))
        };
        let images = [false, true].into_iter().filter_map(of_image);
        images.fold(0.0, f64::max)
    }

    /// A day is over. A quiet one on which no cause was found counts as one with no evidence.
    pub(super) fn night_of_named(&mut self, was_quiet: [bool; 3], threshold: f64) {
        let one = BTreeMap::from([((), 1)]);
        for (channel, named) in self.named.iter_mut().enumerate() {
            // Of what has no cells yet nothing was seen.
            let is_quiet = was_quiet[channel] && self.detectors[channel].cells() > 0;
            if is_quiet {
                named.note((), 0.0);
            }
            named.night(is_quiet, &one, threshold);
        }
    }

    /// What quiet days have taught of the causes that are named, by channel.
    pub(super) fn named_calibration(&self, config: &WatchConfig) -> BTreeMap<&'static str, Calibrated> {
        let threshold = self.one_scope_from(config);
        let stands = self.named.iter().map(|named| named.stand(threshold));
        WATCHED.iter().map(|channel| channel.name()).zip(stands).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::drive::{Calls, Drive, at, day, leaf};

    fn two(berlin: f64) -> Vec<Calls> {
        vec![
            (leaf("berlin", "Aural 20"), 600, berlin),
            (leaf("lyon", "Aural 20"), 600, 0.02),
        ]
    }

    fn most(drive: &Drive) -> f64 {
        let tenant = &drive.tenant;
        tenant.most_named(tenant.evidence(0, drive.config.indifference), &drive.config)
    }

    /// Of Berlin's call-ends none is poor for an hour, where 720 are expected. In the mirror it is 1440, beyond the quarter that is
    /// indifferent (1440 ln(1440/900) − 540) / 1.3 = 105 nats. Nobody is told.
    #[test]
    fn what_is_much_too_good_would_be_named_in_the_mirror() {
        let mut drive = Drive::new();
        drive.until(day(1, 10), |_| two(0.02));
        assert!(most(&drive) < 3.0, "{}", most(&drive));
        let told = drive.until(day(1, 11), |_| two(0.0));
        assert!((60.0..120.0).contains(&most(&drive)), "{}", most(&drive));
        assert!(told.alerts.is_empty(), "{:?}", told.alerts);
    }

    /// One scope needs ln(1440 / (0.8 · 0.02)) = 11.4 nats. Of the days' maxima the median is 7, the upper quartile 8.5: scale 1.71, location
    /// 6.37, and 0.016 a day pass 6.37 − 1.71 ln 0.016 = 13.4.
    #[test]
    fn a_cause_is_named_for_no_less_than_quiet_days_ask_for() {
        let mut drive = Drive::new();
        let guaranteed = drive.tenant.one_scope_from(&drive.config);
        assert!((guaranteed - 11.41).abs() < 0.01, "{guaranteed}");
        let one = BTreeMap::from([((), 1)]);
        for most in [6.0, 6.0, 6.0, 7.0, 7.0, 7.0, 8.5, 8.5, 8.5] {
            drive.tenant.named[0].note((), most);
            drive.tenant.named[0].night(true, &one, guaranteed);
        }
        let needed = [0, 1].map(|channel| drive.tenant.named_from(channel, &drive.config));
        assert!((needed[0] - 13.43).abs() < 0.05, "{needed:?}");
        assert!(
            (needed[1] - guaranteed).abs() < 1e-9,
            "each channel by itself: {needed:?}"
        );
        let stand = drive.tenant.named_calibration(&drive.config)["quality"];
        assert_eq!((stand.quiet_days, stand.raised), (9, 1));
        assert!((stand.false_a_day - 0.016).abs() < 1e-4, "{stand:?}");
    }

    /// Monday warmed up; Tuesday and Wednesday are looked at every four hours, and so is Thursday, which is watched.
    #[test]
    fn days_that_are_studied_count_as_those_that_are_watched() {
        let mut drive = Drive::after_study(3, |_| two(0.02));
        let days = |drive: &Drive| drive.tenant.named_calibration(&drive.config)["quality"].quiet_days;
        assert_eq!(days(&drive), 2);
        drive.until(day(4, 0), |_| two(0.02));
        assert_eq!(days(&drive), 3);
        assert_eq!(drive.tenant.named_calibration(&drive.config)["quality"].raised, 0);
    }

    #[test]
    fn every_four_hours_it_is_time_to_look() {
        let looks = (1..=1440).filter(|minute| super::is_time_to_look(at(*minute)));
        assert_eq!(looks.collect::<Vec<i64>>(), [240, 480, 720, 960, 1200, 1440]);
    }
}
