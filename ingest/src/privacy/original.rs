//! A reject's original bytes: XChaCha20-Poly1305 under a key derived from the privacy key.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};

use super::PrivacyKey;

/// The cipher's name in a reject.
const CIPHER: &str = "xchacha20poly1305";
/// Random bytes in front of what is encrypted.
const NONCE_BYTES: usize = 24;
/// What the encryption key is derived for.
const PURPOSE: &str = "reject originals 1";

/// Original bytes as they may travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `none` or the cipher.
    pub encryption: &'static str,
    /// Which key.
    pub key_id: Option<String>,
    /// As received, or a nonce and the encrypted bytes. Empty if they could not be encrypted: never plain instead.
    pub bytes: Vec<u8>,
}

/// Why sealed bytes stay sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Sealed with another key.
    #[error("sealed with key {found}, not with {ours}")]
    OtherKey {
        /// The reject's.
        found: String,
        /// The one at hand.
        ours: String,
    },
    /// Cut short or changed.
    #[error("sealed bytes are damaged")]
    Damaged,
}

impl Sealed {
    pub(super) fn plain(bytes: &[u8]) -> Self {
        Self {
            encryption: "none",
            key_id: None,
            bytes: bytes.to_vec(),
        }
    }

    pub(super) fn encrypted(key: &PrivacyKey, bytes: &[u8]) -> Self {
        Self {
            encryption: CIPHER,
            key_id: Some(key.id()),
            bytes: encrypt(key, bytes).unwrap_or_default(),
        }
    }

    /// The original bytes again.
    pub fn open(&self, key: &PrivacyKey) -> Result<Vec<u8>, SealedError> {
        if self.encryption == "none" {
            return Ok(self.bytes.clone());
        }
        let ours = key.id();
        match &self.key_id {
            Some(found) if *found != ours => Err(SealedError::OtherKey {
                found: found.clone(),
                ours,
            }),
            _ => decrypt(key, &self.bytes).ok_or(SealedError::Damaged),
        }
    }
}

fn encrypt(key: &PrivacyKey, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).ok()?;
    let cipher = XChaCha20Poly1305::new(&key.derive(PURPOSE).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), bytes).ok()?;
    Some([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &PrivacyKey, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(&key.derive(PURPOSE).into());
    cipher.decrypt(&XNonce::from(*nonce), sealed).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_open_with_their_key_only() {
        let (ours, other) = (PrivacyKey::from_bytes([1; 32]), PrivacyKey::from_bytes([2; 32]));
        let sealed = Sealed::encrypted(&ours, b"From: <sip:anna@example.org>");
        assert!(!sealed.bytes.windows(4).any(|w| w == b"anna"));
        assert_eq!(
            sealed.open(&ours).as_deref(),
            Ok(b"From: <sip:anna@example.org>".as_slice())
        );
        assert!(matches!(sealed.open(&other), Err(SealedError::OtherKey { .. })));
        let mut damaged = sealed.clone();
        *damaged.bytes.last_mut().expect("bytes") ^= 1;
        assert_eq!(damaged.open(&ours), Err(SealedError::Damaged));
        damaged.bytes.truncate(10);
        assert_eq!(damaged.open(&ours), Err(SealedError::Damaged));
    }

    #[test]
    fn the_same_bytes_are_sealed_differently_each_time() {
        let key = PrivacyKey::from_bytes([1; 32]);
        assert_ne!(Sealed::encrypted(&key, b"x").bytes, Sealed::encrypted(&key, b"x").bytes);
    }
}
