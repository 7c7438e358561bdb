//! Arrow: the columns of the lake, derived from the Avro schema, so that there is one description of a record.
//!
//! Only types that every reader of Parquet accepts: timestamp(µs, UTC), utf8, int32, int64, double, boolean, binary, list,
//! struct. An enum is its symbol; a map by dimension is a struct with one nullable column for each dimension.

use std::sync::Arc;

use apache_avro::{Schema as Avro, schema::RecordSchema};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};

use crate::{Dimension, Record, RecordKind, avro};

/// Why records and columns could not be turned into each other.
#[derive(Debug, thiserror::Error)]
#[error("{record} cannot be turned {direction} columns")]
pub struct ArrowError {
    record: &'static str,
    direction: &'static str,
    source: Box<serde_arrow::Error>,
}

/// The columns of a record.
pub fn schema(kind: RecordKind) -> Schema {
    match avro::schema(kind) {
        Avro::Record(record) => Schema::new(fields(record)),
        _ => Schema::empty(),
    }
}

fn fields(record: &RecordSchema) -> Fields {
    record
        .fields
        .iter()
        .map(|field| column(&field.name, &field.schema))
        .collect()
}

fn column(name: &str, avro: &Avro) -> FieldRef {
    match avro {
        Avro::Union(union) => {
            let inner = union
                .variants()
                .iter()
                .find(|v| !matches!(v, Avro::Null))
                .unwrap_or(&Avro::Null);
            Arc::new(column(name, inner).as_ref().clone().with_nullable(true))
        }
        other => Arc::new(Field::new(name, data_type(other), false)),
    }
}

fn data_type(avro: &Avro) -> DataType {
    match avro {
        Avro::Boolean => DataType::Boolean,
        Avro::Int => DataType::Int32,
        Avro::Long => DataType::Int64,
        Avro::Double => DataType::Float64,
        Avro::TimestampMicros => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Avro::Bytes => DataType::Binary,
        Avro::Record(record) => DataType::Struct(fields(record)),
        Avro::Array(array) => DataType::List(column("element", &array.items)),
        Avro::Map(map) => DataType::Struct(
            Dimension::ALL
                .iter()
                .map(|d| Arc::new(column(d.name(), &map.types).as_ref().clone().with_nullable(true)))
                .collect(),
        ),
        // Strings, enums, and references to a named type (which only `Leaf` and enums are, see `named`).
        _ => named(avro),
    }
}

/// A name that refers to a record or enum defined earlier in the same schema.
fn named(avro: &Avro) -> DataType {
    match avro {
        Avro::Ref { name } if name.name() == "Leaf" => DataType::Struct(
            Dimension::ALL
                .iter()
                .map(|d| Arc::new(Field::new(d.name(), DataType::Utf8, true)))
                .collect(),
        ),
        Avro::Ref { name } => find(name.name()).unwrap_or(DataType::Utf8),
        _ => DataType::Utf8,
    }
}

/// The type of a record that several fields of one schema share (ends, sums, bins).
fn find(name: &str) -> Option<DataType> {
    fn within(avro: &Avro, name: &str) -> Option<DataType> {
        match avro {
            Avro::Record(record) if record.name.name() == name => Some(DataType::Struct(fields(record))),
            Avro::Record(record) => record.fields.iter().find_map(|field| within(&field.schema, name)),
            Avro::Union(union) => union.variants().iter().find_map(|v| within(v, name)),
            Avro::Array(array) => within(&array.items, name),
            _ => None,
        }
    }
    RecordKind::ALL
        .iter()
        .find_map(|kind| within(avro::schema(*kind), name))
}

/// Columns from records.
pub fn batch_from_records<R: Record>(records: &[R]) -> Result<RecordBatch, ArrowError> {
    serde_arrow::to_record_batch(schema(R::KIND).fields(), &records).map_err(|source| ArrowError {
        record: R::KIND.name(),
        direction: "into",
        source: Box::new(source),
    })
}

/// Records from columns.
pub fn records_from_batch<R: Record>(batch: &RecordBatch) -> Result<Vec<R>, ArrowError> {
    serde_arrow::from_record_batch(batch).map_err(|source| ArrowError {
        record: R::KIND.name(),
        direction: "from",
        source: Box::new(source),
    })
}
