//! Whatever arrives, the broker neither falls nor hangs: it closes that connection and serves the next.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use support::*;

/// Sends bytes, says that no more will come, and reads what comes until the broker closes.
fn send(broker: &TestBroker, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(broker.bootstrap()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The broker may close while we still write.
    stream.write_all(bytes).ok();
    stream.shutdown(std::net::Shutdown::Write).ok();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the broker hung"),
    }
    answer
}

fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(10 + body.len()).unwrap();
    [
        &length.to_be_bytes()[..],
        &key.to_be_bytes(),
        &version.to_be_bytes(),
        &7_i32.to_be_bytes(),
        &(-1_i16).to_be_bytes(),
        body,
    ]
    .concat()
}

/// Still serving: a real client can produce and read.
fn serves(broker: &TestBroker) {
    produce(&broker.client(), "alive", numbered(0..1));
}

#[test]
fn random_bytes_close_the_connection_and_nothing_else() {
    let broker = TestBroker::start();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..Default::default()
    });
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..300), |bytes| {
            send(&broker, &bytes);
            Ok(())
        })
        .unwrap();
    serves(&broker);
}

#[test]
fn well_framed_nonsense_closes_the_connection_and_nothing_else() {
    let broker = TestBroker::start();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..Default::default()
    });
    // Joining a group may rightly wait, and a fetch too; their nonsense is tested without waiting.
    let keys = prop::sample::select(vec![
        0_i16, 2, 3, 8, 9, 10, 12, 13, 14, 15, 16, 18, 20, 21, 22, 23, 32, 33, 37, 44, 99,
    ]);
    let body = prop::collection::vec(prop_oneof![Just(0_u8), Just(255), 0..4_u8, any::<u8>()], 0..200);
    runner
        .run(&(keys, -1..13_i16, body), |(key, version, body)| {
            send(&broker, &frame(key, version, &body));
            Ok(())
        })
        .unwrap();
    serves(&broker);
}

#[test]
fn a_huge_announced_length_costs_nothing() {
    let broker = TestBroker::start();
    for length in [i32::MAX, i32::MIN, -1, 0, 1, 100 << 20, (100 << 20) + 1] {
        assert!(
            send(&broker, &[&length.to_be_bytes()[..], &[0, 0, 0, 3]].concat()).is_empty(),
            "{length}"
        );
    }
    serves(&broker);
}

#[test]
fn a_huge_announced_array_costs_nothing() {
    let broker = TestBroker::start();
    for key in [0, 1, 2, 3, 8, 9, 11, 13, 14, 15, 19, 20, 21, 23, 32, 33, 37, 44] {
        for version in 0..13 {
            for fill in [0x7f, 0xff] {
                send(&broker, &frame(key, version, &[fill; 40]));
                let head = [&[0_u8; 10][..], &[fill; 30]].concat();
                send(&broker, &frame(key, version, &head));
            }
        }
    }
    serves(&broker);
}

#[test]
fn a_truncated_frame_is_dropped() {
    let broker = TestBroker::start();
    let whole = frame(3, 1, &[0xff, 0xff, 0xff, 0xff]);
    for end in 0..whole.len() {
        assert!(send(&broker, &whole[..end]).is_empty(), "{end} bytes");
    }
    assert!(!send(&broker, &whole).is_empty());
}

#[test]
fn an_unknown_version_of_the_version_request_is_answered_in_version_0_with_code_35() {
    let broker = TestBroker::start();
    let answer = send(&broker, &frame(18, 99, &[0, 1, 1, 0]));
    assert_eq!(answer.get(4..10), Some(&[0, 0, 0, 7, 0, 35][..]));
    // 23 kinds of requests, six bytes each.
    assert_eq!(answer.get(10..14), Some(&[0, 0, 0, 23][..]));
    assert_eq!(answer.len(), 14 + 23 * 6);
}

#[test]
fn a_transaction_is_refused_with_the_protocols_code() {
    let broker = TestBroker::start();
    // EndTxn, version 0: throttle time, then the code.
    assert_eq!(send(&broker, &frame(26, 0, &[]))[8..], [0, 0, 0, 0, 0, 35]);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_a_free_place_is_used_again() {
    let broker = TestBroker::with(|config| config.limits.connections = 2);
    let request = frame(18, 0, &[]);
    let ask = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&request).ok();
        stream.read_exact(&mut [0; 4]).is_ok()
    };
    let connect = || TcpStream::connect(broker.bootstrap()).unwrap();
    let (mut first, mut second) = (connect(), connect());
    assert!(ask(&mut first) && ask(&mut second));
    assert!(!ask(&mut connect()));
    drop(first);
    eventually("the place is free", || ask(&mut connect()).then_some(()));
}
