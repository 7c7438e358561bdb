use dialtone_schemas::{Reject, time, topic::Topic};
use dialtone_wire::Payload;

use super::*;
use crate::{
    privacy::Sealed,
    sample::{self, text},
};

fn report(event: Event) -> Report {
    Report {
        content: Ok(Content::Events(vec![event], Source::Http)),
        original: Bytes::from_static(b"as sent by anna@example.org"),
        position: Some(7),
    }
}

fn impossible() -> Event {
    Event {
        end: sample::event().start.plus(-1),
        ..sample::event()
    }
}

async fn take(service: &IngestService, reports: Vec<Report>) -> Vec<Fate> {
    service.take(Door::Http, &text("acme"), reports).await
}

fn clocks(memory: &sample::Memory) -> Vec<(Topic, Option<i32>, EventTime)> {
    let all = Topic::ALL.into_iter().flat_map(|topic| memory.records(topic));
    all.filter_map(|record| match record.payload {
        Payload::Clock(time) => Some((record.topic, record.partition, time)),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn an_event_is_keyed_by_its_call_and_acknowledged() {
    let (service, memory) = sample::service();
    let fates = take(&service, vec![report(sample::event())]).await;
    assert!(
        matches!(&fates[..], [Fate::Accepted { id, late: false, ahead: false }] if id.len() == 32),
        "{fates:?}"
    );
    let records = memory.records(Topic::Events);
    assert_eq!(
        (records.len(), &records[0].key[..], records[0].partition),
        (1, b"acme|6dg37f1890463".as_slice(), None)
    );
    assert_eq!(memory.events()[0].received_at, Some(sample::now()));
}

#[tokio::test]
async fn a_reject_keeps_its_reason_and_its_bytes_encrypted() {
    let (service, memory) = sample::service();
    let fates = take(&service, vec![report(impossible())]).await;
    assert!(matches!(&fates[..], [Fate::Rejected(refusal)] if refusal.reason == Reason::InvalidEvent));
    let rejects: Vec<Reject> = memory.read(Topic::Rejects);
    let reject = &rejects[0];
    assert_eq!(
        (reject.reason.as_str(), reject.door.as_str(), reject.position),
        ("invalid_event", "http", Some(7))
    );
    let sealed = Sealed {
        encryption: "xchacha20poly1305",
        key_id: reject.key_id.as_ref().map(|id| id.as_str().to_owned()),
        bytes: reject.original.clone(),
    };
    assert_eq!(
        sealed.open(&sample::rules().key).as_deref(),
        Ok(b"as sent by anna@example.org".as_slice())
    );
    assert!(!memory.bytes().windows(4).any(|w| w == b"anna"), "P-1");
}

/// F-1, counted by hand: 2 accepted, 1 rejected, then 3 while the broker is down, then 1 known already.
#[tokio::test]
async fn received_is_accepted_and_rejected_and_duplicate_and_unacknowledged() {
    let (service, memory) = sample::service();
    take(
        &service,
        vec![report(sample::event()), report(impossible()), report(sample::event())],
    )
    .await;
    memory.goes_down(true);
    let fates = take(
        &service,
        vec![report(sample::event()), report(impossible()), report(sample::event())],
    )
    .await;
    assert!(
        fates.iter().all(|fate| matches!(fate, Fate::Unacknowledged(_))),
        "a reject has to be acknowledged too: {fates:?}"
    );
    service.take_duplicate(Door::Http);
    let counts = service.counts(Door::Http);
    assert_eq!(
        counts,
        Counts {
            received: 7,
            accepted: 2,
            rejected: 1,
            duplicate: 1,
            unacknowledged: 3
        }
    );
    assert!(counts.add_up());
}

#[tokio::test]
async fn what_the_broker_refuses_for_good_is_a_reject() {
    let (service, memory) = sample::service();
    memory.refuses_events();
    let fates = take(&service, vec![report(sample::event())]).await;
    assert!(matches!(&fates[..], [Fate::Rejected(refusal)] if refusal.reason == Reason::RefusedByBroker));
    assert_eq!(memory.read::<Reject>(Topic::Rejects).len(), 1);
}

#[tokio::test]
async fn the_logs_are_told_the_clock_after_the_first_publish_and_in_every_partition() {
    let (service, memory) = sample::service();
    service.tick().await.expect("told");
    assert_eq!(clocks(&memory), [], "nothing before the first publish");
    take(&service, vec![report(sample::event())]).await;
    service.tick().await.expect("told");
    service.tick().await.expect("told");
    let end = sample::event().end;
    let expected = [
        (Topic::Events, 0),
        (Topic::Events, 1),
        (Topic::Changes, 0),
        (Topic::Changes, 1),
        (Topic::Complaints, 0),
        (Topic::Complaints, 1),
        (Topic::Control, 0),
    ];
    assert_eq!(
        clocks(&memory),
        expected.map(|(topic, partition)| (topic, Some(partition), end))
    );
}

#[tokio::test]
async fn an_unacknowledged_event_moves_no_clock_and_an_unacknowledged_clock_is_told_again() {
    let (service, memory) = sample::service();
    memory.goes_down(true);
    take(&service, vec![report(sample::event())]).await;
    assert_eq!(service.clock(), None);
    memory.goes_down(false);
    take(&service, vec![report(sample::event())]).await;
    memory.goes_down(true);
    assert!(service.tick().await.is_err());
    memory.goes_down(false);
    service.tick().await.expect("told");
    assert_eq!(clocks(&memory).len(), 7);
}

/// Ends at 09:01:00, a window's end; largest bound 75 min, and a minute: 10:17.
#[tokio::test]
async fn the_end_of_input_closes_everything() {
    let (service, memory) = sample::service();
    take(&service, vec![report(sample::event())]).await;
    service.close().await.expect("told");
    assert_eq!(clocks(&memory)[0].2, sample::event().end.plus(76 * time::MINUTE));
}

#[tokio::test]
async fn an_old_event_is_accepted_and_called_late() {
    let (service, _) = sample::service();
    take(&service, vec![report(sample::event())]).await;
    let (start, end) = (
        sample::event().start.plus(-time::HOUR),
        sample::event().end.plus(-time::HOUR),
    );
    let fates = take(
        &service,
        vec![report(Event {
            start,
            end,
            ..sample::event()
        })],
    )
    .await;
    assert!(matches!(&fates[..], [Fate::Accepted { late: true, .. }]), "{fates:?}");
}

#[tokio::test]
async fn an_event_far_ahead_of_its_receipt_is_accepted_and_called_so() {
    let (service, memory) = sample::service();
    let ahead = |minutes| Event {
        end: service.now().plus(minutes * time::MINUTE),
        ..sample::event()
    };
    let fates = take(&service, vec![report(ahead(5)), report(ahead(6))]).await;
    let flags: Vec<_> = fates
        .iter()
        .map(|fate| matches!(fate, Fate::Accepted { ahead: true, .. }))
        .collect();
    assert_eq!(flags, [false, true]);
    assert_eq!(memory.events().len(), 2, "both are kept");
}
