//! Consumer groups with real consumers: shares, hand-over, committed offsets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use support::*;

fn member(broker: &TestBroker, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = broker.client();
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false");
    config
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "100")
        .set("fetch.wait.max.ms", "50");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config.create().unwrap()
}

/// Polls all members until their shares satisfy a condition.
fn poll_until(members: &[&BaseConsumer], condition: impl Fn(&[usize]) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let shares: Vec<_> = members
            .iter()
            .map(|member| member.assignment().unwrap().count())
            .collect();
        if condition(&shares) {
            return;
        }
        assert!(Instant::now() < deadline, "shares are {shares:?}");
        for member in members {
            member.poll(Duration::from_millis(20));
        }
    }
}

fn two_members_share(assignor: &str) {
    let broker = TestBroker::start();
    broker.create_topic("shared", 4, &[]);
    let new = || member(&broker, "g", &[("partition.assignment.strategy", assignor)]);
    let first = new();
    first.subscribe(&["shared"]).unwrap();
    poll_until(&[&first], |shares| shares == [4]);
    let second = new();
    second.subscribe(&["shared"]).unwrap();
    poll_until(&[&first, &second], |shares| shares == [2, 2]);
    first.unsubscribe();
    poll_until(&[&first, &second], |shares| shares == [0, 4]);
}

#[test]
fn two_members_share_under_range_and_one_inherits_when_the_other_leaves() {
    two_members_share("range");
}

#[test]
fn two_members_share_under_cooperative_sticky_and_one_inherits_when_the_other_leaves() {
    two_members_share("cooperative-sticky");
}

#[test]
fn a_member_that_falls_silent_loses_its_share_after_its_session() {
    let broker = TestBroker::start();
    broker.create_topic("shared", 2, &[]);
    let short = ("session.timeout.ms", "1000");
    // A static member says no goodbye, so its departure shows as silence alone.
    let first = member(&broker, "g", &[short, ("group.instance.id", "desk-1")]);
    let second = member(&broker, "g", &[short]);
    first.subscribe(&["shared"]).unwrap();
    second.subscribe(&["shared"]).unwrap();
    poll_until(&[&first, &second], |shares| shares == [1, 1]);
    drop(first);
    poll_until(&[&second], |shares| shares == [2]);
}

#[test]
fn a_static_member_that_returns_in_time_causes_no_rebalance() {
    let broker = TestBroker::start();
    broker.create_topic("shared", 2, &[]);
    let desk = |id| member(&broker, "g", &[("group.instance.id", id)]);
    let (first, second) = (desk("desk-1"), desk("desk-2"));
    first.subscribe(&["shared"]).unwrap();
    second.subscribe(&["shared"]).unwrap();
    poll_until(&[&first, &second], |shares| shares == [1, 1]);
    // A number, not the list: librdkafka's lists keep their consumer from closing.
    let share = |of: &BaseConsumer| of.assignment().unwrap().elements()[0].partition();
    let before = share(&first);
    drop(first);
    let again = desk("desk-1");
    again.subscribe(&["shared"]).unwrap();
    poll_until(&[&again, &second], |shares| shares == [1, 1]);
    assert_eq!(share(&again), before);
}

#[test]
fn a_group_resumes_where_it_committed_even_after_a_restart_of_the_broker() {
    let mut broker = TestBroker::start();
    produce(&broker.client(), "work", numbered(0..100));
    let reader = member(&broker, "g", &[]);
    reader.subscribe(&["work"]).unwrap();
    let mut read = 0;
    let deadline = Instant::now() + DEADLINE;
    while read < 40 {
        assert!(Instant::now() < deadline);
        read += usize::from(reader.poll(Duration::from_millis(100)).transpose().unwrap().is_some());
    }
    let mut position = TopicPartitionList::new();
    let mut forty = position.add_partition("work", 0);
    forty.set_offset(Offset::Offset(40)).unwrap();
    forty.set_metadata("forty done");
    reader.commit(&position, CommitMode::Sync).unwrap();
    drop(reader);
    broker.restart();

    let reader = member(&broker, "g", &[]);
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition("work", 0);
    let found = reader.committed_offsets(wanted, DEADLINE).unwrap();
    let found = found.find_partition("work", 0).unwrap();
    assert_eq!((found.offset(), found.metadata()), (Offset::Offset(40), "forty done"));
    reader.subscribe(&["work"]).unwrap();
    let next = eventually("the next record", || {
        reader.poll(Duration::from_millis(100)).transpose().unwrap()
    });
    assert_eq!(next.offset(), 40);
}

#[test]
fn groups_and_their_members_are_listed() {
    let broker = TestBroker::start();
    broker.create_topic("shared", 1, &[]);
    let reader = member(&broker, "visible", &[("client.id", "desk")]);
    reader.subscribe(&["shared"]).unwrap();
    poll_until(&[&reader], |shares| shares == [1]);
    let list = reader.fetch_group_list(Some("visible"), DEADLINE).unwrap();
    let group = &list.groups()[0];
    assert_eq!(
        (group.name(), group.state(), group.protocol()),
        ("visible", "Stable", "range")
    );
    assert_eq!(group.members()[0].client_id(), "desk");
    assert!(
        group.members()[0]
            .assignment()
            .is_some_and(|assignment| !assignment.is_empty())
    );
    assert_eq!(reader.fetch_group_list(None, DEADLINE).unwrap().groups().len(), 1);
}
