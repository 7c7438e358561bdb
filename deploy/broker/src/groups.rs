//! Consumer groups on the wire: joining, syncing, living, leaving, committing.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestPartition;
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use tracing::error;

use crate::broker::Shared;
use crate::clock::now_ms;
use crate::config::FsyncPolicy;
use crate::dispatch::Client;
use crate::group::coordinator::Groups;
use crate::group::offsets::{Change, Committed};
use crate::group::state::{Caller, Group, Join};
use crate::metadata::text;
use crate::shape::Header;

/// Since when a client joins a second time with the id it was given.
const JOINS_TWICE: i16 = 4;
/// A rebalance waits no longer than this for anybody.
const LONGEST_REBALANCE_MS: i64 = 1_800_000;
const PROTOCOL_TYPE_IN_JOIN: i16 = 7;
const PROTOCOL_TYPE_IN_SYNC: i16 = 5;
const MEMBERS_IN_LEAVE: i16 = 3;

fn caller(member_id: &StrBytes, instance_id: Option<&StrBytes>, generation: i32) -> Caller {
    Caller {
        member_id: member_id.to_string(),
        instance_id: instance_id.map(ToString::to_string),
        generation,
    }
}

fn code(result: Result<(), ResponseError>) -> i16 {
    result.err().map_or(0, |code| code.code())
}

pub(crate) async fn join(
    shared: &Arc<Shared>,
    client: &Client,
    header: &Header,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let refuse = |error: ResponseError, member_id: &str| {
        JoinGroupResponse::default()
            .with_error_code(error.code())
            .with_generation_id(-1)
            .with_protocol_name(Some(StrBytes::new()))
            .with_member_id(text(member_id))
    };
    if request.group_id.is_empty() {
        return refuse(ResponseError::InvalidGroupId, "");
    }
    let session_ms = i64::from(request.session_timeout_ms);
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(ToString::to_string),
        client_id: header.client_id.clone(),
        client_host: format!("/{}", client.peer.ip()),
        session_timeout_ms: session_ms,
        // Version 0 knows no rebalance timeout of its own.
        rebalance_timeout_ms: if header.version == 0 {
            session_ms
        } else {
            i64::from(request.rebalance_timeout_ms).clamp(0, LONGEST_REBALANCE_MS)
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|p| (p.name.to_string(), own(&p.metadata)))
            .collect(),
        joins_twice: header.version >= JOINS_TWICE,
        fresh_member_id: shared.fresh_member_id(&header.client_id),
    };
    let waiting = shared.coordinator.groups().join(&request.group_id, join);
    let outcome = match waiting {
        Ok(waiting) => waiting.await,
        Err(error) => return refuse(error, &request.member_id),
    };
    let joined = match outcome {
        Ok(Ok(joined)) => joined,
        Ok(Err(refused)) => return refuse(refused.code, &refused.member_id),
        Err(_gone) => return refuse(ResponseError::CoordinatorNotAvailable, &request.member_id),
    };
    let members = joined
        .members
        .into_iter()
        .map(|(id, instance, metadata)| {
            let member = JoinGroupResponseMember::default()
                .with_member_id(text(id))
                .with_metadata(metadata);
            // The encoder refuses a field that its version does not have.
            member.with_group_instance_id(instance.map(text).filter(|_| header.version >= 5))
        })
        .collect();
    let protocol_type = (header.version >= PROTOCOL_TYPE_IN_JOIN).then(|| text(joined.protocol_type));
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(protocol_type)
        .with_protocol_name(Some(text(joined.protocol)))
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member_id))
        .with_members(members)
}

