//! What is planted is named, and nothing else is raised: built-in scenarios, on seeds that the design has not been tuned on.
#![allow(clippy::print_stdout, reason = "the table of what was named is read by people")]

use dialtone::evaluate::{Fate, Totals, Watched};
use dialtone_schemas::{Incident, time};
use dialtone_tests::watch_over_all;

/// Chance of the demo scenario, four times: each has three weeks before it that are simulated and studied. The constants of the statistics were chosen looking at other seeds (DESIGN.md §9).
const SEEDS: std::ops::Range<u64> = 101..105;
/// What 2 · named / (planted + named + false) must reach where two causes are planted: a lived-in network has bad days of its own, and
/// some of them look like a cause.
const F1_OF_TWO: f64 = 0.9;

/// The built-in scenarios whose causes are named to the letter, with nothing else raised.
const FAULTS: [&str; 12] = [
    "site_uplink",
    "wifi_segment",
    "headset_driver",
    "firmware_rollout",
    "carrier_route",
    "policy_qos",
    "isp_at_site",
    "relay_region",
    "two_at_once",
    "three_at_once",
    "total_outage",
    "setup_failure",
];

/// Where the cause is named, and when it began is not to be known to five minutes: a ramp has no moment at which it breaks,
/// and a room's device is known to be bad only from its next call on.
const HARD_TO_DATE: [&str; 2] = ["slow_ramp", "room_device"];
const ROUGHLY: i64 = 20 * time::MINUTE;

/// Watches over runs, shows the table, and sees that the counts add up (F-1).
fn watch(runs: &[(&str, u64)]) -> Vec<Watched> {
    let watched = watch_over_all(runs).expect("the runs");
    println!("scenario            seed  named others");
    for run in &watched {
        println!("{}", run.row());
        let counts = run.counts;
        let accounted = counts.closed + counts.late + counts.duplicate + counts.rejected;
        assert_eq!(counts.received, accounted, "F-1");
    }
    watched
}

/// The runs in which a cause was not named, or something else was raised.
fn unclean(watched: &[Watched]) -> Vec<String> {
    let unclean = watched.iter().filter(|run| !run.judgement().is_clean());
    unclean.map(Watched::row).collect()
}

#[test]
fn the_demos_two_causes_are_named_on_four_seeds_and_hardly_anything_else() {
    let watched = watch(&SEEDS.map(|seed| ("demo", seed)).collect::<Vec<_>>());
    let fates: Vec<Fate> = watched.iter().map(Fate::of).collect();
    let totals = Totals::of(&fates);
    let is_good = totals.f1.is_some_and(|f1| f1 >= F1_OF_TWO);
    assert!(is_good, "F1 {:?}: {:?}", totals.f1, unclean(&watched));
    let before: usize = fates.iter().map(|fate| fate.false_in_history).sum();
    assert!(before <= 1, "of four days before: {:?}", unclean(&watched));
}

#[test]
fn every_other_scenario_has_its_causes_named_and_nothing_else() {
    let watched = watch(&FAULTS.map(|name| (name, 101)));
    assert_eq!(unclean(&watched), Vec::<String>::new());
    let fates: Vec<Fate> = watched.iter().map(Fate::of).collect();
    let totals = Totals::of(&fates);
    println!("{totals:?}");
    let at_least = |name: &str, share: Option<f64>, least: f64| {
        assert!(share.is_some_and(|share| share >= least), "{name}: {share:?}");
    };
    let at_most = |name: &str, share: Option<f64>, most: f64| {
        assert!(share.is_some_and(|share| share <= most), "{name}: {share:?}");
    };
    at_least("owner right", totals.owner_right_share, 0.95);
    at_least("the guilty change first", totals.guilty_change_named_share, 0.8);
    at_most("an innocent change blamed", totals.innocent_blamed_share, 0.05);
    at_most("not separable", totals.abstained_share, 0.1);
    at_least("before the first complaint", totals.found_before_first_share, 0.4);
    at_least("minutes before the third", totals.lead_third_median_min, 15.0);
    // 16 reports a minute are usual there; four minutes are asked for from twenty on.
    let outages = fates
        .iter()
        .flat_map(|fate| &fate.causes)
        .filter(|cause| cause.is_outage);
    let delays: Vec<f64> = outages.filter_map(|cause| cause.delay_min).collect();
    assert_eq!(
        delays.len(),
        2,
        "a site that is cut off, and a carrier that answers nothing"
    );
    assert!(delays.iter().all(|minutes| *minutes <= 8.0), "{delays:?}");
}

#[test]
fn announced_work_is_named_and_calls_somebody_only_where_it_goes_on() {
    let watched = watch(&[("announced_work", 101)]);
    assert_eq!(unclean(&watched), Vec::<String>::new());
    let fates: Vec<Fate> = watched.iter().map(Fate::of).collect();
    let works = Totals::of(&fates).works.expect("two works");
    assert_eq!((works.announced, works.noticed), (2, 2), "{works:?}");
    assert_eq!((works.paged_during, works.in_time_paged), (0, 0), "{works:?}");
    assert_eq!((works.overran, works.overruns_paged), (1, 1), "{works:?}");
}

#[test]
fn what_is_hard_to_date_is_named_and_dated_roughly() {
    for run in watch(&HARD_TO_DATE.map(|name| (name, 101))) {
        let (cause, judgement) = (&run.truth.causes[0], run.judgement());
        // The collector gap is told as what it is.
        let of_gap = |incident: &&Incident| judgement.gaps.contains(incident);
        let found: Vec<&Incident> = run.incidents.iter().filter(|incident| !of_gap(incident)).collect();
        let [incident] = found.as_slice() else {
            panic!("one incident: {found:?}")
        };
        if cause.device_id.is_some() {
            assert_eq!(incident.device_id, cause.device_id);
        } else {
            assert_eq!(incident.scope, cause.scope);
        }
        let (from, to) = (incident.onset.from, incident.onset.to);
        let middle = from.plus(to.since(from) / 2);
        assert!(
            middle.since(cause.onset).abs() <= ROUGHLY,
            "{:?} of {:?}: {}",
            incident.onset,
            cause.onset,
            run.row()
        );
    }
}

#[test]
fn where_nothing_is_broken_nothing_is_raised() {
    assert_eq!(unclean(&watch(&[("none", 101)])), Vec::<String>::new());
}
