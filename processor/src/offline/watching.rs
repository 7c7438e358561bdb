//! The watch fold over logs in memory, with what it tells.

use std::{borrow::Borrow, collections::BTreeMap};

use bytes::Bytes;
use dialtone_schemas::{Alert, ChangeVerdict, Incident, Reject, State, Text, avro, time, topic::Topic};
use dialtone_wire::{Fold, FoldError, LogRecord, OutRecord, Payload, Place};

use super::logs::Heard;
use crate::{Watch, WatchConfig, watch::history::Day};

/// Reports that come so long after a silence began are none that end it.
const STRAGGLERS: i64 = 15 * time::MINUTE;

/// Watch, and what it has told so far.
#[derive(Clone, Debug)]
pub struct Watching {
    watch: Watch,
    offsets: BTreeMap<Place, i64>,
    incidents: BTreeMap<Text, Incident>,
    alerts: Vec<Alert>,
    verdicts: BTreeMap<Text, ChangeVerdict>,
    rejects: Vec<Reject>,
}

impl Watching {
    /// A fold over so many partitions of summaries that has read nothing yet.
    pub fn new(config: WatchConfig, partitions: i32) -> Self {
        let logs = (0..partitions.max(1)).map(|p| (Topic::Summaries, p));
        Self::over(
            config,
            logs.chain([(Topic::Changes, 0), (Topic::Complaints, 0), (Topic::Control, 0)]),
        )
    }

    /// A fold over these logs that has read nothing yet.
    pub fn over(config: WatchConfig, logs: impl IntoIterator<Item = Place>) -> Self {
        Self {
            watch: Watch::new(config, logs.into_iter().map(|place| (place, 0))),
            offsets: BTreeMap::new(),
            incidents: BTreeMap::new(),
            alerts: Vec::new(),
            verdicts: BTreeMap::new(),
            rejects: Vec::new(),
        }
    }

    /// Lets a tenant learn from days that are past, before anything is heard.
    pub fn study<D: Borrow<Day>>(&mut self, tenant: &Text, days: impl IntoIterator<Item = D>) {
        self.watch.study(tenant, days);
    }

    /// Should this log be read on, or is it ahead of the others?
    pub fn wants(&self, place: Place) -> bool {
        self.watch.wants(place)
    }

    /// The next record of a log.
    pub fn hear(&mut self, (place, payload): Heard) -> Result<(), FoldError> {
        let next = self.offsets.entry(place).or_default();
        let offset = *next;
        *next += 1;
        self.watch.absorb(&LogRecord {
            place,
            offset,
            key: Bytes::new(),
            payload,
        })?;
        let out = self.watch.take_outbox();
        out.iter().try_for_each(|record| self.note(record))
    }

    fn note(&mut self, record: &OutRecord) -> Result<(), FoldError> {
        let Payload::Value(frame) = &record.payload else {
            return Ok(());
        };
        match record.topic {
            Topic::Incidents => {
                let incident: Incident = avro::record_from_frame_or_json(frame)?;
                self.incidents.insert(incident.id.clone(), incident);
            }
            Topic::ChangeVerdicts => {
                let verdict: ChangeVerdict = avro::record_from_frame_or_json(frame)?;
                self.verdicts.insert(verdict.change_id.clone(), verdict);
            }
            Topic::Alerts => self.alerts.push(avro::record_from_frame_or_json(frame)?),
            Topic::Rejects => self.rejects.push(avro::record_from_built_in_frame(frame)?),
            _ => {}
        }
        Ok(())
    }

    /// The last revision of every incident, by (opened, id). What was only watched has never opened: see the alerts. That nothing is reported
    /// after the last report is the end of the logs, and nobody's silence.
    pub fn incidents(&self) -> Vec<Incident> {
        let is_over = |incident: &Incident| matches!(incident.state, State::Recovering | State::Closed);
        let last = self.watch.last_report();
        let is_last = |incident: &Incident| last.is_none_or(|last| last <= incident.onset.to.plus(STRAGGLERS));
        let is_the_end =
            |incident: &Incident| incident.is_silence_of_everything() && !is_over(incident) && is_last(incident);
        let is_told = |incident: &&Incident| incident.opened.is_some() && !is_the_end(incident);
        let opened = self.incidents.values().filter(is_told);
        let mut incidents: Vec<Incident> = opened.cloned().collect();
        incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
        incidents
    }

    /// Every alert, in order.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The last verdict about every change, by change.
    pub fn verdicts(&self) -> Vec<ChangeVerdict> {
        self.verdicts.values().cloned().collect()
    }

    /// What watch could not read.
    pub fn rejects(&self) -> &[Reject] {
        &self.rejects
    }

    /// The fold, to be asked.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }
}
