//! What a person may say about Kafka. Everything librdkafka knows is passed through; the few keys that our promises rest
//! on are ours and refused with the reason.

use std::{collections::BTreeMap, fmt, time::Duration};

use dialtone_schemas::topic::Topic;
use rdkafka::{ClientConfig, error::KafkaError};
use serde::{Deserialize, Serialize};

/// Partitions and replicas beyond this are a typing error.
const MAX_PARTITIONS: i32 = 10_000;
/// The shortest time a record may be tried: below it, a leader's move loses what was accepted.
const MIN_MESSAGE_TIMEOUT_MS: i64 = 5_000;
/// How long a record is tried unless told otherwise.
const MESSAGE_TIMEOUT_MS: i64 = 30_000;
/// Largest record: a reject carries a body of 1 MiB, framed and enveloped.
pub(crate) const MAX_RECORD_BYTES: usize = 5 * 1024 * 1024;

/// Keys whose values never appear in a message or in `Debug`, whole or as a part of the key.
const SECRETS: [&str; 7] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "key.pem",
    "credential",
    "oauthbearer.config",
];

/// What we set ourselves, and why nobody else may.
const OURS: [(&str, &str); 17] = [
    (
        "enable.auto.commit",
        "positions are committed after the checkpoint that covers them",
    ),
    (
        "enable.auto.offset.store",
        "positions are stored after the checkpoint that covers them",
    ),
    (
        "auto.offset.reset",
        "positions come from the checkpoint chain; a lost position must be loud, not a silent jump",
    ),
    (
        "auto.commit.interval.ms",
        "positions are committed after the checkpoint that covers them",
    ),
    ("check.crcs", "checksums are always verified"),
    (
        "enable.idempotence",
        "the producer is always idempotent, so that order within a partition holds",
    ),
    (
        "partitioner",
        "murmur2_random is part of the contract: clients in every language must agree on a key's partition",
    ),
    ("acks", "only what all in-sync replicas have counts as acknowledged"),
    (
        "request.required.acks",
        "only what all in-sync replicas have counts as acknowledged",
    ),
    ("group.id", "each stage has a consumer group of its own"),
    (
        "group.instance.id",
        "several consumers share these properties; one instance id would make them fence each other",
    ),
    (
        "group.protocol",
        "the classic protocol is used: the newer one keeps a reader fetching that can no longer commit",
    ),
    (
        "partition.assignment.strategy",
        "range, so that partition p of every topic is in one hand",
    ),
    (
        "isolation.level",
        "read_committed, so that aborted records of other producers are not read",
    ),
    ("enable.partition.eof", "the end of a log must be known"),
    (
        "transactional.id",
        "transactions are not used: every effect is idempotent by id and revision",
    ),
    (
        "allow.auto.create.topics",
        "topics are created by `dialtone topics apply` with the right partition count",
    ),
];

/// A Kafka cluster and how we use it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// librdkafka's own properties, verbatim; `bootstrap.servers` at least.
    #[serde(deserialize_with = "scalars")]
    pub properties: BTreeMap<String, String>,
    /// What the names of all topics begin with.
    pub topic_prefix: String,
    /// Partitions of each topic (control has one). Events and summaries have the same number, for good.
    pub partitions: i32,
    /// Replicas of each partition; -1 leaves it to the broker.
    pub replication: i32,
    /// The schema registry; the built-in ids where there is none.
    pub registry: Option<RegistryConfig>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            properties: BTreeMap::new(),
            topic_prefix: "dialtone".to_owned(),
            partitions: 4,
            replication: 1,
            registry: None,
        }
    }
}

