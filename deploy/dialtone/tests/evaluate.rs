//! `evaluate` on scenarios of one's own.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::fs;

use support::{SMALL, run};

#[test]
fn a_scenario_of_ones_own_counts_like_a_built_in_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("carrier.toml"), SMALL).unwrap();
    let (healthy, _) = SMALL.split_once("[[fault]]").unwrap();
    fs::write(dir.path().join("healthy.toml"), healthy).unwrap();
    let folder = dir.path().display().to_string();
    let evaluate = |threads: &str| {
        let args = [
            "evaluate",
            "--scenarios",
            &folder,
            "--seeds",
            "3..5",
            "--threads",
            threads,
            "--json",
        ];
        let output = run(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = evaluate("2");
    assert_eq!(said, evaluate("1"), "the same, however many at a time");

    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runs: Vec<_> = lines[..4]
        .iter()
        .map(|run| (run["scenario"].as_str().unwrap(), run["seed"].as_u64().unwrap()))
        .collect();
    assert_eq!(runs, [("carrier", 3), ("healthy", 3), ("carrier", 4), ("healthy", 4)]);
    let totals = &lines[4];
    assert_eq!(
        (totals["runs"].as_u64(), totals["missed"].as_u64()),
        (Some(4), Some(0)),
        "{totals}"
    );
    assert_eq!(
        (totals["recall"].as_f64(), totals["top1"].as_f64()),
        (Some(1.0), Some(1.0)),
        "{totals}"
    );
    let hours = ["null_days", "judged_days", "history_days"].map(|days| 24.0 * totals[days].as_f64().unwrap());
    let is_right = hours.iter().zip([3.0, 6.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(
        is_right,
        "twice ninety minutes of four times, and an hour before each of four: {hours:?}"
    );
    assert_eq!(totals["false_per_history_day"].as_f64(), Some(0.0));
    assert!(totals["false_per_day"].is_f64(), "{totals}");
    let delay = totals["delay_median_min"].as_f64().unwrap();
    assert!((0.0..70.0).contains(&delay), "{totals}");
    // Two causes that were named: 2 / (2 + 3.84) = .342. Two delays have no interval.
    let recall = totals["intervals"]["recall"][0].as_f64().unwrap();
    assert!((recall - 0.342).abs() < 1e-3, "{totals}");
    assert!(totals["intervals"]["delay_median_min"][0].is_null(), "{totals}");
    assert!(totals["owner_right_at_first_page_share"].is_f64(), "{totals}");
    let named = totals["named_median_min"].as_f64().unwrap();
    assert!(named >= delay && totals["outages"].as_u64() == Some(0), "{totals}");
    assert!(totals["outage_delay_median_min"].is_null(), "{totals}");
}

/// The second run fails: nobody calls from its site. The first one is told all the same.
#[test]
fn a_run_that_fails_does_not_lose_those_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (healthy, _) = SMALL.split_once("[[fault]]").unwrap();
    fs::write(dir.path().join("a_healthy.toml"), healthy).unwrap();
    let nowhere = "[[fault]]\nkind = \"site_uplink\"\nat = \"10m\"\nscope = { site = \"nowhere\" }\n";
    fs::write(dir.path().join("b_nowhere.toml"), format!("{healthy}{nowhere}")).unwrap();
    let folder = dir.path().display().to_string();
    let output = run(&[
        "evaluate",
        "--scenarios",
        &folder,
        "--seeds",
        "3..4",
        "--threads",
        "1",
        "--json",
    ]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && error.contains("b_nowhere, seed 3"),
        "{error}"
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "no totals: {said}");
    assert_eq!(lines[0]["scenario"], "a_healthy");
}

#[test]
fn an_error_in_a_scenario_is_said_once_with_its_file_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    let file = dir.path().join("odd.toml");
    let said = |text: &str| {
        fs::write(&file, text).unwrap();
        let output = run(&["evaluate", "--scenarios", &folder, "--seeds", "1..2"]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = said("name = ");
    assert_eq!(error.matches("TOML parse error").count(), 1, "{error}");
    assert!(error.contains("odd.toml"), "{error}");
    let (healthy, _) = SMALL.split_once("[[fault]]").unwrap();
    let error = said(&format!("{healthy}[noise]\nuser_sd = nan\ndrift_minutes = -1.0\n"));
    for part in ["odd.toml", "noise.user_sd", "noise.drift_minutes"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn what_is_no_folder_of_scenarios_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    for (args, said) in [
        (
            ["--scenarios", folder.as_str(), "--seeds", "1..2"],
            "holds no scenario (*.toml)",
        ),
        (
            ["--scenarios", folder.as_str(), "--seeds", "2..2"],
            "FIRST must be below END",
        ),
        (["--seeds", "1..2", "--threads", "0"], "0 is not in 1..=256"),
    ] {
        let output = run(&[["evaluate"].as_slice(), &args].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
}
