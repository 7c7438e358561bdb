//! What a person may set. Defaults are documented in `deploy/config/defaults.toml`, which is compiled in and equals these.

use dialtone_schemas::{Channel, Class, Span, Text, time};
use serde::{Deserialize, Serialize};

pub use crate::watch::calendar::Calendar;

/// When a call-end counts as poor on a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Poor by loss from this ratio on.
    pub loss_ratio: f64,
    /// Poor by jitter from here on, in ms.
    pub jitter_ms: f64,
    /// Poor by delay from this round trip on, in ms.
    pub rtt_ms: f64,
    /// Poor by MOS below this.
    pub mos: f64,
}

impl Default for Thresholds {
    /// Jitter: Microsoft's stream classifier. Loss 5 %: a tenth is its limit for whole calls, half of it for an interval.
    /// Round trip 400 ms: twice the 200 ms one way at which G.107 falls off. MOS 3.6: R 70, G.109's "some users dissatisfied".
    fn default() -> Self {
        Self {
            loss_ratio: 0.05,
            jitter_ms: 30.0,
            rtt_ms: 400.0,
            mos: 3.6,
        }
    }
}

/// How late the reports of each class may be; multiples of the 10 s tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Lateness {
    /// Interval reports.
    pub interval: Span,
    /// Reports at the end of a call.
    #[serde(rename = "final")]
    pub at_end: Span,
    /// Microsoft Graph.
    pub graph: Span,
}

impl Default for Lateness {
    fn default() -> Self {
        let of = |class: Class| Span::from_micros(class.default_bound());
        Self {
            interval: of(Class::Interval),
            at_end: of(Class::Final),
            graph: of(Class::Graph),
        }
    }
}

impl Lateness {
    /// The bound of one class, in microseconds.
    pub const fn of(&self, class: Class) -> i64 {
        match class {
            Class::Interval => self.interval.micros(),
            Class::Final => self.at_end.micros(),
            Class::Graph => self.graph.micros(),
        }
    }
}

/// Settings of the summarise fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SummariseConfig {
    /// When is a call-end poor?
    pub thresholds: Thresholds,
    /// How late may a report be?
    pub lateness: Lateness,
    /// Leaves of one window and class; what comes beyond is summed into one leaf a tenant, and flagged (W-2).
    pub max_leaves: usize,
    /// Event ids remembered; beyond, those that expire first are forgotten first, and counted.
    pub max_ids: usize,
    /// Call-ends remembered, by the same rule.
    pub max_ends: usize,
    /// Worst devices written for a window and class.
    pub max_devices: usize,
    /// One in so many good pairs is written, and weighs so much.
    pub pair_sampling: i64,
}

impl Default for SummariseConfig {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            lateness: Lateness::default(),
            max_leaves: 100_000,
            max_ids: 2_000_000,
            max_ends: 1_000_000,
            max_devices: 20,
            pair_sampling: 16,
        }
    }
}

/// Settings of the watch fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// False incidents a day that are acceptable, over all cells and channels of a tenant.
    pub false_alarms_per_day: f64,
    /// No incident opens before this much event time has been seen.
    pub warm_up: Span,
    /// What is younger does not train the baseline yet, so that a fault cannot teach itself.
    pub hold_off: Span,
    /// A rate below so many times the expected one is indifferent: baseline error, not a fault. It is the least: of scopes that wander
    /// further by themselves more is indifferent.
    pub indifference: f64,
    /// Half-life of the baseline's training.
    pub half_life: Span,
    /// How far back an onset is looked for.
    pub memory: Span,
    /// A scope must have at least so many call-ends first poor, beyond what was expected, to be named.
    pub min_excess: f64,
    /// An incident is over when quality was back for so long.
    pub quiet: Span,
    /// A closed incident whose scope turns bad again within this time is reopened.
    pub reopen: Span,
    /// How far one partition may be ahead of the fold before its reading is paused.
    pub max_ahead: Span,
    /// How incidents and alerts travel.
    pub alert_format: AlertFormat,
    /// What share of call minutes may be poor, and of calls may fail or drop.
    pub slo: Slo,
    /// Holidays and time zones, by sites.
    #[serde(rename = "calendar")]
    pub calendars: Vec<Calendar>,
    /// The accountable teams: from a file of their own, not from the configuration.
    pub owners: Owners,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            false_alarms_per_day: 0.02,
            warm_up: Span::from_micros(2 * time::HOUR),
            hold_off: Span::from_micros(60 * time::MINUTE),
            indifference: 1.25,
            half_life: Span::from_micros(14 * time::DAY),
            memory: Span::from_micros(6 * time::HOUR),
            min_excess: 5.0,
            quiet: Span::from_micros(15 * time::MINUTE),
            reopen: Span::from_micros(time::DAY),
            max_ahead: Span::from_micros(30 * time::MINUTE),
            alert_format: AlertFormat::default(),
            slo: Slo::default(),
            calendars: Vec::new(),
            owners: Owners::default(),
        }
    }
}

