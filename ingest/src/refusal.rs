//! Why something is not taken. It becomes a reject and an answer to the sender.

use std::fmt;

/// A word from a fixed list, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not JSON at all, or nested too deeply.
    MalformedJson,
    /// JSON with a key that means nothing here: a typo would otherwise lose a figure silently.
    UnknownField,
    /// A value out of range or of the wrong type, or one that is missing.
    InvalidValue,
    /// Readable, but its figures contradict each other.
    InvalidEvent,
    /// Not a SIP message.
    MalformedSip,
    /// A SIP message for something else.
    UnsupportedSip,
    /// Not a report of RFC 6035.
    MalformedReport,
    /// Not a call record.
    MalformedRecord,
    /// Longer than this door takes.
    TooLarge,
    /// The broker refuses it for good.
    RefusedByBroker,
}

impl Reason {
    /// As in records, metrics and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::UnknownField => "unknown_field",
            Self::InvalidValue => "invalid_value",
            Self::InvalidEvent => "invalid_event",
            Self::MalformedSip => "malformed_sip",
            Self::UnsupportedSip => "unsupported_sip",
            Self::MalformedReport => "malformed_report",
            Self::MalformedRecord => "malformed_record",
            Self::TooLarge => "too_large",
            Self::RefusedByBroker => "refused_by_broker",
        }
    }
}

/// Why something is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// For counting.
    pub reason: Reason,
    /// For the sender: it may quote what was sent.
    pub detail: String,
}

impl Refusal {
    /// With a sentence for the sender.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    /// The sentence without anything quoted from what was sent: for topics and logs (P-1).
    pub fn impersonal_detail(&self) -> String {
        if self.reason == Reason::UnknownField {
            return self.detail.split(", ").map(plain_path).collect::<Vec<_>>().join(", ");
        }
        let mut clean = String::with_capacity(self.detail.len());
        let mut quoted = false;
        let mut chars = self.detail.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' if quoted => drop(chars.next()),
                '"' => {
                    if !quoted {
                        clean.push_str("\"…");
                    }
                    quoted = !quoted;
                    if !quoted {
                        clean.push('"');
                    }
                }
                _ if quoted => {}
                c => clean.push(c),
            }
        }
        without_values(&with_plain_path(&clean))
    }
}

/// serde quotes what was sent in backticks after these words; what it expected, too, but that is ours.
const QUOTING: [&str; 3] = ["unknown variant ", "invalid type: ", "invalid value: "];
/// Where our own words go on. The sender may have written the same within the quotes: the last one is ours.
const GOES_ON: &str = "`, expected";

fn without_values(detail: &str) -> String {
    let quoting = QUOTING
        .iter()
        .filter_map(|words| detail.find(words).map(|at| at + words.len()));
    let Some(after) = quoting.min() else {
        return detail.to_owned();
    };
    let (before, rest) = detail.split_at(after);
    match rest.split_once('`') {
        Some((kind, quoted)) if !kind.contains(", expected") => {
            let end = quoted.rfind(GOES_ON).or_else(|| quoted.rfind('`'));
            let ours = end.map_or("", |end| &quoted[end + 1..]);
            format!("{}{ours}", format!("{before}{kind}").trim_end())
        }
        _ => detail.to_owned(),
    }
}

/// `scope.anna@example.org: …` begins with a key that the sender chose.
fn with_plain_path(detail: &str) -> String {
    match detail.split_once(": ") {
        Some((path, rest)) if plain_path(path) == "…" => format!("…: {rest}"),
        _ => detail.to_owned(),
    }
}

/// A key's path, if it looks like one: a sender may use a number or an e-mail address as a key.
fn plain_path(path: &str) -> &str {
    let is_plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | ' ');
    if path.len() <= 128 && path.chars().all(is_plain) {
        path
    } else {
        "…"
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sender_wrote_stays_out_of_the_topic() {
        let clean = |detail: &str| Refusal::new(Reason::InvalidValue, detail).impersonal_detail();
        assert_eq!(
            clean(r#"end: "Anna \"K\" Berg" is not RFC 3339"#),
            "end: \"…\" is not RFC 3339"
        );
        assert_eq!(
            clean("kind: unknown variant `anna`, expected `final`"),
            "kind: unknown variant, expected `final`"
        );
        assert_eq!(clean("cut \"off"), "cut \"…");
        assert_eq!(
            clean("user: invalid type: integer `4930123456`, expected a string"),
            "user: invalid type: integer, expected a string"
        );
        assert_eq!(
            clean("user: invalid type: floating point `4930123456.5`, expected a string"),
            "user: invalid type: floating point, expected a string"
        );
        assert_eq!(
            clean("scope.anna@example.org: invalid type: integer `5`, expected a sequence"),
            "…: invalid type: integer, expected a sequence"
        );
        assert_eq!(
            clean("kind: unknown variant `anna, expected `berg`, expected `final` or `interval`"),
            "kind: unknown variant, expected `final` or `interval`",
            "words that look like ours"
        );
        assert_eq!(clean("kind: unknown variant `anna"), "kind: unknown variant");
        let unknown = Refusal::new(
            Reason::UnknownField,
            "unknown field packets.los_ratio, +4930123456, anna@example.org",
        );
        assert_eq!(unknown.impersonal_detail(), "unknown field packets.los_ratio, …, …");
    }
}
