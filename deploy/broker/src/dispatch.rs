//! From a frame to its answer: which request is it, is it well-formed, who handles it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable};
use tracing::{debug, info};

use crate::broker::Shared;
use crate::connection::{Answer, malformed};
use crate::shape::{Api, Header};
use crate::{admin, configs, fetch, groups, metadata, offsets, produce, refuse};

/// Who asks, and over which of our addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// Advertised to this client: it has just proven that it can reach it.
    pub(crate) reached_at: SocketAddr,
}

/// Answers one request; `None` where the protocol wants no answer. An error closes the connection.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    header: &Header,
    frame: Bytes,
) -> io::Result<Option<Answer>> {
    let Some(api) = Api::of(header.key) else {
        return refuse::unsupported(header).inspect(|_| info!(api_key = header.key, "unsupported request refused"));
    };
    if !api.offers(header.version) {
        if api.key == ApiKey::ApiVersions {
            return encode(header, 0, &metadata::unsupported_api_versions()).map(Some);
        }
        return Err(malformed("request version"));
    }
    let body = frame.slice(header.bytes..);
    if !api.fits(&body, header.version) {
        return Err(malformed("request body"));
    }
    handle(shared, client, header, api.key, body).await
}

async fn handle(
    shared: &Arc<Shared>,
    client: &Client,
    header: &Header,
    key: ApiKey,
    mut body: Bytes,
) -> io::Result<Option<Answer>> {
    let version = header.version;
    macro_rules! decode {
        () => {
            Decodable::decode(&mut body, version).map_err(|reason| {
                debug!(%reason, ?key, version, "request cannot be decoded");
                malformed("request body")
            })?
        };
    }
    let reply = |answer: io::Result<Answer>| answer.map(Some);
    match key {
        ApiKey::Produce => match produce::produce(shared, decode!()).await? {
            Some(response) => reply(encode(header, version, &response)),
            None => Ok(None),
        },
        ApiKey::Fetch => {
            let (response, memory) = fetch::fetch(shared, decode!(), version).await?;
            let answer = encode(header, version, &response)?;
            Ok(Some(Answer {
                memory: Some(memory),
                ..answer
            }))
        }
        ApiKey::ListOffsets => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| offsets::list(shared, request, version)).await?,
            ))
        }
        ApiKey::Metadata => {
            let request = decode!();
            let client = *client;
            let response = blocking(shared, move |shared| {
                metadata::metadata(shared, &client, request, version)
            })
            .await?;
            reply(encode(header, version, &response))
        }
        ApiKey::ApiVersions => reply(encode(header, version, &metadata::api_versions())),
        ApiKey::FindCoordinator => reply(encode(header, version, &metadata::find_coordinator(client, &decode!()))),
        ApiKey::OffsetForLeaderEpoch => reply(encode(header, version, &offsets::for_leader_epoch(shared, decode!()))),
        ApiKey::InitProducerId => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| produce::init_producer_id(shared, &request)).await?,
            ))
        }
        ApiKey::JoinGroup => reply(encode(
            header,
            version,
            &groups::join(shared, client, header, decode!()).await,
        )),
        ApiKey::SyncGroup => reply(encode(header, version, &groups::sync(shared, decode!(), version).await)),
        ApiKey::Heartbeat => reply(encode(header, version, &groups::heartbeat(shared, &decode!()))),
        ApiKey::LeaveGroup => reply(encode(header, version, &groups::leave(shared, decode!(), version))),
        ApiKey::ListGroups => reply(encode(header, version, &groups::list(shared, &decode!(), version))),
        ApiKey::DescribeGroups => reply(encode(header, version, &groups::describe(shared, decode!(), version))),
        ApiKey::OffsetCommit => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| groups::commit(shared, request)).await?,
            ))
        }
        ApiKey::OffsetFetch => reply(encode(header, version, &groups::committed(shared, decode!(), version))),
        ApiKey::CreateTopics => {
            let request = decode!();
            let response = blocking(shared, move |shared| admin::create_topics(shared, request, version)).await?;
            reply(encode(header, version, &response))
        }
        ApiKey::DeleteTopics => {
            let request = decode!();
            let response = blocking(shared, move |shared| admin::delete_topics(shared, request, version)).await?;
            reply(encode(header, version, &response))
        }
        ApiKey::CreatePartitions => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| admin::create_partitions(shared, request)).await?,
            ))
        }
        ApiKey::DeleteRecords => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| offsets::delete_records(shared, request)).await?,
            ))
        }
        ApiKey::DescribeConfigs => reply(encode(header, version, &configs::describe(shared, decode!(), version))),
        ApiKey::AlterConfigs => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| configs::alter(shared, request)).await?,
            ))
        }
        ApiKey::IncrementalAlterConfigs => {
            let request = decode!();
            reply(encode(
                header,
                version,
                &blocking(shared, move |shared| configs::alter_incrementally(shared, request)).await?,
            ))
        }
        _ => Err(malformed("request key")),
    }
}

/// Runs work that touches the disk where it holds up nobody. Work once begun goes on though its client is gone: whoever
/// shuts the broker down waits for it.
pub(crate) async fn blocking<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> io::Result<T> {
    let of_job = Arc::clone(shared);
    let job = shared.jobs.spawn_blocking(move || work(&of_job));
    job.await.map_err(io::Error::other)
}

/// A whole response frame.
pub(crate) fn encode(header: &Header, version: i16, response: &impl Encodable) -> io::Result<Answer> {
    let key = ApiKey::try_from(header.key).map_err(|()| malformed("request key"))?;
    let head = ResponseHeader::default().with_correlation_id(header.correlation_id);
    let head_version = key.response_header_version(version);
    let size = response.compute_size(version).map_err(io::Error::other)?;
    let mut out = BytesMut::with_capacity(size + 16);
    out.put_i32(0);
    head.encode(&mut out, head_version).map_err(io::Error::other)?;
    response.encode(&mut out, version).map_err(io::Error::other)?;
    let length = i32::try_from(out.len() - 4).map_err(io::Error::other)?;
    if let Some(place) = out.get_mut(..4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(Answer {
        bytes: out.freeze(),
        memory: None,
    })
}
