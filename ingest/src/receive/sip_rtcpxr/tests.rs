//! The SIP door: what phones send, over real sockets, and what they hear.

use std::io::Write as _;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use dialtone_schemas::{Dimension, Direction, Event, EventTime, Reject, ReportKind, Text, time, topic::Topic};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use tokio_util::sync::CancellationToken;

use super::{
    event::{Envelope, events},
    message::{Message, MessageError},
    report::Body,
    tcp::{Frame, Framer},
    transaction::{Seen, Transactions},
    *,
};
use crate::{
    Privacy, PrivacyKey, PrivacyRules,
    config::SipConfig,
    count::{Counts, Door},
    refusal::Reason,
    sample::{self, Memory, text},
    service::IngestService,
};

/// The fixture as it goes over the wire.
fn publish() -> String {
    wire(include_str!("../../../tests/fixtures/sip/session_publish.txt"))
}

fn wire(fixture: &str) -> String {
    let text = fixture.replace("\r\n", "\n").replace('\n', "\r\n");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    format!(
        "{}\r\n\r\n{body}",
        head.replace("@@", &body.len().to_string())
            .replace("...", &body.len().to_string())
    )
}

fn read(body: &str, received_at: EventTime) -> Vec<Event> {
    let privacy = Privacy::new(PrivacyKey::from_bytes([7; 32]), PrivacyRules::default());
    let envelope = Envelope {
        tenant: "acme",
        call_id: "request-1",
        cseq: "1 PUBLISH",
        agent: None,
        source: "10.1.0.77".parse().expect("an address"),
        received_at,
        dimensions: &BTreeMap::new(),
    };
    events(&Body::read(body.as_bytes()).expect("a report"), &envelope, &privacy).expect("events")
}

#[test]
fn a_request_is_read_and_refused_without_a_socket_as_with_one() {
    let privacy = Privacy::new(PrivacyKey::from_bytes([7; 32]), PrivacyRules::default());
    let tenant = text("acme");
    let dimensions = BTreeMap::from([(Dimension::Connection, text("wired"))]);
    let received = Received {
        tenant: &tenant,
        source: "10.1.0.77".parse().expect("an address"),
        at: sample::now(),
        dimensions: &dimensions,
    };
    let of = |request: &str| super::read(request.as_bytes(), &received, &privacy);
    let events = of(&publish()).expect("a report");
    assert_eq!(
        events.iter().map(|e| e.direction).collect::<Vec<_>>(),
        [Direction::Receive, Direction::Send]
    );
    assert!(events.iter().all(|e| e.near.connection == Some(text("wired"))));
    let reason = |request: &str| of(request).expect_err("refused").reason;
    assert_eq!(reason("hello"), Reason::MalformedSip);
    assert_eq!(reason(&publish().replace("PUBLISH", "OPTIONS")), Reason::UnsupportedSip);
    assert_eq!(
        reason(&publish().replace("VQSessionReport", "VQNonsenseRepor")),
        Reason::MalformedReport
    );
}

fn warnings(event: &Event) -> Vec<&str> {
    event.warnings.iter().map(Text::as_str).collect()
}

struct Opened {
    address: SocketAddr,
    service: Arc<IngestService>,
    memory: Arc<Memory>,
    stop: CancellationToken,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn open(allow: &str) -> Opened {
    let mut config = SipConfig::new(text("acme"), vec![allow.parse().expect("a network")]);
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.dimensions.insert(Dimension::Policy, text("desk"));
    config.dimensions.insert(Dimension::Connection, text("wired"));
    let (service, memory) = sample::service();
    let server = SipServer::bind(Arc::clone(&service), config)
        .await
        .expect("a free port");
    let (address, stop) = (server.local_addr().expect("bound"), CancellationToken::new());
    tokio::spawn(server.run(stop.clone()));
    Opened {
        address,
        service,
        memory,
        stop,
    }
}

impl Opened {
    async fn phone(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        socket.connect(self.address).await.expect("connected");
        socket
    }

