//! A change: something somebody did that may have broken a call.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Dimension, EventTime, Leaf, Text};

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A route of calls or packets.
    Route,
    /// A policy: QoS marking, codec order, bandwidth.
    Policy,
    /// A configuration.
    Config,
    /// A device's firmware.
    Firmware,
    /// A driver.
    Driver,
    /// A client's version.
    Client,
    /// Something at a carrier.
    Carrier,
    /// A certificate.
    Certificate,
    /// Announced work.
    Maintenance,
}

impl ChangeKind {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Route => "route",
            Self::Policy => "policy",
            Self::Config => "config",
            Self::Firmware => "firmware",
            Self::Driver => "driver",
            Self::Client => "client",
            Self::Carrier => "carrier",
            Self::Certificate => "certificate",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Which calls a change touches: per dimension the values of which one must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub BTreeMap<Dimension, Vec<Text>>);

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dimension, values)| (dimension.name(), values)))
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::scope::by_dimension(deserializer).map(Self)
    }
}

impl Selector {
    /// Does the change touch this leaf? A selector that names nothing touches everything.
    pub fn covers(&self, leaf: &Leaf) -> bool {
        self.0
            .iter()
            .all(|(dimension, values)| leaf.get(*dimension).is_some_and(|v| values.contains(v)))
    }
}

/// Something somebody did, from a ticket system, a controller, a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The ticket's or the controller's id: what is reported last of it stands.
    pub change_id: Text,
    /// Whose; from the credential.
    #[serde(default)]
    pub tenant: Option<Text>,
    /// What kind of thing.
    pub kind: ChangeKind,
    /// When it took effect.
    pub started_at: EventTime,
    /// When it was over, for work with an end.
    #[serde(default)]
    pub finished_at: Option<EventTime>,
    /// When the source reported it; the time of sending where it does not say.
    #[serde(default)]
    pub reported_at: Option<EventTime>,
    /// Which calls it touches.
    #[serde(default)]
    pub scope: Selector,
    /// One line for people.
    #[serde(default)]
    pub summary: Option<Text>,
    /// Before.
    #[serde(default)]
    pub from_version: Option<Text>,
    /// After.
    #[serde(default)]
    pub to_version: Option<Text>,
    /// Who did it: a team, never a person.
    #[serde(default)]
    pub team: Option<Text>,
    /// The system that says so.
    #[serde(default)]
    pub system: Option<Text>,
    /// Where to read more.
    #[serde(default)]
    pub url: Option<Text>,
    /// The change this one takes back.
    #[serde(default)]
    pub rollback_of: Option<Text>,
}

impl Change {
    /// The instant that decides its tick: when it was reported.
    pub fn time_reported(&self) -> EventTime {
        self.reported_at.unwrap_or(self.started_at)
    }
}
