//! What people accepted as the new normal: a scope is so much poorer than it was, and nobody wants to hear of it.
//!
//! The baseline learns it by and by: of a rate `f` times the old one, when it still keeps `d` of what it knew before, it has learnt
//! 1 + (f − 1)(1 − d), and f over that is left to be said (DESIGN.md §2).

use dialtone_explain::Condition;
use dialtone_schemas::Text;
use serde::{Deserialize, Serialize};

use super::{
    book::{Basis, Case},
    dictionary::{Codes, covers},
};

/// Shifts kept; beyond, the oldest are taken for learnt.
const MOST: usize = 1000;
/// A shift of which no more is left than this is learnt.
const LEARNT: f64 = 1.02;

/// One accepted shift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shift {
    conditions: Vec<Condition>,
    channel: usize,
    device: Option<Text>,
    /// The rate as a multiple of the old one.
    factor: f64,
    /// How much the baseline still keeps of what it knew before.
    kept: f64,
}

impl Shift {
    /// What is left to be said.
    fn left(&self) -> f64 {
        self.factor / (self.factor - 1.0).mul_add(1.0 - self.kept, 1.0)
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shifts(Vec<Shift>);

impl Shifts {
    /// What a case shows is normal from now on. Of a silent scope that is known to whoever counts its calls.
    pub fn accept(&mut self, case: &Case) {
        let Basis::Rate(channel) = case.basis else { return };
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(Shift {
            conditions: case.conditions.clone(),
            channel,
            device: case.incident.device_id.clone(),
            factor: case.factor.max(1.0),
            kept: 1.0,
        });
    }

    /// The rate of a leaf's calls as a multiple of what the baseline says.
    pub fn of(&self, channel: usize, codes: &Codes) -> f64 {
        let shifts = self
            .0
            .iter()
            .filter(|shift| shift.channel == channel && shift.device.is_none() && covers(&shift.conditions, codes));
        shifts.map(Shift::left).product()
    }

    /// The same of one device.
    pub fn of_device(&self, device: &Text) -> f64 {
        let shifts = self.0.iter().filter(|shift| shift.device.as_ref() == Some(device));
        shifts.map(Shift::left).product()
    }

    /// The baseline keeps so much of what it knew, and has learnt the rest.
    pub fn decay(&mut self, keeps: f64) {
        // No baseline learns what one device does.
        let learnt = self.0.iter_mut().filter(|shift| shift.device.is_none());
        learnt.for_each(|shift| shift.kept *= keeps);
        self.0.retain(|shift| shift.left() > LEARNT);
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{EventTime, Incident, Scope, incident::Onset};

    use super::*;
    use crate::watch::dictionary::D;

    /// A site three times as poor. When the baseline has forgotten half it says 1 + 2 · ½ = 2 times the old rate, and 1.5 times that is
    /// expected: three times the old one still. In the end nothing is left to be said.
    #[test]
    fn what_is_accepted_is_expected_and_goes_as_the_baseline_learns() {
        let text = |text: &str| Text::new(text).expect("a text");
        let at = EventTime::from_micros(0);
        let onset = Onset { from: at, to: at };
        let incident = Incident::opened(text("i"), text("acme"), Scope::default(), text("noc"), onset, at);
        let site = Condition { attribute: 0, code: 1 };
        let mut case = Case::new(incident, Basis::Rate(0), vec![site]);
        case.does(1000.0, 60.0, 20.0);
        let mut shifts = Shifts::default();
        shifts.accept(&case);
        let (mut there, elsewhere) = ([0; D], [0; D]);
        there[0] = 1;
        let of = |shifts: &Shifts, codes| (shifts.of(0, codes) * 100.0).round() / 100.0;
        assert!((of(&shifts, &there) - 3.0).abs() < 1e-9 && (of(&shifts, &elsewhere) - 1.0).abs() < 1e-9);
        assert!((shifts.of(1, &there) - 1.0).abs() < 1e-9, "not on another channel");
        shifts.decay(0.5);
        assert!((of(&shifts, &there) - 1.5).abs() < 1e-9);
        (0..7).for_each(|_| shifts.decay(0.5));
        assert_eq!(shifts, Shifts::default());
    }
}
