//! `dialtone replay`: the same normalising, folds and incidents over files, without Kafka.
//!
//! Lines are taken as they stand, so that the same lines through the doors give the same; where that would make any late,
//! by event time. They are hashed into the configured number of partitions. Equal input gives byte-equal output.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use dialtone_ingest::{
    IngestRules, Normaliser, PrivacyKey, Sites,
    receive::{graph, json},
    service::Content,
};
use dialtone_processor::{Offline, config::Lateness, summarise::judge::class_of};
use dialtone_schemas::{
    Change, Class, Complaint, Control, Event, EventTime, Incident, Source, Text, Tick, Window, avro, topic::event_key,
};
use serde::de::DeserializeOwned;

use crate::{
    cli,
    config::{Config, read_owners},
    say,
};

/// Longest file of call records, unpacked.
const MAX_RECORDS: u64 = 256 * 1024 * 1024;
/// Call records of one file.
const MAX_CALL_RECORDS: usize = 1_000_000;
/// Longest line taken, as at the HTTP door.
const MAX_LINE: usize = 1 << 20;
/// The users and machines in a replay are sealed with a key that everybody knows: nothing sealed leaves it, and equal input
/// must give equal output.
const REPLAY_KEY: [u8; 32] = *b"dialtone replay seals nothing!!!";

/// What was read and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Lines read.
    pub lines: u64,
    /// Lines that could not be taken.
    pub rejected: u64,
}

impl Tally {
    /// Counts one that could not be taken, and says why of the first ones.
    fn reject(&mut self, at: &str, why: &anyhow::Error) {
        self.rejected += 1;
        if self.rejected <= 10 {
            say::note(format!("{at}: rejected: {why:#}"));
        }
    }
}

/// Replays files, writes incidents, says what it did.
pub fn run(args: &cli::Replay, config: &Config) -> Result<()> {
    let sites = match &args.sites {
        Some(path) => read_sites(path)?,
        None => config.sites()?,
    };
    let owners = match &args.owners {
        Some(path) => read_owners(path)?,
        None => config.owners()?,
    };
    let normaliser = normaliser(config, sites);
    let mut offline = Offline::new(
        &config.processor.summarise,
        config.watch(owners),
        config.kafka.partitions,
    );
    let tenant = Text::new("replay")?;
    let mut tally = Tally::default();

    let mut events = Events::default();
    if let Some(path) = &args.events {
        each(path, &mut tally, |event: Event| {
            events.take(vec![event], Source::Http, &normaliser, &tenant)
        })?;
    }
    for path in &args.graph {
        call_records(path, &mut tally, |streams| {
            events.take(streams, Source::Graph, &normaliser, &tenant)
        })?;
    }
    if let Some(path) = &args.changes {
        each(path, &mut tally, |change: Change| {
            offline.change(&normaliser.change(change, &tenant, None)?)?;
            Ok(())
        })?;
    }
    if let Some(path) = &args.complaints {
        each(path, &mut tally, |complaint: Complaint| {
            offline.complaint(&normaliser.complaint(complaint, &tenant)?)?;
            Ok(())
        })?;
    }
    if let Some(path) = &args.control {
        each(path, &mut tally, |control: Control| {
            offline.control(&normaliser.control(control, &tenant)?)?;
            Ok(())
        })?;
    }
    events.feed(&mut offline, &config.processor.summarise.lateness)?;
    write_incidents(args.incidents_out.as_deref(), &offline.incidents())?;
    report(&offline, tally);
    if tally.lines > 0 && tally.rejected == tally.lines {
        bail!("every line was rejected: are these files of events, changes, complaints and control records?");
    }
    Ok(())
}

/// By the configuration's rules, with the key of replays.
pub fn normaliser(config: &Config, sites: Sites) -> Normaliser {
    Normaliser::new(IngestRules {
        sites,
        key: PrivacyKey::from_bytes(REPLAY_KEY),
        privacy: config.ingest.privacy.rules,
        scoring: config.ingest.scoring.clone(),
    })
}

/// One event as it would lie in the log.
#[derive(Debug)]
struct Line {
    end: EventTime,
    class: Class,
    key: Vec<u8>,
    frame: Bytes,
}

/// Events as they would lie in the log, until all are read and their order is known.
#[derive(Debug, Default)]
pub struct Events(Vec<Line>);

impl Events {
    /// Normalises events that stand or fall together, and keeps them.
    pub fn take(&mut self, events: Vec<Event>, source: Source, normaliser: &Normaliser, tenant: &Text) -> Result<()> {
        let line = |event| {
            let event = normaliser.event(event, tenant, source, None)?;
            Ok(Line {
                end: event.end,
                class: class_of(&event),
                key: event_key(tenant.as_str(), event.call_id.as_str()),
                frame: avro::built_in_frame_from(&event)?.into(),
            })
        };
        self.0.extend(events.into_iter().map(line).collect::<Result<Vec<_>>>()?);
        Ok(())
    }

    /// Would any line come after its window had closed, if they came in the order of the file?
    fn are_out_of_order(&self, lateness: &Lateness) -> bool {
        let mut highest = EventTime::MIN;
        self.0.iter().any(|line| {
            let closes = Tick::ceil(Window::of_end(line.end).end().plus(lateness.of(line.class)));
            let is_late = closes <= Tick::floor(highest);
            highest = highest.max(line.end);
            is_late
        })
    }

