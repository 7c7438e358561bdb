//! What people say about incidents, and about what is watched.

use dialtone_schemas::{Control, Incident, control::ControlKind, incident::Verdict};

use super::{Tenant, bound};
use crate::watch::book::Case;

impl Tenant {
    /// Something said from outside about an incident, or about what is watched. Repeats by id are dropped. False if it says nothing: its
    /// incident is unknown, or something of it is missing.
    pub fn control(&mut self, control: &Control) -> bool {
        bound(&mut self.controls, |at| *at);
        if self.controls.insert(control.control_id.clone(), control.at).is_some() {
            return true;
        }
        if control.check().is_err() {
            return false;
        }
        let about = |case: &Case| control.incident_id.as_ref() == Some(&case.incident.id);
        match self.cases.iter().position(about) {
            Some(i) => self.hear_of_case(i, control),
            None => self.hear_of_watched(control),
        }
    }

    fn hear_of_case(&mut self, i: usize, control: &Control) -> bool {
        let case = &mut self.cases[i];
        // Of what is over nothing is to be accepted.
        if control.kind == ControlKind::Accept && !case.is_open() {
            return false;
        }
        hear(&mut case.incident, control);
        match control.kind {
            ControlKind::Acknowledge => case.answer(),
            ControlKind::Reassign => case.drop_answer_of_another(),
            ControlKind::Verdict => self.judge_by_word(i, control),
            _ => {}
        }
        true
    }

    /// A verdict counts for the change that was suspected first, for the dimensions that the cause names, and for how often it was so before.
    fn judge_by_word(&mut self, i: usize, control: &Control) {
        let Some(verdict) = control.verdict() else { return };
        self.past.close(&self.cases[i].incident);
        let is_right = verdict == Verdict::Right;
        let case = &self.cases[i];
        let suspect = case.sent.as_ref().and_then(|sent| sent.suspected_changes.first());
        if let Some(change) = suspect.and_then(|suspect| self.changes.get(&suspect.change_id)) {
            self.priors.judge(&case.incident.id, change, is_right);
        }
        if let Some(named) = case.named() {
            self.judged.say(&case.incident.id, named, is_right);
        }
    }
}

/// What people say stays on the incident.
pub(super) fn hear(incident: &mut Incident, control: &Control) {
    match control.kind {
        ControlKind::Acknowledge => {
            incident.acknowledged = Some(control.at);
            incident.acknowledged_by.clone_from(&control.team);
        }
        ControlKind::Silence => incident.silenced_until = control.until,
        ControlKind::Verdict => {
            incident.verdict = control.verdict();
            incident.verdict_reason.clone_from(&control.reason);
        }
        ControlKind::Reassign => {
            if let Some(to) = &control.to {
                incident.owner = to.clone();
            }
            incident.reassigned = Some(control.at);
            incident.reassigned_reason.clone_from(&control.reason);
        }
        ControlKind::Accept => {
            incident.accepted = Some(control.at);
            incident.accepted_reason.clone_from(&control.reason);
        }
        ControlKind::Configure => {}
    }
}
