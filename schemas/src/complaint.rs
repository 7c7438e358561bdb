//! A complaint: a user said that a call was bad.

use serde::{Deserialize, Serialize};

use crate::{EventTime, Leaf, Text};

/// A ticket, a call to the service desk, a thumb down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// The ticket's id: repeats of it are dropped.
    pub complaint_id: Text,
    /// Whose; from the credential.
    #[serde(default)]
    pub tenant: Option<Text>,
    /// When the user complained.
    pub complained_at: EventTime,
    /// When the bad call was, where the user said so.
    #[serde(default)]
    pub about: Option<EventTime>,
    /// The call, where known.
    #[serde(default)]
    pub call_id: Option<Text>,
    /// At a door: any identity. After ingest: `u:` and a keyed HMAC.
    #[serde(default)]
    pub user: Option<Text>,
    /// What is known of where and with what.
    #[serde(default)]
    pub near: Leaf,
    /// A category such as `no_sound`, `distorted`; never the user's words.
    #[serde(default)]
    pub category: Option<Text>,
    /// The system that says so.
    #[serde(default)]
    pub system: Option<Text>,
}
