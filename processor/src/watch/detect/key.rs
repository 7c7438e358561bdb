//! Which cell: one or two conditions in one number; none is everything.

use dialtone_explain::Condition;
use serde::{Deserialize, Serialize};

/// A cell: one or two conditions, packed as `attribute+1, code, attribute+1, code` (5, 27, 5, 27 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey(u64);

impl CellKey {
    /// The cell of all calls.
    pub(super) const EVERYTHING: Self = Self(0);

    fn one(attribute: usize, code: u32) -> u64 {
        (attribute as u64 + 1) << 27 | u64::from(code & 0x07ff_ffff)
    }

    /// The cell of one or two conditions, the attributes in their order.
    pub fn of(a: (usize, u32), b: Option<(usize, u32)>) -> Self {
        Self(Self::one(a.0, a.1) << 32 | b.map_or(0, |b| Self::one(b.0, b.1)))
    }

    /// The cell's conditions.
    pub fn conditions(self) -> Vec<Condition> {
        [self.0 >> 32, self.0 & 0xffff_ffff]
            .into_iter()
            .filter(|half| *half != 0)
            .map(|half| {
                #[allow(clippy::cast_possible_truncation, reason = "5 and 27 bits")]
                let (attribute, code) = ((half >> 27) as usize - 1, (half & 0x07ff_ffff) as u32);
                Condition { attribute, code }
            })
            .collect()
    }

    /// Has it two?
    pub(super) const fn is_pair(self) -> bool {
        self.0 & 0xffff_ffff != 0
    }

    /// Its attributes without their values.
    pub(super) fn cuboid(self) -> Cuboid {
        #[allow(clippy::cast_possible_truncation, reason = "two times 5 bits")]
        let cuboid = ((self.0 >> 59) << 5 | (self.0 >> 27 & 31)) as u16;
        Cuboid(cuboid)
    }
}

/// Which attributes: one or two of them, the first in the upper five bits, each by its position and one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Cuboid(u16);

impl Cuboid {
    /// That of no attribute: its one cell has all calls.
    pub(super) const EVERYTHING: Self = Self(0);

    /// Of one attribute or two.
    pub(super) fn of(a: usize, b: Option<usize>) -> Self {
        let (first, second) = b.map_or((a, None), |b| (a.min(b), Some(a.max(b))));
        let second = second.map_or(0, |second| second + 1);
        Self(u16::try_from(((first + 1) << 5) | second).unwrap_or(0))
    }

    /// The cuboids of each of its two attributes alone.
    pub(super) const fn halves(self) -> Option<[Self; 2]> {
        match self.0 & 31 {
            0 => None,
            second => Some([Self(self.0 & !31), Self(second << 5)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_names_its_conditions() {
        let key = CellKey::of((0, 7), Some((13, 90_000)));
        let expected = [
            Condition { attribute: 0, code: 7 },
            Condition {
                attribute: 13,
                code: 90_000,
            },
        ];
        assert_eq!(key.conditions(), expected);
        assert_eq!(CellKey::of((6, 1), None).conditions().len(), 1);
        assert_eq!(CellKey::EVERYTHING.conditions(), []);
    }

    #[test]
    fn a_cell_lies_in_the_cuboid_of_its_attributes() {
        assert_eq!(CellKey::of((0, 7), Some((13, 9))).cuboid(), Cuboid::of(13, Some(0)));
        assert_eq!(CellKey::of((6, 1), None).cuboid(), Cuboid::of(6, None));
        assert_eq!(CellKey::EVERYTHING.cuboid(), Cuboid::EVERYTHING);
        assert_eq!(Cuboid::EVERYTHING.halves(), None);
        assert_ne!(Cuboid::of(6, None), Cuboid::of(0, Some(6)));
        assert_eq!(
            Cuboid::of(0, Some(6)).halves(),
            Some([Cuboid::of(0, None), Cuboid::of(6, None)])
        );
        assert_eq!(Cuboid::of(6, None).halves(), None);
    }
}
