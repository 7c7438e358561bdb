//! What a person may set of ingest. Settings are data: keys, clocks and brokers are arguments.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use dialtone_schemas::{Dimension, Span, Text, summary::Class, time};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{emodel::ScoringRules, privacy::PrivacyRules};

/// All of ingest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestConfig {
    /// The building file; without one nothing is placed.
    pub sites: Option<PathBuf>,
    /// Events, changes, complaints and call records over HTTP.
    pub http: HttpConfig,
    /// Reports of phones: each listener belongs to one tenant.
    pub sip: Vec<SipConfig>,
    /// What becomes of personal data.
    pub privacy: PrivacyConfig,
    /// How calls are judged.
    pub scoring: ScoringRules,
    /// How late each class of source may be, as the folds are told.
    pub bounds: Bounds,
}

/// The HTTP door.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Where it listens. TLS is a proxy's work: beyond loopback, put one in front.
    pub listen: SocketAddr,
    /// Who may send what.
    pub tokens: Vec<TokenConfig>,
    /// Whose data comes without a token; only for a door on loopback.
    pub tenant_without_token: Option<Text>,
    /// Largest body as sent.
    pub max_body_bytes: usize,
    /// Largest body after decompression.
    pub max_decoded_bytes: usize,
    /// Decompressed over compressed.
    pub max_ratio: usize,
    /// Lines of one body, or call records; each may become a reject.
    pub max_reports: usize,
    /// From the first byte of a request to the end of its head.
    pub head_timeout: Span,
    /// From the end of the head to the end of the body.
    pub body_timeout: Span,
    /// How long a connection may do nothing.
    pub idle_timeout: Span,
    /// Connections of all senders; more are closed at once.
    pub max_connections: usize,
    /// Connections of one address.
    pub max_connections_per_address: usize,
    /// Bodies in memory at the same time; more wait, and get 503 after `body_timeout`.
    pub max_bodies: usize,
    /// What a sender is told to wait where the broker does not acknowledge.
    pub retry_after: Span,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8480)),
            tokens: Vec::new(),
            tenant_without_token: None,
            max_body_bytes: 1024 * 1024,
            max_decoded_bytes: 8 * 1024 * 1024,
            max_ratio: 100,
            max_reports: 20_000,
            head_timeout: seconds(5),
            body_timeout: seconds(10),
            idle_timeout: seconds(30),
            max_connections: 4096,
            max_connections_per_address: 64,
            max_bodies: 64,
            retry_after: seconds(5),
        }
    }
}

/// A bearer token: its tenant, and what it may send. Either its SHA-256 or a file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Whose data it brings.
    pub tenant: Text,
    /// SHA-256 of the token, 64 hex digits.
    #[serde(default)]
    pub sha256: Option<String>,
    /// A file with the token in its first line.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// What it may send: every kind of report unless told otherwise, control only where it is named.
    #[serde(default = "every_report")]
    pub may_send: Vec<Sendable>,
}

/// A kind of thing that the HTTP door takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sendable {
    /// `POST /v1/events`
    Events,
    /// `POST /v1/changes`
    Changes,
    /// `POST /v1/complaints`
    Complaints,
    /// `POST /v1/graph`
    Graph,
    /// `POST /v1/control`: acknowledge, silence, reassign, judge an incident.
    Control,
}

/// Who reports may not for that reason silence an incident.
fn every_report() -> Vec<Sendable> {
    vec![
        Sendable::Events,
        Sendable::Changes,
        Sendable::Complaints,
        Sendable::Graph,
    ]
}

/// A SIP listener: UDP and TCP on one port, one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SipConfig {
    /// Where it listens.
    #[serde(default = "sip_port")]
    pub listen: SocketAddr,
    /// Whose phones report here.
    pub tenant: Text,
    /// Which networks they are in. Others get no answer at all.
    #[serde(with = "networks")]
    pub allow: Vec<IpNet>,
    /// What is known of all of them, where a report does not say.
    #[serde(default)]
    pub dimensions: BTreeMap<Dimension, Text>,
    /// TCP connections; more are closed at once.
    #[serde(default = "sip_connections")]
    pub max_connections: usize,
    /// TCP connections of one address.
    #[serde(default = "sip_connections_per_address")]
    pub max_connections_per_address: usize,
    /// How long a TCP connection may do nothing between requests.
    #[serde(default = "sip_idle")]
    pub idle_timeout: Span,
    /// From the first byte of a request over TCP to its last.
    #[serde(default = "sip_message_timeout")]
    pub message_timeout: Span,
    /// Requests over UDP at work at the same time; more are dropped, and the phones send them again.
    #[serde(default = "sip_requests")]
    pub max_requests: usize,
}

/// Networks as text: `10.0.0.0/8`; an address alone is a network of one.
mod networks {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(networks.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
        let network = |text: String| {
            let network = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_said_already| {
                de::Error::custom(format!("{text:?} is no network: expected such as \"10.0.0.0/8\""))
            })
        };
        Vec::<String>::deserialize(deserializer)?
            .into_iter()
            .map(network)
            .collect()
    }
}

