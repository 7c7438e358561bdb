//! What becomes of reports on their way: lost, repeated, late, with the wrong time on them.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{Places, short};
use dialtone_schemas::{Event, EventId, EventTime, Leaf, Text, time};
use dialtone_simulator::{Door, Reporting, Scenario, Simulation, door_of, scenario::Span};

/// A built-in scenario, shortened, with every report arriving once, in time and with the right time on it.
pub(crate) fn perfect(name: &str) -> Scenario {
    Scenario {
        reporting: Reporting::perfect(),
        ..short(name)
    }
}

/// A quiet run of five hours with this and nothing else amiss on the way of its reports.
fn quiet(reporting: Reporting) -> Scenario {
    Scenario {
        reporting,
        ..perfect("none")
    }
}

fn events(scenario: &Scenario, seed: u64) -> Vec<Event> {
    let mut simulation = Simulation::new(scenario, seed);
    simulation.advance(simulation.end()).events
}

fn by_id(events: Vec<Event>) -> BTreeMap<EventId, Event> {
    events
        .into_iter()
        .map(|event| (event.event_id.expect("an id"), event))
        .collect()
}

fn share(part: usize, all: usize) -> f64 {
    let count = |n: usize| f64::from(u32::try_from(n).expect("few"));
    count(part) / count(all)
}

fn site_of(places: &Places, event: &Event) -> Text {
    let mut leaf = Leaf::default();
    places.place(
        &mut leaf,
        event.near_endpoint.address.as_ref().expect("an address").as_str(),
    );
    leaf.site.expect("placed")
}

#[test]
fn one_call_end_in_twenty_never_reports_and_the_others_report_as_ever() {
    let never = Reporting {
        never: 0.05,
        ..Reporting::perfect()
    };
    let (all, some) = (events(&perfect("none"), 3), events(&quiet(never), 3));
    let ends = |events: &[Event]| -> BTreeSet<(Text, Option<Text>)> {
        events.iter().map(|e| (e.call_id.clone(), e.leg_id.clone())).collect()
    };
    let silent = share(ends(&all).len() - ends(&some).len(), ends(&all).len());
    assert!((0.04..0.06).contains(&silent), "{silent:.3}");
    let reporting = ends(&some);
    let kept: Vec<&Event> = all
        .iter()
        .filter(|e| reporting.contains(&(e.call_id.clone(), e.leg_id.clone())))
        .collect();
    assert!(kept == some.iter().collect::<Vec<_>>(), "never, or all of them");
}

#[test]
fn two_reports_in_a_hundred_come_twice_alike() {
    let duplicates = Reporting {
        duplicates: 0.02,
        ..Reporting::perfect()
    };
    let all = events(&quiet(duplicates), 3);
    let mut first = BTreeMap::<EventId, &Event>::new();
    let mut repeats = 0;
    for event in &all {
        if let Some(earlier) = first.insert(event.event_id.expect("an id"), event) {
            repeats += 1;
            assert_eq!(*earlier, *event);
        }
    }
    let again = share(repeats, first.len());
    assert!((0.017..0.023).contains(&again), "{again:.4}");
    assert!(by_id(all.clone()) == by_id(events(&perfect("none"), 3)));
}

#[test]
fn in_a_gap_a_site_is_silent_while_the_others_still_talk_to_it() {
    let gap = Reporting {
        gap: Span(40 * time::MINUTE),
        ..Reporting::perfect()
    };
    for seed in 1..4 {
        let mut simulation = Simulation::new(&quiet(gap.clone()), seed);
        let places = Places::new(&simulation.sites_csv());
        let truth = simulation.truth().clone();
        let gap = truth.gap.expect("there is one");
        assert_eq!(gap.until.since(gap.from), 40 * time::MINUTE);
        assert!(gap.from >= truth.warm_up_until.plus(30 * time::MINUTE) && gap.until <= truth.end);
        let mut heard = |until: EventTime| {
            let arrived = simulation.advance(until.plus(-1)).events;
            let of_site = arrived.iter().filter(|e| site_of(&places, e) == gap.site);
            // The provider of the meeting service does not report through the site.
            let own = of_site.filter(|e| door_of(e) != Door::Graph).count();
            let to_site = arrived.iter().filter(|e| {
                let mut leaf = Leaf::default();
                let address = e.far_endpoint.as_ref().and_then(|far| far.address.as_ref());
                address.is_some_and(|address| {
                    places.place(&mut leaf, address.as_str());
                    leaf.site.as_ref() == Some(&gap.site)
                })
            });
            (own, to_site.count())
        };
        heard(gap.from.plus(-20 * time::MINUTE));
        let (before, within, after) = (
            heard(gap.from),
            heard(gap.until),
            heard(truth.end.min(gap.until.plus(20 * time::MINUTE))),
        );
        assert!(before.0 > 50, "{before:?} before, {}", gap.site);
        assert!(within.0 == 0 && within.1 > 50, "{within:?} within");
        assert!(
            after.0 > 50 || gap.until.plus(10 * time::MINUTE) > truth.end,
            "{after:?}"
        );
    }
}

