//! What happens to every event, whatever the door: checked, named alike, placed, scored, sealed, identified.
//!
//! Pure: no clock, no I/O. The doors and `dialtone replay` call the same functions, so that a file gives the same events as
//! the same lines over the wire.

use dialtone_schemas::{
    Change, Complaint, Control, Dimension, Event, EventTime, Leaf, Source, Text, control::ControlKind,
};

use crate::{
    emodel::{Scorer, ScoringRules, codec},
    identity::event_id,
    place::Sites,
    privacy::{Privacy, PrivacyKey, PrivacyRules},
    refusal::{Reason, Refusal},
};

/// What normalising depends on.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "it holds the privacy key")]
pub struct IngestRules {
    /// The building file.
    pub sites: Sites,
    /// What seals.
    pub key: PrivacyKey,
    /// How it seals.
    pub privacy: PrivacyRules,
    /// How calls are judged.
    pub scoring: ScoringRules,
}

/// Turns what a door took into what is published.
#[derive(Debug)]
pub struct Normaliser {
    sites: Sites,
    privacy: Privacy,
    scorer: Scorer,
}

impl Normaliser {
    /// By these rules.
    pub fn new(rules: IngestRules) -> Self {
        Self {
            sites: rules.sites,
            privacy: Privacy::new(rules.key, rules.privacy),
            scorer: Scorer::new(rules.scoring),
        }
    }

    /// What seals; doors seal what only they can tell apart, and rejects' bytes.
    pub fn privacy(&self) -> &Privacy {
        &self.privacy
    }

    /// An event as a door took it becomes one that may be published.
    pub fn event(
        &self,
        mut event: Event,
        tenant: &Text,
        source: Source,
        received_at: Option<EventTime>,
    ) -> Result<Event, Refusal> {
        event
            .check()
            .map_err(|error| Refusal::new(Reason::InvalidEvent, error.to_string()))?;
        name_alike(&mut event);
        self.place(&mut event);
        event.score = self.scorer.score(&event);
        event.event_id = Some(event_id(self.privacy.key(), tenant.as_str(), source, &event));
        self.privacy.seal_event(tenant.as_str(), &mut event);
        event.tenant = Some(tenant.clone());
        event.source = Some(source);
        event.received_at = received_at;
        Ok(event)
    }

    /// A change becomes one that may be published. Where it does not say when it was reported, it was when it came in.
    pub fn change(&self, mut change: Change, tenant: &Text, received_at: Option<EventTime>) -> Result<Change, Refusal> {
        if change.finished_at.is_some_and(|finished| finished < change.started_at) {
            let detail = format!("finished_at is before started_at {}", change.started_at);
            return Err(Refusal::new(Reason::InvalidEvent, detail));
        }
        change.reported_at = change.reported_at.or(received_at);
        if let Some(codecs) = change.scope.0.get_mut(&Dimension::Codec) {
            *codecs = codecs
                .iter()
                .filter_map(|name| codec::canonical(name.as_str()))
                .collect();
        }
        self.privacy.seal_change(&mut change);
        change.tenant = Some(tenant.clone());
        Ok(change)
    }

    /// A complaint becomes one that may be published.
    pub fn complaint(&self, mut complaint: Complaint, tenant: &Text) -> Result<Complaint, Refusal> {
        if complaint.about.is_some_and(|about| about > complaint.complained_at) {
            let detail = format!("about is after complained_at {}", complaint.complained_at);
            return Err(Refusal::new(Reason::InvalidEvent, detail));
        }
        complaint.near.codec = canonical_codec(&complaint.near);
        self.privacy.seal_complaint(tenant.as_str(), &mut complaint);
        complaint.tenant = Some(tenant.clone());
        Ok(complaint)
    }

    /// What people say about an incident becomes something that may be published. The fold's configuration is said by whoever
    /// runs it, never through a door.
    pub fn control(&self, mut control: Control, tenant: &Text) -> Result<Control, Refusal> {
        if control.kind == ControlKind::Configure {
            let detail = "kind: configure is not taken here, only acknowledge, silence, reassign, verdict and accept";
            return Err(Refusal::new(Reason::InvalidValue, detail));
        }
        if control.kind != ControlKind::Verdict && control.body.is_some() {
            let detail = format!("body: {} has none", control.kind.name());
            return Err(Refusal::new(Reason::InvalidValue, detail));
        }
        self.privacy.seal_control(&mut control);
        control
            .check()
            .map_err(|error| Refusal::new(Reason::InvalidValue, error.to_string()))?;
        control.tenant = Some(tenant.clone());
        Ok(control)
    }

    fn place(&self, event: &mut Event) {
        self.sites.settle(&mut event.near, &mut event.near_endpoint);
        if let Some(endpoint) = &mut event.far_endpoint {
            let mut far = event.far.take().unwrap_or_default();
            self.sites.settle(&mut far, endpoint);
            event.far = Some(far);
        }
        // A far end of which nothing is known is an unknown far end.
        event.far = event.far.take().filter(|far| *far != Leaf::default());
    }
}

/// One word for one thing, whatever the source calls it.
fn name_alike(event: &mut Event) {
    if event.near.codec.is_none()
        && let Some(name) = event.media.payload_type.and_then(codec::of_payload_type)
    {
        event.near.codec = Text::new(name).ok();
    }
    event.near.codec = canonical_codec(&event.near);
    if let Some(far) = &mut event.far {
        far.codec = canonical_codec(far);
    }
}

fn canonical_codec(leaf: &Leaf) -> Option<Text> {
    leaf.codec.as_ref().and_then(|name| codec::canonical(name.as_str()))
}

#[cfg(test)]
mod tests;
