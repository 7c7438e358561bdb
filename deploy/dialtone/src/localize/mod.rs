//! `dialtone localize`: which scopes of a plain table explain what it shows? The same scan as in the stream.

mod score;
mod table;

use std::{path::Path, process::ExitCode, time::Instant};

use anyhow::{Context, Result, bail};
use dialtone_explain::{Condition, Observation, Settings, Volumes, against_history, causes, ranked, scan};
use serde::Serialize;

use crate::{cli, say};
use score::JUDGED;
pub use score::{Case, Scope, Summary, cases};
use table::{Figures, Plain};

/// Most conditions of a scope; a table of few attributes may be searched to its leaves.
const MAX_DEPTH: usize = 3;
/// Scopes that are ranked, of those with the highest scores.
const CANDIDATES: usize = 10_000;
/// Attributes of which every set is searched.
const FEW_ATTRIBUTES: usize = 6;
/// What is said to who asks volumes for a time.
const NO_TIME: &str = "--at: a table of volumes has no time, only one of rates has";

/// What was found in one table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The case's, or the file.
    pub id: String,
    /// Scopes, the most likely first: so many as are judged, even where fewer are shown.
    pub ranked: Vec<Ranked>,
    /// Those that together explain it.
    pub causes: Vec<Scope>,
    /// Milliseconds from the rows in memory to the answer.
    pub ms: f64,
}

impl Answer {
    /// With so many scopes as are shown: by how many it is judged is another matter.
    pub fn shown(&self, top: usize) -> Self {
        let mut shown = self.clone();
        shown.ranked.truncate(top);
        shown
    }
}

/// A scope with its evidence in nats; for rates discounted by its depth, except that the first is the most likely one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Which.
    pub scope: Scope,
    /// How much speaks for it.
    pub score: f64,
}

/// Does what the command line says.
pub fn run(args: &cli::Localize) -> Result<ExitCode> {
    match (&args.cases, &args.file) {
        (Some(dir), _) => all_cases(dir, args),
        (None, Some(file)) => one_file(file, args).map(|()| ExitCode::SUCCESS),
        (None, None) => bail!("expected FILE or --cases DIR"),
    }
}

fn one_file(file: &Path, args: &cli::Localize) -> Result<()> {
    let plain = Plain::read(file, args.kind)?;
    if args.at.is_some() && matches!(plain.figures, Figures::Volume(_)) {
        bail!(NO_TIME);
    }
    let answer = localize(&file.display().to_string(), &plain, args.at, args.top)?;
    show(&answer.shown(args.top), None, args.json)
}

/// Every case of a folder. What is wrong with one is said, and keeps no other from its answer; that there was one is the exit status. One that
/// has labels is missed then.
fn all_cases(dir: &Path, args: &cli::Localize) -> Result<ExitCode> {
    let cases = cases(dir)?;
    if args.at.is_some() && are_all_volumes(dir, &cases, args) {
        bail!(NO_TIME);
    }
    let count = cases.len();
    let are_labelled = cases.iter().any(|case| case.causes.is_some());
    let (mut labelled, mut missed, mut failed) = (Vec::new(), Vec::new(), 0);
    for case in cases {
        match of_case(dir, &case, args) {
            Ok(answer) => {
                show(&answer.shown(args.top), case.causes.as_deref(), args.json)?;
                labelled.extend(case.causes.map(|causes| (answer, causes)));
            }
            Err(error) => {
                failed += 1;
                show_failed(&case.id, &error, args.json)?;
                missed.extend(case.causes);
            }
        }
    }
    if are_labelled {
        let judged = Summary::with_missed(&labelled, &missed);
        summarise(&Summary { failed, ..judged }, args.json)?;
    }
    if failed == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say::note(format!("{failed} of {count} cases failed"));
    Ok(ExitCode::FAILURE)
}

/// Has no case a time? What cannot be read says nothing about that.
fn are_all_volumes(dir: &Path, cases: &[Case], args: &cli::Localize) -> bool {
    let kinds = cases
        .iter()
        .filter_map(|case| Plain::kind(&dir.join(&case.file), args.kind.or(case.kind)).ok());
    let kinds: Vec<cli::Kind> = kinds.collect();
    !kinds.is_empty() && kinds.iter().all(|kind| *kind == cli::Kind::Volume)
}

/// What is found in one case of a folder, before what is not shown is left out. The time that was typed is that of rates.
pub fn of_case(dir: &Path, case: &Case, args: &cli::Localize) -> Result<Answer> {
    let plain = Plain::read(&dir.join(&case.file), args.kind.or(case.kind));
    let answer = plain.and_then(|plain| localize(&case.id, &plain, args.at.or(case.at), args.top));
    answer.with_context(|| format!("case {} ({})", case.id, case.file.display()))
}

