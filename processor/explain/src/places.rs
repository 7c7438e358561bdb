//! The cells of a cuboid as places in an array, and the place of each row.

use crate::columns::{Column, narrow};

/// Rows whose places are found at once: attribute by attribute, which a processor does for several rows together.
const AT_ONCE: usize = 2048;

/// As many places as its attributes have combinations of values, and one more after them, where the rows are that do not
/// know one of them.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    pub(crate) columns: Vec<&'a Column>,
    pub(crate) cells: usize,
    pub(crate) rows: usize,
}

impl Places<'_> {
    /// How many hold a row.
    pub(crate) fn occupied(&self) -> usize {
        let mut bits = vec![0_u64; self.cells / 64 + 1];
        let mut places = [0; AT_ONCE];
        for from in (0..self.rows).step_by(AT_ONCE) {
            for place in self.from(from, &mut places) {
                bits[*place as usize / 64] |= 1 << (place % 64);
            }
            if self.cells < AT_ONCE && count(&bits, self.cells) == self.cells {
                break;
            }
        }
        count(&bits, self.cells)
    }

    /// Calls with each row of one of some parts of the table, and its place. The parts lie in one another like the teeth of
    /// combs: a table in the order of an attribute has rows of all its values in each.
    pub(crate) fn each(&self, part: usize, parts: usize, mut see: impl FnMut(usize, usize)) {
        let mut places = [0; AT_ONCE];
        for from in (0..self.rows).step_by(AT_ONCE).skip(part).step_by(parts) {
            let places = self.from(from, &mut places).iter().enumerate();
            places.for_each(|(i, place)| see(from + i, *place as usize));
        }
    }

    /// The place of one row.
    pub(crate) fn of(&self, row: usize) -> usize {
        let place = self.columns.iter().try_fold(0, |place, column| {
            let value = column.of_rows()[row].checked_sub(1)?;
            Some(place * column.len() + value as usize)
        });
        place.unwrap_or(self.cells)
    }

    /// The places of some rows from one on.
    fn from<'a>(&self, from: usize, places: &'a mut [u32; AT_ONCE]) -> &'a [u32] {
        let places = &mut places[..AT_ONCE.min(self.rows - from)];
        let nowhere = narrow(self.cells);
        places.fill(0);
        let mut are_known = true;
        for column in &self.columns {
            let size = narrow(column.len());
            let values = &column.of_rows()[from..from + places.len()];
            let next = |place: u32, value: u32| place.wrapping_mul(size).wrapping_add(value.wrapping_sub(1));
            are_known &= column.unknown() == 0;
            let each = places.iter_mut().zip(values);
            if are_known {
                each.for_each(|(place, value)| *place = next(*place, *value));
            } else {
                each.for_each(|(place, value)| {
                    let is_nowhere = *value == 0 || *place == nowhere;
                    *place = if is_nowhere { nowhere } else { next(*place, *value) };
                });
            }
        }
        places
    }
}

/// How many of the first bits are set.
fn count(bits: &[u64], first: usize) -> usize {
    let (whole, rest) = (first / 64, first % 64);
    let ones = |bits: u64| bits.count_ones() as usize;
    bits[..whole].iter().map(|bits| ones(*bits)).sum::<usize>() + ones(bits[whole] & ((1 << rest) - 1))
}
