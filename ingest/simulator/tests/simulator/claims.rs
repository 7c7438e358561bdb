//! What a run promises: the same bytes for the same seed, a quiet day that is quiet, faults that show where they lie.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::{CallEnd, Share, call_ends, covers, inside_outside, near_far_neither, short};
use crate::reporting::perfect;
use dialtone_schemas::{Event, EventId, ReportKind, Text, time};
use dialtone_simulator::{
    Deliveries, FaultKind, Scenario, Simulation, Truth, json_line,
    scenario::{self, Enterprise},
};

/// Everything a run delivers, in steps of that many seconds.
fn run(name: &str, seed: u64, step_seconds: i64) -> Deliveries {
    run_of(&short(name), seed, step_seconds)
}

fn run_of(scenario: &Scenario, seed: u64, step_seconds: i64) -> Deliveries {
    let mut simulation = Simulation::new(scenario, seed);
    let mut now = simulation.truth().warm_up_until.plus(-time::HOUR);
    let mut all = Deliveries::default();
    while now < simulation.end() {
        now = now.plus(step_seconds * time::SECOND);
        let mut arrived = simulation.advance(now);
        all.events.append(&mut arrived.events);
        all.changes.append(&mut arrived.changes);
        all.complaints.append(&mut arrived.complaints);
    }
    all
}

