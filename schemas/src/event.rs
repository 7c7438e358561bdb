//! The event: one media stream, one direction, one interval or call, in one form whatever the source.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    EventTime, Leaf, Text,
    measure::{Decibel, FrameRate, Millis, Mos, RFactor, Ratio},
};

/// 128 bits derived from what the source says of the event's identity, never from a version of it. Shown as 32 hex
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

impl EventId {
    /// The id of what these parts identify together. The parts are length-prefixed, so that ("ab","c") is not ("a","bc").
    pub fn derive<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher
                .update(&(part.len() as u64).to_le_bytes())
                .update(part.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_be_bytes(id))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u128::from_str_radix(&text, 16) {
            Ok(id) if text.len() == 32 => Ok(Self(id)),
            _ => Err(de::Error::custom(format!("event id {text:?}: expected 32 hex digits"))),
        }
    }
}

/// What kind of report the event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// Measured over an interval while the call goes on.
    Interval,
    /// Sent once, at the end of the call, about all of it.
    Final,
    /// Sent because a threshold was crossed; about the interval before.
    Alert,
}

/// Which way in the report came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `POST /v1/events`.
    Http,
    /// SIP PUBLISH or NOTIFY with a body of RFC 6035.
    VqRtcpxr,
    /// Microsoft Graph callRecords.
    Graph,
}

/// The stream's direction as its near end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The near end received the stream: its loss and jitter are what the near end heard.
    Receive,
    /// The near end sent the stream: the values are what the far end told it (RTCP), or what it measured while sending.
    Send,
}

/// What the stream carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    /// Speech.
    #[default]
    Audio,
    /// Camera video.
    Video,
    /// A shared screen or application.
    Share,
}

/// What is known of one end beyond the analysed dimensions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// At a door: the IP address. After ingest: only its network (/24, /48) unless configured otherwise.
    pub address: Option<Text>,
    /// At a door: any identity of the user. After ingest: `u:` and a keyed HMAC of it.
    pub user: Option<Text>,
    /// The individual device. After ingest: an asset name as sent, or `d:` and a keyed HMAC of a MAC address or a
    /// personal computer's name.
    pub device_id: Option<Text>,
    /// What a source groups by of its own accord (RFC 6035 LocalGroup).
    pub group: Option<Text>,
    /// Operating system with its version.
    pub os: Option<Text>,
    /// The client's own description of itself.
    pub user_agent: Option<Text>,
    /// Signal strength of the radio link, 0 to 1.
    pub wifi_signal_ratio: Option<Ratio>,
    /// Radio band: `2.4GHz`, `5GHz`, `6GHz`.
    pub wifi_band: Option<Text>,
    /// Speed of the link, bits a second.
    pub link_speed_bps: Option<i64>,
    /// Is the end inside the corporate network?
    pub inside_corp: Option<bool>,
}

/// The stream as negotiated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Media {
    /// RTP synchronisation source.
    pub ssrc: Option<i64>,
    /// RTP payload type, 0 to 127.
    pub payload_type: Option<i32>,
    /// Samples a second.
    pub sample_rate_hz: Option<i32>,
    /// Speech in one packet, in milliseconds.
    pub packet_ms: Option<Millis>,
    /// Does the receiver conceal lost packets?
    pub concealment: Option<bool>,
    /// Is forward error correction used?
    pub fec: Option<bool>,
    /// Is silence suppressed?
    pub silence_suppression: Option<bool>,
    /// Estimated bandwidth, bits a second.
    pub bandwidth_bps: Option<i64>,
}

