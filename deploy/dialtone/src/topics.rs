//! `dialtone topics plan|apply`

use std::process::ExitCode;

use anyhow::Result;
use dialtone_wire::topics::{TopicAction, apply, describe, plan};

use crate::{cli::TopicsAction, config::Config, say};

/// Says what differs, and creates what is missing if told so.
pub async fn run(action: TopicsAction, config: &Config) -> Result<ExitCode> {
    let planned = plan(&config.kafka, &describe(&config.kafka).await?);
    planned.iter().for_each(say::line);
    let refused = planned
        .iter()
        .any(|topic| matches!(topic.action, TopicAction::Refuse(_)));
    if refused {
        return Ok(ExitCode::FAILURE);
    }
    if matches!(action, TopicsAction::Apply) {
        apply(&config.kafka, &planned).await?;
        say::line("done");
    }
    Ok(ExitCode::SUCCESS)
}
