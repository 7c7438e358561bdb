//! The life of an incident to its end: recovered, closed, and what was told of it stays told.

#![allow(clippy::panic, reason = "a test may fail")]

use dialtone::evaluate::{Before, Watched};
use dialtone_schemas::{EventTime, Incident, State, time};
use dialtone_simulator::Scenario;

fn watch(scenario: &str) -> Watched {
    let scenario = Scenario::from_toml(scenario).expect("a scenario");
    let config = dialtone_tests::defaults().expect("the defaults");
    Watched::over(&Before::new(&config, None, 0), &scenario, "life", 5).expect("a run")
}

fn one(run: &Watched) -> &Incident {
    let [incident] = run.incidents.as_slice() else {
        panic!("one incident: {:#?}", run.incidents)
    };
    incident
}

fn at(text: &str) -> EventTime {
    EventTime::parse(text).expect("a time")
}

/// Out from 08:20 to 08:40, back for eight minutes, and out again until 09:48.
#[test]
fn an_outage_that_flaps_is_one_incident_and_ends_with_the_last_of_it() {
    let run = watch(
        r#"
name = "flap"
start = "2026-03-03T05:00:00Z"
history = "3h"
evaluate = "4h"

[enterprise]
sites = 4
users = 1200

[reporting]
gap = "0m"

[[fault]]
kind = "total_outage"
at = "20m"
lasts = "20m"
scope = { site = "london" }

[[fault]]
kind = "total_outage"
at = "48m"
lasts = "1h"
scope = { site = "london" }
"#,
    );
    let incident = one(&run);
    assert_eq!((incident.metric.as_str(), incident.state), ("volume", State::Closed));
    let closed = incident.closed.expect("it is over");
    let (earliest, latest) = (at("2026-03-03T10:03:00Z"), at("2026-03-03T10:15:00Z"));
    assert!(
        (earliest..latest).contains(&closed),
        "a quarter of an hour after 09:48: {closed}"
    );
}

/// A room's device is bad from 08:30 to 10:30; six hours later its incident has long been closed, with its figures.
#[test]
fn a_repaired_device_is_closed_with_what_it_cost() {
    let run = watch(
        r#"
name = "room"
start = "2026-03-03T05:00:00Z"
history = "3h"
evaluate = "8h"

[enterprise]
sites = 4
users = 1200

[reporting]
gap = "0m"

[[fault]]
kind = "room_device"
at = "30m"
lasts = "2h"
"#,
    );
    let incident = one(&run);
    assert!(incident.device_id.is_some() && incident.device_id == run.truth.causes[0].device_id);
    let closed = incident.closed.expect("it is over");
    let repaired = at("2026-03-03T10:30:00Z");
    assert!(
        closed.since(repaired) > 0 && closed.since(repaired) < 3 * time::HOUR,
        "{closed}"
    );
    assert!(incident.excess_poor_minutes > 10.0, "{}", incident.excess_poor_minutes);
    assert!(incident.evidence[0].poor > 3, "{:?}", incident.evidence);
}

/// Forty minutes without a report from one site, in a morning in which nothing is broken: the others tell that its calls go on.
#[test]
fn a_collector_gap_is_told_as_lost_reports_and_calls_nobody() {
    let run = watch(
        r#"
name = "gap"
start = "2026-03-03T05:00:00Z"
history = "3h"
evaluate = "3h"

[enterprise]
sites = 4
users = 2400
"#,
    );
    let gap = run.truth.gap.as_ref().expect("a gap");
    let incident = one(&run);
    assert_eq!(incident.metric.as_str(), "telemetry");
    let opened = incident.opened.expect("told of");
    assert!((gap.from..gap.until).contains(&opened), "{opened} {gap:?}");
    assert!(
        incident.excess_poor_minutes.abs() < 1e-9,
        "no call was poor: {}",
        incident.excess_poor_minutes
    );
    assert!(run.judgement().is_clean(), "{}", run.row());
}
