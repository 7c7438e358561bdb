//! From a record to what is published of it: topic, key, frame.

use bytes::Bytes;
use dialtone_schemas::{
    Change, Complaint, Control, Event, EventTime, Record, Reject, Text,
    avro::{self, AvroError},
    topic::{self, Topic},
};
use dialtone_wire::{OutRecord, Payload};

use crate::{
    count::Door,
    privacy::Privacy,
    refusal::{Reason, Refusal},
};

/// Original bytes beyond this are cut off: a broker takes messages of 1 MiB unless told otherwise.
const MAX_ORIGINAL_BYTES: usize = 768 * 1024;

/// Keyed by the call, so that all of a call lies in one partition.
pub(crate) fn of_event(event: &Event) -> Result<OutRecord, Refusal> {
    record(Topic::Events, event.tenant.as_ref(), event.call_id.as_str(), event)
}

/// Keyed by its id.
pub(crate) fn of_change(change: &Change) -> Result<OutRecord, Refusal> {
    record(
        Topic::Changes,
        change.tenant.as_ref(),
        change.change_id.as_str(),
        change,
    )
}

/// Keyed by its id.
pub(crate) fn of_complaint(complaint: &Complaint) -> Result<OutRecord, Refusal> {
    record(
        Topic::Complaints,
        complaint.tenant.as_ref(),
        complaint.complaint_id.as_str(),
        complaint,
    )
}

/// Keyed by its id, in the one partition there is.
pub(crate) fn of_control(control: &Control) -> Result<OutRecord, Refusal> {
    record(
        Topic::Control,
        control.tenant.as_ref(),
        control.control_id.as_str(),
        control,
    )
}

fn record<R: Record>(topic: Topic, tenant: Option<&Text>, id: &str, record: &R) -> Result<OutRecord, Refusal> {
    let frame = avro::built_in_frame_from(record)
        .map_err(|error: AvroError| Refusal::new(Reason::TooLarge, error.to_string()))?;
    Ok(OutRecord {
        topic,
        partition: None,
        key: topic::event_key(tenant.map_or("", Text::as_str), id).into(),
        payload: Payload::Value(Bytes::from(frame)),
        headers: Vec::new(),
    })
}

/// What could not be taken, with its reason and its original bytes.
pub(crate) struct Refused<'a> {
    pub(crate) door: Door,
    pub(crate) tenant: &'a Text,
    pub(crate) refusal: &'a Refusal,
    pub(crate) original: &'a [u8],
    pub(crate) position: Option<i64>,
    pub(crate) at: EventTime,
}

impl Refused<'_> {
    /// Nothing that was sent is readable in it, unless configured otherwise (P-1).
    pub(crate) fn record(&self, privacy: &Privacy) -> Result<OutRecord, Refusal> {
        let kept = &self.original[..self.original.len().min(MAX_ORIGINAL_BYTES)];
        let sealed = privacy.seal_original(kept);
        let position = self.position.map_or_else(String::new, |position| position.to_string());
        let parts = [
            self.door.name(),
            self.tenant.as_str(),
            &self.at.to_string(),
            &position,
            self.refusal.reason.name(),
            &self.refusal.detail,
        ];
        let id = privacy.id_of_bytes("reject", &parts, self.original);
        let mut detail = self.refusal.impersonal_detail();
        if kept.len() < self.original.len() {
            detail.push_str(&format!(
                " (the first {MAX_ORIGINAL_BYTES} of {} bytes are kept)",
                self.original.len()
            ));
        }
        let name = |text: &str| Text::new(text).map_err(|error| Refusal::new(Reason::TooLarge, error.to_string()));
        let reject = Reject {
            reject_id: name(&format!("{id:032x}"))?,
            tenant: Some(self.tenant.clone()),
            door: name(self.door.name())?,
            reason: name(self.refusal.reason.name())?,
            detail,
            rejected_at: self.at,
            position: self.position,
            encryption: name(sealed.encryption)?,
            key_id: sealed.key_id.as_deref().map(name).transpose()?,
            original: sealed.bytes,
        };
        record(Topic::Rejects, Some(self.tenant), reject.reject_id.as_str(), &reject)
    }
}
