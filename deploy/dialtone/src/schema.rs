//! `dialtone schema show|check|register`

use std::process::ExitCode;

use anyhow::{Context, Result};
use dialtone_schemas::{RecordKind, json_schema};
use dialtone_wire::registry::{Registry, Subject};

use crate::{cli::SchemaLanguage, config::Config, say};

/// Prints the schema of a record.
pub fn show(record: &str, language: SchemaLanguage) -> Result<()> {
    let names = || RecordKind::ALL.map(RecordKind::name).join(", ");
    let kind = RecordKind::ALL
        .into_iter()
        .find(|kind| kind.name() == record)
        .with_context(|| format!("no record {record:?}: expected one of {}", names()))?;
    match language {
        SchemaLanguage::Avro => say::line(kind.avsc().trim_end()),
        SchemaLanguage::JsonSchema => say::line(serde_json::to_string_pretty(&json_schema::of(kind))?),
    }
    Ok(())
}

/// Asks the registry whether ours fit what it has; success only if all do.
pub async fn check(config: &Config) -> Result<ExitCode> {
    let subjects = registry(config)?.check(&config.kafka).await?;
    subjects.iter().for_each(describe);
    let fit = subjects.iter().all(|subject| subject.compatible);
    Ok(if fit { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Registers what is missing.
pub async fn register(config: &Config) -> Result<ExitCode> {
    registry(config)?
        .register(&config.kafka)
        .await?
        .iter()
        .for_each(describe);
    Ok(ExitCode::SUCCESS)
}

fn registry(config: &Config) -> Result<Registry> {
    let settings = config
        .kafka
        .registry
        .as_ref()
        .context("kafka.registry.url is not set: built-in ids are in force")?;
    Ok(Registry::new(settings)?)
}

fn describe(subject: &Subject) {
    let id = subject
        .id
        .map_or_else(|| "not registered".to_owned(), |id| format!("id {id}"));
    let fits = if subject.compatible {
        "compatible"
    } else {
        "INCOMPATIBLE"
    };
    say::line(format!("{} ({}): {id}, {fits}", subject.name, subject.kind.name()));
}
