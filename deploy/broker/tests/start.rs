//! Starting under bad conditions, and a disk that fills up.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

use std::io::Write as _;
mod support;

use std::error::Error;
use std::net::TcpListener;
use std::process::Command;

use dialtone_broker::{Broker, BrokerConfig, BrokerError, FsyncPolicy};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use support::*;

#[tokio::test]
async fn a_second_broker_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = Broker::start(BrokerConfig::new(dir.path())).await.unwrap();
    let second = Broker::start(BrokerConfig::new(dir.path())).await;
    assert!(matches!(second, Err(BrokerError::Locked { .. })));
    first.shutdown().await;
    Broker::start(BrokerConfig::new(dir.path()))
        .await
        .unwrap()
        .shutdown()
        .await;
}

#[tokio::test]
async fn a_port_in_use_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = BrokerConfig::new(dir.path());
    config.listen = taken.local_addr().unwrap();
    let refusal = Broker::start(config).await.unwrap_err();
    assert!(refusal.to_string().contains(&taken.local_addr().unwrap().to_string()));
    assert!(refusal.source().is_some());
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refusal = Broker::start(BrokerConfig::new(file.join("data"))).await.unwrap_err();
    assert!(refusal.to_string().contains("file/data"));
}

#[test]
fn every_fsync_policy_stores_records() {
    for adjust in [
        (|config| config.fsync = FsyncPolicy::Always) as fn(&mut BrokerConfig),
        |config| config.fsync = FsyncPolicy::Never,
    ] {
        let mut broker = TestBroker::with(adjust);
        produce(&broker.client(), "t", numbered(0..50));
        broker.restart();
        assert_eq!(read_all(&broker.client(), "t").len(), 50);
    }
}

/// A real full disk, where mounting one is allowed.
#[test]
fn a_full_disk_refuses_records_keeps_what_it_took_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(dir.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        drop(writeln!(
            std::io::stderr(),
            "SKIPPED: a small disk cannot be mounted here; the rule is tested in the log itself"
        ));
        return;
    }
    let outcome = std::panic::catch_unwind(|| fill_up(dir.path()));
    assert!(
        Command::new("umount")
            .arg("-l")
            .arg(dir.path())
            .status()
            .unwrap()
            .success()
    );
    outcome.unwrap();
}

fn fill_up(dir: &std::path::Path) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let broker = runtime
        .block_on(Broker::start(BrokerConfig::new(dir.join("data"))))
        .unwrap();
    let mut config = client(&broker.bootstrap());
    config.set("message.timeout.ms", "2000").set("batch.num.messages", "1");
    let producer: BaseProducer<_> = config.create_with_context(Count::default()).unwrap();
    for at in 0..300 {
        let key = format!("key-{at}");
        let record = BaseRecord::to("t").key(&key).payload(&[7_u8; 10_000][..]).partition(0);
        producer.send(record).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    let taken = producer.context().delivered();
    assert!((10..200).contains(&taken), "{taken} records fitted into one MiB");
    std::fs::remove_file(&ballast).unwrap();
    produce(&client(&broker.bootstrap()), "t", numbered(0..10));
    let seen = read_all(&client(&broker.bootstrap()), "t");
    // A client may have given up on a record whose retry was stored after all; none is missing.
    assert!(seen.len() >= taken + 10);
    assert!((0..).zip(&seen).all(|(at, record)| record.offset == at));
    runtime.block_on(broker.shutdown());
}
