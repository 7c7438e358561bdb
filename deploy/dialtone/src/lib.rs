//! The one binary: reads the configuration, starts what the command line names, says what happened.

pub mod admin;
pub mod backtest;
pub mod changes;
pub mod cli;
pub mod config;
pub mod demo;
pub mod evaluate;
pub mod incidents;
pub mod judge;
pub mod localize;
pub mod past;
pub mod refold;
pub mod replay;
pub mod report;
pub mod say;
pub mod schema;
pub mod simulate;
pub mod stage;
pub mod telemetry;
mod topic;
pub mod topics;
pub mod validate;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Result;
use dialtone_schemas::EventTime;

use cli::{Cli, Command, SchemaAction};
use config::Config;
use stage::Which;

/// Records are many small texts and maps, made on one thread and dropped on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// At the end, what blocks a thread has this long.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Does what the command line says.
pub fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Demo(args) => asynchronously(cli, |config| demo::run(args, config)),
        Command::Ingest => serve(
            cli,
            Which {
                ingest: true,
                process: false,
                sink: false,
            },
        ),
        Command::Process => serve(
            cli,
            Which {
                ingest: false,
                process: true,
                sink: false,
            },
        ),
        Command::Sink => serve(
            cli,
            Which {
                ingest: false,
                process: false,
                sink: true,
            },
        ),
        Command::All => serve(
            cli,
            Which {
                ingest: true,
                process: true,
                sink: true,
            },
        ),
        Command::Simulate(args) => simulate::run(args).map(|()| ExitCode::SUCCESS),
        Command::Replay(args) => replay::run(args, &load(cli)?).map(|()| ExitCode::SUCCESS),
        Command::Evaluate(args) => evaluate::run(args, &load(cli)?).map(|()| ExitCode::SUCCESS),
        Command::Localize(args) => localize::run(args),
        Command::Incidents { action } => asynchronously(cli, async |config| incidents::run(action, config).await),
        Command::Changes { action } => asynchronously(cli, async |config| changes::run(action, config).await),
        Command::Backtest(args) => asynchronously(cli, async |config| {
            backtest::run(args, &config).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Command::Report(args) => asynchronously(cli, async |config| {
            report::run(args, &config).await?;
            Ok(ExitCode::SUCCESS)
        }),
        Command::Validate => validate::run(&load(cli)?),
        Command::Topics { action } => asynchronously(cli, async |config| topics::run(*action, &config).await),
        Command::Schema { action } => match action {
            SchemaAction::Show { record, language } => schema::show(record, *language).map(|()| ExitCode::SUCCESS),
            SchemaAction::Check => asynchronously(cli, async |config| schema::check(&config).await),
            SchemaAction::Register => asynchronously(cli, async |config| schema::register(&config).await),
        },
    }
}

fn load(cli: &Cli) -> Result<Config> {
    #[allow(clippy::disallowed_methods, reason = "only here is the environment read")]
    let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let mut ours = Vec::new();
    for (name, value) in environment.filter(|(name, _)| name.starts_with("DIALTONE_")) {
        match value.into_string() {
            Ok(value) => ours.push((name, value)),
            Err(_) => anyhow::bail!("environment variable {name}: not UTF-8"),
        }
    }
    config::load(cli.config.as_deref(), ours.into_iter())
}

/// Runs on the async runtime, with logs.
fn asynchronously<F: Future<Output = Result<ExitCode>>>(cli: &Cli, what: impl FnOnce(Config) -> F) -> Result<ExitCode> {
    let mut config = load(cli)?;
    if matches!(
        cli.command,
        Command::Demo(_)
            | Command::Incidents { .. }
            | Command::Changes { .. }
            | Command::Backtest(_)
            | Command::Report(_)
    ) && config.log.level == "info"
    {
        // These say themselves what a person wants to know.
        config.log.level = "warn".to_owned();
    }
    telemetry::install(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(what(config));
    // A question to a broker that does not answer must not keep the process.
    runtime.shutdown_timeout(LAST_WAIT);
    outcome
}

fn serve(cli: &Cli, which: Which) -> Result<ExitCode> {
    asynchronously(cli, async |config| {
        stage::run(which, config, Arc::new(wall)).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The wall clock: the one place where it is read for reports.
fn wall() -> EventTime {
    dialtone_wire::fold::live::wall(std::time::SystemTime::now())
}