/// The share of call minutes that may be poor, by kind of connection, and the shares of calls that may fail or drop, over any.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// On a cable.
    pub wired: f64,
    /// Over Wi-Fi.
    pub wifi: f64,
    /// Through a VPN.
    pub vpn: f64,
    /// Over a mobile network.
    pub mobile: f64,
    /// Of any other kind.
    pub other: f64,
    /// Of attempts, those that may not be set up.
    pub setup: f64,
    /// Of calls that were set up, those that may drop.
    pub drop: f64,
}

impl Default for Slo {
    /// Microsoft's quality of experience review asks for 1 to 3 % poor streams, by type of network, and over all networks for 1 % setup
    /// failures and 3 % drops.
    fn default() -> Self {
        Self {
            wired: 0.01,
            wifi: 0.02,
            vpn: 0.03,
            mobile: 0.03,
            other: 0.03,
            setup: 0.01,
            drop: 0.03,
        }
    }
}

impl Slo {
    /// The target of a kind of connection, by its name.
    pub fn target(&self, connection: &str) -> f64 {
        let target = match connection {
            "wired" => self.wired,
            "wifi" => self.wifi,
            "vpn" => self.vpn,
            "mobile" => self.mobile,
            _ => self.other,
        };
        target.max(1e-6)
    }

    /// The share of call-ends that may be poor on a channel that counts calls; none of quality, which counts minutes.
    pub fn of_calls(&self, channel: Channel) -> Option<f64> {
        let target = match channel {
            Channel::Setup => self.setup,
            Channel::Drop => self.drop,
            _ => return None,
        };
        Some(target.max(1e-6))
    }
}

/// How incidents and alerts travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertFormat {
    /// In the Confluent frame, like everything else.
    #[default]
    Avro,
    /// As JSON text, for subscribers without a schema.
    Json,
}

/// The teams, from `owners.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owners {
    /// The team of whatever no rule covers.
    pub default: Text,
    /// Whom of the default team to reach.
    #[serde(default)]
    pub contact: Option<Text>,
    /// What the default team does about it.
    #[serde(default)]
    pub runbook: Option<Text>,
    /// How long an owner may take to acknowledge, where its rule does not say; for ever without it.
    #[serde(default)]
    pub escalate_after: Option<Span>,
    /// Who is called then, where the rule does not say; the default team without it.
    #[serde(default)]
    pub escalate_to: Option<Text>,
    /// Teams that are no more: what is theirs goes to their rule's successor, or to the default team.
    #[serde(default)]
    pub dissolved: Vec<Text>,
    /// Rules; of those that fit, the one with the most conditions wins, then the first.
    #[serde(default, rename = "owner")]
    pub rules: Vec<OwnerRule>,
}

impl Default for Owners {
    fn default() -> Self {
        #[allow(clippy::expect_used, reason = "a constant that is a text")]
        let default = Text::new("service-desk").expect("a text");
        Self {
            default,
            contact: None,
            runbook: None,
            escalate_after: None,
            escalate_to: None,
            dissolved: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// One rule of `owners.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerRule {
    /// The accountable team.
    pub team: Text,
    /// Causes on this layer.
    #[serde(default)]
    pub layer: Option<dialtone_schemas::incident::Layer>,
    /// Causes whose scope has these conditions.
    #[serde(default)]
    pub scope: dialtone_schemas::Scope,
    /// Whom to reach.
    #[serde(default)]
    pub contact: Option<Text>,
    /// What to do.
    #[serde(default)]
    pub runbook: Option<Text>,
    /// How long the team may take to acknowledge before another is called.
    #[serde(default)]
    pub escalate_after: Option<Span>,
    /// Who is called then.
    #[serde(default)]
    pub escalate_to: Option<Text>,
    /// Whose it is once the team is dissolved.
    #[serde(default)]
    pub successor: Option<Text>,
}
