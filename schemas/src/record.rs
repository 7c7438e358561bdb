//! The kinds of records: one place for schema, built-in id and name.

use crate::{Alert, Change, ChangeVerdict, Complaint, Control, Event, Incident, Reject, Summary};

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
    /// [`ChangeVerdict`]
    ChangeVerdict,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Event,
        Self::Change,
        Self::Complaint,
        Self::Summary,
        Self::Incident,
        Self::Alert,
        Self::Reject,
        Self::Control,
        Self::ChangeVerdict,
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
            Self::ChangeVerdict => "change_verdict",
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
            Self::ChangeVerdict => include_str!("../avro/change_verdict.avsc"),
        }
    }

    /// The version of its schema that is written. A later version only ever appends: fields that may be absent at the end of the
    /// record, symbols at the end of an enum. So each version's bytes begin with those of the one before.
    pub const fn version(self) -> u32 {
        match self {
            Self::Incident | Self::Alert => 7,
            Self::Control => 3,
            Self::Summary | Self::ChangeVerdict => 2,
            Self::Event | Self::Change | Self::Complaint | Self::Reject => 1,
        }
    }

    /// The texts of its earlier versions, oldest first, as in `schemas/avro/v1` and so on.
    pub const fn earlier_avsc(self) -> &'static [&'static str] {
        match self {
            Self::Incident => &[
                include_str!("../avro/v1/incident.avsc"),
                include_str!("../avro/v2/incident.avsc"),
                include_str!("../avro/v3/incident.avsc"),
                include_str!("../avro/v4/incident.avsc"),
                include_str!("../avro/v5/incident.avsc"),
                include_str!("../avro/v6/incident.avsc"),
            ],
            Self::Alert => &[
                include_str!("../avro/v1/alert.avsc"),
                include_str!("../avro/v2/alert.avsc"),
                include_str!("../avro/v3/alert.avsc"),
                include_str!("../avro/v4/alert.avsc"),
                include_str!("../avro/v5/alert.avsc"),
                include_str!("../avro/v6/alert.avsc"),
            ],
            Self::Control => &[
                include_str!("../avro/v1/control.avsc"),
                include_str!("../avro/v2/control.avsc"),
            ],
            Self::Summary => &[include_str!("../avro/v1/summary.avsc")],
            Self::ChangeVerdict => &[include_str!("../avro/v1/change_verdict.avsc")],
            Self::Event | Self::Change | Self::Complaint | Self::Reject => &[],
        }
    }

    /// The id in the Confluent frame where no registry is configured. Kinds come in groups of eight, in the order of
    /// [`RecordKind::ALL`]: the first group has the ids 1 to 64, the second 65 to 128; within its group version 1 has the first eight
    /// ids, version 2 the next eight, and so on. They never change.
    pub const fn built_in_id(self) -> u32 {
        self.first_id() + GROUP * (self.version() - 1)
    }

    /// The version that a built-in id stands for, if it is one of this kind; it may be later than [`RecordKind::version`].
    pub const fn version_of_id(self, id: u32) -> Option<u32> {
        let first = self.first_id();
        if id < first || id - first >= GROUP * MAX_VERSIONS || !(id - first).is_multiple_of(GROUP) {
            return None;
        }
        Some((id - first) / GROUP + 1)
    }

    const fn first_id(self) -> u32 {
        let kind = self as u32;
        kind / GROUP * GROUP * MAX_VERSIONS + kind % GROUP + 1
    }
}

/// Kinds of a group, and with it the distance between the ids of two versions.
const GROUP: u32 = 8;
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
records!(
    Event,
    Change,
    Complaint,
    Summary,
    Incident,
    Alert,
    Reject,
    Control,
    ChangeVerdict
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_one_kind_and_version() {
        let ids = [RecordKind::Event, RecordKind::Control, RecordKind::ChangeVerdict].map(RecordKind::first_id);
        assert_eq!(ids, [1, 8, 65]);
        for id in 0..=200 {
            let of = |kind: &RecordKind| kind.version_of_id(id).is_some();
            assert!(RecordKind::ALL.iter().filter(|kind| of(kind)).count() <= 1, "{id}");
        }
        assert_eq!(RecordKind::Control.version_of_id(16), Some(2));
        assert_eq!(RecordKind::Control.version_of_id(24), Some(3));
        assert_eq!(RecordKind::ChangeVerdict.version_of_id(73), Some(2));
    }
}
