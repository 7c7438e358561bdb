//! Who found it first: the system, or the people who complained. The one number for "we own this".

use std::collections::BTreeMap;

use dialtone_schemas::{EventTime, Incident, Text, time};
use serde::{Deserialize, Serialize};

/// The share is that of the last week.
const WEEK: i64 = 7 * time::DAY;
/// Incidents remembered; beyond, the oldest are forgotten.
const MOST: usize = 10_000;

/// When an incident opened, when people complained, and how many did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    opened: EventTime,
    first: Option<EventTime>,
    third: Option<EventTime>,
    complaints: i64,
}

/// The incidents of the last week, and the complaints by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firsts {
    incidents: BTreeMap<Text, Found>,
    complaints: BTreeMap<i32, i64>,
}

/// How much of a week's trouble was found before people complained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Ownership {
    /// Incidents that opened in the week.
    pub incidents: usize,
    /// Of them, those that opened before anybody complained, or that nobody complained of.
    pub before_first: usize,
    /// ... before a third person did.
    pub before_third: usize,
    /// The share found before the first complaint; none where nothing opened.
    pub found_first_ratio: Option<f64>,
    /// Complaints of the week.
    pub complaints: i64,
    /// Of them, those that no incident explains.
    pub unexplained: i64,
}

impl Firsts {
    /// How an incident stands.
    pub fn note(&mut self, incident: &Incident) {
        let Some(opened) = incident.opened else { return };
        let found = Found {
            opened,
            first: incident.first_complaint,
            third: incident.third_complaint,
            complaints: incident.complaints,
        };
        self.incidents.insert(incident.id.clone(), found);
        if self.incidents.len() > MOST {
            let oldest = self.incidents.iter().min_by_key(|(_, found)| found.opened);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.incidents.remove(&id);
            }
        }
    }

    /// Somebody complained.
    pub fn complain(&mut self, at: EventTime) {
        *self.complaints.entry(at.day()).or_default() += 1;
    }

    /// Forgets what is older than a week.
    pub fn forget(&mut self, now: EventTime) {
        self.incidents.retain(|_, found| now.since(found.opened) < WEEK);
        self.complaints.retain(|day, _| (0..7).contains(&(now.day() - day)));
    }

    /// The last week.
    pub fn week(&self, now: EventTime) -> Ownership {
        let found: Vec<&Found> = self
            .incidents
            .values()
            .filter(|found| now.since(found.opened) < WEEK)
            .collect();
        let before = |complaint: fn(&Found) -> Option<EventTime>| {
            let is_before = |found: &&&Found| complaint(found).is_none_or(|at| found.opened < at);
            found.iter().filter(is_before).count()
        };
        let before_first = before(|found| found.first);
        #[allow(clippy::cast_precision_loss, reason = "incidents of a week")]
        let share = before_first as f64 / found.len().max(1) as f64;
        let complaints = self.complaints.values().sum::<i64>();
        let explained = found.iter().map(|found| found.complaints).sum::<i64>();
        Ownership {
            incidents: found.len(),
            before_first,
            before_third: before(|found| found.third),
            found_first_ratio: (!found.is_empty()).then_some(share),
            complaints,
            unexplained: (complaints - explained).max(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Scope, incident::Onset};

    use super::*;

    fn at(minute: i64) -> EventTime {
        EventTime::from_micros(10 * time::DAY + minute * time::MINUTE)
    }

    fn incident(id: &str, opened: i64, complaints: &[i64]) -> Incident {
        let text = |text: &str| Text::new(text).expect("a text");
        let onset = Onset {
            from: at(opened),
            to: at(opened),
        };
        let opened = Incident::opened(text(id), text("acme"), Scope::default(), text("noc"), onset, at(opened));
        Incident {
            complaints: i64::try_from(complaints.len()).expect("few"),
            first_complaint: complaints.first().map(|minute| at(*minute)),
            third_complaint: complaints.get(2).map(|minute| at(*minute)),
            ..opened
        }
    }

    /// One that nobody complained of, one that opened after the first of three complaints and before the third, one after all.
    #[test]
    fn what_was_found_before_people_complained_is_the_share_of_the_week() {
        let mut firsts = Firsts::default();
        let all = [
            incident("i-1", 0, &[]),
            incident("i-2", 20, &[10, 15, 30]),
            incident("i-3", 60, &[10, 15, 30]),
            incident("i-4", 0, &[5]),
        ];
        all.iter().for_each(|incident| firsts.note(incident));
        (0..9).for_each(|minute| firsts.complain(at(minute)));
        let week = firsts.week(at(100));
        assert_eq!((week.incidents, week.before_first, week.before_third), (4, 2, 3));
        assert_eq!(week.found_first_ratio, Some(0.5));
        assert_eq!((week.complaints, week.unexplained), (9, 2));
        firsts.forget(at(100).plus(8 * time::DAY));
        assert_eq!(firsts.week(at(100).plus(8 * time::DAY)), Ownership::default());
    }
}
