//! Midnight: what the day that is over says of the thresholds.

use std::collections::BTreeMap;

use dialtone_schemas::{EventTime, time};

use super::{MANY_DEVICES, Tenant};
use crate::{
    config::WatchConfig,
    watch::{book::Case, calibration::Calibrated, dependency::Dependencies, detect::Detector, evidence::WATCHED},
};

/// Where a day was quiet: no incident was open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WasQuiet {
    /// By channel, of cells; one device's trouble is none of theirs.
    pub(super) rates: [bool; 3],
    /// Of anything at all: what another incident holds shows in silences and in single devices as well.
    pub(super) others: bool,
}

impl Tenant {
    /// Where nothing has been open since then.
    pub(super) fn was_quiet(&self, since: EventTime) -> WasQuiet {
        let is_open = |case: &&Case| case.incident.closed.is_none_or(|closed| closed > since);
        let open = || self.cases.iter().filter(is_open);
        WasQuiet {
            rates: [0, 1, 2].map(|channel| !open().any(|case| case.is_of_calls(channel))),
            others: open().next().is_none(),
        }
    }

    /// A whole day is over: what its evidence says of the thresholds, where it was quiet.
    pub(super) fn calibrate(&mut self, now: EventTime, was_quiet: WasQuiet, config: &WatchConfig) {
        let leaves = (0..).zip(self.dictionary.leaves());
        let dependencies = Dependencies::of(leaves.map(|(leaf, codes)| (codes, self.baseline.weight(leaf))));
        self.levels.freeze();
        self.detectors
            .iter_mut()
            .for_each(|detector| detector.depend(dependencies));
        let yesterday = now.plus(-time::DAY);
        let is_known = |began: EventTime| began.plus(config.warm_up.micros()) <= yesterday;
        if !self.began.is_some_and(is_known) {
            // What gathered while nothing was known says nothing of a quiet day.
            self.night(WasQuiet::default(), [f64::INFINITY; 4]);
            return;
        }
        self.references.freeze(now, &self.baseline, &self.shifts);
        let thresholds = [
            self.noticed_from(config),
            self.silent_from(config),
            self.one_device_from(config),
            self.one_scope_from(config),
        ];
        self.night(was_quiet, thresholds);
    }

    fn night(&mut self, was_quiet: WasQuiet, [rates, silence, devices, named]: [f64; 4]) {
        // Levels are those of quality.
        let of_levels = self.level_detectors.iter_mut().map(|detector| (0, detector));
        for (channel, detector) in self.detectors.iter_mut().enumerate().chain(of_levels) {
            // Of what has no cells yet nothing was seen.
            detector.night(was_quiet.rates[channel] && detector.cells() > 0, rates);
        }
        self.volume.night(was_quiet.others && self.volume.cells() > 0, silence);
        self.devices.night(was_quiet.others, MANY_DEVICES, devices);
        self.night_of_named(was_quiet.rates, named);
    }

    /// What quiet days have taught of the thresholds, by channel, of the levels of all metrics, of silences and of devices.
    pub(super) fn calibration(&self, config: &WatchConfig) -> BTreeMap<&'static str, Calibrated> {
        let threshold = self.noticed_from(config);
        let calibrated = |detector: &Detector| detector.calibrated(threshold);
        let of_channel = self.detectors.iter().map(calibrated);
        let rates = WATCHED.iter().map(|channel| channel.name()).zip(of_channel);
        let of_levels = Calibrated::of_all(self.level_detectors.iter().map(calibrated));
        let silence = ("silence", self.volume.calibrated(self.silent_from(config)));
        let device = ("device", self.devices.calibrated(self.one_device_from(config)));
        rates.chain([("level", of_levels), silence, device]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dialtone_schemas::{Incident, incident::Onset};

    use super::super::drive::{Drive, day, site, text, two};

    /// What is expected of levels in a day, and of the one incident of the week, after a Monday and a quiet Tuesday on which the jitter of all
    /// call-ends lies here.
    fn after_a_quiet_day(jitter: &[(u16, i64)]) -> (f64, f64) {
        let mut drive = Drive::new();
        drive.config.false_alarms_per_day = 0.2;
        drive.jitter = ["berlin", "lyon"].map(|site| (text(site), jitter.to_vec())).into();
        drive.until(day(2, 0), |_| two(0.02, 0.02));
        let now = drive.now();
        let onset = Onset { from: now, to: now };
        let incident = Incident::opened(text("i-1"), text("acme"), site("berlin"), text("lan"), onset, now);
        drive.tenant.firsts.note(&incident, &BTreeMap::new());
        let ready = drive.tenant.readiness(now, &drive.config);
        let share = ready.false_share.expect("an incident, and a quiet day");
        (ready.calibration["level"].false_a_day, share)
    }

    /// The levels of jitter have four cells: everything, two sites and a headset. All cells share 0.8 · 0.2 false alarms a day, and are counted as a
    /// hundred: 4 · 0.16 / 100 = 0.0064 a day. Of one incident a week, 7 · 0.0064 = 0.0448 more is false than where nobody measures jitter.
    #[test]
    fn what_levels_notice_for_nothing_is_in_the_share_that_is_expected_to_be_false() {
        let (a_day, share) = after_a_quiet_day(&[(4, 30), (5, 15), (6, 9), (7, 4), (8, 2)]);
        let (unmeasured, without) = after_a_quiet_day(&[]);
        assert!((a_day - 0.0064).abs() < 1e-6 && unmeasured.abs() < 1e-9, "{a_day}");
        // Shares are told in thousandths.
        assert!((share - without - 0.0448).abs() < 0.0011, "{share} and {without}");
    }
}
