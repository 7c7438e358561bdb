//! A store in memory, which can be told to fail: for simulation.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Put, Store, StoreError};

/// How the next create goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing happens, and an error is reported.
    Before,
    /// It takes effect, and an error is reported.
    After,
    /// A create changes nothing and says that the object exists, although it does not.
    Spurious,
    /// It works.
    None,
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    faults: Mutex<VecDeque<Fault>>,
    ignores_absence: AtomicBool,
}

impl MemoryStore {
    /// The next writes go like this, one fault each; afterwards all is well.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(faults);
    }

    /// From now on a create replaces what is there, as some stores do.
    pub fn ignore_absence(&self) {
        self.ignores_absence.store(true, Ordering::Relaxed);
    }

    /// Changes an object behind everybody's back, as a defect would.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) {
        self.objects().insert(name.to_owned(), bytes.to_vec());
    }

    /// Names under a prefix, in order.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.objects()
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Fault {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
            .unwrap_or(Fault::None)
    }
}

impl Store for MemoryStore {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let fault = self.fault();
        let injected = || StoreError::new("create", name, "injected");
        match fault {
            Fault::Before => return Err(injected()),
            Fault::Spurious => return Ok(Put::Exists),
            Fault::After | Fault::None => {}
        }
        let mut objects = self.objects();
        let put = if objects.contains_key(name) && !self.ignores_absence.load(Ordering::Relaxed) {
            Put::Exists
        } else {
            objects.insert(name.to_owned(), bytes.to_vec());
            Put::Created
        };
        if fault == Fault::After {
            Err(injected())
        } else {
            Ok(put)
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.objects().get(name).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let under = format!("{prefix}/");
        let objects = self.objects();
        let direct = |name: &&String| name.strip_prefix(&under).is_some_and(|rest| !rest.contains('/'));
        Ok(objects.keys().filter(direct).cloned().collect())
    }

    fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.objects().remove(name);
        Ok(())
    }
}
