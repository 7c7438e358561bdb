//! Logs: for people or for machines, to standard error.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogConfig, LogFormat};

/// Libraries that call each of their steps news; what the configuration says of them counts.
const QUIET: &str = "delta_kernel=warn,buoyant_kernel=warn,deltalake_core=warn";

/// Installs the subscriber; a second call changes nothing.
pub fn install(config: &LogConfig) -> Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.level));
    let filter = filter.with_context(|| format!("log.level {:?}", config.level))?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let installed = match config.format {
        LogFormat::Pretty => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    drop(installed); // a test has installed one before
    Ok(())
}
