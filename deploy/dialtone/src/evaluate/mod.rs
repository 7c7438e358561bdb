//! `dialtone evaluate`: simulate, watch, compare with the truth, over scenarios and seeds.

mod before;
mod doors;
mod fate;
mod interval;
mod kept;
mod oracle;
mod planted;
mod simulated;
mod totals;
mod watched;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail};
use dialtone_simulator::{Scenario, scenario};
use serde_json::Value;

use crate::{cli, config::Config, say, simulate};
pub use before::Before;
pub use fate::{CauseFate, Fate};
pub use simulated::Simulated;
pub use totals::Totals;
pub use watched::Watched;

/// A scenario with its name.
pub type Named = (String, Scenario);

/// Does what the command line says.
pub fn run(args: &cli::Evaluate, config: &Config) -> Result<()> {
    let scenarios = match &args.scenarios {
        Some(dir) => of_folder(dir)?,
        None => built_in()?,
    };
    let (first, end) = args.seeds;
    let runs: Vec<(&Named, u64)> = scenarios
        .iter()
        .flat_map(|named| (first..end).map(move |seed| (named, seed)))
        .collect();
    let told = |done, fate: &Fate| {
        say::progress(format!(
            "{done} of {} runs, last {} {}",
            runs.len(),
            fate.scenario,
            fate.seed
        ));
    };
    let is_shared = scenarios.len() > 1;
    let before = Before::new(
        config,
        args.keep.as_deref(),
        if is_shared { 2 * args.threads } else { 0 },
    );
    let fates = each(&before, &runs, args.threads, |watched| Fate::of(&watched), told)?;
    say::progress_done();
    for fate in &fates {
        say::line(if args.json {
            serde_json::to_string(fate)?
        } else {
            row(fate)
        });
    }
    let totals = Totals::of(&fates);
    say::line(if args.json {
        serde_json::to_string(&totals)?
    } else {
        table(&totals)?
    });
    Ok(())
}

/// The scenarios that come with dialtone.
pub fn built_in() -> Result<Vec<Named>> {
    let read = |(name, _): &(&str, &str)| Ok(((*name).to_owned(), simulate::load(name)?));
    scenario::built_in().iter().map(read).collect()
}

/// Every scenario of a folder, by name.
fn of_folder(dir: &Path) -> Result<Vec<Named>> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let read = simulate::load(&path.display().to_string())?;
            scenarios.push((
                path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                read,
            ));
        }
    }
    if scenarios.is_empty() {
        bail!("{} holds no scenario (*.toml)", dir.display());
    }
    scenarios.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(scenarios)
}

/// Watches over all of these runs, so many at a time: each needs one processor and up to a gigabyte. What is made of each, in their order.
pub fn each<T: Send>(
    before: &Before<'_>,
    runs: &[(&Named, u64)],
    threads: usize,
    of: impl Fn(Watched) -> T + Sync,
    done: impl Fn(usize, &T) + Sync,
) -> Result<Vec<T>> {
    // Runs of one seed wait for each other's days before: as many seeds are taken side by side as there are threads.
    let threads = threads.max(1);
    let waiting: Mutex<VecDeque<_>> = Mutex::new(in_turn(runs, threads).into());
    let finished = std::sync::atomic::AtomicUsize::new(0);
    let take = || waiting.lock().map_or(None, |mut runs| runs.pop_front());
    let work = || {
        let one = |(i, ((name, scenario), seed)): (usize, (&Named, u64))| {
            let watched = Watched::over(before, scenario, name, seed).with_context(|| format!("{name}, seed {seed}"));
            if let (Err(_), Ok(mut runs)) = (&watched, waiting.lock()) {
                // Whoever has mistyped a scope need not wait for all the others.
                runs.clear();
            }
            let of_run = of(watched?);
            done(finished.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, &of_run);
            Ok((i, of_run))
        };
        std::iter::from_fn(take).map(one).collect::<Result<Vec<_>>>()
    };
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut outcomes = Vec::new();
        for worker in workers {
            let done = worker
                .join()
                .map_err(|_panicked| anyhow::anyhow!("a run has panicked"))?;
            outcomes.extend(done?);
        }
        Ok::<_, anyhow::Error>(outcomes)
    })?;
    outcomes.sort_by_key(|(i, _)| *i);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// All runs, with their places: by their seeds, so many seeds at a time.
