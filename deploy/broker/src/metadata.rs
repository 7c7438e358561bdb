//! Who we are: versions, the one broker, the topics, the one coordinator.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use tracing::debug;

use crate::broker::{NODE_ID, Shared};
use crate::dispatch::Client;
use crate::log::partition::LEADER_EPOCH;
use crate::shape::APIS;
use crate::topic_config::Overrides;
use crate::topics::{Refusal, is_valid_name};

const GROUP_COORDINATOR: i8 = 0;

pub(crate) fn api_versions() -> ApiVersionsResponse {
    let offered = APIS.iter().map(|api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.min)
            .with_max_version(api.max)
    });
    ApiVersionsResponse::default().with_api_keys(offered.collect())
}

/// The answer to a version we do not know, in the one format every client understands.
pub(crate) fn unsupported_api_versions() -> ApiVersionsResponse {
    api_versions().with_error_code(ResponseError::UnsupportedVersion.code())
}

pub(crate) fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

pub(crate) fn metadata(shared: &Shared, client: &Client, request: MetadataRequest, version: i16) -> MetadataResponse {
    let broker = MetadataResponseBroker::default()
        .with_node_id(NODE_ID.into())
        .with_host(text(client.reached_at.ip().to_string()))
        .with_port(i32::from(client.reached_at.port()));
    let wanted = match request.topics {
        // Version 0 cannot say "none", so an empty list means all.
        Some(topics) if topics.is_empty() && version == 0 => None,
        wanted => wanted,
    };
    let topics = match wanted {
        None => shared
            .topics
            .all()
            .into_iter()
            .map(|(name, topic)| describe(&name, topic.partition_count()))
            .collect(),
        Some(wanted) => wanted
            .into_iter()
            .map(|topic| {
                find_or_create(
                    shared,
                    topic.name.unwrap_or_default(),
                    request.allow_auto_topic_creation,
                )
            })
            .collect(),
    };
    MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text(shared.cluster_id.clone())))
        .with_controller_id(NODE_ID.into())
        .with_topics(topics)
}

fn find_or_create(shared: &Shared, name: TopicName, may_create: bool) -> MetadataResponseTopic {
    if let Some(topic) = shared.topics.get(&name) {
        return describe(&name, topic.partition_count());
    }
    let refuse = |code: ResponseError| {
        MetadataResponseTopic::default()
            .with_name(Some(name.clone()))
            .with_error_code(code.code())
    };
    if !is_valid_name(&name) {
        return refuse(ResponseError::InvalidTopicException);
    }
    if !(may_create && shared.config.auto_create_topics) {
        return refuse(ResponseError::UnknownTopicOrPartition);
    }
    match shared
        .topics
        .create(&name, shared.config.default_partitions, Overrides::new(), false)
    {
        Ok(topic) => describe(&name, topic.partition_count()),
        Err(Refusal {
            code: ResponseError::TopicAlreadyExists,
            ..
        }) => shared.topics.get(&name).map_or_else(
            || refuse(ResponseError::UnknownTopicOrPartition),
            |topic| describe(&name, topic.partition_count()),
        ),
        Err(refusal) => {
            debug!(topic = %name.as_str(), reason = %refusal.reason, "topic is not created");
            refuse(refusal.code)
        }
    }
}

fn describe(name: &str, partitions: i32) -> MetadataResponseTopic {
    let partitions = (0..partitions)
        .map(|index| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(NODE_ID.into())
                .with_leader_epoch(LEADER_EPOCH)
                .with_replica_nodes(vec![NODE_ID.into()])
                .with_isr_nodes(vec![NODE_ID.into()])
        })
        .collect();
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_partitions(partitions)
}

/// We coordinate every group. For transactions there is no coordinator.
pub(crate) fn find_coordinator(client: &Client, request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    if request.key_type != GROUP_COORDINATOR {
        // The code that makes clients give up at once instead of asking again.
        return FindCoordinatorResponse::default()
            .with_error_code(ResponseError::TransactionalIdAuthorizationFailed.code())
            .with_error_message(Some(text("the embedded broker does not support transactions")))
            .with_node_id((-1).into())
            .with_port(-1);
    }
    FindCoordinatorResponse::default()
        .with_node_id(NODE_ID.into())
        .with_host(text(client.reached_at.ip().to_string()))
        .with_port(i32::from(client.reached_at.port()))
}
