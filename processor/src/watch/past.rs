//! Incidents that are over, by what they were about: "the third time this month".

use std::collections::BTreeMap;

use dialtone_schemas::{EventTime, Incident, Scope, Text, incident::Verdict, time};
use serde::{Deserialize, Serialize};

/// An incident is remembered so long after it was closed.
const MEMORY: i64 = 30 * time::DAY;
/// Scopes remembered; beyond, the one that was well for longest is forgotten.
const MOST_SCOPES: usize = 10_000;
/// Incidents remembered of one scope; beyond, the oldest is forgotten, and no more are counted.
const MOST_TIMES: usize = 100;

/// What an incident is about: its conditions, and the device if it is just one.
type About = (Scope, Option<Text>);

/// Closed incidents of the last 30 days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past(BTreeMap<About, Vec<(EventTime, Text)>>);

impl Past {
    /// An incident is over. One that opened again and is over again was one; one that is known by now to have been nothing of the kind, none.
    pub fn close(&mut self, incident: &Incident) {
        let Some(closed) = incident.closed else { return };
        let about = about(incident);
        if !is_one(incident) {
            if let Some(times) = self.0.get_mut(&about) {
                times.retain(|(_, id)| *id != incident.id);
            }
            return;
        }
        if self.0.len() >= MOST_SCOPES && !self.0.contains_key(&about) {
            self.make_room();
        }
        let times = self.0.entry(about).or_default();
        times.retain(|(_, id)| *id != incident.id);
        times.push((closed, incident.id.clone()));
        // What is judged late was not over last.
        times.sort_unstable();
        let too_many = times.len().saturating_sub(MOST_TIMES);
        times.drain(..too_many);
    }

    /// How many others about the same were closed in the 30 days before an incident opened, and the last of them. Of lost reports none is counted:
    /// they are another trouble than calls that are poor or do not come.
    pub fn before(&self, incident: &Incident) -> (usize, Option<Text>) {
        if incident.is_of_reports() {
            return (0, None);
        }
        let opened = incident.opened.unwrap_or(incident.updated);
        let is_recent = |at: EventTime| at <= opened && opened.since(at) <= MEMORY;
        let others = self.0.get(&about(incident)).into_iter().flatten();
        let others: Vec<_> = others.filter(|(at, id)| *id != incident.id && is_recent(*at)).collect();
        (others.len(), others.last().map(|(_, id)| id.clone()))
    }

    /// Forgets what is older than 30 days.
    pub fn forget(&mut self, now: EventTime) {
        for times in self.0.values_mut() {
            times.retain(|(at, _)| now.since(*at) <= MEMORY);
        }
        self.0.retain(|_, times| !times.is_empty());
    }

    fn make_room(&mut self) {
        let last = |times: &[(EventTime, Text)]| times.last().map(|(at, _)| *at);
        let oldest = self.0.iter().min_by_key(|(_, times)| last(times));
        if let Some(about) = oldest.map(|(about, _)| about.clone()) {
            self.0.remove(&about);
        }
    }
}

/// Was it trouble with the calls of its scope: neither lost reports nor said to be wrong, nor what another incident explains?
fn is_one(incident: &Incident) -> bool {
    let is_wrong = incident.verdict == Some(Verdict::Wrong);
    !incident.is_of_reports() && !is_wrong && incident.absorbed_by.is_none()
}

fn about(incident: &Incident) -> About {
    (incident.scope.clone(), incident.device_id.clone())
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, incident::Onset};

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    /// Opened at this day's beginning, closed an hour later.
    fn incident(id: &str, site: &str, day: i64) -> Incident {
        let at = EventTime::from_micros(day * time::DAY);
        let scope = Scope::new([(Dimension::Site, text(site))]);
        let mut incident = Incident::opened(
            text(id),
            text("acme"),
            scope,
            text("noc"),
            Onset { from: at, to: at },
            at,
        );
        incident.closed = Some(at.plus(time::HOUR));
        incident
    }

    #[test]
    fn the_third_time_in_thirty_days_knows_of_two_and_names_the_last() {
        let mut past = Past::default();
        for (id, site, day) in [
            ("i-0", "berlin", 0),
            ("i-1", "berlin", 20),
            ("i-2", "berlin", 30),
            ("i-3", "lyon", 31),
        ] {
            past.close(&incident(id, site, day));
        }
        // Day 35: that of day 0 is older than 30 days.
        assert_eq!(past.before(&incident("i-4", "berlin", 35)), (2, Some(text("i-2"))));
        assert_eq!(past.before(&incident("i-5", "oslo", 35)), (0, None));
    }

    #[test]
    fn one_that_opens_again_is_one_and_not_its_own_predecessor() {
        let mut past = Past::default();
        let mut again = incident("i-1", "berlin", 1);
        past.close(&again);
        again.closed = again.closed.map(|closed| closed.plus(time::HOUR));
        past.close(&again);
        assert_eq!(past.before(&again), (0, None));
        assert_eq!(past.before(&incident("i-2", "berlin", 2)).0, 1);
    }

    /// Of three on three days one lost reports and one was said to be wrong, which is taken back and said once more.
    #[test]
    fn lost_reports_and_what_was_said_to_be_wrong_are_no_earlier_times() {
        let mut past = Past::default();
        let lost = Incident {
            metric: text("telemetry"),
            ..incident("i-1", "berlin", 1)
        };
        let mut judged = incident("i-2", "berlin", 2);
        judged.verdict = Some(Verdict::Wrong);
        let last = incident("i-3", "berlin", 3);
        [&lost, &judged, &last].into_iter().for_each(|over| past.close(over));
        let next = incident("i-4", "berlin", 4);
        let mut times = Vec::new();
        for verdict in [None, Some(Verdict::Wrong), Some(Verdict::Right)] {
            judged.verdict = verdict;
            past.close(&judged);
            times.push(past.before(&next));
        }
        let named = |count: usize| (count, Some(text("i-3")));
        assert_eq!(times, [named(2), named(1), named(2)]);
        assert_eq!(
            past.before(&Incident {
                metric: text("telemetry"),
                ..next
            }),
            (0, None)
        );
    }

    /// It was taken for an outage when it was over first, and for lost reports when it was over again.
    #[test]
    fn what_turns_out_to_be_lost_reports_is_forgotten() {
        let mut past = Past::default();
        let mut again = incident("i-1", "berlin", 1);
        past.close(&again);
        again.metric = text("telemetry");
        past.close(&again);
        assert_eq!(past.before(&incident("i-2", "berlin", 2)), (0, None));
    }

    #[test]
    fn what_is_older_than_thirty_days_and_what_is_too_much_is_forgotten() {
        let mut past = Past::default();
        for i in 0..=MOST_TIMES {
            past.close(&incident(&format!("i-{i}"), "berlin", 1));
        }
        assert_eq!(past.before(&incident("i-x", "berlin", 2)).0, MOST_TIMES);
        past.forget(EventTime::from_micros(32 * time::DAY));
        assert_eq!(past, Past::default());
        for i in 0..=MOST_SCOPES {
            let day = i64::try_from(i).expect("few");
            past.close(&incident("i", &format!("site {i}"), day));
        }
        assert_eq!(past.0.len(), MOST_SCOPES);
        assert!(
            past.0
                .keys()
                .all(|(scope, _)| scope.get(Dimension::Site) != Some(&text("site 0")))
        );
    }
}