impl SipConfig {
    /// A listener of a tenant for these networks, with the defaults for everything else.
    pub fn new(tenant: Text, allow: Vec<IpNet>) -> Self {
        Self {
            listen: sip_port(),
            tenant,
            allow,
            dimensions: BTreeMap::new(),
            max_connections: sip_connections(),
            max_connections_per_address: sip_connections_per_address(),
            idle_timeout: sip_idle(),
            message_timeout: sip_message_timeout(),
            max_requests: sip_requests(),
        }
    }
}

fn sip_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 5060))
}

const fn sip_connections() -> usize {
    4096
}

const fn sip_connections_per_address() -> usize {
    64
}

const fn sip_idle() -> Span {
    seconds(300)
}

const fn sip_message_timeout() -> Span {
    seconds(10)
}

const fn sip_requests() -> usize {
    1024
}

/// Privacy, and where its key lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// 64 hex digits; generated at the first start. Whoever has it can recognise users and read rejects: keep it apart
    /// from the data, and do not lose it.
    pub key_file: PathBuf,
    /// What is sealed, and how.
    pub rules: PrivacyRules,
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            key_file: PathBuf::from("privacy.key"),
            rules: PrivacyRules::default(),
        }
    }
}

/// How late a source of each class may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Live interval reports.
    pub interval: Span,
    /// Reports at the end of a call.
    #[serde(rename = "final")]
    pub final_: Span,
    /// Call records of Microsoft Graph.
    pub graph: Span,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            interval: Span::from_micros(Class::Interval.default_bound()),
            final_: Span::from_micros(Class::Final.default_bound()),
            graph: Span::from_micros(Class::Graph.default_bound()),
        }
    }
}

impl Bounds {
    /// Of one class, in microseconds.
    pub const fn of(&self, class: Class) -> i64 {
        match class {
            Class::Interval => self.interval.micros(),
            Class::Final => self.final_.micros(),
            Class::Graph => self.graph.micros(),
        }
    }

    /// The largest, in microseconds.
    pub fn largest(&self) -> i64 {
        Class::ALL.into_iter().map(|class| self.of(class)).max().unwrap_or(0)
    }
}

const fn seconds(n: i64) -> Span {
    Span::from_micros(n * time::SECOND)
}

impl IngestConfig {
    /// Everything that is wrong, each with the key it stands under.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.http.problems();
        for (i, sip) in self.sip.iter().enumerate() {
            if sip.allow.is_empty() {
                problems.push(format!(
                    "sip[{i}].allow: names no network, so that no phone could report"
                ));
            }
            for (key, value) in [
                ("max_connections", sip.max_connections),
                ("max_requests", sip.max_requests),
            ] {
                if value == 0 {
                    problems.push(format!("sip[{i}].{key}: expected at least 1"));
                }
            }
        }
        for (name, codec) in &self.scoring.codecs {
            if !(codec.bpl > 0.0 && (0.0..=95.0).contains(&codec.ie)) {
                problems.push(format!("scoring.codecs.{name}: expected ie of 0 to 95 and bpl above 0"));
            }
        }
        if !(0.0..=10_000.0).contains(&self.scoring.assumed_delay_ms) {
            problems.push("scoring.assumed_delay_ms: expected 0 to 10000".to_owned());
        }
        problems
    }
}

impl HttpConfig {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.tenant_without_token.is_some() && !self.listen.ip().is_loopback() {
            let text = format!(
                "http.tenant_without_token: {} is not loopback, so that everybody could send",
                self.listen
            );
            problems.push(text);
        }
        for (i, token) in self.tokens.iter().enumerate() {
            match (&token.sha256, &token.file) {
                (Some(sha256), None) if hex::decode(sha256).is_ok_and(|bytes| bytes.len() == 32) => {}
                (None, Some(_)) => {}
                (Some(_), None) => problems.push(format!("http.tokens[{i}].sha256: expected 64 hex digits")),
                _ => problems.push(format!("http.tokens[{i}]: expected either sha256 or file")),
            }
        }
        for (key, value) in [
            ("max_body_bytes", self.max_body_bytes),
            ("max_decoded_bytes", self.max_decoded_bytes),
            ("max_ratio", self.max_ratio),
            ("max_reports", self.max_reports),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_bodies", self.max_bodies),
        ] {
            if value == 0 {
                problems.push(format!("http.{key}: expected at least 1"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_listen_on_loopback_only() {
        let config = IngestConfig::default();
        assert_eq!(config.problems(), Vec::<String>::new());
        assert!(config.http.listen.ip().is_loopback());
        assert_eq!(config.bounds.largest(), 75 * time::MINUTE);
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let mut config = IngestConfig::default();
        config.http.listen = "0.0.0.0:80".parse().expect("an address");
        config.http.tenant_without_token = Text::new("acme").ok();
        config.http.tokens.push(TokenConfig {
            tenant: Text::new("acme").expect("text"),
            sha256: Some("abc".into()),
            file: None,
            may_send: every_report(),
        });
        config
            .sip
            .push(SipConfig::new(Text::new("acme").expect("text"), Vec::new()));
        let problems = config.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(serde_json::from_str::<IngestConfig>(r#"{"http": {"lisen": "127.0.0.1:1"}}"#).is_err());
        let config = r#"{"sip": [{"tenant": "acme", "allow": ["10.0.0.0/8"], "dimensions": {"policy": "desk"}}]}"#;
        let config: IngestConfig = serde_json::from_str(config).expect("a config");
        assert_eq!(config.sip[0].listen.port(), 5060);
    }
}
