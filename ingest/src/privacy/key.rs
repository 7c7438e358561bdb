//! The privacy key: 32 random bytes from a file that only the service may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of the key.
const BYTES: usize = 32;

/// Everything keyed is derived from this. There is no way to print it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "a secret has no way to be printed")]
pub struct PrivacyKey([u8; BYTES]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or created.
    #[error("privacy key {}: cannot be {doing}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `read`, `created`.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Not 64 hex digits.
    #[error("privacy key {}: expected 64 hex digits", path.display())]
    Format {
        /// Which.
        path: PathBuf,
    },
    /// Other users may read it.
    #[error("privacy key {}: others may read it (mode {mode:o}): expected 600", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system has no random numbers.
    #[error("privacy key: no random numbers")]
    Random,
}

impl PrivacyKey {
    /// A key from bytes, as tests and `replay` have them.
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// A key that nobody has seen before.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|_said_already| KeyError::Random)?;
        Ok(Self(bytes))
    }

    /// The key of a file; at the first start there is none, and one is generated (mode 600, synced to disk).
    pub fn read_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::read(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Self::create(path),
            read => read,
        }
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            doing: "read",
            source,
        };
        let text = fs::read_to_string(path).map_err(failed)?;
        refuse_exposed(path, &fs::metadata(path).map_err(failed)?)?;
        let mut bytes = [0; BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|_said_already| KeyError::Format { path: path.to_owned() })?;
        Ok(Self(bytes))
    }

    /// Written beside and linked into place: of two first starts, one wins and both use its key.
    fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            doing: "created",
            source,
        };
        let key = Self::generate()?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", key.id()));
        let beside = PathBuf::from(beside);
        write_private(&beside, &hex::encode(key.0)).map_err(failed)?;
        let linked = fs::hard_link(&beside, path);
        fs::remove_file(&beside).map_err(failed)?;
        match linked {
            Ok(()) => {
                let folder = path
                    .parent()
                    .filter(|p| !p.as_os_str().is_empty())
                    .unwrap_or(Path::new("."));
                File::open(folder)
                    .and_then(|folder| folder.sync_all())
                    .map_err(failed)?;
                Ok(key)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// Names the key without revealing it.
    pub fn id(&self) -> String {
        format!("{:032x}", self.token("key-id", &[])).split_off(16)
    }

    /// 128 bits of a keyed HMAC-SHA256 over what these parts say together, in one domain.
    pub(crate) fn token(&self, domain: &str, parts: &[&str]) -> u128 {
        let mut mac = self.mac();
        for part in std::iter::once(&domain).chain(parts) {
            add(&mut mac, part.as_bytes());
        }
        shortened(mac)
    }

    /// The same over parts and bytes.
    pub(super) fn token_of_bytes(&self, domain: &str, parts: &[&str], bytes: &[u8]) -> u128 {
        let mut mac = self.mac();
        for part in std::iter::once(&domain).chain(parts) {
            add(&mut mac, part.as_bytes());
        }
        add(&mut mac, bytes);
        shortened(mac)
    }

    /// A key for another purpose, that says nothing of this one.
    pub(super) fn derive(&self, purpose: &str) -> [u8; BYTES] {
        let mut mac = self.mac();
        mac.update(b"derive ");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn mac(&self) -> Hmac<Sha256> {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of every length")]
        Hmac::new_from_slice(&self.0).expect("a key of 32 bytes")
    }
}

/// Length first, so that ("ab","c") is not ("a","bc").
fn add(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_be_bytes());
    mac.update(part);
}

fn shortened(mac: Hmac<Sha256>) -> u128 {
    let mut token = [0; 16];
    token.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    u128::from_be_bytes(token)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyError::Exposed {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_creates_a_private_key_and_the_second_reads_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("privacy.key");
        let first = PrivacyKey::read_or_create(&path).expect("created");
        let second = PrivacyKey::read_or_create(&path).expect("read");
        assert_eq!(first.0, second.0);
        assert_eq!(
            fs::read_dir(dir.path()).expect("a folder").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("privacy.key");
        PrivacyKey::read_or_create(&path).expect("created");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
        assert!(matches!(
            PrivacyKey::read_or_create(&path),
            Err(KeyError::Exposed { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        fs::write(&path, "short").expect("written");
        assert!(matches!(
            PrivacyKey::read_or_create(&path),
            Err(KeyError::Format { .. })
        ));
    }

    #[test]
    fn tokens_differ_by_key_domain_and_part_boundaries() {
        let (a, b) = (PrivacyKey::from_bytes([1; 32]), PrivacyKey::from_bytes([2; 32]));
        assert_ne!(a.token("user", &["x"]), b.token("user", &["x"]));
        assert_ne!(a.token("user", &["x"]), a.token("call", &["x"]));
        assert_ne!(a.token("user", &["ab", "c"]), a.token("user", &["a", "bc"]));
        assert_eq!(a.token("user", &["ab", "c"]), a.token("user", &["ab", "c"]));
    }
}
