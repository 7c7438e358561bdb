//! A summary: additive sums over one window, or a marker that says how far event time has got.

use serde::{Deserialize, Serialize};

use crate::{Histogram, Leaf, Text, Tick, Window, time};

/// How late the reports of a source may be. A window closes for a class when the clock has passed its end by the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Live interval reports.
    Interval,
    /// Reports at the end of a call.
    Final,
    /// Microsoft Graph call records, which come minutes to hours later.
    Graph,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Interval, Self::Final, Self::Graph];

    /// The bound unless configured otherwise: 60 s, 120 s, 75 min; a multiple of the tick.
    pub const fn default_bound(self) -> i64 {
        match self {
            Self::Interval => time::MINUTE,
            Self::Final => 2 * time::MINUTE,
            Self::Graph => 75 * time::MINUTE,
        }
    }

    /// The name used in records and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interval => "interval",
            Self::Final => "final",
            Self::Graph => "graph",
        }
    }
}

/// One way for a call-end to be bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Poor by any of loss, jitter, delay and MOS.
    Quality,
    /// Poor by loss.
    Loss,
    /// Poor by jitter.
    Jitter,
    /// Poor by delay.
    Delay,
    /// Poor by MOS.
    Mos,
    /// Not set up; at risk are the attempts.
    Setup,
    /// Dropped; at risk are the calls that were set up.
    Drop,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Quality,
        Self::Loss,
        Self::Jitter,
        Self::Delay,
        Self::Mos,
        Self::Setup,
        Self::Drop,
    ];

    /// The name used in records, tables and pages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Loss => "loss",
            Self::Jitter => "jitter",
            Self::Delay => "delay",
            Self::Mos => "mos",
            Self::Setup => "setup",
            Self::Drop => "drop",
        }
    }
}

/// What kind of sums a summary holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryKind {
    /// One leaf of the near end.
    Leaf,
    /// A near leaf and a far leaf of calls whose two ends are known.
    Pair,
    /// One of the window's worst individual devices.
    Device,
    /// No sums: event time has got here.
    Marker,
}

/// Sums of one channel. A call-end is counted at risk in every window it reports in until it is first poor, and poor
/// once: a call that is poor for five minutes is one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSums {
    /// Call-ends at risk.
    pub at_risk: i64,
    /// Call-ends poor for the first time.
    pub poor: i64,
    /// Media judged.
    pub media_ms: i64,
    /// Media judged poor.
    pub poor_ms: i64,
}

impl ChannelSums {
    /// Adds `other`, or takes it away with `sign = -1`.
    pub const fn merge(&mut self, other: &Self, sign: i64) {
        self.at_risk += sign * other.at_risk;
        self.poor += sign * other.poor;
        self.media_ms += sign * other.media_ms;
        self.poor_ms += sign * other.poor_ms;
    }
}

/// The additive sums of one leaf, pair or device over one window. Integers only, so that merging is exact (W-1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// Events counted.
    pub events: i64,
    /// Call-ends seen for the first time.
    pub ends: i64,
    /// Poor by any of the four below.
    pub quality: ChannelSums,
    /// Poor by loss.
    pub loss: ChannelSums,
    /// Poor by jitter.
    pub jitter: ChannelSums,
    /// Poor by delay.
    pub delay: ChannelSums,
    /// Poor by MOS.
    pub mos: ChannelSums,
    /// Set-up failures over attempts.
    pub setup: ChannelSums,
    /// Drops over calls set up.
    pub drop: ChannelSums,
    /// Call-ends by loss.
    pub loss_histogram: Histogram,
    /// Call-ends by jitter.
    pub jitter_histogram: Histogram,
    /// Call-ends by round trip.
    pub delay_histogram: Histogram,
    /// Call-ends by what is missing to R = 100.
    pub missing_r_histogram: Histogram,
}

impl Sums {
    /// The sums of one channel.
    pub const fn channel(&self, channel: Channel) -> &ChannelSums {
        match channel {
            Channel::Quality => &self.quality,
            Channel::Loss => &self.loss,
            Channel::Jitter => &self.jitter,
            Channel::Delay => &self.delay,
            Channel::Mos => &self.mos,
            Channel::Setup => &self.setup,
            Channel::Drop => &self.drop,
        }
    }

    /// The sums of one channel, to be changed.
    pub const fn channel_mut(&mut self, channel: Channel) -> &mut ChannelSums {
        match channel {
            Channel::Quality => &mut self.quality,
            Channel::Loss => &mut self.loss,
            Channel::Jitter => &mut self.jitter,
            Channel::Delay => &mut self.delay,
            Channel::Mos => &mut self.mos,
            Channel::Setup => &mut self.setup,
            Channel::Drop => &mut self.drop,
        }
    }

    /// Adds `other` (W-1), or takes it away with `sign = -1`.
    pub fn merge(&mut self, other: &Self, sign: i64) {
        self.events += sign * other.events;
        self.ends += sign * other.ends;
        for channel in Channel::ALL {
            self.channel_mut(channel).merge(other.channel(channel), sign);
        }
        self.loss_histogram.merge(&other.loss_histogram, sign);
        self.jitter_histogram.merge(&other.jitter_histogram, sign);
        self.delay_histogram.merge(&other.delay_histogram, sign);
        self.missing_r_histogram.merge(&other.missing_r_histogram, sign);
    }

    /// Nothing left after a revision took away what another had added?
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// One record of the summaries topic. `number` is dense per partition, markers included; the same number always has the
/// same bytes (F-3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Dense per partition, from 0.
    pub number: i64,
    /// The tick at which it is folded: when its window closed for its class; for a marker, how far time has got.
    pub tick: Tick,
    /// What the sums are of.
    pub kind: SummaryKind,
    /// Whose; absent for a marker.
    pub tenant: Option<Text>,
    /// The class whose window closed; absent for a marker.
    pub class: Option<Class>,
    /// The window; absent for a marker.
    pub window: Option<Window>,
    /// The near end; absent for a marker.
    pub near: Option<Leaf>,
    /// The far end of a pair.
    pub far: Option<Leaf>,
    /// The individual device.
    pub device_id: Option<Text>,
    /// The sums; absent for a marker.
    pub sums: Option<Sums>,
    /// Each call of a good pair stands for so many (1 unless sampled).
    pub weight: i64,
    /// Were leaves beyond the bound folded into this one?
    pub overflow: bool,
    /// Calls with the smallest id hashes: the poor ones where there are any.
    pub exemplars: Vec<Text>,
    /// Who used the individual device: `u:` and a keyed HMAC. For counting people, never for naming them.
    #[serde(default)]
    pub user: Option<Text>,
}

impl Summary {
    /// A marker.
    pub const fn marker(number: i64, tick: Tick) -> Self {
        Self {
            number,
            tick,
            kind: SummaryKind::Marker,
            tenant: None,
            class: None,
            window: None,
            near: None,
            far: None,
            device_id: None,
            sums: None,
            weight: 1,
            overflow: false,
            exemplars: Vec::new(),
            user: None,
        }
    }
}
