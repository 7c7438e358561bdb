//! Control: what the folds are told from outside. It is a record in a log they read, so that a replay is told the same.

use serde::{Deserialize, Serialize};

use crate::{EventId, EventTime, Incident, Text, incident::Verdict};

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
    /// The incident is the team's in `to` from here on, whatever `owners.toml` says; `reason` says why.
    Reassign,
    /// What the incident shows is the new normal from here on: it is over, and the baseline follows; `reason` says why.
    Accept,
}

impl ControlKind {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Acknowledge => "acknowledge",
            Self::Silence => "silence",
            Self::Verdict => "verdict",
            Self::Reassign => "reassign",
            Self::Accept => "accept",
        }
    }
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
    /// The configuration's JSON, or the verdict: `right` or `wrong`.
    #[serde(default)]
    pub body: Option<String>,
    /// By which team.
    #[serde(default)]
    pub team: Option<Text>,
    /// The team that owns the incident from here on, for a reassignment.
    #[serde(default)]
    pub to: Option<Text>,
    /// Why: required of a reassignment and of accepting, welcome with a verdict.
    #[serde(default)]
    pub reason: Option<Text>,
}

/// Why a control record says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It is about an incident, and names none.
    #[error("{} names no incident: incident_id is missing", .0.name())]
    NoIncident(ControlKind),
    /// A silence without an end.
    #[error("silence has no end: until is missing")]
    NoEnd,
    /// Neither right nor wrong.
    #[error("verdict is neither right nor wrong: body must be one of them")]
    NoVerdict,
    /// Nobody to give it to.
    #[error("reassign names no team: to is missing")]
    NoTeam,
    /// A new owner wants to know why.
    #[error("{} gives no reason: reason is missing", .0.name())]
    NoReason(ControlKind),
}

impl Control {
    /// A record that says this about an incident and nothing more yet. Its id is derived from what is said: said again, it is the
    /// same.
    pub fn about(incident: &Incident, kind: ControlKind, at: EventTime) -> Self {
        let id = EventId::derive([
            "control",
            incident.tenant.as_str(),
            incident.id.as_str(),
            kind.name(),
            &at.to_string(),
        ]);
        #[allow(clippy::expect_used, reason = "a word and 32 hex digits are a text")]
        let control_id = Text::new(format!("{}-{id}", kind.name())).expect("a text");
        Self {
            control_id,
            tenant: Some(incident.tenant.clone()),
            kind,
            at,
            incident_id: Some(incident.id.clone()),
            until: None,
            body: None,
            team: None,
            to: None,
            reason: None,
        }
    }

    /// Does it say all that its kind must say? Whether there is such an incident is known to the fold alone.
    pub fn check(&self) -> Result<(), ControlError> {
        match self.kind {
            ControlKind::Configure => Ok(()),
            kind if self.incident_id.is_none() => Err(ControlError::NoIncident(kind)),
            ControlKind::Silence if self.until.is_none() => Err(ControlError::NoEnd),
            ControlKind::Verdict if self.verdict().is_none() => Err(ControlError::NoVerdict),
            ControlKind::Reassign if self.to.is_none() => Err(ControlError::NoTeam),
            kind @ (ControlKind::Reassign | ControlKind::Accept) if self.reason.is_none() => {
                Err(ControlError::NoReason(kind))
            }
            _ => Ok(()),
        }
    }

    /// The verdict it holds.
    pub fn verdict(&self) -> Option<Verdict> {
        match self.body.as_deref() {
            Some("right") => Some(Verdict::Right),
            Some("wrong") => Some(Verdict::Wrong),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(rest: &str) -> Control {
        serde_json::from_str(&format!(
            r#"{{"control_id": "c", "at": "2026-03-02T09:00:00Z", {rest}}}"#
        ))
        .expect("control")
    }

    #[test]
    fn what_a_kind_must_say_is_missed_by_name() {
        let missed = |rest: &str| control(rest).check().expect_err("something is missing").to_string();
        assert_eq!(
            missed(r#""kind": "acknowledge""#),
            "acknowledge names no incident: incident_id is missing"
        );
        assert_eq!(
            missed(r#""kind": "silence", "incident_id": "i-1""#),
            "silence has no end: until is missing"
        );
        assert_eq!(
            missed(r#""kind": "verdict", "incident_id": "i-1", "body": "maybe""#),
            "verdict is neither right nor wrong: body must be one of them"
        );
        assert_eq!(
            missed(r#""kind": "reassign", "incident_id": "i-1", "reason": "theirs""#),
            "reassign names no team: to is missing"
        );
        assert_eq!(
            missed(r#""kind": "reassign", "incident_id": "i-1", "to": "lan""#),
            "reassign gives no reason: reason is missing"
        );
        assert_eq!(
            missed(r#""kind": "accept", "incident_id": "i-1""#),
            "accept gives no reason: reason is missing"
        );
        let whole = control(r#""kind": "reassign", "incident_id": "i-1", "to": "lan", "reason": "their switch""#);
        assert_eq!(whole.check(), Ok(()));
    }
}
