//! The topics on the broker: what should be there, what is, and the difference.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use dialtone_schemas::topic::Topic;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use crate::config::{KafkaConfig, MAX_RECORD_BYTES, Role};

/// How long the broker may take for one answer.
const ANSWER: Duration = Duration::from_secs(15);
/// How often it is asked whether it shows a new topic.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Where a topic takes less, a reject with its original bytes (768 KiB at most) would be refused; Kafka's own default is a
/// little more.
const LEAST_MESSAGE_BYTES: usize = 1_000_000;

/// What to do about one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicAction {
    /// It is as it should be.
    Keep,
    /// It is missing.
    Create,
    /// It cannot be made right without losing something; the text says what to do.
    Refuse(String),
}

/// One topic of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Which.
    pub topic: Topic,
    /// Its name on the broker.
    pub name: String,
    /// The partitions it should have.
    pub partitions: i32,
    /// What to do.
    pub action: TopicAction,
}

impl fmt::Display for TopicPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, partitions, .. } = self;
        match &self.action {
            TopicAction::Keep => write!(f, "  {name}: {partitions} partition(s), as it should be"),
            TopicAction::Create => write!(f, "+ {name}: create with {partitions} partition(s)"),
            TopicAction::Refuse(why) => write!(f, "! {name}: {why}"),
        }
    }
}

/// Why topics could not be looked at or created.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The broker did not answer, or refused.
    #[error("{doing}: {reason}")]
    Broker {
        /// What was attempted.
        doing: String,
        /// In librdkafka's words.
        reason: String,
    },
    /// The plan has topics that cannot be made right.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<TopicPlan>),
}

fn broker(doing: impl Into<String>) -> impl FnOnce(KafkaError) -> TopicError {
    |error| TopicError::Broker {
        doing: doing.into(),
        reason: error.to_string(),
    }
}

/// A topic on the broker: its partitions, and its settings where they matter and the broker tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// How many partitions.
    pub partitions: i32,
    /// `cleanup.policy`
    pub cleanup: Option<String>,
    /// `max.message.bytes`
    pub max_message_bytes: Option<usize>,
}

/// The difference between what should be and what is.
pub fn plan(config: &KafkaConfig, present: &BTreeMap<Topic, Present>) -> Vec<TopicPlan> {
    let one = |topic: Topic| {
        let partitions = config.partitions_of(topic);
        TopicPlan {
            topic,
            name: config.topic_name(topic),
            partitions,
            action: match present.get(&topic) {
                None => TopicAction::Create,
                Some(found) => objection(config, topic, found).map_or(TopicAction::Keep, TopicAction::Refuse),
            },
        }
    };
    Topic::ALL.into_iter().map(one).collect()
}

/// Why a topic cannot be used as it is, and what to do.
fn objection(config: &KafkaConfig, topic: Topic, found: &Present) -> Option<String> {
    let (wanted, partitions) = (config.partitions_of(topic), found.partitions);
    if partitions != wanted {
        return Some(format!(
            "has {partitions} partition(s), {wanted} are configured; keys would move to other partitions and checkpoints \
             would no longer fit: set kafka.partitions = {partitions}, or use a new kafka.topic_prefix and a new state folder"
        ));
    }
    let must_have = |setting: String| {
        let name = config.topic_name(topic);
        format!(
            "must have {setting}: kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {setting}"
        )
    };
    let compacts = found.cleanup.as_ref().map(|policy| policy.contains("compact"));
    if compacts.is_some_and(|compacts| compacts != topic.compacted()) {
        return Some(must_have(format!("cleanup.policy={}", policy_of(topic))));
    }
    let is_small = found.max_message_bytes.is_some_and(|bytes| bytes < LEAST_MESSAGE_BYTES);
    is_small.then(|| must_have(format!("max.message.bytes={LEAST_MESSAGE_BYTES}")))
}

const fn policy_of(topic: Topic) -> &'static str {
    if topic.compacted() { "compact" } else { "delete" }
}

/// Asks the broker what is there.
pub async fn describe(config: &KafkaConfig) -> Result<BTreeMap<Topic, Present>, TopicError> {
    let admin: AdminClient<DefaultClientContext> = config
        .client(Role::Admin)
        .create()
        .map_err(broker("connect for administration"))?;
    let admin = Arc::new(admin);
    let names: BTreeMap<String, Topic> = Topic::ALL.into_iter().map(|t| (config.topic_name(t), t)).collect();
    let with = |partitions| Present {
        partitions,
        ..Present::default()
    };
    let found = partitions_of(&admin, &names).await?;
    let mut present: BTreeMap<_, _> = found
        .into_iter()
        .map(|(topic, partitions)| (topic, with(partitions)))
        .collect();
    let known: Vec<String> = present.keys().map(|topic| config.topic_name(*topic)).collect();
    if known.is_empty() {
        return Ok(present);
    }
    let resources: Vec<_> = known.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let described = admin
        .describe_configs(&resources, &options)
        .await
        .map_err(broker("describe topics"))?;
    // A broker that does not tell (no right to) leaves the policy unknown; the partition counts are what must be right.
    for resource in described.into_iter().flatten() {
        let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = &resource.specifier else {
            continue;
        };
        let of = |key| resource.get(key).and_then(|entry| entry.value.clone());
        if let Some(present) = names.get(name).and_then(|topic| present.get_mut(topic)) {
            present.cleanup = of("cleanup.policy");
            present.max_message_bytes = of("max.message.bytes").and_then(|bytes| bytes.parse().ok());
        }
    }
    Ok(present)
}

