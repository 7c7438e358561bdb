//! Which requests are understood, in which versions, and what shape they have.
//!
//! A frame is walked by its shape before it is decoded: a decoder that believes an announced
//! array length would reserve memory for it, and a few bytes could end the process. Here each
//! announced length must be backed by bytes that are really there.
//!
//! Only versions without topic ids are offered.

use bytes::Buf;
use kafka_protocol::messages::ApiKey;

use Kind::{Array, Blob, Fixed, Items, Text};

/// Elements of all arrays of one request together.
const ELEMENTS: usize = 200_000;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fixed(usize),
    Text,
    Blob,
    Array(&'static [Field]),
    /// An array of something that is not a structure.
    Items(&'static Self),
}

#[derive(Debug, Clone, Copy)]
struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

const fn all(kind: Kind) -> Field {
    Field {
        kind,
        since: 0,
        until: i16::MAX,
    }
}

const fn since(since: i16, kind: Kind) -> Field {
    Field {
        kind,
        since,
        until: i16::MAX,
    }
}

const fn span(since: i16, until: i16, kind: Kind) -> Field {
    Field { kind, since, until }
}

/// One request kind as this broker offers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) key: ApiKey,
    pub(crate) min: i16,
    pub(crate) max: i16,
    flexible_from: i16,
    fields: &'static [Field],
}

impl Api {
    pub(crate) fn of(key: i16) -> Option<&'static Self> {
        APIS.iter().find(|api| api.key as i16 == key)
    }

    pub(crate) fn offers(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// Whether a request body can be decoded without reserving more than it holds. Bytes behind
    /// it are nobody's business: librdkafka leaves three after a request for all topics.
    pub(crate) fn fits(&self, body: &[u8], version: i16) -> bool {
        let mut walk = Walk {
            rest: body,
            version,
            flexible: version >= self.flexible_from,
            elements: 0,
        };
        walk.structure(self.fields).is_some()
    }
}

struct Walk<'b> {
    rest: &'b [u8],
    version: i16,
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Option<()> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.value(field.kind)?;
            }
        }
        if self.flexible { self.tags() } else { Some(()) }
    }

    fn value(&mut self, kind: Kind) -> Option<()> {
        match kind {
            Fixed(bytes) => self.skip(bytes),
            Text => {
                let length = if self.flexible {
                    self.compact()?
                } else {
                    i64::from(self.number(2)?.get_i16())
                };
                self.utf8(length)
            }
            Blob => {
                let length = self.length()?;
                self.skip(usize::try_from(length.max(0)).ok()?)
            }
            Array(fields) => self.elements(|walk| walk.structure(fields)),
            Items(kind) => self.elements(|walk| walk.value(*kind)),
        }
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        for _ in 0..self.length()?.max(0) {
            self.elements += 1;
            if self.elements > ELEMENTS {
                return None;
            }
            element(self)?;
        }
        Some(())
    }

    fn length(&mut self) -> Option<i64> {
        let length = if self.flexible {
            self.compact()?
        } else {
            i64::from(self.number(4)?.get_i32())
        };
        (length >= -1).then_some(length)
    }

    fn number(&mut self, bytes: usize) -> Option<&[u8]> {
        let (number, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(number)
    }

    fn compact(&mut self) -> Option<i64> {
        self.varint().map(|length| i64::from(length) - 1)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = self.number(1)?.get_u8();
            value |= u32::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn utf8(&mut self, length: i64) -> Option<()> {
        if length < -1 {
            return None;
        }
        let text = self.number(usize::try_from(length.max(0)).ok()?)?;
        std::str::from_utf8(text).is_ok().then_some(())
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.number(bytes).map(|_| ())
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let bytes = self.varint()?;
            self.skip(usize::try_from(bytes).ok()?)?;
        }
        Some(())
    }
}

/// The request header, as far as it is the same for every request.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: String,
    /// Where the body begins.
    pub(crate) bytes: usize,
}

