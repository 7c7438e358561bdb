//! A compacted topic keeps one word on each key, the last: it must be the fold's own. Whoever was asleep while another went on
//! with its chain may still send an old outbox, behind everything newer; so a stage reads its own topic back, and where the
//! last word on a key is older than what it has said and seen acknowledged, it says that again.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{LogRecord, OutRecord, Place, consume::Consumer};

/// What is to be said again, if this record is older than the fold's own last word on its key.
pub type LastWord<F> = Box<dyn Fn(&F, &LogRecord) -> Option<OutRecord> + Send>;

/// Keys held before they are looked at, wherever the log's end is.
const MAX_KEYS: usize = 10_000;
/// Records taken of one partition in one turn.
const TURN: usize = 2_000;

/// A stage's own topic as it is read back.
#[derive(Debug)]
pub(crate) struct Echo {
    positions: BTreeMap<Place, i64>,
    last: BTreeMap<Bytes, LogRecord>,
}

impl Echo {
    /// Reads these places from these offsets on.
    pub(crate) const fn new(positions: BTreeMap<Place, i64>) -> Self {
        Self {
            positions,
            last: BTreeMap::new(),
        }
    }

    /// Where reading goes on.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Place, i64)> + '_ {
        self.positions.iter().map(|(place, next)| (*place, *next))
    }

    /// Takes what has come. Of each key only the last record counts.
    pub(crate) fn read(&mut self, consumer: &mut Consumer) {
        for (place, next) in &mut self.positions {
            for _ in 0..TURN {
                if self.last.len() >= MAX_KEYS {
                    return;
                }
                let Some(record) = consumer.take(*place) else { break };
                *next = record.offset + 1;
                self.last.insert(record.key.clone(), record);
            }
        }
    }

    /// What is to be said again. To be asked only while everything the fold has said is acknowledged, so that its own last
    /// word cannot still be on its way; and at the end of the log, since the word behind may put it right. What is said again
    /// stays held until it is read back.
    pub(crate) fn contradict(
        &mut self,
        consumer: &Consumer,
        last_word: impl Fn(&LogRecord) -> Option<OutRecord>,
    ) -> Vec<OutRecord> {
        let whole = self.positions.keys().all(|place| consumer.at_end(*place));
        if !whole && self.last.len() < MAX_KEYS {
            return Vec::new();
        }
        let mut again = Vec::new();
        self.last.retain(|_, record| {
            let said = last_word(record);
            let held = said.is_some();
            again.extend(said);
            held
        });
        again
    }
}
