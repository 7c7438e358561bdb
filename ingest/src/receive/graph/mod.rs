//! Microsoft Graph callRecords with sessions and segments expanded: each stream of each segment is an event.
//!
//! What arrives is one record, an array of records, or a page of them (`value`). The provider sends nulls where it measured
//! nothing, sentinels, and records again with a higher version: null stays unknown, sentinels are dropped with a warning,
//! and the version is the event's revision.

mod record;
mod stream;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    receive::json::{refuse_deep, without_mark},
    refusal::{Reason, Refusal},
    service::{Content, Report},
};
use dialtone_schemas::Source;
use record::CallRecord;

/// The reports of a body: one for each stream, or for each record that cannot be read.
pub fn reports(body: &Bytes) -> Vec<Report> {
    let records = match records(body) {
        Ok(records) => records,
        Err(refusal) => {
            return vec![Report {
                content: Err(refusal),
                original: body.clone(),
                position: None,
            }];
        }
    };
    (1..)
        .zip(records)
        .flat_map(|(position, record)| of_record(position, record))
        .collect()
}

/// One record, an array, or a page.
fn records(body: &[u8]) -> Result<Vec<Value>, Refusal> {
    let body = without_mark(body);
    refuse_deep(body)?;
    let parsed =
        serde_json::from_slice(body).map_err(|error| Refusal::new(Reason::MalformedJson, error.to_string()))?;
    match parsed {
        Value::Array(records) => Ok(records),
        Value::Object(mut page) if !page.contains_key("sessions") && page.get("value").is_some_and(Value::is_array) => {
            match page.remove("value") {
                Some(Value::Array(records)) => Ok(records),
                _ => Ok(Vec::new()),
            }
        }
        record => Ok(vec![record]),
    }
}

fn of_record(position: i64, value: Value) -> Vec<Report> {
    let original = Bytes::from(value.to_string());
    let report = |content| Report {
        content,
        original: original.clone(),
        position: Some(position),
    };
    let mut track = serde_path_to_error::Track::new();
    let record = CallRecord::deserialize(serde_path_to_error::Deserializer::new(&value, &mut track));
    let record = match record {
        Ok(record) => record,
        Err(error) => {
            let detail = format!("{}: {error}", track.path());
            return vec![report(Err(Refusal::new(Reason::MalformedRecord, detail)))];
        }
    };
    let events = stream::events(&record);
    if events.is_empty() {
        let refusal = Refusal::new(
            Reason::MalformedRecord,
            "the record has no sessions with an end of a user: expand sessions and segments",
        );
        return vec![report(Err(refusal))];
    }
    events
        .into_iter()
        .map(|event| report(Ok(Content::Events(vec![event], Source::Graph))))
        .collect()
}

#[cfg(test)]
mod tests;
