//! From a body to events: what this end heard, and what it was told that the other end heard of it.

use std::{collections::BTreeMap, net::IpAddr};

use dialtone_schemas::{
    Dimension, Direction, Endpoint, Event, EventId, EventTime, Leaf, Modality, ReportKind, Text,
    event::{Delay, Failure, Media, Packets, Picture, ProviderQuality, Signal},
    measure::Millis,
};

use super::{
    dialect::{Address, Figure, Warnings, device_and_firmware, instant},
    report::{Body, Metrics},
};
use crate::{
    identity::kind_name,
    privacy::Privacy,
    refusal::{Reason, Refusal},
};

/// What is known of a report beside its body.
pub(super) struct Envelope<'a> {
    pub(super) tenant: &'a str,
    /// The request's Call-ID, which is not the call's.
    pub(super) call_id: &'a str,
    pub(super) cseq: &'a str,
    pub(super) agent: Option<&'a str>,
    /// Where it came from.
    pub(super) source: IpAddr,
    pub(super) received_at: EventTime,
    /// What is known of all phones of the listener.
    pub(super) dimensions: &'a BTreeMap<Dimension, Text>,
}

/// The events of a body: one for each end's metrics, both with the reporting end near.
pub(super) fn events(body: &Body, envelope: &Envelope<'_>, privacy: &Privacy) -> Result<Vec<Event>, Refusal> {
    let mut warnings = Warnings::default();
    body.oddities.iter().for_each(|oddity| warnings.add(oddity));
    let call_id = call_id(body, envelope, &mut warnings)?;
    let local = address(body, "localaddr", &mut warnings);
    let remote = address(body, "remoteaddr", &mut warnings);
    let ends = Ends {
        call_id,
        leg_id: leg(body, &local, envelope),
        local,
        remote,
    };
    let both = [
        (body.local.as_ref(), Direction::Receive),
        (body.remote.as_ref(), Direction::Send),
    ];
    let warnings = warnings.into_texts();
    let of = |(metrics, direction): (Option<&Metrics>, Direction)| {
        metrics.map(|metrics| ends.event(body, metrics, direction, envelope, privacy, &warnings))
    };
    Ok(both.into_iter().filter_map(of).collect())
}

/// What both events of a body share.
struct Ends {
    call_id: Text,
    leg_id: Option<Text>,
    local: Address,
    remote: Address,
}

impl Ends {
    fn event(
        &self,
        body: &Body,
        metrics: &Metrics,
        direction: Direction,
        envelope: &Envelope<'_>,
        privacy: &Privacy,
        shared: &[Text],
    ) -> Event {
        let mut warnings = Warnings::default();
        let mut reading = Reading {
            metrics,
            warnings: &mut warnings,
        };
        let (start, end, is_sound) = reading.times(envelope.received_at);
        let media = reading.media(self.local.ssrc);
        let (packets, delay, signal) = (reading.packets(), reading.delay(), reading.signal());
        let provider = reading.provider(body);
        let text = |value: Option<String>| value.and_then(|value| Text::lenient(&value));
        Event {
            event_id: Some(self.id(body, metrics, direction, envelope, is_sound, privacy)),
            revision: 0,
            tenant: None,
            source: None,
            kind: body.kind,
            call_id: self.call_id.clone(),
            leg_id: self.leg_id.clone(),
            start,
            end,
            received_at: None,
            direction,
            modality: Modality::Audio,
            near: near(body, metrics, envelope),
            far: None,
            near_endpoint: Endpoint {
                address: text(self.local.ip.map(|ip| ip.to_string())),
                user: body.line("localid").and_then(Text::lenient),
                device_id: body.line("localmac").and_then(Text::lenient),
                group: body.line("localgroup").and_then(Text::lenient),
                user_agent: agent(body, envelope).and_then(Text::lenient),
                ..Endpoint::default()
            },
            far_endpoint: Some(Endpoint {
                address: text(self.remote.ip.map(|ip| ip.to_string())),
                user: body.line("remoteid").and_then(Text::lenient),
                device_id: body.line("remotemac").and_then(Text::lenient),
                group: body.line("remotegroup").and_then(Text::lenient),
                ..Endpoint::default()
            }),
            media,
            packets,
            delay,
            signal,
            picture: Picture::default(),
            provider,
            score: None,
            // What has quality to report was set up; how it ended, nothing says.
            failure: Failure {
                setup_failed: Some(false),
                ..Failure::default()
            },
            warnings: shared.iter().cloned().chain(warnings.into_texts()).collect(),
        }
    }

