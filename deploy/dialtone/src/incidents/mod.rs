//! `dialtone incidents list|show|explain|ack|silence|reassign|verdict|accept`: what is known of incidents, and what people say about them.

mod explain;
mod history;
mod list;
mod read;
mod show;
mod tell;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use dialtone_wire::{
    KafkaConfig,
    registry::{Translator, translator_of},
};

use crate::{
    changes,
    cli::{IncidentsAction, ShowIncident},
    config::Config,
    say,
};
use read::{Known, newest};

/// How its repairs went is waited for so long by who looks at an incident.
const REPAIRS: Duration = Duration::from_secs(10);

/// Reads the incidents, and does with them what the command line says.
pub async fn run(action: &IncidentsAction, config: Config) -> Result<ExitCode> {
    if let IncidentsAction::Explain(args) = action {
        explain::say(args, &config).await?;
        return Ok(ExitCode::SUCCESS);
    }
    tell::check_team(action, &config)?;
    let kafka = cluster(&config);
    let translator = translator_of(&kafka).await.context("schema registry")?;
    let known = newest(&kafka, translator.clone()).await?;
    match action {
        IncidentsAction::List(args) => list::say(&known, args, crate::wall())?,
        IncidentsAction::Show(args) => show(args, &known, &kafka, translator).await?,
        told => {
            let incident = known.find(&tell::about(told).context("nothing to say")?.id)?;
            let control = tell::control(incident, told, crate::wall())?;
            tell::send(&kafka, translator, &control).await?;
            say::line(tell::done(incident, &control));
            if let Some(absorber) = known.absorber_of(incident) {
                say::note(format!(
                    "it was absorbed by {}, which goes by itself: say it of that one",
                    absorber.id
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything known of an incident at once, then what became of its repairs, which all verdicts are read for; its history, if that is asked for.
async fn show(
    args: &ShowIncident,
    known: &Known,
    kafka: &KafkaConfig,
    translator: Option<Arc<Translator>>,
) -> Result<()> {
    let incident = known.find(&args.id)?;
    if args.json {
        say::line(serde_json::to_string(incident)?);
        return Ok(());
    }
    show::lines(incident, known.absorber_of(incident))
        .iter()
        .for_each(say::line);
    match changes::newest(kafka, translator.clone(), REPAIRS).await {
        Ok(verdicts) => show::repairs(&verdicts.repairs(incident)).iter().for_each(say::line),
        Err(error) => say::note(format!("how its repairs went is not known: {error:#}")),
    }
    if args.history {
        let history = history::of(&incident.id, kafka, translator).await?;
        say::named("history", history).iter().for_each(say::line);
    }
    Ok(())
}

/// The broker that the stages of this configuration use: the embedded one listens where it is told to.
pub(crate) fn cluster(config: &Config) -> KafkaConfig {
    let mut kafka = config.kafka.clone();
    if config.broker.embedded {
        let listen = config.broker.listen.to_string();
        kafka.properties.insert("bootstrap.servers".into(), listen);
    }
    kafka
}