fn localize(id: &str, plain: &Plain, at: Option<i64>, top: usize) -> Result<Answer> {
    if let Some(what) = plain.says_nothing() {
        bail!("{what}");
    }
    let begun = Instant::now();
    let top = top.max(JUDGED);
    let depth = if plain.depth() <= FEW_ATTRIBUTES {
        plain.depth()
    } else {
        MAX_DEPTH
    };
    let (ranked, causes) = match &plain.figures {
        Figures::Volume(volumes) => of_volumes(volumes, depth, top),
        Figures::Rate(observations) => of_rates(observations, at, depth, top)?,
    };
    let ranked = ranked.into_iter().map(|(conditions, score)| Ranked {
        scope: plain.scope(&conditions),
        score,
    });
    Ok(Answer {
        id: id.to_owned(),
        ranked: ranked.collect(),
        causes: causes.iter().map(|conditions| plain.scope(conditions)).collect(),
        ms: begun.elapsed().as_secs_f64() * 1e3,
    })
}

/// Scopes with their evidence, and the causes.
type Found = (Vec<(Vec<Condition>, f64)>, Vec<Vec<Condition>>);

fn of_volumes(volumes: &Volumes, depth: usize, top: usize) -> Found {
    let ranked = volumes.ranked(depth, top).into_iter();
    let causes = volumes.causes(depth).into_iter();
    (
        ranked.map(|found| (found.conditions, found.score)).collect(),
        causes.map(|cause| cause.conditions).collect(),
    )
}

fn of_rates(observations: &[Observation], at: Option<i64>, depth: usize, top: usize) -> Result<Found> {
    let last = observations.iter().map(|seen| seen.at).max();
    let Some(at) = at.or(last) else {
        bail!("the table is empty")
    };
    if !observations.iter().any(|seen| seen.at == at) {
        bail!("no row has min {at}");
    }
    if !observations.iter().any(|seen| seen.at < at) {
        bail!("nothing lies before min {at}: without a past nobody knows what is normal");
    }
    let (table, dispersion) = against_history(observations, at);
    let settings = Settings {
        max_depth: depth,
        dispersion,
        ..Settings::default()
    };
    let many = Settings {
        keep: CANDIDATES,
        ..settings
    };
    let candidates = scan(&table, &many);
    let ranked = ranked(&candidates, dispersion).into_iter().take(top);
    let causes = causes(&table, &settings, |_, _| {}).causes.into_iter();
    Ok((
        ranked.map(|(found, score)| (found.conditions.clone(), score)).collect(),
        causes.map(|cause| cause.best.conditions).collect(),
    ))
}

fn show(answer: &Answer, labels: Option<&[Scope]>, json: bool) -> Result<()> {
    if json {
        say::line(serde_json::to_string(answer)?);
        return Ok(());
    }
    say::line(&answer.id);
    let is_right = |scope: &Scope| labels.is_some_and(|labels| labels.contains(scope));
    for scope in &answer.causes {
        say::line(format!(
            "  cause {}{}",
            words(scope),
            if is_right(scope) { "  (right)" } else { "" }
        ));
    }
    if answer.causes.is_empty() {
        say::line("  no cause");
    }
    for (place, found) in (1..).zip(&answer.ranked) {
        let mark = if is_right(&found.scope) { "  (right)" } else { "" };
        say::line(format!(
            "  {place}. {:<48} {:>10.1} nats{mark}",
            words(&found.scope),
            found.score
        ));
    }
    Ok(())
}

/// A case without an answer, where its answer would be.
#[derive(Serialize)]
struct Failed<'a> {
    id: &'a str,
    error: String,
}

/// Why a case has no answer: for people beside the answers, for programs among them as well.
fn show_failed(id: &str, error: &anyhow::Error, json: bool) -> Result<()> {
    let error = format!("{error:#}");
    say::note(&error);
    if json {
        say::line(serde_json::to_string(&Failed { id, error })?);
    }
    Ok(())
}

fn summarise(summary: &Summary, json: bool) -> Result<()> {
    if json {
        say::line(serde_json::to_string(summary)?);
        return Ok(());
    }
    say::line(format!(
        "{} labelled cases: a right scope first {:.3}, in the first three {:.3}, five {:.3}; precision {:.3}, recall {:.3}, \
         F1 {:.3}, all exactly {:.3}; {} wrong; {} failed; median {:.1} ms",
        summary.n,
        summary.top1,
        summary.top3,
        summary.top5,
        summary.precision,
        summary.recall,
        summary.f1,
        summary.exact,
        summary.wrong,
        summary.failed,
        summary.ms_median
    ));
    Ok(())
}

fn words(scope: &Scope) -> String {
    scope
        .iter()
        .map(|(attribute, value)| format!("{attribute}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}
