//! Topics, keys, headers and the partitioner: what a client in any language needs to know.

/// One of dialtone's topics; the name ends in the major version of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Topic {
    /// Events, keyed `tenant|call_id`.
    Events,
    /// Changes, keyed `tenant|change_id`.
    Changes,
    /// Complaints, keyed `tenant|complaint_id`.
    Complaints,
    /// What the folds are told from outside; one partition.
    Control,
    /// Summaries: partition p holds what events partition p summed up to.
    Summaries,
    /// The last revision of each incident, keyed by its id; compacted.
    Incidents,
    /// Every revision of every incident, keyed by its id.
    Alerts,
    /// Every verdict about every change, keyed `tenant|change_id`.
    ChangeVerdicts,
    /// Events that came after their window had closed, or from the future.
    Late,
    /// What could not be taken.
    Rejects,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Events,
        Self::Changes,
        Self::Complaints,
        Self::Control,
        Self::Summaries,
        Self::Incidents,
        Self::Alerts,
        Self::ChangeVerdicts,
        Self::Late,
        Self::Rejects,
    ];

    /// The name on the broker, after the configured prefix (`dialtone` unless told otherwise).
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Events => "events.v1",
            Self::Changes => "changes.v1",
            Self::Complaints => "complaints.v1",
            Self::Control => "control.v1",
            Self::Summaries => "summaries.v1",
            Self::Incidents => "incidents.v1",
            Self::Alerts => "alerts.v1",
            Self::ChangeVerdicts => "change-verdicts.v1",
            Self::Late => "late.v1",
            Self::Rejects => "rejects.v1",
        }
    }

    /// The whole name under a prefix.
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}.{}", self.suffix())
    }

    /// Keeps only the last record of a key?
    pub const fn compacted(self) -> bool {
        matches!(self, Self::Incidents)
    }

    /// Does it always have one partition?
    pub const fn single_partition(self) -> bool {
        matches!(self, Self::Control)
    }
}

/// The header of a clock record: microseconds since 1970, decimal. The record has no value, so other readers skip it.
pub const CLOCK_HEADER: &str = "dialtone-clock";
/// The header of an `absent` record: the tick up to which a partition is given up, microseconds since 1970, decimal.
pub const ABSENT_HEADER: &str = "dialtone-absent";
/// The header of a configuration record in a partition of events: the configuration's JSON.
pub const CONFIG_HEADER: &str = "dialtone-config";
/// The header with the tenant of a summary, so that a reader of one tenant can skip the others undecoded.
pub const TENANT_HEADER: &str = "dialtone-tenant";
/// The header of a late record: why it is late (`window_closed`, `future`, `revision_closed`).
pub const LATE_HEADER: &str = "dialtone-late";

/// Key of an event: the tenant, a bar, the call. A bar or backslash within the tenant is escaped with a backslash.
pub fn event_key(tenant: &str, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(tenant.len() + id.len() + 1);
    for byte in tenant.bytes() {
        if matches!(byte, b'|' | b'\\') {
            key.push(b'\\');
        }
        key.push(byte);
    }
    key.push(b'|');
    key.extend_from_slice(id.as_bytes());
    key
}

/// The partition of a key: Kafka's default for keyed records, `toPositive(murmur2(key)) % partitions`, so that clients
/// in Java, librdkafka (`murmur2_random`) and `dialtone replay` agree (C-2).
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    #[allow(clippy::cast_possible_wrap, reason = "masked to 31 bits")]
    let positive = (murmur2(key) & 0x7fff_ffff) as i32;
    positive % partitions.max(1)
}

/// MurmurHash2, 32 bit, seed 0x9747b28c, as `org.apache.kafka.common.utils.Utils.murmur2` computes it.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the algorithm takes the length modulo 2^32"
    )]
    let mut h: u32 = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own UtilsTest.testMurmur2.
    #[test]
    fn murmur2_agrees_with_kafkas_java_client() {
        #[allow(clippy::cast_possible_wrap, reason = "Java prints it signed")]
        let signed = |key: &str| murmur2(key.as_bytes()) as i32;
        assert_eq!(signed("21"), -973_932_308);
        assert_eq!(signed("foobar"), -790_332_482);
        assert_eq!(signed("a-little-bit-long-string"), -985_981_536);
        assert_eq!(signed("a-little-bit-longer-string"), -1_486_304_829);
        assert_eq!(signed("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58_897_971);
        assert_eq!(signed("abc"), 479_470_107);
    }

    #[test]
    fn a_bar_in_a_tenant_cannot_imitate_another_key() {
        assert_eq!(event_key("a", "b|c"), b"a|b|c");
        assert_eq!(event_key("a|b", "c"), b"a\\|b|c");
    }
}
