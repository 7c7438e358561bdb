//! Producer ids: never the same twice, not even after a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::BrokerError;
use crate::log::segment::write_whole;

/// Ids are reserved on disk this many at a time.
const BLOCK: i64 = 1_000;

#[derive(Debug)]
struct Block {
    next: i64,
    reserved_to: i64,
}

#[derive(Debug)]
pub(crate) struct ProducerIds {
    path: PathBuf,
    block: Mutex<Block>,
}

impl ProducerIds {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, BrokerError> {
        let path = data_dir.join("producer-ids");
        let next = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_not_a_number| BrokerError::Corrupt {
                path: path.clone(),
                reason: "not a number".into(),
            })?,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => 0,
            Err(source) => return Err(BrokerError::storage(path, "read producer ids")(source)),
        };
        Ok(Self {
            path,
            block: Mutex::new(Block {
                next,
                reserved_to: next,
            }),
        })
    }

    pub(crate) fn next(&self) -> io::Result<i64> {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        if block.next == block.reserved_to {
            let reserved_to = block.reserved_to + BLOCK;
            write_whole(&self.path, reserved_to.to_string().as_bytes())?;
            block.reserved_to = reserved_to;
        }
        block.next += 1;
        Ok(block.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_is_given_twice_even_after_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let first = ProducerIds::open(dir.path()).unwrap();
        assert_eq!((first.next().unwrap(), first.next().unwrap()), (0, 1));
        drop(first);
        assert_eq!(ProducerIds::open(dir.path()).unwrap().next().unwrap(), BLOCK);
    }
}
