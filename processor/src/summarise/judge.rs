//! Judging one event: on which channels it can be judged, and on which it is poor.

use dialtone_schemas::{Channel, Class, Direction, Event, EventId, Modality, ReportKind, Scale, Source, measure::Mos};
use serde::{Deserialize, Serialize};

use crate::config::Thresholds;

/// A set of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels(u8);

impl Channels {
    /// Adds one.
    pub fn insert(&mut self, channel: Channel) {
        self.0 |= 1 << channel as u8;
    }

    /// Is it in?
    pub const fn contains(self, channel: Channel) -> bool {
        self.0 & (1 << channel as u8) != 0
    }

    /// Those of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of either set.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The four that the media itself shows, and their union.
    pub const QUALITY: Self = Self(
        1 << Channel::Quality as u8
            | 1 << Channel::Loss as u8
            | 1 << Channel::Jitter as u8
            | 1 << Channel::Delay as u8
            | 1 << Channel::Mos as u8,
    );
}

/// What one event says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Channels that could be judged.
    pub judged: Channels,
    /// Of these, the poor ones.
    pub poor: Channels,
    /// Length of the media.
    pub media_ms: i64,
    /// Bins of loss, jitter, delay and missing R, where measured.
    pub bins: [Option<u16>; 4],
}

/// The class of an event: how late its kind of report may be.
pub fn class_of(event: &Event) -> Class {
    match (event.source, event.kind) {
        (Some(Source::Graph), _) => Class::Graph,
        (_, ReportKind::Final) => Class::Final,
        (_, ReportKind::Interval | ReportKind::Alert) => Class::Interval,
    }
}

/// The call-end that an event speaks of: both report kinds and all intervals of one end have the same.
pub fn end_of(event: &Event) -> u128 {
    let of = |text: &Option<dialtone_schemas::Text>| text.as_ref().map_or("", |t| t.as_str()).to_owned();
    let leg = match &event.leg_id {
        Some(leg) => leg.as_str().to_owned(),
        // Without a leg the end is told apart by whatever is known of it.
        None => format!(
            "{}/{}",
            of(&event.near_endpoint.device_id),
            of(&event.near_endpoint.user)
        ),
    };
    let direction = if event.direction == Direction::Receive {
        "receive"
    } else {
        "send"
    };
    EventId::derive([of(&event.tenant).as_str(), event.call_id.as_str(), &leg, direction]).0
}

/// Judges the audio that the near end heard. Video, what was only sent, and alert reports (whose interval is reported
/// anyway) pass into the lake and count as events, but do not judge.
pub fn judge(event: &Event, thresholds: &Thresholds) -> Judgement {
    let mut judgement = Judgement {
        media_ms: event.media_ms(),
        ..Judgement::default()
    };
    if event.modality != Modality::Audio || event.direction != Direction::Receive || event.kind == ReportKind::Alert {
        return judgement;
    }
    let loss = event.loss_ratio();
    let jitter = event.delay.jitter_ms.map(|ms| ms.get());
    let rtt = event
        .delay
        .rtt_ms
        .map(|ms| ms.get())
        .or_else(|| event.delay.one_way_ms.map(|ms| 2.0 * ms.get()));
    let r = event.score.as_ref().map(|score| score.r.get());
    let mos = mos_of(event);

    let mut channel = |channel, value: Option<f64>, poor: fn(f64, f64) -> bool, limit| {
        if let Some(value) = value {
            judgement.judged.insert(channel);
            judgement.judged.insert(Channel::Quality);
            if poor(value, limit) {
                judgement.poor.insert(channel);
                judgement.poor.insert(Channel::Quality);
            }
        }
    };
    channel(Channel::Loss, loss, |v, limit| v >= limit, thresholds.loss_ratio);
    channel(Channel::Jitter, jitter, |v, limit| v >= limit, thresholds.jitter_ms);
    channel(Channel::Delay, rtt, |v, limit| v >= limit, thresholds.rtt_ms);
    channel(Channel::Mos, mos, |v, limit| v < limit, thresholds.mos);
    for (channel, failed) in [
        (Channel::Setup, event.failure.setup_failed),
        (Channel::Drop, event.failure.dropped),
    ] {
        if let (ReportKind::Final, Some(failed)) = (event.kind, failed) {
            judgement.judged.insert(channel);
            if failed {
                judgement.poor.insert(channel);
            }
        }
    }
    judgement.bins = [
        loss.map(|v| Scale::Loss.bin(v)),
        jitter.map(|v| Scale::Jitter.bin(v)),
        rtt.map(|v| Scale::Delay.bin(v)),
        r.map(|v| Scale::MissingR.bin((100.0 - v).max(0.0))),
    ];
    judgement
}

/// Our own MOS; where a report allows none, the provider's, which is better than not to judge. A degradation of more than
/// 1.0 is Microsoft's limit of a poor stream: seen from 4.6 it lies at the usual 3.6.
fn mos_of(event: &Event) -> Option<f64> {
    let provider = &event.provider;
    let said = provider.mos_conversation.or(provider.mos_listening).map(Mos::get);
    let score = event.score.as_ref().map(|score| score.mos.get());
    score
        .or(said)
        .or_else(|| provider.mos_degradation.map(|degradation| 4.6 - degradation))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(json: serde_json::Value) -> Judgement {
        let mut event = serde_json::json!({"kind": "interval", "call_id": "c", "start": 0, "end": 60_000_000});
        for (key, value) in json.as_object().expect("an object") {
            event[key] = value.clone();
        }
        judge(
            &serde_json::from_value(event).expect("an event"),
            &Thresholds::default(),
        )
    }

    #[test]
    fn what_was_not_measured_is_not_good_but_unjudged() {
        let only_jitter = judged(serde_json::json!({"delay": {"jitter_ms": 31.0}}));
        assert!(only_jitter.poor.contains(Channel::Jitter) && only_jitter.poor.contains(Channel::Quality));
        assert!(!only_jitter.judged.contains(Channel::Loss));
        assert_eq!(judged(serde_json::json!({})).judged, Channels::default());
    }

    #[test]
    fn loss_may_come_as_counts() {
        let counts = judged(serde_json::json!({"packets": {"expected": 100, "lost": 5}}));
        assert!(counts.poor.contains(Channel::Loss), "5 of 100 is 5 %");
    }

    #[test]
    fn where_we_cannot_score_the_providers_word_counts() {
        let poor = |provider| {
            judged(serde_json::json!({ "provider": provider }))
                .poor
                .contains(Channel::Mos)
        };
        assert!(poor(serde_json::json!({"mos_listening": 3.1})));
        assert!(poor(serde_json::json!({"mos_degradation": 1.2})));
        assert!(!poor(serde_json::json!({"mos_degradation": 0.9})));
    }

    #[test]
    fn a_failed_setup_counts_only_at_the_end_of_a_call() {
        let failure = serde_json::json!({"setup_failed": true});
        assert!(
            !judged(serde_json::json!({"failure": failure}))
                .judged
                .contains(Channel::Setup)
        );
        assert!(
            judged(serde_json::json!({"kind": "final", "failure": failure}))
                .poor
                .contains(Channel::Setup)
        );
    }
}
