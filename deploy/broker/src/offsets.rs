//! Where a log begins and ends, what stood there at a time, and cutting it from the front.

use std::io;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use tracing::error;

use crate::broker::Shared;
use crate::clock::now_ms;
use crate::log::partition::LEADER_EPOCH;
use crate::topics::Partition;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// From this version on the answer names a leader epoch.
const KNOWS_LEADER_EPOCH: i16 = 4;

pub(crate) fn list(shared: &Shared, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|of_topic| {
            let topic = shared.topics.get(&of_topic.name);
            let partitions = of_topic
                .partitions
                .iter()
                .map(|wanted| {
                    let partition = topic.as_ref().and_then(|topic| topic.partition(wanted.partition_index));
                    list_one(partition.as_deref(), wanted, version)
                })
                .collect();
            ListOffsetsTopicResponse::default()
                .with_name(of_topic.name)
                .with_partitions(partitions)
        })
        .collect();
    ListOffsetsResponse::default().with_topics(topics)
}

fn list_one(
    partition: Option<&Partition>,
    wanted: &ListOffsetsPartition,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default()
        .with_partition_index(wanted.partition_index)
        .with_timestamp(-1)
        .with_offset(-1)
        .with_leader_epoch(-1);
    let refuse = |code: ResponseError| answer.clone().with_error_code(code.code());
    let Some(partition) = partition else {
        return refuse(ResponseError::UnknownTopicOrPartition);
    };
    if wanted.current_leader_epoch > LEADER_EPOCH {
        return refuse(ResponseError::UnknownLeaderEpoch);
    }
    let found = match wanted.timestamp {
        LATEST => Ok(Some((partition.log().next_offset(), -1))),
        EARLIEST => Ok(Some((partition.log().log_start(), -1))),
        timestamp if timestamp >= 0 => at_time(partition, timestamp),
        _ => return refuse(ResponseError::UnsupportedVersion),
    };
    let epoch = if version >= KNOWS_LEADER_EPOCH {
        LEADER_EPOCH
    } else {
        -1
    };
    match found {
        Ok(Some((offset, timestamp))) => answer
            .with_offset(offset)
            .with_timestamp(timestamp)
            .with_leader_epoch(epoch),
        Ok(None) => answer,
        Err(source) => {
            error!(partition = wanted.partition_index, %source, "offset cannot be looked up by time");
            refuse(ResponseError::KafkaStorageError)
        }
    }
}

/// The first record at or after a time: its offset and its own time.
fn at_time(partition: &Partition, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
    let Some(mut offset) = partition.log().first_offset_near(timestamp) else {
        return Ok(None);
    };
    loop {
        let Some(plan) = partition.log().plan_read(offset)? else {
            return Ok(None);
        };
        match plan.find_time(timestamp)? {
            Ok(found) => return Ok(Some(found)),
            Err(Some(next)) => offset = next.max(offset + 1),
            Err(None) => return Ok(None),
        }
    }
}

pub(crate) fn for_leader_epoch(shared: &Shared, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|of_topic| {
            let partitions = of_topic
                .partitions
                .iter()
                .map(|wanted| epoch_end(shared, &of_topic.topic, wanted))
                .collect();
            OffsetForLeaderTopicResult::default()
                .with_topic(of_topic.topic)
                .with_partitions(partitions)
        })
        .collect();
    OffsetForLeaderEpochResponse::default().with_topics(topics)
}

fn epoch_end(shared: &Shared, topic: &str, wanted: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = EpochEndOffset::default()
        .with_partition(wanted.partition)
        .with_leader_epoch(-1)
        .with_end_offset(-1);
    match shared.topics.partition(topic, wanted.partition) {
        None => answer.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
        Some(_) if wanted.current_leader_epoch > LEADER_EPOCH => {
            answer.with_error_code(ResponseError::UnknownLeaderEpoch.code())
        }
        Some(partition) if wanted.leader_epoch == LEADER_EPOCH => answer
            .with_leader_epoch(LEADER_EPOCH)
            .with_end_offset(partition.log().next_offset()),
        Some(_) => answer,
    }
}

pub(crate) fn delete_records(shared: &Shared, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request
        .topics
        .into_iter()
        .map(|of_topic| {
            let partitions = of_topic
                .partitions
                .iter()
                .map(|wanted| {
                    let index = wanted.partition_index;
                    let result = DeleteRecordsPartitionResult::default().with_partition_index(index);
                    match delete_before(shared, &of_topic.name, index, wanted.offset) {
                        Ok(low_watermark) => result.with_low_watermark(low_watermark),
                        Err(code) => result.with_low_watermark(-1).with_error_code(code.code()),
                    }
                })
                .collect();
            DeleteRecordsTopicResult::default()
                .with_name(of_topic.name)
                .with_partitions(partitions)
        })
        .collect();
    DeleteRecordsResponse::default().with_topics(topics)
}

fn delete_before(shared: &Shared, topic: &str, index: i32, offset: i64) -> Result<i64, ResponseError> {
    let found = shared
        .topics
        .get(topic)
        .and_then(|topic| Some((topic.rules(), topic.partition(index)?)));
    let (rules, partition) = found.ok_or(ResponseError::UnknownTopicOrPartition)?;
    if !rules.deletes {
        return Err(ResponseError::PolicyViolation);
    }
    let mut log = partition.log();
    let offset = if offset == -1 { log.next_offset() } else { offset };
    if offset < 0 || offset > log.next_offset() {
        return Err(ResponseError::OffsetOutOfRange);
    }
    log.delete_before(offset, now_ms()).map_err(|source| {
        error!(topic, partition = index, %source, "records cannot be deleted");
        ResponseError::KafkaStorageError
    })?;
    Ok(log.log_start())
}
