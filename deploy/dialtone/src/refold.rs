//! Watch over what lies in the lake: the same fold over the same logs, with the configuration of now.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use dialtone_processor::offline::Watching;
use dialtone_schemas::{Control, EventTime, Span, avro, control::ControlKind, topic::Topic};
use dialtone_sinks::lake::{Days, Reader};
use dialtone_wire::{LogRecord, Payload, Place};

use crate::{
    config::Config,
    past::{MOST_ROWS, Past},
};

/// The days from one instant to another, and so many after them.
pub const fn days(first: EventTime, last: EventTime, tail: i32) -> Days {
    Days {
        first: first.day(),
        last: last.day() + tail,
    }
}

/// The fold as it was at an instant, from what lies in the lake: its logs since so long before, and what the days before these teach.
pub async fn as_of(lake: Option<&PathBuf>, at: EventTime, history: Span, config: &Config) -> Result<Watching> {
    let lake = lake.unwrap_or(&config.sink.lake_dir);
    let days = days(at.plus(-history.micros()), at, 1);
    refold((lake, days), config, at).await
}

/// Lets a fold that has studied the days before read its logs of these days, each as far as it wants it, until it has folded every tick up
/// to an instant.
pub async fn refold((lake, days): (&Path, Days), config: &Config, until: EventTime) -> Result<Watching> {
    is_lake(lake)?;
    let read = Reader::new(lake, days, MOST_ROWS).logs().await;
    let logs = read.with_context(|| format!("the lake {} cannot be read", lake.display()))?;
    let past = Past::before(lake, days.first, config.processor.days_to_study()).await?;
    fold(logs, &past, config, until)
}

/// A path that was mistyped is told as that, before a table is looked for below it.
pub fn is_lake(lake: &Path) -> Result<()> {
    let shown = lake.display();
    if !lake.is_dir() {
        bail!("no lake at {shown}: there is no such folder");
    }
    if !lake.join("summaries").is_dir() {
        bail!("no lake at {shown}: it has no table of summaries");
    }
    Ok(())
}

fn fold(logs: BTreeMap<Place, Vec<LogRecord>>, past: &Past, config: &Config, until: EventTime) -> Result<Watching> {
    for topic in [Topic::Summaries, Topic::Changes, Topic::Complaints, Topic::Control] {
        if !logs.keys().any(|place| place.0 == topic) {
            bail!(
                "the lake has nothing of {} on these days, not even how far time had got",
                topic.suffix()
            );
        }
    }
    let mut watching = Watching::over(config.watch(config.owners()?), logs.keys().copied());
    past.teach_all(&mut watching);
    let mut logs: Vec<_> = logs
        .into_iter()
        .map(|(place, log)| (place, log.into_iter().peekable()))
        .collect();
    let mut is_pressed = false;
    let is_there = |watching: &Watching| watching.watch().next_tick().is_some_and(|tick| tick.time() > until);
    while logs.iter_mut().any(|(_, log)| log.peek().is_some()) && !is_there(&watching) {
        let mut has_moved = false;
        for (place, log) in &mut logs {
            // Where every log is ahead of another one, time stands still in the lake: each gives one record.
            while (is_pressed || watching.wants(*place)) && !is_there(&watching) {
                let Some(record) = log.next() else { break };
                has_moved = true;
                if !configures(&record)? {
                    watching.hear((*place, record.payload))?;
                }
                if is_pressed {
                    break;
                }
            }
        }
        is_pressed = !has_moved;
    }
    Ok(watching)
}

/// Is it a configuration of then? Another one is to be tried.
fn configures(record: &LogRecord) -> Result<bool> {
    match &record.payload {
        Payload::Config(_) => Ok(true),
        Payload::Value(frame) if record.place.0 == Topic::Control => {
            let control: Control = avro::record_from_built_in_frame(frame)?;
            Ok(control.kind == ControlKind::Configure)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_lake_is_told_by_its_path() {
        let dir = tempfile::tempdir().expect("a folder");
        let said = |path: &Path| {
            is_lake(path).map_err(|error| error.to_string().replace(&dir.path().display().to_string(), "D"))
        };
        let refused = |path: &Path| said(path).expect_err("no lake");
        assert_eq!(
            refused(&dir.path().join("laek")),
            "no lake at D/laek: there is no such folder"
        );
        assert_eq!(refused(dir.path()), "no lake at D: it has no table of summaries");
        std::fs::create_dir(dir.path().join("summaries")).expect("a folder");
        assert_eq!(said(dir.path()), Ok(()));
    }
}
