//! Describing and altering configuration. A topic's can be changed; the broker's is its start.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, alter_configs_response,
    incremental_alter_configs_request::AlterableConfig, incremental_alter_configs_response,
};

use crate::broker::{NODE_ID, Shared};
use crate::metadata::text;
use crate::topic_config::{self, Entry, Overrides};
use crate::topics::Refusal;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
pub(crate) const SOURCE_TOPIC: i8 = 1;
const SOURCE_STATIC_BROKER: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;
const KIND_BOOLEAN: i8 = 1;
const KIND_NUMBER: i8 = 3;
/// From this version on the response says of what kind a value is.
const KNOWS_KIND: i16 = 3;

pub(crate) fn describe(shared: &Shared, request: DescribeConfigsRequest, version: i16) -> DescribeConfigsResponse {
    let results = request
        .resources
        .iter()
        .map(|resource| {
            let result = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone());
            match entries(shared, resource) {
                Ok((entries, source)) => result.with_configs(
                    entries
                        .into_iter()
                        .filter(|entry| is_wanted(resource, entry))
                        .map(|entry| show(entry, source, request.include_synonyms, version))
                        .collect(),
                ),
                Err(refusal) => result
                    .with_error_code(refusal.code.code())
                    .with_error_message(Some(text(refusal.reason))),
            }
        })
        .collect();
    DescribeConfigsResponse::default().with_results(results)
}

/// What is in force for a resource, and where a value that is nobody's override comes from.
fn entries(shared: &Shared, resource: &DescribeConfigsResource) -> Result<(Vec<Entry>, i8), Refusal> {
    match resource.resource_type {
        TOPIC => {
            let topic = shared.topics.get(&resource.resource_name);
            let topic = topic.ok_or_else(|| Refusal::new(ResponseError::UnknownTopicOrPartition, "no such topic"))?;
            Ok((
                topic_config::entries(&topic.overrides(), &shared.config),
                SOURCE_DEFAULT,
            ))
        }
        BROKER if resource.resource_name.as_str() == NODE_ID.to_string() => {
            Ok((broker_entries(shared), SOURCE_STATIC_BROKER))
        }
        _ => Err(Refusal::new(
            ResponseError::InvalidRequest,
            "only topics and broker 1 have configs",
        )),
    }
}

fn broker_entries(shared: &Shared) -> Vec<Entry> {
    let entry = |name, value: String, kind| Entry {
        name,
        value,
        kind,
        is_override: false,
    };
    let config = &shared.config;
    vec![
        entry(
            "auto.create.topics.enable",
            config.auto_create_topics.to_string(),
            KIND_BOOLEAN,
        ),
        entry("default.replication.factor", "1".to_owned(), KIND_NUMBER),
        entry("log.segment.bytes", config.segment_bytes.to_string(), KIND_NUMBER),
        entry("message.max.bytes", config.max_message_bytes.to_string(), KIND_NUMBER),
        entry("num.partitions", config.default_partitions.to_string(), KIND_NUMBER),
    ]
}

fn is_wanted(resource: &DescribeConfigsResource, entry: &Entry) -> bool {
    resource
        .configuration_keys
        .as_ref()
        .is_none_or(|keys| keys.iter().any(|key| key.as_str() == entry.name))
}

fn show(entry: Entry, otherwise: i8, with_synonyms: bool, version: i16) -> DescribeConfigsResourceResult {
    let source = if entry.is_override { SOURCE_TOPIC } else { otherwise };
    let synonym = DescribeConfigsSynonym::default()
        .with_name(text(entry.name))
        .with_value(Some(text(entry.value.clone())))
        .with_source(source);
    DescribeConfigsResourceResult::default()
        .with_name(text(entry.name))
        .with_value(Some(text(entry.value)))
        .with_read_only(otherwise == SOURCE_STATIC_BROKER)
        .with_config_source(source)
        .with_synonyms(if with_synonyms { vec![synonym] } else { Vec::new() })
        .with_config_type(if version >= KNOWS_KIND { entry.kind } else { 0 })
        .with_documentation(None)
}

/// Replaces all overrides of a topic.
pub(crate) fn alter(shared: &Shared, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let responses = request
        .resources
        .into_iter()
        .map(|resource| {
            let wanted: Overrides = resource
                .configs
                .iter()
                .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
                .collect();
            let replace = |overrides: &mut Overrides| {
                *overrides = wanted;
                Ok(())
            };
            let outcome = change(
                shared,
                resource.resource_type,
                &resource.resource_name,
                replace,
                request.validate_only,
            );
            let (code, reason) = told(outcome);
            alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(reason)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
        })
        .collect();
    AlterConfigsResponse::default().with_responses(responses)
}

/// Changes single overrides of a topic.
pub(crate) fn alter_incrementally(
    shared: &Shared,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let responses = request
        .resources
        .into_iter()
        .map(|resource| {
            let edit =
                |overrides: &mut Overrides| resource.configs.iter().try_for_each(|config| apply(overrides, config));
            let outcome = change(
                shared,
                resource.resource_type,
                &resource.resource_name,
                edit,
                request.validate_only,
            );
            let (code, reason) = told(outcome);
            incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                .with_error_code(code)
                .with_error_message(reason)
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
        })
        .collect();
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

fn apply(overrides: &mut Overrides, config: &AlterableConfig) -> Result<(), Refusal> {
    const SET: i8 = 0;
    const DELETE: i8 = 1;
    match (config.config_operation, &config.value) {
        (SET, Some(value)) => {
            overrides.insert(config.name.to_string(), value.to_string());
        }
        (DELETE, _) => {
            overrides.remove(config.name.as_str());
        }
        _ => {
            return Err(Refusal::new(
                ResponseError::InvalidConfig,
                format!("{}: set or delete only", config.name),
            ));
        }
    }
    Ok(())
}

fn change(
    shared: &Shared,
    resource_type: i8,
    name: &str,
    change: impl FnOnce(&mut Overrides) -> Result<(), Refusal>,
    validate_only: bool,
) -> Result<(), Refusal> {
    if resource_type != TOPIC {
        return Err(Refusal::new(
            ResponseError::InvalidRequest,
            "only the configs of topics can be changed",
        ));
    }
    shared.topics.alter(name, change, validate_only)
}

fn told(outcome: Result<(), Refusal>) -> (i16, Option<kafka_protocol::protocol::StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err(refusal) => (refusal.code.code(), Some(text(refusal.reason))),
    }
}
