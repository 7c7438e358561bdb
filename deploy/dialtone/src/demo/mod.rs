//! `dialtone demo`: everything on one machine, in one process, against a simulated enterprise; and was it right?
//!
//! The simulator's reports go through the real doors over real sockets. It moves on only when every door has acknowledged,
//! and by less than the smallest bound, so that nothing is late.

pub mod conclusion;
pub mod feed;
pub mod folder;

use std::{collections::BTreeMap, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use dialtone_broker::{Broker, BrokerConfig};
use dialtone_schemas::{ChangeVerdict, Incident, Record, Span, Text, avro, topic::Topic};
use dialtone_simulator::Simulation;
use dialtone_wire::{Payload, whole};

use crate::{
    cli,
    config::Config,
    judge::Judgement,
    say, simulate,
    stage::{Ingest, Process, Sink, Wire},
};
use conclusion::Conclusion;
use feed::Feed;
use folder::Folder;

/// How long the stages may take for what is left when the last report has been acknowledged.
const CATCH_UP: Duration = Duration::from_secs(120);
/// How often they are asked.
const ASK: Duration = Duration::from_millis(100);

/// Runs the demo; success only if every planted cause was named and nothing else was raised.
pub async fn run(args: &cli::Demo, config: Config) -> Result<ExitCode> {
    let scenario = simulate::shortened(&args.scenario, args.history)?;
    let mut simulation = Simulation::new(&scenario, args.seed);
    simulation.check()?;
    let folder = Folder::prepare(args.dir.as_deref(), args.overwrite)?;
    let history = Span::from_micros(scenario.history.0);
    let text = format!(
        "# As run with --history {history}.\n{}",
        simulate::text(&args.scenario)?
    );
    let config = folder.write(&simulation, &text, config)?;

    let broker = Broker::start(BrokerConfig::new(folder.broker()))
        .await
        .context("embedded broker")?;
    let config = folder.with_broker(config, &broker.bootstrap())?;
    say::note(format!("everything of this run: {}", folder.path().display()));
    say::note(format!("embedded broker on {}", broker.bootstrap()));

    let wire = Wire::connect(&config).await?;
    // When reports come in. The demo's dates are in the past, so no report is from the future.
    let clock: dialtone_ingest::Now = Arc::new(crate::wall);
    let ingest = Ingest::start(&config, &wire, clock).await?;
    let process = Process::start(&config, &wire).await?;
    let sink = Sink::start(&config, &wire).await?;
    say::note(format!("doors: http://{} and sip:{:?}", ingest.http(), ingest.sip()));

    let mut feed = Feed::open(&ingest, &folder.token()).await?;
    let fed = feed
        .everything(&mut simulation, scenario.judged_from(), &config)
        .await?;
    ingest.service().close().await?;
    settle(&process, &sink).await?;

    let mut incidents = last_of(&config, &wire, Topic::Incidents, |incident: &Incident| {
        incident.id.clone()
    })
    .await?;
    incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
    let about = |verdict: &ChangeVerdict| verdict.change_id.clone();
    let verdicts = last_of(&config, &wire, Topic::ChangeVerdicts, about).await?;
    folder.keep_incidents(&incidents)?;
    let truth = simulation.truth();
    let judgement = Judgement::of(truth, &incidents, &fed.calls);
    Conclusion {
        judgement: &judgement,
        verdicts: &verdicts,
        fed: &fed,
        folder: &folder,
    }
    .say();

    ingest.stop().await?;
    process.stop().await?;
    sink.stop().await?;
    drop(wire);
    broker.shutdown().await;
    Ok(if judgement.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits until both folds and the lake have everything.
async fn settle(process: &Process, sink: &Sink) -> Result<()> {
    let mut quiet = 0;
    let deadline = tokio::time::Instant::now() + CATCH_UP;
    let mut every = tokio::time::interval(ASK);
    // Twice in a row: what summarise has just told is still on its way to watch.
    while quiet < 5 {
        every.tick().await;
        if tokio::time::Instant::now() > deadline {
            bail!("the stages have not caught up within {} s", CATCH_UP.as_secs());
        }
        let stages = process.status();
        let lag: i64 = stages.iter().map(|status| status.lag).sum();
        say::progress(format!("catching up: {lag} records left"));
        let done = stages.iter().all(|status| status.caught_up) && sink.caught_up();
        quiet = if done { quiet + 1 } else { 0 };
    }
    say::progress_done();
    Ok(())
}

/// The last record of a topic about each of what its records are about, by that.
async fn last_of<R: Record + Send + 'static>(
    config: &Config,
    wire: &Wire,
    topic: Topic,
    about: fn(&R) -> Text,
) -> Result<Vec<R>> {
    let kafka = config.kafka.clone();
    let translator = wire.translator.clone();
    let read = tokio::task::spawn_blocking(move || -> Result<Vec<R>> {
        let mut frames = Vec::new();
        whole::read(&kafka, topic, translator, CATCH_UP, |record| {
            if let Payload::Value(frame) = record.payload {
                frames.push(frame);
            }
        })?;
        let mut last = BTreeMap::new();
        for frame in frames {
            let record: R = avro::record_from_built_in_frame(&frame)?;
            last.insert(about(&record), record);
        }
        Ok(last.into_values().collect())
    });
    read.await?
}
