//! The numbers of a scenario, and what each of them may be. What is no number (`nan`) lies in no range.

use crate::scenario::Scenario;

/// A key, its number, the least and the most that it may be.
type Ranged = (&'static str, f64, [f64; 2]);

/// What lies outside its range, each with its key.
pub(crate) fn problems(scenario: &Scenario) -> Vec<String> {
    let shares = shares(scenario).map(|(key, share)| (key, share, [0.0, 1.0]));
    let noise = noise(scenario).map(|(key, sd)| (key, sd, [0.0, 5.0]));
    let all = shares.into_iter().chain(noise).chain(others(scenario));
    let outside = all.filter(|(_, number, [least, most])| !(*least..=*most).contains(number));
    outside
        .map(|(key, number, [least, most])| format!("{key} of {number}: expected {least} to {most}"))
        .collect()
}

fn shares(scenario: &Scenario) -> [(&'static str, f64); 16] {
    let Scenario {
        enterprise,
        reporting,
        changes,
        complaints,
        drawn,
        ..
    } = scenario;
    [
        ("enterprise.weekend", enterprise.weekend),
        ("enterprise.home", enterprise.home),
        ("enterprise.vpn_friday", enterprise.vpn_friday),
        ("reporting.never", reporting.never),
        ("reporting.duplicates", reporting.duplicates),
        ("changes.near_onset", changes.near_onset),
        ("changes.overlapping", changes.overlapping),
        ("changes.maintenance", changes.maintenance),
        ("changes.improving", changes.improving),
        ("complaints.first", complaints.first),
        ("complaints.later", complaints.later),
        ("complaints.without_site", complaints.without_site),
        ("complaints.wrong_site", complaints.wrong_site),
        ("drawn.unlogged", drawn.unlogged),
        ("drawn.small", drawn.small),
        ("drawn.rival", drawn.rival),
    ]
}

/// Standard deviations of the logarithm of odds: with 5, one in forty is worse by a factor of 18,000.
fn noise(scenario: &Scenario) -> [(&'static str, f64); 5] {
    let noise = &scenario.noise;
    [
        ("noise.user_sd", noise.user_sd),
        ("noise.segment_day_sd", noise.segment_day_sd),
        ("noise.site_day_sd", noise.site_day_sd),
        ("noise.headset_client_sd", noise.headset_client_sd),
        ("noise.drift_sd", noise.drift_sd),
    ]
}

/// Minutes are those of a day or of a week at most.
fn others(scenario: &Scenario) -> [Ranged; 8] {
    let Scenario {
        enterprise,
        noise,
        reporting,
        complaints,
        drawn,
        ..
    } = scenario;
    [
        (
            "enterprise.calls_per_user_busy_hour",
            enterprise.calls_per_user_busy_hour,
            [0.0, 20.0],
        ),
        ("enterprise.all_hands", enterprise.all_hands, [0.0, 20.0]),
        ("noise.drift_minutes", noise.drift_minutes, [0.0, 10_080.0]),
        ("reporting.graph_delay_sigma", reporting.graph_delay_sigma, [0.0, 3.0]),
        (
            "complaints.delay_median_min",
            complaints.delay_median_min,
            [0.0, 1440.0],
        ),
        ("complaints.delay_sigma", complaints.delay_sigma, [0.0, 3.0]),
        (
            "complaints.background_per_1000",
            complaints.background_per_1000,
            [0.0, 1000.0],
        ),
        ("drawn.old_per_week", drawn.old_per_week, [0.0, 50.0]),
    ]
}
