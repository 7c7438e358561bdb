//! Avro and the Confluent frame: `00`, the schema's id as four bytes big-endian, the datum.

use std::sync::LazyLock;

use apache_avro::{Schema, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};

use crate::{Record, RecordKind};

/// Largest frame taken: an event is some hundred bytes, a reject carries at most a body of 1 MiB.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are not a record, or a record not bytes.
#[derive(Debug, thiserror::Error)]
pub enum AvroError {
    /// No `00` in front, or shorter than a frame.
    #[error("{len} bytes without a Confluent frame (00 and four bytes of schema id)")]
    NoFrame {
        /// Of the value.
        len: usize,
    },
    /// Larger than [`MAX_FRAME_BYTES`].
    #[error("{len} bytes: at most {MAX_FRAME_BYTES} are taken")]
    TooLarge {
        /// Of the value.
        len: usize,
    },
    /// Another record's id.
    #[error("schema id {id} is not one of {expected}")]
    UnknownId {
        /// In the frame.
        id: u32,
        /// What was expected.
        expected: &'static str,
    },
    /// Not a datum of the schema.
    #[error("{record} cannot be read")]
    Read {
        /// Which record.
        record: &'static str,
        /// Why.
        source: Box<apache_avro::Error>,
    },
    /// Bytes after the datum.
    #[error("{record} is followed by {bytes} bytes")]
    Trailing {
        /// Which record.
        record: &'static str,
        /// How many.
        bytes: usize,
    },
    /// The type and its schema disagree.
    #[error("{record} cannot be written")]
    Write {
        /// Which record.
        record: &'static str,
        /// Why.
        source: Box<apache_avro::Error>,
    },
    /// Begins as JSON does, but is no record in it.
    #[error("{record} cannot be read as JSON")]
    Json {
        /// Which record.
        record: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// Not a schema.
    #[error("schema cannot be parsed")]
    Schema {
        /// Why.
        source: Box<apache_avro::Error>,
    },
}

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    // A length bomb must not cost memory: five bytes can claim gigabytes.
    apache_avro::util::max_allocation_bytes(MAX_FRAME_BYTES);
    #[allow(clippy::expect_used, reason = "the files are compiled in; a test parses each")]
    RecordKind::ALL
        .map(|kind| Schema::parse_str(kind.avsc()).expect("a built-in schema parses"))
        .into()
});

/// The schemas of earlier versions by kind, oldest first.
static EARLIER: LazyLock<Vec<Vec<Schema>>> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "the files are compiled in; a test parses each")]
    let parse = |text: &&str| Schema::parse_str(text).expect("a built-in schema parses");
    RecordKind::ALL
        .map(|kind| kind.earlier_avsc().iter().map(parse).collect())
        .into()
});

/// Readers of earlier versions.
static READERS: LazyLock<Vec<Vec<GenericDatumReader<'static>>>> =
    LazyLock::new(|| EARLIER.iter().map(|of| of.iter().map(reader).collect()).collect());

#[allow(
    clippy::expect_used,
    reason = "a schema that parses resolves; a test writes and reads each"
)]
fn reader(schema: &'static Schema) -> GenericDatumReader<'static> {
    GenericDatumReader::builder(schema)
        .human_readable(false)
        .build()
        .expect("a reader")
}

/// Readers and writers of the built-in schemas, with their names resolved once.
static CODECS: LazyLock<Vec<(GenericDatumReader<'static>, GenericDatumWriter<'static>)>> = LazyLock::new(|| {
    #[allow(
        clippy::expect_used,
        reason = "a schema that parses resolves; a test writes and reads each"
    )]
    let codec = |schema| {
        let writer = GenericDatumWriter::builder(schema)
            .human_readable(false)
            .build()
            .expect("a writer");
        (reader(schema), writer)
    };
    SCHEMAS.iter().map(codec).collect()
});

/// The parsed schema of the version that is written.
pub fn schema(kind: RecordKind) -> &'static Schema {
    &SCHEMAS[kind as usize]
}

