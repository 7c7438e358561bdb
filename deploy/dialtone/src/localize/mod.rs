//! `dialtone localize`: which scopes of a plain table explain what it shows? The same scan as in the stream.

mod score;
mod table;

use std::{path::Path, time::Instant};

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
pub fn run(args: &cli::Localize) -> Result<()> {
    let Some(dir) = &args.cases else {
        let Some(file) = &args.file else {
            bail!("expected FILE or --cases DIR")
        };
        let answer = localize(
            &file.display().to_string(),
            &Plain::read(file, args.kind)?,
            args.at,
            args.top,
        )?;
        return show(&answer.shown(args.top), None, args.json);
    };
    let mut labelled = Vec::new();
    for case in cases(dir)? {
        let answer = of_case(dir, &case, args)?;
        show(&answer.shown(args.top), case.causes.as_deref(), args.json)?;
        if let Some(causes) = case.causes {
            labelled.push((answer, causes));
        }
    }
    if !labelled.is_empty() {
        summarise(&Summary::of(&labelled), args.json)?;
    }
    Ok(())
}

/// What is found in one case of a folder, before what is not shown is left out.
pub fn of_case(dir: &Path, case: &Case, args: &cli::Localize) -> Result<Answer> {
    let plain = Plain::read(&dir.join(&case.file), args.kind.or(case.kind))?;
    localize(&case.id, &plain, args.at.or(case.at), args.top).with_context(|| format!("case {}", case.id))
}

fn localize(id: &str, plain: &Plain, at: Option<i64>, top: usize) -> Result<Answer> {
    let begun = Instant::now();
    let top = top.max(JUDGED);
    let depth = if plain.depth() <= FEW_ATTRIBUTES {
        plain.depth()
    } else {
        MAX_DEPTH
    };
    let (ranked, causes) = match &plain.figures {
        Figures::Volume(volumes) => of_volumes(volumes, depth, top)?,
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

fn of_volumes(volumes: &Volumes, depth: usize, top: usize) -> Result<Found> {
    if volumes.is_empty() {
        bail!("the table is empty");
    }
    let ranked = volumes.ranked(depth, top).into_iter();
    let causes = volumes.causes(depth).into_iter();
    Ok((
        ranked.map(|found| (found.conditions, found.score)).collect(),
        causes.map(|cause| cause.conditions).collect(),
    ))
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

fn summarise(summary: &Summary, json: bool) -> Result<()> {
    if json {
        say::line(serde_json::to_string(summary)?);
        return Ok(());
    }
    say::line(format!(
        "{} labelled cases: a right scope first {:.3}, in the first three {:.3}, five {:.3}; precision {:.3}, recall {:.3}, \
         F1 {:.3}, all exactly {:.3}; {} wrong; median {:.1} ms",
        summary.n,
        summary.top1,
        summary.top3,
        summary.top5,
        summary.precision,
        summary.recall,
        summary.f1,
        summary.exact,
        summary.wrong,
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
