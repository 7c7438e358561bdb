//! What a partition remembers of idempotent producers, so that a batch sent twice is stored once.
//!
//! Per producer: its epoch and its last five batches. A batch that repeats one of them is a
//! duplicate and is answered with the offset it got the first time; one that neither repeats
//! nor follows is out of order. The state is rebuilt from the log on opening.

use std::collections::{BTreeMap, VecDeque};

use crate::batch::BatchHeader;

/// A producer may have this many batches in flight, and no more.
const REMEMBERED_BATCHES: usize = 5;
/// A producer silent for this long is forgotten.
const SILENCE_MS: i64 = 24 * 3600 * 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

#[derive(Debug, Clone)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Batch>,
    seen_at_ms: i64,
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Append,
    Duplicate { base_offset: i64 },
    OutOfOrder,
    Fenced,
}

/// The producers of one partition.
#[derive(Debug)]
pub(crate) struct ProducerStates {
    producers: BTreeMap<i64, Producer>,
    limit: usize,
}

impl ProducerStates {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            producers: BTreeMap::new(),
            limit: limit.max(1),
        }
    }

    pub(crate) fn judge(&self, batch: &BatchHeader) -> Verdict {
        if batch.producer_id < 0 {
            return Verdict::Append;
        }
        // A producer never seen, or forgotten with its records, may begin anywhere.
        let Some(known) = self.producers.get(&batch.producer_id) else {
            return Verdict::Append;
        };
        if batch.producer_epoch < known.epoch {
            return Verdict::Fenced;
        }
        if batch.producer_epoch > known.epoch {
            return if batch.base_sequence == 0 {
                Verdict::Append
            } else {
                Verdict::OutOfOrder
            };
        }
        let (first, last) = (batch.base_sequence, last_sequence(batch));
        if let Some(twin) = known
            .batches
            .iter()
            .find(|b| (b.first_sequence, b.last_sequence) == (first, last))
        {
            return Verdict::Duplicate {
                base_offset: twin.base_offset,
            };
        }
        match known.batches.back() {
            Some(previous) if first != following(previous.last_sequence, 1) => Verdict::OutOfOrder,
            _ => Verdict::Append,
        }
    }

    /// Remembers a batch that was appended (or found in the log).
    pub(crate) fn learn(&mut self, batch: &BatchHeader, now_ms: i64) {
        if batch.producer_id < 0 || batch.is_control() {
            return;
        }
        if !self.producers.contains_key(&batch.producer_id) && self.producers.len() >= self.limit {
            self.forget_longest_silent();
        }
        let known = self.producers.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED_BATCHES),
            seen_at_ms: now_ms,
        });
        if batch.producer_epoch != known.epoch {
            known.epoch = batch.producer_epoch;
            known.batches.clear();
        }
        if known.batches.len() == REMEMBERED_BATCHES {
            known.batches.pop_front();
        }
        known.batches.push_back(Batch {
            first_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch),
            base_offset: batch.base_offset,
        });
        known.seen_at_ms = now_ms;
    }

    pub(crate) fn forget_silent(&mut self, now_ms: i64) {
        self.producers
            .retain(|_, known| now_ms.saturating_sub(known.seen_at_ms) < SILENCE_MS);
    }

    fn forget_longest_silent(&mut self) {
        let silent = self
            .producers
            .iter()
            .min_by_key(|(_, known)| known.seen_at_ms)
            .map(|(id, _)| *id);
        if let Some(id) = silent {
            self.producers.remove(&id);
        }
    }
}

fn last_sequence(batch: &BatchHeader) -> i32 {
    following(batch.base_sequence, batch.last_offset_delta)
}

/// Sequences run from 0 to `i32::MAX` and then begin again.
fn following(sequence: i32, steps: i32) -> i32 {
    let beyond = i64::from(sequence) + i64::from(steps);
    i32::try_from(beyond.rem_euclid(i64::from(i32::MAX) + 1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(producer: i64, epoch: i16, sequence: i32, count: i32, offset: i64) -> BatchHeader {
        BatchHeader {
            base_offset: offset,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: producer,
            producer_epoch: epoch,
            base_sequence: sequence,
            record_count: count,
            total_bytes: 61,
        }
    }

    /// Batches of ten records, the first five at sequences and offsets 0, 10, 20, 30, 40.
    fn after(batches: i32) -> ProducerStates {
        let mut states = ProducerStates::new(10);
        for at in 0..batches {
            states.learn(&batch(7, 0, at * 10, 10, i64::from(at) * 10), 0);
        }
        states
    }

    #[test]
    fn a_repeated_batch_gets_the_offset_it_got_the_first_time() {
        let states = after(5);
        for at in 0..5 {
            let offset = i64::from(at) * 10;
            assert_eq!(
                states.judge(&batch(7, 0, at * 10, 10, 0)),
                Verdict::Duplicate { base_offset: offset }
            );
        }
    }

    #[test]
    fn the_sixth_batch_back_is_no_longer_remembered() {
        assert_eq!(after(6).judge(&batch(7, 0, 0, 10, 0)), Verdict::OutOfOrder);
    }

    #[test]
    fn the_next_sequence_is_taken_and_a_gap_is_not() {
        assert_eq!(after(2).judge(&batch(7, 0, 20, 5, 0)), Verdict::Append);
        assert_eq!(after(2).judge(&batch(7, 0, 21, 5, 0)), Verdict::OutOfOrder);
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero() {
        let mut states = ProducerStates::new(10);
        states.learn(&batch(7, 3, 0, 10, 0), 0);
        assert_eq!(states.judge(&batch(7, 2, 10, 1, 0)), Verdict::Fenced);
        assert_eq!(states.judge(&batch(7, 4, 10, 1, 0)), Verdict::OutOfOrder);
        assert_eq!(states.judge(&batch(7, 4, 0, 1, 0)), Verdict::Append);
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_largest() {
        let mut states = ProducerStates::new(10);
        states.learn(&batch(7, 0, i32::MAX - 1, 2, 0), 0);
        assert_eq!(states.judge(&batch(7, 0, 0, 1, 0)), Verdict::Append);
        states.learn(&batch(7, 0, 0, 1, 2), 0);
        assert_eq!(states.judge(&batch(7, 0, 1, 1, 0)), Verdict::Append);
    }

    #[test]
    fn a_plain_producer_is_never_judged() {
        assert_eq!(after(5).judge(&batch(-1, -1, -1, 10, 0)), Verdict::Append);
    }

    #[test]
    fn at_the_limit_the_longest_silent_is_forgotten() {
        let mut states = ProducerStates::new(2);
        for (at, id) in [(10, 1), (5, 2), (20, 3)] {
            states.learn(&batch(id, 0, 0, 1, 0), at);
        }
        assert_eq!(states.producers.keys().copied().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn silence_of_a_day_is_forgotten() {
        let mut states = after(1);
        states.forget_silent(SILENCE_MS - 1);
        assert_eq!(states.producers.len(), 1);
        states.forget_silent(SILENCE_MS);
        assert!(states.producers.is_empty());
    }
}
