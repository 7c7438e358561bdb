//! The rows of a table attribute by attribute: which value each row has, and which rows have each value.

use std::cell::OnceCell;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{places::Places, table::Codes};

/// A cuboid of up to so many cells is counted with a bit for each; a larger one with a set of those that occur.
const MOST_BITS: usize = 1 << 24;

/// One attribute. Its values are numbered from 1; 0 is "unknown".
#[derive(Debug)]
pub(crate) struct Column {
    values: usize,
    of_rows: Vec<u32>,
    /// Where the rows of each value begin among all rows by their values; one more at the end.
    starts: Vec<usize>,
    /// All rows by their values, found when they are first asked for.
    rows: OnceCell<Vec<u32>>,
}

impl Column {
    /// Of the codes of all rows.
    fn new(mut of_rows: Vec<u32>, highest: u32) -> Self {
        let most = of_rows.len().saturating_mul(4).max(1024);
        let values = if highest as usize > most {
            renumber(&mut of_rows)
        } else {
            highest
        };
        let mut starts = vec![0; values as usize + 2];
        of_rows.iter().for_each(|value| starts[*value as usize + 1] += 1);
        (1..starts.len()).for_each(|value| starts[value] += starts[value - 1]);
        Self {
            values: values as usize,
            of_rows,
            starts,
            rows: OnceCell::new(),
        }
    }

    fn by_value(&self) -> Vec<u32> {
        let mut next = self.starts.clone();
        let mut rows = vec![0; self.of_rows.len()];
        for (row, value) in (0_u32..).zip(&self.of_rows) {
            let next = &mut next[*value as usize];
            rows[*next] = row;
            *next += 1;
        }
        rows
    }

    /// The highest number of a value.
    pub(crate) const fn len(&self) -> usize {
        self.values
    }

    /// How many values occur.
    fn occupied(&self) -> usize {
        self.starts[1..].windows(2).filter(|ends| ends[0] < ends[1]).count()
    }

    /// How many rows have none.
    pub(crate) fn unknown(&self) -> usize {
        self.starts[1]
    }

    /// The number of each row's value.
    pub(crate) fn of_rows(&self) -> &[u32] {
        &self.of_rows
    }

    /// How many rows have the value that a row has.
    fn as_row(&self, row: usize) -> usize {
        let value = self.of_rows[row] as usize;
        self.starts[value + 1] - self.starts[value]
    }

    /// The rows that have the value that a row has, in order.
    fn rows_as(&self, row: usize) -> &[u32] {
        let value = self.of_rows[row] as usize;
        &self.rows.get_or_init(|| self.by_value())[self.starts[value]..self.starts[value + 1]]
    }
}

/// Numbers codes in the order of their first row, where they are far higher than there are rows. Says how many there are.
fn renumber(codes: &mut [u32]) -> u32 {
    let mut numbers = FxHashMap::default();
    for code in codes.iter_mut().filter(|code| **code != 0) {
        let next = narrow(numbers.len() + 1);
        *code = *numbers.entry(*code).or_insert(next);
    }
    narrow(numbers.len())
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
    /// Pairs of attributes of which the first determines the second, as a segment does its site.
    determined: FxHashSet<(usize, usize)>,
}

impl Columns {
    pub(crate) fn new(codes: &Codes) -> Self {
        let mut columns = vec![vec![0; codes.len()]; codes.attributes()];
        for row in 0..codes.len() {
            for (code, column) in codes.of(row).iter().zip(&mut columns) {
                column[row] = *code;
            }
        }
        let columns = columns.into_iter().enumerate();
        Self {
            all: columns
                .map(|(attribute, of_rows)| Column::new(of_rows, codes.cardinality(attribute)))
                .collect(),
            rows: codes.len(),
            determined: FxHashSet::default(),
        }
    }

    pub(crate) fn of(&self, attribute: usize) -> &Column {
        &self.all[attribute]
    }

    /// Remembers that the first of two attributes determines the second, if all rows know that one and there are no more
    /// cells of both than values of the first.
    pub(crate) fn learn(&mut self, attributes: &[usize], occupied: usize) {
        if let [first, second] = *attributes
            && self.of(second).unknown() == 0
            && self.of(first).occupied() == occupied
        {
            self.determined.insert((first, second));
        }
    }

    /// The attributes without those that others of them determine: the same cells.
    fn essential(&self, attributes: &[usize]) -> Vec<usize> {
        let is_determined = |second: &usize| {
            attributes
                .iter()
                .any(|first| self.determined.contains(&(*first, *second)))
        };
        attributes
            .iter()
            .copied()
            .filter(|second| !is_determined(second))
            .collect()
    }

    /// The rows of the cell that a row lies in, in order: those of its rarest value that have the others too.
    pub(crate) fn rows_with(&self, attributes: &[usize], row: usize) -> impl Iterator<Item = usize> {
        let rarest = self.rarest(attributes, row);
        let others = attributes.iter().filter(|attribute| Some(**attribute) != rarest);
        let others: Vec<(&[u32], u32)> = others
            .map(|attribute| (self.of(*attribute).of_rows(), self.of(*attribute).of_rows[row]))
            .collect();
        let rows = rarest.map_or(&[][..], |rarest| self.of(rarest).rows_as(row));
        let rows = rows.iter().map(|row| *row as usize);
        rows.filter(move |row| others.iter().all(|(values, value)| values[*row] == *value))
    }

    /// The attribute whose value in a row is the rarest.
    fn rarest(&self, attributes: &[usize], row: usize) -> Option<usize> {
        attributes
            .iter()
            .copied()
            .min_by_key(|attribute| self.of(*attribute).as_row(row))
    }

    /// How many rows have the rarest value of a row.
    pub(crate) fn to_look_up(&self, attributes: &[usize], row: usize) -> usize {
        self.rarest(attributes, row)
            .map_or(0, |rarest| self.of(rarest).as_row(row))
    }

    /// The cells of a cuboid as places in an array, if there could be no more than so many.
    pub(crate) fn places(&self, attributes: &[usize], most: usize) -> Option<Places<'_>> {
        let attributes = self.essential(attributes).into_iter();
        let columns: Vec<&Column> = attributes.map(|attribute| self.of(attribute)).collect();
        let mut sizes = columns.iter().map(|column| column.len());
        let cells = sizes.try_fold(1_usize, usize::checked_mul)?;
        let rows = self.rows;
        (cells <= most).then_some(Places { columns, cells, rows })
    }

    /// How many cells of a cuboid hold a row. Its values must fit into 64 bits together.
    pub(crate) fn occupied(&self, attributes: &[usize]) -> usize {
        match (attributes, self.places(attributes, MOST_BITS)) {
            ([attribute], _) => self.of(*attribute).occupied(),
            (_, Some(places)) => places.occupied(),
            (_, None) => {
                let places = (0..self.rows).filter_map(|row| self.key(attributes, row));
                places.collect::<FxHashSet<u64>>().len()
            }
        }
    }

    /// The number of a row's cell, in cuboids of any size.
    fn key(&self, attributes: &[usize], row: usize) -> Option<u64> {
        attributes.iter().try_fold(0_u64, |key, attribute| {
            let column = self.of(*attribute);
            let value = column.of_rows[row].checked_sub(1)?;
            Some(key * column.len() as u64 + u64::from(value))
        })
    }
}
