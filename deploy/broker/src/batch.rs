//! The record batch as it lies in a request and in the log: its header, its records, its checksum.
//!
//! A batch is stored as it was produced. Only the base offset (bytes 0–8) and the leader epoch
//! (12–16) are rewritten; the checksum starts behind them, at byte 21.

use std::io::Read;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::compression::{Decompressor, Lz4, Snappy};

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Base offset and length: what stands before the counted bytes.
pub(crate) const PREFIX_BYTES: usize = 12;
const CRC_AT: usize = 17;
const CHECKED_FROM: usize = 21;
const MAGIC: i8 = 2;

/// Decompressed records of one batch, at most. A batch that grows beyond is not looked into.
const DECOMPRESSED_LIMIT: usize = 256 << 20;

/// The fixed part of a record batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) magic: i8,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
    /// Header and records together.
    pub(crate) total_bytes: usize,
}

impl BatchHeader {
    /// Reads a header; `None` if the bytes cannot begin a batch.
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER_BYTES {
            return None;
        }
        let base_offset = bytes.get_i64();
        let length = usize::try_from(bytes.get_i32()).ok()?;
        let _leader_epoch = bytes.get_i32();
        let header = Self {
            base_offset,
            magic: bytes.get_i8(),
            crc: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            record_count: bytes.get_i32(),
            total_bytes: length.checked_add(PREFIX_BYTES)?,
        };
        let plausible = header.total_bytes >= HEADER_BYTES
            && header.last_offset_delta >= 0
            && header.record_count >= 0
            && header
                .base_offset
                .checked_add(i64::from(header.last_offset_delta))
                .is_some_and(|last| last < i64::MAX);
        plausible.then_some(header)
    }

    pub(crate) fn is_current_format(&self) -> bool {
        self.magic == MAGIC
    }

    pub(crate) fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & (1 << 4) != 0
    }

    pub(crate) fn is_control(&self) -> bool {
        self.attributes & (1 << 5) != 0
    }

    pub(crate) fn codec(&self) -> i16 {
        self.attributes & 7
    }
}

/// Whether the checksum in the batch fits its bytes.
pub(crate) fn checksum_fits(batch: &[u8]) -> bool {
    match (batch.get(CRC_AT..CHECKED_FROM), batch.get(CHECKED_FROM..)) {
        (Some(mut stored), Some(checked)) => stored.get_u32() == crc32c::crc32c(checked),
        _ => false,
    }
}

/// Why a produced batch is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchFault {
    Corrupt,
    OldFormat,
    Invalid,
    Transactional,
}

/// Judges the records of one partition in a produce request: exactly one well-formed batch.
pub(crate) fn judge_produced(bytes: &[u8]) -> Result<BatchHeader, BatchFault> {
    // The magic byte stands at the same place in every format.
    match bytes.get(16) {
        Some(2) => {}
        Some(0 | 1) => return Err(BatchFault::OldFormat),
        _ => return Err(BatchFault::Corrupt),
    }
    let header = BatchHeader::parse(bytes).ok_or(BatchFault::Corrupt)?;
    if header.total_bytes > bytes.len() || !checksum_fits(bytes.get(..header.total_bytes).unwrap_or_default()) {
        return Err(BatchFault::Corrupt);
    }
    if header.total_bytes < bytes.len() {
        return Err(BatchFault::Invalid);
    }
    if header.record_count < 1 || header.record_count - 1 != header.last_offset_delta || header.codec() > 4 {
        return Err(BatchFault::Invalid);
    }
    if header.is_control() {
        return Err(BatchFault::Invalid);
    }
    if header.is_transactional() {
        return Err(BatchFault::Transactional);
    }
    if header.producer_id >= 0 && (header.producer_epoch < 0 || header.base_sequence < 0) {
        return Err(BatchFault::Invalid);
    }
    Ok(header)
}

/// One record inside a batch, still as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Bytes>,
    pub(crate) is_tombstone: bool,
    /// Length prefix included, as it stood in the batch.
    pub(crate) bytes: Bytes,
}

/// The records of a batch, or `None` if they cannot be read within bounds.
pub(crate) fn records(header: &BatchHeader, batch: &Bytes) -> Option<Vec<RawRecord>> {
    let payload = batch.get(HEADER_BYTES..header.total_bytes)?;
    let mut rest = decompress(header.codec(), batch.slice_ref(payload))?;
    let mut found = Vec::new();
    for _ in 0..header.record_count {
        found.push(next_record(header, &mut rest)?);
    }
    Some(found)
}

