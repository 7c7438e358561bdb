//! What is named of built-in scenarios: `cargo run --release --example detect -- SCENARIO[,SCENARIO…] FIRST..END`.
//!
//! A line for each run: how many causes were named, what else was raised, and for each cause how far the middle of the
//! onset's interval lies from the truth, how wide the interval is, and how long after the onset the incident opened, in minutes.
#![allow(clippy::print_stdout, reason = "an example speaks")]

use anyhow::{Context, Result};
use dialtone_schemas::{EventTime, time};
use dialtone_tests::watch_over_all;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let names = args.next().context("which scenarios?")?;
    let seeds = args.next().unwrap_or_else(|| "101..102".into());
    let (first, end) = seeds.split_once("..").context("seeds are FIRST..END")?;
    let seeds = first.parse::<u64>()?..end.parse()?;
    let runs: Vec<(&str, u64)> = names
        .split(',')
        .flat_map(|name| seeds.clone().map(move |seed| (name, seed)))
        .collect();
    let watched = watch_over_all(&runs)?;
    for run in &watched {
        println!("{}", run.row());
        for other in run.judgement().others {
            println!(
                "    raised {} as {}, opened {:?}",
                other.scope,
                other.metric,
                other.opened.map(|t| t.to_string())
            );
        }
        for named in run.judgement().causes {
            let (Some(incident), cause) = (named.incident, named.cause) else {
                continue;
            };
            let (from, to) = (incident.onset.from, incident.onset.to);
            let middle = from.plus(to.since(from) / 2);
            println!(
                "    {}: onset {:+.1} ± {:.1}, opened {:+.0}",
                cause.scope,
                minutes(middle, cause.onset),
                minutes(to, from) / 2.0,
                incident.opened.map_or(f64::NAN, |opened| minutes(opened, cause.onset)),
            );
        }
    }
    let clean = watched.iter().filter(|run| run.judgement().is_clean()).count();
    println!("{clean} of {} runs clean", watched.len());
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "minutes of days")]
fn minutes(a: EventTime, b: EventTime) -> f64 {
    a.since(b) as f64 / time::MINUTE as f64
}
