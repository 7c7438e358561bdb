//! Microsoft Graph callRecords with sessions and segments expanded: each stream of each segment is an event, and the events
//! of a record stand or fall together before they are published.
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
    receive::{
        json::{refuse_deep, without_mark},
        lines::elements,
    },
    refusal::{Reason, Refusal},
    service::{Content, Report},
};
use dialtone_schemas::{Event, Source};
use record::CallRecord;

/// Objects within one record: a meeting of a thousand people has some twelve thousand.
const MAX_OBJECTS: usize = 50_000;

/// The reports of a body: one for each record, with all its streams and the bytes it was sent with. None if there are more
/// than so many.
pub fn reports(body: &Bytes, most: usize) -> Option<Vec<Report>> {
    let report = |(position, record): (i64, &[u8])| Report {
        content: events(record).map(|events| Content::Events(events, Source::Graph)),
        original: body.slice_ref(record),
        position: Some(position),
    };
    match records(body, most) {
        Ok(records) if records.len() > most => None,
        Ok(records) => Some(records.into_iter().map(report).collect()),
        Err(refusal) => Some(vec![Report {
            content: Err(refusal),
            original: body.clone(),
            position: None,
        }]),
    }
}

/// A page of records, as a query is answered.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    /// A record may have a `value` too; a page has no sessions.
    sessions: Option<IgnoredAny>,
}

/// One record, an array, or a page, with their positions; at most one more than so many.
fn records(body: &[u8], most: usize) -> Result<Vec<(i64, &[u8])>, Refusal> {
    let body = without_mark(body).trim_ascii();
    refuse_deep(body)?;
    let of_array = |array| {
        elements(array, most).ok_or_else(|| Refusal::new(Reason::MalformedJson, "the brackets of the array do not fit"))
    };
    if body.starts_with(b"[") {
        return of_array(body);
    }
    match serde_json::from_slice::<Page<'_>>(body) {
        Ok(page) if page.sessions.is_none() && page.value.get().starts_with('[') => {
            of_array(page.value.get().as_bytes())
        }
        _ => Ok(vec![(1, body)]),
    }
}

fn events(record: &[u8]) -> Result<Vec<Event>, Refusal> {
    refuse_crowded(record)?;
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_slice(record);
    let record = CallRecord::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track))
        .map_err(|error| Refusal::new(reason(&error), format!("{}: {error}", track.path())))?;
    reader
        .end()
        .map_err(|error| Refusal::new(reason(&error), error.to_string()))?;
    let events = stream::events(&record);
    if events.is_empty() {
        return Err(Refusal::new(
            Reason::MalformedRecord,
            "the record has no sessions with an end of a user: expand sessions and segments",
        ));
    }
    Ok(events)
}

/// Refuses what would become far larger than it was sent, before anything is built from it.
fn refuse_crowded(record: &[u8]) -> Result<(), Refusal> {
    if record.iter().filter(|byte| **byte == b'{').count() > MAX_OBJECTS {
        return Err(Refusal::new(
            Reason::TooLarge,
            format!("the record holds more than {MAX_OBJECTS} objects"),
        ));
    }
    Ok(())
}

fn reason(error: &serde_json::Error) -> Reason {
    if error.is_data() {
        Reason::MalformedRecord
    } else {
        Reason::MalformedJson
    }
}

#[cfg(test)]
mod tests;
