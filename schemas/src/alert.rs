//! An alert: the message about one revision of an incident that goes to people and systems.

use serde::{Deserialize, Serialize};

use crate::{EventTime, Incident, Text};

/// Why the alert is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertReason {
    /// Opened, or opened again after it was closed.
    Opened,
    /// More severe, another owner, or not acknowledged in time: then [`Incident::escalated_to`] is the team to be called. Also what would have
    /// called somebody during a silence, when that is over.
    Escalated,
    /// Scope, evidence or suspects changed; nobody is called for it.
    Updated,
    /// Over.
    Resolved,
}

/// One revision of an incident on its way out. The topic keeps all of them; the incidents topic only the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Incident id and revision: repeats have the same.
    pub alert_id: Text,
    /// Why.
    pub reason: AlertReason,
    /// Should somebody be called? False for updates and while silenced.
    pub page: bool,
    /// The tick of the decision.
    pub at: EventTime,
    /// One sentence for people.
    pub title: String,
    /// The incident as of this revision.
    pub incident: Incident,
}
