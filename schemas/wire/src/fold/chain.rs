//! The checkpoint chain: objects named by where they start, each created only if absent.
//!
//! Whoever creates the object that starts where the newest one ends has extended the chain; everybody else has lost and
//! recovers. So there is one history, however many believe that they are the only one (F-3).
//!
//! The two newest objects are kept, what is older is deleted. A writer that was asleep meanwhile can create a name that was
//! taken and is free again; so a create counts only if nothing newer stands in the chain after it. Names only ascend, and
//! one is free again only when two newer ones exist: the sleeper always sees one of them.

use std::{collections::BTreeMap, sync::Arc};

use dialtone_schemas::topic::Topic;
use serde::{Deserialize, Serialize};

use super::store::{MAX_OBJECT_BYTES, Put, Store, StoreError};
use crate::{OutRecord, Place};

/// What every object begins with; the last byte is the format's version.
const MAGIC: [u8; 4] = *b"dtc\x01";
const CHECKSUM_BYTES: usize = 16;
const GENESIS: &str = "genesis";
/// How often an ambiguous create is looked at before it is given up.
const ATTEMPTS: usize = 5;
const COMPRESSION: i32 = 1;
/// Whole objects kept: the newest, and one behind it for people.
const KEPT: usize = 2;

/// Where a fold stands, and what it still has to tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The mark it starts at; it is named by it.
    pub from: i64,
    /// The mark it ends at: where the next one starts.
    pub to: i64,
    /// The next offset wanted of each place.
    pub positions: BTreeMap<Place, i64>,
    /// The partition counts it was written under.
    pub partitions: BTreeMap<Topic, i32>,
    /// Hash of the configuration, for people.
    pub config: String,
    /// The name of the object before it.
    pub previous: Option<String>,
    /// The fold's snapshot.
    pub state: Vec<u8>,
    /// The effects of what lies between from and to.
    pub outbox: Vec<OutRecord>,
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The chain goes on with ours, under this name.
    Won(String),
    /// Another has gone on from here: discard the state and recover.
    Lost,
}

/// Why a chain cannot be read or extended.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The store does not answer; nobody knows whether the object is there.
    #[error("checkpoint store")]
    Store(#[from] StoreError),
    /// An object is not what was written. Going on without it would lose or double something.
    #[error(
        "checkpoint {name} cannot be read: {reason}. Nothing was changed; restore it, or start a new chain in another state folder"
    )]
    Corrupt {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The checkpoint cannot be written: a defect.
    #[error("checkpoint from {from} cannot be written: {reason}")]
    Write {
        /// Where it starts.
        from: i64,
        /// Why.
        reason: String,
    },
}

/// One fold's chain in a store.
#[derive(Clone, Debug)]
pub struct Chain {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Chain {
    /// The chain under a prefix.
    pub fn new(store: Arc<dyn Store>, prefix: impl Into<String>) -> Self {
        Self {
            store,
            prefix: prefix.into(),
        }
    }

    /// Where it lies.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Has anything been written yet?
    pub fn has_begun(&self) -> Result<bool, ChainError> {
        Ok(!self.store.list(&self.prefix)?.is_empty())
    }

    /// The newest checkpoint with its name; none if the chain has not begun.
    pub fn newest(&self) -> Result<Option<(String, Checkpoint)>, ChainError> {
        let mut seen = None;
        for _ in 0..ATTEMPTS {
            let Some(name) = self.store.list(&self.prefix)?.pop() else {
                return Ok(None);
            };
            match self.store.get(&name)? {
                Some(bytes) => return Ok(Some((name.clone(), decode(&name, &bytes)?))),
                // Between listing and reading, others have gone on: list again.
                None => seen = Some(name),
            }
        }
        let reason = "it is listed, and gone when it is read";
        Err(ChainError::Corrupt {
            name: seen.unwrap_or_default(),
            reason: reason.to_owned(),
        })
    }

    /// Begins the chain: an object that fixes where everything starts. Lost means that another has begun it.
    pub fn begin(&self, genesis: &Checkpoint) -> Result<Appended, ChainError> {
        self.create(format!("{}/{GENESIS}", self.prefix), genesis)
    }

    /// Extends the chain.
    pub fn append(&self, checkpoint: &Checkpoint) -> Result<Appended, ChainError> {
        self.create(format!("{}/{}", self.prefix, name_of(checkpoint.from)), checkpoint)
    }

