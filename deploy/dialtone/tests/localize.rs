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

/// Of three cases the first lies in no file and the second is not what its name says. The third is answered, and alone is judged.
#[test]
fn a_bad_case_is_told_and_counted_and_keeps_no_other_from_its_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("plain.csv.gz"), VOLUMES).expect("written");
    fs::write(dir.path().join("right.csv"), VOLUMES).expect("written");
    let cases = r#"[{"id": "a", "file": "gone.csv", "causes": []}, {"id": "b", "file": "plain.csv.gz"},
                    {"id": "c", "file": "right.csv", "causes": [{"site": "s1"}]}]"#;
    fs::write(dir.path().join("cases.json"), cases).expect("written");
    let (ok, answer, beside) = localize(&["--cases", &dir.path().display().to_string(), "--json"]);
    assert!(!ok, "{answer}");
    let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("json");
    let lines: Vec<_> = answer.lines().map(json).collect();
    assert_eq!(lines.len(), 2, "{answer}");
    assert_eq!(lines[0]["id"], "c");
    assert_eq!(lines[1]["n"], 1);
    assert_eq!(lines[1]["failed"], 2);
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
