//! The body: what it is about, and the metrics of this end and of the other.

use std::collections::BTreeMap;

use crate::refusal::{Reason, Refusal};
use dialtone_schemas::ReportKind;

/// Lines of one body.
const MAX_LINES: usize = 256;
/// The groups of figures.
const GROUPS: [&str; 8] = [
    "timestamps",
    "sessiondesc",
    "jitterbuffer",
    "packetloss",
    "burstgaploss",
    "delay",
    "signal",
    "qualityest",
];

/// A body, as sent: names in lower case, values as they stand.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) kind: ReportKind,
    /// After the kind: `CallTerm`, or `Type=NLR Severity=Critical Dir=local`.
    pub(super) about: String,
    /// CallID, LocalAddr, DialogID, x-…: wherever in the body they stand.
    lines: BTreeMap<String, String>,
    pub(super) local: Option<Metrics>,
    pub(super) remote: Option<Metrics>,
    /// What was not as RFC 6035 has it.
    pub(super) oddities: Vec<&'static str>,
}

/// The figures of one end, by group and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metrics(BTreeMap<(String, String), String>);

impl Metrics {
    /// `PacketLoss`, `NLR`.
    pub(super) fn get(&self, group: &str, name: &str) -> Option<&str> {
        self.0.get(&(group.to_owned(), name.to_owned())).map(String::as_str)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Session,
    Local,
    Remote,
}

impl Body {
    /// Reads a body. Lines may be folded, in any order, and with or without space after the colon.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let text = String::from_utf8_lossy(bytes);
        let lines = unfold(&text)?;
        let mut lines = lines.iter().map(String::as_str);
        let (kind, about) = first(lines.next().unwrap_or_default())?;
        let mut body = Self {
            kind,
            about,
            lines: BTreeMap::new(),
            local: None,
            remote: None,
            oddities: Vec::new(),
        };
        let mut section = Section::Session;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                body.odd("a line without a colon");
                continue;
            };
            let name = name.trim().to_ascii_lowercase();
            match name.as_str() {
                "localmetrics" => section = Section::Local,
                "metrics" => {
                    body.odd("Metrics instead of LocalMetrics");
                    section = Section::Local;
                }
                "remotemetrics" => section = Section::Remote,
                _ if GROUPS.contains(&name.as_str()) => body.figures(section, &name, value),
                _ => {
                    if section != Section::Session && name != "dialogid" && !name.starts_with("x-") {
                        body.odd("a line of the session within metrics");
                    }
                    body.lines.entry(name).or_insert_with(|| value.trim().to_owned());
                }
            }
            match section {
                Section::Session => {}
                Section::Local => drop(body.local.get_or_insert_default()),
                Section::Remote => drop(body.remote.get_or_insert_default()),
            }
        }
        if body.local.is_none() && body.remote.is_none() {
            return Err(Refusal::new(
                Reason::MalformedReport,
                "neither LocalMetrics nor RemoteMetrics",
            ));
        }
        Ok(body)
    }

    /// The value of a line, by its lower-case name.
    pub(super) fn line(&self, name: &str) -> Option<&str> {
        self.lines
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A value within a line, such as IP of LocalAddr.
    pub(super) fn part(&self, line: &str, name: &str) -> Option<String> {
        pairs(self.line(line)?)
            .into_iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    fn figures(&mut self, section: Section, group: &str, value: &str) {
        if section == Section::Session {
            self.odd("figures before LocalMetrics");
        }
        let metrics = match section {
            Section::Remote => self.remote.get_or_insert_default(),
            Section::Session | Section::Local => self.local.get_or_insert_default(),
        };
        for (name, value) in pairs(value) {
            metrics.0.entry((group.to_owned(), name)).or_insert(value);
        }
    }

    fn odd(&mut self, what: &'static str) {
        if !self.oddities.contains(&what) {
            self.oddities.push(what);
        }
    }
}

/// Lines with what is folded into them; empty ones are left out.
fn unfold(text: &str) -> Result<Vec<String>, Refusal> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !line.trim().is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ if line.trim().is_empty() => {}
            _ => lines.push(line.trim().to_owned()),
        }
        if lines.len() > MAX_LINES {
            return Err(Refusal::new(
                Reason::MalformedReport,
                format!("more than {MAX_LINES} lines"),
            ));
        }
    }
    Ok(lines)
}

