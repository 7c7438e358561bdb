//! From a callRecord's streams to events.

use dialtone_schemas::{
    Direction, Endpoint, Event, EventId, EventTime, Leaf, Modality, ReportKind, Text,
    event::{self, Delay, Packets, Picture, ProviderQuality, Signal},
    measure::{Decibel, FrameRate, Millis, Ratio},
};

use super::record::{CallRecord, Device, FailureInfo, Media, Network, Participant, Segment, Session, Stream};
use crate::privacy::MACHINE_PREFIX;

/// `linkSpeed` where it is unknown.
const NO_LINK_SPEED: i64 = u32::MAX as i64;
/// Names that say which device the system took, not what it is.
const NO_MODELS: [&str; 4] = ["default input device", "default output device", "default", "unknown"];
/// Platforms that are a device of their own, not a person's computer.
const APPLIANCES: [&str; 4] = ["roomSystem", "surfaceHub", "ipPhone", "holoLens"];

/// The two ends of a session or segment, by who called.
#[derive(Clone, Copy)]
enum End {
    Caller,
    Callee,
}

impl End {
    const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
        }
    }
}

/// Where in the record something stands.
#[derive(Clone)]
struct Context<'a> {
    record: &'a CallRecord,
    session: &'a Session,
    segment: Option<&'a Segment>,
    /// The segment's id, or its place where it has none.
    segment_id: String,
    warnings: Vec<&'static str>,
}

/// An event for each stream. Where there are none, what failed or was never reported speaks for each user's end.
pub(super) fn events(record: &CallRecord) -> Vec<Event> {
    record
        .sessions
        .iter()
        .flatten()
        .flat_map(|session| of_session(record, session))
        .collect()
}

fn of_session(record: &CallRecord, session: &Session) -> Vec<Event> {
    let whole = Context {
        record,
        session,
        segment: None,
        segment_id: String::new(),
        warnings: warnings(record, session),
    };
    let segments = session.segments.iter().flatten().enumerate();
    let mut events: Vec<Event> = segments
        .flat_map(|(place, segment)| whole.within(place, segment).of_segment(segment))
        .collect();
    if events.is_empty() {
        events = whole.without_streams();
    }
    events
}

fn warnings(record: &CallRecord, session: &Session) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if record.next_link.is_some() || session.next_link.is_some() {
        warnings.push("paged: the record has more than was sent");
    }
    if session.is_test == Some(true) {
        warnings.push("test call");
    }
    let mut streams = session.segments.iter().flatten().flat_map(streams_of);
    if streams.any(|(_, _, stream)| receiver_of(stream).is_none()) {
        warnings.push("a stream without a direction is left out");
    }
    warnings
}

impl<'a> Context<'a> {
    fn within(&self, place: usize, segment: &'a Segment) -> Self {
        Self {
            segment: Some(segment),
            segment_id: id_or_place(segment.id.as_ref(), place),
            ..self.clone()
        }
    }

    /// The events of a segment's streams; where it has none and failed, that.
    fn of_segment(&self, segment: &Segment) -> Vec<Event> {
        let events: Vec<Event> = streams_of(segment)
            .filter_map(|(place, media, stream)| self.of_stream(place, media, stream))
            .collect();
        if events.is_empty() && segment.failure_info.is_some() {
            return self.without_streams();
        }
        events
    }

    /// What the receiver heard. A server's ears are nobody's: of those the sender's end is near, which sent the stream.
    fn of_stream(&self, place: usize, media: &Media, stream: &Stream) -> Option<Event> {
        let receiver = receiver_of(stream)?;
        let is_service = |end| self.participant(end).is_some_and(Participant::is_service);
        let (near, direction) = match (is_service(receiver), is_service(receiver.other())) {
            (true, true) => return None,
            (true, false) => (receiver.other(), Direction::Send),
            (false, _) => (receiver, Direction::Receive),
        };
        let mut event = self.event(near, direction, Some(media), Some(stream))?;
        let stream_id = id_or_place(stream.stream_id.as_ref(), place);
        event.event_id = Some(self.id(near, direction, media.label.as_deref(), &stream_id));
        let mut reading = Reading {
            warnings: &mut event.warnings,
        };
        event.packets = reading.packets(stream);
        event.delay = reading.delay(stream);
        event.picture = reading.picture(stream);
        event.provider.mos_degradation =
            reading.keep("averageAudioDegradation", stream.average_audio_degradation, |d| {
                (0.0..=5.0).contains(&d).then_some(d)
            });
        event.media.fec = stream.is_audio_forward_error_correction_used;
        event.media.bandwidth_bps = stream.average_bandwidth_estimate.filter(|bps| *bps > 0);
        Some(event)
    }