    fn create(&self, name: String, checkpoint: &Checkpoint) -> Result<Appended, ChainError> {
        let bytes = encode(checkpoint)?;
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            match self.store.create(&name, &bytes) {
                Ok(Put::Created) => return self.unless_overtaken(name),
                Ok(Put::Exists) => {}
                Err(error) => failure = Some(error),
            }
            // Anything but "created" may be a lie or a lost answer: what lies there decides.
            match self.store.get(&name) {
                Ok(Some(found)) if found == bytes => return self.unless_overtaken(name),
                Ok(Some(_)) => return Ok(Appended::Lost),
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        let unclear = || StoreError::new("create", &name, "the store says it exists, and does not give it");
        Err(failure.unwrap_or_else(unclear).into())
    }

    /// Ours is there. Is it the newest, or were we asleep while others went on?
    fn unless_overtaken(&self, name: String) -> Result<Appended, ChainError> {
        let names = self.store.list(&self.prefix)?;
        if names.last() != Some(&name) {
            return Ok(Appended::Lost);
        }
        for old in names.iter().rev().skip(KEPT) {
            // Failing is harmless: it is deleted after the next one.
            if let Err(error) = self.store.delete(old) {
                tracing::warn!(%error, "old checkpoint keeps its space");
            }
        }
        Ok(Appended::Won(name))
    }
}

/// Names sort like marks, also below zero.
fn name_of(from: i64) -> String {
    if from < 0 {
        format!("n{:020}", from.wrapping_sub(i64::MIN).unsigned_abs())
    } else {
        format!("p{from:020}")
    }
}

fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, ChainError> {
    let failed = |reason: String| ChainError::Write {
        from: checkpoint.from,
        reason,
    };
    let plain = postcard::to_stdvec(checkpoint).map_err(|error| failed(error.to_string()))?;
    if plain.len() > MAX_OBJECT_BYTES {
        return Err(failed(format!(
            "{} bytes, at most {MAX_OBJECT_BYTES} can be read again",
            plain.len()
        )));
    }
    let body = zstd::bulk::compress(&plain, COMPRESSION).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::with_capacity(body.len() + 32);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&blake3::hash(&body).as_bytes()[..CHECKSUM_BYTES]);
    bytes.extend_from_slice(&(plain.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

fn decode(name: &str, bytes: &[u8]) -> Result<Checkpoint, ChainError> {
    let corrupt = |reason: String| ChainError::Corrupt {
        name: name.to_owned(),
        reason,
    };
    let Some((magic, rest)) = bytes.split_at_checked(MAGIC.len()) else {
        return Err(corrupt(format!("{} bytes", bytes.len())));
    };
    if magic != MAGIC {
        return Err(corrupt("not a checkpoint of this format".to_owned()));
    }
    let header = rest
        .split_at_checked(CHECKSUM_BYTES)
        .and_then(|(sum, rest)| Some((sum, rest.split_first_chunk::<8>()?)));
    let Some((sum, (len, body))) = header else {
        return Err(corrupt("torn".to_owned()));
    };
    if blake3::hash(body).as_bytes()[..CHECKSUM_BYTES] != *sum {
        return Err(corrupt("its checksum does not fit: torn or changed".to_owned()));
    }
    let len = usize::try_from(u64::from_be_bytes(*len))
        .ok()
        .filter(|len| *len <= MAX_OBJECT_BYTES);
    let len = len.ok_or_else(|| corrupt("larger than any checkpoint".to_owned()))?;
    let plain = zstd::bulk::decompress(body, len).map_err(|error| corrupt(error.to_string()))?;
    postcard::from_bytes(&plain).map_err(|error| corrupt(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::store::{Fault, MemoryStore};

    fn checkpoint(from: i64, to: i64, state: &[u8]) -> Checkpoint {
        Checkpoint {
            from,
            to,
            state: state.to_vec(),
            ..Checkpoint::default()
        }
    }

    fn chain() -> (Arc<MemoryStore>, Chain) {
        let store = Arc::new(MemoryStore::default());
        (Arc::clone(&store), Chain::new(store, "c/00000"))
    }

    #[test]
    fn names_sort_like_marks_below_zero_too_and_after_the_genesis() {
        let marks = [
            i64::MIN,
            -62_135_596_800_000_000,
            -1,
            0,
            1,
            9,
            10,
            253_402_300_799_000_000,
            i64::MAX,
        ];
        let names: Vec<_> = marks.into_iter().map(name_of).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(GENESIS < names[0].as_str());
        assert!(names.iter().all(|name| name.len() == 21));
    }

    #[test]
    fn the_newest_object_is_the_one_that_starts_last() {
        let (_, chain) = chain();
        assert!(chain.newest().unwrap().is_none());
        assert!(matches!(
            chain.begin(&checkpoint(-5, -5, b"g")).unwrap(),
            Appended::Won(_)
        ));
        for (from, to) in [(-5, -1), (-1, 100), (100, 101)] {
            assert!(matches!(
                chain.append(&checkpoint(from, to, b"s")).unwrap(),
                Appended::Won(_)
            ));
            assert_eq!(chain.newest().unwrap().unwrap().1.to, to);
        }
    }

    #[test]
    fn of_two_that_go_on_from_one_place_the_second_has_lost_unless_it_wrote_the_same() {
        let (_, chain) = chain();
        assert!(matches!(
            chain.append(&checkpoint(0, 5, b"a")).unwrap(),
            Appended::Won(_)
        ));
        assert_eq!(
            chain.append(&checkpoint(0, 7, b"b")).unwrap(),
            Appended::Lost,
            "named by where it starts, not by where it ends"
        );
        assert!(matches!(
            chain.append(&checkpoint(0, 5, b"a")).unwrap(),
            Appended::Won(_)
        ));
    }

    #[test]
    fn an_ambiguous_create_is_settled_by_what_lies_there() {
        for faults in [
            vec![Fault::Before],
            vec![Fault::After],
            vec![Fault::Spurious],
            vec![Fault::Before, Fault::Spurious, Fault::After],
        ] {
            let (store, chain) = chain();
            store.inject(faults.clone());
            assert!(
                matches!(chain.append(&checkpoint(0, 5, b"a")).unwrap(), Appended::Won(_)),
                "{faults:?}"
            );
        }
        let (store, chain) = chain();
        chain.append(&checkpoint(0, 5, b"a")).unwrap();
        store.inject([Fault::After]);
        assert_eq!(chain.append(&checkpoint(0, 6, b"b")).unwrap(), Appended::Lost);
    }

    #[test]
    fn a_store_that_never_answers_is_an_error_and_not_a_loss() {
        let (store, chain) = chain();
        store.inject([Fault::Before; ATTEMPTS]);
        assert!(matches!(
            chain.append(&checkpoint(0, 5, b"a")),
            Err(ChainError::Store(_))
        ));
    }

    #[test]
    fn two_objects_are_kept_and_a_sleeper_has_lost_although_the_name_is_free_again() {
        let (store, chain) = chain();
        chain.begin(&checkpoint(0, 0, b"g")).unwrap();
        for (from, to) in [(0, 5), (5, 9), (9, 12)] {
            let won = chain.append(&checkpoint(from, to, b"s")).unwrap();
            assert!(matches!(won, Appended::Won(_)), "{from}");
        }
        assert_eq!(
            store.names("c/"),
            [name_of(5), name_of(9)].map(|name| format!("c/00000/{name}"))
        );
        // Asleep since the beginning, and since the first object; the same bytes or others.
        assert_eq!(chain.begin(&checkpoint(0, 0, b"g")).unwrap(), Appended::Lost);
        assert_eq!(chain.append(&checkpoint(0, 5, b"s")).unwrap(), Appended::Lost);
        assert_eq!(chain.append(&checkpoint(0, 7, b"t")).unwrap(), Appended::Lost);
        assert_eq!(chain.newest().unwrap().unwrap().1.to, 12);
        // What the sleepers left goes with the next object.
        chain.append(&checkpoint(12, 20, b"s")).unwrap();
        assert_eq!(store.names("c/").len(), 2);
    }

    #[test]
    fn a_torn_or_changed_object_is_an_error_and_never_a_new_beginning() {
        let (store, chain) = chain();
        let Appended::Won(name) = chain.append(&checkpoint(0, 5, b"state")).unwrap() else {
            panic!("won")
        };
        let whole = store.get(&name).unwrap().unwrap();
        for len in 0..whole.len() {
            store.overwrite(&name, &whole[..len]);
            assert!(
                matches!(chain.newest(), Err(ChainError::Corrupt { .. })),
                "cut after {len}"
            );
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            store.overwrite(&name, &changed);
            let read = chain.newest();
            assert!(
                matches!(read, Err(ChainError::Corrupt { .. })) || read.unwrap().unwrap().1.state == b"state",
                "bit at {at}"
            );
        }
    }
}
