use std::{io::Write, net::SocketAddr};

use dialtone_schemas::{Change, Complaint, Reject, Span, topic::Topic};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    config::TokenConfig,
    sample::{self, Memory, text},
};

const EVENT: &str = r#"{"kind":"interval","call_id":"c1","start":"2026-03-02T09:00:00Z","end":"2026-03-02T09:01:00Z","packets":{"loss_ratio":0.02}}"#;

/// A door on loopback that is open while this lives.
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

async fn open(change: impl FnOnce(&mut HttpConfig)) -> Opened {
    let mut config = HttpConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tenant_without_token: Some(text("acme")),
        ..HttpConfig::default()
    };
    change(&mut config);
    let (service, memory) = sample::service();
    let routes = router(Arc::clone(&service), config.clone()).expect("tokens");
    let server = HttpServer::bind(routes, config).await.expect("a free port");
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
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Value) {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        answer(self.send(&[request.as_bytes(), body].concat()).await)
    }

    async fn json(&self, path: &str, body: &str) -> (u16, String, Value) {
        self.post(path, &[("content-type", "application/json")], body.as_bytes())
            .await
    }

    /// Sends bytes and reads until the door closes.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        // The door may close before everything is sent.
        let sent = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        assert!(sent.is_ok() || read.is_ok() || !answer.is_empty());
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn answer(text: String) -> (u16, String, Value) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    (
        status,
        head.to_ascii_lowercase(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn an_event_is_answered_after_it_lies_in_the_log() {
    let door = open(|_| {}).await;
    let (status, _, body) = door.json("/v1/events", EVENT).await;
    assert_eq!(
        (status, &body["accepted"], &body["rejected"], &body["late"]),
        (200, &json!(1), &json!(0), &json!(0)),
        "{body}"
    );
    let events = door.memory.events();
    assert_eq!((events.len(), events[0].tenant.clone()), (1, Some(text("acme"))));
    assert_eq!(
        body["results"][0]["id"],
        json!(events[0].event_id.expect("an id").to_string())
    );
}

/// F-1: five lines, three accepted, two rejected.
#[tokio::test]
async fn each_line_has_its_own_answer_and_a_bad_one_harms_no_other() {
    let door = open(|_| {}).await;
    let body = format!(
        "{EVENT}\n{{\"kind\":\n{EVENT}\n\n{}\n{EVENT}\n",
        EVENT.replace("0.02", "2")
    );
    let (status, _, answer) = door
        .post(
            "/v1/events",
            &[("content-type", "application/x-ndjson")],
            body.as_bytes(),
        )
        .await;
    assert_eq!(status, 207, "{answer}");
    let lines: Vec<_> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|r| (r["line"].as_i64(), r["status"].as_str()))
        .collect();
    let (accepted, rejected) = (Some("accepted"), Some("rejected"));
    assert_eq!(
        lines,
        [
            (Some(1), accepted),
            (Some(2), rejected),
            (Some(3), accepted),
            (Some(5), rejected),
            (Some(6), accepted)
        ]
    );
    assert_eq!(answer["results"][3]["reason"], "invalid_value");
    let rejects: Vec<Reject> = door.memory.read(Topic::Rejects);
    assert_eq!(
        rejects.iter().map(|r| r.position).collect::<Vec<_>>(),
        [Some(2), Some(5)]
    );
    let counts = door.service.counts(Door::Http);
    assert_eq!((counts.received, counts.accepted, counts.rejected), (5, 3, 2));
    assert!(counts.add_up());
}

#[tokio::test]
async fn arrays_and_packed_bodies_are_taken() {
    let door = open(|_| {}).await;
    let array = format!("[{EVENT}, {EVENT}]");
    let json = ("content-type", "application/json");
    assert_eq!(door.post("/v1/events", &[json], array.as_bytes()).await.0, 200);
    assert_eq!(
        door.post(
            "/v1/events",
            &[json, ("content-encoding", "gzip")],
            &gzip(array.as_bytes())
        )
        .await
        .0,
        200
    );
    let zstd = zstd::encode_all(array.as_bytes(), 1).expect("memory");
    assert_eq!(
        door.post("/v1/events", &[json, ("content-encoding", "zstd")], &zstd)
            .await
            .0,
        200
    );
    assert_eq!(door.memory.events().len(), 6);
}

#[tokio::test]
async fn changes_complaints_and_call_records_have_their_paths() {
    let door = open(|_| {}).await;
    let change = r#"{"change_id":"CHG1","kind":"firmware","started_at":"2026-03-02T09:00:00Z"}"#;
    assert_eq!(door.json("/v1/changes", change).await.0, 200);
    let complaint = r#"{"complaint_id":"INC1","complained_at":"2026-03-02T09:00:00Z","user":"anna@example.org"}"#;
    assert_eq!(door.json("/v1/complaints", complaint).await.0, 200);
    let (status, _, body) = door
        .json(
            "/v1/graph",
            include_str!("../../../tests/fixtures/graph/peer_to_peer.json"),
        )
        .await;
    assert_eq!((status, &body["accepted"]), (200, &json!(1)), "one record: {body}");
    assert_eq!(door.memory.events().len(), 2, "two streams");
    assert_eq!(door.memory.read::<Change>(Topic::Changes).len(), 1);
    assert!(
        door.memory.read::<Complaint>(Topic::Complaints)[0]
            .user
            .as_ref()
            .is_some_and(|u| u.as_str().starts_with("u:"))
    );
    assert!(door.service.counts(Door::Graph).add_up() && door.service.counts(Door::Graph).accepted == 1);
    assert_eq!(door.json("/v1/nothing", "{}").await.0, 404);
}

#[tokio::test]
async fn without_an_acknowledgement_there_is_no_success() {
    let door = open(|_| {}).await;
    door.memory.goes_down(true);
    let (status, head, body) = door.json("/v1/events", EVENT).await;
    assert_eq!((status, &body["unacknowledged"]), (503, &json!(1)), "{body}");
    assert!(head.contains("retry-after: 5"), "{head}");
    door.memory.goes_down(false);
    assert_eq!(door.json("/v1/events", EVENT).await.0, 200);
}

#[tokio::test]
async fn the_tenant_comes_from_the_token() {
    let token = |tenant: &str, token: &str, may_send| TokenConfig {
        tenant: text(tenant),
        sha256: Some(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(token))),
        file: None,
        may_send,
    };
    let door = open(|config| {
        config.tenant_without_token = None;
        config.tokens = vec![
            token("acme", "one", vec![Sendable::Events]),
            token("other", "two", vec![Sendable::Events, Sendable::Changes]),
        ];
    })
    .await;
    let json = ("content-type", "application/json");
    let foreign = EVENT.replace("\"kind\"", "\"tenant\":\"acme\",\"kind\"");
    assert_eq!(
        door.post(
            "/v1/events",
            &[json, ("authorization", "Bearer two")],
            foreign.as_bytes()
        )
        .await
        .0,
        200
    );
    assert_eq!(door.memory.events()[0].tenant, Some(text("other")));
    assert_eq!(door.post("/v1/events", &[json], EVENT.as_bytes()).await.0, 401);
    assert_eq!(
        door.post(
            "/v1/events",
            &[json, ("authorization", "Bearer three")],
            EVENT.as_bytes()
        )
        .await
        .0,
        401
    );
    assert_eq!(
        door.post("/v1/changes", &[json, ("authorization", "bearer one")], b"{}")
            .await
            .0,
        403
    );
    assert_eq!(door.memory.events().len(), 1);
}

