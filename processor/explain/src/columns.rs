//! The rows of a table attribute by attribute: which value each row has, and which rows have each value.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::table::Codes;

/// A cuboid of up to so many cells is counted with a bit for each; a larger one with a set of those that occur.
const MOST_BITS: usize = 1 << 24;
/// Rows whose places are found at once.
const AT_ONCE: usize = 2048;

/// One attribute. Its values that occur are numbered from 1, in the order of their first row; 0 is "unknown".
#[derive(Debug)]
pub(crate) struct Column {
    values: usize,
    of_rows: Vec<u32>,
    /// Where the rows of each value begin in `rows`; one more at the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl Column {
    fn new(codes: &Codes, attribute: usize) -> Self {
        let mut numbers = Numbers::new(codes.cardinality(attribute), codes.len());
        let of_rows: Vec<u32> = (0..codes.len())
            .map(|row| match codes.of(row)[attribute] {
                0 => 0,
                code => numbers.of(code),
            })
            .collect();
        let values = numbers.count as usize;
        let mut starts = vec![0; values + 2];
        of_rows.iter().for_each(|value| starts[*value as usize + 1] += 1);
        (1..starts.len()).for_each(|value| starts[value] += starts[value - 1]);
        let mut next = starts.clone();
        let mut rows = vec![0; of_rows.len()];
        for (row, value) in (0_u32..).zip(&of_rows) {
            let next = &mut next[*value as usize];
            rows[*next] = row;
            *next += 1;
        }
        Self {
            values,
            of_rows,
            starts,
            rows,
        }
    }

    /// How many values occur.
    pub(crate) const fn len(&self) -> usize {
        self.values
    }

    /// How many rows have none.
    pub(crate) fn unknown(&self) -> usize {
        self.starts[1]
    }

    /// The number of each row's value.
    pub(crate) fn of_rows(&self) -> &[u32] {
        &self.of_rows
    }

    /// The rows that have a value, in order.
    pub(crate) fn rows(&self, value: u32) -> &[u32] {
        let value = value as usize;
        &self.rows[self.starts[value]..self.starts[value + 1]]
    }
}

/// The numbers of the codes seen so far: an array, or a map where codes are far higher than there are rows.
struct Numbers {
    count: u32,
    array: Vec<u32>,
    map: FxHashMap<u32, u32>,
}

impl Numbers {
    fn new(highest: u32, rows: usize) -> Self {
        let highest = highest as usize;
        let is_array = highest <= rows.saturating_mul(4).max(1024);
        Self {
            count: 0,
            array: vec![0; if is_array { highest + 1 } else { 0 }],
            map: FxHashMap::default(),
        }
    }

    fn of(&mut self, code: u32) -> u32 {
        let number = match self.array.get_mut(code as usize) {
            Some(number) => number,
            None => self.map.entry(code).or_default(),
        };
        if *number == 0 {
            self.count += 1;
            *number = self.count;
        }
        *number
    }
}

/// A number of rows, of values or of cells in an array, as 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "far fewer than 2^32 rows")]
pub(crate) const fn narrow(count: usize) -> u32 {
    count as u32
}

/// All attributes.
#[derive(Debug)]
pub(crate) struct Columns {
    all: Vec<Column>,
    rows: usize,
}

