//! A fault: where it is, from when to when, and what it does to the streams that pass through it.

use std::collections::BTreeSet;

use dialtone_schemas::{Dimension, EventTime, Leaf, Scope, Text};
use serde::{Deserialize, Serialize};

use crate::{
    scenario::{FaultSpec, Hit, Stage, Strain},
    span::Span,
};

/// What a kind of fault usually does all the time belongs to odds of bad intervals that grow by as much; of others by their logarithm.
const STEADY: f64 = 8.0;

/// Where so many calls fail or drop it is an outage.
const MOST: f64 = 0.8;

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The line or router of a site.
    SiteUplink,
    /// One Wi-Fi segment.
    WifiSegment,
    /// One headset model with one driver.
    HeadsetDriver,
    /// A new firmware of one device model, rolled out in stages.
    FirmwareRollout,
    /// A carrier's route.
    CarrierRoute,
    /// A policy: the QoS marking is gone.
    PolicyQos,
    /// One provider at one site.
    IspAtSite,
    /// A region of media relays.
    RelayRegion,
    /// Nothing gets out of a site, reports included.
    TotalOutage,
    /// One meeting room's device is set up wrongly.
    RoomDevice,
    /// Something that no report has a dimension for: some of the people have it, all over the place.
    Unlogged,
}

impl FaultKind {
    /// How hard it usually hits, what it usually does all the time, and the share that the other end feels.
    pub(crate) fn usual(self) -> (Hit, Strain, f64) {
        let hit = |share, loss, jitter_ms, delay_ms| Hit {
            share,
            loss,
            discard: 0.0,
            jitter_ms,
            delay_ms,
        };
        let steady = |loss, jitter_ms, delay_ms| Strain {
            loss,
            discard: 0.0,
            jitter_ms,
            delay_ms,
        };
        match self {
            Self::SiteUplink => (hit(0.05, 0.10, 10.0, 20.0), steady(0.003, 2.0, 6.0), 0.35),
            Self::WifiSegment => (hit(0.30, 0.09, 25.0, 10.0), steady(0.004, 4.0, 3.0), 0.3),
            Self::HeadsetDriver => (
                Hit {
                    discard: 0.06,
                    ..hit(0.12, 0.0, 38.0, 0.0)
                },
                steady(0.0, 3.0, 0.0),
                0.0,
            ),
            Self::FirmwareRollout => (
                Hit {
                    discard: 0.03,
                    ..hit(0.15, 0.06, 32.0, 0.0)
                },
                steady(0.001, 3.0, 0.0),
                0.15,
            ),
            Self::CarrierRoute => (hit(0.055, 0.09, 12.0, 60.0), steady(0.002, 1.0, 25.0), 0.0),
            Self::PolicyQos => (hit(0.03, 0.08, 28.0, 10.0), steady(0.002, 3.0, 2.0), 0.3),
            Self::IspAtSite => (hit(0.06, 0.10, 14.0, 30.0), steady(0.003, 2.0, 8.0), 0.35),
            Self::RelayRegion => (hit(0.03, 0.08, 14.0, 80.0), steady(0.001, 2.0, 20.0), 0.0),
            Self::TotalOutage => (Hit::default(), Strain::default(), 0.0),
            Self::Unlogged => (hit(0.05, 0.09, 20.0, 20.0), steady(0.002, 2.0, 5.0), 0.0),
            Self::RoomDevice => (
                Hit {
                    discard: 0.08,
                    ..hit(0.9, 0.10, 35.0, 0.0)
                },
                steady(0.01, 8.0, 0.0),
                0.25,
            ),
        }
    }

    /// The channel that shows it most.
    pub(crate) const fn channel(self) -> &'static str {
        match self {
            Self::TotalOutage => "volume",
            Self::HeadsetDriver => "jitter",
            _ => "loss",
        }
    }

    /// The layer whose owner must act.
    pub(crate) const fn layer(self) -> &'static str {
        match self {
            Self::SiteUplink | Self::TotalOutage => "site",
            Self::WifiSegment => "access_network",
            Self::HeadsetDriver => "peripheral",
            Self::FirmwareRollout | Self::RoomDevice => "device",
            Self::CarrierRoute => "carrier",
            Self::PolicyQos => "service",
            Self::IspAtSite => "wan",
            Self::RelayRegion => "relay",
            Self::Unlogged => "unknown",
        }
    }
}

/// What is broken, and where.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) kind: FaultKind,
    pub(crate) scope: Scope,
    /// The one device, if it is one.
    pub(crate) device_id: Option<Text>,
    /// Whom it touches, if that shows in no dimension.
    pub(crate) devices: Option<BTreeSet<Text>>,
    /// By how much the odds of a bad interval grow, in place of a share of the intervals that is hit.
    pub(crate) odds: Option<f64>,
}

impl Broken {
    pub(crate) const fn at(kind: FaultKind, scope: Scope) -> Self {
        Self {
            kind,
            scope,
            device_id: None,
            devices: None,
            odds: None,
        }
    }
}

/// A fault with everything decided.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) scope: Scope,
    pub(crate) device_id: Option<Text>,
    pub(crate) devices: Option<BTreeSet<Text>>,
    pub(crate) odds: Option<f64>,
    pub(crate) onset: EventTime,
    pub(crate) until: Option<EventTime>,
    pub(crate) hit: Hit,
    pub(crate) steady: Strain,
    pub(crate) far: f64,
    pub(crate) setup_failed: f64,
    pub(crate) dropped: f64,
    ramp: i64,
    stages: Vec<Stage>,
}

