//! Answers: what the request says of itself comes back, with a status.

use std::{fmt::Write, net::SocketAddr};

use super::message::{Message, Start};

/// What this door understands.
const ALLOW: &str = "PUBLISH, NOTIFY, OPTIONS";
/// The event package.
const PACKAGE: &str = "vq-rtcpxr";
/// The body's type.
const MEDIA_TYPE: &str = "application/vq-rtcpxr";
/// How long a publication is taken to live where it does not say: nothing depends on it.
const EXPIRES_S: u32 = 3600;

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    MethodNotAllowed,
    UnsupportedMediaType,
    BadEvent,
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::UnsupportedMediaType => "415 Unsupported Media Type",
            Self::BadEvent => "489 Bad Event",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// What to do with a request, by its head alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It carries a report.
    Report,
    /// It is answered as it stands: a keep-alive, a refresh, something for somebody else.
    Answer(Status),
    /// It is not answered: a response, an ACK.
    Silence,
}

/// May this pass?
pub(super) fn judge(message: &Message<'_>) -> Verdict {
    let Start::Request { method } = &message.start else {
        return Verdict::Silence;
    };
    match method.as_str() {
        "ACK" => Verdict::Silence,
        "OPTIONS" => Verdict::Answer(Status::Ok),
        "PUBLISH" | "NOTIFY" => judge_report(message),
        _ => Verdict::Answer(Status::MethodNotAllowed),
    }
}

fn judge_report(message: &Message<'_>) -> Verdict {
    let word = |name: &str| {
        message
            .header(name)
            .map(|value| value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    };
    if word("event").as_deref() != Some(PACKAGE) {
        return Verdict::Answer(Status::BadEvent);
    }
    // A refresh or a removal of an earlier publication, or the end of a subscription.
    if message.body.is_empty() {
        return Verdict::Answer(Status::Ok);
    }
    match word("content-type").as_deref() {
        Some(MEDIA_TYPE) => Verdict::Report,
        _ => Verdict::Answer(Status::UnsupportedMediaType),
    }
}

/// The answer's bytes. `tag` names this door in To, and the publication in SIP-ETag. `None` if the request lacks what an
/// answer has to repeat.
pub(super) fn answer(
    message: &Message<'_>,
    status: Status,
    source: SocketAddr,
    tag: &str,
    retry_after_s: u64,
) -> Option<Vec<u8>> {
    let mut text = format!("SIP/2.0 {}\r\n", status.line());
    for (i, via) in message.headers("via").enumerate() {
        let via = if i == 0 { received(via, source) } else { via.to_owned() };
        write!(text, "Via: {via}\r\n").ok()?;
    }
    let to = message.header("to")?;
    let to = if to.contains(";tag=") {
        to.to_owned()
    } else {
        format!("{to};tag={tag}")
    };
    let (from, call_id, cseq) = (
        message.header("from")?,
        message.header("call-id")?,
        message.header("cseq")?,
    );
    write!(
        text,
        "From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n"
    )
    .ok()?;
    let is_publish = matches!(&message.start, Start::Request { method } if method == "PUBLISH");
    match status {
        Status::Ok if is_publish => {
            let asked = message
                .header("expires")
                .and_then(|expires| expires.parse::<u32>().ok());
            write!(text, "SIP-ETag: {tag}\r\nExpires: {}\r\n", asked.unwrap_or(EXPIRES_S)).ok()?;
        }
        Status::MethodNotAllowed => write!(text, "Allow: {ALLOW}\r\n").ok()?,
        Status::UnsupportedMediaType => write!(text, "Accept: {MEDIA_TYPE}\r\n").ok()?,
        Status::BadEvent => write!(text, "Allow-Events: {PACKAGE}\r\n").ok()?,
        Status::Unavailable => write!(text, "Retry-After: {retry_after_s}\r\n").ok()?,
        Status::Ok | Status::BadRequest => {}
    }
    text.push_str("Content-Length: 0\r\n\r\n");
    Some(text.into_bytes())
}

/// The first Via with where the request really came from (RFC 3261 §18.2.1, RFC 3581).
fn received(vias: &str, source: SocketAddr) -> String {
    // Several may stand in one header; those behind the first are for others.
    let (via, others) = vias.split_at(first_comma(vias));
    let mut parts = via.split(';');
    let mut text = parts.next().unwrap_or_default().trim().to_owned();
    for part in parts.map(str::trim) {
        let name = part.split('=').next().unwrap_or(part).trim();
        if !name.eq_ignore_ascii_case("rport") && !name.eq_ignore_ascii_case("received") {
            text.push(';');
            text.push_str(part);
        }
    }
    let asks_for_port = via
        .split(';')
        .skip(1)
        .any(|part| part.trim().eq_ignore_ascii_case("rport"));
    let port = if asks_for_port {
        format!(";rport={}", source.port())
    } else {
        String::new()
    };
    format!("{text};received={}{port}{others}", source.ip())
}

/// Where the first value of a list ends: at a comma that no quotes enclose.
fn first_comma(list: &str) -> usize {
    let mut quoted = false;
    let ends = |(_, c): &(usize, char)| {
        quoted ^= *c == '"';
        *c == ',' && !quoted
    };
    list.char_indices().find(ends).map_or(list.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_vias_in_one_header_only_the_first_is_touched() {
        let source = "192.0.2.7:5070".parse().expect("an address");
        let vias = "SIP/2.0/UDP proxy;rport;branch=a, SIP/2.0/UDP 10.0.0.5;rport;branch=b";
        assert_eq!(
            received(vias, source),
            "SIP/2.0/UDP proxy;branch=a;received=192.0.2.7;rport=5070, SIP/2.0/UDP 10.0.0.5;rport;branch=b"
        );
    }
}
