//! `localize` on labelled tables: those that lie beside the repository, where they do, and two of its own.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail")]

use std::{fmt::Write as _, fs, path::PathBuf};

use dialtone::{
    cli,
    localize::{Answer, Case, Scope, Summary, cases, of_case},
};

fn args() -> cli::Localize {
    cli::Localize {
        file: None,
        cases: None,
        kind: None,
        at: None,
        top: 5,
        json: true,
    }
}

/// The labelled cases of a folder, or none where it is not there. Where `DIALTONE_TEST_CASES` names what it lies in, it must be there.
fn summary(name: &str) -> Option<Summary> {
    #[allow(clippy::disallowed_methods, reason = "a test may be told of a folder")]
    let named = std::env::var("DIALTONE_TEST_CASES").ok();
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/localization");
    let dir = named.as_ref().map_or_else(beside, PathBuf::from).join(name);
    if !fs::exists(&dir).unwrap() {
        assert!(named.is_none(), "DIALTONE_TEST_CASES: {} is not there", dir.display());
        eprintln!("SKIPPED: {} is not there", dir.display());
        return None;
    }
    let answer = |case: Case| (of_case(&dir, &case, &args()).unwrap(), case.causes.unwrap_or_default());
    let answers: Vec<(Answer, Vec<Scope>)> = cases(&dir).unwrap().into_iter().map(answer).collect();
    Some(Summary::of(&answers))
}

#[allow(clippy::cast_precision_loss, reason = "counts of cases")]
fn at_least(share: f64, hits: usize, n: usize) -> bool {
    share * n as f64 >= hits as f64 - 1e-9
}

/// 74 incidents of a live-stream service as its operators labelled them.
#[test]
fn of_74_real_incidents_46_are_named_first_67_among_three_and_70_among_five() {
    if let Some(found) = summary("rs") {
        let hits = at_least(found.top1, 46, 74) && at_least(found.top3, 67, 74) && at_least(found.top5, 70, 74);
        assert!(found.n == 74 && hits, "{found:?}");
    }
}

#[test]
fn of_36_cases_on_real_traffic_at_most_one_cause_is_wrong() {
    if let Some(found) = summary("squeeze_b0") {
        assert!(found.n == 36 && found.wrong <= 1 && found.f1 >= 0.98, "{found:?}");
    }
}

#[test]
fn of_the_generated_cases_nearly_all_causes_are_named_and_hardly_any_is_wrong() {
    if let Some(found) = summary("riskloc_l") {
        assert!(found.wrong <= 1 && found.f1 >= 0.98, "{found:?}");
    }
    if let Some(found) = summary("riskloc_s") {
        assert!(found.f1 >= 0.95, "{found:?}");
    }
}

/// Ten minutes of 3 sites × 4 headsets with 2 poor of 100 each; in the eleventh minute site s2 has 12 everywhere.
#[test]
fn a_table_of_rates_is_compared_with_its_own_past() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = "site,headset,min,value,cnt\n".to_owned();
    for minute in 0..11 {
        for (site, headset) in (1..=3).flat_map(|site| (1..=4).map(move |headset| (site, headset))) {
            let poor = if minute == 10 && site == 2 { 12 } else { 2 };
            writeln!(csv, "s{site},h{headset},{minute},{poor},100").unwrap();
        }
    }
    fs::write(dir.path().join("one.csv"), csv).unwrap();
    let labels = r#"[{"id": "one", "file": "one.csv", "at": 10, "causes": [{"site": "s2"}]}]"#;
    fs::write(dir.path().join("cases.json"), labels).unwrap();
    let case = cases(dir.path()).unwrap().remove(0);
    let answer = of_case(dir.path(), &case, &args()).unwrap();
    let right = Scope::from([("site".to_owned(), "s2".to_owned())]);
    assert_eq!((answer.causes, &answer.ranked[0].scope), (vec![right.clone()], &right));
    let calm = Case { at: Some(9), ..case };
    assert_eq!(of_case(dir.path(), &calm, &args()).unwrap().causes, Vec::<Scope>::new());
}

/// Forty sites of which a hundred calls were predicted: of s1 none came, a deviation of 2, of s2 five, 95 / 52.5 = 1.8. The label is s2, the
/// second of the two that differ.
#[test]
fn an_answer_is_judged_by_its_ranking_and_not_by_what_is_shown_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = "site,real,predict\n".to_owned();
    for site in 1..=40 {
        let came = match site {
            1 => 0,
            2 => 5,
            _ => 100,
        };
        writeln!(csv, "s{site},{came},100").unwrap();
    }
    fs::write(dir.path().join("one.csv"), csv).unwrap();
    let labels = r#"[{"id": "one", "file": "one.csv", "causes": [{"site": "s2"}]}]"#;
    fs::write(dir.path().join("cases.json"), labels).unwrap();
    let case = cases(dir.path()).unwrap().remove(0);
    let top_one = cli::Localize { top: 1, ..args() };
    let answer = of_case(dir.path(), &case, &top_one).unwrap();
    let sites = |answer: &Answer| -> Vec<String> {
        let scopes = answer.ranked.iter().map(|found| found.scope["site"].clone());
        scopes.collect()
    };
    assert_eq!(sites(&answer.shown(1)), ["s1"]);
    assert_eq!(sites(&answer), ["s1", "s2"]);
    let summary = Summary::of(&[(answer, case.causes.unwrap())]);
    assert_eq!((summary.top1, summary.top3, summary.top5), (0.0, 1.0, 1.0));
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    for (text, said) in [
        ("a,real,predict\nx,1,2\ny,many,2\n", "t.csv:3: \"many\" is no number"),
        (
            "a,min,value,cnt\nx,1,5,2\n",
            "t.csv:2: value 5 is not between 0 and cnt 2",
        ),
        (
            "a,b\nx,y\n",
            "expected the columns min, value and cnt (rates) or real and predict (volumes)",
        ),
        ("real,predict\n1,2\n", "expected 1 to 16 attributes"),
        ("a,real,predict\nx,1\n", "line: 2"),
        ("a,min,value,cnt\n", "the table is empty"),
        ("a,real,predict\n", "the table is empty"),
        ("a,real,predict\nx,0,0\n", "all its counts are zero"),
        ("a,min,value,cnt\nx,3,0,0\nx,4,0,0\n", "all its counts are zero"),
        ("a,a,real,predict\nx,y,1,2\n", "two columns are named \"a\""),
        ("a,min,value,cnt\nx,3,1,2\n", "nothing lies before min 3"),
    ] {
        fs::write(dir.path().join("t.csv"), text).unwrap();
        let case = serde_json::from_str(r#"{"id": "t", "file": "t.csv"}"#).unwrap();
        let error = format!("{:#}", of_case(dir.path(), &case, &args()).unwrap_err());
        assert!(error.contains(said), "{error}");
    }
}