/// A schema registry with Confluent's API.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// Its base URL.
    pub url: String,
    /// For basic authentication.
    #[serde(default)]
    pub username: Option<String>,
    /// For basic authentication.
    #[serde(default)]
    pub password: Option<String>,
    /// For bearer authentication.
    #[serde(default)]
    pub token: Option<String>,
    /// Registers schemas at start that are missing. Off in production: `dialtone schema register` does it once.
    #[serde(default)]
    pub auto_register: bool,
}

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| MASK))
            .field("token", &self.token.as_ref().map(|_| MASK))
            .field("auto_register", &self.auto_register)
            .finish()
    }
}

const MASK: &str = "***";

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked: BTreeMap<_, _> = self
            .properties
            .iter()
            .map(|(key, value)| (key, shown(key, value)))
            .collect();
        f.debug_struct("KafkaConfig")
            .field("properties", &masked)
            .field("topic_prefix", &self.topic_prefix)
            .field("partitions", &self.partitions)
            .field("replication", &self.replication)
            .field("registry", &self.registry)
            .finish()
    }
}

/// Does this key of a configuration, Kafka's or another, have a value that nobody may see?
pub fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETS.iter().any(|part| key.contains(part))
}

fn shown<'a>(key: &str, value: &'a str) -> &'a str {
    if is_secret(key) { MASK } else { value }
}

/// TOML has numbers and booleans; librdkafka has strings.
fn scalars<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Bool(bool),
        Int(i64),
        Float(f64),
        Text(String),
    }
    let map = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    let text = |scalar| match scalar {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(value) => value,
    };
    Ok(map.into_iter().map(|(key, value)| (key, text(value))).collect())
}

/// One thing wrong with a [`KafkaConfig`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kafka.{key}: {reason}")]
pub struct ConfigProblem {
    /// Which setting, below `kafka`.
    pub key: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role<'a> {
    Producer,
    Consumer { group: &'a str },
    Admin,
}

impl KafkaConfig {
    /// A cluster at these addresses, everything else by default.
    pub fn at(bootstrap: &str) -> Self {
        let properties = BTreeMap::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
        Self {
            properties,
            ..Self::default()
        }
    }

    /// The name of a topic on this cluster.
    pub fn topic_name(&self, topic: Topic) -> String {
        topic.name(&self.topic_prefix)
    }

    /// The partitions a topic should have.
    pub const fn partitions_of(&self, topic: Topic) -> i32 {
        if topic.single_partition() { 1 } else { self.partitions }
    }

    /// All problems at once, without a network: keys and values are judged by librdkafka itself.
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, reason: String| {
            problems.push(ConfigProblem {
                key: key.to_owned(),
                reason,
            });
        };
        for (key, value) in &self.properties {
            let path = format!("properties.\"{key}\"");
            if let Some((_, why)) = OURS.iter().find(|(ours, _)| ours == key) {
                problem(&path, format!("is not for setting: {why}"));
            } else if let Err(reason) = judged_by_librdkafka(key, value) {
                problem(&path, reason);
            }
        }
        if self
            .property("bootstrap.servers")
            .is_none_or(|servers| servers.trim().is_empty())
        {
            problem(
                "properties.\"bootstrap.servers\"",
                "is missing: the brokers' addresses, host:port,host:port".into(),
            );
        }
        for key in ["message.timeout.ms", "delivery.timeout.ms"] {
            if self
                .property(key)
                .and_then(|v| v.parse::<i64>().ok())
                .is_some_and(|ms| ms != 0 && ms < MIN_MESSAGE_TIMEOUT_MS)
            {
                problem(
                    &format!("properties.\"{key}\""),
                    format!(
                        "must be at least {MIN_MESSAGE_TIMEOUT_MS}: a shorter time loses records while a leader moves"
                    ),
                );
            }
        }
        for (key, reason) in self.security_problems() {
            problem(key, reason);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if self.topic_prefix.is_empty() || self.topic_prefix.len() > 200 || !self.topic_prefix.chars().all(plain) {
            problem(
                "topic_prefix",
                "must be 1 to 200 letters, digits, dots or hyphens".into(),
            );
        }
        if !(1..=MAX_PARTITIONS).contains(&self.partitions) {
            problem("partitions", format!("must be 1 to {MAX_PARTITIONS}"));
        }
        if self.replication != -1 && !(1..=100).contains(&self.replication) {
            problem("replication", "must be 1 to 100, or -1 for the broker's default".into());
        }
        if let Some(registry) = &self.registry {
            if !registry.url.starts_with("http://") && !registry.url.starts_with("https://") {
                problem("registry.url", "must begin with http:// or https://".into());
            }
            if registry.token.is_some() && registry.username.is_some() {
                problem(
                    "registry.token",
                    "use either a token or a user name with password".into(),
                );
            }
            if registry.password.is_some() && registry.username.is_none() {
                problem("registry.username", "is missing beside the password".into());
            }
        }
        problems
    }

