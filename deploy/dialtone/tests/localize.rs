//! A person who has a table: what the binary answers, and what it refuses.

mod support;

use std::fs;

use support::run;

/// Status, answer, and what is said beside.
fn localize(words: &[&str]) -> (bool, String, String) {
    let words: Vec<&str> = ["localize"].into_iter().chain(words.iter().copied()).collect();
    let output = run(&words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

const VOLUMES: &str = "site,real,predict\ns1,50,100\ns2,100,100\n";

/// Of three cases the first, with a label, lies in no file and the second is not what its name says. The third is answered: of forty
/// sites with a hundred calls each none came of s1. It is the first of one of two labelled cases.
#[test]
fn a_bad_case_is_told_and_counted_as_a_miss_and_keeps_no_other_from_its_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("plain.csv.gz"), VOLUMES).expect("written");
    let others: String = (2..=40).map(|site| format!("s{site},100,100\n")).collect();
    let right = format!("site,real,predict\ns1,0,100\n{others}");
    fs::write(dir.path().join("right.csv"), right).expect("written");
    let cases = r#"[{"id": "a", "file": "gone.csv", "causes": [{"site": "s1"}]}, {"id": "b", "file": "plain.csv.gz"},
                    {"id": "c", "file": "right.csv", "causes": [{"site": "s1"}]}]"#;
    fs::write(dir.path().join("cases.json"), cases).expect("written");
    let (ok, answer, beside) = localize(&["--cases", &dir.path().display().to_string(), "--json"]);
    assert!(!ok, "{answer}");
    let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("json");
    let lines: Vec<_> = answer.lines().map(json).collect();
    assert_eq!(lines.len(), 4, "{answer}");
    for (line, (id, why)) in lines.iter().zip([("a", "gone.csv"), ("b", "not gzip")]) {
        assert_eq!(line["id"], id);
        assert!(
            line["error"].as_str().is_some_and(|error| error.contains(why)),
            "{line}"
        );
    }
    assert_eq!(lines[2]["id"], "c");
    let summary = &lines[3];
    assert_eq!((summary["n"].as_u64(), summary["failed"].as_u64()), (Some(2), Some(2)));
    assert_eq!(summary["top1"].as_f64(), Some(0.5), "{summary}");
    for share in ["recall", "exact"] {
        assert!(
            summary[share].as_f64().is_some_and(|share| share <= 0.5),
            "{share}: {summary}"
        );
    }
    for said in [
        "case a (gone.csv): cannot read ",
        "case b (plain.csv.gz): cannot read ",
        "plain.csv.gz: not gzip",
        "2 of 3 cases failed",
    ] {
        assert!(beside.contains(said), "{said} in {beside}");
    }
}

/// Minutes may be counted from an instant that lies behind the first rows.
#[test]
fn a_time_may_lie_before_zero_and_is_refused_of_volumes_which_have_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::write(
        path("rates.csv"),
        "site,min,value,cnt\ns1,-6,1,100\ns1,-5,2,100\ns1,0,1,100\n",
    )
    .expect("written");
    fs::write(path("volumes.csv"), VOLUMES).expect("written");
    let (ok, answer, beside) = localize(&[&path("rates.csv"), "--at", "-5"]);
    assert!(ok && answer.contains("no cause"), "{answer}{beside}");
    let (ok, _, beside) = localize(&[&path("volumes.csv"), "--at", "5"]);
    assert!(
        !ok && beside.contains("--at: a table of volumes has no time"),
        "{beside}"
    );
}

/// Of rates and volumes in one folder a time is asked of the rates alone; where all are volumes it is refused, before any is answered.
#[test]
fn a_time_is_that_of_a_folders_rates_and_refused_where_it_has_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("written");
    write("rates.csv", "site,min,value,cnt\ns1,0,1,100\ns1,1,2,100\ns1,2,1,100\n");
    write("volumes.csv", VOLUMES);
    let volumes = r#"{"id": "v", "file": "volumes.csv"}"#;
    let folder = dir.path().display().to_string();
    let words = ["--cases", folder.as_str(), "--at", "1", "--json"];
    write(
        "cases.json",
        &format!(r#"[{{"id": "r", "file": "rates.csv"}}, {volumes}]"#),
    );
    let (ok, answer, beside) = localize(&words);
    assert!(ok && answer.lines().count() == 2, "{answer}{beside}");
    write("cases.json", &format!("[{volumes}]"));
    let (ok, answer, beside) = localize(&words);
    assert!(!ok && answer.is_empty(), "{answer}");
    assert!(beside.contains("--at: a table of volumes has no time"), "{beside}");
}
