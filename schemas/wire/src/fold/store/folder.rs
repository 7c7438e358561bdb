//! A store in a local folder, made for surviving a power loss.
//!
//! An object is written beside, forced to disk, and then linked to its name: a link is made only if the name is free, so
//! creating is atomic, and what has a name is whole. object_store's own folder links first and never forces anything to
//! disk; after a power loss an empty object would block the chain.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use super::{MAX_OBJECT_BYTES, Put, Store, StoreError};

const STAGING: &str = ".staging";
/// What a dead process left in staging is removed after this time.
const STALE: Duration = Duration::from_secs(3600);

/// A folder on a file system with hard links.
#[derive(Debug)]
pub struct FolderStore {
    root: PathBuf,
    staged: AtomicU64,
}

impl FolderStore {
    /// Opens the folder, and makes it if need be.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let staging = root.join(STAGING);
        let failed = |error| StoreError::new("open folder", &root.display().to_string(), error);
        fs::create_dir_all(&staging).map_err(failed)?;
        sync_dir(&root).map_err(failed)?;
        let now = SystemTime::now();
        for entry in fs::read_dir(&staging).map_err(failed)?.flatten() {
            let modified = entry.metadata().and_then(|data| data.modified());
            let stale = modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > STALE));
            if stale && let Err(error) = fs::remove_file(entry.path()) {
                tracing::debug!(%error, "stale staging file");
            }
        }
        Ok(Self {
            root,
            staged: AtomicU64::new(0),
        })
    }

    fn path(&self, doing: &'static str, name: &str) -> Result<PathBuf, StoreError> {
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']);
        if name.split('/').all(plain) {
            Ok(self.root.join(name))
        } else {
            Err(StoreError::new(doing, name, "not a name for an object"))
        }
    }

    /// Writes the bytes under a name of our own and forces them to disk.
    fn stage(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let nanos = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos());
        let path = self
            .root
            .join(STAGING)
            .join(format!("{}-{nanos}-{number}", std::process::id()));
        let mut file = File::create_new(&path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if let Err(error) = written {
            remove(&path);
            return Err(error);
        }
        Ok(path)
    }

    /// Makes the folder of an object, each new level forced to disk.
    fn parent(&self, path: &Path) -> io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        if !parent.try_exists()? {
            fs::create_dir_all(&parent)?;
            for level in parent.ancestors().take_while(|level| level.starts_with(&self.root)) {
                sync_dir(level)?;
            }
        }
        Ok(parent)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::debug!(%error, path = %path.display(), "staging file");
    }
}

impl Store for FolderStore {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        const DOING: &str = "create";
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(StoreError::new(
                DOING,
                name,
                format!("{} bytes: at most {MAX_OBJECT_BYTES}", bytes.len()),
            ));
        }
        let path = self.path(DOING, name)?;
        let failed = |error: io::Error| StoreError::new(DOING, name, error);
        let parent = self.parent(&path).map_err(failed)?;
        let staged = self.stage(bytes).map_err(failed)?;
        let linked = fs::hard_link(&staged, &path);
        remove(&staged);
        match linked {
            Ok(()) => {
                sync_dir(&parent).map_err(failed)?;
                Ok(Put::Created)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Exists),
            Err(error) => Err(failed(error)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path("read", name)?) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::new("read", name, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        const DOING: &str = "list";
        let failed = |error: io::Error| StoreError::new(DOING, prefix, error);
        let entries = match fs::read_dir(self.path(DOING, prefix)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let (Some(name), true) = (entry.file_name().to_str(), entry.file_type().map_err(failed)?.is_file()) {
                names.push(format!("{prefix}/{name}"));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path("delete", name)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::new("delete", name, error)),
            _ => Ok(()),
        }
    }
}
