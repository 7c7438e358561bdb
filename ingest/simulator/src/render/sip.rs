//! A desk phone's report as a SIP PUBLISH with a body of RFC 6035 (application/vq-rtcpxr).

use std::fmt::Write;

use dialtone_schemas::{Endpoint, Event, EventId, ReportKind, Text, measure::Ratio};

/// How the request travels: it enters the Via header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A stream, framed by Content-Length.
    Tcp,
}

/// The PUBLISH of an event, to a collector `host:port`. The same event gives the same request: sent twice, it is a
/// retransmission. Without an id or an address there is nothing that a phone could send.
pub fn publish(event: &Event, collector: &str, transport: Transport) -> Option<String> {
    let id = event.event_id?.to_string();
    let host = event.near_endpoint.address.as_ref()?;
    let user = user_of(&event.near_endpoint);
    let agent = user_agent(event);
    let body = body(event, &agent);
    let via = if transport == Transport::Udp { "UDP" } else { "TCP" };
    let mut request = String::with_capacity(body.len() + 600);
    let lines = [
        format!("PUBLISH sip:quality@{collector} SIP/2.0"),
        format!("Via: SIP/2.0/{via} {host}:5060;branch=z9hG4bK{};rport", &id[..16]),
        "Max-Forwards: 70".to_owned(),
        format!("From: <sip:{user}>;tag={}", &id[16..24]),
        format!("To: <sip:quality@{collector}>"),
        format!("Call-ID: {}@{host}", &id[8..]),
        "CSeq: 1 PUBLISH".to_owned(),
        format!(
            "Contact: <sip:{}@{host}:5060>",
            user.split('@').next().unwrap_or("phone")
        ),
        format!("User-Agent: {agent}"),
        "Event: vq-rtcpxr".to_owned(),
        "Expires: 3600".to_owned(),
        "Content-Type: application/vq-rtcpxr".to_owned(),
        format!("Content-Length: {}", body.len()),
        String::new(),
    ];
    for line in lines {
        request.push_str(&line);
        request.push_str("\r\n");
    }
    request.push_str(&body);
    Some(request)
}

fn body(event: &Event, agent: &str) -> String {
    let mut lines = vec![match event.kind {
        ReportKind::Final => "VQSessionReport: CallTerm".to_owned(),
        ReportKind::Interval | ReportKind::Alert => "VQIntervalReport".to_owned(),
    }];
    lines.push(format!("CallID: {}", event.call_id));
    lines.extend(session(event));
    lines.push(format!("x-UserAgent: {agent}"));
    lines.extend(path(event));
    lines.push("LocalMetrics:".to_owned());
    lines.push(format!("Timestamps:START={} STOP={}", event.start, event.end));
    lines.extend(description(event));
    lines.extend(measurements(event));
    lines.push(format!("DialogID: {};to-tag=b;from-tag=a", event.call_id));
    lines.into_iter().fold(String::new(), |mut body, line| {
        body.push_str(&line);
        body.push_str("\r\n");
        body
    })
}

/// Who talks to whom, from where to where.
fn session(event: &Event) -> Vec<String> {
    let near = &event.near_endpoint;
    let (local, other) = legs(event);
    let mut lines = vec![format!("LocalID: <sip:{}>", user_of(near))];
    let remote = event.far_endpoint.as_ref();
    lines.push(remote.map_or_else(
        || "RemoteID: <sip:+4930555000@example.net;user=phone>".to_owned(),
        |far| format!("RemoteID: <sip:{}>", user_of(far)),
    ));
    lines.push(format!("OrigID: <sip:{}>", user_of(near)));
    lines.extend(
        near.address
            .as_ref()
            .map(|ip| format!("LocalAddr: IP={ip} PORT=11790 SSRC=0x{:08x}", ssrc(event, local))),
    );
    lines.extend(mac(near).map(|mac| format!("LocalMAC: {mac}")));
    // A telephone is reached through a gateway, whose address says nothing about it.
    let ip = remote
        .and_then(|far| far.address.as_ref())
        .map_or("198.51.100.10", Text::as_str);
    lines.push(format!(
        "RemoteAddr: IP={ip} PORT=16384 SSRC=0x{:08x}",
        ssrc(event, other)
    ));
    lines
}

/// RFC 6035 knows no line, relay, carrier or policy. Who provisions a phone can have it repeat them in an extension.
fn path(event: &Event) -> Option<String> {
    let near = &event.near;
    let named = [
        ("isp", &near.isp),
        ("carrier", &near.carrier),
        ("relay", &near.relay),
        ("policy", &near.policy),
    ];
    let mut line = String::new();
    for (key, value) in named {
        if let Some(value) = value {
            write!(line, "{}{key}={value}", if line.is_empty() { "x-Path: " } else { ";" }).ok()?;
        }
    }
    (!line.is_empty()).then_some(line)
}

fn description(event: &Event) -> Option<String> {
    let codec = match event.near.codec.as_ref().map(Text::as_str)? {
        "opus" => "opus".to_owned(),
        other => other.to_ascii_uppercase(),
    };
    let (payload, rate) = (event.media.payload_type?, event.media.sample_rate_hz?);
    Some(format!(
        "SessionDesc:PT={payload} PD={codec} SR={rate} FD=20 FPP=1 PPS=50 PLC=3 SSUP=off"
    ))
}

fn measurements(event: &Event) -> Vec<String> {
    let percent = |ratio: Option<Ratio>| ratio.map(|ratio| format!("{:.2}", ratio.percent()));
    let mut lines = Vec::new();
    if let (Some(lost), Some(discarded)) = (percent(event.packets.loss_ratio), percent(event.packets.discard_ratio)) {
        lines.push(format!("PacketLoss:NLR={lost} JDR={discarded}"));
    }
    if let (Some(rtt), Some(jitter)) = (event.delay.rtt_ms, event.delay.jitter_ms) {
        lines.push(format!("Delay:RTD={:.0} ESD=40 IAJ={:.0}", rtt.get(), jitter.get()));
    }
    lines
}

/// `Maker Model firmware`, as phones call themselves.
fn user_agent(event: &Event) -> String {
    let text = |value: &Option<Text>| value.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    format!("{} {}", text(&event.near.device), text(&event.near.firmware))
}

fn user_of(end: &Endpoint) -> &str {
    end.user.as_ref().map_or("anonymous@example.invalid", Text::as_str)
}

/// The MAC address in the phone's asset name.
fn mac(end: &Endpoint) -> Option<&str> {
    end.device_id.as_ref()?.as_str().strip_prefix("phone-")
}

/// The synchronisation source of the stream that a leg of the call sends.
fn ssrc(event: &Event, leg: &str) -> u32 {
    let id = EventId::derive(["ssrc", event.call_id.as_str(), leg]);
    u32::try_from(id.0 >> 96).unwrap_or(0)
}

/// This end's leg, and the other's.
fn legs(event: &Event) -> (&'static str, &'static str) {
    if event.leg_id.as_ref().is_some_and(|leg| leg.as_str() == "b") {
        ("b", "a")
    } else {
        ("a", "b")
    }
}
