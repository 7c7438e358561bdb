//! What the ends of a call report of it: every minute while it goes on, and once at its end.

use dialtone_schemas::{
    Direction, Endpoint, Event, EventId, EventTime, Leaf, Modality, ReportKind, Text,
    event::{Delay, Failure, Media, Packets, ProviderQuality, Signal},
    measure::{Millis, Ratio},
    time,
};

use crate::{
    call::{Call, End, Outcome, Reports},
    path::{Passage, Quality},
    random::{Dice, name, rounded, whole},
    world::World,
};

/// Packets a second: 20 ms of speech in each.
const PACKETS_A_SECOND: f64 = 50.0;

/// A report and when it reaches a door.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: EventTime,
    pub(crate) event: Box<Event>,
}

/// What one end made of its call.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) sent: Vec<Sent>,
    /// Was it poor at any time? Then its user may complain.
    pub(crate) was_poor: bool,
}

/// All reports of a call, per end.
pub(crate) fn reports(world: &World, call: &Call, dice: &mut Dice) -> Vec<Account> {
    if call.outcome == Outcome::NeverSetUp {
        let accounts = (0..call.ends.len()).map(|i| {
            let event = report(call, i, ReportKind::Final, (call.start, call.start), None);
            Account {
                sent: vec![sent(event, dice)],
                was_poor: true,
            }
        });
        return accounts.collect();
    }
    let mut accounts: Vec<Account> = call.ends.iter().map(|_| Account::default()).collect();
    let mut sums = vec![Quality::default(); call.ends.len()];
    let mut passage = Passage::new(world, call);
    let end = call.start.plus(call.span);
    let mut from = call.start;
    while from < end {
        let to = if end.since(from) < time::MINUTE {
            end
        } else {
            from.plus(time::MINUTE)
        };
        for (i, quality) in passage.interval(from).into_iter().enumerate() {
            accounts[i].was_poor |= is_poor(quality);
            add(&mut sums[i], quality, share(to.since(from), call.span));
            if to.since(from) == time::MINUTE && call.ends[i].reports == Reports::EveryMinute {
                let event = report(call, i, ReportKind::Interval, (from, to), Some(quality));
                accounts[i].sent.push(sent(event, dice));
            }
        }
        from = to;
    }
    for (i, account) in accounts.iter_mut().enumerate() {
        let event = report(call, i, ReportKind::Final, (call.start, end), Some(sums[i]));
        account.sent.push(sent(event, dice));
    }
    accounts
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of hours")]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn add(sum: &mut Quality, quality: Quality, share: f64) {
    sum.loss += quality.loss * share;
    sum.discard += quality.discard * share;
    sum.jitter_ms += quality.jitter_ms * share;
    sum.rtt_ms += quality.rtt_ms * share;
}

/// A report is under way for a second or a few; well below the bounds of 60 s and 120 s.
fn sent(event: Event, dice: &mut Dice) -> Sent {
    let delay = dice.lognormal(1.2, 0.6).clamp(0.2, 20.0);
    Sent {
        at: event.end.plus(whole(delay * 1000.0) * 1000),
        event: Box::new(event),
    }
}

/// Would a user notice? Loss, jitter and delay as most of the field counts them poor, or R below 70 (MOS 3.6).
///
/// R = 93.2 - Id - Ie,eff with Id after Cole and Rosenbluth (2001) and Ie,eff of G.711 with concealment (G.113: Ie 0, Bpl
/// 25.1). It decides who complains and nothing else: no report carries it.
pub(crate) fn is_poor(quality: Quality) -> bool {
    let lost_percent = (quality.loss + quality.discard) * 100.0;
    let one_way_ms = quality.rtt_ms / 2.0 + 2.0 * quality.jitter_ms + 20.0;
    let late = if one_way_ms > 177.3 {
        0.11 * (one_way_ms - 177.3)
    } else {
        0.0
    };
    let r = 93.2 - 0.024 * one_way_ms - late - 95.0 * lost_percent / (lost_percent + 25.1);
    quality.loss >= 0.05 || quality.jitter_ms >= 30.0 || quality.rtt_ms >= 400.0 || r < 70.0
}