    /// What librdkafka would only say in riddles, or when connecting.
    fn security_problems(&self) -> Vec<(&'static str, String)> {
        const PROTOCOL: &str = "properties.\"security.protocol\"";
        let mut problems = Vec::new();
        let protocol = self
            .property("security.protocol")
            .unwrap_or("plaintext")
            .to_ascii_lowercase();
        let mechanism = self
            .property("sasl.mechanism")
            .or_else(|| self.property("sasl.mechanisms"));
        let built_with = builtin_features();
        let has = |feature: &str| built_with.split(',').any(|built| built.trim() == feature);
        match mechanism {
            None if protocol.starts_with("sasl") => problems.push((
                PROTOCOL,
                "needs sasl.mechanism (SCRAM-SHA-512, PLAIN or GSSAPI): without it librdkafka takes Kerberos and \
                 asks for a keytab"
                    .to_owned(),
            )),
            Some(mechanism) if protocol.starts_with("sasl") => {
                let upper = mechanism.to_ascii_uppercase();
                let named = upper.starts_with("SCRAM") || upper == "PLAIN";
                if upper == "GSSAPI" && !has("sasl_gssapi") {
                    problems.push((
                        "properties.\"sasl.mechanism\"",
                        "this build has no Kerberos: build with `--features kerberos`".to_owned(),
                    ));
                }
                if upper == "OAUTHBEARER" {
                    problems.push((
                        "properties.\"sasl.mechanism\"",
                        "OAUTHBEARER needs somebody who fetches tokens, and this build has nobody: use SCRAM-SHA-512, a client \
                         certificate, or Kerberos"
                            .to_owned(),
                    ));
                }
                if named && (self.property("sasl.username").is_none() || self.property("sasl.password").is_none()) {
                    problems.push((
                        "properties.\"sasl.username\"",
                        format!("{upper} needs sasl.username and sasl.password"),
                    ));
                }
            }
            Some(_) => problems.push((
                PROTOCOL,
                "is not SASL_SSL or SASL_PLAINTEXT, so the SASL settings have no effect".to_owned(),
            )),
            None => {}
        }
        problems
    }

    pub(crate) fn property(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }

    /// How long a record is tried before it counts as not acknowledged.
    pub(crate) fn message_timeout(&self) -> Duration {
        let set = self
            .property("message.timeout.ms")
            .or_else(|| self.property("delivery.timeout.ms"));
        let ms = set
            .and_then(|text| text.parse::<i64>().ok())
            .filter(|ms| *ms > 0)
            .unwrap_or(MESSAGE_TIMEOUT_MS);
        Duration::from_millis(ms.unsigned_abs())
    }

