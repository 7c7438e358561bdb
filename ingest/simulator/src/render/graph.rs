//! A finished call of two clients as a callRecord of Microsoft Graph, with its sessions and segments expanded.

use std::collections::BTreeMap;

use dialtone_schemas::{Event, ReportKind, Text, measure::Millis};
use serde_json::{Value, json};

/// Ends of calls whose other end has not reported yet: one record tells of both.
#[derive(Debug, Default)]
pub struct Halves(BTreeMap<Text, Event>);

impl Halves {
    /// Both ends of the call, the caller's first, once the second one is there. An end that reports again while it waits is still one end.
    /// A record is made when the call is over: it has no place for interim reports.
    pub fn pair(&mut self, event: Event) -> Option<(Event, Event)> {
        if event.kind != ReportKind::Final {
            return None;
        }
        let Some(first) = self
            .0
            .remove(&event.call_id)
            .filter(|first| first.leg_id != event.leg_id)
        else {
            self.0.insert(event.call_id.clone(), event);
            return None;
        };
        let is_caller = first.leg_id.as_ref().is_some_and(|leg| leg.as_str() == "a");
        Some(if is_caller { (first, event) } else { (event, first) })
    }

    /// How many ends wait. Whose other end was cut off waits for ever: the provider tells nothing of that call.
    pub fn waiting(&self) -> usize {
        self.0.len()
    }
}

/// The record of a call from the final reports of its two ends, the caller's first. `None` if they are not that.
pub fn call_record(caller: &Event, callee: &Event) -> Option<Value> {
    let are_final = caller.kind == ReportKind::Final && callee.kind == ReportKind::Final;
    if !are_final || caller.call_id != callee.call_id || caller.leg_id == callee.leg_id {
        return None;
    }
    let (from, to) = (caller.start.min(callee.start), caller.end.max(callee.end));
    let id = &caller.call_id;
    let session = json!({
        "id": id,
        "modalities": ["audio"],
        "startDateTime": from,
        "endDateTime": to,
        "isTest": false,
        "failureInfo": failure(caller),
        "caller": participant(caller),
        "callee": participant(callee),
        "segments": [{
            "id": id,
            "startDateTime": from,
            "endDateTime": to,
            "failureInfo": failure(caller),
            "caller": participant(caller),
            "callee": participant(callee),
            "media": if is_media(caller) { json!([media(caller, callee)]) } else { json!([]) },
        }],
    });
    Some(json!({
        "id": id,
        "version": 1,
        "type": "peerToPeer",
        "modalities": ["audio"],
        "startDateTime": from,
        "endDateTime": to,
        "lastModifiedDateTime": to,
        "organizer_v2": {"id": user(caller), "identity": identity(caller)},
        "participants_v2": [
            {"id": user(caller), "identity": identity(caller)},
            {"id": user(callee), "identity": identity(callee)},
        ],
        "sessions": [session],
    }))
}

fn is_media(event: &Event) -> bool {
    event.packets.loss_ratio.is_some()
}

fn media(caller: &Event, callee: &Event) -> Value {
    json!({
        "label": "main-audio",
        "callerDevice": device(caller),
        "callerNetwork": network(caller),
        "calleeDevice": device(callee),
        "calleeNetwork": network(callee),
        // What the callee received, the caller sent.
        "streams": [stream(callee, "callerToCallee"), stream(caller, "calleeToCaller")],
    })
}

fn stream(receiver: &Event, direction: &str) -> Value {
    let p = &receiver.packets;
    json!({
        "streamId": receiver.event_id.map(|id| (id.0 & 0xffff_ffff).to_string()),
        "streamDirection": direction,
        "startDateTime": receiver.start,
        "endDateTime": receiver.end,
        "audioCodec": codec(receiver),
        "averageJitter": duration(receiver.delay.jitter_ms),
        "averageRoundTripTime": duration(receiver.delay.rtt_ms),
        "averagePacketLossRate": p.loss_ratio,
        "averageRatioOfConcealedSamples": p.concealed_ratio,
        "packetUtilization": p.received,
        "isAudioForwardErrorCorrectionUsed": false,
        "wasMediaBypassed": false,
    })
}

fn participant(event: &Event) -> Value {
    let is_room = event.near.headset.is_none();
    json!({
        "@odata.type": "#microsoft.graph.callRecords.participantEndpoint",
        "name": event.near_endpoint.device_id,
        "userAgent": {
            "@odata.type": "#microsoft.graph.callRecords.clientUserAgent",
            "headerValue": event.near.client,
            "platform": if is_room { "roomSystem" } else { "windows" },
            "productFamily": "teams",
        },
        "associatedIdentity": {
            "id": user(event),
            "userPrincipalName": user(event),
        },
    })
}

fn device(event: &Event) -> Value {
    let near = &event.near;
    // A room system is its own microphone and speaker.
    let model = near.headset.as_ref().or(near.device.as_ref());
    json!({
        "captureDeviceName": model,
        "captureDeviceDriver": near.driver,
        "renderDeviceName": model,
        "renderDeviceDriver": near.driver,
    })
}

fn network(event: &Event) -> Value {
    let connection = match event.near.connection.as_ref().map(Text::as_str) {
        Some("vpn") => "tunnel",
        Some(other) => other,
        None => "unknown",
    };
    json!({
        "connectionType": connection,
        "ipAddress": event.near_endpoint.address,
        "subnet": event.near_endpoint.address.as_ref().map(|ip| subnet(ip.as_str())),
        "port": 50_004,
        "networkTransportProtocol": "udp",
    })
}

fn failure(event: &Event) -> Value {
    if event.failure.setup_failed == Some(true) {
        json!({"stage": "callSetup", "reason": "the callee could not be reached"})
    } else if event.failure.dropped == Some(true) {
        json!({"stage": "midcall", "reason": "media connectivity was lost"})
    } else {
        Value::Null
    }
}

fn user(event: &Event) -> Option<&Text> {
    event.near_endpoint.user.as_ref()
}

fn identity(event: &Event) -> Value {
    json!({"user": {"id": user(event)}})
}

fn codec(event: &Event) -> &'static str {
    match event.near.codec.as_ref().map(Text::as_str) {
        Some("opus") => "opus",
        Some("g722") => "g722",
        Some("g729") => "g729",
        Some("pcma") => "pcma",
        Some("pcmu") => "pcmu",
        _ => "unknown",
    }
}

/// The /24 around an IPv4 address.
fn subnet(address: &str) -> String {
    address
        .rsplit_once('.')
        .map_or_else(|| address.to_owned(), |(network, _)| format!("{network}.0"))
}

/// Milliseconds as an ISO 8601 duration, to the tenth that was measured: 16 is `PT0.0160S`. More than nine decimals are no duration.
fn duration(value: Option<Millis>) -> Option<String> {
    value.map(|millis| format!("PT{:.4}S", millis.get() / 1000.0))
}
