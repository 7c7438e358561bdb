//! `kill -9` while producing: everything acknowledged is there, exactly once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use support::*;

struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// The example binary, which is built along with the tests.
    fn start(dir: &Path, address: &str) -> Self {
        let tests = std::env::current_exe().unwrap();
        let binary = tests.ancestors().nth(2).unwrap().join("examples/serve");
        let mut child = Command::new(binary)
            .arg(dir)
            .arg(address)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            child,
            address: line.trim().to_owned(),
        }
    }
}

impl Drop for Process {
    /// SIGKILL: no flush, no goodbye.
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn records_acknowledged_before_during_and_after_three_kills_are_there_exactly_once() {
    const RECORDS: usize = 300_000;
    let dir = tempfile::tempdir().unwrap();
    let mut process = Process::start(dir.path(), "127.0.0.1:0");
    let address = process.address.clone();
    let mut config = client(&address);
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "1")
        .set("batch.num.messages", "200");
    let producer: ThreadedProducer<Count> = config.create_with_context(Count::default()).unwrap();
    let mut kills = 0;
    for at in 0..RECORDS {
        let key = at.to_string();
        let mut record = BaseRecord::to("survivors").key(&key).payload("0123456789").partition(0);
        while let Err((KafkaError::MessageProduction(_), back)) = producer.send(record) {
            producer.flush(Duration::from_millis(10)).ok();
            record = back;
        }
        // In the middle of the stream, with records in flight.
        if at % (RECORDS / 4) == RECORDS / 8 && kills < 3 {
            eventually("something is acknowledged", || {
                (producer.context().delivered() > at / 2).then_some(())
            });
            drop(process);
            process = Process::start(dir.path(), &address);
            kills += 1;
        }
    }
    producer.flush(DEADLINE).unwrap();
    assert_eq!((kills, producer.context().delivered()), (3, RECORDS));
    drop(process);
    let _process = Process::start(dir.path(), &address);
    let seen = read_all(&client(&address), "survivors");
    assert_eq!(seen.len(), RECORDS);
    assert!(seen.iter().enumerate().all(|(at, record)| record.key == at.to_string()));
}