    /// A session or segment that failed, or whose streams were never reported: an event of each user's end.
    fn without_streams(&self) -> Vec<Event> {
        let is_user = |end: &End| {
            self.participant(*end)
                .is_some_and(|participant| !participant.is_service())
        };
        let ends = [End::Caller, End::Callee].into_iter().filter(is_user);
        ends.filter_map(|end| self.event(end, Direction::Receive, None, None))
            .collect()
    }

    fn event(&self, near: End, direction: Direction, media: Option<&Media>, stream: Option<&Stream>) -> Option<Event> {
        let mut warnings: Vec<Text> = self
            .warnings
            .iter()
            .filter_map(|warning| Text::new(warning).ok())
            .collect();
        let (start, end) = self.times(stream)?;
        let (near_leaf, near_endpoint) = self.end(near, media, stream, &mut warnings);
        let (far_leaf, far_endpoint) = self.end(near.other(), media, stream, &mut warnings);
        let failure = self
            .segment
            .and_then(|s| s.failure_info.as_ref())
            .or(self.session.failure_info.as_ref());
        let participant = self.participant(near);
        let device = media.and_then(|media| device(media, near));
        let level = |level: Option<f64>| level.and_then(|level| Decibel::new(level).ok());
        Some(Event {
            event_id: Some(self.id(near, direction, None, "")),
            revision: self.record.version.unwrap_or(0).max(0),
            tenant: None,
            source: None,
            kind: ReportKind::Final,
            call_id: Text::lenient(&self.record.id)?,
            leg_id: Text::lenient(&format!("{}/{}", self.session.id.as_deref().unwrap_or(""), near.name())),
            start,
            end,
            received_at: None,
            direction,
            modality: modality(media, stream),
            near: near_leaf,
            far: Some(far_leaf),
            near_endpoint,
            far_endpoint: Some(far_endpoint),
            media: event::Media::default(),
            packets: Packets::default(),
            delay: Delay::default(),
            signal: Signal {
                speech_dbm0: level(device.and_then(|d| d.received_signal_level)),
                noise_dbm0: level(device.and_then(|d| d.received_noise_level)),
                echo_return_loss_db: None,
            },
            picture: Picture::default(),
            provider: ProviderQuality {
                user_rating: participant
                    .and_then(|p| p.feedback.as_ref()?.rating.as_deref())
                    .filter(|rating| *rating != "notRated")
                    .and_then(Text::lenient),
                ..ProviderQuality::default()
            },
            score: None,
            failure: failed(failure),
            warnings,
        })
    }

    /// Record, session, segment, stream, direction: never the version.
    fn id(&self, near: End, direction: Direction, label: Option<&str>, stream_id: &str) -> EventId {
        EventId::derive([
            "callRecord",
            &self.record.id,
            self.session.id.as_deref().unwrap_or(""),
            &self.segment_id,
            label.unwrap_or(""),
            stream_id,
            near.name(),
            if direction == Direction::Receive {
                "receive"
            } else {
                "send"
            },
        ])
    }

    /// The stream's times, or those of what it stands in.
    fn times(&self, stream: Option<&Stream>) -> Option<(EventTime, EventTime)> {
        let of = |start: Option<&String>, end: Option<&String>| {
            Some((EventTime::parse(start?).ok()?, EventTime::parse(end?).ok()?)).filter(|(start, end)| start <= end)
        };
        stream
            .and_then(|s| of(s.start_date_time.as_ref(), s.end_date_time.as_ref()))
            .or_else(|| {
                self.segment
                    .and_then(|s| of(s.start_date_time.as_ref(), s.end_date_time.as_ref()))
            })
            .or_else(|| {
                of(
                    self.session.start_date_time.as_ref(),
                    self.session.end_date_time.as_ref(),
                )
            })
            .or_else(|| of(Some(&self.record.start_date_time), Some(&self.record.end_date_time)))
    }

    fn participant(&self, end: End) -> Option<&Participant> {
        let of_segment = self.segment.and_then(|segment| match end {
            End::Caller => segment.caller.as_ref(),
            End::Callee => segment.callee.as_ref(),
        });
        of_segment.or(match end {
            End::Caller => self.session.caller.as_ref(),
            End::Callee => self.session.callee.as_ref(),
        })
    }

