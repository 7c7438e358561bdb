//! A store in any object store that honours create-if-absent: for chains shared by several machines.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, path::Path};
use tokio::runtime::Handle;

use super::{MAX_OBJECT_BYTES, Put, Store, StoreError};

/// An object store behind the blocking [`Store`]. Call it from threads of its own, not from async code.
#[derive(Debug)]
pub struct RemoteStore {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
}

impl RemoteStore {
    /// A store whose requests run on this runtime.
    pub fn new(store: Arc<dyn ObjectStore>, runtime: Handle) -> Self {
        Self { store, runtime }
    }
}

impl Store for RemoteStore {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        const DOING: &str = "create";
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(StoreError::new(
                DOING,
                name,
                format!("{} bytes: at most {MAX_OBJECT_BYTES}", bytes.len()),
            ));
        }
        let payload = PutPayload::from(bytes.to_vec());
        match self
            .runtime
            .block_on(self.store.put_opts(&Path::from(name), payload, PutMode::Create.into()))
        {
            Ok(_) => Ok(Put::Created),
            Err(Error::AlreadyExists { .. }) => Ok(Put::Exists),
            Err(error) => Err(StoreError::new(DOING, name, error)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self
            .runtime
            .block_on(async { self.store.get(&Path::from(name)).await?.bytes().await });
        match read {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::new("read", name, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let path = Path::from(prefix);
        let listed = self.runtime.block_on(async {
            let mut names = Vec::new();
            let mut objects = self.store.list(Some(&path));
            while let Some(object) = objects.try_next().await? {
                let name = object.location.as_ref();
                let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
                if rest.is_some_and(|rest| !rest.contains('/')) {
                    names.push(name.to_owned());
                }
            }
            names.sort_unstable();
            Ok::<_, Error>(names)
        });
        listed.map_err(|error| StoreError::new("list", prefix, error))
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.runtime.block_on(self.store.delete(&Path::from(name))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::new("delete", name, error)),
        }
    }
}