fn report(call: &Call, i: usize, kind: ReportKind, (start, end): (EventTime, EventTime), q: Option<Quality>) -> Event {
    let near = &call.ends[i];
    let far = call.ends.iter().enumerate().find(|(j, _)| *j != i).map(|(_, end)| end);
    let leg = name(if i == 0 { "a" } else { "b" });
    let of_kind = if kind == ReportKind::Final { "final" } else { "interval" };
    let id = EventId::derive([call.id.as_str(), leg.as_str(), of_kind, &start.micros().to_string()]);
    let is_final = kind == ReportKind::Final;
    Event {
        event_id: Some(id),
        revision: 0,
        tenant: None,
        source: None,
        kind,
        call_id: call.id.clone(),
        leg_id: Some(leg),
        start,
        end,
        received_at: None,
        direction: Direction::Receive,
        modality: Modality::Audio,
        near: unplaced(&near.leaf),
        far: far.map(|end| unplaced(&end.leaf)),
        near_endpoint: endpoint(near),
        far_endpoint: far.map(endpoint),
        media: q.map_or_else(Media::default, |_| media(near)),
        packets: q.map_or_else(Packets::default, |q| packets(q, share(end.since(start), time::SECOND))),
        delay: q.map_or_else(Delay::default, delay),
        signal: Signal::default(),
        picture: dialtone_schemas::event::Picture::default(),
        provider: ProviderQuality::default(),
        score: None,
        failure: Failure {
            setup_failed: is_final.then_some(call.outcome == Outcome::NeverSetUp),
            dropped: is_final.then_some(call.outcome == Outcome::Dropped),
            ..Failure::default()
        },
        warnings: Vec::new(),
    }
}

/// The building file places an end by its address; a report does not know where it is.
fn unplaced(leaf: &Leaf) -> Leaf {
    Leaf {
        site: None,
        building: None,
        segment: None,
        ..leaf.clone()
    }
}

fn endpoint(end: &End) -> Endpoint {
    Endpoint {
        address: Some(end.address.clone()),
        user: Some(end.user.clone()),
        device_id: Some(end.device_id.clone()),
        ..Endpoint::default()
    }
}

fn media(end: &End) -> Media {
    let (payload_type, sample_rate_hz) = match end.leaf.codec.as_ref().map(Text::as_str) {
        Some("pcmu") => (0, 8000),
        Some("pcma") => (8, 8000),
        Some("g722") => (9, 16000),
        Some("g729") => (18, 8000),
        _ => (111, 48000),
    };
    Media {
        payload_type: Some(payload_type),
        sample_rate_hz: Some(sample_rate_hz),
        packet_ms: Millis::new(20.0).ok(),
        concealment: Some(true),
        ..Media::default()
    }
}

fn packets(q: Quality, seconds: f64) -> Packets {
    let expected = whole((seconds * PACKETS_A_SECOND).floor());
    let of = |share: f64| whole((seconds * PACKETS_A_SECOND).floor() * share.clamp(0.0, 1.0)).min(expected);
    let lost = of(q.loss);
    let discarded = of(q.discard).min(expected - lost);
    Packets {
        expected: Some(expected),
        received: Some(expected - lost),
        lost: Some(lost),
        discarded: Some(discarded),
        loss_ratio: Ratio::new(rounded(share(lost, expected), 6)).ok(),
        discard_ratio: Ratio::new(rounded(share(discarded, expected), 6)).ok(),
        concealed_ratio: Ratio::new(rounded(share(lost + discarded, expected), 6)).ok(),
        ..Packets::default()
    }
}

fn delay(q: Quality) -> Delay {
    let millis = |value: f64| Millis::new(rounded(value.min(10_000.0), 1)).ok();
    Delay {
        rtt_ms: millis(q.rtt_ms),
        jitter_ms: millis(q.jitter_ms),
        ..Delay::default()
    }
}
