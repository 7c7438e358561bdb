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

    /// The id in the Confluent frame where no registry is configured: 1 to 8, in the order of [`RecordKind::ALL`]. They
    /// never change; a second version of a schema gets an id of its own.
    pub const fn built_in_id(self) -> u32 {
        self as u32 + 1
    }
}

/// A type that travels as one [`RecordKind`].
pub trait Record: serde::Serialize + serde::de::DeserializeOwned {
    /// Which.
    const KIND: RecordKind;
}

macro_rules! records {
    ($($kind:ident),*) => { $(impl Record for $kind { const KIND: RecordKind = RecordKind::$kind; })* };
}
records!(Event, Change, Complaint, Summary, Incident, Alert, Reject, Control);