fn first(line: &str) -> Result<(ReportKind, String), Refusal> {
    let (name, about) = line.split_once(':').unwrap_or((line, ""));
    let kind = match name.trim().to_ascii_lowercase().as_str() {
        "vqsessionreport" => ReportKind::Final,
        "vqintervalreport" => ReportKind::Interval,
        "vqalertreport" => ReportKind::Alert,
        _ => {
            let detail = "the first line is none of VQSessionReport, VQIntervalReport, VQAlertReport";
            return Err(Refusal::new(Reason::MalformedReport, detail));
        }
    };
    Ok((kind, about.trim().to_owned()))
}

/// `A=1 B="two words" C=3`, names in lower case; spaces may stand around `=`, and `;` between the pairs.
fn pairs(text: &str) -> Vec<(String, String)> {
    let is_between = |c: char| c.is_whitespace() || c == ';';
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while let Some((name, tail)) = rest.split_once('=') {
        // A word without a value before the name is skipped.
        let name = name.trim_end();
        let name = name.rsplit(is_between).next().unwrap_or(name);
        let (value, tail) = match spaced_value(tail).strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => spaced_value(tail)
                .split_once(is_between)
                .unwrap_or((spaced_value(tail), "")),
        };
        pairs.push((name.to_ascii_lowercase(), value.trim_end_matches(',').to_owned()));
        rest = tail.trim_start_matches(is_between);
    }
    pairs
}

/// What follows `= `: the value, unless the next word is a name with a value of its own, as in `NLR= JDR=2`.
fn spaced_value(tail: &str) -> &str {
    let value = tail.trim_start();
    let word = value.split(char::is_whitespace).next().unwrap_or(value);
    let next = value.get(word.len()..).unwrap_or("").trim_start();
    if value.len() < tail.len() && (word.contains('=') || next.starts_with('=')) {
        tail
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_with_quotes_and_without_sense() {
        let read = |text| {
            pairs(text)
                .into_iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read("PT=18 FMTP=\"annexb=no x\"  PLC=3"),
            ["pt=18", "fmtp=annexb=no x", "plc=3"]
        );
        assert_eq!(read("word NLR=5.0; JDR="), ["nlr=5.0", "jdr="]);
        assert_eq!(read("NLR = 5.0 JDR= 2"), ["nlr=5.0", "jdr=2"]);
        assert_eq!(read("NLR= JDR = 2"), ["nlr=", "jdr=2"]);
        assert_eq!(read("RTD=200;ESD=140; OWD=90;"), ["rtd=200", "esd=140", "owd=90"]);
        assert_eq!(read("=\"unclosed"), ["=unclosed"]);
        assert_eq!(read(""), Vec::<String>::new());
    }

    #[test]
    fn lines_may_stand_anywhere_and_be_folded() {
        let body = "VQIntervalReport\nLocalMetrics:\nTimestamps:START=a STOP=b\nSessionDesc:PT=0\n   PLC=3\nCallID:x\nLocalAddr:IP=10.0.0.1 PORT=5\n";
        let body = Body::read(body.as_bytes()).expect("a report");
        let local = body.local.as_ref().expect("local");
        assert_eq!(
            (local.get("sessiondesc", "plc"), body.line("callid")),
            (Some("3"), Some("x"))
        );
        assert_eq!(body.part("localaddr", "ip").as_deref(), Some("10.0.0.1"));
        assert_eq!(body.oddities, ["a line of the session within metrics"]);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for body in ["", "hello", "VQSessionReport: CallTerm\r\nCallID: x\r\n", "\u{0}\u{1}:"] {
            assert!(Body::read(body.as_bytes()).is_err(), "{body:?}");
        }
        assert!(
            Body::read("VQSessionReport\nx:\n".repeat(300).as_bytes()).is_err(),
            "too many lines"
        );
    }
}
