//! The rows of a table attribute by attribute: which value each row has, and which rows have each value.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::table::Codes;

/// A cuboid of up to so many cells is counted with a bit for each; a larger one with a set of those that occur.
const MOST_BITS: usize = 1 << 24;

/// One attribute. Its values that occur are numbered from 1, in the order of their first row; 0 is "unknown".
#[derive(Debug)]
pub(crate) struct Column {
    values: Vec<u32>,
    of_rows: Vec<u32>,
    /// Where the rows of each value begin in `rows`; one more at the end.
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl Column {
    fn new(codes: &Codes, attribute: usize) -> Self {
        let mut numbers = Numbers::new(codes.cardinality(attribute), codes.len());
        let mut values = Vec::new();
        let of_rows: Vec<u32> = (0..codes.len())
            .map(|row| match codes.of(row)[attribute] {
                0 => 0,
                code => numbers.of(code, &mut values),
            })
            .collect();
        let mut starts = vec![0; values.len() + 2];
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
        self.values.len()
    }

    /// The number of each row's value.
    pub(crate) fn of_rows(&self) -> &[u32] {
        &self.of_rows
    }

    /// The code of a value.
    pub(crate) fn code(&self, value: u32) -> u32 {
        self.values[value as usize - 1]
    }

    /// The rows that have a value, in order.
    pub(crate) fn rows(&self, value: u32) -> &[u32] {
        let value = value as usize;
        &self.rows[self.starts[value]..self.starts[value + 1]]
    }
}

/// The numbers of the codes seen so far: an array, or a map where codes are far higher than there are rows.
enum Numbers {
    Array(Vec<u32>),
    Map(FxHashMap<u32, u32>),
}

impl Numbers {
    fn new(highest: u32, rows: usize) -> Self {
        let highest = highest as usize;
        if highest <= rows.saturating_mul(4).max(1024) {
            Self::Array(vec![0; highest + 1])
        } else {
            Self::Map(FxHashMap::default())
        }
    }

    fn of(&mut self, code: u32, values: &mut Vec<u32>) -> u32 {
        let number = match self {
            Self::Array(numbers) => &mut numbers[code as usize],
            Self::Map(numbers) => numbers.entry(code).or_default(),
        };
        if *number == 0 {
            values.push(code);
            *number = narrow(values.len());
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

    /// The rows of a cell, in order: those of its rarest value that have the others too.
    pub(crate) fn rows_of<'a>(&'a self, attributes: &'a [usize], cell: &'a [u32]) -> impl Iterator<Item = usize> + 'a {
        let rows = self.rarest(attributes, cell);
        rows.iter().map(|row| *row as usize).filter(move |row| {
            let mut conditions = attributes.iter().zip(cell);
            conditions.all(|(attribute, value)| self.all[*attribute].of_rows[*row] == *value)
        })
    }

    /// The rows of the rarest value of a cell.
    pub(crate) fn rarest(&self, attributes: &[usize], cell: &[u32]) -> &[u32] {
        let rows = attributes.iter().zip(cell).map(|(a, value)| self.all[*a].rows(*value));
        rows.min_by_key(|rows| rows.len()).unwrap_or_default()
    }

    /// How many cells a cuboid could have, if that can be said in a `usize`.
    pub(crate) fn possible(&self, attributes: &[usize]) -> Option<usize> {
        let mut sizes = attributes.iter().map(|a| self.all[*a].len());
        sizes.try_fold(1_usize, usize::checked_mul)
    }

    /// How many cells of a cuboid hold a row. Its values must fit into 64 bits together.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52 cells")]
    pub(crate) fn occupied(&self, attributes: &[usize]) -> f64 {
        match self.possible(attributes).filter(|cells| *cells <= MOST_BITS) {
            Some(cells) => {
                let mut bits = vec![0_u64; cells.div_ceil(64)];
                self.each_place(attributes, |_, place| bits[place / 64] |= 1 << (place % 64));
                bits.iter().map(|bits| f64::from(bits.count_ones())).sum()
            }
            None => {
                let mut seen = FxHashSet::default();
                self.each_place(attributes, |_, place| {
                    seen.insert(place);
                });
                seen.len() as f64
            }
        }
    }

    /// The place of a cell among all that its cuboid could have.
    pub(crate) fn place(&self, attributes: &[usize], cell: &[u32]) -> usize {
        let values = attributes.iter().zip(cell);
        values.fold(0, |place, (a, value)| place * self.all[*a].len() + *value as usize - 1)
    }

    /// Calls with each row all of whose values are known, and the place of its cell.
    #[inline]
    pub(crate) fn each_place(&self, attributes: &[usize], mut see: impl FnMut(usize, usize)) {
        let columns: Vec<(&[u32], usize)> = attributes
            .iter()
            .map(|a| (&self.all[*a].of_rows[..self.rows], self.all[*a].len()))
            .collect();
        match columns[..] {
            // The usual depths, without a loop for each row.
            [(a, _)] => (0..self.rows).for_each(|row| {
                if a[row] != 0 {
                    see(row, a[row] as usize - 1);
                }
            }),
            [(a, _), (b, of_b)] => (0..self.rows).for_each(|row| {
                if a[row] != 0 && b[row] != 0 {
                    see(row, (a[row] as usize - 1) * of_b + b[row] as usize - 1);
                }
            }),
            [(a, _), (b, of_b), (c, of_c)] => (0..self.rows).for_each(|row| {
                if a[row] != 0 && b[row] != 0 && c[row] != 0 {
                    let prefix = (a[row] as usize - 1) * of_b + b[row] as usize - 1;
                    see(row, prefix * of_c + c[row] as usize - 1);
                }
            }),
            _ => (0..self.rows).for_each(|row| {
                if columns.iter().all(|(values, _)| values[row] != 0) {
                    let place = |place: usize, (values, of): &(&[u32], usize)| place * of + values[row] as usize - 1;
                    see(row, columns.iter().fold(0, place));
                }
            }),
        }
    }
}