fn in_turn<'a>(runs: &[(&'a Named, u64)], seeds: usize) -> Vec<(usize, (&'a Named, u64))> {
    let of: BTreeSet<u64> = runs.iter().map(|(_, seed)| *seed).collect();
    let of: BTreeMap<u64, usize> = of.into_iter().zip(0..).collect();
    let mut runs: Vec<_> = runs.iter().copied().enumerate().collect();
    runs.sort_by_key(|(_, (_, seed))| of.get(seed).map(|place| place / seeds));
    runs
}

fn row(fate: &Fate) -> String {
    let named = fate.causes.iter().filter(|cause| cause.named).count();
    let missed = fate.causes.iter().filter(|cause| !cause.named);
    let missed: Vec<String> = missed.map(|cause| format!("missed {}", cause.scope)).collect();
    let delays: Vec<String> = fate
        .causes
        .iter()
        .filter_map(|cause| Some(format!("{:.0}", cause.delay_min?)))
        .collect();
    format!(
        "{:18} {:5}  {named}/{} named  {} false{}  after {} min  {}",
        fate.scenario,
        fate.seed,
        fate.causes.len(),
        fate.false_incidents,
        match fate.false_in_history {
            0 => String::new(),
            before => format!(", {before} in its history"),
        },
        if delays.is_empty() {
            "-".to_owned()
        } else {
            delays.join(", ")
        },
        [missed, of_works(fate), fate.raised.clone()].concat().join("; ")
    )
}

/// What announced works should not have done.
fn of_works(fate: &Fate) -> Vec<String> {
    let of = |cause: &CauseFate| {
        let work = cause.announced_work.filter(|work| work.noticed)?;
        let wrong = if work.paged_during {
            "called during the work at"
        } else if work.overran && !work.paged_after {
            "nobody called though it overran, the work at"
        } else if !work.overran && work.paged_after {
            "called though over in time, the work at"
        } else {
            return None;
        };
        Some(format!("{wrong} {}", cause.scope))
    };
    fate.causes.iter().filter_map(of).collect()
}

/// Every figure on a line, with its interval.
fn table(totals: &Totals) -> Result<String> {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let line = |(name, value): (String, Value)| {
        let interval = totals.intervals.get(&name);
        let interval = interval.map_or(String::new(), |(low, high)| {
            format!("  ({} to {})", shown(*low), shown(*high))
        });
        let value = match value.as_f64() {
            Some(number) if value.is_f64() => format!("{number:.3}"),
            _ if value.is_null() => "-".to_owned(),
            _ => value.to_string(),
        };
        format!("{name:36} {value}{interval}{}", remark(&name))
    };
    let figures = figures("", serde_json::to_value(totals)?);
    let lines = figures.into_iter().filter(|(name, _)| !name.starts_with("intervals."));
    Ok(lines.map(line).collect::<Vec<_>>().join("\n"))
}

/// Every figure by its name; one within another by both names.
fn figures(name: &str, value: Value) -> Vec<(String, Value)> {
    let Value::Object(within) = value else {
        return vec![(name.to_owned(), value)];
    };
    let named = |key: String| match name {
        "" => key,
        _ => format!("{name}.{key}"),
    };
    let of_each = within.into_iter().flat_map(|(key, value)| figures(&named(key), value));
    of_each.collect()
}

/// What a name leaves open.
fn remark(name: &str) -> &'static str {
    match name {
        "cells" => "  (summed over the channels already; scopes are fewer)",
        "channels" => "  (that there are; few scopes are watched on all)",
        "f1_of_oracle" => "  (what poor call-ends alone can tell)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of no runs a share lies anywhere.
    #[test]
    fn runs_of_as_many_seeds_as_threads_are_gone_through_together() {
        let text = "name = \"x\"\nstart = \"2026-03-03T06:00:00Z\"\nhistory = \"1h\"\nevaluate = \"1h\"\n";
        let named = ["a", "b"].map(|name| (name.to_owned(), Scenario::from_toml(text).expect("a scenario")));
        let runs: Vec<(&Named, u64)> = named.iter().flat_map(|one| [4, 5, 9].map(|seed| (one, seed))).collect();
        let order = |seeds| -> Vec<(usize, u64)> {
            let turns = in_turn(&runs, seeds).into_iter();
            turns.map(|(place, (_, seed))| (place, seed)).collect()
        };
        assert_eq!(order(1), [(0, 4), (3, 4), (1, 5), (4, 5), (2, 9), (5, 9)]);
        assert_eq!(order(2), [(0, 4), (1, 5), (3, 4), (4, 5), (2, 9), (5, 9)]);
    }

    #[test]
    fn a_figure_within_another_has_a_line_and_its_interval() {
        let said = table(&Totals::of(&[])).expect("a table");
        let line = |name: &str| said.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        let lead = line("leads.up_to_1.before_third_share").expect("a line");
        assert!(lead.ends_with(" 0.000  (0.000 to 1.000)"), "{lead}");
        assert!(line("cells").is_some_and(|line| line.contains("summed")), "{said}");
        assert_eq!(line("intervals"), None);
    }
}