/// Packets of this interval: deltas, never counters since the start of the call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Packets {
    /// Packets that should have come.
    pub expected: Option<i64>,
    /// Packets that came.
    pub received: Option<i64>,
    /// Packets that did not come (RFC 3550, of this interval).
    pub lost: Option<i64>,
    /// Packets that came too late to be played.
    pub discarded: Option<i64>,
    /// Lost over expected.
    pub loss_ratio: Option<Ratio>,
    /// Worst loss of any part of the interval the source looks at.
    pub loss_max_ratio: Option<Ratio>,
    /// Discarded over expected.
    pub discard_ratio: Option<Ratio>,
    /// Concealed samples over all samples.
    pub concealed_ratio: Option<Ratio>,
    /// Loss and discard within bursts (RFC 3611 §4.7.2).
    pub burst_loss_ratio: Option<Ratio>,
    /// Mean length of a burst.
    pub burst_ms: Option<Millis>,
    /// Loss and discard between bursts.
    pub gap_loss_ratio: Option<Ratio>,
    /// Mean length of a gap.
    pub gap_ms: Option<Millis>,
    /// Packets that separate a gap from a burst (RFC 3611: 16).
    pub gap_min: Option<i32>,
    /// Loss left after forward error correction.
    pub post_fec_loss_ratio: Option<Ratio>,
}

/// Delays and their variation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delay {
    /// Round trip, mean.
    pub rtt_ms: Option<Millis>,
    /// Round trip, highest.
    pub rtt_max_ms: Option<Millis>,
    /// One way, mouth to ear or network, by the source's account.
    pub one_way_ms: Option<Millis>,
    /// Within the end system: codec, buffer (RFC 3611 end system delay).
    pub end_system_ms: Option<Millis>,
    /// Interarrival jitter of RFC 3550, mean.
    pub jitter_ms: Option<Millis>,
    /// Interarrival jitter of RFC 3550, highest.
    pub jitter_max_ms: Option<Millis>,
    /// Mean absolute packet delay variation (G.1020 MAPDV2, RFC 6035 MAJ).
    pub mapdv_ms: Option<Millis>,
    /// Jitter buffer, nominal.
    pub buffer_nominal_ms: Option<Millis>,
    /// Jitter buffer, highest reached.
    pub buffer_max_ms: Option<Millis>,
    /// Jitter buffer, the most it can hold.
    pub buffer_limit_ms: Option<Millis>,
}

/// Speech levels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signal {
    /// Speech level.
    pub speech_dbm0: Option<Decibel>,
    /// Noise level.
    pub noise_dbm0: Option<Decibel>,
    /// Residual echo return loss.
    pub echo_return_loss_db: Option<Decibel>,
}

/// Video and shared screens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Picture {
    /// Frames lost over frames sent.
    pub frame_loss_ratio: Option<Ratio>,
    /// Frames a second.
    pub frame_rate: Option<FrameRate>,
    /// Mean length of a freeze.
    pub freeze_ms: Option<Millis>,
}

/// Quality by the provider's own account: kept beside ours, never mixed with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderQuality {
    /// R for listening.
    pub r_listening: Option<RFactor>,
    /// R for conversation.
    pub r_conversation: Option<RFactor>,
    /// MOS for listening.
    pub mos_listening: Option<Mos>,
    /// MOS for conversation.
    pub mos_conversation: Option<Mos>,
    /// Drop of network MOS by the network (Microsoft), in MOS.
    pub mos_degradation: Option<f64>,
    /// How the provider says it got there.
    pub method: Option<Text>,
    /// `good`, `poor` … as the provider grades.
    pub grade: Option<Text>,
    /// Stars or words of the user.
    pub user_rating: Option<Text>,
}

/// Quality by our account, comparable over all sources that allow it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Transmission rating.
    pub r: RFactor,
    /// MOS-CQE from R.
    pub mos: Mos,
    /// Formula, edition and codec table, such as `g107-2015/g711-plc`.
    pub method: Text,
    /// Which inputs were not measured but assumed (`delay`, `burst`, `codec`).
    pub assumed: Vec<Text>,
}