    async fn ask(&self, request: &str) -> String {
        let phone = self.phone().await;
        ask(&phone, request).await
    }
}

async fn ask(phone: &UdpSocket, request: &str) -> String {
    phone.send(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 65_535];
    let length = phone.recv(&mut answer).await.expect("an answer");
    assert!(length <= request.len(), "never more than was asked");
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn a_publication_becomes_two_events_and_is_answered_as_rfc_3903_says() {
    let door = open("127.0.0.0/8").await;
    let phone = door.phone().await;
    let answer = ask(&phone, &publish()).await;
    let port = phone.local_addr().expect("bound").port();
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    for line in [
        &format!("Via: SIP/2.0/UDP 10.1.0.77:5060;branch=z9hG4bK77ef;received=127.0.0.1;rport={port}"),
        "From: \"Anna\" <sip:anna@example.org>;tag=a1",
        "Call-ID: 5f1c-publish@10.1.0.77",
        "CSeq: 7 PUBLISH",
        "Expires: 600",
        "Content-Length: 0",
    ] {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{line} in {answer}");
    }
    assert!(
        answer.contains("\r\nSIP-ETag: ") && answer.contains("To: <sip:quality@collector.example.org>;tag="),
        "{answer}"
    );
    let events = door.memory.events();
    assert_eq!(
        events.iter().map(|e| e.direction).collect::<Vec<_>>(),
        [Direction::Receive, Direction::Send]
    );
    let local = &events[0];
    assert_eq!(
        (local.kind, local.call_id.as_str()),
        (ReportKind::Final, "6dg37f1890463")
    );
    assert_eq!(
        (local.near.site.as_ref(), local.near.device.as_ref()),
        (Some(&text("Berlin")), Some(&text("Teller D3")))
    );
    assert_eq!(
        (local.near.firmware.as_ref(), local.near.isp.as_ref()),
        (Some(&text("5.1.2")), Some(&text("norlink")))
    );
    assert_eq!(
        local.near.policy,
        Some(text("standard")),
        "the report's word, not the listener's"
    );
    assert_eq!(
        local.near.connection,
        Some(text("wired")),
        "the listener's word, where the report has none"
    );
    assert_eq!(local.near_endpoint.group, Some(text("desk-phones")));
    assert_eq!(local.packets.loss_ratio.map(|r| r.get()), Some(0.05));
    assert_eq!(
        local.score.as_ref().map(|s| s.method.as_str()),
        Some("g107-2015/g711-plc")
    );
    assert_eq!(
        (&events[1].leg_id, events[1].packets.loss_ratio.map(|r| r.get())),
        (&local.leg_id, Some(0.01))
    );
    assert_ne!(local.event_id, events[1].event_id);
}

/// P-1: names, numbers, addresses and MACs of the request are nowhere in what is published.
#[tokio::test]
async fn no_canary_of_a_report_survives() {
    let door = open("127.0.0.0/8").await;
    door.ask(&publish()).await;
    door.ask(
        &publish()
            .replace("VQSessionReport", "VQNonsenseRepor")
            .replace("z9hG4bK77ef", "z9hG4bK77ee"),
    )
    .await;
    assert_eq!(
        (door.memory.events().len(), door.memory.records(Topic::Rejects).len()),
        (2, 1)
    );
    let bytes = door.memory.bytes();
    for canary in [
        "anna",
        "Anna",
        "493012",
        "10.1.0.77",
        "198.51.100.77",
        "0004f2a1b2c3",
        "00:04:f2",
        "1a3b5c7d",
    ] {
        assert!(!bytes.windows(canary.len()).any(|w| w == canary.as_bytes()), "{canary}");
    }
}

/// F-1: 1 accepted, 2 retransmissions; 3 received.
#[tokio::test]
async fn a_retransmission_hears_the_same_and_counts_once() {
    let door = open("127.0.0.0/8").await;
    let phone = door.phone().await;
    let first = ask(&phone, &publish()).await;
    assert_eq!(ask(&phone, &publish()).await, first);
    assert_eq!(ask(&phone, &publish()).await, first);
    assert_eq!(door.memory.events().len(), 2);
    let counts = door.service.counts(Door::SipUdp);
    assert_eq!(
        counts,
        Counts {
            received: 3,
            accepted: 1,
            duplicate: 2,
            ..Counts::default()
        }
    );
    assert!(counts.add_up());
}

/// F-1: 1 rejected, 1 retransmission; 2 received, one reject.
#[tokio::test]
async fn a_retransmission_of_what_cannot_be_read_hears_the_same_and_counts_once() {
    let door = open("127.0.0.0/8").await;
    let phone = door.phone().await;
    let cut_off = publish().trim_end().trim_end_matches(|c: char| c != '\n').to_owned();
    let first = ask(&phone, &cut_off).await;
    assert!(first.starts_with("SIP/2.0 400 Bad Request\r\n"), "{first}");
    assert_eq!(ask(&phone, &cut_off).await, first);
    let counts = door.service.counts(Door::SipUdp);
    assert_eq!((counts.received, counts.rejected, counts.duplicate), (2, 1, 1));
    assert_eq!(door.memory.read::<Reject>(Topic::Rejects).len(), 1);
}

#[tokio::test]
async fn the_same_report_in_a_new_request_is_the_same_event() {
    let door = open("127.0.0.0/8").await;
    door.ask(&publish()).await;
    door.ask(
        &publish()
            .replace("z9hG4bK77ef", "z9hG4bK77ff")
            .replace("CSeq: 7", "CSeq: 8"),
    )
    .await;
    let ids: Vec<_> = door.memory.events().iter().map(|e| e.event_id).collect();
    assert_eq!((ids.len(), ids[0], ids[1]), (4, ids[2], ids[3]));
}

#[tokio::test]
async fn without_an_acknowledgement_there_is_no_200() {
    let door = open("127.0.0.0/8").await;
    door.memory.goes_down(true);
    let answer = door.ask(&publish()).await;
    assert!(
        answer.starts_with("SIP/2.0 503 Service Unavailable\r\n") && answer.contains("\r\nRetry-After: 5\r\n"),
        "{answer}"
    );
    assert_eq!(
        door.service.counts(Door::SipUdp),
        Counts {
            received: 1,
            unacknowledged: 1,
            ..Counts::default()
        }
    );
    door.memory.goes_down(false);
    let again = door.ask(&publish()).await;
    assert!(
        again.starts_with("SIP/2.0 200 OK\r\n"),
        "what could not be kept is taken when it comes again: {again}"
    );
    assert_eq!(door.memory.events().len(), 2);
}

#[tokio::test]
async fn what_is_for_somebody_else_is_told_what_is_understood_here() {
    let door = open("127.0.0.0/8").await;
    let mut n = 0;
    let mut variant = |from: &str, to: &str| {
        n += 1;
        publish()
            .replace("z9hG4bK77ef", &format!("z9hG4bK{n}"))
            .replace(from, to)
    };
    let invite = variant("PUBLISH", "INVITE");
    let presence = variant("Event: vq-rtcpxr", "Event: presence");
    let sdp = variant("application/vq-rtcpxr", "application/sdp");
    let broken = variant("VQSessionReport", "VQNonsenseRepor");
    let options = variant("PUBLISH", "OPTIONS");
    for (request, status, header) in [
        (invite, "405 Method Not Allowed", "Allow: PUBLISH, NOTIFY, OPTIONS"),
        (presence, "489 Bad Event", "Allow-Events: vq-rtcpxr"),
        (sdp, "415 Unsupported Media Type", "Accept: application/vq-rtcpxr"),
        (broken, "400 Bad Request", "Content-Length: 0"),
        (options, "200 OK", "Content-Length: 0"),
    ] {
        let answer = door.ask(&request).await;
        assert!(
            answer.starts_with(&format!("SIP/2.0 {status}\r\n")) && answer.contains(&format!("\r\n{header}\r\n")),
            "{answer}"
        );
    }
    let rejects: Vec<Reject> = door.memory.read(Topic::Rejects);
    assert_eq!(
        rejects.iter().map(|r| r.reason.as_str()).collect::<Vec<_>>(),
        [
            "unsupported_sip",
            "unsupported_sip",
            "unsupported_sip",
            "malformed_report"
        ]
    );
    assert!(door.service.counts(Door::SipUdp).add_up());
}

#[tokio::test]
async fn a_notify_and_compact_headers_and_a_refresh_are_answered() {
    let door = open("127.0.0.0/8").await;
    let notify = publish()
        .replace("PUBLISH", "NOTIFY")
        .replace("Via:", "v:")
        .replace("Call-ID:", "i:")
        .replace("Content-Length:", "l:")
        .replace("Event:", "o:");
    let answer = door.ask(&notify).await;
    assert!(
        answer.starts_with("SIP/2.0 200 OK\r\n") && !answer.contains("SIP-ETag"),
        "{answer}"
    );
    assert_eq!(door.memory.events().len(), 2);
    let (head, body) = publish()
        .split_once("\r\n\r\n")
        .map(|(h, b)| (h.to_owned(), b.len().to_string()))
        .expect("head");
    let refresh = head.replace(
        &format!("Content-Length: {body}"),
        "SIP-If-Match: x\r\nContent-Length: 0",
    ) + "\r\n\r\n";
    assert!(
        door.ask(&refresh.replace("77ef", "78ef"))
            .await
            .starts_with("SIP/2.0 200 OK\r\n")
    );
    assert_eq!(door.memory.events().len(), 2, "a refresh is no report");
}

/// Nobody outside the list hears anything; the door still answers who is on it.
#[tokio::test]
async fn strangers_hear_nothing() {
    let door = open("192.0.2.0/24").await;
    let phone = door.phone().await;
    phone.send(publish().as_bytes()).await.expect("sent");
    let mut stream = TcpStream::connect(door.address).await.expect("connected");
    // Closed with what was sent unread, which may be a reset.
    let sent = stream.write_all(publish().as_bytes()).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() && (sent.is_ok() || read.is_err() || read.is_ok()));
    assert!(phone.try_recv(&mut [0; 10]).is_err());
    assert_eq!(door.service.counts(Door::SipUdp), Counts::default());
    assert_eq!(door.service.counts(Door::SipTcp), Counts::default());
}

#[tokio::test]
async fn a_stream_carries_requests_one_after_the_other() {
    let door = open("127.0.0.0/8").await;
    let mut stream = TcpStream::connect(door.address).await.expect("connected");
    let second = publish().replace("77ef", "78ef").replace("6dg37", "7dg37");
    stream
        .write_all(format!("\r\n\r\n{}{second}", publish()).as_bytes())
        .await
        .expect("sent");
    let mut answers = String::new();
    while answers.matches("SIP/2.0 200 OK").count() < 2 {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.expect("read");
        assert!(length > 0, "closed after {answers}");
        answers.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    assert!(answers.starts_with("\r\nSIP"), "the ping is answered");
    assert_eq!(door.memory.events().len(), 4);
    stream
        .write_all(b"PUBLISH sip:x SIP/2.0\r\nVia: x\r\n\r\n")
        .await
        .expect("sent");
    assert_eq!(
        stream.read(&mut [0; 10]).await.expect("read"),
        0,
        "without a length the stream is out of step"
    );
    assert!(door.service.counts(Door::SipTcp).add_up());
}

/// Split at every byte, a stream gives the same messages.
#[test]
fn a_stream_may_be_cut_anywhere() {
    let (first, second) = (publish(), publish().replace("77ef", "78ef"));
    let bytes = format!("{first}\r\n{second}").into_bytes();
    for cut in 0..bytes.len() {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for part in [&bytes[..cut], &bytes[cut..]] {
            framer.push(part);
            while let Some(frame) = framer.next().expect("in step") {
                frames.push(frame);
            }
        }
        let expected = [
            Frame::Message(first.clone().into()),
            Frame::Message(second.clone().into()),
        ];
        assert_eq!(frames, expected, "cut at {cut}");
    }
}

#[test]
fn a_length_that_cannot_be_is_an_error() {
    let with = |length: &str| publish().replace("Content-Length: ", &format!("Content-Length: {length}"));
    let read = |text: &str| Message::read(text.as_bytes()).map(drop);
    assert_eq!(read(&with("9")), Err(MessageError::Length), "more than came");
    assert_eq!(read(&with("-")), Err(MessageError::Length));
    assert_eq!(read("PUBLISH sip:x SIP/2.0\r\n"), Err(MessageError::NoEnd));
    assert_eq!(
        read(&format!("PUBLISH sip:x SIP/2.0\r\n{}\r\n", "a: b\r\n".repeat(200))),
        Err(MessageError::TooLong)
    );
    assert_eq!(read("hello\r\n\r\n"), Err(MessageError::StartLine));
}

#[test]
fn transactions_are_forgotten_after_32_seconds_and_bounded() {
    let mut transactions = Transactions::default();
    let at = |seconds: i64| EventTime::from_micros(seconds * time::SECOND);
    assert_eq!(transactions.begin([1; 16], at(0)), Seen::New);
    assert_eq!(transactions.begin([1; 16], at(1)), Seen::AtWork);
    transactions.answered([1; 16], Some(b"200"));
    assert_eq!(
        transactions.begin([1; 16], at(32)),
        Seen::Answered(Some(b"200".to_vec()))
    );
    assert_eq!(transactions.begin([1; 16], at(33)), Seen::New);
    for n in 0..70_000_u128 {
        transactions.begin(n.to_be_bytes(), at(34));
    }
    assert!(transactions.len() <= 65_536);
}

#[test]
fn the_dialects_of_the_wild_are_read_with_warnings() {
    let body = "VQIntervalReport: CallTerm\r\nLocalMetrics:\r\nTimestamps:START=2026-03-02T09:00:00Z STOP=2026-03-02T09:42:00Z\r\n\
        SessionDesc:PT=0 PPS=50 PLC=3 SSUP=off\r\nCallID:77-41@gw.example.com\r\nLocalAddr:IP=50.207.16.19:49194 SSRC=0x24271b8b\r\n\
        RemoteAddr:IP=10.0.3.321 PORT=45748 SSRC=0x00000000\r\nJitterBuffer:JBN=45.50\r\nPacketLoss:NLR=0.0 JDR=0.0\r\n\
        BurstGapLoss:GD=65535\r\nDelay:RTD=0 ESD=97 SOWD=48 IAJ=0 MAJ=0\r\nSignal:SL=127 NL=-84 RERL=127\r\nQualityEst:RCQ=92 EXTRI=127 MOSLQ=0\r\n";
    let event = read(body, sample::now()).remove(0);
    assert_eq!(
        (event.kind, event.call_id.as_str()),
        (ReportKind::Interval, "77-41@gw.example.com")
    );
    assert_eq!(event.near_endpoint.address, Some(text("50.207.16.19")));
    assert_eq!(event.far_endpoint.as_ref().and_then(|far| far.address.clone()), None);
    assert_eq!(event.delay.buffer_nominal_ms.map(|ms| ms.get()), Some(45.5));
    assert_eq!(
        (event.delay.rtt_ms, event.delay.one_way_ms),
        (None, None),
        "SOWD without RTD is half of ESD"
    );
    assert_eq!(
        (
            event.signal.speech_dbm0,
            event.packets.gap_ms,
            event.provider.mos_listening
        ),
        (None, None, None)
    );
    let said = warnings(&event);
    for warning in [
        "SL=127 stands for unknown",
        "GD=65535 stands for unknown",
        "MOSLQ=0 stands for unknown",
        "localaddr: a port within IP",
    ] {
        assert!(said.contains(&warning), "{warning} in {said:?}");
    }
}

#[test]
fn times_that_cannot_be_are_those_of_receipt() {
    let with = |start: &str, stop: &str| {
        let body = format!(
            "VQSessionReport: CallTerm\r\nCallID: c\r\nLocalMetrics:\r\nTimestamps:START={start} STOP={stop}\r\n"
        );
        let event = read(&body, sample::now()).remove(0);
        let warned = !event.warnings.is_empty();
        (event.start, event.end, warned)
    };
    let (now, stop) = (
        sample::now(),
        EventTime::parse("2026-03-02T09:00:00Z").expect("an instant"),
    );
    assert_eq!(with("2026-03-10T00:00:00Z", "2026-03-02T09:00:00Z"), (now, now, true));
    assert_eq!(with("0", "0"), (now, now, true));
    assert_eq!(
        with("0", "2026-03-02T09:00:00Z"),
        (stop, stop, true),
        "the end is what counts"
    );
    assert_eq!(
        with("2026-03-02T08:59:00Z", "2026-03-02T09:00:00Z"),
        (stop.plus(-time::MINUTE), stop, false)
    );
}

#[test]
fn an_alert_says_what_for() {
    let body = "VQAlertReport: Type=NLR Severity=Critical Dir=local\r\nCallID: c\r\nMetrics:\r\nTimestamps:START=2026-03-02T09:00:00Z STOP=2026-03-02T09:01:00Z\r\nPacketLoss:NLR=10.0\r\n";
    let event = read(body, sample::now()).remove(0);
    assert_eq!(
        (event.kind, event.provider.grade.as_ref()),
        (ReportKind::Alert, Some(&text("Critical")))
    );
    assert_eq!(warnings(&event), ["Metrics instead of LocalMetrics"]);
}

fn samples(folder: &str) -> Vec<(String, String)> {
    let path = format!("{}/../../shared/samples/{folder}", env!("CARGO_MANIFEST_DIR"));
    let Ok(files) = std::fs::read_dir(&path) else {
        drop(writeln!(std::io::stderr(), "SKIPPED: {path} is not there"));
        return Vec::new();
    };
    let mut samples: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            (
                path.display().to_string(),
                std::fs::read_to_string(&path).expect("text"),
            )
        })
        .collect();
    samples.sort();
    samples
}

