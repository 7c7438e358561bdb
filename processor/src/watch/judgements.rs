//! What was said before, by people and by repairs, of changes and of causes: remembered as long as nobody says otherwise.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dialtone_explain::Sets;
use dialtone_schemas::{Dimension, Text};
use serde::{Deserialize, Serialize};

/// Judgements remembered; beyond, the oldest is forgotten.
const MOST: usize = 1000;

/// Judgements, oldest first: what each is about (there is one about each), of which kind that is, and whether it was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgements<A, K>(VecDeque<(A, K, bool)>);

impl<A, K> Default for Judgements<A, K> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<A: PartialEq, K: PartialEq> Judgements<A, K> {
    /// Something of a kind was right, or it was not. Said again, the last word counts.
    pub fn judge(&mut self, about: A, kind: K, is_right: bool) {
        let judged = (about, kind, is_right);
        match self.0.iter_mut().find(|known| known.0 == judged.0) {
            Some(known) => *known = judged,
            None => {
                self.0.push_back(judged);
                if self.0.len() > MOST {
                    self.0.pop_front();
                }
            }
        }
    }

    /// Of these it is not known after all.
    pub fn withdraw(&mut self, is_one: impl Fn(&A) -> bool) {
        self.0.retain(|(about, ..)| !is_one(about));
    }

    /// How many of a kind were right, and how many were not.
    pub fn count(&self, kind: &K) -> (f64, f64) {
        let such = |is_right: bool| {
            let such = self.0.iter().filter(|(_, of, right)| of == kind && *right == is_right);
            such.fold(0.0, |sum, _| sum + 1.0)
        };
        (such(true), such(false))
    }

    /// All of them, oldest first.
    fn all(&self) -> impl Iterator<Item = (&A, &K, bool)> {
        self.0.iter().map(|(about, kind, is_right)| (about, kind, *is_right))
    }
}

/// The dimensions that a cause's scope names.
pub type Named = BTreeSet<Dimension>;

/// Causes that were judged: the incident, and the change that repaired it or nothing where a person judged; the dimensions that its cause
/// named when it was judged.
///
/// A person says that a cause was right or wrong. A repair of the same calls that is confirmed says that it was right; one without effect says
/// nothing: it may have been no repair. Of an incident of which a person has spoken no repair says anything, and each incident counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedCauses(Judgements<(Text, Option<Text>), Named>);

impl JudgedCauses {
    /// A person said that an incident's cause, which names these dimensions, was right, or was not.
    pub fn say(&mut self, incident: &Text, named: Named, is_right: bool) {
        self.0.judge((incident.clone(), None), named, is_right);
    }

    /// A change is confirmed as the repair of an incident whose cause names these dimensions, and of no other.
    pub fn repaired(&mut self, incident: &Text, change: &Text, named: Named) {
        self.0
            .withdraw(|(of, repair)| repair.as_ref() == Some(change) && of != incident);
        self.0.judge((incident.clone(), Some(change.clone())), named, true);
    }

    /// A change is the confirmed repair of nothing, or no longer.
    pub fn not_repaired(&mut self, change: &Text) {
        self.0.withdraw(|(_, repair)| repair.as_ref() == Some(change));
    }

    /// What they say of the dimensions that the next cause names.
    pub fn sets(&self) -> Sets {
        let of = |is_repair: bool| self.0.all().filter(move |((_, by), ..)| by.is_some() == is_repair);
        let mut by_incident: BTreeMap<&Text, (&Named, bool)> = BTreeMap::new();
        // People come last: theirs is the last word.
        for ((incident, _), named, is_right) in of(true).chain(of(false)) {
            by_incident.insert(incident, (named, is_right));
        }
        let mut sets = Sets::default();
        for (named, is_right) in by_incident.into_values() {
            sets.judge(named.iter().map(|dimension| dimension.index()).collect(), is_right);
        }
        sets
    }
}

#[cfg(test)]
mod tests {
    use dialtone_explain::Condition;

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn segment() -> Named {
        Named::from([Dimension::Segment])
    }

    /// What it is worth that a segment is named: ln((4 + right) / (4 + wrong)).
    fn worth(judged: &JudgedCauses) -> f64 {
        let named = Condition {
            attribute: Dimension::Segment.index(),
            code: 1,
        };
        judged.sets().nats(&[named])
    }

    fn is_near(worth: f64, odds: f64) {
        assert!((worth - odds.ln()).abs() < 1e-12, "{worth}");
    }

    /// Right, 5/4; no, wrong, 4/5; right after all, 5/4 again.
    #[test]
    fn a_verdict_that_is_taken_back_counts_as_if_it_had_never_been() {
        let mut judged = JudgedCauses::default();
        is_near(worth(&judged), 1.0);
        for (is_right, odds) in [(true, 1.25), (false, 0.8), (true, 1.25)] {
            judged.say(&text("i-1"), segment(), is_right);
            is_near(worth(&judged), odds);
        }
    }

    /// A repair is confirmed, 5/4, and turns out to have only moved the fault: nothing. Two changes repaired the same incident: it counts once.
    #[test]
    fn a_repair_counts_while_it_is_confirmed_and_an_incident_once() {
        let mut judged = JudgedCauses::default();
        judged.repaired(&text("i-1"), &text("CHG-1"), segment());
        is_near(worth(&judged), 1.25);
        judged.not_repaired(&text("CHG-1"));
        assert_eq!(judged, JudgedCauses::default());
        judged.repaired(&text("i-1"), &text("CHG-1"), segment());
        judged.repaired(&text("i-1"), &text("CHG-2"), segment());
        is_near(worth(&judged), 1.25);
        judged.not_repaired(&text("CHG-1"));
        is_near(worth(&judged), 1.25);
        // It was another incident's repair.
        judged.repaired(&text("i-2"), &text("CHG-2"), Named::from([Dimension::Site]));
        is_near(worth(&judged), 1.0);
    }

    /// Whichever comes first.
    #[test]
    fn what_a_person_says_outweighs_a_repair() {
        for is_said_first in [true, false] {
            let mut judged = JudgedCauses::default();
            if is_said_first {
                judged.say(&text("i-1"), segment(), false);
            }
            judged.repaired(&text("i-1"), &text("CHG-1"), segment());
            judged.say(&text("i-1"), segment(), false);
            is_near(worth(&judged), 0.8);
        }
    }

    #[test]
    fn no_more_than_a_thousand_are_remembered() {
        let mut judged = JudgedCauses::default();
        judged.say(&text("i-first"), Named::from([Dimension::Site]), false);
        for number in 0..MOST {
            judged.say(&text(&format!("i-{number}")), segment(), number % 2 == 0);
        }
        assert_eq!(judged.0.all().count(), MOST);
        assert_eq!(judged.0.count(&segment()), (500.0, 500.0));
        is_near(worth(&judged), 1.0);
    }
}