/// A copy that does not keep the whole request alive.
fn own(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

pub(crate) async fn sync(shared: &Arc<Shared>, request: SyncGroupRequest, version: i16) -> SyncGroupResponse {
    let caller = caller(
        &request.member_id,
        request.group_instance_id.as_ref(),
        request.generation_id,
    );
    let protocol = match (&request.protocol_type, &request.protocol_name) {
        (Some(of), Some(name)) => Some((of.as_str(), name.as_str())),
        _ => None,
    };
    let assignments = request
        .assignments
        .iter()
        .map(|a| (a.member_id.to_string(), own(&a.assignment)))
        .collect();
    let waiting = shared
        .coordinator
        .groups()
        .sync(&request.group_id, &caller, protocol, assignments);
    let outcome = match waiting {
        Ok(waiting) => waiting.await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable)),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(synced) => {
            let named = version >= PROTOCOL_TYPE_IN_SYNC;
            SyncGroupResponse::default()
                .with_protocol_type(named.then(|| text(synced.protocol_type)))
                .with_protocol_name(named.then(|| text(synced.protocol)))
                .with_assignment(synced.assignment)
        }
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

pub(crate) fn heartbeat(shared: &Shared, request: &HeartbeatRequest) -> HeartbeatResponse {
    let caller = caller(
        &request.member_id,
        request.group_instance_id.as_ref(),
        request.generation_id,
    );
    let result = shared.coordinator.groups().heartbeat(&request.group_id, &caller);
    HeartbeatResponse::default().with_error_code(code(result))
}

pub(crate) fn leave(shared: &Shared, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let mut groups = shared.coordinator.groups();
    if version < MEMBERS_IN_LEAVE {
        let result = groups.leave(&request.group_id, &request.member_id, None);
        return LeaveGroupResponse::default().with_error_code(code(result));
    }
    let members = request
        .members
        .into_iter()
        .map(|member| {
            let instance = member.group_instance_id.as_deref();
            let result = groups.leave(&request.group_id, &member.member_id, instance);
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(code(result))
        })
        .collect();
    LeaveGroupResponse::default().with_members(members)
}

pub(crate) fn list(shared: &Shared, request: &ListGroupsRequest, version: i16) -> ListGroupsResponse {
    let groups = shared.coordinator.groups();
    let listed = groups
        .names()
        .into_iter()
        .map(|name| {
            let (state, protocol_type) = summary(&groups, &name);
            (name, state, protocol_type)
        })
        .filter(|(_, state, _)| {
            request.states_filter.is_empty() || request.states_filter.iter().any(|wanted| wanted.as_str() == *state)
        })
        .map(|(name, state, protocol_type)| {
            let group = ListedGroup::default()
                .with_group_id(GroupId(text(name)))
                .with_protocol_type(text(protocol_type));
            // The encoder refuses a field that its version does not have.
            if version >= 4 {
                group.with_group_state(text(state))
            } else {
                group
            }
        })
        .collect();
    ListGroupsResponse::default().with_groups(listed)
}

fn summary(groups: &Groups, name: &str) -> (&'static str, String) {
    match groups.get(name) {
        Some(group) => (group.state().name(), group.protocol_type().to_owned()),
        None if groups.offsets.knows_group(name) => ("Empty", String::new()),
        None => ("Dead", String::new()),
    }
}

pub(crate) fn describe(shared: &Shared, request: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
    let groups = shared.coordinator.groups();
    let described = request
        .groups
        .into_iter()
        .map(|id| {
            let (state, protocol_type) = summary(&groups, &id);
            let group = groups.get(&id);
            DescribedGroup::default()
                .with_group_state(text(state))
                .with_protocol_type(text(protocol_type))
                .with_protocol_data(text(group.map_or("", Group::protocol)))
                .with_members(group.map_or_else(Vec::new, |group| members(group, version)))
                .with_group_id(id)
        })
        .collect();
    DescribeGroupsResponse::default().with_groups(described)
}

fn members(group: &Group, version: i16) -> Vec<DescribedGroupMember> {
    let metadata = |protocols: &[(String, Bytes)]| {
        protocols
            .iter()
            .find(|(name, _)| name == group.protocol())
            .map(|(_, m)| m.clone())
            .unwrap_or_default()
    };
    group
        .members()
        .iter()
        .map(|(id, member)| {
            DescribedGroupMember::default()
                .with_member_id(text(id))
                .with_group_instance_id(member.instance_id.clone().map(text).filter(|_| version >= 4))
                .with_client_id(text(&member.client_id))
                .with_client_host(text(&member.client_host))
                .with_member_metadata(metadata(&member.protocols))
                .with_member_assignment(member.assignment.clone())
        })
        .collect()
}

pub(crate) fn commit(shared: &Shared, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let generation = request.generation_id_or_member_epoch;
    let caller = caller(&request.member_id, request.group_instance_id.as_ref(), generation);
    let mut groups = shared.coordinator.groups();
    let refusal = match groups.may_commit(&request.group_id, &caller) {
        _ if request.group_id.is_empty() => Some(ResponseError::InvalidGroupId),
        outcome => outcome.err(),
    };
    let mut changes = Vec::new();
    let mut verdicts = Vec::with_capacity(request.topics.len());
    for of_topic in request.topics {
        let mut of_partitions = Vec::with_capacity(of_topic.partitions.len());
        for wanted in of_topic.partitions {
            let verdict = refusal.map_or_else(|| check_commit(shared, &groups, &of_topic.name, &wanted), Err);
            if verdict.is_ok() {
                changes.push(change(&request.group_id, &of_topic.name, &wanted));
            }
            of_partitions.push((wanted.partition_index, verdict));
        }
        verdicts.push((of_topic.name, of_partitions));
    }
    let stored = groups.commit(changes);
    let file = if shared.config.fsync == FsyncPolicy::Always {
        groups.offsets.take_unsynced()
    } else {
        None
    };
    drop(groups);
    let durable = stored.and_then(|()| file.map_or(Ok(()), |file| file.sync_data()));
    let storage = durable.err().map(|source| {
        error!(group = %request.group_id.as_str(), %source, "offsets cannot be stored");
        ResponseError::KafkaStorageError
    });
    let topics = verdicts
        .into_iter()
        .map(|(name, of_partitions)| {
            let partitions = of_partitions
                .into_iter()
                .map(|(index, verdict)| {
                    let outcome = verdict.err().or(storage).map_or(0, |code| code.code());
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(index)
                        .with_error_code(outcome)
                })
                .collect();
            OffsetCommitResponseTopic::default()
                .with_name(name)
                .with_partitions(partitions)
        })
        .collect();
    OffsetCommitResponse::default().with_topics(topics)
}

fn check_commit(
    shared: &Shared,
    groups: &Groups,
    topic: &str,
    wanted: &OffsetCommitRequestPartition,
) -> Result<(), ResponseError> {
    if shared.topics.partition(topic, wanted.partition_index).is_none() {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    if !groups.takes_metadata(wanted.committed_metadata.as_deref().map_or("", |m| m)) {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(())
}

fn change(group: &str, topic: &str, wanted: &OffsetCommitRequestPartition) -> Change {
    Change::Commit {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition: wanted.partition_index,
        committed: Committed {
            offset: wanted.committed_offset,
            leader_epoch: wanted.committed_leader_epoch,
            metadata: wanted
                .committed_metadata
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            at_ms: now_ms(),
        },
    }
}

pub(crate) fn committed(shared: &Shared, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let groups = shared.coordinator.groups();
    let partition = |index: i32, committed: Option<&Committed>| {
        let answer = OffsetFetchResponsePartition::default().with_partition_index(index);
        match committed {
            None => answer
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(text(""))),
            Some(found) => answer
                .with_committed_offset(found.offset)
                .with_committed_leader_epoch(if version >= 5 { found.leader_epoch } else { -1 })
                .with_metadata(Some(text(&found.metadata))),
        }
    };
    let topic = |name: TopicName, partitions| {
        OffsetFetchResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions)
    };
    let topics = match request.topics {
        Some(topics) => topics
            .into_iter()
            .map(|of_topic| {
                let found = |&index| partition(index, groups.offsets.get(&request.group_id, &of_topic.name, index));
                let partitions = of_topic.partition_indexes.iter().map(found).collect();
                topic(of_topic.name, partitions)
            })
            .collect(),
        None => {
            let mut topics: Vec<OffsetFetchResponseTopic> = Vec::new();
            for ((name, index), found) in groups.offsets.of_group(&request.group_id) {
                let answer = partition(*index, Some(found));
                match topics.last_mut().filter(|last| last.name.as_str() == name) {
                    Some(last) => last.partitions.push(answer),
                    None => topics.push(topic(TopicName(text(name)), vec![answer])),
                }
            }
            topics
        }
    };
    OffsetFetchResponse::default().with_topics(topics)
}