impl Header {
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let mut walk = Walk {
            rest: frame,
            version: 0,
            flexible: false,
            elements: 0,
        };
        let mut fixed = walk.number(8)?;
        let (key, version, correlation_id) = (fixed.get_i16(), fixed.get_i16(), fixed.get_i32());
        let length = usize::try_from(walk.number(2)?.get_i16().max(0)).ok()?;
        let client_id = String::from_utf8_lossy(walk.number(length)?).into_owned();
        let is_flexible = ApiKey::try_from(key).is_ok_and(|api| api.request_header_version(version) >= 2);
        if is_flexible {
            walk.tags()?;
        }
        Some(Self {
            key,
            version,
            correlation_id,
            client_id,
            bytes: frame.len() - walk.rest.len(),
        })
    }
}

const BYTE: Kind = Fixed(1);
const SHORT: Kind = Fixed(2);
const INT: Kind = Fixed(4);
const LONG: Kind = Fixed(8);

macro_rules! api {
    ($key:ident $min:literal..=$max:literal, flexible $flexible:expr, [$($field:expr),* $(,)?]) => {
        Api { key: ApiKey::$key, min: $min, max: $max, flexible_from: $flexible, fields: &[$($field),*] }
    };
}

/// Everything on offer.
pub(crate) const APIS: &[Api] = &[
    api!(Produce 3..=9, flexible 9, [
        all(Text), all(SHORT), all(INT), all(Array(&[all(Text), all(Array(&[all(INT), all(Blob)]))])),
    ]),
    api!(Fetch 4..=12, flexible 12, [
        all(INT), all(INT), all(INT), all(INT), all(BYTE), since(7, INT), since(7, INT),
        all(Array(&[all(Text), all(Array(&[
            all(INT), since(9, INT), all(LONG), since(12, INT), since(5, LONG), all(INT),
        ]))])),
        since(7, Array(&[all(Text), all(Items(&INT))])), since(11, Text),
    ]),
    api!(ListOffsets 1..=6, flexible 6, [
        all(INT), since(2, BYTE), all(Array(&[all(Text), all(Array(&[all(INT), since(4, INT), all(LONG)]))])),
    ]),
    api!(Metadata 0..=9, flexible 9, [all(Array(&[all(Text)])), since(4, BYTE), since(8, BYTE), since(8, BYTE)]),
    api!(OffsetCommit 2..=8, flexible 8, [
        all(Text), all(INT), all(Text), since(7, Text), span(2, 4, LONG),
        all(Array(&[all(Text), all(Array(&[all(INT), all(LONG), since(6, INT), all(Text)]))])),
    ]),
    api!(OffsetFetch 1..=7, flexible 6, [all(Text), all(Array(&[all(Text), all(Items(&INT))])), since(7, BYTE)]),
    api!(FindCoordinator 0..=3, flexible 3, [all(Text), since(1, BYTE)]),
    api!(JoinGroup 0..=7, flexible 6, [
        all(Text), all(INT), since(1, INT), all(Text), since(5, Text), all(Text), all(Array(&[all(Text), all(Blob)])),
    ]),
    api!(Heartbeat 0..=4, flexible 4, [all(Text), all(INT), all(Text), since(3, Text)]),
    api!(LeaveGroup 0..=5, flexible 4, [
        all(Text), span(0, 2, Text), since(3, Array(&[all(Text), all(Text), since(5, Text)])),
    ]),
    api!(SyncGroup 0..=5, flexible 4, [
        all(Text), all(INT), all(Text), since(3, Text), since(5, Text), since(5, Text),
        all(Array(&[all(Text), all(Blob)])),
    ]),
    api!(DescribeGroups 0..=5, flexible 5, [all(Items(&Text)), since(3, BYTE)]),
    api!(ListGroups 0..=4, flexible 3, [since(4, Items(&Text))]),
    api!(ApiVersions 0..=3, flexible 3, [since(3, Text), since(3, Text)]),
    api!(CreateTopics 2..=5, flexible 5, [
        all(Array(&[
            all(Text), all(INT), all(SHORT), all(Array(&[all(INT), all(Items(&INT))])),
            all(Array(&[all(Text), all(Text)])),
        ])),
        all(INT), all(BYTE),
    ]),
    api!(DeleteTopics 1..=5, flexible 4, [all(Items(&Text)), all(INT)]),
    api!(DeleteRecords 0..=2, flexible 2, [
        all(Array(&[all(Text), all(Array(&[all(INT), all(LONG)]))])), all(INT),
    ]),
    api!(InitProducerId 0..=4, flexible 2, [all(Text), all(INT), since(3, LONG), since(3, SHORT)]),
    api!(OffsetForLeaderEpoch 2..=4, flexible 4, [
        since(3, INT), all(Array(&[all(Text), all(Array(&[all(INT), all(INT), all(INT)]))])),
    ]),
    api!(DescribeConfigs 1..=4, flexible 4, [
        all(Array(&[all(BYTE), all(Text), all(Items(&Text))])), all(BYTE), since(3, BYTE),
    ]),
    api!(AlterConfigs 0..=2, flexible 2, [
        all(Array(&[all(BYTE), all(Text), all(Array(&[all(Text), all(Text)]))])), all(BYTE),
    ]),
    api!(CreatePartitions 0..=3, flexible 2, [
        all(Array(&[all(Text), all(INT), all(Array(&[all(Items(&INT))]))])), all(INT), all(BYTE),
    ]),
    api!(IncrementalAlterConfigs 0..=1, flexible 1, [
        all(Array(&[all(BYTE), all(Text), all(Array(&[all(Text), all(BYTE), all(Text)]))])), all(BYTE),
    ]),
];

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::messages::*;
    use kafka_protocol::protocol::{Decodable, Encodable};
    use proptest::prelude::*;

    use super::*;

    fn encoded<R: Encodable>(request: &R, version: i16) -> BytesMut {
        let mut out = BytesMut::new();
        request.encode(&mut out, version).unwrap();
        out
    }

    #[test]
    fn every_offered_version_of_an_empty_request_fits_its_shape() {
        macro_rules! check {
            ($($request:ident),*) => {$(
                let key = <$request as kafka_protocol::protocol::Request>::KEY;
                let api = Api::of(key).unwrap();
                for version in api.min..=api.max {
                    let body = encoded(&$request::default(), version);
                    assert!(api.fits(&body, version), "{:?} {version}", api.key);
                }
            )*};
        }
        check!(
            ProduceRequest,
            FetchRequest,
            ListOffsetsRequest,
            MetadataRequest,
            OffsetCommitRequest,
            OffsetFetchRequest,
            FindCoordinatorRequest,
            JoinGroupRequest,
            HeartbeatRequest,
            LeaveGroupRequest,
            SyncGroupRequest,
            DescribeGroupsRequest,
            ListGroupsRequest,
            ApiVersionsRequest,
            CreateTopicsRequest,
            DeleteTopicsRequest,
            DeleteRecordsRequest,
            InitProducerIdRequest,
            OffsetForLeaderEpochRequest,
            DescribeConfigsRequest,
            AlterConfigsRequest,
            CreatePartitionsRequest,
            IncrementalAlterConfigsRequest
        );
        assert_eq!(APIS.len(), 23);
    }

    #[test]
    fn an_announced_length_without_bytes_behind_it_does_not_fit() {
        let api = Api::of(3).unwrap();
        assert!(!api.fits(&[0x7f, 0xff, 0xff, 0xff], 1));
        assert!(!api.fits(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0], 9));
        assert!(api.fits(&[0xff, 0xff, 0xff, 0xff], 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// What fits is decoded without a panic; what does not is never decoded.
        #[test]
        fn random_bodies_never_panic(
            at in 0..APIS.len(), version in 0..10_i16, body in prop::collection::vec(prop_oneof![Just(0_u8), 0..5_u8, any::<u8>()], 0..120)
        ) {
            let api = &APIS[at];
            let version = version.clamp(api.min, api.max);
            if api.fits(&body, version) {
                let mut body = bytes::Bytes::from(body);
                RequestKind::decode(api.key, &mut body, version).ok();
            }
        }
    }

    #[test]
    fn a_fetch_with_partitions_fits_in_every_version() {
        use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
        let api = Api::of(1).unwrap();
        let partition = FetchPartition::default().with_partition_max_bytes(5);
        let topic = FetchTopic::default()
            .with_topic(TopicName("t".to_owned().into()))
            .with_partitions(vec![partition]);
        let request = FetchRequest::default().with_topics(vec![topic]);
        for version in api.min..=api.max {
            let mut body = encoded(&request, version).freeze();
            assert!(api.fits(&body, version), "{version}");
            assert_eq!(FetchRequest::decode(&mut body, version).unwrap().topics.len(), 1);
        }
    }
}
