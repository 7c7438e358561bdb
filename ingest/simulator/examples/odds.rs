//! `odds [SEED...]`: what the faults of every built-in scenario do to the odds of a poor call-end.
#![allow(clippy::print_stdout, reason = "an example talks to a person")]

#[path = "../tests/simulator/audit.rs"]
mod audit;

use dialtone_schemas::time;
use dialtone_simulator::{Simulation, scenario};

fn main() {
    let mut seeds: Vec<u64> = std::env::args()
        .skip(1)
        .map(|seed| seed.parse().expect("a seed"))
        .collect();
    if seeds.is_empty() {
        seeds = vec![1, 2, 3];
    }
    println!("scenario,seed,kind,scope,ends_per_min,inside,far,outside,odds_ratio,excess_per_min,aliases");
    for (name, _) in scenario::built_in() {
        for seed in &seeds {
            let mut simulation = Simulation::new(&audit::short(name), *seed);
            let ends = audit::call_ends(&mut simulation);
            let truth = simulation.truth();
            for cause in &truth.causes {
                let (inside, outside) = audit::inside_outside(cause, &truth.causes, &ends, truth.end);
                let span = cause.until.unwrap_or(truth.end).since(cause.onset);
                let minutes = f64::from(i32::try_from(span / time::MINUTE).expect("hours"));
                let aliases: Vec<String> = cause.aliases.iter().map(ToString::to_string).collect();
                println!(
                    "{name},{seed},{:?},{}{},{:.2},{:.3},{:.3},{:.3},{:.1},{:.2},{}",
                    cause.kind,
                    cause.scope,
                    cause
                        .device_id
                        .as_ref()
                        .map_or_else(String::new, |id| format!(" device_id={id}")),
                    inside.all / minutes,
                    inside.rate(),
                    audit::near_far_neither(cause, &ends)[1].rate(),
                    outside.rate(),
                    inside.odds() / outside.odds(),
                    (inside.poor - inside.all * outside.rate()) / minutes,
                    aliases.join(" | "),
                );
            }
        }
    }
}
