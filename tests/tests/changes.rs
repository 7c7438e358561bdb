//! Every change has a verdict, and the morning's report has them all.

use dialtone::{cli, config::Config, evaluate::Simulated, report};
use dialtone_processor::{
    offline::{Heard, Watching},
    watch::readiness::Standing,
};
use dialtone_schemas::{Ruling, Span, Text, time};
use dialtone_simulator::Scenario;
use dialtone_tests::{SMALL, defaults, keep};

fn watched(config: &Config, logs: &[Heard]) -> Watching {
    let mut watching = Watching::new(config.watch(config.owners().expect("owners")), config.kafka.partitions);
    for heard in logs {
        watching.hear(heard.clone()).expect("heard");
    }
    watching
}

fn guilty_of(run: &Simulated) -> Text {
    run.truth().causes[0].change_id.clone().expect("a change did it")
}

/// A fault of a carrier's new route; the other changes of the morning have caused nothing.
#[test]
fn the_guilty_change_is_ruled_harmful_with_its_incident_and_no_other_is() {
    let config = defaults().expect("the defaults");
    let scenario = Scenario::from_toml(SMALL).expect("a scenario");
    let run = Simulated::new(&config, &scenario, 7).expect("a run");
    let watching = watched(&config, run.logs());
    let incidents = watching.incidents();
    let verdicts = watching.verdicts();
    let harmful: Vec<&Text> = verdicts
        .iter()
        .filter(|verdict| verdict.ruling == Ruling::Harmful)
        .map(|verdict| &verdict.change_id)
        .collect();
    assert_eq!(harmful, [&guilty_of(&run)], "{verdicts:?}");
    let guilty = verdicts.iter().find(|v| v.ruling == Ruling::Harmful).expect("it");
    assert_eq!(guilty.incident_id.as_ref(), Some(&incidents[0].id));
    assert!(guilty.effect > 1.5 && guilty.poor > 0, "{guilty:?}");
    // A few hours of a small enterprise are not enough to rule out double the rate.
    let ruled_out = verdicts.iter().filter_map(|verdict| verdict.harmless_within);
    assert!(
        ruled_out.clone().count() > 0 && ruled_out.clone().all(|within| within <= 5.0),
        "and of some a multiple is ruled out: {verdicts:?}"
    );
    for other in verdicts.iter().filter(|v| v.ruling == Ruling::NotEnoughCalls) {
        // Of a version that no phone has yet nobody knows how poor it is.
        let is_told = other.calls_missing.is_some() || other.at_risk == 0;
        assert!(is_told, "what is missing is told: {other:?}");
    }
}

/// At the end of the small scenario: four sites and three regions of people at home, one incident, and the change that caused it.
#[tokio::test(flavor = "multi_thread")]
async fn the_report_ranks_by_cost_and_says_who_owes_what() {
    let dir = tempfile::tempdir().expect("a folder");
    let config = defaults().expect("the defaults");
    let scenario = Scenario::from_toml(SMALL).expect("a scenario");
    let run = Simulated::new(&config, &scenario, 7).expect("a run");
    keep(dir.path(), run.logs(), &[]).await.expect("kept");
    let told = watched(&config, run.logs());
    let args = cli::Report {
        day: scenario.start.floor(time::DAY),
        at: Some(scenario.end().plus(-time::MINUTE)),
        lake: Some(dir.path().to_owned()),
        tenant: None,
        history: Span::from_micros(time::DAY),
        json: false,
        html: false,
    };
    let ready = report::ready(&args, &config).await.expect("a report");
    let [ready] = ready.as_slice() else {
        panic!("one tenant: {ready:?}")
    };

    let costs: Vec<f64> = ready.lines.iter().filter_map(|line| line.poor_minutes).collect();
    assert!(costs.is_sorted_by(|a, b| a >= b), "{costs:?}");
    let of_incidents: Vec<_> = ready.lines.iter().filter(|line| line.incident_id.is_some()).collect();
    let [line] = of_incidents.as_slice() else {
        panic!("one incident: {of_incidents:?}")
    };
    assert_eq!(
        (line.standing, &line.scope),
        (Standing::Incident, &told.incidents()[0].scope)
    );
    let sites: Vec<_> = ready.lines.iter().filter(|line| line.incident_id.is_none()).collect();
    // Four sites, and three regions of people at home.
    assert_eq!((sites.len(), ready.watching.sites_reporting), (7, 7));
    assert!(
        sites.iter().all(|line| line.call_ends.is_some_and(|calls| calls > 0.0)),
        "{sites:?}"
    );

    let owner = &told.incidents()[0].owner;
    assert_eq!(ready.owed[owner].unacknowledged, [told.incidents()[0].id.clone()]);
    let first = &ready.changes[0];
    assert_eq!(first.change.change_id, guilty_of(&run), "the harmful one first");
    assert_eq!(
        first.verdict.as_ref().map(|verdict| verdict.ruling),
        Some(Ruling::Harmful)
    );
}
