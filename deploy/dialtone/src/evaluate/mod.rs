//! `dialtone evaluate`: simulate, watch, compare with the truth, over scenarios and seeds.

mod before;
mod doors;
mod fate;
mod in_order;
mod interval;
mod kept;
mod leads;
mod oracle;
mod planted;
mod revision;
mod score;
mod simulated;
mod table;
mod totals;
mod watched;
mod work;

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, anyhow, bail};
use dialtone_simulator::{Scenario, scenario};

use self::in_order::InOrder;
use crate::{cli, config::Config, say, simulate};
pub use before::Before;
pub use fate::{CauseFate, Fate};
pub use simulated::Simulated;
pub use totals::Totals;
pub use watched::Watched;

/// A scenario with its name.
pub type Named = (String, Scenario);

/// Does what the command line says. What is known of a run is said as soon as that of all runs before it was, seed by seed: a run that fails
/// loses none of the others that are over, an interrupt those that still wait for one before them.
pub fn run(args: &cli::Evaluate, config: &Config) -> Result<()> {
    let scenarios = match &args.scenarios {
        Some(dir) => of_folder(dir)?,
        None => built_in()?,
    };
    let (first, end) = args.seeds;
    // By seeds, as they are gone through: otherwise nearly all runs would wait for those of the first scenario.
    let runs: Vec<(&Named, u64)> = (first..end)
        .flat_map(|seed| scenarios.iter().map(move |named| (named, seed)))
        .collect();
    let is_shared = scenarios.len() > 1;
    let before = Before::new(
        config,
        args.keep.as_deref(),
        if is_shared { 2 * args.threads } else { 0 },
    );
    let lines: Mutex<InOrder<String>> = Mutex::default();
    let told = |done: usize, place: usize, fate: &Fate| -> Result<()> {
        let line = if args.json {
            serde_json::to_string(fate)?
        } else {
            table::row(fate)
        };
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        say::progress_gone();
        lines.put(place, line).into_iter().for_each(say::line);
        say::progress(format!(
            "{} {done} of {} runs, last {} {}",
            say::bar(done, runs.len()),
            runs.len(),
            fate.scenario,
            fate.seed
        ));
        Ok(())
    };
    let fates = each(&before, &runs, args.threads, |watched| Fate::of(&watched), told);
    say::progress_done();
    let waiting = lines.into_inner().unwrap_or_else(PoisonError::into_inner).rest();
    waiting.into_iter().for_each(say::line);
    let totals = Totals::of(&fates?);
    say::line(if args.json {
        serde_json::to_string(&totals)?
    } else {
        table::table(&totals)?
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
/// Of each that is done is told how many are, its place, and what was made of it, in whatever order that comes. One that fails or panics ends
/// it, and is named.
pub fn each<T: Send>(
    before: &Before<'_>,
    runs: &[(&Named, u64)],
    threads: usize,
    of: impl Fn(Watched) -> T + Sync,
    done: impl Fn(usize, usize, &T) -> Result<()> + Sync,
) -> Result<Vec<T>> {
    // Runs of one seed wait for each other's days before: as many seeds are taken side by side as there are threads.
    let threads = threads.max(1);
    let waiting: Mutex<VecDeque<_>> = Mutex::new(in_turn(runs, threads).into());
    let finished = AtomicUsize::new(0);
    let take = || waiting.lock().map_or(None, |mut runs| runs.pop_front());
    let work = || {
        let one = |(place, ((name, scenario), seed)): (usize, (&Named, u64))| {
            let outcome = caught(|| {
                let of_run = of(Watched::over(before, scenario, name, seed)?);
                done(finished.fetch_add(1, Ordering::Relaxed) + 1, place, &of_run)?;
                Ok((place, of_run))
            });
            if let (Err(_), Ok(mut runs)) = (&outcome, waiting.lock()) {
                // Whoever has mistyped a scope need not wait for all the others.
                runs.clear();
            }
            outcome.with_context(|| format!("{name}, seed {seed}"))
        };
        std::iter::from_fn(take).map(one).collect::<Result<Vec<_>>>()
    };
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut outcomes = Vec::new();
        for worker in workers {
            let done = worker
                .join()
                .map_err(|panic| anyhow!("a worker has panicked: {}", words(&*panic)))?;
            outcomes.extend(done?);
        }
        Ok::<_, anyhow::Error>(outcomes)
    })?;
    outcomes.sort_by_key(|(i, _)| *i);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// A run that panics is one that fails. Nothing that it leaves half done is read as if it were whole: runs share a queue and a count, both
/// changed in one step, lines that wait, and watches that have studied, which are stored only when they have. What it alone had is gone.
fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(run));
    outcome.unwrap_or_else(|panic| Err(anyhow!("it has panicked: {}", words(&*panic))))
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let whole = panic.downcast_ref::<String>().map(String::as_str);
    let literal = panic.downcast_ref::<&str>().copied();
    whole.or(literal).unwrap_or("it does not say why")
}

/// All runs, with their places: so many seeds at a time, of each of them one run after the other.
fn in_turn<'a>(runs: &[(&'a Named, u64)], seeds: usize) -> Vec<(usize, (&'a Named, u64))> {
    let of: BTreeSet<u64> = runs.iter().map(|(_, seed)| *seed).collect();
    let of: BTreeMap<u64, usize> = of.into_iter().zip(0..).collect();
    let mut of_seed: BTreeMap<u64, usize> = BTreeMap::new();
    let mut in_turn = Vec::with_capacity(runs.len());
    for (place, run) in runs.iter().copied().enumerate() {
        let earlier = of_seed.entry(run.1).or_default();
        in_turn.push(((of.get(&run.1).map(|seed| seed / seeds), *earlier), (place, run)));
        *earlier += 1;
    }
    in_turn.sort_by_key(|(turn, _)| *turn);
    in_turn.into_iter().map(|(_, run)| run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_panics_is_one_that_fails_and_says_why() {
        let said = |outcome: Result<u8>| outcome.map_err(|error| error.to_string());
        assert_eq!(said(caught(|| Ok(7))), Ok(7));
        assert_eq!(said(caught(|| bail!("no site"))), Err("no site".to_owned()));
        let panicked = |why: &str| -> Result<u8, String> { Err(format!("it has panicked: {why}")) };
        assert_eq!(said(caught(|| panic!("no site"))), panicked("no site"));
        let site = String::from("oslo");
        assert_eq!(said(caught(|| panic!("no site {site}"))), panicked("no site oslo"));
    }

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
        // The same runs written down by seeds: a4 b4 a5 b5 a9 b9.
        let by_seeds: Vec<(&Named, u64)> = [4, 5, 9]
            .iter()
            .flat_map(|seed| named.iter().map(move |one| (one, *seed)))
            .collect();
        let turns: Vec<usize> = in_turn(&by_seeds, 2).into_iter().map(|(place, _)| place).collect();
        assert_eq!(turns, [0, 2, 1, 3, 4, 5]);
    }
}
