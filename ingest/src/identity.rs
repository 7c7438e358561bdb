//! An event's id: 128 bits of who says what of which stream, never of a version. The same report taken twice is one event.

use dialtone_schemas::{Direction, Event, EventId, Modality, ReportKind, Source};

use crate::privacy::PrivacyKey;

/// The id of an event as its door took it, before it is sealed.
///
/// A door whose source has identities of its own sets `event_id` from them, and so may a sender over HTTP. Where there is
/// none, the stream and its interval are the identity; these parts may be personal, so the hash over them is keyed.
pub(crate) fn event_id(key: &PrivacyKey, tenant: &str, source: Source, event: &Event) -> EventId {
    if let Some(given) = event.event_id {
        return EventId::derive([tenant, source_name(source), &given.to_string()]);
    }
    let end = &event.near_endpoint;
    let who = event
        .leg_id
        .as_ref()
        .or(end.user.as_ref())
        .or(end.device_id.as_ref())
        .or(end.address.as_ref());
    EventId(key.token(
        "event",
        &[
            tenant,
            source_name(source),
            event.call_id.as_str(),
            who.map_or("", AsRef::as_ref),
            match event.direction {
                Direction::Receive => "receive",
                Direction::Send => "send",
            },
            match event.modality {
                Modality::Audio => "audio",
                Modality::Video => "video",
                Modality::Share => "share",
            },
            kind_name(event.kind),
            &event.start.micros().to_string(),
            &event.end.micros().to_string(),
        ],
    ))
}

/// As in records.
pub(crate) const fn kind_name(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Interval => "interval",
        ReportKind::Final => "final",
        ReportKind::Alert => "alert",
    }
}

/// As in records.
pub(crate) const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Http => "http",
        Source::VqRtcpxr => "vq_rtcpxr",
        Source::Graph => "graph",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn id(tenant: &str, change: impl Fn(&mut Event)) -> EventId {
        let mut event = sample::event();
        change(&mut event);
        event_id(&PrivacyKey::from_bytes([7; 32]), tenant, Source::Http, &event)
    }

    #[test]
    fn a_repeat_and_a_revision_have_the_same_id() {
        assert_eq!(id("acme", |_| {}), id("acme", |_| {}));
        assert_eq!(id("acme", |_| {}), id("acme", |e| e.revision = 3));
        assert_eq!(
            id("acme", |_| {}),
            id("acme", |e| e.packets.lost = Some(1)),
            "a corrected figure is the same event"
        );
    }

    #[test]
    fn whatever_identifies_the_stream_makes_another_id() {
        let first = id("acme", |_| {});
        assert_ne!(first, id("other", |_| {}));
        assert_ne!(first, id("acme", |e| e.leg_id = None));
        assert_ne!(first, id("acme", |e| e.direction = Direction::Send));
        assert_ne!(first, id("acme", |e| e.kind = ReportKind::Final));
        assert_ne!(first, id("acme", |e| e.end = e.end.plus(1)));
    }

    #[test]
    fn a_given_id_is_the_identity_within_tenant_and_source() {
        let given = |tenant: &str, end: i64| {
            id(tenant, |e| {
                e.event_id = Some(EventId(5));
                e.end = e.end.plus(end);
            })
        };
        assert_eq!(given("acme", 0), given("acme", 1));
        assert_ne!(
            given("acme", 0),
            given("other", 0),
            "one tenant cannot take another's id"
        );
    }
}
