//! What lies before the judged part does not know what will break in it, and need not be simulated by whoever wants only what comes after.

use dialtone_schemas::{Complaint, Event, EventTime, time};
use dialtone_simulator::{Scenario, Simulation};

/// Six days of a small enterprise, with many old faults in them, and two hours that are judged.
fn scenario(fault: &str) -> Scenario {
    let text = format!(
        "name = \"before\"\nstart = \"2026-02-25T06:00:00Z\"\nhistory = \"6d1h\"\nevaluate = \"2h\"\n\
         [enterprise]\nsites = 6\nusers = 200\n[drawn]\nold_per_week = 20.0\n{fault}"
    );
    Scenario::from_toml(&text).expect("a scenario")
}

fn breaks(kind: &str, scope: &str) -> Scenario {
    scenario(&format!(
        "[[fault]]\nkind = \"{kind}\"\nat = \"10m\"\nchange = true\nscope = {{ {scope} }}\n"
    ))
}

/// The reports that arrive until an instant.
fn reports(simulation: &mut Simulation, until: EventTime) -> Vec<Event> {
    simulation.advance(until).events
}

#[test]
fn runs_in_which_something_else_breaks_have_the_same_days_before() {
    let quiet = scenario("");
    let broken = breaks("carrier_route", "carrier = \"telnova\"");
    let [mut a, mut b] = [&quiet, &broken].map(|scenario| Simulation::new(scenario, 5));
    assert_eq!(a.made_of_before(), b.made_of_before());
    let judged = quiet.judged_from();
    let (before, also) = (reports(&mut a, judged), reports(&mut b, judged));
    assert!(before.len() > 10_000 && before == also, "{}", before.len());
    assert_ne!(
        reports(&mut a, quiet.end()),
        reports(&mut b, quiet.end()),
        "it is broken then"
    );
    assert_ne!(
        a.made_of_before(),
        Simulation::new(&quiet, 6).made_of_before(),
        "another seed"
    );
}

/// Whatever breaks, wherever it was written to lie or is drawn: either nothing was different before, or it is said that it was.
#[test]
fn what_was_before_is_the_same_where_it_is_made_of_the_same() {
    let broken = [
        "kind = \"total_outage\"\nat = \"0m\"\nlasts = \"1h\"",
        "kind = \"firmware_rollout\"\nat = \"5m\"\nstages = [{ after = \"0m\", share = 1.0 }]",
        "kind = \"wifi_segment\"\nat = \"10m\"\nscope = { segment = \"berlin-b1-wifi-1\" }",
        "kind = \"site_uplink\"\nat = \"10m\"\nlasts = \"1h\"\nwork = \"announced\"\nplanned = \"1h\"",
        "at = \"1h\"\nchange = true",
    ];
    let quiet = scenario("");
    let judged = quiet.judged_from();
    let mut simulation = Simulation::new(&quiet, 5);
    let (made_of, before) = (simulation.made_of_before(), reports(&mut simulation, judged));
    let mut shared = 0;
    for fault in broken {
        let mut other = Simulation::new(&scenario(&format!("[[fault]]\n{fault}\n")), 5);
        if other.made_of_before() == made_of {
            shared += 1;
            assert!(reports(&mut other, judged) == before, "{fault}");
        }
    }
    assert!(shared >= 2, "{shared}");
}

/// Were a clock slow where something is broken, its onset could not be told: it is slow elsewhere then, on all days.
#[test]
fn a_fault_where_the_clocks_are_slow_has_other_days_before() {
    let simulation = Simulation::new(&scenario(""), 5);
    let clock = simulation.truth().clock_off.as_ref().expect("a slow clock");
    let there = breaks("site_uplink", &format!("site = \"{}\"", clock.site));
    assert_ne!(simulation.made_of_before(), Simulation::new(&there, 5).made_of_before());
}

#[test]
fn what_arrives_after_a_part_that_is_left_out_is_as_if_it_had_been_there() {
    let scenario = breaks("carrier_route", "carrier = \"telnova\"");
    let at = scenario.judged_from().plus(-7 * time::HOUR);
    let after = |mut simulation: Simulation| -> (Vec<Event>, Vec<Complaint>) {
        simulation.advance(at);
        let later = simulation.advance(scenario.end());
        (later.events, later.complaints)
    };
    let mut skipping = Simulation::new(&scenario, 5);
    skipping.skip_to(at);
    let (whole, left) = (after(Simulation::new(&scenario, 5)), after(skipping));
    assert!(whole.0.len() > 1000 && !whole.1.is_empty());
    assert!(whole == left);
}
