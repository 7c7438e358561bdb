//! The offset ledger: which offset of a partition may be committed when work finishes in any order.

use std::collections::BTreeMap;

/// Offsets being worked on at once, unless told otherwise. At the bound, [`OffsetLedger::begin`] says so and the reader waits.
pub const MAX_OPEN: usize = 100_000;

/// What happened to an offset that was to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is being worked on.
    Open,
    /// It was begun before, or lies below what is committed: a repeat.
    Repeat,
    /// Too many are open: finish some first.
    Full,
}

/// The offsets of one partition that are being worked on.
///
/// Offsets may have holes (compaction, control records): what counts is the next position, never a number of records.
#[derive(Clone, Debug)]
pub struct OffsetLedger {
    /// Begun offsets; true when finished but held back by a lower one.
    open: BTreeMap<i64, bool>,
    /// The next offset to be begun.
    next: i64,
    bound: usize,
}

impl OffsetLedger {
    /// A ledger of a partition that is read from `next` on.
    pub const fn new(next: i64, bound: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            next,
            bound,
        }
    }

    /// Work on an offset begins. Offsets begin in rising order.
    pub fn begin(&mut self, offset: i64) -> Begun {
        if offset < self.next {
            return Begun::Repeat;
        }
        if self.open.len() >= self.bound {
            return Begun::Full;
        }
        self.open.insert(offset, false);
        self.next = offset + 1;
        Begun::Open
    }

    /// Work on an offset is finished, in whatever order. True if it was open.
    pub fn finish(&mut self, offset: i64) -> bool {
        let Some(finished) = self.open.get_mut(&offset) else {
            return false;
        };
        let was_open = !std::mem::replace(finished, true);
        while self.open.first_key_value().is_some_and(|(_, finished)| *finished) {
            self.open.pop_first();
        }
        was_open
    }

    /// The offset that may be committed: the lowest still being worked on, or the one after the last begun. Never later
    /// than that, whatever finishes first (F-2).
    pub fn committable(&self) -> i64 {
        self.open.first_key_value().map_or(self.next, |(offset, _)| *offset)
    }

    /// Offsets begun and not released yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// F-2: finishing 12 before 11 must not release 11.
    #[test]
    fn work_finished_out_of_order_holds_the_commit_back() {
        let mut ledger = OffsetLedger::new(10, MAX_OPEN);
        for offset in [10, 11, 12] {
            assert_eq!(ledger.begin(offset), Begun::Open);
        }
        assert!(ledger.finish(10) && ledger.finish(12));
        assert_eq!(ledger.committable(), 11);
        assert!(ledger.finish(11));
        assert_eq!(ledger.committable(), 13);
        assert_eq!(ledger.begin(12), Begun::Repeat);
    }

    #[test]
    fn the_ledger_is_full_at_its_bound_and_goes_on_when_something_is_finished() {
        let mut ledger = OffsetLedger::new(0, 2);
        assert_eq!(
            (ledger.begin(0), ledger.begin(5), ledger.begin(6)),
            (Begun::Open, Begun::Open, Begun::Full)
        );
        ledger.finish(0);
        assert_eq!(ledger.begin(6), Begun::Open);
    }

    proptest! {
        /// F-2, against a model that looks at everything every time.
        #[test]
        fn the_committable_offset_is_what_a_slow_model_says(steps in prop::collection::vec((any::<bool>(), 0_i64..40), 0..200)) {
            let mut ledger = OffsetLedger::new(3, 16);
            let (mut begun, mut finished, mut next) = (BTreeSet::new(), BTreeSet::new(), 3);
            for (begins, by) in steps {
                if begins {
                    let offset = by / 4 + next - 2;
                    let lowest = begun.iter().find(|o| !finished.contains(*o)).copied();
                    let held = begun.iter().filter(|o| lowest.is_some_and(|l| **o >= l)).count();
                    let expected = if offset < next { Begun::Repeat } else if held >= 16 { Begun::Full } else { Begun::Open };
                    prop_assert_eq!(ledger.begin(offset), expected);
                    if expected == Begun::Open {
                        begun.insert(offset);
                        next = offset + 1;
                    }
                } else {
                    let expected = begun.contains(&by) && finished.insert(by);
                    prop_assert_eq!(ledger.finish(by), expected);
                }
                let model = begun.iter().find(|o| !finished.contains(*o)).copied().unwrap_or(next);
                prop_assert_eq!(ledger.committable(), model);
            }
        }
    }
}