/// How the call failed, when it did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The call, or this end's part of it, was never set up.
    pub setup_failed: Option<bool>,
    /// The call was set up and ended against the users' will.
    pub dropped: Option<bool>,
    /// Where it failed.
    pub stage: Option<Text>,
    /// Why, in the source's words.
    pub reason: Option<Text>,
    /// SIP status code.
    pub sip_code: Option<i32>,
    /// Q.850 cause.
    pub q850_cause: Option<i32>,
}

/// One media stream, one direction, one interval: what every report becomes.
///
/// `tenant`, `event_id`, `source`, `received_at` and `score` are set by ingest; what a door finds there is replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Identity without version; derived by ingest (an `event_id` sent to the HTTP door enters the derivation).
    #[serde(default, deserialize_with = "any_id")]
    pub event_id: Option<EventId>,
    /// Of equal ids the higher revision counts.
    #[serde(default)]
    pub revision: i64,
    /// Whose event it is; from the credential, never from the body.
    #[serde(default)]
    pub tenant: Option<Text>,
    /// The way in.
    #[serde(default)]
    pub source: Option<Source>,
    /// Interval, final or alert.
    pub kind: ReportKind,
    /// The call, the same at both ends where the source allows it.
    pub call_id: Text,
    /// This end's stream within the call; both directions and all intervals of one end carry the same.
    #[serde(default)]
    pub leg_id: Option<Text>,
    /// Start of what was measured.
    pub start: EventTime,
    /// End of what was measured: the event's time.
    pub end: EventTime,
    /// When ingest took it.
    #[serde(default)]
    pub received_at: Option<EventTime>,
    /// As the near end sees it.
    #[serde(default = "receive")]
    pub direction: Direction,
    /// Audio unless said otherwise.
    #[serde(default)]
    pub modality: Modality,
    /// Dimensions of the end the report speaks for.
    #[serde(default)]
    pub near: Leaf,
    /// Dimensions of the other end, where known.
    #[serde(default)]
    pub far: Option<Leaf>,
    /// The rest of what is known of the near end.
    #[serde(default)]
    pub near_endpoint: Endpoint,
    /// The rest of what is known of the far end.
    #[serde(default)]
    pub far_endpoint: Option<Endpoint>,
    /// The stream as negotiated.
    #[serde(default)]
    pub media: Media,
    /// Packet counts and ratios.
    #[serde(default)]
    pub packets: Packets,
    /// Delay and jitter.
    #[serde(default)]
    pub delay: Delay,
    /// Levels.
    #[serde(default)]
    pub signal: Signal,
    /// Video.
    #[serde(default)]
    pub picture: Picture,
    /// The provider's own figures.
    #[serde(default)]
    pub provider: ProviderQuality,
    /// Ours.
    #[serde(default)]
    pub score: Option<Score>,
    /// Failed or dropped.
    #[serde(default)]
    pub failure: Failure,
    /// What the receiver had to forgive while reading the report.
    #[serde(default)]
    pub warnings: Vec<Text>,
}

fn receive() -> Direction {
    Direction::Receive
}

/// An id that is not 32 hex digits is somebody's own: its hash stands for it.
fn any_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EventId>, D::Error> {
    let text = Option::<Text>::deserialize(deserializer)?;
    Ok(text.map(|text| match u128::from_str_radix(text.as_str(), 16) {
        Ok(id) if text.as_str().len() == 32 => EventId(id),
        _ => EventId::derive(["own", text.as_str()]),
    }))
}

/// Why an event that can be read is still not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Ends before it starts.
    #[error("end {end} is before start {start}")]
    EndsBeforeItStarts {
        /// As sent.
        start: EventTime,
        /// As sent.
        end: EventTime,
    },
    /// Longer than [`Event::MAX_SPAN`].
    #[error("lasts {hours} h: at most 24 h are taken")]
    TooLong {
        /// Whole hours.
        hours: i64,
    },
    /// A negative count, or more lost than expected.
    #[error("{field} of {value} cannot be")]
    Count {
        /// Which.
        field: &'static str,
        /// As sent.
        value: i64,
    },
    /// A finite, sensible number was expected.
    #[error("{field} of {value} cannot be")]
    Number {
        /// Which.
        field: &'static str,
        /// As sent.
        value: String,
    },
}

