//! The lattice of scopes: the sets of attributes, and the cells that the rows of a table fall into by the values of each.

use rustc_hash::FxHashMap;

use crate::table::{Codes, Condition};

/// Keys of few bits are places in an array: of four thousand cells at least, a quarter of a million at most, and else about four
/// times as many as there are rows. A larger one would cost more to touch than a map.
const DENSE_BITS: std::ops::RangeInclusive<u32> = 12..=18;

/// All sets of one to `depth` attributes, smaller ones first.
pub(crate) fn sets(attributes: usize, depth: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = (0..attributes).map(|a| vec![a]).collect();
    let mut last = all.clone();
    for _ in 1..depth.min(attributes) {
        last = last
            .iter()
            .flat_map(|set| {
                let next = set.last().map_or(0, |a| a + 1);
                (next..attributes).map(|a| set.iter().copied().chain([a]).collect())
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Do the values of some attributes fit into 64 bits, each in as many as it needs?
pub(crate) fn fits(codes: &Codes, attributes: &[usize]) -> bool {
    Packing::new(codes, attributes).is_some()
}

/// How the values of some attributes become one number, and back: side by side, each in as many bits as it needs.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    attributes: Vec<usize>,
    bits: Vec<u32>,
}

impl Packing {
    /// None where the values need more than 64 bits.
    pub(crate) fn new(codes: &Codes, attributes: &[usize]) -> Option<Self> {
        let bits: Vec<u32> = attributes
            .iter()
            .map(|a| u32::BITS - codes.cardinality(*a).leading_zeros())
            .collect();
        (bits.iter().sum::<u32>() <= u64::BITS).then(|| Self {
            attributes: attributes.to_vec(),
            bits,
        })
    }

    fn total_bits(&self) -> u32 {
        self.bits.iter().sum()
    }

    /// None where one of the values is unknown.
    fn key(&self, codes: &[u32]) -> Option<u64> {
        let mut key = 0;
        for (attribute, bits) in self.attributes.iter().zip(&self.bits) {
            let code = codes[*attribute];
            if code == 0 {
                return None;
            }
            key = key << bits | u64::from(code);
        }
        Some(key)
    }

    pub(crate) fn conditions(&self, mut key: u64) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = Vec::with_capacity(self.attributes.len());
        for (attribute, bits) in self.attributes.iter().zip(&self.bits).rev() {
            #[allow(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
            let code = (key & ((1 << bits) - 1)) as u32;
            key = key.checked_shr(*bits).unwrap_or(0);
            conditions.push(Condition {
                attribute: *attribute,
                code,
            });
        }
        conditions.reverse();
        conditions
    }
}

/// The sums of one cell.
pub(crate) trait Cell: Copy + Default {
    /// Has no row been added to it? One that was is never empty again.
    fn is_empty(&self) -> bool;
}

/// The cells of one cuboid: an array where their keys are short enough, else a map. It is filled again and again.
#[derive(Debug, Default)]
pub(crate) struct Cells<C> {
    dense: Vec<C>,
    /// The keys that hold something, where the array is used.
    touched: Vec<u64>,
    sparse: FxHashMap<u64, C>,
}

impl<C: Cell> Cells<C> {
    /// Sums rows by their values; `add` adds one row to its cell.
    pub(crate) fn fill(
        &mut self,
        codes: &Codes,
        packing: &Packing,
        rows: impl Iterator<Item = usize>,
        mut add: impl FnMut(&mut C, usize),
    ) {
        self.clear();
        let bits_of_rows = (4 * codes.len()).next_power_of_two().trailing_zeros();
        let is_dense = packing.total_bits() <= bits_of_rows.clamp(*DENSE_BITS.start(), *DENSE_BITS.end());
        if is_dense && self.dense.len() < 1 << packing.total_bits() {
            self.dense.resize(1 << packing.total_bits(), C::default());
        }
        for row in rows {
            let Some(key) = packing.key(codes.of(row)) else {
                continue;
            };
            if is_dense {
                let cell = &mut self.dense[index(key)];
                if cell.is_empty() {
                    self.touched.push(key);
                }
                add(cell, row);
            } else {
                add(self.sparse.entry(key).or_default(), row);
            }
        }
    }

    fn clear(&mut self) {
        for key in self.touched.drain(..) {
            self.dense[index(key)] = C::default();
        }
        self.sparse.clear();
    }

    /// The cells that hold something, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &C)> {
        let dense = self.touched.iter().map(|key| (*key, &self.dense[index(*key)]));
        #[allow(
            clippy::iter_over_hash_type,
            reason = "whoever reads them puts them into a total order"
        )]
        let sparse = self.sparse.iter().map(|(key, cell)| (*key, cell));
        dense.chain(sparse)
    }

    /// How many hold something.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52 cells")]
    pub(crate) fn count(&self) -> f64 {
        (self.touched.len() + self.sparse.len()) as f64
    }
}

/// Where a key lies in the array; only keys of few bits do.
#[allow(clippy::cast_possible_truncation, reason = "fewer than 32 bits")]
const fn index(key: u64) -> usize {
    key as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_attributes_have_ten_sets_of_at_most_two() {
        let sets = sets(4, 2);
        assert_eq!(sets.len(), 4 + 6);
        assert_eq!(
            (sets[0].clone(), sets[4].clone(), sets[9].clone()),
            (vec![0], vec![0, 1], vec![2, 3])
        );
        assert_eq!(super::sets(3, 9).len(), 7, "no deeper than there are attributes");
    }

    proptest::proptest! {
        #[test]
        fn what_is_packed_is_unpacked(a in 1u32..=u32::MAX, b in 1u32..1000, c in 1u32..3) {
            let mut codes = Codes::new(3);
            codes.push(&[a, b, c]);
            let all = Packing::new(&codes, &[0, 1, 2]).expect("at most 44 bits");
            let key = all.key(codes.of(0)).expect("known");
            let unpacked: Vec<u32> = all.conditions(key).iter().map(|condition| condition.code).collect();
            proptest::prop_assert_eq!(unpacked, vec![a, b, c]);
        }
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut codes = Codes::new(3);
        codes.push(&[u32::MAX, u32::MAX, 1]);
        assert!(Packing::new(&codes, &[0, 1]).is_some());
        assert!(Packing::new(&codes, &[0, 1, 2]).is_none());
    }
}
