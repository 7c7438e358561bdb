//! What is remembered of events and call-ends, for a bounded stretch of event time and in a bounded number.

use std::collections::BTreeMap;

use dialtone_schemas::EventTime;
use serde::{Deserialize, Serialize};

/// A map whose entries expire by event time. When it is full, what expires first is forgotten first, and counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory<V> {
    entries: BTreeMap<u128, (EventTime, V)>,
    by_expiry: BTreeMap<(EventTime, u128), ()>,
    forgotten: u64,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_expiry: BTreeMap::new(),
            forgotten: 0,
        }
    }
}

impl<V> Memory<V> {
    /// What is remembered under a key.
    pub fn get(&self, key: u128) -> Option<&V> {
        self.entries.get(&key).map(|(_, value)| value)
    }

    /// What is remembered under a key, to be changed.
    pub fn get_mut(&mut self, key: u128) -> Option<&mut V> {
        self.entries.get_mut(&key).map(|(_, value)| value)
    }

    /// Remembers a value until `expiry`, making room if there are `limit` already.
    pub fn put(&mut self, key: u128, value: V, expiry: EventTime, limit: usize) {
        self.remove(key);
        while self.entries.len() >= limit.max(1) {
            let Some(((_, oldest), ())) = self.by_expiry.pop_first() else {
                break;
            };
            self.entries.remove(&oldest);
            self.forgotten += 1;
        }
        self.entries.insert(key, (expiry, value));
        self.by_expiry.insert((expiry, key), ());
    }

    /// Forgets one key.
    pub fn remove(&mut self, key: u128) -> Option<V> {
        let (expiry, value) = self.entries.remove(&key)?;
        self.by_expiry.remove(&(expiry, key));
        Some(value)
    }

    /// Forgets everything whose time has come.
    pub fn expire(&mut self, now: EventTime) {
        while let Some(((expiry, key), ())) = self.by_expiry.first_key_value().map(|(k, ())| (*k, ())) {
            if expiry > now {
                return;
            }
            self.by_expiry.pop_first();
            self.entries.remove(&key);
        }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is nothing remembered?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many were forgotten before their time.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> EventTime {
        EventTime::from_micros(second * 1_000_000)
    }

    #[test]
    fn an_entry_lives_until_its_time_and_not_a_tick_longer() {
        let mut memory = Memory::default();
        memory.put(1, "a", at(10), 100);
        memory.put(2, "b", at(20), 100);
        memory.put(1, "a again", at(30), 100);
        memory.expire(at(20));
        assert_eq!(
            (memory.get(1), memory.get(2), memory.len()),
            (Some(&"a again"), None, 1)
        );
    }

    #[test]
    fn a_full_memory_forgets_what_would_expire_first_and_says_so() {
        let mut memory = Memory::default();
        for key in 0..5u128 {
            memory.put(key, (), at(10 - i64::try_from(key).expect("small")), 3);
        }
        assert_eq!((memory.len(), memory.forgotten()), (3, 2));
        assert!(
            memory.get(0).is_some() && memory.get(4).is_some(),
            "key 2 and 3 went: they expired first when room was made"
        );
    }
}