/// librdkafka asks for metadata by blocking; that is done on a thread that may block.
async fn partitions_of(
    admin: &Arc<AdminClient<DefaultClientContext>>,
    names: &BTreeMap<String, Topic>,
) -> Result<BTreeMap<Topic, i32>, TopicError> {
    const DOING: &str = "ask the broker for its topics";
    let (admin, names) = (Arc::clone(admin), names.clone());
    let asked = tokio::task::spawn_blocking(move || {
        admin
            .inner()
            .fetch_metadata(None, ANSWER)
            .map(|metadata| partitions_in(&metadata, &names))
    });
    let reason = |error: tokio::task::JoinError| TopicError::Broker {
        doing: DOING.to_owned(),
        reason: error.to_string(),
    };
    asked.await.map_err(reason)?.map_err(broker(DOING))
}

pub(crate) fn partitions_in(
    metadata: &rdkafka::metadata::Metadata,
    names: &BTreeMap<String, Topic>,
) -> BTreeMap<Topic, i32> {
    let found = metadata.topics().iter().filter_map(|topic| {
        let known = names.get(topic.name())?;
        let partitions = i32::try_from(topic.partitions().len()).ok()?;
        (topic.error().is_none() && partitions > 0).then_some((*known, partitions))
    });
    found.collect()
}

/// Creates what is missing, and waits until the broker shows it. Nothing is created if anything is refused. Creating what
/// another has created meanwhile is fine.
pub async fn apply(config: &KafkaConfig, plan: &[TopicPlan]) -> Result<(), TopicError> {
    let refused: Vec<_> = plan
        .iter()
        .filter(|p| matches!(p.action, TopicAction::Refuse(_)))
        .cloned()
        .collect();
    if !refused.is_empty() {
        return Err(TopicError::Refused(refused));
    }
    let largest = MAX_RECORD_BYTES.to_string();
    let missing: Vec<_> = plan
        .iter()
        .filter(|p| p.action == TopicAction::Create)
        .map(|p| {
            let topic = NewTopic::new(&p.name, p.partitions, TopicReplication::Fixed(config.replication));
            topic
                .set("cleanup.policy", policy_of(p.topic))
                .set("max.message.bytes", &largest)
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing_topics: Vec<Topic> = plan
        .iter()
        .filter(|p| p.action == TopicAction::Create)
        .map(|p| p.topic)
        .collect();
    let admin: AdminClient<DefaultClientContext> = config
        .client(Role::Admin)
        .create()
        .map_err(broker("connect for administration"))?;
    let options = AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER));
    let results = admin
        .create_topics(&missing, &options)
        .await
        .map_err(broker("create topics"))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(TopicError::Broker {
                    doing: format!("create {name}"),
                    reason: code.to_string(),
                });
            }
        }
    }
    shown(config, &Arc::new(admin), &missing_topics).await
}

/// A topic that is created is known to every broker only a moment later.
async fn shown(
    config: &KafkaConfig,
    admin: &Arc<AdminClient<DefaultClientContext>>,
    topics: &[Topic],
) -> Result<(), TopicError> {
    let names: BTreeMap<String, Topic> = topics.iter().map(|topic| (config.topic_name(*topic), *topic)).collect();
    let deadline = Instant::now() + ANSWER;
    loop {
        let present = partitions_of(admin, &names).await?;
        let Some(hidden) = topics.iter().find(|topic| !present.contains_key(topic)) else {
            return Ok(());
        };
        if Instant::now() >= deadline {
            let reason = "created, and still not shown by the broker".to_owned();
            return Err(TopicError::Broker {
                doing: format!("create {}", config.topic_name(*hidden)),
                reason,
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Plans and applies.
pub async fn ensure(config: &KafkaConfig) -> Result<Vec<TopicPlan>, TopicError> {
    let plan = plan(config, &describe(config).await?);
    apply(config, &plan).await?;
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_partition_count_is_refused_with_the_way_out() {
        let config = KafkaConfig {
            partitions: 8,
            ..KafkaConfig::default()
        };
        let with = |partitions| Present {
            partitions,
            ..Present::default()
        };
        let present = BTreeMap::from([(Topic::Events, with(4)), (Topic::Control, with(1))]);
        let plan = plan(&config, &present);
        let of = |topic| plan.iter().find(|p| p.topic == topic).map(|p| &p.action);
        assert!(matches!(of(Topic::Events), Some(TopicAction::Refuse(why)) if why.contains("kafka.partitions = 4")));
        assert_eq!(
            of(Topic::Control),
            Some(&TopicAction::Keep),
            "control has one partition, whatever is configured"
        );
        assert_eq!(of(Topic::Summaries), Some(&TopicAction::Create));
    }

    #[test]
    fn a_compacted_log_of_events_is_refused_since_it_would_lose_them() {
        let compacted = Present {
            partitions: 4,
            cleanup: Some("compact".to_owned()),
            max_message_bytes: None,
        };
        let plan = plan(&KafkaConfig::default(), &BTreeMap::from([(Topic::Events, compacted)]));
        assert!(
            matches!(&plan[0].action, TopicAction::Refuse(why) if why.contains("cleanup.policy=delete")),
            "{}",
            plan[0]
        );
    }

    #[test]
    fn a_topic_that_takes_less_than_a_megabyte_is_refused_and_one_whose_broker_does_not_tell_is_taken() {
        let with = |max_message_bytes| Present {
            partitions: 4,
            cleanup: None,
            max_message_bytes,
        };
        let present = BTreeMap::from([(Topic::Rejects, with(Some(500_000))), (Topic::Events, with(None))]);
        let plan = plan(&KafkaConfig::default(), &present);
        let of = |topic| plan.iter().find(|p| p.topic == topic).map(|p| &p.action);
        assert!(
            matches!(of(Topic::Rejects), Some(TopicAction::Refuse(why)) if why.contains("max.message.bytes=1000000"))
        );
        assert_eq!(of(Topic::Events), Some(&TopicAction::Keep));
    }
}