fn next_record(header: &BatchHeader, rest: &mut Bytes) -> Option<RawRecord> {
    let mut cursor = &rest[..];
    let length = usize::try_from(varint(&mut cursor)?).ok()?;
    let total = (rest.len() - cursor.len()).checked_add(length)?;
    if total > rest.len() {
        return None;
    }
    let bytes = rest.split_to(total);
    let mut body = bytes.slice(total - length..);
    if body.is_empty() {
        return None;
    }
    body.advance(1);
    let timestamp = header.base_timestamp.checked_add(varint(&mut body)?)?;
    let offset = header.base_offset.checked_add(varint(&mut body)?)?;
    let key = sized(&mut body)?;
    let value = sized(&mut body)?;
    Some(RawRecord {
        offset,
        timestamp,
        key,
        is_tombstone: value.is_none(),
        bytes,
    })
}

/// A length and as many bytes; a negative length means none at all.
#[expect(clippy::option_option, reason = "unreadable and absent are different things")]
fn sized(body: &mut Bytes) -> Option<Option<Bytes>> {
    let length = varint(body)?;
    if length < 0 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    (length <= body.len()).then(|| Some(body.split_to(length)))
}

/// A zigzag variable-length integer.
fn varint(bytes: &mut impl Buf) -> Option<i64> {
    let mut raw = 0_u64;
    for shift in (0..64).step_by(7) {
        if !bytes.has_remaining() {
            return None;
        }
        let byte = bytes.get_u8();
        raw |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed());
        }
    }
    None
}

fn decompress(codec: i16, mut payload: Bytes) -> Option<Bytes> {
    match codec {
        0 => Some(payload),
        1 => read_bounded(flate2::read::MultiGzDecoder::new(&payload[..])),
        2 if snappy_fits(&payload) => Snappy::decompress(&mut payload, |buf| Ok(buf.split_off(0))).ok(),
        // LZ4 cannot grow more than 255-fold, and the batch itself is bounded.
        3 if payload.len() <= DECOMPRESSED_LIMIT / 128 => {
            Lz4::decompress(&mut payload, |buf| Ok(buf.split_off(0))).ok()
        }
        4 => read_bounded(zstd::stream::read::Decoder::new(&payload[..]).ok()?),
        _ => None,
    }
}

fn read_bounded(source: impl Read) -> Option<Bytes> {
    let mut out = Vec::new();
    let limit = u64::try_from(DECOMPRESSED_LIMIT).ok()?;
    source.take(limit + 1).read_to_end(&mut out).ok()?;
    (out.len() <= DECOMPRESSED_LIMIT).then(|| out.into())
}

/// Snappy announces its decompressed size; believe no announcement beyond the limit.
fn snappy_fits(payload: &Bytes) -> bool {
    const FRAMED: &[u8] = b"\x82SNAPPY\x00";
    if !payload.starts_with(FRAMED) {
        return announced(payload) <= DECOMPRESSED_LIMIT;
    }
    let mut rest = payload.get(16..).unwrap_or_default();
    let mut total = 0_usize;
    while rest.len() >= 4 {
        let chunk = usize::try_from(rest.get_u32()).unwrap_or(usize::MAX);
        let Some(body) = rest.get(..chunk) else { return false };
        total = total.saturating_add(announced(body));
        rest = rest.get(chunk..).unwrap_or_default();
    }
    total <= DECOMPRESSED_LIMIT
}

