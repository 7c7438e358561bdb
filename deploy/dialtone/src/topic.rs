//! A topic read whole by somebody who asks: to its present end, record by record.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Error, Result, anyhow};
use dialtone_schemas::{Text, topic::Topic};
use dialtone_wire::{KafkaConfig, LogRecord, registry::Translator, whole};

/// Candidates named when a beginning of an id has several.
const MOST_NAMED: usize = 10;

/// What `take` makes of the records of a topic, whose present end must be reached in this time. Errors say `what` could not be read, and where.
pub(crate) async fn read<T: Default + Send + 'static>(
    kafka: &KafkaConfig,
    (topic, what): (Topic, &str),
    translator: Option<Arc<Translator>>,
    wait: Duration,
    take: impl Fn(&mut T, &LogRecord) + Send + 'static,
) -> Result<T> {
    let at = kafka.properties.get("bootstrap.servers").cloned().unwrap_or_default();
    let kafka = kafka.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let mut known = T::default();
        whole::read(&kafka, topic, translator, wait, |record| take(&mut known, &record)).map(|()| known)
    });
    reading
        .await?
        .with_context(|| format!("{what} cannot be read from {at}"))
}

/// Several begin with an id: which, or the first of them and how many more.
pub(crate) fn not_one(id: &Text, kind: &str, several: &[String]) -> Error {
    let named = &several[..several.len().min(MOST_NAMED)];
    let more = match several.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    anyhow!("{id} is not one {kind}: {}{more}", named.join(", "))
}
