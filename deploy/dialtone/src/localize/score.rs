//! Were the right scopes named? Cases with their labels, and what they sum up to.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::cli::Kind;

/// Places of the ranking by which answers are judged.
pub(super) const JUDGED: usize = 5;

/// Attribute and value.
pub type Scope = BTreeMap<String, String>;

/// One case of `cases.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// The table, beside `cases.json`.
    pub file: PathBuf,
    /// Rates or volumes; by the columns where it does not say.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// When it happened, of rates.
    #[serde(default)]
    pub at: Option<i64>,
    /// What it was; unknown where it is missing.
    #[serde(default)]
    pub causes: Option<Vec<Scope>>,
}

/// The cases of a folder, in their order.
pub fn cases(dir: &Path) -> Result<Vec<Case>> {
    let path = dir.join("cases.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{}", path.display()))
}

/// What all labelled cases sum up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Labelled cases; one that could not be answered is a miss.
    pub n: usize,
    /// A labelled cause was ranked first.
    pub top1: f64,
    /// Among the first three.
    pub top3: f64,
    /// Among the first five.
    pub top5: f64,
    /// Right ones among the causes named.
    pub precision: f64,
    /// Named ones among the right causes.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// Exactly the right causes were named.
    pub exact: f64,
    /// Wrong causes named, in all cases.
    pub wrong: usize,
    /// Cases, labelled or not, that could not be answered.
    pub failed: usize,
    /// Half of the cases that were answered took no longer.
    pub ms_median: f64,
}

impl Summary {
    /// Of answers with the labels of their cases.
    pub fn of(answers: &[(Answer, Vec<Scope>)]) -> Self {
        Self::with_missed(answers, &[])
    }

    /// The same with the labels of cases that were not answered: of these nothing is right, not even where nothing was to be found.
    #[allow(clippy::cast_precision_loss, reason = "counts of cases")]
    pub(super) fn with_missed(answers: &[(Answer, Vec<Scope>)], missed: &[Vec<Scope>]) -> Self {
        let n = answers.len() + missed.len();
        let share = |is_so: &dyn Fn(&Answer, &[Scope]) -> bool| {
            answers.iter().filter(|(answer, causes)| is_so(answer, causes)).count() as f64 / n.max(1) as f64
        };
        let within = |k: usize| {
            share(&move |answer, causes| answer.ranked.iter().take(k).any(|found| causes.contains(&found.scope)))
        };
        let (mut right, mut named) = (0, 0);
        let mut labelled: usize = missed.iter().map(Vec::len).sum();
        for (answer, causes) in answers {
            right += answer.causes.iter().filter(|scope| causes.contains(scope)).count();
            named += answer.causes.len();
            labelled += causes.len();
        }
        let ratio = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let exactly = |answer: &Answer, causes: &[Scope]| {
            answer.causes.iter().collect::<BTreeSet<_>>() == causes.iter().collect()
        };
        let mut ms: Vec<f64> = answers.iter().map(|(answer, _)| answer.ms).collect();
        ms.sort_by(f64::total_cmp);
        Self {
            n,
            top1: within(1),
            top3: within(3),
            top5: within(JUDGED),
            precision: ratio(right, named),
            recall: ratio(right, labelled),
            f1: ratio(2 * right, named + labelled),
            exact: share(&exactly),
            wrong: named - right,
            failed: 0,
            ms_median: ms.get(ms.len() / 2).copied().unwrap_or(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::localize::Ranked;

    fn scope(site: &str) -> Scope {
        Scope::from([("site".to_owned(), site.to_owned())])
    }

    fn answer(ranked: &[&str], causes: &[&str], ms: f64) -> Answer {
        let ranked = ranked.iter().map(|site| Ranked {
            scope: scope(site),
            score: 1.0,
        });
        Answer {
            id: String::new(),
            ranked: ranked.collect(),
            causes: causes.iter().map(|site| scope(site)).collect(),
            ms,
        }
    }

    /// Named a, b, c and a of the right a, b and d: right 3, named 4, labelled 4.
    #[test]
    fn right_and_wrong_can_be_counted_by_hand() {
        let answers = [
            (answer(&["a", "b"], &["a", "b", "c"], 3.0), vec![scope("a"), scope("b")]),
            (answer(&["x", "d"], &[], 9.0), vec![scope("d")]),
            (answer(&["a"], &["a"], 1.0), vec![scope("a")]),
        ];
        let summary = Summary::of(&answers);
        assert_eq!((summary.n, summary.top1, summary.top3), (3, 2.0 / 3.0, 1.0));
        assert_eq!((summary.precision, summary.recall, summary.f1), (0.75, 0.75, 0.75));
        assert_eq!((summary.exact, summary.wrong, summary.ms_median), (1.0 / 3.0, 1, 3.0));
    }

    /// One right, one with the cause b not answered, one without a cause not answered: a third exactly, one of two causes.
    #[test]
    fn a_case_that_was_not_answered_is_a_miss() {
        let answers = [(answer(&["a"], &["a"], 3.0), vec![scope("a")])];
        let summary = Summary::with_missed(&answers, &[vec![scope("b")], Vec::new()]);
        assert_eq!((summary.n, summary.top1, summary.exact), (3, 1.0 / 3.0, 1.0 / 3.0));
        assert_eq!((summary.precision, summary.recall, summary.f1), (1.0, 0.5, 2.0 / 3.0));
        assert_eq!((summary.wrong, summary.ms_median), (0, 3.0));
    }
}