    /// Feeds everything to the end: as the lines stand, or by event time where they stand too far from it.
    pub fn feed(mut self, offline: &mut Offline, lateness: &Lateness) -> Result<()> {
        if self.are_out_of_order(lateness) {
            say::note("the lines are out of order: taken by event time");
            self.0
                .sort_by(|a, b| (a.end, a.class, &a.frame).cmp(&(b.end, b.class, &b.frame)));
        }
        let total = self.0.len();
        for (i, line) in self.0.into_iter().enumerate() {
            offline.framed_event(&line.key, line.frame)?;
            if i % 20_000 == 0 {
                say::progress(format!("{} {i} of {total} events", say::bar(i, total)));
            }
        }
        say::progress_done();
        offline.finish()?;
        Ok(())
    }
}

/// Each record of a file of lines: NDJSON as it is, or packed with gzip or zstd.
fn each<R: DeserializeOwned>(path: &Path, tally: &mut Tally, mut take: impl FnMut(R) -> Result<()>) -> Result<()> {
    let name = path.display();
    let mut lines = open(path).with_context(|| format!("cannot read {name}"))?;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX) + 1;
        let read = lines
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("{name} line {number}"))?;
        if read == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        tally.lines += 1;
        let taken = if line.len() > MAX_LINE {
            Err(anyhow::anyhow!("longer than {MAX_LINE} bytes"))
        } else {
            json::read::<R>(line.trim_ascii())
                .map_err(Into::into)
                .and_then(&mut take)
        };
        if let Err(error) = taken {
            tally.reject(&format!("{name} line {number}"), &error);
            if line.len() > MAX_LINE && !line.ends_with(b"\n") {
                lines
                    .skip_until(b'\n')
                    .with_context(|| format!("{name} line {number}"))?;
            }
        }
    }
    Ok(())
}

/// The streams of each call record of a file.
fn call_records(path: &Path, tally: &mut Tally, mut take: impl FnMut(Vec<Event>) -> Result<()>) -> Result<()> {
    let name = path.display();
    let mut body = Vec::new();
    let file = open(path).with_context(|| format!("cannot read {name}"))?;
    file.take(MAX_RECORDS + 1)
        .read_to_end(&mut body)
        .with_context(|| format!("cannot read {name}"))?;
    if body.len() as u64 > MAX_RECORDS {
        bail!("{name} is longer than {MAX_RECORDS} bytes: split it");
    }
    let Some(reports) = graph::reports(&body.into(), MAX_CALL_RECORDS) else {
        bail!("{name} holds more than {MAX_CALL_RECORDS} call records: split it");
    };
    for report in reports {
        tally.lines += 1;
        let taken = match report.content {
            Ok(Content::Events(events, _)) => take(events),
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal.into()),
        };
        if let Err(error) = taken {
            tally.reject(
                &format!("{name} record {}", report.position.unwrap_or_default()),
                &error,
            );
        }
    }
    Ok(())
}

/// A file as it is, or unpacked. One whose name says that it is packed, and that is not, was mistaken for another; of one without a byte
/// nothing is to be unpacked, and it holds nothing.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let is_named = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let magic = file.fill_buf()?;
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(
            1 << 20,
            flate2::bufread::MultiGzDecoder::new(file),
        )),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(BufReader::with_capacity(1 << 20, zstd::Decoder::with_buffer(file)?)),
        [] => Box::new(file),
        _ if is_named("gz") => bail!("not gzip"),
        _ if is_named("zst") => bail!("not zstd"),
        _ => Box::new(file),
    })
}

/// A building file, with every problem at once.
pub fn read_sites(path: &Path) -> Result<Sites> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Sites::read(&bytes).with_context(|| format!("{}", path.display()))
}

/// One incident a line.
pub fn write_incidents(path: Option<&Path>, incidents: &[Incident]) -> Result<()> {
    let mut text = String::new();
    for incident in incidents {
        text.push_str(&serde_json::to_string(incident)?);
        text.push('\n');
    }
    match path {
        Some(path) => {
            let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            file.write_all(text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))
        }
        None => {
            text.lines().for_each(say::line);
            Ok(())
        }
    }
}

fn report(offline: &Offline, tally: Tally) {
    let counts = offline.counts();
    say::note(format!(
        "{} lines: {} rejected; {} events: {} counted, {} late, {} duplicate, {} held; {} incidents",
        tally.lines,
        tally.rejected,
        counts.received,
        counts.closed,
        counts.late,
        counts.duplicate,
        counts.held,
        offline.incidents().len()
    ));
    let ignored = offline.watch_counts().ignored;
    if ignored > 0 {
        say::note(format!(
            "{ignored} control records say nothing: their incident was not known then, or not to be accepted"
        ));
    }
    if counts.received > 0 {
        for (_, until) in offline.warming_up() {
            say::note(format!(
                "warming up until {until}: the events end before that, so no incident could open"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_file_without_a_byte_holds_nothing_and_one_that_is_not_packed_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, refused) in [("a.gz", "not gzip"), ("a.zst", "not zstd")] {
            let path = dir.path().join(name);
            std::fs::write(&path, "").expect("written");
            let mut text = String::new();
            let mut file = open(&path).expect("opened");
            file.read_to_string(&mut text).expect("read");
            assert_eq!(text, "");
            std::fs::write(&path, "{}").expect("written");
            assert_eq!(open(&path).map(|_| ()).expect_err("refused").to_string(), refused);
        }
    }
}
