//! One line for each incident, the worst first.

use anyhow::Result;
use dialtone_schemas::{EventTime, Incident, State, incident::Severity};

use super::read::Known;
use crate::{cli::ListIncidents, say};

/// Says the list.
pub(super) fn say(known: &Known, args: &ListIncidents, now: EventTime) -> Result<()> {
    let chosen = chosen(known.all(), args);
    if args.json {
        for incident in &chosen {
            say::line(serde_json::to_string(incident)?);
        }
    } else {
        table(&chosen, now).iter().for_each(say::line);
        if chosen.is_empty() {
            let closed = known.all().filter(|incident| incident.state == State::Closed).count();
            say::note(format!(
                "none of {} incidents ({closed} closed: --all)",
                known.all().count()
            ));
        }
    }
    if known.unreadable > 0 {
        say::note(format!("{} records of the topic are no incidents", known.unreadable));
    }
    if known.let_go > 0 {
        say::note(format!("{} incidents are left out: too many", known.let_go));
    }
    Ok(())
}

/// Those asked for, the worst first: open before watched before closed, then by severity, then by what they have cost.
fn chosen<'a>(all: impl Iterator<Item = &'a Incident>, args: &ListIncidents) -> Vec<&'a Incident> {
    let is_meant = |incident: &&Incident| {
        let by_state = match args.state {
            Some(state) => incident.state == state,
            None => args.all || incident.state != State::Closed,
        };
        by_state && args.owner.as_ref().is_none_or(|owner| *owner == incident.owner)
    };
    let mut chosen: Vec<&Incident> = all.filter(is_meant).collect();
    let place = |incident: &Incident| match incident.state {
        State::Open | State::Localised | State::Recovering => 0,
        State::Watch => 1,
        State::Closed => 2,
    };
    chosen.sort_by(|a, b| {
        let by_cost = || b.excess_poor_minutes.total_cmp(&a.excess_poor_minutes);
        (place(a).cmp(&place(b)))
            .then_with(|| b.severity.cmp(&a.severity))
            .then_with(by_cost)
            .then_with(|| a.id.cmp(&b.id))
    });
    chosen
}

const COLUMNS: usize = 8;

fn table(incidents: &[&Incident], now: EventTime) -> Vec<String> {
    let rows: Vec<[String; COLUMNS]> = incidents.iter().map(|incident| row(incident, now)).collect();
    say::aligned(&rows)
}

fn row(incident: &Incident, now: EventTime) -> [String; COLUMNS] {
    let suspect = incident.suspected_changes.first();
    let change = suspect.map_or_else(
        || "no change suspected".to_owned(),
        |suspect| format!("{} ({:.0} %)", suspect.change_id, 100.0 * suspect.score),
    );
    [
        incident.id.to_string(),
        severity(incident.severity).to_owned(),
        stands(incident, now),
        incident.owner.to_string(),
        what(incident),
        format!("since {}", incident.onset.from),
        format!("{}, {} poor min", incident.metric, incident.excess_poor_minutes),
        change,
    ]
}

/// The state, and whether anybody is on it; or that another incident explains it.
fn stands(incident: &Incident, now: EventTime) -> String {
    let mut stands = state(incident.state).to_owned();
    if incident.absorbed_by.is_some() {
        stands.push_str(", absorbed");
    } else if incident.silenced_until.is_some_and(|until| until > now) {
        stands.push_str(", silenced");
    } else if incident.acknowledged.is_some() {
        stands.push_str(", acknowledged");
    }
    stands
}

/// The scope, and the device if it is just one.
pub(super) fn what(incident: &Incident) -> String {
    let device = incident.device_id.as_ref();
    let device = device.map_or_else(String::new, |device| format!(" device={device}"));
    format!("{}{device}", incident.scope)
}

pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Watch => "watch",
        State::Open => "open",
        State::Localised => "localised",
        State::Recovering => "recovering",
        State::Closed => "closed",
    }
}

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Minor => "minor",
        Severity::Major => "major",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use dialtone_schemas::{
        Dimension, Scope, Text,
        incident::{Onset, SuspectedChange},
    };

    use super::*;

    pub(in super::super) fn text(value: &str) -> Text {
        Text::new(value).expect("a text")
    }

    pub(in super::super) fn at(value: &str) -> EventTime {
        EventTime::parse(value).expect("a time")
    }

    pub(in super::super) fn incident(id: &str) -> Incident {
        let scope = Scope::new([(Dimension::Site, text("berlin"))]);
        let (onset, opened) = (at("2026-03-02T09:00:00Z"), at("2026-03-02T09:05:00Z"));
        let onset = Onset { from: onset, to: onset };
        Incident::opened(text(id), text("acme"), scope, text("lan"), onset, opened)
    }

    fn args() -> ListIncidents {
        ListIncidents {
            all: false,
            owner: None,
            state: None,
            json: false,
        }
    }

    fn ids(chosen: &[&Incident]) -> Vec<String> {
        chosen.iter().map(|incident| incident.id.to_string()).collect()
    }

    #[test]
    fn the_worst_comes_first_and_what_is_closed_only_when_asked_for() {
        let with = |id, severity, cost, state| Incident {
            severity,
            excess_poor_minutes: cost,
            state,
            ..incident(id)
        };
        let all = [
            with("i-1", Severity::Minor, 90.0, State::Localised),
            with("i-2", Severity::Major, 10.0, State::Localised),
            with("i-3", Severity::Major, 20.0, State::Recovering),
            with("i-4", Severity::Critical, 99.0, State::Closed),
            with("i-5", Severity::Minor, 99.0, State::Watch),
        ];
        assert_eq!(ids(&chosen(all.iter(), &args())), ["i-3", "i-2", "i-1", "i-5"]);
        let everything = ListIncidents { all: true, ..args() };
        assert_eq!(
            ids(&chosen(all.iter(), &everything)),
            ["i-3", "i-2", "i-1", "i-5", "i-4"]
        );
        let closed = ListIncidents {
            state: Some(State::Closed),
            ..args()
        };
        assert_eq!(ids(&chosen(all.iter(), &closed)), ["i-4"]);
        let others = ListIncidents {
            owner: Some(text("wan")),
            ..args()
        };
        assert_eq!(ids(&chosen(all.iter(), &others)), [""; 0]);
    }

    #[test]
    fn a_line_says_how_bad_where_whose_since_when_and_what_changed() {
        let mut one = incident("i-1");
        one.excess_poor_minutes = 41.5;
        one.suspected_changes = vec![SuspectedChange {
            change_id: text("CHG-1"),
            score: 0.8,
        }];
        let mut other = incident("i-22");
        other.acknowledged = Some(at("2026-03-02T09:10:00Z"));
        let absorbed = Incident {
            state: State::Closed,
            absorbed_by: Some(text("i-1")),
            ..other.clone()
        };
        assert_eq!(stands(&absorbed, at("2026-03-02T10:00:00Z")), "closed, absorbed");
        assert_eq!(
            table(&[&one, &other], at("2026-03-02T10:00:00Z")),
            [
                "i-1   minor  localised                lan  site=berlin  since 2026-03-02T09:00:00Z  mos, 41.5 poor min  CHG-1 (80 %)",
                "i-22  minor  localised, acknowledged  lan  site=berlin  since 2026-03-02T09:00:00Z  mos, 0 poor min     no change suspected",
            ]
        );
    }
}
