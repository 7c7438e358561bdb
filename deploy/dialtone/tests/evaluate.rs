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
    assert_eq!(runs, [("carrier", 3), ("carrier", 4), ("healthy", 3), ("healthy", 4)]);
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
    let hours = ["null_days", "history_days"].map(|days| 24.0 * totals[days].as_f64().unwrap());
    let is_right = hours.iter().zip([3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(
        is_right,
        "twice ninety minutes, and an hour before each of four: {hours:?}"
    );
    assert_eq!(totals["false_per_history_day"].as_f64(), Some(0.0));
    let delay = totals["delay_median_min"].as_f64().unwrap();
    assert!((0.0..70.0).contains(&delay), "{totals}");
    let [low, high] = ["recall", "f1"].map(|name| totals["intervals"][name][0].as_f64().unwrap());
    assert!(low <= 1.0 && high <= 1.0, "{totals}");
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
        (["--scenarios", folder.as_str(), "--seeds", "2..2"], "holds no seed"),
    ] {
        let output = run(&[["evaluate"].as_slice(), &args].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
}