/// Of six lines the first four are taken; the folds' configuration and a verdict that is none are not.
#[tokio::test]
async fn what_people_say_about_an_incident_is_taken_and_the_folds_configuration_is_not() {
    let door = open(|_| {}).await;
    let line = |id: &str, rest: &str| {
        format!(r#"{{"control_id":"{id}","at":"2026-03-02T09:00:00Z","incident_id":"i-1",{rest}}}"#)
    };
    let body = [
        line("c1", r#""kind":"acknowledge","team":"lan""#),
        line("c2", r#""kind":"silence","until":"2026-03-02T11:00:00Z""#),
        line(
            "c3",
            r#""kind":"reassign","to":"wan","reason":"ask anna@example.org about the line""#,
        ),
        line("c4", r#""kind":"verdict","body":"wrong","tenant":"other""#),
        line("c5", r#""kind":"configure","body":"{}""#),
        line("c6", r#""kind":"verdict","body":"maybe""#),
    ];
    let lines = [("content-type", "application/x-ndjson")];
    let (status, _, answer) = door.post("/v1/control", &lines, body.join("\n").as_bytes()).await;
    assert_eq!(
        (status, &answer["accepted"], &answer["rejected"]),
        (207, &json!(4), &json!(2))
    );
    let detail = |line: usize| answer["results"][line]["detail"].as_str().expect("why").to_owned();
    assert!(detail(4).starts_with("kind: configure is not taken here"), "{answer}");
    assert_eq!(
        detail(5),
        "verdict is neither right nor wrong: body must be one of them"
    );

    let taken: Vec<Control> = door.memory.read(Topic::Control);
    let ids: Vec<&str> = taken.iter().map(|control| control.control_id.as_str()).collect();
    assert_eq!(ids, ["c1", "c2", "c3", "c4"]);
    assert!(
        taken.iter().all(|control| control.tenant == Some(text("acme"))),
        "of the credential"
    );
    let reason = taken[2].reason.as_ref().expect("a reason").as_str();
    assert!(reason.contains("line") && !reason.contains("anna"), "{reason}");
}

/// A phone's token must not silence an incident.
#[tokio::test]
async fn a_token_may_send_control_only_if_it_is_named() {
    let token: TokenConfig = serde_json::from_value(json!({"tenant": "acme"})).expect("a token");
    assert!(!token.may_send.contains(&Sendable::Control));
}

#[tokio::test]
async fn what_is_too_large_or_too_dense_or_of_another_type_is_refused() {
    let door = open(|config| {
        config.max_body_bytes = 2000;
        config.max_decoded_bytes = 4000;
        config.max_ratio = 20;
        config.max_reports = 10;
    })
    .await;
    let json = ("content-type", "application/json");
    assert_eq!(door.post("/v1/events", &[json], &[b' '; 2001]).await.0, 413);
    let lines = [("content-type", "application/x-ndjson")];
    let ones = |n| "1\n".repeat(n).into_bytes();
    assert_eq!(door.post("/v1/events", &lines, &ones(10)).await.0, 400, "ten rejects");
    assert_eq!(door.post("/v1/events", &lines, &ones(11)).await.0, 413, "eleven lines");
    assert_eq!(door.json("/v1/graph", "[1,1,1,1,1,1,1,1,1,1,1]").await.0, 413);
    assert_eq!(
        door.post(
            "/v1/events",
            &[json, ("content-encoding", "gzip")],
            &gzip(&[b' '; 5000])
        )
        .await
        .0,
        413,
        "decoded"
    );
    assert_eq!(
        door.post(
            "/v1/events",
            &[json, ("content-encoding", "gzip")],
            &gzip(&[b' '; 3900])
        )
        .await
        .0,
        413,
        "ratio"
    );
    assert_eq!(
        door.post("/v1/events", &[json, ("content-encoding", "gzip, gzip")], b"x")
            .await
            .0,
        415
    );
    assert_eq!(
        door.post("/v1/events", &[json, ("content-encoding", "br")], b"x")
            .await
            .0,
        415
    );
    assert_eq!(
        door.post("/v1/events", &[json, ("content-encoding", "gzip")], b"no gzip")
            .await
            .0,
        400
    );
    assert_eq!(
        door.post("/v1/events", &[("content-type", "text/html")], b"x").await.0,
        415
    );
    assert_eq!(door.json("/v1/events", "").await.0, 400);
    let chunked = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "3e8\r\n".to_owned() + &" ".repeat(1000) + "\r\n"
    );
    let body = chunked.clone() + &("3e8\r\n".to_owned() + &" ".repeat(1000) + "\r\n").repeat(2) + "0\r\n\r\n";
    assert!(
        door.send(body.as_bytes()).await.starts_with("HTTP/1.1 413"),
        "counted as it comes in"
    );
    assert!(door.service.counts(Door::Http).add_up());
    assert_eq!(door.service.counts(Door::Http).received, 15);
}

/// A head that never ends, a body that never ends, and nothing at all: each is cut off in its time.
#[tokio::test]
async fn slow_senders_are_cut_off() {
    let door = open(|config| {
        config.head_timeout = Span::from_micros(200_000);
        config.body_timeout = Span::from_micros(200_000);
        config.idle_timeout = Span::from_micros(400_000);
    })
    .await;
    assert_eq!(door.send(b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-slow: ").await, "");
    let body = door
        .send(b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .await;
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    door.send(b"").await;
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_no_more() {
    let door = open(|config| config.max_connections_per_address = 1).await;
    let mut first = TcpStream::connect(door.address).await.expect("connected");
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{EVENT}",
        EVENT.len()
    );
    first.write_all(request.as_bytes()).await.expect("sent");
    let mut byte = [0];
    first
        .read_exact(&mut byte)
        .await
        .expect("an answer begins, so the first connection is counted");
    assert_eq!(door.send(request.as_bytes()).await, "", "the second is closed");
}

#[tokio::test]
async fn a_door_that_closes_answers_what_is_at_work_and_takes_nothing_new() {
    let door = open(|_| {}).await;
    assert_eq!(door.json("/v1/events", EVENT).await.0, 200);
    door.stop.cancel();
    while TcpStream::connect(door.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