    /// The settings of one client: our defaults, then the user's, then what is ours alone.
    pub(crate) fn client(&self, role: Role<'_>) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "dialtone");
        config.set("broker.address.family", "any");
        match role {
            Role::Producer => {
                // Large batches cost the readers half as much; a few milliseconds of waiting make them.
                config
                    .set("linger.ms", "5")
                    .set("batch.size", "1000000")
                    .set("batch.num.messages", "100000");
                config.set("compression.type", "lz4");
                config.set("message.max.bytes", MAX_RECORD_BYTES.to_string());
                config.set("message.timeout.ms", MESSAGE_TIMEOUT_MS.to_string());
                config
                    .set("queue.buffering.max.messages", "500000")
                    .set("queue.buffering.max.kbytes", "262144");
            }
            Role::Consumer { .. } => {
                // Memory is bounded by bytes; the default pause of a second between fetches would cost two thirds of the rate.
                config
                    .set("queued.min.messages", "100000")
                    .set("queued.max.messages.kbytes", "32768");
                config
                    .set("fetch.queue.backoff.ms", "10")
                    .set("fetch.wait.max.ms", "50");
            }
            Role::Admin => {}
        }
        for (key, value) in &self.properties {
            if role.understands(key) {
                config.set(key, value);
            }
        }
        match role {
            Role::Producer => {
                config
                    .set("enable.idempotence", "true")
                    .set("acks", "all")
                    .set("partitioner", "murmur2_random");
            }
            Role::Consumer { group } => {
                config
                    .set("group.id", group)
                    .set("enable.auto.commit", "false")
                    .set("enable.auto.offset.store", "false");
                config
                    .set("auto.offset.reset", "error")
                    .set("check.crcs", "true")
                    .set("enable.partition.eof", "true");
                config
                    .set("isolation.level", "read_committed")
                    .set("partition.assignment.strategy", "range");
                config.set("allow.auto.create.topics", "false");
            }
            Role::Admin => {}
        }
        config
    }
}

impl Role<'_> {
    /// librdkafka warns on every start about settings of the other kind of client.
    fn understands(self, key: &str) -> bool {
        const PRODUCER: [&str; 12] = [
            "linger.ms",
            "batch.",
            "compression.",
            "queue.buffering.",
            "message.timeout.ms",
            "delivery.timeout.ms",
            "retries",
            "message.send.max.retries",
            "sticky.",
            "request.timeout.ms",
            "delivery.report",
            "enable.gapless",
        ];
        const CONSUMER: [&str; 7] = [
            "fetch.",
            "queued.",
            "max.poll.",
            "session.",
            "heartbeat.",
            "max.partition.fetch",
            "group.",
        ];
        let of = |list: &[&str]| list.iter().any(|prefix| key.starts_with(prefix));
        match self {
            Self::Producer => !of(&CONSUMER),
            Self::Consumer { .. } => !of(&PRODUCER),
            Self::Admin => !of(&CONSUMER) && !of(&PRODUCER),
        }
    }
}

/// What this build of librdkafka can do, comma-separated.
pub fn builtin_features() -> String {
    ClientConfig::new()
        .create_native_config()
        .and_then(|native| native.get("builtin.features"))
        .unwrap_or_default()
}