impl Fault {
    pub(crate) fn new(spec: &FaultSpec, judged_from: EventTime, is: Broken) -> Self {
        let onset = judged_from.plus(spec.at.0);
        let (hit, steady, far) = is.kind.usual();
        let steady = steady.scaled(is.odds.map_or(1.0, |odds| odds.ln() / STEADY.ln()));
        Self {
            kind: is.kind,
            scope: is.scope,
            device_id: is.device_id,
            devices: is.devices,
            odds: is.odds,
            onset,
            until: spec.lasts.map(|span| onset.plus(span.0)),
            hit: spec.hit.unwrap_or(hit),
            steady: spec.steady.unwrap_or(steady),
            far: spec.far.unwrap_or(far),
            setup_failed: spec.setup_failed,
            dropped: spec.dropped,
            ramp: spec.ramp.map_or(0, |span| span.0),
            stages: spec.stages.clone(),
        }
    }

    /// As usual for its kind, from then on for so long, with no change behind it.
    pub(crate) fn lasting(lasts: Span, onset: EventTime, is: Broken) -> Self {
        let spec = FaultSpec {
            lasts: Some(lasts),
            ..FaultSpec::of(is.kind)
        };
        Self::new(&spec, onset, is)
    }

    /// The channel that shows it most: where most calls fail or drop, that, whatever its kind usually does.
    pub(crate) fn channel(&self) -> &'static str {
        if self.setup_failed >= MOST {
            "setup"
        } else if self.dropped >= MOST {
            "drop"
        } else {
            self.kind.channel()
        }
    }

    /// Does the fault lie on this end of a call? The leaf is the placed one.
    pub(crate) fn covers(&self, leaf: &Leaf, device_id: &Text) -> bool {
        let is_one = self.device_id.as_ref().is_none_or(|id| id == device_id);
        is_one && self.may_be_on(Some(device_id)) && self.scope.covers(leaf)
    }

    /// May this device have it? What shows in no dimension only some have.
    pub(crate) fn may_be_on(&self, device_id: Option<&Text>) -> bool {
        let is_among = |ids: &BTreeSet<Text>| device_id.is_some_and(|id| ids.contains(id));
        self.devices.as_ref().is_none_or(is_among)
    }

    /// Does it lie on the path between the ends, so that both feel the same hit?
    pub(crate) fn is_on_path(&self) -> bool {
        let of_path = |dimension| matches!(dimension, Dimension::Relay | Dimension::Carrier);
        self.scope.depth() > 0 && self.scope.conditions().all(|(dimension, _)| of_path(dimension))
    }

    /// Share of the intervals that it hits, where the odds of a bad one are these anyway.
    pub(crate) fn hit_share(&self, usual: f64, strength: f64) -> f64 {
        let Some(odds) = self.odds else {
            return self.hit.share * strength;
        };
        let grown = usual * (1.0 + (odds - 1.0) * strength);
        1.0 - (1.0 + usual) / (1.0 + grown)
    }

    /// How much of the effect there is: 0 before and after, growing while it ramps up.
    pub(crate) fn strength(&self, at: EventTime) -> f64 {
        if at < self.onset || self.until.is_some_and(|until| at >= until) {
            return 0.0;
        }
        let since = at.since(self.onset);
        #[allow(clippy::cast_precision_loss, reason = "microseconds of hours")]
        let grown = if since < self.ramp {
            since as f64 / self.ramp as f64
        } else {
            1.0
        };
        grown
    }

    /// The firmware that a rollout has brought to this device by now.
    pub(crate) fn rolled_out(&self, leaf: &Leaf, rank: f64, at: EventTime) -> Option<&Text> {
        let is_target =
            self.kind == FaultKind::FirmwareRollout && leaf.device.as_ref() == self.scope.get(Dimension::Device);
        let reached = self
            .stages
            .iter()
            .filter(|s| at >= self.onset.plus(s.after.0))
            .map(|s| s.share)
            .fold(0.0, f64::max);
        let share = if self.stages.is_empty() && at >= self.onset {
            1.0
        } else {
            reached
        };
        if is_target && rank < share {
            self.scope.get(Dimension::Firmware)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::time;

    use super::*;
    use crate::scenario::Scenario;

    /// Odds of 0.01 that become 0.05: 0.01 / 1.01 of the intervals are bad anyway, 0.05 / 1.05 in all. Half way up a ramp they are 0.03.
    #[test]
    fn grown_odds_hit_what_is_missing_to_them() {
        let text = "name = \"x\"\nstart = \"2026-03-02T06:00:00Z\"\nhistory = \"1h\"\nevaluate = \"2h\"\n\
                    [[fault]]\nkind = \"relay_region\"\nat = \"10m\"\nramp = \"1h\"\nodds = 5.0\n";
        let scenario = Scenario::from_toml(text).expect("a scenario");
        let is = Broken {
            odds: scenario.faults[0].odds,
            ..Broken::at(FaultKind::RelayRegion, Scope::default())
        };
        let fault = Fault::new(&scenario.faults[0], scenario.judged_from(), is);
        let in_all = |strength| 1.0 - (1.0 - 0.01 / 1.01) * (1.0 - fault.hit_share(0.01, strength));
        assert!((in_all(1.0) - 0.05 / 1.05).abs() < 1e-12);
        assert!((in_all(fault.strength(fault.onset.plus(time::HOUR / 2))) - 0.03 / 1.03).abs() < 1e-12);
        assert!((in_all(0.0) - 0.01 / 1.01).abs() < 1e-12);
    }
}