    /// What is known of one end.
    fn end(
        &self,
        end: End,
        media: Option<&Media>,
        stream: Option<&Stream>,
        warnings: &mut Vec<Text>,
    ) -> (Leaf, Endpoint) {
        let (mut leaf, mut endpoint) = (Leaf::default(), Endpoint::default());
        let participant = self.participant(end);
        let platform = participant.and_then(|p| p.user_agent.as_ref()?.platform.as_deref());
        let is_appliance = platform.is_some_and(|platform| APPLIANCES.contains(&platform));
        if let Some(participant) = participant {
            describe(participant, is_appliance, &mut leaf, &mut endpoint);
        }
        if let Some(device) = media.and_then(|media| device(media, end)) {
            let model =
                model(device.capture_device_name.as_deref()).or_else(|| model(device.render_device_name.as_deref()));
            if is_appliance {
                leaf.device = model;
            } else {
                leaf.headset = model;
            }
            let driver = device
                .capture_device_driver
                .as_ref()
                .or(device.render_device_driver.as_ref());
            leaf.driver = driver.and_then(|driver| Text::lenient(driver));
        }
        if let Some(network) = media.and_then(|media| network(media, end)) {
            connect(network, &mut leaf, &mut endpoint, warnings);
        }
        let codec = stream.and_then(|stream| stream.audio_codec.as_deref().or(stream.video_codec.as_deref()));
        leaf.codec = codec
            .filter(|codec| *codec != "unknown" && *codec != "invalid")
            .and_then(Text::lenient);
        (leaf, endpoint)
    }
}

/// With their places in the segment.
fn streams_of(segment: &Segment) -> impl Iterator<Item = (usize, &Media, &Stream)> {
    let media = segment.media.iter().flatten();
    let streams = media.flat_map(|media| media.streams.iter().flatten().map(move |stream| (media, stream)));
    streams
        .enumerate()
        .map(|(place, (media, stream))| (place, media, stream))
}

fn id_or_place(id: Option<&String>, place: usize) -> String {
    id.map_or_else(|| format!("#{place}"), Clone::clone)
}

/// Who hears it.
fn receiver_of(stream: &Stream) -> Option<End> {
    match stream.stream_direction.as_deref() {
        Some("callerToCallee") => Some(End::Callee),
        Some("calleeToCaller") => Some(End::Caller),
        _ => None,
    }
}

/// Who it is and what they call with.
fn describe(participant: &Participant, is_appliance: bool, leaf: &mut Leaf, endpoint: &mut Endpoint) {
    let identity = participant
        .identity
        .as_ref()
        .and_then(|set| set.user.as_ref().or(set.phone.as_ref()));
    let user = [participant.associated_identity.as_ref(), identity]
        .into_iter()
        .flatten()
        .find_map(|identity| {
            identity
                .user_principal_name
                .as_deref()
                .and_then(Text::lenient)
                .or_else(|| identity.id.as_deref().and_then(Text::lenient))
        });
    endpoint.user = user;
    endpoint.device_id = participant.name.as_deref().and_then(|name| match is_appliance {
        true => Text::lenient(name),
        false => Text::lenient(&format!("{MACHINE_PREFIX}{name}")),
    });
    if let Some(agent) = &participant.user_agent {
        endpoint.os = agent
            .platform
            .as_deref()
            .filter(|platform| *platform != "unknown")
            .and_then(Text::lenient);
        endpoint.user_agent = agent.header_value.as_deref().and_then(Text::lenient);
        leaf.client = match (&agent.product_family, &agent.application_version) {
            (Some(family), Some(version)) => Text::lenient(&format!("{family} {version}")),
            _ => endpoint.user_agent.clone(),
        };
    }
}

/// How it is connected.
fn connect(network: &Network, leaf: &mut Leaf, endpoint: &mut Endpoint, warnings: &mut Vec<Text>) {
    let connection = match network.connection_type.as_deref() {
        Some("tunnel") => Some("vpn"),
        Some(known @ ("wired" | "wifi" | "mobile")) => Some(known),
        _ => None,
    };
    leaf.connection = connection.and_then(|connection| Text::new(connection).ok());
    // Some records hide the address and keep its subnet: enough to place it.
    endpoint.address = network
        .ip_address
        .as_ref()
        .or(network.subnet.as_ref())
        .and_then(|address| Text::lenient(address));
    leaf.relay = network.relay_ip_address.as_deref().and_then(crate::privacy::network_of);
    endpoint.wifi_signal_ratio = network
        .wifi_signal_strength
        .and_then(|percent| Ratio::from_percent(percent).ok());
    endpoint.wifi_band = match network.wifi_band.as_deref() {
        Some("frequency24GHz") => Text::new("2.4GHz").ok(),
        Some("frequency50GHz") => Text::new("5GHz").ok(),
        Some("frequency60GHz") => Text::new("6GHz").ok(),
        _ => None,
    };
    endpoint.link_speed_bps = network.link_speed.filter(|bps| (1..NO_LINK_SPEED).contains(bps));
    if network.link_speed == Some(NO_LINK_SPEED) {
        warnings.extend(Text::new("linkSpeed: 4294967295 stands for unknown"));
    }
}

