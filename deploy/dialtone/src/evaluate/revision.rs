//! What was told of incidents while a run went on. The last revision of an incident says what it is about and whose it is in the end; these
//! say how often it opened, whom it called first, and since when it was about that.

use dialtone_schemas::{Alert, EventTime, Incident, Text, alert::AlertReason};

/// One revision of an incident that had opened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Revision {
    pub(super) incident: Text,
    pub(super) at: EventTime,
    /// Did it open, or open again after it was closed?
    opens: bool,
    /// Was somebody called?
    pub(super) calls: bool,
    /// The incident as it stood then.
    stood: Incident,
}

/// All of them, in order. What is only watched is named to nobody.
pub(super) fn revisions(alerts: &[Alert]) -> Vec<Revision> {
    let opened = alerts.iter().filter(|alert| alert.incident.opened.is_some());
    let revision = |alert: &Alert| Revision {
        incident: alert.incident.id.clone(),
        at: alert.at,
        opens: alert.reason == AlertReason::Opened,
        calls: alert.page,
        stood: alert.incident.clone(),
    };
    opened.map(revision).collect()
}

fn told<'a>(revisions: &'a [Revision], incident: &'a Incident) -> impl Iterator<Item = &'a Revision> {
    revisions.iter().filter(|revision| revision.incident == incident.id)
}

/// When an incident opened, each time; at least when it says so itself.
pub(super) fn openings(revisions: &[Revision], incident: &Incident) -> Vec<EventTime> {
    let opens = told(revisions, incident).filter(|revision| revision.opens);
    let times: Vec<EventTime> = opens.map(|revision| revision.at).collect();
    match times.is_empty() {
        true => incident.opened.into_iter().collect(),
        false => times,
    }
}

/// The owner that the first call went to, if anybody was called.
pub(super) fn first_called<'a>(revisions: &'a [Revision], incident: &'a Incident) -> Option<&'a Text> {
    let mut calls = told(revisions, incident).filter(|revision| revision.calls);
    calls.next().map(|revision| &revision.stood.owner)
}

/// Since when it was right: the beginning of the last of its revisions in a row that are.
pub(super) fn named_at(
    revisions: &[Revision],
    incident: &Incident,
    is_right: impl Fn(&Incident) -> bool,
) -> Option<EventTime> {
    let (mut since, mut was_right) = (None, false);
    for revision in told(revisions, incident) {
        let is_right = is_right(&revision.stood);
        if is_right && !was_right {
            since = Some(revision.at);
        }
        was_right = is_right;
    }
    since
}

#[cfg(test)]
mod tests {
    use dialtone_schemas::{Dimension, Scope, incident::Onset, time};

    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text).expect("a text")
    }

    fn at(minute: i64) -> EventTime {
        EventTime::parse("2026-03-03T08:00:00Z")
            .expect("a time")
            .plus(minute * time::MINUTE)
    }

    fn incident(id: &str, site: &str, owner: &str) -> Incident {
        let onset = Onset { from: at(0), to: at(0) };
        let scope = Scope::new([(Dimension::Site, text(site))]);
        Incident::opened(text(id), text("acme"), scope, text(owner), onset, at(10))
    }

    fn alert(incident: Incident, minute: i64, reason: AlertReason, page: bool) -> Alert {
        Alert {
            alert_id: text("a"),
            reason,
            page,
            at: at(minute),
            title: String::new(),
            incident,
        }
    }

    fn is_of(site: &'static str) -> impl Fn(&Incident) -> bool {
        let scope = Scope::new([(Dimension::Site, text(site))]);
        move |stood| stood.scope == scope
    }

    /// Opened at minute 10 as London's, moved to Berlin at 20, over at 30, opened again at 50. Another one opened between.
    fn told_of_berlin() -> Vec<Revision> {
        let (london, berlin) = (incident("i-1", "london", "wan"), incident("i-1", "berlin", "lan"));
        revisions(&[
            alert(london, 10, AlertReason::Opened, true),
            alert(incident("i-2", "berlin", "desk"), 12, AlertReason::Opened, true),
            alert(berlin.clone(), 20, AlertReason::Escalated, true),
            alert(berlin.clone(), 30, AlertReason::Resolved, false),
            alert(berlin, 50, AlertReason::Opened, true),
        ])
    }

    #[test]
    fn an_incident_that_opens_again_has_opened_twice() {
        let berlin = incident("i-1", "berlin", "lan");
        assert_eq!(openings(&told_of_berlin(), &berlin), [at(10), at(50)]);
        assert_eq!(openings(&[], &berlin), [at(10)], "it says so itself");
    }

    #[test]
    fn the_first_call_may_go_to_another_than_the_last_owner_and_be_about_another_scope() {
        let (told, berlin) = (told_of_berlin(), incident("i-1", "berlin", "lan"));
        assert_eq!(first_called(&told, &berlin), Some(&text("wan")));
        assert_eq!(named_at(&told, &berlin, is_of("berlin")), Some(at(20)));
        assert_eq!(first_called(&[], &berlin), None);
    }

    /// Right at 10, London's at 20, right again from 30 on, also at 40.
    #[test]
    fn what_was_right_and_moved_away_is_named_when_it_has_come_back() {
        let told = |site: &str, minute| alert(incident("i-1", site, "lan"), minute, AlertReason::Updated, false);
        let all = [
            told("berlin", 10),
            told("london", 20),
            told("berlin", 30),
            told("berlin", 40),
        ];
        let (all, berlin) = (revisions(&all), incident("i-1", "berlin", "lan"));
        assert_eq!(named_at(&all, &berlin, is_of("berlin")), Some(at(30)));
        assert_eq!(named_at(&all, &berlin, is_of("london")), Some(at(20)));
        assert_eq!(named_at(&all, &berlin, is_of("lyon")), None);
    }

    #[test]
    fn what_was_only_watched_is_named_to_nobody() {
        let watched = Incident {
            opened: None,
            ..incident("i-1", "berlin", "lan")
        };
        let early = alert(watched, 5, AlertReason::Updated, false);
        let later = alert(incident("i-1", "berlin", "lan"), 10, AlertReason::Opened, true);
        let told = revisions(&[early, later]);
        let named = named_at(&told, &incident("i-1", "berlin", "lan"), is_of("berlin"));
        assert_eq!(named, Some(at(10)));
    }
}
