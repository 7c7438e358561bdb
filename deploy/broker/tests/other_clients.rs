//! Clients that are not librdkafka through Rust: kafka-python, confluent-kafka and kcat, where installed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use support::*;

/// Whether a program is there; if not, says so where nobody overlooks it.
fn is_installed(what: &str, probe: &mut Command) -> bool {
    let found = probe
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        drop(writeln!(
            std::io::stderr(),
            "==== SKIPPED: {what} is not installed ===="
        ));
    }
    found
}

fn python(script: &str, bootstrap: &str) {
    let output = Command::new("python3")
        .args(["-c", script, bootstrap])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn kafka_python_produces_consumes_commits_and_administers() {
    if !is_installed("kafka-python", Command::new("python3").args(["-c", "import kafka"])) {
        return;
    }
    let broker = TestBroker::start();
    python(include_str!("clients/kafka_python.py"), broker.bootstrap());
    assert_eq!(read_all(&broker.client(), "from-python").len(), 1000);
}

#[test]
fn confluent_kafka_produces_consumes_commits_and_administers() {
    if !is_installed(
        "confluent-kafka",
        Command::new("python3").args(["-c", "import confluent_kafka"]),
    ) {
        return;
    }
    let broker = TestBroker::start();
    python(include_str!("clients/confluent_kafka.py"), broker.bootstrap());
    assert_eq!(read_all(&broker.client(), "from-confluent").len(), 1000);
}

#[test]
fn kcat_lists_produces_consumes_and_asks_for_offsets() {
    if !is_installed("kcat", Command::new("kcat").arg("-V")) {
        return;
    }
    let broker = TestBroker::start();
    let kcat = |arguments: &[&str], input: &str| {
        let mut child = Command::new("kcat")
            .args(["-b", broker.bootstrap()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "kcat {arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for codec in ["none", "gzip", "snappy", "lz4"] {
        kcat(&["-P", "-t", codec, "-z", codec, "-K", ":"], "a:1\nb:2\nc:3\n");
        assert_eq!(
            kcat(&["-C", "-t", codec, "-e", "-q", "-K", ":"], ""),
            "a:1\nb:2\nc:3\n",
            "{codec}"
        );
    }
    assert!(kcat(&["-L"], "").contains("topic \"lz4\" with 1 partitions"));
    assert!(kcat(&["-Q", "-t", "lz4:0:-1"], "").contains("offset 3"));
    assert_eq!(
        kcat(
            &["-G", "desk", "-e", "-q", "-X", "auto.offset.reset=earliest", "lz4"],
            ""
        ),
        "1\n2\n3\n"
    );
}