fn device(media: &Media, end: End) -> Option<&Device> {
    match end {
        End::Caller => media.caller_device.as_ref(),
        End::Callee => media.callee_device.as_ref(),
    }
}

fn network(media: &Media, end: End) -> Option<&Network> {
    match end {
        End::Caller => media.caller_network.as_ref(),
        End::Callee => media.callee_network.as_ref(),
    }
}

fn model(name: Option<&str>) -> Option<Text> {
    name.filter(|name| !NO_MODELS.contains(&name.trim().to_ascii_lowercase().as_str()))
        .and_then(Text::lenient)
}

fn modality(media: Option<&Media>, stream: Option<&Stream>) -> Modality {
    let label = media
        .and_then(|media| media.label.as_deref())
        .unwrap_or("")
        .to_ascii_lowercase();
    match label.as_str() {
        label if label.contains("sharing") || label.contains("vbss") || label == "data" => Modality::Share,
        label if label.contains("video") => Modality::Video,
        label if label.contains("audio") => Modality::Audio,
        _ if stream.is_some_and(|s| s.video_codec.is_some() && s.audio_codec.is_none()) => Modality::Video,
        _ => Modality::Audio,
    }
}

fn failed(info: Option<&FailureInfo>) -> event::Failure {
    let stage = info.and_then(|info| info.stage.as_deref());
    event::Failure {
        setup_failed: Some(stage == Some("callSetup")),
        dropped: Some(stage == Some("midcall")),
        stage: stage.and_then(Text::lenient),
        reason: info.and_then(|info| info.reason.as_deref()).and_then(Text::lenient),
        ..event::Failure::default()
    }
}

/// Figures, each with its name for the warning should it be out of range.
struct Reading<'a> {
    warnings: &'a mut Vec<Text>,
}

impl Reading<'_> {
    fn packets(&mut self, stream: &Stream) -> Packets {
        let ratio = |value: f64| Ratio::new(value).ok();
        Packets {
            received: stream.packet_utilization.filter(|packets| *packets >= 0),
            loss_ratio: self.keep("averagePacketLossRate", stream.average_packet_loss_rate, ratio),
            loss_max_ratio: self.keep("maxPacketLossRate", stream.max_packet_loss_rate, ratio),
            concealed_ratio: self.keep(
                "averageRatioOfConcealedSamples",
                stream.average_ratio_of_concealed_samples,
                ratio,
            ),
            post_fec_loss_ratio: self.keep(
                "postForwardErrorCorrectionPacketLossRate",
                stream.post_forward_error_correction_packet_loss_rate,
                ratio,
            ),
            ..Packets::default()
        }
    }

    fn delay(&mut self, stream: &Stream) -> Delay {
        Delay {
            rtt_ms: self.duration("averageRoundTripTime", stream.average_round_trip_time.as_deref()),
            rtt_max_ms: self.duration("maxRoundTripTime", stream.max_round_trip_time.as_deref()),
            jitter_ms: self.duration("averageJitter", stream.average_jitter.as_deref()),
            jitter_max_ms: self.duration("maxJitter", stream.max_jitter.as_deref()),
            ..Delay::default()
        }
    }

    fn picture(&mut self, stream: &Stream) -> Picture {
        let rate = stream.average_video_frame_rate.or(stream.average_received_frame_rate);
        Picture {
            frame_loss_ratio: self.keep(
                "averageVideoFrameLossPercentage",
                stream.average_video_frame_loss_percentage,
                |p| Ratio::from_percent(p).ok(),
            ),
            frame_rate: self.keep("averageVideoFrameRate", rate, |rate| FrameRate::new(rate).ok()),
            freeze_ms: self.duration("averageFreezeDuration", stream.average_freeze_duration.as_deref()),
        }
    }

    fn duration(&mut self, name: &str, text: Option<&str>) -> Option<Millis> {
        self.keep(name, text, |text| Millis::new(iso_millis(text)?).ok())
    }

    /// Unknown stays unknown; what is there and cannot be is left out with a warning.
    fn keep<T, U>(&mut self, name: &str, value: Option<T>, read: impl FnOnce(T) -> Option<U>) -> Option<U> {
        let read = read(value?);
        if read.is_none() {
            self.warnings
                .extend(Text::lenient(&format!("{name}: out of range, left out")));
        }
        read
    }
}

/// An ISO 8601 duration in milliseconds: `PT0.016S`, `PT1M2S`, `P0D`.
fn iso_millis(text: &str) -> Option<f64> {
    let span: jiff::Span = text.trim().parse().ok()?;
    let days_are_24_hours = jiff::SpanRelativeTo::days_are_24_hours();
    span.total((jiff::Unit::Millisecond, days_are_24_hours)).ok()
}