fn judged_by_librdkafka(key: &str, value: &str) -> Result<(), String> {
    let mut config = ClientConfig::new();
    config.set(key, value);
    match config.create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, reason, ..)) if is_secret(key) => Err(reason.replace(value, MASK)),
        Err(KafkaError::ClientConfig(_, reason, ..)) => Err(reason),
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> KafkaConfig {
        let mut config = KafkaConfig::at("localhost:9092");
        config
            .properties
            .extend(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        config
    }

    #[test]
    fn the_defaults_with_an_address_are_valid() {
        assert_eq!(with(&[]).validate(), []);
    }

    #[test]
    fn an_unknown_property_and_an_impossible_value_are_refused_without_a_network_and_all_at_once() {
        let problems = with(&[("linger.mss", "5"), ("linger.ms", "soon"), ("acks", "1")]).validate();
        let text: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{text:?}");
        assert!(
            text.iter()
                .any(|t| t.contains("linger.mss") && t.contains("No such configuration property")),
            "{text:?}"
        );
        assert!(text.iter().any(|t| t.contains("\"linger.ms\"")), "{text:?}");
        assert!(text.iter().any(|t| t.contains("in-sync")), "{text:?}");
    }

    #[test]
    fn every_key_that_is_ours_is_refused_with_its_reason_and_known_to_librdkafka() {
        for (key, why) in OURS {
            let problems = with(&[(key, "x")]).validate();
            assert!(problems.iter().any(|p| p.reason.contains(why)), "{key}: {problems:?}");
            let unknown = judged_by_librdkafka(key, "x").is_err_and(|reason| reason.contains("No such"));
            assert!(!unknown, "{key} is not a property of librdkafka");
        }
    }

    #[test]
    fn sasl_without_a_mechanism_is_explained_instead_of_asking_for_a_keytab() {
        let problems = with(&[("security.protocol", "SASL_PLAINTEXT")]).validate();
        assert!(
            problems.iter().any(|p| p.reason.contains("sasl.mechanism")),
            "{problems:?}"
        );
    }

    #[test]
    fn a_message_timeout_that_would_lose_records_is_refused() {
        assert_eq!(with(&[("message.timeout.ms", "100")]).validate().len(), 1);
        assert_eq!(with(&[("message.timeout.ms", "60000")]).validate(), []);
    }

    #[test]
    fn secrets_are_masked() {
        let mut config = with(&[
            ("sasl.password", "hunter2"),
            ("sasl.oauthbearer.client.secret", "hunter2"),
        ]);
        config.registry = Some(RegistryConfig {
            url: "http://r".into(),
            username: None,
            password: Some("hunter2".into()),
            token: None,
            auto_register: false,
        });
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!format!("{:?}", config.validate()).contains("hunter2"));
    }

    #[test]
    fn numbers_and_booleans_of_a_file_become_librdkafkas_strings_and_unknown_settings_are_refused() {
        let read = |text: &str| serde_json::from_str::<KafkaConfig>(text);
        let config =
            read(r#"{"properties": {"linger.ms": 20, "socket.keepalive.enable": true}, "partitions": 8}"#).unwrap();
        assert_eq!(config.properties["linger.ms"], "20");
        assert_eq!(config.properties["socket.keepalive.enable"], "true");
        assert!(read(r#"{"partition": 8}"#).is_err());
    }

    /// What librdkafka would do of itself, and must not: commit what is not done, begin anywhere, spread keys its own way.
    #[test]
    fn what_promises_rest_on_is_set_whatever_the_file_says() {
        let config = with(&[("linger.ms", "50")]);
        let consumer = config.client(Role::Consumer { group: "g" });
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "error"),
            ("check.crcs", "true"),
            ("group.id", "g"),
        ] {
            assert_eq!(consumer.get(key), Some(value), "{key}");
        }
        let producer = config.client(Role::Producer);
        for (key, value) in [
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("linger.ms", "50"),
        ] {
            assert_eq!(producer.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn this_build_has_the_features_it_promises() {
        let features = builtin_features();
        let has = |feature: &str| features.split(',').any(|built| built.trim() == feature);
        for feature in ["gzip", "lz4", "zstd", "snappy", "ssl", "sasl_scram", "sasl_plain"] {
            assert!(has(feature), "{feature} is missing of {features}");
        }
        let bearer = with(&[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "OAUTHBEARER")]);
        let reasons: Vec<String> = bearer.validate().into_iter().map(|problem| problem.reason).collect();
        assert!(
            reasons.iter().any(|reason| reason.contains("fetches tokens")),
            "{reasons:?}"
        );
        let kerberos = with(&[("security.protocol", "sasl_ssl"), ("sasl.mechanism", "GSSAPI")]);
        let is_refused = kerberos
            .validate()
            .iter()
            .any(|problem| problem.reason.contains("--features kerberos"));
        assert_eq!(has("sasl_gssapi"), !is_refused);
        assert!(has("sasl_gssapi") || !cfg!(feature = "kerberos"), "{features}");
    }
}