fn announced(mut body: &[u8]) -> usize {
    let mut size = 0_u64;
    for shift in (0..35).step_by(7) {
        if body.is_empty() {
            break;
        }
        let byte = body.get_u8();
        size |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// The same batch with fewer records: offsets, sequence and times keep their meaning, the
/// records keep their bytes, and the payload is left uncompressed.
pub(crate) fn with_records(original: &[u8], header: &BatchHeader, kept: &[RawRecord]) -> Option<Bytes> {
    const UNCOMPRESSED: i16 = !7;
    let payload: usize = kept.iter().map(|record| record.bytes.len()).sum();
    let mut out = BytesMut::with_capacity(HEADER_BYTES + payload);
    out.put_i64(header.base_offset);
    out.put_i32(i32::try_from(HEADER_BYTES - PREFIX_BYTES + payload).ok()?);
    out.put_slice(original.get(12..17)?);
    out.put_u32(0);
    out.put_i16(header.attributes & UNCOMPRESSED);
    out.put_slice(original.get(23..57)?);
    out.put_i32(i32::try_from(kept.len()).ok()?);
    for record in kept {
        out.put_slice(&record.bytes);
    }
    let crc = crc32c::crc32c(out.get(CHECKED_FROM..)?);
    out.get_mut(CRC_AT..CHECKED_FROM)?.copy_from_slice(&crc.to_be_bytes());
    Some(out.freeze())
}

#[cfg(test)]
pub(crate) mod samples {
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};

    /// A batch of `(key, value)` records at offsets from zero.
    pub(crate) fn batch(pairs: &[(&str, Option<&str>)], timestamp: i64, compression: Compression) -> Bytes {
        produced(pairs, timestamp, compression, -1, -1, -1)
    }

    pub(crate) fn produced(
        pairs: &[(&str, Option<&str>)],
        timestamp: i64,
        compression: Compression,
        producer_id: i64,
        producer_epoch: i16,
        sequence: i32,
    ) -> Bytes {
        let records: Vec<Record> = (0..)
            .zip(pairs)
            .map(|(at, (key, value))| Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: -1,
                producer_id,
                producer_epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(at),
                sequence: sequence.wrapping_add(at),
                timestamp: timestamp + i64::from(at),
                key: Some(Bytes::copy_from_slice(key.as_bytes())),
                value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
                headers: Default::default(),
            })
            .collect();
        let mut out = BytesMut::new();
        RecordBatchEncoder::encode(
            &mut out,
            &records,
            &RecordEncodeOptions {
                version: 2,
                compression,
            },
        )
        .unwrap();
        out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::Compression;

    use super::*;

    const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    #[test]
    fn records_are_read_alike_in_every_codec() {
        for compression in ALL {
            let batch = samples::batch(&[("a", Some("1")), ("b", None)], 1000, compression);
            let header = judge_produced(&batch).unwrap();
            let found = records(&header, &batch).unwrap();
            let seen: Vec<_> = found
                .iter()
                .map(|r| (r.offset, r.timestamp, r.key.as_deref().unwrap(), r.is_tombstone))
                .collect();
            assert_eq!(
                seen,
                [(0, 1000, &b"a"[..], false), (1, 1001, &b"b"[..], true)],
                "{compression:?}"
            );
        }
    }

    #[test]
    fn one_changed_byte_is_corruption() {
        let batch = samples::batch(&[("a", Some("1"))], 1000, Compression::None);
        for at in CRC_AT..batch.len() {
            let mut hurt = batch.to_vec();
            hurt[at] ^= 1;
            assert_eq!(judge_produced(&hurt), Err(BatchFault::Corrupt), "byte {at}");
        }
    }

    #[test]
    fn two_batches_in_one_partition_are_refused() {
        let batch = samples::batch(&[("a", Some("1"))], 1000, Compression::None);
        assert_eq!(
            judge_produced(&[&batch[..], &batch[..]].concat()),
            Err(BatchFault::Invalid)
        );
    }

    #[test]
    fn a_batch_with_fewer_records_still_checks_and_keeps_its_last_offset() {
        let batch = samples::batch(
            &[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))],
            1000,
            Compression::Zstd,
        );
        let header = BatchHeader::parse(&batch).unwrap();
        let kept = &records(&header, &batch).unwrap()[1..2];
        let thinner = with_records(&batch, &header, kept).unwrap();
        assert!(checksum_fits(&thinner));
        let thin = BatchHeader::parse(&thinner).unwrap();
        assert_eq!((thin.record_count, thin.last_offset(), thin.codec()), (1, 2, 0));
        assert_eq!(records(&thin, &thinner).unwrap(), kept);
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let zeros = vec![0_u8; DECOMPRESSED_LIMIT + 1];
        let packed = Bytes::from(zstd::encode_all(&zeros[..], 1).unwrap());
        assert_eq!(decompress(4, packed), None);
        assert_eq!(
            decompress(2, Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0])),
            None
        );
    }
}