/// The examples of RFC 6035 §4.7, as they would be on the wire.
#[tokio::test]
async fn the_rfcs_own_examples_are_taken() {
    let door = open("127.0.0.0/8").await;
    for (n, (path, text)) in samples("rfc6035")
        .into_iter()
        .filter(|(path, _)| path.ends_with(".sip"))
        .enumerate()
    {
        let answer = door.ask(&wire(&text)).await;
        assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{path}: {answer}");
        let events = door.memory.events();
        assert_eq!(events.len(), 2 * (n + 1), "{path}: both ends");
        let local = &events[2 * n];
        assert!(
            warnings(local).contains(&"START is after STOP: taken at the time of receipt"),
            "{path}: {:?}",
            warnings(local)
        );
        assert!(
            local.packets.loss_ratio.is_some_and(|r| r.get() >= 0.05) && local.score.is_some(),
            "{path}"
        );
    }
}

#[test]
fn reports_of_real_phones_are_read() {
    for (path, text) in samples("vq_rtcpxr_wild") {
        let events = read(&text, sample::now());
        assert_eq!(events.len(), 1, "{path}");
        assert!(
            events[0].start < events[0].end && events[0].packets.loss_ratio.is_some(),
            "{path}"
        );
        assert!(!events[0].warnings.is_empty(), "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever bytes come: no panic, in neither parser.
    #[test]
    fn mutated_requests_never_panic(at in 0_usize..2000, bytes in proptest::collection::vec(any::<u8>(), 0..8), cut in 0_usize..2000) {
        let mut request = publish().into_bytes();
        let at = at.min(request.len());
        let end = (at + bytes.len()).min(request.len());
        request.splice(at..end, bytes);
        request.truncate(request.len().saturating_sub(cut / 4));
        if let Ok(message) = Message::read(&request) {
            drop(answer::answer(&message, answer::Status::Ok, SocketAddr::from(([10, 0, 0, 1], 5)), "tag", 5));
        }
        let body = String::from_utf8_lossy(&request).into_owned();
        let body = body.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Ok(body) = Body::read(body.as_bytes()) {
            let privacy = Privacy::new(PrivacyKey::from_bytes([7; 32]), PrivacyRules::default());
            let envelope = Envelope { tenant: "acme", call_id: "", cseq: "", agent: Some(""), source: [10, 0, 0, 1].into(), received_at: sample::now(), dimensions: &BTreeMap::new() };
            drop(events(&body, &envelope, &privacy));
        }
        let mut framer = Framer::default();
        framer.push(&request);
        while let Ok(Some(_)) = framer.next() {}
    }
}
