//! JSON Schema (2020-12) of a record, derived from the Avro schema: what the HTTP doors take and the tools print.

use apache_avro::Schema as Avro;
use serde_json::{Map, Value, json};

use crate::{Dimension, RecordKind, avro};

/// Fields that a record must bring to a door; all others may be left out or null.
const fn required(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Event => &["kind", "call_id", "start", "end"],
        RecordKind::Change => &["change_id", "kind", "started_at"],
        RecordKind::Complaint => &["complaint_id", "complained_at"],
        RecordKind::Control => &["control_id", "kind", "at"],
        RecordKind::Summary => &["number", "tick", "kind"],
        RecordKind::Incident => &["id", "tenant", "revision", "state", "scope", "owner", "onset"],
        RecordKind::Alert => &["alert_id", "reason", "page", "at", "incident"],
        RecordKind::ChangeVerdict => &["verdict_id", "change_id", "tenant", "revision", "at", "ruling"],
        RecordKind::Reject => &["reject_id", "door", "reason", "detail", "rejected_at", "original"],
    }
}

/// The JSON Schema of a record.
pub fn of(kind: RecordKind) -> Value {
    let mut definitions = Map::new();
    let mut schema = node(avro::schema(kind), &mut definitions);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".into(), json!(kind.name()));
        object.insert("required".into(), json!(required(kind)));
        object.insert("$defs".into(), Value::Object(definitions));
    }
    schema
}

fn node(avro: &Avro, definitions: &mut Map<String, Value>) -> Value {
    match avro {
        Avro::Null => json!({"type": "null"}),
        Avro::Boolean => json!({"type": "boolean"}),
        Avro::Int | Avro::Long => json!({"type": "integer"}),
        Avro::Double => json!({"type": "number"}),
        Avro::TimestampMicros => json!({"type": ["string", "integer"], "format": "date-time"}),
        Avro::Bytes => json!({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 255}}),
        Avro::Array(array) => json!({"type": "array", "items": node(&array.items, definitions)}),
        Avro::Map(map) => json!({
            "type": "object",
            "propertyNames": {"enum": Dimension::ALL.map(Dimension::name)},
            "additionalProperties": node(&map.types, definitions),
        }),
        Avro::Union(union) => {
            json!({"anyOf": union.variants().iter().map(|v| node(v, definitions)).collect::<Vec<_>>()})
        }
        Avro::Enum(symbols) => json!({"enum": symbols.symbols, "description": symbols.doc}),
        Avro::Ref { name } => json!({"$ref": format!("#/$defs/{}", name.name())}),
        Avro::Record(record) => {
            let mut properties = Map::new();
            for field in &record.fields {
                let mut property = node(&field.schema, definitions);
                if let (Some(object), Some(doc)) = (property.as_object_mut(), &field.doc) {
                    object.insert("description".into(), json!(doc));
                }
                properties.insert(field.name.clone(), property);
            }
            let schema = json!({
                "type": "object", "description": record.doc, "properties": properties, "additionalProperties": false,
            });
            if RecordKind::ALL
                .iter()
                .any(|kind| kind.name() == record.name.name().to_lowercase())
            {
                return schema;
            }
            definitions.insert(record.name.name().to_owned(), schema);
            json!({"$ref": format!("#/$defs/{}", record.name.name())})
        }
        _ => json!({"type": "string"}),
    }
}
