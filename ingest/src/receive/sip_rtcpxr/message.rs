//! A SIP message: a start line, headers, a body. Read with care for what phones get wrong, and with a bound on everything.

/// Headers of one message.
const MAX_HEADERS: usize = 128;
/// Longest line, with what is folded into it.
const MAX_LINE: usize = 8 * 1024;
/// Longest head.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// Longest body.
pub(super) const MAX_BODY: usize = 256 * 1024;

/// Short forms of header names (RFC 3261 §7.3.3, RFC 6665).
const COMPACT: [(&str, &str); 11] = [
    ("v", "via"),
    ("f", "from"),
    ("t", "to"),
    ("i", "call-id"),
    ("m", "contact"),
    ("l", "content-length"),
    ("c", "content-type"),
    ("e", "content-encoding"),
    ("o", "event"),
    ("k", "supported"),
    ("s", "subject"),
];

/// Why bytes are no SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MessageError {
    #[error("no empty line ends the head")]
    NoEnd,
    #[error("the first line is no SIP request")]
    StartLine,
    #[error("a header without a colon, or not in UTF-8")]
    Header,
    #[error("too many headers, or a line that is too long")]
    TooLong,
    #[error("Content-Length is no number, or not what came")]
    Length,
}

/// A request or a response; of a response nothing else is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Request { method: String },
    Response,
}

/// A message whose head was read.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    pub(super) start: Start,
    /// Lower-case long names, values as sent but unfolded, in order.
    headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a datagram, or a frame of a stream: a head, and a body as long as it says.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (head, rest) = split_head(bytes).ok_or(MessageError::NoEnd)?;
        let mut message = Self::read_head(head)?;
        let length = message.content_length()?.unwrap_or(rest.len());
        message.body = rest.get(..length).ok_or(MessageError::Length)?;
        Ok(message)
    }

    /// The head alone: enough to answer a message whose body cannot be had.
    pub(super) fn read_head(head: &[u8]) -> Result<Self, MessageError> {
        if head.len() > MAX_HEAD {
            return Err(MessageError::TooLong);
        }
        let head = std::str::from_utf8(head).map_err(|_said_already| MessageError::Header)?;
        let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let start = start(lines.next().unwrap_or_default())?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if line.len() > MAX_LINE || headers.len() > MAX_HEADERS {
                return Err(MessageError::TooLong);
            }
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut().ok_or(MessageError::Header)?;
                value.push(' ');
                value.push_str(line.trim());
                if value.len() > MAX_LINE {
                    return Err(MessageError::TooLong);
                }
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(MessageError::Header)?;
            headers.push((long_name(name), value.trim().to_owned()));
        }
        Ok(Self {
            start,
            headers,
            body: &[],
        })
    }

    /// The first header of this (lower-case, long) name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of this name, in order.
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// What the head says of the body's length.
    pub(super) fn content_length(&self) -> Result<Option<usize>, MessageError> {
        let mut lengths = self
            .headers("content-length")
            .map(|value| value.parse::<usize>().map_err(|_said_already| MessageError::Length));
        let first = lengths.next().transpose()?;
        for other in lengths {
            if Some(other?) != first {
                return Err(MessageError::Length);
            }
        }
        if first.is_some_and(|length| length > MAX_BODY) {
            Err(MessageError::Length)
        } else {
            Ok(first)
        }
    }
}

/// The head without its empty line, and what follows it.
pub(super) fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = |mark: &[u8]| {
        bytes
            .windows(mark.len())
            .position(|w| w == mark)
            .map(|at| (at, at + mark.len()))
    };
    let (head, body) = match (end(b"\r\n\r\n"), end(b"\n\n")) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b)?,
    };
    Some((&bytes[..head], &bytes[body..]))
}

fn start(line: &str) -> Result<Start, MessageError> {
    if line.starts_with("SIP/2.0 ") {
        return Ok(Start::Response);
    }
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(_), Some("SIP/2.0"), None) if method.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Ok(Start::Request {
                method: method.to_owned(),
            })
        }
        _ => Err(MessageError::StartLine),
    }
}

fn long_name(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    match COMPACT.iter().find(|(short, _)| *short == name) {
        Some((_, long)) => (*long).to_owned(),
        None => name,
    }
}