impl Packets {
    /// Packets that should have come: as reported, or those that came and those that did not.
    pub fn expected(&self) -> Option<i64> {
        self.expected.or_else(|| self.received?.checked_add(self.lost?))
    }

    /// A count of packets over those that should have come.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn ratio_of(&self, count: Option<i64>) -> Option<f64> {
        let expected = self.expected().filter(|expected| *expected > 0)?;
        Some(count? as f64 / expected as f64)
    }
}

/// A field, what it says, and what it may say.
type Ranged = (&'static str, Option<i64>, std::ops::RangeInclusive<i64>);

/// The first that is out of its range.
fn in_range(fields: impl IntoIterator<Item = Ranged>) -> Result<(), EventError> {
    for (field, value, range) in fields {
        match value {
            Some(value) if !range.contains(&value) => return Err(EventError::Count { field, value }),
            _ => {}
        }
    }
    Ok(())
}

impl Event {
    /// A stream lasts no longer than a day.
    pub const MAX_SPAN: i64 = crate::time::DAY;

    /// What types alone cannot say: order of times, counts that fit together. Called once, at the door.
    pub fn check(&self) -> Result<(), EventError> {
        let (start, end) = (self.start, self.end);
        if end < start {
            return Err(EventError::EndsBeforeItStarts { start, end });
        }
        if end.since(start) > Self::MAX_SPAN {
            return Err(EventError::TooLong {
                hours: end.since(start) / crate::time::HOUR,
            });
        }
        let p = &self.packets;
        let most = 1_000_000_000_000;
        in_range([
            ("expected", p.expected, 0..=most),
            ("received", p.received, 0..=most),
            ("lost", p.lost, 0..=most),
            ("discarded", p.discarded, 0..=most),
        ])?;
        let expected = p.expected.unwrap_or(most);
        in_range([
            ("lost (more than expected)", p.lost, 0..=expected),
            ("discarded (more than expected)", p.discarded, 0..=expected),
        ])?;
        self.check_codes()?;
        match self.provider.mos_degradation {
            Some(d) if !(0.0..=5.0).contains(&d) => Err(EventError::Number {
                field: "mos_degradation",
                value: d.to_string(),
            }),
            _ if self.revision < 0 => Err(EventError::Count {
                field: "revision",
                value: self.revision,
            }),
            _ => Ok(()),
        }
    }

    /// Codes and sizes with a range of their own: RFC 3550 (SSRC, payload type), RFC 3261 (status), ITU-T Q.850 (cause).
    fn check_codes(&self) -> Result<(), EventError> {
        let (media, failure) = (&self.media, &self.failure);
        in_range([
            ("ssrc", media.ssrc, 0..=i64::from(u32::MAX)),
            ("payload_type", media.payload_type.map(i64::from), 0..=127),
            ("sample_rate_hz", media.sample_rate_hz.map(i64::from), 1..=1_000_000),
            ("link_speed_bps", self.near_endpoint.link_speed_bps, 0..=i64::MAX),
            ("bandwidth_bps", media.bandwidth_bps, 0..=i64::MAX),
            ("gap_min", self.packets.gap_min.map(i64::from), 0..=255),
            ("sip_code", failure.sip_code.map(i64::from), 100..=699),
            ("q850_cause", failure.q850_cause.map(i64::from), 0..=127),
        ])
    }

    /// Loss over what was expected: as reported, or from the counts.
    pub fn loss_ratio(&self) -> Option<f64> {
        self.packets
            .loss_ratio
            .map(Ratio::get)
            .or_else(|| self.packets.ratio_of(self.packets.lost))
    }

    /// Length of what was measured, in whole milliseconds.
    pub fn media_ms(&self) -> i64 {
        self.end.since(self.start) / 1000
    }
}
