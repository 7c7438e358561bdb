//! `dialtone incidents list|show|explain|ack|silence|reassign|verdict|accept`: what is known of incidents, and what people say about them.

mod explain;
mod list;
mod read;
mod show;
mod tell;

use std::process::ExitCode;

use anyhow::{Context, Result};
use dialtone_wire::{KafkaConfig, registry::translator_of};

use crate::{cli::IncidentsAction, config::Config, say};
use read::newest;

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
        IncidentsAction::Show { id, json: true } => say::line(serde_json::to_string(known.find(id)?)?),
        IncidentsAction::Show { id, json: false } => show::lines(known.find(id)?).iter().for_each(say::line),
        told => {
            let incident = known.find(&tell::about(told).context("nothing to say")?.id)?;
            let control = tell::control(incident, told, crate::wall())?;
            tell::send(&kafka, translator, &control).await?;
            say::line(tell::done(incident, &control));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The broker that the stages of this configuration use: the embedded one listens where it is told to.
fn cluster(config: &Config) -> KafkaConfig {
    let mut kafka = config.kafka.clone();
    if config.broker.embedded {
        let listen = config.broker.listen.to_string();
        kafka.properties.insert("bootstrap.servers".into(), listen);
    }
    kafka
}