/// A datum without frame. Equal records give equal bytes (C-2).
pub fn datum_from<R: Record>(record: &R) -> Result<Vec<u8>, AvroError> {
    let mut bytes = Vec::with_capacity(512);
    write_datum(record, &mut bytes)?;
    Ok(bytes)
}

fn write_datum<R: Record>(record: &R, bytes: &mut Vec<u8>) -> Result<(), AvroError> {
    let writer = &CODECS[R::KIND as usize].1;
    writer.write_ser(bytes, record).map_err(|source| AvroError::Write {
        record: R::KIND.name(),
        source: Box::new(source),
    })?;
    Ok(())
}

/// Reads a datum written with `writer`, which may be a later 1.x: fields unknown here are skipped, fields unknown there
/// have their default (C-1).
pub fn record_from_datum<R: Record>(writer: &Schema, datum: &[u8]) -> Result<R, AvroError> {
    let reader = GenericDatumReader::builder(writer)
        .human_readable(false)
        .build()
        .map_err(|source| AvroError::Read {
            record: R::KIND.name(),
            source: Box::new(source),
        })?;
    read_datum(&reader, datum)
}

fn read_datum<R: Record>(reader: &GenericDatumReader<'_>, datum: &[u8]) -> Result<R, AvroError> {
    match read_beginning(reader, datum)? {
        (record, 0) => Ok(record),
        (_, bytes) => Err(AvroError::Trailing {
            record: R::KIND.name(),
            bytes,
        }),
    }
}

/// A record, and how many bytes are behind it.
fn read_beginning<R: Record>(reader: &GenericDatumReader<'_>, mut datum: &[u8]) -> Result<(R, usize), AvroError> {
    let record = reader.read_deser(&mut datum).map_err(|source| AvroError::Read {
        record: R::KIND.name(),
        source: Box::new(source),
    })?;
    Ok((record, datum.len()))
}

/// A framed record under a given id.
pub fn frame_from<R: Record>(id: u32, record: &R) -> Result<Vec<u8>, AvroError> {
    let mut frame = Vec::with_capacity(512);
    frame.push(0);
    frame.extend_from_slice(&id.to_be_bytes());
    write_datum(record, &mut frame)?;
    if frame.len() > MAX_FRAME_BYTES {
        Err(AvroError::TooLarge { len: frame.len() })
    } else {
        Ok(frame)
    }
}

/// A framed record under its built-in id.
pub fn built_in_frame_from<R: Record>(record: &R) -> Result<Vec<u8>, AvroError> {
    frame_from(R::KIND.built_in_id(), record)
}

/// The id and the datum of a frame.
pub fn split_frame(frame: &[u8]) -> Result<(u32, &[u8]), AvroError> {
    match frame {
        _ if frame.len() > MAX_FRAME_BYTES => Err(AvroError::TooLarge { len: frame.len() }),
        [0, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        _ => Err(AvroError::NoFrame { len: frame.len() }),
    }
}

/// A record as it is told: in a frame with a built-in id, or as an object of JSON (`processor.watch.alert_format`).
pub fn record_from_frame_or_json<R: Record>(value: &[u8]) -> Result<R, AvroError> {
    if value.first() == Some(&b'{') {
        let record = R::KIND.name();
        return serde_json::from_slice(value).map_err(|source| AvroError::Json { record, source });
    }
    record_from_built_in_frame(value)
}

/// A record from a frame with a built-in id, of whatever version: fields that an earlier one has not have their default, fields
/// that a later one appends are skipped (C-1).
pub fn record_from_built_in_frame<R: Record>(frame: &[u8]) -> Result<R, AvroError> {
    let (id, datum) = split_frame(frame)?;
    let kind = R::KIND;
    let Some(version) = kind.version_of_id(id) else {
        return Err(AvroError::UnknownId {
            id,
            expected: kind.name(),
        });
    };
    let newest = &CODECS[kind as usize].0;
    if version > kind.version() {
        return read_beginning(newest, datum).map(|(record, _)| record);
    }
    let earlier = READERS[kind as usize].get(version as usize - 1);
    read_datum(earlier.unwrap_or(newest), datum)
}
