//! Taking records: each partition's batch is judged, appended, and acknowledged where it stands.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use tracing::{error, warn};

use crate::batch::{self, BatchFault};
use crate::broker::Shared;
use crate::clock::now_ms;
use crate::config::FsyncPolicy;
use crate::dispatch::blocking;
use crate::log::partition::{AppendError, Appended};
use crate::topics::{Partition, Topic};

/// Appends what the request brings. A client that wants no acknowledgement gets none.
pub(crate) async fn produce(shared: &Arc<Shared>, request: ProduceRequest) -> io::Result<Option<ProduceResponse>> {
    let acks = request.acks;
    let response = blocking(shared, move |shared| append_all(shared, request)).await?;
    Ok((acks != 0).then_some(response))
}

fn append_all(shared: &Shared, request: ProduceRequest) -> ProduceResponse {
    let refusal = match request.acks {
        _ if request.transactional_id.is_some() => Some(ResponseError::InvalidTxnState),
        -1..=1 => None,
        _ => Some(ResponseError::InvalidRequiredAcks),
    };
    let responses = request
        .topic_data
        .into_iter()
        .map(|of_topic| {
            let topic = shared.topics.get(&of_topic.name);
            let partitions = of_topic
                .partition_data
                .into_iter()
                .map(|data| append_one(shared, &of_topic.name, topic.as_deref(), data, refusal))
                .collect();
            TopicProduceResponse::default()
                .with_name(of_topic.name)
                .with_partition_responses(partitions)
        })
        .collect();
    ProduceResponse::default().with_responses(responses)
}

fn append_one(
    shared: &Shared,
    name: &str,
    topic: Option<&Topic>,
    data: PartitionProduceData,
    refusal: Option<ResponseError>,
) -> PartitionProduceResponse {
    let response = PartitionProduceResponse::default()
        .with_index(data.index)
        .with_log_append_time_ms(-1);
    let records = data.records.unwrap_or_default();
    let outcome = match (
        refusal,
        topic.and_then(|topic| Some((topic, topic.partition(data.index)?))),
    ) {
        (Some(code), _) => Err(code),
        (None, None) => Err(ResponseError::UnknownTopicOrPartition),
        (None, Some((topic, partition))) => append(shared, name, data.index, topic, &partition, &records),
    };
    match outcome {
        Ok((base_offset, log_start)) => response.with_base_offset(base_offset).with_log_start_offset(log_start),
        Err(code) => response.with_base_offset(-1).with_error_code(code.code()),
    }
}

fn append(
    shared: &Shared,
    name: &str,
    index: i32,
    topic: &Topic,
    partition: &Partition,
    records: &Bytes,
) -> Result<(i64, i64), ResponseError> {
    let rules = topic.rules();
    if u32::try_from(records.len()).unwrap_or(u32::MAX) > rules.max_message_bytes {
        return Err(ResponseError::MessageTooLarge);
    }
    let header = batch::judge_produced(records).map_err(|fault| {
        warn!(topic = name, partition = index, ?fault, "refused record batch");
        code_of_fault(fault)
    })?;
    let (outcome, log_start, file) = {
        let mut log = partition.log();
        let outcome = log.append(records, &header, &rules, now_ms());
        let is_due = outcome.is_ok() && shared.config.fsync == FsyncPolicy::Always;
        let file = if is_due { log.take_unsynced() } else { None };
        (outcome, log.log_start(), file)
    };
    if let Some(Err(source)) = file.map(|file| file.sync_data()) {
        partition.log().sync_failed();
        error!(topic = name, partition = index, %source, "appended records cannot be forced to disk");
        return Err(ResponseError::KafkaStorageError);
    }
    match outcome {
        Ok(Appended::At { base_offset }) => {
            partition.appended();
            Ok((base_offset, log_start))
        }
        Ok(Appended::Duplicate { base_offset }) => Ok((base_offset, log_start)),
        Err(AppendError::OutOfOrder) => Err(ResponseError::OutOfOrderSequenceNumber),
        Err(AppendError::Fenced) => Err(ResponseError::InvalidProducerEpoch),
        Err(AppendError::Deleted) => Err(ResponseError::UnknownTopicOrPartition),
        Err(AppendError::Storage(source)) => {
            error!(topic = name, partition = index, %source, "records cannot be appended");
            Err(ResponseError::KafkaStorageError)
        }
    }
}

fn code_of_fault(fault: BatchFault) -> ResponseError {
    match fault {
        BatchFault::Corrupt => ResponseError::CorruptMessage,
        BatchFault::OldFormat => ResponseError::UnsupportedForMessageFormat,
        BatchFault::Invalid => ResponseError::InvalidRecord,
        BatchFault::Transactional => ResponseError::InvalidTxnState,
    }
}

/// Gives an idempotent producer its id. Transactions are refused, with the code that makes
/// clients give up at once instead of asking again.
pub(crate) fn init_producer_id(shared: &Shared, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let refuse = |code: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(code.code())
            .with_producer_id((-1).into())
            .with_producer_epoch(-1)
    };
    if request.transactional_id.is_some() {
        return refuse(ResponseError::TransactionalIdAuthorizationFailed);
    }
    match shared.producer_ids.next() {
        Ok(id) => InitProducerIdResponse::default()
            .with_producer_id(id.into())
            .with_producer_epoch(0),
        Err(source) => {
            error!(%source, "producer id cannot be reserved");
            refuse(ResponseError::KafkaStorageError)
        }
    }
}