impl Columns {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self {
            all: (0..codes.attributes()).map(|a| Column::new(codes, a)).collect(),
            rows: codes.len(),
        }
    }

    pub(crate) fn of(&self, attribute: usize) -> &Column {
        &self.all[attribute]
    }

    /// The rows of the cell that a row lies in, in order: those of its rarest value that have the others too.
    pub(crate) fn rows_with(&self, attributes: &[usize], row: usize) -> impl Iterator<Item = usize> {
        let columns = attributes.iter().map(|attribute| self.of(*attribute).of_rows());
        let others: Vec<(&[u32], u32)> = columns.map(|values| (values, values[row])).collect();
        let rows = self.rarest(attributes, row).iter().map(|row| *row as usize);
        rows.filter(move |row| others.iter().all(|(values, value)| values[*row] == *value))
    }

    /// The rows of the rarest value that a row has.
    pub(crate) fn rarest(&self, attributes: &[usize], row: usize) -> &[u32] {
        let columns = attributes.iter().map(|attribute| self.of(*attribute));
        let rows = columns.map(|column| column.rows(column.of_rows[row]));
        rows.min_by_key(|rows| rows.len()).unwrap_or_default()
    }

    /// How many cells a cuboid could have, if no more than so many.
    pub(crate) fn possible(&self, attributes: &[usize], most: usize) -> Option<usize> {
        let mut sizes = attributes.iter().map(|attribute| self.of(*attribute).len());
        let cells = sizes.try_fold(1_usize, usize::checked_mul);
        cells.filter(|cells| *cells <= most)
    }

    /// How many cells of a cuboid hold a row. Its values must fit into 64 bits together.
    pub(crate) fn occupied(&self, attributes: &[usize]) -> usize {
        if let [attribute] = attributes {
            return self.of(*attribute).len();
        }
        let Some(cells) = self.possible(attributes, MOST_BITS) else {
            let places = (0..self.rows).filter_map(|row| self.place(attributes, row));
            return places.collect::<FxHashSet<u64>>().len();
        };
        // One bit more, for rows that lie in none.
        let mut bits = vec![0_u64; cells / 64 + 1];
        let mut places = [0; AT_ONCE];
        for from in (0..self.rows).step_by(AT_ONCE) {
            for place in self.places(attributes, from, cells, &mut places) {
                bits[*place as usize / 64] |= 1 << (place % 64);
            }
            if cells < AT_ONCE && count(&bits, cells) == cells {
                break;
            }
        }
        count(&bits, cells)
    }

    /// The place of a row's cell, for cuboids of any size.
    fn place(&self, attributes: &[usize], row: usize) -> Option<u64> {
        attributes.iter().try_fold(0_u64, |place, attribute| {
            let column = self.of(*attribute);
            let value = column.of_rows[row].checked_sub(1)?;
            Some(place * column.len() as u64 + u64::from(value))
        })
    }

    /// The places of rows from one on among all the cells there could be; the place after the last where a value is unknown.
    #[inline]
    pub(crate) fn places<'a>(
        &self,
        attributes: &[usize],
        from: usize,
        cells: usize,
        places: &'a mut [u32; AT_ONCE],
    ) -> &'a [u32] {
        let places = &mut places[..AT_ONCE.min(self.rows - from)];
        let nowhere = narrow(cells);
        places.fill(0);
        for attribute in attributes {
            let column = self.of(*attribute);
            let size = narrow(column.len());
            let values = &column.of_rows[from..from + places.len()];
            for (place, value) in places.iter_mut().zip(values) {
                let next = place.wrapping_mul(size).wrapping_add(value.wrapping_sub(1));
                *place = if *value == 0 || *place == nowhere {
                    nowhere
                } else {
                    next
                };
            }
        }
        places
    }

    /// Calls with the place of each row's cell among all the cells there could be, or the place after the last.
    pub(crate) fn each_place(&self, attributes: &[usize], cells: usize, mut see: impl FnMut(usize, usize)) {
        let mut places = [0; AT_ONCE];
        for from in (0..self.rows).step_by(AT_ONCE) {
            let places = self.places(attributes, from, cells, &mut places);
            places
                .iter()
                .enumerate()
                .for_each(|(i, place)| see(from + i, *place as usize));
        }
    }

    /// The place of the cell that a row lies in.
    pub(crate) fn place_of(&self, attributes: &[usize], row: usize) -> usize {
        let place = self
            .place(attributes, row)
            .and_then(|place| usize::try_from(place).ok());
        place.unwrap_or(usize::MAX)
    }
}

/// How many of the first bits are set.
fn count(bits: &[u64], first: usize) -> usize {
    let (whole, rest) = (first / 64, first % 64);
    let ones = |bits: u64| bits.count_ones() as usize;
    bits[..whole].iter().map(|bits| ones(*bits)).sum::<usize>() + ones(bits[whole] & ((1 << rest) - 1))
}
