//! Where checkpoints are kept: a store that creates an object only if it is absent.

mod folder;
mod memory;
mod remote;

pub use folder::FolderStore;
pub use memory::{Fault, MemoryStore};
pub use remote::RemoteStore;

/// Largest object taken. A fold's state is far below; what is larger is a defect.
pub const MAX_OBJECT_BYTES: usize = 1024 * 1024 * 1024;

/// What a create did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The object is there now, with these bytes.
    Created,
    /// There was one already; nothing was changed.
    Exists,
}

/// The store did not do as asked; after a create nobody knows whether it took effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing} {name}: {reason}")]
pub struct StoreError {
    /// What was attempted.
    pub doing: &'static str,
    /// With which object.
    pub name: String,
    /// Why it failed.
    pub reason: String,
}

impl StoreError {
    pub(crate) fn new(doing: &'static str, name: &str, reason: impl ToString) -> Self {
        Self {
            doing,
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// A store of whole objects. Names have parts separated by `/`. It may block.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Creates an object if there is none of this name. When it says created, the object survives a power loss.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError>;

    /// An object's bytes.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// The whole names directly under a prefix, in order. What was created before is among them.
    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError>;

    /// Removes an object; there being none is as good.
    fn delete(&self, name: &str) -> Result<(), StoreError>;
}

/// Does this store really create only what is absent? Some that call themselves compatible do not, and two writers would
/// both believe that they have won.
pub fn probe(store: &dyn Store) -> Result<(), StoreError> {
    const NAME: &str = "probe/create-if-absent";
    store.create(NAME, b"probe")?;
    match store.create(NAME, b"another")? {
        Put::Exists => {}
        Put::Created => {
            let reason = "the store created an object that was there already: checkpoints would not be safe on it";
            return Err(StoreError::new("probe", NAME, reason));
        }
    }
    match store.get(NAME)? {
        Some(bytes) if bytes == b"probe" => Ok(()),
        _ => Err(StoreError::new(
            "probe",
            NAME,
            "the store does not give back what was created",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What every store must do.
    fn suite(store: &dyn Store) {
        assert_eq!(store.list("a").unwrap(), [""; 0]);
        assert_eq!(store.get("a/1").unwrap(), None);
        assert_eq!(store.create("a/1", b"one").unwrap(), Put::Created);
        assert_eq!(
            store.create("a/1", b"two").unwrap(),
            Put::Exists,
            "nothing is replaced by a create"
        );
        assert_eq!(store.get("a/1").unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(store.create("a/3", b"three").unwrap(), Put::Created);
        assert_eq!(store.create("a/2", b"").unwrap(), Put::Created);
        assert_eq!(store.create("a/9/9", b"deeper").unwrap(), Put::Created);
        assert_eq!(store.create("b/4", b"other").unwrap(), Put::Created);
        assert_eq!(
            store.list("a").unwrap(),
            ["a/1", "a/2", "a/3"],
            "in order, only what is directly under the prefix"
        );
        store.delete("a/2").unwrap();
        store.delete("a/2").unwrap();
        assert_eq!(store.list("a").unwrap(), ["a/1", "a/3"]);
        assert_eq!(store.create("a/2", b"again").unwrap(), Put::Created);
        probe(store).unwrap();
        probe(store).unwrap();
    }

    #[test]
    fn the_folder_does_what_a_store_must() {
        let dir = tempfile::tempdir().unwrap();
        suite(&FolderStore::open(dir.path()).unwrap());
        let again = FolderStore::open(dir.path()).unwrap();
        assert_eq!(again.get("b/4").unwrap().as_deref(), Some(&b"other"[..]));
    }

    #[test]
    fn the_memory_does_what_a_store_must() {
        suite(&MemoryStore::default());
    }

    #[test]
    fn an_object_store_does_what_a_store_must() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let store = std::sync::Arc::new(object_store::memory::InMemory::new());
        suite(&RemoteStore::new(store, runtime.handle().clone()));
    }

    #[test]
    fn of_many_writers_of_one_name_exactly_one_creates_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::open(dir.path()).unwrap();
        let put = |n: usize| store.create("race/1", format!("{n}").as_bytes()).unwrap();
        let won = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|n| scope.spawn(move || put(n))).collect();
            writers
                .into_iter()
                .map(|w| w.join().unwrap())
                .filter(|p| *p == Put::Created)
                .count()
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn a_store_that_ignores_create_if_absent_is_refused_at_start() {
        let store = MemoryStore::default();
        store.ignore_absence();
        assert!(probe(&store).unwrap_err().reason.contains("not be safe"));
    }
}
