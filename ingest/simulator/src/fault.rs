//! A fault: where it is, from when to when, and what it does to the streams that pass through it.

use dialtone_schemas::{Dimension, EventTime, Leaf, Scope, Text};
use serde::{Deserialize, Serialize};

use crate::scenario::{FaultSpec, Hit, Stage, Strain};

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
        }
    }
}

/// A fault with everything decided.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) scope: Scope,
    pub(crate) device_id: Option<Text>,
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
    pub(crate) fn new(spec: &FaultSpec, judged_from: EventTime, scope: Scope, device_id: Option<Text>) -> Self {
        let onset = judged_from.plus(spec.at.0);
        let (hit, steady, far) = spec.kind.usual();
        Self {
            kind: spec.kind,
            scope,
            device_id,
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

    /// Does the fault lie on this end of a call? The leaf is the placed one.
    pub(crate) fn covers(&self, leaf: &Leaf, device_id: &Text) -> bool {
        self.scope.covers(leaf) && self.device_id.as_ref().is_none_or(|id| id == device_id)
    }

    /// Does it lie on the path between the ends, so that both feel the same hit?
    pub(crate) fn is_on_path(&self) -> bool {
        self.scope
            .conditions()
            .all(|(d, _)| matches!(d, Dimension::Relay | Dimension::Carrier))
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
