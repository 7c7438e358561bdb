//! What this broker does not do, it says in the protocol's own words.
//!
//! Transactions, the next-generation consumer protocol and passwords are refused with an
//! error code. A request of any other unknown kind closes the connection, as Kafka does.

use std::io;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::*;

use crate::connection::{Answer, malformed};
use crate::dispatch::encode;
use crate::shape::Header;

pub(crate) fn unsupported(header: &Header) -> io::Result<Option<Answer>> {
    let key = ApiKey::try_from(header.key).map_err(|()| malformed("request key"))?;
    let code = ResponseError::UnsupportedVersion.code();
    let version = header.version;
    let range = key.valid_versions();
    if !(range.min..=range.max).contains(&version) {
        return Err(malformed("request version"));
    }
    let answer = match key {
        ApiKey::AddOffsetsToTxn => encode(
            header,
            version,
            &AddOffsetsToTxnResponse::default().with_error_code(code),
        ),
        ApiKey::EndTxn => encode(header, version, &EndTxnResponse::default().with_error_code(code)),
        ApiKey::ConsumerGroupHeartbeat => encode(
            header,
            version,
            &ConsumerGroupHeartbeatResponse::default().with_error_code(code),
        ),
        ApiKey::SaslHandshake => {
            let code = ResponseError::UnsupportedSaslMechanism.code();
            encode(header, version, &SaslHandshakeResponse::default().with_error_code(code))
        }
        _ => Err(malformed("request key")),
    };
    answer.map(Some)
}
