//! The doors that simulated reports come by: each is written in its own door's format and read back by what that door reads with, then
//! normalised. Bytes, but no sockets; the demo sends the same bytes through them.
//!
//! What a format has no place for does not travel. A desk phone's publication says neither how it is connected nor whether its call dropped
//! (those that did come over HTTP, as in the demo). A call record says no access line, relay, policy and firmware, and no computer behind a
//! headset; of a call that was never set up it says no place either.
//!
//! The simulator sends nothing that a door may refuse: what is refused is counted by reason, and fails the run. Two things never come to a
//! door, by design: interim reports of the provider's calls, and an end of such a call whose other end never reports, since a call record
//! tells of both.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::{Context, Result, anyhow, bail, ensure};
use dialtone_ingest::{
    Normaliser, Reason, Refusal, Sites,
    receive::{
        self, json,
        sip_rtcpxr::{self, Received},
    },
    service::Content,
};
use dialtone_schemas::{Change, Complaint, Event, EventTime, Source, Text};
use dialtone_simulator::{
    Door, Simulation, door_of, json_line,
    render::{self, graph::Halves, sip},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{config::Config, replay};

/// Where phones publish to. Nobody listens there.
const COLLECTOR: &str = "collector.example.net:5060";

/// A report behind its door.
#[derive(Debug)]
pub(super) struct Taken {
    /// As it was simulated, with its place: where the call-end lay, whatever its report says of it.
    pub(super) simulated: Event,
    /// As it is published.
    pub(super) event: Event,
}

/// All doors, with what is behind them.
#[derive(Debug)]
pub(super) struct Doors {
    tenant: Text,
    sites: Sites,
    normaliser: Normaliser,
    halves: Halves,
}

impl Doors {
    /// By the configuration's rules, for a tenant with the simulated sites.
    pub(super) fn of(config: &Config, simulation: &Simulation, tenant: &str) -> Result<Self> {
        let sites = Sites::read(simulation.sites_csv().as_bytes()).context("the simulated sites")?;
        Ok(Self {
            tenant: Text::new(tenant)?,
            normaliser: replay::normaliser(config, sites.clone()),
            sites,
            halves: Halves::default(),
        })
    }

    /// Reports that have arrived by now, in their order. Both ends of a call record come in the place of the one that arrived last.
    pub(super) fn take(&mut self, reports: Vec<Event>, now: EventTime) -> Result<Vec<Taken>> {
        let mut taken = Vec::with_capacity(reports.len());
        let mut refused = Refused::default();
        for report in reports {
            let door = door_of(&report);
            match self.through(door, report, now) {
                Ok(behind) => taken.extend(behind),
                Err(error) => refused.add(door, error.downcast::<Refusal>()?),
            }
        }
        refused.are_none()?;
        Ok(taken)
    }

    /// A change as it is published.
    pub(super) fn change(&self, change: &Change) -> Result<Change> {
        Ok(self.normaliser.change(over_http(change)?, &self.tenant, None)?)
    }

    /// A complaint as it is published.
    pub(super) fn complaint(&self, complaint: &Complaint) -> Result<Complaint> {
        Ok(self.normaliser.complaint(over_http(complaint)?, &self.tenant)?)
    }

    fn through(&mut self, door: Door, report: Event, now: EventTime) -> Result<Vec<Taken>> {
        match door {
            Door::Http => {
                let read = over_http(&report)?;
                Ok(vec![self.behind(report, read, Source::Http)?])
            }
            Door::Sip => {
                let read = self.published(&report, now)?;
                Ok(vec![self.behind(report, read, Source::VqRtcpxr)?])
            }
            Door::Graph => match self.halves.pair(report) {
                Some((caller, callee)) => self.recorded(caller, callee),
                None => Ok(Vec::new()),
            },
        }
    }

    /// What a phone publishes of its own end.
    fn published(&self, report: &Event, now: EventTime) -> Result<Event> {
        let request = sip::publish(report, COLLECTOR, sip::Transport::Udp).context("no desk phone's report")?;
        let address = report.near_endpoint.address.as_ref();
        let source: Option<IpAddr> = address.and_then(|address| address.as_str().parse().ok());
        let dimensions = BTreeMap::new();
        let received = Received {
            tenant: &self.tenant,
            source: source.context("a desk phone without an address")?,
            at: now,
            dimensions: &dimensions,
        };
        let events = sip_rtcpxr::read(request.as_bytes(), &received, self.normaliser.privacy())?;
        let [event] = <[Event; 1]>::try_from(events)
            .map_err(|events| anyhow!("{} events of one desk phone's report", events.len()))?;
        Ok(event)
    }

    /// What the provider's record says of either end. Each is found by the leg that the door gives it.
    fn recorded(&self, caller: Event, callee: Event) -> Result<Vec<Taken>> {
        let record = render::graph::call_record(&caller, &callee).context("no two ends of one call")?;
        let mut ends = BTreeMap::from([("caller", caller), ("callee", callee)]);
        let mut taken = Vec::with_capacity(ends.len());
        for event in events_of(serde_json::to_vec(&record)?)? {
            let leg = event.leg_id.as_ref().and_then(|leg| leg.as_str().rsplit('/').next());
            let simulated = leg.and_then(|leg| ends.remove(leg));
            let simulated = simulated.context("a call record tells twice of one end, or of another")?;
            taken.push(self.behind(simulated, event, Source::Graph)?);
        }
        ensure!(ends.is_empty(), "a call record tells nothing of one of its ends");
        Ok(taken)
    }

    fn behind(&self, mut simulated: Event, read: Event, source: Source) -> Result<Taken> {
        let event = self.normaliser.event(read, &self.tenant, source, None)?;
        self.sites.settle(&mut simulated.near, &mut simulated.near_endpoint);
        Ok(Taken { simulated, event })
    }
}

/// As a line of JSON, and read as the HTTP door reads a line.
fn over_http<R: Serialize + DeserializeOwned>(record: &R) -> Result<R> {
    Ok(json::read(json_line(record)?.as_bytes())?)
}

/// Of one call record, as the door for them reads a body.
fn events_of(record: Vec<u8>) -> Result<Vec<Event>> {
    let reports = receive::graph::reports(&record.into(), 1).context("more than one call record")?;
    let mut events = Vec::new();
    for report in reports {
        let Content::Events(of_record, _) = report.content? else {
            bail!("a call record is no event");
        };
        events.extend(of_record);
    }
    Ok(events)
}

/// What was refused.
#[derive(Debug, Default)]
struct Refused {
    by_reason: BTreeMap<Reason, u64>,
    first: Option<(Door, Refusal)>,
}

impl Refused {
    fn add(&mut self, door: Door, refusal: Refusal) {
        *self.by_reason.entry(refusal.reason).or_default() += 1;
        self.first.get_or_insert((door, refusal));
    }

    fn are_none(&self) -> Result<()> {
        let Some((door, first)) = &self.first else {
            return Ok(());
        };
        let reasons = self.by_reason.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, count)| format!("{count} {}", reason.name()))
            .collect();
        bail!(
            "simulated reports were refused: {}; the first of them at {door:?}: {first}",
            reasons.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dialtone_schemas::{Dimension, ReportKind, measure::Millis};
    use dialtone_simulator::Scenario;

    use super::*;
    use crate::config;

    const TENANT: &str = "acme";

    /// A morning of a small enterprise: reports are lost, repeated and late as everywhere.
    fn morning() -> (Doors, Vec<Event>, EventTime) {
        let text = "name = \"doors\"\nstart = \"2026-03-03T08:00:00Z\"\nhistory = \"2h\"\nevaluate = \"1h\"\n\
                    [enterprise]\nsites = 4\nusers = 1200\n";
        let scenario = Scenario::from_toml(text).expect("a scenario");
        let mut simulation = Simulation::new(&scenario, 7);
        let config = config::load(None, std::iter::empty()).expect("the defaults");
        let doors = Doors::of(&config, &simulation, TENANT).expect("doors");
        let reports = simulation.advance(scenario.end()).events;
        (doors, reports, scenario.end())
    }

    fn finals<'a>(reports: impl Iterator<Item = &'a Event>) -> BTreeMap<Door, usize> {
        let mut by_door = BTreeMap::new();
        for report in reports.filter(|report| report.kind == ReportKind::Final) {
            *by_door.entry(door_of(report)).or_default() += 1;
        }
        by_door
    }

    fn has_media(report: &Event) -> bool {
        report.packets.loss_ratio.is_some()
    }

    #[test]
    fn every_report_passes_its_own_door_and_none_is_refused() {
        let (mut doors, reports, now) = morning();
        let (sent, all) = (finals(reports.iter()), reports.len());
        let taken = doors.take(reports, now).expect("none is refused");
        assert_eq!(sent.len(), 3, "{sent:?}");
        assert_eq!(finals(taken.iter().map(|taken| &taken.simulated)), sent);
        assert_eq!((taken.len(), doors.halves.waiting()), (all, 0));
        for Taken { simulated, event } in &taken {
            let source = match door_of(simulated) {
                Door::Http => Source::Http,
                Door::Sip => Source::VqRtcpxr,
                Door::Graph => Source::Graph,
            };
            assert_eq!(event.source, Some(source));
        }
    }

    #[test]
    fn an_event_is_beside_the_report_that_it_was_and_tells_the_same_of_the_call() {
        let (mut doors, reports, now) = morning();
        let taken = doors.take(reports, now).expect("none is refused");
        let sealed = |user: &Text| doors.normaliser.privacy().user(TENANT, user.as_str());
        for Taken { simulated, event } in &taken {
            let said = |event: &Event| {
                (
                    event.call_id.clone(),
                    event.kind,
                    event.start,
                    event.end,
                    has_media(event),
                )
            };
            assert_eq!(said(event), said(simulated));
            let user = simulated.near_endpoint.user.as_ref().map(sealed);
            assert_eq!(event.near_endpoint.user, user);
            assert_eq!(event.score.is_some(), has_media(simulated));
            // A phone rounds to whole milliseconds.
            let delays = |event: &Event| [event.delay.rtt_ms, event.delay.jitter_ms].map(|ms| ms.map(Millis::get));
            for (read, was) in delays(event).into_iter().zip(delays(simulated)) {
                let off = read.zip(was).map(|(read, was)| (read - was).abs());
                let is_same = off.map_or(read.is_none() && was.is_none(), |off| off < 0.51);
                assert!(is_same, "{read:?} {was:?} {:?}", event.warnings);
            }
        }
    }

    #[test]
    fn what_a_format_has_no_place_for_is_lost_and_nothing_else() {
        let (mut doors, reports, now) = morning();
        let taken = doors.take(reports, now).expect("none is refused");
        let mut lost = BTreeMap::<Door, BTreeSet<Dimension>>::new();
        for Taken { simulated, event } in taken.iter().filter(|taken| has_media(&taken.simulated)) {
            let lost = lost.entry(door_of(simulated)).or_default();
            for dimension in Dimension::ALL {
                let (was, is) = (simulated.near.get(dimension), event.near.get(dimension));
                if was.is_some() && is.is_none() {
                    lost.insert(dimension);
                } else {
                    assert_eq!(is, was, "{dimension}");
                }
            }
        }
        let of_record = [
            Dimension::Isp,
            Dimension::Device,
            Dimension::Firmware,
            Dimension::Relay,
            Dimension::Policy,
        ];
        let expected = [
            (Door::Http, BTreeSet::new()),
            (Door::Sip, BTreeSet::from([Dimension::Connection])),
            (Door::Graph, BTreeSet::from(of_record)),
        ];
        assert_eq!(lost, BTreeMap::from(expected));
    }

    #[test]
    fn an_end_of_a_providers_call_waits_for_the_other_one() {
        let (mut doors, reports, now) = morning();
        let mut ends = reports.into_iter().filter(|report| door_of(report) == Door::Graph);
        let first = ends.next().expect("a provider's call");
        let is_other = |end: &Event| end.call_id == first.call_id && end.leg_id != first.leg_id;
        let other = ends.find(is_other).expect("its other end");
        let mut take = |reports: Vec<Event>| doors.take(reports, now).expect("none is refused").len();
        assert_eq!(take(vec![first.clone(), first.clone()]), 0);
        assert_eq!(take(vec![other]), 2);
    }

    #[test]
    fn refused_reports_fail_the_run_with_their_reason() {
        let (mut doors, mut reports, now) = morning();
        let of_http = reports.iter_mut().filter(|report| door_of(report) == Door::Http);
        for report in of_http.take(2) {
            report.start = report.end.plus(1);
        }
        let error = doors.take(reports, now).expect_err("refused").to_string();
        assert!(
            error.contains(": 2 invalid_event; the first of them at Http: "),
            "{error}"
        );
    }
}
