//! The body: bounded as it comes in, bounded again as it is unpacked.

use std::io::Read;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use super::Refused;
use crate::config::HttpConfig;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Gzip,
    Zstd,
}

/// Largest zstd window, as a power of two: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// One layer of packing, or none.
pub(super) fn coding(headers: &HeaderMap) -> Result<Coding, Refused> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Some(Coding::Plain),
        (Some(Ok(value)), None) => match value.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Coding::Plain),
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            "zstd" => Some(Coding::Zstd),
            _ => None,
        },
        _ => None,
    };
    coding.ok_or_else(|| {
        Refused::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "expected Content-Encoding gzip or zstd, once",
        )
    })
}

/// The body as sent; counted as it comes in, whatever its head claims.
pub(super) async fn read(body: Body, max_bytes: usize, deadline: Instant) -> Result<Bytes, Refused> {
    match timeout_at(deadline, Limited::new(body, max_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(max_bytes)),
        Ok(Err(_)) => Err(Refused::new(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

/// The body unpacked. It may not become larger than configured, in bytes and in relation to what was sent.
pub(super) fn decode(sent: Bytes, coding: Coding, config: &HttpConfig) -> Result<Bytes, Refused> {
    let max_bytes = config
        .max_decoded_bytes
        .min(sent.len().saturating_mul(config.max_ratio));
    match coding {
        Coding::Plain => Ok(sent),
        Coding::Gzip => unpack(flate2::read::MultiGzDecoder::new(&*sent), max_bytes),
        Coding::Zstd => {
            let broken = |_| Refused::new(StatusCode::BAD_REQUEST, "the body is not zstd");
            let mut decoder = zstd::stream::read::Decoder::new(&*sent).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            unpack(decoder, max_bytes)
        }
    }
}

fn unpack(decoder: impl Read, max_bytes: usize) -> Result<Bytes, Refused> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells too much from just enough.
    let read = decoder.take(max_bytes as u64 + 1).read_to_end(&mut bytes);
    match read {
        Ok(n) if n > max_bytes => Err(too_large(max_bytes)),
        Ok(_) => Ok(bytes.into()),
        Err(_) => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "the body cannot be unpacked as its Content-Encoding says",
        )),
    }
}

/// More reports than one body may hold.
pub(super) fn too_many(most: usize) -> Refused {
    Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body holds more than {most} reports: send fewer at once"),
    )
}

fn too_large(max_bytes: usize) -> Refused {
    Refused::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is larger than {max_bytes} bytes: send fewer at once"),
    )
}
