//! Where people work and when they call.

use std::collections::BTreeSet;

use crate::audit::Places;
use dialtone_schemas::{Event, EventTime, Leaf, ReportKind, Text, time};
use dialtone_simulator::{Scenario, Simulation};

/// A small enterprise whose reports all arrive, from that instant for so long.
fn small(start: &str, evaluate: &str) -> Scenario {
    let toml = format!(
        "name = \"small\"\nstart = \"{start}\"\nhistory = \"0h\"\nevaluate = \"{evaluate}\"\n\
         [enterprise]\nsites = 3\nusers = 300\n\
         [reporting]\nnever = 0.0\nduplicates = 0.0\ngap = \"0m\"\nclock_off = \"0m\"\ngraph_delay_median = \"0m\"\n"
    );
    Scenario::from_toml(&toml).expect("a scenario")
}

/// The final reports of a run, in order of arrival.
fn finals(simulation: &mut Simulation) -> Vec<Event> {
    let mut events = simulation.advance(simulation.end()).events;
    events.retain(|event| event.kind == ReportKind::Final);
    events
}

fn place(places: &Places, event: &Event) -> Leaf {
    let mut leaf = event.near.clone();
    places.place(
        &mut leaf,
        event.near_endpoint.address.as_ref().expect("an address").as_str(),
    );
    leaf
}

/// 2026-03-05 is a Thursday. From 08:00 to 16:00 UTC London and Berlin work, and Chicago's morning begins.
#[test]
fn on_fridays_nearly_half_of_the_laptops_are_at_home_and_on_other_days_a_quarter() {
    let at_home = |start: &str| {
        let events = finals(&mut Simulation::new(&small(start, "8h"), 3));
        let laptops = events.iter().filter(|e| e.near.headset.is_some());
        let (mut home, mut all) = (BTreeSet::new(), BTreeSet::new());
        for event in laptops {
            let is_home = event.near.connection.as_ref().is_some_and(|c| c.as_str() == "vpn");
            let device = event.near_endpoint.device_id.clone();
            all.insert(device.clone());
            home.extend(is_home.then_some(device));
        }
        let count = |set: &BTreeSet<Option<Text>>| f64::from(u32::try_from(set.len()).expect("few"));
        count(&home) / count(&all)
    };
    let (thursday, friday) = (at_home("2026-03-05T08:00:00Z"), at_home("2026-03-06T08:00:00Z"));
    assert!((0.17..0.33).contains(&thursday), "{thursday}");
    assert!((0.37..0.53).contains(&friday), "{friday}");
}

#[test]
fn on_monday_afternoon_all_hands_call_three_times_as_often_for_an_hour() {
    let calls = |start: &str| {
        let events = finals(&mut Simulation::new(&small(start, "1h"), 3));
        let calls: BTreeSet<&Text> = events.iter().map(|e| &e.call_id).collect();
        f64::from(u32::try_from(calls.len()).expect("few"))
    };
    let (monday, tuesday) = (calls("2026-03-02T14:00:00Z"), calls("2026-03-03T14:00:00Z"));
    assert!((2.4..3.7).contains(&(monday / tuesday)), "{monday} {tuesday}");
}

#[test]
fn an_office_moves_to_another_site_for_good_in_a_run_of_more_than_three_days() {
    let mut simulation = Simulation::new(&small("2026-03-02T06:00:00Z", "4d"), 9);
    let places = Places::new(&simulation.sites_csv());
    let moved = simulation.truth().office_move.clone().expect("one moves");
    assert_eq!(moved.from, moved.from.floor(time::DAY));
    assert!(moved.from > simulation.start() && moved.from < simulation.end());
    let (mut movers, mut there, mut before) = (BTreeSet::new(), BTreeSet::new(), 0);
    let of_people = finals(&mut simulation).into_iter();
    for event in of_people.filter(|e| {
        !e.near_endpoint
            .user
            .as_ref()
            .expect("a user")
            .as_str()
            .starts_with("room.")
    }) {
        let (leaf, user) = (place(&places, &event), event.near_endpoint.user.clone());
        let is_old = leaf.segment.as_ref() == Some(&moved.segment);
        if event.start < moved.from {
            before += usize::from(is_old);
            movers.extend(is_old.then_some(user));
        } else {
            assert!(!is_old, "{user:?} calls from {} at {}", moved.segment, event.start);
            there.extend((leaf.site.as_ref() == Some(&moved.site)).then_some(user));
        }
    }
    assert!(before > 20 && movers.len() > 3, "{before} calls of {}", movers.len());
    assert!(
        movers.intersection(&there).count() > movers.len() / 2,
        "they call from {}",
        moved.site
    );
}

#[test]
fn nobody_moves_in_three_days_nor_where_the_scenario_says_so() {
    let moves = |evaluate: &str, office_move: bool| {
        let mut scenario = small("2026-03-02T06:00:00Z", evaluate);
        scenario.enterprise.office_move = office_move;
        Simulation::new(&scenario, 8).truth().office_move.is_some()
    };
    assert_eq!(
        [moves("3d", true), moves("4d", false), moves("4d", true)],
        [false, false, true]
    );
}

/// 2026-05-01 is a Friday, and a holiday in Berlin; London and Chicago work.
#[test]
fn a_holiday_is_quiet_in_its_country() {
    let calls_of_berlin = |holidays: bool| {
        let mut scenario = small("2026-05-01T08:00:00Z", "3h");
        scenario.enterprise.holidays = holidays;
        let mut simulation = Simulation::new(&scenario, 4);
        let places = Places::new(&simulation.sites_csv());
        let events = finals(&mut simulation);
        let callers = events
            .iter()
            .filter(|e| e.leg_id.as_ref().is_some_and(|leg| leg.as_str() == "a"));
        let of_berlin = callers.filter(|e| place(&places, e).site.is_some_and(|site| site.as_str() == "berlin"));
        f64::from(u32::try_from(of_berlin.count()).expect("few"))
    };
    let (holiday, workday) = (calls_of_berlin(true), calls_of_berlin(false));
    assert!(workday > 80.0 && holiday < 0.25 * workday, "{holiday} {workday}");
}

/// Saint Patrick's Day is a Tuesday in 2026, and the Sunday on which Europe's clocks change is 29 March.
#[test]
fn the_scenarios_of_days_that_differ_have_them_in_their_judged_part_and_a_fault_on_the_next_day() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/holidays");
    let days = [("saint_patricks_day", "2026-03-17"), ("summer_time", "2026-03-29")];
    for (name, day) in days {
        let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).expect("a file");
        let scenario = Scenario::from_toml(&text).expect("a scenario");
        let simulation = Simulation::new(&scenario, 1);
        simulation.check().expect("a fault that somebody feels");
        let noon = EventTime::parse(&format!("{day}T12:00:00Z")).expect("noon");
        assert_eq!(scenario.name.as_str(), name);
        assert!(scenario.judged_from() < noon, "{name}");
        let onsets: Vec<i32> = simulation
            .truth()
            .causes
            .iter()
            .map(|cause| cause.onset.day())
            .collect();
        assert_eq!(onsets, [noon.day() + 1], "{name}");
        let holidays = "sites = [\"dublin\"]\nzone = \"Europe/Dublin\"\nholidays = [\"2026-03-17\"]\n";
        assert!(simulation.calendars_toml().contains(holidays), "{name}");
    }
}
