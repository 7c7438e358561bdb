//! Who found it first: the system, or the people who complained. The one number for "we own this".

use std::collections::{BTreeMap, BTreeSet};

use dialtone_schemas::{EventTime, Incident, Text, incident::Verdict, time};
use serde::{Deserialize, Serialize};

/// The share is that of the last week.
const WEEK: i64 = 7 * time::DAY;
/// Incidents remembered; beyond, the oldest are forgotten.
const MOST: usize = 10_000;
/// Complaints remembered that incidents explain, over all of them; beyond, those of the oldest incidents are forgotten, and explained no more.
const MOST_COMPLAINTS: usize = 100_000;

/// When an incident opened, when people complained, and which complaints it explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Found {
    opened: EventTime,
    first: Option<EventTime>,
    third: Option<EventTime>,
    /// People said that the named cause is wrong.
    is_wrong: bool,
    /// Is it a trouble of its own, which somebody found first? What is none explains its complaints all the same.
    counts: bool,
    complaints: BTreeSet<Text>,
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
    /// Incidents that opened in the week, whatever they turned out to be.
    pub opened: usize,
    /// Of them, those that are a trouble of their own: neither explained by another nor lost reports.
    pub incidents: usize,
    /// Of them and not said to be wrong, those that opened before anybody complained, or that nobody complained of.
    pub before_first: usize,
    /// ... before a third person did.
    pub before_third: usize,
    /// Of those not said to be wrong, the share found before the first complaint; none where there are none.
    pub found_first_ratio: Option<f64>,
    /// Complaints of the week.
    pub complaints: i64,
    /// Of them, those that no incident explains.
    pub unexplained: i64,
    /// Incidents whose named cause people said to be wrong: they count neither for nor against.
    pub wrong: usize,
    /// Of those not said to be wrong, those that nobody complained of.
    pub without_complaint: usize,
}

impl Firsts {
    /// How an incident stands, and the complaints that it explains. What is no trouble of its own, or no longer, does not count; its complaints stay
    /// explained, though nobody notes it any more: those of what was absorbed, however often the other one is noted.
    pub fn note(&mut self, incident: &Incident, complaints: &BTreeMap<Text, EventTime>) {
        let Some(opened) = incident.opened else { return };
        let known = self.incidents.remove(&incident.id).map(|found| found.complaints);
        let same = known.filter(|known| known.iter().eq(complaints.keys()));
        let are_new = same.is_none() && !complaints.is_empty();
        let found = Found {
            opened,
            first: incident.first_complaint,
            third: incident.third_complaint,
            is_wrong: incident.verdict == Some(Verdict::Wrong),
            counts: is_own_trouble(incident),
            complaints: same.unwrap_or_else(|| complaints.keys().cloned().collect()),
        };
        self.incidents.insert(incident.id.clone(), found);
        if self.incidents.len() > MOST {
            let oldest = self.incidents.iter().min_by_key(|(_, found)| found.opened);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                self.incidents.remove(&id);
            }
        }
        if are_new {
            self.bound_complaints(MOST_COMPLAINTS);
        }
    }

    /// Lets go of the complaints of the oldest incidents until no more than so many are remembered.
    fn bound_complaints(&mut self, most: usize) {
        let mut held: usize = self.incidents.values().map(|found| found.complaints.len()).sum();
        while held > most {
            let with_some = self.incidents.values_mut().filter(|found| !found.complaints.is_empty());
            let Some(oldest) = with_some.min_by_key(|found| found.opened) else {
                return;
            };
            held -= oldest.complaints.len();
            oldest.complaints.clear();
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
        let recent = self.incidents.values().filter(|found| now.since(found.opened) < WEEK);
        let recent: Vec<&Found> = recent.collect();
        let own = recent.iter().copied().filter(|found| found.counts);
        let (wrong, found): (Vec<&Found>, Vec<&Found>) = own.partition(|found| found.is_wrong);
        let before = |complaint: fn(&Found) -> Option<EventTime>| {
            let is_before = |found: &&&Found| complaint(found).is_none_or(|at| found.opened < at);
            found.iter().filter(is_before).count()
        };
        let before_first = before(|found| found.first);
        #[allow(clippy::cast_precision_loss, reason = "incidents of a week")]
        let share = before_first as f64 / found.len().max(1) as f64;
        let complaints = self.complaints.values().sum::<i64>();
        // One complaint may be about several incidents, and is one all the same. What was said to be wrong is a trouble, too.
        let explained: BTreeSet<&Text> = recent.iter().flat_map(|found| &found.complaints).collect();
        let explained = i64::try_from(explained.len()).unwrap_or(i64::MAX);
        Ownership {
            opened: recent.len(),
            incidents: found.len() + wrong.len(),
            before_first,
            before_third: before(|found| found.third),
            found_first_ratio: (!found.is_empty()).then_some(share),
            complaints,
            unexplained: (complaints - explained).max(0),
            wrong: wrong.len(),
            without_complaint: found.iter().filter(|found| found.first.is_none()).count(),
        }
    }
}

