//! The kinds of records: one place for schema, built-in id and name.

use crate::{Alert, Change, Complaint, Control, Event, Incident, Reject, Summary};

/// A kind of record with an Avro schema of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// [`Event`]
    Event,
    /// [`Change`]
    Change,
    /// [`Complaint`]
    Complaint,
    /// [`Summary`]
    Summary,
    /// [`Incident`]
    Incident,
    /// [`Alert`]
    Alert,
    /// [`Reject`]
    Reject,
    /// [`Control`]
    Control,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Event,
        Self::Change,
        Self::Complaint,
        Self::Summary,
        Self::Incident,
        Self::Alert,
        Self::Reject,
        Self::Control,
    ];

    /// The name used on the command line and of the schema's file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Change => "change",
            Self::Complaint => "complaint",
            Self::Summary => "summary",
            Self::Incident => "incident",
            Self::Alert => "alert",
            Self::Reject => "reject",
            Self::Control => "control",
        }
    }

    /// The schema's text, as in `schemas/avro`.
    pub const fn avsc(self) -> &'static str {
        match self {
            Self::Event => include_str!("../avro/event.avsc"),
            Self::Change => include_str!("../avro/change.avsc"),
            Self::Complaint => include_str!("../avro/complaint.avsc"),
            Self::Summary => include_str!("../avro/summary.avsc"),
            Self::Incident => include_str!("../avro/incident.avsc"),
            Self::Alert => include_str!("../avro/alert.avsc"),
            Self::Reject => include_str!("../avro/reject.avsc"),
            Self::Control => include_str!("../avro/control.avsc"),
        }
    }

    /// The version of its schema that is written. A later version only ever appends: fields that may be absent at the end of the
    /// record, symbols at the end of an enum. So each version's bytes begin with those of the one before.
    pub const fn version(self) -> u32 {
        match self {
            Self::Incident | Self::Alert | Self::Control => 2,
            Self::Event | Self::Change | Self::Complaint | Self::Summary | Self::Reject => 1,
        }
    }

    /// The texts of its earlier versions, oldest first, as in `schemas/avro/v1` and so on.
    pub const fn earlier_avsc(self) -> &'static [&'static str] {
        match self {
            Self::Incident => &[include_str!("../avro/v1/incident.avsc")],
            Self::Alert => &[include_str!("../avro/v1/alert.avsc")],
            Self::Control => &[include_str!("../avro/v1/control.avsc")],
            Self::Event | Self::Change | Self::Complaint | Self::Summary | Self::Reject => &[],
        }
    }

    /// The id in the Confluent frame where no registry is configured: those of version 1 are 1 to 8, in the order of
    /// [`RecordKind::ALL`], those of version 2 are 9 to 16, and so on. They never change.
    pub const fn built_in_id(self) -> u32 {
        self as u32 + 1 + KINDS * (self.version() - 1)
    }

    /// The version that a built-in id stands for, if it is one of this kind; it may be later than [`RecordKind::version`].
    pub const fn version_of_id(self, id: u32) -> Option<u32> {
        if id == 0 || id > KINDS * MAX_VERSIONS || (id - 1) % KINDS != self as u32 {
            return None;
        }
        Some((id - 1) / KINDS + 1)
    }
}

/// Kinds, and with it the distance between the ids of two versions.
#[allow(clippy::cast_possible_truncation, reason = "eight")]
const KINDS: u32 = RecordKind::ALL.len() as u32;
/// Ids beyond those of so many versions are nobody's of ours.
const MAX_VERSIONS: u32 = 8;

/// A type that travels as one [`RecordKind`].
pub trait Record: serde::Serialize + serde::de::DeserializeOwned {
    /// Which.
    const KIND: RecordKind;
}

macro_rules! records {
    ($($kind:ident),*) => { $(impl Record for $kind { const KIND: RecordKind = RecordKind::$kind; })* };
}
records!(Event, Change, Complaint, Summary, Incident, Alert, Reject, Control);