    /// Who says what of which interval of which call. Where the times say nothing, each request is a report of its own.
    fn id(
        &self,
        body: &Body,
        metrics: &Metrics,
        direction: Direction,
        envelope: &Envelope<'_>,
        is_sound: bool,
        privacy: &Privacy,
    ) -> EventId {
        let of = |name: &str| body.line(name).unwrap_or_default();
        let (request, cseq) = if is_sound {
            ("", "")
        } else {
            (envelope.call_id, envelope.cseq)
        };
        let parts = [
            envelope.tenant,
            self.call_id.as_str(),
            of("localid"),
            of("remoteid"),
            self.leg_id.as_ref().map_or("", Text::as_str),
            kind_name(body.kind),
            &body.about,
            metrics.get("timestamps", "start").unwrap_or_default(),
            metrics.get("timestamps", "stop").unwrap_or_default(),
            if direction == Direction::Receive {
                "local"
            } else {
                "remote"
            },
            request,
            cseq,
        ];
        EventId(privacy.id_of_bytes("sip report", &parts, b""))
    }
}

/// CallID, or the dialog's, or as a last resort the request's.
fn call_id(body: &Body, envelope: &Envelope<'_>, warnings: &mut Warnings) -> Result<Text, Refusal> {
    if let Some(id) = body.line("callid").and_then(Text::lenient) {
        return Ok(id);
    }
    warnings.add("no CallID: taken from DialogID or the request");
    let dialog = body.line("dialogid").and_then(|dialog| dialog.split(';').next());
    let id = dialog
        .and_then(Text::lenient)
        .or_else(|| Text::lenient(envelope.call_id));
    id.ok_or_else(|| Refusal::new(Reason::MalformedReport, "no CallID, no DialogID"))
}

fn address(body: &Body, line: &str, warnings: &mut Warnings) -> Address {
    let (ip, ssrc) = (body.part(line, "ip"), body.part(line, "ssrc"));
    Address::read(line, ip.as_deref(), ssrc.as_deref(), warnings)
}

/// This end within the call: its MAC, which outlives a change of streams; else its stream, else its address or user. The
/// scheme in front has it sealed.
fn leg(body: &Body, local: &Address, envelope: &Envelope<'_>) -> Option<Text> {
    let mac = body.line("localmac").map(|mac| {
        mac.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    });
    let leg = mac
        .or_else(|| local.ssrc.map(|ssrc| format!("{ssrc:08x}")))
        .or_else(|| local.ip.map(|ip| ip.to_string()))
        .or_else(|| body.line("localid").map(str::to_owned))
        .unwrap_or_else(|| envelope.source.to_string());
    Text::lenient(&format!("sip:{leg}"))
}

/// The phone's own words outlive the gateways in between.
fn agent<'a>(body: &'a Body, envelope: &Envelope<'a>) -> Option<&'a str> {
    body.line("x-useragent").or(envelope.agent)
}

fn near(body: &Body, metrics: &Metrics, envelope: &Envelope<'_>) -> Leaf {
    let (device, firmware) = agent(body, envelope).map(device_and_firmware).unwrap_or_default();
    let codec = metrics.get("sessiondesc", "pd").and_then(Text::lenient);
    let mut leaf = Leaf {
        device,
        firmware,
        codec,
        ..Leaf::default()
    };
    for (name, value) in body
        .line("x-path")
        .into_iter()
        .flat_map(|line| line.split(';'))
        .filter_map(|part| part.split_once('='))
    {
        let dimension = match name.trim() {
            "isp" => Dimension::Isp,
            "carrier" => Dimension::Carrier,
            "relay" => Dimension::Relay,
            "policy" => Dimension::Policy,
            _ => continue,
        };
        leaf.set(dimension, Text::lenient(value));
    }
    for (dimension, value) in envelope.dimensions {
        if leaf.get(*dimension).is_none() {
            leaf.set(*dimension, Some(value.clone()));
        }
    }
    leaf
}

/// Figures of one end.
struct Reading<'a> {
    metrics: &'a Metrics,
    warnings: &'a mut Warnings,
}

