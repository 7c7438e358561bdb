//! The incidents of one tenant: open ones with what they explain, closed ones that may reopen.

use dialtone_explain::Condition;
use dialtone_schemas::{EventTime, Incident, State, Text, alert::AlertReason, incident::Severity};
use serde::{Deserialize, Serialize};

use super::dictionary::{Codes, covers};

/// Evidence at which quality counts as back: ln 1000.
const BACK: f64 = 6.9;

/// Which evidence an incident rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// Too many poor call-ends, on one of the watched channels.
    Rate(usize),
    /// Too few events.
    Volume,
}

/// An incident with what the fold needs to keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// As it travels.
    pub incident: Incident,
    /// Rate or volume.
    pub basis: Basis,
    /// Its scope in codes.
    pub conditions: Vec<Condition>,
    /// The rate inside, as a multiple of the expected one.
    pub factor: f64,
    /// The same at the far ends of its calls.
    pub far_factor: f64,
    /// Sums since the onset: at risk, poor, expected.
    pub sums: (f64, f64, f64),
    /// Evidence that quality is back.
    pub back: f64,
    /// Since when it has been recovering.
    pub recovering_since: Option<EventTime>,
    /// The last revision that was sent.
    pub sent: Option<Incident>,
}

impl Case {
    /// Is it open, in whatever state?
    pub fn is_open(&self) -> bool {
        self.incident.state != State::Closed
    }

    /// Does its scope cover this leaf?
    pub fn covers(&self, codes: &Codes) -> bool {
        covers(&self.conditions, codes)
    }

    /// A minute of evidence: `k` poor of `e` expected by the baseline, over the dispersion. Is quality back?
    pub fn weigh_recovery(&mut self, k: f64, e: f64, indifference: f64, dispersion: f64) {
        let ratio = (self.factor / indifference).max(1.5);
        let normal = -dialtone_explain::poisson(k, indifference * e, ratio) / dispersion;
        self.back = (self.back + normal).clamp(0.0, 2.0 * BACK);
    }

    /// The life cycle: localised → recovering → closed, and back to localised when it turns bad again.
    pub fn live(&mut self, now: EventTime, quiet: i64) {
        match self.incident.state {
            State::Watch | State::Open | State::Localised if self.back >= BACK => {
                self.incident.state = State::Recovering;
                self.recovering_since = Some(now);
            }
            State::Recovering if self.back <= 0.0 => {
                self.incident.state = State::Localised;
                self.recovering_since = None;
            }
            State::Recovering if self.recovering_since.is_some_and(|since| now.since(since) >= quiet) => {
                self.incident.state = State::Closed;
                self.incident.closed = Some(now);
            }
            _ => {}
        }
    }

    /// Quality turned bad again within the time of reopening.
    pub fn reopen(&mut self) {
        self.incident.state = State::Localised;
        self.incident.closed = None;
        (self.back, self.recovering_since) = (0.0, None);
    }

    /// Is there a new revision to be sent, and why? Numbers alone that creep are sent every ten minutes.
    pub fn revision(&mut self, now: EventTime) -> Option<AlertReason> {
        let reason = match &self.sent {
            None => AlertReason::Opened,
            Some(sent) if sent.state != self.incident.state && self.incident.state == State::Closed => {
                AlertReason::Resolved
            }
            Some(sent) if sent.owner != self.incident.owner || self.incident.severity > sent.severity => {
                AlertReason::Escalated
            }
            Some(sent) if told(sent) != told(&self.incident) => AlertReason::Updated,
            Some(sent) if now.since(sent.updated) >= 10 * dialtone_schemas::time::MINUTE && self.is_open() => {
                AlertReason::Updated
            }
            Some(_) => return None,
        };
        self.incident.revision = self.sent.as_ref().map_or(0, |sent| sent.revision + 1);
        self.incident.updated = now;
        self.sent = Some(self.incident.clone());
        Some(reason)
    }
}

/// What people are told at once when it changes.
fn told(incident: &Incident) -> impl PartialEq + '_ {
    (
        incident.state,
        &incident.scope,
        &incident.device_id,
        (incident.first_complaint, incident.third_complaint),
        incident
            .suspected_changes
            .iter()
            .map(|s| &s.change_id)
            .collect::<Vec<_>>(),
        (incident.acknowledged, incident.silenced_until),
    )
}

/// How bad: critical when most calls fail or an hour costs sixty poor minutes… of every call; major from one poor call-end a
/// minute on.
pub fn severity(basis: Basis, at_risk: f64, poor: f64, excess_a_minute: f64) -> Severity {
    match basis {
        Basis::Volume => Severity::Critical,
        Basis::Rate(_) if at_risk > 0.0 && poor / at_risk >= 0.5 => Severity::Critical,
        Basis::Rate(_) if excess_a_minute >= 1.0 => Severity::Major,
        Basis::Rate(_) => Severity::Minor,
    }
}

/// The id of an incident: from tenant, first scope, basis and the hour of its onset (S-2).
pub fn id_of(tenant: &Text, scope: &dialtone_schemas::Scope, device: Option<&Text>, onset: EventTime) -> Text {
    let hour = onset.floor(dialtone_schemas::time::HOUR).to_string();
    let id = dialtone_schemas::EventId::derive([
        "incident",
        tenant.as_str(),
        &scope.to_string(),
        device.map_or("", Text::as_str),
        &hour,
    ]);
    #[allow(clippy::expect_used, reason = "14 ASCII characters are a text")]
    Text::new(format!("i-{}", &id.to_string()[..12])).expect("a text")
}
