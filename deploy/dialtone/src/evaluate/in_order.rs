//! Runs end in any order, and are told of in theirs.

use std::collections::BTreeMap;

/// What waits for its turn.
#[derive(Debug)]
pub(super) struct InOrder<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
        }
    }
}

impl<T> InOrder<T> {
    /// Something with its place, each place once: all whose turn it is now.
    pub(super) fn put(&mut self, place: usize, what: T) -> Vec<T> {
        self.waiting.insert(place, what);
        let mut turn = Vec::new();
        while let Some(what) = self.waiting.remove(&self.next) {
            turn.push(what);
            self.next += 1;
        }
        turn
    }

    /// What still waits, in order: what it waits for will not come.
    pub(super) fn rest(self) -> Vec<T> {
        self.waiting.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_too_early_waits_for_its_turn() {
        let mut order = InOrder::default();
        assert_eq!(order.put(1, "b"), [""; 0]);
        assert_eq!(order.put(0, "a"), ["a", "b"]);
        assert_eq!(order.put(2, "c"), ["c"]);
        assert_eq!(order.put(4, "e"), [""; 0]);
        assert_eq!(order.rest(), ["e"], "the fourth has failed");
    }
}