fn audited(name: &str, seed: u64) -> (Truth, Vec<CallEnd>) {
    let mut simulation = Simulation::new(&short(name), seed);
    let ends = call_ends(&mut simulation);
    (simulation.truth().clone(), ends)
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_others() {
    let write = |seed: u64| {
        let dir = tempfile::tempdir().expect("a folder");
        let files = dialtone_simulator::write_run(&short("two_at_once"), seed, dir.path()).expect("written");
        let paths = [
            files.events,
            files.changes,
            files.complaints,
            files.sites,
            files.owners,
            files.calendars,
            files.truth,
        ];
        paths.map(|path| std::fs::read(path).expect("a file"))
    };
    let first = write(11);
    assert!(first == write(11), "equal seeds");
    let other = write(12);
    assert!(
        (0..3).all(|i| first[i] != other[i]),
        "other events, changes and complaints"
    );
}

#[test]
fn the_size_of_the_steps_changes_nothing() {
    assert!(run("demo", 5, 7) == run("demo", 5, 3600));
}

#[test]
fn a_fault_changes_only_what_it_touches() {
    let by_id = |name: &str| -> BTreeMap<EventId, Event> {
        run(name, 5, 600)
            .events
            .into_iter()
            .map(|e| (e.event_id.expect("an id"), e))
            .collect()
    };
    let (quiet, broken) = (by_id("none"), by_id("carrier_route"));
    assert_eq!(quiet.len(), broken.len());
    let carrier = Simulation::new(&short("carrier_route"), 5).truth().causes[0]
        .scope
        .clone();
    for (id, event) in &quiet {
        assert!(
            carrier.covers(&event.near) || broken[id] == *event,
            "{} is not in {carrier}",
            event.call_id
        );
    }
    assert!(quiet != broken);
}

#[test]
fn ids_are_unique_and_lines_read_back_as_they_were() {
    let all = run_of(&perfect("demo"), 3, 600);
    let ids: BTreeSet<EventId> = all.events.iter().map(|e| e.event_id.expect("an id")).collect();
    assert_eq!(ids.len(), all.events.len());
    let changes: BTreeSet<&Text> = all.changes.iter().map(|c| &c.change_id).collect();
    assert_eq!(changes.len(), all.changes.len());
    let complaints: BTreeSet<&Text> = all.complaints.iter().map(|c| &c.complaint_id).collect();
    assert_eq!(complaints.len(), all.complaints.len());
    for event in all.events.iter().step_by(97) {
        event.check().expect("an event that can be");
        let line = json_line(event).expect("a line");
        assert_eq!(serde_json::from_str::<Event>(&line).expect("an event"), *event);
    }
}

#[test]
fn reports_arrive_within_their_bounds_and_in_order() {
    let mut simulation = Simulation::new(&perfect("none"), 2);
    let mut now = simulation.truth().warm_up_until.plus(-time::HOUR);
    while now < simulation.end() {
        now = now.plus(10 * time::SECOND);
        for event in simulation.advance(now).events {
            let late = now.since(event.end);
            assert!(
                (0..40 * time::SECOND).contains(&late),
                "{} arrives {late} µs after its end",
                event.call_id
            );
            assert!(
                event.near.site.is_none() && event.near.segment.is_none(),
                "placing is not the phone's business"
            );
        }
    }
}

/// Twelve sites: those from the seventh on, warsaw to dublin, have the networks 10.16 to 10.21.
#[test]
fn phones_of_the_smaller_half_of_the_sites_report_only_at_the_end() {
    let all = run("none", 2, 600);
    let kinds = |site: usize| -> BTreeSet<ReportKind> {
        let network = format!("10.{}.", 10 + site);
        let of_site = |e: &&Event| {
            let address = e.near_endpoint.address.as_ref().expect("an address").as_str();
            address.starts_with(&network) && e.near.firmware.is_some() && e.near.client.is_none()
        };
        all.events.iter().filter(of_site).map(|e| e.kind).collect()
    };
    for site in 0..6 {
        assert_eq!(
            kinds(site),
            BTreeSet::from([ReportKind::Interval, ReportKind::Final]),
            "{site}"
        );
    }
    for site in 6..12 {
        assert_eq!(kinds(site), BTreeSet::from([ReportKind::Final]), "{site}");
    }
}

#[test]
fn a_quiet_day_has_two_to_four_per_cent_poor_call_ends() {
    for seed in [1, 2] {
        let (_, ends) = audited("none", seed);
        let poor: f64 = ends.iter().map(|e| f64::from(u8::from(e.is_poor))).sum();
        let share = Share {
            poor,
            all: f64::from(u32::try_from(ends.len()).expect("few")),
        };
        assert!(
            (0.02..0.04).contains(&share.rate()),
            "seed {seed}: {:.4} of {}",
            share.rate(),
            share.all
        );
    }
}

#[test]
fn the_busiest_hour_of_a_weekday_has_15_to_25_thousand_interval_reports() {
    let all = run("none", 4, 600);
    let mut hours = BTreeMap::<_, u32>::new();
    for event in all.events.iter().filter(|e| e.kind == ReportKind::Interval) {
        *hours.entry(event.end.floor(time::HOUR)).or_default() += 1;
    }
    let busiest = hours.values().max().copied().unwrap_or_default();
    assert!((15_000..25_000).contains(&busiest), "{hours:?}");
}

/// Per scenario: the range of the odds ratio inside against outside, and the smallest excess of poor call-ends a minute.
const EXPECTED: [(&str, (f64, f64), f64); 11] = [
    ("demo", (4.0, 25.0), 0.6),
    ("site_uplink", (4.0, 14.0), 0.8),
    ("wifi_segment", (20.0, 120.0), 0.7),
    ("headset_driver", (8.0, 25.0), 0.7),
    ("firmware_rollout", (8.0, 25.0), 0.6),
    ("carrier_route", (5.0, 14.0), 0.7),
    ("policy_qos", (3.0, 12.0), 0.8),
    ("isp_at_site", (4.0, 16.0), 0.7),
    ("relay_region", (2.5, 12.0), 0.8),
    ("two_at_once", (3.0, 120.0), 0.6),
    ("three_at_once", (3.0, 25.0), 0.6),
];

#[test]
fn each_fault_is_poor_inside_and_not_outside() {
    for (name, (low, high), least_excess) in EXPECTED {
        let (seed, (truth, ends)) = (1, audited(name, 1));
        for cause in &truth.causes {
            let (inside, outside) = inside_outside(cause, &truth.causes, &ends, truth.end);
            let ratio = inside.odds() / outside.odds();
            let minutes = f64::from(i32::try_from(truth.end.since(cause.onset) / time::MINUTE).expect("hours"));
            let excess = (inside.poor - inside.all * outside.rate()) / minutes;
            assert!(
                (low..high).contains(&ratio),
                "{name} {seed} {}: odds ratio {ratio:.1}",
                cause.scope
            );
            assert!(
                excess >= least_excess,
                "{name} {seed} {}: {excess:.2} a minute",
                cause.scope
            );
            assert!(outside.rate() < 0.04, "{name} {seed}: {:.4} outside", outside.rate());
        }
    }
}

#[test]
fn a_slow_ramp_is_worse_at_its_end_than_at_its_beginning() {
    let (truth, ends) = audited("slow_ramp", 1);
    let cause = &truth.causes[0];
    let rate = |from: i64, to: i64| {
        let (from, to) = (
            cause.onset.plus(from * time::MINUTE),
            cause.onset.plus(to * time::MINUTE),
        );
        let there = ends
            .iter()
            .filter(|e| covers(&cause.scope, None, e) && e.over > from && e.over <= to);
        there
            .fold(Share::default(), |s, e| Share {
                poor: s.poor + f64::from(u8::from(e.is_poor)),
                all: s.all + 1.0,
            })
            .rate()
    };
    let (early, late) = (rate(0, 25), rate(90, 150));
    assert!(
        early < 0.12 && late > 0.15 && late > 2.0 * early,
        "{early:.3} to {late:.3}"
    );
}

#[test]
fn a_site_that_is_cut_off_reports_nothing_until_it_is_back() {
    let (truth, ends) = audited("total_outage", 1);
    let cause = &truth.causes[0];
    let until = cause.until.expect("it ends");
    assert_eq!((cause.kind, cause.channel.as_str()), (FaultKind::TotalOutage, "volume"));
    let at = |from, to| {
        ends.iter()
            .filter(|e| covers(&cause.scope, None, e) && e.over > from && e.over <= to)
            .count()
    };
    assert_eq!(at(cause.onset, until), 0);
    assert!(at(cause.onset.plus(-time::HOUR), cause.onset) > 100);
    assert!(at(until, until.plus(time::HOUR)) > 100);
}

#[test]
fn a_misconfigured_room_is_bad_and_its_neighbours_are_not() {
    let (truth, ends) = audited("room_device", 2);
    let cause = &truth.causes[0];
    let room = cause.device_id.as_ref().expect("one device");
    let (inside, outside) = inside_outside(cause, &truth.causes, &ends, truth.end);
    assert!(inside.all >= 10.0 && inside.rate() > 0.9, "{room}: {inside:?}");
    assert!(outside.rate() < 0.035);
    assert!(
        ends.iter().any(|e| e.device_id == *room && cause.scope.covers(&e.leaf)),
        "its scope is where it stands"
    );
}

#[test]
fn a_rollout_reaches_the_devices_in_stages() {
    let (truth, ends) = audited("firmware_rollout", 1);
    let cause = &truth.causes[0];
    let model = cause
        .aliases
        .iter()
        .find_map(|a| a.get(dialtone_schemas::Dimension::Device))
        .expect("device and firmware");
    let share = |from: i64, to: i64| {
        let (from, to) = (
            cause.onset.plus(from * time::MINUTE),
            cause.onset.plus(to * time::MINUTE),
        );
        let phones = ends
            .iter()
            .filter(|e| e.leaf.device.as_ref() == Some(model) && e.over > from && e.over <= to);
        phones
            .fold(Share::default(), |s, e| Share {
                poor: s.poor + f64::from(u8::from(cause.scope.covers(&e.leaf))),
                all: s.all + 1.0,
            })
            .rate()
    };
    assert!(share(-40, 0) == 0.0 && (0.03..0.2).contains(&share(5, 30)) && (0.3..0.7).contains(&share(40, 70)));
    assert!(share(80, 180) > 0.97);
}

#[test]
fn complaints_come_after_a_delay_and_more_of_them_when_something_is_broken() {
    let (quiet, broken) = (run("none", 6, 600), run("three_at_once", 6, 600));
    assert!(broken.complaints.len() > quiet.complaints.len() + 5);
    let mut delays: Vec<i64> = broken
        .complaints
        .iter()
        .filter_map(|c| {
            let call = c.call_id.as_ref()?;
            let over = broken
                .events
                .iter()
                .filter(|e| e.call_id == *call)
                .map(|e| e.end)
                .max()?;
            Some(c.complained_at.since(over) / time::SECOND)
        })
        .collect();
    delays.sort_unstable();
    assert!(delays.first().is_some_and(|d| *d >= 0));
    let median = delays[delays.len() / 2];
    assert!((4 * 60..30 * 60).contains(&median), "{median} s of {}", delays.len());
}

/// With 200 complaints per 1,000 users and day, a hundred and more name a site.
#[test]
fn one_complaint_in_ten_names_a_wrong_site_and_is_otherwise_as_it_was() {
    let complaints = |wrong_site: f64| {
        let mut scenario = short("demo");
        scenario.complaints.background_per_1000 = 200.0;
        scenario.complaints.wrong_site = wrong_site;
        run_of(&scenario, 6, 600).complaints
    };
    let (right, told) = (complaints(0.0), complaints(0.1));
    assert_eq!(right.len(), told.len());
    let (mut named, mut wrong) = (0.0, 0.0);
    for (right, told) in right.iter().zip(&told) {
        assert_eq!(right.near.site.is_some(), told.near.site.is_some());
        named += f64::from(u8::from(told.near.site.is_some()));
        wrong += f64::from(u8::from(told.near.site != right.near.site));
        let mut corrected = told.clone();
        corrected.near.site.clone_from(&right.near.site);
        assert_eq!(corrected, *right);
    }
    assert!(named > 200.0, "{named}");
    assert!((0.05..0.15).contains(&(wrong / named)), "{wrong} of {named}");
}

#[test]
fn a_guilty_change_lies_up_to_ten_minutes_before_the_onset_and_is_reported() {
    for seed in 1..4 {
        let mut simulation = Simulation::new(&short("demo"), seed);
        let truth = simulation.truth().clone();
        let changes = simulation.advance(simulation.end()).changes;
        assert!(changes.len() >= 7, "most are innocent: {}", changes.len());
        for cause in &truth.causes {
            let id = cause.change_id.as_ref().expect("caused by a change");
            let change = changes.iter().find(|c| c.change_id == *id).expect("delivered");
            assert!((0..600 * time::SECOND).contains(&cause.onset.since(change.started_at)));
            assert!((0..120 * time::SECOND).contains(&change.time_reported().since(change.started_at)));
        }
    }
}

#[test]
fn every_built_in_scenario_can_be_run_and_tells_its_truth() {
    for (name, toml) in scenario::built_in() {
        let scenario = Scenario::from_toml(toml).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(scenario.name.as_str(), *name);
        let simulation = Simulation::new(&short(name), 9);
        let truth = simulation.truth();
        assert_eq!(truth.causes.len(), scenario.faults.len(), "{name}");
        for (cause, fault) in truth.causes.iter().zip(&scenario.faults) {
            assert_eq!(
                (Some(cause.kind), cause.change_id.is_some()),
                (fault.kind, fault.change || fault.work.is_some()),
                "{name}"
            );
            assert!(!cause.scope.to_string().contains("nowhere"), "{name}: {}", cause.scope);
            let owners = simulation.owners_toml();
            let named = ["team", "default"].map(|key| format!("{key} = \"{}\"\n", cause.owner));
            assert!(
                named.iter().any(|line| owners.contains(line)),
                "{name}: {}",
                cause.owner
            );
        }
    }
}

#[test]
fn causes_at_the_same_time_lie_apart() {
    for seed in 1..4 {
        let (truth, ends) = audited("three_at_once", seed);
        for (i, a) in truth.causes.iter().enumerate() {
            for b in &truth.causes[..i] {
                let both = ends
                    .iter()
                    .filter(|e| covers(&a.scope, None, e) && covers(&b.scope, None, e))
                    .count();
                let least = [a, b]
                    .map(|c| ends.iter().filter(|e| covers(&c.scope, None, e)).count())
                    .into_iter()
                    .min();
                assert!(
                    5 * both < least.unwrap_or_default(),
                    "{seed}: {} and {}",
                    a.scope,
                    b.scope
                );
            }
        }
    }
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused_with_every_reason() {
    let toml = short_text(
        "[enterprise]\nsites = 0\nweekend = 2.0\nall_hands = -1.0\n[reporting]\nnever = 1.5\nclock_off = \"2d\"\n\
         [changes]\noverlapping = 3.0\nrollouts = 5\n[complaints]\nwrong_site = -0.1\n\
         [[fault]]\nkind = \"site_uplink\"\nat = \"9h\"\n",
    );
    let error = Scenario::from_toml(&toml).expect_err("no sense").to_string();
    let expected = [
        "enterprise.sites",
        "enterprise.weekend of 2",
        "enterprise.all_hands",
        "reporting.never of 1.5",
        "reporting.clock_off",
        "changes.overlapping of 3",
        "changes.rollouts",
        "complaints.wrong_site of -0.1",
        "fault 1: at",
    ];
    for part in expected {
        assert!(error.contains(part), "{error}");
    }
    let typo = Scenario::from_toml(&short_text("[enterprise]\nsite = 3\n"))
        .expect_err("unknown key")
        .to_string();
    assert!(typo.contains("unknown field `site`") && typo.contains("line"), "{typo}");
}

/// Two problems in each of the tables: what is no number, what is negative, what nobody means.
#[test]
fn numbers_outside_their_range_are_refused_all_at_once_with_their_keys() {
    let toml = short_text(
        "[noise]\nuser_sd = nan\ndrift_minutes = -1.0\n[reporting]\ngraph_delay_sigma = inf\ngap = \"63d\"\n\
         [complaints]\ndelay_median_min = -1.0\ndelay_sigma = nan\nbackground_per_1000 = 1e9\n[changes]\nper_day = 1001\n",
    );
    let error = Scenario::from_toml(&toml).expect_err("no sense").to_string();
    for part in [
        "noise.user_sd of NaN: expected 0 to 5",
        "noise.drift_minutes of -1",
        "reporting.graph_delay_sigma of inf",
        "reporting.gap",
        "complaints.delay_median_min of -1",
        "complaints.delay_sigma of NaN",
        "complaints.background_per_1000 of 1000000000: expected 0 to 1000",
        "changes.per_day",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let silent = "[noise]\nuser_sd = 0.0\ndrift_minutes = 0.0\n[complaints]\ndelay_median_min = 0.0\nbackground_per_1000 = 0.0\n";
    assert!(
        Scenario::from_toml(&short_text(silent)).is_ok(),
        "nothing of it is no mistake"
    );
}

/// Who prints an error with its sources reads it once.
#[test]
fn what_is_no_toml_is_said_once() {
    let error = Scenario::from_toml("name = ").expect_err("no TOML");
    assert!(
        std::error::Error::source(&error).is_none() && error.to_string().contains("line 1"),
        "{error}"
    );
}

#[test]
fn a_fault_that_nobody_could_feel_is_refused() {
    let check = |fault: &str| {
        let toml = short_text(&format!("[[fault]]\nat = \"10m\"\n{fault}\n"));
        let scenario = Scenario::from_toml(&toml).expect("a scenario");
        Simulation::new(&scenario, 1).check().map_err(|error| error.to_string())
    };
    for known in ["site = \"berlin\"", "relay = \"emea-west\"", "headset = \"Lyra 310\""] {
        assert_eq!(
            check(&format!("kind = \"site_uplink\"\nscope = {{ {known} }}")),
            Ok(()),
            "{known}"
        );
    }
    let error = check("kind = \"site_uplink\"\nscope = { site = \"Zürich\" }").expect_err("unknown");
    assert!(error.contains("fault 1: no call has site=Zürich"), "{error}");
    let error = check("kind = \"room_device\"\n[enterprise]\nrooms_per_building = 0").expect_err("no rooms");
    assert!(
        error.contains("fault 1: nobody calls from where it could lie"),
        "{error}"
    );
    let nobodys = "kind = \"site_uplink\"\nscope = { site = \"berlin\", isp = \"deccan-tel\" }";
    let error = check(nobodys).expect_err("nobody has both").to_string();
    assert!(error.contains("fault 1: no call has"), "{error}");
    let rollout = "kind = \"firmware_rollout\"\nscope = { device = \"Teller D3\", firmware = \"9.9\" }";
    assert_eq!(check(rollout), Ok(()), "nobody has the new firmware yet");
}

#[test]
fn the_strain_of_a_fault_has_its_range() {
    let fault = "[[fault]]\nkind = \"site_uplink\"\nat = \"10m\"\n";
    for (strain, part) in [
        ("hit = { share = 0.5, jitter_ms = -1.0 }", "jitter_ms"),
        ("steady = { loss = 1.5 }", "loss"),
        ("steady = { delay_ms = nan }", "delay_ms"),
    ] {
        let error = Scenario::from_toml(&short_text(&format!("{fault}{strain}\n"))).expect_err(strain);
        assert!(error.to_string().contains(part), "{error}");
    }
}

fn short_text(rest: &str) -> String {
    format!("name = \"x\"\nstart = \"2026-03-03T06:00:00Z\"\nhistory = \"1h\"\nevaluate = \"1h\"\n{rest}")
}

#[test]
fn the_far_ends_of_a_bad_site_suffer_too_but_less() {
    let (truth, ends) = audited("site_uplink", 1);
    let cause = &truth.causes[0];
    let rates = near_far_neither(cause, &ends).map(Share::rate);
    assert!(rates[0] > 1.5 * rates[1] && rates[1] > 1.4 * rates[2], "{rates:?}");
}

#[test]
fn the_defaults_that_demo_toml_shows_are_the_defaults() {
    let (_, demo) = scenario::built_in()
        .iter()
        .find(|(name, _)| *name == "demo")
        .expect("built in");
    let (tables, _) = demo.split_once("# What breaks;").expect("the part before the faults");
    let shown: String = tables
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.split(' ').nth(1) == Some("=") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(
        shown
            .lines()
            .filter(|line| line.contains(" = ") && !line.starts_with('#'))
            .count()
            >= 25,
        "{shown}"
    );
    let written = Scenario::from_toml(&shown).expect("a scenario");
    let silent = Scenario::from_toml(&short_text("")).expect("a scenario");
    let half = silent.enterprise.final_reports_only();
    let enterprise = Enterprise {
        sites_with_final_reports_only: Some(half),
        ..silent.enterprise
    };
    assert_eq!(
        (written.enterprise, written.noise, written.reporting),
        (enterprise, silent.noise, silent.reporting)
    );
    assert_eq!(
        (written.changes, written.complaints, written.drawn),
        (silent.changes, silent.complaints, silent.drawn)
    );
}

#[test]
fn the_scenarios_that_are_not_built_in_can_be_run_and_the_quiet_week_has_its_meeting() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        Scenario::from_toml(&text).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    for (name, causes) in [("one_of_any", 1), ("two_of_any", 2), ("three_of_any", 3)] {
        let scenario = read(&format!("drawn/{name}.toml"));
        assert_eq!((scenario.name.as_str(), scenario.faults.len()), (name, causes));
        for seed in 1..=4 {
            Simulation::new(&scenario, seed)
                .check()
                .unwrap_or_else(|e| panic!("{name} {seed}: {e}"));
        }
    }
    let week = read("quiet/quiet_week.toml");
    let meeting = dialtone_schemas::EventTime::parse("2026-03-09T14:00:00Z").expect("the second Monday");
    assert!(week.faults.is_empty() && week.judged_from() < meeting && meeting < week.end());
}

/// Whoever complains at half the rate complains at the whole one, too, and of those who would at double the rate about half do.
#[test]
fn who_would_complain_at_half_and_double_the_rate_is_known() {
    let mut simulation = Simulation::new(&short("demo"), 3);
    let end = simulation.end();
    let told = simulation.advance(end).complaints.len();
    let at = |rate: f64| {
        simulation
            .aggrieved()
            .iter()
            .filter(|one| one.at < end && one.told_from < rate)
            .count()
    };
    let (half, usual, double) = (at(0.5), at(1.0), at(2.0));
    // The others have no poor call behind them: one a day per 1,000 users.
    assert!(usual <= told && told < usual + 30, "{usual} of {told}");
    let counts = [half, usual, double].map(|n| f64::from(u32::try_from(n).expect("few")));
    assert!((0.35..0.65).contains(&(counts[0] / counts[1])), "{counts:?}");
    assert!((0.4..0.6).contains(&(counts[1] / counts[2])), "{counts:?}");
    assert_eq!(double, simulation.aggrieved().iter().filter(|one| one.at < end).count());
}