#[test]
fn what_a_gap_swallows_is_all_that_is_missing() {
    let gap = Reporting {
        gap: Span(40 * time::MINUTE),
        ..Reporting::perfect()
    };
    let truth = Simulation::new(&quiet(gap.clone()), 2).truth().clone();
    let gap_of_truth = truth.gap.expect("there is one");
    let (all, some) = (by_id(events(&perfect("none"), 2)), by_id(events(&quiet(gap), 2)));
    let missing: Vec<&Event> = all
        .iter()
        .filter(|(id, _)| !some.contains_key(*id))
        .map(|e| e.1)
        .collect();
    // A report is under way for 0.2 to 20 seconds.
    let (from, until) = (gap_of_truth.from.plus(-20 * time::SECOND), gap_of_truth.until);
    assert!(missing.len() > 100, "{}", missing.len());
    assert!(missing.iter().all(|e| (from..until).contains(&e.end)));
    assert!(some.iter().all(|(id, event)| all[id] == *event));
}

/// A phone that is seven minutes slow stamps 09:53 at ten o'clock.
#[test]
fn the_phones_of_one_site_are_slow_and_nobody_elses() {
    let slow = Reporting {
        clock_off: Span(7 * time::MINUTE),
        ..Reporting::perfect()
    };
    let simulation = Simulation::new(&quiet(slow.clone()), 5);
    let places = Places::new(&simulation.sites_csv());
    let clock = simulation.truth().clock_off.clone().expect("there are some");
    assert_eq!(clock.slow_by_seconds, 420);
    let right = by_id(events(&perfect("none"), 5));
    let (mut off, stamped) = (0, by_id(events(&quiet(slow), 5)));
    assert_eq!(right.len(), stamped.len());
    for (id, event) in &stamped {
        let is_phone = event.near.firmware.is_some() && event.near.client.is_none();
        let slow = is_phone && site_of(&places, event) == clock.site;
        off += usize::from(slow);
        let by = if slow { 420 * time::SECOND } else { 0 };
        let back = Event {
            start: event.start.plus(by),
            end: event.end.plus(by),
            ..event.clone()
        };
        assert_eq!(right[id], back);
    }
    assert!(off > 100, "{off} at {}", clock.site);
}

#[test]
fn a_call_record_comes_25_minutes_after_its_call_in_the_median_with_both_ends_at_once() {
    let mut simulation = Simulation::new(
        &quiet(Reporting {
            graph_delay_median: Span(25 * time::MINUTE),
            graph_delay_sigma: 0.5,
            ..Reporting::perfect()
        }),
        4,
    );
    let mut calls = BTreeMap::<Text, Vec<(i64, Text)>>::new();
    let mut now = simulation.start();
    let last = simulation.end().plus(-2 * time::HOUR);
    while now < simulation.end() {
        now = now.plus(10 * time::SECOND);
        for event in simulation.advance(now).events.iter().filter(|e| e.end < last) {
            if door_of(event) == Door::Graph {
                let leg = event.leg_id.clone().expect("a leg");
                calls
                    .entry(event.call_id.clone())
                    .or_default()
                    .push((now.since(event.end) / time::SECOND, leg));
            }
        }
    }
    assert!(calls.len() > 30, "{}", calls.len());
    let alike = |ends: &Vec<(i64, Text)>| ends.len() == 2 && ends[0].0 == ends[1].0 && ends[0].1.as_str() == "a";
    assert!(calls.values().all(alike), "{calls:?}");
    let mut delays: Vec<i64> = calls.values().map(|ends| ends[0].0 / 60).collect();
    delays.sort_unstable();
    let median = delays[delays.len() / 2];
    assert!((20..30).contains(&median), "{median} min of {}", delays.len());
}

#[test]
fn neither_a_gap_nor_a_slow_clock_lies_where_something_is_broken_and_truth_without_them_can_be_read() {
    for seed in 1..20 {
        let truth = Simulation::new(&short("total_outage"), seed).truth().clone();
        let site = truth.causes[0]
            .scope
            .get(dialtone_schemas::Dimension::Site)
            .expect("a site");
        let gap = truth.gap.clone().expect("a gap").site;
        let clock = truth.clock_off.clone().expect("slow clocks").site;
        assert!(gap != *site && clock != *site && gap != clock, "{seed}");
        let mut json = serde_json::to_value(&truth).expect("JSON");
        for new in ["gap", "clock_off", "maintenance", "office_move"] {
            json.as_object_mut().expect("an object").remove(new);
        }
        let read: dialtone_simulator::Truth = serde_json::from_value(json).expect("an older truth");
        assert_eq!((read.gap, read.clock_off, read.office_move), (None, None, None));
        assert!(read.maintenance.is_empty());
        assert_eq!(read.causes, truth.causes);
        assert!(truth.causes[0].calls_a_day.is_some(), "{seed}");
        let mut json = serde_json::to_value(&truth.causes[0]).expect("JSON");
        for new in ["calls_a_day", "rival"] {
            json.as_object_mut()
                .expect("an object")
                .remove(new)
                .expect("it is written");
        }
        let read: dialtone_simulator::Cause = serde_json::from_value(json).expect("an older cause");
        assert_eq!((read.calls_a_day, read.rival), (None, None));
    }
}
