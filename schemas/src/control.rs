//! Control: what the folds are told from outside. It is a record in a log they read, so that a replay is told the same.

use serde::{Deserialize, Serialize};

use crate::{EventTime, Text};

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// The fold's configuration from here on; `body` is its JSON.
    Configure,
    /// Somebody works on the incident.
    Acknowledge,
    /// No alerts about the incident until `until`.
    Silence,
    /// The named cause was right or wrong; `body` is `right` or `wrong`.
    Verdict,
}

/// A record of the control topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Repeats of it are dropped.
    pub control_id: Text,
    /// Whose; absent for the configuration of all tenants.
    #[serde(default)]
    pub tenant: Option<Text>,
    /// What is said.
    pub kind: ControlKind,
    /// When.
    pub at: EventTime,
    /// About which incident.
    #[serde(default)]
    pub incident_id: Option<Text>,
    /// Until when, for a silence.
    #[serde(default)]
    pub until: Option<EventTime>,
    /// The configuration's JSON, or the verdict.
    #[serde(default)]
    pub body: Option<String>,
    /// By which team.
    #[serde(default)]
    pub team: Option<Text>,
}