/// Is it a trouble of its own? What another incident explains is that one's, and where only reports are lost no call is poor. When nothing is reported
/// from anywhere nobody is left to tell, but for those who complain.
fn is_own_trouble(incident: &Incident) -> bool {
    let is_complained_of = incident.is_silence_of_everything() && incident.first_complaint.is_some();
    incident.absorbed_by.is_none() && (is_complained_of || !incident.is_of_reports())
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Scope, incident::Onset};

    use super::*;

    fn at(minute: i64) -> EventTime {
        EventTime::from_micros(10 * time::DAY + minute * time::MINUTE)
    }

    /// Complaints by these numbers.
    fn numbered(numbers: impl Iterator<Item = i64>) -> BTreeMap<Text, EventTime> {
        let complaint = |number: i64| (Text::new(format!("c-{number}")).expect("a text"), at(number));
        numbers.map(complaint).collect()
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
        let complaints = [0..0_i64, 0..3, 3..6, 6..7].map(numbered);
        let noted = all.iter().zip(&complaints);
        noted.for_each(|(incident, complaints)| firsts.note(incident, complaints));
        (0..9).for_each(|minute| firsts.complain(at(minute)));
        let week = firsts.week(at(100));
        assert_eq!((week.incidents, week.before_first, week.before_third), (4, 2, 3));
        assert_eq!(week.found_first_ratio, Some(0.5));
        assert_eq!((week.complaints, week.unexplained), (9, 2));
        assert_eq!((week.wrong, week.without_complaint), (0, 1));
        firsts.forget(at(100).plus(8 * time::DAY));
        assert_eq!(firsts.week(at(100).plus(8 * time::DAY)), Ownership::default());
    }

    /// Ten of twenty complaints are about two incidents each. When the second is found to be about nothing of it, they still have the first; when that is
    /// so of both, nobody explains them.
    #[test]
    fn a_complaint_about_two_incidents_is_explained_once() {
        let mut firsts = Firsts::default();
        (0..20).for_each(|minute| firsts.complain(at(minute)));
        let (ten, none) = (numbered(0..10), BTreeMap::new());
        let mut unexplained = |of: [&BTreeMap<Text, EventTime>; 2]| {
            firsts.note(&incident("i-1", 0, &[]), of[0]);
            firsts.note(&incident("i-2", 0, &[]), of[1]);
            firsts.week(at(100)).unexplained
        };
        assert_eq!(unexplained([&ten, &ten]), 10);
        assert_eq!(unexplained([&ten, &none]), 10);
        assert_eq!(unexplained([&none, &none]), 20);
    }

    /// Five and five are ten; of nine that may be remembered the older incident's go.
    #[test]
    fn no_more_complaints_are_remembered_than_there_is_room_for() {
        let mut firsts = Firsts::default();
        firsts.note(&incident("i-1", 1, &[]), &numbered(0..5));
        firsts.note(&incident("i-2", 0, &[]), &numbered(5..10));
        let held = |firsts: &Firsts| firsts.incidents.values().map(|found| found.complaints.len()).collect();
        let all: Vec<usize> = held(&firsts);
        firsts.bound_complaints(9);
        assert_eq!((all, held(&firsts)), (vec![5, 5], vec![5, 0]));
    }

    /// One opened before its only complaint and one after its own, of three complaints. The first turns out to be the other's: of one that is left none was
    /// found first, and two are explained, also when only the other one is noted any more. That one turns out to be a third one's, which opened after the
    /// last complaint: all are explained.
    #[test]
    fn what_another_incident_explains_is_taken_out() {
        let mut firsts = Firsts::default();
        [5, 10, 15].into_iter().for_each(|minute| firsts.complain(at(minute)));
        let (mut by, mut part) = (incident("i-1", 20, &[10]), incident("i-2", 0, &[5]));
        let third = incident("i-3", 30, &[15]);
        let mut week = |noted: &[(&Incident, i64)]| {
            let noted = noted.iter();
            noted.for_each(|(incident, complaint)| firsts.note(incident, &numbered(std::iter::once(*complaint))));
            let week = firsts.week(at(100));
            (week.incidents, week.found_first_ratio, week.unexplained)
        };
        assert_eq!(week(&[(&by, 10), (&part, 5)]), (2, Some(0.5), 1));
        part.absorbed_by = Some(by.id.clone());
        assert_eq!(week(&[(&by, 10), (&part, 5)]), (1, Some(0.0), 1));
        assert_eq!(week(&[(&by, 10)]), (1, Some(0.0), 1), "and so it stays");
        by.absorbed_by = Some(third.id.clone());
        assert_eq!(week(&[(&third, 15), (&by, 10)]), (1, Some(0.0), 0));
        assert_eq!(week(&[(&third, 15)]), (1, Some(0.0), 0), "and so it stays");
    }

    /// A site's silence is an outage, then lost reports. That of everything is a trouble once somebody complains.
    #[test]
    fn lost_reports_are_no_trouble_that_was_found() {
        let mut firsts = Firsts::default();
        let berlin = Scope::new([(Dimension::Site, Text::new("berlin").expect("a text"))]);
        let mut found = |metric: &str, scope: &Scope, complaints: &[i64]| {
            let silence = Incident {
                metric: Text::new(metric).expect("a text"),
                scope: scope.clone(),
                ..incident("i-1", 0, complaints)
            };
            firsts.note(&silence, &BTreeMap::new());
            firsts.week(at(100)).found_first_ratio
        };
        assert_eq!(found("volume", &berlin, &[]), Some(1.0));
        assert_eq!(found("telemetry", &berlin, &[]), None);
        assert_eq!(found("telemetry", &berlin, &[5]), None);
        assert_eq!(found("telemetry", &Scope::default(), &[]), None);
        assert_eq!(found("telemetry", &Scope::default(), &[5]), Some(1.0));
    }

    /// Of two complaints one names the site of which reports are lost.
    #[test]
    fn lost_reports_explain_their_complaints_though_they_do_not_count() {
        let mut firsts = Firsts::default();
        [5, 10].into_iter().for_each(|minute| firsts.complain(at(minute)));
        let text = |text: &str| Text::new(text).expect("a text");
        let lost = Incident {
            metric: text("telemetry"),
            scope: Scope::new([(Dimension::Site, text("berlin"))]),
            ..incident("i-1", 0, &[5])
        };
        firsts.note(&lost, &numbered(5..6));
        let week = firsts.week(at(100));
        assert_eq!((week.opened, week.incidents, week.found_first_ratio), (1, 0, None));
        assert_eq!((week.complaints, week.unexplained), (2, 1));
    }

    /// Nobody complained of two, one of which was said to be wrong; one opened after the first complaint: one of two was found first, not two of three.
    #[test]
    fn what_was_said_to_be_wrong_counts_neither_for_nor_against() {
        let mut firsts = Firsts::default();
        let wrong = Incident {
            verdict: Some(Verdict::Wrong),
            ..incident("i-2", 0, &[])
        };
        for incident in [incident("i-1", 0, &[]), wrong.clone(), incident("i-3", 20, &[10])] {
            firsts.note(&incident, &BTreeMap::new());
        }
        let week = firsts.week(at(100));
        assert_eq!(week.found_first_ratio, Some(0.5));
        assert_eq!((week.incidents, week.before_first), (3, 1));
        assert_eq!((week.wrong, week.without_complaint), (1, 1));
        let mut alone = Firsts::default();
        alone.note(&wrong, &BTreeMap::new());
        assert_eq!(alone.week(at(100)).found_first_ratio, None);
    }
}