impl<'a> Reading<'a> {
    fn figure<T>(
        &mut self,
        group: &str,
        name: &'a str,
        read: impl Fn(&Figure<'a>, &mut Warnings) -> Option<T>,
    ) -> Option<T> {
        let text = self.metrics.get(group, &name.to_ascii_lowercase())?;
        read(&Figure { name, text: Some(text) }, self.warnings)
    }

    /// START and STOP; where they cannot be, the time of receipt. Says whether they could.
    fn times(&mut self, received_at: EventTime) -> (EventTime, EventTime, bool) {
        let start = instant(self.metrics.get("timestamps", "start"));
        let stop = instant(self.metrics.get("timestamps", "stop"));
        match (start, stop) {
            (Some(start), Some(stop)) if start <= stop => (start, stop, true),
            (None, Some(stop)) => {
                self.warnings.add("START is unknown: taken to be STOP");
                (stop, stop, true)
            }
            (Some(_), Some(_)) => {
                self.warnings.add("START is after STOP: taken at the time of receipt");
                (received_at, received_at, false)
            }
            (_, None) => {
                self.warnings.add("STOP is unknown: taken at the time of receipt");
                (received_at, received_at, false)
            }
        }
    }

    fn media(&mut self, ssrc: Option<u32>) -> Media {
        let rate = self
            .figure("sessiondesc", "PPS", Figure::millis_above_zero)
            .map(Millis::get);
        let frame = self
            .figure("sessiondesc", "FD", Figure::millis_above_zero)
            .map(Millis::get);
        let frames = self
            .figure("sessiondesc", "FPP", Figure::millis_above_zero)
            .map_or(1.0, Millis::get);
        let by_rate = rate.map(|pps| 1000.0 / pps);
        let by_frames = frame.map(|ms| ms * frames);
        if let (Some(a), Some(b)) = (by_rate, by_frames)
            && (a - b).abs() > 1.0
        {
            self.warnings.add("PPS and FD times FPP disagree: PPS is taken");
        }
        Media {
            ssrc: ssrc.map(i64::from),
            payload_type: self
                .figure("sessiondesc", "PT", Figure::whole)
                .filter(|pt| (0..=127).contains(pt)),
            sample_rate_hz: self.figure("sessiondesc", "SR", Figure::whole).filter(|rate| *rate > 0),
            packet_ms: by_rate.or(by_frames).and_then(|ms| Millis::new(ms).ok()),
            concealment: match self.metrics.get("sessiondesc", "plc") {
                Some("1") => Some(false),
                Some("2" | "3") => Some(true),
                _ => None,
            },
            silence_suppression: match self.metrics.get("sessiondesc", "ssup") {
                Some(value) if value.eq_ignore_ascii_case("on") => Some(true),
                Some(value) if value.eq_ignore_ascii_case("off") => Some(false),
                _ => None,
            },
            ..Media::default()
        }
    }

    fn packets(&mut self) -> Packets {
        Packets {
            loss_ratio: self.figure("packetloss", "NLR", Figure::percent),
            discard_ratio: self.figure("packetloss", "JDR", Figure::percent),
            burst_loss_ratio: self.figure("burstgaploss", "BLD", Figure::percent),
            burst_ms: self.figure("burstgaploss", "BD", Figure::millis),
            gap_loss_ratio: self.figure("burstgaploss", "GLD", Figure::percent),
            gap_ms: self.figure("burstgaploss", "GD", Figure::millis),
            gap_min: self.figure("burstgaploss", "GMIN", Figure::whole),
            ..Packets::default()
        }
    }

    fn delay(&mut self) -> Delay {
        let mut delay = Delay {
            rtt_ms: self.figure("delay", "RTD", Figure::millis_above_zero),
            end_system_ms: self.figure("delay", "ESD", Figure::millis_above_zero),
            jitter_ms: self.figure("delay", "IAJ", Figure::millis),
            mapdv_ms: self.figure("delay", "MAJ", Figure::millis),
            buffer_nominal_ms: self.figure("jitterbuffer", "JBN", Figure::millis),
            buffer_max_ms: self.figure("jitterbuffer", "JBM", Figure::millis),
            buffer_limit_ms: self.figure("jitterbuffer", "JBX", Figure::millis),
            ..Delay::default()
        };
        let symmetric = self.figure("delay", "SOWD", Figure::millis_above_zero);
        let one_way = self.figure("delay", "OWD", Figure::millis_above_zero);
        // SOWD is (RTD + ESD of both ends) / 2: without a round trip it says nothing of the network.
        delay.one_way_ms = one_way.or(symmetric.filter(|_| delay.rtt_ms.is_some()));
        let is_measured = [delay.rtt_ms, delay.end_system_ms, delay.one_way_ms]
            .into_iter()
            .any(|ms| ms.is_some());
        if !is_measured && delay.jitter_ms.is_some_and(|ms| ms.get() <= 0.0) {
            self.warnings.add("Delay is all zeros: taken to be unknown");
            delay.jitter_ms = None;
        }
        delay
    }

    fn signal(&mut self) -> Signal {
        Signal {
            speech_dbm0: self.figure("signal", "SL", Figure::level),
            noise_dbm0: self.figure("signal", "NL", Figure::level),
            echo_return_loss_db: self.figure("signal", "RERL", Figure::level),
        }
    }

    fn provider(&mut self, body: &Body) -> ProviderQuality {
        let method = ["qoeestalg", "moslqestalg", "moscqestalg", "rlqestalg"];
        let severity = body
            .about
            .split_whitespace()
            .find_map(|word| word.strip_prefix("Severity="));
        ProviderQuality {
            r_listening: self.figure("qualityest", "RLQ", Figure::r),
            r_conversation: self.figure("qualityest", "RCQ", Figure::r),
            mos_listening: self.figure("qualityest", "MOSLQ", Figure::mos),
            mos_conversation: self.figure("qualityest", "MOSCQ", Figure::mos),
            method: method
                .into_iter()
                .find_map(|name| self.metrics.get("qualityest", name))
                .and_then(Text::lenient),
            grade: severity
                .filter(|_| body.kind == ReportKind::Alert)
                .and_then(Text::lenient),
            ..ProviderQuality::default()
        }
    }
}
