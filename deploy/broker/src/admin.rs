//! Creating, growing and deleting topics on behalf of a client.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};

use crate::broker::Shared;
use crate::configs::SOURCE_TOPIC;
use crate::metadata::text;
use crate::topic_config::{self, Overrides};
use crate::topics::Refusal;

const DEFAULT: i32 = -1;
/// From this version on the response describes the topic.
const DESCRIBES: i16 = 5;
const SOURCE_DEFAULT: i8 = 5;

pub(crate) fn create_topics(shared: &Shared, request: CreateTopicsRequest, version: i16) -> CreateTopicsResponse {
    let results = request
        .topics
        .into_iter()
        .map(|wanted| {
            let name = wanted.name.clone();
            match create(shared, wanted, request.validate_only) {
                Ok((partitions, overrides)) if version >= DESCRIBES => described(shared, name, partitions, &overrides),
                Ok(_) => undescribed(name),
                Err(refusal) => undescribed(name)
                    .with_error_code(refusal.code.code())
                    .with_error_message(Some(text(refusal.reason))),
            }
        })
        .collect();
    CreateTopicsResponse::default().with_topics(results)
}

fn undescribed(name: TopicName) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(name)
        .with_num_partitions(-1)
        .with_replication_factor(-1)
}

fn described(shared: &Shared, name: TopicName, partitions: i32, overrides: &Overrides) -> CreatableTopicResult {
    let configs = topic_config::entries(overrides, &shared.config)
        .into_iter()
        .map(|entry| {
            CreatableTopicConfigs::default()
                .with_name(text(entry.name))
                .with_value(Some(text(entry.value)))
                .with_config_source(if entry.is_override {
                    SOURCE_TOPIC
                } else {
                    SOURCE_DEFAULT
                })
        })
        .collect();
    undescribed(name)
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(Some(configs))
}

fn create(shared: &Shared, wanted: CreatableTopic, validate_only: bool) -> Result<(i32, Overrides), Refusal> {
    let partitions = partitions_wanted(shared, &wanted)?;
    let overrides: Overrides = wanted
        .configs
        .into_iter()
        .filter_map(|config| Some((config.name.to_string(), config.value?.to_string())))
        .collect();
    shared
        .topics
        .create(&wanted.name, partitions, overrides.clone(), validate_only)?;
    Ok((partitions, overrides))
}

/// One node holds one replica of everything, so an assignment can only name the obvious.
fn partitions_wanted(shared: &Shared, wanted: &CreatableTopic) -> Result<i32, Refusal> {
    if !wanted.assignments.is_empty() {
        let alone = wanted
            .assignments
            .iter()
            .all(|a| a.broker_ids == [crate::broker::NODE_ID]);
        let count = i32::try_from(wanted.assignments.len()).unwrap_or(i32::MAX);
        let mut indexes: Vec<_> = wanted.assignments.iter().map(|a| a.partition_index).collect();
        indexes.sort_unstable();
        if !alone || !indexes.into_iter().eq(0..count) {
            let reason = "the only broker is number 1";
            return Err(Refusal::new(ResponseError::InvalidReplicaAssignment, reason));
        }
        return Ok(count);
    }
    if !matches!(wanted.replication_factor, -1 | 1) {
        let reason = format!("replication factor {} on a single node", wanted.replication_factor);
        return Err(Refusal::new(ResponseError::InvalidReplicationFactor, reason));
    }
    Ok(if wanted.num_partitions == DEFAULT {
        shared.config.default_partitions
    } else {
        wanted.num_partitions
    })
}

pub(crate) fn delete_topics(shared: &Shared, request: DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let responses = request
        .topic_names
        .into_iter()
        .map(|name| {
            let outcome = shared.topics.delete(&name);
            if outcome.is_ok() {
                shared.coordinator.groups().forget_topic(&name);
            }
            let result = DeletableTopicResult::default().with_name(Some(name));
            match outcome {
                Ok(()) => result,
                Err(refusal) => {
                    let reason = (version >= 5).then(|| text(refusal.reason));
                    result.with_error_code(refusal.code.code()).with_error_message(reason)
                }
            }
        })
        .collect();
    DeleteTopicsResponse::default().with_responses(responses)
}

pub(crate) fn create_partitions(shared: &Shared, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let results = request
        .topics
        .into_iter()
        .map(|wanted| {
            let outcome = grow(shared, &wanted, request.validate_only);
            let result = CreatePartitionsTopicResult::default().with_name(wanted.name);
            match outcome {
                Ok(()) => result.with_error_message(None),
                Err(refusal) => result
                    .with_error_code(refusal.code.code())
                    .with_error_message(Some(text(refusal.reason))),
            }
        })
        .collect();
    CreatePartitionsResponse::default().with_results(results)
}

fn grow(shared: &Shared, wanted: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refusal> {
    let elsewhere = wanted
        .assignments
        .iter()
        .flatten()
        .any(|a| a.broker_ids != [crate::broker::NODE_ID]);
    if elsewhere {
        return Err(Refusal::new(
            ResponseError::InvalidReplicaAssignment,
            "the only broker is number 1",
        ));
    }
    shared.topics.grow(&wanted.name, wanted.count, validate_only)
}
