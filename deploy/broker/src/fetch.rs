//! Giving records out: waits until there is enough or time is up, then reads whole batches.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use kafka_protocol::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::error;

use crate::broker::Shared;
use crate::dispatch::blocking;
use crate::log::partition::{LEADER_EPOCH, Read};
use crate::topics::Partition;

/// A fetch waits no longer than this, whatever the client asks for.
const LONGEST_WAIT_MS: i32 = 60_000;
/// From this version on the response says where the log begins.
const KNOWS_LOG_START: i16 = 5;

pub(crate) async fn fetch(
    shared: &Arc<Shared>,
    mut request: FetchRequest,
    version: i16,
) -> io::Result<(FetchResponse, OwnedSemaphorePermit)> {
    if request.session_id != 0 || request.session_epoch > 0 {
        let code = ResponseError::FetchSessionIdNotFound.code();
        return Ok((
            FetchResponse::default().with_error_code(code),
            shared.response_memory.take(0).await?,
        ));
    }
    let wait_ms = request.max_wait_ms.clamp(0, LONGEST_WAIT_MS).unsigned_abs();
    wait(shared, &request, Instant::now() + Duration::from_millis(wait_ms.into())).await;
    let most = limit(request.max_bytes).min(shared.config.limits.fetch_bytes);
    // One batch is given even where it is larger than asked for, and the response is a copy.
    let room = expected(shared, &request).min(most).max(1) * 2;
    let memory = shared.response_memory.take(room).await?;
    let isolation = request.isolation_level;
    let topics = std::mem::take(&mut request.topics);
    let response = blocking(shared, move |shared| {
        let mut left = most;
        let mut is_empty = true;
        let responses = topics
            .into_iter()
            .map(|of_topic| {
                let topic = shared.topics.get(&of_topic.topic);
                let partitions = of_topic
                    .partitions
                    .iter()
                    .map(|wanted| {
                        let partition = topic.as_ref().and_then(|topic| topic.partition(wanted.partition));
                        let data = read_partition(partition.as_deref(), wanted, left, is_empty);
                        let bytes = data.records.as_ref().map_or(0, Bytes::len);
                        left = left.saturating_sub(bytes);
                        is_empty &= bytes == 0;
                        for_version(data, isolation, version)
                    })
                    .collect();
                FetchableTopicResponse::default()
                    .with_topic(of_topic.topic)
                    .with_partitions(partitions)
            })
            .collect();
        FetchResponse::default().with_responses(responses)
    })
    .await?;
    Ok((response, memory))
}

fn limit(bytes: i32) -> usize {
    usize::try_from(bytes).unwrap_or(0)
}

/// Returns when enough is there, something is wrong that the client must hear of, or time is up.
async fn wait(shared: &Shared, request: &FetchRequest, deadline: Instant) {
    let enough = u64::try_from(request.min_bytes).unwrap_or(0);
    let waiter = Arc::new(Notify::new());
    loop {
        // Listening comes before looking, so that nothing can happen in between unnoticed.
        for (partition, _) in wanted(shared, request) {
            if let Some(partition) = partition {
                partition.wake_on_append(&waiter);
            }
        }
        let available = available(shared, request);
        if available.is_none_or(|bytes| bytes >= enough) {
            return;
        }
        if timeout_at(deadline, waiter.notified()).await.is_err() {
            return;
        }
    }
}

fn wanted<'r>(
    shared: &'r Shared,
    request: &'r FetchRequest,
) -> impl Iterator<Item = (Option<Arc<Partition>>, &'r FetchPartition)> {
    request.topics.iter().flat_map(|of_topic| {
        let topic = shared.topics.get(&of_topic.topic);
        of_topic.partitions.iter().map(move |wanted| {
            (
                topic.as_ref().and_then(|topic| topic.partition(wanted.partition)),
                wanted,
            )
        })
    })
}

/// Bytes to be had, roughly; `None` if there is an error to report instead of waiting.
fn available(shared: &Shared, request: &FetchRequest) -> Option<u64> {
    let mut bytes = 0;
    for (partition, wanted) in wanted(shared, request) {
        let partition = partition?;
        let log = partition.log();
        if check(log.log_start(), log.next_offset(), wanted).is_err() {
            return None;
        }
        bytes += log.bytes_after(wanted.fetch_offset);
    }
    Some(bytes)
}

fn expected(shared: &Shared, request: &FetchRequest) -> usize {
    usize::try_from(available(shared, request).unwrap_or(0)).unwrap_or(usize::MAX)
}

fn check(log_start: i64, next_offset: i64, wanted: &FetchPartition) -> Result<(), ResponseError> {
    if wanted.current_leader_epoch > LEADER_EPOCH {
        return Err(ResponseError::UnknownLeaderEpoch);
    }
    let inside = (log_start..=next_offset).contains(&wanted.fetch_offset);
    if inside {
        Ok(())
    } else {
        Err(ResponseError::OffsetOutOfRange)
    }
}

fn read_partition(
    partition: Option<&Partition>,
    wanted: &FetchPartition,
    left: usize,
    is_first: bool,
) -> PartitionData {
    let data = PartitionData::default()
        .with_partition_index(wanted.partition)
        .with_records(Some(Bytes::new()));
    let refuse = |code: ResponseError| data.clone().with_error_code(code.code()).with_high_watermark(-1);
    let Some(partition) = partition else {
        return refuse(ResponseError::UnknownTopicOrPartition);
    };
    let (log_start, end) = {
        let log = partition.log();
        (log.log_start(), log.next_offset())
    };
    if let Err(code) = check(log_start, end, wanted) {
        return refuse(code);
    }
    let most = limit(wanted.partition_max_bytes).min(left);
    match read(partition, wanted.fetch_offset, most, is_first) {
        Ok(records) => data
            .with_high_watermark(end)
            .with_last_stable_offset(end)
            .with_log_start_offset(log_start)
            .with_records(Some(records)),
        // The segment, or the topic, was deleted while we looked at it.
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => refuse(ResponseError::NotLeaderOrFollower),
        Err(source) => {
            error!(partition = wanted.partition, offset = wanted.fetch_offset, %source, "records cannot be read");
            refuse(ResponseError::KafkaStorageError)
        }
    }
}

fn read(partition: &Partition, mut offset: i64, most: usize, is_first: bool) -> io::Result<Bytes> {
    loop {
        let plan = partition.log().plan_read(offset)?;
        match plan.map(|plan| plan.read(most, is_first)).transpose()? {
            None | Some(Read::Nothing) => return Ok(Bytes::new()),
            Some(Read::Batches(records)) => return Ok(records),
            Some(Read::GoOnAt(next)) => offset = next.max(offset + 1),
        }
    }
}

/// The encoder refuses a field that its version does not have.
fn for_version(data: PartitionData, isolation: i8, version: i16) -> PartitionData {
    let data = if version < KNOWS_LOG_START {
        data.with_log_start_offset(-1)
    } else {
        data
    };
    let read_committed = isolation == 1;
    data.with_aborted_transactions(read_committed.then(Vec::new))
}
