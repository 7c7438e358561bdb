//! A reject: what could not be taken, with its reason and its original bytes. Nothing disappears.

use serde::{Deserialize, Serialize};

use crate::{EventTime, Text};

/// What became of something that is no event, change or complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Of the bytes, the way in and the time: repeats of one delivery have the same.
    pub reject_id: Text,
    /// Whose, where the credential or the listener said so.
    #[serde(default)]
    pub tenant: Option<Text>,
    /// Where it came in: `http`, `sip_udp`, `sip_tcp`, `graph`, `file`, or the topic it was read from.
    pub door: Text,
    /// A word from a fixed list, for counting.
    pub reason: Text,
    /// A sentence for people.
    pub detail: String,
    /// When ingest refused it.
    pub rejected_at: EventTime,
    /// Line, offset or sequence number within what was sent.
    #[serde(default)]
    pub position: Option<i64>,
    /// `none`, or `xchacha20poly1305` with the key's id in `key_id`; a 24-byte nonce precedes the bytes.
    pub encryption: Text,
    /// Which key.
    #[serde(default)]
    pub key_id: Option<Text>,
    /// As received, or encrypted.
    #[serde(with = "bytes")]
    pub original: Vec<u8>,
}

/// Avro `bytes`; an array of numbers in JSON.
mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> de::Visitor<'de> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
