//! Microsoft Graph callRecords with sessions and segments expanded: each stream of each segment is an event, and the events
//! of a record stand or fall together.
//!
//! What arrives is one record, an array of records, or a page of them (`value`). The provider sends nulls where it measured
//! nothing, sentinels, and records again with a higher version: null stays unknown, sentinels are dropped with a warning,
//! and the version is the event's revision.

mod record;
mod stream;

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    receive::json::{refuse_deep, without_mark},
    refusal::{Reason, Refusal},
    service::{Content, Report},
};
use dialtone_schemas::{Event, Source};
use record::CallRecord;

/// The reports of a body: one for each record, with all its streams and the bytes it was sent with.
pub fn reports(body: &Bytes) -> Vec<Report> {
    match records(body) {
        Ok(records) => (1..)
            .zip(records)
            .map(|(position, record)| Report {
                content: events(record.get()).map(|events| Content::Events(events, Source::Graph)),
                original: body.slice_ref(record.get().as_bytes()),
                position: Some(position),
            })
            .collect(),
        Err(refusal) => vec![Report {
            content: Err(refusal),
            original: body.clone(),
            position: None,
        }],
    }
}

/// A page of records, as a query is answered.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    /// A record may have a `value` too; a page has no sessions.
    sessions: Option<IgnoredAny>,
}

/// One record, an array, or a page.
fn records(body: &[u8]) -> Result<Vec<&RawValue>, Refusal> {
    let body = without_mark(body).trim_ascii();
    refuse_deep(body)?;
    let malformed = |error: serde_json::Error| Refusal::new(Reason::MalformedJson, error.to_string());
    if body.starts_with(b"[") {
        return serde_json::from_slice(body).map_err(malformed);
    }
    match serde_json::from_slice::<Page<'_>>(body) {
        Ok(page) if page.sessions.is_none() => Ok(page.value),
        // No page, or no JSON: the latter is told now.
        _ => serde_json::from_slice(body)
            .map(|record| vec![record])
            .map_err(malformed),
    }
}

fn events(record: &str) -> Result<Vec<Event>, Refusal> {
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_str(record);
    let record = CallRecord::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track))
        .map_err(|error| Refusal::new(Reason::MalformedRecord, format!("{}: {error}", track.path())))?;
    let events = stream::events(&record);
    if events.is_empty() {
        return Err(Refusal::new(
            Reason::MalformedRecord,
            "the record has no sessions with an end of a user: expand sessions and segments",
        ));
    }
    Ok(events)
}

#[cfg(test)]
mod tests;
